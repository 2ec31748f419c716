"""What the Dagster UI shows: names, groups, one connected graph, checks, and the storage a home gets."""

from __future__ import annotations

import itertools
import json
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import dagster as dg
import pytest
from dagster._utils.schedules import schedule_execution_time_iterator

from engine import dbt_runner
from orchestration import instance
from orchestration.definitions import build_defs
from orchestration.settings import Settings
from tests.support import PROJECT, trends
from warehouse.store import Store

GROUPS = {"ingest", "staging", "intermediate", "marts", "exports", "delivery"}
PUBLISHED = dg.AssetKey(["warehouse", "trends"])

# Dagster does not export the type of a resolved asset graph.
Graph = Any


@pytest.fixture(scope="module")
def definitions(tmp_path_factory: pytest.TempPathFactory) -> dg.Definitions:
    return build_defs(Settings(trends_home=tmp_path_factory.mktemp("home")))


@pytest.fixture(scope="module")
def graph(definitions: dg.Definitions) -> Graph:
    return definitions.resolve_asset_graph()


def test_jobs_and_schedules_have_their_public_names(definitions: dg.Definitions) -> None:
    repository = definitions.get_repository_def()
    assert {"daily", "backfill"} <= {job.name for job in repository.get_all_jobs()}
    (schedule,) = [found for found in repository.schedule_defs if found.name == "daily_09_utc"]
    assert (schedule.cron_schedule, schedule.execution_timezone) == ("0 9 * * *", "UTC")
    assert schedule.default_status == dg.DefaultScheduleStatus.RUNNING
    assert schedule.job_name == "daily"


def test_schedule_asks_for_one_run_of_the_day(definitions: dg.Definitions) -> None:
    schedule = definitions.get_schedule_def("daily_09_utc")
    with dg.instance_for_test() as instance:
        context = dg.build_schedule_context(
            instance,
            scheduled_execution_time=datetime(2026, 3, 29, 9, tzinfo=UTC),
            repository_def=definitions.get_repository_def(),
        )
        data = schedule.evaluate_tick(context)
    (request,) = data.run_requests or []
    assert (request.run_key, request.partition_key) == ("2026-03-29", "2026-03-29")


@pytest.mark.parametrize(
    ("day", "first_hour_utc"),
    [("2026-03-28", 8), ("2026-03-29", 7), ("2026-10-24", 7), ("2026-10-25", 8)],
)
def test_polls_come_every_two_hours_of_london_whatever_the_clocks_do(
    definitions: dg.Definitions, day: str, first_hour_utc: int
) -> None:
    schedule = definitions.get_schedule_def("micro_poll_2h")
    assert isinstance(schedule.cron_schedule, str)
    begins = datetime.fromisoformat(day).replace(tzinfo=UTC)
    ticks = list(
        itertools.takewhile(
            lambda tick: tick < begins + timedelta(days=1),
            schedule_execution_time_iterator(begins.timestamp(), schedule.cron_schedule, schedule.execution_timezone),
        )
    )
    assert [tick.astimezone(ZoneInfo("Europe/London")).hour for tick in ticks] == list(range(8, 23, 2))
    assert [tick.astimezone(UTC).hour for tick in ticks] == list(range(first_hour_utc, first_hour_utc + 15, 2))
    with dg.instance_for_test() as instance:
        requests = [
            schedule.evaluate_tick(
                dg.build_schedule_context(
                    instance, scheduled_execution_time=tick, repository_def=definitions.get_repository_def()
                )
            ).run_requests
            for tick in ticks
        ]
    asked = [(request.run_key, request.partition_key) for (request,) in map(list, filter(None, requests))]
    assert asked == [(f"{tick.astimezone(UTC):%Y-%m-%dT%H:%M}", day) for tick in ticks]


def test_jobs_run_in_one_process(definitions: dg.Definitions) -> None:
    for name in ("daily", "backfill"):
        assert definitions.resolve_job_def(name).executor_def.name == dg.in_process_executor.name


def test_every_asset_has_a_group_and_a_description(graph: Graph) -> None:
    nodes = [graph.get(key) for key in graph.materializable_asset_keys]
    assert {node.group_name for node in nodes} <= GROUPS
    assert {"ingest", "staging", "intermediate", "marts"} <= {node.group_name for node in nodes}
    assert [node.key.to_user_string() for node in nodes if not (node.description or "").strip()] == []


def test_assets_are_one_connected_graph(graph: Graph) -> None:
    neighbours: dict[dg.AssetKey, set[dg.AssetKey]] = defaultdict(set)
    for key in graph.get_all_asset_keys():
        node = graph.get(key)
        neighbours[key] |= node.parent_keys | node.child_keys
    reached: set[dg.AssetKey] = set()
    waiting = [PUBLISHED]
    while waiting:
        key = waiting.pop()
        if key not in reached:
            reached.add(key)
            waiting.extend(neighbours[key])
    assert set(graph.get_all_asset_keys()) - reached == set(), "assets that hang on nothing"
    # What was told and chosen is kept when a date is published, and read by the scores of later dates: no graph has
    # such an edge.
    unmade = {key.to_user_string() for key in reached if not graph.get(key).is_materializable}
    assert unmade == {f"told/{name}" for name in ("tellings", "forecasts", "decisions", "build_list", "panel_choices")}


def ancestors(graph: Graph, key: dg.AssetKey) -> Iterator[dg.AssetKey]:
    for parent in graph.get(key).parent_keys:
        yield parent
        yield from ancestors(graph, parent)


def test_data_flows_from_raw_to_the_published_file(graph: Graph) -> None:
    upstream = {key.to_user_string() for key in ancestors(graph, PUBLISHED)}
    assert {
        "raw/tiktok_videos",
        "raw/tiktok_music",
        "raw/loads",
        "meta/cutoffs",
        "staging/stg_tiktok__videos",
        "intermediate/int_video_readings",
        "intermediate/int_video_metrics",
        "marts/videos_daily",
        "marts/video_readings",
        "marts/sounds_daily",
        "marts/source_health",
    } <= upstream
    marts = {
        key.to_user_string()
        for key in graph.materializable_asset_keys
        if graph.get(key).group_name == "marts" and key != PUBLISHED
    }
    assert marts <= upstream, "a mart that is published before it is built"
    raw = [key for key in graph.get_all_asset_keys() if key.path[0] in ("raw", "meta")]
    assert all(graph.get(key).group_name == "ingest" for key in raw)


def test_dbt_tests_are_asset_checks(graph: Graph) -> None:
    checks = {(key.asset_key.to_user_string(), key.name) for key in graph.asset_check_keys}
    assert {
        ("marts/videos_daily", "unique_grain_videos_daily"),
        ("marts/videos_daily", "never_null_videos_daily"),
        ("marts/videos_daily", "holds_videos_daily"),
        ("intermediate/int_video_readings", "unique_grain_int_video_readings"),
        ("marts/source_health", "never_null_source_health"),
    } <= checks
    manifest = json.loads(dbt_runner.ensure_manifest(PROJECT).read_text(encoding="utf-8"))
    tests = {node["name"] for node in manifest["nodes"].values() if node["resource_type"] == "test"}
    assert tests <= {name for _, name in checks}


def test_assets_share_the_days_and_the_writer_pool(graph: Graph) -> None:
    nodes = [graph.get(key) for key in graph.materializable_asset_keys if graph.get(key).group_name != "delivery"]
    assert {type(node.partitions_def) for node in nodes} == {dg.DailyPartitionsDefinition}
    writers = [node for node in nodes if node.group_name in ("ingest", "staging", "intermediate", "marts")]
    assert {pool for node in writers for pool in node.pools or set()} == {"duckdb_writer"}


def test_every_mart_column_is_described() -> None:
    described = dbt_runner.descriptions(dbt_runner.ensure_manifest(PROJECT))
    assert [name for name, table in described.items() if not table.text] == []
    assert [
        f"{name}.{column}" for name, table in described.items() for column, text in table.columns.items() if not text
    ] == []


def test_texts_that_columns_share_are_shown_in_full(graph: Graph) -> None:
    """Comments of the published file and the catalogue have the words of a docs block, not its name."""
    blocks = (PROJECT / "models" / "columns" / "shared.md").read_text(encoding="utf-8")
    described = dbt_runner.descriptions(dbt_runner.ensure_manifest(PROJECT))
    text = described["videos_daily"].columns["video_id"]
    assert f"{{% docs video_id %}}\n{text}\n{{% enddocs %}}" in blocks
    unfilled = [name for name, table in described.items() if any("{{" in one for one in table.columns.values())]
    assert unfilled == []
    schema = graph.get(dg.AssetKey(["marts", "videos_daily"])).metadata["dagster/column_schema"]
    [shown] = [column.description for column in schema.columns if column.name == "video_id"]
    assert shown.startswith(text)


def test_home_gets_its_storage_settings_once(tmp_path: Path) -> None:
    home = Path(instance.environment(Settings(trends_home=tmp_path), Store(tmp_path))["DAGSTER_HOME"])
    configuration = home / "dagster.yaml"
    assert configuration.read_text(encoding="utf-8") == (PROJECT / "orchestration" / "dagster.yaml").read_text(
        encoding="utf-8"
    )
    configuration.write_text("telemetry: {enabled: false}\n", encoding="utf-8")
    instance.environment(Settings(trends_home=tmp_path), Store(tmp_path))
    assert configuration.read_text(encoding="utf-8") == "telemetry: {enabled: false}\n", "a user's change stays"


def test_help_lists_the_commands() -> None:
    outcome = trends("--help")
    assert outcome.code == 0
    for command in ("run", "backfill", "publish", "ui"):
        assert f"\n    {command} " in outcome.out
