"""Whether the daily marts hold the rows that were written into them.

Belongs here: the notes of how many rows a mart had of a date when that was built, and what differs from them. Must not
be here: how models are built, how many rows a mart should have of its parents (data tests `complete` do that).

A table can lose its rows without an error: by a fault of the database or its settings, or by hand. A mart of a date
without rows looks the same whether it came out empty or was emptied. So the statements that write a mart note the rows
of each of their dates beside it, in the same file and transaction, also where there are none (macros/mart_rows.sql).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import groupby

import duckdb

from warehouse.store import MARTS_DATABASE, quote_literal

# macros/mart_rows.sql makes the same table for a dbt that runs in a shell.
NOTES = f"{MARTS_DATABASE}.meta.mart_rows"
NOTES_DDL = f"""
create schema if not exists {MARTS_DATABASE}.meta;
create table if not exists {NOTES} (mart varchar not null, as_of_date date not null, row_count bigint not null);
"""
NOTES_COMMENT = (
    f"comment on table {NOTES} is"
    " 'Rows of each daily mart and date, noted by the statement that wrote them; 0 where there were none.'"
)

# Columns of marts that polls fill, whatever daily builds there are.
_BY_POLL = ["poll_at", "alerted_at"]

# Of each mart, in a message; the others are counted.
_DATES_SHOWN = 3

REMEDY = "`trends rebuild` makes the marts again from what was landed"


class LostRowsError(RuntimeError):
    """A relation has other rows than were written into it; the message names both numbers."""


class IncompleteMartsError(LookupError):
    """A daily mart lacks rows of a date that was built; the message names mart, dates and remedy."""


@dataclass(frozen=True, slots=True)
class Hole:
    """A date of a mart that has other rows than it was built with.

    Attributes:
        mart: The mart.
        as_of_date: The date.
        expected: Rows that were noted when the date was built; None where nothing was noted.
        found: Rows that are there.
    """

    mart: str
    as_of_date: date
    expected: int | None
    found: int


def ensure_notes(connection: duckdb.DuckDBPyConnection) -> None:
    """Creates the table of notes in the marts' file where it is missing."""
    connection.execute(NOTES_DDL)


def has_notes(connection: duckdb.DuckDBPyConnection, database: str = MARTS_DATABASE) -> bool:
    """Whether a database has the table of notes: files of earlier versions have none."""
    return bool(
        connection.execute(
            "select 1 from duckdb_tables() where (database_name, schema_name, table_name) = (?, 'meta', 'mart_rows')",
            [database],
        ).fetchall()
    )


def require_rows(connection: duckdb.DuckDBPyConnection, relation: str, written: int) -> None:
    """Counts the rows of a relation that was just committed.

    Raises:
        LostRowsError: There are more or fewer than were written.
    """
    found = count(connection, relation)
    if found != written:
        message = f"{relation} has {found} rows after its commit, {written} were written: rows were lost, run it again"
        raise LostRowsError(message)


def count(connection: duckdb.DuckDBPyConnection, relation: str) -> int:
    """Rows of a relation."""
    ((rows,),) = connection.execute(f"select count(*) from {relation}").fetchall()
    return int(rows)


def daily_marts(connection: duckdb.DuckDBPyConnection, database: str = MARTS_DATABASE) -> list[str]:
    """Names of the marts that have partitions by as-of date, each replaced when its date is built."""
    found = connection.execute(
        "select table_name from duckdb_columns() where schema_name = 'marts' and database_name = ?"
        " group by table_name having bool_or(column_name = 'as_of_date')"
        " and not bool_or(list_contains(?, column_name)) and not contains(table_name, '__dbt_') order by 1",
        [database, _BY_POLL],
    ).fetchall()
    return [name for (name,) in found]


def holes(
    connection: duckdb.DuckDBPyConnection, dates: Sequence[date], marts: Iterable[str] | None = None
) -> list[Hole]:
    """Dates of marts with other rows than were noted when they were built, or of which nothing was noted.

    Args:
        connection: A connection to the marts' file, or a reader of the published one.
        dates: Dates that were built.
        marts: Names of the daily marts; all that are there, or were when something was noted, by default.

    Returns:
        What differs, by mart and date.
    """
    present = daily_marts(connection)
    noted = has_notes(connection)
    if marts is None:
        of_notes = connection.execute(f"select distinct mart from {NOTES}").fetchall() if noted else []
        marts = {*present, *(mart for (mart,) in of_notes)}
    wanted = sorted(set(marts))
    if not dates or not wanted:
        return []
    # The bounds keep old partitions unread where only the newest are asked for.
    of_dates = "as_of_date between ? and ?"
    bounds = [min(dates), max(dates)]
    nothing = "select cast(null as varchar) as mart, cast(null as date) as as_of_date, 0 as row_count where false"
    counted = [
        f'select {quote_literal(mart)}, as_of_date, count(*) from {MARTS_DATABASE}.marts."{mart}"'
        f" where {of_dates} group by as_of_date"
        for mart in wanted
        if mart in present
    ]
    notes = f"select mart, as_of_date, max(row_count) as row_count from {NOTES} where {of_dates} group by all"
    found = connection.execute(
        f"with found as ({' union all '.join([nothing, *counted])}), noted as ({notes if noted else nothing})"
        " select wanted.mart, wanted.as_of_date, noted.row_count, coalesce(found.row_count, 0)"
        " from (select marts.mart, days.as_of_date"
        " from (select unnest(?::varchar[]) as mart) as marts"
        " cross join (select unnest(?::date[]) as as_of_date) as days) as wanted"
        " left join found on wanted.mart = found.mart and wanted.as_of_date = found.as_of_date"
        " left join noted on wanted.mart = noted.mart and wanted.as_of_date = noted.as_of_date"
        " where noted.row_count is distinct from coalesce(found.row_count, 0)"
        " order by 1, 2",
        [*bounds * len(counted), *(bounds if noted else []), wanted, list(dates)],
    ).fetchall()
    return [Hole(*row) for row in found]


def described(found: Iterable[Hole]) -> str:
    """Holes for people: each mart with its first dates."""
    parts = []
    for mart, group in groupby(found, key=lambda hole: hole.mart):
        of_mart = list(group)
        dates = [
            f"{hole.as_of_date} ({hole.found} rows, "
            + ("never noted how many were built)" if hole.expected is None else f"{hole.expected} were built)")
            for hole in of_mart[:_DATES_SHOWN]
        ]
        more = len(of_mart) - len(dates)
        parts.append(f"{mart}: {', '.join(dates)}" + (f" and {more} further dates" if more else ""))
    return "; ".join(parts)


def require(connection: duckdb.DuckDBPyConnection, dates: Sequence[date], marts: Iterable[str] | None = None) -> None:
    """Refuses marts with holes; see `holes`.

    Raises:
        IncompleteMartsError: There are some.
    """
    found = holes(connection, dates, marts)
    if found:
        message = f"marts have not the rows that they were built with: {described(found)}. {REMEDY}"
        raise IncompleteMartsError(message)


def built_dates(connection: duckdb.DuckDBPyConnection) -> list[date]:
    """Dates that the marts' file says were built: those that are, or will be, published."""
    rows = connection.execute(f"select as_of_date from {MARTS_DATABASE}.meta.builds order by 1").fetchall()
    return [day for (day,) in rows]


def checksums(connection: duckdb.DuckDBPyConnection, schemas: Sequence[str]) -> dict[str, tuple[int, int]]:
    """Rows and a sum over all columns of each table, whatever the order of the rows, by `schema.table`.

    Args:
        connection: A connection to the build file and the marts.
        schemas: Schemas to look at.
    """
    tables = connection.execute(
        "select database_name, schema_name, table_name from duckdb_tables()"
        " where list_contains(?, schema_name) and not temporary order by all",
        [list(schemas)],
    ).fetchall()
    sums = {}
    for database, schema, table in tables:
        ((rows, total),) = connection.execute(
            f'select count(*), coalesce(sum(hash(held)::hugeint), 0) from "{database}"."{schema}"."{table}" as held'
        ).fetchall()
        sums[f"{schema}.{table}"] = (int(rows), int(total))
    return sums
