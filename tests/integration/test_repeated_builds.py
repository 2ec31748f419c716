"""Builds lose nothing: the same rows built again and again, what several cursors commit at once, what is lost by hand.

With `DRILL_BUILDS` (`make drill-builds`) homes of full size are built twenty times each instead of a small one four
times.
"""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from queue import SimpleQueue

import duckdb
import pytest

from engine import compiled_models, compiler
from ingest import export_folder, facts, landing
from simulator import SimulatorConfig, simulate, write_export_folder
from tests.integration.dbt_subset import create_subset
from tests.support import MARKETS, PROJECT, build, real_data, trends
from warehouse import completeness
from warehouse.publish import publish, record_builds
from warehouse.store import Store, checkpoint

IS_DRILL = bool(os.environ.get("DRILL_BUILDS"))
HOMES = ["256 dates", pytest.param("daily lists", marks=pytest.mark.real_data)] if IS_DRILL else [pytest.param("small")]
CALLERS = (2, 4)
BUILDS_EACH = 10 if IS_DRILL else 2
SCHEMAS = ["seeds", "staging", "intermediate", "marts"]


def _feeds(name: str, directory: Path) -> Path:
    if name == "daily lists":
        return real_data("daily_lists")
    config = (
        SimulatorConfig(seed=5, days=256, videos_per_day=50)
        if name == "256 dates"
        else SimulatorConfig(seed=6, days=5, polls=2, videos_per_day=60)
    )
    write_export_folder(simulate(config), directory)
    return directory


@pytest.fixture(scope="module", params=HOMES)
def landed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Store:
    """A home with raw feeds, a cut-off for each date and no model."""
    directory = tmp_path_factory.mktemp("landed")
    store = Store(directory / "home")
    feeds, refusals = export_folder.scan(_feeds(request.param, directory / "feeds"), MARKETS)
    now = datetime.now(UTC)
    with facts.writer(store) as connection:
        landing.land(connection, feeds, refusals, landed_at=now)
        for day in landing.landed_dates(connection):
            landing.cutoff_for(connection, day, now=now)
    return store


def _build(landed: Store, home: Path, callers: int) -> Store:
    """Builds all dates into a new home, as a first run does."""
    shutil.copytree(landed.home, home)
    store = Store(home)
    # Tests change nothing; they would take most of the time.
    nodes = [node for node in compiler.compiled(PROJECT) if node.kind != "test"]
    with store.model_writer() as connection:
        dates = [day.isoformat() for day in landing.landed_dates(connection)]
        compiled_models.create_relations(connection, PROJECT)
        compiled_models.run(connection, nodes, dates, callers=callers)
        checkpoint(connection)
    return store


@pytest.mark.slow("a home built many times")
def test_one_home_built_again_and_again_is_the_same(landed: Store, tmp_path: Path) -> None:
    first: dict[str, tuple[int, int]] = {}
    for number in range(BUILDS_EACH * len(CALLERS)):
        store = _build(landed, tmp_path / "home", callers=CALLERS[number % len(CALLERS)])
        # Opened anew: what did not reach the disk was still there for who wrote it.
        with store.model_writer() as connection:
            sums = completeness.checksums(connection, SCHEMAS)
            assert completeness.holes(connection, landing.landed_dates(connection)) == []
        first = first or sums
        assert sums == first, f"build {number + 1}"
        shutil.rmtree(store.home)
    assert len(first) > 80
    assert sum(rows > 0 for rows, _ in first.values()) > 50


def _write_at_once(connection: duckdb.DuckDBPyConnection, written: dict[str, int], callers: int) -> None:
    """Replaces the rows of tables, each in a transaction of its own, by so many cursors at a time."""
    free: SimpleQueue[duckdb.DuckDBPyConnection] = SimpleQueue()
    for _ in range(callers):
        free.put(connection.cursor())

    def write(name: str) -> None:
        cursor = free.get()
        cursor.execute(
            f"begin; delete from {name}; insert into {name}"
            " select date '2026-01-01' + (number % 256)::integer, number, md5(number::varchar)"
            f" from range({written[name]}) as numbers (number); commit"
        )
        free.put(cursor)

    with ThreadPoolExecutor(callers) as pool:
        list(pool.map(write, written))


@pytest.mark.parametrize("callers", CALLERS)
def test_what_several_cursors_commit_reaches_the_disk(store: Store, callers: int) -> None:
    """Marts without a log lost whole tables here in two of three rounds: there for the writer, empty afterwards."""
    sizes = random.Random(callers)
    for _ in range(4):
        written = {f"trends.marts.mart_{number}": sizes.choice([0, 20_000, 50_000]) for number in range(33)}
        with store.model_writer() as connection:
            for name in written:
                connection.execute(f"create or replace table {name} (as_of_date date, number bigint, text varchar)")
            checkpoint(connection)
            _write_at_once(connection, written, callers)
            checkpoint(connection)
        with store.model_writer() as connection:
            assert {name: completeness.count(connection, name) for name in written} == written


# ---------- what is lost is found


@pytest.fixture(scope="module")
def whole(landed: Store, tmp_path_factory: pytest.TempPathFactory) -> Store:
    """A home in which all dates are built, noted and published."""
    store = _build(landed, tmp_path_factory.mktemp("whole") / "home", callers=2)
    with store.model_writer() as connection:
        record_builds(connection, [day.isoformat() for day in landing.landed_dates(connection)], "run-0")
    publish(store, run_id="run-0")
    return store


@pytest.fixture
def built(whole: Store, tmp_path: Path) -> Store:
    """A copy of it."""
    shutil.copytree(whole.home, tmp_path / "home")
    return Store(tmp_path / "home")


def test_a_mart_that_is_emptied_before_it_is_published(built: Store) -> None:
    assert "ok       published marts: " in trends("doctor", "--home", built.home).out
    before = built.published_path.read_bytes()
    ((rows,),) = build(built, "select count(*) from marts.opportunities")
    assert rows > 0
    build(built, "delete from marts.opportunities")
    outcome = trends("publish", "--home", built.home)
    assert outcome.code == 1
    assert outcome.err.startswith("trends: marts have not the rows that they were built with: opportunities: ")
    assert "`trends rebuild`" in outcome.err
    assert built.published_path.read_bytes() == before


@pytest.mark.parametrize("has_notes", [True, False])
@pytest.mark.parametrize("mart", ["opportunities", "creator_outliers", "forecasts", "build_list"])
def test_doctor_finds_what_was_published_with_holes(built: Store, mart: str, has_notes: bool) -> None:
    """Also of a version that noted nothing: other marts ask for rows."""
    with duckdb.connect(str(built.published_path)) as connection:
        ((dates, rows),) = connection.execute(
            f"select count(distinct as_of_date), count(*) from marts.{mart}"
        ).fetchall()
        assert rows > 0
        connection.execute(f"delete from marts.{mart}")
        if not has_notes:
            connection.execute("drop table meta.mart_rows")
    outcome = trends("doctor", "--home", built.home)
    assert outcome.code == 1
    (line,) = [line for line in outcome.out.splitlines() if "published marts" in line]
    assert line.startswith(f"FAILED   published marts: published with holes: {mart}: ")
    assert "`trends rebuild`" in line
    assert dates > 0


def test_doctor_says_where_nothing_was_noted(built: Store) -> None:
    with duckdb.connect(str(built.published_path)) as connection:
        connection.execute("drop table meta.mart_rows")
    outcome = trends("doctor", "--home", built.home)
    assert "not set  published marts: how many rows " in outcome.out


# ---------- notes of a dbt that runs in a shell


PARENTS = {
    "int_as_of": (
        "{{ config(materialized='table') }}"
        " select unnest([{{ date_literals(var('as_of_dates', ['2026-01-01'])) }}]) as as_of_date"
    ),
    "some_daily": (
        "{{ config(materialized='incremental', incremental_strategy='as_of', database='trends', schema='marts') }}"
        " select as_of_date, number from {{ ref('int_as_of') }} cross join range(3) as numbers (number)"
        " where as_of_date <> date '2026-01-03'"
    ),
}


def _notes(store: Store) -> Iterator[tuple[str, int]]:
    yield from build(store, f"select as_of_date::varchar, row_count from {completeness.NOTES} order by 1")


@pytest.mark.slow("dbt builds all models twice")
def test_dbt_notes_its_rows_too_and_a_full_refresh_shows_what_it_lost(tmp_path: Path) -> None:
    subset = create_subset(tmp_path / "project", models=[], seeds=[], parents=PARENTS)
    store = Store(subset.folder)
    subset.build(as_of_dates=["2026-01-01", "2026-01-02"])
    assert list(_notes(store)) == [("2026-01-01", 3), ("2026-01-02", 3)]
    subset.build(as_of_dates=["2026-01-02", "2026-01-03"])
    assert list(_notes(store)) == [("2026-01-01", 3), ("2026-01-02", 3), ("2026-01-03", 0)]
    dates = [datetime(2026, 1, day, tzinfo=UTC).date() for day in (1, 2, 3)]
    with store.model_writer() as connection:
        assert completeness.holes(connection, dates) == []
        columns = connection.execute(f"describe {completeness.NOTES}").fetchall()
        connection.execute(f"drop table {completeness.NOTES}")
        completeness.ensure_notes(connection)
        assert connection.execute(f"describe {completeness.NOTES}").fetchall() == columns
    subset.build(as_of_dates=["2026-01-01", "2026-01-02", "2026-01-03"])
    subset.build("--full-refresh", as_of_dates=["2026-01-02"])
    with store.model_writer() as connection:
        assert completeness.holes(connection, dates) == [completeness.Hole("some_daily", dates[0], 3, 0)]
