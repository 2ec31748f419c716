"""Exports: rows of the published marts in, bytes or a receipt out."""
