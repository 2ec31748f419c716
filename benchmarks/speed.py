"""Speed: whole processes, stages and parts, each beside what is plain, in one run.

Belongs here: timing. Must not be here: results other than times, sizes and ratios; the plain variants of a day
(`classic_day`).

`BENCH_SIZES` lists the videos a market and day (default `1000,10000`; the large ones take long: `100000,500000`),
`BENCH_HISTORY` the days of history (default `7,365`).
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from time import monotonic

import duckdb
from openpyxl import Workbook, load_workbook

from benchmarks import by_hand
from benchmarks.home import MARKETS, PROJECT, backfill
from ingest import export_folder, landing
from ingest.simulator import simulate, write_export_folder
from ingest.simulator.config import bench_config
from orchestration import compiled_models
from warehouse.store import Store

SIZES = tuple(int(size) for size in os.environ.get("BENCH_SIZES", "1000,10000").split(","))
HISTORY = tuple(int(days) for days in os.environ.get("BENCH_HISTORY", "7,365").split(","))
START = date(2026, 3, 1)
DAYS_BEFORE = 10
# A day on much history is measured with few videos: what grows must show, not what is large anyway.
HISTORY_SIZE = 300
_BENCH_PACKAGES = Path(sys.prefix) / "bench"


@dataclass(frozen=True, slots=True)
class Cost:
    """What a process of its own took: seconds on the clock, seconds of CPU, peak memory in MB."""

    seconds: float
    cpu: float
    memory: float
    output: str


def report(directory: Path) -> str:
    """All measurements as tables.

    Args:
        directory: An empty directory.
    """
    sections = ["## Speed", *_start_up(), ""]
    for size in SIZES:
        sections += [*_day(directory / f"day{size}", size), ""]
    sections += [*_poll(directory / "poll"), "", *_history(directory / "history")]
    return "\n".join(sections)


def _start_up() -> list[str]:
    lines = ["| import and start-up, in a process of its own | s | CPU s |", "|---|---|---|"]
    for name, code in (
        ("python", "pass"),
        ("dagster", "import dagster"),
        ("dbt", "import dbt.cli.main"),
        ("dagster-dbt", "import dagster_dbt"),
        ("definitions of this project, loaded", "from orchestration.definitions import defs; defs()"),
    ):
        cost = _process("-c", code)
        lines.append(f"| {name} | {cost.seconds:.2f} | {cost.cpu:.2f} |")
    return lines


def _day(directory: Path, size: int) -> list[str]:
    """One day of 2 x `size` videos on ten days of history, beside the classic script, and its parts."""
    day = START + timedelta(days=DAYS_BEFORE)
    feeds, home = directory / "feeds", directory / "home"
    write_export_folder(simulate(bench_config(size, DAYS_BEFORE + 1, START)), feeds)
    _history_of(feeds, home, day)
    landing_rate, bare_rate = _landing(feeds, directory / "landing.duckdb")
    before = _build_file(home)
    shutil.copytree(home, directory / "again")
    ours = _trends("run", "--source", feeds, "--date", day, "--home", home, "--no-deliver")
    classic = _process("-m", "benchmarks.classic_day", feeds, day, directory / "classic", with_pandas=True)
    models, scripted = _transform(directory / "again", feeds, day)
    after = _build_file(home)
    lines = [
        f"### 2 x {size:,} videos, {DAYS_BEFORE} days of history",
        "",
        "| whole process | s | CPU s | peak MB | of the classic day |",
        "|---|---|---|---|---|",
        f"| `trends run` | {ours.seconds:.1f} | {ours.cpu:.1f} | {ours.memory:.0f} |"
        f" {ours.seconds / classic.seconds:.2f} |",
        f"| classic day, pandas and openpyxl | {classic.seconds:.1f} | {classic.cpu:.1f} | {classic.memory:.0f} | 1 |",
        "",
        f"Stages: {_stages(ours.output)}. The build file holds {after.used - before.used:.1f} MB more (it was"
        f" {before.used:.0f} MB); with blocks that are free again it grew by {after.size - before.size:.1f} MB.",
        "",
        f"Landing {landing_rate:.0f} MB/s, DuckDB's bare `read_json` into a table {bare_rate:.0f} MB/s:"
        f" {landing_rate / bare_rate:.2f} of it. Models and their tests {models:.1f} s, one hand-written script of the"
        f" same joins on the same raw rows {scripted:.2f} s: {models / scripted:.1f} times as long.",
    ]
    for path in sorted((home / "output" / day.isoformat()).glob("TikTok_Trend_System_*.xlsx")):
        written, bare = _workbook(path, ours.output)
        lines.append(f"{path.name}: {written:.1f} s, bare openpyxl write-only on the same cells {bare:.1f} s.")
    shutil.rmtree(directory)
    return lines


def _history_of(feeds: Path, home: Path, day: date) -> None:
    """Lands and builds what is before a day, all dates in one batch, without its feeds."""
    backfill(feeds, home, until=datetime.combine(day, time.min, UTC))


def _landing(feeds: Path, scratch: Path) -> tuple[float, float]:
    """MB/s of landing all feeds, and of reading the same files into a table as they are."""
    files = sorted(feeds.rglob("*.jsonl"))
    size = sum(path.stat().st_size for path in files) / 1e6
    store = Store(scratch.with_suffix(""))
    offered, refusals = export_folder.scan(feeds, MARKETS)
    with store.writer() as connection:
        ours = _timed(lambda: landing.land(connection, offered, refusals, landed_at=datetime.now(UTC)))
    connection = duckdb.connect(str(scratch))
    names = [str(path) for path in files]
    bare = _timed(
        lambda: connection.execute(
            "create table raw as select * from read_json(?, format = 'newline_delimited', union_by_name = true)",
            [names],
        )
    )
    connection.close()
    scratch.unlink()
    shutil.rmtree(scratch.with_suffix(""))
    return size / ours, size / bare


def _transform(home: Path, feeds: Path, day: date) -> tuple[float, float]:
    """Seconds of the day's models with their tests, and of a script by hand that makes the same rows."""
    store = Store(home)
    offered, refusals = export_folder.scan(feeds, MARKETS)
    now = datetime.now(UTC)
    with store.writer() as connection:
        landing.land(connection, offered, refusals, landed_at=now)
        landing.cutoff_for(connection, day, now=now)
    compiled_models.compiled(PROJECT)
    models = _timed(lambda: compiled_models.build(PROJECT, store, [day.isoformat()]))
    with store.writer() as connection:
        scripted = _timed(lambda: by_hand.run(connection, day))
    return models, scripted


def _workbook(path: Path, output: str) -> tuple[float, float]:
    """Seconds of a full-market workbook as the run told them, and of writing the same cells bare."""
    written = next(float(line.rsplit("(", 1)[1].split(" ")[0]) for line in output.splitlines() if path.name in line)
    rows = list(load_workbook(path, read_only=True).worksheets[0].iter_rows(values_only=True))

    def write() -> None:
        book = Workbook(write_only=True)
        sheet = book.create_sheet("bare")
        for row in rows:
            sheet.append(row)
        book.save(path.with_suffix(".bare"))

    return written, _timed(write)


def _poll(directory: Path) -> list[str]:
    """A poll of 2 x 1,000 fresh items against 30 days of history, alert rows included."""
    days = 30
    config = replace(
        bench_config(1_000, days + 1, START), polls=2, poll_days=(days,), burst_share=0.05, music=False
    )  # fmt: skip
    feeds, home = directory / "feeds", directory / "home"
    write_export_folder(simulate(config), feeds)
    day = START + timedelta(days=days)
    newest = sorted(feeds.rglob(f"{day.isoformat()}T*"))
    late = directory / "late"
    for path in newest[len(newest) // 2 :]:
        target = late / path.relative_to(feeds)
        target.parent.mkdir(parents=True, exist_ok=True)
        path.rename(target)
    backfill(feeds, home)
    cost = _trends("poll", "--source", late, "--date", day, "--home", home, "--no-deliver")
    told = next((line for line in cost.output.splitlines() if line.startswith("poll of ")), cost.output[-300:])
    shutil.rmtree(directory)
    return [
        "### `trends poll`, 2 x 1,000 fresh items, 30 days of history",
        "",
        f"Whole process {cost.seconds:.1f} s, {cost.cpu:.1f} s CPU, {cost.memory:.0f} MB. {told}.",
        f"Stages: {_stages(cost.output)}.",
    ]


def _history(directory: Path) -> list[str]:
    lines = [
        f"### The same day of 2 x {HISTORY_SIZE} videos on more history",
        "",
        "| days before | s | CPU s | peak MB | build file holds MB | more than before | file grew by MB |",
        "|---|---|---|---|---|---|---|",
    ]
    for days in HISTORY:
        feeds, home = directory / "feeds", directory / "home"
        # Before START: a date that has not begun cannot be run.
        write_export_folder(simulate(bench_config(HISTORY_SIZE, days + 1, START - timedelta(days=days))), feeds)
        eve = START - timedelta(days=1)
        # The first run after a batch of hundreds of dates drops their tables: it is not what a day costs.
        _history_of(feeds, home, eve)
        _trends("run", "--source", feeds, "--date", eve, "--home", home, "--no-deliver")
        before = _build_file(home)
        cost = _trends("run", "--source", feeds, "--date", START, "--home", home, "--no-deliver")
        after = _build_file(home)
        lines += [
            f"| {days} | {cost.seconds:.1f} | {cost.cpu:.1f} | {cost.memory:.0f} | {after.used:.0f} |"
            f" {after.used - before.used:.1f} | {after.size - before.size:.1f} |",
        ]
        shutil.rmtree(directory)
    return lines


@dataclass(frozen=True, slots=True)
class _BuildFile:
    """MB of blocks in use and of the file: blocks that are free are taken by the next days."""

    used: float
    size: float


def _build_file(home: Path) -> _BuildFile:
    with Store(home).writer() as connection:
        row = connection.execute(
            "select used_blocks * block_size, total_blocks * block_size from pragma_database_size()"
        )
        used, size = row.fetchone() or (0, 0)
    return _BuildFile(used / 2**20, size / 2**20)


def _stages(output: str) -> str:
    found = [line.removeprefix("stages: ") for line in output.splitlines() if line.startswith("stages: ")]
    return found[0] if found else "none"


def _timed(work: Callable[[], object]) -> float:
    started = monotonic()
    work()
    return monotonic() - started


def _trends(*arguments: object) -> Cost:
    return _process("-m", "orchestration.cli", *arguments)


def _process(*arguments: object, with_pandas: bool = False) -> Cost:
    """Runs Python in a process of its own and says what it took.

    Args:
        arguments: Those of the interpreter.
        with_pandas: Whether it sees the packages of requirements-bench.lock.

    Raises:
        RuntimeError: It failed; the message is what it said.
    """
    command: Sequence[str] = [sys.executable, *map(str, arguments)]
    # Started by a small process: a child counts the memory of the process that it was forked from.
    with tempfile.NamedTemporaryFile("r") as told:
        run = subprocess.run(
            [sys.executable, "-c", _LAUNCHER, told.name, *command],
            cwd=PROJECT,
            env=os.environ | ({"PYTHONPATH": str(_BENCH_PACKAGES)} if with_pandas else {}),
            capture_output=True,
            text=True,
            check=False,
        )
        seconds, cpu, memory = map(float, told.read().split())
    if run.returncode:
        message = f"{' '.join(command)}: exit code {run.returncode}: {(run.stdout + run.stderr)[-2000:]}"
        raise RuntimeError(message)
    return Cost(seconds, cpu, memory / 1024, run.stdout + run.stderr)


_LAUNCHER = """
import os, subprocess, sys, time
started = time.monotonic()
process = subprocess.Popen(sys.argv[2:])
_, status, usage = os.wait4(process.pid, 0)
with open(sys.argv[1], "w") as told:
    print(time.monotonic() - started, usage.ru_utime + usage.ru_stime, usage.ru_maxrss, file=told)
sys.exit(os.waitstatus_to_exitcode(status))
"""
