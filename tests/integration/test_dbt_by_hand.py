"""dbt as people use it, beside the pipeline: what it makes is right, what would lose history is refused by name."""

from __future__ import annotations

import json
import shlex
import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from dbt.adapters.duckdb.connections import DuckDBConnectionManager
from dbt.cli.main import dbtRunner
from dbt.contracts.graph.manifest import Manifest

from engine import compiled_models, dbt_runner, run_results
from ingest import export_folder, facts, landing
from simulator import SimulatorConfig, simulate, write_export_folder
from tests.integration.dbt_subset import create_subset
from tests.support import MARKETS, PROJECT, build, mart_checksums
from warehouse.store import Store

pytestmark = pytest.mark.slow("dbt itself builds models, again and again")

FROM = ["--project-dir", str(PROJECT), "--profiles-dir", str(PROJECT)]
DATES = ["2026-03-04", "2026-03-05", "2026-03-06", "2026-03-07"]
# As README and its pages show them, with a date of this home.
FULL_REFRESH, PART, FRESHNESS = "run --full-refresh", "run --select +forecasts", "source freshness"
ANOTHER_DATE = f"run --vars '{{as_of_dates: [\"{DATES[1]}\"]}}'"
OF_PAGES = (FULL_REFRESH, PART, FRESHNESS, ANOTHER_DATE)


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """A home whose last date was built after the others, so that the tables between the marts hold that one only."""
    directory = tmp_path_factory.mktemp("history")
    write_export_folder(simulate(SimulatorConfig(seed=3, days=4, polls=3, videos_per_day=60)), directory / "feeds")
    store = Store(directory / "home")
    feeds, refusals = export_folder.scan(directory / "feeds", MARKETS)
    now = datetime.now(UTC)
    with facts.writer(store) as connection:
        landing.land(connection, feeds, refusals, landed_at=now)
        for day in landing.landed_dates(connection):
            landing.cutoff_for(connection, day, now=now)
    for batch in (DATES[:3], DATES[3:]):
        compiled_models.build(PROJECT, store, batch)
    return store


@pytest.fixture(scope="module")
def project() -> Manifest:
    """The project as a person's dbt parses it: once, where a person waits for it at every change of variables."""
    manifest = dbtRunner().invoke(["--quiet", "parse", "--no-write-json", *FROM]).result
    assert isinstance(manifest, Manifest)
    manifest.build_flat_graph()
    return manifest


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Target folder of the commands by hand: parsing anew takes seconds."""
    return tmp_path_factory.mktemp("target")


@pytest.fixture
def home(history: Store, tmp_path: Path) -> Store:
    """A copy of that home."""
    return Store(Path(shutil.copytree(history.home, tmp_path / "home")))


Command = Callable[[str], str]


@pytest.fixture
def by_hand(home: Store, project: Manifest, target: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Command]:
    """A dbt command with what a person's shell has: the home in the environment, the project as the current folder.

    It gives the error, empty where there was none.
    """
    monkeypatch.setenv("TRENDS_HOME", str(home.home))
    monkeypatch.setenv("DBT_TARGET_PATH", str(target))
    monkeypatch.setenv("DBT_LOG_PATH", str(target))
    monkeypatch.chdir(PROJECT)
    yield lambda command: run_dbt(command, project)


def run_dbt(command: str, project: Manifest | None = None) -> str:
    """Runs a dbt command as a person would, on the project parsed before or anew; returns the error."""
    try:
        outcome = dbtRunner(manifest=project).invoke(["--quiet", *shlex.split(command)])
    finally:
        DuckDBConnectionManager.close_all_connections()
    failed = [str(result.message) for result in getattr(outcome.result, "results", None) or [] if result.message]
    return "" if outcome.success else str(outcome.exception or "; ".join(failed))


def test_full_refresh_makes_every_date_again_as_it_was(home: Store, by_hand: Command) -> None:
    before = mart_checksums(home.marts_path)
    assert before["videos_daily"][0] > 400
    assert by_hand(FULL_REFRESH) == ""
    assert mart_checksums(home.marts_path) == before
    assert build(home, "select count(*) from intermediate.int_as_of") == [(len(DATES),)]
    # And the dates of a later, usual one.
    assert by_hand("run") == ""
    assert mart_checksums(home.marts_path) == before
    assert build(home, "select cast(as_of_date as varchar) from intermediate.int_as_of") == [(DATES[-1],)]


def test_a_part_and_another_date_lose_nothing(home: Store, by_hand: Command) -> None:
    before = mart_checksums(home.marts_path)
    for command in (
        "run --select videos_daily",
        PART,
        ANOTHER_DATE,
        "run --full-refresh --select +forecasts",
    ):
        assert by_hand(command) == "", command
        assert mart_checksums(home.marts_path) == before, command
    refused = by_hand("run --select trends_daily")
    # Its tables hold one date still, the batch has all of them by now.
    assert "trends_daily would lose 3 dates" in refused or "trends_daily would lose 2026-03-04" in refused
    assert "--select +trends_daily" in refused
    assert mart_checksums(home.marts_path) == before


REFUSED = {
    "run --full-refresh --select forecasts": (
        "forecasts would lose 2026-03-04, 2026-03-05, 2026-03-06",
        "--full-refresh --select +forecasts", "trends rebuild",
    ),
    "run --full-refresh --select int_trend_uses": ("int_trend_uses would lose 2026-03-04", "trends rebuild"),
    "run --full-refresh --select alert_scores": ("alert_scores would lose", "trends rebuild"),
    "run --full-refresh --select int_poll_levels": ("int_poll_levels would lose 2026-03-04", "trends rebuild"),
    f"run --full-refresh --vars 'as_of_dates: [\"{DATES[0]}\"]'": ("would lose", "Leave out --full-refresh"),
    "run --vars 'as_of_dates: 2026-03-20'": ("No cut-off is stored for 2026-03-20", "trends run --date 2026-03-20"),
    f"run --select forecasts --vars 'as_of_dates: [\"{DATES[0]}\"]'": (
        "as_of_dates names 2026-03-04, but the tables between hold 2026-03-07", "put a + before the model",
    ),
    "run --empty": ("--empty would take the rows", "TRENDS_HOME=DIR"),
}  # fmt: skip


def test_what_would_lose_history_is_refused_before_anything_changed(home: Store, by_hand: Command) -> None:
    before = mart_checksums(home.marts_path)
    readings = (
        "select count(*) from intermediate.int_video_readings union all select count(*) from meta.compiled_models"
    )
    kept = build(home, readings)
    for command, texts in REFUSED.items():
        error = by_hand(command)
        assert [text for text in (*texts, "Nothing was changed") if text not in error] == [], (command, error)
    assert mart_checksums(home.marts_path) == before
    assert build(home, readings) == kept


def test_columns_of_another_version_lead_to_the_command_that_mends_them(home: Store, by_hand: Command) -> None:
    with home.model_writer() as connection:
        connection.execute("alter table trends.marts.my_performance add column gone integer")
        connection.execute("alter table intermediate.int_trend_uses drop column market")
    for model in ("my_performance", "int_trend_uses"):
        error = by_hand(f"run --select {model}")
        assert f"{model} in this home is of another version" in error
        assert ("gone: gone" if model == "my_performance" else "new columns: market") in error
        assert "trends rebuild" in error


def test_other_variables_are_no_part_of_what_is_published(home: Store, by_hand: Command) -> None:
    fingerprint = dbt_runner.fingerprint(PROJECT)
    assert by_hand("run --select my_performance") == ""
    with home.model_writer() as connection:
        assert compiled_models.is_current(connection, fingerprint), "the same files and variables: nothing to do again"
        assert compiled_models.built_nodes(connection) != {}
    assert by_hand("run --select my_performance --vars 'fresh_age_hours: 1'") == ""
    with home.model_writer() as connection:
        assert not compiled_models.is_current(connection, fingerprint)
        assert compiled_models.built_nodes(connection) == {}, "nothing says which of its rows are the project's"


def test_what_dbt_leaves_in_target_is_nothing_to_the_pipeline(
    home: Store, by_hand: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DBT_TARGET_PATH")
    kept = dbt_runner.kept_in(PROJECT)
    # But what each build of the pipeline writes anew.
    files = [
        path for path in kept.glob("*.*") if path.suffix in (".json", ".msgpack") and path.name != run_results.NAME
    ]
    before = {path.name: path.read_bytes() for path in files}
    assert {"manifest.json", "partial_parse.msgpack", "compiled_models.json"} <= before.keys()
    assert run_dbt(f"parse --vars 'as_of_dates: [\"{DATES[0]}\"]'") == ""
    assert by_hand("compile --select forecasts --vars 'history_days: 3'") == ""
    assert (PROJECT / "target" / "partial_parse.msgpack").exists()
    assert {name: (kept / name).read_bytes() for name in before} == before
    results = compiled_models.build(PROJECT, home, [DATES[-1]])
    assert {result.status for result in results} <= {"success", "pass", "warn"}


def test_what_is_kept_may_be_deleted_in_part(tmp_path: Path) -> None:
    subset = create_subset(tmp_path / "project", models=[], seeds=[], parents={"one": "select 1 as one"})
    manifest = dbt_runner.ensure_manifest(subset.folder)
    (manifest.parent / "partial_parse.msgpack").unlink()
    assert dbt_runner.ensure_manifest(subset.folder) == manifest
    assert (manifest.parent / "partial_parse.msgpack").exists()
    # As if another version's parse had been killed half-way.
    manifest.unlink()
    assert dbt_runner.descriptions(dbt_runner.ensure_manifest(subset.folder)).keys() == {"one"}
    assert not (subset.folder / "target").exists()


def test_a_home_without_anything_says_what_to_run_first(
    tmp_path: Path, project: Manifest, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRENDS_HOME", str(tmp_path / "nothing"))
    monkeypatch.setenv("DBT_TARGET_PATH", str(target))
    monkeypatch.setenv("DBT_LOG_PATH", str(target))
    monkeypatch.chdir(PROJECT)
    for command in ("run", "compile", "source freshness"):
        error = run_dbt(command, project)
        assert "nothing was landed in this home" in error, command
        assert "Run `trends run` first" in error
    assert not (tmp_path / "nothing").exists()


def test_a_home_without_models_says_what_to_run_first(home: Store, by_hand: Command) -> None:
    home.build_path.unlink()
    home.marts_path.unlink()
    assert "ai_terms was never built in this home" in by_hand("compile --select int_video_ai")
    refused = by_hand("run --select videos_daily")
    assert "which was never built in this home. Nothing was changed." in refused
    assert "--select +videos_daily" in refused


def _results(target: Path) -> dict[str, str]:
    sources = json.loads((target / "sources.json").read_text(encoding="utf-8"))["results"]
    return {result["unique_id"].split(".", 2)[2]: result["status"] for result in sources}


def test_sources_are_late_by_the_clock_of_utc(
    home: Store, by_hand: Command, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", "America/New_York")
    with facts.writer(home) as connection:
        for table, column, hours in (
            ("tiktok_videos", "observed_at", 28), ("tiktok_music", "observed_at", 26), ("loads", "landed_at", 52),
        ):  # fmt: skip
            connection.execute(f"update raw.{table} set {column} = now()::timestamp - to_hours({hours})")
    by_hand(FRESHNESS)
    found = _results(target)
    assert found["raw.tiktok_videos"] == "warn"
    assert found["raw.tiktok_music"] == "pass"
    assert found["raw.loads"] == "error"
