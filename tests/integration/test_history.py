"""The run history of a home: how much a run leaves in it, and what outlives the runs that are cleared away."""

import sqlite3
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from orchestration import history
from orchestration.event_log import KeptOpenSqliteEventLogStorage

DAYS = dg.DailyPartitionsDefinition("2026-03-01", end_date="2026-06-01")
ASSETS = ("first", "second")
TAGS = {"dagster/partition": "2026-03-02"}


@dg.multi_asset(
    specs=[dg.AssetSpec(name, partitions_def=DAYS) for name in ASSETS],
    check_specs=[dg.AssetCheckSpec("is_whole", asset="first")],
    backfill_policy=dg.BackfillPolicy.single_run(),
)
def tables(context: dg.AssetExecutionContext) -> Iterator[Any]:
    for name in ASSETS:
        yield dg.MaterializeResult(name, metadata={"note": "n" * 1000})
    yield dg.AssetCheckResult(asset_key="first", check_name="is_whole", passed=True)


@dg.asset(deps=["first"], partitions_def=DAYS, backfill_policy=dg.BackfillPolicy.single_run())
def last(context: dg.AssetExecutionContext) -> None:
    if context.run.tags.get("fails"):
        raise dg.Failure("as asked", allow_retries=False)


JOBS = [
    dg.define_asset_job("all_of_it", executor_def=dg.in_process_executor),
    dg.define_asset_job("other", selection=["last"], executor_def=dg.in_process_executor),
]
DEFINITIONS = dg.Definitions(assets=[tables, last], jobs=JOBS)


@pytest.fixture
def instance(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dg.DagsterInstance]:
    # As every process of a home has it.
    monkeypatch.setenv("DAGSTER_EVENT_BATCH_SIZE", "1000")
    overrides = {
        "event_log_storage": {
            "module": "orchestration.event_log",
            "class": "KeptOpenSqliteEventLogStorage",
            "config": {"dagster_home": str(tmp_path)},
        }
    }
    with dg.instance_for_test(temp_dir=str(tmp_path), overrides=overrides) as opened:
        yield opened


def run(instance: dg.DagsterInstance, day: str, job: str = "all_of_it", **tags: str) -> dg.ExecuteInProcessResult:
    found = DEFINITIONS.resolve_job_def(job)
    return found.execute_in_process(instance=instance, partition_key=day, tags=tags, raise_on_error=False)


def run_range(instance: dg.DagsterInstance, first: str, last_day: str) -> dg.ExecuteInProcessResult:
    tags = {"dagster/asset_partition_range_start": first, "dagster/asset_partition_range_end": last_day}
    return DEFINITIONS.resolve_job_def("all_of_it").execute_in_process(instance=instance, tags=tags)


def types(instance: dg.DagsterInstance, run_id: str) -> Counter[str]:
    return Counter(event.dagster_event_type.value for event in instance.all_logs(run_id) if event.dagster_event_type)


def index(instance: dg.DagsterInstance, sql: str) -> list[tuple[Any, ...]]:
    storage = instance.event_log_storage
    assert isinstance(storage, KeptOpenSqliteEventLogStorage)
    with sqlite3.connect(storage.path_for_shard("index")) as connection:
        return connection.execute(sql).fetchall()


def outcome(instance: dg.DagsterInstance) -> list[tuple[Any, ...]]:
    return index(instance, "select run_id, execution_status, partition from asset_check_executions order by id")


def test_a_run_that_went_well_keeps_what_it_made_and_not_what_it_planned(instance: dg.DagsterInstance) -> None:
    done = run(instance, "2026-03-02")
    assert done.success
    left = types(instance, done.run_id)
    assert (left["ASSET_MATERIALIZATION"], left["ASSET_CHECK_EVALUATION"], left["STEP_SUCCESS"]) == (3, 1, 2)
    assert left.keys().isdisjoint({"ASSET_MATERIALIZATION_PLANNED", "ASSET_CHECK_EVALUATION_PLANNED", "STEP_OUTPUT"})
    assert outcome(instance) == [(done.run_id, "SUCCEEDED", None)]


def test_a_range_of_dates_says_each_date_once_and_what_was_made_at_its_last(instance: dg.DagsterInstance) -> None:
    done = run_range(instance, "2026-03-01", "2026-05-29")
    assert types(instance, done.run_id)["ASSET_MATERIALIZATION"] == 3
    assert instance.get_materialized_partitions(dg.AssetKey("first")) == set(DAYS.get_partition_keys()[:90])
    records = instance.fetch_materializations(dg.AssetKey("first"), limit=100).records
    told = {record.partition_key: dict(record.asset_materialization.metadata) for record in records}  # type: ignore[union-attr]
    assert len(told) == 90
    assert {day for day, metadata in told.items() if metadata} == {"2026-05-29"}
    assert outcome(instance) == [(done.run_id, "SUCCEEDED", None)]
    [(largest,)] = index(instance, "select max(length(event)) from event_logs where partition < '2026-05-29'")
    assert largest < 750


def test_a_failed_run_is_executed_again_from_its_failure(instance: dg.DagsterInstance) -> None:
    failed = run(instance, "2026-03-02", fails="yes")
    assert not failed.success
    assert types(instance, failed.run_id)["STEP_OUTPUT"] == 3
    job = dg.reconstructable(all_of_it)
    options = dg.ReexecutionOptions.from_failure(failed.run_id, instance)
    # The tag that made it fail goes with the run: the same step is taken up, and no other.
    with dg.execute_job(job, instance=instance, tags=TAGS, reexecution_options=options) as again:
        assert {event.step_key for event in again.all_events if event.step_key and event.is_step_start} == {"last"}


def test_steps_of_a_run_that_went_well_are_executed_again(instance: dg.DagsterInstance) -> None:
    done = run(instance, "2026-03-02")
    options = dg.ReexecutionOptions(done.run_id, step_selection=["last"])
    with dg.execute_job(
        dg.reconstructable(all_of_it), instance=instance, tags=TAGS, reexecution_options=options
    ) as again:
        assert [event.step_key for event in again.all_events if event.is_step_success] == ["last"]


def all_of_it() -> dg.JobDefinition:
    """The job as another process would find it."""
    found: dg.JobDefinition = DEFINITIONS.resolve_job_def("all_of_it")
    return found


def test_a_repeat_leaves_the_index_as_large_as_it_was(instance: dg.DagsterInstance) -> None:
    run(instance, "2026-03-02")
    rows = index(instance, "select count(*) from event_logs where dagster_event_type like 'ASSET%'")
    again = run(instance, "2026-03-02")
    assert index(instance, "select count(*) from event_logs where dagster_event_type like 'ASSET%'") == rows
    assert outcome(instance) == [(again.run_id, "SUCCEEDED", None)]


def test_old_runs_go_and_what_they_made_stays(instance: dg.DagsterInstance, tmp_path: Path) -> None:
    old = [run(instance, day).run_id for day in ("2026-03-02", "2026-03-03")]
    other = run(instance, "2026-03-02", job="other").run_id
    failed = run(instance, "2026-03-05", fails="yes").run_id
    newest = run(instance, "2026-03-04").run_id
    job = DEFINITIONS.resolve_job_def("all_of_it")
    going_on = instance.create_run_for_job(job, status=dg.DagsterRunStatus.STARTED).run_id
    made = {asset: instance.get_materialized_partitions(dg.AssetKey(asset)) for asset in (*ASSETS, "last")}
    logs = tmp_path / "storage" / old[0]
    logs.mkdir(parents=True, exist_ok=True)
    assert history.clear(instance, datetime.now(UTC) + timedelta(days=1)) == 3
    left = {record.dagster_run.run_id for record in instance.get_run_records()}
    # The last run of each job and the one that goes on.
    assert left == {newest, other, going_on}
    assert {asset: instance.get_materialized_partitions(dg.AssetKey(asset)) for asset in made} == made
    record = instance.fetch_materializations(
        dg.AssetRecordsFilter(asset_key=dg.AssetKey("first"), asset_partitions=["2026-03-02"]), limit=1
    ).records[0]
    assert record.run_id == ""
    assert outcome(instance) == [(newest, "SUCCEEDED", None), (going_on, "PLANNED", None)]
    files = {path.name for path in (tmp_path / "history" / "runs").iterdir()}
    assert not {f"{run_id}.db" for run_id in (*old, failed)} & files
    assert not logs.exists()


def test_a_recent_run_stays_and_clearing_comes_once_a_day(instance: dg.DagsterInstance) -> None:
    for day in ("2026-03-02", "2026-03-03"):
        run(instance, day)
    assert history.clear_if_due(instance, days=1) == 0
    assert instance.get_runs_count() == 2
    assert history.clear(instance, datetime.now(UTC) + timedelta(days=1)) == 1
    run(instance, "2026-03-04")
    # The mark of the first call stands: nothing is looked at before tomorrow.
    assert history.clear_if_due(instance, days=-1) == 0


def test_files_give_room_back_unless_somebody_writes(tmp_path: Path) -> None:
    path = tmp_path / "history.db"
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("create table events (text)")
    connection.executemany("insert into events values (?)", [["x" * 2000]] * 5000)
    connection.execute("delete from events")
    before = path.stat().st_size
    connection.execute("begin immediate")
    history.give_back([path], float("inf"))
    assert path.stat().st_size == before
    connection.execute("commit")
    history.give_back([path, tmp_path / "absent.db"], float("inf"))
    assert path.stat().st_size < before / 100
    # From now on it needs not be written anew.
    connection.executemany("insert into events values (?)", [["x" * 2000]] * 500)
    connection.execute("delete from events")
    history.give_back([path], float("inf"))
    assert path.stat().st_size < before / 100
    connection.close()
