"""Speed: whole processes, stages and parts, each beside what is plain, in one run.

Belongs here: timing. Must not be here: results other than times, sizes and ratios; the plain variants of a day
(`classic_day`).

`BENCH_SIZES` lists the videos a market and day (default `1000,10000`; the large ones take long: `100000,500000`, some
20 and 60 minutes), `BENCH_HISTORY` the days of history (default `7,90,365`). The largest is measured for memory alone:
from `WHOLE_RUN_ONLY` on, what stands beside the run would need its disk space twice.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from time import monotonic
from types import MappingProxyType

import duckdb
from openpyxl import Workbook, load_workbook

from benchmarks import by_hand
from benchmarks.home import MARKETS, PROJECT, backfill
from engine import compiled_models, compiler
from ingest import export_folder, facts, landing
from simulator import simulate, write_export_folder
from simulator.config import bench_config
from warehouse.store import Store

SIZES = tuple(int(size) for size in os.environ.get("BENCH_SIZES", "1000,10000").split(",") if size)
HISTORY = tuple(int(days) for days in os.environ.get("BENCH_HISTORY", "7,90,365").split(",") if days)
START = date(2026, 3, 1)
DAYS_BEFORE = 10
# A day on much history is measured with few videos: what grows must show, not what is large anyway.
HISTORY_SIZE = 300
LARGE = 100_000
WHOLE_RUN_ONLY = 500_000
_BENCH_PACKAGES = Path(sys.prefix) / "bench"


@dataclass(frozen=True, slots=True)
class Cost:
    """What a process and its own ones took: seconds on the clock, seconds of CPU, peak memory in MB.

    Memory is what all of them hold at a moment (PSS: a page that several share counts once), asked every half second,
    of large ones more rarely.
    """

    seconds: float
    cpu: float
    memory: float
    output: str


def report(directory: Path) -> str:
    """All measurements as tables.

    Args:
        directory: An empty directory.
    """
    sections = [_start_up(), *(_day(directory / f"day{size}", size) for size in SIZES)]
    sections.append(_poll(directory / "poll"))
    if HISTORY:
        sections.append(_history(directory / "history"))
    return "\n\n".join("\n".join(lines) for lines in sections)


def _start_up() -> list[str]:
    lines = [
        "## Speed: start-up",
        "",
        "| import and start-up, in a process of its own | s | CPU s |",
        "|---|---|---|",
    ]
    for name, code in (
        ("python", "pass"),
        ("dagster", "import dagster"),
        ("dbt", "import dbt.cli.main"),
        ("dagster-dbt", "import dagster_dbt"),
        ("definitions of this project, loaded", "from orchestration.definitions import defs; defs()"),
    ):
        cost = process("-c", code)
        lines.append(f"| {name} | {cost.seconds:.2f} | {cost.cpu:.2f} |")
    return lines


def prepared(directory: Path, size: int) -> tuple[date, Path, Path]:
    """A date of 2 x `size` videos, its feeds, and a home with the ten days before it that has run before."""
    day = START + timedelta(days=DAYS_BEFORE)
    feeds, home = directory / "feeds", directory / "home"
    write_export_folder(simulate(bench_config(size, DAYS_BEFORE + 1, START)), feeds)
    eve = day - timedelta(days=1)
    history_of(feeds, home, eve)
    # The first run makes the databases of Dagster.
    _trends("run", "--source", feeds, "--date", eve, "--home", home, "--no-deliver")
    return day, feeds, home


def _day(directory: Path, size: int) -> list[str]:
    """One day of 2 x `size` videos on ten days of history, beside the classic script, and its parts."""
    day, feeds, home = prepared(directory, size)
    before = _build_file(home)
    whole_run_only = size >= WHOLE_RUN_ONLY
    if not whole_run_only:
        shutil.copytree(home, directory / "again")
    # What was written until here is not the day's to wait for.
    os.sync()
    ours = _trends("run", "--source", feeds, "--date", day, "--home", home, "--no-deliver")
    after = _build_file(home)
    told = [
        f"Stages: {stages(ours.output)}. The build file and the marts hold {after.used - before.used:.1f} MB more"
        f" (before: {before.used:.0f} MB); with free blocks the files grew by {after.size - before.size:.1f} MB."
    ]
    rows = [_row_of("`trends run`", ours)]
    if not whole_run_only:
        classic = process("-m", "benchmarks.classic_day", feeds, day, directory / "classic", with_pandas=True)
        rows = [_row_of("`trends run`", ours, classic), _row_of("classic day, pandas and openpyxl", classic, classic)]
        told += [
            "",
            f"{_landing(feeds, directory / 'landing.duckdb')} {_transform(directory / 'again', feeds, day)}",
            "",
            *_workbooks(home / "output" / day.isoformat(), size, ours.output),
        ]
    shutil.rmtree(directory)
    return [
        f"## Speed: 2 x {size:,} videos, {DAYS_BEFORE} days of history",
        "",
        "| whole process | s | CPU s | peak MB of all its processes | of the classic day |",
        "|---|---|---|---|---|",
        *rows,
        "",
        *told,
    ]


def _row_of(name: str, cost: Cost, classic: Cost | None = None) -> str:
    ratio = f"{cost.seconds / classic.seconds:.2f}" if classic else "-"
    return f"| {name} | {cost.seconds:.1f} | {cost.cpu:.1f} | {cost.memory:.0f} | {ratio} |"


def history_of(feeds: Path, home: Path, day: date) -> None:
    """Lands and builds what is before a day, without its feeds."""
    backfill(feeds, home, until=datetime.combine(day, time.min, UTC))


def _landing(feeds: Path, scratch: Path) -> str:
    """MB/s of landing all feeds, beside reading the same files into a table as they are."""
    files = sorted(feeds.rglob("*.jsonl"))
    size = sum(path.stat().st_size for path in files) / 1e6
    store = Store(scratch.with_suffix(""))
    offered, refusals = export_folder.scan(feeds, MARKETS)
    with facts.writer(store) as connection:
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
    return (
        f"Landing {size / ours:.0f} MB/s, DuckDB's bare `read_json` into a table {size / bare:.0f} MB/s:"
        f" {bare / ours:.2f} of it."
    )


def _transform(home: Path, feeds: Path, day: date) -> str:
    """Seconds of the day's models with their tests, beside a script by hand that makes the same rows."""
    store = Store(home)
    offered, refusals = export_folder.scan(feeds, MARKETS)
    now = datetime.now(UTC)
    with facts.writer(store) as connection:
        landing.land(connection, offered, refusals, landed_at=now)
        landing.cutoff_for(connection, day, now=now)
    nodes = compiler.compiled(PROJECT)
    same = by_hand.models(nodes)
    all_of_it = _timed(lambda: compiled_models.build(PROJECT, store, [day.isoformat()]))
    with store.model_writer() as connection:
        models = _timed(lambda: compiled_models.run(connection, nodes, [day.isoformat()], names=same))
        scripted = _timed(lambda: by_hand.run(connection, day))
    return (
        f"All models and their tests {all_of_it:.1f} s. The {len(same)} models up to {', '.join(by_hand.MARTS)} with"
        f" their tests {models:.1f} s, one hand-written script of the same joins on the same raw rows {scripted:.1f} s:"
        f" {models / scripted:.1f} times as long."
    )


def _workbooks(directory: Path, size: int, output: str) -> list[str]:
    """Seconds of each workbook as the run told them, beside writing the same cells bare."""
    lines = [
        "| workbook | cells | s | bare openpyxl, write-only | times as long |",
        "|---|---|---|---|---|",
    ]
    # Reading a workbook of 100,000 rows takes minutes: of the two markets' ones the first will do.
    markets = sorted(directory.glob("TikTok_Trend_System_*.xlsx"))
    for path in sorted({*directory.glob("BUILD_*.xlsx"), *markets[: 1 if size >= LARGE else None]}):
        written = next(float(line.rsplit("(", 1)[1].split(" ")[0]) for line in output.splitlines() if path.name in line)
        tabs = {sheet.title: list(sheet.iter_rows(values_only=True)) for sheet in load_workbook(path, read_only=True)}
        bare = _timed(lambda tabs=tabs, path=path: _write_bare(tabs, path.with_suffix(".bare")))  # type: ignore[misc]
        cells = sum(len(row) for rows in tabs.values() for row in rows)
        lines.append(f"| {path.name} | {cells:,} | {written:.1f} | {bare:.1f} | {written / bare:.2f} |")
    return lines


def _write_bare(tabs: dict[str, list[tuple[object, ...]]], path: Path) -> None:
    book = Workbook(write_only=True)
    for title, rows in tabs.items():
        sheet = book.create_sheet(title)
        for row in rows:
            sheet.append(row)
    book.save(path)


def _poll(directory: Path) -> list[str]:
    """A poll of 2 x 1,000 fresh items against 30 days of history, alert rows included; not the home's first one."""
    days = 30
    config = replace(
        bench_config(1_000, days + 1, START), polls=3, poll_days=(days,), burst_share=0.05, music=False
    )  # fmt: skip
    feeds, home = directory / "feeds", directory / "home"
    write_export_folder(simulate(config), feeds)
    day = START + timedelta(days=days)
    hours = sorted({path.stem[:13] for path in feeds.rglob(f"{day.isoformat()}T*")})
    second, third = directory / "second", directory / "third"
    for hour, folder in zip(hours[1:], (second, third), strict=True):
        for path in feeds.rglob(f"{hour}*"):
            target = folder / path.relative_to(feeds)
            target.parent.mkdir(parents=True, exist_ok=True)
            path.rename(target)
    backfill(feeds, home)
    # The first one makes the databases of Dagster.
    _trends("poll", "--source", second, "--date", day, "--home", home, "--no-deliver")
    cost = _trends("poll", "--source", third, "--date", day, "--home", home, "--no-deliver")
    told = next((line for line in cost.output.splitlines() if line.startswith("poll of ")), cost.output[-300:])
    shutil.rmtree(directory)
    return [
        "## Speed: `trends poll`, 2 x 1,000 fresh items, 30 days of history",
        "",
        f"Whole process {cost.seconds:.1f} s, {cost.cpu:.1f} s CPU, {cost.memory:.0f} MB. {told}.",
        f"Stages: {stages(cost.output)}.",
    ]


def _history(directory: Path) -> list[str]:
    lines = [
        f"## Speed: the same day of 2 x {HISTORY_SIZE} videos on more history",
        "",
        "| days before | s | CPU s | peak MB | build file and marts hold MB | more than before | file grew by MB |",
        "|---|---|---|---|---|---|---|",
    ]
    for days in HISTORY:
        feeds, home = directory / "feeds", directory / "home"
        # Before START: a date that has not begun cannot be run.
        write_export_folder(simulate(bench_config(HISTORY_SIZE, days + 1, START - timedelta(days=days))), feeds)
        eve = START - timedelta(days=1)
        # The first run after a batch of hundreds of dates drops their tables: it is not what a day costs.
        history_of(feeds, home, eve)
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
    """MB of blocks in use and of the files: blocks that are free are taken by the next days."""

    used: float
    size: float


def _build_file(home: Path) -> _BuildFile:
    with Store(home).model_writer() as connection:
        [(used, size)] = connection.execute(
            "select sum(used_blocks * block_size), sum(total_blocks * block_size) from pragma_database_size()"
        ).fetchall()
    return _BuildFile(used / 2**20, size / 2**20)


def stages(output: str) -> str:
    """What a run told of the seconds of its stages."""
    found = [line.removeprefix("stages: ") for line in output.splitlines() if line.startswith("stages: ")]
    return found[0] if found else "none"


def _timed(work: Callable[[], object]) -> float:
    started = monotonic()
    work()
    return monotonic() - started


def _trends(*arguments: object) -> Cost:
    return process("-m", "orchestration.cli", *arguments)


def process(
    *arguments: object,
    with_pandas: bool = False,
    given: Mapping[str, str] = MappingProxyType({}),
    project: Path = PROJECT,
) -> Cost:
    """Runs Python in a process of its own and says what it took.

    Args:
        arguments: Those of the interpreter.
        with_pandas: Whether it sees the packages of requirements-bench.lock.
        given: Variables of its environment.
        project: The folder it runs in.

    Raises:
        RuntimeError: It failed; the message is what it said.
    """
    command: Sequence[str] = [sys.executable, *map(str, arguments)]
    with tempfile.NamedTemporaryFile("r") as told:
        run = subprocess.run(
            [sys.executable, "-c", _LAUNCHER, told.name, *command],
            cwd=project,
            env=os.environ | ({"PYTHONPATH": str(_BENCH_PACKAGES)} if with_pandas else {}) | dict(given),
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
import ctypes, os, pathlib, resource, subprocess, sys, threading, time
PR_SET_CHILD_SUBREAPER = 36
peak = 0

def held(pid):
    try:
        children = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        rollup = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return 0
    return int(rollup.split("Pss:")[1].split()[0]) + sum(map(held, children))

def watch(pid):
    global peak
    while True:
        asked = time.monotonic()
        peak = max(peak, held(pid))
        # The kernel walks all pages for the answer: at most a fiftieth of a core, however large the process is.
        time.sleep(max(0.5, 50 * (time.monotonic() - asked)))

# What outlives the process is waited for here: its CPU counts too.
ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
started = time.monotonic()
process = subprocess.Popen(sys.argv[2:])
threading.Thread(target=watch, args=[process.pid], daemon=True).start()
status = process.wait()
seconds = time.monotonic() - started
try:
    while True:
        os.wait()
except ChildProcessError:
    pass
usage = resource.getrusage(resource.RUSAGE_CHILDREN)
with open(sys.argv[1], "w") as told:
    print(seconds, usage.ru_utime + usage.ru_stime, peak or usage.ru_maxrss, file=told)
sys.exit(status)
"""
