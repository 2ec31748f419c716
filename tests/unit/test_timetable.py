"""Which slot a moment belongs to: London's hours in winter, in summer and on both days the clocks change."""

from __future__ import annotations

from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest

from orchestration import timetable
from tests.support import moment


@pytest.mark.parametrize(
    ("now", "slot"),
    [
        ("2026-01-05T07:59", None),  # winter: London is UTC
        ("2026-01-05T08:00", "2026-01-05T08:00"),
        ("2026-01-05T09:59", "2026-01-05T08:00"),  # late, and still the slot of 08
        ("2026-01-05T10:00", "2026-01-05T10:00"),
        ("2026-01-05T23:59", "2026-01-05T22:00"),
        ("2026-01-06T00:00", None),
        ("2026-07-05T06:59", None),  # summer: London is an hour ahead
        ("2026-07-05T07:00", "2026-07-05T07:00"),
        ("2026-07-05T22:59", "2026-07-05T21:00"),
        ("2026-07-05T23:00", None),
        ("2026-03-29T07:00", "2026-03-29T07:00"),  # the clocks went forward this morning
        ("2026-03-28T08:00", "2026-03-28T08:00"),
        ("2026-10-25T07:30", None),  # and back this morning
        ("2026-10-25T08:00", "2026-10-25T08:00"),
    ],
)
def test_the_poll_slot_of_a_moment(now: str, slot: str | None) -> None:
    assert timetable.poll_slot(moment(now)) == (moment(slot) if slot else None)


def test_the_daily_slot_begins_at_nine_utc_and_lasts_the_day() -> None:
    assert timetable.daily_slot(moment("2026-07-05T08:59")) is None
    assert timetable.daily_slot(moment("2026-07-05T23:59")) == moment("2026-07-05T09:00")


@pytest.mark.parametrize("first_day", ["2026-01-05", "2026-03-28", "2026-10-24"])
def test_calls_at_every_hour_serve_each_slot_once(first_day: str) -> None:
    """An hourly call in UTC, some minutes late, meets every poll hour of London once."""
    start = moment(f"{first_day}T00:00")
    calls = [start + timedelta(hours=hour, minutes=7) for hour in range(72)]
    served = {slot for call in calls if (slot := timetable.poll_slot(call)) is not None}
    assert len(served) == 24
    hours = [slot.astimezone(ZoneInfo(timetable.POLL_ZONE)).hour for slot in sorted(served)]
    assert hours == [*range(8, 23, 2)] * 3


def test_the_next_slot() -> None:
    assert timetable.next_slot("micro_poll", moment("2026-10-24T21:30")) == moment("2026-10-25T08:00")
    assert timetable.next_slot("micro_poll", moment("2026-07-05T07:00")) == moment("2026-07-05T09:00")
    assert timetable.next_slot("daily", moment("2026-07-05T09:00")) == moment("2026-07-06T09:00")
    assert timetable.next_slot("daily", moment("2026-07-05T08:59")) == moment("2026-07-05T09:00")
