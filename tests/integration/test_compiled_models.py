"""The models run from dbt's compiled SQL: equal to dbt's own build, and as strict."""

from __future__ import annotations

import json
import re
import shutil
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import duckdb
import pytest
from dbt.artifacts.resources import SeedConfig
from dbt.artifacts.resources import TestConfig as DataTestConfig
from dbt.artifacts.schemas.run import RunResultsArtifact
from dbt.contracts.graph.model_config import ModelConfig

from engine import compiled_models, compiler, dbt_runner, run_results
from engine.compiled_models import OutdatedHomeError
from engine.compiler import CompiledNode
from engine.dbt_runner import DbtFailedError
from ingest import export_folder, facts, landing
from simulator import SimulatorConfig, simulate, write_export_folder
from tests.integration.dbt_subset import Subset, create_subset
from tests.support import MARKETS, PROJECT
from warehouse import completeness
from warehouse.store import Store

FIRST_DAYS, LAST_DAY = ["2026-03-04", "2026-03-05", "2026-03-06"], ["2026-03-07"]


@pytest.fixture(scope="module")
def landed(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """A home with four days of raw feeds and no model."""
    directory = tmp_path_factory.mktemp("landed")
    write_export_folder(simulate(SimulatorConfig(seed=3, days=4, polls=2, videos_per_day=60)), directory / "feeds")
    store = Store(directory / "home")
    feeds, refusals = export_folder.scan(directory / "feeds", MARKETS)
    now = datetime.now(UTC)
    with facts.writer(store) as connection:
        landing.land(connection, feeds, refusals, landed_at=now)
        for day in landing.landed_dates(connection):
            landing.cutoff_for(connection, day, now=now)
    return store


def _keys_but_for_case(structure: Any) -> list[list[str]]:
    """Keys of each object in a structure of JSON, in small letters."""
    if isinstance(structure, str):
        return []
    pairs = structure if isinstance(structure[0], tuple) else []
    inner = [value for _, value in pairs] or structure
    return [[key.lower() for key, _ in pairs], *(keys for value in inner for keys in _keys_but_for_case(value))]


def test_no_structure_has_a_key_twice_but_for_its_case() -> None:
    # DuckDB 2 refuses such a structure, before it gave one key the value of the other.
    texts = {
        text
        for node in compiler.compiled(PROJECT)
        for text in re.findall(r"'([\[{]+\"[^']*\"VARCHAR\"[^']*)'", node.sql)
    }
    found = [keys for text in texts for keys in _keys_but_for_case(json.loads(text, object_pairs_hook=list))]
    assert len(found) > len(texts) > 3
    assert [keys for keys in found if len(set(keys)) < len(keys)] == []


def _copy(store: Store, directory: Path) -> Store:
    shutil.copytree(store.home, directory)
    return Store(directory)


def _contents(store: Store) -> dict[str, tuple[int, int]]:
    """Rows and checksum of every table that dbt makes, and of the notes of their rows."""
    with store.model_writer() as connection:
        ((rows, total),) = connection.execute(
            f"select count(*), sum(hash(noted)::hugeint) from {completeness.NOTES} as noted"
        ).fetchall()
        sums = completeness.checksums(connection, ["seeds", "staging", "intermediate", "marts"])
        return {**sums, "notes": (rows, total)}


@pytest.mark.slow("dbt builds all models twice")
def test_compiled_models_equal_dbt_in_a_new_home_and_on_a_later_day(landed: Store, tmp_path: Path) -> None:
    by_dbt, by_compiled = _copy(landed, tmp_path / "dbt"), _copy(landed, tmp_path / "compiled")
    no_unit_tests = ["--exclude-resource-type", "unit_test"]
    for dates in (FIRST_DAYS, LAST_DAY):
        expected = dbt_runner.invoke(PROJECT, by_dbt, "build", as_of_dates=dates, arguments=no_unit_tests)
        results = compiled_models.build(PROJECT, by_compiled, dates)
        assert {(result.unique_id, result.status) for result in results} == {
            (result.unique_id, result.status) for result in expected
        }
        contents = _contents(by_compiled)
        written = {
            str(result.relation).replace('"', "").split(".", 1)[1]: result.rows
            for result in results
            if result.rows is not None
        }
        assert len(written) > 70
        assert {table: contents[table][0] for table in written} == written
        assert len(contents) > 80
        assert contents == _contents(by_dbt)


def test_model_that_needs_more_memory_is_built_with_it(
    landed: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tight, roomy = _copy(landed, tmp_path / "tight"), _copy(landed, tmp_path / "roomy")
    monkeypatch.setattr("warehouse.store.MEMORY_LIMIT_GIB", 0.1)
    with monkeypatch.context() as nothing_more:
        nothing_more.setattr(compiled_models, "allow_most_memory", lambda connection: None)
        with pytest.raises(DbtFailedError, match="stg_tiktok__videos: Out of Memory Error"):
            compiled_models.build(PROJECT, tight, LAST_DAY, ["stg_tiktok__videos"])
    results = compiled_models.build(PROJECT, roomy, LAST_DAY, ["stg_tiktok__videos"])
    assert {result.status for result in results} == {"success", "pass"}
    assert all(result.rows for result in results if result.resource_type == "model")


def test_home_of_another_project_is_refused(landed: Store, tmp_path: Path) -> None:
    store = _copy(landed, tmp_path / "home")
    compiled_models.build(PROJECT, store, FIRST_DAYS, ["int_as_of"])
    with store.model_writer() as connection:
        compiled_models.record_built(connection, "an older project")
    with pytest.raises(OutdatedHomeError, match="made by another version of this project: `trends rebuild`"):
        compiled_models.build(PROJECT, store, LAST_DAY)


MODELS = {
    "numbers": "{{ config(materialized='table') }} select 1 as number union all select null",
    "doubled": "{{ config(materialized='table') }} select 2 * number as doubled from {{ ref('numbers') }}",
    "gaps": "{{ config(materialized='table') }} select null as gap",
    "after_gaps": "{{ config(materialized='table') }} select count(*) as gaps from {{ ref('gaps') }}",
    "days": (
        "{{ config(materialized='table') }}"
        " select day from (values (date '2026-01-01'), (date '2026-01-02'), (date '2026-01-03')) as days (day)"
        " where day in ({{ date_literals(var('as_of_dates', ['2020-01-01'])) }})"
    ),
}
TESTS = """
models:
  - name: numbers
    data_tests:
      - never_null: {arguments: {columns: [number]}}
  - name: gaps
    data_tests:
      - never_null: {arguments: {columns: [gap]}, config: {severity: warn}}
"""


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Subset:
    """A project of five models with one test that fails and one that warns, in a new home."""
    return create_subset(
        tmp_path_factory.mktemp("small") / "project", models=[], seeds=[], parents=MODELS, sources=TESTS
    )


def test_failed_test_skips_what_hangs_on_it_and_nothing_else(small: Subset) -> None:
    with pytest.raises(DbtFailedError, match=r"never_null_numbers\w*: 1 rows fail the test$") as error:
        compiled_models.build(small.folder, Store(small.folder), ["2026-01-02"])
    statuses = {result.unique_id.split(".")[2]: result.status for result in error.value.results}
    assert statuses["numbers"] == "success"
    assert statuses["doubled"] == "skipped"
    assert statuses["after_gaps"] == "success"
    assert statuses["days"] == "success"


def test_results_lie_beside_the_manifest_as_dbt_writes_them(small: Subset) -> None:
    store, kept = Store(small.folder), dbt_runner.kept_in(small.folder)
    with pytest.raises(DbtFailedError) as error:
        compiled_models.build(small.folder, store, ["2026-01-02"])
    written = RunResultsArtifact.read_and_check_versions(str(kept / run_results.NAME))
    assert {(result.unique_id, str(result.status)) for result in written.results} == {
        (result.unique_id, result.status) for result in error.value.results
    }
    by_name = {result.unique_id.split(".")[2]: result for result in written.results}
    assert by_name["numbers"].adapter_response["rows_affected"] == 2
    failed = next(result for name, result in by_name.items() if name.startswith("never_null_numbers"))
    assert failed.failures == 1
    assert '"numbers"' in str(failed.compiled_code)
    # Selected by what became of them, from the folder that has both files.
    listed = dbt_runner.call(
        small.folder, store, "ls", ["--select", "result:fail", "result:skipped", "--state", str(kept)]
    )
    assert listed.success, listed.exception
    assert isinstance(listed.result, list)
    assert sorted(name.split(".")[-1].split("_")[0] for name in listed.result) == ["doubled", "never"]


def test_test_that_warns_lets_the_rest_run(small: Subset) -> None:
    results = compiled_models.build(small.folder, Store(small.folder), ["2026-01-02"], ["gaps", "after_gaps"])
    assert [(result.failures, result.status) for result in results if result.resource_type == "test"] == [(1, "warn")]
    assert small.rows("select gaps from main.after_gaps") == [(1,)]


@pytest.mark.parametrize("batch", [["2026-01-02"], ["2026-01-03", "2026-01-01"], ["2026-01-01", "2027-01-01"]])
def test_dates_of_a_batch_stand_in_the_sql(small: Subset, batch: list[str]) -> None:
    compiled_models.build(small.folder, Store(small.folder), batch, ["days"])
    found = [str(day) for (day,) in small.rows("select day from main.days order by day")]
    assert found == [day for day in sorted(batch) if day < "2027"]


def test_model_that_fails_names_itself_and_leaves_its_old_rows(small: Subset) -> None:
    store = Store(small.folder)
    compiled_models.build(small.folder, store, ["2026-01-02"], ["gaps", "after_gaps"])
    with store.model_writer() as connection:
        connection.execute("drop table main.gaps; create view main.gaps as select 1 as gap")
        threads = connection.execute("select current_setting('threads')").fetchall()
        with pytest.raises(DbtFailedError, match=r"gaps: .*gaps"):
            compiled_models.run(connection, compiler.compiled(small.folder), ["2026-01-02"], ["gaps", "after_gaps"])
        assert connection.execute("select gaps from main.after_gaps").fetchall() == [(1,)]
        assert connection.execute("select current_setting('threads')").fetchall() == threads
        connection.execute("drop view main.gaps; create table main.gaps (gap integer)")


def test_relation_that_loses_rows_after_its_commit_fails_its_node(
    small: Subset, monkeypatch: pytest.MonkeyPatch
) -> None:
    build_model = compiled_models._build_model

    def losing(connection: duckdb.DuckDBPyConnection, node: CompiledNode, sql: str, script: str) -> int:
        rows = build_model(connection, node, sql, script)
        connection.execute(f"delete from {node.relation}")
        return rows

    monkeypatch.setattr(compiled_models, "_build_model", losing)
    with pytest.raises(DbtFailedError, match=r'gaps: .*"gaps" has 0 rows, 1 were written') as error:
        compiled_models.build(small.folder, Store(small.folder), ["2026-01-02"], ["gaps", "after_gaps"])
    statuses = {result.unique_id.split(".")[2]: result.status for result in error.value.results}
    assert (statuses["gaps"], statuses["after_gaps"]) == ("error", "skipped")


def test_what_only_dbt_can_run_is_refused_by_name(tmp_path: Path) -> None:
    hooked = {"odd": "{{ config(materialized='table', post_hook='select 1') }} select 1 as x"}
    subset = create_subset(tmp_path / "project", models=[], seeds=[], parents=hooked)
    with pytest.raises(compiler.NotCompilableError, match=r"tiktok_trends\.odd: post-hook would be ignored"):
        compiler.compiled(subset.folder)


@pytest.mark.parametrize(
    ("kind", "config", "named"),
    [
        ("test", DataTestConfig(fail_calc="sum(n)"), ["fail_calc"]),
        ("test", DataTestConfig(store_failures=True), ["store_failures"]),
        ("test", DataTestConfig(warn_if="> 10", error_if="> 100"), ["error_if", "warn_if"]),
        ("test", DataTestConfig(limit=10), ["limit"]),
        ("test", DataTestConfig.from_dict({"where": "a > 1", "severity": "warn", "tags": ["poll"]}), []),
        ("model", ModelConfig.from_dict({"materialized": "table", "indexes": [{"columns": ["a"]}]}), ["indexes"]),
        ("model", ModelConfig.from_dict({"incremental_predicates": ["a > 1"]}), ["incremental_predicates"]),
        ("model", ModelConfig(materialized="incremental", unique_key="a", on_schema_change="fail"), []),
        ("model", ModelConfig(materialized="materialized_view"), ["materialized: materialized_view"]),
        ("model", ModelConfig(full_refresh=False, persist_docs={"relation": True}), ["full_refresh", "persist_docs"]),
        ("seed", SeedConfig(column_types={"a": "varchar"}, delimiter=";"), []),
        ("seed", SeedConfig(grants={"select": ["anna"]}), ["grants"]),
    ],
)
def test_settings_that_nobody_would_obey_are_named(kind: str, config: Any, named: list[str]) -> None:
    node = SimpleNamespace(resource_type=kind, config=config, columns={})
    assert compiler.unobeyed(node) == named


def test_constraints_are_named_wherever_they_stand() -> None:
    column = SimpleNamespace(constraints=["not null"])
    node = SimpleNamespace(resource_type="model", config=ModelConfig(), columns={"a": column})
    assert compiler.unobeyed(node) == ["constraints"]
    node = SimpleNamespace(resource_type="model", config=ModelConfig(), columns={}, constraints=["primary key (a)"])
    assert compiler.unobeyed(node) == ["constraints"]
