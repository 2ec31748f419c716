"""The questions of `examples/`, answered on the sample as it is shipped."""

import re
from pathlib import Path

import duckdb
import pytest

from examples.__main__ import FOLDER, answers
from tests import homes
from tests.support import PROJECT, trends
from warehouse.store import Store


def test_the_examples_answer_on_the_sample(tmp_path_factory: pytest.TempPathFactory) -> None:
    store = homes.sample(tmp_path_factory)
    shown = parts((PROJECT / "examples" / "README.md").read_text(encoding="utf-8"))
    told = parts(answers(store.published_path))
    assert len(shown) == 12
    assert shown.keys() == told.keys()
    for name, lines in told.items():
        query = (FOLDER / name).read_text(encoding="utf-8")
        # Fitted trees may differ by a last digit from processor to processor, and so may what a forecast orders.
        is_fitted = re.search(r"build_list|forecast", query)
        assert len(lines) > 3, f"{name}: no answer"
        end = 2 if is_fitted else None
        assert lines[:end] == shown[name][:end], "the models changed: python -m examples > examples/README.md"


def test_recipes_hold_what_they_say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file of views over exported Parquet shows a new export to a connection that stays open."""
    blocks = re.findall(r"^```(\w+)\n(.*?)^```$", (PROJECT / "docs" / "query_it.md").read_text("utf-8"), re.M | re.S)
    store = Store(tmp_path / "home")
    with duckdb.connect(str(tmp_path / "made.duckdb")) as made:
        made.execute("create schema marts")
        made.execute("create table marts.videos_daily as select 1 as video_id")
        made.execute("create table marts.template_revenue as select date '2026-03-15' as as_of_date, 2.5 as received")
    store.warehouse.mkdir(parents=True)
    (tmp_path / "made.duckdb").rename(store.published_path)
    monkeypatch.chdir(tmp_path)
    assert trends("export", "--parquet", tmp_path / "DIR", "--home", store.home).code == 0
    (views,) = [text for language, text in blocks if language == "python" and "create or replace view" in text]
    exec(compile(views, "query_it.md", "exec"), {})
    with duckdb.connect("bi.duckdb", read_only=True) as staying:
        assert staying.execute("select video_id from videos_daily").fetchall() == [(1,)]
        with duckdb.connect(str(store.published_path)) as changed:
            changed.execute("insert into marts.videos_daily values (2)")
        assert trends("export", "--parquet", tmp_path / "DIR", "--home", store.home).code == 0
        assert staying.execute("select video_id from videos_daily order by 1").fetchall() == [(1,), (2,)]
    with duckdb.connect(str(store.published_path), read_only=True) as file:
        statements = [text for language, text in blocks if language == "sql"]
        assert len(statements) == 2
        for statement in statements:
            file.execute(statement)
    assert Path("template_revenue.csv").read_text().splitlines() == ["as_of_date,received", "2026-03-15,2.5"]


def parts(page: str) -> dict[str, list[str]]:
    """By the name of a query: the header of its answer, the line below it, the rows, and how many there are."""
    found = {}
    for part in page.split("\n## ")[1:]:
        head, *lines = [line for line in part.splitlines()[1:] if line]
        name = re.match(r"\[(\S+)\]\(\1\), (\d+) rows", head)
        assert name, head
        found[name[1]] = [*lines, name[2]]
    return found
