"""Troubles of the machine are told in one line, by what libraries really say."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

from orchestration import troubles
from tests.support import trends
from warehouse.store import Store


def full_disk(_: Path) -> None:
    with Path("/dev/full").open("w", encoding="utf-8") as stream:
        stream.write("x")


def read_only_store(folder: Path) -> None:
    path = folder / "runs.db"
    sqlite3.connect(path).execute("create table runs (id integer)").connection.close()
    sqlite3.connect(f"file:{path}?mode=ro", uri=True).execute("insert into runs values (1)")


def no_database(folder: Path) -> None:
    path = folder / "runs.db"
    path.write_bytes(b"no database" * 1000)
    sqlite3.connect(path).execute("select 1 from runs")


def no_memory(_: Path) -> None:
    connection = duckdb.connect(config={"memory_limit": "1MB", "temp_directory": ""})
    connection.execute("create table t as select range as a, range::varchar as b from range(10_000_000) order by b")


def closed_folder(folder: Path) -> None:
    raise PermissionError(13, "Permission denied", str(folder))


@pytest.mark.parametrize(
    ("fail", "told"),
    [
        (full_disk, "the disk of {home} is full ("),
        (read_only_store, "{home} can't be written (OperationalError: attempt to write a readonly database): "),
        (closed_folder, "{home} can't be written (PermissionError: "),
        (no_memory, "there was not enough memory: this process may have "),
    ],
)
def test_a_trouble_is_one_line(tmp_path: Path, fail: Callable[[Path], None], told: str) -> None:
    with pytest.raises((OSError, sqlite3.Error, duckdb.Error)) as caught:
        fail(tmp_path)
    # As libraries do, which say something else of it.
    outer = RuntimeError("a step failed")
    outer.__cause__ = caught.value
    line = troubles.line_for(outer, tmp_path) or ""
    assert line.startswith(told.format(home=tmp_path))
    assert "\n" not in line


def test_a_broken_store_is_named(tmp_path: Path) -> None:
    with pytest.raises(sqlite3.DatabaseError) as caught:
        no_database(tmp_path)
    outer = RuntimeError("(sqlite3.DatabaseError) in a step")
    outer.__cause__ = caught.value
    line = troubles.line_for(outer, tmp_path) or ""
    assert line.startswith(f"Dagster's store in {tmp_path / 'dagster'} is broken (")


def test_other_errors_keep_their_words(tmp_path: Path) -> None:
    assert troubles.line_for(ValueError("no such market"), tmp_path) is None


def test_a_run_without_room_is_refused(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    store.output.joinpath("2026-01-05").mkdir(parents=True)
    (store.output / "2026-01-05" / "a.xlsx").write_bytes(bytes(1000))
    usage = troubles.shutil.disk_usage(store.home)
    monkeypatch.setattr(troubles.shutil, "disk_usage", lambda _: usage._replace(free=99 * 1024**2))
    outcome = trends("run", "--source", "sample", "--home", store.home)
    assert outcome.code == 1
    assert outcome.err.splitlines()[-1] == (
        f"trends: 99 MB are free on the disk of {store.home}, and a run needs 100 MB: make room, or use --home DIR"
    )
    assert not store.facts_path.exists()
