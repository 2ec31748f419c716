"""`make drill-polls`: a thousand polls in a row, each by the job of `trends poll`: what grows beside the rows?

Belongs here: polling a simulated market poll by poll in one process, and printing what a poll takes. Must not be here:
what the polls find (tests of the models).

A folder holds the feeds of one poll at a time, as a live source offers them. Printed at the first poll and after each
hundred: the median seconds of these polls, the most memory that the process had so far, and the size of each file.
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
from datetime import date
from pathlib import Path
from statistics import median

from ingest.simulator import SimulatorConfig, simulate, write_export_folder
from orchestration import cli
from tests.support import MARKETS
from warehouse.store import Store

# As many a day as the schedule has.
POLLS_A_DAY = 8


def main() -> int:
    """Polls, prints; returns 1 where a poll failed or the last hundred took half as long again as the second."""
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
    print("| polls | s a poll | peak MB | facts MB | build MB | marts MB | run history MB | files | readings |")
    print("|---|---|---|---|---|---|---|---|---|")
    blocks: list[float] = []
    seconds: list[float] = []
    for number, day in enumerate(_polls(directory / "all", source), 1):
        arguments = ["poll", "--source", str(source), "--date", f"{day}", "--home", str(store.home), "--no-deliver"]
        said = io.StringIO()
        started = time.monotonic()
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            code = cli.main(arguments)
        seconds.append(time.monotonic() - started)
        if code:
            print(f"poll {number} failed: {said.getvalue()[-2000:]}")
            return 1
        if number == 1 or number % 100 == 0:
            print(_line(number, median(seconds), store), flush=True)
            blocks.append(median(seconds))
            seconds = []
        if number == polls:
            break
    # The first hundred begin with an empty home.
    grown = len(blocks) > 3 and blocks[-1] > 1.5 * blocks[2]
    print(f"a poll of the last hundred took {blocks[-1]:.2f} s{', which is more than before' if grown else ''}")
    return 1 if grown else 0


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


def _line(number: int, seconds: float, store: Store) -> str:
    with store.published_reader() as connection:
        [(readings,)] = connection.execute("select count(*) from marts.video_readings").fetchall()
    files = [path for path in store.home.rglob("*") if path.is_file()]
    sizes = [
        _mb([store.facts_path]), _mb([store.build_path]), _mb([store.published_path]),
        _mb([path for path in files if "dagster" in path.relative_to(store.home).parts]),
    ]  # fmt: skip
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    cells = [f"{number}", f"{seconds:.2f}", f"{memory:.0f}", *(f"{size:.1f}" for size in sizes), f"{len(files)}"]
    return f"| {' | '.join(cells)} | {readings:,} |"


def _mb(paths: list[Path]) -> float:
    return sum(path.stat().st_size for path in paths) / 2**20


if __name__ == "__main__":
    raise SystemExit(main())
