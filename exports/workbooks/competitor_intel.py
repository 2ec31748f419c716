"""COMPETITOR_INTEL: nine sections over seven days, you against them, in one tab.

Belongs here: titles, columns and notes of the sections. Must not be here: which rows there are (`published`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from openpyxl.styles import Alignment
from openpyxl.utils import get_column_letter
from openpyxl.workbook import Workbook
from openpyxl.worksheet.worksheet import Worksheet

from exports import published
from exports.published import Day
from exports.text import briefing
from exports.text.lines import one_line
from exports.workbooks.build_today import age_cell
from exports.workbooks.workbook import (
    CYAN,
    HEADER_FILL,
    HEADER_FONT,
    LABEL_FONT,
    LINK_FONT,
    Column,
    add_answer,
    fit_to_page,
    put,
)
from services.text_safety import safe_link, write_text

TAB = "COMPETITOR_INTEL"
WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
TOO_FEW = "too few"
_WIDTHS = (21, 24, 30, 13, 13, 13, 13, 13, 13, 14, 12, 14, 42)


@dataclass(frozen=True, slots=True)
class Section:
    """One section of the tab.

    Attributes:
        title: Heading.
        note: What the numbers mean, in one line.
        rows: Reads the rows.
        columns: The columns.
    """

    title: str
    note: str
    rows: Callable[[Day, str | None], list[dict[str, Any]]]
    columns: tuple[Column, ...]


def of_mart(mart: str) -> Callable[[Day, str | None], list[dict[str, Any]]]:
    """Reads the rows of a competitor mart."""
    return lambda day, market: published.competitor_section(day, mart, market)


def told(name: str, n: str) -> Callable[[dict[str, Any]], Any]:
    """A figure, or the words for one that rests on too few while there are some."""
    return lambda row: TOO_FEW if row[name] is None and row[n] else row[name]


def _of(name: str) -> Callable[[dict[str, Any]], Any]:
    return lambda row: row[name]


def _date(name: str) -> Callable[[dict[str, Any]], Any]:
    return lambda row: f"{row[name]:%Y-%m-%d}" if row[name] is not None else None


def _moment(name: str) -> Callable[[dict[str, Any]], Any]:
    return lambda row: f"{row[name]:%Y-%m-%d %H:%M}" if row[name] is not None else None


def _bucket(row: dict[str, Any]) -> str:
    if row["pattern"] == "weekday":
        return WEEKDAYS[row["bucket"] - 1]
    return "all week" if row["pattern"] == "all" else f"{row['bucket']:02d}:00"


ACCOUNT = Column("Account", _of("account"))
TREND_KEY = Column("Trend Key", _of("trend_key"))
N = Column("n", _of("n"), number_format="0")

SECTIONS = (
    Section(
        "1 · Posting log",
        "Posts of the last seven days; times on the market's clock.",
        published.posting_log,
        (
            Column("Date Seen", _date("first_seen_on")),
            ACCOUNT,
            Column("Trend", lambda row: one_line(row["trend"])),
            Column("Post Day", lambda row: WEEKDAYS[row["post_weekday"] - 1]),
            Column("Post Time", lambda row: f"{row['local_posted_at']:%m-%d %H:%M}"),
            Column("Momentum", _of("momentum_score"), number_format="#,##0"),
            Column("Shares/h", _of("shares_per_hour"), number_format="#,##0.0"),
            Column("Views/h", _of("views_per_hour"), number_format="#,##0"),
            Column("Age", lambda row: age_cell(row["age_hours"])),
            Column("Market", _of("market_label")),
            Column("AI", _of("ai_category")),
            Column("Status", _of("status")),
            Column("URL", _of("url"), is_link=True),
            Column("Trend Key", _of("trend_key")),
            Column("Role", _of("role")),
        ),
    ),
    Section(
        "2 · Posting patterns",
        "Posts per weekday and hour of the market's clock, and per day of the week.",
        of_mart("competitor_patterns"),
        (
            ACCOUNT,
            Column("Pattern", _of("pattern")),
            Column("When", _bucket),
            Column("Posts", _of("posts"), number_format="0"),
            N,
            Column("Share", told("share", "n"), number_format="0%"),
            Column("Posts/Day", _of("posts_per_day"), number_format="0.00"),
        ),
    ),
    Section(
        "3 · Response time",
        "Hours from a trend's onset (start of the first day with three creators) to the first post; negative: led.",
        of_mart("competitor_summary"),
        (
            ACCOUNT,
            Column("Market", lambda row: row["home_market"] or "all"),
            Column("", lambda row: None),
            Column("n Trends", _of("responses"), number_format="0"),
            Column("Led", _of("led"), number_format="0"),
            Column("Median (h)", told("response_p50_hours", "responses"), number_format="0.0"),
            Column("25 % (h)", told("response_p25_hours", "responses"), number_format="0.0"),
            Column("75 % (h)", told("response_p75_hours", "responses"), number_format="0.0"),
        ),
    ),
    Section(
        "3 · Response time, trend by trend",
        "Without an onset: fewer than three creators so far, or the trend ran before watching began.",
        of_mart("competitor_responses"),
        (
            ACCOUNT,
            TREND_KEY,
            Column("First Post (UTC)", _moment("first_posted_at")),
            Column("Market", _of("market")),
            Column("Onset", _date("onset_date")),
            Column("Hours", _of("response_hours"), number_format="0.0"),
        ),
    ),
    Section(
        "4 · Trend selection accuracy",
        "Share of posts whose highest momentum reached the threshold, and lift over the other creators of the market.",
        of_mart("competitor_selection"),
        (
            ACCOUNT,
            Column("Momentum from", _of("threshold"), number_format="#,##0"),
            Column("Base Market", _of("base_market")),
            N,
            Column("Reached", _of("reached"), number_format="0"),
            Column("Share", told("share", "n"), number_format="0%"),
            Column("Base Share", _of("base_share"), number_format="0.0%"),
            Column("Base n", _of("base_n"), number_format="#,##0"),
            Column("Lift", told("lift", "n"), number_format='0.0"x"'),
        ),
    ),
    Section(
        "5 · Niche coverage",
        "Mix of AI and NON-AI and of markets; a gap is a difference of more than 10 points to yours.",
        of_mart("competitor_niches"),
        (
            ACCOUNT,
            Column("Dimension", _of("dimension")),
            Column("Value", _of("value")),
            Column("Posts", _of("posts"), number_format="0"),
            N,
            Column("Share", told("share", "n"), number_format="0%"),
            Column("Your Share", _of("your_share"), number_format="0%"),
            Column("Gap (points)", _of("gap_points"), number_format="+0.0;-0.0;0.0"),
            Column("Gap", lambda row: "⚠️ GAP" if row["is_gap"] else None),
        ),
    ),
    Section(
        "6 · Template variation",
        "Posts on the same trend within the week; the most varied trends first.",
        of_mart("competitor_variation"),
        (
            ACCOUNT,
            TREND_KEY,
            Column("First Post (UTC)", _moment("first_posted_at")),
            Column("Posts", _of("posts"), number_format="0"),
            Column("Days", _of("days"), number_format="0"),
            Column("Place", _of("variation_rank"), number_format="0"),
        ),
    ),
    Section(
        "6 · Template variation, per account",
        "Posts per trend key among the posts on shared trends.",
        of_mart("competitor_summary"),
        (
            ACCOUNT,
            Column("Market", lambda row: row["home_market"] or "all"),
            Column("", lambda row: None),
            Column("Posts", _of("posts"), number_format="0"),
            Column("On Trends", _of("posts_on_trends"), number_format="0"),
            Column("Trend Keys", _of("trend_keys"), number_format="0"),
            Column("Posts/Trend", told("posts_per_trend", "posts_on_trends"), number_format="0.00"),
            Column("Posts/Day", _of("posts_per_day"), number_format="0.00"),
        ),
    ),
    Section(
        "7 · Revenue estimation",
        "A range under an assumption, not a measurement; what was received is known of your own posts only.",
        of_mart("competitor_revenue"),
        (
            ACCOUNT,
            Column("Range ($)", lambda row: _range(row["revenue_p10"], row["revenue_p90"])),
            Column("Assumption", _of("assumption")),
            Column("Posts", _of("posts"), number_format="0"),
            Column("Plays", _of("plays"), number_format="#,##0"),
            Column("Low ($)", _of("revenue_p10"), number_format="#,##0"),
            Column("Middle ($)", _of("revenue_p50"), number_format="#,##0"),
            Column("High ($)", _of("revenue_p90"), number_format="#,##0"),
            Column("Received ($)", _of("received"), number_format="#,##0.00"),
        ),
    ),
    Section(
        "8 · Cross-market timing",
        "Which market had the account's trends first, and whether it posted before they reached the other.",
        of_mart("competitor_market_timing"),
        (
            ACCOUNT,
            TREND_KEY,
            Column("First Post (UTC)", _moment("first_posted_at")),
            Column("First Market", _of("first_market")),
            Column("Onset", _date("first_onset_date")),
            Column("Other Market", _of("other_market")),
            Column("Onset There", lambda row: _date("other_onset_date")(row) or "not yet"),
            Column("Leader", _of("leader")),
            Column("Lag (days)", _of("lag_days"), number_format="0"),
            Column("Before Arrival", lambda row: "yes" if row["is_before_arrival"] else "no"),
        ),
    ),
    Section(
        "9 · Win/loss scorecard",
        "Trends of the week that one of the two posted on: who was first, whose best was larger at 48 h, who skipped.",
        of_mart("competitor_win_loss"),
        (
            ACCOUNT,
            Column("n Trends", _of("trends"), number_format="0"),
            Column("Both Posted", _of("contested"), number_format="0"),
            Column("You First", _of("you_first"), number_format="0"),
            Column("They First", _of("they_first"), number_format="0"),
            Column("First Share", told("you_first_share", "contested"), number_format="0%"),
            Column("n Measured", _of("measured"), number_format="0"),
            Column("You Larger", _of("you_larger"), number_format="0"),
            Column("They Larger", _of("they_larger"), number_format="0"),
            Column("Larger Share", told("you_larger_share", "measured"), number_format="0%"),
            Column("You Skipped", _of("skipped_by_you"), number_format="0"),
            Column("They Skipped", _of("skipped_by_them"), number_format="0"),
        ),
    ),
    Section(
        "9 · Win/loss scorecard, trend by trend",
        "Hours ahead are yours; below zero they were first. Views at 48 h of the best post, where measured.",
        of_mart("competitor_scorecard"),
        (
            ACCOUNT,
            TREND_KEY,
            Column("Outcome", _of("outcome")),
            Column("First", _of("first_by")),
            Column("Hours Ahead", _of("hours_ahead"), number_format="+0.0;-0.0;0.0"),
            Column("Larger at 48 h", _of("larger_by")),
            Column("Your Views 48 h", _of("your_views_48h"), number_format="#,##0"),
            Column("Their Views 48 h", _of("their_views_48h"), number_format="#,##0"),
            Column("Skipped by", _of("skipped_by")),
            Column("Market", _of("market")),
        ),
    ),
)


@dataclass(frozen=True, slots=True)
class IntelRanges:
    """Where other tabs' formulas look.

    Attributes:
        role: Range of the roles in the posting log.
    """

    role: str


def add_intel(book: Workbook, day: Day, market: str | None) -> IntelRanges:
    """Adds the tab; returns the ranges that the dashboard counts over."""
    sheet = book.create_sheet(TAB)
    add_answer(sheet, f"Competitor intelligence, seven days up to {day.as_of_date}", is_title=True)
    scope = (
        "all markets" if market is None else f"accounts at home in {market}; YOU and ALL COMPETITORS over all markets"
    )
    write_text(
        sheet["A2"],
        f"{scope}. A trend is what several videos share (template, sound, effect or hashtag). "
        f"{TOO_FEW!r}: fewer than the minimum of posts or trends, n says how many.",
    )
    row = _add_findings(sheet, 4, briefing.findings(day, market)) + 1
    role_range = ""
    for section in SECTIONS:
        rows = section.rows(day, market)
        if section.title.startswith("1 "):
            role_range = f"{TAB}!$O${row + 3}:$O${row + 2 + max(len(rows), 1)}"
        row = _add_section(sheet, row, section, rows) + 1
    for index, width in enumerate(_WIDTHS, start=1):
        sheet.column_dimensions[get_column_letter(index)].width = width
    sheet.column_dimensions["N"].width = 28
    sheet.freeze_panes = "B4"
    fit_to_page(sheet)
    return IntelRanges(role_range)


def _add_findings(sheet: Worksheet, row: int, lines: Sequence[str]) -> int:
    """What the sections below come to, before anyone has to read them."""
    write_text(sheet.cell(row=row, column=1), "Findings")
    sheet.cell(row=row, column=1).font = LABEL_FONT
    for line in lines:
        row += 1
        write_text(sheet.cell(row=row, column=1), f"• {line}")
    return row + 1


def _add_section(sheet: Worksheet, row: int, section: Section, rows: Sequence[dict[str, Any]]) -> int:
    write_text(sheet.cell(row=row, column=1), section.title)
    sheet.cell(row=row, column=1).font = LABEL_FONT
    write_text(sheet.cell(row=row + 1, column=1), section.note)
    for index, column in enumerate(section.columns, start=1):
        cell = sheet.cell(row=row + 2, column=index)
        write_text(cell, column.title)
        cell.fill, cell.font = HEADER_FILL, HEADER_FONT
        cell.alignment = Alignment(vertical="center", wrap_text=True)
    row += 3
    if not rows:
        write_text(sheet.cell(row=row, column=1), "nothing in these seven days")
        return row + 1
    for values in rows:
        for index, column in enumerate(section.columns, start=1):
            value = column.value(values)
            cell = put(sheet, row, index, value, column.number_format)
            link = safe_link(value) if column.is_link else None
            if link:
                cell.hyperlink = link
                cell.font = LINK_FONT
            if values.get("role") == "own":
                cell.fill = CYAN
        row += 1
    return row


def _range(low: float | None, high: float | None) -> str | None:
    return None if low is None or high is None else f"${low:,.0f} - ${high:,.0f}"
