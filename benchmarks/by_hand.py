"""The day by hand: `by_hand.sql`, the yardstick that the time of some marts is told against.

Belongs here: running the script, which marts it makes, which models make the same. Must not be here: timing (`speed`),
SQL of a mart, whether the rows are right (the models' own tests and the reference say so).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path

import duckdb

from engine.compiler import CompiledNode

# What the script makes, as temporary tables of the same names.
MARTS = ("creator_outliers", "feed_overlap", "sounds_daily")


def run(connection: duckdb.DuckDBPyConnection, day: date) -> dict[str, int]:
    """Makes the day's tables by hand.

    Args:
        connection: A model writer of a home in which the days before are built; the day's feeds are landed.
        day: The date.

    Returns:
        Rows by mart.
    """
    script = Path(__file__).with_suffix(".sql").read_text(encoding="utf-8")
    connection.execute(script.replace("@day@", day.isoformat()))
    return {mart: _count(connection, mart) for mart in MARTS}


def models(nodes: Sequence[CompiledNode]) -> list[str]:
    """Names of the models that make the same marts, from the raw tables on."""
    known = {node.unique_id: node for node in nodes if node.resource_type == "model"}
    open_ids = [node.unique_id for node in known.values() if node.name in MARTS]
    found: dict[str, None] = {}
    while open_ids:
        unique_id = open_ids.pop()
        if unique_id in known and unique_id not in found:
            found[unique_id] = None
            open_ids += known[unique_id].after
    return sorted(known[unique_id].name for unique_id in found)


def _count(connection: duckdb.DuckDBPyConnection, mart: str) -> int:
    [(rows,)] = connection.execute(f"select count(*) from temp.main.{mart}").fetchall()
    return int(rows)
