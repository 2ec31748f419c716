"""Columns of every relation of the warehouse: type, comment, and the columns each is made from.

Belongs here: reading them out of the compiled models and the empty warehouse that dbt built, and keeping them beside
these. Must not be here: how the catalogue shows them (`catalogue`), descriptions of a model's columns (its YAML).

Made once per version of the project, right after the models are compiled: sqlglot needs 2 s for the 1,500 columns.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import duckdb

# Relation (`schema/name`, as in an asset key) to its columns, in their order.
Columns = dict[str, "list[Column]"]


@dataclass(frozen=True, slots=True)
class Column:
    """A column.

    Attributes:
        name: Its name.
        type: Type in DuckDB.
        comment: Comment in the warehouse, empty where there is none.
        sources: Relation and column of each column it is computed from.
    """

    name: str
    type: str
    comment: str
    sources: list[tuple[str, str]]


def save(
    target: Path,
    fingerprint: str,
    connection: duckdb.DuckDBPyConnection,
    selects: Mapping[str, str],
    unchanged: Mapping[str, list[Column]] = MappingProxyType({}),
) -> None:
    """Reads and keeps the columns of a version of the project.

    Args:
        target: Build folder of dbt.
        fingerprint: Of the project's files.
        connection: A model writer of a warehouse with all relations.
        selects: Compiled SQL of each model, by `schema/name`.
        unchanged: Columns of models that are as in the version before, with what they are made from; not among the
            selects.
    """
    found = read(connection, selects) | dict(unchanged)
    relations = {name: [asdict(column) for column in columns] for name, columns in found.items()}
    file = path(target)
    partial = file.with_suffix(".partial")
    partial.write_text(json.dumps({"fingerprint": fingerprint, "relations": relations}), encoding="utf-8")
    partial.replace(file)


def load(target: Path, fingerprint: str | None = None) -> Columns:
    """The kept columns; empty where this version of the project (None: any) was not compiled yet."""
    file = path(target)
    saved: dict[str, Any] = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    if not saved or (fingerprint and saved["fingerprint"] != fingerprint):
        return {}
    return {name: [_column(**told) for told in columns] for name, columns in saved["relations"].items()}


def _column(name: str, type: str, comment: str, sources: list[list[str]]) -> Column:
    return Column(name, type, comment, [(table, column) for table, column in sources])


def read(connection: duckdb.DuckDBPyConnection, selects: Mapping[str, str]) -> Columns:
    """The columns of all relations of a warehouse; arguments as in `save`."""
    from sqlglot.schema import MappingSchema

    found = _found(connection)
    by_schema: dict[str, Any] = {}
    for schema, table, column, data_type, _ in found:
        by_schema.setdefault(schema, {}).setdefault(table, {})[column] = data_type
    known = MappingSchema(by_schema, dialect="duckdb")
    sources = {name: _sources(select, known) for name, select in selects.items()}
    columns: Columns = {}
    for schema, table, column, data_type, comment in found:
        name = f"{schema}/{table}"
        made_of = sorted(sources.get(name, {}).get(column, ()))
        columns.setdefault(name, []).append(Column(column, data_type, comment, made_of))
    return columns


def types(connection: duckdb.DuckDBPyConnection) -> dict[str, dict[str, str]]:
    """Type of each column of each relation of a warehouse, in their order."""
    found: dict[str, dict[str, str]] = {}
    for schema, table, column, data_type, _ in _found(connection):
        found.setdefault(f"{schema}/{table}", {})[column] = data_type
    return found


def _found(connection: duckdb.DuckDBPyConnection) -> list[tuple[str, str, str, str, str]]:
    return connection.execute(
        "select schema_name, table_name, column_name, data_type, coalesce(comment, '') from duckdb_columns()"
        " where not internal order by schema_name, table_name, column_index"
    ).fetchall()


def _sources(select: str, schema: Any) -> dict[str, set[tuple[str, str]]]:
    """Column of a select to the columns of relations it is computed from; filters and joins are not among them."""
    import sqlglot
    from sqlglot import exp
    from sqlglot.lineage import lineage
    from sqlglot.optimizer.qualify import qualify
    from sqlglot.optimizer.scope import build_scope

    tree = sqlglot.parse_one(select, dialect="duckdb")
    for table in tree.find_all(exp.Table):
        table.set("catalog", None)
    qualified: Any = qualify(
        tree, schema=schema, dialect="duckdb", validate_qualify_columns=False, quote_identifiers=False
    )
    scope = build_scope(qualified)
    result: dict[str, set[tuple[str, str]]] = {}
    for column in qualified.named_selects:
        # Untrimmed, one tree serves all columns: trimmed to the column asked for, each would need its own (38 s).
        node = lineage(column, qualified, schema, scope=scope, dialect="duckdb", copy=False, trim_selects=False)
        result[column] = {
            (f"{leaf.expression.db}/{leaf.expression.name}", leaf.name.split(".")[-1])
            for leaf in node.walk()
            if isinstance(leaf.expression, exp.Table)
        }
    return result


def path(target: Path) -> Path:
    """Where they are kept."""
    return target / "columns.json"
