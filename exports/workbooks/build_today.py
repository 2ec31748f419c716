"""BUILD_TODAY_TOP20 and TOP100: eight tabs that users open every day, and two at their right.

Belongs here: tabs, columns and labels of these two files, to the letter of what users know; new columns stand at the
right. Must not be here: which rows qualify (`published`), how cells are written (`workbook`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from openpyxl.styles import Alignment, PatternFill
from openpyxl.utils import get_column_letter
from openpyxl.workbook import Workbook

from exports import published
from exports.published import Day
from exports.text import build_list, score_lines
from exports.text.lines import MARKET_ORDER, headline, health_lines, one_line, revenue_line, sample_lines, score_notes
from exports.workbooks import trend_tabs
from exports.workbooks.workbook import (
    CYAN,
    GOLD,
    GREY,
    HEADER_FILL,
    HEADER_FONT,
    LABEL_FONT,
    LIGHT_YELLOW,
    LINK_FONT,
    ORANGE,
    ROUND_COUNT,
    STATUS_FILLS,
    Column,
    Shown,
    add_answer,
    add_table,
    fit_to_page,
    new_workbook,
    to_bytes,
    write_cell,
)
from services.text_safety import safe_link, write_text
from warehouse.labels import BOTH_MARKETS


def age_cell(hours: float | None, is_lower_bound: bool = False) -> Shown | str | None:
    """Hours as a number that looks like `12.3h`; `≥ 12.3h` or `unknown` of a post whose time isn't known."""
    if hours is None:
        return None
    text = build_list.age(hours, is_lower_bound)
    if text == "unknown":
        return text
    return Shown(hours, '"≥ "0" h"' if is_lower_bound else '0.0"h"', text)


def used_by_cell(videos: int) -> Shown:
    """A number of videos that sorts as one and looks like `12 videos`."""
    return Shown(videos, '0" videos"', f"{videos} videos")


VIDEO_COLUMNS = (
    Column("#", lambda row: row["place"], 5),
    Column("Market", lambda row: row["market_label"], 13),
    Column("Status", lambda row: row["status"], 13),
    Column("Trend", lambda row: one_line(row["caption"]), 60),
    Column("Creator", lambda row: row["author_handle"], 20),
    Column("Age", lambda row: age_cell(row["age_hours"], row["age_is_lower_bound"]), 9),
    Column("Momentum", lambda row: row["momentum_score"], 12, "#,##0.0"),
    Column("Shares/h", lambda row: row["shares_per_hour"], 10, "#,##0.0"),
    Column("Views/h", lambda row: row["views_per_hour"], 11, "#,##0"),
    Column("URL", lambda row: row["video_url"], 40, is_link=True),
    Column("Live Momentum", lambda row: row["live_momentum"], 12, "#,##0.0"),
    Column("Score (0-100)", lambda row: row["score"], 9, "0"),
    Column("Next 24h Views (p50)", lambda row: row["gain_24h_p50"], 13, "#,##0"),
    Column("p10", lambda row: row["gain_24h_p10"], 11, "#,##0"),
    Column("p90", lambda row: row["gain_24h_p90"], 11, "#,##0"),
    Column("Trend Key", lambda row: row["trend_key"], 28),
    Column("Readings", lambda row: row["reading_count"], 9, "0"),
    Column("Build #", lambda row: row["build_place"], 9, "0"),
)

AUDIO_COLUMNS = (
    Column("#", lambda row: row["place"], 5),
    Column("Status", lambda row: row["status"], 13),
    Column("Music Name", lambda row: row["sound_name"], 42),
    Column("Artist", lambda row: row["artist"], 26),
    Column("Type", lambda row: "Original" if row["is_original"] else "Sound", 10),
    Column("Used By", lambda row: used_by_cell(row["used_by"]), 16),
    Column("Play URL", lambda row: row["play_url"], 44, is_link=True),
    Column("Videos 24h", lambda row: row["videos_24h"], 10, "#,##0"),
    Column("Creators 24h", lambda row: row["creators_24h"], 11, "#,##0"),
    Column("Videos previous 24h", lambda row: row["videos_previous_24h"], 12, "#,##0"),
)

MY_PERFORMANCE_COLUMNS = (
    Column("Date", lambda row: row["as_of_date"].isoformat(), 12),
    Column("Account", lambda row: row["account"], 20),
    Column("Trend", lambda row: one_line(row["trend"]), 50),
    Column("Age", lambda row: age_cell(row["age_hours"]), 10),
    Column("Momentum", lambda row: row["momentum_score"], 12, "#,##0.0"),
    Column("Status", lambda row: row["status"], 13),
    Column("Market", lambda row: row["market_label"], 13),
    Column("Views/h", lambda row: row["views_per_hour"], 11, "#,##0"),
    Column("Shares/h", lambda row: row["shares_per_hour"], 10, "#,##0.0"),
    Column("BUILD_NOW", lambda row: row["build_now"], 12),
    Column("TikTok URL", lambda row: row["url"], 40, is_link=True),
    Column("TUTORIAL_TRIGGER", lambda row: row["tutorial_trigger"], 18),
    Column("URGENCY", lambda row: row["urgency"], 12),
    Column("Trigger Reason", lambda row: row["trigger_reason"], 34),
    Column("Competitor Count", lambda row: row["competitor_count_7d"], 12, "0", fill=LIGHT_YELLOW),
    Column("Tutorial Link", lambda row: row["tutorial_link"], 24, is_link=True, fill=LIGHT_YELLOW),
    Column("Template Link", lambda row: row["template_link"], 24, is_link=True, fill=LIGHT_YELLOW),
    Column("Revenue", lambda row: row["revenue"], 12, "$#,##0.00", fill=LIGHT_YELLOW),
    Column("Notes", lambda row: row["notes"], 30, fill=LIGHT_YELLOW),
)


def build_today(day: Day, top: int) -> bytes:
    """The workbook with the top videos and sounds of each market.

    Args:
        day: The published day.
        top: Rows per video and audio tab, also the tabs' suffix.

    Returns:
        The file; byte-identical for equal marts.
    """
    book = new_workbook()
    greyed = frozenset(score_lines.greyed_labels(published.scorecard(day)))
    _start_here(book, day)
    known = [market for market in MARKET_ORDER if market in day.markets]
    for market in (*known, *(market for market in day.markets if market not in MARKET_ORDER)):
        for tab, category in (("AI", "AI"), ("NON_AI", "NON-AI")):
            rows = published.category_tab(day, market, category, top).dicts()
            add_table(
                book, f"{market}_{tab}_TOP{top}", VIDEO_COLUMNS, rows, cell_fill=_greyed(_video_fill, greyed),
                answers=f"Which fresh {category} videos (72 h) have the most momentum in {market}. What to build:"
                " START_HERE; Build # is the place in that list.",
                empty_note=f"no fresh {category} video in the {market} feeds of {day.as_of_date}",
            )  # fmt: skip
        add_table(
            book, f"{market}_AUDIO_TOP{top}", AUDIO_COLUMNS, published.audio_tab(day, market, top).dicts(),
            cell_fill=_status_fill, empty_note=f"no sound in the {market} feeds of {day.as_of_date}",
            answers=f"Which sounds are used most in {market}, and whether more or fewer use them than a day ago.",
        )  # fmt: skip
    add_table(
        book, "MY_PERFORMANCE", MY_PERFORMANCE_COLUMNS, published.my_performance(day).dicts(),
        cell_fill=_greyed(_status_fill, greyed),
        empty_note="no own post in the day's feeds: own accounts stand in seeds/accounts.csv",
        answers="How your own posts do now. Yellow: competitors on the same trend, and what you entered in the sheet.",
    )  # fmt: skip
    trend_tabs.add_tabs(book, day)
    return to_bytes(book)


Fill = Callable[[dict[str, Any], str], PatternFill | None]


BUILD_COLUMNS = (
    ("What to build", 25), ("Build", 36), ("Publish by", 23), ("Variants", 9), ("Views still to come", 9), ("p10", 8),
    ("p90", 8), ("Confidence", 12), ("Why", 32), ("Link", 18),
)  # fmt: skip
# Lines of text span the columns between their label and the link.
_TEXT_COLUMNS = len(BUILD_COLUMNS) - 1
_TEXT_CHARACTERS = sum(width for _, width in BUILD_COLUMNS[1:_TEXT_COLUMNS])


def _start_here(book: Workbook, day: Day) -> None:
    sheet = book.create_sheet("START_HERE")
    add_answer(sheet, f"TikTok Trend System - {day.as_of_date}", is_title=True)
    write_text(sheet["A2"], f"What to build today, by when and how sure. As of {day.cutoff_at:%Y-%m-%d %H:%M} UTC")
    row = 4
    for label, value in headline(day):
        _line(sheet, row, label, value)
        row += 1
    row = _start_builds(sheet, row + 1, day) + 1
    lines: list[tuple[str, Any]] = sample_lines(day)
    lines += health_lines(day)
    lines.append(("Revenue", revenue_line(day)))
    lines += score_notes(day)
    lines.extend(("Check", warning) for warning in published.warnings(day))
    for label, text in lines:
        _line(sheet, row, label, text)
        row += 1
    for index, (_, width) in enumerate(BUILD_COLUMNS, start=1):
        sheet.column_dimensions[get_column_letter(index)].width = width
    sheet.freeze_panes = "A4"
    fit_to_page(sheet)


def _start_builds(sheet: Any, row: int, day: Day) -> int:
    """The first builds in a small table, with a legend and what changed; returns the row below."""
    rows = published.build_list(day)
    titles = [title for title, _ in BUILD_COLUMNS]
    for column, title in enumerate(titles, start=1):
        cell = sheet.cell(row=row, column=column)
        write_text(cell, title)
        cell.fill, cell.font = HEADER_FILL, HEADER_FONT
        cell.alignment = Alignment(vertical="center", wrap_text=True)
    sheet.row_dimensions[row].height = 48
    for build in rows[: build_list.TOP]:
        row += 1
        values = (
            f"{build['place']}. {build['build_priority']}", build_list.name(build),
            build_list.publish_by(build), build["variants"], build["gain_48h_p50"], build["gain_48h_p10"],
            build["gain_48h_p90"], build["confidence"], build["because"], build["video_url"],
        )  # fmt: skip
        for title, column, value in zip(titles, range(1, len(titles) + 1), values, strict=True):
            cell = sheet.cell(row=row, column=column)
            write_cell(cell, value, "0" if title == "Variants" else ROUND_COUNT)
            cell.alignment = Alignment(
                # A long address would run on over the edge of the page.
                horizontal={"Link": "fill", "Confidence": "left"}.get(title),
                vertical="top",
                wrap_text=title in ("Build", "Publish by", "Why"),
                indent=int(title == "Confidence"),
            )
            link = safe_link(build["video_url"]) if title == "Link" else None
            if link:
                cell.hyperlink = link
                cell.font = LINK_FONT
        sheet.cell(row=row, column=1).font = LABEL_FONT
        sheet.row_dimensions[row].height = 32
    if not rows:
        row += 1
        write_text(sheet.cell(row=row, column=1), "Nothing to build: no decision of the day says so.")
    for label, text in (
        ("In the list", f"{build_list.counted(rows)}. {build_list.changes(day)}"),
        ("Legend", build_list.LEGEND),
    ):
        row += 1
        _line(sheet, row, label, text)
    return row + 1


def _line(sheet: Any, row: int, label: str, value: Any) -> None:
    write_text(sheet.cell(row=row, column=1), label)
    sheet.cell(row=row, column=1).font = LABEL_FONT
    sheet.cell(row=row, column=1).alignment = Alignment(vertical="top")
    cell = sheet.cell(row=row, column=2)
    write_cell(cell, value, "#,##0")
    cell.alignment = Alignment(horizontal="left", vertical="top", wrap_text=isinstance(value, str))
    if isinstance(value, str):
        sheet.merge_cells(start_row=row, start_column=2, end_row=row, end_column=_TEXT_COLUMNS)
        sheet.row_dimensions[row].height = 15 * (1 + len(value) // _TEXT_CHARACTERS)


def _greyed(of_row: Fill, greyed: frozenset[str]) -> Fill:
    """A fill that greys the columns of labels without skill."""
    titles = greyed | ({"Score (0-100)"} if "Score" in greyed else set())
    return lambda row, column: GREY if column in titles else of_row(row, column)


def _video_fill(row: dict[str, Any], column: str) -> PatternFill | None:
    account = {"own": CYAN, "competitor": ORANGE}.get(row["author_role"])
    if account:
        return account
    if column == "Status":
        return STATUS_FILLS.get(row["status"])
    return GOLD if column == "Market" and row["market_label"] == BOTH_MARKETS else None


def _status_fill(row: dict[str, Any], column: str) -> PatternFill | None:
    return STATUS_FILLS.get(row["status"]) if column == "Status" else None
