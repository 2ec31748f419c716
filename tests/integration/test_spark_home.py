"""Homes that are built on Spark: as on DuckDB, whatever a build before them left or lost."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import filelock
import pytest

from engine import compiled_models, rebuild
from engine.dbt_runner import DbtFailedError, NodeResult
from engine.engines import DUCKDB, Engine
from engine.on_spark import raw, tables
from engine.on_spark.session import SparkConfig, SparkSetupError
from ingest import export_folder, facts, landing
from simulator import SimulatorConfig, simulate, write_export_folder
from tests.integration.dbt_subset import create_subset
from tests.service.spark_cluster import HOST, cluster
from tests.support import MARKETS, PROJECT
from warehouse.store import Store, WarehouseBusyError

pytestmark = [pytest.mark.spark, pytest.mark.slow("Spark starts")]

DATES = ["2026-03-04", "2026-03-05", "2026-03-06", "2026-03-07"]

# One model of each kind that lasts, and of what they read.
IN_BETWEEN = "{{ config(materialized='table', schema='intermediate') }} "
MART = "{{ config(materialized='incremental', database='trends', schema='marts', incremental_strategy=%s) }} "
MODELS = {
    "int_as_of": IN_BETWEEN + "select as_of_date, cutoff_at from {{ source('meta', 'cutoffs') }}"
    " where as_of_date in ({{ date_literals(as_of_dates() or ['2020-01-01']) }})",
    "int_polls": IN_BETWEEN
    + "select as_of_date, true as is_in_batch, cast(null as {{ 'string' if target.type == 'spark' else 'varchar' }})"
    " as nothing from {{ ref('int_as_of') }}",
    "int_days": "{{ config(materialized='view', schema='intermediate') }}"
    " select cast(observed_at as date) as observed_on, market, load_id, item_hash"
    " from {{ source('raw', 'tiktok_videos') }}",
    "by_day": MART
    % "'as_of'"
    + "select batch.as_of_date, days.market, count(*) as items, max(days.item_hash) as last_hash"
    " from {{ ref('int_as_of') }} as batch"
    " inner join {{ ref('int_days') }} as days on batch.as_of_date = days.observed_on"
    " group by batch.as_of_date, days.market",
    "by_poll": MART
    % "'poll_dates'"
    + "select polls.as_of_date, polls.as_of_date as poll_at, max(days.load_id) as load_id"
    " from {{ ref('int_polls') }} as polls"
    " inner join {{ ref('int_days') }} as days on polls.as_of_date = days.observed_on group by polls.as_of_date",
    "by_market": MART
    % "'replace_keys', unique_key=['market']"
    + "select days.market, max(days.observed_on) as last_on, count(*) as items from {{ ref('int_days') }} as days"
    " where days.observed_on <= (select max(batch.as_of_date) from {{ ref('int_as_of') }} as batch)"
    " group by days.market",
}
SOURCES = """
sources:
  - {name: raw, database: DATABASE, schema: raw, tables: [{name: tiktok_videos}, {name: loads}]}
  - {name: meta, database: DATABASE, schema: meta, tables: [{name: cutoffs}]}
models:
  - name: by_day
    data_tests:
      - never_null: {arguments: {columns: [last_hash]}}
  - name: int_polls
    data_tests:
      - never_null: {arguments: {columns: [nothing]}, config: {severity: warn}}
""".replace("DATABASE", "\"{{ '' if target.type == 'spark' else 'facts' }}\"")


@dataclass(frozen=True, slots=True)
class Place:
    """A project, feeds that were landed, and what builds them.

    Attributes:
        project: Folder of dbt_project.yml.
        landed: A home with raw feeds and no model.
    """

    project: Path
    landed: Store

    def home(self, folder: Path) -> Store:
        """A home of its own with the same facts."""
        shutil.copytree(self.landed.home, folder)
        return Store(folder, lock_timeout_s=1)

    def on_duckdb(self, store: Store, *dates: str) -> None:
        """Builds dates with DuckDB."""
        compiled_models.build(self.project, store, dates)

    def on_spark(self, store: Store, *dates: str, master: str = "local[2]") -> list[NodeResult]:
        """Builds dates with Spark, whose driver is this process."""
        return _spark(store, master).build(self.project, store, dates)


def _warehouse(store: Store) -> Path:
    return store.home / "spark"


def _spark(store: Store, master: str = "local[2]") -> Engine:
    # Not at the top: where nothing of Spark is installed this module must be collected all the same.
    from engine.on_spark.run import engine

    return engine(SparkConfig(_warehouse(store), master))


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    directory = tmp_path_factory.mktemp("spark")
    write_export_folder(simulate(SimulatorConfig(seed=3, days=4, polls=2, videos_per_day=40)), directory / "feeds")
    store = Store(directory / "landed")
    _land(store, directory / "feeds")
    subset = create_subset(directory / "project", models=[], seeds=[], parents=MODELS, sources=SOURCES)
    yield Place(subset.folder, store)


def _land(store: Store, folder: Path) -> landing.LandingReport:
    feeds, refusals = export_folder.scan(folder, MARKETS)
    now = datetime(2026, 3, 9, tzinfo=UTC)
    with facts.writer(store) as connection:
        report = landing.land(connection, feeds, refusals, landed_at=now)
        for day in landing.landed_dates(connection):
            landing.cutoff_for(connection, day, now=now)
    return report


def _marts(store: Store) -> dict[str, list[tuple[object, ...]]]:
    """All rows of the marts, and of the notes how many there are."""
    names = ["trends.marts.by_day", "trends.marts.by_poll", "trends.marts.by_market", "trends.meta.mart_rows"]
    with store.model_writer() as connection:
        return {name: connection.execute(f"from {name} order by all").fetchall() for name in names}


def _files(folder: Path) -> dict[str, tuple[int, int]]:
    return {
        str(path.relative_to(folder)): (path.stat().st_ino, path.stat().st_mtime_ns)
        for path in folder.rglob("*.parquet")
    }


def test_marts_are_those_of_duckdb_and_a_second_build_changes_none(place: Place, tmp_path: Path) -> None:
    on_duckdb, on_spark = place.home(tmp_path / "duckdb"), place.home(tmp_path / "on spark")
    for batch in (DATES[:3], DATES[3:], DATES[1:2]):
        place.on_duckdb(on_duckdb, *batch)
        place.on_spark(on_spark, *batch)
        assert _marts(on_spark) == _marts(on_duckdb)
    assert len(_marts(on_spark)["trends.marts.by_day"]) == 8
    before = _marts(on_spark)
    results = place.on_spark(on_spark, *DATES[1:2])
    assert _marts(on_spark) == before
    # What a check found can be read without Spark: the one that warns finds the row of the one date.
    assert {(result.status, result.failures) for result in results if result.resource_type == "test"} == {
        ("pass", 0),
        ("warn", 1),
    }
    (query,) = (result.query for result in results if result.query)
    with on_spark.model_writer() as connection:
        assert connection.execute(str(query)).fetchall() == [(None,)]
    # One set holds, the one before it is kept for those who read it.
    with on_spark.model_writer() as connection:
        table_set = tables.named(connection)
    assert table_set in {path.name for path in (_warehouse(on_spark) / "tables").iterdir()}
    assert len(list((_warehouse(on_spark) / "tables").iterdir())) == 2
    assert not (_warehouse(on_spark) / "work").exists()


def test_a_rebuild_gives_the_rows_of_one_on_duckdb(place: Place, tmp_path: Path) -> None:
    on_duckdb, on_spark = place.home(tmp_path / "duckdb"), place.home(tmp_path / "spark")
    engines = {on_duckdb: DUCKDB, on_spark: _spark(on_spark)}
    for store, engine in engines.items():
        # A rebuild asks nothing of what was built before.
        engine.build(place.project, store, DATES[2:3])
        done = rebuild.rebuild(place.project, store, rebuild.plan(store, engine=engine), engine=engine)
        assert (done.dates, done.left_out) == (DATES, {})
    rebuilt = _marts(on_spark)
    assert rebuilt == _marts(on_duckdb)
    assert len(rebuilt["trends.marts.by_day"]) == 8
    # The next build goes on from the tables that the rebuild made.
    place.on_spark(on_spark, *DATES[3:])
    assert _marts(on_spark) == rebuilt


def test_build_that_is_cut_short_leaves_what_was_there(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = place.home(tmp_path / "home")
    place.on_spark(store, *DATES[:3])
    before, kept = _marts(store), _files(_warehouse(store) / "tables")
    with monkeypatch.context() as patch:
        # Spark's tables are built, and nobody says that they hold.
        patch.setattr(tables, "keep", _cut_short)
        with pytest.raises(KeyboardInterrupt):
            place.on_spark(store, *DATES[3:])
    assert _marts(store) == before
    assert _files(_warehouse(store) / "tables") == kept
    with monkeypatch.context() as patch:
        # The marts are in the home, and their set is not named yet.
        patch.setattr(tables, "name", _cut_short)
        with pytest.raises(KeyboardInterrupt):
            place.on_spark(store, *DATES[3:])
    place.on_spark(store, *DATES[3:])
    whole = place.home(tmp_path / "whole")
    place.on_spark(whole, *DATES)
    assert _marts(store) == _marts(whole)


def _cut_short(*_: object) -> str:
    raise KeyboardInterrupt


def test_worker_that_dies_in_the_middle_changes_no_row(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPARK_LOCAL_IP", HOST)
    on_duckdb, on_spark = place.home(tmp_path / "duckdb"), place.home(tmp_path / "spark")
    place.on_duckdb(on_duckdb, *DATES)
    with cluster(tmp_path / "cluster") as up, ThreadPoolExecutor(1) as pool:
        building = pool.submit(place.on_spark, on_spark, *DATES, master=up.url)
        _wait_for(_first_table(on_spark), building)
        up.workers[0].kill()
        building.result()
        assert up.workers[0].wait() == -signal.SIGKILL
        up.wait_for(1)
    assert _marts(on_spark) == _marts(on_duckdb)


def test_run_after_a_driver_that_was_killed_is_right(place: Place, tmp_path: Path) -> None:
    killed, whole = place.home(tmp_path / "killed"), place.home(tmp_path / "whole")
    for store in (killed, whole):
        place.on_spark(store, *DATES[:3])
    before = _marts(killed)
    code = (
        "from pathlib import Path; from engine.on_spark.run import engine;"
        "from engine.on_spark.session import SparkConfig; from warehouse.store import Store;"
        f"engine(SparkConfig(Path({str(_warehouse(killed))!r}), 'local[2]'))"
        f".build(Path({str(place.project)!r}), Store(Path({str(killed.home)!r})), {DATES[3:]!r})"
    )
    command = [sys.executable, "-c", code]
    with (
        subprocess.Popen(command, cwd=PROJECT, stderr=subprocess.DEVNULL) as driver,
        ThreadPoolExecutor(1) as pool,
    ):
        _wait_for(_first_table(killed), pool.submit(driver.wait))
        driver.kill()
    assert driver.returncode == -signal.SIGKILL
    assert _marts(killed) == before
    for store in (killed, whole):
        place.on_spark(store, *DATES[3:])
    assert _marts(killed) == _marts(whole) != before


def _first_table(store: Store) -> Callable[[], bool]:
    """Whether the build that is under way has written a mart, and so is in the middle."""
    return lambda: any((_warehouse(store) / "work").glob(f"*/marts/*/as_of_date={DATES[-1]}/*.parquet"))


def _wait_for(happened: Callable[[], bool], building: Future[Any]) -> None:
    while not happened():
        assert not building.done(), "the build was over before it was looked at"
        time.sleep(0.01)


def test_landing_twice_writes_no_file_again_and_strange_ones_are_taken_away(place: Place, tmp_path: Path) -> None:
    store, folder = place.home(tmp_path / "home"), tmp_path / "spark"
    with store.model_writer() as connection:
        written = raw.write(connection, folder)
        ((items,),) = connection.execute("select sum(item_count) from raw.loads").fetchall()
        assert written == items > 0
        first = _files(folder)
        ((loads,),) = connection.execute("select count(*) from raw.loads where item_count > 0").fetchall()
        assert len(first) == loads
        assert all(name.startswith("raw/kind=") and "/market=" in name and "/day=2026-03-0" in name for name in first)
    assert _land(store, place.landed.home.parent / "feeds").landed == 0
    strange = next(iter(folder.rglob("*.parquet"))).with_name("load-0000000099-0.parquet")
    strange.write_bytes(b"of a home that was set aside")
    strange.with_name(".load.parquet.partial").write_bytes(b"of a process that was killed")
    with store.model_writer() as connection:
        assert raw.write(connection, folder) == 0
        assert _files(folder) == first
        assert not list(folder.rglob("*.partial"))
        ((differing,),) = connection.execute(
            "select count(*) from (select load_id, item_index, market, kind, observed_at, item_hash, payload::varchar"
            " from raw.tiktok_videos except all"
            " select load_id, item_index, market, kind, observed_at, item_hash, payload"
            f" from read_parquet('{folder}/raw/kind=videos/*/*/*.parquet', hive_partitioning = false))"
        ).fetchall()
        assert differing == 0


def test_builds_are_kept_apart(place: Place, tmp_path: Path) -> None:
    store = place.home(tmp_path / "home")
    folder = _warehouse(store)
    folder.mkdir()
    build = partial(place.on_spark, store, *DATES[:1])
    with filelock.FileLock(folder / "build.lock"), pytest.raises(WarehouseBusyError, match="another build works in"):
        build()
    (folder / "home").write_text("/another/home\n", encoding="utf-8")
    with pytest.raises(SparkSetupError, match="has the tables of the home /another/home: give each home"):
        build()


def test_tables_that_are_gone_are_named_with_the_remedy(place: Place, tmp_path: Path) -> None:
    store = place.home(tmp_path / "home")
    place.on_spark(store, *DATES[:1])
    before = _marts(store)
    shutil.rmtree(_warehouse(store) / "tables")
    with pytest.raises(tables.LostTablesError, match=r"or make them again: `trends rebuild`"):
        place.on_spark(store, *DATES[1:2])
    assert _marts(store) == before


def test_home_of_the_other_engine_is_refused(place: Place, tmp_path: Path) -> None:
    store = place.home(tmp_path / "home")
    place.on_duckdb(store, *DATES[:1])
    with pytest.raises(compiled_models.OutdatedHomeError, match="or by another engine: `trends rebuild`"):
        place.on_spark(store, *DATES[1:2])


def test_model_that_fails_names_itself(place: Place, tmp_path: Path) -> None:
    project = tmp_path / "project"
    shutil.copytree(place.project, project, ignore=shutil.ignore_patterns(".compiled", "warehouse"))
    model = project / "models" / "by_day.sql"
    broken = "{{ MART }} select batch.as_of_date, raise_error('no such day') as market, 1 as items, '' as last_hash"
    broken = broken.replace("{{ MART }}", MART % "'as_of'") + " from {{ ref('int_as_of') }} as batch"
    model.write_text(
        "{% if target.type == 'spark' %}" + broken + "{% else %}" + MODELS["by_day"] + "{% endif %}", encoding="utf-8"
    )
    store = place.home(tmp_path / "home")
    with pytest.raises(DbtFailedError, match=r"by_day: .*no such day"):
        _spark(store).build(project, store, DATES[:1])
    with store.model_writer() as connection:
        assert connection.execute("select count(*) from trends.marts.by_day").fetchall() == [(0,)]
        assert tables.named(connection) is None
