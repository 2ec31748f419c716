"""Sheets and workbooks from rows that were made up: what is text, what is a number, what is a link, which bytes."""

from __future__ import annotations

import dataclasses
import io
import re
import shutil
import subprocess
import xml.etree.ElementTree as ET
import zipfile
from datetime import date, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest
from openpyxl import Workbook, load_workbook

from exports import daily_files
from exports.published import Day
from exports.text.lines import age_label, one_line
from exports.workbooks.build_today import MY_PERFORMANCE_COLUMNS, VIDEO_COLUMNS
from exports.workbooks.full_market import full_market
from exports.workbooks.workbook import FIRST_ROW, GOLD, HEADER_ROW, Column, add_table, new_workbook, to_bytes

DAY = date(2026, 1, 5)
HOSTILE = {
    "formula": '=HYPERLINK("http://x")',
    "command": "@SUM(1+1)*cmd|' /C calc'!A0",
    "signs": "-50% today",
    "error": "#N/A",
    "hashtag": "#capcut first",
    "escape": "_x0041_",
    "escape inside": "me_x0041_b",
    "flag": "🇬🇧 and a family 👨\u200d👩\u200d👧",
    "number": "7591500000000000001",
    "date": "2026-01-02",
    "boolean": "TRUE",
    "exponent": "1e5",
    "blanks": "  kept  ",
    "markup": "<b>&amp;</b>",
}
CHANGED = {
    "control": ("bell \x07 and \x1b[31m escape", "bell  and [31m escape"),
    "long": ("ä" * 40_000, "ä" * 32_766 + "…"),
}


def sheet_of(rows: list[dict[str, Any]], columns: tuple[Column, ...], **options: Any) -> Workbook:
    book = new_workbook()
    add_table(book, "tab", columns, rows, **options)
    return load_workbook(io.BytesIO(to_bytes(book)))


TEXT = (Column("Text", lambda row: row["text"]), Column("Number", lambda row: row["number"], number_format="#,##0.0"))


def day_of(videos: list[dict[str, Any]]) -> Day:
    """A day whose `marts.videos_daily` holds the given rows and only the columns they name."""
    connection = duckdb.connect()
    connection.execute("create schema marts")
    types = {str: "varchar", int: "bigint", float: "double", bool: "boolean", datetime: "timestamp", date: "date"}
    columns = ", ".join(f'"{name}" {types[type(value)]}' for name, value in videos[0].items())
    connection.execute(f"create table marts.videos_daily ({columns})")
    marks = ", ".join("?" for _ in videos[0])
    connection.executemany(f"insert into marts.videos_daily values ({marks})", [list(row.values()) for row in videos])
    return Day(connection, DAY, datetime(2026, 1, 5, 9), ("US",))


def video(caption: str, number: int) -> dict[str, Any]:
    return {
        "as_of_date": DAY, "market": "US", "video_id": str(7591500000000000000 + number), "caption": caption,
        "observed_at": datetime(2026, 1, 5, 8, 30, 15), "is_fresh": True, "plays": 1_000_000 + number,
        "momentum_score": 5000.5 - number,
    }  # fmt: skip


def rows_of(content: bytes) -> list[dict[str, Any]]:
    sheet = load_workbook(io.BytesIO(content)).worksheets[0]
    header, *rows = sheet.iter_rows(values_only=True)
    return [dict(zip([str(name) for name in header], row, strict=True)) for row in rows]


def strings_in(content: bytes) -> list[str]:
    """The texts of the first sheet as Excel reads them: with `_xHHHH_` escapes undone."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        sheet = ET.fromstring(archive.read("xl/worksheets/sheet1.xml"))
    texts = [element.text or "" for element in sheet.findall(".//{*}t")]
    return [re.sub("_x([0-9A-Fa-f]{4})_", lambda match: chr(int(match[1], 16)), text) for text in texts]


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_text_is_text_in_a_table(name: str) -> None:
    cell = sheet_of([{"text": HOSTILE[name], "number": 1.5}], TEXT)["tab"]["A2"]
    assert cell.data_type == "s"
    assert cell.hyperlink is None


@pytest.mark.parametrize("name", HOSTILE)
def test_excel_reads_the_text_that_was_written(name: str) -> None:
    book = new_workbook()
    add_table(book, "tab", TEXT, [{"text": HOSTILE[name], "number": 1.5}])
    assert HOSTILE[name] in strings_in(to_bytes(book))
    assert HOSTILE[name] in strings_in(full_market(day_of([video(HOSTILE[name], 0)]), "US"))


@pytest.mark.parametrize("name", CHANGED)
def test_what_no_cell_can_hold_is_left_out_or_cut(name: str) -> None:
    given, expected = CHANGED[name]
    assert sheet_of([{"text": given, "number": 1.5}], TEXT)["tab"]["A2"].value == expected
    assert rows_of(full_market(day_of([video(given, 0)]), "US"))[0]["caption"] == expected


def test_lone_surrogate_does_not_lose_the_file() -> None:
    assert (
        sheet_of([{"text": "half \ud83d of a pair", "number": 1.5}], TEXT)["tab"]["A2"].value == "half \ufffd of a pair"
    )


def test_numbers_are_numbers_with_their_format_and_missing_is_empty() -> None:
    sheet = sheet_of([{"text": None, "number": 1234.56}, {"text": "x", "number": None}], TEXT)["tab"]
    assert (sheet["B2"].value, sheet["B2"].data_type, sheet["B2"].number_format) == (1234.56, "n", "#,##0.0")
    assert (sheet["A2"].value, sheet["B3"].value) == (None, None)


@pytest.mark.parametrize(
    ("url", "is_link"),
    [
        ("https://www.tiktok.com/@invented/video/7591500000000000001", True),
        ("http://www.tiktok.com/@invented/video/1", False),
        ("https://tiktok.com.invalid.example/1", False),
        ("javascript:alert(1)", False),
        ("https://www.tiktok.com/" + "a" * 2_100, False),
        (None, False),
    ],
)
def test_only_plain_links_to_known_hosts_are_links(url: str | None, is_link: bool) -> None:
    columns = (Column("URL", lambda row: row["url"], is_link=True),)
    cell = sheet_of([{"url": url}], columns)["tab"]["A2"]
    assert cell.value == url, "the address stays visible as text"
    assert (cell.hyperlink.target if cell.hyperlink else None) == (url if is_link else None)


def test_header_is_frozen_and_rows_can_be_filtered() -> None:
    sheet = sheet_of([{"text": "a", "number": 1.0}] * 3, TEXT)["tab"]
    assert (sheet.freeze_panes, sheet.auto_filter.ref) == ("A2", "A1:B4")
    assert [cell.value for cell in sheet[1]] == ["Text", "Number"]


def test_what_a_tab_answers_stands_above_its_header() -> None:
    rows = [{"text": "a", "number": 1.0}] * 3
    sheet = sheet_of(rows, TEXT, answers="=1+1 is what it answers")["tab"]
    assert (sheet["A1"].value, sheet["A1"].data_type) == ("=1+1 is what it answers", "s")
    assert [cell.value for cell in sheet[HEADER_ROW]] == ["Text", "Number"]
    assert [cell.value for cell in sheet[FIRST_ROW]] == ["a", 1.0]
    assert (sheet.freeze_panes, sheet.auto_filter.ref) == ("A3", "A2:B5")


def test_a_folded_column_is_hidden_behind_a_plus_and_holds_its_values() -> None:
    columns = (TEXT[0], dataclasses.replace(TEXT[1], is_folded=True))
    sheet = sheet_of([{"text": "a", "number": 1.0}], columns)["tab"]
    assert [(sheet.column_dimensions[letter].hidden, sheet.column_dimensions[letter].outlineLevel) for letter in "AB"] \
        == [(False, 0), (True, 1)]  # fmt: skip
    assert sheet["B2"].value == 1.0


def test_cell_fill_wins_over_the_columns_own() -> None:
    yellow, *_ = [column for column in MY_PERFORMANCE_COLUMNS if column.title == "Notes"]
    columns = (dataclasses.replace(yellow, value=lambda row: row["text"]),)
    plain = sheet_of([{"text": "a"}], columns)["tab"]["A2"].fill.fgColor.rgb
    gold = sheet_of([{"text": "a"}], columns, cell_fill=lambda row, column: GOLD)["tab"]["A2"].fill.fgColor.rgb
    assert (plain, gold) == ("00FFFDE7", "00FFD700")


def test_revenue_is_column_18_and_the_last_five_are_light_yellow() -> None:
    assert MY_PERFORMANCE_COLUMNS[17].title == "Revenue"
    filled = [number for number, column in enumerate(MY_PERFORMANCE_COLUMNS, start=1) if column.fill]
    assert (len(MY_PERFORMANCE_COLUMNS), filled) == (19, [15, 16, 17, 18, 19])


def test_new_columns_stand_right_of_the_known_ones() -> None:
    assert [column.title for column in VIDEO_COLUMNS[:10]] == [
        "#", "Market", "Status", "Trend", "Creator", "Age", "Momentum", "Shares/h", "Views/h", "URL",
    ]  # fmt: skip


def test_trend_is_one_line_of_80_characters_and_age_has_one_decimal() -> None:
    assert one_line("a\r\n b\t\u2003c" + "d" * 100) == "a b c" + "d" * 75
    assert one_line(None) == ""
    assert [age_label(hours) for hours in (12.34, 0.1, None)] == ["12.3h", "0.1h", None]


def test_equal_rows_give_equal_bytes_and_no_entry_has_a_time() -> None:
    def make() -> bytes:
        book = new_workbook()
        add_table(book, "tab", TEXT, [{"text": text, "number": 1.0} for text in HOSTILE.values()])
        return to_bytes(book)

    content = make()
    assert content == make()
    big = full_market(day_of([video("a", 0)]), "US")
    for archive in (zipfile.ZipFile(io.BytesIO(content)), zipfile.ZipFile(io.BytesIO(big))):
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        core = archive.read("docProps/core.xml").decode()
        assert set(re.findall(r"\d{4}-\d\d-\d\d", core)) == {"2000-01-01"}


def test_full_market_holds_every_column_typed_by_momentum_then_id() -> None:
    videos = [video(f"caption {number}", number) for number in (2, 1, 0)]
    videos[0]["momentum_score"] = videos[1]["momentum_score"]
    rows = rows_of(full_market(day_of(videos), "US"))
    assert list(rows[0]) == list(videos[0])
    assert [row["video_id"][-1] for row in rows] == ["0", "1", "2"]
    assert rows[0] == {**videos[2], "as_of_date": datetime(2026, 1, 5)}
    assert rows[0]["is_fresh"] is True


def test_full_market_reads_back_each_type_as_it_was() -> None:
    numbers = [0.1 + 0.2, 1e300, 1e-7, -12.5, 0.0, 123456789.123]
    videos = [
        {
            **video(f"line\n{number}\tend ", place), "gain": number, "reading_count": -place, "comments": None,
            "is_fresh": place % 2 == 0, "observed_at": datetime(2026, 1, 5, 23, 59, 59),
        }
        for place, number in enumerate(numbers)
    ]  # fmt: skip
    videos[0]["comments"] = 2**53
    rows = rows_of(full_market(day_of(videos), "US"))
    assert rows == [{**row, "as_of_date": datetime(2026, 1, 5)} for row in videos]


def test_full_market_leaves_what_is_no_number_empty() -> None:
    videos = [{**video("a", 0), "gain": 1.0}, {**video("b", 1), "gain": float("nan")}]
    assert [row["gain"] for row in rows_of(full_market(day_of(videos), "US"))] == [1.0, None]


def test_full_market_refuses_a_type_that_no_cell_holds() -> None:
    day = day_of([video("a", 0)])
    day.connection.execute("alter table marts.videos_daily add column hashtags varchar[]")
    with pytest.raises(TypeError, match=r"hashtags is VARCHAR\[\]"):
        full_market(day, "US")


def test_full_market_of_a_market_without_rows_is_a_header() -> None:
    content = full_market(day_of([video("a", 0)]), "UK")
    assert rows_of(content) == []
    assert load_workbook(io.BytesIO(content)).sheetnames == ["UK"]


def test_libreoffice_keeps_hostile_captions_as_text(tmp_path: Path) -> None:
    office = shutil.which("soffice")
    if office is None:
        pytest.skip("LibreOffice (soffice) is not installed")
    captions = [*HOSTILE.values(), *(given for given, _ in CHANGED.values())]
    (tmp_path / "in").mkdir()
    source = tmp_path / "in" / "market.xlsx"
    source.write_bytes(full_market(day_of([video(text, number) for number, text in enumerate(captions)]), "US"))
    subprocess.run(
        [office, f"-env:UserInstallation=file://{tmp_path}/profile", "--headless", "--convert-to",
         "xlsx:Calc MS Excel 2007 XML", "--outdir", str(tmp_path), str(source)],
        check=True, capture_output=True, timeout=180,
    )  # fmt: skip
    sheet = load_workbook(tmp_path / "market.xlsx").worksheets[0]
    columns = [cell.value for cell in sheet[1]]
    cells = [row[columns.index("caption")] for row in sheet.iter_rows(min_row=2)]
    assert {cell.data_type for cell in cells} == {"s"}
    # LibreOffice shows `_xHHHH_` escapes of inline text as they stand in the file; Excel undoes them.
    shown = [text for name, text in HOSTILE.items() if "escape" not in name]
    assert set(shown) | {expected for _, expected in CHANGED.values()} <= {cell.value for cell in cells}
    ids = [row[columns.index("video_id")].value for row in sheet.iter_rows(min_row=2)]
    assert ids == [str(7591500000000000000 + number) for number in range(len(captions))]


def test_manifest_counts_rows_of_tables_not_of_notes(tmp_path: Path) -> None:
    book = new_workbook()
    lines = book.create_sheet("LINES")
    lines["A1"], lines["A3"] = "title", "text"
    add_table(book, "EMPTY", TEXT, [])
    # More than a piece of the file at a time, so that tags lie across two pieces.
    add_table(book, "TABLE", TEXT, [{"text": f"<row {number} <row", "number": 1.0} for number in range(15_000)])
    add_table(book, "TITLED", TEXT, [{"text": "a", "number": 1.0}] * 2, answers="what it answers")
    path = tmp_path / "book.xlsx"
    path.write_bytes(to_bytes(book))
    described = daily_files._describe(path)
    assert described["rows"] == {"LINES": 2, "EMPTY": 0, "TABLE": 15_000, "TITLED": 2}
