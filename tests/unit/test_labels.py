"""Labels that users know by sight are spelled once in Python, and the same in SQL, YAML and seeds."""

import ast
import re
from pathlib import Path
from typing import Any

import jinja2
import pytest

from explorer import queries
from orchestration.settings import PROJECT_ROOT
from warehouse import labels

# A sign, and the word in capitals that makes it a label. Flags are the markets', of seeds/markets.csv.
_SIGN = r"[\U0001F190-\U0001F1AD\U0001F300-\U0001FAFF\u2190-\u2BFF]\uFE0F?"
_LABEL = re.compile(rf"{_SIGN} ?[A-Z0-9][A-Z0-9_-]*(?: [A-Z]+)*")
_QUOTED = re.compile(rf"'({_SIGN} [^']+)'")
_PYTHON = ("engine", "explorer", "exports", "forecasting", "ingest", "orchestration", "services", "warehouse")


def _relative(paths: list[Path]) -> list[Any]:
    return [pytest.param(path, id=str(path.relative_to(PROJECT_ROOT))) for path in sorted(paths)]


def _with_signs(folders: tuple[str, ...], ending: str) -> list[Path]:
    paths = [path for folder in folders for path in (PROJECT_ROOT / folder).rglob(f"*{ending}")]
    return [path for path in paths if re.search(_SIGN, path.read_text(encoding="utf-8"))]


@pytest.mark.parametrize("path", _relative(_with_signs(("models", "macros", "tests/dbt"), ".sql")))
def test_sql_writes_known_labels(path: Path) -> None:
    written = set(_QUOTED.findall(path.read_text(encoding="utf-8")))
    assert written <= labels.WRITTEN_BY_MODELS


@pytest.mark.parametrize("path", _relative(_with_signs(("models", "seeds"), ".yml")))
def test_yaml_names_known_labels(path: Path) -> None:
    named = {found.strip() for found in _LABEL.findall(path.read_text(encoding="utf-8"))}
    assert named <= labels.WRITTEN_BY_MODELS


def test_every_label_is_written_by_a_model() -> None:
    text = "".join(path.read_text(encoding="utf-8") for path in (PROJECT_ROOT / "models").rglob("*.sql"))
    # In single quotes, or in the middle of a text that is put together.
    assert {label for label in labels.WRITTEN_BY_MODELS if label not in text} == set()


def test_scores_have_the_same_labels_in_the_same_order() -> None:
    text = (PROJECT_ROOT / "macros" / "scorecard.sql").read_text(encoding="utf-8")
    macro = re.search(r"\{% macro ordered_labels\(\).*?endmacro %\}", text, re.DOTALL)
    assert macro is not None
    found: list[dict[str, list[str]]] = []
    template = jinja2.Environment(autoescape=True).from_string(macro[0] + "{{ ordered_labels() }}")
    template.render({"return": found.append})
    ordered = found[0]
    assert ordered["Status"] == list(labels.STATUSES)
    assert ordered["Trajectory"] == list(labels.TRAJECTORIES)
    assert ordered["Action Window"] == list(labels.ACTION_WINDOWS)
    assert ordered["URGENCY"] == [*labels.URGENCIES, "NONE"]
    assert ordered["Build Priority"] == [*labels.BUILD_PRIORITIES, "not listed"]


@pytest.mark.parametrize("path", _relative(_with_signs(_PYTHON, ".py")))
def test_python_takes_labels_from_their_module(path: Path) -> None:
    if path == Path(labels.__file__):
        return
    known = {*labels.WRITTEN_BY_MODELS, *labels.TIERS.values(), *labels.STAGES.values(), labels.AT_CAP, labels.BREAKOUT}
    tree = ast.parse(path.read_text(encoding="utf-8"))
    documented = (ast.Module, ast.FunctionDef, ast.ClassDef)
    docstrings = {ast.get_docstring(node, clean=False) for node in ast.walk(tree) if isinstance(node, documented)}
    texts = [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value not in docstrings
    ]
    spelled = {label for label in known for text in texts if re.search(rf"(?<!\w){re.escape(label)}(?![\w ])", text)}
    assert spelled == set()


def test_questions_are_complete() -> None:
    """A name in braces that was never filled in would be compared with, and filter everything away."""
    asked = {name: text for name, text in vars(queries).items() if name[0].isupper() and isinstance(text, str)}
    assert len(asked) > 10
    assert {name for name, text in asked.items() if "{" in text} == set()
