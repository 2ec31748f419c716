"""The published marts in the browser: a reactive notebook, served read-only."""
