"""How good forecasts, decisions and labels were."""

from __future__ import annotations

from datetime import date
from typing import Any

import duckdb

from exports.published.day import Day, Table, read_table


def scorecard_days(
    connection: duckdb.DuckDBPyConnection, first: date | None = None, last: date | None = None
) -> tuple[Table, Table]:
    """Daily scores of the forecasts, and of the build decisions where the file has them.

    Args:
        connection: To the published file.
        first: First scored date to take, None for all.
        last: Last scored date to take.

    Returns:
        Rows of `forecast_scores` and of `decision_scores` (empty without that mart): markets before ALL, short
        horizons first, then by date.
    """
    known = {
        name
        for (name,) in connection.execute(
            "select table_name from information_schema.tables where table_schema = 'marts'"
        ).fetchall()
    }
    within = "where as_of_date >= coalesce($first, as_of_date) and as_of_date <= coalesce($last, as_of_date)"
    queries = {
        "forecast_scores": f"""
            select
                as_of_date, market, horizon_hours, model, n, actual_gain, absolute_error, mape_total, bias,
                direction_accuracy, precision_at_20, kendall_tau, coverage_80
            from marts.forecast_scores
            {within}
            order by market = 'ALL', market, horizon_hours, model, as_of_date
        """,
        # After a gap in the feeds, decisions of several dates can be scored on one.
        "decision_scores": f"""
            select
                as_of_date, market, decision_mode, sum(n) as n, sum(builds) as builds,
                sum(correct_builds) as correct_builds, sum(false_positives) as false_positives,
                sum(missed) as missed, sum(correct_skips) as correct_skips
            from marts.decision_scores
            {within}
            group by as_of_date, market, decision_mode
            order by market = 'ALL', market, decision_mode, as_of_date
        """,
    }
    tables = []
    for mart, sql in queries.items():
        if mart not in known:
            tables.append(Table((), []))
            continue
        cursor = connection.execute(sql, {"first": first, "last": last})
        tables.append(read_table(cursor))
    return tables[0], tables[1]


def scorecard(day: Day) -> list[dict[str, Any]]:
    """The scores told on the date: `marts.scorecard`, the only place where scores come from."""
    return day.table(_SCORECARD).dicts()


def last_scorecard(connection: duckdb.DuckDBPyConnection, last: date | None) -> list[dict[str, Any]]:
    """The scores of the newest date up to `last` (None: of all); empty where the file has none."""
    known = connection.execute(
        "select 1 from information_schema.tables where table_schema = 'marts' and table_name = 'scorecard'"
    ).fetchall()
    if not known:
        return []
    [(newest,)] = connection.execute(
        "select max(as_of_date) from marts.scorecard where as_of_date <= coalesce(?, as_of_date)", [last]
    ).fetchall()
    return read_table(connection.execute(_SCORECARD, {"as_of_date": newest})).dicts()


_SCORECARD = """
    select * from marts.scorecard
    where as_of_date = $as_of_date
    order by record desc, kind, label, place, market, horizon_hours, value
"""


def scored_period(connection: duckdb.DuckDBPyConnection) -> tuple[date | None, date | None, int]:
    """First and last date with a scored forecast (None without one), and the number of days with readings."""
    [(first, last)] = connection.execute(
        "select min(as_of_date), max(as_of_date) from marts.forecast_scores"
    ).fetchall()
    [(days,)] = connection.execute(
        "select count(distinct cast(observed_at as date)) from marts.video_readings"
    ).fetchall()
    return first, last, days
