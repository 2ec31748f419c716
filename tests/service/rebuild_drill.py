"""`make drill-rebuild`: each kind of change to a model in turn, and how long it takes until all dates have it.

Belongs here: homes of 12 and of 256 simulated dates, a copy of the project for each kind of change, and `trends
rebuild` of that copy as a process of its own. Printed: what it took, and the dates that have the change.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from datetime import date
from pathlib import Path

from benchmarks.home import backfill
from engine import rebuild
from simulator import SimulatorConfig, simulate, write_export_folder
from tests.changed_project import CHANGES, change
from tests.support import PROJECT, published
from warehouse.store import Store

# By date: what only the change can have moved.
VALUES = {
    "threshold": "select as_of_date, sum(momentum_score) from marts.videos_daily group by 1",
    "formula": "select as_of_date, sum(used_by) from marts.sounds_daily group by 1",
    "column": "select as_of_date, sum(used_by_doubled) from marts.sounds_daily group by 1",
    "mart": "select as_of_date, sum(videos) from marts.days_told group by 1",
}


def main() -> int:
    """Prints a row per home and change; returns 1 where a date was not reached."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dates", type=int, nargs="*", default=[12, 256])
    parser.add_argument("--videos", type=int, default=50, help="new videos a day and market")
    options = parser.parse_args()
    missed = 0
    print("| dates | items | change | s | CPU s | estimate s | dates that have it |")
    print("|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory(prefix="trends-rebuild-") as directory:
        for count in options.dates:
            feeds = Path(directory) / f"feeds-{count}"
            write_export_folder(simulate(SimulatorConfig(seed=5, days=count, videos_per_day=options.videos)), feeds)
            home = backfill(feeds, Path(directory) / f"home-{count}")
            missed += sum(_drill(home, name, count) for name in CHANGES)
    return 1 if missed else 0


def _drill(home: Store, name: str, dates: int) -> int:
    """How many dates the change did not reach."""
    tree, store = home.home.with_name("tree"), Store(home.home.with_name("copy"))
    kept = shutil.ignore_patterns(".git", ".venv", "home", "target", "__pycache__", ".*_cache")
    shutil.copytree(PROJECT, tree, ignore=kept)
    shutil.copytree(home.home, store.home)
    change(tree, [name])
    estimate = rebuild.plan(store)
    before: dict[date, float] = dict(published(store, VALUES[name])) if name in ("threshold", "formula") else {}
    started, used = time.monotonic(), _cpu()
    subprocess.run(
        [sys.executable, "-m", "orchestration.cli", "rebuild", "--home", str(store.home)],
        cwd=tree, env=os.environ | {"PYTHONPATH": str(tree)}, check=True, capture_output=True,
    )  # fmt: skip
    seconds, used = time.monotonic() - started, _cpu() - used
    after: dict[date, float] = dict(published(store, VALUES[name]))
    reached = sum(value is not None and value != before.get(day) for day, value in after.items())
    items = sum(estimate.rows_by_date.values())
    took = f"{seconds:.1f} | {used:.1f} | {estimate.seconds:.0f}"
    print(f"| {dates} | {items:,} | {name} | {took} | {reached} |", flush=True)
    shutil.rmtree(tree)
    shutil.rmtree(store.home)
    return dates - reached


def _cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    raise SystemExit(main())
