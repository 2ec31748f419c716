"""The models on Spark give the rows that they give on DuckDB.

The builds are left out where the packages of requirements-spark.lock or Java are not there (`make spark`).
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import duckdb
import pytest

from engine import compare, compiled_models
from engine.engines import DUCKDB
from engine.on_spark.session import SparkConfig
from ingest import export_folder, facts, landing
from simulator import SimulatorConfig, simulate, write_export_folder
from tests.service.spark_cluster import connect_server
from tests.service.spark_demo import compared
from tests.support import MARKETS, PROJECT
from warehouse.publish import pending_polls
from warehouse.store import Store


def landed(home: Path, folder: Path) -> tuple[Store, list[str]]:
    """A home with the feeds of an export folder and no model; their dates."""
    store = Store(home)
    feeds, refusals = export_folder.scan(folder, MARKETS)
    now = datetime.now(UTC)
    with facts.writer(store) as connection:
        landing.land(connection, feeds, refusals, landed_at=now)
        days = landing.landed_dates(connection)
        for day in days:
            landing.cutoff_for(connection, day, now=now)
    return store, [day.isoformat() for day in days]


@pytest.fixture(params=["session", "connect"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[Path], SparkConfig]]:
    """Spark with tables in a folder: with its driver in this process, and as a server of Spark Connect."""
    if request.param == "session":
        yield lambda warehouse: SparkConfig(warehouse, "local[2]")
        return
    with connect_server(tmp_path / "server") as remote:
        yield lambda warehouse: SparkConfig(warehouse, remote=remote)


@pytest.mark.slow("Spark builds all models")
@pytest.mark.spark
def test_every_model_is_equal_on_both_engines(tmp_path: Path, address: Callable[[Path], SparkConfig]) -> None:
    # Not at the top: where nothing of Spark is installed this module must be collected all the same.
    from engine.on_spark.run import engine

    write_export_folder(simulate(SimulatorConfig(seed=11, days=3, polls=2, videos_per_day=30)), tmp_path / "feeds")
    on_duckdb, dates = landed(tmp_path / "duckdb", tmp_path / "feeds")
    shutil.copytree(on_duckdb.home, tmp_path / "spark")
    on_spark = Store(tmp_path / "spark")
    compiled_models.build(PROJECT, on_duckdb, dates)
    on_cluster = engine(address(on_spark.home / "spark"))
    on_cluster.build(PROJECT, on_spark, dates)
    found = compared(on_duckdb, on_spark, on_spark.home / "spark")
    assert len(found.models) > 110
    assert found.differences == {}
    # A poll of the last day leaves the one before it, whose feeds were all judged.
    days = [date.fromisoformat(day) for day in dates]
    for built, store in ((DUCKDB, on_duckdb), (on_cluster, on_spark)):
        with store.model_writer() as connection:
            assert pending_polls(connection, days, days[-1:], built.last_load) == days[-1:]


@pytest.mark.parametrize(
    ("one", "other", "told"),
    [
        ("(values (1, 'a', 0.1e0)) as t (n, s, x)", "(values (1::bigint, 'a', 0.1e0 + 1e-12)) as t (n, s, x)", ""),
        ("(values (1, 'a')) as t (n, s)", "(values (1, 'b')) as t (n, s)", "s: [('a', 1)] against [('b', 1)]"),
        ("(values (1, 0.5e0)) as t (n, x)", "(values (1, 0.6e0)) as t (n, x)", "x: [(0.5, 0.6)]"),
        ("(values (1), (1)) as t (n)", "(values (1)) as t (n)", "2 rows against 1"),
        ("(values (1, 2)) as t (n, m)", "(values (1)) as t (n)", "columns missing: ['m']"),
    ],
)
def test_a_difference_is_named_with_its_column_and_rows(one: str, other: str, told: str) -> None:
    with duckdb.connect() as connection:
        found = compare.difference(connection, one, other)
    assert told in found
    assert bool(found) is bool(told)
