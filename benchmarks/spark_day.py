"""A heavy day on Spark: one worker of one core against two on the same machine, beside DuckDB; the rows compared.

Belongs here: the day, the runs, what Spark's event log says of them. Must not be here: the cluster's processes and the
comparison (`tests.service`), timing a process (`speed`).

Built are the models up to those marts that `by_hand` makes, with their checks: staging, readings, the widest joins. The
whole project has some 450 nodes, which Spark plans for minutes whatever the size of the day. `BENCH_SPARK_SIZES` lists
the videos of a market and day (default `30000`, the least that Spark's settings for small homes leave alone; `200000`
takes 12 GB of memory). Without the packages of `make spark`, or Java, it says so and leaves what was measured.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from benchmarks import by_hand
from benchmarks.home import MARKETS, PROJECT
from benchmarks.speed import Cost, process
from engine import compiled_models, compiler, dbt_runner
from engine.on_spark.run import engine
from engine.on_spark.session import SparkConfig, missing
from engine.on_spark.work import TARGET
from ingest import export_folder, facts, landing
from simulator import simulate, write_export_folder
from simulator.config import bench_config
from tests.service.spark_cluster import HOST, cluster
from tests.service.spark_demo import compared
from warehouse.store import Store

SIZES = tuple(int(size) for size in os.environ.get("BENCH_SPARK_SIZES", "30000").split(",") if size)
WORKERS = (1, 2)
START = date(2026, 3, 1)
DAY = START + timedelta(days=1)
# A worker lends out as much as its one executor takes; the driver plans, and holds no rows.
EXECUTOR_MEMORY = "4g"
DRIVER_MEMORY = "3g"
OTHER = "before and after the models"
SHOWN_NODES = 15
SHOWN_STAGES = 10


@dataclass(slots=True)
class Work:
    """What tasks took: of a stage, a node or a build. Seconds and MB.

    Attributes:
        seconds: On the clock, from the first statement or task to the last.
        tasks: How many.
        cpu: Of the executors.
        read: Brought in by shuffles.
        written: Handed over to shuffles.
        spilled: To disk, where memory did not do.
        stages: How many.
    """

    seconds: float = 0.0
    tasks: int = 0
    cpu: float = 0.0
    read: float = 0.0
    written: float = 0.0
    spilled: float = 0.0
    stages: int = 0

    def add(self, metrics: Mapping[str, Any]) -> None:
        """Adds a task, as the event log tells of it."""
        shuffled, handed = metrics["Shuffle Read Metrics"], metrics["Shuffle Write Metrics"]
        self.tasks += 1
        self.cpu += (
            float(str(metrics["Executor CPU Time"])) + float(str(metrics["Executor Deserialize CPU Time"]))
        ) / 1e9
        self.read += (shuffled["Remote Bytes Read"] + shuffled["Local Bytes Read"]) / 1e6
        self.written += handed["Shuffle Bytes Written"] / 1e6
        self.spilled += metrics["Disk Bytes Spilled"] / 1e6


@dataclass(slots=True)
class Events:
    """An event log: the work of all, of each node and of each stage.

    Attributes:
        whole: The build.
        nodes: By name of the model or check.
        stages: By name of the node and number of the stage.
    """

    whole: Work = field(default_factory=Work)
    nodes: dict[str, Work] = field(default_factory=lambda: defaultdict(Work))
    stages: dict[tuple[str, int], Work] = field(default_factory=lambda: defaultdict(Work))


@dataclass(frozen=True, slots=True)
class Build:
    """A build that was measured: its process, the build alone, and what Spark says of it."""

    cost: Cost
    seconds: float
    events: Events


def report(directory: Path) -> str:
    """Builds the day with each engine and number of workers.

    Args:
        directory: An empty directory.
    """
    lack = missing(SparkConfig(directory))
    if lack:
        return f"The models on Spark were not measured: {lack}"
    return "\n\n".join(_day(directory / str(size), size) for size in SIZES)


def _day(directory: Path, size: int) -> str:
    # What is kept of a version of the project is made before, and not measured.
    compiler.compiled(PROJECT)
    dbt_runner.ensure_manifest(PROJECT, TARGET)
    write_export_folder(simulate(bench_config(size, 2, START)), directory / "feeds")
    landed = _landed(directory / "landed", directory / "feeds")
    shutil.rmtree(directory / "feeds")
    shutil.copytree(landed.home, directory / "duckdb")
    on_duckdb = _build("duckdb", Store(directory / "duckdb"), {})
    print(
        f"2 x {size:,} on DuckDB: {on_duckdb.seconds:.1f} s, CPU {on_duckdb.cost.cpu:.1f} s",
        file=sys.stderr,
        flush=True,
    )
    on_spark, told = {}, []
    for workers in WORKERS:
        place = directory / f"workers-{workers}"
        store = Store(place / "home")
        shutil.copytree(landed.home, store.home)
        (place / "events").mkdir()
        (place / "spark-defaults.conf").write_text(_SPARK_SETTINGS.format(events=place / "events"), encoding="utf-8")
        with cluster(place / "cluster", workers, EXECUTOR_MEMORY) as up:
            given = {"SPARK_CONF_DIR": str(place), "SPARK_LOCAL_IP": HOST}
            on_spark[workers] = _build(up.url, store, given, place / "events")
        # Known at once: what follows takes long.
        print(_row(workers, on_spark[workers]), file=sys.stderr, flush=True)
        found = compared(Store(directory / "duckdb"), store, store.home / "spark", _part())
        told.append(f"{workers} {_workers(workers)} against DuckDB: {found.told()}.")
        shutil.rmtree(place)
    shutil.rmtree(directory)
    return "\n".join(
        [
            f"## Speed on Spark: two days of 2 x {size:,} videos",
            "",
            f"The {len(_part())} models and seeds up to {', '.join(by_hand.MARTS)}, with their checks, of both days at"
            " once; landing, exports and publishing are not in it.",
            "",
            "| engine | s | CPU s: driver | executors | stages | tasks | shuffled MB | spilled MB | driver, peak MB |",
            "|---|---|---|---|---|---|---|---|---|",
            f"| DuckDB, this machine's cores | {on_duckdb.seconds:.1f} | {on_duckdb.cost.cpu:.1f} | | | | | |"
            f" {on_duckdb.cost.memory:.0f} |",
            *(_row(workers, build) for workers, build in on_spark.items()),
            "",
            *told,
            "",
            *_nodes(on_spark),
            "",
            *_stages(on_spark[WORKERS[-1]]),
        ]
    )


_SPARK_SETTINGS = f"""
spark.eventLog.enabled true
spark.eventLog.dir file:{{events}}
spark.eventLog.compress false
spark.eventLog.rolling.enabled false
spark.executor.memory {EXECUTOR_MEMORY}
spark.driver.memory {DRIVER_MEMORY}
"""


def _landed(home: Path, feeds: Path) -> Store:
    store = Store(home)
    offered, refusals = export_folder.scan(feeds, MARKETS)
    now = datetime.now(UTC)
    with facts.writer(store) as connection:
        landing.land(connection, offered, refusals, landed_at=now)
        for day in (START, DAY):
            landing.cutoff_for(connection, day, now=now)
    return store


def _build(place: str, store: Store, given: Mapping[str, str], events: Path | None = None) -> Build:
    cost = process("-m", "benchmarks.spark_day", place, store.home, given=given)
    seconds = next(float(line.split()[1]) for line in cost.output.splitlines() if line.startswith("built "))
    return Build(cost, seconds, _read(next(events.iterdir())) if events else Events())


def _part() -> list[str]:
    """Names of the models that are built, and of the seeds that they read."""
    nodes = compiler.compiled(PROJECT)
    return [*by_hand.models(nodes), *(node.name for node in nodes if node.resource_type == "seed")]


def _row(workers: int, build: Build) -> str:
    whole = build.events.whole
    return (
        f"| Spark, {workers} {_workers(workers)} of one core | {build.seconds:.1f} | {build.cost.cpu:.1f} |"
        f" {whole.cpu:.1f} | {whole.stages:,} | {whole.tasks:,} | {whole.written:,.0f} | {whole.spilled:,.0f} |"
        f" {build.cost.memory:.0f} |"
    )


def _nodes(builds: Mapping[int, Build]) -> Iterator[str]:
    one, two = (builds[workers].events.nodes for workers in WORKERS)
    # Two nodes are run at a time: their times overlap.
    yield "| node | s with one worker | with two | executors' CPU s | stages | shuffled MB | spilled MB |"
    yield "|---|---|---|---|---|---|---|"
    longest = sorted(one, key=lambda name: one[name].seconds, reverse=True)
    for name in longest[:SHOWN_NODES]:
        work = two[name]
        yield (
            f"| {name} | {one[name].seconds:.1f} | {work.seconds:.1f} | {work.cpu:.1f} | {work.stages} |"
            f" {work.written:.1f} | {work.spilled:.1f} |"
        )
    rest = longest[SHOWN_NODES:]
    yield (
        f"| the {len(rest)} others | {sum(one[name].seconds for name in rest):.1f} |"
        f" {sum(two[name].seconds for name in rest):.1f} | {sum(two[name].cpu for name in rest):.1f} |"
        f" {sum(two[name].stages for name in rest)} | {sum(two[name].written for name in rest):.1f} |"
        f" {sum(two[name].spilled for name in rest):.1f} |"
    )


def _stages(build: Build) -> Iterator[str]:
    stages = build.events.stages
    yield f"The longest stages with {WORKERS[-1]} workers:"
    yield ""
    yield "| node | s | tasks | executors' CPU s | shuffle read MB | written MB |"
    yield "|---|---|---|---|---|---|"
    for name, number in sorted(stages, key=lambda key: stages[key].seconds, reverse=True)[:SHOWN_STAGES]:
        work = stages[name, number]
        yield (
            f"| {name} | {work.seconds:.1f} | {work.tasks} | {work.cpu:.1f} | {work.read:.1f} | {work.written:.1f} |"
        )


def _read(path: Path) -> Events:
    """What an event log says, by the names that jobs have of their models and checks."""
    found = Events()
    node_of_stage: dict[int, str] = {}
    began: dict[int, tuple[str, int]] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        event = json.loads(line)
        kind = event["Event"].rsplit(".", 1)[-1]
        if kind == "SparkListenerSQLExecutionStart" and event["executionId"] == event["rootExecutionId"]:
            # What no node asked for is called by its place in the code.
            name = event["description"]
            began[event["executionId"]] = (OTHER if " at " in name else name, event["time"])
        elif kind == "SparkListenerSQLExecutionEnd" and event["executionId"] in began:
            name, at = began[event["executionId"]]
            found.nodes[name].seconds += (event["time"] - at) / 1000
        elif kind == "SparkListenerJobStart":
            name = event["Properties"].get("spark.job.description", OTHER)
            node_of_stage |= dict.fromkeys(event["Stage IDs"], name)
        elif kind == "SparkListenerTaskEnd" and "Task Metrics" in event:
            name = node_of_stage[event["Stage ID"]]
            for work in (found.whole, found.nodes[name], found.stages[name, event["Stage ID"]]):
                work.add(event["Task Metrics"])
        elif kind == "SparkListenerStageCompleted":
            told = event["Stage Info"]
            name = node_of_stage[told["Stage ID"]]
            found.stages[name, told["Stage ID"]].seconds += (told["Completion Time"] - told["Submission Time"]) / 1000
            found.nodes[name].stages += 1
            found.whole.stages += 1
    return found


def _workers(count: int) -> str:
    return "worker" if count == 1 else "workers"


def _main(place: str, home: Path) -> None:
    """Builds the day, in a process of its own, with DuckDB or on the cluster at an address."""
    store = Store(home)
    build = compiled_models.build if place == "duckdb" else engine(SparkConfig(home / "spark", place)).build
    started = time.monotonic()
    build(PROJECT, store, [START.isoformat(), DAY.isoformat()], _part())
    print(f"built {time.monotonic() - started:.2f}")


if __name__ == "__main__":
    _main(sys.argv[1], Path(sys.argv[2]))
