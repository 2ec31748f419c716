"""`make spark-demo`: the sample, and real polls where they are, on DuckDB and on a Spark cluster: are all models equal?

Belongs here: two homes, a cluster on this machine, the comparison printed. Must not be here: what a model computes.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.service.spark_cluster import HOST, Cluster, cluster
from tests.service.spark_compare import Difference, compare
from tests.support import PROJECT, REAL_DATA
from warehouse.store import Store

# Sources by name: what `--source` gets. Real polls are not part of the repository.
REAL_POLLS = REAL_DATA / "tiktok_polls"


def main() -> int:
    """Builds and compares; returns 0 where all models are equal."""
    sources = {"sample": "sample"}
    if REAL_POLLS.is_dir():
        sources["real polls"] = str(REAL_POLLS)
    else:
        print(f"real polls are left out: {REAL_POLLS} is not there", flush=True)
    code = 0
    with tempfile.TemporaryDirectory(prefix="trends-spark-") as folder:
        place = Path(folder)
        with cluster(place / "cluster") as up:
            print(f"cluster {up.url}: {len(up.workers)} workers of one core", flush=True)
            for name, source in sources.items():
                code |= _both(place / name.replace(" ", "-"), name, source, up)
    return code


def _both(place: Path, name: str, source: str, up: Cluster) -> int:
    on_duckdb, on_spark = Store(place / "duckdb"), Store(place / "spark")
    seconds = {}
    for engine, store in (("duckdb", on_duckdb), ("spark", on_spark)):
        started = time.monotonic()
        if run(store, source, engine, up.url):
            print(f"{name}: the run on {engine} failed", flush=True)
            return 1
        seconds[engine] = time.monotonic() - started
    found = compare(on_duckdb, on_spark, on_spark.home / "spark")
    told = report(name, found, seconds)
    print(told, flush=True)
    shutil.rmtree(place)
    return int(any(difference.rows for difference in found))


def run(store: Store, source: str, engine: str, master: str) -> int:
    """`trends run` in a process of its own; returns its exit code.

    Args:
        store: The home.
        source: `sample` or an export folder.
        engine: As in TRENDS_ENGINE.
        master: The cluster's address.
    """
    command = [sys.executable, "-m", "orchestration.cli", "run", "--source", source, "--home", str(store.home)]
    given = {"TRENDS_ENGINE": engine, "SPARK_MASTER": master, "SPARK_LOCAL_IP": HOST, "DELIVER": "false"}
    return subprocess.run(command, cwd=PROJECT, env=os.environ | given, check=False).returncode


def report(name: str, found: list[Difference], seconds: dict[str, float]) -> str:
    """What is printed of a comparison: models that differ, how many are equal, and the times of the runs."""
    lines = [f"{name}: {difference}" for difference in found if difference.rows]
    equal = sum(not difference.rows for difference in found)
    times = ", ".join(f"{engine} {taken:.0f} s" for engine, taken in seconds.items())
    return "\n".join([*lines, f"{name}: {equal} of {len(found)} models equal ({times}, whole runs)"])


if __name__ == "__main__":
    sys.exit(main())
