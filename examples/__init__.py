"""Questions to the published file, as SQL."""
