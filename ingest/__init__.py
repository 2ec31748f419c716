"""Sources: one module per place data comes from, and `landing`, the only writer of raw tables."""
