"""The store: where the DuckDB files are, who may write them, and how a build becomes the published file."""
