"""The day by hand: `by_hand.sql` beside the marts that it makes again.

Belongs here: running the script, which marts it makes, telling how far its rows are from theirs. Must not be here:
timing (`speed`), SQL of a mart.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path

import duckdb

# Keys of the marts that the script makes, as tables of the same names.
MARTS = {
    "videos_daily": ("market", "video_id"),
    "forecasts": ("market", "video_id", "horizon_hours"),
    "forecast_scores": ("market", "horizon_hours", "model"),
    "decisions": ("market", "video_id", "decision_mode"),
    "decision_scores": ("decision_date", "market", "decision_mode"),
    "trends_daily": ("market", "trend_key"),
    "cross_market_trends": ("trend_key", "first_market", "other_market"),
    "sounds_daily": ("market", "sound_id"),
    "creator_outliers": ("video_id",),
    "acceleration_alerts": ("video_id", "alerted_at"),
    "micro_polls": ("poll_at",),
    "alert_outcomes": ("video_id", "alerted_at", "horizon_hours"),
    "opportunities": ("market", "video_id"),
    "feed_overlap": ("market_a", "market_b"),
    "source_health": ("market", "kind"),
    "my_performance": ("market", "video_id"),
}
# A day's polls also score alerts of the days before.
_DAYS_BEFORE = {"alert_outcomes": 2}
# Relative: sums of doubles depend on the order of their rows.
_TOLERANCE = 1e-9


def run(connection: duckdb.DuckDBPyConnection, day: date) -> None:
    """Makes the day's tables by hand, as temporary ones.

    Args:
        connection: A model writer of a home in which the days before are built; the day's feeds are landed.
        day: The date.
    """
    script = Path(__file__).with_suffix(".sql").read_text(encoding="utf-8")
    connection.execute(script.replace("@day@", day.isoformat()))


def differences(connection: duckdb.DuckDBPyConnection, day: date) -> dict[str, int]:
    """Rows of a mart's date that the tables by hand don't have or hold otherwise, and theirs that it doesn't have.

    Args:
        connection: The one that `run` was given, in a home in which the models built the day too.
        day: The date.

    Returns:
        Number of such rows by mart.

    Raises:
        ValueError: A table has other columns than its mart.
    """
    return {mart: _differences(connection, mart, day) for mart in MARTS}


def _differences(connection: duckdb.DuckDBPyConnection, mart: str, day: date) -> int:
    columns = _columns(connection, "marts", mart)
    by_hand = _columns(connection, "main", mart)
    if columns.keys() != by_hand.keys():
        message = f"{mart} by hand has other columns than the mart: {sorted(columns.keys() ^ by_hand.keys())}"
        raise ValueError(message)
    keys = ("as_of_date", *MARTS[mart])
    same_key = " and ".join(f"ours.{key} is not distinct from theirs.{key}" for key in keys)
    differs = " or ".join(_differs(name, data_type) for name, data_type in columns.items() if name not in keys)
    first = f"date '{day}' - {_DAYS_BEFORE.get(mart, 0)}"
    [(differing,)] = connection.execute(f"""
        with
        ours as (select *, 1 as is_there from temp.main.{mart}),
        theirs as (
            select *, 1 as is_there from marts.{mart} where as_of_date between {first} and date '{day}'
        ),
        compared as (
            select count(*) filter (where ours.is_there is null or theirs.is_there is null or {differs}) as differing
            from ours
            full join theirs on {same_key}
        )
        select greatest(differing, abs((select count(*) from ours) - (select count(*) from theirs))) from compared
    """).fetchall()
    return int(differing)


def _columns(connection: duckdb.DuckDBPyConnection, schema: str, table: str) -> dict[str, str]:
    """Types by name; a table by hand is a temporary one, in the schema `main`."""
    rows = connection.execute(
        "select column_name, data_type from duckdb_columns()"
        " where schema_name = ? and table_name = ? and (database_name = 'temp') = (schema_name = 'main')"
        " order by column_index",
        [schema, table],
    ).fetchall()
    return dict(rows)


def _differs(column: str, data_type: str) -> str:
    ours, theirs = f'ours."{column}"', f'theirs."{column}"'
    if data_type != "DOUBLE":
        return f"{ours} is distinct from {theirs}"
    return (
        f"coalesce(abs({ours} - {theirs}) > {_TOLERANCE} * greatest(abs({ours}), abs({theirs})),"
        f" {ours} is distinct from {theirs})"
    )
