"""The copy of a warehouse as one file: what is needed to go on after the machine is lost.

Belongs here: what a copy holds, whether one warehouse holds all that another does, and putting a copy back. Must not
be here: where copies are kept (orchestration, exports).

A copy holds the facts, what is derived of them (so that the next run need not make it again) and the small files given
with it. Not in it: the published file, which is made again from the marts; outputs, which have their own delivery; the
run history of the UI. The files are copied whole and with no writer on them: equal content gives equal bytes, so an
unchanged warehouse is not uploaded again.
"""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import tarfile
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

import duckdb
import pyarrow as pa

from warehouse.store import (
    BUILD_DATABASE,
    FACTS_DATABASE,
    MARTS_DATABASE,
    FactsLostError,
    Store,
    checkpoint,
    connect,
    log_of,
    quote_literal,
)

# Copies of the formats 1 and 2 have the facts in the build file: the store takes them up as it does such homes.
FORMAT = 3
FACTS_MEMBER = "facts.duckdb"
BUILD_MEMBER = "build.duckdb"
MARTS_MEMBER = "unpublished.duckdb"
STATE_MEMBER = "state.json"
_CODEC = "zstd"
# A copy is somebody else's file until it was looked at. Warehouses unpack to 3 to 10 times their copy, new ones
# with many empty blocks to 100 times; below a gigabyte nobody counts.
MAX_EXPANSION = 500
_FREE_EXPANSION_BYTES = 1 << 30

# Every row that changes the facts has one of these times; what is derived changes without them.
_TIMES = (
    ("raw", "loads", "landed_at"),
    ("raw", "revenue_reads", "attempted_at"),
    ("told", "tellings", "told_at"),
    ("meta", "panel_choices", "chosen_at"),
    ("meta", "receipts", "created_at"),
)

# What none of our files has, and what would be run by whoever reads or writes them.
_CODE = """
    select 'macro', schema_name || '.' || function_name from duckdb_functions() where not internal
    union all
    select 'default of', schema_name || '.' || table_name || '.' || column_name from duckdb_columns()
    where not internal and column_default is not null
    union all
    select 'constraint of', schema_name || '.' || table_name from duckdb_constraints()
    where constraint_type not in ('PRIMARY KEY', 'UNIQUE', 'NOT NULL')
"""


class BackupError(RuntimeError):
    """A copy cannot be made or put back; the message names the remedy."""


@dataclass(frozen=True, slots=True)
class State:
    """How far a warehouse is.

    Attributes:
        changed_at: When something was last landed, built or sent; aware UTC.
        loads: Number of loads. Loads are append-only: two warehouses with equal first loads share their history.
        loads_digest: Checksum over their ids, times and contents.
        is_sample: Whether the simulated sample was landed.
    """

    changed_at: datetime
    loads: int
    loads_digest: str
    is_sample: bool

    def properties(self) -> dict[str, str]:
        """The state in short texts, to be noted with a copy."""
        return {
            "trends_changed_at": self.changed_at.isoformat(),
            "trends_loads": str(self.loads),
            "trends_loads_digest": self.loads_digest,
            "trends_is_sample": str(self.is_sample).lower(),
        }

    @classmethod
    def of_properties(cls, properties: Mapping[str, str]) -> State:
        """The state that `properties` noted.

        Raises:
            BackupError: It is not there.
        """
        try:
            return cls(
                datetime.fromisoformat(properties["trends_changed_at"]),
                int(properties["trends_loads"]),
                properties["trends_loads_digest"],
                properties["trends_is_sample"] == "true",
            )
        except (KeyError, ValueError):
            message = "the copy has no note of how far it is: it was not made by `trends backup`"
            raise BackupError(message) from None


def state_of(store: Store) -> State | None:
    """How far the warehouse of a home is; None where nothing was landed yet.

    Raises:
        WarehouseBusyError: Another process is writing.
    """
    if not store.has_facts:
        return None
    with store.facts_writer() as connection:
        return _state(connection)


def holds(store: Store, other: State) -> bool:
    """Whether the warehouse of a home has all loads of another one."""
    if not store.has_facts:
        return other.loads == 0
    with store.facts_writer() as connection:
        return _has_loads_of(connection, other)


def write_copy(store: Store, target: Path, further: Mapping[str, Path]) -> State:
    """Writes the copy of a home.

    Args:
        store: The home; the writer lock is held while its files are read.
        target: The file to write.
        further: Small files to take along, by their name in the copy; one that does not exist is left out.

    Raises:
        WarehouseBusyError: Another process is writing.
        BackupError: Nothing was landed yet.
    """
    with store.lock():
        state = state_of(store)
        if state is None:
            message = f"nothing to copy: nothing was landed in {store.home} yet. Run `trends run` first."
            raise BackupError(message)
        with store.facts_writer() as connection:
            checkpoint(connection)
        if store.marts_path.exists():
            with store.model_writer() as connection:
                checkpoint(connection)
        members = {
            FACTS_MEMBER: store.facts_path, BUILD_MEMBER: store.build_path, MARTS_MEMBER: store.marts_path, **further,
        }  # fmt: skip
        members = {name: path for name, path in members.items() if path.exists()}
        note: dict[str, Any] = {"format": FORMAT, **state.properties(), "sha256": {}}
        with _writing(target) as archive:
            for name, path in members.items():
                note["sha256"][name] = _sha256(path)
                with path.open("rb") as stream:
                    _add(archive, name, stream, path.stat().st_size)
            text = json.dumps(note, sort_keys=True).encode()
            _add(archive, STATE_MEMBER, io.BytesIO(text), len(text))
    return state


def put_back(store: Store, copy: Path, further: Mapping[str, Path], *, force: bool) -> tuple[State, Path | None]:
    """Puts a copy into a home. The published file has to be made again afterwards.

    Args:
        store: The home; the writer lock is taken.
        copy: What `write_copy` wrote.
        further: Where the small files go, by their name in the copy.
        force: Also where the home has loads that the copy lacks, or is newer; its files are then set aside.

    Returns:
        How far the warehouse is now, and where the facts of before were moved to, if they were.

    Raises:
        WarehouseBusyError: Another process is writing.
        BackupError: The copy is damaged, or the home has what the copy lacks.
    """
    with store.lock():
        temporary = store.warehouse / ".restoring"
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir()
        try:
            state = _unpack(copy, temporary, further)
            aside = None
            try:
                here = state_of(store)
            except FactsLostError as error:
                if not force:
                    raise BackupError(str(error)) from None
                here, aside = None, store.set_aside("torn")
            if here is not None and not (_is_ahead(_facts_of(temporary), here) and state.changed_at > here.changed_at):
                if not force:
                    message = (
                        f"{store.facts_path} ({describe(here)}) is as new as the copy ({describe(state)}) or has loads"
                        " that it lacks, nothing was changed. To put the copy in its place: `trends restore --force`"
                    )
                    raise BackupError(message)
                aside = store.set_aside("replaced")
            for name, path in further.items():
                if (temporary / name).exists():
                    path.parent.mkdir(parents=True, exist_ok=True)
                    shutil.move(temporary / name, path)
            store.published_path.unlink(missing_ok=True)
            # The facts last: a home without them, while the rest is there, says so.
            for path in (store.marts_path, store.build_path, store.facts_path):
                # A log that a killed process left behind would be replayed onto the copy.
                log_of(path).unlink(missing_ok=True)
                if (temporary / path.name).exists():
                    (temporary / path.name).replace(path)
                else:
                    path.unlink(missing_ok=True)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
    return state, aside


def describe(state: State) -> str:
    """A state for people."""
    return f"{state.loads} loads, last changed {state.changed_at:%Y-%m-%d %H:%M:%S} UTC"


def _state(connection: duckdb.DuckDBPyConnection) -> State | None:
    present = set(connection.execute("select schema_name, table_name from duckdb_tables()").fetchall())
    if ("raw", "loads") not in present:
        return None
    times = [
        f'select max("{column}") as changed_at from {schema}.{table}'
        for schema, table, column in _TIMES
        if (schema, table) in present
    ]
    [row] = connection.execute(
        f"select max(changed_at), (select count(*) from raw.loads), (select bool_or(source = 'sample') from raw.loads)"
        f" from ({' union all '.join(times)})"
    ).fetchall()
    if not row[1]:
        return None
    return State(row[0].replace(tzinfo=UTC), row[1], _digest(connection, row[1]), bool(row[2]))


def _digest(connection: duckdb.DuckDBPyConnection, loads: int) -> str:
    [row] = connection.execute(
        "select md5(string_agg(concat_ws('|', load_id, landed_at, file, content_hash), chr(10) order by load_id))"
        " from (from raw.loads order by load_id limit ?)",
        [loads],
    ).fetchall()
    return str(row[0])


def _has_loads_of(connection: duckdb.DuckDBPyConnection, other: State) -> bool:
    state = _state(connection)
    if state is None or state.loads < other.loads:
        return other.loads == 0
    return _digest(connection, other.loads) == other.loads_digest


def _facts_of(directory: Path) -> Path:
    """The file of an unpacked copy that has its facts."""
    path = directory / FACTS_MEMBER
    return path if path.exists() else directory / BUILD_MEMBER


def _is_ahead(facts_path: Path, here: State) -> bool:
    connection = connect(facts_path, read_only=True)
    try:
        return _has_loads_of(connection, here)
    finally:
        connection.close()


@contextmanager
def _writing(target: Path) -> Iterator[tarfile.TarFile]:
    with (
        pa.output_stream(str(target), compression=_CODEC) as compressed,
        tarfile.open(fileobj=compressed, mode="w|", format=tarfile.PAX_FORMAT) as archive,
    ):
        yield archive


def _add(archive: tarfile.TarFile, name: str, stream: IO[bytes], size: int) -> None:
    # Fixed times and owners: equal content gives equal bytes.
    member = tarfile.TarInfo(name)
    member.size = size
    archive.addfile(member, stream)


def _extract(archive: tarfile.TarFile, member: tarfile.TarInfo, directory: Path, names: Collection[str]) -> None:
    content = archive.extractfile(member) if member.type == tarfile.REGTYPE else None
    target = directory / member.name
    if content is None or member.name not in names or target.exists():
        message = f"unexpected member {member.name}"
        raise tarfile.TarError(message)
    with target.open("wb") as stream:
        shutil.copyfileobj(content, stream, 1 << 20)


def _unpack(copy: Path, directory: Path, further: Collection[str] = ()) -> State:
    """Unpacks a copy into a directory and checks every member; returns the noted state."""
    names = {FACTS_MEMBER, BUILD_MEMBER, MARTS_MEMBER, STATE_MEMBER, *further}
    allowed = max(MAX_EXPANSION * copy.stat().st_size, _FREE_EXPANSION_BYTES)
    allowed = min(allowed, shutil.disk_usage(directory).free)
    try:
        with (
            pa.input_stream(str(copy), compression=_CODEC) as compressed,
            tarfile.open(fileobj=compressed, mode="r|") as archive,
        ):
            for member in archive:
                allowed -= member.size
                if allowed < 0:
                    message = "it unpacks to more than there is room for, or than a copy of that size can hold"
                    raise tarfile.TarError(message)
                _extract(archive, member, directory, names)
        note = json.loads((directory / STATE_MEMBER).read_text(encoding="utf-8"))
    except (OSError, tarfile.TarError, ValueError) as error:
        message = f"{copy.name} is no copy of a warehouse, or is damaged ({error}): make a new one with `trends backup`"
        raise BackupError(message) from None
    if note["format"] > FORMAT:
        message = (
            f"{copy.name} has format {note['format']}, this version reads up to {FORMAT}: use the version that wrote it"
        )
        raise BackupError(message)
    unnamed = {path.name for path in directory.iterdir()} - {STATE_MEMBER, *note["sha256"]}
    if unnamed:
        message = f"{copy.name} does not name its {', '.join(sorted(unnamed))}: make a new one with `trends backup`"
        raise BackupError(message)
    for name, checksum in note["sha256"].items():
        if not (directory / name).exists() or _sha256(directory / name) != checksum:
            message = f"{copy.name} is damaged: {name} differs from its checksum. Make a new one with `trends backup`"
            raise BackupError(message)
    _require_plain(copy, directory)
    return State.of_properties(note)


def _require_plain(copy: Path, directory: Path) -> None:
    """Refuses files that hold more than rows and the models' own views: whoever reads them would run it."""
    connection = duckdb.connect()
    try:
        for name, member in (
            (FACTS_DATABASE, FACTS_MEMBER), (BUILD_DATABASE, BUILD_MEMBER), (MARTS_DATABASE, MARTS_MEMBER),
        ):  # fmt: skip
            if (directory / member).exists():
                connection.execute(f"attach {quote_literal(str(directory / member))} as {name} (read_only)")
        connection.execute("set enable_external_access = false; set lock_configuration = true")
        found = connection.execute(_CODE).fetchall()
        views = connection.execute(
            "select database_name, schema_name, view_name from duckdb_views() where not internal"
        ).fetchall()
        for database, schema, view in views:
            path = ".".join(f'"{part}"' for part in (database, schema, view))
            try:
                connection.execute(f"describe {path}")
            except duckdb.PermissionException:
                found.append(("view", f"{schema}.{view}"))
    except duckdb.Error as error:
        message = f"{copy.name} holds a file that DuckDB can't read ({error}): make a new one with `trends backup`"
        raise BackupError(message) from None
    finally:
        connection.close()
    if found:
        kind, name = found[0]
        message = (
            f"{copy.name} was not made by `trends backup`: its {kind} {name} would run somebody's code. Nothing was"
            " changed"
        )
        raise BackupError(message)


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
