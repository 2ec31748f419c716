"""What a model depends on stands in its own text: no macro brings a ref or a source of its own."""

from __future__ import annotations

import json
import re
from typing import Any

from engine import dbt_runner
from tests.support import PROJECT

COMMENT = re.compile(r"\{#.*?#\}", re.DOTALL)
# In Python too, where the quotes are double.
REF = re.compile(r"""\bref\(\s*['"](?P<model>\w+)['"]\s*\)""")
SOURCE = re.compile(r"\bsource\(\s*'(?P<schema>\w+)'\s*,\s*'(?P<table>\w+)'\s*\)")


def _nodes() -> dict[str, dict[str, Any]]:
    manifest = json.loads(dbt_runner.ensure_manifest(PROJECT).read_text(encoding="utf-8"))
    nodes: dict[str, dict[str, Any]] = manifest["nodes"]
    return nodes


def _named(text: str) -> set[str]:
    text = COMMENT.sub("", text)
    tables = {f"{found['schema']}.{found['table']}" for found in SOURCE.finditer(text)}
    return {found["model"] for found in REF.finditer(text)} | tables


def _depended_on(node: dict[str, Any]) -> set[str]:
    """Names as `_named` has them; a source's id ends in its schema and table."""
    return {
        ".".join(key.split(".")[2:])
        for key in node["depends_on"]["nodes"]
        if key.startswith(("model", "seed", "source"))
    }


def test_a_model_depends_on_what_its_text_names_and_on_nothing_else() -> None:
    models = [node for node in _nodes().values() if node["resource_type"] == "model"]
    assert len(models) > 80
    # Both ways: a ref within a condition that is false while dbt parses fails only in a later run.
    assert {node["name"]: _depended_on(node) ^ _named(node["raw_code"]) for node in models} == {
        node["name"]: set() for node in models
    }


def test_no_macro_names_a_model_or_a_source() -> None:
    named = {path.name: _named(path.read_text(encoding="utf-8")) for path in (PROJECT / "macros").rglob("*.sql")}
    assert len(named) > 8
    assert {name: found for name, found in named.items() if found} == {}


def test_a_strategy_reads_only_what_its_model_names() -> None:
    """dbt's own error names the model and the missing ref; here every lasting model is looked at at once."""
    needed = {"as_of": "int_as_of", "poll_dates": "int_polls"}
    without = [
        node["name"]
        for node in _nodes().values()
        if node["config"].get("materialized") == "incremental"
        and (parent := needed.get(node["config"]["incremental_strategy"]))
        and parent not in _depended_on(node)
    ]
    assert without == []
