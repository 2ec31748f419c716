"""Sensors on a real instance against the local service: what they ask for, what the runs do, and what they never do."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from ingest.revenue import COLUMNS
from orchestration.definitions import build_defs
from orchestration.settings import Settings
from tests.service.server import Service, environment
from tests.support import build, published, trends, video, write_feed
from warehouse.store import Store

SENSORS = ("apify_run_finished", "revenue_sheet_changed", "run_failure_to_discord", "silence_to_discord")
DAY = "2026-01-05"
TASKS = {"US_VIDEO_TASK_ID": "user~us_video", "UK_VIDEO_TASK_ID": "user~uk_video"}
# The dashboard's tab: the day's rows are appended to it, revenue is read from it.
TRACKER: list[list[Any]] = [
    list(COLUMNS[:10]),
    ["https://www.tiktok.com/@x/video/7580000000000000001", "x", "", 120.5, 200, 10, 5, "", "", ""],
]  # fmt: skip


@pytest.fixture
def service() -> Iterator[Service]:
    """An account, a folder and a sheet, in the present."""
    service = Service()
    service.apify.clock.advance_to(datetime.now(UTC))
    service.drive.add_folder("parent", "Trends")
    service.sheets.add("book").add("REVENUE_TRACKER", TRACKER)
    with service.running():
        yield service
    assert service.violations == []


@pytest.fixture
def given(service: Service, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The settings that lead the product to the service."""
    further = {"DRIVE_FOLDER_ID": "parent", "DASHBOARD_SHEET_ID": "book", "APIFY_ITEM_FLOOR": "2"}
    values = environment(service) | further | TASKS
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    return values


@pytest.fixture
def home(tmp_path: Path) -> Store:
    return Store(tmp_path / "home")


def videos(hours_old: float = 10.0, plays: int = 10_000) -> list[dict[str, Any]]:
    posted = datetime.now(UTC) - timedelta(hours=hours_old)
    return [
        video(f"759000000000000000{n}", plays=plays * n, shares=900, posted=f"{posted:%Y-%m-%dT%H:%M:%S.000Z}")
        for n in range(1, 6)
    ]


def look(definitions: dg.Definitions, name: str, instance: dg.DagsterInstance, cursor: str | None = None) -> Any:
    """One tick of a sensor."""
    repository = definitions.get_repository_def()
    with dg.build_sensor_context(
        instance=instance, cursor=cursor, repository_def=repository, resources=dict(definitions.resources or {})
    ) as context:
        return repository.get_sensor_def(name).evaluate_tick(context)


def execute(definitions: dg.Definitions, job: str, request: Any, instance: dg.DagsterInstance) -> Any:
    """What the daemon does with a request."""
    resolved = definitions.resolve_job_def(job)
    return resolved.execute_in_process(
        instance=instance,
        run_config=request.run_config or None,
        partition_key=request.partition_key,
        raise_on_error=False,
    )


def test_sensors_run_where_their_settings_exist_and_else_say_what_is_missing(
    given: dict[str, str], home: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository = build_defs(Settings(trends_home=home.home)).get_repository_def()
    states = {name: repository.get_sensor_def(name).default_status for name in SENSORS}
    assert states == dict.fromkeys(SENSORS, dg.DefaultSensorStatus.RUNNING)
    for name in given:
        monkeypatch.delenv(name)
    repository = build_defs(Settings(trends_home=home.home)).get_repository_def()
    sensors = [repository.get_sensor_def(name) for name in SENSORS]
    assert {sensor.default_status for sensor in sensors} == {dg.DefaultSensorStatus.STOPPED}
    variables = ("APIFY_TOKEN", "DASHBOARD_SHEET_ID", "DISCORD_WEBHOOK", "DISCORD_WEBHOOK")
    for sensor, variable in zip(sensors, variables, strict=True):
        assert variable in str(sensor.description).split("Off, because")[1]


@pytest.mark.slow("a whole run")
def test_a_run_that_somebody_else_started_is_landed_without_paying_for_another(
    service: Service, given: dict[str, str], home: Store
) -> None:
    for task in TASKS.values():
        service.apify.add_task(task, videos(), seconds=0)
        service.apify.start(task)
    old = service.apify.start("user~us_video", started_at=datetime.now(UTC) - timedelta(days=3))
    definitions = build_defs(Settings(trends_home=home.home))
    with dg.instance_for_test() as instance:
        tick = look(definitions, "apify_run_finished", instance)
        (request,) = tick.run_requests
        assert request.run_key == "run000+run001"
        assert request.partition_key == f"{service.apify.runs['run000'].ends_at:%Y-%m-%d}"
        assert old.run_id not in request.run_key, "what is days old says nothing about now"
        assert look(definitions, "apify_run_finished", instance, tick.cursor).run_requests == []

        result = execute(definitions, "micro_poll", request, instance)
        assert result.success
        rows = build(home, "select market, run_id, item_count from raw.loads where status = 'landed' order by 1")
        assert rows == [("UK", "run001", 5), ("US", "run000", 5)]
        assert published(home, "select sum(new_readings) from marts.micro_polls") == [(10,)]
        # Also without a memory of what it asked for.
        assert "all of them are landed" in str(look(definitions, "apify_run_finished", instance).skip_message)
    assert service.count("apify.start") == 0
    assert build(home, "select count(*) from facts.meta.cutoffs") == [(0,)], "a date's daily run decides its cut-off"


@pytest.mark.slow("two whole runs")
def test_it_leaves_alone_what_a_run_may_be_landing(service: Service, given: dict[str, str], home: Store) -> None:
    service.apify.add_task("user~us_video", videos(), seconds=0)
    service.apify.add_task("user~uk_video", videos(), seconds=0)
    service.apify.start("user~us_video")
    definitions = build_defs(Settings(trends_home=home.home))
    with dg.instance_for_test() as instance:
        run = instance.create_run_for_job(
            definitions.resolve_job_def("daily"), status=dg.DagsterRunStatus.STARTED, tags={"dagster/partition": DAY}
        )
        assert "a run is under way" in str(look(definitions, "apify_run_finished", instance).skip_message)
        instance.delete_run(run.run_id)
        with home.lock():
            tick = look(definitions, "apify_run_finished", instance)
        assert len(tick.run_requests) == 1, "a home without a warehouse has nothing to wait for"


def received(home: Store) -> float:
    ((total,),) = published(home, "select total_received from marts.revenue_source")
    return float(total)


@pytest.mark.slow("a day, and two builds of revenue")
def test_an_edited_sheet_builds_revenue_and_nothing_else(
    service: Service, given: dict[str, str], home: Store, tmp_path: Path
) -> None:
    # A date knows what was entered by then: the sheet is read now.
    day = f"{datetime.now(UTC):%Y-%m-%d}"
    for market in ("us", "uk"):
        write_feed(tmp_path / "feeds", f"{day}T00:00", [video(), video("7590000000000000002")], market=market)
    arguments = ("run", "--source", tmp_path / "feeds", "--date", day, "--home", home.home)
    assert trends(*arguments).code == 0
    definitions = build_defs(Settings(trends_home=home.home))
    messages = {key: dict(message["payload"]) for key, message in service.discord.messages.items()}
    tracker = service.sheets.spreadsheets["book"].tab("REVENUE_TRACKER")
    assert received(home) == 120.5

    with dg.instance_for_test() as instance:
        first = look(definitions, "revenue_sheet_changed", instance)
        assert first.run_requests == [] and "unchanged" in str(first.skip_message)
        tracker.rows[1][3]["userEnteredValue"] = {"numberValue": 500}
        changed = look(definitions, "revenue_sheet_changed", instance, first.cursor)
        (request,) = changed.run_requests
        assert request.partition_key == day
        assert look(definitions, "revenue_sheet_changed", instance, changed.cursor).run_requests == []

        before = service.count("sheets.spreadsheets.batchUpdate"), service.count("discord.send")
        result = execute(definitions, "revenue", request, instance)
        assert result.success
    assert received(home) == 500
    built = {event.materialization.asset_key.to_user_string() for event in result.get_asset_materialization_events()}
    assert {"marts/template_revenue", "marts/my_performance", "exports/summary_report", "delivery/drive"} <= built
    assert not built & {"marts/videos_daily", "marts/forecasts", "raw/tiktok_videos", "exports/trend_system_us"}
    assert "$500" in (home.output / day / f"SUMMARY_REPORT_{day}.txt").read_text(encoding="utf-8")
    # Drive has the new files under the old names; nothing was said or appended.
    uploaded = [file["name"] for file in service.drive.files.values() if file["name"].startswith("SUMMARY_REPORT")]
    assert len(uploaded) == 1
    summary = next(file for file in service.drive.files.values() if file["name"].startswith("SUMMARY_REPORT"))
    assert b"$500" in summary["content"]
    assert (service.count("sheets.spreadsheets.batchUpdate"), service.count("discord.send")) == before
    assert {key: dict(message["payload"]) for key, message in service.discord.messages.items()} == messages
    # The date was built as a whole before, and stays so: a repeat reads the revenue it was given.
    tracker.rows[1][3]["userEnteredValue"] = {"numberValue": 900}
    assert trends(*arguments, "--no-deliver").code == 0
    assert received(home) == 500


def test_part_of_a_date_that_was_never_built_is_refused(given: dict[str, str], home: Store) -> None:
    today = datetime.now(UTC).date()
    definitions = build_defs(Settings(trends_home=home.home, deliver=False))
    with dg.instance_for_test() as instance:
        result = execute(definitions, "revenue", dg.RunRequest(partition_key=str(today)), instance)
        assert not result.success
        (failed,) = [event for event in result.all_events if event.is_step_failure]
        assert "Run the job `daily` for it" in failed.step_failure_data.user_failure_data.description


def test_a_failed_run_is_told_once(service: Service, given: dict[str, str], home: Store, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    today = datetime.now(UTC).date()
    settings = Settings(trends_home=home.home)
    definitions = build_defs(settings)
    sensor = definitions.get_repository_def().get_sensor_def("run_failure_to_discord")
    config = {"ops": {"raw_feeds": {"config": {"source": str(tmp_path / "empty")}}}}
    with dg.instance_for_test() as instance:
        request = dg.RunRequest(partition_key=str(today), run_config=config)
        result = execute(definitions, "daily", request, instance)
        assert not result.success
        (event,) = [event for event in result.all_events if event.event_type_value == "PIPELINE_FAILURE"]
        for _ in range(2):
            context = dg.build_run_status_sensor_context(
                sensor_name=sensor.name,
                dagster_event=event,
                dagster_instance=instance,
                dagster_run=result.dagster_run,
                resources={"settings": settings, "store": home},
            ).for_run_failure()
            sensor(context)
    (message,) = service.discord.messages.values()
    (embed,) = message["payload"]["embeds"]
    assert embed["title"].startswith("❌ Run failed: daily")
    assert f"has no feed for {today}" in str(embed)
    assert ("Step", "raw\\_feeds") in [(field["name"], field["value"]) for field in embed["fields"]]
