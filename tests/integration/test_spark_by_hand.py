"""dbt's commands in a shell, on Spark: they find the home's facts, keep what they built, and lose nothing.

Left out where the packages of requirements-spark.lock or Java are not there (`make spark`).
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from engine import compare, compiled_models
from engine.on_spark import tables
from simulator import SimulatorConfig, simulate, write_export_folder
from tests.integration.test_spark import landed
from tests.support import PROJECT
from warehouse.store import Store

pytestmark = [pytest.mark.spark, pytest.mark.slow("Spark starts")]

MART = "marts.sounds_daily"


def _dbt(store: Store, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A command as a person starts it."""
    return subprocess.run(
        [Path(sys.prefix) / "bin" / "dbt", *arguments, "--target", "spark", "--target-path", store.home / "target",
         "--log-path", store.home / "logs"],
        cwd=PROJECT, env=os.environ | {"TRENDS_HOME": str(store.home), "SPARK_MASTER": "local[2]"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip


def _named(store: Store) -> str | None:
    with store.model_writer() as connection:
        return tables.named(connection)


def test_a_mart_built_by_hand_is_that_of_duckdb_and_stays_when_a_command_fails(tmp_path: Path) -> None:
    write_export_folder(simulate(SimulatorConfig(seed=11, days=2, videos_per_day=30)), tmp_path / "feeds")
    on_duckdb, dates = landed(tmp_path / "duckdb", tmp_path / "feeds")
    on_spark, _ = landed(tmp_path / "spark", tmp_path / "feeds")
    compiled_models.build(PROJECT, on_duckdb, dates[-1:])

    built = _dbt(on_spark, "build", "--select", "+sounds_daily")
    assert built.returncode == 0, built.stdout + built.stderr
    with duckdb.connect() as connection:
        for name, store in (("one", on_duckdb), ("other", on_spark)):
            connection.execute(f"attach '{store.marts_path}' as {name} (read_only)")
        [(rows,)] = connection.execute(f"select count(*) from one.{MART}").fetchall()
        assert rows > 0
        assert compare.difference(connection, f"one.{MART}", f"other.{MART}") == ""
    held = _named(on_spark)
    assert held is not None

    # Refused before it changes anything; and one whose model fails in Spark.
    unknown = '{as_of_dates: ["2030-01-01"]}'
    refused = _dbt(on_spark, "build", "--select", "+sounds_daily", "--vars", unknown)
    assert refused.returncode != 0
    assert "No cut-off is stored for 2030-01-01" in refused.stdout
    failed = _dbt(on_spark, "run", "--select", "+sounds_daily", "--vars", "{sound_spiking_ratio: no_such_column}")
    assert failed.returncode == 1
    assert "Nothing is kept" in failed.stderr
    assert _named(on_spark) == held
    assert [path.name for path in (on_spark.home / "spark" / "tables").iterdir()] == [held]
