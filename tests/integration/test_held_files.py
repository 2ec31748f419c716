"""A person has one of the private files open: a writer waits as for another writer, and says who it is in the end."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from ingest import facts
from orchestration.settings import Settings
from tests.support import trends
from warehouse.store import Store, WarehouseBusyError

HOLD = "import duckdb, sys; held = duckdb.connect(sys.argv[1], read_only=True); print('open', flush=True); input()"


@contextmanager
def held(path: Path) -> Iterator[subprocess.Popen[str]]:
    """Somebody looks at a file, until a line is written to them."""
    person = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert person.stdout is not None
    assert person.stdout.readline() == "open\n"
    try:
        yield person
    finally:
        person.kill()
        person.wait()


@pytest.fixture
def home(store: Store) -> Store:
    with facts.writer(store):
        pass
    with store.model_writer():
        pass
    return store


@pytest.mark.parametrize("name", ["build_path", "marts_path", "facts_path"])
def test_who_has_a_file_open_is_said(home: Store, name: str) -> None:
    path = getattr(home, name)
    hasty = replace(home, lock_timeout_s=0.3)
    # Models read the facts beside others; only what lands writes there.
    opened = hasty.facts_writer if name == "facts_path" else hasty.model_writer
    with held(path) as person, pytest.raises(WarehouseBusyError) as caught, opened():
        pass
    assert str(path) in str(caught.value)
    assert f"(process {person.pid}) and was not closed within 0 s: close it there" in str(caught.value)
    with opened() as connection:
        assert connection.execute("select 1").fetchall() == [(1,)]


def test_a_writer_waits_until_it_is_closed(home: Store) -> None:
    with held(home.build_path) as person:
        assert person.stdin is not None
        close = subprocess.Popen(["sleep", "1"])
        began = time.monotonic()

        def let_go() -> None:
            close.wait()
            person.communicate("\n")

        threading.Thread(target=let_go, daemon=True).start()
        with home.model_writer() as connection:
            waited = time.monotonic() - began
            connection.execute("create table meta_probe as select 1 as a")
    assert 0.9 < waited < Settings().lock_timeout_s


def test_a_command_says_it_in_one_line(home: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCK_TIMEOUT_S", "0.3")
    with held(home.build_path) as person:
        outcome = trends("publish", "--home", home.home)
    assert outcome.code == 1
    (line,) = [line for line in outcome.err.splitlines() if line.startswith("trends: ")]
    assert f"(process {person.pid})" in line
