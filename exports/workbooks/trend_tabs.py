"""TRENDS and OUTLIERS, the two tabs at the right of each workbook.

Belongs here: their columns. Must not be here: their words (`text.trends`), which rows there are (`published`).
"""

from __future__ import annotations

from openpyxl.workbook import Workbook

from exports import published
from exports.published import Day
from exports.text import build_list, trends
from exports.workbooks.workbook import Column, add_table
from warehouse.labels import BREAKOUT

OUTLIER_ROWS = 50

TREND_COLUMNS = (
    Column("#", lambda row: row["place"], 5),
    Column("Trend", trends.name, 42),
    Column("Type", lambda row: row["trend_key_type"], 10),
    Column("Stage", trends.stage, 13),
    Column("Creators", lambda row: row["creators"], 9, "#,##0"),
    Column("Views Gained 24h", lambda row: row["gained_views_24h"], 12, "#,##0"),
    Column("Markets", trends.markets, 44),
    Column("Days Left", lambda row: row["window_left_h"] / 24, 7, "0.0"),
    Column("p25", lambda row: row["window_left_p25_h"] / 24, 6, "0.0"),
    Column("p75", lambda row: row["window_left_p75_h"] / 24, 6, "0.0"),
    Column("Uses By Day", lambda row: trends.spark(row["uses_by_day"]), 16),
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
    Column("Views Gained By Day", lambda row: trends.spark(row["gained_by_day"]), 18),
)

OUTLIER_COLUMNS = (
    Column("#", lambda row: row["place"], 5),
    Column("Times the Usual", lambda row: row["views_ratio"], 9, '0.0" x"'),
    Column("Breakout", lambda row: BREAKOUT if row["is_breakout"] else None, 9),
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
        book, "TRENDS", TREND_COLUMNS, published.trend_list(day, market), empty_note=trends.NO_TREND,
        answers=f"Which sounds, templates and tags can still be joined{of_market}, by the views that their videos"
        " gained in 24 h. Days left: until it is expected to decline; p25 to p75: the middle half. + shows the rest.",
    )  # fmt: skip
    add_table(
        book, "OUTLIERS", OUTLIER_COLUMNS, published.outliers(day, OUTLIER_ROWS, market), empty_note=trends.NO_OUTLIER,
        answers=f"Which posts of the last days did far better than their creator is used to{of_market}."
        f" {BREAKOUT}: five times the median, and better than any post before.",
    )  # fmt: skip
