"""A failed daily run, re-executed from its failure through Dagster: only what failed is done, nothing is sent twice."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

import dagster as dg
import pytest

from ingest.revenue import COLUMNS
from orchestration.assets import delivery
from orchestration.definitions import build_defs
from orchestration.settings import Settings
from tests.service.faults import Fault
from tests.service.server import Service, environment
from tests.support import video, write_feed
from warehouse.store import Store

pytestmark = pytest.mark.slow("runs that fail and their re-executions")

DAY = "2026-01-05"
PARTITION = {"dagster/partition": DAY}
TRACKER = list(COLUMNS[:10])
# An own account of seeds/accounts.csv, so that the dashboard has rows.
OWN = {"name": "sim.own.editor", "id": "2"}


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    service = Service()
    service.drive.add_folder("parent", "Trends")
    service.sheets.add("book").add("REVENUE_TRACKER", [TRACKER])
    with service.running():
        yield service
    assert service.violations == []


@pytest.fixture(scope="module")
def home(service: Service, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """A home whose settings lead to the service."""
    store = Store(tmp_path_factory.mktemp("home"))
    given = environment(service) | {
        "TRENDS_HOME": str(store.home), "DRIVE_FOLDER_ID": "parent", "DASHBOARD_SHEET_ID": "book",
        "RETRY_WAIT_S": "0.01",
    }  # fmt: skip
    del given["APIFY_TOKEN"]
    with pytest.MonkeyPatch.context() as patch:
        for name, value in given.items():
            patch.setenv(name, value)
        yield store


@pytest.fixture(scope="module")
def feeds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("feeds")
    items = [video("7590000000000000001", shares=4000, plays=90_000), video("7590000000000000002", authorMeta=OWN)]
    for market in ("us", "uk"):
        write_feed(directory, f"{DAY}T08:00", items, market=market)
    return directory


@pytest.fixture(scope="module")
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.instance_for_test() as opened:
        yield opened


def daily() -> dg.JobDefinition:
    """The job as Dagster finds it in every process that runs it."""
    job: dg.JobDefinition = build_defs(Settings(), first_date=date.fromisoformat(DAY)).resolve_job_def("daily")
    return job


def deliveries() -> dg.JobDefinition:
    """What the UI runs where the deliveries of a date are selected."""
    selection = [delivery.DRIVE, delivery.DASHBOARD, delivery.DISCORD]
    return daily().get_subset(asset_selection=set(selection))


def from_failure(
    job: Callable[[], dg.JobDefinition], instance: dg.DagsterInstance, failed: dg.JobExecutionResult
) -> dg.JobExecutionResult:
    options = dg.ReexecutionOptions.from_failure(failed.run_id, instance)
    # The UI hands the tags of the failed run on, this function doesn't.
    return dg.execute_job(dg.reconstructable(job), instance, reexecution_options=options, tags=PARTITION)


def steps(result: dg.JobExecutionResult, what: str) -> list[str]:
    return sorted(str(event.step_key) for event in result.all_events if event.event_type_value == what)


def arrived(service: Service) -> tuple[dict[str, str], dict[str, int], list[str]]:
    """Files of Drive with their content's hash, rows of each tab, messages."""
    return (
        {file["name"]: file["md5Checksum"] for file in service.drive.files.values() if "content" in file},
        {tab.title: len(tab.rows) for tab in service.sheets.spreadsheets["book"].tabs},
        list(service.discord.messages),
    )


def times(directory: Path) -> dict[str, int]:
    return {path.name: path.stat().st_mtime_ns for path in directory.iterdir() if path.is_file()}


@pytest.fixture(scope="module")
def mended(
    instance: dg.DagsterInstance, home: Store, feeds: Path, service: Service
) -> tuple[dg.JobExecutionResult, dg.JobExecutionResult, dict[str, int]]:
    """A run in which one workbook could not be written, its re-execution, and the files between them."""
    obstacle = home.output / DAY / f"BUILD_TODAY_TOP20_{DAY}.xlsx"
    obstacle.mkdir(parents=True)
    config = {"ops": {"raw_feeds": {"config": {"source": str(feeds)}}}}
    failed = dg.execute_job(dg.reconstructable(daily), instance, run_config=config, tags=PARTITION)
    between = times(home.output / DAY)
    assert arrived(service)[2] == [], "nothing is delivered of a day that is not complete"
    obstacle.rmdir()
    return failed, from_failure(daily, instance, failed), between


Mended = tuple[dg.JobExecutionResult, dg.JobExecutionResult, dict[str, int]]


def test_only_the_failed_workbook_and_what_waits_for_it_are_made(home: Store, mended: Mended) -> None:
    failed, again, between = mended
    assert not failed.success and again.success
    assert steps(failed, "STEP_FAILURE") == ["daily_files"]
    assert {"raw_feeds", "dbt_models", "warehouse__trends"} <= set(steps(failed, "STEP_SUCCESS"))
    assert steps(again, "STEP_START") == ["daily_files", "deliver", "exports__manifest"]
    after = times(home.output / DAY)
    assert {f"BUILD_TODAY_TOP20_{DAY}.xlsx", f"manifest_{DAY}.json"} <= after.keys() - between.keys()
    assert {name: after[name] for name in between} == between, "what stands is not written anew"


def test_the_re_executed_run_delivers_the_day_once(home: Store, mended: Mended, service: Service) -> None:
    files, rows, messages = arrived(service)
    assert files.keys() == times(home.output / DAY).keys()
    assert rows["DATA_FEED"] > 1
    assert len(messages) == 1


def test_a_delivery_that_failed_is_made_and_the_others_are_not_made_twice(
    instance: dg.DagsterInstance, home: Store, mended: Mended, service: Service
) -> None:
    _, rows, messages = arrived(service)
    # Somebody threw the day's files away, and then Drive refuses.
    for file_id in [key for key, file in service.drive.files.items() if "content" in file]:
        del service.drive.files[file_id]
    service.faults.add("drive*", Fault("status", 403, times=100))
    failed = dg.execute_job(dg.reconstructable(deliveries), instance, tags=PARTITION)
    assert not failed.success
    assert steps(failed, "STEP_FAILURE") == ["deliver"]
    assert arrived(service) == ({}, rows, messages)
    service.faults.clear()
    again = from_failure(deliveries, instance, failed)
    assert again.success
    assert steps(again, "STEP_START") == ["deliver"]
    made = {
        event.materialization.asset_key.to_user_string() for event in again.all_events if event.is_step_materialization
    }
    assert "delivery/drive" in made
    files, *rest = arrived(service)
    assert files.keys() == times(home.output / DAY).keys()
    assert rest == [rows, messages], "no row and no message came twice"
