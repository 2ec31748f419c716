"""`python -m examples`: the questions of this folder, answered from a home's published file, as Markdown.

Belongs here: running the queries and showing the first rows. Must not be here: the questions (`*.sql`, one statement
each, the question in the first line).
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import duckdb

FOLDER = Path(__file__).parent
ROWS = 5
HEAD = """# Twelve questions to the published file

Each is one statement: `duckdb -readonly home/warehouse/trends.duckdb < examples/01_what_to_build.sql`, or any program
that reads DuckDB. Below: the first rows on the simulated sample (`make run`), written by `python -m examples`;
`--home DIR` answers them from your own home.
"""


def main() -> int:
    """Prints the questions with their answers."""
    parser = argparse.ArgumentParser(prog="python -m examples", description=__doc__)
    parser.add_argument("--home", type=Path, default=FOLDER.parent / "home", help="default: home/ in the project")
    path = parser.parse_args().home / "warehouse" / "trends.duckdb"
    if not path.exists():
        parser.error(f"nothing is published: {path} does not exist. Run `trends run` first")
    print(answers(path), end="")
    return 0


def answers(path: Path) -> str:
    """The page with all questions and the first rows of their answers.

    Args:
        path: A published file.
    """
    with duckdb.connect(str(path), read_only=True) as connection:
        return "\n".join([HEAD, *(_answer(connection, query) for query in sorted(FOLDER.glob("*.sql")))])


def _answer(connection: duckdb.DuckDBPyConnection, query: Path) -> str:
    text = query.read_text(encoding="utf-8")
    cursor = connection.execute(text)
    names = [column[0] for column in cursor.description or ()]
    rows = cursor.fetchall()
    question = text.splitlines()[0].removeprefix("--").strip()
    table = [names, ["---"] * len(names), *([_shown(value) for value in row] for row in rows[:ROWS])]
    lines = "\n".join(f"| {' | '.join(cells)} |" for cells in table)
    return f"## {question}\n\n[{query.name}]({query.name}), {len(rows)} rows\n\n{lines}\n"


def _shown(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:,.1f}" if abs(value) >= 10 else f"{value:.2f}"
    return "" if value is None else str(value).replace("|", "\\|").replace("\n", " ")


if __name__ == "__main__":
    raise SystemExit(main())
