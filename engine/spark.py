"""The same dbt project on Spark: a session, the facts of a home as its tables, and a build of the models there.

Belongs here: what Spark needs around dbt. Must not be here: SQL of a model (`models/`, `macros/engine_spark.sql`).
Nothing else of the program imports PySpark: who stays with DuckDB does not install it
(requirements-spark.in).
"""

from __future__ import annotations

import importlib.metadata
import logging
import os
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import yaml

from engine import compare, compiled_models, dbt_runner
from engine.compare import Comparison
from engine.compiled_models import CompiledNode
from engine.dbt_runner import DbtFailedError, NodeResult
from warehouse.store import Store, quote_literal

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import DataFrame, SparkSession

logger = logging.getLogger(__name__)

# Schemas of the facts that models read.
_FACTS = ("raw", "meta", "told")
# What the driver itself sets on one machine; those of every session stand in profiles.yml. Small tables come in few
# partitions: with the 200 of the default a day's models took their time for empty tasks.
_LOCAL = {
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.sql.shuffle.partitions": "2",
    "spark.default.parallelism": "2",
}

# For days of a few thousand rows: what Spark compiles for a query takes longer than to interpret it.
SMALL = {
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
    "spark.sql.adaptive.enabled": "false",
    "spark.sql.shuffle.partitions": "1",
}


class SparkMissingError(RuntimeError):
    """PySpark, dbt-spark or Java is not there; the message names the remedy."""


def required() -> None:
    """Looks for what the models on Spark need.

    Raises:
        SparkMissingError: See there.
    """
    # Without importing them, which takes seconds.
    for package in ("pyspark", "dbt-spark"):
        try:
            importlib.metadata.distribution(package)
        except importlib.metadata.PackageNotFoundError as error:
            message = f"{package} is not installed: `make spark` installs the packages of requirements-spark.lock"
            raise SparkMissingError(message) from error
    home = os.environ.get("JAVA_HOME")
    if not (Path(home, "bin", "java").exists() if home else shutil.which("java")):
        message = "Java is not found: install a JDK of 17 or newer, or set JAVA_HOME to one"
        raise SparkMissingError(message)


def settings(project_dir: Path) -> dict[str, str]:
    """Settings that the models' SQL needs of a session, as profiles.yml has them, without what the environment says."""
    profiles = yaml.safe_load((project_dir / "profiles.yml").read_text(encoding="utf-8"))
    (profile,) = (value for value in profiles.values() if "outputs" in value)
    given = profile["outputs"]["spark"]["server_side_parameters"]
    return {name: value for name, value in given.items() if "{{" not in value}


def open_session(
    project_dir: Path, warehouse: Path, master: str = "local[*]", further: Mapping[str, str] | None = None
) -> SparkSession:
    """The session of this process, whose tables lie below a folder.

    Args:
        project_dir: Folder of dbt_project.yml.
        warehouse: Folder of the tables; on a cluster one that all its machines see.
        master: Address of the cluster, `local[*]` for this process alone.
        further: Settings over those of the project.
    """
    required()
    from pyspark.sql import SparkSession

    # Workers run the interpreter of the driver, whatever `python3` is on the path.
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    given = {"spark.sql.warehouse.dir": str(warehouse.resolve()), **_LOCAL, **settings(project_dir)}
    builder = SparkSession.builder.master(master).appName("tiktok-trends")
    for name, value in {**given, "spark.sql.ansi.enabled": "false", **(further or {})}.items():
        builder = builder.config(name, value)
    # A failed statement is told by dbt, without the 200 lines that the JVM has of it.
    logging.getLogger("SQLQueryContextLogger").disabled = True
    opened = builder.getOrCreate()
    opened.sparkContext.setLogLevel("ERROR")
    return opened


def register_facts(spark: SparkSession, store: Store, folder: Path) -> None:
    """Writes the facts of a home as Parquet and makes them Spark's tables, in place of those of before.

    Args:
        spark: The session.
        store: The home.
        folder: Where the files go, one per table.
    """
    with duckdb.connect(str(store.facts_path), read_only=True) as connection:
        tables = connection.execute(
            "select schema_name, table_name from duckdb_tables() where list_contains(?, schema_name) order by all",
            [list(_FACTS)],
        ).fetchall()
        for schema, table in tables:
            path = folder / schema / f"{table}.parquet"
            path.parent.mkdir(parents=True, exist_ok=True)
            connection.execute(f'copy {schema}."{table}" to {quote_literal(str(path))} (format parquet)')
            register(spark, f"{schema}.{table}", path)


def register(spark: SparkSession, name: str, path: Path) -> None:
    """Makes Parquet files a table, `schema.table`, in place of one of that name."""
    spark.sql(f"create schema if not exists {name.split('.')[0]}")
    spark.sql(f"drop table if exists {name}")
    spark.sql(f"create table {name} using parquet location {quote_literal(str(path.resolve()))}")


def build(
    project_dir: Path,
    target_path: Path,
    *,
    as_of_dates: Sequence[str] = (),
    arguments: Sequence[str] = (),
    command: str = "build",
) -> list[NodeResult]:
    """Runs dbt on the session of this process, with the facts registered.

    Args:
        project_dir: Folder of dbt_project.yml.
        target_path: Where dbt keeps what it parsed and compiled for Spark.
        as_of_dates: ISO dates of the batch; empty for the latest.
        arguments: Further arguments of dbt.
        command: `build`, `run`, `seed`, `test` or `compile`.

    Raises:
        DbtFailedError: A node failed, or dbt refused the command.
    """
    from dbt.cli.main import dbtRunner

    enable_python_models()
    variables = {"called_by": dbt_runner.CALLER, **({"as_of_dates": list(as_of_dates)} if as_of_dates else {})}
    outcome = dbtRunner().invoke(
        [
            "--no-version-check", "--log-path", str(target_path), command,
            "--project-dir", str(project_dir), "--profiles-dir", str(project_dir), "--target", "spark",
            "--target-path", str(target_path), "--vars", yaml.safe_dump(variables), *arguments,
        ]
    )  # fmt: skip
    results = [
        NodeResult(
            unique_id=result.node.unique_id,
            resource_type=str(result.node.resource_type),
            status=str(result.status),
            seconds=float(result.execution_time),
            message=str(result.message or ""),
            failures=result.failures,
            relation=f"{result.node.schema}.{result.node.alias}",
            query=getattr(result.node, "compiled_code", None),
        )
        for result in getattr(outcome.result, "results", None) or []
    ]
    if not outcome.success:
        raise DbtFailedError(dbt_runner.failures(results) or f"dbt: {outcome.exception}", results)
    return results


def enable_python_models() -> None:
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

        # Active in the thread that opened it; in dbt's threads it is the default one.
        spark = SparkSession.active()
        names: dict[str, Any] = {}
        exec(compiled_code, names)  # noqa: S102 - the project's own model
        computed: pa.Table = names["model"](names["dbtObj"](lambda name: Relation(spark.table(name))), spark)
        written = spark.createDataFrame(computed).write.mode("overwrite").format("parquet")
        written.partitionBy("as_of_date").saveAsTable(names["RELATION"])


def compare_models(project_dir: Path, spark: SparkSession, store: Store) -> Comparison:
    """Compares every model of a home with its table in a session: the same facts and dates, built on both engines.

    Args:
        project_dir: Folder of dbt_project.yml.
        spark: The session that built them.
        store: The home.
    """
    nodes = [node for node in compiled_models.compiled(project_dir) if node.resource_type == "model"]
    with store.model_writer() as connection:
        return compare.models(connection, _pairs(spark, connection, nodes))


def _pairs(
    spark: SparkSession, connection: duckdb.DuckDBPyConnection, nodes: Sequence[CompiledNode]
) -> Iterator[tuple[str, str, str]]:
    for node in nodes:
        _, schema, name = (part.strip('"') for part in node.relation.split("."))
        # One after the other: a large mart is in memory once.
        connection.register("on_spark", spark.table(f"{schema}.{name}").toArrow())
        yield node.name, node.relation, "on_spark"
        connection.unregister("on_spark")


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
