"""`make drill-polls`: a thousand polls in a row, each a `trends poll` of its own: what grows beside the rows?

Belongs here: polling a simulated market poll by poll, and printing what a poll takes. Must not be here: what the polls
find (tests of the models).

A folder holds the feeds of one poll at a time, as a live source offers them. Printed at the first poll and after each
hundred: medians of these polls' seconds, CPU seconds and memory, whole processes, and the size of each file.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from statistics import median

from simulator import SimulatorConfig, simulate, write_export_folder
from tests.support import MARKETS, PROJECT
from warehouse.store import Store

# As many a day as the schedule has.
POLLS_A_DAY = 8
# What files may hold beside the rows after the second hundred: room that is used again.
SPARE_MB, SPARE_SHARE = 16.0, 1.25


def main() -> int:
    """Polls, prints; returns 1 where the last hundred took more than their rows do."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--polls", type=int, default=1000)
    parser.add_argument("--videos", type=int, default=25, help="new videos a day and market")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="trends-polls-") as directory:
        days = -(-options.polls // POLLS_A_DAY)
        config = SimulatorConfig(
            seed=1, days=days, polls=POLLS_A_DAY, videos_per_day=options.videos, music=False, burst_share=0.03
        )
        write_export_folder(simulate(config), Path(directory) / "all")
        return _drill(Path(directory), options.polls)


def _drill(directory: Path, polls: int) -> int:
    store, source = Store(directory / "home"), directory / "feeds"
    print("| polls | s a poll | CPU s | MB | facts MB | build MB | marts MB | run history MB | files | readings |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    blocks: list[_Block] = []
    taken: list[_Taken] = []
    for number, day in enumerate(_polls(directory / "all", source), 1):
        taken.append(_poll(source, day, store))
        if number == 1 or number % 100 == 0:
            blocks.append(_measure(number, taken, store))
            print(blocks[-1].line(), flush=True)
            taken = []
        if number == polls:
            break
    # The first hundred begin with an empty home.
    grown = _grown(blocks[2], blocks[-1]) if len(blocks) > 3 else []
    print(f"beside the rows there grew: {', '.join(grown) or 'nothing'}")
    return 1 if grown else 0


@dataclass(frozen=True, slots=True)
class _Taken:
    """What a process took: seconds, CPU seconds, and MB of memory at most."""

    seconds: float
    cpu: float
    memory: float


def _poll(source: Path, day: date, store: Store) -> _Taken:
    arguments = ["poll", "--source", str(source), "--date", f"{day}", "--home", str(store.home), "--no-deliver"]
    with tempfile.TemporaryFile() as said:
        started = time.monotonic()
        process = subprocess.Popen(
            [sys.executable, "-m", "orchestration.cli", *arguments], cwd=PROJECT, stdout=said, stderr=said
        )
        _, status, used = os.wait4(process.pid, 0)
        seconds = time.monotonic() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            said.seek(0)
            message = f"the poll of {day} failed: {said.read().decode()[-2000:]}"
            raise RuntimeError(message)
    return _Taken(seconds, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)


@dataclass(frozen=True, slots=True)
class _Block:
    """What stands after some polls: medians of the last ones, MB of files, readings."""

    polls: int
    seconds: float
    cpu: float
    memory: float
    facts: float
    build: float
    marts: float
    history: float
    files: int
    readings: int

    def line(self) -> str:
        sizes = (self.facts, self.build, self.marts, self.history)
        medians = (f"{self.seconds:.2f}", f"{self.cpu:.2f}", f"{self.memory:.0f}")
        cells = [f"{self.polls}", *medians, *(f"{size:.1f}" for size in sizes)]
        return f"| {' | '.join(cells)} | {self.files} | {self.readings:,} |"


def _grown(early: _Block, late: _Block) -> list[str]:
    """What grew by more than its rows did."""
    rows = late.readings / early.readings
    allowed = {
        # Not the seconds: others may work beside it.
        "cpu": 1.1 * early.cpu,
        "memory": 1.1 * early.memory,
        **{name: SPARE_SHARE * rows * getattr(early, name) + SPARE_MB for name in ("facts", "build", "marts")},
        # A tenth of a megabyte a poll.
        "history": early.history + 0.1 * (late.polls - early.polls),
    }
    return [name for name, most in allowed.items() if getattr(late, name) > most]


def _polls(feeds: Path, source: Path) -> Iterator[date]:
    """Puts the feeds of one poll after the other into the folder; gives their date."""
    by_market = {market: sorted((feeds / market.lower() / "videos").iterdir()) for market in MARKETS}
    for files in zip(*by_market.values(), strict=True):
        shutil.rmtree(source, ignore_errors=True)
        for path in files:
            target = source / path.relative_to(feeds)
            target.parent.mkdir(parents=True)
            path.rename(target)
        yield date.fromisoformat(files[0].name[:10])


def _measure(number: int, taken: list[_Taken], store: Store) -> _Block:
    with store.published_reader() as connection:
        [(readings,)] = connection.execute("select count(*) from marts.video_readings").fetchall()
    files = [path for path in store.home.rglob("*") if path.is_file()]
    return _Block(
        polls=number,
        seconds=median(poll.seconds for poll in taken),
        cpu=median(poll.cpu for poll in taken),
        memory=median(poll.memory for poll in taken),
        facts=_mb([store.facts_path]),
        build=_mb([store.build_path]),
        marts=_mb([store.published_path]),
        history=_mb([path for path in files if "dagster" in path.relative_to(store.home).parts]),
        files=len(files),
        readings=readings,
    )


def _mb(paths: list[Path]) -> float:
    return sum(path.stat().st_size for path in paths) / 2**20


if __name__ == "__main__":
    raise SystemExit(main())
