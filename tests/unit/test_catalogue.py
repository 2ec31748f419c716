"""What the catalogue is told beside names: where columns come from, and pictures drawn by hand."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
import pytest
from lxml import etree

from engine import columns
from engine.columns import Column
from orchestration import catalogue, plots

SVG = "{http://www.w3.org/2000/svg}"


def drawn(markdown: str | None) -> etree._Element:
    assert markdown is not None
    return etree.fromstring(base64.b64decode(markdown.split("base64,")[1].removesuffix(")")))


def test_columns_come_with_types_comments_and_sources_and_are_kept(tmp_path: Path) -> None:
    selects = {
        "marts/totals": """
            with named as (select items.*, shops.name as shop from "a"."staging"."items" as items
                           left join "a"."seeds"."shops" as shops on items.shop_id = shops.id)
            select shop, sum(price * amount) as turnover, current_date is null as flag from named group by shop
        """
    }
    with duckdb.connect(str(tmp_path / "a.duckdb")) as connection:
        connection.execute("create schema staging; create schema seeds; create schema marts")
        connection.execute("create table staging.items (shop_id int, price double, amount int)")
        connection.execute("create table seeds.shops (id int, name varchar)")
        connection.execute(f"create view marts.totals as {selects['marts/totals']}")
        connection.execute("comment on column seeds.shops.name is 'As on the door.'")
        columns.save(tmp_path, "of today", connection, selects)
    kept = columns.load(tmp_path, "of today")
    assert kept["seeds/shops"] == [Column("id", "INTEGER", "", []), Column("name", "VARCHAR", "As on the door.", [])]
    assert kept["marts/totals"] == [
        Column("shop", "VARCHAR", "", [("seeds/shops", "name")]),
        Column("turnover", "DOUBLE", "", [("staging/items", "amount"), ("staging/items", "price")]),
        Column("flag", "BOOLEAN", "", []),
    ]
    assert columns.load(tmp_path, "of tomorrow") == {}, "of another version of the project"


@pytest.mark.parametrize(
    ("given", "own", "other"),
    [([], ["team:models"], ["team:rest"]), (["team:growth"], ["team:growth"], ["team:growth"])],
)
def test_owners_are_those_of_the_setting_else_the_models(given: list[str], own: list[str], other: list[str]) -> None:
    @dg.multi_asset(specs=[dg.AssetSpec("modelled", owners=["team:models"]), dg.AssetSpec("made")])
    def assets() -> Iterator[Any]:
        yield from ()  # never run: only its specs are looked at

    partitions = dg.DailyPartitionsDefinition("2026-03-01")
    (completed,) = catalogue.complete([assets], ["team:rest"], {}, partitions, given)
    owners = {spec.key.to_user_string(): list(spec.owners) for spec in completed.specs}
    assert owners == {"modelled": own, "made": other}


def test_bars_stack_the_groups_of_the_last_days() -> None:
    first = date(2026, 3, 1)
    rows = [(first + timedelta(days=n), market, 10 * (n + 1)) for n in range(40) for market in ("UK", "US & more")]
    image = drawn(plots.daily_bars("Videos", rows).md_str)
    bars = image.findall(f"{SVG}rect")[1:]
    assert len(bars) == 2 * plots.DAYS_SHOWN
    assert [bar.findtext(f"{SVG}title") for bar in bars[-2:]] == ["2026-04-09 UK 400", "2026-04-09 US & more 400"]
    newest, below = float(bars[-1].get("height", 0)), float(bars[-2].get("y", 0))
    assert newest == float(bars[-2].get("height", 0)) == 51.0
    assert float(bars[-1].get("y", 0)) + newest == below, "one stands on the other"
    texts = ["".join(text.itertext()) for text in image.findall(f"{SVG}text")]
    assert texts == ["Videos, highest 800 ■ UK ■ US & more", "2026-03-11", "2026-04-09"]


def test_nothing_to_draw_is_an_empty_picture() -> None:
    image = drawn(plots.daily_bars("Videos", []).md_str)
    assert ["".join(text.itertext()) for text in image.findall(f"{SVG}text")] == ["Videos, highest 0 "]
