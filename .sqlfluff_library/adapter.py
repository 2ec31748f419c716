"""Stands for dbt's `adapter` where sqlfluff renders a model: models are linted as DuckDB reads them."""

from __future__ import annotations

import jinja2

from ingest import items

_engine = items.DuckDBMacros()
_text = "".join(
    path.read_text(encoding="utf-8")
    for path in sorted((items.PROJECT / "macros").glob("engine*.sql"))
    if "spark" not in path.name
)
# SQL, not HTML.
_environment = jinja2.Environment(autoescape=False)  # noqa: S701
_engine.module = _environment.from_string(
    _text, globals={"adapter": _engine, "var": items.variables().__getitem__}
).module

dispatch = _engine.dispatch
