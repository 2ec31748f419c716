"""Workbooks: rows of the published marts as cells and bytes."""
