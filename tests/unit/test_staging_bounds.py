"""Staging lets nothing through that a model can't live with: the extremes of every fact, in one feed."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from ingest import items
from tests.staging import landed, staged
from tests.support import video, write_feed

EXTREMES: list[Any] = [
    9e18, 9223372036854775807, -9223372036854775808, 10**30, 1e308, -1e13, 1771563600000000,
    1771563600000000000, "99999999999B", "1e308", "infinity", "-infinity", "NaN", "nan",
    "294247-01-10 04:00:54.775806", "0001-01-01",
    "",
    " ",
    "true", "x" * 5000, "[", "{", "[{", '["', "\u0000", "'", '"', "#", [], {}, [None], [[]], {"a": 1}, False, 0, -1,
]  # fmt: skip
SEEN = datetime(2026, 2, 20, 12)
COUNTS = ("plays", "likes", "shares", "comments", "saves", "reposts", "author_followers")


def with_extremes() -> list[dict[str, Any]]:
    """One item for every fact and extreme value, under the first name of the fact."""
    made: list[dict[str, Any]] = []
    for paths in items.variables()["item_facts"].values():
        for value in EXTREMES:
            item: dict[str, Any] = video(str(7608807730350944484 + len(made)), posted="2026-02-20T05:00:00.000Z")
            parent, _, child = paths[0].partition(".")
            item[parent] = {**(item.get(parent) or {}), child: value} if child else value
            made.append(item)
    for key in (*items.variables()["item_hashtag_lists"], "effectStickers", "anchors"):
        made += [
            {**video(str(7608807730360000000 + len(made)), posted="2026-02-20T05:00:00.000Z"), key: value}
            for value in EXTREMES
        ]
    return made


def test_every_staged_value_is_within_its_bounds(tmp_path: Path) -> None:
    given = with_extremes()
    write_feed(tmp_path, "2026-02-20T12:00", given)
    write_feed(tmp_path, "2026-02-20T12:00", given, kind="music")
    connection, report = landed(tmp_path)
    assert report.problems == []
    (counted,) = connection.execute("select sum(item_count + quarantined_count) from raw.loads").fetchall()
    assert counted == (2 * len(given),)
    rows = staged(connection)
    bounds = items.variables()["item_count_bounds"]
    for row in rows:
        for fact in COUNTS:
            assert row[fact] is None or 0 <= row[fact] <= float(bounds[fact])
        assert row["posted_at"] is None or datetime(2005, 1, 1) <= row["posted_at"] <= SEEN + timedelta(minutes=5)
        assert row["duration_s"] is None or 0 <= row["duration_s"] <= 86400
        assert row["is_believed"] or row["oddities"]
        for fact in ("plays", "likes", "shares"):
            resolution = row[f"{fact}_resolution"]
            assert resolution is None or 1 <= resolution <= 2**31 - 1
    assert any("plays_not_believed" in row["oddities"] for row in rows)
    assert any("post_time_not_believed" in row["oddities"] for row in rows)
    uses = [row["platform_uses"] for row in staged(connection, "stg_tiktok__sound_uses")]
    assert all(use is None or 0 <= use <= float(bounds["music_uses"]) for use in uses)


def test_an_effect_without_a_name_is_its_id_however_the_key_is_written(tmp_path: Path) -> None:
    given = [
        {**video(str(7608807730360000000 + number), posted="2026-02-20T05:00:00.000Z"), "effectStickers": stickers}
        for number, stickers in enumerate((
            [{"name": "Green Screen", "ID": "11"}],
            [{"ID": "12"}, {"id": "13"}],
            "[{'ID': '14'}]",
        ))
    ]  # fmt: skip
    write_feed(tmp_path, "2026-02-20T12:00", given)
    connection, _ = landed(tmp_path)
    assert [row["effects"] for row in staged(connection)] == [["green screen"], ["12", "13"], ["14"]]
