"""Files that people brought: which are read, to which items, and what is said of the others."""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path

import duckdb
import pytest

from ingest import export_folder, landing, readers
from ingest.migrations import migrate
from tests.staging import NOON, case, landed, per_file, staged
from tests.staging import good_video as video
from tests.support import write_feed, write_file

OTHER_FORMS = pytest.mark.slow("every case once more, in another form")


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
