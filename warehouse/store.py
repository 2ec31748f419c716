"""Paths, the writer lock and connections of one TRENDS_HOME.

Belongs here: where each file is, and the only three ways to open the warehouse (`writer`, `model_writer`,
`published_reader`). Must not be here: table definitions (see `ingest.landing`), business rules.

DuckDB lets one process write OR many read, and a reader of the build file blocks its writer. So the build file is
private to the pipeline: every process that opens it takes one file lock first. The marts are in a private file of
their own, so that publishing them is copying that file. Everyone else reads the published file, which is replaced as a
whole and never locked.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import filelock

# Extensions are never fetched at run time: what is not in the wheel is not there.
CONNECTION_CONFIG: dict[str, str | bool | int | float | list[str]] = {
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
}

# The oldest DuckDB that can open a new build file: from 1.2 on raw items are kept in a fifth of the room (zstd). The
# marts, which people open with what they have, stay with the oldest that there is.
BUILD_FILE_VERSION = "v1.2.0"
MARTS_FILE_VERSION = "v1.0.0"
# Name of the marts' file as a database, in SQL of the models too (dbt_project.yml, profiles.yml): the one that the
# published file has for those who open it.
MARTS_DATABASE = "trends"

# DuckDB takes four fifths of the machine else. A day of 2 x 100,000 videos needs no more than this; larger ones are
# spilled to a folder beside the file.
MEMORY_LIMIT_GIB = 4.0
# Of a reader: two of them make files at a time.
READER_MEMORY_GIB = 1.5
# Buffers come from a region of this size that is reserved once (and filled only as far as it is used), and freed memory
# is not handed back to the system after each query: mapping it anew took 7 to 10 % of the CPU of a large day's models.
BLOCK_MEMORY_GIB = 3
FLUSH_GIB = 4
# DuckDB merges row groups with dead rows at each checkpoint, which for tables of millions of rows takes longer than the
# day. Here it does so once a table has more of them than this, as PostgreSQL's autovacuum decides: from a third on,
# three groups become two.
DEAD_ROWS = 10_000
DEAD_SHARE = 1 / 3
_GIB = {"KiB": 2**-20, "MiB": 2**-10, "GiB": 1.0, "TiB": 2**10}


class WarehouseBusyError(RuntimeError):
    """Another process holds the writer lock; the message names it and what to do."""


@dataclass(frozen=True, slots=True)
class Store:
    """The files of one home directory.

    Attributes:
        home: Directory that holds `warehouse/`, `output/`, `data/` and `dagster/`.
        lock_timeout_s: Seconds to wait for the writer lock before giving up.
    """

    home: Path
    lock_timeout_s: float = 60.0

    @property
    def warehouse(self) -> Path:
        """Directory of the DuckDB files."""
        return self.home / "warehouse"

    @property
    def build_path(self) -> Path:
        """The pipeline's private database: raw, staging, intermediate."""
        return self.warehouse / "build.duckdb"

    @property
    def marts_path(self) -> Path:
        """The marts as the models write them, private too: what is published is a copy."""
        return self.warehouse / "unpublished.duckdb"

    def set_aside(self, why: str) -> Path:
        """Renames the pipeline's private files, under the writer lock; returns where the build file is now.

        Args:
            why: Part of their new names, such as `sample`.
        """
        now = f"{datetime.now(UTC):%Y%m%dT%H%M%S}"
        aside = self.build_path.with_name(f"build.{why}-{now}.duckdb")
        self.build_path.rename(aside)
        if self.marts_path.exists():
            self.marts_path.rename(self.marts_path.with_name(f"unpublished.{why}-{now}.duckdb"))
        return aside

    @property
    def published_path(self) -> Path:
        """The database everyone reads: marts and `meta.publication`, tables only."""
        return self.warehouse / "trends.duckdb"

    @property
    def lock_path(self) -> Path:
        """The file lock that every user of the build file takes."""
        return self.warehouse / "build.lock"

    @property
    def output(self) -> Path:
        """Directory of the daily files, one folder per as-of date."""
        return self.home / "output"

    @property
    def data(self) -> Path:
        """Directory of downloaded datasets, the sample and caches."""
        return self.home / "data"

    @property
    def dagster(self) -> Path:
        """DAGSTER_HOME: run and event storage."""
        return self.home / "dagster"

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Holds the writer lock (re-entrant within a process and thread of control).

        Raises:
            WarehouseBusyError: Another process held it for `lock_timeout_s` seconds.
        """
        self.warehouse.mkdir(parents=True, exist_ok=True)
        # is_singleton: nested `with` blocks of one process share the lock instead of deadlocking.
        lock = filelock.FileLock(self.lock_path, is_singleton=True, thread_local=False)
        holder_path = self.lock_path.with_suffix(".holder")
        try:
            lock.acquire(timeout=self.lock_timeout_s)
        except filelock.Timeout:
            holder = holder_path.read_text(encoding="utf-8").strip() if holder_path.exists() else "unknown"
            message = (
                f"another trends process (pid {holder}) is writing {self.build_path} and did not finish within"
                f" {self.lock_timeout_s:.0f} s. Wait for it, or stop it, then run the command again."
            )
            raise WarehouseBusyError(message) from None
        try:
            holder_path.write_text(f"{os.getpid()}\n", encoding="utf-8")
            yield
        finally:
            lock.release()

    @contextmanager
    def writer(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A read-write connection to the build file, under the lock, closed at the end.

        Raises:
            WarehouseBusyError: See `lock`.
        """
        with self.lock():
            connection = connect(self.build_path)
            try:
                yield connection
            finally:
                connection.close()

    @contextmanager
    def model_writer(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """Like `writer`, with the marts' file attached for writing: `marts.<name>` are its tables.

        The marts have no log: after a crash they are what they were at their last checkpoint. A build writes one before
        its dates count as built, so what was lost is built again.

        Raises:
            WarehouseBusyError: See `lock`.
        """
        with self.lock():
            is_lost = self.published_path.exists() and not self.marts_path.exists()
            with self.writer() as connection:
                if is_lost and not _has_marts(connection):
                    shutil.copyfile(self.published_path, self.marts_path)
                else:
                    is_lost = False
                connection.execute(
                    f"attach if not exists {quote_literal(str(self.marts_path))} as {MARTS_DATABASE}"
                    f" (storage_version '{MARTS_FILE_VERSION}', recovery_mode no_wal_writes);"
                    f" create schema if not exists {MARTS_DATABASE}.marts;"
                    f" set search_path = 'build.main,{MARTS_DATABASE}.marts'"
                )
                if is_lost:
                    _go_on_from_published(connection)
                elif _has_marts(connection):
                    _move_marts(connection)
                yield connection

    @contextmanager
    def published_reader(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A read-only connection to the published file.

        Raises:
            FileNotFoundError: Nothing was published in this home yet.
        """
        if not self.published_path.exists():
            message = f"nothing is published yet: {self.published_path} does not exist. Run `trends run` first."
            raise FileNotFoundError(message)
        connection = connect(self.published_path, read_only=True)
        try:
            yield connection
        finally:
            connection.close()


def connect(path: Path, *, read_only: bool = False) -> duckdb.DuckDBPyConnection:
    """Opens a DuckDB file with the project's session settings (UTC, bounded memory, no extension downloads).

    Dead rows stay where they are until `checkpoint`.
    """
    version = {} if read_only else {"storage_compatibility_version": BUILD_FILE_VERSION}
    connection = duckdb.connect(str(path), read_only=read_only, config=CONNECTION_CONFIG | version)
    # Global: settings of a session do not reach its cursors, on which the models run.
    connection.execute("set global TimeZone = 'UTC'")
    connection.execute("set enable_progress_bar = false")
    connection.execute("set max_vacuum_tasks = 0")
    connection.execute(f"set block_allocator_memory = '{BLOCK_MEMORY_GIB}GiB'")
    connection.execute(f"set allocator_flush_threshold = '{FLUSH_GIB}GiB'")
    row = connection.execute("select current_setting('memory_limit')").fetchone()
    amount, unit = str(row[0] if row else "").split()
    limit = READER_MEMORY_GIB if read_only else MEMORY_LIMIT_GIB
    # What DuckDB found for the machine or its container may be less.
    if float(amount) * _GIB.get(unit, 0.0) > limit:
        connection.execute(f"set memory_limit = '{limit}GiB'")
    if read_only:
        # Readers work side by side, each on a core: with helpers for both, a large day's files took a fifth longer.
        connection.execute("set threads = 1")
        # Beside the file, readers of several processes would spill into files of the same names.
        spill = Path(tempfile.gettempdir()) / f"trends-{os.getpid()}-{path.stem}"
        connection.execute(f"set temp_directory = {quote_literal(str(spill))}")
    return connection


def _has_marts(connection: duckdb.DuckDBPyConnection) -> bool:
    """Whether the marts are in the build file: it is of a version that kept them there."""
    return bool(
        connection.execute(
            "select 1 from duckdb_schemas() where database_name = 'build' and schema_name = 'marts'"
        ).fetchall()
    )


def _move_marts(connection: duckdb.DuckDBPyConnection) -> None:
    """Moves the marts out of the build file; what was moved before a kill is moved again."""
    relations = connection.execute(
        "select table_name from duckdb_tables() where database_name = 'build' and schema_name = 'marts'"
        " union all select view_name from duckdb_views() where database_name = 'build' and schema_name = 'marts'"
    ).fetchall()
    for (name,) in relations:
        connection.execute(f'create or replace table {MARTS_DATABASE}.marts."{name}" as from build.marts."{name}"')
    connection.execute("drop schema build.marts cascade")


def _go_on_from_published(connection: duckdb.DuckDBPyConnection) -> None:
    """Takes the published file for the marts' lost one: what was built since it was published counts as not built."""
    has_builds = connection.execute(
        "select 1 from duckdb_tables() where database_name = 'build' and schema_name = 'meta' and table_name = 'builds'"
    ).fetchall()
    if has_builds:
        connection.execute(
            "delete from build.meta.builds where (as_of_date, built_at)"
            f" not in (select (as_of_date, built_at) from {MARTS_DATABASE}.meta.builds)"
        )


def checkpoint(connection: duckdb.DuckDBPyConnection) -> list[str]:
    """Writes what is in the log to the files, and makes the room of dead rows free where they are many.

    Args:
        connection: A writer connection without a transaction; nobody else has one.

    Returns:
        The tables that had many dead rows, as `schema.table`.
    """
    writable = [
        name
        for (name,) in connection.execute(
            "select database_name from duckdb_databases() where not internal and not readonly order by 1"
        ).fetchall()
    ]
    held = {
        f'"{database}"."{schema}"."{table}"': rows
        for database, schema, table, rows in connection.execute(
            "select database_name, schema_name, table_name, estimated_size from duckdb_tables()"
            " where list_contains(?, database_name) and not temporary and estimated_size > ?",
            [writable, DEAD_ROWS],
        ).fetchall()
    }
    counts = " union all ".join(f"select {quote_literal(name)}, count(*) from {name}" for name in held)
    living = dict(connection.execute(counts).fetchall()) if held else {}
    bloated = [name for name, rows in held.items() if rows - living[name] > DEAD_ROWS + DEAD_SHARE * rows]
    if bloated:
        connection.execute("reset max_vacuum_tasks")
    # DuckDB uses one core for each of them.
    with ThreadPoolExecutor(len(writable)) as pool:
        list(pool.map(lambda database: connection.cursor().execute(f'checkpoint "{database}"'), writable))
    if bloated:
        connection.execute("set max_vacuum_tasks = 0")
    return [name.replace('"', "").split(".", 1)[1] for name in bloated]


def quote_literal(value: str) -> str:
    """A SQL string literal: for places that take no parameters, such as a table function in DDL or `attach`."""
    return "'" + value.replace("'", "''") + "'"
