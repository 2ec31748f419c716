"""Results of DuckDB are read to their end: what is half read is cut off by the next statement of its connection."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import PROJECT, ROOMS

# Reading in part, and names that DuckDB 2.0 no longer has.
UNWANTED = {"fetchone", "fetchmany", "fetch_arrow_table", "fetch_record_batch", "fetch_df_chunk"}


def unwanted(source: str) -> list[str]:
    """Calls of a source text that read a result in part, as `line: name`."""
    return [
        f"{node.lineno}: {node.attr}"
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Attribute) and node.attr in UNWANTED
    ]


def sources() -> Iterator[Path]:
    for room in (*ROOMS, "benchmarks", "tests"):
        yield from sorted((PROJECT / room).rglob("*.py"))


@pytest.mark.parametrize("call", ["fetchone()", "fetchmany(10)", "fetch_arrow_table()"])
def test_partial_read_is_found(call: str) -> None:
    assert unwanted(f"rows = 1\nrow = connection.execute('select 1').{call}\n") == [f"2: {call.split('(')[0]}"]


def test_no_result_is_read_in_part() -> None:
    found = [
        f"{path.relative_to(PROJECT)}:{place}" for path in sources() for place in unwanted(path.read_text("utf-8"))
    ]
    assert found == [], "read the rows with fetchall() or to_arrow_table()"
