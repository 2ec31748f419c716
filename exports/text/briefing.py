"""The briefing of SUMMARY_REPORT: revenue, competitors, and what follows from both, in plain sentences.

Belongs here: choosing and wording. Must not be here: SQL (`published`), the report's frame and other sections
(`summary`). A figure that rests on too few posts is not told, the number of posts is.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from exports import published
from exports.published import Day
from exports.text import build_list
from exports.text.lines import one_line, revenue_line
from services.text_safety import plain_text

YOU, RIVALS = "YOU", "ALL COMPETITORS"
GAPS_SHOWN = 5
_MUCH_BEHIND_HOURS = 12


def revenue(day: Day) -> list[str]:
    """Source, totals, months and levels."""
    source = published.revenue_source(day)
    lines = [f"source: {revenue_line(day, day.times)}"]
    if source is None:
        return lines
    rows = published.revenue_breakdown(day)
    (total,) = [row for row in rows if row["dimension"] == "all"]
    if not total["templates"]:
        return [*lines, "no template was entered"]
    outstanding = sum(row["outstanding"] for row in published.revenue_rows(day) if row["is_counted"])
    lines += [
        f"received ${total['total_revenue']:,.2f} for {total['templates']} templates, ${outstanding:,.2f} outstanding",
        f"hit rate {total['hit_rate']:.0%}, at the cap {total['templates_at_cap']},"
        f" average ${total['average_revenue']:,.2f}",
        "by month: "
        + ", ".join(f"{row['month']:%Y-%m} ${row['total_revenue']:,.0f}" for row in published.revenue_months(day)),
        "by trigger level: "
        + ", ".join(
            f"{row['value']} ${row['average_revenue']:,.0f} a template (n {row['templates']})"
            for row in rows
            if row["dimension"] == "trigger_level" and row["templates"]
        ),
    ]
    if source["notes"]:
        lines += [f"note: {note}" for note in source["notes"].splitlines()]
    return lines


def competitor_analysis(day: Day) -> list[str]:
    """Breakdown, gaps, head-to-head, niches and cross-market timing of seven days."""
    summaries = published.competitor_section(day, "competitor_summary", None)
    if not any(row["posts"] for row in summaries if row["role"] == "competitor"):
        return ["no competitor's post in seven days: competitor accounts stand in seeds/accounts.csv"]
    return [
        "Breakdown, seven days:",
        *(_breakdown(row) for row in summaries),
        "",
        *_gaps(published.competitor_gaps(day, None)),
        "",
        *_head_to_head(published.competitor_section(day, "competitor_win_loss", None)),
        "",
        *_niches(published.competitor_section(day, "competitor_niches", None)),
        "",
        *_timing(published.competitor_section(day, "competitor_market_timing", None)),
    ]


def recommendations(day: Day) -> list[str]:
    """What follows from the day, each with its reason; at least one line."""
    lines: list[str] = []
    builds = published.build_list(day)
    if builds:
        lines.append(f"Build list: {build_list.counted(builds)}, in this order:")
        lines += [f"  {build_list.line(row, day.times)}" for row in builds]
    else:
        lines.append("Nothing to build today: no decision of the day says so.")
    lines += _lessons(day, None)
    levels = [
        row
        for row in published.revenue_breakdown(day)
        if row["dimension"] == "trigger_level" and row["templates"] >= 5 and row["average_revenue"] is not None
    ]
    if len(levels) > 1:
        best = max(levels, key=lambda row: (row["average_revenue"], row["value"]))
        lines.append(
            f"Templates found at {best['value']} earn most: ${best['average_revenue']:,.0f} on average"
            f" (n {best['templates']})."
        )
    return lines


def findings(day: Day, market: str | None) -> list[str]:
    """What seven days of competitors come to, the most useful first; at least one line.

    Args:
        day: The published day.
        market: Market code, None for all.
    """
    if not any(row["posts"] for row in published.competitor_section(day, "competitor_summary", market)):
        return ["No post of an own or competitor account in seven days: they stand in seeds/accounts.csv."]
    lines = _lessons(day, market)
    for row in published.competitor_section(day, "competitor_win_loss", market):
        if row["is_total"] and row["contested"]:
            lines.append(
                f"On {row['contested']} trends that both posted on you were first {row['you_first']} times; of"
                f" {row['measured']} measured at 48 h your best was larger {row['you_larger']} times. You skipped"
                f" {row['skipped_by_you']} of theirs, they {row['skipped_by_them']} of yours."
            )
    accounts = [
        row
        for row in published.competitor_section(day, "competitor_summary", market)
        if row["role"] == "competitor" and not row["is_total"] and row["posts"]
    ]
    if accounts:
        loudest = max(accounts, key=lambda row: (row["plays"], row["account"]))
        lines.append(
            f"The most watched competitor is @{_line(loudest['account'])}: {loudest['posts']} posts,"
            f" {build_list.short(loudest['plays'])} plays."
        )
    return lines or ["Nothing stands out: no shared trend, and too few posts to compare."]


def _lessons(day: Day, market: str | None) -> list[str]:
    """What to learn from the competitors, each with its reason."""
    lines = []
    missed = [row for row in published.competitor_gaps(day, market) if row["gap_type"] == "MISSED_BY_YOU"]
    if missed:
        lines.append(
            f"{len({row['trend_key'] for row in missed})} shared trends have competitors and not you; the strongest is"
            f" {_trend(missed[0])} (@{_line(missed[0]['account'])})."
        )
    parties = {row["account"]: row for row in published.competitor_section(day, "competitor_summary", market)}
    yours, theirs = (parties.get(name, {}).get("response_p50_hours") for name in (YOU, RIVALS))
    if yours is not None and theirs is not None and yours - theirs > _MUCH_BEHIND_HOURS:
        lines.append(f"You enter trends {yours - theirs:.0f} h after the competitors (medians): watch risers earlier.")
    for row in published.competitor_section(day, "competitor_niches", market):
        if row["account"] == RIVALS and row["is_gap"] and row["gap_points"] > 0:
            lines.append(
                f"Competitors post {row['share']:.0%} {row['value']}, you {row['your_share']:.0%}:"
                " a gap to close or to keep on purpose."
            )
    return lines


def _breakdown(row: dict[str, Any]) -> str:
    text = f"  {_line(row['account'])}: {row['posts']} posts ({row['posts_per_day']:.1f} a day)"
    text += f", {row['posts_on_trends']} on shared trends, {row['ai_posts']} AI, {row['plays']:,} plays"
    if row["response_p50_hours"] is not None:
        text += f", response {row['response_p50_hours']:+.1f} h after onset (n {row['responses']}, led {row['led']})"
    return text


def _gaps(rows: Sequence[dict[str, Any]]) -> list[str]:
    kinds = ("MISSED_BY_YOU", "BOTH_CAUGHT", "BEAT_THEM")
    counts = {name: sum(row["gap_type"] == name for row in rows) for name in kinds}
    lines = ["Gaps: " + ", ".join(f"{name} {count}" for name, count in counts.items())]
    for row in rows[:GAPS_SHOWN]:
        lines.append(
            f"  {row['gap_type']}: {_trend(row)} by @{_line(row['account'])} ({row['market']}),"
            f" {row['hours_behind']:+.1f} h, momentum {row['competitor_momentum'] or 0:,.0f}"
            + (
                f", may have earned ${row['missed_revenue_p10']:,.0f} to ${row['missed_revenue_p90']:,.0f} (assumption)"
                if row["missed_revenue_p10"] is not None
                else ""
            )
        )
    return lines


def _head_to_head(rows: Sequence[dict[str, Any]]) -> list[str]:
    return [
        "Head-to-head:",
        *(
            f"  against {_line(row['account'])}: both posted on {row['contested']}, you first {row['you_first']},"
            f" they first {row['they_first']}; larger at 48 h: you {row['you_larger']}, they {row['they_larger']}"
            f" (n {row['measured']}); skipped by you {row['skipped_by_you']}, by them {row['skipped_by_them']}"
            for row in rows
        ),
    ]


def _niches(rows: Sequence[dict[str, Any]]) -> list[str]:
    totals = [row for row in rows if row["account"] == RIVALS]
    return [
        "Niches (competitors, you):",
        *(
            f"  {row['value']}: {_share(row['share'])}, {_share(row['your_share'])}" + (" GAP" if row["is_gap"] else "")
            for row in totals
        ),
    ]


def _timing(rows: Sequence[dict[str, Any]]) -> list[str]:
    trends = [row for row in rows if row["account"] in (YOU, RIVALS)]
    lines = ["Cross-market:"]
    for name in (YOU, RIVALS):
        mine = [row for row in trends if row["account"] == name]
        crossed = [row for row in mine if row["lag_days"] is not None]
        markets = sorted({row["first_market"] for row in mine})
        counts = [f"{sum(row['first_market'] == market for row in mine)} from {market}" for market in markets]
        origin = ", ".join(counts) or "none"
        lines.append(
            f"  {name}: {len(mine)} trends with a known onset ({origin}); {len(crossed)} reached the other market;"
            f" {sum(row['is_before_arrival'] for row in mine)} posted before that"
        )
    return lines


def _share(value: float | None) -> str:
    return "too few" if value is None else f"{value:.0%}"


def _trend(row: dict[str, Any]) -> str:
    """A trend as people know it: a hashtag, else the caption of the post that shows it and what they share."""
    kind, _, value = str(row["trend_key"]).partition(":")
    if kind == "hashtag":
        return f"#{_line(value)}"
    caption = _line(row["trend"])
    return f"the {kind} of '{caption}'" if caption else _line(row["trend_key"])


def _line(text: str | None) -> str:
    """Text of others on one line: a line feed in a name would look like a section of ours."""
    return one_line(plain_text(text), 60)
