"""Are the models of a home that DuckDB built equal to those of Spark's tables?

Belongs here: comparing relations row by row. Must not be here: building them.

Whole numbers, texts, moments and lists must be the same; a double may differ by a billionth of itself, for a sum in
another order has another last digit.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import duckdb

from engine.on_spark import tables
from engine.on_spark.marts import parquet
from warehouse.store import BUILD_DATABASE, MARTS_DATABASE, Store

# Of the run itself: two runs that land the same have other ones.
OF_THE_RUN = ("landed_at", "told_at")
TOLERANCE = 1e-9


@dataclass(frozen=True, slots=True)
class Difference:
    """How a model differs.

    Attributes:
        model: `schema.name`.
        rows: Rows that differ, or that one of both lacks; 0 where they are equal.
        duckdb_rows: Rows on DuckDB.
        spark_rows: Rows on Spark.
    """

    model: str
    rows: int
    duckdb_rows: int
    spark_rows: int

    def __str__(self) -> str:
        return f"{self.model}: {self.rows} rows differ ({self.duckdb_rows} on DuckDB, {self.spark_rows} on Spark)"


def compare(on_duckdb: Store, on_spark: Store, warehouse: Path) -> list[Difference]:
    """Compares every model that is a table.

    Args:
        on_duckdb: A home that DuckDB built.
        on_spark: One that Spark built, of the same facts.
        warehouse: Its `SPARK_WAREHOUSE`.
    """
    table_set = tables.named_by_file(on_spark.build_path)
    if table_set is None:
        message = f"{on_spark.home} was not built on Spark"
        raise ValueError(message)
    folder = tables.folder(warehouse, table_set)
    with on_duckdb.model_writer() as connection:
        models = connection.execute(
            "select schema_name, table_name from duckdb_tables()"
            " where schema_name in ('staging', 'intermediate', 'marts') order by all"
        ).fetchall()
        return [_compared(connection, schema, name, folder) for schema, name in models]


def _compared(connection: duckdb.DuckDBPyConnection, schema: str, name: str, folder: Path) -> Difference:
    database = MARTS_DATABASE if schema == "marts" else BUILD_DATABASE
    relation = f'{database}."{schema}"."{name}"'
    model = f"{schema}.{name}"
    other = parquet(folder, schema, name)
    if other is None:
        [(rows,)] = connection.execute(f"select count(*) from {relation}").fetchall()
        return Difference(model, rows, rows, 0)
    columns = {
        column: kind
        for column, kind in connection.execute(
            "select column_name, data_type from duckdb_columns()"
            " where (database_name, schema_name, table_name) = (?, ?, ?) order by column_index",
            [database, schema, name],
        ).fetchall()
        if column not in OF_THE_RUN
    }
    floats = [column for column, kind in columns.items() if kind in ("DOUBLE", "FLOAT")]
    exact = [column for column in columns if column not in floats]
    listed = ", ".join(f'cast("{column}" as {kind}) as "{column}"' for column, kind in columns.items())
    # Rows that are equal but for the last digits of doubles come at the same place.
    order = ", ".join([*(f'"{column}"' for column in exact), *(f'round("{column}", 3)' for column in floats)])
    sides = {"mine": relation, "other": other}
    numbered = ", ".join(
        f"{side} as (select *, row_number() over (order by {order}) as place from (select {listed} from {source}))"
        for side, source in sides.items()
    )
    same = [f'mine."{column}" is not distinct from other."{column}"' for column in exact]
    same += [
        f'(mine."{column}" is not distinct from other."{column}" or abs(mine."{column}" - other."{column}")'
        f' <= {TOLERANCE} * greatest(abs(mine."{column}"), abs(other."{column}"), 1))'
        for column in floats
    ]
    [row] = connection.execute(
        f"with {numbered} select count(*) filter (where not coalesce({' and '.join(same)}, false)),"
        " count(mine.place), count(other.place) from mine full join other on mine.place = other.place"
    ).fetchall()
    return Difference(model, *row)
