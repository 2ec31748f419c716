"""Staging in memory: the staging models' SQL on items, without dbt, which takes seconds to start.

Belongs here: rendering a staging model by the project's own macros, cases from the file to the staged row. Must not be
here: any SQL of a model.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import duckdb
import jinja2

from ingest import export_folder, items, landing
from ingest.landing import LandingReport
from ingest.migrations import migrate
from tests.support import FIXTURES, MARKETS, PROJECT, records, video, write_feed

# Inputs that people brought.
CASES = FIXTURES / "cases"
NOON = "2026-02-20T12:00"


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


def landed(folder: Path) -> tuple[duckdb.DuckDBPyConnection, LandingReport]:
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


def case(name: str) -> tuple[list[dict[str, Any]], LandingReport, duckdb.DuckDBPyConnection]:
    """Staged rows of one of the `CASES`, and what landing told of it."""
    connection, report = landed(CASES / name)
    return staged(connection), report, connection


def one(folder: Path, *given: dict[str, Any], observed_at: str = NOON) -> list[dict[str, Any]]:
    """Staged rows of a feed of these items."""
    write_feed(folder, observed_at, given)
    return staged(landed(folder)[0])


def per_file(connection: duckdb.DuckDBPyConnection) -> dict[str, tuple[int, int]]:
    """Items and quarantined ones by the time in the file's name."""
    rows = connection.execute("select file, item_count, quarantined_count from raw.loads").fetchall()
    return {Path(file).name[11:16]: (items_, bad) for file, items_, bad in rows}


def good_video(video_id: str = "7608807730350944484", **further: Any) -> dict[str, Any]:
    """An item made when its id says so, 2026-02-20 05:00."""
    return video(video_id, **{"posted": "2026-02-20T05:00:00.000Z", **further})
