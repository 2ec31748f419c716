"""The event log that keeps its databases open, beside Dagster's own on the same files."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from dagster import EventLogEntry
from dagster._core.storage.event_log import SqliteEventLogStorage
from dagster._core.utils import make_new_run_id

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
