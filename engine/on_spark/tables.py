"""The models' tables between two builds: whole sets of Parquet files, of which the home names the one that holds.

Belongs here: giving a session the tables of the last build, keeping those of a new one, one build at a time. Must not
be here: which models there are.

A build works on links to the files of the set before it: Spark never changes a file, it writes others and takes names
away. So a set costs no room but for what changed, a build that is killed or fails leaves the set before it as it was,
and the new one counts from the moment that the home's build file names it. An object store has no links, and a table
format that would do the same (Iceberg, Delta) comes as Java archives from a registry that need not be there: so the
folder has to be one that driver and workers see as files.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import uuid
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import filelock

from engine.on_spark.session import SparkSetupError, address
from warehouse.store import BUILD_DATABASE, Store, WarehouseBusyError, quote_literal

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

_CONTENTS = "tables.json"
_NAMED_DDL = """
create schema if not exists meta;
create table if not exists meta.spark_tables (table_set varchar not null);
comment on table meta.spark_tables is 'The set of tables on Spark that the models of this home are.';
"""


class LostTablesError(LookupError):
    """The tables that a home names are not there; the message names the remedy."""


@dataclass(frozen=True, slots=True)
class Table:
    """A table or view of a set.

    Attributes:
        schema: Its schema.
        name: Its name.
        columns: Name and Spark's type of each column, in order.
        partitions: Names of those that its files are laid out by.
        view: The statement that makes it, of a view.
    """

    schema: str
    name: str
    columns: list[tuple[str, str]]
    partitions: list[str]
    view: str = ""

    @property
    def quoted(self) -> str:
        """Its name in SQL."""
        return f"`{self.schema}`.`{self.name}`"


@contextmanager
def held(warehouse: Path, store: Store) -> Iterator[None]:
    """Holds the folder of Spark's tables for one build of one home.

    Raises:
        WarehouseBusyError: Another build has it.
        SparkSetupError: It is another home's, or can't be written.
    """
    try:
        warehouse.mkdir(parents=True, exist_ok=True)
        lock = filelock.FileLock(warehouse / "build.lock", is_singleton=True, thread_local=False)
        lock.acquire(timeout=store.lock_timeout_s)
    except filelock.Timeout:
        message = (
            f"another build works in {warehouse} and did not finish within {store.lock_timeout_s:.0f} s. Wait for it,"
            " or stop it, then run the command again."
        )
        raise WarehouseBusyError(message) from None
    except OSError as error:
        message = f"SPARK_WAREHOUSE={warehouse} can't be written ({error.strerror})"
        raise SparkSetupError(message) from None
    try:
        owner = warehouse / "home"
        if owner.exists() and owner.read_text(encoding="utf-8").strip() != str(store.home):
            message = (
                f"{warehouse} has the tables of the home {owner.read_text(encoding='utf-8').strip()}: give each home a"
                f" SPARK_WAREHOUSE of its own. Where it was moved to {store.home}, delete {owner}"
            )
            raise SparkSetupError(message)
        owner.write_text(f"{store.home}\n", encoding="utf-8")
        yield
    finally:
        lock.release()


def named(connection: duckdb.DuckDBPyConnection) -> str | None:
    """The set that a build file names; None where nothing was built on Spark yet."""
    connection.execute(_NAMED_DDL)
    rows = connection.execute("select table_set from meta.spark_tables").fetchall()
    return str(rows[0][0]) if rows else None


def name(connection: duckdb.DuckDBPyConnection, table_set: str) -> None:
    """Makes a set the one that holds: from here on the next build stands on it."""
    connection.execute(_NAMED_DDL)
    connection.begin()
    connection.execute("delete from meta.spark_tables")
    connection.execute("insert into meta.spark_tables values (?)", [table_set])
    connection.commit()


def folder(warehouse: Path, table_set: str) -> Path:
    """Where the files of a set are: `<schema>/<table>/`."""
    return warehouse / "tables" / table_set


def contents(warehouse: Path, table_set: str) -> list[Table]:
    """The tables of a set.

    Raises:
        LostTablesError: It is not there.
    """
    path = folder(warehouse, table_set) / _CONTENTS
    if not path.exists():
        message = (
            f"the tables of this home are not in {warehouse} (set {table_set}): point SPARK_WAREHOUSE to where they"
            " are, or make them again: `trends rebuild`"
        )
        raise LostTablesError(message)
    return [
        Table(told["schema"], told["name"], [(column, kind) for column, kind in told["columns"]], told["partitions"],
              told["view"])
        for told in json.loads(path.read_text(encoding="utf-8"))
    ]  # fmt: skip


def begin(spark: SparkSession, warehouse: Path, base: str | None, schemas: Iterable[str]) -> Path:
    """Gives a session the tables of a set, to go on from, or none.

    Args:
        spark: The session.
        warehouse: Folder of Spark's tables.
        base: The set.
        schemas: All that the models write to.

    Returns:
        The folder in which the new set comes to be.
    """
    present = contents(warehouse, base) if base else []
    # What killed builds left.
    shutil.rmtree(warehouse / "work", ignore_errors=True)
    work = warehouse / "work" / uuid.uuid4().hex
    for schema in sorted({*schemas, *(table.schema for table in present)}):
        place = work / schema
        place.mkdir(parents=True, exist_ok=True)
        # A catalogue that outlives the session still knows the last build's, whose files have another place by now.
        spark.sql(f"drop schema if exists `{schema}` cascade")
        spark.sql(f"create schema `{schema}` location {quote_literal(address(place))}")
    for table in present:
        if not table.view:
            listed = ", ".join(f"`{column}` {kind}" for column, kind in table.columns)
            by = f" partitioned by ({', '.join(f'`{column}`' for column in table.partitions)})"
            spark.sql(f"create table {table.quoted} ({listed}) using parquet{by if table.partitions else ''}")
            _link(folder(warehouse, str(base)) / table.schema / table.name, work / table.schema / table.name)
            if table.partitions:
                spark.sql(f"alter table {table.quoted} recover partitions")
    _create_views(spark, [table for table in present if table.view])
    return work


def keep(spark: SparkSession, warehouse: Path, work: Path, schemas: Iterable[str]) -> str:
    """Makes what a build wrote a set of its own; returns its name. It counts from when a home `name`s it."""
    found = [table for schema in sorted(set(schemas)) for table in _found(spark, schema)]
    text = json.dumps([asdict(table) for table in found], indent=1)
    (work / _CONTENTS).write_text(text, encoding="utf-8")
    target = folder(warehouse, work.name)
    target.parent.mkdir(exist_ok=True)
    # No session knows this place: none can drop a table that has its files here.
    work.rename(target)
    return work.name


def clear(warehouse: Path, wanted: Collection[str | None]) -> None:
    """Takes away the sets that no home names any more, as far as they are not wanted."""
    for path in (warehouse / "tables").glob("*"):
        if path.name not in wanted:
            shutil.rmtree(path, ignore_errors=True)
    shutil.rmtree(warehouse / "work", ignore_errors=True)


def named_by_file(build_path: Path) -> str | None:
    """The set that a build file names which this process may have open, or not."""
    if not build_path.exists():
        return None
    connection = duckdb.connect()
    try:
        connection.execute(f"attach {quote_literal(str(build_path))} as {BUILD_DATABASE}_seen (read_only)")
        known = connection.execute(
            "select 1 from duckdb_tables() where schema_name = 'meta' and table_name = 'spark_tables'"
        ).fetchall()
        if not known:
            return None
        rows = connection.execute(f"select table_set from {BUILD_DATABASE}_seen.meta.spark_tables").fetchall()
        return str(rows[0][0]) if rows else None
    finally:
        connection.close()


def _found(spark: SparkSession, schema: str) -> Iterator[Table]:
    for entry in spark.sql(f"show tables in `{schema}`").collect():
        if entry["isTemporary"]:
            continue
        name = entry["tableName"]
        made = spark.sql(f"show create table `{schema}`.`{name}`").collect()[0][0]
        # Not `catalog.listColumns`, which asks Java for each property of each column: a tenth of a second a table.
        columns = [(field.name, field.dataType.simpleString()) for field in spark.table(f"`{schema}`.`{name}`").schema]
        laid_out = re.search(r"^PARTITIONED BY \((.+)\)$", made, flags=re.MULTILINE)
        partitions = [column.strip("` ") for column in laid_out[1].split(",")] if laid_out else []
        yield Table(schema, name, columns, partitions, made if made.upper().startswith("CREATE VIEW") else "")


def _create_views(spark: SparkSession, views: list[Table]) -> None:
    """Makes views, each after those that it reads."""
    from pyspark.errors import AnalysisException

    while views:
        rest: list[Table] = []
        for view in views:
            try:
                spark.sql(view.view)
            except AnalysisException:
                rest.append(view)
        if len(rest) == len(views):
            # None could be made: this says why.
            spark.sql(rest[0].view)
        views = rest


def _link(source: Path, target: Path) -> None:
    """Gives the files of a table a second name; copies them where the disk knows no links."""
    for path in source.rglob("*.parquet"):
        if any(part.startswith(("_", ".")) for part in path.relative_to(source).parts):
            continue
        place = target / path.relative_to(source)
        place.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.link(path, place)
        except OSError:
            shutil.copyfile(path, place)
