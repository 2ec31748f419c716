"""Items that people brought, each with what must come of it: from the file to the staged row, without dbt."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from ingest import items
from tests.staging import CASES, NOON, by_name, case, landed, one, staged, staging_sql
from tests.staging import good_video as video
from tests.support import write_feed, write_file

FIVE = datetime(2026, 2, 20, 5)
# An id is made up to some seconds after the time that is given beside it.
SECONDS = timedelta(seconds=5)


# ---------- shapes


def test_web_items() -> None:
    rows, report, _ = case("shape_web_item")
    assert (len(rows), report.quarantined) == (3, 0)
    for number, row in enumerate(rows):
        told = (row["plays"], row["likes"], row["shares"], row["saves"], row["author_handle"], row["music_id"])
        assert told == (10000, 500, 50, 70, f"maker.w{number}", "7000000000000000001")
        assert (row["hashtags"], row["posted_at"], row["author_followers"]) == (["capcut"], FIVE, 1000)


def test_flat_names(tmp_path: Path) -> None:
    rows, report, _ = case("shape_flat_names")
    assert report.quarantined == 0
    assert {name: row["plays"] for name, row in by_name(rows).items()} == {"a": 10000, "b": 10000, "d": 10000}
    header = (
        "id,text,createTimeISO,authorMeta_name,webVideoUrl,stats_playCount,diggCount,musicMeta_musicId,hashtags_0_name"
    )
    line = "7608807727420993674,words,2026-02-20T05:00:00.000Z,maker.f,,10000,5,7000000000000000001,capcut"
    write_file(tmp_path, NOON, f"{header}\n{line}\n".encode(), suffix=".csv")
    (row,) = staged(landed(tmp_path)[0])
    assert (row["plays"], row["author_handle"], row["music_id"], row["hashtags"]) == (
        10000, "maker.f", "7000000000000000001", ["capcut"],
    )  # fmt: skip


def test_what_can_not_be_read_says_its_fields(tmp_path: Path) -> None:
    write_feed(tmp_path, NOON, [{"clip": "x", "watched": 5}])
    _, report = landed(tmp_path)
    assert report.notes[0].endswith("1 of 1 items rejected: no video id; its fields: clip, watched")


def test_names_of_facts_differ_in_more_than_case() -> None:
    """DuckDB's structs don't tell `playCount` from `playcount`."""
    keys = list(json.loads(items.macros().tiktok_item_structure()))
    assert len({key.lower() for key in keys}) == len(keys)


def test_one_table_of_names_for_python_and_sql() -> None:
    """What staging looks for is what landing looks for, to the letter."""
    sql = staging_sql("stg_tiktok__videos")
    for fact in ("video_id", "plays", "likes", "shares"):
        assert items.macros().tiktok_fact(fact) in sql
    assert items.macros().tiktok_link_id() in sql


def test_empty_text_hides_nothing() -> None:
    rows, _, _ = case("empty_text_hides_the_next")
    found = by_name(rows)
    assert found["e1"]["video_id"] == "7608807733346005312"
    assert found["e3"]["video_url"] == "https://www.tiktok.com/@maker.e3/video/7608807733411115330"
    assert found["e4"]["caption"] == "invented caption #capcut"
    assert found["e5"]["found_by"] == ["capcutedits"]


def test_empty_ids_counts_and_sounds_hide_nothing(tmp_path: Path) -> None:
    item = {
        **video("", plays="", views="10000", musicMeta={"musicId": ""}, musicId="7000000000000000009"),
        "webVideoUrl": "https://www.tiktok.com/@maker/video/7608807733346005312",
    }
    (row,) = one(tmp_path, item)
    assert (row["video_id"], row["plays"], row["music_id"]) == ("7608807733346005312", 10000, "7000000000000000009")


def test_hashtags_in_every_form() -> None:
    rows, _, _ = case("hashtags_in_other_forms")
    assert len(rows) == 8
    assert all("capcut" in row["hashtags"] and not any("#" in tag for tag in row["hashtags"]) for row in rows)
    assert by_name(rows)["caption_only"]["hashtags"] == ["capcut", "trend"]


@pytest.mark.parametrize(
    "given",
    [
        {"hashtags": [{"title": "capcut"}, {"title": "trend"}]},
        {"hashtags": "[{'id': '1', 'name': 'capcut'}, {'id': '2', 'name': 'trend'}]"},
        {"hashtags": "['capcut', 'trend']"},
        {"hashtags": "#capcut#trend"},
        {"hashtags": "capcut|trend"},
        {"hashtags": [{"name": "capcut"}, "trend"]},
        {"textExtra": [{"hashtagName": "capcut"}, {"userId": "1"}, {"hashtagName": "trend"}]},
        {"hashtags/0/name": "capcut", "hashtags/1/name": "trend"},
        {"hashtags_0_name": "capcut", "hashtags_1_name": "trend"},
        {"hashtags/0/name": "capcut", "hashtags/0/title": "Cut!", "hashtags/1/name": "trend", "hashtags/1/title": "no"},
        {"hashtags/0/title": "capcut", "hashtags/1/title": "trend"},
        {"hashtags": [{"title": "capcut"}, {"name": "trend", "title": "What is the #trend?"}, {"title": "a sentence"}]},
        {"hashtags[0].name": "capcut", "hashtags[1].name": "trend"},
        {"hashtags": [{"hashtag": {"id": "1", "name": "capcut"}}, {"hashtag": {"name": "trend"}}]},
        {"hashtags": {"0": "capcut", "1": "trend"}},
        {"hashtags": '[{"id": 1, \'name\': "capcut"}, {\'name\': "trend"}]'},
        {"hashtags": "N/A", "text": "#capcut #trend"},
        {"text": "＃capcut and #trend, not https://x.y/#part nor &#39; nor #1"},
    ],
)
def test_hashtags(tmp_path: Path, given: dict[str, Any]) -> None:
    item = {"id": "7608807733346005312", "playCount": 5, **given}
    assert one(tmp_path, item)[0]["hashtags"] == ["capcut", "trend"]


# ---------- evidence that disagrees


def test_the_id_of_the_link_is_taken() -> None:
    rows, report, _ = case("id_rounded_by_javascript")
    assert len({row["video_id"] for row in rows}) == 3
    second = [row for row in rows if row["observed_at"].day == 20]
    assert [row["plays"] for row in second] == [30000, 60000, 90000]
    assert all(row["oddities"] == ["id_from_link"] and row["video_id"] in row["video_url"] for row in second)
    assert report.notes[0].endswith("3 items: another id than in the link, which is taken")


@pytest.mark.parametrize("given", [7.6088077333460054e18, "7.61E+18", "7608807733346000000", "'7608807733346005312"])
def test_rounded_ids_are_recovered_from_the_link(tmp_path: Path, given: object) -> None:
    item = {**video("7608807733346005312"), "id": given}
    assert one(tmp_path, item)[0]["video_id"] == "7608807733346005312"


@pytest.mark.parametrize(
    "link",
    ["https://www.tiktok.com/embed/v2/7608807733346005312", "https://www.tiktok.com/player/v1/7608807733346005312?x=1",
     "https%3A%2F%2Fwww.tiktok.com%2F%40m%2Fvideo%2F7608807733346005312", "http://m.tiktok.com/v/7608807733346005312.html",
     '=HYPERLINK("https://www.tiktok.com/@m/photo/7608807733346005312","a")'],
)  # fmt: skip
def test_links_of_all_kinds_have_the_id(tmp_path: Path, link: str) -> None:
    item = {"id": "7.60880773334601E+18", "webVideoUrl": link, "playCount": 5}
    assert one(tmp_path, item)[0]["video_id"] == "7608807733346005312"


def test_ids_as_cells_have_them(tmp_path: Path) -> None:
    given = [
        "https://www.tiktok.com/@m/video/7608807733346005312?lang=en", "7,608,807,733,346,005,313",
        "7 608 807 733 346 005 314", '="7608807733346005315"', "'7608807733346005316",
    ]  # fmt: skip
    rows = one(tmp_path, *({"id": text, "playCount": 5} for text in given))
    assert {row["video_id"] for row in rows} == {str(7608807733346005312 + number) for number in range(5)}


def test_what_is_no_id_is_no_video(tmp_path: Path) -> None:
    totals = ["Total", "SUM", "Gesamt:", "Grand Total", "Итого", "合計", "Average"]
    none = ["0", "-1", True, "null", "undefined", "#N/A", "#REF!", "Loading..."]
    write_feed(tmp_path, NOON, [{**video(), "id": text, "webVideoUrl": ""} for text in [*totals, *none]])
    connection, report = landed(tmp_path)
    assert staged(connection) == []
    assert "15 of 15 items rejected: no video id; its fields: " in report.notes[0]
    assert "a row that adds up others, no video (7 items)" in report.notes[0]


def test_rounded_ids_without_links_are_rejected(tmp_path: Path) -> None:
    given = [{"id": 7608436639642218496 + 1024 * number, "playCount": 5} for number in range(5)]
    write_feed(tmp_path, NOON, given)
    _, report = landed(tmp_path)
    assert "5 of 5 items rejected: the id was rounded on its way" in report.notes[0]


def test_impossible_post_times() -> None:
    rows, _, _ = case("post_time_impossible")
    assert all(abs(row["posted_at"] - FIVE) < SECONDS for row in rows)
    found = by_name(rows)
    assert (found["right"]["posted_at_source"], found["right"]["oddities"]) == ("iso", [])
    assert (found["ms"]["posted_at_source"], found["ms"]["oddities"]) == ("epoch", [])
    for name in ("plus8h", "tomorrow"):
        assert (found[name]["posted_at_source"], found[name]["oddities"]) == ("video_id", ["post_time_not_believed"])


@pytest.mark.parametrize(
    "given",
    ["infinity", "-infinity", "294247-01-10 04:00:54", "0001-01-01", "9999-12-31T23:59:59Z", 0, "0", -1e13, 10**18 * 9,
     "tomorrow", 1e300, "1771563600000000000000"],
)  # fmt: skip
def test_poisoned_times_leave_their_place_to_the_id(tmp_path: Path, given: object) -> None:
    # 7608807730350944484 was made 2026-02-20 05:00 UTC.
    item = {**video("7608807730350944484"), "createTimeISO": given, "createTime": given}
    (row,) = one(tmp_path, item)
    assert abs(row["posted_at"] - FIVE) < SECONDS
    assert row["posted_at_source"] == "video_id"
    assert row["oddities"] == ["post_time_not_believed"]


@pytest.mark.parametrize("unit", [1, 1000, 10**6, 10**9])
@pytest.mark.parametrize("text", [False, True])
def test_seconds_and_their_parts(tmp_path: Path, unit: int, text: bool) -> None:
    number = 1771563600 * unit
    item = {**video("7608807730350944484"), "createTimeISO": None, "createTime": str(number) if text else number}
    assert one(tmp_path, item)[0]["posted_at"] == FIVE


def test_a_feed_named_in_local_time_is_named_and_kept_out_of_builds(tmp_path: Path) -> None:
    write_feed(tmp_path, "2026-02-20T04:00", [video("7608807730350944484", posted="2026-02-20T05:00:00.000Z")])
    connection, report = landed(tmp_path)
    (row,) = staged(connection)
    assert (row["posted_at"], row["posted_at_source"], row["is_believed"]) == (None, "first_seen", False)
    assert "post_time_unknown" in row["oddities"]
    assert "made after the time of the feed: is that a local time?" in report.notes[0]


@pytest.mark.parametrize("zone", ["UTC", "America/Los_Angeles", "Pacific/Kiritimati"])
def test_times_without_a_zone_are_utc_everywhere(zone: str) -> None:
    connection, _ = landed(CASES / "time_without_zone")
    connection.execute(f"set TimeZone = '{zone}'")
    rows = staged(connection)
    assert {row["posted_at"] for row in rows} == {FIVE}
    assert {tuple(row["oddities"]) for row in rows} == {()}


@pytest.mark.parametrize(
    "text",
    ["2026-02-20T05:00:00.000Z", "2026-02-20T06:00:00+01:00", "2026-02-19T21:00:00-0800", "2026-02-20 05:00:00 UTC",
     "2026-02-20 05:00:00+00", "2026-02-20T05:00", "2026/02/20 05:00:00"],
)  # fmt: skip
def test_iso_times(tmp_path: Path, text: str) -> None:
    (row,) = one(tmp_path, {**video("7608807730350944484", posted=text), "createTime": None})
    assert (row["posted_at"], row["posted_at_source"]) == (FIVE, "iso")


def test_no_sound_is_no_sound(tmp_path: Path) -> None:
    # Else all videos without one are the day's greatest sound.
    given = ["0", "-1", 0, -1, 0.0, "-0", "00", "7.0E+18", "7,00E+18", "", "null", "None", "nan", "undefined", "#N/A",
             [], {}, False]  # fmt: skip
    rows = one(
        tmp_path,
        *(
            video(str(7608807733346005312 + number), musicMeta={"musicId": text, "musicName": "N/A"})
            for number, text in enumerate(given)
        ),
    )
    assert len(rows) == len(given)
    assert {(row["music_id"], row["music_name"]) for row in rows} == {(None, None)}


def test_no_creator_is_nobody(tmp_path: Path) -> None:
    given: list[object] = [None, "null", "undefined", "N/A", "None", "", {}]
    rows = one(
        tmp_path,
        *(
            video(str(7608807733346005312 + number), authorMeta={"name": name}, webVideoUrl=None)
            for number, name in enumerate(given)
        ),
    )
    assert [row["author_handle"] for row in rows] == [None] * len(given)


@pytest.mark.parametrize("given", ["@Maker.H1", " maker.h1 ", "https://www.tiktok.com/@maker.h1?lang=en", "@@maker.h1"])
def test_handles_as_typed(tmp_path: Path, given: str) -> None:
    item = {**video("7608807733346005312"), "authorMeta": {"name": given}}
    (row,) = one(tmp_path, item)
    assert row["author_handle"] == "maker.h1"
    assert row["video_url"] == "https://www.tiktok.com/@maker.h1/video/7608807733346005312"


# ---------- rows of other things


def test_error_rows_say_their_own_words() -> None:
    rows, report, connection = case("error_rows_in_other_words")
    assert (len(rows), report.quarantined) == (4, 5)
    found = {row[0] for row in connection.execute("select reason from raw.quarantine").fetchall()}
    assert found == {
        "error row: No videos found", "error row: #error", "error row: user not found: C004", "error row: blocked",
        "a hashtag row of a trends list in a videos feed",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("item", "reason"),
    [
        ({"cid": "1", "text": "nice", "diggCount": 5, "id": "7608807733346005312"}, "a comment row, no video"),
        ({"id": "1", "uniqueId": "x", "followerCount": 5, "heartCount": 7, "diggCount": 3}, "a profile row, no video"),
        ({"success": False, "msg": "quota is used up"}, "error row: quota is used up"),
        ({"errors": ["blocked"]}, 'error row: ["blocked"]'),
        ({"noResults": True}, "error row: noResults"),
        ({"status_code": 10204, "status_msg": "item doesn't exist"}, "error row: item doesn't exist"),
    ],
)
def test_rows_of_other_things(tmp_path: Path, item: dict[str, Any], reason: str) -> None:
    write_feed(tmp_path, NOON, [item] * 3)
    _, report = landed(tmp_path)
    assert f"3 of 3 items rejected: {reason} (3 items)" in report.notes[0]


@pytest.mark.parametrize(("name", "usable"), [("note_rows", 0), ("web_items", 40), ("good_with_error_null", 40)])
def test_one_definition_of_a_usable_item(tmp_path: Path, name: str, usable: int) -> None:
    given = json.loads((CASES / "apify_floor" / f"{name}.json").read_text(encoding="utf-8"))
    lines = tmp_path / "lines"
    lines.write_text("".join(json.dumps(item) + "\n" for item in given), encoding="utf-8")
    assert items.count_usable(lines, "videos")[0] == usable
    write_feed(tmp_path / "feeds", NOON, given)
    assert landed(tmp_path / "feeds")[1].items == usable
