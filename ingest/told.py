"""What people were told, kept as facts: forecasts, decisions, build list and alerts, with the version that told them.

Belongs here: copying them out of the published file, once each. Must not be here: what they mean (models), when people
are told (orchestration), scores.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import duckdb

from warehouse.store import quote_literal, transaction

DAILY, POLL = "daily", "poll"
# A telling is live where it came so soon after its cut-off: nobody knew the outcomes.
LIVE_WITHIN = timedelta(hours=24)
# Keys of receipts of effects that tell people of a date; a failure's message does not.
_TOLD_A_DAY = "^(drive:|sheets:|discord:daily:)"
_EARLIER = "earlier"

# Which mart each table's rows are taken from, and the columns that are not in it by the same name.
_MARTS: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "forecasts": ("forecasts", {}),
    "decisions": ("videos_daily", {}),
    "build_list": ("build_list", {"recommended_variants": "variants"}),
    "alerts": ("acceleration_alerts", {}),
    "trend_alerts": ("trend_alerts", {}),
}


@dataclass(frozen=True, slots=True)
class Teller:
    """Who tells.

    Attributes:
        run_id: The run.
        version: Release and commit.
        fingerprint: Of the dbt project.
    """

    run_id: str
    version: str
    fingerprint: str


def keep_day(connection: duckdb.DuckDBPyConnection, published: Path, as_of_date: date, teller: Teller) -> bool:
    """Keeps what the published file tells of a date; returns whether anything was added.

    The same version telling the same date with the same cut-off again adds nothing.

    Args:
        connection: To the facts, read-write.
        published: The published file.
        as_of_date: The date that people are told about.
        teller: Who tells.
    """
    with attached(connection, published):
        cutoffs = connection.execute(
            "select cutoff_at from published.meta.builds where as_of_date = ?", [as_of_date]
        ).fetchall()
        if not cutoffs:
            return False
        (cutoff_at,) = cutoffs[0]
        known = connection.execute(
            "select 1 from told.tellings where kind = ? and as_of_date = ? and cutoff_at = ? and fingerprint = ?",
            [DAILY, as_of_date, cutoff_at, teller.fingerprint],
        ).fetchall()
        if known:
            return False
        with transaction(connection):
            telling = _tell(connection, DAILY, as_of_date, None, cutoff_at, datetime.now(UTC), teller)
            _keep_day(connection, telling, as_of_date)
    return True


def keep_poll(connection: duckdb.DuckDBPyConnection, published: Path, as_of_date: date, teller: Teller) -> bool:
    """Keeps the alerts of a date's last poll, of videos and trends, unless they were kept before: see `keep_day`.

    A poll without alerts told nothing.
    """
    with attached(connection, published):
        rows = connection.execute(
            "select poll_at, poll_ended_at from published.marts.micro_polls where as_of_date = ?"
            " order by poll_at desc limit 1",
            [as_of_date],
        ).fetchall()
        if not rows:
            return False
        poll_at, ended_at = rows[0]
        alerts = connection.execute(
            "select 1 from published.marts.acceleration_alerts where poll_at = $1"
            " union all select 1 from published.marts.trend_alerts where poll_at = $1 limit 1",
            [poll_at],
        ).fetchall()
        known = connection.execute(
            "select 1 from told.tellings where kind = ? and poll_at = ?", [POLL, poll_at]
        ).fetchall()
        if known or not alerts:
            return False
        with transaction(connection):
            telling = _tell(connection, POLL, as_of_date, poll_at, ended_at, datetime.now(UTC), teller)
            for table in ("alerts", "trend_alerts"):
                _keep(connection, table, telling, "poll_at = ?", poll_at)
    return True


def take_over(connection: duckdb.DuckDBPyConnection) -> None:
    """Keeps what the published file of an earlier version told: dates that were live, or of which something was sent.

    Args:
        connection: To the facts, read-write, with that version's file `attached`; its receipts say what was sent.
    """
    if not _columns(connection, "meta", "builds"):
        return
    days = connection.execute(
        """
        select as_of_date, cutoff_at, built_at, run_id
        from published.meta.builds
        where
            built_at between cutoff_at and cutoff_at + to_seconds(?)
            or as_of_date in (
                select as_of_date from meta.receipts
                where regexp_matches(idempotency_key, ?) and digest is not null
            )
        order by as_of_date
        """,
        [LIVE_WITHIN.total_seconds(), _TOLD_A_DAY],
    ).fetchall()
    for as_of_date, cutoff_at, built_at, run_id in days:
        teller = Teller(run_id, _EARLIER, _EARLIER)
        telling = _tell(connection, DAILY, as_of_date, None, cutoff_at, built_at.replace(tzinfo=UTC), teller)
        _keep_day(connection, telling, as_of_date)
    if not _columns(connection, "marts", "acceleration_alerts"):
        return
    polls = connection.execute(
        """
        select poll_at, any_value(as_of_date), max(alerted_at)
        from published.marts.acceleration_alerts
        where strftime(poll_at, 'discord:poll:%Y-%m-%dT%H:%M') in (select idempotency_key from meta.receipts)
        group by poll_at
        order by poll_at
        """
    ).fetchall()
    for poll_at, as_of_date, alerted_at in polls:
        teller = Teller(_EARLIER, _EARLIER, _EARLIER)
        telling = _tell(connection, POLL, as_of_date, poll_at, alerted_at, alerted_at.replace(tzinfo=UTC), teller)
        _keep(connection, "alerts", telling, "poll_at = ?", poll_at)


def _tell(
    connection: duckdb.DuckDBPyConnection,
    kind: str,
    as_of_date: date,
    poll_at: datetime | None,
    cutoff_at: datetime,
    told_at: datetime,
    teller: Teller,
) -> int:
    """Writes the row of a telling; returns its id."""
    (telling,) = connection.execute("select coalesce(max(telling_id), 0) + 1 from told.tellings").fetchall()[0]
    (is_simulated,) = connection.execute(
        "select coalesce(bool_or(source = 'sample'), false) from raw.loads"
    ).fetchall()[0]
    is_live = timedelta(0) <= told_at.replace(tzinfo=None) - cutoff_at <= LIVE_WITHIN
    connection.execute(
        "insert into told.tellings (telling_id, kind, as_of_date, poll_at, cutoff_at, told_at, run_id, version,"
        " fingerprint, is_live, is_simulated) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            telling, kind, as_of_date, poll_at, cutoff_at, told_at.replace(tzinfo=None), teller.run_id,
            teller.version, teller.fingerprint, is_live, is_simulated,
        ],
    )  # fmt: skip
    return int(telling)


def _keep_day(connection: duckdb.DuckDBPyConnection, telling: int, as_of_date: date) -> None:
    for table in ("forecasts", "decisions"):
        _keep(connection, table, telling, "as_of_date = ?", as_of_date)
    if _columns(connection, "marts", "build_list"):
        _keep(connection, "build_list", telling, "as_of_date = ?", as_of_date)
        return
    # What the workbooks of versions without that mart had room for.
    mart = ("opportunities", {"place": "market_order"})
    _keep(connection, "build_list", telling, "as_of_date = ? and market_order <= 20", as_of_date, mart)


def _keep(
    connection: duckdb.DuckDBPyConnection,
    table: str,
    telling: int,
    condition: str,
    value: object,
    of: tuple[str, Mapping[str, str]] | None = None,
) -> None:
    """Copies the rows of a mart into a table of the tellings; columns that a version didn't have stay empty."""
    mart, renamed = of or _MARTS[table]
    there = _columns(connection, "marts", mart)
    if not there:
        return
    wanted = connection.execute(
        "select column_name from duckdb_columns() where database_name = current_database() and schema_name = 'told'"
        " and table_name = ? and column_name <> 'telling_id' order by column_index",
        [table],
    ).fetchall()
    columns = {name: renamed.get(name, name) for (name,) in wanted if renamed.get(name, name) in there}
    connection.execute(
        f"insert into told.{table} (telling_id, {', '.join(columns)})"
        f" select {telling}, {', '.join(columns.values())} from published.marts.{mart} where {condition}",
        [value],
    )


def _columns(connection: duckdb.DuckDBPyConnection, schema: str, table: str) -> set[str]:
    rows = connection.execute(
        "select column_name from duckdb_columns()"
        " where database_name = 'published' and schema_name = ? and table_name = ?",
        [schema, table],
    ).fetchall()
    return {row[0] for row in rows}


@contextmanager
def attached(connection: duckdb.DuckDBPyConnection, published: Path) -> Iterator[None]:
    """The published file as the database `published`; not within a transaction, which would hold it."""
    connection.execute(f"attach {quote_literal(str(published))} as published (read_only)")
    try:
        yield
    finally:
        connection.execute("detach published")
