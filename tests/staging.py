"""Staging in memory: the staging models' SQL on items, without dbt, which takes seconds to start.

Belongs here: rendering a staging model by the project's own macros. Must not be here: any SQL of a model.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import duckdb
import jinja2

from ingest import export_folder, items, landing
from ingest.migrations import migrate
from tests.support import MARKETS, PROJECT, records


@functools.cache
def staging_sql(model: str) -> str:
    """The select of a staging model, on raw tables of the connection it is run on."""
    environment = jinja2.Environment(autoescape=False, extensions=["jinja2.ext.do"])
    (path,) = (PROJECT / "models" / "staging").rglob(f"{model}.sql")
    engine = items.DuckDBMacros()
    engine.module = environment.from_string(items.macros_text(), globals={"adapter": engine}).module
    return environment.from_string(items.macros_text() + path.read_text(encoding="utf-8")).render(
        adapter=engine,
        var=items.variables().__getitem__,
        source=lambda schema, table: f"{schema}.{table}",
        is_incremental=lambda: False,
        config=lambda **_: "",
    )


def staged(connection: duckdb.DuckDBPyConnection, model: str = "stg_tiktok__videos") -> list[dict[str, Any]]:
    """All rows of a staging model over the connection's raw tables, by load and item."""
    return records(connection, f"select * from ({staging_sql(model)}) as staged order by load_id, item_index")


def landed(folder: Path) -> tuple[duckdb.DuckDBPyConnection, landing.LandingReport]:
    """A database in memory with an export folder's feeds."""
    connection = duckdb.connect()
    connection.execute("set TimeZone = 'UTC'")
    # The threads of a statement over a few items look for work longer than there is any.
    connection.execute("set threads = 1")
    migrate(connection)
    feeds, refusals = export_folder.scan(folder, MARKETS)
    return connection, landing.land(connection, feeds, refusals)


def by_name(rows: Iterable[dict[str, Any]], prefix: str = "maker.") -> dict[str, dict[str, Any]]:
    """Staged rows by their creator's handle, without what all handles of a case begin with."""
    return {str(row["author_handle"]).removeprefix(prefix): row for row in rows}
