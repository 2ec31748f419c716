"""Landing: every kind of bad input is landed once, quarantined, or named with file and reason; good data goes on."""

from __future__ import annotations

import gzip
import json
import os
import shutil
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest import export_folder, facts, landing
from ingest.landing import FeedFile
from ingest.migrations import migrate
from tests.support import Item, build, land_folder, moment, records, video, write_feed, write_file
from warehouse.store import Store

NOON = "2026-01-05T12:00"
GOOD = video("7590000000000000009")
GOOD_LINE = json.dumps(GOOD).encode()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An export folder with one good feed, so that every test also sees good data go through."""
    write_feed(tmp_path / "feeds", "2026-01-05T08:00", [GOOD], market="uk")
    return tmp_path / "feeds"


def landed_ids(store: Store, market: str = "US") -> list[str]:
    return [
        row[0]
        for row in build(
            store,
            f"select payload ->> 'id' from raw.tiktok_videos where market = '{market}' order by load_id, item_index",
        )
    ]


def quarantine(store: Store) -> list[tuple[int | None, str]]:
    return [
        (row[0], row[1])
        for row in build(store, "select item_index, reason from raw.quarantine order by load_id, item_index")
    ]


def table_sizes(store: Store) -> list[int]:
    return [
        build(store, f"select count(*) from raw.{name}")[0][0]
        for name in ("loads", "tiktok_videos", "tiktok_music", "quarantine")
    ]


# ---------- files that cannot be read: named with reason, in quarantine, exit status by `problems`


@pytest.mark.parametrize(
    ("content", "suffix", "reason"),
    [
        pytest.param(b'[{"id": "1" "playCount": 5}]', ".json", "is malformed or truncated JSON", id="malformed"),
        pytest.param(b"[" + GOOD_LINE[:40], ".json", "is malformed or truncated JSON", id="cut array"),
        pytest.param(b'{"message": "not a list"}', ".json", "no list of items (its root is object)", id="object"),
        pytest.param(b'"text"', ".json", "no list of items (its root is varchar)", id="text"),
        pytest.param(b"null", ".json", "no list of items (its root is null)", id="null"),
        pytest.param(b"", ".json", "the file is empty (0 bytes)", id="0 bytes json"),
        pytest.param(b"", ".jsonl", "the file is empty (0 bytes)", id="0 bytes jsonl"),
        pytest.param(b"", ".csv", "the file is empty (0 bytes)", id="0 bytes csv"),
        pytest.param(b"a,b,c\n1,a,2\n3\n", ".csv", "is no CSV export of a dataset", id="other csv"),
        pytest.param(b"a cat sat on a mat", ".json", "is no CSV export of a dataset", id="words"),
    ],
)
def test_unreadable_file_is_named_and_the_rest_lands(
    store: Store, folder: Path, content: bytes, suffix: str, reason: str
) -> None:
    path = write_file(folder, NOON, content, suffix=suffix)
    report = land_folder(store, folder)
    (problem,) = report.problems
    assert problem.startswith(f"{path}: ")
    assert reason in problem
    assert landed_ids(store, "UK") == [GOOD["id"]]
    assert landed_ids(store) == []
    ((index, stored_reason),) = quarantine(store)
    assert index is None
    assert reason in stored_reason
    assert build(store, f"select status, item_count from raw.loads where file = '{path}'") == [("unreadable", 0)]


def damaged(damage: str) -> bytes:
    whole = gzip.compress(b"[" + b",".join([GOOD_LINE] * 50) + b"]")
    if damage == "cut off":
        return whole[: len(whole) // 2]
    middle = len(whole) // 2
    return whole[:middle] + bytes(byte ^ 0xFF for byte in whole[middle : middle + 4]) + whole[middle + 4 :]


@pytest.mark.parametrize("damage", ["cut off", "flipped bits"])
@pytest.mark.parametrize("suffix", [".json.gz", ".jsonl.gz", ".csv.gz"])
def test_damaged_gzip_is_named(store: Store, folder: Path, damage: str, suffix: str) -> None:
    path = write_file(folder, NOON, b"", suffix=suffix)
    path.write_bytes(damaged(damage))
    report = land_folder(store, folder)
    (problem,) = report.problems
    assert problem.startswith(f"{path}: cannot be decompressed")
    assert "export it again" in problem
    assert landed_ids(store, "UK") == [GOOD["id"]]


def test_unreadable_file_is_recorded_once_however_often_it_is_offered(store: Store, folder: Path) -> None:
    path = write_file(folder, NOON, b'{"message": "not a list"}')
    first = land_folder(store, folder)
    sizes = table_sizes(store)
    again = land_folder(store, folder)
    os.utime(path, (0, 0))
    touched = land_folder(store, folder)
    moved = folder.with_name("moved")
    shutil.copytree(folder, moved)
    elsewhere = land_folder(store, moved)
    assert table_sizes(store) == sizes
    for report in (first, again, touched, elsewhere):
        assert len(report.problems) == 1, "an unreadable file stays a problem until it is repaired"
    assert (again.landed, again.known) == (0, 2)


def test_repaired_file_lands_under_its_old_name(store: Store, folder: Path) -> None:
    write_file(folder, NOON, b"[" + GOOD_LINE[:30])
    assert land_folder(store, folder).landed == 1
    write_feed(folder, NOON, [video("7590000000000000001")])
    report = land_folder(store, folder)
    assert (report.landed, report.problems) == (1, [])
    assert landed_ids(store) == ["7590000000000000001"]


# ---------- items that cannot be used: quarantined with reason, the file's other items land


@pytest.mark.parametrize(
    ("item", "reason"),
    [
        ({**GOOD, "id": None, "webVideoUrl": None}, "no video id"),
        ({**GOOD, "id": "  ", "webVideoUrl": None}, "no video id"),
        ({}, "empty item"),
        ("text", "not an object but varchar"),
        (None, "not an object but null"),
        ([GOOD], "not an object but array"),
        ({"error": "This profile does not exist.", "input": "x"}, "error row: This profile does not exist."),
        ({"status": "failed", "note": "no posts", "input": "x"}, "failed row: no posts"),
        ({"status": "failed", "input": "x"}, "failed row: no note"),
        ({"id": "7590000000000000001", "name": "x", "rank": 7}, "no counts: a ranking row"),
        ({"type": "hashtag", "id": "4777", "videoCount": 5}, "a hashtag row of a trends list in a videos feed"),
        (video(plays=None, likes=None, shares=None), "no counts"),
        (video(plays=None, likes=None, shares=None, commentCount=3), "no usable counts"),
        (video(plays=-1, likes=-1, shares=None), "no usable counts"),
        (video(plays="many", likes=None, shares=None), "no usable counts"),
        ({**GOOD, "webVideoUrl": None, "id": 7.59e18}, "the id was rounded to a decimal number"),
        ({**GOOD, "webVideoUrl": None, "id": "7.59E+18"}, "the id was rounded to a decimal number"),
        ({**GOOD, "webVideoUrl": None, "id": "7590000000000000000.0"}, "the id was rounded to a decimal number"),
    ],
)
def test_unusable_item_is_quarantined_with_its_reason(store: Store, folder: Path, item: object, reason: str) -> None:
    path = write_feed(folder, NOON, [video("1"), item, video("2")])
    report = land_folder(store, folder)
    ((index, stored_reason),) = quarantine(store)
    assert index == 2
    assert stored_reason.startswith(reason)
    assert landed_ids(store) == ["1", "2"]
    assert (report.quarantined, report.problems) == (1, [])
    assert any(note.startswith(f"{path}: 1 of 3 items rejected: {stored_reason}") for note in report.notes)
    assert build(store, f"select status, item_count, quarantined_count from raw.loads where file = '{path}'") == [
        ("landed", 2, 1)
    ]


def test_quarantined_items_of_one_reason_are_counted_together(store: Store, folder: Path) -> None:
    path = write_feed(folder, NOON, [{}, {}, video("1"), {"error": "gone"}])
    report = land_folder(store, folder)
    assert f"{path}: 3 of 4 items rejected: empty item (2 items); error row: gone" in report.notes


@pytest.mark.parametrize(
    "counts",
    [
        {"playCount": "1200000", "diggCount": "80.3K", "shareCount": "7"},
        {"playCount": None, "diggCount": 5, "shareCount": None},
        {"playCount": -5, "diggCount": 5, "shareCount": 1},
        {"playCount": 0, "diggCount": 0, "shareCount": 0},
    ],
)
def test_odd_counts_are_kept_as_they_came(store: Store, folder: Path, counts: Item) -> None:
    write_feed(folder, NOON, [video("1", plays=None, likes=None, shares=None, **counts)])
    report = land_folder(store, folder)
    assert (report.items, report.quarantined, report.problems) == (2, 0, [])
    ((payload,),) = build(store, "select cast(payload as varchar) from raw.tiktok_videos where market = 'US'")
    assert {name: json.loads(payload)[name] for name in counts} == counts


def test_negative_counts_are_named(store: Store, folder: Path) -> None:
    path = write_feed(folder, NOON, [video("1", plays=-5), video("2", plays="-7"), video("3")])
    report = land_folder(store, folder)
    told = "plays that can not be read or can not be true, taken as not given"
    assert [note for note in report.notes if told in note] == [f"{path}: 2 items: {told} (such as -5)"]


def test_bad_line_of_json_lines_costs_that_line_only(store: Store, folder: Path) -> None:
    lines = [json.dumps(video("1")), '{"id": "2", "playCo', json.dumps(video("3")), ""]
    path = write_file(folder, NOON, "\r\n".join(lines).encode(), suffix=".jsonl")
    report = land_folder(store, folder)
    assert landed_ids(store) == ["1", "3"]
    ((index, reason),) = quarantine(store)
    assert (index, reason[:15]) == (2, "malformed JSON ")
    assert report.problems == []
    assert any(note.startswith(f"{path}: 1 of 3 items rejected: malformed JSON") for note in report.notes)


@pytest.mark.parametrize("suffix", [".json", ".jsonl", ".json.gz"])
@pytest.mark.parametrize(
    ("broken", "kept"),
    [
        (b"caption \xff\xfe end", "caption \ufffd\ufffd end"),
        (rb"half \ud83d an emoji", "half \ufffd an emoji"),
        (rb"\udc00 whole \ud83d\ude00 and C:\\ud800", "\ufffd whole 😀 and C:\\ud800"),
    ],
)
def test_broken_text_costs_its_characters_only(
    store: Store, folder: Path, broken: bytes, kept: str, suffix: str
) -> None:
    line = json.dumps(video("1", text="CAPTION")).encode().replace(b"CAPTION", broken)
    whole = json.dumps(video("2", text="whole 😀")).encode()
    content = line + b"\n" + whole + b"\n" if "jsonl" in suffix else b"[" + line + b"," + whole + b"]"
    path = write_file(folder, NOON, content, suffix=suffix)
    report = land_folder(store, folder)
    texts = build(store, "select payload ->> 'text' from raw.tiktok_videos where market = 'US' order by item_index")
    assert texts == [(kept,), ("whole 😀",)]
    assert report.problems == []
    count = kept.count("\ufffd")
    assert f"{path}: {count} broken characters were replaced by U+FFFD" in report.notes


# ---------- emptiness, repeats, duplicates


@pytest.mark.parametrize(("content", "suffix"), [(b"[]", ".json"), (b"\n", ".jsonl"), (b"id,playCount\n", ".csv")])
def test_empty_list_is_a_feed_without_items(store: Store, folder: Path, content: bytes, suffix: str) -> None:
    path = write_file(folder, NOON, content, suffix=suffix)
    report = land_folder(store, folder)
    assert (report.empty, report.landed, report.problems) == (1, 1, [])
    assert f"{path}: the list is empty" in report.notes
    assert build(store, f"select status, item_count from raw.loads where file = '{path}'") == [("empty", 0)]
    assert land_folder(store, folder).empty == 0, "an empty feed too is landed once"


def test_landing_twice_adds_nothing(store: Store, folder: Path) -> None:
    write_feed(folder, NOON, [video("1"), {}, {"error": "gone"}])
    write_feed(folder, NOON, [{"musicMeta": {"musicId": "5"}, "id": "1"}], kind="music")
    (folder / "zz").mkdir()
    first = land_folder(store, folder)
    sizes = table_sizes(store)
    assert sizes == [4, 2, 1, 3]
    second = land_folder(store, folder)
    assert table_sizes(store) == sizes
    assert (second.files, second.known, second.items, second.quarantined) == (3, 3, 0, 0)
    assert first.problems == second.problems


def test_same_feed_from_another_path_adds_nothing(store: Store, folder: Path, tmp_path: Path) -> None:
    write_feed(folder, NOON, [video("1"), video("2")])
    land_folder(store, folder)
    sizes = table_sizes(store)
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    report = land_folder(store, copy)
    assert (report.known, report.landed) == (2, 0)
    assert table_sizes(store) == sizes


def test_same_dataset_at_a_later_time_is_a_repeat_of_the_first(store: Store, folder: Path) -> None:
    items = [video("1"), video("2")]
    write_feed(folder, NOON, items)
    write_feed(folder, "2026-01-05T14:00", items)
    write_feed(folder, "2026-01-05T16:00", items[::-1])
    write_feed(folder, "2026-01-05T17:00", [video("1"), video("2", plays=1001)])
    write_feed(folder, "2026-01-05T18:00", items, market="uk")
    report = land_folder(store, folder)
    loads = build(
        store, "select load_id, market, status, repeats_load_id from raw.loads where market = 'US' order by observed_at"
    )
    first = loads[0][0]
    assert [(status, repeats) for _, _, status, repeats in loads] == [
        ("landed", None),
        ("repeat", first),
        ("repeat", first),
        ("landed", None),
    ]
    assert (report.landed, report.repeats) == (4, 2), "another market's equal feed is no repeat"
    assert len(landed_ids(store)) == 8, "a repeat is kept: it says the video was still in the feed"


@pytest.mark.parametrize("batch_bytes", [1, 1 << 30])
def test_batches_do_not_change_what_is_landed(
    store: Store, folder: Path, batch_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(landing, "BATCH_BYTES", batch_bytes)
    for hour in range(10, 16):
        write_feed(folder, f"2026-01-05T{hour}:00", [video("1", plays=hour // 2), {}], market="us")
    write_file(folder, "2026-01-05T16:00", b"{}")
    steps: list[int] = []
    feeds, refusals = export_folder.scan(folder, ["US", "UK"])
    with facts.writer(store) as connection:
        report = landing.land(connection, feeds, refusals, landed_at=moment(NOON), progress=steps.append)
    assert (report.landed, report.repeats, report.items, report.quarantined) == (4, 3, 7, 6)
    assert sum(steps) == report.files == 8
    loads = build(store, "select load_id, status, repeats_load_id from raw.loads order by load_id")
    assert loads == [
        (1, "landed", None),
        (2, "landed", None),
        (3, "repeat", 2),
        (4, "landed", None),
        (5, "repeat", 4),
        (6, "landed", None),
        (7, "repeat", 6),
        (8, "unreadable", None),
    ]


def test_duplicate_items_of_a_feed_stay_in_raw(store: Store, folder: Path) -> None:
    write_feed(folder, NOON, [video("1", searchHashtag={"name": tag}) for tag in ("a", "b", "a")])
    land_folder(store, folder)
    assert landed_ids(store) == ["1", "1", "1"]


def test_gzip_is_the_same_feed(store: Store, folder: Path) -> None:
    items = [video("1"), video("2")]
    write_feed(folder, NOON, items, suffix=".json")
    land_folder(store, folder)
    sizes = table_sizes(store)
    for suffix in (".json.gz", ".jsonl", ".jsonl.gz"):
        write_feed(folder, NOON, items, suffix=suffix)
        report = land_folder(store, folder)
        assert report.landed == 0
        assert table_sizes(store) == sizes, suffix


# ---------- CSV, ids, paths, the envelope


def test_console_csv_with_byte_order_mark_and_slashed_keys(store: Store, folder: Path) -> None:
    text = (
        '\ufeff"id","authorMeta/name","hashtags/0/name","hashtags/1/name","playCount","error","text"\r\n'
        '"","","","","","This profile does not exist.",""\r\n'
        '"7590000000000000001","a.b","capcut","","145900","","line one\nline ""two"", three"\r\n'
        '"7590000000000000002","c","","","12","",""\r\n'
    )
    for suffix, hour in ((".csv", 12), (".csv.gz", 13)):
        write_file(folder, f"2026-01-05T{hour}:00", text.encode(), suffix=suffix)
    report = land_folder(store, folder)
    assert (report.items, report.quarantined, report.repeats, report.problems) == (5, 2, 1, [])
    assert quarantine(store) == [(1, "error row: This profile does not exist.")] * 2
    payloads = build(
        store,
        "select cast(payload as varchar) from raw.tiktok_videos where market = 'US' and load_id = 2"
        " order by item_index",
    )
    assert [json.loads(payload) for (payload,) in payloads] == [
        {
            "id": "7590000000000000001",
            "authorMeta/name": "a.b",
            "hashtags/0/name": "capcut",
            "playCount": "145900",
            "text": 'line one\nline "two", three',
        },
        {"id": "7590000000000000002", "authorMeta/name": "c", "playCount": "12"},
    ]


@pytest.mark.parametrize("mark", ["\ufeff", ""])
@pytest.mark.parametrize("suffix", [".json", ".jsonl"])
def test_byte_order_mark_before_json(store: Store, folder: Path, mark: str, suffix: str) -> None:
    text = json.dumps(video("1"))
    write_file(folder, NOON, (mark + (text if suffix == ".jsonl" else f"[{text}]")).encode(), suffix=suffix)
    assert land_folder(store, folder).problems == []
    assert landed_ids(store) == ["1"]


@pytest.mark.parametrize("name", ["a*b", "a?b", "a[0-9]b", "it's", "sp ace", "ünï🎬", "a{b,c}"])
def test_any_path_is_read_as_it_is(store: Store, tmp_path: Path, name: str) -> None:
    for index, twin in enumerate(("a1b", "axb", name)):
        write_feed(tmp_path / twin, NOON, [video(str(index))])
    write_file(tmp_path / name, "2026-01-05T13:00", b"[1 2", suffix=".json")
    report = land_folder(store, tmp_path / name)
    assert landed_ids(store) == ["2"], "a path is never a pattern"
    assert len(report.problems) == 1
    assert str(tmp_path / name) in report.problems[0]


def test_envelope(store: Store, folder: Path) -> None:
    path = write_feed(folder, NOON, [video("1"), video("2")])
    feed = FeedFile(
        path, "apify", "US", "videos", datetime.fromisoformat("2026-01-05T13:00+01:00"), run_id="r1", dataset_id="d1"
    )
    with facts.writer(store) as connection:
        landing.land(connection, [feed], landed_at=moment("2026-01-06T09:00"))
        (load,) = records(connection, "select * from raw.loads")
        items = records(connection, "select * exclude (payload, item_hash) from raw.tiktok_videos order by item_index")
        hashes = connection.execute(
            "select count(distinct item_hash), bool_and(item_hash = md5(payload)) from raw.tiktok_videos"
        )
        assert hashes.fetchall() == [(2, True)]
    shared = {
        "load_id": 1,
        "source": "apify",
        "market": "US",
        "kind": "videos",
        "run_id": "r1",
        "dataset_id": "d1",
        "observed_at": datetime(2026, 1, 5, 12),
        "landed_at": datetime(2026, 1, 6, 9),
    }
    assert items == [{**shared, "item_index": 1}, {**shared, "item_index": 2}]
    assert {key: load[key] for key in shared} == shared
    assert (load["file"], load["item_count"], load["status"]) == (str(path), 2, "landed")
    assert load["file_bytes"] == path.stat().st_size


def test_time_without_a_zone_is_refused(store: Store, folder: Path) -> None:
    path = write_feed(folder, NOON, [video("1")])
    feed = FeedFile(path, "folder", "US", "videos", datetime(2026, 1, 5, 12))
    with facts.writer(store) as connection, pytest.raises(ValueError, match="time without a zone"):
        landing.land(connection, [feed], landed_at=moment(NOON))
    assert build(store, "select count(*) from raw.loads") == [(0,)], "a batch lands as a whole or not at all"


# ---------- any item


text = st.text(st.characters(codec=None), max_size=40)
captions = st.one_of(
    text, st.sampled_from(['=HYPERLINK("http://x")', "\x00\x1f\x7f", "🇬🇧👩‍👩‍👧", "\u202eabc", "\ud83d", '"],[{'])
)
ids = st.one_of(
    st.integers(10**17, 2**63 - 1).map(str), st.text("abcdefghijkLMNOP0123456789-_", min_size=11, max_size=11)
)


@pytest.mark.slow("hundreds of landings")
@settings(max_examples=40, deadline=None)
@given(videos=st.dictionaries(ids, captions, min_size=1, max_size=6), ascii_only=st.booleans(), lines=st.booleans())
def test_any_id_and_caption_survive(
    videos: dict[str, str], ascii_only: bool, lines: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("any")
    documents = [
        json.dumps(video(video_id, text=caption), ensure_ascii=ascii_only) for video_id, caption in videos.items()
    ]
    content = "\n".join(documents) if lines else f"[{','.join(documents)}]"
    path = write_file(
        folder, NOON, content.encode("utf-8", errors="surrogatepass"), suffix=".jsonl" if lines else ".json"
    )
    connection = duckdb.connect()
    migrate(connection)
    feed = FeedFile(path, "folder", "US", "videos", datetime(2026, 1, 5, 12, tzinfo=UTC))
    report = landing.land(connection, [feed], landed_at=moment(NOON))
    stored = dict(
        connection.execute(
            "select payload ->> '$.id', payload ->> '$.text' from raw.tiktok_videos order by item_index"
        ).fetchall()
    )
    connection.close()
    assert report.problems == []
    assert list(stored) == list(videos)
    for video_id, caption in videos.items():
        # Half a surrogate pair is no character: three bytes as UTF-8, one escape in ASCII; either way it is replaced.
        kept = "".join(character for character in stored[video_id] if character != "\ufffd")
        assert kept == "".join(c for c in caption if not 0xD800 <= ord(c) <= 0xDFFF and c != "\ufffd")
