"""The HTML report and the pictures of the day."""
