"""REVENUE_TRACKER, REVENUE_INSIGHTS, PAYMENTS, MONTHLY_REVENUE: what was entered, what it comes to, as live formulas.

Belongs here: columns and formulas of these tabs. Must not be here: which rows there are (`published`), how a formula
keeps its value (`workbook`).

The columns that users know stand first, to the letter. Further columns at the right say whether a row counts: an
unreadable amount is shown as it was entered, as text, and text is in no sum.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from typing import Any

from openpyxl.formatting.rule import FormulaRule
from openpyxl.styles import Alignment
from openpyxl.workbook import Workbook
from openpyxl.worksheet.worksheet import Worksheet

from exports import published
from exports.published import Day
from exports.text.lines import revenue_line
from exports.workbooks.workbook import (
    FIRST_ROW,
    HEADER_FILL,
    HEADER_FONT,
    LABEL_FONT,
    LIGHT_YELLOW,
    Column,
    Formula,
    add_answer,
    add_table,
    fill,
    fit_to_page,
    put,
)
from ingest.revenue_columns import HEADERS, PLACES, TAB
from services.text_safety import write_text
from warehouse.labels import AT_CAP

TRACKER, INSIGHTS = "REVENUE_TRACKER", "REVENUE_INSIGHTS"
PAYMENTS, MONTHLY = "PAYMENTS", "MONTHLY_REVENUE"
EMPTY_ROWS = 50
MONEY = "$#,##0.00"
_GREEN = fill("C8E6C9")
_AMOUNTS = tuple(column.name for column in TAB if column.kind in ("money", "count", "day"))
_DETAILS = tuple(column.name for column in TAB if column.kind == "number")


def tracker_rows(day: Day) -> list[dict[str, Any]]:
    """The rows of REVENUE_TRACKER: those of the sheet, then empty ones whose formulas wait for an entry."""
    rows = published.revenue_rows(day)
    source = published.revenue_source(day)
    cap = source["cap"] if source and source["cap"] is not None else float("inf")
    for row in rows:
        entered = json.loads(row["entered"])
        row["cells"] = {name: entered[place] or None for name, place in PLACES.items()}
        if row["is_counted"]:
            # Numbers as numbers: the formulas need them.
            row["cells"] |= {name: row[name] for name in _AMOUNTS if row[name] is not None}
        for name in _DETAILS:
            text = row["cells"][name]
            if text is not None and _is_number(text):
                row["cells"][name] = row[name]
        row["counted"] = "yes" if row["is_counted"] else "no"
    blank = {"cells": dict.fromkeys(PLACES), "counted": "", "cap": cap, "received": None}
    rows += [
        {**blank, "outstanding": 0, "total_installs": None, "revenue_per_install": None, "is_at_cap": False}
        for _ in range(EMPTY_ROWS)
    ]
    for number, row in enumerate(rows, start=2):
        row["excel_row"] = number
    return rows


def last_row(rows: Sequence[dict[str, Any]]) -> int:
    """The last sheet row that formulas over the tab must reach."""
    return len(rows) + 1


def _is_number(text: str) -> bool:
    return text.replace(",", "").replace(".", "", 1).isdigit()


def _entered(name: str, *layout: Any, **more: Any) -> Column:
    return Column(HEADERS[name], lambda row: row["cells"][name], *layout, **more)


def _computed(name: str, formula: Callable[[dict[str, Any]], Formula], *layout: Any) -> Column:
    return Column(HEADERS[name], formula, *layout)


def _total_installs(row: dict[str, Any]) -> Formula:
    at = row["excel_row"]
    value = row["total_installs"]
    if row["counted"] == "no":
        value = None
    return Formula(f'=IF(COUNT(F{at}:G{at})=0,"",SUM(F{at}:G{at}))', "" if value is None else value)


def _per_install(row: dict[str, Any]) -> Formula:
    at = row["excel_row"]
    value = row["revenue_per_install"]
    return Formula(
        f'=IF(AND(ISNUMBER(D{at}),ISNUMBER(H{at})),IF(H{at}>0,D{at}/H{at},""),"")', "" if value is None else value
    )


def _at_cap(row: dict[str, Any]) -> Formula:
    at = row["excel_row"]
    if math.isinf(row["cap"]):
        return Formula('=""', "")
    return Formula(
        f'=IF(ISNUMBER(D{at}),IF(D{at}>={row["cap"]:g},"{AT_CAP}",""),"")', AT_CAP if row["is_at_cap"] else ""
    )


def _counted(row: dict[str, Any]) -> Formula:
    at = row["excel_row"]
    # As `ingest.revenue` has it: an amount received that is no text, beside a link to a post.
    links = ",".join(f'ISNUMBER(SEARCH("{part}",A{at}))' for part in ("tiktok.com/", "/video/", "/photo/"))
    return Formula(
        f'=IF(COUNTA(A{at}:G{at})+COUNTA(K{at}:S{at})=0,"",IF(AND(NOT(ISTEXT(D{at})),OR({links})),"yes","no"))',
        row["counted"],
    )


def _outstanding(row: dict[str, Any]) -> Formula:
    at = row["excel_row"]
    value = row["outstanding"] if row["counted"] == "yes" else 0
    return Formula(f'=IF(T{at}="yes",MAX(0,N(E{at})-N(D{at})),0)', value)


TRACKER_COLUMNS = (
    _entered("url", 40, is_link=True),
    _entered("account", 20),
    _entered("template_link", 30, is_link=True),
    _entered("received", 12, "#,##0.00", fill=LIGHT_YELLOW),
    _entered("estimated", 12, "#,##0.00", fill=LIGHT_YELLOW),
    _entered("us_eu3_installs", 11, "#,##0", fill=LIGHT_YELLOW),
    _entered("row_installs", 11, "#,##0", fill=LIGHT_YELLOW),
    _computed("total_installs", _total_installs, 11, "#,##0"),
    _computed("revenue_per_install", _per_install, 11, "0.00"),
    _computed("is_at_cap", _at_cap, 10),
    _entered("trend_description", 34),
    _entered("momentum_at_detection", 12, "#,##0"),
    _entered("trigger_level", 12),
    _entered("action_window", 14),
    _entered("market", 12),
    _entered("ai_category", 11),
    _entered("age_at_detection_hours", 11, "0.0"),
    _entered("first_seen_on", 12, "yyyy-mm-dd"),
    _entered("notes", 30),
    Column("Counted", _counted, 9),
    Column("Outstanding ($)", _outstanding, 12, "#,##0.00"),
    Column("Not Counted Because", lambda row: row.get("problem"), 34),
    Column("Same Link as Row", lambda row: row.get("duplicate_of_row"), 11, "0"),
    Column("Trend Key", lambda row: row.get("trend_key"), 28),
    Column("In 30 Days p10 ($)", lambda row: row.get("forecast_p10"), 11, "#,##0"),
    Column("p50 ($)", lambda row: row.get("forecast_p50"), 11, "#,##0"),
    Column("p90 ($)", lambda row: row.get("forecast_p90"), 11, "#,##0"),
    Column("Day of Cap (p50)", lambda row: row.get("cap_on_p50"), 12, "yyyy-mm-dd"),
    Column("Post Date", lambda row: row.get("posted_on"), 12, "yyyy-mm-dd"),
)


def add_tracker(book: Workbook, rows: Sequence[dict[str, Any]]) -> Worksheet:
    """Adds REVENUE_TRACKER: its rows have the numbers of the live sheet's, which notes name, so its header is first."""
    sheet = add_table(book, TRACKER, TRACKER_COLUMNS, rows)
    sheet.freeze_panes = "C2"
    last = last_row(rows)
    sheet.conditional_formatting.add(f"J2:J{last}", FormulaRule(formula=[f'$J2="{AT_CAP}"'], fill=_GREEN))
    sheet.conditional_formatting.add(f"T2:T{last}", FormulaRule(formula=['$T2="no"'], fill=fill("FFCDD2")))
    return sheet


def ranges(rows: Sequence[dict[str, Any]]) -> dict[str, str]:
    """Ranges of REVENUE_TRACKER by column letter, for formulas of other tabs."""
    last = last_row(rows)
    return {letter: f"{TRACKER}!${letter}$2:${letter}${last}" for letter in (*"ADEFGHJKMOPTU", "AC")}


_LEVELS = (
    ("By trigger level", "trigger_level", "M", (("URGENT", "*URGENT*"), ("HIGH", "*HIGH*"), ("WATCH", "*WATCH*"))),
    ("By market", "market", "O", (("BOTH", "*BOTH*"), ("US ONLY", "*US ONLY*"), ("UK ONLY", "*UK ONLY*"))),
    ("By AI category", "ai_category", "P", (("AI", "AI"), ("NON-AI", "NON?AI"))),
)
_REST = {"trigger_level": "NONE", "market": "OTHER", "ai_category": "OTHER"}
_INSIGHT_HEADER = ("", "Templates", "Total Revenue", "Avg Revenue", "Hit Rate", "Cap Rate", "Best Template")


def add_insights(book: Workbook, day: Day, rows: Sequence[dict[str, Any]]) -> Worksheet:
    """Adds REVENUE_INSIGHTS: formulas over REVENUE_TRACKER."""
    sheet = book.create_sheet(INSIGHTS)
    cells = ranges(rows)
    known = {(row["dimension"], row["value"]): row for row in published.revenue_breakdown(day)}
    add_answer(sheet, "What the templates earned, by what was known when they were built", is_title=True)
    write_text(sheet["A2"], f"Over all rows that count, in every market. Revenue: {revenue_line(day)}")
    row = 4
    for title, dimension, letter, values in _LEVELS:
        _header(sheet, row, (title, *_INSIGHT_HEADER[1:]))
        first = row + 1
        for offset, (value, pattern) in enumerate(values):
            _level(sheet, first + offset, value, known.get((dimension, value), {}), cells, letter, pattern)
        _rest(sheet, first, len(values), _REST[dimension], known.get((dimension, _REST[dimension]), {}), cells)
        row = first + len(values) + 2
    _install_lines(sheet, row, day, cells)
    for letter, width in zip("ABCDEFG", (34, 12, 15, 13, 10, 10, 44), strict=True):
        sheet.column_dimensions[letter].width = width
    sheet.freeze_panes = "B4"
    fit_to_page(sheet)
    return sheet


def _header(sheet: Worksheet, row: int, titles: Sequence[str]) -> None:
    for column, title in enumerate(titles, start=1):
        cell = sheet.cell(row=row, column=column)
        write_text(cell, title)
        cell.fill, cell.font = HEADER_FILL, HEADER_FONT
        is_number = 1 < column < len(_INSIGHT_HEADER)
        cell.alignment = Alignment(horizontal="right" if is_number else "left", indent=0 if is_number else 1)


def _level(
    sheet: Worksheet,
    row: int,
    value: str,
    known: dict[str, Any],
    cells: dict[str, str],
    letter: str,
    pattern: str,
) -> None:
    where = f'{cells[letter]},"{pattern}",{cells["T"]},"yes"'
    # Both programs take text with these letters for a match; a best template needs an exact reading of the pattern.
    is_match = (
        f'ISNUMBER(SEARCH("{pattern.strip("*")}",{cells[letter]}))'
        if pattern.startswith("*")
        else f'(LEN({cells[letter]})={len(value)})*ISNUMBER(SEARCH("{pattern}",{cells[letter]}))'
    )
    best = f"_xlfn.MAXIFS({cells['D']},{where})"
    found = f'1/(({cells["D"]}={best})*({cells["T"]}="yes")*{is_match})'
    name = f"LOOKUP(2,{found},{cells['K']})"
    templates = known.get("templates", 0)
    write_text(sheet.cell(row=row, column=1), value)
    formulas: list[tuple[Formula, str | None]] = [
        (Formula(f"=COUNTIFS({where})", templates), "#,##0"),
        (Formula(f"=SUMIFS({cells['D']},{where})", known.get("total_revenue", 0)), MONEY),
        (Formula(f'=IF(B{row}=0,"",C{row}/B{row})', _or_blank(known.get("average_revenue"))), MONEY),
        (
            Formula(f'=IF(B{row}=0,"",COUNTIFS({where},{cells["D"]},">0")/B{row})', _or_blank(known.get("hit_rate"))),
            "0.0%",
        ),
        (
            Formula(
                f'=IF(B{row}=0,"",COUNTIFS({where},{cells["J"]},"{AT_CAP}")/B{row})', _or_blank(known.get("cap_rate"))
            ),
            "0.0%",
        ),
        (
            Formula(
                f'=IF({best}<=0,"",IF({name}="",LOOKUP(2,{found},{cells["A"]}),{name}))',
                _or_blank(known.get("best_template")),
            ),
            None,
        ),
    ]
    for column, (formula, number_format) in enumerate(formulas, start=2):
        put(sheet, row, column, formula, number_format)


def _rest(sheet: Worksheet, first: int, count: int, value: str, known: dict[str, Any], cells: dict[str, str]) -> None:
    """What fits none of the words: all templates less the rows above."""
    row, last = first + count, first + count - 1
    write_text(sheet.cell(row=row, column=1), value)
    hits = f'COUNTIFS({cells["T"]},"yes",{cells["D"]},">0")'
    capped = f'COUNTIFS({cells["T"]},"yes",{cells["J"]},"{AT_CAP}")'

    above = [f"IF(B{at}=0,0,ROUND(B{at}*{{letter}}{at},0))" for at in range(first, row)]
    formulas: list[tuple[Formula, str]] = [
        (Formula(f'=COUNTIF({cells["T"]},"yes")-SUM(B{first}:B{last})', known.get("templates", 0)), "#,##0"),
        (
            Formula(
                f'=ROUND(SUMIFS({cells["D"]},{cells["T"]},"yes")-SUM(C{first}:C{last}),4)',
                round(known.get("total_revenue", 0), 4),
            ),
            MONEY,
        ),
        (Formula(f'=IF(B{row}=0,"",C{row}/B{row})', _or_blank(known.get("average_revenue"))), MONEY),
    ]
    for letter, everything, name in (("E", hits, "hit_rate"), ("F", capped, "cap_rate")):
        less = "+".join(part.format(letter=letter) for part in above)
        text = f'=IF(B{row}=0,"",({everything}-({less}))/B{row})'
        formulas.append((Formula(text, _or_blank(known.get(name))), "0.0%"))
    for column, (formula, number_format) in enumerate(formulas, start=2):
        put(sheet, row, column, formula, number_format)
    # A formula for the best of a rest would be unreadable; it is told as it stands.
    write_text(sheet.cell(row=row, column=7), known.get("best_template") or "")


def _install_lines(sheet: Worksheet, row: int, day: Day, cells: dict[str, str]) -> None:
    installs = published.revenue_installs(day) or {}
    _header(sheet, row, ("Install economics", "Value"))
    earning = f'{cells["D"]},">0"'
    lines: list[tuple[str, Formula, str]] = [
        ("Installs, all", Formula(f"=SUM({cells['H']})", installs.get("total_installs", 0)), "#,##0"),
        (
            "Revenue per install, all",
            Formula(
                f'=IF(SUM({cells["H"]})=0,"",SUM({cells["D"]})/SUM({cells["H"]}))',
                _or_blank(installs.get("revenue_per_install")),
            ),
            "$0.00",
        ),
        (
            "Revenue per install, earning only",
            Formula(
                f'=IF(SUMIFS({cells["H"]},{earning})=0,"",SUMIFS({cells["D"]},{earning})/SUMIFS({cells["H"]},{earning}))',
                _or_blank(installs.get("revenue_per_install_earning")),
            ),
            "$0.00",
        ),
        (
            "US & EU3 share",
            Formula(
                f'=IF(SUM({cells["H"]})=0,"",SUM({cells["F"]})/SUM({cells["H"]}))',
                _or_blank(installs.get("us_eu3_share")),
            ),
            "0.0%",
        ),
        (
            "Min installs to cap",
            Formula(
                f'=IF(COUNTIF({cells["J"]},"{AT_CAP}")=0,"",_xlfn.MINIFS({cells["H"]},{cells["J"]},"{AT_CAP}"))',
                _or_blank(installs.get("minimum_installs_at_cap")),
            ),
            "#,##0",
        ),
    ]
    for offset, (label, formula, number_format) in enumerate(lines, start=1):
        write_text(sheet.cell(row=row + offset, column=1), label)
        put(sheet, row + offset, 2, formula, number_format)


def _of(name: str) -> Any:
    return lambda row: row.get(name)


def _sum(letter: str, name: str) -> Any:
    """A sum over the rows of a line's day, or of all: SUBTOTAL leaves out the sums among them, and hidden rows stay."""

    def value(row: dict[str, Any]) -> Any:
        if "sums" not in row:
            return row[name]
        return Formula(f"=SUBTOTAL(9,{letter}{row['first']}:{letter}{row['last']})", _or_blank(row["sums"][name]))

    return value


def _share(row: dict[str, Any]) -> Any:
    at = row["excel_row"]
    return Formula(f'=IF(N(G{at})>0,E{at}/G{at},"")', _or_blank(row.get("sums", row)["revenue_per_install"]))


PAYMENT_COLUMNS = (
    Column("Post Date", lambda row: row.get("label") or row["posted_on"], 16, "yyyy-mm-dd"),
    Column("Account", _of("account"), 20),
    Column("Trend Description", _of("trend_description"), 34),
    Column("TikTok URL", _of("url"), 40, is_link=True),
    Column("Received ($)", _sum("E", "received"), 13, MONEY),
    Column("Outstanding ($)", _sum("F", "outstanding"), 13, MONEY),
    Column("Total Installs", _sum("G", "installs"), 11, "#,##0"),
    Column("Rev/Install", _share, 11, "$0.00"),
    Column("At Cap?", lambda row: AT_CAP if row.get("is_at_cap") else None, 10),
    Column("Template Link", _of("template_link"), 40, is_link=True),
    Column("Trend Key", _of("trend_key"), 28),
    Column("Row of the Sheet", _of("sheet_row"), 9, "0"),
)


def add_payments(book: Workbook, day: Day) -> Worksheet:
    """Adds PAYMENTS: what came in, day by day with a sum of each, the newest first; details fold away."""
    rows: list[dict[str, Any]] = []
    found = published.payments(day)
    for sums in published.revenue_days(day):
        first, name = FIRST_ROW + len(rows), sums["posted_on"] or "no day known"
        rows += [row for row in found if row["posted_on"] == sums["posted_on"]]
        rows.append({"label": f"{name}, sum", "sums": sums, "first": first, "last": FIRST_ROW + len(rows) - 1})
    if rows:
        last = FIRST_ROW + len(rows) - 1
        rows.append({"label": "TOTAL", "sums": published.revenue_total(day), "first": FIRST_ROW, "last": last})
    for number, row in enumerate(rows, start=FIRST_ROW):
        row["excel_row"] = number
    sheet = add_table(
        book, PAYMENTS, PAYMENT_COLUMNS, rows,
        answers="What came in for the posts of each day, with the day's sum: Post Date as entered, else Date First"
        " Seen. The - beside the rows folds a day.",
        cell_fill=lambda row, column: LIGHT_YELLOW if "sums" in row else None,
        empty_note="no payment was entered by this date",
    )  # fmt: skip
    for row in rows:
        # Dates would stand against the accounts at their right.
        sheet.cell(row=row["excel_row"], column=1).alignment = Alignment(horizontal="left")
        if "sums" not in row:
            sheet.row_dimensions[row["excel_row"]].outlineLevel = 1
            continue
        for column in range(1, len(PAYMENT_COLUMNS) + 1):
            sheet.cell(row=row["excel_row"], column=column).font = LABEL_FONT
    sheet.freeze_panes = f"B{FIRST_ROW}"
    # A filter would hide rows out of their day.
    sheet.auto_filter.ref = None
    return sheet


def _growth(row: dict[str, Any]) -> Any:
    at = row["excel_row"]
    if row["previous_revenue"] is None:
        return None
    return Formula(f'=IF(N(C{at - 1})>0,C{at}/C{at - 1}-1,"")', _or_blank(row["growth"]))


def _so_far(row: dict[str, Any]) -> Formula:
    return Formula(f"=SUM(C${FIRST_ROW}:C{row['excel_row']})", row["revenue_so_far"])


MONTH_COLUMNS = (
    Column("Month", lambda row: f"{row['month']:%Y-%m}", 12),
    Column("Templates", _of("templates"), 11, "#,##0"),
    Column("Received ($)", _of("total_revenue"), 14, MONEY),
    Column("Growth", _growth, 11, "+0.0%;-0.0%;0.0%"),
    Column("Received So Far ($)", _so_far, 14, MONEY),
    Column("Hits", _of("hits"), 8, "#,##0"),
    Column("Hit Rate", _of("hit_rate"), 10, "0.0%"),
    Column("At Cap", _of("templates_at_cap"), 8, "#,##0"),
    Column("Cap Rate", _of("cap_rate"), 10, "0.0%"),
    Column("Installs", _of("installs"), 11, "#,##0"),
    Column("", lambda row: None if row["is_over"] else "the month is not over", 22),
)


def add_months(book: Workbook, day: Day) -> Worksheet:
    """Adds MONTHLY_REVENUE: what came in by month, and how it grows."""
    rows = published.revenue_months(day)
    for number, row in enumerate(rows, start=FIRST_ROW):
        row["excel_row"] = number
    sheet = add_table(
        book, MONTHLY, MONTH_COLUMNS, rows,
        answers="What came in by month of the post, and its growth over the month before.",
        empty_note="no revenue was entered by this date",
    )  # fmt: skip
    sheet.freeze_panes = f"B{FIRST_ROW}"
    return sheet


def _or_blank(value: Any) -> Any:
    return "" if value is None else value
