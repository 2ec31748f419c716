"""`trends show`: all that the published file knows of one video, account, tag, sound, template or effect, as text.

Belongs here: its words and their order. Must not be here: what is looked up (`questions`), lists that other outputs
show too (`published`), rules (models).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

import duckdb

from exports import questions
from exports.questions import Lookup, Row, Subject
from exports.text import trends
from exports.text.build_list import short
from services.text_safety import plain_text
from warehouse.labels import BREAKOUT

DAYS, READINGS, VIDEOS = 14, 12, 10


def show(connection: duckdb.DuckDBPyConnection, asked: Subject, until: date | None = None) -> str:
    """Everything of the published file about a subject.

    Args:
        connection: A reader of the published file.
        asked: What is asked for.
        until: The last as-of date that is looked at; None for the newest.

    Raises:
        LookupError: Nothing is published, or the file knows nothing of it; the message says how much was looked at.
    """
    lookup = Lookup(connection, until)
    makers = {"video": _video, "account": _account}
    lines = makers.get(asked.kind, _trend)(lookup, asked)
    if lines is None:
        message = (
            f"nothing is published about {asked.kind} {asked.value}: the feeds of {lookup.first} to {lookup.last}"
            " don't have it"
        )
        raise LookupError(message)
    return "\n".join([*lines, "", f"as of {lookup.last}"])


def _video(lookup: Lookup, asked: Subject) -> list[str] | None:
    days = lookup.rows(
        questions.VIDEO_DAYS,
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
        questions.READINGS,
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


def _forecasts(lookup: Lookup, video_id: str) -> list[Row]:
    """Forecasts, and what came of them."""
    found = lookup.rows(
        questions.FORECASTS,
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
            "": row["no_outcome_because"] or row["outcome"],
            "by": row["model"],
        }
        for row in found
    ]


def _where_it_stands(lookup: Lookup, video_id: str) -> list[str]:
    """Places in lists, why, and the alerts about it."""
    lines = []
    for row in lookup.rows(
        questions.BUILD_PLACES,
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
            questions.DECISIONS,
            video=video_id,
        ):
            lines += [
                f"in no build list; {row['decision_mode']} decision in {row['market']}:"
                f" {'build' if row['is_build'] else 'no build'}"
                f" ({_both(row['decision_reasons'], row['stop_reason'])})",
                f"  would change: {row['would_change_if']}",
            ]
    lines += [
        f"{row['tier']} of {_moment(row['poll_at'])} UTC in {row['market']}: +{short(row['gain_views'])} views in"
        f" {row['hours']:.1f} h, z {row['z']:.1f}"
        for row in lookup.rows(
            questions.ALERTS,
            video=video_id,
        )
    ]
    lines += [
        f"{row['views_ratio']:.1f} x its creator's usual at 24 h ({short(row['views_24h'])} views)"
        for row in lookup.rows(
            questions.VIDEO_OUTLIER,
            video=video_id,
        )
    ]
    return ["", "WHERE IT STANDS", *lines] if lines else []


def _both(text: str, more: str | None) -> str:
    return f"{text}; {more}" if more else text


def _trend(lookup: Lookup, asked: Subject) -> list[str] | None:
    key = f"{asked.kind}:{asked.value}"
    days = lookup.rows(
        questions.TREND_DAYS,
        key=key,
    )
    if not days:
        return None
    listed = lookup.rows(questions.TREND_LISTED, key=key)
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
            questions.TREND_MARKETS,
            key=key,
        )
    ]
    lines += _posts(lookup, "VIDEOS UNDER IT TODAY, fastest first", questions.TREND_POSTS, key=key)
    return lines


def _account(lookup: Lookup, asked: Subject) -> list[str] | None:
    posts = _posts(lookup, "POSTS IN THE FEEDS, fastest first", questions.ACCOUNT_POSTS, handle=asked.value)
    outliers = lookup.rows(
        questions.ACCOUNT_OUTLIERS,
        handle=asked.value,
    )
    if not posts and not outliers:
        return None
    role = lookup.rows(
        questions.ACCOUNT_ROLE,
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
                    "": BREAKOUT if row["is_breakout"] else "",
                    "video": row["video_id"],
                }
                for row in outliers
            ],
        ),
    ]


def _posts(lookup: Lookup, title: str, question: str, **values: Any) -> list[str]:
    """Videos as they were last shown, with their place in the build list."""
    found = lookup.rows(
        question,
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
