"""The SQL of the models, asked of dbt once per version of the project, and anew only for what changed.

Belongs here: asking dbt, the empty warehouse it compiles against, and which nodes must be asked for again. Must not be
here: running what it gives (`compiled_models`), SQL of a model, a test or an incremental strategy: all of it is dbt's
own output for this project.

The dates of a batch stand in the SQL as placeholders. dbt builds an empty warehouse in `.compiled/empty` and compiles
against it. The SQL of a node depends on what its text names (`named`), on the seeds it reads while it compiles, and on
the columns of the tables above it: after an edit dbt compiles the nodes that changed; only where one has other settings
or columns than before, its relation is built again, and all that hangs on it.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import shutil
from collections.abc import Collection, Iterable
from dataclasses import asdict, dataclass, field, replace
from datetime import date
from graphlib import TopologicalSorter
from importlib.metadata import version
from pathlib import Path
from typing import Any

import duckdb
import filelock

from engine import columns, dbt_runner, named, progress
from engine.dbt_runner import DbtFailedError
from ingest import facts
from warehouse.store import BUILD_DATABASE, MARTS_DATABASE, Store

# The second stands for any number of dates: its literal is replaced by a list of literals (macro `date_literals`).
FIRST_DATE, OTHER_DATES = "@first_date@", "@other_dates@"
_VARIABLES = {"as_of_dates": [FIRST_DATE, OTHER_DATES]}

# Settings of dbt that hold here: what a node is called and where it lies, what is in its compiled SQL, and what
# `compiled_models` looks at. Anything else that is set is refused: a limit or threshold of a test that nobody reads
# would turn it green.
_OBEYED = (
    "enabled",
    "alias",
    "schema",
    "database",
    "tags",
    "meta",
    "group",
    "docs",
    "access",
    "materialized",
    "freshness",
    "config_keys_used",
    "config_keys_defaults",
    "meta_keys_used",
    "meta_keys_defaults",
)
_OBEYED_BY_KIND = {
    "model": ("incremental_strategy", "unique_key", "on_schema_change", "contract"),
    "seed": ("column_types", "delimiter", "quote_columns"),
    "test": ("severity", "where"),
}
# Of a node in manifest.json: what its SQL is made from, and its place among the others.
_PARTS = (
    "resource_type", "language", "raw_code", "config", "test_metadata", "relation_name", "column_name", "refs",
    "sources", "depends_on",
)  # fmt: skip


class NotCompilableError(RuntimeError):
    """The project uses something of dbt that is not run without it; the message names node and setting."""


@dataclass(frozen=True, slots=True)
class CompiledNode:
    """A model, seed or test as dbt compiled it.

    Attributes:
        unique_id: dbt's id.
        resource_type: `model`, `seed` or `test`.
        relation: `database.schema.name`, empty for a test.
        kind: `table`, `incremental`, `test`, or `kept` for what no run changes (views, seeds).
        sql: The select, with placeholders for the dates; empty for a seed; the code of a Python model.
        script: What an incremental model does with its rows, in `computed`; with placeholders too.
        is_warning: Whether a test that fails only warns.
        after: Ids of all nodes that `dbt build` runs before this one.
        tested: Ids of what a test depends on.
        is_python: Whether it is a model in Python, `model(dbt, session)`, which gives an Arrow table.
        made_from: Hash of what its SQL is made from, columns of other relations left out.
        laid_out_by: Hash of its settings: with the same, and the same columns, its relation and script stay.
    """

    unique_id: str
    resource_type: str
    relation: str
    kind: str
    sql: str
    script: str
    is_warning: bool
    after: list[str]
    tested: list[str]
    is_python: bool = False
    made_from: str = ""
    laid_out_by: str = ""

    @property
    def name(self) -> str:
        """Name of the node."""
        return self.unique_id.split(".")[2]

    @property
    def digest(self) -> str:
        """Hash of all that says which rows it has, of those above it but for what stands in its own text."""
        of_seeds = self.made_from if self.kind == "kept" else ""
        return _hash(self.kind, self.relation, self.sql, self.script, str(self.is_warning), of_seeds)


@dataclass(frozen=True, slots=True)
class _Saved:
    """What is kept of the last version that was compiled.

    Attributes:
        fingerprint: Of its files; empty while another is compiled.
        shared: Hash of what the SQL of all nodes is made from.
        nodes: Its nodes; while another is compiled, those that did not change.
    """

    fingerprint: str = ""
    shared: str = ""
    nodes: list[CompiledNode] = field(default_factory=list)


def compiled(project_dir: Path) -> list[CompiledNode]:
    """The compiled nodes of the project; dbt is asked once per version of its files.

    Raises:
        NotCompilableError: See there.
        DbtFailedError: dbt could not build or compile.
    """
    target = dbt_runner.ensure_manifest(project_dir).parent
    with filelock.FileLock(target / "compiled_models.lock"):
        fingerprint = dbt_runner.fingerprint(project_dir)
        saved = _read(target)
        if saved.fingerprint == fingerprint:
            return saved.nodes
        with progress.stage("compiling the models, once per version of the project") as shown:
            project = _read_project(project_dir)
            nodes = _compile(project, saved, fingerprint, shown)
        _write(target, _Saved(fingerprint, project.shared, nodes))
        return nodes


def empty_store(target: Path) -> Store:
    """The warehouse without data, with every seed and model of the project, that `compiled` has dbt build."""
    return Store(target / "empty")


def _read(target: Path) -> _Saved:
    path = _path(target)
    if not (path.exists() and columns.path(target).exists() and empty_store(target).build_path.exists()):
        return _Saved()
    kept = json.loads(path.read_text(encoding="utf-8"))
    if kept.get("written_by") != _written_by():
        return _Saved()
    return _Saved(kept["fingerprint"], kept["shared"], [CompiledNode(**node) for node in kept["nodes"]])


def _write(target: Path, saved: _Saved) -> None:
    path = _path(target)
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps({"written_by": _written_by(), **asdict(saved)}), encoding="utf-8")
    partial.replace(path)


def _path(target: Path) -> Path:
    return target / "compiled_models.json"


def _written_by() -> str:
    return _hash(*(Path(file).read_text(encoding="utf-8") for file in (__file__, named.__file__, columns.__file__)))


def _hash(*texts: str) -> str:
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class _Project:
    """The project as dbt parsed it.

    Attributes:
        folder: Folder of dbt_project.yml.
        target: Where what is made of it is kept.
        nodes: Models, seeds and tests of manifest.json, by id.
        parents: Ids of what each of them reads.
        ancestors: Ids of all that each of them hangs on, each after its own ancestors.
        made_from: Hash of what the SQL of each is made from.
        laid_out_by: Hash of the settings of each.
        shared: Hash of what the SQL of all is made from.
    """

    folder: Path
    target: Path
    nodes: dict[str, dict[str, Any]]
    parents: dict[str, set[str]]
    ancestors: dict[str, set[str]]
    made_from: dict[str, str]
    laid_out_by: dict[str, str]
    shared: str


def _read_project(project_dir: Path) -> _Project:
    manifest = json.loads(dbt_runner.ensure_manifest(project_dir).read_text(encoding="utf-8"))
    nodes = {key: node for key, node in manifest["nodes"].items() if node["resource_type"] in ("model", "seed", "test")}
    # A seed depends on macros only.
    parents = {key: nodes.keys() & set(node["depends_on"].get("nodes", [])) for key, node in nodes.items()}
    ancestors: dict[str, set[str]] = {}
    for key in TopologicalSorter(parents).static_order():
        ancestors[key] = parents[key].union(*(ancestors[parent] for parent in parents[key]))
    known = named.names(project_dir)
    of_seeds = {key: node["checksum"]["checksum"] for key, node in nodes.items() if node["resource_type"] == "seed"}
    of_nodes: set[str] = set()
    made_from: dict[str, str] = {}
    laid_out_by: dict[str, str] = {}
    for key, node in nodes.items():
        types = {name: column.get("data_type") for name, column in node["columns"].items()}
        laid_out_by[key] = _hash(json.dumps([node["config"], node["relation_name"], types]))
        text = json.dumps([*(node.get(part) for part in _PARTS), types])
        macros, variables = known.under(text)
        of_nodes |= macros
        # Rows of a seed may be read while a node is compiled.
        seeds = [of_seeds[each] for each in sorted({key, *parents[key]} & of_seeds.keys())]
        made_from[key] = _hash(text, known.told(macros, variables), *seeds)
    # What no node names is called by dbt itself: strategies of incremental models, names of schemas, hooks.
    macros, variables = known.under(" ".join([json.dumps(known.settings), *(known.macros.keys() - of_nodes)]))
    versions = [version(package) for package in ("dbt-core", "dbt-adapters", "dbt-duckdb", "duckdb")]
    shared = _hash(*versions, json.dumps(known.settings), known.told(macros, variables))
    target = dbt_runner.kept_in(project_dir)
    return _Project(project_dir, target, nodes, parents, ancestors, made_from, laid_out_by, shared)


def _compile(project: _Project, saved: _Saved, fingerprint: str, shown: progress.Stage) -> list[CompiledNode]:
    kept = {
        node.unique_id: node
        for node in saved.nodes
        if saved.shared == project.shared and project.made_from.get(node.unique_id) == node.made_from
    }
    before = columns.load(project.target) if kept else {}
    # Stopped from here on, what is not kept counts as changed still.
    _write(project.target, _Saved("", project.shared, list(kept.values())))
    empty = empty_store(project.target)
    if not kept:
        shutil.rmtree(empty.home, ignore_errors=True)
    with facts.writer(empty):
        # The models read its tables.
        pass
    _drop_left_over(empty, project)
    changed = project.nodes.keys() - kept.keys()
    asked = _asked_in_place(project, empty, saved, changed, before, shown) if kept else None
    if asked is None:
        _build(project, empty, changed, shown, is_whole=not kept)
        if kept:
            reshaped = _reshaped(empty, project, before, changed)
            below = {key for key in kept if project.ancestors[key] & reshaped}
            _build(project, empty, below, shown)
            kept = {key: node for key, node in kept.items() if key not in below}
            changed |= below
        asked = _ask(project, empty, changed, shown, is_whole=not kept)
        asked = _with_scripts(project, empty, asked)
    compiled_nodes = kept | asked
    nodes = [_placed(compiled_nodes[key], project) for key in project.nodes]
    with empty.model_writer() as connection:
        columns.save(
            project.target,
            fingerprint,
            connection,
            _selects(node for node in nodes if node.unique_id in changed),
            {_short(node.relation): before[_short(node.relation)] for node in kept.values() if node.relation},
        )
    return nodes


def _asked_in_place(
    project: _Project,
    store: Store,
    saved: _Saved,
    keys: Collection[str],
    before: columns.Columns,
    shown: progress.Stage,
) -> dict[str, CompiledNode] | None:
    """Compiles these nodes where no relation need be built for it; None where one has other settings or columns."""
    old = {node.unique_id: node for node in saved.nodes}
    tables = {key for key in keys if project.nodes[key]["resource_type"] != "test"}
    for key in tables:
        stays = key in old and old[key].laid_out_by == project.laid_out_by[key]
        if not stays or old[key].kind == "kept" or old[key].is_python:
            return None
    asked = _ask(project, store, keys, shown)
    selects = _selects(asked[key] for key in tables)
    with store.model_writer() as connection:
        for name, select in selects.items():
            if _described(connection, select) != [(column.name, column.type) for column in before.get(name, [])]:
                return None
    return {key: replace(node, script=old[key].script) if key in tables else node for key, node in asked.items()}


def _described(connection: duckdb.DuckDBPyConnection, select: str) -> list[tuple[str, str]]:
    """Names and types of the columns of a select; none where it asks for what is not there yet."""
    try:
        return [(name, kind) for name, kind, *_ in connection.execute(f"describe {select}").fetchall()]
    except duckdb.Error:
        return []


def _drop_left_over(store: Store, project: _Project) -> None:
    """Drops relations of nodes that the project does not have any more."""
    wanted = {node["relation_name"] for node in project.nodes.values()}
    with store.model_writer() as connection:
        found = connection.execute(
            """
            select format('"{}"."{}"."{}"', database_name, schema_name, table_name), 'table' from duckdb_tables()
            where list_contains($databases, database_name) and schema_name <> 'meta' and not internal
            union all
            select format('"{}"."{}"."{}"', database_name, schema_name, view_name), 'view' from duckdb_views()
            where list_contains($databases, database_name) and schema_name <> 'meta' and not internal
            """,
            {"databases": [BUILD_DATABASE, MARTS_DATABASE]},
        ).fetchall()
        for relation, kind in found:
            if relation not in wanted:
                connection.execute(f"drop {kind} {relation}")


def _build(
    project: _Project, store: Store, keys: Collection[str], shown: progress.Stage, *, is_whole: bool = False
) -> None:
    """Has dbt make the relations of models and seeds among these nodes, as if for the first time."""
    relations = {key for key in keys if project.nodes[key]["resource_type"] != "test"}
    if relations:
        chosen = [] if is_whole else ["--full-refresh", *_selection(project, relations)]
        without_tests = ["--exclude", "resource_type:test", "resource_type:unit_test"]
        dbt_runner.invoke(project.folder, store, "build", arguments=[*chosen, *without_tests], shown=shown)


def _selection(project: _Project, keys: Iterable[str]) -> list[str]:
    return ["--indirect-selection", "empty", "--select", *sorted(".".join(project.nodes[key]["fqn"]) for key in keys)]


def _reshaped(store: Store, project: _Project, before: columns.Columns, keys: Iterable[str]) -> set[str]:
    """Which of these nodes have relations with other columns than before."""
    with store.model_writer() as connection:
        now = columns.types(connection)
    found = set()
    for key in keys:
        name = _short(project.nodes[key]["relation_name"] or "")
        if name and list(now[name].items()) != [(column.name, column.type) for column in before.get(name, [])]:
            found.add(key)
    return found


def _ask(
    project: _Project, store: Store, keys: Collection[str], shown: progress.Stage, *, is_whole: bool = False
) -> dict[str, CompiledNode]:
    """Compiles these nodes, without their scripts."""
    if not keys:
        return {}
    chosen = [] if is_whole else _selection(project, keys)
    # dbt prints the SQL of one that is asked for alone.
    with contextlib.redirect_stdout(io.StringIO()):
        outcome = dbt_runner.call(
            project.folder, store, "compile", [*chosen, "--exclude", "resource_type:unit_test"], variables=_VARIABLES,
            callbacks=[dbt_runner.counted(shown)],
        )  # fmt: skip
    if not outcome.success:
        message = f"dbt: the models do not compile: {outcome.exception or outcome.result}"
        raise DbtFailedError(message)
    # Hooks are among the results (dbt_project.yml: on-run-start): they are for builds by hand.
    return {
        result.node.unique_id: _compiled_node(result.node, project)
        for result in outcome.result.results  # type: ignore[union-attr]
        if result.node.unique_id in keys
    }


def _with_scripts(project: _Project, store: Store, nodes: dict[str, CompiledNode]) -> dict[str, CompiledNode]:
    if not any(node.kind == "incremental" for node in nodes.values()):
        return nodes
    scripts: dict[str, str] = {}
    for line in dbt_runner.printed(project.folder, store, "print_incremental_scripts", _VARIABLES):
        scripts |= json.loads(line)
    return {key: replace(node, script=scripts.get(key, "")) for key, node in nodes.items()}


def unobeyed(node: Any) -> list[str]:
    """Settings of a node that would be ignored here, as dbt names them: those set, and not in `_OBEYED`.

    Args:
        node: A model, seed or test of dbt's manifest.
    """
    config, kind = node.config, str(node.resource_type)
    given = config.to_dict(omit_none=True)
    usual = type(config)().to_dict(omit_none=False)
    # A model in Python asks for its own.
    obeyed = {*_OBEYED, *_OBEYED_BY_KIND.get(kind, ()), *given.get("config_keys_used", ())}
    found = {name for name, value in given.items() if name not in obeyed and value != usual.get(name)}
    if config.materialized not in ("test", "seed", "view", "table", "incremental"):
        found.add(f"materialized: {config.materialized}")
    columns = getattr(node, "columns", {}).values()
    if getattr(node, "constraints", None) or any(getattr(column, "constraints", None) for column in columns):
        found.add("constraints")
    return sorted(found)


def _compiled_node(node: Any, project: _Project) -> CompiledNode:
    config = node.config
    kind = {"test": "test", "seed": "kept", "view": "kept"}.get(config.materialized, config.materialized)
    ignored = unobeyed(node)
    if ignored:
        message = (
            f"{node.unique_id}: {', '.join(ignored)} would be ignored, for only dbt obeys it: take it out, or"
            " teach engine/compiler.py"
        )
        raise NotCompilableError(message)
    is_test = kind == "test"
    return CompiledNode(
        unique_id=node.unique_id,
        resource_type=str(node.resource_type),
        relation="" if is_test else f'"{node.database}"."{node.schema}"."{node.alias}"',
        kind=kind,
        sql=getattr(node, "compiled_code", None) or "",
        script="",
        is_warning=is_test and str(config.severity).upper() == "WARN",
        after=[],
        tested=[],
        is_python=getattr(node, "language", "sql") == "python",
        made_from=project.made_from[node.unique_id],
        laid_out_by=project.laid_out_by[node.unique_id],
    )


def _placed(node: CompiledNode, project: _Project) -> CompiledNode:
    """A node with what runs before it, as `dbt build` has it: a model waits for the tests of all it hangs on."""
    key = node.unique_id
    if node.kind == "test":
        return replace(node, after=sorted(project.ancestors[key]), tested=sorted(project.parents[key]))
    tests = {
        test
        for test, parents in project.parents.items()
        if project.nodes[test]["resource_type"] == "test" and parents <= project.ancestors[key]
    }
    return replace(node, after=sorted(project.ancestors[key] | tests), tested=[])


def _selects(nodes: Iterable[CompiledNode]) -> dict[str, str]:
    """SQL of the models by `schema/name`, with some dates in the places of the placeholders; Python has none."""
    some_day = date(2000, 1, 1).isoformat()
    return {
        _short(node.relation): node.sql.replace(FIRST_DATE, some_day).replace(OTHER_DATES, some_day)
        for node in nodes
        if node.resource_type == "model" and not node.is_python
    }


def _short(relation: str) -> str:
    """`schema/name` of a relation."""
    return "/".join(relation.replace('"', "").split(".")[1:])
