"""Questions about one video, account, tag, sound, template or effect to the published file.

Belongs here: what a person's words mean, and what is looked up for each kind of thing, as SQL: `trends show` and the
explorer ask the same. Must not be here: words and tables for people (`show`), lists that other outputs show too
(`published`), rules (models).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from typing import Any

import duckdb
import pyarrow as pa

Row = dict[str, Any]

_VIDEO_URL = re.compile(r"/(?:video|photo)/(\d+)")
_OF_LINKS = (
    ("account", re.compile(r"tiktok\.com/@([^/?#]+)/?(?:[?#].*)?$")),
    ("hashtag", re.compile(r"tiktok\.com/tag/([^/?#]+)")),
    ("sound", re.compile(r"tiktok\.com/music/[^?#]*?(\d+)(?:[/?#]|$)")),
    ("effect", re.compile(r"tiktok\.com/sticker/effect-([^/?#]+)")),
    ("template", re.compile(r"capcut\.com/[^?#]*?(\d+)(?:[/?#]|$)")),
)
_KINDS = ("video", "account", "hashtag", "tag", "sound", "template", "effect")
USAGE = (
    "a video's link or id, @handle, #tag, a sound's or template's link, or kind:value, such as sound:7102…, template:…"
)


@dataclass(frozen=True, slots=True)
class Subject:
    """What is asked for: `video`, `account`, or a trend by its type, and the value that the marts have."""

    kind: str
    value: str


def subject(text: str) -> Subject:
    """What a person's words mean.

    Args:
        text: As typed or pasted.

    Raises:
        ValueError: It is none of the known things; the message lists them.
    """
    typed = text.strip()
    if found := _VIDEO_URL.search(typed):
        return Subject("video", found[1])
    for kind, pattern in _OF_LINKS:
        if found := pattern.search(typed):
            return Subject(kind, found[1].lower())
    kind, colon, value = typed.partition(":")
    if colon and kind.lower() in _KINDS and value.strip():
        known = {"tag": "hashtag"}.get(kind.lower(), kind.lower())
        return Subject(known, value.strip().lstrip("#@").lower())
    if typed.startswith("@") and typed.strip("@ "):
        return Subject("account", typed.strip("@ ").lower())
    if typed.startswith("#") and typed.strip("# "):
        return Subject("hashtag", typed.strip("# ").lower())
    if re.fullmatch(r"\d{15,}", typed):
        return Subject("video", typed)
    message = f"{text!r} is nothing that can be shown: give {USAGE}"
    raise ValueError(message)


class Lookup:
    """Questions to the published file, up to a date.

    Args:
        connection: A reader of the published file.
        until: The last as-of date that is looked at; None for the newest.

    Attributes:
        first: The first as-of date that is published.
        last: The last one that is looked at.

    Raises:
        LookupError: Nothing is published up to the date.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, until: date | None) -> None:
        self._connection = connection
        found = connection.execute(
            "select min(as_of_date), max(as_of_date) from meta.builds where $until is null or as_of_date <= $until",
            {"until": until},
        ).fetchall()
        self.first, self.last = found[0]
        if self.last is None:
            message = f"nothing is published up to {until}: run `trends run` first"
            raise LookupError(message)

    def rows(self, sql: str, **values: Any) -> list[Row]:
        """Rows of a question; `$last` is the date."""
        cursor = self._ask(sql, values)
        names = [column[0] for column in cursor.description or ()]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def table(self, sql: str, **values: Any) -> pa.Table:
        """The same as an Arrow table."""
        return self._ask(sql, values).to_arrow_table()

    def _ask(self, sql: str, values: dict[str, Any]) -> duckdb.DuckDBPyConnection:
        named = {"last": self.last, **values}
        return self._connection.execute(sql, {name: named[name] for name in set(re.findall(r"\$(\w+)", sql))})


# A video by day and market, newest first.
VIDEO_DAYS = """
    select *
    from marts.videos_daily
    where video_id = $video and as_of_date <= $last
    order by as_of_date desc, market
"""

# Its readings, newest first.
READINGS = """
    select market, observed_at, age_hours, plays, delta_plays, gap_hours, live_views_per_hour
    from marts.video_readings
    where video_id = $video and cast(observed_at as date) <= $last
    order by observed_at desc, market
    limit $most
"""

# Forecasts with what came of them; those whose time is not over have no outcome yet.
FORECASTS = """
    select
        told.as_of_date, told.market, told.horizon_hours, told.target_at, told.base_plays, told.p10, told.p50, told.p90,
        told.model, told.chosen_because, settled.actual_gain as came,
        coalesce(settled.outcome, 'not due yet') as outcome, settled.no_outcome_because
    from marts.forecasts as told
    left join marts.forecast_outcomes as settled
        on
            settled.record = 'replay'
            and told.as_of_date = settled.forecast_date
            and told.market = settled.market
            and told.video_id = settled.video_id
            and told.horizon_hours = settled.horizon_hours
            and settled.as_of_date <= $last
    where told.video_id = $video and told.as_of_date <= $last and told.horizon_hours in (24, 48)
    order by told.as_of_date desc, told.market, told.horizon_hours
    limit $most
"""

# Its places in the build lists, and why.
BUILD_PLACES = """
    select as_of_date, place, build_priority, variants, publish_by, because, despite, would_change_if
    from marts.build_list
    where video_id = $video and as_of_date <= $last
    order by as_of_date desc
    limit 3
"""

# What was decided of it on the date.
DECISIONS = """
    select market, decision_mode, is_build, decision_reasons, stop_reason, would_change_if
    from marts.decisions
    where video_id = $video and as_of_date = $last
    order by market, decision_mode desc
"""

# Alerts about it.
ALERTS = """
    select tier, poll_at, market, gain_views, hours, z
    from marts.acceleration_alerts
    where video_id = $video and as_of_date <= $last
    order by poll_at desc
    limit 5
"""

# How far it is above its creator's usual.
VIDEO_OUTLIER = """
    select views_ratio, views_24h
    from marts.creator_outliers
    where video_id = $video and as_of_date = $last
"""

# A trend by day and market, newest first.
TREND_DAYS = """
    select *
    from marts.trends_daily
    where trend_key = $key and as_of_date <= $last
    order by as_of_date desc, market
"""

# Its row in the list of trends that can be joined.
TREND_LISTED = """
    select *
    from marts.trend_list
    where trend_key = $key and as_of_date = $last
"""

# Which market had it first.
TREND_MARKETS = """
    select first_market, first_onset_date, other_market, other_onset_date
    from marts.cross_market_trends
    where trend_key = $key and as_of_date = $last
    order by other_market
"""

# An account's posts against their usual.
ACCOUNT_OUTLIERS = """
    select posted_at, views_24h, views_ratio, is_breakout, video_id
    from marts.creator_outliers
    where author_handle = $handle and as_of_date = $last
    order by posted_at desc
"""

# Whose account it is.
ACCOUNT_ROLE = """
    select author_role
    from marts.videos_daily
    where author_handle = $handle and as_of_date <= $last
    limit 1
"""

# Videos as they were last shown, with their place in the build list.
_POSTS = """
    select
        videos.video_url, videos.caption, videos.author_handle, videos.plays, videos.status, videos.age_hours,
        coalesce(videos.live_views_per_hour, videos.views_per_hour) as pace, videos.market_label, listed.place
    from marts.videos_daily as videos
    left join marts.build_list as listed
        on videos.as_of_date = listed.as_of_date and videos.video_id = listed.video_id
    where {condition} and videos.as_of_date <= $last
    qualify row_number() over (
        partition by videos.video_id order by videos.as_of_date desc, videos.market
    ) = 1
    order by videos.as_of_date desc, pace desc nulls last, videos.video_id
    limit $most
"""

TREND_POSTS = _POSTS.format(condition="videos.trend_key = $key")
ACCOUNT_POSTS = _POSTS.format(condition="videos.author_handle = $handle")
