"""Rows for the tabs of the live dashboard sheet, and the payload file that says what was to be sent.

Belongs here: which tab gets which columns and what identifies a row. Must not be here: SQL (`published`), the sheet's
own rules (`sheets`). A further tab is an entry of `TABS`.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass

from exports import published
from exports.build_today import age_label
from exports.published import Day, Table
from exports.revenue_tabs import revenue_line
from exports.sheets import SheetTable, row_key


@dataclass(frozen=True, slots=True)
class Tab:
    """One tab of the dashboard.

    Attributes:
        name: Tab name.
        rows: Reads the rows of a day.
        columns: Column title to a function of a row, in display order.
        keys: Columns of the row that identify it, besides tab and date.
    """

    name: str
    rows: Callable[[Day], Table]
    columns: dict[str, Callable[[dict[str, object]], object]]
    keys: tuple[str, ...]


def _of(name: str) -> Callable[[dict[str, object]], object]:
    return lambda row: row[name]


DATA_FEED = Tab(
    "DATA_FEED",
    published.my_performance,
    {
        "Date": _of("as_of_date"),
        "Account": _of("account"),
        "Trend": _of("trend"),
        "Age": lambda row: age_label(row["age_hours"]),  # type: ignore[arg-type]
        "Momentum": _of("momentum_score"),
        "Status": _of("status"),
        "Market": _of("market_label"),
        "Views/h": _of("views_per_hour"),
        "Shares/h": _of("shares_per_hour"),
        "BUILD_NOW": _of("build_now"),
        "TikTok URL": _of("url"),
        "TUTORIAL_TRIGGER": _of("tutorial_trigger"),
        "URGENCY": _of("urgency"),
        "Trigger Reason": _of("trigger_reason"),
        "AI Category": _of("ai_category"),
        "Opportunity Score": _of("opportunity_score"),
        "Time Zone": _of("time_zone_label"),
        "Build Priority": _of("build_priority"),
        "Seasonal Event": _of("seasonal_event"),
    },
    ("market", "video_id"),
)
TABS = (DATA_FEED,)


def tables(day: Day) -> list[SheetTable]:
    """The tabs' rows of a day, ready to be appended; equal marts give equal rows and keys."""
    result = []
    for tab in TABS:
        rows = tab.rows(day).dicts()
        result.append(
            SheetTable(
                tab.name,
                tuple(tab.columns),
                [[cell(row) for cell in tab.columns.values()] for row in rows],  # type: ignore[misc]
                [row_key(day.as_of_date, *(row[key] for key in tab.keys)) for row in rows],
            )
        )
    return result


def payload(day: Day) -> bytes:
    """`dashboard_payload_<date>.json`: the rows that the delivery appends, by tab."""
    tabs = [
        {"tab": table.tab, "columns": table.columns, "rows": table.rows, "row_keys": table.row_keys}
        for table in tables(day)
    ]
    content = {"as_of_date": day.as_of_date.isoformat(), "revenue": revenue_line(day), "tabs": tabs}
    return (json.dumps(content, ensure_ascii=False, indent=1, default=str) + "\n").encode("utf-8")
