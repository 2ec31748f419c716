"""`trends show`: all that the published file knows of one video, account, tag, sound, template or effect, as text.

Belongs here: what a person's words mean, what is looked up for each kind of thing, and its words. Must not be here:
lists that other outputs show too (`published`), rules (models).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import duckdb

from exports.text import trends
from exports.text.build_list import short
from services.text_safety import plain_text

Row = dict[str, Any]

DAYS, READINGS, VIDEOS = 14, 12, 10

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


def show(connection: duckdb.DuckDBPyConnection, asked: Subject, until: date | None = None) -> str:
    """Everything of the published file about a subject.

    Args:
        connection: A reader of the published file.
        asked: What is asked for.
        until: The last as-of date that is looked at; None for the newest.

    Raises:
        LookupError: Nothing is published, or the file knows nothing of it; the message says how much was looked at.
    """
    lookup = _Lookup(connection, until)
    makers = {"video": _video, "account": _account}
    lines = makers.get(asked.kind, _trend)(lookup, asked)
    if lines is None:
        message = (
            f"nothing is published about {asked.kind} {asked.value}: the feeds of {lookup.first} to {lookup.last}"
            " don't have it"
        )
        raise LookupError(message)
    return "\n".join([*lines, "", f"as of {lookup.last}"])


class _Lookup:
    """Questions to the published file, up to a date."""

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
        """Rows of a query; `$last` is the date."""
        named = {"last": self.last, **values}
        cursor = self._connection.execute(sql, {name: named[name] for name in re.findall(r"\$(\w+)", sql)})
        names = [column[0] for column in cursor.description or ()]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def _video(lookup: _Lookup, asked: Subject) -> list[str] | None:
    days = lookup.rows(
        """
        select *
        from marts.videos_daily
        where video_id = $video and as_of_date <= $last
        order by as_of_date desc, market
        """,
        video=asked.value,
    )
    if not days:
        return None
    now = days[0]
    lines = [
        plain_text(now["caption"]) or "(no caption)",
        f"@{plain_text(now['author_handle'] or 'unknown')} ({now['author_role']}),"
        f" posted {_moment(now['posted_at'])} UTC, {now['market_label']}, {now['ai_category']}",
        now["video_url"] or "no link",
        f"trend {now['trend_key']}: {now['trend_key_reason']}",
        f"raw item: load {now['load_id']}, item {now['item_index']} of raw.tiktok_videos",
    ]
    lines += _block(
        "BY DAY",
        [
            {
                "date": day["as_of_date"],
                "market": day["market"],
                "views": _count(day["plays"]),
                "views/h now": _count(day["live_views_per_hour"]),
                "momentum": _count(day["momentum_score"]),
                "status": day["status"],
                "score": _count(day["score"]),
                "window": day["action_window"],
                "next 24 h": _range(day, "gain_24h_"),
            }
            for day in days[:DAYS]
        ],
    )
    readings = lookup.rows(
        """
        select market, observed_at, age_hours, plays, delta_plays, gap_hours, live_views_per_hour
        from marts.video_readings
        where video_id = $video and cast(observed_at as date) <= $last
        order by observed_at desc, market
        limit $most
        """,
        video=asked.value,
        most=READINGS,
    )
    lines += _block(
        "READINGS, newest first",
        [
            {
                "observed (UTC)": _moment(reading["observed_at"]),
                "market": reading["market"],
                "age": f"{reading['age_hours']:.1f} h" if reading["age_hours"] is not None else "",
                "views": _count(reading["plays"]),
                "gained": _count(reading["delta_plays"]),
                "in": f"{reading['gap_hours']:.1f} h" if reading["gap_hours"] is not None else "",
                "views/h": _count(reading["live_views_per_hour"]),
            }
            for reading in readings
        ],
    )
    lines += _block("FORECAST AND WHAT CAME", _forecasts(lookup, asked.value))
    lines += _where_it_stands(lookup, asked.value)
    return lines


def _forecasts(lookup: _Lookup, video_id: str) -> list[Row]:
    """Forecasts with the first reading after their target, if it came within six hours of it."""
    found = lookup.rows(
        """
        select
            told.as_of_date, told.market, told.horizon_hours, told.base_plays, told.p10, told.p50, told.p90, told.model,
            (
                select min_by(met.plays, met.observed_at)
                from marts.video_readings as met
                where
                    met.video_id = told.video_id
                    and met.observed_at between told.target_at and told.target_at + interval 6 hour
                    and cast(met.observed_at as date) <= $last
            ) - told.base_plays as came
        from marts.forecasts as told
        where told.video_id = $video and told.as_of_date <= $last and told.horizon_hours in (24, 48)
        order by told.as_of_date desc, told.market, told.horizon_hours
        limit $most
        """,
        video=video_id,
        most=READINGS,
    )
    return [
        {
            "made for": row["as_of_date"],
            "market": row["market"],
            "hours": row["horizon_hours"],
            "views then": _count(row["base_plays"]),
            "gain told": _range(row, ""),
            "came": _count(row["came"], "+"),
            "": _verdict(row),
            "by": row["model"],
        }
        for row in found
    ]


def _verdict(row: Row) -> str:
    if row["came"] is None:
        return "not read yet"
    return "in range" if row["p10"] <= row["came"] <= row["p90"] else "out of range"


def _where_it_stands(lookup: _Lookup, video_id: str) -> list[str]:
    """Places in lists, why, and the alerts about it."""
    lines = []
    for row in lookup.rows(
        """
        select as_of_date, place, build_priority, variants, publish_by, because, despite, would_change_if
        from marts.build_list
        where video_id = $video and as_of_date <= $last
        order by as_of_date desc
        limit 3
        """,
        video=video_id,
    ):
        lines += [
            f"build list of {row['as_of_date']}: place {row['place']}, {row['build_priority']},"
            f" {row['variants']} variants, publish by {_moment(row['publish_by'])} UTC",
            f"  why: {_both(row['because'], row['despite'])}",
            f"  would change: {row['would_change_if']}",
        ]
    if not lines:
        for row in lookup.rows(
            """
            select market, is_build, decision_reasons, stop_reason, would_change_if
            from marts.decisions where video_id = $video and as_of_date = $last order by market
            """,
            video=video_id,
        ):
            lines += [
                f"in no build list; decision in {row['market']}: {'build' if row['is_build'] else 'no build'}"
                f" ({_both(row['decision_reasons'], row['stop_reason'])})",
                f"  would change: {row['would_change_if']}",
            ]
    lines += [
        f"{row['tier']} of {_moment(row['poll_at'])} UTC in {row['market']}: +{short(row['gain_views'])} views in"
        f" {row['hours']:.1f} h, z {row['z']:.1f}"
        for row in lookup.rows(
            """
            select tier, poll_at, market, gain_views, hours, z
            from marts.acceleration_alerts
            where video_id = $video and as_of_date <= $last
            order by poll_at desc
            limit 5
            """,
            video=video_id,
        )
    ]
    lines += [
        f"{row['views_ratio']:.1f} x its creator's usual at 24 h ({short(row['views_24h'])} views)"
        for row in lookup.rows(
            "select views_ratio, views_24h from marts.creator_outliers where video_id = $video and as_of_date = $last",
            video=video_id,
        )
    ]
    return ["", "WHERE IT STANDS", *lines] if lines else []


def _both(text: str, more: str | None) -> str:
    return f"{text}; {more}" if more else text


def _trend(lookup: _Lookup, asked: Subject) -> list[str] | None:
    key = f"{asked.kind}:{asked.value}"
    days = lookup.rows(
        """
        select *
        from marts.trends_daily
        where trend_key = $key and as_of_date <= $last
        order by as_of_date desc, market
        """,
        key=key,
    )
    if not days:
        return None
    listed = lookup.rows("select * from marts.trend_list where trend_key = $key and as_of_date = $last", key=key)
    lines = (
        [trends.head(listed[0]), trends.detail(listed[0]), listed[0]["trend_url"]]
        if listed
        else [f"{key}: not among the trends that can be joined today"]
    )
    lines += _block(
        "BY DAY",
        [
            {
                "date": day["as_of_date"],
                "market": day["market"],
                "stage": day["lifecycle"],
                "uses": _count(day["uses"]),
                "new": _count(day["new_uses"]),
                "creators": _count(day["creators"]),
                "gained 24 h": _count(day["gained_views_24h"]),
                "hours left": f"{day['window_left_h']:.0f} ({day['window_left_p25_h']:.0f} to"
                f" {day['window_left_p75_h']:.0f})",
            }
            for day in days[:DAYS]
        ],
    )
    lines += [
        f"{row['first_market']} from {row['first_onset_date']}, {row['other_market']} "
        + (f"from {row['other_onset_date']}" if row["other_onset_date"] else "not yet")
        for row in lookup.rows(
            """
            select first_market, first_onset_date, other_market, other_onset_date
            from marts.cross_market_trends
            where trend_key = $key and as_of_date = $last
            order by other_market
            """,
            key=key,
        )
    ]
    lines += _posts(lookup, "VIDEOS UNDER IT TODAY, fastest first", "videos.trend_key = $key", key=key)
    return lines


def _account(lookup: _Lookup, asked: Subject) -> list[str] | None:
    posts = _posts(lookup, "POSTS IN THE FEEDS, fastest first", "videos.author_handle = $handle", handle=asked.value)
    outliers = lookup.rows(
        """
        select posted_at, views_24h, views_ratio, is_breakout, video_id
        from marts.creator_outliers
        where author_handle = $handle and as_of_date = $last
        order by posted_at desc
        """,
        handle=asked.value,
    )
    if not posts and not outliers:
        return None
    role = lookup.rows(
        "select author_role from marts.videos_daily where author_handle = $handle and as_of_date <= $last limit 1",
        handle=asked.value,
    )
    return [
        f"@{asked.value} ({role[0]['author_role'] if role else 'other'})",
        *posts,
        *_block(
            "POSTS AGAINST THEIR USUAL",
            [
                {
                    "posted (UTC)": _moment(row["posted_at"]),
                    "views at 24 h": _count(row["views_24h"]),
                    "x usual": f"{row['views_ratio']:.1f}",
                    "": "💥" if row["is_breakout"] else "",
                    "video": row["video_id"],
                }
                for row in outliers
            ],
        ),
    ]


def _posts(lookup: _Lookup, title: str, condition: str, **values: Any) -> list[str]:
    """Videos as they were last shown, with their place in the build list."""
    found = lookup.rows(
        f"""
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
        """,
        most=VIDEOS,
        **values,
    )
    return _block(
        title,
        [
            {
                "views": _count(row["plays"]),
                "views/h": _count(row["pace"]),
                "status": row["status"],
                "market": row["market_label"],
                "build": row["place"] or "",
                "creator": f"@{plain_text(row['author_handle'] or 'unknown')}",
                "video": row["video_url"] or "no link",
            }
            for row in found
        ],
    )


def _block(title: str, rows: Sequence[Row]) -> list[str]:
    """A table in columns; nothing where there are no rows."""
    if not rows:
        return []
    cells = [[str(name) for name in rows[0]], *([str(value) for value in row.values()] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = ["  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip() for line in cells]
    return ["", title, *lines]


def _count(value: float | None, sign: str = "") -> str:
    return "-" if value is None else short(value, sign)


def _range(row: Row, prefix: str) -> str:
    if row[f"{prefix}p50"] is None:
        return "-"
    return f"{short(row[f'{prefix}p50'], '+')} ({short(row[f'{prefix}p10'])} to {short(row[f'{prefix}p90'])})"


def _moment(value: datetime | None) -> str:
    return "unknown" if value is None else f"{value:%Y-%m-%d %H:%M}"
