"""dbt in this process: the manifest parsed once, nodes run through a warm runner, the file lock released after it.

Belongs here: how dbt is called. Must not be here: which dates are built (assets), what the models do.

Measured on 2 cores: `dbt build` in a process of its own costs 6-7 s before the first model, and parsing 5-7 s more;
with the parsed manifest handed over in process, a build starts within 0.5 s.
"""

from __future__ import annotations

import contextlib
import gc
import hashlib
import io
import json
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import filelock
import yaml

from engine import named, progress
from warehouse.publish import TableDescription
from warehouse.store import Store

if TYPE_CHECKING:
    from dbt.cli.main import dbtRunnerResult
    from dbt.contracts.graph.manifest import Manifest

logger = logging.getLogger(__name__)

# Below the project: what is parsed, compiled and kept of it. Plain dbt writes to `target/`, with whatever variables a
# person gives it.
KEPT = ".compiled"
_PARSED = "partial_parse.msgpack"

# The target of profiles.yml that homes are built with where nothing else is said.
TARGET = "build"

# Value of the variable `called_by` in the project's own calls; macros/by_hand.sql and profiles.yml ask for it.
CALLER = "trends"

# `forecasting` is called by a model: other trees are another version of the models.
_PARSED_FROM = ("dbt_project.yml", "models/**/*", "macros/**/*", "seeds/**/*", "tests/dbt/**/*", "forecasting/*.py")
# What parsing a project that never ran needs no database for, and what no run should send or look up.
_QUIET = ("--no-version-check", "--quiet", "--no-use-colors", "--log-level-file", "none")


class DbtFailedError(RuntimeError):
    """A model, seed or test failed; the message names each with its error, `results` holds what ran."""

    def __init__(self, message: str, results: Sequence[NodeResult] = ()) -> None:
        super().__init__(message)
        self.results = list(results)


@dataclass(frozen=True, slots=True)
class NodeResult:
    """Outcome of one dbt node.

    Attributes:
        unique_id: dbt's id, such as `model.tiktok_trends.videos_daily`.
        resource_type: `model`, `seed` or `test`.
        status: dbt's status: success, pass, warn, fail, error, skipped.
        seconds: Execution time.
        message: dbt's message; the error where it failed.
        failures: Failing rows of a test.
        relation: `database.schema.name` of the relation, where there is one.
        query: What a test that warned or failed selects.
        rows: Rows that the relation has by what was written into it, where that was counted.
    """

    unique_id: str
    resource_type: str
    status: str
    seconds: float
    message: str
    failures: int | None
    relation: str | None
    query: str | None = None
    rows: int | None = None


def kept_in(project_dir: Path) -> Path:
    """Folder of everything that is kept of a version of the project; it may be deleted, and is made again."""
    return project_dir / KEPT


def ensure_manifest(project_dir: Path, target: str = TARGET) -> Path:
    """Parses the project unless the saved manifest is of exactly these files; returns its manifest.json in `kept_in`.

    Args:
        project_dir: Folder of dbt_project.yml.
        target: A target of profiles.yml; names of relations differ between them.

    Raises:
        DbtFailedError: The project does not parse; the message is dbt's.
    """
    folder = kept_in(project_dir) / ("" if target == TARGET else target)
    folder.mkdir(parents=True, exist_ok=True)
    with filelock.FileLock(folder / "manifest.lock"):
        return _ensure_manifest(project_dir, folder, target)


def _ensure_manifest(project_dir: Path, folder: Path, target: str) -> Path:
    manifest_path, stamp_path = folder / "manifest.json", folder / "manifest.sha256"
    of_files = fingerprint(project_dir)
    is_whole = all(path.exists() for path in (manifest_path, folder / _PARSED, stamp_path))
    stamps = stamp_path.read_text(encoding="utf-8").split() if is_whole else []
    if of_files in stamps[:1]:
        return manifest_path
    asked = _asked_while_parsing(project_dir)
    if not asked or asked not in stamps[1:]:
        # Killed from here on, nothing says that what lies there is of these files.
        stamp_path.unlink(missing_ok=True)
        _parse(project_dir, folder, target)
    stamp_path.write_text(f"{of_files}\n{asked}\n", encoding="utf-8")
    return manifest_path


def _parse(project_dir: Path, folder: Path, target: str) -> None:
    from dbt.cli.main import dbtRunner

    with progress.stage("reading the models, once per version of the project"):
        # dbt reads again what changed since it wrote what it parsed into this folder.
        result = dbtRunner().invoke([
            "--partial-parse", *_QUIET, "parse", "--project-dir", str(project_dir),
            "--profiles-dir", str(project_dir), "--target", target,
            "--target-path", str(folder), "--log-path", str(folder),
        ])  # fmt: skip
    if not result.success:
        message = f"the dbt project does not parse: {result.exception}"
        raise DbtFailedError(message)


def invoke(
    project_dir: Path,
    store: Store,
    command: str,
    *,
    as_of_dates: Sequence[str] = (),
    arguments: Sequence[str] = (),
    on_result: Callable[[NodeResult], object] | None = None,
    shown: progress.Stage | None = None,
    callbacks: Sequence[Callable[[Any], None]] = (),
    target: str = TARGET,
) -> list[NodeResult]:
    """Runs a dbt command on a home's build file, in this process and under the writer lock.

    Args:
        project_dir: Folder of dbt_project.yml.
        store: The home.
        command: `build`, `run`, `seed` or `test`.
        as_of_dates: ISO dates of the batch; empty lets the models take the latest date.
        arguments: Further dbt arguments, such as `["--select", "+videos_daily"]`.
        on_result: Called with each node's result as soon as it is there.
        shown: Told how many nodes there are and which are done.
        callbacks: Called with each event of dbt.
        target: A target of profiles.yml.

    Returns:
        The results of all nodes, in order of completion.

    Raises:
        DbtFailedError: A node failed, or dbt refused the command.
    """
    variables = {"as_of_dates": list(as_of_dates)} if as_of_dates else {}
    callbacks = [*callbacks, *([counted(shown)] if shown else [])]
    outcome = call(project_dir, store, command, arguments, variables=variables, callbacks=callbacks, target=target)
    results = []
    for result in getattr(outcome.result, "results", None) or []:
        node = result.node
        if node.resource_type == "exposure" or (node.resource_type == "operation" and result.status == "success"):
            # What nothing is done for, and what runs before and after all nodes.
            continue
        node_result = NodeResult(
            unique_id=node.unique_id,
            resource_type=str(node.resource_type),
            status=str(result.status),
            seconds=float(result.execution_time),
            message=str(result.message or ""),
            failures=result.failures,
            relation=f"{node.database}.{node.schema}.{node.name}" if node.resource_type in ("model", "seed") else None,
            query=node.compiled_code if result.status in ("warn", "fail") else None,
        )
        results.append(node_result)
        if on_result:
            on_result(node_result)
    if not outcome.success:
        raise DbtFailedError(failures(results) or f"dbt: {outcome.exception}", results)
    return results


def call(
    project_dir: Path,
    store: Store,
    command: str,
    arguments: Sequence[str] = (),
    *,
    variables: Mapping[str, Any] | None = None,
    callbacks: Sequence[Callable[[Any], None]] = (),
    target: str = TARGET,
) -> dbtRunnerResult:
    """Result, as dbt gives it, of a command on a home's build file, in this process and under the writer lock.

    Args:
        project_dir: Folder of dbt_project.yml.
        store: The home.
        command: A dbt command.
        arguments: Its further arguments.
        variables: Values of `var(...)` over those of dbt_project.yml.
        callbacks: Called with each event of dbt.
        target: A target of profiles.yml.
    """
    from dbt.adapters.duckdb.connections import DuckDBConnectionManager
    from dbt.cli.main import dbtRunner

    manifest = load_manifest(project_dir, target)
    # dbt does so where it parses itself; macros read it (as `graph`).
    manifest.build_flat_graph()
    artifacts = store.warehouse / "dbt"
    with store.lock():
        try:
            return dbtRunner(manifest=manifest, callbacks=list(callbacks)).invoke([
                *_QUIET, "--no-write-json", *command.split(),
                "--vars", json.dumps({"trends_home": str(store.home), "called_by": CALLER, **(variables or {})}),
                "--project-dir", str(project_dir), "--profiles-dir", str(project_dir), "--target", target,
                "--target-path", str(artifacts), "--log-path", str(artifacts), *arguments,
            ])  # fmt: skip
        finally:
            # The adapter keeps the database open after a run, and with it DuckDB's file lock.
            DuckDBConnectionManager.close_all_connections()
            gc.collect()


def counted(shown: progress.Stage) -> Callable[[Any], None]:
    """A callback that shows how many nodes of a dbt command are done."""

    def tell(event: Any) -> None:
        if event.info.name == "ConcurrencyLine":
            shown.expect(event.data.node_count, "nodes")
        elif event.info.name == "NodeFinished":
            shown.update()

    return tell


def printed(project_dir: Path, store: Store, macro: str, variables: Mapping[str, Any] | None = None) -> list[str]:
    """What a macro of the project prints, text by text; `variables` as in `call`.

    Raises:
        DbtFailedError: The macro failed; the message is dbt's.
    """
    texts: list[str] = []
    errors: list[str] = []

    def keep(event: Any) -> None:
        if event.info.name == "PrintEvent":
            texts.append(event.data.msg)
        elif event.info.level == "error":
            errors.append(event.info.msg)

    # dbt prints what the macro prints; this process's output is for people.
    with contextlib.redirect_stdout(io.StringIO()):
        outcome = call(project_dir, store, f"run-operation {macro}", variables=variables, callbacks=[keep])
    if not outcome.success:
        message = f"dbt: macro {macro}: {outcome.exception or '; '.join(errors)}"
        raise DbtFailedError(message)
    return texts


def failures(results: Iterable[NodeResult]) -> str:
    """One line that names each failed node with its error; empty without failures."""
    failed = [
        f"{result.unique_id.split('.')[2]}: {result.message.strip()}"
        for result in results
        if result.status in ("error", "fail", "runtime error")
    ]
    return "dbt: " + "; ".join(failed) if failed else ""


def descriptions(manifest_path: Path) -> dict[str, TableDescription]:
    """Descriptions of all models and their columns by model name, from a parsed manifest."""
    nodes = json.loads(manifest_path.read_text(encoding="utf-8"))["nodes"].values()
    return {
        node["name"]: TableDescription(
            node["description"].strip(),
            {name: column["description"].strip() for name, column in node["columns"].items()},
        )
        for node in nodes
        if node["resource_type"] == "model"
    }


def load_manifest(project_dir: Path, target: str = TARGET) -> Manifest:
    """The parsed project for a target of profiles.yml.

    Raises:
        DbtFailedError: It does not parse.
    """
    folder = ensure_manifest(project_dir, target).parent
    # The saved partial-parse state is the whole parsed project; reading it takes 0.1 s where parsing takes 5 s.
    from dbt.contracts.graph.manifest import Manifest
    from dbt.parser.manifest import extended_mashumuro_decoder

    return Manifest.from_msgpack((folder / _PARSED).read_bytes(), decoder=extended_mashumuro_decoder)


def fingerprint(project_dir: Path) -> str:
    """Hash of all files that the project is parsed from, and of dbt's version."""
    return _hash({path.relative_to(project_dir).as_posix(): path.read_bytes() for path in _files(project_dir)})


def _asked_while_parsing(project_dir: Path) -> str:
    """Hash of what parsing depends on: the same as long as only variables change that it does not ask.

    Empty where a file can't be read: dbt, which parses then, says which.
    """
    try:
        return _hash(_files_to_parse(project_dir))
    except (yaml.YAMLError, UnicodeDecodeError, AttributeError):
        return ""


def _files_to_parse(project_dir: Path) -> dict[str, bytes]:
    known = named.names(project_dir)
    files = {path.relative_to(project_dir).as_posix(): path.read_bytes() for path in _files(project_dir)}
    files[named.PROJECT_FILE] = json.dumps(known.settings).encode()
    nodes = [name for name in files if name != named.PROJECT_FILE and not name.startswith("macros/")]
    asked = known.asked_while_parsing(
        *([files[name].decode() for name in nodes if name.endswith(suffix)] for suffix in (".yml", ".sql"))
    )
    return files | {"": asked.encode()}


def _files(project_dir: Path) -> list[Path]:
    return [path for pattern in _PARSED_FROM for path in sorted(project_dir.glob(pattern)) if path.is_file()]


def _hash(files: Mapping[str, bytes]) -> str:
    from importlib.metadata import version

    digest = hashlib.sha256(f"{version('dbt-core')} {version('dbt-duckdb')}".encode())
    for name, content in files.items():
        digest.update(name.encode())
        digest.update(content)
    return digest.hexdigest()
