"""The models run on DuckDB as the SQL that dbt compiled, without starting dbt.

Belongs here: running the compiled nodes one by one as `dbt build` would, and the relations of a new home. Must not be
here: where their SQL comes from (`compiler`).

Measured on 2 cores, a day of 2 x 1,000 videos on ten days of history: importing dbt 3.5 s, its 273 nodes 18 s, of which
DuckDB works 3.6 s: the rest is Jinja, events and look-ups of the catalogue that give the same text every day. So the
text is asked for once per version of the project's files (models, macros, seeds, variables: `dbt_runner.fingerprint`),
and a new home starts with the tables that dbt made with it. What an earlier version of the project derived is made
again (`rebuild`).

It can go when dbt alone takes less than twice as long for a small day: `make bench BENCH=engine` has both.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

import duckdb

from engine import compiler, dbt_runner, progress, run_results
from engine.compiler import CompiledNode
from engine.dbt_runner import DbtFailedError, NodeResult
from warehouse import completeness, publish
from warehouse.store import (
    BUILD_DATABASE,
    MARTS_DATABASE,
    Store,
    allow_memory,
    allow_most_memory,
    checkpoint,
    quote_literal,
)

logger = logging.getLogger(__name__)

# What an incremental script reads its rows from; macros/compiled_models.sql has the name too.
_COMPUTED = "computed"
# The rows of a Python model, while they are written.
_FROM_PYTHON = "from_python"

# Of dates, and what staging has not read yet, of whichever dates.
_STAGING = "stg_tiktok__videos"
_VIDEOS = """
select coalesce(sum(item_count), 0)::bigint from raw.loads
where
    kind = 'videos'
    and (
        list_contains(?::date[], observed_at::date)
        or load_id > ?
    )
"""

_BUILT_DDL = """
create schema if not exists meta;
create table if not exists meta.compiled_models (fingerprint varchar not null);
comment on table meta.compiled_models is
    'Fingerprint of the dbt project that these derived files were made with.';
create table if not exists meta.compiled_nodes (unique_id varchar not null, digest varchar not null);
comment on table meta.compiled_nodes is
    'Hash of each model, seed and test that these derived files were made with: an edit reaches what has another one.';
"""


class OutdatedHomeError(RuntimeError):
    """The derived files of a home were made by another version of the project; the message names the remedy."""


class PythonModelError(RuntimeError):
    """A model in Python failed; the message is its error."""


def build(
    project_dir: Path,
    store: Store,
    as_of_dates: Sequence[str],
    names: Iterable[str] | None = None,
    on_result: Callable[[NodeResult], object] | None = None,
) -> list[NodeResult]:
    """Builds and tests models from dbt's compiled SQL.

    Args:
        project_dir: Folder of dbt_project.yml.
        store: The home, with the raw tables.
        as_of_dates: ISO dates of the batch, at least one.
        names: Models and seeds to build, and tests to run beside theirs; None for all.
        on_result: Called with each node's result as soon as it is there.

    Returns:
        The results in order of completion.

    Raises:
        DbtFailedError: A node failed; `results` holds what ran.
        OutdatedHomeError: See there.
    """
    fingerprint = dbt_runner.fingerprint(project_dir)
    nodes = compiler.compiled(project_dir)
    with store.model_writer() as connection:
        prepare(connection, project_dir, fingerprint)
        if not is_current(connection, fingerprint):
            message = f"{store.build_path} was made by another version of this project: `trends rebuild` makes it again"
            raise OutdatedHomeError(message)
        if _STAGING in {node.name for node in nodes}:
            last_read = publish.last_staged_load(connection)
            [(rows,)] = connection.execute(_VIDEOS, [list(as_of_dates), last_read]).fetchall()
            allow_memory(connection, len(as_of_dates), rows)
        watch = run_results.Watch()

        def came(result: NodeResult) -> None:
            watch.came(result)
            if on_result:
                on_result(result)

        try:
            return run(connection, nodes, as_of_dates, names, came)
        finally:
            # Here, while the caller still tells of the results.
            run_results.write(dbt_runner.kept_in(project_dir), watch, as_of_dates)
            checkpoint(connection)


def prepare(connection: duckdb.DuckDBPyConnection, project_dir: Path, fingerprint: str) -> None:
    """Gives files without models the relations of the project as it is, `compiler.compiled` before.

    Args:
        connection: A model writer.
        project_dir: Folder of dbt_project.yml.
        fingerprint: What they are noted with.
    """
    if is_new(connection):
        create_relations(connection, project_dir)
        # Of another engine the tables are not in these files.
        is_own = fingerprint == dbt_runner.fingerprint(project_dir)
        record_built(connection, fingerprint, compiler.compiled(project_dir) if is_own else ())


def is_new(connection: duckdb.DuckDBPyConnection) -> bool:
    """Whether no model was ever built in this file."""
    return not connection.execute(
        "select 1 from duckdb_tables()"
        " where database_name = current_database() and schema_name not in ('raw', 'meta') limit 1"
    ).fetchall()


def create_relations(
    connection: duckdb.DuckDBPyConnection, project_dir: Path, only: Collection[str] | None = None
) -> None:
    """Gives a file the empty tables, the seeds and the views as dbt made them for this project, in place of its own.

    Args:
        connection: A model writer, with the raw tables.
        project_dir: Folder of dbt_project.yml, `compiler.compiled` before.
        only: Relations that are made, as a node names them; all by default.
    """
    empty = compiler.empty_store(dbt_runner.kept_in(project_dir))
    files = {BUILD_DATABASE: empty.build_path, MARTS_DATABASE: empty.marts_path}
    for database, path in files.items():
        connection.execute(f"attach {quote_literal(str(path))} as empty (read_only)")
        try:
            _copy_relations(connection, database, only)
        finally:
            connection.execute("detach empty")


def _copy_relations(connection: duckdb.DuckDBPyConnection, database: str, only: Collection[str] | None) -> None:
    listed = (
        "select schema_name, table_name, null from duckdb_tables()"
        " where database_name = $database and schema_name not in ('raw', 'meta')"
        " union all select schema_name, view_name, sql from duckdb_views()"
        " where database_name = $database and not internal"
    )
    wanted = [
        (schema, name, view_sql)
        for schema, name, view_sql in connection.execute(listed, {"database": "empty"}).fetchall()
        if only is None or f'"{database}"."{schema}"."{name}"' in only
    ]
    # A table that was a view is no view any more.
    kinds = {
        (schema, name): "view" if view_sql else "table"
        for schema, name, view_sql in connection.execute(listed, {"database": database}).fetchall()
    }
    for schema, name, view_sql in wanted:
        relation = f'{database}."{schema}"."{name}"'
        if (schema, name) in kinds:
            connection.execute(f"drop {kinds[schema, name]} {relation}")
        connection.execute(f'create schema if not exists {database}."{schema}"')
        if view_sql is None:
            connection.execute(f'create table {relation} as from empty."{schema}"."{name}"')
    for _, _, view_sql in wanted:
        if view_sql is not None:
            connection.execute(view_sql)


def is_current(connection: duckdb.DuckDBPyConnection, fingerprint: str) -> bool:
    """Whether the derived files were made with the project as it is."""
    connection.execute(_BUILT_DDL)
    return connection.execute("select fingerprint from meta.compiled_models").fetchall() == [(fingerprint,)]


def record_built(connection: duckdb.DuckDBPyConnection, fingerprint: str, nodes: Sequence[CompiledNode] = ()) -> None:
    """Notes that the derived files have the relations of the project as it is.

    Args:
        connection: A model writer.
        fingerprint: Of the project.
        nodes: Its nodes; without them the next edit makes all again.
    """
    forget_built(connection)
    connection.execute("insert into meta.compiled_models values (?)", [fingerprint])
    connection.execute(
        "insert into meta.compiled_nodes select unnest(?::varchar[]), unnest(?::varchar[])",
        [[node.unique_id for node in nodes], [node.digest for node in nodes]],
    )


def built_nodes(connection: duckdb.DuckDBPyConnection) -> dict[str, str]:
    """`CompiledNode.digest` by id of what the derived files were made with; nothing where it was not noted.

    dbt by hand, with other files or variables, takes the fingerprint away (macros/by_hand.sql): what it built is of no
    version then.
    """
    connection.execute(_BUILT_DDL)
    noted = "select unique_id, digest from meta.compiled_nodes where exists (from meta.compiled_models)"
    return dict(connection.execute(noted).fetchall())


def forget_built(connection: duckdb.DuckDBPyConnection) -> None:
    """Lets the derived files count as another project's: the next run makes them again."""
    connection.execute(_BUILT_DDL)
    connection.execute("delete from meta.compiled_models; delete from meta.compiled_nodes")


def selected(nodes: Sequence[CompiledNode], names: Iterable[str] | None) -> dict[str, CompiledNode]:
    """The models, seeds and tests of these names (None for all), each with the tests of what is among them, by id."""
    wanted = None if names is None else set(names)
    models = {node.unique_id for node in nodes if node.kind != "test" and (wanted is None or node.name in wanted)}
    return {
        node.unique_id: node
        for node in nodes
        if node.unique_id in models
        or (node.kind == "test" and node.tested and models.issuperset(node.tested))
        or (node.kind == "test" and wanted is not None and node.name in wanted)
    }


def run(
    connection: duckdb.DuckDBPyConnection,
    nodes: Sequence[CompiledNode],
    as_of_dates: Sequence[str],
    names: Iterable[str] | None = None,
    on_result: Callable[[NodeResult], object] | None = None,
    callers: int | None = None,
    told_as: str = "models of",
) -> list[NodeResult]:
    """Builds models and runs their tests, in the order of `dbt build`: what hangs on a failure is skipped.

    Args:
        connection: A model writer of a home that `is_current`.
        nodes: All compiled nodes of the project.
        as_of_dates: ISO dates of the batch, at least one.
        names: Models and seeds to build, each with the tests of what is among them, and further tests; None for all.
        on_result: Called with each node's result as soon as it is there.
        callers: How many nodes run at a time; as many as there are cores by default.
        told_as: What is shown before the dates.

    Returns:
        The results in order of completion.

    Raises:
        DbtFailedError: A node failed, or its relation has other rows than were written; `results` holds what ran.
    """
    completeness.ensure_notes(connection)
    chosen = selected(nodes, names)
    first, *others = sorted(as_of_dates)
    placeholders = {
        f"date '{compiler.OTHER_DATES}'": ", ".join(f"date '{day}'" for day in others or [first]),
        compiler.FIRST_DATE: first,
    }
    sorter = TopologicalSorter({key: chosen.keys() & set(node.after) for key, node in chosen.items()})
    sorter.prepare()
    results: dict[str, NodeResult] = {}
    # What most others wait for goes first, so that the end is not one long chain on one core.
    dependants = Counter(key for node in chosen.values() for key in node.after)
    [(threads,)] = connection.execute("select current_setting('threads')").fetchall()
    cores = threads = int(threads)
    callers = callers or cores
    with (
        progress.stage(f"{told_as} {_span(as_of_dates)}", len(chosen), "nodes") as shown,
        ThreadPoolExecutor(callers) as pool,
    ):
        cursors = [connection.cursor() for _ in range(callers)]
        running: dict[Future[NodeResult], duckdb.DuckDBPyConnection] = {}
        waiting: list[str] = []
        while sorter.is_active():
            waiting += sorter.get_ready()
            waiting.sort(key=lambda key: -dependants[key])
            threads = _share_cores(connection, threads, cores, len(running) + len(waiting))
            while waiting and cursors:
                node = chosen[waiting.pop(0)]
                broken = any(results[key].status in _BROKEN for key in chosen.keys() & set(node.after))
                cursor = cursors.pop()
                running[pool.submit(_skip if broken else _run_node, cursor, node, placeholders)] = cursor
            done, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                cursors.append(running.pop(future))
                result = future.result()
                results[result.unique_id] = result
                sorter.done(result.unique_id)
                shown.update()
                if on_result:
                    on_result(result)
        for cursor in cursors:
            cursor.close()
    _share_cores(connection, threads, cores, 1)
    message = dbt_runner.failures(results.values())
    if message:
        raise DbtFailedError(message, list(results.values()))
    return list(results.values())


def _span(as_of_dates: Sequence[str]) -> str:
    first, last = min(as_of_dates), max(as_of_dates)
    return first if first == last else f"{first} to {last}"


def _share_cores(connection: duckdb.DuckDBPyConnection, threads: int, cores: int, queries: int) -> int:
    """Leaves DuckDB as many threads of its own as there are cores that no query's caller works on.

    A caller does its share of a query and, where others have the rest, asks for more in a loop that never sleeps: with
    a helper beside two queries on two cores, a large day's models took 15 % more CPU.

    Returns:
        DuckDB's threads from here on, one caller included; `threads` is what they were.
    """
    wanted = max(cores - queries + 1, 1)
    if wanted != threads:
        connection.execute(f"set threads = {wanted}")
    return wanted


_BROKEN = ("error", "fail", "skipped")


def _skip(_: duckdb.DuckDBPyConnection, node: CompiledNode, __: Mapping[str, str]) -> NodeResult:
    return _result(node, "skipped", 0.0, "what it hangs on failed")


def _run_node(connection: duckdb.DuckDBPyConnection, node: CompiledNode, placeholders: Mapping[str, str]) -> NodeResult:
    if node.kind == "kept":
        return _result(node, "success", 0.0, "unchanged")
    sql, script = node.sql, node.script
    for placeholder, value in placeholders.items():
        sql, script = sql.replace(placeholder, value), script.replace(placeholder, value)
    started = time.monotonic()
    try:
        try:
            failures, written = _run_sql(connection, node, sql, script)
        except duckdb.OutOfMemoryException:
            # Once more with all that there is: not everything can be spilled.
            allow_most_memory(connection)
            failures, written = _run_sql(connection, node, sql, script)
    except (duckdb.Error, completeness.LostRowsError, PythonModelError) as error:
        return _result(node, "error", time.monotonic() - started, str(error))
    seconds = time.monotonic() - started
    if failures:
        status = "warn" if node.is_warning else "fail"
        return _result(node, status, seconds, f"{failures} rows fail the test", failures, sql)
    return _result(node, "pass" if node.kind == "test" else "success", seconds, "OK", rows=written)


def _run_sql(
    connection: duckdb.DuckDBPyConnection, node: CompiledNode, sql: str, script: str
) -> tuple[int, int | None]:
    """Runs a test or builds a model: rows that fail, rows that its relation has."""
    if node.kind == "test":
        return _count_failures(connection, sql), None
    written = _build_model(connection, node, sql, script)
    completeness.require_written(connection, {node.relation: written})
    return 0, written


def _count_failures(connection: duckdb.DuckDBPyConnection, sql: str) -> int:
    [(failures,)] = connection.execute(f"select count(*) from (\n{sql}\n) as failing_rows").fetchall()
    return int(failures)


def _build_model(connection: duckdb.DuckDBPyConnection, node: CompiledNode, sql: str, script: str) -> int:
    """Writes a model in one transaction; returns how many rows its relation has by what the statements say."""
    connection.execute("begin")
    try:
        if node.is_python:
            connection.register(_FROM_PYTHON, _python_rows(connection, node))
            sql = f"select * from {_FROM_PYTHON}"
        if node.kind == "table":
            rows = _changed_rows(connection, f"create or replace table {node.relation} as (\n{sql}\n)")
        else:
            rows = completeness.count(connection, node.relation)
            # Rows that a script reads once, and that don't come from what it deletes, need not be kept between. Nor are
            # they a view, which DuckDB would plan when it is made and when it is read.
            reads_deleted = node.relation in sql and "delete from" in script
            is_kept = reads_deleted or node.is_python or script.count(_COMPUTED) > 1
            if is_kept:
                connection.execute(f"create temp table {_COMPUTED} as (\n{sql}\n)")
            for statement in connection.extract_statements(script):
                text = statement.query
                is_read = not is_kept and _COMPUTED in text
                changed = _changed_rows(
                    connection, f"with {_COMPUTED} as not materialized (\n{sql}\n)\n{text}" if is_read else text
                )
                words = text.split(maxsplit=3)
                if words[2].rstrip("(") == node.relation:
                    rows += {"delete": -changed, "insert": changed}[words[0]]
            if is_kept:
                connection.execute(f"drop table temp.{_COMPUTED}")
        connection.execute("commit")
    except Exception:
        connection.execute("rollback")
        raise
    finally:
        if node.is_python:
            connection.unregister(_FROM_PYTHON)
    return rows


def _python_rows(connection: duckdb.DuckDBPyConnection, node: CompiledNode) -> Any:
    """What a Python model gives, called as dbt calls it: on the code that dbt completed, with its `dbt` object.

    Raises:
        PythonModelError: The model failed.
    """
    names: dict[str, Any] = {"__name__": node.name}
    try:
        exec(compile(node.sql, f"{node.name}.py", "exec"), names)  # noqa: S102 - the project's own file, as dbt has it
        return names["model"](names["dbtObj"](lambda relation: connection.table(relation)), connection)
    except Exception as error:
        message = f"{node.name} (Python): {error}"
        raise PythonModelError(message) from error


def _changed_rows(connection: duckdb.DuckDBPyConnection, statement: str) -> int:
    ((rows,),) = connection.execute(statement).fetchall()
    return int(rows)


def _result(
    node: CompiledNode,
    status: str,
    seconds: float,
    message: str,
    failures: int = 0,
    query: str = "",
    rows: int | None = None,
) -> NodeResult:
    return NodeResult(
        unique_id=node.unique_id,
        resource_type=node.resource_type,
        status=status,
        seconds=seconds,
        message=message,
        failures=failures,
        relation=node.relation or None,
        query=query,
        rows=rows,
    )
