"""Messages of a poll: one per alert, and one that sums the poll up.

Belongs here: choosing and wording. Must not be here: sending (`discord`), SQL (`published`), which videos are alerted
(models).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from exports.build_today import age_label
from exports.discord import Field, Message, alert_message

# Tier to the priority people see and the colour beside it.
PRIORITIES = {"STRONG": ("🔴 STRONG", 0xE74C3C), "ALERT": ("🟠 ALERT", 0xE67E22), "WATCH": ("🟡 WATCH", 0xF1C40F)}


def messages(poll: Mapping[str, Any], alerts: Sequence[Mapping[str, Any]]) -> list[tuple[str, Message]]:
    """Idempotency key and message of each alert of a poll that is to be sent, then of the summary.

    Args:
        poll: A row of `micro_polls`.
        alerts: The poll's rows of `acceleration_alerts`.
    """
    sent = [alert for alert in alerts if alert["is_message"]]
    return [
        *((f"alert:{alert['video_id']}:{alert['alerted_at']:%Y-%m-%dT%H:%M}", _alert(alert)) for alert in sent),
        (f"poll:{poll['poll_at']:%Y-%m-%dT%H:%M}", _summary(poll)),
    ]


def _alert(alert: Mapping[str, Any]) -> Message:
    priority, colour = PRIORITIES[alert["tier"]]
    rise = alert["delta_shares_per_hour"]
    values = [
        ("Trend", alert["caption"] or "(no caption)"),
        ("Market", alert["market"]),
        ("Category", alert["ai_category"] or "unknown"),
        ("Creator", f"@{alert['author_handle']}" if alert["author_handle"] else "unknown"),
        ("Age", age_label(alert["age_hours"]) or "unknown"),
        ("Momentum", f"{alert['momentum_score']:,.0f}"),
        ("Shares/h", f"{alert['shares_per_hour']:,.1f}"),
        ("Δ Shares/h", "unknown" if rise is None else f"{rise:+,.1f}"),
        ("Views/h", f"{alert['gain_views'] / alert['hours']:,.0f} now"),
        (
            "Why",
            f"{alert['gain_views']:,} views in {alert['hours']:.1f} h where {alert['expected_gain_views']:,.0f} were"
            f" expected (z {alert['z']:.1f})",
        ),
    ]
    return alert_message(priority, colour, values, alert["video_url"] or "")


def _summary(poll: Mapping[str, Any]) -> Message:
    names = {
        "New Candidates": "new_candidates", "Alerts Sent": "alerts", "Removed": "removed", "Total Tracked": "tracked",
    }  # fmt: skip
    return Message(
        f"🔎 Poll {poll['poll_at']:%Y-%m-%d %H:%M} UTC",
        tuple(Field(label, (f"{poll[name]:,}",), is_inline=True) for label, name in names.items()),
        footer=f"{poll['new_readings']:,} new readings, {poll['repeated_readings']:,} read before",
    )
