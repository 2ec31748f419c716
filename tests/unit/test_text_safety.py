"""Hostile text against cells, sheets, links, Discord and HTML, by example and by property."""

import datetime as dt
import html
import io
import json
import re
import xml.etree.ElementTree as ET
import zipfile

import openpyxl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openpyxl.cell import WriteOnlyCell

from services import text_safety

ANY_TEXT = st.text(
    st.one_of(
        st.characters(codec=None, exclude_categories=()),  # lone surrogates and controls included
        st.sampled_from(list("_x0041_=+-@'\\*<>:/#`|~\r\n\t\x0b\x85\u2028\u202e\u200b\ufffe\ud83d\ude00")),
    ),
    max_size=60,
)
HOSTILE = [
    '=HYPERLINK("https://evil.example","x")',
    "+1",
    "-1",
    "@SUM(A1)",
    "'quoted",
    "#N/A",
    "7399123456789012345",
    "2026-01-02",
    "TRUE",
    "_x0041_",
    "_x0041_x0042_",
    "_x005F_x0041_",
    "  blanks kept  ",
    "line\nfeed",
    "مرحبا \U0001f469\u200d\U0001f3a8",
    "<b>&amp;",
]


def excel_reads(text: str) -> str:
    """What ECMA-376 says a reader makes of an ST_Xstring."""
    return re.sub(r"_x([0-9A-Fa-f]{4})_", lambda match: chr(int(match[1], 16)), text)


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("write_only", [False, True])
def test_write_text_survives_a_file_as_text(text: str, write_only: bool) -> None:
    book = openpyxl.Workbook(write_only=write_only)
    sheet = book.create_sheet("tab")
    if write_only:
        cell = WriteOnlyCell(sheet)
        text_safety.write_text(cell, text)
        sheet.append([cell])
    else:
        text_safety.write_text(sheet["A1"], text)
    target = io.BytesIO()
    book.save(target)
    read = openpyxl.load_workbook(target)["tab"]["A1"]
    assert read.data_type == "s"
    assert excel_reads(read.value) == text
    with zipfile.ZipFile(target) as archive:
        for name in archive.namelist():
            if name.startswith("xl/worksheets/"):
                assert b"<f>" not in archive.read(name)


def test_formula_look_alike_is_marked_as_quoted() -> None:
    sheet = openpyxl.Workbook().create_sheet("tab")
    text_safety.write_text(sheet["A1"], "=1+1")
    text_safety.write_text(sheet["A2"], "plain")
    assert sheet["A1"].quotePrefix
    assert not sheet["A2"].quotePrefix


@given(ANY_TEXT)
def test_cell_text_is_well_formed_and_shows_what_was_meant(text: str) -> None:
    safe = text_safety.cell_text(text)
    assert excel_reads(safe) == text_safety.plain_text(text)
    assert ET.fromstring(f"<t><![CDATA[{safe.replace(']]>', '')}]]></t>") is not None
    assert text_safety.plain_text(safe) == safe


@given(ANY_TEXT)
def test_sheet_text_is_well_formed_json(text: str) -> None:
    safe = text_safety.sheet_text(text)
    assert json.loads(json.dumps(safe, ensure_ascii=False).encode("utf-8")) == safe
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f]", safe)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, ""),
        (float("nan"), ""),
        (12, "12"),
        (2**63 + 1, "9223372036854775809"),
        (dt.date(2026, 1, 2), "2026-01-02"),
        ("a\x00b\x1fc", "abc"),
        ("a\r\nb\rc\u2028d", "a\nb\nc\nd"),
        ("\ud800x", "\ufffdx"),
        ("\ud83d\ude00", "\U0001f600"),
        ("a\uffffb", "ab"),
    ],
)
def test_plain_text(value: object, expected: str) -> None:
    assert text_safety.plain_text(value) == expected


@pytest.mark.parametrize("unit", ["a", "\U0001f600", "_x0041_"])
def test_long_cell_is_cut_below_the_limit_without_fragments(unit: str) -> None:
    safe = text_safety.cell_text(unit * 40_000)
    assert text_safety.CELL_LIMIT - 16 <= text_safety.utf16_length(safe) <= text_safety.CELL_LIMIT
    assert safe.endswith("…")
    assert unit.startswith(excel_reads(safe)[:-1].replace(unit, ""))


@pytest.mark.parametrize("pad", range(14))
def test_no_cut_inside_an_escape(pad: int) -> None:
    safe = text_safety.cell_text("a" * (text_safety.CELL_LIMIT - pad) + "_x0041_" * 3)
    shown = excel_reads(safe).removesuffix("…").lstrip("a")
    assert "_x0041_x0041_x0041_".startswith(shown) or "_x0041__x0041__x0041_".startswith(shown)
    assert "005F" not in excel_reads(safe)


@pytest.mark.parametrize(
    "url",
    [
        "https://www.tiktok.com/@some.name_1/video/7399123456789012345",
        "https://www.tiktok.com/@a/video/1?lang=en&x=%20",
        "https://sf16-ies-music-va.tiktokcdn.com/obj/ies-music/7.mp3",
        "https://drive.google.com/drive/folders/abc",
        "https://WWW.TikTok.com/@a/video/1",
    ],
)
def test_safe_link_accepts(url: str) -> None:
    assert text_safety.safe_link(url) == url


@pytest.mark.parametrize(
    "url",
    [
        None,
        "",
        17,
        "http://www.tiktok.com/@a/video/1",
        "javascript:alert(1)",
        "https://tiktok.com.evil.example/",
        "https://eviltiktok.com/",
        "https://www.tiktok.com@evil.example/",
        "https://user:pass@www.tiktok.com/",
        "https://www.tiktok.com:8443/",
        "https://www.tiktok.com:port/",
        "https://[::1",
        "https://evil.example\\.tiktok.com/",
        "https://www.tiktok.com/a b",
        "https://www.tiktok.com/\x00",
        'https://www.tiktok.com/"onclick',
        "https://www.tiktok.com/\ud800",
        "https://www.tiktok.com/" + "a" * 2_079,
        "https://www.tiktok.com/" + "é" * 500,
    ],
)
def test_safe_link_refuses(url: object) -> None:
    assert text_safety.safe_link(url) is None


def test_safe_link_is_ascii_and_allows_the_last_character() -> None:
    assert text_safety.safe_link("https://www.tiktok.com/@é") == "https://www.tiktok.com/@%C3%A9"
    longest = "https://www.tiktok.com/".ljust(text_safety.LINK_LIMIT, "a")
    assert text_safety.safe_link(longest) == longest


@given(st.text())
def test_safe_link_never_raises(text: str) -> None:
    link = text_safety.safe_link("https://" + text)
    assert link is None or link.startswith("https://")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("**bold** _it_", "\\*\\*bold\\*\\* \\_it\\_"),
        ("@everyone", "@\u200beveryone"),
        ("<@&1>", "\\<\u200b@\u200b&1>"),
        ("# a - b # c", "\\# a - b # c"),
        ("- list", "\\- list"),
        ("[click](https://evil.example)", "\\[click\\](https:\u200b//evil.example)"),
        ("a\u202eb\u200bc", "abc"),
        ("two\n\nlines\t x", "two lines x"),
        ("```", "\\`\\`\\`"),
        ("\u200d\ufe0f", ""),
        (" ", ""),
        (None, ""),
        ("\U0001f469\u200d\U0001f3a8", "\U0001f469\u200d\U0001f3a8"),
    ],
)
def test_discord_text(value: object, expected: str) -> None:
    assert text_safety.discord_text(value, 1_024) == expected


@given(ANY_TEXT, st.integers(min_value=1, max_value=40))
def test_discord_text_keeps_its_promises(text: str, limit: int) -> None:
    safe = text_safety.discord_text(text, limit)
    assert text_safety.utf16_length(safe) <= limit
    safe.encode("utf-8")
    bare = re.sub(r"\\.", "", safe, flags=re.DOTALL)
    assert not set("\\*_~`|[]<") & set(bare), "an escape was cut or forgotten"
    assert safe[:1] not in ("#", ">", "-", "+")
    assert not re.search("@(?!\u200b)", safe)
    assert "://" not in safe
    assert "\u202e" not in safe


def test_discord_text_counts_emoji_twice() -> None:
    assert text_safety.discord_text("\U0001f600" * 10, 5) == "\U0001f600\U0001f600…"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, ""),
        ("two\nlines\t and  blanks", "two lines and blanks"),
        ("\u202egnp.exe\u200b\u2066x", "gnp.exex"),
        ("family \U0001f468\u200d\U0001f469", "family \U0001f468\u200d\U0001f469"),
        ("a longer text than fits in", "a longer text than…"),
    ],
)
def test_visible_line(value: object, expected: str) -> None:
    assert text_safety.visible_line(value, 20) == expected


@given(ANY_TEXT, st.integers(1, 50))
def test_html_line_is_read_back_as_the_visible_line(text: str, limit: int) -> None:
    markup = text_safety.html_line(text, limit)
    assert not set("<>\"'") & set(markup)
    assert html.unescape(markup) == text_safety.visible_line(text, limit)
    assert len(html.unescape(markup)) <= limit


NOW = dt.datetime(2026, 1, 5, 9, tzinfo=dt.UTC)
COVER = "https://p16-sign-sg.tiktokcdn.com/c.jpeg"
COVERS = [
    (COVER, True),
    (f"{COVER}?x-expires={int(NOW.timestamp()) + 7_200}&x-signature=a%2Bb", True),
    (f"{COVER}?x-expires={int(NOW.timestamp()) + 60}", False),
    (f"{COVER}?X-Expires={int(NOW.timestamp()) - 60}", False),
    (f"{COVER}?x-expires=soon", False),
    ("http://p16-sign-sg.tiktokcdn.com/c.jpeg", False),
    ("https://p16.example/c.jpeg", False),
    ("https://tiktokcdn.com.example/c.jpeg", False),
    ("", False),
    (None, False),
]


@pytest.mark.parametrize(("url", "is_shown"), COVERS)
def test_only_a_cover_that_can_be_loaded_is_shown(url: str | None, is_shown: bool) -> None:
    assert text_safety.live_image(url, NOW) == (url if is_shown else None)
