"""Homes that several test files look at, made once for all workers of a run.

Belongs here: making and finding them. Must not be here: assertions. Who writes into one takes a copy of it.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import filelock
import pytest

from benchmarks.home import backfill
from ingest import export_folder
from simulator import sample_config, simulate, write_export_folder
from tests import invented
from tests.support import MARKETS, land_folder, prepare, trends
from warehouse.store import Store

# The second date of the sample.
SAMPLE_DAY = "2026-03-05"
# What `make run` does.
SAMPLE_COMMAND = "trends run --source sample"


def sample(factory: pytest.TempPathFactory) -> Store:
    """What `make run` makes: the bundled sample, run without any setting."""
    return Store(_made_once(factory, "sample", lambda home: _well(*SAMPLE_COMMAND.split()[1:], "--home", home)))


def day_of_sample(factory: pytest.TempPathFactory) -> Store:
    """The sample run for `SAMPLE_DAY`: this date and the one before."""
    arguments = ("run", "--source", "sample", "--date", SAMPLE_DAY, "--no-deliver")
    return Store(_made_once(factory, "day_of_sample", lambda home: _well(*arguments, "--home", home)))


def dates_of_sample(factory: pytest.TempPathFactory) -> Store:
    """The sample landed, and all its dates built in one pass with every data test, and published."""
    return Store(_made_once(factory, "dates_of_sample", _built_sample))


def daily_lists(factory: pytest.TempPathFactory) -> tuple[Path, Store]:
    """Fourteen days of invented daily lists: their export folder, and a home with all of them built and published."""
    folder = _made_once(factory, "lists", lambda folder: invented.write_daily_lists(folder))
    return folder, Store(_made_once(factory, "home_of_lists", lambda home: backfill(folder, home)))


def _built_sample(home: Path) -> None:
    folder, store = home.with_name("feeds_of_sample"), Store(home)
    write_export_folder(simulate(sample_config()), folder)
    land_folder(store, folder, landed_at="2026-04-01T00:00")
    feeds, _ = export_folder.scan(folder, MARKETS)
    prepare(store, *sorted({str(feed.observed_at.date()) for feed in feeds}))
    _well("rebuild", "--home", home)


def _well(*arguments: str | Path) -> None:
    outcome = trends(*arguments)
    # Exit code 1 would say that files of the sample could not be read.
    assert outcome.code == 0, outcome.err


def _made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], object]) -> Path:
    """The folder of this name in the run's temporary folder; whoever asks first makes it, the others wait."""
    root = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        # Each worker has a folder of its own in that of the run.
        root = root.parent
    folder, done = root / "homes" / name, root / "homes" / f"{name}.made"
    folder.parent.mkdir(exist_ok=True)
    with filelock.FileLock(folder.with_suffix(".lock")):
        if not done.exists():
            shutil.rmtree(folder, ignore_errors=True)
            make(folder)
            done.touch()
    return folder
