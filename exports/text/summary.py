"""SUMMARY_REPORT: the day in plain text, counts first, then what to do and why.

Belongs here: the sections and their words. A further section is a function in `SECTIONS`. Must not be here: SQL.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from exports import published
from exports.published import Day
from exports.text import briefing, build_list, followed, trends
from exports.text.lines import headline, health_lines, one_line, revenue_line, sample_lines, score_notes
from services.text_safety import plain_text, safe_link
from warehouse.labels import BOTH_MARKETS

IMMEDIATE_ACTIONS = build_list.TOP
_RULE = "=" * 78


def summary(day: Day) -> bytes:
    """The report as UTF-8 text; byte-identical for equal marts."""
    parts = [f"TIKTOK TREND SYSTEM - DAILY SUMMARY - {day.as_of_date}", f"as of {day.times.stamp(day.cutoff_at)}"]
    for title, section in SECTIONS:
        if lines := section(day):
            parts += ["", _RULE, title, _RULE, *lines]
    return ("\n".join(parts) + "\n").encode("utf-8")


def _counts(day: Day) -> list[str]:
    totals = published.counts(day)
    lines = [
        f"{row['market']}: {row['items']:,} items, {row['unique_videos']:,} unique videos,"
        f" {row['fresh_videos']:,} fresh (72h)"
        for row in published.market_counts(day)
    ]
    lines += [f"{BOTH_MARKETS}: {totals['both_markets']:,} videos", ""]
    return lines + [f"{label}: {value:,}" for label, value in headline(day)]


def _health(day: Day) -> list[str]:
    lines = [f"{label}: {text}" for label, text in (*sample_lines(day), *health_lines(day, day.times))]
    lines.append(f"Revenue: {revenue_line(day, day.times)}")
    lines += [f"{label}: {text}" for label, text in score_notes(day)]
    return lines + [f"Check: {warning}" for warning in published.warnings(day)]


def _actions(day: Day) -> list[str]:
    rows = published.build_list(day)
    lines = [f"{build_list.counted(rows)}. {build_list.changes(day)}", ""]
    if not rows:
        return [*lines, "nothing to build: no decision of the day says so"]
    for row in rows[:IMMEDIATE_ACTIONS]:
        lines += [
            f"{row['place']}. {_line(row['caption']) or '(no caption)'}",
            f"   action: {row['build_priority']}, {build_list.variants(row)}, publish by"
            f" {build_list.publish_by(row, day.times)}",
            f"   views still to come once it is out: {build_list.gain(row)}, confidence {row['confidence']}",
            f"   why: {row['because']}{_despite(row)}",
            f"   would change: {row['would_change_if'] or 'not known'}",
            f"   creator {_creator(row)} | {row['market_label']} | {safe_link(row['video_url']) or 'no link'}",
            f"   trend {_line(row['trend_name'])} | {safe_link(row['trend_url']) or 'no link'}"
            f" | {_line(row['trend_key'])}",
            f"   momentum {row['momentum_score']:,.0f} | shares/h {_rate(row['shares_per_hour'])}"
            f" | age {build_list.age(row['age_hours'], row['age_is_lower_bound'])} | window {row['action_window']}"
            f" | velocity {_signed(row['velocity'])} | status {row['status']}",
            f"   next 24 h: {_forecast(row)}",
            "",
        ]
    return lines[:-1]


def _trends(day: Day) -> list[str]:
    rows = published.trend_list(day)
    lines = [f"{_line(trends.head(row))}\n   {trends.detail(row)}\n   {_links(row)}" for row in rows[: trends.TOP]]
    lines = lines or [trends.NO_TREND]
    found = published.outliers(day, trends.TOP_OUTLIERS)
    lines += ["", "Far above their creator's usual:"]
    lines += [
        f"  {_line(trends.outlier_head(row))}\n     {one_line(plain_text(trends.outlier_detail(row)), 200)}"
        f"\n     {safe_link(row['video_url']) or 'no link'}"
        for row in found
    ] or [f"  {trends.NO_OUTLIER}"]
    return lines


def _followed(day: Day) -> list[str]:
    """What is followed; nothing where nothing is."""
    return [
        f"{_line(followed.name(row))}\n   {followed.did(row)}"
        + (
            f"\n   best: {_line(row['best_caption']) or '(no caption)'}"
            f" | {safe_link(row['best_video_url']) or 'no link'}"
            if row["videos"]
            else ""
        )
        for row in published.followed(day)
    ]


def _links(row: dict[str, Any]) -> str:
    return f"{safe_link(row['trend_url']) or 'no link'} | e.g. {safe_link(row['video_url']) or 'no link'}"


def _despite(row: dict[str, Any]) -> str:
    return f"; {row['despite']}" if row["despite"] else ""


def _seasonal(day: Day) -> list[str]:
    rows = published.seasonal(day)
    if not rows:
        return ["no event within its lead time"]
    lines: list[str] = []
    for phase in dict.fromkeys(row["phase"] for row in rows):
        lines.append(f"{phase}:")
        for row in (row for row in rows if row["phase"] == phase):
            rung = f" [{row['rungs']}]" if row["rungs"] else ""
            lines.append(
                f"  {row['emoji']} {row['name']} - {row['event_date']} ({row['markets']}), {row['window_text']}{rung}"
            )
            if row["tone"] == "sombre":
                lines.append("     sombre: no commercial templates")
            elif row["template_ideas"]:
                lines.append(f"     ideas: {row['template_ideas'].replace('|', ', ')}")
            if row["keyword_lift"] is not None:
                lines.append(
                    f"     its keywords: {row['keyword_lift']:.1f} x the same weekdays of the four weeks before"
                )
    return lines


def _line(text: str | None) -> str:
    """Text of others on one line: a line feed in a name would look like a section of ours."""
    return one_line(plain_text(text))


def _creator(row: dict[str, Any]) -> str:
    handle = _line(row["author_handle"])
    return f"@{handle}" if handle else "unknown"


def _rate(value: float | None) -> str:
    return "not given" if value is None else f"{value:,.1f}"


def _forecast(row: dict[str, Any]) -> str:
    if row["gain_24h_p50"] is None:
        return "no forecast yet"
    return f"+{row['gain_24h_p50']:,.0f} views (80 %: {row['gain_24h_p10']:,.0f} to {row['gain_24h_p90']:,.0f})"


def _signed(value: float | None) -> str:
    return "unknown (one day of readings)" if value is None else f"{value:+,.0f} a day"


SECTIONS: tuple[tuple[str, Callable[[Day], list[str]]], ...] = (
    ("COUNTS", _counts),
    ("DATA BEHIND THE NUMBERS", _health),
    ("💰 REVENUE", briefing.revenue),
    ("🔴 IMMEDIATE ACTIONS", _actions),
    ("📈 TRENDS TO JOIN", _trends),
    ("⭐ FOLLOWED SINCE YESTERDAY", _followed),
    ("📊 STRATEGIC INSIGHTS - COMPETITOR ANALYSIS", briefing.competitor_analysis),
    ("💡 RECOMMENDATIONS", briefing.recommendations),
    ("SEASONAL CALENDAR ALERTS", _seasonal),
)
