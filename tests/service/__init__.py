"""A local HTTP service that speaks Google's token endpoint, Sheets v4, Drive v3, Discord webhooks, Apify v2, chats.

The real clients talk to it over sockets. What keeps it honest: requests and answers of the Google services are
checked against the discovery documents that google-api-python-client ships, Apify's answers against the models
of apify-client, Discord's limits are enforced; a parameter it doesn't implement is an error, never ignored.
"""
