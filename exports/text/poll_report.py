"""Messages of a poll: one per alert, each saying what to do, and where it is wanted one that sums the poll up.

Belongs here: choosing and wording. Must not be here: sending (`discord`), SQL (`published`), which videos and trends
are alerted (models).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from exports.published import Poll
from exports.text.heard import recall_line
from exports.text.lines import age_label, one_line
from services.message import Field, Link, Message, alert_message
from services.times import IN_UTC, Times
from warehouse.labels import TIERS

Row = Mapping[str, Any]

# The colour beside an alert, by its tier.
_COLOURS = {"STRONG": 0xE74C3C, "ALERT": 0xE67E22, "WATCH": 0xF1C40F}
TREND_COLOUR = 0x9B59B6
# What to send of a poll beside its alerts: nothing; its counts below each alert; a message of its own, news or not.
NEVER, ALERTS, ALWAYS = "never", "alerts", "always"
# Characters of a trend's name.
NAME = 60


def messages(poll: Poll, summary: str = ALERTS, times: Times = IN_UTC) -> list[tuple[str, Message]]:
    """Idempotency key and message of each alert of a poll that is to be sent, then of the summary if it is wanted.

    Args:
        poll: The poll.
        summary: `never`, `alerts` or `always`.
        times: How the reader wants moments shown.
    """
    footer = "" if summary == NEVER else f"{_counts(poll.row, times)}. {' '.join(gaps(poll.markets))}".strip()
    sent = [
        (f"alert:{alert['video_id']}:{alert['alerted_at']:%Y-%m-%dT%H:%M}", _alert(alert, footer, times))
        for alert in poll.alerts
        if alert["is_message"]
    ]
    sent += [
        (
            f"trend:{trend['market']}:{trend['trend_key']}:{trend['alerted_at']:%Y-%m-%dT%H:%M}",
            _trend(trend, footer, times),
        )
        for trend in poll.trends
        if trend["is_message"]
    ]
    return [
        *sent,
        *([(f"poll:{poll.row['poll_at']:%Y-%m-%dT%H:%M}", _summary(poll, times))] if summary == ALWAYS else []),
    ]


def gaps(markets: Sequence[Row]) -> list[str]:
    """What the sources don't give, and why a market could not be heard: one sentence each."""
    lines = []
    for row in markets:
        if row["silent_because"]:
            lines.append(f"{row['market']}: nothing to hear, {row['silent_because']}.")
        if row["gives_views"] and not row["gives_shares"]:
            decides = "likes decide" if row["gives_likes"] else "views alone decide"
            lines.append(f"{row['market']}: the source gives no share counts, {decides} who is watched.")
    return lines


def trend_name(trend_key: str | None, music_name: str | None, caption: str | None) -> str:
    """A trend as people know it: a hashtag or sound by its name, else by the caption of its video."""
    kind, _, value = (trend_key or "").partition(":")
    if kind == "hashtag":
        return f"#{value}"
    if kind == "sound":
        return f"sound {one_line(music_name, NAME) or value}"
    known_by = one_line(caption, NAME)
    if kind in ("template", "effect"):
        return f"{kind} {value if kind == 'effect' else known_by or value}"
    return known_by or "(no caption)"


def _alert(alert: Row, footer: str, times: Times) -> Message:
    priority, colour = TIERS[alert["tier"]], _COLOURS[alert["tier"]]
    rise = alert["delta_shares_per_hour"]
    shares = alert["shares_per_hour"]
    values = [
        ("Trend", trend_name(alert["trend_key"], alert["music_name"], alert["caption"])),
        ("Market", alert["market"]),
        ("Category", alert["ai_category"] or "unknown"),
        ("Creator", f"@{alert['author_handle']}" if alert["author_handle"] else "unknown"),
        ("Age", age_label(alert["age_hours"]) or "unknown"),
        ("Momentum", "unknown" if alert["momentum_score"] is None else f"{alert['momentum_score']:,.0f}"),
        ("Shares/h", "not given" if shares is None else f"{shares:,.1f}"),
        ("Δ Shares/h", "unknown" if rise is None else f"{rise:+,.1f}"),
        ("Views/h", f"{alert['gain_views'] / alert['hours']:,.0f} now"),
        ("What happened", happened(alert)),
        ("Publish by", _publish_by(alert, times)),
        ("Build list", _place(alert)),
        *([("Followed", f"⭐ {alert['followed_by']}")] if alert["followed_by"] else []),
    ]
    message = alert_message(priority, colour, values, alert["video_url"] or "", footer)
    return replace(message, markets=(alert["market"],))


def happened(alert: Row) -> str:
    """From where to where in how many hours, and how many times the usual that is."""
    times = alert["gain_views"] / max(alert["expected_gain_views"] or 1, 1)
    return (
        f"{alert['plays'] - alert['gain_views']:,} → {alert['plays']:,} views in {alert['hours']:.1f} h,"
        f" {times:,.1f} times the usual (z {alert['z']:.1f})"
    )


def _publish_by(alert: Row, times: Times) -> str:
    fresh_hours = alert["fresh_age_hours"]
    fresh_until = alert["alerted_at"] + timedelta(hours=max(fresh_hours - alert["age_hours"], 0))
    return _until(alert, times, fresh_until, f"{fresh_hours} h after the post")


def _until(told: Row, times: Times, fresh_until: datetime, why: str) -> str:
    """The end of the window that the last run gave it, if that is still to come; else the end of its freshness."""
    until_at: datetime | None = told["until_at"]
    if until_at is not None and until_at > told["alerted_at"]:
        return f"{times.day(until_at)} (end of its window)"
    return f"{times.day(fresh_until)} ({why})"


def _place(alert: Row) -> str:
    if alert["build_place"] is not None:
        return f"place {alert['build_place']} of {alert['builds']} of the last run"
    return f"not on it yet ({alert['builds']} are): new since the last run" if alert["builds"] else "no list yet"


def trend_happened(trend: Row) -> str:
    """What burst, beside what was expected."""
    if trend["burst_of"] == "creators":
        return (
            f"{trend['new_creators']} creators took it up within hours where {trend['expected_creators']:.1f} were"
            " expected"
        )
    return (
        f"{trend['rising_creators']} creators' videos rise at once: {trend['gain_views']:,} views where"
        f" {trend['expected_gain_views']:,.0f} were expected"
    )


def _trend(trend: Row, footer: str, times: Times) -> Message:
    elsewhere = (
        f"before the others: {trend['other_creators']} creators there"
        if trend["is_ahead"]
        else f"there too: {trend['other_creators']} creators"
    )
    name = trend_name(trend["trend_key"], trend["music_name"], None)
    fields = [
        Field("Trend", (name if trend["trend_key_type"] in ("hashtag", "sound") else trend["trend_key"],)),
        Field("Market", (trend["market"],), is_inline=True),
        Field("Other markets", (elsewhere,), is_inline=True),
        Field("What happened", (trend_happened(trend),)),
        Field(
            "Publish by",
            (_until(trend, times, trend["fresh_until_at"], "while what began it is fresh"),),
            is_inline=True,
        ),
        Field("Build list", (_place(trend),), is_inline=True),
        Field("Do", ("Look at the example, and build while it is young.", *_example(trend))),
    ]
    title = f"🌊 TREND BURST: {name}"
    return Message(title, tuple(fields), colour=TREND_COLOUR, footer=footer, markets=(trend["market"],))


def _example(trend: Row) -> tuple[Link, ...]:
    return (Link("example", trend["example_video_url"]),) if trend["example_video_url"] else ()


def _counts(row: Row, times: Times) -> str:
    return (
        f"Poll of {times.clock(row['poll_at'])}: {row['new_readings']:,} new readings, {row['repeated_readings']:,}"
        f" read before, {row['tracked']:,} tracked; an alert needed {row['pace_factor_needed']:.1f} times the pace"
    )


def _summary(poll: Poll, times: Times) -> Message:
    names = {
        "New Candidates": "new_candidates", "Alerts Sent": "alerts", "Removed": "removed", "Total Tracked": "tracked",
    }  # fmt: skip
    row = poll.row
    return Message(
        f"🔎 Poll {times.stamp(row['poll_at'])}",
        tuple(Field(label, (f"{row[name]:,}",), is_inline=True) for label, name in names.items()),
        lines=tuple(gaps(poll.markets)),
        footer=_counts(row, times),
    )


def polling_line(polling: Row) -> str:
    """That polling works, in one line a day: see `published.polling`."""
    scores = polling["scores"]
    line = (
        f"🔎 Polling, last 24 h: {polling['polls']} polls, {polling['new_readings']:,} new readings,"
        f" {polling['alerts']} alerts"
    )
    if scores is None:
        return line
    return f"{line}; an alert needed {scores['pace_factor_needed']:.1f} times the pace; {recall_line(scores)}"
