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

from warehouse.store import CONNECTION_CONFIG, FactsLostError, Store, checkpoint, connect, log_of

# Copies of the formats 1 and 2 have the facts in the build file: the store takes them up as it does such homes.
FORMAT = 3
FACTS_MEMBER = "facts.duckdb"
BUILD_MEMBER = "build.duckdb"
MARTS_MEMBER = "unpublished.duckdb"
STATE_MEMBER = "state.json"
_CODEC = "zstd"
_DATABASES = (FACTS_MEMBER, BUILD_MEMBER, MARTS_MEMBER)
# A copy is unpacked to no more than so many times its size, and a small one to this: databases shrink by some ten.
_EXPANSION = 100
_FREE_BYTES = 1024**3
_SMALL_BYTES = 64 * 1024**2
# What our files hold is tables; what a view or a macro does is done by whoever asks for it, with the user's rights.
_PROGRAMS = """
select 'view ' || schema_name || '.' || view_name from duckdb_views()
where not internal and (
    not ? or schema_name <> 'intermediate'
    or regexp_matches(sql, '(?i)(\\w*parquet\\w*|\\w*_?scan|\\w+_attach)\\s*["(]')
    or regexp_matches(sql, '(?i)(read_\\w+|glob|sniff_\\w+|query\\w*|get\\w*)\\s*["(]')
    or regexp_matches(sql, '(?i)(from|join|,)\\s*[(]*\\s*(' || chr(39) || '|"[^"]*[./:*][^"]*")')
)
union all
select function_type || ' ' || schema_name || '.' || function_name from duckdb_functions() where not internal
order by 1 limit 3
"""

# Every row that changes the facts has one of these times; what is derived changes without them.
_TIMES = (
    ("raw", "loads", "landed_at"),
    ("raw", "revenue_reads", "attempted_at"),
    ("told", "tellings", "told_at"),
    ("meta", "receipts", "created_at"),
)


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
            state = _unpack(copy, temporary, {*_DATABASES, STATE_MEMBER, *further})
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


def _extract(archive: tarfile.TarFile, member: tarfile.TarInfo, target: Path, room: int) -> None:
    """Writes a member that a copy of ours may have: a file with a known name, once, of a size that is left."""
    content = archive.extractfile(member) if member.isreg() else None
    if content is None or target.exists():
        message = f"unexpected member {member.name}"
        raise tarfile.TarError(message)
    if member.size > (room if target.name in _DATABASES else min(room, _SMALL_BYTES)):
        message = f"{member.name} would have {member.size / 1e6:,.0f} MB"
        raise tarfile.TarError(message)
    with target.open("xb") as stream:
        shutil.copyfileobj(content, stream, 1 << 20)


def _refuse_programs(path: Path) -> None:
    """Makes sure that a database of a copy holds tables only; the file can reach nothing while that is looked at.

    The build file has views of the models, which may read what is in it and nothing else.

    Raises:
        BackupError: It holds a view or a macro, or is no database.
    """
    try:
        connection = duckdb.connect(
            str(path), read_only=True, config={**CONNECTION_CONFIG, "enable_external_access": "false"}
        )
        try:
            found = [name for (name,) in connection.execute(_PROGRAMS, [path.name == BUILD_MEMBER]).fetchall()]
        finally:
            connection.close()
    except duckdb.Error as error:
        message = f"{path.name} of the copy can't be opened ({str(error).splitlines()[0]})"
        raise BackupError(message) from None
    if found:
        message = f"{path.name} of the copy holds {', '.join(found)}, which no copy of ours does: nothing was changed"
        raise BackupError(message)


def _unpack(copy: Path, directory: Path, names: Collection[str]) -> State:
    """Unpacks a copy into a directory and checks every member; returns the noted state.

    Args:
        copy: The file.
        directory: Where its members are written.
        names: Those that a copy may have.
    """
    free = shutil.disk_usage(directory).free - _SMALL_BYTES
    room = min(max(copy.stat().st_size * _EXPANSION, _FREE_BYTES), free)
    try:
        with (
            pa.input_stream(str(copy), compression=_CODEC) as compressed,
            tarfile.open(fileobj=compressed, mode="r|") as archive,
        ):
            for member in archive:
                if member.name not in names:
                    message = f"unexpected member {member.name}"
                    raise tarfile.TarError(message)
                _extract(archive, member, directory / member.name, room)
                room -= member.size
        note = json.loads((directory / STATE_MEMBER).read_text(encoding="utf-8"))
    except (OSError, tarfile.TarError, ValueError) as error:
        message = f"{copy.name} is no copy of a warehouse, or is damaged ({error}): make a new one with `trends backup`"
        raise BackupError(message) from None
    if note["format"] > FORMAT:
        message = (
            f"{copy.name} has format {note['format']}, this version reads up to {FORMAT}: use the version that wrote it"
        )
        raise BackupError(message)
    for name, checksum in note["sha256"].items():
        if not (directory / name).exists() or _sha256(directory / name) != checksum:
            message = f"{copy.name} is damaged: {name} differs from its checksum. Make a new one with `trends backup`"
            raise BackupError(message)
    for path in sorted(directory.iterdir()):
        if path.name not in note["sha256"] and path.name != STATE_MEMBER:
            message = f"{copy.name} holds {path.name}, which it does not name: make a new one with `trends backup`"
            raise BackupError(message)
        if path.name in _DATABASES:
            _refuse_programs(path)
    return State.of_properties(note)


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
