"""What is borrowed from inside of libraries, which may move it in any release: listed, and there.

Where one of these fails after an update: look for what replaced the name, change the module that the message names, and
this list. Until then pin the library below that release in requirements.in.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import pydoc
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from orchestration import event_log, run_launcher
from tests.support import PROJECT

ROOMS = (
    "engine", "explorer", "exports", "forecasting", "ingest", "orchestration", "services", "simulator", "warehouse",
)  # fmt: skip
# What dbt's documentation names for use from outside: the runner, and the plugins of dbt-duckdb.
PUBLIC_OF_DBT = ("dbt.cli.main", "dbt.adapters.duckdb.plugins", "dbt.adapters.duckdb.credentials")

# By the module that borrows: the name and why no public one will do.
BORROWED = {
    (
        "orchestration/assets/build_events.py",
        "dagster._core.definitions.asset_checks.asset_check_evaluation:AssetCheckEvaluationTargetMaterializationData",
    ): "which materialization a check looked at",
    ("orchestration/event_log.py", "dagster._core.storage.event_log:SqliteEventLogStorage"): "base of the event log",
    ("orchestration/event_log.py", "dagster._core.storage.event_log.sqlite.sqlite_event_log:INDEX_SHARD_NAME"): (
        "name of its index file"
    ),
    ("orchestration/history.py", "dagster._core.storage.event_log:SqlEventLogStorage"): (
        "tells a log of events in tables, whichever database has it"
    ),
    ("orchestration/instance.py", "dagster._core.instance:InstanceRef"): "an instance with one setting of a command's",
    ("orchestration/run_launcher.py", "dagster._core.launcher.base:CheckRunHealthResult"): "answer of a health check",
    ("orchestration/run_launcher.py", "dagster._core.launcher.base:WorkerStatus"): "answer of a health check",
    ("engine/dbt_runner.py", "dbt.adapters.duckdb.connections:DuckDBConnectionManager"): "closes what dbt keeps open",
    ("engine/dbt_runner.py", "dbt.contracts.graph.manifest:Manifest"): "the parsed project, kept as a file",
    ("engine/dbt_runner.py", "dbt.parser.manifest:extended_mashumuro_decoder"): "reads that file",
    (
        "engine/on_spark/by_hand.py",
        "dbt_common.events.event_manager_client:add_callback_to_manager",
    ): "hears the events of a command that a shell started",
    ("engine/on_spark/work.py", "dbt.contracts.graph.manifest:Manifest"): "how a mart is written, from that file",
    ("orchestration/dbt_trends/dbt_trends.py", "dbt.flags:get_flags"): "which command and target a person asked for",
    ("orchestration/dbt_trends/dbt_trends.py", "dbt.plugins.manager:dbtPlugin"): "base of a plugin, of which dbt says"
    " that it may change",
    (
        "engine/on_spark/python_models.py",
        "dbt.adapters.spark.impl:SparkAdapter",
    ): "models in Python in the session that is there",
}
# Named as text.
NAMED = {
    "dagster._core.storage.noop_compute_log_manager:NoOpComputeLogManager": "orchestration/instance.py",
    "dbt.events.types:CommandCompleted": "engine/on_spark/by_hand.py",
    "dbt.events.types:ConcurrencyLine": "engine/dbt_runner.py",
    "dbt.events.types:NodeFinished": "engine/dbt_runner.py",
    "dbt_common.events.types:PrintEvent": "engine/dbt_runner.py",
}
# Parts of Dagster's classes that ours replace or use.
OF_EVENT_LOG = {
    "_connect", "_db_lock", "_event_insert_timestamp", "_event_to_row", "_has_asset_key_col_on_connection", "_initdb",
    "_initialized_dbs",
}  # fmt: skip
OF_LAUNCHER = {"_instance"}


def imports() -> Iterator[tuple[str, str]]:
    """Module of ours and `package:name` of what it takes from inside of a library."""
    for room in ROOMS:
        for path in sorted((PROJECT / room).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if not isinstance(node, ast.ImportFrom) or node.module is None or node.module == "__future__":
                    continue
                is_inside = any(part.startswith("_") for part in node.module.split("."))
                is_inside |= node.module.startswith(("dbt.", "dbt_common.")) and node.module not in PUBLIC_OF_DBT
                if is_inside:
                    for name in node.names:
                        yield str(path.relative_to(PROJECT)), f"{node.module}:{name.name}"


def test_the_list_is_complete() -> None:
    assert set(imports()) == set(BORROWED)


def _borrowed() -> list[object]:
    users = [*BORROWED, *((user, name) for name, user in NAMED.items())]
    # Only there where Spark is: without it there is nothing to move.
    return [
        pytest.param(user, name, marks=[pytest.mark.spark] if "dbt.adapters.spark" in name else [])
        for user, name in users
    ]


@pytest.mark.parametrize(("user", "name"), _borrowed())
def test_what_is_borrowed_is_there(user: str, name: str) -> None:
    module, _, attribute = name.partition(":")
    library = module.split(".")[0]
    try:
        found = hasattr(importlib.import_module(module), attribute)
    except ImportError:
        found = False
    assert found, f"{library} moved {attribute} out of {module}: {user} must follow, or {library} be pinned below that"
    assert attribute in (PROJECT / user).read_text(encoding="utf-8"), f"{user} no longer names {attribute}: unlist it"


def private_parts(own: type) -> set[str]:
    """Private names that a class of ours defines or asks itself for."""
    names = set()
    for node in ast.walk(ast.parse(inspect.getsource(own))):
        if isinstance(node, ast.FunctionDef):
            names.add(node.name)
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) in ("self", "super()"):
            names.add(node.attr)
    return {name for name in names if name.startswith("_") and not name.startswith("__")}


@pytest.fixture
def dagsters_log(tmp_path: Path) -> Iterator[object]:
    base = pydoc.locate("dagster._core.storage.event_log.SqliteEventLogStorage")
    assert isinstance(base, type)
    storage = base(str(tmp_path))
    yield storage
    storage.dispose()


def test_parts_of_dagsters_event_log_are_there(dagsters_log: object) -> None:
    missing = {name for name in OF_EVENT_LOG if not hasattr(dagsters_log, name)}
    assert missing == set(), (
        "Dagster renamed these parts of its SQLite event log: orchestration/event_log.py must follow"
    )
    assert private_parts(event_log.KeptOpenSqliteEventLogStorage).intersection(dir(dagsters_log)) == OF_EVENT_LOG


def test_parts_of_dagsters_launcher_are_there() -> None:
    missing = {name for name in OF_LAUNCHER if not hasattr(dg.DefaultRunLauncher, name)}
    assert missing == set(), "Dagster renamed these parts of its launcher: orchestration/run_launcher.py must follow"
    used = private_parts(run_launcher.WatchfulRunLauncher)
    assert used.intersection(dir(dg.DefaultRunLauncher)) == OF_LAUNCHER
