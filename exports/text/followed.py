"""What followed things did since yesterday, in words: what message, summary and report share.

Belongs here: wording of `marts.followed`. Must not be here: SQL (`published`), what is followed (seeds/watchlist.csv).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from exports.text import build_list

Row = Mapping[str, Any]

TOP = 5
TITLE = "FOLLOWED"


def name(row: Row) -> str:
    """`tag #x`, `account @x (UK)`."""
    return f"{row['kind']} {row['value']}" + (f" ({row['market']})" if row["market"] else "")


def did(row: Row) -> str:
    """What it did in a day: videos, new ones, views gained, stage, alerts, places in the build list."""
    if not row["videos"]:
        return "no feed of the day shows it"
    gained = row["gained_views_24h"]
    parts = [
        f"{_counted(row['videos'], 'video')} in the feeds, {row['new_videos']} new since yesterday",
        "gain not known" if gained is None else f"{build_list.short(gained, '+')} views in 24 h",
    ]
    if row["creators"] > 1:
        parts.append(f"{row['creators']} creators")
    if row["stages"]:
        parts.append(str(row["stages"]))
    if row["alerts_24h"]:
        parts.append(_counted(row["alerts_24h"], "alert"))
    if row["builds"]:
        parts.append(f"{_counted(row['builds'], 'build')} of the list, the first at place {row['best_build_place']}")
    return " · ".join(parts)


def _counted(value: int, noun: str) -> str:
    return f"{value} {noun}{'' if value == 1 else 's'}"
