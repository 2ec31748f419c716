"""What Dagster's events need not say.

Belongs here: which parts of an event nobody reads, for either event log. Must not be here: how a log is stored.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as db
from dagster import AssetMaterialization, DagsterEventType, EventLogEntry, EventLogRecord, serialize_value

# What was planned tells a run under way or one that failed from one that never was.
PLANS = (DagsterEventType.ASSET_MATERIALIZATION_PLANNED, DagsterEventType.ASSET_CHECK_EVALUATION_PLANNED)
# Which outputs of a step are there is what a re-execution of a failed run asks for.
OF_FAILURES = (*PLANS, DagsterEventType.STEP_OUTPUT)

# Events that there is one of for each date of a run.
_OF_DATES = (DagsterEventType.ASSET_MATERIALIZATION_PLANNED, DagsterEventType.ASSET_MATERIALIZATION)

# Jobs that run so often that the log of a run that went well says what it did, not each table of it: the index has the
# newest materialization and outcome of each.
_BRIEF_JOBS = ("micro_poll",)

_OF_ASSETS = (*OF_FAILURES, DagsterEventType.ASSET_CHECK_EVALUATION, DagsterEventType.ASSET_MATERIALIZATION)
# Which versions of what a materialization was made from: they tell whether the newest one is stale.
_CAUSES = ("dagster/input_data_version/", "dagster/input_event_pointer/")


def thin(event: EventLogEntry) -> EventLogEntry:
    """The event without what other fields or other events say."""
    told = event.dagster_event
    if told is None or told.event_type not in _OF_ASSETS:
        return event
    told = told._replace(step_handle=None, node_handle=None, logging_tags={}, pid=None)
    if told.event_type == DagsterEventType.ASSET_CHECK_EVALUATION_PLANNED:
        # A check looks at its table, not at one date: its outcome has no partition, and would never be put beside the
        # plans that Dagster makes for each date of a run.
        planned = told.asset_check_planned_data
        told = told._replace(
            event_specific_data=type(planned)(asset_key=planned.asset_key, check_name=planned.check_name), message=""
        )
    if told.event_type == DagsterEventType.STEP_OUTPUT:
        # Its metadata is the materialization's or the check's. That it was made is what a re-execution asks for.
        output = told.step_output_data
        told = told._replace(event_specific_data=output._replace(metadata={}), message="")
    return event._replace(dagster_event=told, user_message="")


def text(event: EventLogEntry | EventLogRecord) -> str:
    """The event as it is stored, without the blanks between its parts."""
    return serialize_value(event, separators=(",", ":"))


def by_repetition(events: Sequence[EventLogEntry]) -> tuple[list[EventLogEntry], list[EventLogEntry]]:
    """Events that a later one repeats for another date of its asset, which say the date alone; and all others."""
    ranges = [_range_of(event) for event in events]
    last = {key: place for place, key in enumerate(ranges)}
    repeated, others = [], []
    for place, (event, key) in enumerate(zip(events, ranges, strict=True)):
        if key is None or last[key] == place:
            others.append(event)
        else:
            repeated.append(_date_alone(event))
    return repeated, others


def without_causes(event: EventLogEntry) -> EventLogEntry:
    """A materialization without what it was made from: the index has that."""
    asset = _materialization(event)
    if asset is None:
        return event
    tags = {name: value for name, value in (asset.tags or {}).items() if not name.startswith(_CAUSES)}
    return _with(event, asset._replace(tags=tags))


def forget(connection: db.Connection, run_id: str, types: Sequence[DagsterEventType]) -> None:
    """Deletes the events of these types of a run."""
    connection.execute(
        db.text("delete from event_logs where run_id = :run and dagster_event_type in :types").bindparams(
            db.bindparam("types", [kind.value for kind in types], expanding=True), run=run_id
        )
    )


def forget_repeats(connection: db.Connection) -> None:
    """Of a run's log of many dates the last one of each asset stays: the index has all of them."""
    connection.execute(
        db.text(
            "delete from event_logs where dagster_event_type = 'ASSET_MATERIALIZATION' and id not in ("
            " select max(id) from event_logs where dagster_event_type = 'ASSET_MATERIALIZATION' group by asset_key)"
        )
    )


def forget_tables(connection: db.Connection) -> None:
    """From the log of a run of a job that runs often goes what was made and checked without a failure."""
    connection.execute(
        db.text(
            "delete from event_logs where (dagster_event_type = 'ASSET_MATERIALIZATION'"
            " or dagster_event_type = 'ASSET_CHECK_EVALUATION'"
            " and json_extract(event, '$.dagster_event.event_specific_data.success'))"
            " and exists (select 1 from event_logs as ended where ended.dagster_event_type = 'PIPELINE_SUCCESS'"
            " and json_extract(ended.event, '$.pipeline_name') in :jobs)"
        ).bindparams(db.bindparam("jobs", _BRIEF_JOBS, expanding=True))
    )


def untidied(connection: db.Connection) -> list[str]:
    """Runs that went well and whose plans are still in the index."""
    rows = connection.execute(
        db.text(
            "select distinct run_id from event_logs where dagster_event_type = 'ASSET_MATERIALIZATION_PLANNED'"
            " and run_id in (select run_id from event_logs where dagster_event_type = 'PIPELINE_SUCCESS')"
        )
    ).fetchall()
    return [str(run_id) for (run_id,) in rows]


def forget_earlier_passes(connection: db.Connection, run_id: str) -> None:
    """Checks that passed in a run lose that they passed before, and plans for dates; when they failed stays."""
    connection.execute(
        db.text(
            "delete from asset_check_executions where run_id = :run and execution_status = 'PLANNED'"
            " and partition is not null"
        ),
        {"run": run_id},
    )
    connection.execute(
        db.text(
            "delete from asset_check_executions where id in ("
            " select earlier.id from asset_check_executions as passed"
            " inner join asset_check_executions as earlier"
            " on earlier.asset_key = passed.asset_key and earlier.check_name = passed.check_name"
            " and earlier.id < passed.id and earlier.execution_status = passed.execution_status"
            " where passed.run_id = :run and passed.execution_status = 'SUCCEEDED')"
        ),
        {"run": run_id},
    )


def forget_made_before(connection: db.Connection, run_id: str) -> None:
    """What a run made again of the same date is in the index once; the logs of earlier runs keep theirs."""
    replaced = (
        "select earlier.id from event_logs as made inner join event_logs as earlier"
        " on earlier.asset_key = made.asset_key and earlier.partition = made.partition"
        " and earlier.dagster_event_type = made.dagster_event_type and earlier.id < made.id"
        " where made.run_id = :run and made.dagster_event_type = 'ASSET_MATERIALIZATION'"
    )
    connection.execute(db.text(f"delete from asset_event_tags where event_id in ({replaced})"), {"run": run_id})
    connection.execute(db.text(f"delete from event_logs where id in ({replaced})"), {"run": run_id})


def _range_of(event: EventLogEntry) -> tuple[Any, ...] | None:
    """What the events of a range of dates have in common."""
    told = event.dagster_event
    if told is None or told.partition is None or told.event_type not in _OF_DATES:
        return None
    return event.run_id, told.event_type, told.asset_key


def _date_alone(event: EventLogEntry) -> EventLogEntry:
    asset = _materialization(event)
    if asset is None:
        return event
    bare = _with(event, AssetMaterialization(asset.asset_key, partition=asset.partition))
    told: Any = bare.dagster_event
    return bare._replace(dagster_event=told._replace(message="", step_kind_value=None, step_key=None), step_key=None)


def _materialization(event: EventLogEntry) -> AssetMaterialization | None:
    told = event.dagster_event
    if told is None or told.event_type != DagsterEventType.ASSET_MATERIALIZATION:
        return None
    made: AssetMaterialization = told.step_materialization_data.materialization
    return made


def _with(event: EventLogEntry, asset: AssetMaterialization) -> EventLogEntry:
    told: Any = event.dagster_event
    data = told.step_materialization_data._replace(materialization=asset)
    return event._replace(dagster_event=told._replace(event_specific_data=data))


def give_back(connection: db.Connection, pages: int | None = None) -> None:
    """Cuts free pages, all or so many, off a SQLite file that was made for it.

    Args:
        connection: Without a transaction that has written.
        pages: The most that are cut off.
    """
    # As a script, because a step of the statement cuts off one page and the driver makes one step of an `execute`.
    raw: Any = connection.connection.driver_connection
    raw.executescript(f"pragma incremental_vacuum({pages or ''});".replace("()", ""))
