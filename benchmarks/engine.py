"""What the engine of this project saves: the models of one day by dbt itself, and from the SQL that it compiled once.

Belongs here: timing the two ways on copies of one home. Must not be here: whether they give the same rows
(`tests/integration/test_compiled_models.py`).

`engine.compiled_models` can go when dbt alone takes less than twice as long. dbt 2 may: its engine isn't Python. Its
package on the index is an installer that fetches the engine elsewhere; where it is installed, `BENCH_DBT2` names the
program and it is measured too.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from benchmarks.home import MARKETS, PROJECT
from benchmarks.speed import DAYS_BEFORE, START, Cost, history_of, process
from ingest import export_folder, facts, landing
from simulator import simulate, write_export_folder
from simulator.config import bench_config
from warehouse.store import Store

SIZE = 1_000

_OURS = """
import sys
from pathlib import Path
from engine import compiled_models
from warehouse.store import Store
compiled_models.build(Path(sys.argv[1]), Store(Path(sys.argv[2])), [sys.argv[3]])
"""


def report(directory: Path) -> str:
    """Seconds of the two ways as a table.

    Args:
        directory: An empty directory.
    """
    day = START + timedelta(days=DAYS_BEFORE)
    feeds, home = directory / "feeds", directory / "home"
    write_export_folder(simulate(bench_config(SIZE, DAYS_BEFORE + 1, START)), feeds)
    history_of(feeds, home, day)
    offered, refusals = export_folder.scan(feeds, MARKETS)
    now = datetime.now(UTC)
    with facts.writer(Store(home)) as connection:
        landing.land(connection, offered, refusals, landed_at=now)
        landing.cutoff_for(connection, day, now=now)
    target = directory / "target"
    ways: dict[str, Callable[[Path], Cost]] = {
        "`engine.compiled_models`": lambda copy: process("-c", _OURS, PROJECT, copy, day),
        "`dbt build`, dbt 1": lambda copy: _dbt(["-m", "dbt.cli.main"], copy, target, day),
    }
    if program := os.environ.get("BENCH_DBT2"):
        ways["`dbt build`, dbt 2"] = lambda copy: _dbt(["-c", _RUN, program], copy, target, day)
    lines = [
        f"## Engine: the models of a day of 2 x {SIZE:,} videos with their tests",
        "",
        "| whole process | s | CPU s | peak MB |",
        "|---|---|---|---|",
    ]
    for name, way in ways.items():
        shutil.copytree(home, directory / "copy")
        way(directory / "copy")
        shutil.rmtree(directory / "copy")
        # Once more: the first time, either reads and keeps what it needs of the project.
        shutil.copytree(home, directory / "copy")
        cost = way(directory / "copy")
        shutil.rmtree(directory / "copy")
        lines.append(f"| {name} | {cost.seconds:.1f} | {cost.cpu:.1f} | {cost.memory:.0f} |")
    return "\n".join(lines)


def _dbt(start: Sequence[str], home: Path, target: Path, day: date) -> Cost:
    """`dbt build` as a person types it; `start` is what Python is called with for dbt."""
    return process(
        *start, "build", "--exclude-resource-type", "unit_test", "--project-dir", PROJECT, "--profiles-dir", PROJECT,
        "--target-path", target, "--vars", f'{{"trends_home": "{home}", "as_of_dates": ["{day}"]}}',
    )  # fmt: skip


_RUN = "import subprocess, sys; sys.exit(subprocess.call(sys.argv[1:]))"
