"""Publishing: the marts become the file everyone reads, in one atomic step.

Belongs here: comments, `meta.publication`, the swap, which dates were built. Must not be here: which checks must pass
first (orchestration), what the marts mean.

The new file is a copy of the one that the models write, byte by byte, so that no row is written twice. Before, a date
whose build failed gets back the rows that are published of it. The copy is synced and renamed over the old file: a
reader sees the one or the other, never a lock and never half of it. Copying and syncing 2 GB takes 2 s.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from threading import Thread

import duckdb

from warehouse import completeness
from warehouse.store import MARTS_DATABASE, Store, checkpoint, log_of, quote_literal, sync

_BUILDS_DDL = """
create schema if not exists meta;
create table if not exists meta.builds (
    as_of_date date primary key,
    cutoff_at timestamp not null,
    run_id varchar not null,
    built_at timestamp not null,
    version varchar not null
);
comment on table meta.builds is
    'When each as-of date of the daily marts was last built, as of when, by which run and version of the project.';
create table if not exists meta.check_results (
    as_of_date date not null, check_name varchar not null, failing_rows bigint not null, message varchar
);
comment on table meta.check_results is
    'Checks that warned when a date was built; one that fails keeps a build from here.';
"""

# Of the build file alone.
_UNFINISHED_DDL = """
create table if not exists meta.unfinished (as_of_date date primary key);
comment on table meta.unfinished is
    'Dates whose last build began and was not done: their rows in the marts are not published.';
"""

# Of the marts' file alone.
_PUBLICATION_DDL = """
create table if not exists meta.publication (
    run_id varchar not null,
    published_at timestamp not null,
    as_of_date date not null,
    cutoff_at timestamp not null,
    git_sha varchar,
    sources varchar not null,
    tables varchar not null
);
comment on table meta.publication is
    'One row: which run published this file, when, as of when, and the rows of each table.';
"""


@dataclass(frozen=True, slots=True)
class CheckWarning:
    """A check that did not pass and lets the run go on.

    Attributes:
        name: The check.
        message: What it found, for people.
        failing_rows: Rows it selected.
        as_of_date: The date it is about; None for all dates of the build.
    """

    name: str
    message: str
    failing_rows: int
    as_of_date: date | None = None


@dataclass(frozen=True, slots=True)
class TableDescription:
    """What a mart and its columns mean; becomes comments in the published file."""

    text: str
    columns: Mapping[str, str]


# Columns of what is published beside the marts; the tables say themselves what they are.
_META = {
    "builds": TableDescription("", {
        "as_of_date": "The date of the daily marts.",
        "cutoff_at": "Until when readings count for it, UTC.",
        "run_id": "The Dagster run that built it last.",
        "built_at": "When that was, UTC.",
        "version": "The project's files that built it, as a hash.",
    }),
    "check_results": TableDescription("", {
        "as_of_date": "The date that was built.",
        "check_name": "The dbt test that warned.",
        "failing_rows": "How many rows it found.",
        "message": "What it found, in words.",
    }),
    "mart_rows": TableDescription("", {
        "mart": "Name of the daily mart.",
        "as_of_date": "The date.",
        "row_count": "Rows that were written for it.",
    }),
    "publication": TableDescription("", {
        "run_id": "The Dagster run that published the file.",
        "published_at": "When that was, UTC.",
        "as_of_date": "The newest date in the daily marts.",
        "cutoff_at": "Until when readings count for that date, UTC.",
        "git_sha": "The code's commit, where it was known.",
        "sources": "The sources whose feeds were landed, between commas.",
        "tables": "JSON object: rows of each mart by its name.",
    }),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Publication:
    """What was published.

    Attributes:
        path: The published file.
        as_of_date: Latest as-of date in it, ISO.
        tables: Rows per mart.
    """

    path: Path
    as_of_date: str
    tables: dict[str, int]


def ensure_tables(connection: duckdb.DuckDBPyConnection) -> None:
    """Creates the tables of the build file that say which dates were built, where they are missing."""
    connection.execute(_BUILDS_DDL + _UNFINISHED_DDL)


def pending_dates(connection: duckdb.DuckDBPyConnection, landed: Sequence[date], wanted: Sequence[date]) -> list[date]:
    """The dates a run for `wanted` builds: those with data, and landed earlier ones that never were built.

    Without the second part a first run over a folder of history would know no yesterday to score or to compare with.
    """
    ensure_tables(connection)
    built = {row[0] for row in connection.execute("select as_of_date from meta.builds").fetchall()}
    return [day for day in sorted(landed) if day in wanted or (day < max(wanted) and day not in built)]


def last_staged_load(connection: duckdb.DuckDBPyConnection) -> int:
    """The last load that the models of a home have read, where their tables are in it; 0 where there is none."""
    rows = connection.execute("select coalesce(max(load_id), 0) from staging.stg_tiktok__videos").fetchall()
    return int(rows[0][0])


def pending_polls(
    connection: duckdb.DuckDBPyConnection,
    landed: Sequence[date],
    wanted: Sequence[date],
    last_load: Callable[[duckdb.DuckDBPyConnection], int] = last_staged_load,
) -> list[date]:
    """The dates whose polls a poll of `wanted` judges: those, and the day before each where it has feeds left to judge.

    Its last feeds may have come after its last poll. Where they did not, its rows would come out as they are.

    Args:
        connection: A model writer.
        landed: The dates that anything was landed for.
        wanted: Those that are asked for.
        last_load: What the engine knows as the last load that its models have read.
    """
    before = {day - timedelta(days=1) for day in wanted}.intersection(landed)
    tables = "select 1 from duckdb_tables() where (schema_name, table_name) = ('marts', 'micro_polls')"
    if not connection.execute(tables).fetchall():
        return [day for day in sorted(landed) if day in wanted or day in before]
    rows = connection.execute(
        """
        with offered as (
            select
                observed_at::date as as_of_date, count(distinct (market, observed_at)) as feeds, max(load_id) as load_id
            from raw.loads
            where kind = 'videos' and item_count > 0 and list_contains(?::date[], observed_at::date)
            group by 1
        ),
        judged as (
            select as_of_date, sum(feeds) as feeds from marts.micro_polls group by 1
        )
        select offered.as_of_date
        from offered
        left join judged on offered.as_of_date = judged.as_of_date
        where
            offered.feeds is distinct from judged.feeds
            or offered.load_id > ?
        """,
        [sorted(before), last_load(connection)],
    ).fetchall()
    unjudged = {row[0] for row in rows}
    return [day for day in sorted(landed) if day in wanted or day in unjudged]


def built_dates(connection: duckdb.DuckDBPyConnection, wanted: Sequence[date]) -> list[date]:
    """Those of the dates that were built as a whole, oldest first: only they can be built again in part."""
    ensure_tables(connection)
    rows = connection.execute(
        "select as_of_date from meta.builds where list_contains(?::date[], as_of_date) order by 1", [list(wanted)]
    ).fetchall()
    return [row[0] for row in rows]


def all_built(connection: duckdb.DuckDBPyConnection) -> list[date]:
    """All dates that were built as a whole, oldest first."""
    ensure_tables(connection)
    return [day for (day,) in connection.execute("select as_of_date from meta.builds order by 1").fetchall()]


def held_dates(connection: duckdb.DuckDBPyConnection) -> list[date]:
    """The dates that the per-day tables hold: those of the last build, which a part of it can be built from."""
    if not connection.execute("select 1 from duckdb_tables() where table_name = 'int_as_of'").fetchall():
        return []
    return [row[0] for row in connection.execute("select as_of_date from intermediate.int_as_of order by 1").fetchall()]


def published_dates(store: Store) -> list[date]:
    """As-of dates of the published file, oldest first; none of a file without that note (of the first version)."""
    with store.published_reader() as connection:
        noted = "select 1 from duckdb_tables() where (schema_name, table_name) = ('meta', 'builds')"
        if not connection.execute(noted).fetchall():
            return []
        return [row[0] for row in connection.execute("select as_of_date from meta.builds order by 1").fetchall()]


def has_builds(store: Store) -> bool:
    """Whether there is anything to publish: a date that was built, or a poll."""
    if not store.has_facts or not store.build_path.exists():
        return False
    with store.model_writer() as connection:
        ensure_tables(connection)
        return bool(connection.execute("from meta.builds limit 1").fetchall()) or _has_polls(connection)


def forget_builds(connection: duckdb.DuckDBPyConnection, as_of_dates: Sequence[str]) -> None:
    """Takes dates (ISO) out of the built ones before they are built again: one that fails then is not published."""
    ensure_tables(connection)
    connection.execute("insert or ignore into meta.unfinished select unnest(?::date[])", [list(as_of_dates)])
    connection.execute("delete from meta.builds where list_contains(?::date[], as_of_date)", [list(as_of_dates)])


def record_builds(
    connection: duckdb.DuckDBPyConnection,
    as_of_dates: Sequence[str],
    run_id: str,
    warnings: Sequence[CheckWarning] = (),
    checked: Sequence[str] | None = None,
    *,
    version: str = "unknown",
) -> None:
    """Notes in the build file that these dates were built: what is not built is not published.

    Args:
        connection: A model writer that was opened after the models were built: marts that were lost on their way to
            the disk are still there for whoever wrote them.
        as_of_dates: ISO dates; those without a cut-off were polled only, and are no builds.
        run_id: The run that built them.
        warnings: Checks that warned.
        checked: Names of the checks that ran, whose earlier results give way; all of them by default.
        version: Of the project.

    Raises:
        IncompleteMartsError: A daily mart has other rows of these dates than it was built with; nothing is noted.
    """
    ensure_tables(connection)
    days = connection.execute(
        "select as_of_date from facts.meta.cutoffs where list_contains(?::date[], as_of_date)", [list(as_of_dates)]
    ).fetchall()
    completeness.require(connection, [day for (day,) in days])
    built_at = datetime.now(UTC).replace(tzinfo=None)
    connection.executemany(
        "insert or replace into meta.builds (as_of_date, cutoff_at, run_id, built_at, version)"
        " select as_of_date, cutoff_at, ?, ?, ? from facts.meta.cutoffs where as_of_date = ?",
        [(run_id, built_at, version, as_of_date) for as_of_date in as_of_dates],
    )
    connection.execute("delete from meta.unfinished where list_contains(?::date[], as_of_date)", [list(as_of_dates)])
    connection.execute(
        "delete from meta.check_results where list_contains(?::date[], as_of_date)"
        " and (?::varchar[] is null or list_contains(?::varchar[], check_name))",
        [list(as_of_dates), checked, checked],
    )
    if warnings:
        connection.executemany(
            "insert into meta.check_results values (?, ?, ?, ?)",
            [
                (as_of_date, warning.name, warning.failing_rows, warning.message)
                for as_of_date in as_of_dates
                for warning in warnings
                if warning.as_of_date is None or warning.as_of_date.isoformat() == as_of_date
            ],
        )


def findings(connection: duckdb.DuckDBPyConnection, name: str, query: str, failing_rows: int) -> list[CheckWarning]:
    """What a check that did not pass selects: its messages by date where it has such columns, else their number.

    Args:
        connection: A connection to the build file.
        name: The check.
        query: Its query, as dbt compiled it.
        failing_rows: How many rows dbt counted.
    """
    relation = connection.sql(query)
    if not {"as_of_date", "message"} <= set(relation.columns):
        return [CheckWarning(name, f"{failing_rows} rows", failing_rows)]
    rows_by_date = relation.aggregate(
        "as_of_date, string_agg(message, '; ' order by message), count(*)", "as_of_date"
    ).order("as_of_date")
    return [CheckWarning(name, message, count, day) for day, message, count in rows_by_date.fetchall()]


def publish(
    store: Store,
    *,
    run_id: str,
    git_sha: str | None = None,
    descriptions: Mapping[str, TableDescription] | None = None,
) -> Publication:
    """Replaces the published file by the current marts.

    Args:
        store: The home. The writer lock is taken.
        run_id: Written to `meta.publication`.
        git_sha: Code version, where known.
        descriptions: Comments by mart name.

    Returns:
        What was published.

    Raises:
        WarehouseBusyError: Another process is writing.
        LookupError: No date was built yet.
        IncompleteMartsError: A mart lost rows since it was built; the published file stays as it is.
    """
    with store.lock():
        with store.model_writer() as connection:
            ensure_tables(connection)
            _drop_leftovers(connection)
            publication = _complete(connection, store, run_id, git_sha)
            completeness.require(connection, completeness.built_dates(connection))
            _set_comments(connection, descriptions or {})
            checkpoint(connection)
        copy = _next_path(store)
        shutil.copyfile(store.marts_path, copy)
        sync(copy)
        # Freeing the pages of a large file that nobody has takes 0.4 s: beside what comes next.
        former = store.published_path.open("rb") if store.published_path.exists() else None
        # Of somebody who wrote into the published file and was killed: readers would see those rows in the new one too.
        log_of(store.published_path).unlink(missing_ok=True)
        copy.replace(store.published_path)
        if former is not None:
            Thread(target=former.close).start()
        sync(store.warehouse)
        return publication


def _next_path(store: Store) -> Path:
    """Where the next published file comes to be; what a killed process left of it is written over."""
    return store.warehouse / ".publishing.duckdb"


def _complete(connection: duckdb.DuckDBPyConnection, store: Store, run_id: str, git_sha: str | None) -> Publication:
    """Gives the marts' file what a published one has: unfinished dates as they were published, and `meta`."""
    latest = connection.execute(
        "select as_of_date, cutoff_at from meta.builds order by as_of_date desc limit 1"
    ).fetchall()
    if not latest and _has_polls(connection):
        # A home that was only polled so far.
        latest = connection.execute(
            "select as_of_date, poll_ended_at from marts.micro_polls order by poll_at desc limit 1"
        ).fetchall()
    if not latest:
        message = f"nothing to publish: no date was built in {store.build_path}"
        raise LookupError(message)
    as_of_date, cutoff_at = latest[0]
    connection.execute(f"use {MARTS_DATABASE}; {_BUILDS_DDL} {_PUBLICATION_DDL}")
    completeness.ensure_notes(connection)
    connection.execute(completeness.NOTES_COMMENT)
    columns = _columns(connection)
    _take_back(connection, store, columns)
    for name in ("builds", "check_results"):
        # An unfinished date keeps what was noted when it was published.
        connection.execute(
            f"delete from meta.{name} where as_of_date not in (from build.meta.unfinished);"
            f" insert into meta.{name} by name from build.meta.{name}"
            " where as_of_date in (select as_of_date from build.meta.builds)"
        )
    counts = " union all ".join(f'select {quote_literal(name)}, count(*) from marts."{name}"' for name in columns)
    tables = {name: int(rows) for name, rows in connection.execute(counts).fetchall()}
    [(sources,)] = connection.execute(
        "select string_agg(distinct source, ', ' order by source) from facts.raw.loads where status <> 'unreadable'"
    ).fetchall()
    connection.execute("delete from meta.publication")
    connection.execute(
        "insert into meta.publication values (?, ?, ?, ?, ?, ?, ?)",
        [
            run_id,
            datetime.now(UTC).replace(tzinfo=None),
            as_of_date,
            cutoff_at,
            git_sha,
            sources or "none",
            json.dumps(tables, sort_keys=True),
        ],
    )
    return Publication(store.published_path, as_of_date.isoformat(), tables)


def _take_back(connection: duckdb.DuckDBPyConnection, store: Store, columns: Mapping[str, Mapping[str, str]]) -> None:
    """Gives dates that failed to build again the rows that are published of them, where the marts had these columns."""
    if not connection.execute("from build.meta.unfinished limit 1").fetchall():
        return
    of_unfinished = "as_of_date in (from build.meta.unfinished)"
    daily = [f'marts."{name}"' for name in completeness.daily_marts(connection)]
    for name in [*daily, completeness.NOTES]:
        connection.execute(f"delete from {name} where {of_unfinished}")
    if store.published_path.exists():
        connection.execute(f"attach {quote_literal(str(store.published_path))} as published (read_only)")
        same_columns = _columns(connection, "published") == columns and completeness.has_notes(connection, "published")
        if same_columns and _is_of_same_kind(connection):
            for name in [*daily, "meta.mart_rows"]:
                connection.execute(f"insert into {name} from published.{name} where {of_unfinished}")
            for name in ("builds", "check_results"):
                # Derived files that were made again know nothing of it yet.
                connection.execute(
                    f"insert into meta.{name} by name from published.meta.{name}"
                    f" where {of_unfinished} and as_of_date not in (select as_of_date from meta.{name})"
                )
            connection.execute("detach published")
            return
        connection.execute("detach published")
    for name in ("builds", "check_results"):
        connection.execute(f"delete from meta.{name} where {of_unfinished}")


def is_published_of(store: Store, connection: duckdb.DuckDBPyConnection) -> bool:
    """Whether there is a published file, and of the facts that are here: not the sample's beside the first real ones.

    Args:
        store: The home.
        connection: A model writer.
    """
    if not store.published_path.exists():
        return False
    connection.execute(f"attach {quote_literal(str(store.published_path))} as published (read_only)")
    try:
        has_loads = connection.execute(
            "select 1 from duckdb_tables() where (database_name, schema_name, table_name) = ('facts', 'raw', 'loads')"
        ).fetchall()
        return bool(has_loads) and _is_of_same_kind(connection)
    finally:
        connection.execute("detach published")


def _is_of_same_kind(connection: duckdb.DuckDBPyConnection) -> bool:
    """Whether both the rows and what is published are simulated, or neither: the sample stays published for a while."""
    other = connection.execute(
        "select 1 from published.meta.publication where contains(sources, 'sample') != exists"
        " (from facts.raw.loads where source = 'sample')"
    ).fetchall()
    return not other


def _columns(connection: duckdb.DuckDBPyConnection, database: str = MARTS_DATABASE) -> dict[str, dict[str, str]]:
    """Columns with their types, in order, of each mart of a database."""
    found = connection.execute(
        "select table_name, column_name, data_type from duckdb_columns()"
        " where schema_name = 'marts' and database_name = ? and not internal order by table_name, column_index",
        [database],
    ).fetchall()
    columns: dict[str, dict[str, str]] = {}
    for table, column, data_type in found:
        columns.setdefault(table, {})[column] = data_type
    return columns


def _has_polls(connection: duckdb.DuckDBPyConnection) -> bool:
    return bool(
        connection.execute(
            "select 1 from duckdb_tables() where table_name = 'micro_polls' and estimated_size > 0"
        ).fetchall()
    )


def _drop_leftovers(connection: duckdb.DuckDBPyConnection) -> None:
    """Drops what a dbt that was killed left beside the marts."""
    found = connection.execute(
        "select table_name from duckdb_tables() where database_name = ? and contains(table_name, '__dbt_')",
        [MARTS_DATABASE],
    ).fetchall()
    for (name,) in found:
        connection.execute(f'drop table {MARTS_DATABASE}.marts."{name}"')


def _set_comments(connection: duckdb.DuckDBPyConnection, descriptions: Mapping[str, TableDescription]) -> None:
    """Sets the comments that differ from the descriptions of the marts, and of what is published beside them."""
    present = {
        (row[0], row[1], row[2]): row[3]
        for row in connection.execute(
            "select schema_name, table_name, column_name, comment from duckdb_columns()"
            f" where database_name = '{MARTS_DATABASE}' and schema_name in ('marts', 'meta')"
            " union all select schema_name, table_name, '', comment from duckdb_tables()"
            f" where database_name = '{MARTS_DATABASE}' and schema_name in ('marts', 'meta')"
        ).fetchall()
    }
    for (schema, table, column), comment in present.items():
        described = (descriptions if schema == "marts" else _META).get(table)
        wanted = (described.columns.get(column) if column else described.text) if described else None
        if wanted and wanted != comment:
            target = f'{MARTS_DATABASE}.{schema}."{table}"'
            target = f'column {target}."{column}"' if column else f"table {target}"
            connection.execute(f"comment on {target} is {quote_literal(wanted)}")
