"""Dagster's store of a home: made once, however many commands come first, and healed where it was left broken."""

from __future__ import annotations

import multiprocessing
import os
import sqlite3
from contextlib import closing
from multiprocessing.synchronize import Barrier
from pathlib import Path

import pytest

from orchestration import instance
from orchestration.settings import Settings
from warehouse.store import Store


def open_instance(home: Path) -> int:
    """Opens the store of a home as a command does; gives the number of its runs."""
    variables = instance.environment(Settings(), Store(home))
    os.environ.update(variables)
    with instance.of_command(variables) as opened:
        return len(opened.get_runs())


def open_at_once(home: Path, together: Barrier) -> None:
    together.wait()
    raise SystemExit(open_instance(home))


def versions(path: Path) -> int:
    with closing(sqlite3.connect(path)) as connection:
        return len(connection.execute("select version_num from alembic_version").fetchall())


@pytest.fixture(autouse=True)
def _own_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DAGSTER_HOME", "DAGSTER_EVENT_BATCH_SIZE"):
        monkeypatch.setenv(name, "")


def test_first_commands_at_once(tmp_path: Path) -> None:
    open_instance(tmp_path / "imports")
    fork = multiprocessing.get_context("fork")
    for turn in range(3):
        home, together = tmp_path / str(turn), fork.Barrier(3)
        commands = [fork.Process(target=open_at_once, args=(home, together)) for _ in range(3)]
        for command in commands:
            command.start()
        for command in commands:
            command.join()
        assert [command.exitcode for command in commands] == [0, 0, 0]
        dagster = home / "dagster"
        assert {name: versions(dagster / name) for name in instance._STORES} == dict.fromkeys(instance._STORES, 1)
        assert not list(dagster.rglob("*.torn-*"))


@pytest.mark.parametrize("damage", ["two heads", "no head", "torn"])
@pytest.mark.parametrize("name", instance._STORES)
def test_a_broken_store_is_healed(tmp_path: Path, name: str, damage: str) -> None:
    open_instance(tmp_path)
    path = tmp_path / "dagster" / name
    if damage == "torn":
        path.write_bytes(b"no database" * 1000)
    else:
        with closing(sqlite3.connect(path)) as connection:
            two = "insert into alembic_version values ('abc')"
            connection.execute(two if damage == "two heads" else "delete from alembic_version")
            connection.commit()
    assert open_instance(tmp_path) == 0
    assert versions(path) == 1
    assert len(list(path.parent.glob(f"{path.name}.torn-*"))) == 1
