"""What Dagster's catalogue knows after a run of the command: every table made, every check about the newest table."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import closing

import dagster as dg
import pytest

from orchestration import dbt_specs, instance
from orchestration.settings import Settings
from tests import homes
from tests.support import PROJECT
from warehouse.store import Store, connect


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Store:
    store = Store(tmp_path_factory.mktemp("events") / "home")
    shutil.copytree(homes.day_of_sample(tmp_path_factory).home, store.home)
    return store


@pytest.fixture
def catalogue(home: Store, monkeypatch: pytest.MonkeyPatch) -> Iterator[dg.DagsterInstance]:
    variables = instance.environment(Settings(trends_home=home.home), home)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with instance.of_command(variables) as opened:
        yield opened


def test_every_table_of_the_day_is_in_the_catalogue_with_its_rows(home: Store, catalogue: dg.DagsterInstance) -> None:
    (run,) = catalogue.get_runs()
    built = [spec for spec in dbt_specs.load(PROJECT).assets if not is_seed(spec)]
    assert len(built) > 100
    untold, wrong = [], {}
    with (
        closing(connect(home.build_path, read_only=True)) as build,
        closing(connect(home.marts_path, read_only=True)) as marts,
    ):
        for spec in built:
            asked = dg.AssetRecordsFilter(asset_key=spec.key, asset_partitions=[homes.SAMPLE_DAY])
            (*newest,) = catalogue.fetch_materializations(asked, limit=1).records
            if not newest or newest[0].run_id != run.run_id:
                untold.append(spec.key.to_user_string())
                continue
            made = newest[0].asset_materialization
            assert made is not None
            relation = ".".join(f'"{part}"' for part in spec.key.path)
            database = marts if spec.group_name == dbt_specs.MARTS else build
            rows = database.sql(f"select count(*) from {relation}").fetchall()
            told = made.metadata["dagster/row_count"].value if "dagster/row_count" in made.metadata else None
            if rows != [(told,)]:
                wrong[spec.key.to_user_string()] = (rows, told)
            assert (made.tags or {})["dagster/code_version"] == spec.code_version
    assert untold == []
    assert wrong == {}


def test_every_check_is_about_the_newest_table(catalogue: dg.DagsterInstance) -> None:
    checks = dbt_specs.load(PROJECT).checks
    assert len(checks) > 250
    astray = []
    for spec in checks:
        found = catalogue.event_log_storage.get_asset_check_execution_history(spec.key, limit=5)
        ran = [record.event.dagster_event for record in found if record.event and record.event.dagster_event]
        evaluation = ran[0].asset_check_evaluation_data if ran else None
        if evaluation is None or evaluation.target_materialization_data is None:
            astray.append((spec.key.to_user_string(), "no outcome, or about no table"))
            continue
        asked = dg.AssetRecordsFilter(asset_key=spec.asset_key)
        (newest,) = catalogue.fetch_materializations(asked, limit=1).records
        if evaluation.target_materialization_data.storage_id != newest.storage_id:
            astray.append((spec.key.to_user_string(), "about an older table"))
    assert astray == []


def is_seed(spec: dg.AssetSpec) -> bool:
    return str(spec.metadata[dbt_specs.DBT_UNIQUE_ID]).startswith("seed.")
