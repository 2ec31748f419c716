"""Migrations: how the facts of a home of any earlier version come to have today's tables.

Belongs here: the tables of the facts, as numbered steps, each applied once and noted in `meta.migrations`. A step that
was released is never edited: what is new is a further step. Must not be here: what is derived (models), writing rows
that came (`landing`).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from importlib import resources

import duckdb

from ingest.migrations.earlier_homes import drop_derived, published_at_hand, take_over_told

Step = Callable[[duckdb.DuckDBPyConnection], object]

_LEDGER_DDL = """
create schema if not exists meta;
create table if not exists meta.migrations (
    number integer primary key,
    name varchar not null,
    applied_at timestamp not null
);
comment on table meta.migrations is 'The steps that brought the tables of this file to where they are.';
"""


def _script(name: str) -> Step:
    text = resources.files(__package__).joinpath(name).read_text(encoding="utf-8")
    return lambda connection: connection.execute(text)


# In their order; the place is the number.
_STEPS: tuple[tuple[str, Step], ...] = (
    ("raw", _script("0001_raw.sql")),
    ("told", _script("0002_told.sql")),
    # Homes until November 2026 had one file for everything, which became that of the facts.
    ("told_by_earlier_versions", take_over_told),
    ("drop_what_is_derived", drop_derived),
    ("told_trend_alerts", _script("0005_told_trend_alerts.sql")),
    ("told_build_list", _script("0006_told_build_list.sql")),
    ("panel", _script("0007_panel.sql")),
    ("post_date", _script("0008_post_date.sql")),
)


class NewerHomeError(RuntimeError):
    """The facts were written by a newer version of this project; the message names both."""


def migrate(connection: duckdb.DuckDBPyConnection) -> list[str]:
    """Brings the tables of a facts file up to date; returns the names of the steps that were applied.

    Args:
        connection: To the facts, read-write, without a transaction.

    Raises:
        NewerHomeError: See there.
    """
    applied = _applied(connection)
    if applied > len(_STEPS):
        message = (
            f"these facts were written by a newer version (step {applied} of their tables, this version knows"
            f" {len(_STEPS)}): update the project, or restore a copy that this version made"
        )
        raise NewerHomeError(message)
    pending = list(enumerate(_STEPS, 1))[applied:]
    if not pending:
        return []
    with published_at_hand(connection):
        for number, (name, step) in pending:
            _apply(connection, number, name, step)
    return [name for _, (name, _) in pending]


def _apply(connection: duckdb.DuckDBPyConnection, number: int, name: str, step: Step) -> None:
    """Takes one step and notes it, or neither."""
    connection.begin()
    try:
        connection.execute(_LEDGER_DDL)
        step(connection)
        connection.execute(
            "insert into meta.migrations (number, name, applied_at) values (?, ?, ?)",
            [number, name, datetime.now(UTC).replace(tzinfo=None)],
        )
    except BaseException:
        connection.rollback()
        raise
    connection.commit()


def _applied(connection: duckdb.DuckDBPyConnection) -> int:
    present = connection.execute(
        "select 1 from duckdb_tables()"
        " where database_name = current_database() and schema_name = 'meta' and table_name = 'migrations'"
    ).fetchall()
    if not present:
        return 0
    return int(connection.execute("select coalesce(max(number), 0) from meta.migrations").fetchall()[0][0])
