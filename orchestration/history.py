"""How long the run history goes back, and that its files give back what they don't need.

Belongs here: which runs are deleted, what of them stays, when files are made smaller. Must not be here: what a run
writes (`thrift`, `event_log`), sizes that a person is told (`warehouse/sizes`).

What the product needs of a deleted run stays: the newest materialization of each asset and date, without its run, so
that no date turns missing, and the newest outcome of each check.
"""

from __future__ import annotations

import logging
import sqlite3
import time
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import sqlalchemy as db
from dagster._core.storage.event_log import SqlEventLogStorage

from orchestration.event_log import KeptOpenSqliteEventLogStorage

logger = logging.getLogger(__name__)

ENDED = (dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED)
_MARK = "history_cleared"
_EVERY = timedelta(days=1)
# What a run may spend on it; the rest is for the next day.
LONGEST_S = 10.0
_PAGES_AT_A_TIME = 2000
# A file without free room to give back is written anew where this share of it, and so much, is free.
_FREE_SHARE, _FREE_BYTES = 0.25, 5_000_000


def clear_if_due(instance: dg.DagsterInstance, days: int) -> int:
    """Clears the history at most once a day; a history that is busy or broken stops no run.

    Args:
        instance: Whose history.
        days: How long runs stay.

    Returns:
        Number of deleted runs.
    """
    mark = Path(instance.root_directory) / _MARK
    if mark.exists() and time.time() - mark.stat().st_mtime < _EVERY.total_seconds():
        return 0
    try:
        deleted = clear(instance, datetime.now(UTC) - timedelta(days=days))
    except (db.exc.SQLAlchemyError, sqlite3.Error, OSError) as error:
        logger.warning("the run history was not cleared: %s", error)
        return 0
    mark.touch()
    return deleted


def clear(instance: dg.DagsterInstance, before: datetime, longest_s: float = LONGEST_S) -> int:
    """Deletes runs that ended before a moment, oldest first, and makes the files smaller.

    Runs in progress and the last run of each job stay.

    Args:
        instance: Whose history.
        before: An aware time.
        longest_s: Seconds after which no further run is begun with.

    Returns:
        Number of deleted runs.
    """
    until = time.monotonic() + longest_s
    ended = dg.RunsFilter(statuses=list(ENDED), updated_before=before)
    runs = [record.dagster_run for record in instance.get_run_records(ended, ascending=True)]
    last = {run.job_name: _last_run(instance, run.job_name) for run in runs}
    deleted = 0
    for run in runs:
        if run.run_id == last[run.job_name]:
            continue
        if time.monotonic() > until:
            break
        _keep_newest(instance, run.run_id)
        instance.delete_run(run.run_id)
        # The captured output of its steps.
        instance.compute_log_manager.delete_logs(prefix=[run.run_id])
        deleted += 1
    storage = instance.event_log_storage
    if isinstance(storage, KeptOpenSqliteEventLogStorage):
        storage.tidy_earlier(until)
        root = Path(instance.root_directory)
        databases = (Path(storage.path_for_shard("index")), root / "history" / "runs.db")
        give_back(databases, until)
    return deleted


def _last_run(instance: dg.DagsterInstance, job_name: str) -> str:
    """The newest run of a job that came to an end."""
    (newest,) = instance.get_run_records(dg.RunsFilter(job_name=job_name, statuses=list(ENDED)), limit=1)
    return newest.dagster_run.run_id


def _keep_newest(instance: dg.DagsterInstance, run_id: str) -> None:
    """What is the newest of its kind loses its run, and so outlives it; older outcomes of checks go."""
    storage = instance.event_log_storage
    if not isinstance(storage, SqlEventLogStorage):
        return
    with storage.index_connection() as connection:
        connection.execute(
            db.text(
                "update event_logs set run_id = '', event = replace(event, :run, '') where id in ("
                " select made.id from event_logs as made"
                " where made.run_id = :run and made.dagster_event_type = 'ASSET_MATERIALIZATION' and not exists ("
                "  select 1 from event_logs as later where later.asset_key = made.asset_key and later.id > made.id"
                "  and later.dagster_event_type = made.dagster_event_type"
                "  and coalesce(later.partition, '') = coalesce(made.partition, '')))"
            ),
            {"run": run_id},
        )
        connection.execute(
            db.text(
                "delete from asset_check_executions where run_id = :run and exists ("
                " select 1 from asset_check_executions as later where later.id > asset_check_executions.id"
                " and later.asset_key = asset_check_executions.asset_key"
                " and later.check_name = asset_check_executions.check_name)"
            ),
            {"run": run_id},
        )


def give_back(databases: Sequence[Path], until: float) -> None:
    """Gives free pages of SQLite files back, until a moment of the monotonic clock; a file in use is left alone."""
    for path in databases:
        if not path.exists():
            continue
        try:
            with closing(sqlite3.connect(path, timeout=0, isolation_level=None)) as connection:
                _shrink(connection, until)
        except sqlite3.OperationalError as error:
            logger.info("%s was not made smaller: %s", path, error)


def _shrink(connection: sqlite3.Connection, until: float) -> None:
    if not _ask(connection, "auto_vacuum"):
        free, pages, size = (_ask(connection, name) for name in ("freelist_count", "page_count", "page_size"))
        if free * size > _FREE_BYTES and free > _FREE_SHARE * pages and time.monotonic() < until:
            connection.executescript("pragma auto_vacuum = incremental; vacuum;")
        return
    while _ask(connection, "freelist_count") and time.monotonic() < until:
        # As a script: the driver's `execute` makes one step of it, which gives back one page.
        connection.executescript(f"pragma incremental_vacuum({_PAGES_AT_A_TIME});")


def _ask(connection: sqlite3.Connection, pragma: str) -> int:
    [(value,)] = connection.execute(f"pragma {pragma}").fetchall()
    return int(value)
