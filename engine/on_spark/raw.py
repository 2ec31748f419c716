"""Raw items and the other facts as Parquet, for Spark to read.

Belongs here: bringing the Parquet up to date with the facts of a home, and making it tables. Must not be here: what is
landed (`ingest.landing`), what a value means (models).

The facts' file stays the one place where things are landed, in transactions, with quarantine and identity. An item's
load never changes: its rows are written once, to a file of its own below `kind=.../market=.../day=...`, under a
temporary name that is renamed when it is whole. A load whose file is there is not written again; a file that belongs
to no load (the sample's, once real feeds came) is taken away. Everything else among the facts is small and is written
anew.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb

from engine.on_spark.session import address
from ingest.landing import KINDS, PANEL
from warehouse.store import FACTS_DATABASE, quote_literal

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

_KINDS = (*KINDS, PANEL)
# Types of raw items, as Spark has them.
_SPARK_TYPES = {"BIGINT": "bigint", "VARCHAR": "string", "JSON": "string", "TIMESTAMP": "timestamp_ntz"}
# A folder by day and market: what is read of a history is chosen without opening its files.
_PARTITIONS = ("market", "day")


def write(connection: duckdb.DuckDBPyConnection, warehouse: Path) -> int:
    """Writes the loads that have no file yet, and takes away files of loads that are no more.

    Args:
        connection: A model writer, which sees the facts.
        warehouse: Folder of Spark's tables.

    Returns:
        Rows that were written.
    """
    loads = connection.execute(
        "select load_id, kind, market, observed_at::date, concat_ws('|', content_hash, observed_at, landed_at)"
        " from raw.loads where item_count > 0 and list_contains(?, kind) order by load_id",
        [list(_KINDS)],
    ).fetchall()
    folder = warehouse / "raw"
    wanted: dict[Path, tuple[int, str]] = {}
    for load_id, kind, market, day, identity in loads:
        digest = hashlib.sha256(f"{load_id}|{identity}".encode()).hexdigest()[:16]
        place = folder / f"kind={kind}" / f"market={market}" / f"day={day}"
        wanted[place / f"load-{load_id:010d}-{digest}.parquet"] = (load_id, kind)
    # Parts that a killed process left begin with a dot, and are no Parquet by name.
    present = {path for path in folder.rglob("*") if path.is_file()}
    for path in present - wanted.keys():
        path.unlink()
    written = 0
    for path in sorted(wanted.keys() - present):
        load_id, kind = wanted[path]
        path.parent.mkdir(parents=True, exist_ok=True)
        columns = ", ".join(
            f'"{name}"::varchar as "{name}"' if type_name == "JSON" else f'"{name}"'
            for name, type_name in _columns(connection, f"tiktok_{kind}").items()
        )
        select = f"select {columns} from raw.tiktok_{kind} where load_id = {load_id:d} order by item_index"
        written += _copy(connection, select, path)
    return written


def write_facts(connection: duckdb.DuckDBPyConnection, warehouse: Path, sources: Iterable[tuple[str, str]]) -> None:
    """Writes what else the models read of the facts, each table as one file.

    Args:
        connection: A model writer.
        warehouse: Folder of Spark's tables.
        sources: Schema and name of each.
    """
    for schema, name in sources:
        if not _is_items(schema, name):
            path = warehouse / "facts" / schema / name / "rows.parquet"
            path.parent.mkdir(parents=True, exist_ok=True)
            _copy(connection, f'from {FACTS_DATABASE}."{schema}"."{name}"', path)


def register(
    spark: SparkSession, connection: duckdb.DuckDBPyConnection, warehouse: Path, sources: Collection[tuple[str, str]]
) -> None:
    """Makes tables of the written files, under the names that the facts have them by."""
    for schema in sorted({schema for schema, _ in sources}):
        # These tables are links to files: dropped, they leave them where they are.
        spark.sql(f"drop schema if exists `{schema}` cascade")
        spark.sql(f"create schema `{schema}`")
    for schema, name in sources:
        if _is_items(schema, name):
            place = warehouse / "raw" / f"kind={name.removeprefix('tiktok_')}"
            place.mkdir(parents=True, exist_ok=True)
            columns = {
                column: _SPARK_TYPES[type_name]
                for column, type_name in _columns(connection, name).items()
                if column not in _PARTITIONS
            }
            listed = ", ".join(f"`{column}` {type_name}" for column, type_name in columns.items())
            spark.sql(
                f"create table `{schema}`.`{name}` ({listed}, market string, day date) using parquet"
                f" partitioned by ({', '.join(_PARTITIONS)}) location {quote_literal(address(place))}"
            )
            spark.sql(f"alter table `{schema}`.`{name}` recover partitions")
        else:
            place = warehouse / "facts" / schema / name
            spark.sql(f"create table `{schema}`.`{name}` using parquet location {quote_literal(address(place))}")


def _is_items(schema: str, name: str) -> bool:
    return schema == "raw" and name in {f"tiktok_{kind}" for kind in _KINDS}


def _columns(connection: duckdb.DuckDBPyConnection, table: str) -> dict[str, str]:
    found = connection.execute(
        "select column_name, data_type from duckdb_columns()"
        f" where database_name = '{FACTS_DATABASE}' and schema_name = 'raw' and table_name = ? order by column_index",
        [table],
    ).fetchall()
    return dict(found)


def _copy(connection: duckdb.DuckDBPyConnection, select: str, path: Path) -> int:
    """Writes what a select gives to a file that is there as a whole or not at all."""
    partial = path.with_name(f".{path.name}.partial")
    [(rows,)] = connection.execute(
        f"copy ({select}) to {quote_literal(str(partial))} (format parquet, compression zstd)"
    ).fetchall()
    partial.replace(path)
    return int(rows)
