"""Stands for dbt where sqlfluff renders a model: models are linted as DuckDB reads them, with the project's numbers."""

from __future__ import annotations

import re
from collections.abc import Callable

import jinja2

from ingest import items

_variables = items.variables()


def var(name: str, default: object = None) -> object:
    """A number, word or list of the project file."""
    return _variables.get(name, default)


adapter = items.DuckDBMacros()
_text = "".join(
    path.read_text(encoding="utf-8")
    for path in sorted((items.PROJECT / "macros").glob("engine*.sql"))
    if "spark" not in path.name
)
# SQL, not HTML. The linter runs this file anew for each model: compiling the macros each time took it a seventh longer.
_kept = jinja2.FileSystemBytecodeCache()
_environment = jinja2.Environment(autoescape=False, loader=jinja2.DictLoader({"engine": _text}), bytecode_cache=_kept)  # noqa: S701
adapter.module = _environment.get_template("engine", globals={"adapter": adapter, "var": var}).module


class flags:  # noqa: N801 - dbt's name
    """What dbt was called with."""

    WHICH, FULL_REFRESH, EMPTY = "compile", False, False


def _call(name: str) -> Callable[..., str]:
    return lambda *arguments, **_: f"{name}({', '.join(str(argument) for argument in arguments if argument)})"


# What reads the items of TikTok is pages of SQL for a fact: the linter sees its name with what it is given.
_items = (items.PROJECT / "macros" / "tiktok_items.sql").read_text(encoding="utf-8")
globals().update({name: _call(name) for name in re.findall(r"macro (\w+)\(", _items)})
