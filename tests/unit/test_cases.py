"""Inputs that people brought, each with what must come of it: from the file to the staged row, without dbt."""

from __future__ import annotations

import gzip
import json
import os
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from ingest import export_folder, items, landing, readers
from ingest.landing import LandingReport
from ingest.migrations import migrate
from tests.staging import by_name, landed, staged, staging_sql
from tests.support import FIXTURES, write_feed, write_file
from tests.support import video as invented

CASES = FIXTURES / "cases"
FIVE = datetime(2026, 2, 20, 5)
# An id is made up to some seconds after the time that is given beside it.
SECONDS = timedelta(seconds=5)
OTHER_FORMS = pytest.mark.slow("every case once more, in another form")
NOON = "2026-02-20T12:00"


def video(video_id: str = "7608807730350944484", **further: Any) -> dict[str, Any]:
    """An item made when its id says so."""
    return invented(video_id, **{"posted": "2026-02-20T05:00:00.000Z", **further})


def case(name: str) -> tuple[list[dict[str, Any]], LandingReport, duckdb.DuckDBPyConnection]:
    connection, report = landed(CASES / name)
    return staged(connection), report, connection


def one(folder: Path, *given: dict[str, Any], observed_at: str = NOON) -> list[dict[str, Any]]:
    """Staged rows of a feed of these items."""
    write_feed(folder, observed_at, given)
    return staged(landed(folder)[0])


def per_file(connection: duckdb.DuckDBPyConnection) -> dict[str, tuple[int, int]]:
    """Items and quarantined ones by the time in the file's name."""
    rows = connection.execute("select file, item_count, quarantined_count from raw.loads").fetchall()
    return {Path(file).name[11:16]: (items_, bad) for file, items_, bad in rows}


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


# ---------- counts


def test_counts_as_text() -> None:
    rows, _, _ = case("counts_as_text")
    assert {name: row["plays"] for name, row in by_name(rows).items()} == dict.fromkeys(
        ("int", "k", "commas", "blank", "dots", "mixed"), 10000
    )
    assert by_name(rows)["mixed"]["likes"] == 1500


@pytest.mark.parametrize(
    ("given", "plays", "step"),
    [
        ("10,000", 10000, 1), ("10.000", 10000, 1), ("10 000", 10000, 1), ("10\u00a0000", 10000, 1),
        ("10'000", 10000, 1),
        ("1,00,000", 100000, 1), ("1.234.567", 1234567, 1), ("10000.0", 10000, 1), (10000.0, 10000, 1),
        ("1e4", 10000, 1), ("10K+", 10000, 1000), ("1.1K", 1100, 100), ("1,1K", 1100, 100), ("1.5M", 1500000, 100000),
        ("1万", 10000, 10000), ("1.2万", 12000, 1000), ("10K views", 10000, 1000), ("10 mil", 10000, 1000),
        ("1,2 Mio.", 1200000, 100000), ("0", 0, 1),
    ],
)  # fmt: skip
def test_a_count_is_read(tmp_path: Path, given: object, plays: int, step: int) -> None:
    # Another count keeps the feed from being one that rounds.
    (row,) = one(tmp_path, video("7608807733346005312", plays=given, likes=10001))
    assert (row["plays"], row["plays_resolution"], row["is_believed"], row["oddities"]) == (plays, step, True, [])


def test_counts_as_people_write_them(tmp_path: Path) -> None:
    written = {
        "1,2 Mio.": 1200000, "2,3 Mrd.": 2300000000, "1,5 млн": 1500000, "2 тис.": 2000, "12万": 120000,
        "1억": 100000000,
        "1,2 Tr": 1200000, "20 ribu": 20000, "1.1 juta": 1100000, "15 ألف": 15000, "2 हज़ार": 2000, "3 ล้าน": 3000000,
        "1\u202f234\u202f567": 1234567, "1\u00a0234\u00a0567": 1234567, "1’234": 1234, "1_234": 1234,
        "١٢٣٤": 1234, "۱۲۳۴": 1234, "१२३४": 1234, "１２３４": 1234, "1٬234": 1234, "١٫٢M": 1200000,
        "\u200e1234": 1234, "\ufeff1234": 1234, "5K\u200b": 5000, "> 10K": 10000, "≈10K": 10000, "10K +": 10000,
        "1,234.00": 1234, "1.234.567,00": 1234567, "999+": 999, "1.234 views": 1234,
    }  # fmt: skip
    ids = [str(7608807733346005312 + number) for number in range(len(written))]
    rows = one(tmp_path, *(video(key, plays=text) for key, text in zip(ids, written, strict=True)))
    found = {row["video_id"]: (row["plays"], row["oddities"]) for row in rows}
    assert [found[key] for key in ids] == [(count, []) for count in written.values()]


def test_what_is_no_count_is_never_a_small_one(tmp_path: Path) -> None:
    # "5 mil." is five millions in some languages and thousands in others.
    written = (
        "1.234,56", "10,5", "1,2", "1.23", "1,000,00", "1万5千", "5 mil.", "1K-2K", ".5K", "1..2K", "1,,2", "0x10",
        "5%",
        "#REF!", "Loading...", "true", [5], 1.23e18, "1.23E+18", "１２ x",
    )  # fmt: skip
    given = [video(str(7608807733346005312 + number), plays=text) for number, text in enumerate(written)]
    rows = one(tmp_path, *given)
    assert len(rows) == len(written)
    assert {(row["plays"], *row["oddities"], row["is_believed"]) for row in rows} == {
        (None, "plays_not_believed", False)
    }


@pytest.mark.parametrize(
    "given",
    ["many", "10.00.0", "1,234K", "1,23", 10.5, -5, "-5", 9e18, 9000000000000000000, "99999999999B", 10**30, "1e300",
     "infinity", "<10", {"a": 1}],
)  # fmt: skip
def test_a_count_that_can_not_be_true_is_not_believed(tmp_path: Path, given: object) -> None:
    connection, report = (write_feed(tmp_path, NOON, [video("7608807733346005312", plays=given)]), landed(tmp_path))[1]
    (row,) = staged(connection)
    assert (row["plays"], row["oddities"], row["is_believed"]) == (None, ["plays_not_believed"], False)
    assert "1 item: plays that can not be read or can not be true" in report.notes[0]


@pytest.mark.parametrize("given", [None, "", " ", "NaN", "null", "N/A", "-", "—", "#N/A", []])
def test_no_count_is_no_oddity(tmp_path: Path, given: object) -> None:
    (row,) = one(tmp_path, video("7608807733346005312", plays=given))
    assert (row["plays"], row["oddities"], row["is_believed"]) == (None, [], True)


def test_the_highest_reading_of_a_duplicate_stays(tmp_path: Path) -> None:
    low, high = (video("7608807733346005312", plays=plays) for plays in (100, 900))
    (row,) = one(tmp_path, low, high, {**low, "playCount": 500})
    assert (row["plays"], row["times_in_load"]) == (900, 3)


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


# ---------- bytes of files


def test_csv_rows_of_unequal_width() -> None:
    _, report, connection = case("csv_unequal_rows")
    assert per_file(connection) == {"09-01": (8, 0), "09-04": (7, 1), "09-05": (8, 0), "09-06": (8, 0)}
    assert report.problems == []
    assert any("rejected: cut off:" in note for note in report.notes)
    assert any("its cells are separated by ;" in note for note in report.notes)


HEADER = "id,text,playCount,diggCount,webVideoUrl"
ROWS = [
    f"76088077334602170{n:02},words {n},1000{n},5,https://www.tiktok.com/@m/video/76088077334602170{n:02}"
    for n in range(8)
]


@pytest.mark.parametrize(
    ("lines", "counts"),
    [
        pytest.param([HEADER, *ROWS], (8, 0), id="good"),
        pytest.param([HEADER, *ROWS[:3], *(row + ",x" for row in ROWS[3:])], (8, 0), id="a column from the 4th on"),
        pytest.param([HEADER, *ROWS[:7], ROWS[7].replace("words", "wor,ds")], (7, 1), id="a comma too many"),
        pytest.param([HEADER, *ROWS[:3], "7608807733460217099,short", *ROWS[4:]], (7, 1), id="a short row"),
        pytest.param(
            [HEADER, *ROWS, "id,playCount", *(f"76088077334602180{n:02},5" for n in range(4))], (12, 0),
            id="a second header",
        ),
        pytest.param([HEADER, *ROWS[:4], HEADER, *ROWS[4:]], (8, 0), id="the header again"),
        pytest.param([HEADER, *ROWS[:4], "text,id,playCount,diggCount,webVideoUrl",
                      "w,7608807733460217055,5,5,"], (5, 0), id="the same width in another order"),
        pytest.param(["id,text,playCount,diggCount", *ROWS], (8, 0), id="header shorter at its end"),
        pytest.param([HEADER, *(f"{n},{row}" for n, row in enumerate(ROWS))], (8, 0), id="names of rows"),
        pytest.param(["sep=;", HEADER.replace(",", ";"), *(row.replace(",", ";") for row in ROWS)], (8, 0), id="sep="),
        pytest.param(["My export", "", HEADER, *ROWS], (8, 0), id="a title above"),
        pytest.param([HEADER.replace(",", "\t"), *(row.replace(",", "\t") for row in ROWS)], (8, 0), id="tabs"),
        pytest.param([HEADER, *ROWS[:7], '7608807733460217099,"open'], (7, 1), id="cut off in a quoted cell"),
        pytest.param([HEADER + ",", *(row + "," for row in ROWS)], (8, 0), id="a comma behind every row"),
        pytest.param([HEADER + ",id", *(row + "," for row in ROWS)], (8, 0), id="a name twice"),
        pytest.param([HEADER, *ROWS[:2], ROWS[2].replace("words", '"open'), *ROWS[3:]], (7, 1), id="an open quote"),
        pytest.param(
            [HEADER, ROWS[0].replace("words", '"open'), ROWS[1], ROWS[2].replace("words 2", '"a, b"'), *ROWS[3:]],
            (7, 1),
            id="an open quote that another one closes",
        ),
        pytest.param(
            [HEADER, ROWS[0].replace("words", '"open'), ROWS[1].replace("words", '"open'), *ROWS[2:]], (6, 2),
            id="two open quotes",
        ),
        pytest.param([HEADER, *ROWS[:3], ROWS[3].replace("words 3", '"a\nb, ""c""\nd"'), *ROWS[4:]], (8, 0),
                     id="lines in a cell"),
        pytest.param([HEADER + ',"x', *(row + ",y" for row in ROWS)], (8, 0), id="an open quote in the header"),
        pytest.param([HEADER, *ROWS, "Total,,80028,40,"], (8, 1), id="a total below"),
        pytest.param([HEADER, *ROWS[:3], ROWS[3].replace("words", "wo\0rds"), *ROWS[4:]], (8, 0), id="a zero byte"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("end", ["\n", *(pytest.param(end, marks=OTHER_FORMS) for end in ("\r\n", "\r"))])
def test_csv(tmp_path: Path, lines: list[str], counts: tuple[int, int], end: str) -> None:
    write_file(tmp_path, NOON, end.join(lines).encode(), suffix=".csv")
    connection, report = landed(tmp_path)
    assert report.problems == []
    assert per_file(connection) == {"12-00": counts}
    rows = staged(connection)
    assert len({row["video_id"] for row in rows}) == counts[0]
    assert all(row["plays"] in (5, *range(10000, 10008)) for row in rows)


def test_cells_without_a_name_are_kept(tmp_path: Path) -> None:
    # An index, a second text, and a header that was cut at its begin.
    write_file(tmp_path, NOON, f",{HEADER},text\n0,{ROWS[0]},other\n".encode(), suffix=".csv")
    write_file(tmp_path, "2026-02-20T13:00", b",playCount,diggCount\n7608807733460217000,5,6\n", suffix=".csv")
    connection, _ = landed(tmp_path)
    assert staged(connection)[0]["caption"] == "words 0"
    assert connection.execute(f"select payload ->> '{readers.BEYOND}' from raw.tiktok_videos").fetchall() == [
        ("0, other",)
    ]
    assert "7608807733460217000" in connection.execute("select payload from raw.quarantine").fetchall()[0][0]


def test_windows_letters(tmp_path: Path) -> None:
    write_file(tmp_path, NOON, f"{HEADER}\n{ROWS[0].replace('words', 'Grüße')}\n".encode("cp1252"), suffix=".csv")
    connection, report = landed(tmp_path)
    assert staged(connection)[0]["caption"] == "Grüße 0"
    assert report.notes[0].endswith("was read as Windows-1252: it is no UTF-8")


def test_file_bytes() -> None:
    _, report, connection = case("file_bytes")
    assert report.problems == []
    assert per_file(connection) == {
        "09-00": (1, 0), "09-01": (1, 0), "09-03": (3, 0), "09-04": (3, 0), "09-06": (2, 0), "09-07": (3, 0),
    }  # fmt: skip
    assert any("was read as UTF-16" in note for note in report.notes)


GOOD = [video(f"76088077334602170{number:02}") for number in range(3)]
WHOLE = json.dumps(GOOD)


@pytest.mark.parametrize(
    ("content", "counts"),
    [
        pytest.param(json.dumps(GOOD, indent=1).encode(), (3, 0), id="in many lines"),
        pytest.param(
            "\n".join(json.dumps(item, indent=2) for item in GOOD).encode(), (3, 0), id="objects in many lines"
        ),
        pytest.param(
            "".join(json.dumps(item) for item in GOOD).encode(), (3, 0), id="objects without anything between"
        ),
        pytest.param(f"[{json.dumps(GOOD[0])}]\n[{json.dumps(GOOD[1])}]".encode(), (2, 0), id="two lists"),
        pytest.param(f"{WHOLE[:-1]},".encode(), (3, 0), id="breaks off behind a comma"),
        pytest.param(WHOLE[:-40].encode(), (2, 1), id="breaks off in an item"),
        pytest.param(f"{WHOLE} and more".encode(), (3, 1), id="words behind it"),
        pytest.param(WHOLE.replace("}, {", "}, x, {").encode(), (3, 2), id="words between"),
        pytest.param(WHOLE.replace('"playCount": 1000', '"playCount": NaN').encode(), (3, 0), id="NaN of Python"),
        pytest.param(json.dumps({"data": {"items": GOOD}}).encode(), (3, 0), id="under a key"),
        pytest.param(json.dumps(GOOD[0]).encode(), (1, 0), id="a single item"),
        pytest.param(WHOLE.encode("utf-16"), (3, 0), id="UTF-16"),
        pytest.param(WHOLE.encode("utf-16-le"), (3, 0), id="UTF-16 without a mark"),
        pytest.param(WHOLE.encode("utf-16-be"), (3, 0), id="UTF-16 of the other order without a mark"),
        pytest.param(b"\xef\xbb\xbf" + WHOLE.encode("utf-16-le"), (3, 0), id="UTF-16 behind a mark of UTF-8"),
        pytest.param(
            json.dumps([{"text": "日本語の" * 99, **item} for item in GOOD], ensure_ascii=False).encode("utf-16-be"),
            (3, 0),
            id="UTF-16 with few Latin letters",
        ),
        pytest.param(WHOLE.encode("utf-32"), (3, 0), id="UTF-32"),
        pytest.param(WHOLE.encode("utf-32-le"), (3, 0), id="UTF-32 without a mark"),
        pytest.param(b"\xef\xbb\xbf" * 2 + WHOLE.encode(), (3, 0), id="two marks"),
        pytest.param(gzip.compress(WHOLE.encode()), (3, 0), id="gzip"),
        pytest.param(gzip.compress(WHOLE.encode()) + b"garbage", (3, 0), id="gzip with something behind it"),
        pytest.param(
            gzip.compress(WHOLE[:99].encode()) + gzip.compress(WHOLE[99:].encode()), (3, 0), id="gzip in two members"
        ),
        pytest.param(WHOLE.encode() + b"\0\0", (3, 0), id="zeros behind it"),
        pytest.param(
            "\n".join([json.dumps(GOOD[0])[:60], *map(json.dumps, GOOD[1:])]).encode(), (2, 1), id="a cut line"
        ),
    ],
)
@pytest.mark.parametrize(
    "suffix", [".json", *(pytest.param(suffix, marks=OTHER_FORMS) for suffix in (".jsonl", ".csv", ".json.gz"))]
)
def test_json_by_its_content(tmp_path: Path, content: bytes, counts: tuple[int, int], suffix: str) -> None:
    path = write_file(tmp_path, NOON, b"", suffix=suffix)
    path.write_bytes(content)
    connection, report = landed(tmp_path)
    assert (report.problems, per_file(connection)) == ([], {"12-00": counts})


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"\x89PNG\r\n\x1a\n" + bytes(range(256)), "a picture (PNG)"),
        (b"PK\x03\x04" + bytes(100), "a zip archive or an Excel workbook"),
        (b"<!DOCTYPE html><html>sign in</html>", "a web page"),
        (bytes(5000), "is no text"),
        (gzip.compress(gzip.compress(WHOLE.encode())), "compressed with gzip twice"),
        (gzip.compress(WHOLE.encode())[:-8], "the download was cut off"),
        (gzip.compress(WHOLE.encode())[:-8] + bytes(8), "it was damaged on its way"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(500), "an Excel workbook of the old kind"),
        (b"\0\0\0\x18ftypheic" + bytes(100), "a picture or a film"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:1\n", "a pointer of Git LFS"),
        (b'{"message": "x"}', "is JSON but no list of items (its root is object)"),
        (b"  \n ", "nothing but blanks"),
    ],
)
def test_what_is_no_feed_is_named(tmp_path: Path, content: bytes, told: str) -> None:
    write_feed(tmp_path, "2026-02-20T11:00", GOOD)
    path = write_file(tmp_path, NOON, content)
    _, report = landed(tmp_path)
    assert report.items == 3, "the rest goes on"
    assert report.problems[0].startswith(f"{path}: ")
    assert told in report.problems[0]


def test_names_that_are_no_utf8(tmp_path: Path) -> None:
    write_feed(tmp_path, NOON, GOOD)
    stray = os.fsencode(tmp_path / "us" / "videos") + b"/caf\xe9.json"
    with open(stray, "wb"):  # noqa: PTH123 - a name that is no text
        pass
    _, report = landed(tmp_path)
    assert report.items == 3
    assert "caf\\udce9.json: is not named as a feed" in report.problems[0]
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff"))
    write_feed(folder, NOON, GOOD)
    assert landed(folder)[1].items == 3


# ---------- files that never end


def test_files_that_never_end_are_refused_by_name(tmp_path: Path) -> None:
    write_feed(tmp_path, NOON, GOOD)
    folder = tmp_path / "us" / "videos"
    os.mkfifo(folder / "2026-02-20T13-00-00Z.json")
    (folder / "2026-02-20T13-01-00Z.json").symlink_to("/dev/zero")
    (folder / "2026-02-20T13-02-00Z.json").symlink_to(folder / "gone")
    (folder / "2026-02-20T13-03-00Z.json").symlink_to(folder / "2026-02-20T13-04-00Z.json")
    (folder / "2026-02-20T13-04-00Z.json").symlink_to(folder / "2026-02-20T13-03-00Z.json")
    (folder / "2026-02-20T13-05-00Z.json").mkdir()
    _, report = landed(tmp_path)
    assert report.items == 3
    told = [problem.partition("Z.json: ")[2] for problem in report.problems]
    assert told[:3] == [
        "is no file but a named pipe (FIFO), which has no end", "is no file but a device, which has no end",
        "is a link to a file that is not there",
    ]  # fmt: skip
    assert all(text.startswith("is a link that leads nowhere") for text in told[3:5])
    assert told[5:] == ["is no file but a folder"]


def test_bounds_of_size_and_expansion(tmp_path: Path) -> None:
    write_feed(tmp_path, NOON, GOOD)
    bomb = write_file(tmp_path, "2026-02-20T13:00", b" " * (70 * 1024 * 1024) + b"[]", suffix=".json.gz")
    large = write_feed(tmp_path, "2026-02-20T14:00", GOOD * 500)
    connection = duckdb.connect()
    migrate(connection)
    feeds, _ = export_folder.scan(tmp_path, ("US",))
    report = landing.land(connection, feeds, limits=readers.Limits(file_bytes=large.stat().st_size - 1, expansion=2))
    assert report.items == 3
    assert [problem.partition(": ")[0] for problem in report.problems] == [str(bomb), str(large)]
    assert "unpacks to more than" in report.problems[0]
    assert "FEED_MAX_MB" in report.problems[1]


def test_names_of_the_console(tmp_path: Path) -> None:
    folder = tmp_path / "us" / "videos"
    folder.mkdir(parents=True)
    for name in (
        "dataset_tiktok-scraper_2026-02-20_09-07-00-276.json",
        "dataset_free-tiktok-scraper_2026-02-20_09-08-00-001 (1).json",
    ):
        (folder / name).write_text(WHOLE, encoding="utf-8")
    feeds, refusals = export_folder.scan(tmp_path, ("US",))
    assert [f"{feed.observed_at:%d %H:%M:%S}" for feed in feeds] == ["20 09:07:00", "20 09:08:00"]
    assert refusals == []
