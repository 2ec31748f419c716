"""What to build, what was on the list before, what is followed."""

from __future__ import annotations

from datetime import date
from typing import Any

from exports.published.day import Day


def build_list(day: Day) -> list[dict[str, Any]]:
    """What to build, in order: the one list that everything shows."""
    return day.table("select * from marts.build_list where as_of_date = $as_of_date order by place").dicts()


def build_list_before(day: Day) -> tuple[date | None, dict[str, int]]:
    """The date that was built before this one, and its list: video to place; None without such a date."""
    before = day.value("select max(as_of_date) from meta.builds where as_of_date < $as_of_date")
    rows = day.table("select video_id, place from marts.build_list where as_of_date = $before", before=before).rows
    return before, {str(video): int(place) for video, place in rows}


def followed(day: Day) -> list[dict[str, Any]]:
    """What each followed entry of the watch list did in a day, what gained most first."""
    return day.table("select * from marts.followed where as_of_date = $as_of_date order by place").dicts()
