"""Rows as they were published: a file opened for one as-of date, and what a query gives.

Belongs here: how a query is asked. Must not be here: which rows there are (the modules of subjects).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any

import duckdb

from services.times import IN_UTC, Times
from warehouse.store import connect

Row = tuple[Any, ...]


_BATCH_ROWS = 2_000


@dataclass(frozen=True, slots=True)
class Table:
    """Rows with their column names, in display order."""

    columns: tuple[str, ...]
    rows: list[Row]

    def dicts(self) -> list[dict[str, Any]]:
        """The rows by column name."""
        return [dict(zip(self.columns, row, strict=True)) for row in self.rows]


@dataclass(frozen=True, slots=True)
class Day:
    """A published file opened for one as-of date.

    Attributes:
        connection: Read-only connection to the published file.
        as_of_date: The date.
        cutoff_at: Its cut-off (naive UTC).
        markets: Market codes that have rows on the date, in the order of the seed.
        times: How the reader wants moments shown, where a person reads them.
    """

    connection: duckdb.DuckDBPyConnection
    as_of_date: date
    cutoff_at: datetime
    markets: tuple[str, ...]
    times: Times = IN_UTC
    # What was asked already: a published file does not change, and the files of a day ask each question three times.
    _tables: dict[tuple[str, str], Table] = field(default_factory=dict, init=False, repr=False, compare=False)

    def table(self, sql: str, **parameters: Any) -> Table:
        """Runs a query, once; `$as_of_date` is always there."""
        used = {"as_of_date": self.as_of_date} | parameters
        values = {name: value for name, value in used.items() if f"${name}" in sql}
        asked = (sql, repr(values))
        if asked not in self._tables:
            self._tables[asked] = read_table(self.connection.execute(sql, values))
        return self._tables[asked]

    def stream(self, sql: str, **parameters: Any) -> Iterator[memoryview]:
        """The texts (UTF-8) of a query with one column, many rows to a piece; to be used once, while the day is open.

        DuckDB's memory as it is: a Python object for each of 100,000 long rows takes as long as the query.
        """
        # A query that is read in batches needs a cursor of its own; left open it would keep showing the old file.
        with self.connection.cursor() as cursor:
            cursor.execute("set TimeZone = 'UTC'")
            cursor.execute(sql, {"as_of_date": self.as_of_date} | parameters)
            for batch in cursor.to_arrow_reader(_BATCH_ROWS):
                _, _, text = batch.column(0).buffers()
                yield memoryview(text)

    def value(self, sql: str, **parameters: Any) -> Any:
        """The first value of a query, None without a row."""
        rows = self.table(sql, **parameters).rows
        return rows[0][0] if rows else None


def read_table(cursor: duckdb.DuckDBPyConnection) -> Table:
    """What a statement that was executed gives."""
    return Table(tuple(column[0] for column in cursor.description or ()), cursor.fetchall())


@contextmanager
def open_day(published: Path, as_of_date: date, times: Times = IN_UTC) -> Iterator[Day]:
    """Opens the published file for a date.

    Raises:
        LookupError: The date is not in the file; the message says which are.
    """
    connection = connect(published, read_only=True)
    try:
        built = connection.execute("select cutoff_at from meta.builds where as_of_date = ?", [as_of_date]).fetchall()
        if not built:
            [(first, last)] = connection.execute("select min(as_of_date), max(as_of_date) from meta.builds").fetchall()
            message = f"{published} has no {as_of_date}: it holds {first} to {last}"
            raise LookupError(message)
        markets = connection.execute(
            "select market from marts.source_health where as_of_date = ? group by market order by min(market_order)",
            [as_of_date],
        ).fetchall()
        yield Day(connection, as_of_date, built[0][0], tuple(market for (market,) in markets), times)
    finally:
        connection.close()
