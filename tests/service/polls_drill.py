"""`make drill-polls`: a thousand polls in a row, each by the job of `trends poll`: what grows beside the rows?

Belongs here: polling a simulated market poll by poll in one process, and printing what a poll takes. Must not be here:
what the polls find (tests of the models).

A folder holds the feeds of one poll at a time, as a live source offers them. Printed at the first poll and after each
hundred: the median CPU seconds of these polls, the most memory that the process had so far, and the size of each file.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import resource
import shutil
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from statistics import median

from orchestration import cli
from simulator import SimulatorConfig, simulate, write_export_folder
from tests.support import MARKETS
from warehouse.store import Store

# As many a day as the schedule has.
POLLS_A_DAY = 8
# What may be there beside the rows after the second hundred: room that is used again, and what a process keeps.
SPARE_MB, SPARE_SHARE = 16.0, 1.25


def main() -> int:
    """Polls, prints; returns 1 where a poll failed, or the last hundred took more than its rows do."""
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
    print("| polls | CPU s a poll | peak MB | facts MB | build MB | marts MB | run history MB | files | readings |")
    print("|---|---|---|---|---|---|---|---|---|")
    blocks: list[_Block] = []
    seconds: list[float] = []
    for number, day in enumerate(_polls(directory / "all", source), 1):
        arguments = ["poll", "--source", str(source), "--date", f"{day}", "--home", str(store.home), "--no-deliver"]
        said = io.StringIO()
        started = time.process_time()
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            code = cli.main(arguments)
        seconds.append(time.process_time() - started)
        if code:
            print(f"poll {number} failed: {said.getvalue()[-2000:]}")
            return 1
        if number == 1 or number % 100 == 0:
            blocks.append(_measure(number, median(seconds), store))
            print(blocks[-1].line(), flush=True)
            seconds = []
        if number == polls:
            break
    # The first hundred begin with an empty home.
    grown = _grown(blocks[2], blocks[-1]) if len(blocks) > 3 else []
    print(f"beside the rows there grew: {', '.join(grown) or 'nothing'}")
    return 1 if grown else 0


@dataclass(frozen=True, slots=True)
class _Block:
    """What stands after some polls: the median CPU seconds of the last ones, MB of memory and files, readings."""

    polls: int
    seconds: float
    memory: float
    facts: float
    build: float
    marts: float
    history: float
    files: int
    readings: int

    def line(self) -> str:
        sizes = (self.facts, self.build, self.marts, self.history)
        cells = [f"{self.polls}", f"{self.seconds:.2f}", f"{self.memory:.0f}", *(f"{size:.1f}" for size in sizes)]
        return f"| {' | '.join(cells)} | {self.files} | {self.readings:,} |"


def _grown(early: _Block, late: _Block) -> list[str]:
    """What grew by more than its rows did."""
    rows = late.readings / early.readings
    allowed = {
        "seconds": 1.5 * early.seconds,
        "memory": SPARE_SHARE * early.memory,
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


def _measure(number: int, seconds: float, store: Store) -> _Block:
    with store.published_reader() as connection:
        [(readings,)] = connection.execute("select count(*) from marts.video_readings").fetchall()
    files = [path for path in store.home.rglob("*") if path.is_file()]
    return _Block(
        polls=number,
        seconds=seconds,
        memory=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
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
