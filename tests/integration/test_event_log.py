"""The event log that keeps its databases open, beside Dagster's own on the same files."""

from __future__ import annotations

import json
import sqlite3
import threading
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from dagster import (
    AssetCheckEvaluation,
    AssetKey,
    AssetMaterialization,
    DagsterEvent,
    DagsterEventType,
    EventLogEntry,
    EventRecordsFilter,
)
from dagster._core.definitions.asset_checks.asset_check_evaluation import (
    AssetCheckEvaluationPlanned,
    AssetCheckEvaluationTargetMaterializationData,
)
from dagster._core.events import AssetMaterializationPlannedData, StepMaterializationData
from dagster._core.execution.plan.outputs import StepOutputData, StepOutputHandle
from dagster._core.storage.event_log import SqliteEventLogStorage
from dagster._core.utils import make_new_run_id

from orchestration import thrift
from orchestration.event_log import KeptOpenSqliteEventLogStorage


def entry(run_id: str, message: str) -> EventLogEntry:
    return EventLogEntry(error_info=None, level="info", user_message=message, run_id=run_id, timestamp=1.0)


def messages(storage: SqliteEventLogStorage, run_id: str) -> list[str]:
    return [event.user_message for event in storage.get_logs_for_run(run_id)]


def test_events_of_one_transaction_are_seen_together_and_by_dagsters_own_class(tmp_path: Path) -> None:
    ours, dagsters, run_id = (
        KeptOpenSqliteEventLogStorage(str(tmp_path)),
        SqliteEventLogStorage(str(tmp_path)),
        make_new_run_id(),
    )
    ours.store_event(entry(run_id, "alone"))
    with ours.one_transaction(run_id):
        ours.store_event(entry(run_id, "first"))
        ours.store_event(entry(run_id, "second"))
        assert messages(ours, run_id) == ["alone", "first", "second"]
        # As Dagster does for a range of dates.
        ours.store_event_batch([entry(run_id, "third"), entry(run_id, "fourth")])
        ours.store_event(entry(run_id, "fifth"))
        assert messages(dagsters, run_id) == ["alone"]
    together = ["first", "second", "third", "fourth", "fifth"]
    assert messages(dagsters, run_id) == ["alone", *together]
    ours.store_event_batch([entry(run_id, "sixth")])
    assert messages(dagsters, run_id)[6:] == ["sixth"]
    dagsters.store_event(entry(run_id, "by the other"))
    assert messages(ours, run_id)[7:] == ["by the other"]
    ours.dispose()


def planned(run_id: str, asset: str, day: str) -> EventLogEntry:
    plan = DagsterEvent.build_asset_materialization_planned_event(
        "daily", "step", AssetMaterializationPlannedData(AssetKey(asset), partition=day)
    )
    return of_asset(run_id, plan)


def made(run_id: str, asset: str, day: str) -> EventLogEntry:
    materialization = AssetMaterialization(
        AssetKey(asset), partition=day, metadata={"rows": int(day[-2:])}, tags={"dagster/data_version": day}
    )
    return of_asset(
        run_id,
        DagsterEvent(
            DagsterEventType.ASSET_MATERIALIZATION.value, "daily", message="made", step_key="step",
            event_specific_data=StepMaterializationData(materialization),
        ),
    )  # fmt: skip


def of_asset(run_id: str, told: DagsterEvent) -> EventLogEntry:
    return EventLogEntry(
        error_info=None, level="info", user_message="", run_id=run_id, timestamp=1.0, job_name="daily",
        step_key=told.step_key, dagster_event=told,
    )  # fmt: skip


def test_events_of_a_range_of_dates_tell_dagster_what_single_ones_do(tmp_path: Path) -> None:
    """Partitions, the newest event of each asset, its tags, and the log of the run."""
    days, assets, run_id = ["2026-03-01", "2026-03-02", "2026-03-03"], ["videos", "sounds"], make_new_run_id()
    plans = [planned(run_id, asset, day) for asset in assets for day in days]
    events = [made(run_id, asset, day) for day in days for asset in assets]
    ours, dagsters = KeptOpenSqliteEventLogStorage(str(tmp_path / "a")), SqliteEventLogStorage(str(tmp_path / "b"))
    ours.store_event_batch(plans)
    ours.store_event_batch(events)
    for event in (*plans, *events):
        dagsters.store_event(event)
    keys = [AssetKey(asset) for asset in assets]
    for storage in (ours, dagsters):
        assert set(storage.all_asset_keys()) == set(keys)
        for kind in (DagsterEventType.ASSET_MATERIALIZATION_PLANNED, DagsterEventType.ASSET_MATERIALIZATION):
            for key in keys:
                assert storage.get_materialized_partitions(key) == set(days)
                records = storage.get_event_records(EventRecordsFilter(kind, asset_key=key), ascending=True)
                assert [record.partition_key for record in records] == days
                assert {(record.run_id, record.timestamp) for record in records} == {(run_id, 1.0)}
        for record in storage.get_asset_records(keys):
            newest = record.asset_entry.last_materialization
            assert newest is not None
            assert newest.asset_materialization is not None
            assert newest.asset_materialization.partition == days[-1]
            assert newest.asset_materialization.metadata["rows"].value == 3
            tags = storage.get_event_tags_for_asset(record.asset_entry.asset_key)
            assert {"dagster/data_version": days[-1]} in [dict(found) for found in tags]
        of_run = storage.get_logs_for_run(run_id, of_type=DagsterEventType.ASSET_MATERIALIZATION)
        assert len(of_run) == len(events)
    ours.dispose()


def checked(run_id: str, check: str, *, has_passed: bool) -> EventLogEntry:
    target = AssetCheckEvaluationTargetMaterializationData(storage_id=7, run_id=run_id, timestamp=1.0)
    outcome = AssetCheckEvaluation(AssetKey("videos"), check, has_passed, target_materialization_data=target)
    return of_step(run_id, DagsterEventType.ASSET_CHECK_EVALUATION, outcome)


def of_step(run_id: str, kind: DagsterEventType, data: Any) -> EventLogEntry:
    return of_asset(run_id, DagsterEvent(kind.value, "daily", step_key="step", event_specific_data=data))


def test_single_events_leave_the_rows_that_dagsters_own_class_leaves(tmp_path: Path) -> None:
    """Planned or not, made twice, passed or failed: each column of each table but for the moments rows were made."""
    run_id = make_new_run_id()
    plans = [
        AssetCheckEvaluationPlanned(asset_key=AssetKey("videos"), check_name=name) for name in ("unique", "not_null")
    ]
    events = [
        planned(run_id, "videos", "2026-03-01"),
        *(of_step(run_id, DagsterEventType.ASSET_CHECK_EVALUATION_PLANNED, plan) for plan in plans),
        of_step(run_id, DagsterEventType.STEP_OUTPUT, StepOutputData(StepOutputHandle("step", "videos"))),
        made(run_id, "videos", "2026-03-01"),
        made(run_id, "videos", "2026-03-02"),
        made(run_id, "never planned", "2026-03-01"),
        checked(run_id, "unique", has_passed=True),
        checked(run_id, "not_null", has_passed=False),
        checked(run_id, "never planned", has_passed=True),
    ]
    ours, dagsters = KeptOpenSqliteEventLogStorage(str(tmp_path / "a")), SqliteEventLogStorage(str(tmp_path / "b"))
    for event in events:
        ours.store_event(event)
        dagsters.store_event(thrift.thin(event))
    ours.dispose()
    counts = {"event_logs": 9, "asset_keys": 2, "asset_event_tags": 3, "asset_check_executions": 3}
    for table, count in counts.items():
        found = rows_of(tmp_path / "a" / "index.db", table)
        assert len(found) == count, table
        assert found == rows_of(tmp_path / "b" / "index.db", table), table
    # What was planned is in the index alone.
    of_run = [row[1:] for row in rows_of(tmp_path / "b" / f"{run_id}.db", "event_logs") if "PLANNED" not in row[3]]
    assert [row[1:] for row in rows_of(tmp_path / "a" / f"{run_id}.db", "event_logs")] == of_run


def rows_of(database: Path, table: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(database)) as connection:
        names = [row[1] for row in connection.execute(f"pragma table_info({table})") if row[1] != "create_timestamp"]
        rows = connection.execute(f"select {', '.join(f'[{name}]' for name in names)} from {table} order by id")
        return [tuple(json.loads(cell) if str(cell)[:1] == "{" else cell for cell in row) for row in rows]


def test_a_failure_does_not_take_back_what_was_stored_before_it(tmp_path: Path) -> None:
    ours, run_id = KeptOpenSqliteEventLogStorage(str(tmp_path)), make_new_run_id()
    with pytest.raises(KeyboardInterrupt), ours.one_transaction(run_id):
        ours.store_event(entry(run_id, "kept"))
        raise KeyboardInterrupt
    assert messages(SqliteEventLogStorage(str(tmp_path)), run_id) == ["kept"]
    ours.store_event(entry(run_id, "after"))
    assert messages(ours, run_id) == ["kept", "after"]
    ours.dispose()


def test_what_another_thread_stores_after_a_hold_waits_for_the_end_of_the_process(tmp_path: Path) -> None:
    ours, run_id = KeptOpenSqliteEventLogStorage(str(tmp_path)), make_new_run_id()
    ours.hold()
    other = threading.Thread(target=ours.store_event, args=[entry(run_id, "too late")], daemon=True)
    other.start()
    other.join(0.5)
    assert other.is_alive()
    assert not Path(ours.path_for_shard(run_id)).exists()
