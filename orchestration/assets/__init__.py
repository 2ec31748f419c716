"""Assets by room: `ingest`, `models`, `publish`, `exports`. Each function wires a room's functions to the graph."""
