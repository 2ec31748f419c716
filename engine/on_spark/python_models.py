"""Models in Python on Spark: run in the session of this process, as dbt-duckdb runs them in its connection.

Belongs here: how dbt-spark is brought to do so, and what a model may ask of a relation. Must not be here: the models.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import DataFrame


def enable() -> None:
    """Lets dbt-spark run models in Python in a session of this process, which it only does on Databricks."""
    from dbt.adapters.spark.impl import SparkAdapter

    # Of no type: what it is to be replaced by is none of dbt's own, and it need not be installed.
    adapter: Any = SparkAdapter
    adapter.default_python_submission_method = property(lambda _: "session")
    adapter.python_submission_helpers = property(lambda _: {"session": _SessionJob})


class _SessionJob:
    """Runs the compiled code of a model in Python and writes its rows."""

    def __init__(self, parsed_model: dict[str, Any], credentials: object) -> None:
        """Called by dbt; the code says all that is needed."""

    def submit(self, compiled_code: str) -> None:
        """Called by dbt with the model's code, dbt's `dbtObj` and the relation (`spark__create_table_as`)."""
        from pyspark.sql import SparkSession
        from pyspark.sql.pandas.types import from_arrow_schema

        # Active in the thread that opened it; in dbt's threads it is the default one.
        spark = SparkSession.active()
        names: dict[str, Any] = {}
        exec(compiled_code, names)  # noqa: S102 - the project's own model
        computed: pa.Table = names["model"](names["dbtObj"](lambda name: Relation(spark.table(name))), spark)
        # Named, as a server of Spark Connect does not read it from a table without rows.
        schema = from_arrow_schema(computed.schema, prefer_timestamp_ntz=True)
        written = spark.createDataFrame(computed, schema).write.mode("overwrite").format("parquet")
        written.partitionBy("as_of_date").saveAsTable(names["RELATION"])


class Relation:
    """What a model in Python may ask of a relation, on Spark: the part of DuckDB's relations that models use."""

    def __init__(self, frame: DataFrame) -> None:
        self._frame = frame

    @property
    def columns(self) -> list[str]:
        """Names of the columns."""
        return list(self._frame.columns)

    def filter(self, condition: str) -> Relation:
        """The rows that a condition in SQL holds for."""
        return Relation(self._frame.filter(condition))

    def project(self, columns: str) -> Relation:
        """Columns by name, between commas."""
        return Relation(self._frame.select(*(name.strip() for name in columns.split(","))))

    def order(self, columns: str) -> Relation:
        """In the order of columns, between commas."""
        return Relation(self._frame.orderBy(*(name.strip() for name in columns.split(","))))

    def fetchall(self) -> list[tuple[Any, ...]]:
        """All rows."""
        return [tuple(row) for row in self._frame.collect()]

    def to_arrow_table(self) -> pa.Table:
        """All rows as an Arrow table."""
        return self._frame.toArrow()
