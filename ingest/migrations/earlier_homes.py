"""Steps for homes of before November 2026, whose one file held raw rows, receipts and all that was derived from them.

Belongs here: what is taken out of such a file, or left out of it. The store gave the file its new name before
(`warehouse.store`); what was derived is made again (`warehouse.rebuild`).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import duckdb

from ingest import told

FACT_SCHEMAS = ("raw", "meta", "told", "main")
# Of the schema `meta`, what says something of derived rows.
_DERIVED_META = ("builds", "check_results", "unfinished", "compiled_models")


@contextmanager
def published_at_hand(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """The published file of an earlier version as the database `published`, where there is one."""
    with ExitStack() as stack:
        if _is_earlier(connection):
            published = _path(connection).with_name("trends.duckdb")
            if published.exists():
                stack.enter_context(told.attached(connection, published))
        yield


def take_over_told(connection: duckdb.DuckDBPyConnection) -> None:
    """Keeps what an earlier version told: its published dates that were told live, or delivered."""
    if connection.execute("select 1 from duckdb_databases() where database_name = 'published'").fetchall():
        told.take_over(connection)


def drop_derived(connection: duckdb.DuckDBPyConnection) -> None:
    """Drops what is derived: views first, they hang on tables of other schemas."""
    if not _is_earlier(connection):
        return
    for kind in ("view", "table"):
        for schema, name in connection.execute(
            f"select schema_name, {kind}_name from duckdb_{kind}s()"
            " where database_name = current_database() and not internal and (not list_contains(?, schema_name)"
            f" or (schema_name = 'meta' and list_contains(?, {kind}_name)))",
            [list(FACT_SCHEMAS), list(_DERIVED_META)],
        ).fetchall():
            connection.execute(f'drop {kind} if exists "{schema}"."{name}"')
    for schema in _derived_schemas(connection):
        connection.execute(f'drop schema "{schema}" cascade')


def _is_earlier(connection: duckdb.DuckDBPyConnection) -> bool:
    return bool(_derived_schemas(connection))


def _derived_schemas(connection: duckdb.DuckDBPyConnection) -> list[str]:
    rows = connection.execute(
        "select schema_name from duckdb_schemas() where database_name = current_database() and not internal"
        " and not list_contains(?, schema_name) order by 1",
        [list(FACT_SCHEMAS)],
    ).fetchall()
    return [row[0] for row in rows]


def _path(connection: duckdb.DuckDBPyConnection) -> Path:
    rows = connection.execute("select path from duckdb_databases() where database_name = current_database()").fetchall()
    return Path(rows[0][0])
