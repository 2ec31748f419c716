"""The Dagster UI as an operator uses it: `trends ui` in processes of its own, its own API, and its pages in a browser.

Screenshots of the pages are kept where TRENDS_SCREENSHOTS names a directory.
"""

from __future__ import annotations

import base64
import hashlib
import os
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pytest
from lxml import etree

from engine import compiler
from simulator import SimulatorConfig, simulate, write_export_folder
from tests.browser import CHROMIUM, Page, browser
from tests.service.server import Service
from tests.support import PROJECT, build, published
from tests.ui import LOCATION, UI, Json, running_ui, wait_until
from warehouse.store import Store

FIRST, MIDDLE, DAY = "2026-03-04", "2026-03-05", "2026-03-06"
GROUPS = {"ingest", "staging", "intermediate", "marts", "exports", "delivery"}
MANIFEST_AND_WHAT_IT_LISTS = ("manifest", "dashboard_payload", "summary_report", "trends")
SHOWN_AUTOMATIONS = (
    "daily_09_utc", "micro_poll_2h", "apify_run_finished", "revenue_sheet_changed", "run_failure_to_discord",
    "Standard sensor", "Run status sensor", "Scheduled At 09:00 AM UTC",
)  # fmt: skip


PICTURES = {
    "raw/tiktok_videos": "items_per_day",
    "marts/videos_daily": "videos_per_day",
    "exports/trend_report": "expected_gains",
}


@pytest.fixture(scope="module")
def ui(tmp_path_factory: pytest.TempPathFactory) -> Iterator[UI]:
    """`trends ui` on a new home with Discord, but neither Apify nor Google, and three days of feeds."""
    directory = tmp_path_factory.mktemp("ui")
    # The catalogue shows columns from the first run on: this may be it.
    compiler.compiled(PROJECT)
    write_export_folder(
        simulate(SimulatorConfig(seed=3, start=date(2026, 3, 4), days=3, videos_per_day=60)), directory / "feeds"
    )
    service = Service()
    environment = {"DISCORD_WEBHOOK": service.webhook_url}
    with service.running(), running_ui(Store(directory / "home"), service, directory / "feeds", environment) as ui:
        yield ui
    assert service.violations == []


AUTOMATIONS = """query($repository: RepositorySelector!) { repositoryOrError(repositorySelector: $repository) {
    ... on Repository {
        jobs { name description } assetGroups { groupName }
        schedules { name description scheduleState { id selectorId status } }
        sensors { name description sensorState { id selectorId status } }
    } } }"""


def test_schedules_run_and_sensors_say_what_they_lack(ui: UI) -> None:
    repository = ui.ask(AUTOMATIONS, repository=LOCATION)
    assert {"daily", "backfill", "micro_poll", "revenue"} <= {job["name"] for job in repository["jobs"]}
    schedules = {schedule["name"]: schedule["scheduleState"] for schedule in repository["schedules"]}
    assert {name: state["status"] for name, state in schedules.items()} == {
        "daily_09_utc": "RUNNING",
        "micro_poll_2h": "RUNNING",
    }
    sensors = {sensor["name"]: sensor for sensor in repository["sensors"]}
    assert {name: sensor["sensorState"]["status"] for name, sensor in sensors.items()} == {
        "apify_run_finished": "STOPPED",
        "revenue_sheet_changed": "STOPPED",
        "run_failure_to_discord": "RUNNING",
        "silence_to_discord": "RUNNING",
    }
    assert "Off, because APIFY_TOKEN is not set" in sensors["apify_run_finished"]["description"]
    assert "Off, because no sheet is set (DASHBOARD_SHEET_ID" in sensors["revenue_sheet_changed"]["description"]
    told = [item for kind in ("jobs", "schedules", "sensors") for item in repository[kind]]
    assert [item["name"] for item in told if not item["description"]] == ["__ASSET_JOB"], "Dagster's own"
    # Paused as an operator pauses it: no poll comes between the runs of the other tests.
    for state in schedules.values():
        stopped = ui.ask(
            """mutation($id: String!) { stopRunningSchedule(id: $id) {
                ... on ScheduleStateResult { scheduleState { status } } ... on PythonError { message } } }""",
            id=state["id"],
        )
        assert stopped == {"scheduleState": {"status": "STOPPED"}}


GRAPH = """{ assetNodes { assetKey { path } groupName description owners { ... on UserAssetOwner { email }
    ... on TeamAssetOwner { team } } kinds hasMaterializePermission isPartitioned
    dependencyKeys { path } dependedByKeys { path } freshnessPolicy: internalFreshnessPolicy { __typename }
    metadataEntries { label ... on TableSchemaMetadataEntry { schema { columns { name type description } } }
        ... on TableColumnLineageMetadataEntry { lineage { columnName columnDeps { assetKey { path } columnName } } } }
} }"""


def test_the_asset_graph_is_connected_and_tells_who_what_and_how(ui: UI) -> None:
    nodes = {tuple(node["assetKey"]["path"]): node for node in ui.ask(GRAPH)}
    neighbours: dict[tuple[str, ...], set[tuple[str, ...]]] = defaultdict(set)
    for key, node in nodes.items():
        neighbours[key] = {tuple(other["path"]) for other in node["dependencyKeys"] + node["dependedByKeys"]}
    reached: set[tuple[str, ...]] = set()
    waiting: list[tuple[str, ...]] = [("warehouse", "trends")]
    while waiting:
        key = waiting.pop()
        if key not in reached:
            reached.add(key)
            waiting.extend(neighbours[key])
    assert nodes.keys() - reached == set()
    assert reached - nodes.keys() == set(), "a parent that nothing makes"
    # What was told is written by publishing and read by the models of later dates: Dagster knows it as a parent alone.
    told = {key for key in nodes if key[0] == "told"}
    assert {key[1] for key in told} == {"tellings", "forecasts", "decisions", "build_list", "panel_choices"}
    for what in ("groupName", "description", "kinds", "isPartitioned", "owners"):
        assert [key for key, node in nodes.items() if not node[what] and key not in told] == [], what


def test_columns_have_types_meanings_and_sources(ui: UI) -> None:
    nodes = {
        "/".join(node["assetKey"]["path"]): {entry["label"]: entry for entry in node["metadataEntries"]}
        for node in ui.ask(GRAPH)
    }
    tables = [name for name in nodes if name.split("/")[0] in ("raw", "staging", "intermediate", "marts", "seeds")]
    assert [name for name in tables if "dagster/column_schema" not in nodes[name]] == []
    columns = {
        column["name"]: column for column in nodes["marts/videos_daily"]["dagster/column_schema"]["schema"]["columns"]
    }
    assert columns["momentum_score"]["type"] == "double"
    assert columns["author_role"]["description"].endswith("From `int_accounts.role`.")
    assert all(column["description"] for column in columns.values())
    lineage = {
        entry["columnName"]: [
            ("/".join(source["assetKey"]["path"]), source["columnName"]) for source in entry["columnDeps"]
        ]
        for entry in nodes["marts/videos_daily"]["dagster/column_lineage"]["lineage"]
    }
    assert lineage["author_role"] == [("intermediate/int_accounts", "role")]
    assert lineage["video_url"] == [("staging/stg_tiktok__videos", "video_url")]
    sources = {source for entries in lineage.values() for source, _ in entries}
    assert sources <= nodes.keys(), "a source that the catalogue does not know"


def test_what_every_day_must_bring_has_a_freshness_policy(ui: UI) -> None:
    policed = {"/".join(node["assetKey"]["path"]) for node in ui.ask(GRAPH) if node["freshnessPolicy"]}
    assert {"raw/tiktok_videos", "raw/loads", "warehouse/trends", "exports/summary_report"} <= policed
    assert not any(name.startswith(("delivery/", "seeds/")) for name in policed), "what may not be set up is not late"


def materialized(run: Json) -> dict[str, Json]:
    """Metadata of the newest materialization of each asset of a run: counts and texts by label."""
    return {
        "/".join(event["assetKey"]["path"]): {
            entry["label"]: entry.get("intValue", entry.get("mdStr", entry.get("text")))
            for entry in event["metadataEntries"]
        }
        for event in run["eventConnection"]["events"]
        if "metadataEntries" in event
    }


def checks(run: Json) -> list[Json]:
    return [event["evaluation"] for event in run["eventConnection"]["events"] if "evaluation" in event]


def failures(run: Json) -> list[str]:
    return [event["error"]["message"] for event in run["eventConnection"]["events"] if "error" in event]


@dataclass(frozen=True, slots=True)
class Launched:
    """Ids of what was launched first: Dagster looks for backfills twice a minute, the other tests go on meanwhile."""

    daily: str
    backfill: str


BACKFILL = """mutation($params: LaunchBackfillParams!) { launchPartitionBackfill(backfillParams: $params) {
    __typename ... on LaunchBackfillSuccess { backfillId } ... on PythonError { message } } }"""
BACKFILL_RUNS = """query($id: String!) { partitionBackfillOrError(backfillId: $id) {
    ... on PartitionBackfill { status error { message } runs { id } } } }"""


@pytest.fixture(scope="module")
def launched(ui: UI) -> Launched:
    """The daily job of the last date, and behind it a backfill of the two dates before, from what is landed then."""
    daily = ui.launch("daily", DAY, {"ops": {"raw_feeds": {"config": {"source": str(ui.feeds)}}}})
    backfill = ui.ask(
        BACKFILL,
        params={
            "selector": {"partitionSetName": "backfill_partition_set", "repositorySelector": LOCATION},
            "partitionNames": [FIRST, MIDDLE],
        },
    )
    assert backfill["__typename"] == "LaunchBackfillSuccess", backfill
    return Launched(daily, backfill["backfillId"])


@pytest.fixture(scope="module")
def daily(ui: UI, launched: Launched) -> Json:
    """The ended daily run."""
    return ui.ended(launched.daily)


def test_a_date_is_run_with_checks_and_row_counts(ui: UI, daily: Json) -> None:
    assert (daily["status"], failures(daily)) == ("SUCCESS", [])
    evaluated = checks(daily)
    assert len(evaluated) > 100
    assert [check["checkName"] for check in evaluated if not check["success"]] == []
    made = materialized(daily)
    assert {"raw/tiktok_videos", "marts/videos_daily", "warehouse/trends", "exports/manifest"} <= made.keys()
    delivered = [name for name in made if name.startswith("delivery/")]
    assert delivered == ["delivery/discord_report"], "what is not set up leaves no materialization"
    tables = [name for name in made if name.split("/")[0] in ("raw", "meta", "staging", "intermediate", "marts")]
    assert len(tables) > 80
    assert [name for name in tables if made[name].get("dagster/row_count") is None] == []
    ((rows,),) = build(ui.store, "select count(*) from raw.tiktok_videos")
    assert made["raw/tiktok_videos"]["dagster/row_count"] == rows > 0
    assert made["marts/videos_daily"]["dagster/row_count"] > 0
    # US_AI, US_NON_AI and so on: at most 20 rows in each of six tabs, beside a first page and the own posts.
    assert (
        0
        < made["exports/build_today_top20"]["dagster/row_count"]
        < made["exports/build_today_top100"]["dagster/row_count"]
    )
    for name, label in PICTURES.items():
        kind, encoded = made[name][label].removeprefix("![").split("](")[1].removesuffix(")").split(",")
        assert kind == "data:image/svg+xml;base64"
        assert etree.fromstring(base64.b64decode(encoded)).tag == "{http://www.w3.org/2000/svg}svg"


def written(ui: UI) -> dict[str, tuple[int, str]]:
    """Time of writing and hash of each of the date's files."""
    return {
        path.name: (path.stat().st_mtime_ns, hashlib.sha256(path.read_bytes()).hexdigest())
        for path in (ui.store.output / DAY).iterdir()
    }


def test_one_workbook_or_one_delivery_alone(ui: UI, daily: Json) -> None:
    top20 = f"BUILD_TODAY_TOP20_{DAY}.xlsx"
    (ui.store.output / DAY / top20).unlink()
    before, sent = written(ui), dict(ui.service.discord.messages)
    assets = ("exports/build_today_top20", "delivery/discord_report")
    workbook, delivery = (ui.ended(run) for run in [ui.launch("daily", DAY, None, [asset]) for asset in assets])
    assert (workbook["status"], list(materialized(workbook))) == ("SUCCESS", ["exports/build_today_top20"])
    after = written(ui)
    assert after.keys() - before.keys() == {top20}
    assert {name: after[name] for name in before} == before
    assert (delivery["status"], list(materialized(delivery))) == ("SUCCESS", ["delivery/discord_report"])
    assert ui.service.discord.messages.keys() == sent.keys(), "the day's message is edited, none is added"


# ---------- pages


@pytest.fixture(scope="module")
def page(ui: UI, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with browser(tmp_path_factory.mktemp("chromium")) as opened:
        yield opened


# Width of the picture in the dialog, as soon as it is there.
SHOWN_PICTURE = """new Promise(resolve => {
    const look = () => {
        const found = [...document.images].filter(image => image.src.startsWith('data:image/svg') && image.naturalWidth)
        found.length ? resolve(found[0].naturalWidth) : setTimeout(look, 100)
    }
    look()
})"""


def keep(page: Page, name: str) -> None:
    if "TRENDS_SCREENSHOTS" in os.environ:
        directory = Path(os.environ["TRENDS_SCREENSHOTS"])
        directory.mkdir(parents=True, exist_ok=True)
        page.screenshot(directory / f"{name}.png")


looked_at = pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed: the pages are not looked at")


@looked_at
def test_pages_of_the_graph(ui: UI, daily: Json, page: Page) -> None:
    groups = [f"\n{group}\n" for group in sorted(GROUPS)]
    shown = page.open(f"{ui.url}/asset-groups", *groups)
    assert [group for group in groups if group not in shown] == []
    keep(page, "lineage")
    shown = page.open(
        f"{ui.url}/locations/orchestration.definitions/asset-groups/exports/lineage", *MANIFEST_AND_WHAT_IT_LISTS
    )
    assert [text for text in MANIFEST_AND_WHAT_IT_LISTS if text not in shown] == []
    keep(page, "lineage_of_files")


@looked_at
def test_pages_of_an_asset(ui: UI, daily: Json, page: Page) -> None:
    # Whether the newest date is the daily run's or the backfill's depends on the clock.
    page.open(f"{ui.url}/assets/marts/videos_daily", "One row per as-of date, market and video", "momentum_score")
    keep(page, "mart")
    page.open(f"{ui.url}/assets/marts/videos_daily?view=checks", "unique_grain_videos_daily", "Passed")
    keep(page, "checks")
    page.open(f"{ui.url}/assets/exports/trend_report", "TREND_REPORT", "Freshness policy", "[Show Markdown]")
    keep(page, "file")
    page.click("[Show Markdown]")
    width = page.evaluate(SHOWN_PICTURE)
    assert width == 696, "the picture is drawn"
    keep(page, "plot")


@looked_at
def test_pages_of_runs_and_automation(ui: UI, daily: Json, launched: Launched, page: Page) -> None:
    page.open(f"{ui.url}/runs/{launched.daily}", "Success", "dbt_models", "daily_files", "deliver")
    keep(page, "run")
    shown = page.open(f"{ui.url}/automation", *SHOWN_AUTOMATIONS)
    assert [text for text in SHOWN_AUTOMATIONS if text not in shown] == []
    keep(page, "automation")
    why = "Off, because APIFY_TOKEN"
    assert why in page.open(f"{ui.url}/locations/orchestration.definitions/sensors/apify_run_finished", why)
    keep(page, "sensor")


# ---------- last, because it has waited longest


def test_landed_dates_are_backfilled_in_one_run(ui: UI, daily: Json, launched: Launched) -> None:
    messages = len(ui.service.discord.messages)
    runs = lambda: ui.ask(BACKFILL_RUNS, id=launched.backfill)["runs"]  # noqa: E731
    (run,) = wait_until(runs, 60, "the daemon takes up the backfill")
    ended = ui.ended(run["id"])
    assert (ended["status"], failures(ended)) == ("SUCCESS", [])
    tags = {tag["key"]: tag["value"] for tag in ended["tags"]}
    assert (tags["dagster/asset_partition_range_start"], tags["dagster/asset_partition_range_end"]) == (FIRST, MIDDLE)
    days = published(ui.store, "select distinct as_of_date::varchar from marts.videos_daily order by 1")
    assert days == [(FIRST,), (MIDDLE,), (DAY,)]
    assert (ui.store.output / MIDDLE / f"BUILD_TODAY_TOP20_{MIDDLE}.xlsx").exists()
    assert not (ui.store.output / FIRST).exists(), "files of the past are made where somebody asks for them"
    assert len(ui.service.discord.messages) == messages, "what is past is not news"
    assert runs() == [run]
