"""Builds and tests the models of a home on Spark, and brings what is published back to the home.

Belongs here: the order of a build. Must not be here: how its parts are done (the modules beside it), how dbt is called
(`dbt_runner`).

A build is the facts as Parquet; a session; the tables of the last build; `dbt build --target spark`; the new set of
tables; its marts in the home; and then the home names the set. Whatever is cut short before that is done again by the
next run, from the same facts and the same tables, so with the same rows.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine import compiled_models, compiler, dbt_runner, progress
from engine.compiled_models import OutdatedHomeError
from engine.dbt_runner import DbtFailedError, NodeResult
from engine.engines import Engine
from engine.on_spark import marts, python_models, tables, work
from engine.on_spark.session import SparkConfig, address
from warehouse.store import Store, quote_literal

if TYPE_CHECKING:
    import duckdb
    from pyspark.sql import SparkSession

logger = logging.getLogger(__name__)

# Measured on 2 cores: what a build takes on the smallest day.
_START_S = 240.0
# The schema and table in which the loads of videos come first.
_STAGED = ("staging", "stg_tiktok__videos")


def engine(config: SparkConfig) -> Engine:
    """Spark, as the engine that a home is built with."""
    return Engine(work.TARGET, partial(_build, config), work.fingerprint, _START_S, partial(_last_load, config))


def _build(
    config: SparkConfig,
    project_dir: Path,
    store: Store,
    as_of_dates: Sequence[str],
    names: Iterable[str] | None = None,
    on_result: Callable[[NodeResult], object] | None = None,
) -> list[NodeResult]:
    """As `compiled_models.build`; results are told when the marts are in the home.

    Raises:
        DbtFailedError: A node failed; `results` holds what ran.
        OutdatedHomeError: Another version of the project, or another engine, made the home.
        SparkSetupError: Spark can't be used.
        LostTablesError: See there.
        WarehouseBusyError: Another build has the folder of Spark's tables.
    """
    nodes = compiler.compiled(project_dir)
    with work.held(config, project_dir, store) as held:
        if not held.is_current:
            message = (
                f"{store.build_path} was made by another version of this project, or by another engine:"
                " `trends rebuild` makes it again"
            )
            raise OutdatedHomeError(message)
        with held.session() as (spark, folder):
            # Of a part the checks that DuckDB runs too: dbt itself would add those of all that was ever built.
            part = None if names is None else [node.name for node in compiled_models.selected(nodes, names).values()]
            results = _dbt(config, project_dir, store, as_of_dates, part, spark)
            table_set = held.keep(spark, folder)
        built = {result.unique_id for result in results if result.status == "success"}
        brought = {result.unique_id: result for result in held.take_over(table_set, as_of_dates, built)}
    results = [_with_rows(result, brought.get(result.unique_id)) for result in results]
    for result in results:
        if on_result:
            on_result(result)
    return results


def _last_load(config: SparkConfig, connection: duckdb.DuckDBPyConnection) -> int:
    """The last load of videos in the tables that the home names; the home itself has none of staging's rows."""
    table_set = tables.named(connection)
    staged = marts.parquet(tables.folder(config.warehouse, table_set), *_STAGED) if table_set else None
    if staged is None:
        return 0
    return int(connection.execute(f"select coalesce(max(load_id), 0) from {staged}").fetchall()[0][0])


def _dbt(
    config: SparkConfig,
    project_dir: Path,
    store: Store,
    as_of_dates: Sequence[str],
    names: Iterable[str] | None,
    spark: SparkSession,
) -> list[NodeResult]:
    """Runs `dbt build` in the session, of nodes by name or all; what a check found is kept as rows for DuckDB to read.

    Raises:
        DbtFailedError: A node failed.
    """
    python_models.enable()
    # A server of Spark Connect shows nothing of ours but statements.
    callbacks = [] if config.remote else [_named_jobs(spark)]
    arguments = ["--select", *names, "--indirect-selection", "empty"] if names is not None else []
    first, last = min(as_of_dates), max(as_of_dates)
    failure: DbtFailedError | None = None
    with progress.stage(f"models of {first if first == last else f'{first} to {last}'} on Spark") as shown:
        try:
            results = dbt_runner.invoke(
                project_dir, store, "build", as_of_dates=as_of_dates, arguments=arguments, shown=shown,
                callbacks=callbacks, target=work.TARGET,
            )  # fmt: skip
        except DbtFailedError as error:
            results, failure = error.results, error
        kept = _keep_found(project_dir, store, as_of_dates, results, spark, config.warehouse)
    results = [replace(result, relation=None, query=kept.get(result.unique_id)) for result in results]
    if failure:
        raise DbtFailedError(str(failure), results) from None
    return results


def _named_jobs(spark: SparkSession) -> Callable[[Any], None]:
    """A callback by which Spark's pages and its event log say which model or check a job belongs to."""

    def tell(event: Any) -> None:
        # Told in the thread that runs the node, whose jobs get the name.
        if event.info.name == "NodeStart":
            spark.sparkContext.setJobDescription(event.data.node_info.node_name)

    return tell


def _keep_found(
    project_dir: Path,
    store: Store,
    as_of_dates: Sequence[str],
    results: Sequence[NodeResult],
    spark: SparkSession,
    warehouse: Path,
) -> dict[str, str]:
    """Writes the rows that checks found; returns a query for DuckDB on them, by the check's id.

    dbt itself makes tables of them, for it alone knows what it makes of a check's SQL on Spark. That takes seconds, and
    most checks find nothing: so it is done afterwards, for those that did.
    """
    names = [result.unique_id.split(".")[2] for result in results if result.query]
    if not names:
        return {}
    outcome = dbt_runner.call(
        project_dir, store, "test", ["--store-failures", "--select", *names],
        variables={"as_of_dates": list(as_of_dates)}, target=work.TARGET,
    )  # fmt: skip
    kept = {}
    for result in getattr(outcome.result, "results", None) or []:
        if result.node.relation_name and result.status in ("warn", "fail"):
            place = warehouse / "found" / result.node.name
            spark.table(result.node.relation_name).coalesce(1).write.mode("overwrite").parquet(address(place))
            kept[result.node.unique_id] = f"from read_parquet({quote_literal(str(place / '*.parquet'))})"
            spark.sql(f"drop table {result.node.relation_name}")
    return kept


def _with_rows(result: NodeResult, brought: NodeResult | None) -> NodeResult:
    """A result with the relation of the home and its rows, where it was brought."""
    return replace(result, relation=brought.relation, rows=brought.rows) if brought else result
