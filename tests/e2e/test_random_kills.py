"""kill -9 at random moments of commands: readers see the old file or the new one, and the same command ends as one that
nobody disturbed.

A run and a rebuild are killed once. With `DRILL_KILLS` (`make drill-kills`) a backfill and a poll too, and each command
so many times; a failure names the seed.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from pathlib import Path
from time import monotonic

import pytest

from benchmarks.home import backfill
from simulator import NO_ODDITIES, SimulatorConfig, simulate, write_export_folder
from tests.support import PROJECT, mart_checksums
from warehouse.store import Store

KILLS = int(os.environ.get("DRILL_KILLS", "1"))
SEED = int(os.environ.get("DRILL_SEED", "20261129"))
DAYS = ("2026-03-04", "2026-03-05", "2026-03-06")
COMMANDS = ("run", "backfill", "poll", "rebuild") if os.environ.get("DRILL_KILLS") else ("run", "rebuild")

Marts = dict[str, tuple[int, str]]


@dataclass(frozen=True, slots=True)
class Case:
    """A command on a home, and what it comes to when nobody disturbs it.

    Attributes:
        arguments: Of `trends`, but for the home.
        start: The home that it begins with; not there for the first command of a new one.
        seconds: What it takes.
        before: The published marts that it begins with; None where nothing is published.
        after: Those that it ends with.
        items: Raw items that it ends with.
    """

    arguments: tuple[str, ...]
    start: Path
    seconds: float
    before: Marts | None
    after: Marts
    items: int


@pytest.fixture(scope="module")
def feeds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three days of two polls; the last poll lies in a folder of its own, `late`."""
    folder = tmp_path_factory.mktemp("kills") / "feeds"
    config = SimulatorConfig(seed=11, days=3, polls=2, videos_per_day=30, oddities=NO_ODDITIES)
    write_export_folder(simulate(config), folder)
    for path in sorted(folder.rglob(f"{DAYS[2]}T10*")):
        late = folder.with_name("late") / path.relative_to(folder)
        late.parent.mkdir(parents=True, exist_ok=True)
        path.rename(late)
    return folder


@pytest.fixture(scope="module", params=COMMANDS)
def case(request: pytest.FixtureRequest, feeds: Path, tmp_path_factory: pytest.TempPathFactory) -> Case:
    """One of the commands, run once undisturbed."""
    directory = tmp_path_factory.mktemp(request.param)
    start, late = directory / "start", feeds.with_name("late")
    arguments = {
        "run": ("run", "--source", f"{feeds}", "--date", DAYS[2], "--no-deliver"),
        "backfill": ("backfill", "--source", f"{feeds}", "--from", DAYS[0], "--to", DAYS[2]),
        "poll": ("poll", "--source", f"{late}", "--date", DAYS[2], "--no-deliver"),
        "rebuild": ("rebuild",),
    }[request.param]
    if request.param != "backfill":
        last = DAYS[1] if request.param == "run" else DAYS[2]
        backfill(feeds, start, until=datetime.combine(date.fromisoformat(last), time.max, UTC))
    home = directory / "undisturbed"
    if start.exists():
        shutil.copytree(start, home)
    before = _published(Store(start))
    begun = monotonic()
    assert _trends(home, *arguments).wait() == 0
    seconds = monotonic() - begun
    after = _published(Store(home))
    assert after is not None
    return Case(arguments, start, seconds, before, after, _items(Store(home)))


def test_a_kill_at_a_random_moment_harms_nothing(case: Case, tmp_path: Path) -> None:
    chance = random.Random(f"{SEED} {case.arguments[0]}")
    stopped = 0
    for number in range(KILLS):
        store = Store(tmp_path / f"home-{number}")
        if case.start.exists():
            shutil.copytree(case.start, store.home)
        moment = chance.uniform(0.1, 0.95) * case.seconds
        where = f"kill {number} of {case.arguments[0]}, seed {SEED}, after {moment:.2f} s"
        process = _trends(store.home, *case.arguments)
        try:
            process.wait(moment)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            stopped += process.wait() == -signal.SIGKILL
        assert _published(store) in (case.before, case.after), f"{where}: readers saw something between"
        again = _trends(store.home, *case.arguments)
        assert again.wait() == 0, where
        assert _published(store) == case.after, where
        assert _items(store) == case.items, where
        shutil.rmtree(store.home)
    print(f"{case.arguments[0]}: {stopped} of {KILLS} were stopped, {case.seconds:.1f} s undisturbed")
    assert stopped > KILLS // 2


@pytest.fixture(autouse=True)
def _said(capfd: pytest.CaptureFixture[str]) -> Iterator[None]:
    """With a drill the counts are shown; nothing else is."""
    yield
    if KILLS > 1:
        lines = capfd.readouterr().out.splitlines()
        with capfd.disabled():
            print(*[line for line in lines if "were stopped" in line], sep="\n")


def _trends(home: Path, *arguments: str) -> subprocess.Popen[bytes]:
    """The command in a process group of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "orchestration.cli", *arguments, "--home", f"{home}"],
        cwd=PROJECT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip


def _published(store: Store) -> Marts | None:
    return mart_checksums(store.published_path) if store.published_path.exists() else None


def _items(store: Store) -> int:
    with store.facts_writer() as connection:
        [(items,)] = connection.execute("select count(*) from raw.tiktok_videos").fetchall()
    return int(items)
