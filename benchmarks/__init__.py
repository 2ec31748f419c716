"""Benchmarks: what the product recovers of a known truth, and how long it takes. They record and assert nothing."""
