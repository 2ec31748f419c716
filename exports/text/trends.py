"""Trends and outliers in words: what every place that shows them says of a row.

Belongs here: wording of `marts.trend_list` and of posts far above their creator's usual, and the two tabs with them.
Must not be here: which trends are shown and in which order (models), SQL (`published`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from openpyxl.workbook import Workbook

from exports import published
from exports.published import Day
from exports.text import build_list
from exports.workbooks.workbook import Column, add_table
from services.text_safety import plain_text

Row = dict[str, Any]

# How many the summary and the message show; the report has room for more.
TOP, TOP_OUTLIERS = 5, 3
OUTLIER_ROWS = 50
NO_TREND = "No trend grows that several creators use in the day's feeds."
NO_OUTLIER = "No post of the last days is far above what its creator is used to, or too few of theirs were seen."

_BARS = "▁▂▃▄▅▆▇█"
_STAGES = {"new": "🆕 NEW", "emerging": "🌱 EMERGING", "rising": "🚀 RISING", "resurged": "🔁 BACK"}


def stage(row: Row) -> str:
    """The stage as a label: `🚀 RISING`."""
    return _STAGES[row["lifecycle"]]


def name(row: Row, characters: int = 60) -> str:
    """The trend on one line."""
    return " ".join(plain_text(row["trend_name"]).split())[:characters] or row["trend_key"]


def spark(values: Sequence[int | None]) -> str:
    """Counts as small bars, oldest first: `▁▁▃█`. Zero is the lowest bar, a blank one that nobody knows."""
    top = max((value for value in values if value is not None), default=0)
    return "".join(
        " " if value is None else _BARS[round(value / top * (len(_BARS) - 1)) if top else 0] for value in values
    )


def markets(row: Row) -> str:
    """Which market had it first and how far the other is behind: `US first, UK 2 days later`."""
    first, other, lag, chance = (
        row[key] for key in ("first_market", "other_market", "lag_days", "arrival_probability_7d")
    )
    if other is None:
        return str(row["markets"]).replace(", ", " and ")
    if lag is not None:
        return f"{first} and {other} at once" if lag == 0 else f"{first} first, {other} {_days(lag)} later"
    expected = "" if chance is None else f", {chance:.0%} within 7 days"
    return f"{first} only; {other} without it for {_days(row['days_without'])}{expected}"


def days_left(row: Row) -> str:
    """Days until it is expected to decline, with the middle half of such trends: `3.0 (0.1 to 7.3) days left`."""
    middle, low, high = (row[f"window_left_{end}h"] / 24 for end in ("", "p25_", "p75_"))
    return f"{middle:.1f} ({low:.1f} to {high:.1f}) days left"


def head(row: Row) -> str:
    """`1. #mellowharborglow`."""
    return f"{row['place']}. {name(row)}"


def detail(row: Row) -> str:
    """What a line below its name says: stage, creators, views, markets, days left."""
    gained = "views gained not known" if row["gained_views_24h"] is None else (
        f"{build_list.short(row['gained_views_24h'], '+')} views in 24 h"
    )  # fmt: skip
    return (
        f"{stage(row)} · {_counted(row['creators'], 'creator')} · {gained} · {markets(row)} · {days_left(row)}"
        f" · {spark(row['uses_by_day'])}"
    )


def outlier_head(row: Row) -> str:
    """The post as people know it: its caption, or that it has none."""
    return f"{'💥 ' if row['is_breakout'] else ''}{build_list.name(row)}"


def outlier_detail(row: Row) -> str:
    """How far above its creator's usual: `32 x @x's usual: 410k views at 24 h, usually 12.8k`."""
    usual = f"{build_list.short(row['previous_median_views_24h'])} ({_counted(row['previous_posts'], 'post')})"
    return (
        f"{row['views_ratio']:.1f} x the usual of @{plain_text(row['author_handle'])}:"
        f" {build_list.short(row['views_24h'])} views at 24 h, usually {usual}"
    )


TREND_COLUMNS = (
    Column("#", lambda row: row["place"], 5),
    Column("Trend", name, 42),
    Column("Type", lambda row: row["trend_key_type"], 10),
    Column("Stage", stage, 13),
    Column("Creators", lambda row: row["creators"], 9, "#,##0"),
    Column("Views Gained 24h", lambda row: row["gained_views_24h"], 12, "#,##0"),
    Column("Markets", markets, 44),
    Column("Days Left", lambda row: row["window_left_h"] / 24, 7, "0.0"),
    Column("p25", lambda row: row["window_left_p25_h"] / 24, 6, "0.0"),
    Column("p75", lambda row: row["window_left_p75_h"] / 24, 6, "0.0"),
    Column("Uses By Day", lambda row: spark(row["uses_by_day"]), 16),
    Column("Best Example", lambda row: row["video_url"], 24, is_link=True),
    Column("Its Creator", lambda row: row["author_handle"], 20),
    Column("Its Views", lambda row: row["plays"], 11, "#,##0"),
    Column("Uses", lambda row: row["uses"], 7, "#,##0", is_folded=True),
    Column("New Uses", lambda row: row["new_uses"], 7, "#,##0", is_folded=True),
    Column("Stage by Market", lambda row: row["stages"], 26, is_folded=True),
    Column("First Seen", lambda row: row["first_seen_on"].isoformat(), 11, is_folded=True),
    Column("Your Uses 7d", lambda row: row["own_uses_7d"], 8, "0", is_folded=True),
    Column("Competitor Uses 7d", lambda row: row["competitor_uses_7d"], 11, "0", is_folded=True),
    Column("Trend Link", lambda row: row["trend_url"], 24, is_link=True),
    Column("Trend Key", lambda row: row["trend_key"], 26, is_folded=True),
    Column("Views Gained By Day", lambda row: spark(row["gained_by_day"]), 18),
)

OUTLIER_COLUMNS = (
    Column("#", lambda row: row["place"], 5),
    Column("Times the Usual", lambda row: row["views_ratio"], 9, '0.0" x"'),
    Column("Breakout", lambda row: "💥" if row["is_breakout"] else None, 9),
    Column("Creator", lambda row: row["author_handle"], 22),
    Column("Post", lambda row: build_list.name(row), 50),
    Column("Views at 24h", lambda row: row["views_24h"], 12, "#,##0"),
    Column("Usual Views at 24h", lambda row: row["previous_median_views_24h"], 12, "#,##0"),
    Column("Best Before", lambda row: row["previous_best_views_24h"], 12, "#,##0"),
    Column("Posts Compared", lambda row: row["previous_posts"], 10, "0"),
    Column("Posted (UTC)", lambda row: f"{row['posted_at']:%Y-%m-%d %H:%M}", 17),
    Column("Market", lambda row: row["market_label"], 12),
    Column("URL", lambda row: row["video_url"], 40, is_link=True),
    Column("Trend Key", lambda row: row["trend_key"], 26),
)


def add_tabs(book: Workbook, day: Day, market: str | None = None) -> None:
    """Adds TRENDS and OUTLIERS at the right end of a workbook.

    Args:
        book: The workbook.
        day: The published day.
        market: Its market; None for all.
    """
    of_market = "" if market is None else f" in {market}"
    add_table(
        book, "TRENDS", TREND_COLUMNS, published.trend_list(day, market), empty_note=NO_TREND,
        answers=f"Which sounds, templates and tags can still be joined{of_market}, by the views that their videos"
        " gained in 24 h. Days left: until it is expected to decline; p25 to p75: the middle half. + shows the rest.",
    )  # fmt: skip
    add_table(
        book, "OUTLIERS", OUTLIER_COLUMNS, published.outliers(day, OUTLIER_ROWS, market), empty_note=NO_OUTLIER,
        answers=f"Which posts of the last days did far better than their creator is used to{of_market}."
        " 💥: five times the median, and better than any post before.",
    )  # fmt: skip


def _counted(value: int, noun: str) -> str:
    return f"{value:,} {noun}{'' if value == 1 else 's'}"


def _days(value: int) -> str:
    return _counted(value, "day")
