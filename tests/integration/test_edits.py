"""An edit of the project reaches a home in part: the same rows as when all of it is made again."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from benchmarks.home import backfill
from engine import compiled_models, compiler, dbt_runner, edits, rebuild
from engine.compiler import CompiledNode
from engine.rebuild import Plan
from ingest import facts
from simulator import NO_ODDITIES, SimulatorConfig, simulate, write_export_folder
from tests.changed_project import change, copy_models
from tests.support import PROJECT, build, mart_checksums, trends
from warehouse.store import Store

DAYS = ["2026-03-04", "2026-03-05", "2026-03-06", "2026-03-07"]
NEXT = [date(2026, 3, 8)]
LASTING = "select schema_name, table_name from duckdb_tables() where database_name = 'build' and schema_name <> 'meta'"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Four simulated days of three polls with a burst and trends, with revenue, as this version builds them."""
    folder = tmp_path_factory.mktemp("edits")
    config = SimulatorConfig(seed=11, days=4, polls=3, videos_per_day=60, oddities=NO_ODDITIES)
    write_export_folder(simulate(config), folder / "feeds")
    store = backfill(folder / "feeds", folder / "home")
    run = ("run", "--date", DAYS[-1], "--source", folder / "feeds", "--home", store.home, "--no-deliver")
    assert trends(*run).code == 0
    assert trends("rebuild", "--home", store.home).code == 0
    return store


@pytest.fixture
def home(made: Store, tmp_path: Path) -> Store:
    shutil.copytree(made.home, tmp_path / "home")
    return Store(tmp_path / "home")


@pytest.fixture
def project(made: Store, tmp_path: Path) -> Path:
    """A copy of the project, compiled."""
    copy_models(tmp_path / "project")
    shutil.copytree(dbt_runner.kept_in(PROJECT), dbt_runner.kept_in(tmp_path / "project"))
    return tmp_path / "project"


def edit(file: str, old: str, new: str) -> Callable[[Path], None]:
    def apply(project: Path) -> None:
        text = (project / file).read_text(encoding="utf-8")
        assert old in text, (file, old)
        (project / file).write_text(text.replace(old, new, 1), encoding="utf-8")

    return apply


def comment(file: Path) -> None:
    file.write_text(f"{file.read_text(encoding='utf-8')}-- edited\n", encoding="utf-8")


# What is edited, a model that is made again, and one whose rows stay.
EDITS = {
    "threshold of alerts": (
        edit("dbt_project.yml", "  trend_common_share: ", "  trend_common_share: 0.01 # "),
        ("int_poll_bursts", "int_video_readings"),
    ),
    "threshold of levels": (
        edit("dbt_project.yml", "  alert_half_life_hours: ", "  alert_half_life_hours: 1 # "),
        ("alert_outcomes", "forecasts"),
    ),
    "formula, column and mart": (
        lambda project: change(project, ["formula", "column", "mart"]),
        ("days_told", "decisions"),
    ),
    "seed": (
        edit("seeds/trend_stop_words.csv", "\n", "\naivideo\n"),
        ("trends_daily", "int_video_readings"),
    ),
    "comment in a view": (
        lambda project: comment(project / "models/intermediate/forecasts/int_forecast_features.sql"),
        ("forecasts", "int_video_readings"),
    ),
}


def rows(store: Store) -> dict[str, object]:
    """Checksums of all marts, and of the tables of the build file that last."""
    lasting = {node.relation for node in compiler.compiled(PROJECT) if node.kind == "incremental"}
    found: dict[str, object] = dict(mart_checksums(store.marts_path))
    for schema, name in build(store, LASTING):
        if f'"build"."{schema}"."{name}"' in lasting:
            found[name] = build(store, f"select count(*), sum(cast(hash(t) as hugeint)) from {schema}.{name} as t")
    return found


@pytest.mark.slow("all dates made again, and in part, for each edit")
@pytest.mark.parametrize("name", EDITS)
def test_a_part_gives_the_rows_that_the_whole_gives(home: Store, project: Path, tmp_path: Path, name: str) -> None:
    edited, (reached, stays) = EDITS[name]
    edited(project)
    before = rows(home)
    shutil.copytree(home.home, tmp_path / "whole")
    whole = Store(tmp_path / "whole")
    rebuild.rebuild(project, whole, rebuild.plan(whole))
    plans: list[Plan] = []
    built: list[str] = []
    done = rebuild.ensure_current(
        project, home, NEXT, on_begin=plans.append, on_result=lambda result: built.append(result.unique_id)
    )
    assert done is not None
    assert (done.dates, done.left_out) == (DAYS, {})
    ran = {key.split(".")[2] for key in built}
    assert (reached in ran, stays in ran) == (True, False)
    assert 0 < plans[0].share < 0.8
    assert len(ran) < 0.8 * len(compiler.compiled(project))
    assert rows(home) == rows(whole)
    assert (rows(home) == before) == name.startswith("comment"), "the edit changed something"
    assert build(home, "select as_of_date::varchar from meta.builds order by 1") == [(day,) for day in DAYS]
    assert rebuild.ensure_current(project, home, NEXT) is None


def test_texts_alone_make_nothing_again(home: Store, project: Path) -> None:
    edit("models/marts/trends/trend_list.yml", "Trends that people can still join", "Trends that one can join")(project)
    before, inode = rows(home), home.marts_path.stat().st_ino
    assert rebuild.ensure_current(project, home, NEXT) is None
    assert rows(home) == before
    assert home.marts_path.stat().st_ino == inode, "no file was made"
    with home.model_writer() as connection:
        assert compiled_models.built_nodes(connection) == {
            node.unique_id: node.digest for node in compiler.compiled(project)
        }


COME_LATER = {
    "a feed": "insert into raw.loads select * replace (999 as load_id, now()::timestamp as landed_at) from raw.loads"
    " where item_count > 0 limit 1",
    "a calendar": "update raw.seasonal_dates set landed_at = now()::timestamp",
    "an edited sheet": "insert into meta.revenue_cutoffs values ('2026-03-05', now()::timestamp)",
    "another cut-off": "update meta.cutoffs set cutoff_at = cutoff_at - interval 1 hour"
    " where as_of_date = '2026-03-06'",
}


def test_all_is_made_again_where_facts_came_after_a_date_was_built(
    home: Store, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    comment(project / "models/marts/trends/trend_list.sql")
    parts: list[edits.Part | None] = []
    monkeypatch.setattr(rebuild, "rebuild", lambda *_, edited, **__: parts.append(edited))
    rebuild.ensure_current(project, home, NEXT)
    assert parts[0] is not None
    assert "trend_list" in parts[0].names
    as_built = home.facts_path.read_bytes()
    for what, statement in COME_LATER.items():
        with facts.writer(home) as connection:
            connection.execute(statement)
        rebuild.ensure_current(project, home, NEXT)
        assert parts.pop() is None, what
        home.facts_path.write_bytes(as_built)
    rebuild.ensure_current(project, home, NEXT)
    assert parts[1] == parts[0]


def test_a_date_that_was_never_built_makes_all_again(
    home: Store, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    comment(project / "models/marts/trends/trend_list.sql")
    build(home, "delete from meta.builds where as_of_date = '2026-03-05'")
    parts: list[edits.Part | None] = []
    monkeypatch.setattr(rebuild, "rebuild", lambda *_, edited, **__: parts.append(edited))
    rebuild.ensure_current(project, home, NEXT)
    assert parts == [None]


# ---------- which part


def node(name: str, *after: str, kind: str = "incremental", sql: str = "as it was") -> CompiledNode:
    is_test = kind == "test"
    prefix = "test" if is_test else "seed" if kind == "kept" else "model"
    ids = [key if "." in key else f"model.p.{key}" for key in after]
    return CompiledNode(
        f"{prefix}.p.{name}", prefix, "" if is_test else name, kind, sql, "", is_warning=False, after=ids,
        tested=ids if is_test else [],
    )  # fmt: skip


GRAPH = [
    node("batch", kind="table"),
    node("staged"),
    node("of_day", "batch", "staged", kind="table"),
    node("edited", "of_day"),
    node("below", "edited", "held", kind="table"),
    node("held", "of_day", kind="table"),
    node("beside", "held"),
    node("looks", "edited", "beside", kind="test"),
    node("elsewhere", "beside", kind="test"),
    *(node(f"other_{number}", "staged") for number in range(20)),
]


def noted(nodes: list[CompiledNode]) -> dict[str, str]:
    return {each.unique_id: each.digest for each in nodes}


def edited_graph(*changed: CompiledNode) -> list[CompiledNode]:
    new = {each.unique_id: each for each in changed}
    return [new.pop(each.unique_id, each) for each in GRAPH] + list(new.values())


def test_a_part_is_what_was_edited_all_below_it_and_the_tables_of_a_day_above_them() -> None:
    found = edits.part(edited_graph(node("edited", "of_day", sql="otherwise")), noted(GRAPH))
    assert found is not None
    # `looks` is a test of what was edited, beside a model that was not; `held` is read below.
    assert found.names == {"edited", "below", "looks", "of_day", "batch", "held"}
    assert found.remade == {"edited"}
    assert found.share == pytest.approx(6 / len(GRAPH))


def test_a_seed_a_new_model_below_a_view_and_a_test_alone() -> None:
    seed = node("words", kind="kept")
    reads = node("other_3", "seed.p.words")
    before = edited_graph(seed, reads)
    seeds = edits.part(
        [replace(seed, made_from="edited") if each is seed else each for each in before],
        noted(before),
    )
    assert seeds is not None
    assert (seeds.names, seeds.remade) == ({"other_3"}, {"words", "other_3"})
    view = node("view", "held", kind="kept")
    new = edits.part(edited_graph(view, node("new", "seed.p.view")), noted([*GRAPH, view]))
    assert new is not None
    assert (new.names, new.remade) == ({"new", "held", "of_day", "batch"}, {"new"})
    columns = edits.part(
        edited_graph(view, node("held", "of_day", kind="table", sql="otherwise")), noted([*GRAPH, view])
    )
    assert columns is not None
    assert columns.remade == {"held", "view", "beside"}, "a view knows the columns of what it reads"
    of_test = edits.part(edited_graph(node("looks", "held", kind="test", sql="otherwise")), noted(GRAPH))
    assert of_test is not None
    assert (of_test.names, of_test.remade) == ({"looks", "held", "of_day", "batch"}, set())


def test_there_is_no_part_where_nothing_was_noted_a_model_is_gone_or_all_hangs_on_it() -> None:
    assert edits.part(GRAPH, {}) is None
    assert edits.part(GRAPH, noted([*GRAPH, node("gone")])) is None
    assert edits.part(edited_graph(node("staged", sql="otherwise")), noted(GRAPH)) is None
    gone = edits.part(GRAPH, noted([*GRAPH, node("no_more", "held", kind="test")]))
    assert gone == edits.Part(names=frozenset(), remade=frozenset(), gone=frozenset({"no_more"}), share=0.0)
