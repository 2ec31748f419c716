"""The build list in words: what every place that tells people what to do says of a build.

Belongs here: wording of a row of `marts.build_list`, and what changed since the day before. Must not be here: which
videos are in it and in which order (models), SQL (`published`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from exports import published
from exports.published import Day
from services.text_safety import plain_text
from services.times import IN_UTC, Times
from warehouse.labels import BUILD_PRIORITIES, IMMEDIATELY, NEXT, TODAY

Row = dict[str, Any]

# In a caption they are noise: the links stand beside it.
_LINK = re.compile(r"https?://\S+|\S*capcut\.\S+", re.IGNORECASE)

# How many builds START_HERE, the summary and the message show.
TOP = 5
LEGEND = (
    f"{IMMEDIATELY}: now, the best of the day or a window that closes. {TODAY}: within the day's hours."
    f" {NEXT}: as good, but the day has no hours left. p10 to p90: 8 of 10 cases; views still to come once it is out."
)


def short(value: float | None, sign: str = "") -> str:
    """A count as precise as it is known: 940, 2.1k, 207k, 1.3m; with `+` as its sign: +207k."""
    if value is None:
        return "not known"
    for limit, scale, unit in ((999_500, 1_000_000, "m"), (999.5, 1_000, "k")):
        if abs(value) >= limit:
            scaled = value / scale
            return f"{scaled:{sign}.0f}{unit}" if abs(scaled) >= 9.95 and unit == "k" else f"{scaled:{sign}.1f}{unit}"
    return f"{value:{sign}.0f}"


def gain(row: Row) -> str:
    """What is still to come: `+207k (100k to 480k)`."""
    if row["gain_48h_p50"] is None:
        return "not known"
    return f"{short(row['gain_48h_p50'], '+')} ({short(row['gain_48h_p10'])} to {short(row['gain_48h_p90'])})"


def trend_link(trend_key: str) -> str | None:
    """TikTok's page of a sound or a hashtag; other kinds of trend have none there."""
    kind, _, value = trend_key.partition(":")
    pages = {"sound": "https://www.tiktok.com/music/sound-", "hashtag": "https://www.tiktok.com/tag/"}
    return pages[kind] + value if kind in pages and value else None


def publish_by(row: Row, times: Times = IN_UTC) -> str:
    """By when it must be out, by the reader's clock and in the market's time."""
    city = row["timezone"].rsplit("/", 1)[-1].replace("_", " ")
    return f"{times.day(row['publish_by'])} ({row['publish_by_local']:%a} {times.hour(row['publish_by_local'])} {city})"


def name(row: Row, characters: int = 60) -> str:
    """The video as people know it: its caption, else its trend."""
    text = _LINK.sub(" ", plain_text(row["caption"] or row["trend_name"]))
    text = " ".join(text.split())
    if len(text) > characters:
        # Half a word reads like a mistake; a text without blanks has no other place to be cut.
        text = (text[:characters].rpartition(" ")[0] or text[:characters]) + "…"
    return text or "(no caption)"


def variants(row: Row) -> str:
    """`3 variants`."""
    return f"{row['variants']} variant{'' if row['variants'] == 1 else 's'}"


def age(hours: float | None, is_lower_bound: bool) -> str:
    """`12.3h`; of a post whose time isn't known what is known."""
    if hours is None or (is_lower_bound and hours < 1):
        return "unknown"
    return f"≥ {hours:.0f} h" if is_lower_bound else f"{hours:.1f}h"


def head(row: Row) -> str:
    """What to build, in its place."""
    return f"{row['place']}. {row['build_priority'].split()[0]} {name(row)}"


def detail(row: Row, times: Times = IN_UTC) -> str:
    """How many, by when, how much, how sure, why."""
    return (
        f"{variants(row)}, publish by {publish_by(row, times)}, {gain(row)} views still to come, confidence"
        f" {row['confidence']}; {row['because']}"
    )


def line(row: Row, times: Times = IN_UTC) -> str:
    """A build in one line."""
    return f"{head(row)}: {detail(row, times)}"


def counted(rows: Sequence[Row]) -> str:
    """How many there are of each priority."""
    counts = [sum(row["build_priority"] == priority for row in rows) for priority in BUILD_PRIORITIES]
    return f"{counts[0]} now, {counts[1]} today, {counts[2]} next"


def changes(day: Day) -> str:
    """What is new, gone and moved since the list of the day before."""
    before_on, before = published.build_list_before(day)
    if before_on is None:
        return "Since yesterday: no list before this one."
    now = {row["video_id"]: row["place"] for row in published.build_list(day)}
    new = [place for video, place in now.items() if video not in before]
    moved = sum(before[video] != place for video, place in now.items() if video in before)
    gone = sum(video not in now for video in before)
    since = "yesterday" if (day.as_of_date - before_on).days == 1 else f"{before_on}"
    places = f" (place {', '.join(str(place) for place in new)})" if 0 < len(new) <= TOP else ""
    return f"Since {since}: {len(new)} new{places}, {gone} gone, {moved} moved."
