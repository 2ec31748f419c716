"""Rows for the tabs of the live dashboard sheet, and the payload file that says what was to be sent.

Belongs here: which tab gets which rows and what identifies a row. Must not be here: SQL (`published`), the columns
(they are those of the enhanced workbook), the sheet's own rules (`sheets`). A further tab is an entry of `TABS`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from exports import published
from exports.published import Day
from exports.text.lines import one_line, revenue_line
from exports.workbooks.enhanced import (
    COMPETITOR_VIEW_COLUMNS,
    DATA_FEED_COLUMNS,
    OPPORTUNITY_COLUMNS,
    PREDICTION_COLUMNS,
    predictions,
)
from exports.workbooks.revenue_tabs import TRACKER, TRACKER_COLUMNS
from exports.workbooks.workbook import Column, Shown
from ingest import revenue_columns
from services.sheet_table import Cell, SheetTable, row_key
from warehouse.labels import AT_CAP

Rows = list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Tab:
    """One tab of the dashboard.

    Attributes:
        name: Tab name.
        rows: Reads the rows of a day.
        columns: Column title to a function of a row, in the order of a new tab.
        keys: Columns of the row that identify it for ever; the run's date is one of them only where a row is told
            anew every day.
        formulas: Column title to formula, see `SheetTable`; `CAP;` stands for the day's revenue cap.
        unique_column: Column whose values identify rows that people entered.
        is_dated: Whether the run's date is told in a column of its own.
        aliases: Names that people may have given a column.
    """

    name: str
    rows: Callable[[Day], Rows]
    columns: Mapping[str, Callable[[dict[str, Any]], Any]]
    keys: tuple[str, ...]
    formulas: Mapping[str, str] = field(default_factory=dict)
    unique_column: str | None = None
    is_dated: bool = True
    aliases: Mapping[str, Sequence[str]] = field(default_factory=dict)


def _columns(columns: Sequence[Column]) -> dict[str, Callable[[dict[str, Any]], Any]]:
    """The workbook's columns; a sheet has a type for dates, the workbook's date column is text."""
    taken = {column.title: column.value for column in columns}
    return {title: _date if title == "Date" else _plain(value) for title, value in taken.items()}


def _plain(value: Callable[[dict[str, Any]], Any]) -> Callable[[dict[str, Any]], Any]:
    """A sheet's cells have no number formats of ours: what looks like a text there is one."""

    def plain(row: dict[str, Any]) -> Any:
        cell = value(row)
        return cell.text if isinstance(cell, Shown) else cell

    return plain


def _date(row: dict[str, Any]) -> Any:
    return row["as_of_date"]


# What is known of an own post; amounts and notes are the user's to enter, so these cells stay empty.
_TRACKED: dict[str, str] = {
    "TikTok URL": "url",
    "Account": "account",
    "Momentum at Detection": "momentum_score",
    "Trigger Level": "urgency",
    "Action Window": "action_window",
    "Market": "market_label",
    "AI Category": "ai_category",
    "Age at Detection": "age_hours",
    "Date First Seen": "first_seen_on",
}


def _tracked(title: str) -> Callable[[dict[str, Any]], Any]:
    if title == "Trend Description":
        return lambda row: one_line(row["trend"])
    return lambda row: row[_TRACKED[title]] if title in _TRACKED else None


# The columns that users know; the workbook's further ones are computed from them.
_TRACKER_TITLES = tuple(column.title for column in TRACKER_COLUMNS[: len(revenue_columns.TAB)])
_INSTALLS = "{US & EU3 Installs};{ROW Installs}"
_TRACKER_FORMULAS = {
    "Total Installs": f'=IF(COUNT({_INSTALLS})=0;"";SUM({_INSTALLS}))',
    "Rev/Install": (
        "=IF(AND(ISNUMBER({Received ($)});ISNUMBER({Total Installs}));"
        'IF({Total Installs}>0;{Received ($)}/{Total Installs};"");"")'
    ),
    "At Cap?": f'=IF(ISNUMBER({{Received ($)}});IF({{Received ($)}}>=CAP;"{AT_CAP}";"");"")',
}

TABS = (
    Tab(
        "OPPORTUNITY_NOW",
        published.build_list,
        _columns(OPPORTUNITY_COLUMNS),
        ("as_of_date", "market", "video_id"),
    ),
    Tab(
        TRACKER,
        published.own_posts_first_seen,
        {title: _tracked(title) for title in _TRACKER_TITLES},
        ("url",),
        formulas=_TRACKER_FORMULAS,
        unique_column="TikTok URL",
        is_dated=False,
        aliases={column.header: column.aliases for column in revenue_columns.TAB},
    ),
    Tab(
        "COMPETITOR_VIEW",
        lambda day: published.competitor_gaps(day, None),
        _columns(COMPETITOR_VIEW_COLUMNS),
        ("as_of_date", "account", "trend_key"),
    ),
    Tab(
        "PREDICTION_LOG",
        lambda day: predictions(day, None),
        _columns(PREDICTION_COLUMNS),
        ("as_of_date",),
    ),
    Tab(
        "DATA_FEED",
        lambda day: published.my_performance(day).dicts(),
        _columns(DATA_FEED_COLUMNS),
        ("as_of_date", "market", "video_id"),
    ),
)


def tables(day: Day) -> list[SheetTable]:
    """The tabs' rows of a day, ready to be appended; equal marts give equal rows and keys."""
    source = published.revenue_source(day)
    cap = source["cap"] if source else None
    result = []
    for tab in TABS:
        rows = tab.rows(day)
        cells: list[list[Cell]] = [[value(row) for value in tab.columns.values()] for row in rows]
        result.append(
            SheetTable(
                tab.name,
                tuple(tab.columns),
                cells,
                [row_key(*(row[key] for key in tab.keys)) for row in rows],
                # Without a cap there is nothing to reach.
                {
                    title: text.replace("CAP;", f"{cap:g};") if cap is not None else text
                    for title, text in tab.formulas.items()
                    if cap is not None or "CAP;" not in text
                },
                tab.unique_column,
                tab.is_dated,
                tab.aliases,
            )
        )
    return result


def payload(day: Day) -> bytes:
    """`dashboard_payload_<date>.json`: the rows that the delivery appends, by tab."""
    tabs = [
        {
            "tab": table.tab,
            "columns": table.columns,
            "rows": table.rows,
            "row_keys": table.row_keys,
            "formulas": table.formulas,
        }
        for table in tables(day)
    ]
    content = {"as_of_date": day.as_of_date.isoformat(), "revenue": revenue_line(day), "tabs": tabs}
    return (json.dumps(content, ensure_ascii=False, indent=1, default=str) + "\n").encode("utf-8")
