"""What dbt is asked for again after an edit: no more than changed, and in the end the same as of a new project."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from engine import columns, compiler, dbt_runner, named
from engine.dbt_runner import DbtFailedError
from tests.integration.dbt_subset import Subset, create_subset
from tests.support import PROJECT

pytestmark = pytest.mark.slow("dbt is asked for each edit")

_TABLE = "{{ config(materialized='table') }} "
MODELS = {
    "numbers": f"{_TABLE}select 1 as number",
    "scaled": f"{_TABLE}select {{{{ var('trend_minimum_videos') }}}} * number as scaled from {{{{ ref('numbers') }}}}",
    "seen": "{{ config(materialized='view') }} select scaled as seen from {{ ref('scaled') }}",
    # A variable whose name is put together.
    "weighted": f"{_TABLE}{{% set part = 'pace' %}}select {{{{ var('score_weight_' ~ part) }}}} as weight",
    # Parsing does not take this branch, compiling does.
    "grown": (
        "{{ config(materialized='incremental', incremental_strategy='append') }}"
        " select 1 as n where {% if is_incremental() %}{{ hidden() }}{% else %}true{% endif %}"
    ),
    # The columns of another table are in the SQL.
    "named": (
        f"{_TABLE}select '{{% for column in adapter.get_columns_in_relation(ref('numbers')) %}}"
        "{{ column.name }} {% endfor %}' as names from {{ ref('numbers') }}"
    ),
    # Rows of a seed are in the SQL.
    "worded": (
        f"{_TABLE}{{% set words = ref('words') %}}select '{{% if execute %}}"
        "{% for row in rows_of_seed(words, 'word') %}{{ row[0] }}{% endfor %}{% endif %}' as words"
    ),
    "alone": f"{_TABLE}select 7 as seven",
}  # fmt: skip
_HIDDEN = "{% macro hidden() %}{{ var('build_list_rows') }} > LEAST{% endmacro %}"
_TESTS = """
models:
  - name: numbers
    description: DESCRIPTION
    data_tests:
      - never_null: {arguments: {columns: [number]}}
"""


@pytest.fixture(scope="module")
def edited(tmp_path_factory: pytest.TempPathFactory) -> Subset:
    """A project that was compiled, and that the tests of this module edit one after the other."""
    folder = tmp_path_factory.mktemp("edited") / "project"
    subset = create_subset(folder, models=[], seeds=[], parents=MODELS, sources=_TESTS)
    (folder / "seeds" / "words.csv").write_text("word\na\nb\n", encoding="utf-8")
    (folder / "macros" / "hidden.sql").write_text(_HIDDEN.replace("LEAST", "0"), encoding="utf-8")
    compiler.compiled(folder)
    return subset


def _write(name: str, text: str) -> Callable[[Path], None]:
    def edit(folder: Path) -> None:
        (folder / name).write_text(text, encoding="utf-8")

    return edit


def _set(variable: str, value: str) -> Callable[[Path], None]:
    def edit(folder: Path) -> None:
        path = folder / named.PROJECT_FILE
        text, count = re.subn(rf"(?m)^(  {variable}:) .*$", rf"\1 {value}", path.read_text(encoding="utf-8"))
        assert count == 1
        path.write_text(text, encoding="utf-8")

    return edit


def _asked(folder: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[list[str], bool]:
    """Names of the nodes that dbt compiles for the project as it is, and whether it builds relations."""
    call = dbt_runner.call
    commands: list[str] = []
    chosen: list[str] = []

    def telling(project: Path, store: Any, command: str, arguments: Any = (), **options: Any) -> Any:
        commands.append(command)
        if command == "compile":
            start = arguments.index("--select") + 1
            chosen[:] = [name.split(".")[-1] for name in arguments[start : arguments.index("--exclude")]]
        return call(project, store, command, arguments, **options)

    monkeypatch.setattr(dbt_runner, "call", telling)
    compiler.compiled(folder)
    return sorted(chosen), "build" in commands


@pytest.mark.parametrize(
    ("edit", "asked", "is_built"),
    [
        pytest.param(_set("trend_minimum_videos", "4"), ["scaled"], False, id="a threshold"),
        pytest.param(_set("score_weight_pace", "0.41"), ["weighted"], False, id="its name put together"),
        pytest.param(_set("score_weight_pace", "0.4"), ["weighted"], True, id="a decimal less is another type"),
        pytest.param(_set("build_list_rows", "21"), ["grown"], False, id="a threshold in a macro in a branch"),
        pytest.param(_write("macros/hidden.sql", _HIDDEN.replace("LEAST", "1")), ["grown"], False, id="a macro"),
        pytest.param(_write("seeds/words.csv", "word\na\nc\n"), ["worded"], True, id="a seed"),
        pytest.param(
            _write("models/stand_in_sources.yml", _TESTS.replace("DESCRIPTION", "One.")), [], False, id="text"
        ),
        pytest.param(_write("models/numbers.sql", f"{_TABLE}select 2 as number"), ["numbers"], False, id="a model"),
        pytest.param(
            _write("models/numbers.sql", f"{_TABLE}select 2 as number, 3 as other"),
            ["named", "never_null_numbers_number", "numbers", "scaled", "seen"],
            True,
            id="a column, and all that hangs on it",
        ),
        pytest.param(lambda folder: (folder / "models" / "alone.sql").unlink(), [], False, id="a model less"),
        pytest.param(_write("models/later.sql", "select 1 as one"), ["later"], True, id="a model more"),
        pytest.param(_write("models/later.sql", f"{_TABLE}select 1 as one"), ["later"], True, id="a view made a table"),
    ],
)
def test_an_edit_asks_for_what_it_changes(
    edited: Subset, monkeypatch: pytest.MonkeyPatch, edit: Callable[[Path], None], asked: list[str], is_built: bool
) -> None:
    edit(edited.folder)
    compiled, built = _asked(edited.folder, monkeypatch)
    found = [re.sub(r"(never_null_numbers)\w+", r"\1_number", name) for name in compiled if name != "words"]
    assert (found, built) == (asked, is_built)
    assert _asked(edited.folder, monkeypatch) == ([], False), "the same project once more"


def test_what_failed_is_asked_for_again(edited: Subset, monkeypatch: pytest.MonkeyPatch) -> None:
    model = edited.folder / "models" / "numbers.sql"
    text = model.read_text(encoding="utf-8")
    model.write_text(text.replace("3 as other", "3 as others, no_such_function()"), encoding="utf-8")
    for _ in range(2):
        with pytest.raises(DbtFailedError, match="no_such_function"):
            compiler.compiled(edited.folder)
    # Its columns are not those of the last version that compiled, though it is the last that was built.
    model.write_text(text.replace("3 as other", "3 as others"), encoding="utf-8")
    assert "named" in _asked(edited.folder, monkeypatch)[0]


def test_edits_end_where_a_new_project_begins(edited: Subset, tmp_path: Path) -> None:
    shutil.copytree(edited.folder, tmp_path / "new", ignore=shutil.ignore_patterns(dbt_runner.KEPT))
    assert _everything(edited.folder) == _everything(tmp_path / "new")


def _everything(folder: Path) -> dict[str, Any]:
    nodes = compiler.compiled(folder)
    kept = dbt_runner.kept_in(folder)
    with compiler.empty_store(kept).model_writer() as connection:
        relations = columns.types(connection)
        views = connection.execute("select view_name, sql from duckdb_views() where not internal order by all")
        return {
            "nodes": {node.unique_id: asdict(node) for node in nodes},
            "relations": relations,
            "views": views.fetchall(),
            "words": connection.execute("select word from seeds.words order by word").fetchall(),
            "columns": columns.load(kept, dbt_runner.fingerprint(folder)),
        }


def test_parsing_asks_no_variable_that_leaves_the_parsed_project_as_it_is(tmp_path: Path) -> None:
    folder = tmp_path / "project"
    for name in ("models", "macros", "seeds", "tests/dbt", "forecasting"):
        shutil.copytree(PROJECT / name, folder / name)
    for name in (named.PROJECT_FILE, "profiles.yml"):
        shutil.copy(PROJECT / name, folder / name)
    before = _parsed(folder)
    asked = _asked_while_parsing(folder)
    known = named.names(folder)
    others = {name for name, value in known.variables.items() if type(value) in (int, float) and name not in asked}
    assert len(others) > 100
    for name in sorted(others):
        _set(name, f"{known.variables[name]}1")(folder)
    assert _asked_while_parsing(folder) == asked
    shutil.rmtree(dbt_runner.kept_in(folder))
    assert _parsed(folder) == before


def _asked_while_parsing(folder: Path) -> dict[str, Any]:
    """Variables that parsing may ask for, with their values."""
    files = [path for root in ("models", "tests", "seeds") for path in sorted(folder.glob(f"{root}/**/*"))]
    texts = {
        suffix: [path.read_text(encoding="utf-8") for path in files if path.suffix == suffix]
        for suffix in (".yml", ".sql")
    }
    variables: dict[str, Any] = json.loads(named.names(folder).asked_while_parsing(texts[".yml"], texts[".sql"]))[1]
    return variables


def _parsed(folder: Path) -> dict[str, Any]:
    """Nodes of the manifest, but for what is new each time."""
    manifest = json.loads(dbt_runner.ensure_manifest(folder).read_text(encoding="utf-8"))
    kinds = {kind: manifest[kind] for kind in ("nodes", "unit_tests", "exposures", "disabled")}
    for found in kinds.values():
        for node in found.values():
            # What is disabled is a list.
            for each in node if isinstance(node, list) else [node]:
                each.pop("created_at")
                if each["resource_type"] == "operation":
                    # A hook's is that of all of dbt_project.yml.
                    each.pop("checksum")
    return kinds
