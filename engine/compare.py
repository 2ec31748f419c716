"""Rows of the same models on two engines, told apart: what `make spark-demo` prints and a test asserts.

Belongs here: comparing relations that DuckDB can read. Must not be here: how either of them was built.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import duckdb

# Sums of doubles differ by the order of their rows.
_RELATIVE = 1e-9
_SHOWN_ROWS = 3


@dataclass(frozen=True, slots=True)
class Comparison:
    """Models that were compared.

    Attributes:
        models: Names of all of them.
        differences: What differs, by model; empty where all are equal.
    """

    models: list[str]
    differences: Mapping[str, str]

    @property
    def line(self) -> str:
        """How many are equal."""
        return f"{len(self.models) - len(self.differences)} of {len(self.models)} models equal"

    def told(self) -> str:
        """All of it in words, the line last."""
        return "\n".join([*(f"{model}: {text}" for model, text in self.differences.items()), self.line])


def difference(connection: duckdb.DuckDBPyConnection, one: str, other: str) -> str:
    """What differs between the rows of two relations, in words; empty where nothing does.

    The order of rows says nothing. Doubles may differ by 1e-9 of their size, everything else not at all; whole numbers
    are compared as such, whatever their width, and so are dates and times.

    Args:
        connection: Reads both.
        one: A relation in SQL.
        other: The one that is to be equal.
    """
    left, right = _columns(connection, one), _columns(connection, other)
    if left.keys() != right.keys():
        missing, further = sorted(left.keys() - right.keys()), sorted(right.keys() - left.keys())
        return f"columns missing: {missing}, columns more: {further}"
    names = sorted(left)
    doubles = [name for name in names if left[name] in _FLOATING or right[name] in _FLOATING]
    exact = [name for name in names if name not in doubles]
    for place, relation in (("left_rows", one), ("right_rows", other)):
        columns = ", ".join(
            [f"{_comparable(name, left[name])} as {_quoted(name)}" for name in exact]
            + [f"cast({_quoted(name)} as double) as {_quoted(name)}" for name in doubles]
        )
        # Rows that are equal in all but doubles are paired in the order of these.
        order = ", ".join(f"round({_quoted(name)}, 6), {_quoted(name)}" for name in doubles) or "1"
        parts = ", ".join(map(_quoted, exact)) or "1"
        connection.execute(
            f"create or replace temporary table {place} as select *, row_number() over (partition by {parts}"
            f" order by {order}) as pair_number from (select {columns} from {relation})"
        )
    ((rows, others),) = connection.execute(
        "select (select count(*) from left_rows), (select count(*) from right_rows)"
    ).fetchall()
    same = " and ".join(
        [f"l.{_quoted(name)} is not distinct from r.{_quoted(name)}" for name in exact]
        + ["l.pair_number = r.pair_number"]
    )
    near = " and ".join(f"({_near(name)})" for name in doubles) or "true"
    pairs = f"from left_rows as l full join right_rows as r on {same}"
    unpaired = "l.pair_number is null or r.pair_number is null"
    ((apart, far),) = connection.execute(
        f"select count(*) filter (where {unpaired}), count(*) filter (where not ({unpaired}) and not ({near})) {pairs}"
    ).fetchall()
    if not apart and not far:
        return ""
    told = [f"{rows} rows against {others}; {apart} without a counterpart, {far} with other doubles"]
    if far:
        counts = ", ".join(f"count(*) filter (where not ({_near(name)}))" for name in doubles)
        (found,) = connection.execute(f"select {counts} {pairs} where not ({unpaired})").fetchall()
        told += [f"{name}: {count}" for name, count in zip(doubles, found, strict=True) if count]
        for name, count in zip(doubles, found, strict=True):
            if count:
                shown = connection.execute(
                    f"select l.{_quoted(name)}, r.{_quoted(name)} {pairs}"
                    f" where not ({unpaired}) and not ({_near(name)}) limit {_SHOWN_ROWS}"
                ).fetchall()
                told.append(f"{name}: {shown}")
    if apart:
        told.append(_columns_apart(connection, exact))
    return "\n  ".join(told)


def _columns_apart(connection: duckdb.DuckDBPyConnection, exact: list[str]) -> str:
    """The columns by which rows lack a counterpart, the most telling first, with values of each side."""
    lines = []
    for name in exact:
        column = _quoted(name)
        one, other = (
            connection.execute(
                f"select {column}, count(*) from {a} group by 1"
                f" except all select {column}, count(*) from {b} group by 1 order by all limit {_SHOWN_ROWS}"
            ).fetchall()
            for a, b in (("left_rows", "right_rows"), ("right_rows", "left_rows"))
        )
        if one or other:
            lines.append(f"{name}: {one} against {other}")
    if not lines:
        return "each column has the same values, in other combinations"
    return "\n  ".join(lines)


_FLOATING = ("DOUBLE", "FLOAT")
_WHOLE = (
    "TINYINT",
    "SMALLINT",
    "INTEGER",
    "BIGINT",
    "HUGEINT",
    "UTINYINT",
    "USMALLINT",
    "UINTEGER",
    "UBIGINT",
    "UHUGEINT",
)


def _columns(connection: duckdb.DuckDBPyConnection, relation: str) -> dict[str, str]:
    return {str(row[0]): str(row[1]) for row in connection.execute(f"describe select * from {relation}").fetchall()}


def _quoted(name: str) -> str:
    return f'"{name}"'


def _comparable(name: str, kind: str) -> str:
    """A column as what both engines can say it as."""
    if kind in _WHOLE or kind.startswith("DECIMAL"):
        return f"cast({_quoted(name)} as decimal(38, 6))"
    if kind.startswith("TIMESTAMP"):
        return f"cast({_quoted(name)} as timestamp)"
    return _quoted(name)


def _near(name: str) -> str:
    """Whether the doubles `l` and `r` of a column are as good as equal."""
    left, right = f"l.{_quoted(name)}", f"r.{_quoted(name)}"
    return (
        f"{left} is not distinct from {right}"
        f" or coalesce(abs({left} - {right}) <= {_RELATIVE} * greatest(abs({left}), abs({right}), 1e-3), false)"
    )


def models(connection: duckdb.DuckDBPyConnection, pairs: Iterable[tuple[str, str, str]]) -> Comparison:
    """Compares models of two engines.

    Args:
        connection: Reads all relations.
        pairs: Name of each model, its relation on one engine and on the other.
    """
    names, differences = [], {}
    for name, one, other in pairs:
        names.append(name)
        if found := difference(connection, one, other):
            differences[name] = found
    return Comparison(names, differences)
