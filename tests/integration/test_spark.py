"""The models on Spark give the rows that they give on DuckDB.

The builds are left out where the packages of requirements-spark.lock or Java are not there (`make spark`).
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest

from engine import compare, compiled_models, spark
from ingest import export_folder, facts, landing
from simulator import SimulatorConfig, simulate, write_export_folder
from tests.support import MARKETS, PROJECT
from warehouse.store import Store, checkpoint


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A session of two cores whose tables are gone after the test."""
    try:
        return spark.open_session(PROJECT, tmp_path_factory.mktemp("tables"), "local[2]", spark.SMALL)
    except spark.SparkMissingError as error:
        pytest.skip(str(error))


def _built(home: Path, folder: Path) -> tuple[Store, list[str]]:
    """All dates of an export folder, built on DuckDB as a first run does."""
    store = Store(home)
    feeds, refusals = export_folder.scan(folder, MARKETS)
    now = datetime.now(UTC)
    with facts.writer(store) as connection:
        landing.land(connection, feeds, refusals, landed_at=now)
        days = landing.landed_dates(connection)
        for day in days:
            landing.cutoff_for(connection, day, now=now)
    dates = [day.isoformat() for day in days]
    nodes = [node for node in compiled_models.compiled(PROJECT) if node.kind != "test"]
    with store.model_writer() as connection:
        compiled_models.create_relations(connection, PROJECT)
        compiled_models.run(connection, nodes, dates)
        checkpoint(connection)
    return store, dates


@pytest.mark.spark
@pytest.mark.slow
def test_every_model_is_equal_on_both_engines(session: Any, tmp_path: Path) -> None:
    write_export_folder(simulate(SimulatorConfig(seed=11, days=3, polls=2, videos_per_day=30)), tmp_path / "feeds")
    store, dates = _built(tmp_path / "home", tmp_path / "feeds")
    spark.register_facts(session, store, tmp_path / "facts")
    without_tests = ["--exclude", "resource_type:test", "resource_type:unit_test"]
    spark.build(PROJECT, tmp_path / "target", as_of_dates=dates, arguments=without_tests)
    found = spark.compare_models(PROJECT, session, store)
    assert len(found.models) > 120
    assert found.differences == {}


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
