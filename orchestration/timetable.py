"""When jobs are due: one timetable for the schedules of the UI and for `--if-due` of the command line.

Belongs here: the hours, and which slot a moment belongs to. Must not be here: jobs, receipts, the present.

A scheduler outside (cron, GitHub Actions) knows UTC only and may be late or call twice. So it calls often, and the
command decides: a slot lasts until the next one, a late call still counts for it, and it is served once.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

DAILY_HOUR_UTC = 9
POLL_HOURS = range(8, 23, 2)
POLL_ZONE = "Europe/London"

DAILY_CRON = f"0 {DAILY_HOUR_UTC} * * *"
# Apify's runs may take two hours, and something may have to be started again.
DAILY_DEADLINE_HOUR_UTC = 12
DAILY_DEADLINE_CRON = f"0 {DAILY_DEADLINE_HOUR_UTC} * * *"
POLL_CRON = f"0 {POLL_HOURS[0]}-{POLL_HOURS[-1]}/{POLL_HOURS.step} * * *"


def daily_slot(now: datetime) -> datetime | None:
    """The moment from which the day's run is due, aware UTC; None before it.

    Args:
        now: An aware time.
    """
    slot = datetime.combine(now.astimezone(UTC).date(), time(DAILY_HOUR_UTC), tzinfo=UTC)
    return slot if slot <= now else None


def poll_slot(now: datetime) -> datetime | None:
    """The poll hour that a moment counts for, aware UTC: the last one at or before it, until the next or midnight.

    Args:
        now: An aware time.

    Returns:
        None in the night, from midnight to the first poll hour in London.
    """
    reached = [slot for slot in _poll_slots(now.astimezone(ZoneInfo(POLL_ZONE)).date()) if slot <= now]
    return reached[-1] if reached else None


def poll_slots_before(now: datetime, count: int) -> list[datetime]:
    """The last poll hours at or before a moment, earliest first, aware UTC; nights have none.

    Args:
        now: An aware time.
        count: How many, at most as many as two days have.
    """
    today = now.astimezone(ZoneInfo(POLL_ZONE)).date()
    slots = [slot for days_ago in (1, 0) for slot in _poll_slots(today - timedelta(days=days_ago))]
    return [slot for slot in slots if slot <= now][-count:]


def next_slot(job: str, now: datetime) -> datetime:
    """The first slot of a job (`daily` or `micro_poll`) after a moment, aware UTC."""
    today = now.astimezone(ZoneInfo(POLL_ZONE) if job == "micro_poll" else UTC).date()
    days = [today + timedelta(days=offset) for offset in range(2)]
    if job == "micro_poll":
        slots = [slot for day in days for slot in _poll_slots(day)]
    else:
        slots = [datetime.combine(day, time(DAILY_HOUR_UTC), tzinfo=UTC) for day in days]
    return next(slot for slot in slots if slot > now)


def slot_key(job: str, slot: datetime) -> str:
    """The receipt key of a served slot."""
    return f"slot:{job}:{slot:%Y-%m-%dT%H:%M}"


def _poll_slots(day: date) -> list[datetime]:
    # The clocks change at 1 in the night: every poll hour exists, and exists once.
    return [datetime.combine(day, time(hour), tzinfo=ZoneInfo(POLL_ZONE)).astimezone(UTC) for hour in POLL_HOURS]
