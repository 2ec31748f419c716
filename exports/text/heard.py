"""How well the polls heard, in words: one line that every output has, and the lines below it.

Belongs here: wording of `marts.alert_scores`. Must not be here: SQL, what counts as a burst or as right (models).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Record = Mapping[str, Any]

NO_POLL = "no poll yet: `trends poll` takes readings between the runs and looks for bursts"


def recall_line(scores: Record | None) -> str:
    """Recall, delay, and precision beside its base rate; below `minimum_scored` the numbers without a share.

    Args:
        scores: A row of `marts.alert_scores`; None before the first poll.
    """
    if scores is None:
        return NO_POLL
    delay = scores["median_delay_hours"]
    late = "" if delay is None else f", median delay {delay:.1f} h"
    heard = (
        f"{_of(scores['found'], scores['bursts'], scores)} bursts heard{late}"
        if scores["bursts"]
        else "no burst to hear"
    )
    right = f"; {_later(scores, 24)}" if scores["scored_24h"] else ""
    return f"{heard}{right}; {scores['polled_days']} polled days to {scores['as_of_date']}"


def alert_lines(scores: Record) -> list[str]:
    """The line that every output has, then misses by reason, messages, and what became of those about trends.

    Args:
        scores: A row of `marts.alert_scores`.
    """
    reasons = ", ".join(
        f"{scores[f'missed_{name}']} {name.replace('_', ' ')}"
        for name in ("not_watched", "below_z", "budget", "cooldown", "no_new_reading")
        if scores[f"missed_{name}"]
    )
    lines = [f"Alerts: {recall_line(scores)}"]
    if reasons:
        lines.append(f"Not heard: {reasons}")
    lines.append(
        f"Messages: {scores['messages']}, {scores['messages_per_day']:.1f} a day; an alert needed"
        f" {scores['pace_factor_needed']:.1f} times the pace, at most {scores['highest_pace_factor_needed']:.1f}"
    )
    if scores["scored_4h"]:
        lines.append(f"Sooner: {_later(scores, 4)}")
    if scores["scored_trends"]:
        base = _base(scores["base_rate_trends"], scores["base_trends"])
        lines.append(
            f"Trends: {_of(scores['right_trends'], scores['scored_trends'], scores)} told kept growing the day after;"
            f" {base}"
        )
    return lines


def _later(scores: Record, hours: int) -> str:
    base = _base(scores[f"base_rate_{hours}h"], scores[f"base_readings_{hours}h"])
    right = _of(scores[f"right_{hours}h"], scores[f"scored_{hours}h"], scores)
    return f"{right} messages still ahead of their cohort {hours} h later, {base}"


def _base(rate: float | None, others: int) -> str:
    return "no base rate" if rate is None else f"{rate:.0%} of {others:,} others"


def _of(part: int, whole: int, scores: Record) -> str:
    share = f"{part / whole:.0%}" if whole >= scores["minimum_scored"] else "not enough yet"
    return f"{part} of {whole} ({share})"
