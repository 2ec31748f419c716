"""Paths, the writer lock and connections of one TRENDS_HOME.

Belongs here: where each file is, and the only three ways to open the warehouse (`facts_writer`, `model_writer`,
`published_reader`). Must not be here: table definitions (see `ingest.migrations`), business rules.

Facts are what can't be had again: raw items, cut-offs, receipts, what people were told. They have a file of their own.
The build file and the marts' file hold what is derived from them, and may be thrown away (`warehouse.rebuild`).

DuckDB lets one process write OR many read, and a reader of a file blocks its writer. So these files are private to the
pipeline: every process that opens one takes one file lock first. The marts are in a private file of their own, so that
publishing them is copying that file. Everyone else reads the published file, which is replaced as a whole and never
locked.
"""

from __future__ import annotations

import logging
import os
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import filelock

from warehouse import machine

logger = logging.getLogger(__name__)

CONNECTION_CONFIG: dict[str, str | bool | int | float | list[str]] = {
    # Extensions are never fetched at run time: what is not in the wheel is not there.
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    # Of a new private file. DuckDB takes a block for each column of each table that is written, whatever it holds: the
    # models of a day of 2 x 300 videos held 720 MB in its own blocks of 256 KiB, 620 MB in these.
    "default_block_size": "65536",
}
# Of a new file of the marts: in smaller ones that day would hold 420 MB, but a year of marts a seventh more room.
MARTS_BLOCK_SIZE = 256 * 1024

# The oldest DuckDB that can open a new private file: from 1.2 on raw items are kept in a fifth of the room (zstd). The
# marts, which people open with what they have, stay with the oldest format that there is.
PRIVATE_FILE_VERSION = "v1.2.0"
MARTS_FILE_VERSION = "v1.0.0"
# Names of the files as databases, in SQL of the models too (dbt_project.yml, profiles.yml, the sources' YAML). That of
# the marts is the one that the published file has for those who open it.
FACTS_DATABASE = "facts"
BUILD_DATABASE = "build"
MARTS_DATABASE = "trends"

# Written into a folder of derived files when they are whole and are about to take their places.
WHOLE_MARKER = "WHOLE"

# DuckDB takes four fifths of the machine else, and fills what it may have with pages of its files: the models of a day
# of 2 x 100,000 videos are as fast within this as within three times of it, and fail within a third of it, as not all
# can be spilled to the folder beside the file. Larger days and several at a time have more.
MEMORY_LIMIT_GIB = 1.25
MEMORY_PER_MILLION_ROWS_GIB = 3.25
MOST_MEMORY_GIB = 4.0
# Of a reader: two of them make files at a time.
READER_MEMORY_GIB = 1.5
# DuckDB merges row groups with dead rows at each checkpoint, which for tables of millions of rows takes longer than the
# day. Here it does so once a table has more of them than this, as PostgreSQL's autovacuum decides: from a third on,
# three groups become two.
DEAD_ROWS = 10_000
DEAD_SHARE = 1 / 3
# What a commit adds stands in row groups of its own, however few rows it has: each poll would take a block per table.
# They are merged where the largest table of a file has so many more than its rows fill.
ROW_GROUP_ROWS = 122_880
SPARE_ROW_GROUPS = 16


class WarehouseBusyError(RuntimeError):
    """Another process holds the writer lock; the message names it and what to do."""


class FactsLostError(RuntimeError):
    """The facts of a home are not there, or can't be read; the message names the remedy."""


@dataclass(frozen=True, slots=True)
class Store:
    """The files of one home directory.

    Attributes:
        home: Directory that holds `warehouse/`, `output/`, `data/` and `dagster/`.
        lock_timeout_s: Seconds to wait for the writer lock before giving up.
        derived: Folder below `warehouse/` of the derived files; a rebuild has one of its own.
    """

    home: Path
    lock_timeout_s: float = 60.0
    derived: str = ""

    @property
    def warehouse(self) -> Path:
        """Directory of the DuckDB files."""
        return self.home / "warehouse"

    @property
    def facts_path(self) -> Path:
        """What can't be had again: raw rows, cut-offs, receipts, what was told."""
        return self.warehouse / "facts.duckdb"

    @property
    def build_path(self) -> Path:
        """The models' private database, derived: staging and intermediate."""
        return self.warehouse / self.derived / "build.duckdb"

    @property
    def marts_path(self) -> Path:
        """The marts as the models write them, derived and private too: what is published is a copy."""
        return self.warehouse / self.derived / "unpublished.duckdb"

    @property
    def has_facts(self) -> bool:
        """Whether anything was ever landed or noted here; a home of an earlier version has it in the build file."""
        return self.facts_path.exists() or self.build_path.exists()

    def set_aside(self, why: str) -> Path:
        """Renames the pipeline's private files, under the writer lock; returns where the facts are now.

        Args:
            why: Part of their new names, such as `sample`.
        """
        with self.lock():
            self._settle()
            now = f"{datetime.now(UTC):%Y%m%dT%H%M%S}"
            aside = self.facts_path.with_name(f"facts.{why}-{now}.duckdb")
            # The facts last: what is derived is made again, should this be cut short.
            for path in (self.build_path, self.marts_path, self.facts_path):
                for file in (path, log_of(path)):
                    if file.exists():
                        file.rename(file.with_name(file.name.replace(path.stem, f"{path.stem}.{why}-{now}", 1)))
        return aside

    def beside(self, name: str) -> Store:
        """A home within this one, for rows that must not meet those that are here; `take_over` ends it."""
        return replace(self, home=self.warehouse / f".{name}")

    def take_over(self, other: Store) -> None:
        """Makes the facts of a home `beside` this one its own; under the writer lock, where no facts are.

        Args:
            other: The other home, which is gone then.
        """
        with other.lock():
            log = log_of(other.facts_path)
            if log.exists():
                log.replace(log_of(self.facts_path))
            other.facts_path.replace(self.facts_path)
            sync(self.warehouse)
        shutil.rmtree(other.home)

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
    def facts_writer(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A read-write connection to the facts, under the lock, closed at the end.

        Their tables are made by `ingest.migrations`.

        Raises:
            WarehouseBusyError: See `lock`.
            FactsLostError: The facts are gone, what is derived from them is not; or they can't be read.
        """
        with self.lock():
            self._settle()
            connection = self._open_facts()
            try:
                yield connection
                if log_of(self.facts_path).exists():
                    checkpoint(connection)
            finally:
                connection.close()

    @contextmanager
    def model_writer(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A read-write connection to the derived files, with the facts to read from, under the lock.

        `raw.<name>` are tables of the facts, `marts.<name>` those of the marts, `meta.<name>` those of the build file;
        other schemas of the facts and the marts are named with their database.

        Raises:
            WarehouseBusyError: See `lock`.
            FactsLostError: See `facts_writer`.
        """
        with self.lock():
            self._settle()
            if not self.facts_path.exists():
                connection = connect(self.facts_path)
                connection.execute("create schema raw")
                connection.close()
            self.build_path.parent.mkdir(parents=True, exist_ok=True)
            is_lost = not self.derived and self.published_path.exists() and not self.marts_path.exists()
            is_lost = is_lost and self.build_path.exists()
            if is_lost:
                log_of(self.marts_path).unlink(missing_ok=True)
                partial = self.marts_path.with_suffix(".partial")
                shutil.copyfile(self.published_path, partial)
                partial.rename(self.marts_path)
            connection = self._open_derived()
            try:
                if is_lost:
                    _go_on_from_published(connection)
                yield connection
            finally:
                connection.close()

    def _open_facts(self) -> duckdb.DuckDBPyConnection:
        try:
            if _is_empty(self.facts_path):
                raise duckdb.IOException("it is empty")
            return patiently(lambda: connect(self.facts_path), self.lock_timeout_s)
        except duckdb.Error:
            self._require_facts()
            raise

    def _require_facts(self) -> None:
        """Says what to do where the facts can't be read."""
        reason = _unreadable(self.facts_path)
        if reason:
            message = (
                f"{self.facts_path} can't be read ({reason}), and with it all raw rows and receipts. Take the last"
                " copy, which sets the file aside: `trends restore --force`"
            )
            raise FactsLostError(message)

    def _open_derived(self) -> duckdb.DuckDBPyConnection:
        """A connection with all three files; derived ones that can't be read are set aside once."""
        if _is_empty(self.build_path) or _is_empty(self.marts_path):
            self._set_torn_aside()
        try:
            return patiently(self._attach_all, self.lock_timeout_s)
        except duckdb.Error:
            self._require_facts()
            if not self._set_torn_aside():
                raise
            return self._attach_all()

    def _attach_all(self) -> duckdb.DuckDBPyConnection:
        connection = connect(self.build_path)
        # A file that is there keeps the blocks it has.
        blocks = "" if self.marts_path.exists() else f", block_size {MARTS_BLOCK_SIZE}"
        try:
            connection.execute(
                f"attach if not exists {quote_literal(str(self.marts_path))} as {MARTS_DATABASE}"
                f" (storage_version '{MARTS_FILE_VERSION}'{blocks});"
                f" attach if not exists {quote_literal(str(self.facts_path))} as {FACTS_DATABASE} (read_only);"
                f" create schema if not exists {MARTS_DATABASE}.marts;"
                f" set search_path = '{BUILD_DATABASE}.main,{MARTS_DATABASE}.marts,{FACTS_DATABASE}.raw'"
            )
        except duckdb.Error:
            connection.close()
            raise
        return connection

    def _set_torn_aside(self) -> bool:
        """Sets the derived files aside where one of them can't be read: they are made again together."""
        torn = {path: reason for path in (self.build_path, self.marts_path) if (reason := _unreadable(path))}
        if not torn:
            return False
        now = f"{datetime.now(UTC):%Y%m%dT%H%M%S}"
        for path in (self.build_path, self.marts_path):
            log_of(path).unlink(missing_ok=True)
            if path.exists():
                path.replace(path.with_name(f"{path.stem}.torn-{now}.duckdb"))
        for path, reason in torn.items():
            logger.warning("%s can't be read (%s): set aside, it is made again from the facts", path.name, reason)
        return True

    def rebuilding(self) -> Store:
        """The same home with derived files of their own, which `take_over_rebuilt` puts in place once whole."""
        return replace(self, derived=".rebuild")

    def take_over_rebuilt(self) -> None:
        """Puts the derived files of `rebuilding`, checkpointed and closed, in place of the present ones.

        A kill at any point leaves the old files or, from the marker on, the new ones: whoever opens the home next goes
        on here. The published file is not touched.
        """
        with self.lock():
            marker = self.warehouse / self.rebuilding().derived / WHOLE_MARKER
            with marker.open("w") as stream:
                os.fsync(stream.fileno())
            sync(marker.parent)
            self._settle()

    def _settle(self) -> None:
        """Finishes what a killed process began, and takes up the files of an earlier version; under the lock."""
        rebuilt, present = self.rebuilding(), replace(self, derived="")
        if (self.warehouse / rebuilt.derived / WHOLE_MARKER).exists():
            for new, old in ((rebuilt.build_path, present.build_path), (rebuilt.marts_path, present.marts_path)):
                if new.exists():
                    # A log of the old file must not be replayed onto the new one.
                    log_of(old).unlink(missing_ok=True)
                    new.replace(old)
            sync(self.warehouse)
            shutil.rmtree(self.warehouse / rebuilt.derived)
        if not self.facts_path.exists() and present.build_path.exists():
            present._take_up_earlier_version()

    def _take_up_earlier_version(self) -> None:
        """Until November 2026 the build file held the facts too: it becomes their file, and the rest is made again."""
        connection = connect(self.build_path)
        try:
            schemas = [row[0] for row in connection.execute(_SCHEMAS).fetchall()]
        finally:
            connection.close()
        if "raw" not in schemas:
            message = (
                f"{self.facts_path} is gone, and with it all raw rows and receipts; {self.build_path.name} was derived"
                " from it and can't replace it. Put the file back, or take the last copy: `trends restore`. To begin"
                f" anew, move {self.warehouse} aside"
            )
            raise FactsLostError(message)
        log = log_of(self.build_path)
        if log.exists():
            log.replace(log_of(self.facts_path))
        self.build_path.replace(self.facts_path)
        sync(self.warehouse)

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


# DuckDB's words where another process has a file open: somebody who looks at it, since the pipeline takes turns.
_HELD = re.compile(r'Could not set lock on file "(.+?)".*? held in (.+?) \(PID (\d+)\)')
_LOOKS_EACH_S = 0.2


def patiently(open_files: Callable[[], duckdb.DuckDBPyConnection], timeout_s: float) -> duckdb.DuckDBPyConnection:
    """Opens private files, and waits where a person has one of them open, as for another writer.

    Raises:
        WarehouseBusyError: Somebody still had it open after so many seconds; the message says who.
    """
    until = time.monotonic() + timeout_s
    while True:
        try:
            return open_files()
        except duckdb.IOException as error:
            held = _HELD.search(str(error))
            if held is None:
                raise
            if time.monotonic() >= until:
                file, program, pid = held.groups()
                message = (
                    f"{file} is open in {program} (process {pid}) and was not closed within {timeout_s:.0f} s: close it"
                    " there, then run the command again. For looking there is trends.duckdb, which nobody waits for"
                )
                raise WarehouseBusyError(message) from None
            time.sleep(_LOOKS_EACH_S)


def connect(path: Path, *, read_only: bool = False) -> duckdb.DuckDBPyConnection:
    """Opens a DuckDB file with the project's session settings (UTC, bounded memory, no extension downloads).

    Dead rows stay where they are until `checkpoint`.
    """
    version = {} if read_only else {"storage_compatibility_version": PRIVATE_FILE_VERSION}
    connection = duckdb.connect(str(path), read_only=read_only, config=CONNECTION_CONFIG | version)
    # Global: settings of a session do not reach its cursors, on which the models run.
    connection.execute("set global TimeZone = 'UTC'")
    connection.execute("set enable_progress_bar = false")
    # Memory is one for all connections of a process to a file: one beside models leaves them what they were allowed. A
    # file that is open here has the setting below.
    [(is_open,)] = connection.execute("select current_setting('max_vacuum_tasks') = 0").fetchall()
    if not is_open:
        _limit_memory(connection, READER_MEMORY_GIB if read_only else MEMORY_LIMIT_GIB, is_reader=read_only)
    connection.execute("set max_vacuum_tasks = 0")
    if read_only:
        # Readers work side by side, each on a core: with helpers for both, a large day's files took a fifth longer.
        connection.execute("set threads = 1")
        # Beside the file, readers of several processes would spill into files of the same names.
        spill = Path(tempfile.gettempdir()) / f"trends-{os.getpid()}-{path.stem}"
        connection.execute(f"set temp_directory = {quote_literal(str(spill))}")
    return connection


def allow_memory(connection: duckdb.DuckDBPyConnection, dates: int, rows: int) -> None:
    """Gives a writer what models over so many dates and videos need.

    Args:
        connection: Of `connect`.
        dates: How many are built together: each has windows of its own over what was before it.
        rows: Videos of these dates, and of others that are read for the first time.
    """
    if dates > 1:
        allow_most_memory(connection)
        return
    of_rows = max(MEMORY_LIMIT_GIB, min(MEMORY_PER_MILLION_ROWS_GIB * rows / 1e6, MOST_MEMORY_GIB))
    _limit_memory(connection, of_rows, is_reader=False)


def allow_most_memory(connection: duckdb.DuckDBPyConnection) -> None:
    """Gives a writer the most that it may have here."""
    _limit_memory(connection, MOST_MEMORY_GIB, is_reader=False)


def _limit_memory(connection: duckdb.DuckDBPyConnection, most_gib: float, *, is_reader: bool) -> None:
    memory = machine.shares(machine.memory_gib(), most=machine.Memory(most_gib, most_gib))
    connection.execute(f"set memory_limit = '{(memory.reader if is_reader else memory.writer) * 1024:.0f}MiB'")


# Schemas of a file that people or the pipeline made.
_SCHEMAS = """
select schema_name from duckdb_schemas()
where database_name = current_database() and not internal
"""


def log_of(path: Path) -> Path:
    """DuckDB's log beside a file: what a killed process had committed and not yet written into the file itself.

    DuckDB replays it onto whatever file has that name, also onto another one that took the place of its own.
    """
    return path.with_name(f"{path.name}.wal")


def _is_empty(path: Path) -> bool:
    """Whether a file is there without content: DuckDB would take it for a new one."""
    return path.exists() and path.stat().st_size == 0


def _unreadable(path: Path) -> str:
    """Why a file is no database of this version of DuckDB; empty where it is, or is not there."""
    if not path.exists():
        return ""
    if _is_empty(path):
        return "it is empty"
    try:
        duckdb.connect(str(path), read_only=True, config=CONNECTION_CONFIG).close()
    except duckdb.Error as error:
        reason = str(error).splitlines()[0]
        # Somebody has it open: that is said by whoever opens it.
        return "" if "lock" in reason or "same database file" in reason else reason
    return ""


def sync(path: Path) -> None:
    """Makes a file, or the renames in a directory, durable."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _go_on_from_published(connection: duckdb.DuckDBPyConnection) -> None:
    """Takes the published file for the marts' lost one: what was built since it was published counts as not built."""
    has_builds = connection.execute(
        "select 1 from duckdb_tables() where database_name = ? and schema_name = 'meta' and table_name = 'builds'",
        [BUILD_DATABASE],
    ).fetchall()
    if has_builds:
        connection.execute(
            f"delete from {BUILD_DATABASE}.meta.builds where (as_of_date, built_at)"
            f" not in (select (as_of_date, built_at) from {MARTS_DATABASE}.meta.builds)"
        )


def checkpoint(connection: duckdb.DuckDBPyConnection) -> list[str]:
    """Writes what is in the log to the files, and frees the room of dead rows and of row groups that are nearly empty.

    Args:
        connection: A writer connection without a transaction; nobody else has one.

    Returns:
        The tables that had many dead rows or row groups, as `schema.table`.
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
    bloated += [name for name in _split_tables(connection, writable) if name not in bloated]
    if bloated:
        connection.execute("reset max_vacuum_tasks")
    # DuckDB uses one core for each of them.
    with ThreadPoolExecutor(len(writable)) as pool:
        list(pool.map(lambda database: connection.cursor().execute(f'checkpoint "{database}"'), writable))
    if bloated:
        connection.execute("set max_vacuum_tasks = 0")
    return [name.replace('"', "").split(".", 1)[1] for name in bloated]


def _split_tables(connection: duckdb.DuckDBPyConnection, databases: list[str]) -> list[str]:
    """Of each database's largest table, which stands for the others: has it many more row groups than it fills?"""
    largest = connection.execute(
        """select max_by(format('"{}"."{}"."{}"', database_name, schema_name, table_name), estimated_size),"""
        " max(estimated_size) from duckdb_tables() where list_contains(?, database_name) and not temporary"
        " group by database_name having max(estimated_size) > ?",
        [databases, SPARE_ROW_GROUPS],
    ).fetchall()
    split = []
    for name, rows in largest:
        [(groups,)] = connection.execute(
            f"select count(distinct row_group_id) from pragma_storage_info({quote_literal(name)})"
        ).fetchall()
        if groups > SPARE_ROW_GROUPS + 2 * rows / ROW_GROUP_ROWS:
            split.append(name)
    return split


def quote_literal(value: str) -> str:
    """A SQL string literal: for places that take no parameters, such as a table function in DDL or `attach`."""
    return "'" + value.replace("'", "''") + "'"


@contextmanager
def transaction(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """All of the statements within, or none of them."""
    connection.begin()
    try:
        yield
    except BaseException:
        connection.rollback()
        raise
    connection.commit()
