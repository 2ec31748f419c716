"""Moments in words: by zone, 24 and 12 hours, over a change of the clocks; what machines read has no part in it."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime

import pytest

from exports.text import build_list, poll_report
from services.times import IN_UTC, Times

WINTER, SUMMER = datetime(2026, 3, 28, 23, 5), datetime(2026, 3, 29, 23, 5)
SHOWN = [
    ("UTC", 24, "2026-03-28 23:05 UTC", "2026-03-29 23:05 UTC", "23:05 UTC"),
    ("Europe/London", 24, "2026-03-28 23:05 GMT", "2026-03-30 00:05 BST", "23:05 GMT"),
    ("America/New_York", 12, "2026-03-28 7:05 PM EDT", "2026-03-29 7:05 PM EDT", "7:05 PM EDT"),
    ("Asia/Dubai", 24, "2026-03-29 03:05 Dubai", "2026-03-30 03:05 Dubai", "03:05 Dubai"),
    ("Asia/Kolkata", 12, "2026-03-29 4:35 AM IST", "2026-03-30 4:35 AM IST", "4:35 AM IST"),
]


@pytest.mark.parametrize(("zone", "hours", "winter", "summer", "clock"), SHOWN)
def test_a_moment_is_shown_by_the_readers_clock(zone: str, hours: int, winter: str, summer: str, clock: str) -> None:
    times = Times(zone, hours)
    assert (times.stamp(WINTER), times.stamp(SUMMER), times.clock(WINTER)) == (winter, summer, clock)
    assert times.stamp(WINTER.replace(tzinfo=UTC)) == winter


def test_days_and_notes() -> None:
    london = Times("Europe/London")
    assert (IN_UTC.day(WINTER), IN_UTC.plain_day(datetime(2026, 3, 5, 4, 5))) == (
        "Sat 28 Mar 23:05 UTC", "Thu 5 Mar 04:05",
    )  # fmt: skip
    assert (london.day(SUMMER), london.day(SUMMER, named=False)) == ("Mon 30 Mar 00:05 BST", "Mon 30 Mar 00:05")
    assert (IN_UTC.note(WINTER), london.note(SUMMER), Times("Asia/Dubai").note(WINTER)) == (
        "UTC", "BST (Europe/London)", "Dubai",
    )  # fmt: skip
    midnight, noon = datetime(2026, 3, 5, 0, 0), datetime(2026, 3, 5, 12, 30)
    assert [Times("UTC", 12).clock(moment) for moment in (midnight, noon)] == ["12:00 AM UTC", "12:30 PM UTC"]


def test_publish_by_has_the_readers_clock_and_the_markets() -> None:
    row = {"publish_by": SUMMER, "publish_by_local": datetime(2026, 3, 29, 19, 5), "timezone": "America/New_York"}
    assert build_list.publish_by(row) == "Sun 29 Mar 23:05 UTC (Sun 19:05 New York)"
    assert build_list.publish_by(row, Times("Europe/London", 12)) == "Mon 30 Mar 12:05 AM BST (Sun 7:05 PM New York)"


def test_a_polls_messages_have_it_and_their_keys_have_not() -> None:
    from tests.unit.test_poll_report import ALERT, HEARD, ROW, TREND

    row = {**ROW, "poll_at": datetime(2026, 6, 1, 8, 0)}
    poll = poll_report.Poll(row, [HEARD], [ALERT], [TREND])
    plain = dict(poll_report.messages(poll, "always"))
    shown = dict(poll_report.messages(poll, "always", Times("Europe/London", 12)))
    assert list(plain) == list(shown), "a re-run with another clock is the same message"
    assert shown["poll:2026-06-01T08:00"].title == "🔎 Poll 2026-06-01 9:00 AM BST"
    assert "Poll of 9:00 AM BST" in next(iter(shown.values())).footer
    told = str([dataclasses.asdict(message)["fields"] for message in shown.values()])
    assert " UTC" not in told and " GMT (" in told
