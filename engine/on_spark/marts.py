"""Marts that were built on Spark, brought into the marts' file of a home, from which they are published as ever.

Belongs here: reading a set's Parquet as the rows of a build. Must not be here: which rows a build replaces: that is in
dbt's own incremental statements, which `compiled_models` runs for a home that is built on DuckDB too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import duckdb

from engine import compiled_models
from engine.compiler import CompiledNode
from engine.dbt_runner import NodeResult
from warehouse.store import MARTS_DATABASE, quote_literal

# What the pipeline itself reads of the models in between: which dates and polls were built, and the panel's draws.
_BATCHES = ("int_as_of", "int_polls")
_READ_TOO = (*_BATCHES, "int_panel_draws")


@dataclass(frozen=True, slots=True)
class Strategy:
    """How a model's rows of earlier builds give way to new ones.

    Attributes:
        name: dbt's name of the incremental strategy; empty for a table that is made anew.
        keys: Columns whose rows are replaced together, of `replace_keys`.
    """

    name: str
    keys: tuple[str, ...]


def bring(
    connection: duckdb.DuckDBPyConnection,
    nodes: Sequence[CompiledNode],
    folder: Path,
    as_of_dates: Sequence[str],
    strategies: Mapping[str, Strategy],
) -> list[NodeResult]:
    """Gives the home the rows of a build.

    Args:
        connection: A model writer.
        nodes: The project's nodes as compiled for DuckDB.
        folder: The set's.
        as_of_dates: ISO dates of the batch.
        strategies: Of each model that was built, by its id.

    Returns:
        A result for each model brought.

    Raises:
        DbtFailedError: Something could not be brought.
    """
    wanted = [
        node
        for node in nodes
        if node.unique_id in strategies
        and (node.name in _READ_TOO or (node.kind == "incremental" and f'"{MARTS_DATABASE}"' in node.relation))
    ]
    polls = parquet(folder, "intermediate", "int_polls")
    poll_dates = [
        day.isoformat()
        for (day,) in (
            connection.execute(f"select distinct as_of_date from {polls} where is_in_batch").fetchall() if polls else []
        )
    ]
    dates = {"as_of": list(as_of_dates), "poll_dates": poll_dates}
    # The statements of the others ask these which dates they replace.
    first = [node.unique_id for node in wanted if node.name in _BATCHES]
    brought = [
        replace(
            node,
            sql=_rows(connection, node, folder, strategies[node.unique_id], dates),
            after=[] if node.unique_id in first else first,
            is_python=False,
        )
        for node in wanted
    ]
    names = [node.name for node in brought]
    return compiled_models.run(connection, brought, as_of_dates, names, told_as="bringing the marts of")


def _rows(
    connection: duckdb.DuckDBPyConnection,
    node: CompiledNode,
    folder: Path,
    strategy: Strategy,
    dates: Mapping[str, Sequence[str]],
) -> str:
    """A select of what a build made of a model, in the columns that the home has it with."""
    database, schema, name = node.relation.replace('"', "").split(".")
    columns = connection.execute(
        "select column_name, data_type from duckdb_columns()"
        " where (database_name, schema_name, table_name) = (?, ?, ?) order by column_index",
        [database, schema, name],
    ).fetchall()
    listed = ", ".join(f'cast("{column}" as {type_name}) as "{column}"' for column, type_name in columns)
    of_dates = dates.get(strategy.name)
    files = _files(folder, schema, name, of_dates)
    if not files:
        nothing = ", ".join(f'cast(null as {type_name}) as "{column}"' for column, type_name in columns)
        fresh = f"select {nothing} where false"
    elif of_dates is None:
        fresh = f"select {listed} from {_read(files)}"
    else:
        literals = ", ".join(f"date '{day}'" for day in of_dates)
        fresh = f"select {listed} from {_read(files)} where as_of_date in ({literals})"
    if not strategy.keys:
        return fresh
    # Rows of keys that the build did not compute are as they were: only the others are written.
    keys = ", ".join(f'"{key}"' for key in strategy.keys)
    return (
        f"with fresh as ({fresh}),"
        f" changed as (select distinct {keys} from (from fresh except all from {node.relation}))"
        f" select fresh.* from fresh semi join changed using ({keys})"
    )


def parquet(folder: Path, schema: str, name: str) -> str | None:
    """A table of a set, as a table of DuckDB's SQL; None of one that has no rows."""
    files = _files(folder, schema, name)
    return _read(files) if files else None


def _files(folder: Path, schema: str, name: str, dates: Sequence[str] | None = None) -> list[Path]:
    """The Parquet files of a table; of one that is laid out by dates, those of some."""
    table = folder / schema / name
    if dates is not None and any(table.glob("as_of_date=*")):
        return [path for day in dates for path in sorted((table / f"as_of_date={day}").glob("*.parquet"))]
    return sorted(path for path in table.rglob("*.parquet") if not path.name.startswith(("_", ".")))


def _read(files: Sequence[Path]) -> str:
    """Files as a table of DuckDB's SQL."""
    listed = ", ".join(quote_literal(str(path)) for path in files)
    by_date = any(path.parent.name.startswith("as_of_date=") for path in files)
    layout = (
        ", hive_partitioning = true, hive_types = {'as_of_date': date}" if by_date else ", hive_partitioning = false"
    )
    return f"read_parquet([{listed}]{layout})"
