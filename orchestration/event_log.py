"""Dagster's SQLite event log with its databases kept open, and without what its events repeat.

Belongs here: how the event log connects and how much room it takes. Must not be here: what is logged, where it is
read, what is deleted with time (`history`).

Dagster's own class opens, begins, syncs and closes a database two to four times for every event and compiles the same
statements anew each time: 13-26 ms an event on 2 cores, 20 s of a daily run that has some 800 of them. Kept open, an
event takes 1-2 ms, and 0.6 ms where a statement is written once for all events of a kind. Files and tables are the
same: the one class reads what the other wrote.

Dagster keeps an event of an asset twice, in the log of its run and in the index of all runs, and plans each check once
for each date of a run: 6 MB a daily run, 533 MB a backfill of 256 dates. Here the index alone has what it alone is
asked for, and what a run planned goes when it ended well.
"""

import sqlite3
import threading
import time
from collections import OrderedDict, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager, nullcontext
from pathlib import Path
from typing import Any

import sqlalchemy as db
from dagster import DagsterEventType, DagsterInstance, EventLogEntry, EventLogRecord, StringSource
from dagster._core.storage.event_log import SqliteEventLogStorage
from dagster._core.storage.event_log.sqlite.sqlite_event_log import INDEX_SHARD_NAME

from orchestration import thrift

# How long a database that another process writes is waited for, as in Dagster's own class.
_BUSY_S = 30
# The index and the runs of the moment; a daemon sees many runs.
_OPEN_DATABASES = 4

# The log of a run has few rows, but two dozen tables and indexes with a page each at least.
# Room that is free can be given back. Neither changes a database with tables.
_OF_NEW_DATABASES = ("pragma page_size = 1024", "pragma auto_vacuum = incremental")
# Rows of some 900 bytes by the ten thousand: larger pages have less room left over.
_OF_A_NEW_INDEX = ("pragma page_size = 8192", "pragma auto_vacuum = incremental", "vacuum")

# One statement for any number of rows: Dagster's own for many is compiled anew for each batch, ten times as long.
_ROWS = db.text(
    "insert into event_logs (run_id, event, dagster_event_type, timestamp, step_key, asset_key, partition)"
    " values (:run_id, :event, :dagster_event_type, :timestamp, :step_key, :asset_key, :partition)"
).bindparams(db.bindparam("timestamp", type_=db.DateTime))

# The same for what Dagster keeps of an asset and of a check beside their events, where their run planned them.
_NEWEST_OF_ASSET = db.text(
    "update asset_keys set last_materialization = :record, last_run_id = :run_id,"
    " last_materialization_timestamp = :timestamp where asset_key = :asset_key"
).bindparams(db.bindparam("timestamp", type_=db.DateTime))
_OUTCOME_OF_CHECK = db.text(
    "update asset_check_executions set execution_status = :status, evaluation_event = :event,"
    " evaluation_event_timestamp = :timestamp, evaluation_event_storage_id = :event_id,"
    " materialization_event_storage_id = :made_id"
    " where asset_key = :asset_key and check_name = :check_name and run_id = :run_id and partition is :partition"
).bindparams(db.bindparam("timestamp", type_=db.DateTime))

# Pages of the index that the end of a run gives back at most: its plans, which went.
_GIVEN_BACK = 5000


class KeptOpenSqliteEventLogStorage(SqliteEventLogStorage):
    """The SQLite event log of Dagster, one engine per database instead of one per access.

    Args:
        base_dir: Folder of the databases.
        inst_data: What Dagster configured it with.
    """

    def __init__(self, base_dir: str, inst_data: Any = None) -> None:
        self._engines: OrderedDict[str, db.Engine] = OrderedDict()
        self._joined: dict[str, db.Connection] = {}
        self._tables: set[str] = set()
        self._asset_key_columns: set[str] = set()
        _begin(Path(base_dir) / f"{INDEX_SHARD_NAME}.db")
        super().__init__(base_dir, inst_data)
        # A batch holds it while its events are stored one by one.
        self._db_lock = threading.RLock()  # type: ignore[assignment]

    @classmethod
    def config_type(cls) -> Any:
        """One setting: the folder that is DAGSTER_HOME."""
        return {"dagster_home": StringSource}

    @classmethod
    def from_config_value(cls, inst_data: Any, config_value: Mapping[str, Any]) -> "KeptOpenSqliteEventLogStorage":
        """The storage in the place where Dagster's own class keeps it."""
        return cls(str(Path(config_value["dagster_home"]) / "history" / "runs"), inst_data)

    @contextmanager
    def _connect(self, shard: str) -> Iterator[db.Connection]:
        with self._db_lock:
            if shard in self._joined:
                yield self._joined[shard]
                return
            engine = self._engine(shard)
            if shard not in self._initialized_dbs:
                self._initdb(engine)
                self._initialized_dbs.add(shard)
            with engine.connect() as connection, connection.begin():
                yield connection

    def store_event_batch(self, events: Sequence[EventLogEntry]) -> None:
        """Stores events in one transaction per database: a run plans hundreds of them before it begins.

        Of a range of dates an asset has an event for each. All but the last are rows alone, inserted together: what
        else Dagster keeps of an asset is about its last event.
        """
        with self.one_transaction(*(event.run_id for event in events)):
            repeated, last = thrift.by_repetition(events)
            self._insert(repeated)
            for event in last:
                self._store(event)

    def store_event(self, event: EventLogEntry) -> None:
        """Stores an event without what it repeats; with the end of a run that went well, what it planned goes."""
        with self.one_transaction(event.run_id):
            self._store(event)
        if event.dagster_event_type == DagsterEventType.RUN_SUCCESS:
            self.tidy(event.run_id)

    def tidy(self, run_id: str) -> None:
        """Deletes what only tells something of a run under way or one that failed."""
        with self.index_connection() as connection:
            # Its executions and the log of its run have an evaluated check too.
            thrift.forget(connection, run_id, (*thrift.OF_FAILURES, DagsterEventType.ASSET_CHECK_EVALUATION))
            thrift.forget_earlier_passes(connection, run_id)
            thrift.forget_made_before(connection, run_id)
        with self.index_connection() as connection:
            thrift.give_back(connection, _GIVEN_BACK)
        with self.run_connection(run_id) as connection:
            thrift.forget(connection, run_id, thrift.OF_FAILURES)
            thrift.forget_repeats(connection)
            thrift.forget_tables(connection)
        with self.run_connection(run_id) as connection:
            thrift.give_back(connection)

    def tidy_earlier(self, until: float) -> None:
        """Tidies runs that went well while nobody did, until a moment of the monotonic clock."""
        with self.index_connection() as connection:
            runs = thrift.untidied(connection)
        for run_id in runs:
            if time.monotonic() > until:
                return
            self.tidy(run_id)

    def delete_events(self, run_id: str) -> None:
        """Deletes the events of a run, and the file of its log with them."""
        super().delete_events(run_id)
        with self._db_lock:
            if run_id in self._engines:
                self._engines.pop(run_id).dispose()
            self._initialized_dbs.discard(run_id)
            for suffix in ("", "-wal", "-shm"):
                Path(f"{self.path_for_shard(run_id)}{suffix}").unlink(missing_ok=True)

    def _store(self, event: EventLogEntry) -> None:
        """What Dagster's class does with an event; for the kinds that a run has hundreds of in a third of the time."""
        event = thrift.thin(event)
        kind = event.dagster_event_type
        if kind == DagsterEventType.STEP_OUTPUT:
            self._log(self._event_to_row(event))
        elif kind in thrift.PLANS:
            # Not in the log of its run: the index alone is asked for plans.
            event_id = self._add_to_index(self._event_to_row(event))
            if kind == DagsterEventType.ASSET_MATERIALIZATION_PLANNED:
                self.store_asset_event(event, event_id)
            else:
                self.store_asset_check_event(event, event_id)
        elif kind == DagsterEventType.ASSET_MATERIALIZATION:
            self._log(self._event_to_row(thrift.without_causes(event)))
            row = self._event_to_row(event)
            event_id = self._add_to_index(row)
            self.store_asset_event_tags([event], [event_id])
            self._keep_newest(event, row, event_id)
        elif kind == DagsterEventType.ASSET_CHECK_EVALUATION:
            row = self._event_to_row(event)
            self._log(row)
            self._keep_outcome(event, row, self._add_to_index(row))
        else:
            super().store_event(event)

    def _log(self, row: Mapping[str, Any]) -> None:
        with self.run_connection(row["run_id"]) as connection:
            connection.execute(_ROWS, row)

    def _add_to_index(self, row: Mapping[str, Any]) -> int:
        with self.index_connection() as connection:
            return int(connection.execute(_ROWS, row).lastrowid)

    def _keep_newest(self, event: EventLogEntry, row: Mapping[str, Any], event_id: int) -> None:
        newest = {**row, "record": thrift.text(EventLogRecord(storage_id=event_id, event_log_entry=event))}
        with self.index_connection() as connection:
            was_planned = connection.execute(_NEWEST_OF_ASSET, newest).rowcount
        if not was_planned:
            self.store_asset_event(event, event_id)

    def _keep_outcome(self, event: EventLogEntry, row: Mapping[str, Any], event_id: int) -> None:
        outcome: Any = event.get_dagster_event().event_specific_data
        made = outcome.target_materialization_data
        found = {
            **row,
            "status": "SUCCEEDED" if outcome.passed else "FAILED",
            "event_id": event_id,
            "made_id": made.storage_id if made else None,
            "check_name": outcome.check_name,
            "partition": outcome.partition,
        }
        with self.index_connection() as connection:
            was_planned = connection.execute(_OUTCOME_OF_CHECK, found).rowcount
        if not was_planned:
            self.store_asset_check_event(event, event_id)

    def _insert(self, events: Sequence[EventLogEntry]) -> None:
        """Rows in the index, and in the logs of their runs, where plans are not kept; nothing else."""
        rows = [self._event_to_row(thrift.thin(event)) for event in events]
        of_runs = defaultdict(list)
        for event, row in zip(events, rows, strict=True):
            if event.dagster_event_type not in thrift.PLANS:
                of_runs[event.run_id].append(row)
        if rows:
            with self.index_connection() as connection:
                connection.execute(_ROWS, rows)
        for run_id, found in of_runs.items():
            with self.run_connection(run_id) as connection:
                connection.execute(_ROWS, found)

    def _event_to_row(self, event: EventLogEntry) -> dict[str, Any]:
        # Serialized once and in fewer bytes: Dagster's own row of a heavy event takes as long as storing it.
        told = event.dagster_event
        return {
            "run_id": event.run_id,
            "event": thrift.text(event),
            "dagster_event_type": told.event_type_value if told else None,
            "timestamp": self._event_insert_timestamp(event),
            "step_key": told.step_key if told else event.step_key,
            "asset_key": told.asset_key.to_string() if told and told.asset_key else None,
            "partition": told.partition if told else None,
        }

    @contextmanager
    def one_transaction(self, *run_ids: str) -> Iterator[None]:
        """What is stored meanwhile about these runs is one transaction per database; for moments, others wait.

        An exception does not take back what was stored before it.
        """
        failure: BaseException | None = None
        with self._db_lock, ExitStack() as stack:
            # Those of an outer transaction stay part of it: Dagster stores the events of a range of dates as a batch.
            for shard in {INDEX_SHARD_NAME, *run_ids} - self._joined.keys():
                connection = stack.enter_context(self._connect(shard))
                self._joined[shard] = connection
                stack.callback(self._joined.pop, shard)
            try:
                yield
            except BaseException as error:
                failure = error
        if failure is not None:
            raise failure

    def hold(self) -> None:
        """From here on no other thread reads or stores an event; for a process that is about to end."""
        self._db_lock.acquire()

    def has_table(self, table_name: str) -> bool:
        """Whether the index has a table. Asked for every event; a table that is there stays."""
        if table_name not in self._tables and super().has_table(table_name):
            self._tables.add(table_name)
        return table_name in self._tables

    def _has_asset_key_col_on_connection(self, conn: db.Connection, column_name: str) -> bool:
        # Asked for every event of an asset, whether the columns of newer versions are there.
        if column_name not in self._asset_key_columns and super()._has_asset_key_col_on_connection(conn, column_name):
            self._asset_key_columns.add(column_name)
        return column_name in self._asset_key_columns

    def _engine(self, shard: str) -> db.Engine:
        if shard not in self._engines:
            # One connection, used by one thread at a time: the lock sees to it.
            engine = db.create_engine(
                self.conn_string_for_shard(shard),
                poolclass=db.pool.StaticPool,
                connect_args={"timeout": _BUSY_S, "check_same_thread": False},
            )
            db.event.listen(engine, "connect", _set_up)
            self._engines[shard] = engine
            if len(self._engines) > _OPEN_DATABASES:
                self._engines.popitem(last=False)[1].dispose()
        self._engines.move_to_end(shard)
        return self._engines[shard]

    def dispose(self) -> None:
        """Closes the databases."""
        while self._engines:
            self._engines.popitem()[1].dispose()
        super().dispose()


def one_transaction(instance: DagsterInstance, run_id: str) -> AbstractContextManager[None]:
    """See `KeptOpenSqliteEventLogStorage.one_transaction`; nothing where the events are kept elsewhere."""
    storage = instance.event_log_storage
    return storage.one_transaction(run_id) if isinstance(storage, KeptOpenSqliteEventLogStorage) else nullcontext()


def hold(instance: DagsterInstance) -> None:
    """See `KeptOpenSqliteEventLogStorage.hold`; nothing where the events are kept elsewhere."""
    storage = instance.event_log_storage
    if isinstance(storage, KeptOpenSqliteEventLogStorage):
        storage.hold()


def _set_up(connection: Any, _: Any) -> None:
    # With a write-ahead log a crash of the process loses nothing and one of the machine the last events.
    connection.execute("pragma synchronous = normal")
    for pragma in _OF_NEW_DATABASES:
        connection.execute(pragma)


def _begin(index: Path) -> None:
    """Makes the index of a new home, which Dagster's class would make its own way."""
    if not index.exists():
        index.parent.mkdir(parents=True, exist_ok=True)
        with closing(sqlite3.connect(index, isolation_level=None)) as connection:
            for statement in _OF_A_NEW_INDEX:
                connection.execute(statement)
