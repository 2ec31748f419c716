"""Services: what talks to the outside (HTTP clients, sign-in, retries, receipts, texts made safe for a service)."""
