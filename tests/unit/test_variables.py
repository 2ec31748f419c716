"""Thresholds stand in one place, each used, none with a value of its own elsewhere."""

from __future__ import annotations

import re
from collections.abc import Iterator

import yaml

from tests.support import PROJECT

# Given by the command that builds, not by the project.
OF_A_CALL = {"as_of_dates", "called_by", "trends_home"}
# Read by macros under names that are put together.
_MADE_UP = re.compile(r"""var\(\s*['"]([a-z_0-9]+)['"]\s*~""")
_NAMED = re.compile(r"""var\(\s*['"]([a-z_0-9]+)['"]\s*([,)])""")


def sources() -> Iterator[tuple[str, str]]:
    for pattern in ("models/**/*.sql", "models/**/*.py", "models/**/*.yml", "macros/*.sql", "tests/dbt/**/*.sql"):
        for path in sorted(PROJECT.glob(pattern)):
            yield path.name, path.read_text(encoding="utf-8")


def declared() -> set[str]:
    return set(yaml.safe_load((PROJECT / "dbt_project.yml").read_text(encoding="utf-8"))["vars"])


def test_a_threshold_has_its_value_in_the_project_file_alone() -> None:
    named = {(match[1], match[2]) for _, text in sources() for match in _NAMED.finditer(text)}
    assert {name for name, after in named if after == "," and name not in OF_A_CALL} == set()
    assert {name for name, _ in named} - OF_A_CALL <= declared()


def test_every_threshold_is_used() -> None:
    text = "\n".join(text for _, text in sources())
    for room in ("engine", "ingest", "orchestration"):
        text += "\n".join(path.read_text(encoding="utf-8") for path in (PROJECT / room).rglob("*.py"))
    beginnings = tuple(match[1] for match in _MADE_UP.finditer(text))
    unused = {name for name in declared() if not re.search(rf"""['"]{name}['"]""", text)}
    assert {name for name in unused if not name.startswith(beginnings)} == set()
