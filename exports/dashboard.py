"""Rows for the tabs of the live dashboard sheet, and the payload file that says what was to be sent.

Belongs here: which tabs there are, what identifies a row of them, formulas. Must not be here: SQL (`published`), the
sheet's own rules (`sheets`), the columns that workbook and sheet share (`enhanced`). A tab is an entry of `TABS`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from exports import published
from exports.build_today import one_line
from exports.enhanced import (
    COMPETITOR_VIEW_COLUMNS,
    DATA_FEED_COLUMNS,
    OPPORTUNITY_COLUMNS,
    OPPORTUNITY_ROWS,
    PREDICTION_COLUMNS,
)
from exports.published import Day
from exports.revenue_tabs import AT_CAP, TRACKER_COLUMNS
from exports.sheets import SheetTable, row_key
from exports.workbook import Column

Rows = list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Tab:
    """One tab of the dashboard that rows are appended to.

    Attributes:
        name: Tab name.
        columns: Columns, as in the workbook.
        rows: Reads the rows of a day.
        keys: Columns of a row that identify it.
        is_per_day: Whether the day of the run is part of a row's identity.
    """

    name: str
    columns: tuple[Column, ...]
    rows: Callable[[Day], Rows]
    keys: tuple[str, ...]
    is_per_day: bool = True


def _opportunities(day: Day) -> Rows:
    rows = published.opportunities(day, None, OPPORTUNITY_ROWS)
    for place, row in enumerate(rows, start=1):
        row["place"] = place
    return rows


TABS = (
    Tab("OPPORTUNITY_NOW", OPPORTUNITY_COLUMNS, _opportunities, ("video_id",)),
    Tab(
        "COMPETITOR_VIEW",
        COMPETITOR_VIEW_COLUMNS,
        lambda day: published.competitor_gaps(day, None),
        ("account", "market", "trend_key"),
    ),
    # A day is scored once, whichever run is the first to say so.
    Tab(
        "PREDICTION_LOG",
        PREDICTION_COLUMNS,
        lambda day: published.prediction_log(day, None),
        ("as_of_date",),
        is_per_day=False,
    ),
    Tab("DATA_FEED", DATA_FEED_COLUMNS, lambda day: published.my_performance(day).dicts(), ("market", "video_id")),
)

# The tracker's own first 19 columns; what follows them in the workbook is computed there.
TRACKER = tuple(column.title for column in TRACKER_COLUMNS[:19])


def tables(day: Day) -> list[SheetTable]:
    """The tabs' rows of a day, ready to be appended; equal marts give equal rows and keys."""
    result = []
    for tab in TABS:
        rows = tab.rows(day)
        run = (day.as_of_date,) if tab.is_per_day else ()
        result.append(
            SheetTable(
                tab.name,
                tuple(column.title for column in tab.columns),
                [[column.value(row) for column in tab.columns] for row in rows],
                [row_key(*run, *(row[key] for key in tab.keys)) for row in rows],
            )
        )
    return [*result, _new_posts(day)]


def _new_posts(day: Day) -> SheetTable:
    """Own posts for REVENUE_TRACKER: the user enters the money, a link that is there already is left alone."""
    posts = {row["url"]: row for row in reversed(published.my_performance(day).dicts()) if row["url"]}
    caps = [row["cap"] for row in published.revenue_rows(day) if row["cap"] is not None]
    cap = caps[-1] if caps else math.inf
    values = {
        "TikTok URL": lambda row: row["url"],
        "Account": lambda row: row["account"],
        "Trend Description": lambda row: one_line(row["trend"]),
        "Momentum at Detection": lambda row: row["momentum_score"],
        "Trigger Level": lambda row: row["urgency"],
        "Market": lambda row: row["market_label"],
        "AI Category": lambda row: row["ai_category"],
        "Age at Detection": lambda row: row["age_hours"],
        "Date First Seen": lambda row: day.as_of_date,
    }
    formulas = {
        "Total Installs": "={US & EU3 Installs}+{ROW Installs}",
        "Rev/Install": '=IF({Total Installs}>0,{Received ($)}/{Total Installs},"")',
    }
    if not math.isinf(cap):
        formulas["At Cap?"] = f'=IF(AND(ISNUMBER({{Received ($)}}),{{Received ($)}}>={cap:g}),"{AT_CAP}","")'
    rows = sorted(posts.values(), key=lambda row: str(row["url"]))
    return SheetTable(
        "REVENUE_TRACKER",
        TRACKER,
        [[values[title](row) if title in values else None for title in TRACKER] for row in rows],
        [row_key(row["url"]) for row in rows],
        formulas=formulas,
        unique_column="TikTok URL",
        is_dated=False,
    )


def payload(day: Day) -> bytes:
    """`dashboard_payload_<date>.json`: the rows that the delivery appends, by tab."""
    tabs = [
        {"tab": table.tab, "columns": table.columns, "rows": table.rows, "row_keys": table.row_keys}
        for table in tables(day)
    ]
    content = {"as_of_date": day.as_of_date.isoformat(), "tabs": tabs}
    return (json.dumps(content, ensure_ascii=False, indent=1, default=str) + "\n").encode("utf-8")
