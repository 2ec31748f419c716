"""BUILD_TODAY_<market>_ENHANCED: eight tabs on what to build now, what it earns and who competes; four more.

Belongs here: tabs, columns, KPI formulas and charts of these files, to the letter of what users know; new columns stand
at the right, new sections below. Must not be here: which rows qualify (`published`), the revenue tabs (`revenue_tabs`),
the nine competitor sections (`competitor_intel`).

Every KPI is a live formula over the other tabs and carries the value it has now.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from openpyxl.chart import BarChart, LineChart, Reference
from openpyxl.chart.legend import Legend
from openpyxl.formatting.rule import CellIsRule, ColorScaleRule, FormulaRule, Rule
from openpyxl.styles import Alignment
from openpyxl.utils import get_column_letter
from openpyxl.workbook import Workbook
from openpyxl.worksheet.worksheet import Worksheet

from exports import published
from exports.published import Day
from exports.text import build_list, score_lines
from exports.text.lines import health_lines, one_line, revenue_line, sample_lines, score_notes
from exports.workbooks import trend_tabs
from exports.workbooks.build_today import age_cell
from exports.workbooks.competitor_intel import IntelRanges, add_intel
from exports.workbooks.revenue_tabs import (
    MONEY,
    add_insights,
    add_months,
    add_payments,
    add_tracker,
    ranges,
    tracker_rows,
)
from exports.workbooks.workbook import (
    FIRST_ROW,
    GOLD,
    GREY,
    HEADER_FILL,
    HEADER_FONT,
    HEADER_ROW,
    LABEL_FONT,
    ROUND_COUNT,
    STATUS_FILLS,
    Column,
    Formula,
    add_answer,
    add_table,
    fill,
    fit_to_page,
    new_workbook,
    put,
    to_bytes,
)
from services.text_safety import write_text
from warehouse.labels import AT_CAP, BOTH_MARKETS, IMMEDIATELY, SPIKING, TODAY, URGENT

SCORED_DAYS_SHOWN = 14
NOT_SCORED = "not scored yet"
RED, GREEN, AMBER = fill("FFCDD2"), fill("C8E6C9"), fill("FFE0B2")
MISSED, BOTH, BEAT = "MISSED_BY_YOU", "BOTH_CAUGHT", "BEAT_THEM"

# Suggestions of the prediction log: a day with fewer scored forecasts says too little; shares in percent.
_ENOUGH, _BIAS_LIMIT, _COVERAGE_LOW, _COVERAGE_HIGH = 20, 15.0, 70.0, 92.0


def _of(name: str) -> Any:
    return lambda row: row[name]


def _day(name: str) -> Any:
    return lambda row: row[name].isoformat() if isinstance(row[name], date) else None


def _moment(name: str) -> Any:
    return lambda row: f"{row[name]:%Y-%m-%d %H:%M}" if row[name] is not None else None


def hours_left(row: dict[str, Any]) -> float:
    """Hours from the cut-off until it must be out."""
    return float((row["publish_by"] - row["cutoff_at"]).total_seconds() / 3600)


# Those that nobody needs to decide are folded: the first screen shows what, by when, how often and how much.
OPPORTUNITY_COLUMNS = (
    Column("Priority", _of("place"), 8),
    Column("Build Priority", _of("build_priority"), 22),
    Column("Time Zone", _of("time_zone_label"), 10, is_folded=True),
    Column("Time Remaining", lambda row: age_cell(hours_left(row)), 10),
    Column("Trend", lambda row: one_line(row["caption"] or row["trend_name"]), 34),
    Column("Creator", _of("author_handle"), 16, is_folded=True),
    Column("Momentum", _of("momentum_score"), 12, "#,##0"),
    Column("Opportunity Score", _of("opportunity_score"), 11, "#,##0", is_folded=True),
    Column("Age", lambda row: age_cell(row["age_hours"], row["age_is_lower_bound"]), 8, is_folded=True),
    Column("Market", _of("market_label"), 12),
    Column("Seasonal", _of("seasonal_event"), 12, is_folded=True),
    Column("Previously Built", lambda row: "✅" if row["previously_built"] else None, 10, is_folded=True),
    Column("URL", _of("video_url"), 14, is_link=True),
    Column("Action Window", _of("action_window"), 13, is_folded=True),
    Column("Trajectory", _of("trajectory"), 14, is_folded=True),
    Column("Recommended Variants", _of("variants"), 14, "0"),
    Column("Stop Building", lambda row: "STOP" if row["stop_reason"] else None, 6, is_folded=True),
    Column("Stop Reason", _of("stop_reason"), 6, is_folded=True),
    Column("Next 24h Views p10", _of("gain_24h_p10"), 11, "#,##0", is_folded=True),
    Column("p50", _of("gain_24h_p50"), 11, "#,##0", is_folded=True),
    Column("p90", _of("gain_24h_p90"), 11, "#,##0", is_folded=True),
    Column("Window Left (h)", _of("window_left_hours"), 8, "0.0", is_folded=True),
    Column("Trend Key", _of("trend_key"), 24, is_folded=True),
    Column("Built Before", _of("previously_built_url"), 20, is_link=True, is_folded=True),
    Column("Publish By (UTC)", _moment("publish_by"), 17),
    Column("Publish By (market)", lambda row: build_list.publish_by(row), 36, is_folded=True),
    Column("Views Still To Come p10", _of("gain_48h_p10"), 11, ROUND_COUNT),
    Column("Views Still To Come p50", _of("gain_48h_p50"), 11, ROUND_COUNT),
    Column("Views Still To Come p90", _of("gain_48h_p90"), 11, ROUND_COUNT),
    Column("Confidence", _of("confidence"), 11),
    Column("Because", _of("because"), 60),
    Column("Would Change If", _of("would_change_if"), 60),
    Column("Trend Name", lambda row: one_line(row["trend_name"]), 40),
    Column("Trend Link", _of("trend_url"), 40, is_link=True),
    Column("Template Link", _of("template_url"), 40, is_link=True),
    Column("Sound Link", _of("sound_url"), 40, is_link=True),
    Column("Despite", _of("despite"), 60),
    Column("Classic Window", _of("classic_action_window"), 15),
)

COMPETITOR_VIEW_COLUMNS = (
    Column("Date", _day("as_of_date"), 12),
    Column("Competitor", _of("account"), 20),
    Column("Trend", lambda row: one_line(row["trend"]), 50),
    Column("Competitor Momentum", _of("competitor_momentum"), 12, "#,##0"),
    Column("Your Momentum", _of("your_momentum"), 12, "#,##0"),
    Column("Competitor Shares/h", _of("competitor_shares_per_hour"), 12, "#,##0.0"),
    Column("Market", _of("market"), 9),
    Column("Gap Type", _of("gap_type"), 17),
    Column("Hours Behind", _of("hours_behind"), 10, "+0.0;-0.0;0.0"),
    Column("Est. Missed Revenue ($)", _of("missed_revenue_p50"), 13, "#,##0"),
    Column("AI Category", _of("ai_category"), 11),
    Column("URL", _of("url"), 40, is_link=True),
    Column("Missed Low ($)", _of("missed_revenue_p10"), 11, "#,##0"),
    Column("Missed High ($)", _of("missed_revenue_p90"), 11, "#,##0"),
    Column("Trend Key", _of("trend_key"), 28),
    Column("Their First Post (UTC)", _moment("competitor_first_post_at"), 17),
    Column("Your First Post (UTC)", _moment("your_first_post_at"), 17),
    Column("Your URL", _of("your_url"), 56, is_link=True),
)

PREDICTION_COLUMNS = (
    Column("Date", _day("as_of_date"), 12),
    Column("Trends Tracked", _of("n"), 10, "#,##0"),
    Column("Direction Accuracy %", _of("direction_accuracy"), 12, "0.0"),
    Column("Bias", _of("bias"), 9, "+0.0;-0.0;0.0"),
    Column("MAPE %", _of("mape"), 9, "0.0"),
    Column("Correct Builds", _of("correct_builds"), 9, "0"),
    Column("False Positives", _of("false_positives"), 10, "0"),
    Column("Missed Opportunities", _of("missed"), 13, "0"),
    Column("Correct Skips", _of("correct_skips"), 9, "0"),
    Column("Tuning Suggestion", lambda row: suggestion(row), 60),
    Column("WAPE of Gain %", _of("wape"), 10, "0.0"),
    Column("Naive WAPE %", _of("naive_wape"), 10, "0.0"),
    Column("Precision@20", _of("precision_at_20"), 13, "0.00"),
    Column("Naive Precision@20", _of("naive_precision_at_20"), 13, "0.00"),
    Column("80 % Coverage", _of("coverage"), 10, "0.0"),
    Column("n", _of("n"), 8, "#,##0"),
    # What the scorecard said on that day: a mean over its days, of all that was told.
    Column("Scorecard Record", lambda row: row["said_record"], 13),
    Column("28-Day Direction %", lambda row: said(row, "direction_accuracy"), 12, "0.0"),
    Column('"Everything Slows" %', lambda row: said(row, "slowed_share"), 12, "0.0"),
    Column("28-Day Bias %", lambda row: said(row, "bias"), 10, "+0.0;-0.0;0.0"),
    Column("28-Day Error %", lambda row: said(row, "score"), 10, "0.0"),
    Column("Best Naive Error %", lambda row: said(row, "twin_score"), 10, "0.0"),
    Column("28-Day Skill %", lambda row: said(row, "skill"), 10, "+0.0;-0.0;0.0"),
    Column("Made", _of("said_made"), 9, "#,##0"),
    Column("Due", _of("said_due"), 9, "#,##0"),
    Column("Scored", _of("said_scored"), 9, "#,##0"),
    Column("Scorecard Line", lambda row: said_line(row), 80),
)


def said(row: dict[str, Any], name: str) -> float | str | None:
    """A score of the scorecard in percent, as it was told on the row's day; in words where too few were scored."""
    told = row["told"]
    if told is None:
        return None
    if not told["is_enough"]:
        return score_lines.NOT_ENOUGH
    return None if told[name] is None else 100 * told[name]


def said_line(row: dict[str, Any]) -> str:
    """The line that every output of the row's day has (of the row's market)."""
    if row["told"] is None or not row["said_due"]:
        return score_lines.NOT_SCORED
    return score_lines.forecast_line(row["told"])


def predictions(day: Day, market: str | None) -> list[dict[str, Any]]:
    """Rows of PREDICTION_LOG, each with `told`: the scorecard's row as its day told it, None where there is none."""
    rows = []
    for row in published.prediction_log(day, market):
        record = {name.removeprefix("said_"): value for name, value in row.items() if name.startswith("said_")}
        told = score_lines.on_everybody({**record, "kind": "forecast", "as_of_date": row["as_of_date"]})
        rows.append({**row, "told": told if row["said_record"] else None})
    return rows


DATA_FEED_COLUMNS = (
    Column("Date", _day("as_of_date"), 13),
    Column("Account", _of("account"), 20),
    Column("Trend", lambda row: one_line(row["trend"]), 50),
    Column("Age", lambda row: age_cell(row["age_hours"]), 13),
    Column("Momentum", _of("momentum_score"), 13, "#,##0.0"),
    Column("Status", _of("status"), 13),
    Column("Market", _of("market_label"), 13),
    Column("Views/h", _of("views_per_hour"), 13, "#,##0"),
    Column("Shares/h", _of("shares_per_hour"), 13, "#,##0.0"),
    Column("BUILD_NOW", _of("build_now"), 13),
    Column("TikTok URL", _of("url"), 40, is_link=True),
    Column("TUTORIAL_TRIGGER", _of("tutorial_trigger"), 13),
    Column("URGENCY", _of("urgency"), 13),
    Column("Trigger Reason", _of("trigger_reason"), 34),
    Column("AI Category", _of("ai_category"), 13),
    Column("Opportunity Score", _of("opportunity_score"), 13, "#,##0"),
    Column("Time Zone", _of("time_zone_label"), 13),
    Column("Build Priority", _of("build_priority"), 13),
    Column("Seasonal Event", _of("seasonal_event"), 22),
)


@dataclass(frozen=True, slots=True)
class Contents:
    """The rows that the tabs and the KPIs share.

    Attributes:
        market: Market code, None for all.
        tracker: Rows of REVENUE_TRACKER with its empty ones.
        opportunities: Rows of OPPORTUNITY_NOW: the build list, the same in every file.
        gaps: Rows of COMPETITOR_VIEW.
        predictions: Rows of PREDICTION_LOG.
        own_posts: Rows of DATA_FEED.
        greyed: Titles of the columns whose labels are not better than a guess.
    """

    market: str | None
    tracker: list[dict[str, Any]]
    opportunities: list[dict[str, Any]]
    gaps: list[dict[str, Any]]
    predictions: list[dict[str, Any]]
    own_posts: list[dict[str, Any]]
    greyed: frozenset[str]


def enhanced(day: Day, market: str | None = None) -> bytes:
    """The enhanced workbook of a market, or of all of them.

    Args:
        day: The published day.
        market: Market code, None for the combined file.

    Returns:
        The file; byte-identical for equal marts.
    """
    contents = Contents(
        market,
        tracker_rows(day),
        published.build_list(day),
        published.competitor_gaps(day, market),
        predictions(day, market),
        [row for row in published.my_performance(day).dicts() if market in (None, row["market"])],
        frozenset(score_lines.greyed_labels(published.scorecard(day))),
    )
    book = new_workbook()
    sheet = book.create_sheet("DASHBOARD")
    _opportunity_now(book, day, contents)
    add_tracker(book, contents.tracker)
    add_insights(book, day, contents.tracker)
    _competitor_view(book, contents)
    _prediction_log(book, contents)
    _data_feed(book, contents)
    intel = add_intel(book, day, market)
    trend_tabs.add_tabs(book, day, market)
    add_payments(book, day)
    add_months(book, day)
    _dashboard(sheet, day, contents, intel)
    return to_bytes(book)


def suggestion(row: dict[str, Any]) -> str:
    """What a scored day says about the settings, in one sentence."""
    if row["n"] < _ENOUGH or row["bias"] is None:
        return f"{row['n']} scored forecasts: too few to judge"
    parts = []
    if abs(row["bias"]) > _BIAS_LIMIT:
        side = "high" if row["bias"] > 0 else "low"
        parts.append(f"forecasts were {abs(row['bias']):.0f} % too {side}: read p50 with that in mind")
    if row["coverage"] is not None and row["coverage"] < _COVERAGE_LOW:
        parts.append("ranges were too narrow: plan with p10")
    if row["coverage"] is not None and row["coverage"] > _COVERAGE_HIGH:
        parts.append("ranges were wider than needed")
    if None not in (row["naive_wape"], row["wape"]) and row["wape"] > row["naive_wape"]:
        parts.append("the last gain would have told amounts better: trust the ranking, not the amounts")
    return "; ".join(parts) or "keep the settings"


def _opportunity_now(book: Workbook, day: Day, contents: Contents) -> None:
    rows = contents.opportunities
    greyed = contents.greyed
    sheet = add_table(
        book, "OPPORTUNITY_NOW", OPPORTUNITY_COLUMNS, rows,
        answers=f"What to build now, in this order: {build_list.counted(rows)}. The + above the columns shows the rest"
        " of them (score, creator, age, season ...).",
        cell_fill=lambda row, column: (
            GREY if column in greyed else GOLD if column == "Market" and row["market_label"] == BOTH_MARKETS else None
        ),
        empty_note="nothing to build: no decision of the day says so",
    )  # fmt: skip
    last = _last_row(len(rows))
    if rows:
        for below, text in enumerate((build_list.LEGEND, build_list.changes(day)), start=2):
            write_text(sheet.cell(row=last + below, column=1), text)
    sheet.freeze_panes = f"C{FIRST_ROW}"
    # What is read first fits a printed page, as it does a screen.
    titles = [column.title for column in OPPORTUNITY_COLUMNS]
    sheet.print_area = f"A1:{get_column_letter(titles.index('Because') + 1)}{last + 4}"
    # Titles of three words in narrow columns.
    sheet.row_dimensions[HEADER_ROW].height = 48
    where = f"B{FIRST_ROW}:B{last}"
    for label, colour in ((IMMEDIATELY, RED), (TODAY, AMBER)):
        sheet.conditional_formatting.add(where, FormulaRule(formula=[f'$B{FIRST_ROW}="{label}"'], fill=colour))
    sheet.conditional_formatting.add(f"G{FIRST_ROW}:H{last}", _scale())


def _competitor_view(book: Workbook, contents: Contents) -> None:
    sheet = add_table(
        book, "COMPETITOR_VIEW", COMPETITOR_VIEW_COLUMNS, contents.gaps,
        answers="Which trends of seven days competitors are on: "
        + ", ".join(
            f"{sum(row['gap_type'] == gap for row in contents.gaps)} {text}"
            for gap, text in ((MISSED, "missed by you"), (BOTH, "caught by both"), (BEAT, "where you were first"))
        ) + ".",
        empty_note="no competitor posted on a shared trend in seven days",
    )  # fmt: skip
    sheet.freeze_panes = f"D{FIRST_ROW}"
    where = f"H{FIRST_ROW}:H{_last_row(len(contents.gaps))}"
    for gap, colour in ((MISSED, RED), (BOTH, AMBER), (BEAT, GREEN)):
        sheet.conditional_formatting.add(where, FormulaRule(formula=[f'$H{FIRST_ROW}="{gap}"'], fill=colour))


def _prediction_log(book: Workbook, contents: Contents) -> None:
    sheet = add_table(
        book, "PREDICTION_LOG", PREDICTION_COLUMNS, contents.predictions,
        answers="How good the forecasts and the build decisions were, day by day, beside a naive forecast. The columns"
        " from Scorecard Record on are means over 28 days of all that was told.",
        empty_note="no forecast was scored yet: the first one is a day after the first run",
    )  # fmt: skip
    last = _last_row(len(contents.predictions))
    sheet.conditional_formatting.add(f"C{FIRST_ROW}:C{last}", _scale())
    where = f"D{FIRST_ROW}:D{last}"
    sheet.conditional_formatting.add(where, CellIsRule("greaterThan", [f"{_BIAS_LIMIT:g}"], fill=AMBER))
    sheet.conditional_formatting.add(where, CellIsRule("lessThan", [f"-{_BIAS_LIMIT:g}"], fill=AMBER))
    if contents.predictions:
        write_text(
            sheet.cell(row=last + 2, column=1),
            "Forecasts of the next 24 h against what was observed, in percent of the gain; naive: the last gain goes"
            " on. Builds are judged 48 h later: right in the top fifth of their market and day.",
        )


def _data_feed(book: Workbook, contents: Contents) -> None:
    sheet = add_table(
        book, "DATA_FEED", DATA_FEED_COLUMNS, contents.own_posts,
        answers="How your own posts in the day's feeds do: the rows that the dashboard counts.",
        cell_fill=lambda row, column: (
            GREY if column in contents.greyed else STATUS_FILLS.get(row["status"]) if column == "Status" else None
        ),
        empty_note="no own post in the day's feeds: own accounts stand in seeds/accounts.csv",
    )  # fmt: skip
    sheet.freeze_panes = f"D{FIRST_ROW}"
    sheet.conditional_formatting.add(f"E{FIRST_ROW}:E{_last_row(len(contents.own_posts))}", _scale())


def _scale() -> Rule:
    return ColorScaleRule(start_type="min", start_color="FFFFFF", end_type="max", end_color="9BD3A0")


# ---------- the dashboard


def _dashboard(sheet: Worksheet, day: Day, contents: Contents, intel: IntelRanges) -> None:
    scope = contents.market or "COMBINED"
    add_answer(sheet, f"TikTok Trend System - {scope} - {day.as_of_date}", is_title=True)
    write_text(
        sheet["A2"],
        f"What to build, what it earns, who competes. As of {day.cutoff_at:%Y-%m-%d %H:%M} UTC."
        f" Revenue: {revenue_line(day)}",
    )
    row = 4
    for title, lines in _kpis(day, contents, intel):
        row = _section_title(sheet, row, title)
        for label, formula, number_format, note in lines:
            write_text(sheet.cell(row=row, column=1), label)
            sheet.cell(row=row, column=1).font = LABEL_FONT
            cell = put(sheet, row, 2, formula, number_format)
            cell.alignment = Alignment(horizontal="left")
            write_text(sheet.cell(row=row, column=3), note)
            if label == "You Missed":
                sheet.conditional_formatting.add(f"B{row}", CellIsRule("greaterThan", ["0"], fill=RED))
            if label in ("Build NOW", "Templates at Cap"):
                sheet.conditional_formatting.add(f"B{row}", CellIsRule("greaterThan", ["0"], fill=GREEN))
            row += 1
        row += 1
    row = _lines(sheet, row, "📅 SEASONAL ALERTS", _seasonal(day))
    row = _lines(sheet, row + 1, "How to use", _HOW_TO_USE)
    row = _lines(
        sheet,
        row + 1,
        "Data behind the numbers",
        [f"{label}: {text}" for label, text in (*sample_lines(day), *health_lines(day), *score_notes(day))],
    )
    _charts(sheet, row + 1, _what_to_build(sheet, day, contents) + 1, day, contents)
    for letter, width in zip("ABCD", (24, 18, 62, 14), strict=True):
        sheet.column_dimensions[letter].width = width
    sheet.freeze_panes = "A4"
    fit_to_page(sheet)
    # A chart over the edge of a page would be cut.
    sheet.page_setup.fitToHeight = 1


# Where the builds and the charts stand, beside the sections that users know, and rows of a build's line.
_BESIDE, _BESIDE_TO, _BUILD_ROWS = "E", "O", 3


def _what_to_build(sheet: Worksheet, day: Day, contents: Contents) -> int:
    """The first builds, in the first screen beside the figures; returns the row below."""
    rows = contents.opportunities
    lines = [build_list.line(row) for row in rows[: build_list.TOP]] or ["Nothing: no decision of the day says so."]
    row = 4
    sheet.merge_cells(f"{_BESIDE}{row}:{_BESIDE_TO}{row}")
    title = sheet[f"{_BESIDE}{row}"]
    write_text(title, "What to build")
    title.fill, title.font = HEADER_FILL, HEADER_FONT
    row += 1
    for line, height in (*((line, _BUILD_ROWS) for line in lines), (build_list.changes(day), 1)):
        sheet.merge_cells(f"{_BESIDE}{row}:{_BESIDE_TO}{row + height - 1}")
        cell = sheet[f"{_BESIDE}{row}"]
        write_text(cell, line)
        cell.alignment = Alignment(wrap_text=True, vertical="top")
        row += height
    return row


_HOW_TO_USE = (
    "Start with OPPORTUNITY_NOW from the top: what to build, how many variants, and for how long the window is open.",
    "COMPETITOR_VIEW: MISSED_BY_YOU are shared trends a competitor is on and you are not.",
    "Enter revenue in the live sheet's REVENUE_TRACKER: this copy shows it, the figures above follow the formulas.",
    "PREDICTION_LOG: how good the forecasts were, beside a naive one. Where a naive one is better, it says so.",
)

Line = tuple[str, Formula, str | None, str]


def _kpis(day: Day, contents: Contents, intel: IntelRanges) -> list[tuple[str, list[Line]]]:
    cells = ranges(contents.tracker)
    totals: dict[str, Any] = next(
        (row for row in published.revenue_breakdown(day) if row["dimension"] == "all"), {"templates": 0}
    )
    templates = f'COUNTIF({cells["T"]},"yes")'
    hits = f'COUNTIFS({cells["T"]},"yes",{cells["D"]},">0")'
    outstanding = sum(row["outstanding"] or 0 for row in contents.tracker if row["counted"] == "yes")
    average = totals.get("average_revenue")
    hit_rate = totals.get("hit_rate")
    builds = [row["build_priority"] for row in contents.opportunities]
    builds_at = _column("OPPORTUNITY_NOW", "B", len(contents.opportunities))
    feed = {letter: _column("DATA_FEED", letter, len(contents.own_posts)) for letter in "BFM"}
    gaps_at = _column("COMPETITOR_VIEW", "H", len(contents.gaps))
    rivals = sum(row["role"] == "competitor" for row in published.posting_log(day, contents.market))
    return [
        (
            "💰 REVENUE",
            [
                ("Total Revenue", Formula(f"=SUM({cells['D']})", totals.get("total_revenue", 0)), MONEY,
                 "received, all rows of REVENUE_TRACKER that count"),
                ("Templates at Cap", Formula(f'=COUNTIF({cells["J"]},"{AT_CAP}")', totals.get("templates_at_cap", 0)),
                 "0", "earned the most a template can: at least that much was wanted"),
                ("Hit Rate", Formula(f'=IF({templates}=0,"",{hits}/{templates})', "" if hit_rate is None else hit_rate),
                 "0.0%", "share of templates that earned"),
                ("Avg Rev/Template", Formula(f'=IF({templates}=0,"",SUM({cells["D"]})/{templates})',
                                             "" if average is None else average), MONEY, "over all templates"),
                ("Outstanding", Formula(f"=SUM({cells['U']})", outstanding), MONEY, "estimated and not yet received"),
            ],
        ),
        (
            "🎯 TODAY",
            [
                ("Build NOW", Formula(f'=COUNTIF({builds_at},"{IMMEDIATELY}")', builds.count(IMMEDIATELY)), "0",
                 "at the right; links in OPPORTUNITY_NOW"),
                ("Build Today", Formula(f'=COUNTIF({builds_at},"{TODAY}")', builds.count(TODAY)), "0",
                 "OPPORTUNITY_NOW"),
                ("URGENT", _count(feed["M"], URGENT, contents.own_posts, "urgency"), "0", "own posts, DATA_FEED"),
                ("SPIKING", _count(feed["F"], SPIKING, contents.own_posts, "status"), "0", "own posts, DATA_FEED"),
                ("Your Posts", _rows_counted(feed["B"], len(contents.own_posts)), "0",
                 "DATA_FEED: a post in both feeds stands once per market"),
            ],
        ),
        (
            "⚔️ COMPETITOR & MODEL",
            [
                ("You Missed", _count(gaps_at, MISSED, contents.gaps, "gap_type"), "0",
                 "trends of a competitor without a post of yours, COMPETITOR_VIEW"),
                ("Competitor Posts", Formula(f'=COUNTIF({intel.role},"competitor")', rivals), "0",
                 "in seven days, posting log of COMPETITOR_INTEL"),
                ("Prediction Accuracy", _last("28-Day Direction %", contents.predictions, "direction_accuracy"),
                 '0.0"%"', "direction of 28 days, last row of PREDICTION_LOG; \"everything slows\" stands beside it"),
                ("Model Bias", _last("28-Day Bias %", contents.predictions, "bias"), '+0.0"%";-0.0"%";0.0"%"',
                 "bias of 28 days, last row of PREDICTION_LOG: above zero the forecasts were too high"),
            ],
        ),
    ]  # fmt: skip


def _column(tab: str, letter: str, rows: int) -> str:
    return f"{tab}!${letter}${FIRST_ROW}:${letter}${_last_row(rows)}"


def _last_row(rows: int) -> int:
    """The last sheet row of a table, or where its note stands that there are none."""
    return FIRST_ROW - 1 + max(rows, 1)


def _count(where: str, label: str, rows: Sequence[dict[str, Any]], name: str) -> Formula:
    return Formula(f'=COUNTIF({where},"{label}")', sum(row[name] == label for row in rows))


def _rows_counted(where: str, rows: int) -> Formula:
    return Formula(f"=COUNTA({where})", rows)


def _last(title: str, rows: Sequence[dict[str, Any]], name: str) -> Formula:
    """What the last row of the prediction log says in a column."""
    value = said(rows[-1], name) if rows else None
    if value is None:
        return Formula(f'="{NOT_SCORED}"', NOT_SCORED)
    letter = get_column_letter([column.title for column in PREDICTION_COLUMNS].index(title) + 1)
    return Formula(f"=PREDICTION_LOG!${letter}${_last_row(len(rows))}", value)


def _seasonal(day: Day) -> list[str]:
    lines = [
        f"{row['emoji']} {row['name']} - {row['event_date']} ({row['markets']}), {row['window_text']}"
        + (" - sombre: no commercial templates" if row["tone"] == "sombre" else "")
        for row in published.seasonal(day)
        if not row["is_over"]
    ]
    return lines or ["no event within its lead time"]


def _section_title(sheet: Worksheet, row: int, title: str) -> int:
    for column in (1, 2, 3):
        sheet.cell(row=row, column=column).fill = HEADER_FILL
    write_text(sheet.cell(row=row, column=1), title)
    sheet.cell(row=row, column=1).font = HEADER_FONT
    return row + 1


def _lines(sheet: Worksheet, row: int, title: str, lines: Sequence[str]) -> int:
    row = _section_title(sheet, row, title)
    for line in lines:
        cell = sheet.cell(row=row, column=1)
        write_text(cell, line)
        sheet.merge_cells(start_row=row, start_column=1, end_row=row, end_column=3)
        cell.alignment = Alignment(wrap_text=True, vertical="top")
        # Three columns hold about 120 characters.
        sheet.row_dimensions[row].height = 15 * (1 + len(line) // 120)
        row += 1
    return row


def _charts(sheet: Worksheet, row: int, beside: int, day: Day, contents: Contents) -> None:
    """Three charts at the right, from the row `beside` on; the cells they draw stand below everything else."""
    cells = ranges(contents.tracker)
    row = _section_title(sheet, row, "Figures of the charts")
    months = published.revenue_months(day)
    first = _figures(sheet, row, ("Month", "Revenue ($)"), [
        (f"{month['month']:%Y-%m}", Formula(_month_sum(cells, month["month"]), month["total_revenue"]))
        for month in months
    ])  # fmt: skip
    _bar(sheet, f"{_BESIDE}{beside}", "Revenue by month of the template ($)", first, len(months), 1)
    row = first + max(len(months), 1) + 1
    scored = [item for item in contents.predictions if item["n"] and item["forecast_gain"] is not None]
    scored = scored[-SCORED_DAYS_SHOWN:]
    first = _figures(sheet, row, ("Scored day", "Forecast gain", "Observed gain"), [
        (item["as_of_date"].isoformat(), item["forecast_gain"], item["actual_gain"]) for item in scored
    ])  # fmt: skip
    _line_chart(sheet, f"{_BESIDE}{beside + 16}", "Forecast against actual: views gained in 24 h", first, len(scored))
    row = first + max(len(scored), 1) + 1
    accounts = published.competitor_section(day, "competitor_summary", contents.market)
    voices = [item for item in accounts if not item["is_total"]]
    voices.sort(key=lambda item: (-item["plays"], item["account"]))
    first = _figures(sheet, row, ("Account", "Plays (week)", "Posts"), [
        (item["account"], item["plays"], item["posts"]) for item in voices
    ])  # fmt: skip
    _bar(
        sheet,
        f"{_BESIDE}{beside + 32}",
        "Share of voice: plays of the week's posts",
        first,
        len(voices),
        1,
        is_horizontal=True,
    )


def _month_sum(cells: dict[str, str], month: date) -> str:
    following = date(month.year + month.month // 12, month.month % 12 + 1, 1)
    where = (
        f'{cells["AC"]},">="&DATE({month.year},{month.month},1),'
        f'{cells["AC"]},"<"&DATE({following.year},{following.month},1)'
    )
    return f'=SUMIFS({cells["D"]},{cells["T"]},"yes",{where})'


def _figures(sheet: Worksheet, row: int, titles: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> int:
    """Writes a small table; returns its first data row."""
    for column, title in enumerate(titles, start=1):
        write_text(sheet.cell(row=row, column=column), title)
        sheet.cell(row=row, column=column).font = LABEL_FONT
    for offset, values in enumerate(rows, start=1):
        for column, value in enumerate(values, start=1):
            cell = put(sheet, row + offset, column, value, "#,##0")
            cell.alignment = Alignment(horizontal="left")
    if not rows:
        write_text(sheet.cell(row=row + 1, column=1), "nothing yet")
    return row + 1


def _bar(
    sheet: Worksheet, anchor: str, title: str, first: int, rows: int, series: int, *, is_horizontal: bool = False
) -> None:
    if not rows:
        return
    chart = BarChart()
    chart.type = "bar" if is_horizontal else "col"
    chart.add_data(
        Reference(sheet, min_col=2, max_col=1 + series, min_row=first - 1, max_row=first + rows - 1),
        titles_from_data=True,
    )
    _finish(sheet, chart, anchor, title, first, rows)
    chart.legend = None
    if is_horizontal:
        chart.x_axis.scaling.orientation = "maxMin"


def _line_chart(sheet: Worksheet, anchor: str, title: str, first: int, rows: int) -> None:
    if not rows:
        return
    chart = LineChart()
    chart.add_data(
        Reference(sheet, min_col=2, max_col=3, min_row=first - 1, max_row=first + rows - 1), titles_from_data=True
    )
    _finish(sheet, chart, anchor, title, first, rows)
    chart.legend = Legend()
    chart.legend.position = "b"
    for series in chart.series:
        series.smooth = False


def _finish(sheet: Worksheet, chart: BarChart | LineChart, anchor: str, title: str, first: int, rows: int) -> None:
    chart.title = title
    chart.set_categories(Reference(sheet, min_col=1, min_row=first, max_row=first + rows - 1))
    chart.height, chart.width = 7.5, 18
    # openpyxl hides axes unless told not to.
    chart.x_axis.delete = chart.y_axis.delete = False
    chart.y_axis.numFmt = "#,##0"
    sheet.add_chart(chart, anchor)
