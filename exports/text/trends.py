"""Trends and outliers in words: what every place that shows them says of a row.

Belongs here: wording of `marts.trend_list` and of posts far above their creator's usual. Must not be here: which trends
are shown and in which order (models), SQL (`published`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from exports.text import build_list
from services.text_safety import plain_text
from warehouse.labels import BREAKOUT, STAGES

Row = dict[str, Any]

# How many the summary and the message show; the report has room for more.
TOP, TOP_OUTLIERS = 5, 3
NO_TREND = "No trend grows that several creators use in the day's feeds."
NO_OUTLIER = "No post of the last days is far above what its creator is used to, or too few of theirs were seen."

_BARS = "▁▂▃▄▅▆▇█"


def stage(row: Row) -> str:
    """The stage as a label: `🚀 RISING`."""
    return STAGES[row["lifecycle"]]


def name(row: Row, characters: int = 60) -> str:
    """The trend on one line."""
    return " ".join(plain_text(row["trend_name"]).split())[:characters] or row["trend_key"]


def spark(values: Sequence[int | None]) -> str:
    """Counts as small bars, oldest first: `▁▁▃█`. Zero is the lowest bar, a blank one that nobody knows."""
    top = max((value for value in values if value is not None), default=0)
    return "".join(
        " " if value is None else _BARS[round(value / top * (len(_BARS) - 1)) if top else 0] for value in values
    )


def markets(row: Row) -> str:
    """Which market had it first and how far the other is behind: `US first, UK 2 days later`."""
    first, other, lag, chance = (
        row[key] for key in ("first_market", "other_market", "lag_days", "arrival_probability_7d")
    )
    if other is None:
        return str(row["markets"]).replace(", ", " and ")
    if lag is not None:
        return f"{first} and {other} at once" if lag == 0 else f"{first} first, {other} {_days(lag)} later"
    expected = "" if chance is None else f", {chance:.0%} within 7 days"
    return f"{first} only; {other} without it for {_days(row['days_without'])}{expected}"


def days_left(row: Row) -> str:
    """Days until it is expected to decline, with the middle half of such trends: `3.0 (0.1 to 7.3) days left`."""
    middle, low, high = (row[f"window_left_{end}h"] / 24 for end in ("", "p25_", "p75_"))
    return f"{middle:.1f} ({low:.1f} to {high:.1f}) days left"


def head(row: Row) -> str:
    """`1. #mellowharborglow`."""
    return f"{row['place']}. {name(row)}"


def detail(row: Row) -> str:
    """What a line below its name says: stage, creators, views, markets, days left."""
    gained = "views gained not known" if row["gained_views_24h"] is None else (
        f"{build_list.short(row['gained_views_24h'], '+')} views in 24 h"
    )  # fmt: skip
    return (
        f"{stage(row)} · {_counted(row['creators'], 'creator')} · {gained} · {markets(row)} · {days_left(row)}"
        f" · {spark(row['uses_by_day'])}"
    )


def outlier_head(row: Row) -> str:
    """The post as people know it: its caption, or that it has none."""
    return f"{f'{BREAKOUT} ' if row['is_breakout'] else ''}{build_list.name(row)}"


def outlier_detail(row: Row) -> str:
    """How far above its creator's usual: `32 x @x's usual: 410k views at 24 h, usually 12.8k`."""
    usual = f"{build_list.short(row['previous_median_views_24h'])} ({_counted(row['previous_posts'], 'post')})"
    return (
        f"{row['views_ratio']:.1f} x the usual of @{plain_text(row['author_handle'])}:"
        f" {build_list.short(row['views_24h'])} views at 24 h, usually {usual}"
    )


def _counted(value: int, noun: str) -> str:
    return f"{value:,} {noun}{'' if value == 1 else 's'}"


def _days(value: int) -> str:
    return _counted(value, "day")
