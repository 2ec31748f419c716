"""`make spark-demo`: the sample, and real feeds where they are, on DuckDB and on a Spark cluster: are all models equal?

Belongs here: two homes, a cluster on this machine, the comparison printed. Must not be here: what a model computes.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from engine import compare, compiler
from engine.compare import Comparison
from engine.on_spark import tables
from engine.on_spark.marts import parquet
from tests.service.spark_cluster import HOST, Cluster, cluster
from tests.support import PROJECT, REAL_DATA
from warehouse.store import Store

# Columns of the run itself: two runs that land the same have other ones.
OF_THE_RUN = ("landed_at", "told_at", "attempted_at")
# Real feeds by name; they are not part of the repository.
REAL = {"real polls": REAL_DATA / "tiktok_polls", "daily lists": REAL_DATA / "daily_lists"}


def main(names: Sequence[str] = ()) -> int:
    """Builds and compares; returns 0 where all models are equal.

    Args:
        names: Of the sources that are built; all of them by default.
    """
    sources = {"sample": "sample"}
    for name, path in REAL.items():
        if path.is_dir():
            sources[name] = str(path)
        else:
            print(f"{name}: left out, {path} is not there", flush=True)
    sources = {name: sources[name] for name in names or sources}
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
    found = compared(on_duckdb, on_spark, on_spark.home / "spark")
    times = ", ".join(f"{engine} {taken:.0f} s" for engine, taken in seconds.items())
    print(f"== {name}: whole runs, {times}\n{found.told()}", flush=True)
    shutil.rmtree(place)
    return int(bool(found.differences))


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


def compared(on_duckdb: Store, on_spark: Store, warehouse: Path, names: Collection[str] | None = None) -> Comparison:
    """Compares every model that is a table.

    Args:
        on_duckdb: A home that DuckDB built.
        on_spark: One that Spark built, from the same source.
        warehouse: Its `SPARK_WAREHOUSE`.
        names: Of the models that were built, where it was a part.

    Raises:
        LookupError: Nothing was built on Spark.
    """
    table_set = tables.named_by_file(on_spark.build_path)
    if table_set is None:
        message = f"{on_spark.home} was not built on Spark"
        raise LookupError(message)
    with on_duckdb.model_writer() as connection:
        return compare.models(connection, _pairs(tables.folder(warehouse, table_set), names))


def _pairs(folder: Path, names: Collection[str] | None) -> Iterator[tuple[str, str, str]]:
    without = f"columns(name -> not list_contains({list(OF_THE_RUN)}, name))"
    for node in compiler.compiled(PROJECT):
        is_built = names is None or node.name in names
        if is_built and node.resource_type == "model" and node.kind in ("table", "incremental"):
            _, schema, name = node.relation.replace('"', "").split(".")
            # Of a table without rows Spark keeps no file.
            other = parquet(folder, schema, name) or f"(select * from {node.relation} where false)"
            yield (
                f"{schema}.{name}",
                f"(select {without} from {node.relation}) as mine",
                f"(select {without} from {other}) as other",
            )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
