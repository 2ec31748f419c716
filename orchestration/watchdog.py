"""Silence is told: what should have come and did not, and the sign of life after each good run.

Belongs here: from when on silence is one, and its words. Must not be here: when somebody looks (`sensors`), how a
message is sent (`services.tell`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Any

import httpx

from orchestration import services, timetable
from orchestration.settings import Settings
from services.message import Field, Message
from warehouse.publish import published_dates
from warehouse.store import Store

# A poll may start late and takes a while: only then has a slot gone by without it.
POLL_GRACE = timedelta(minutes=45)
SILENT_SLOTS = 2
SHEET_DAYS = 7
_BLUE = 0x5865F2
_HEARTBEAT_TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True)
class Silence:
    """Something that did not come.

    Attributes:
        key: Names it; told once.
        what: One line.
        remedy: What to do.
    """

    key: str
    what: str
    remedy: str


def silences(settings: Settings, store: Store, now: datetime) -> list[Silence]:
    """What should have come by now: the day's file, polls, a look at the revenue sheet.

    Args:
        settings: What is set up.
        store: The home; before its first published date nothing is missing.
        now: An aware time.
    """
    if not store.published_path.exists() or not (dates := published_dates(store)):
        return []
    with store.published_reader() as connection:
        [(last_poll, last_sheet)] = connection.execute(
            """
            select
                (select max(poll_at) from marts.micro_polls),
                (select max(observed_at) from marts.revenue_source where not is_simulated)
            """
        ).fetchall()
    found = _of_day(settings, dates[-1], now), _of_polls(settings, last_poll, now), _of_sheet(settings, last_sheet, now)
    return [silence for silence in found if silence is not None]


def tell(settings: Settings, store: Store, now: datetime) -> Iterator[str]:
    """Sends each silence once; gives what became of it.

    Args:
        settings: What is set up.
        store: The home.
        now: An aware time.
    """
    if not services.carriers(settings):
        return
    for silence in silences(settings, store, now):
        message = Message(
            f"🔕 Silence: {silence.what}", (Field("What to do", (silence.remedy,)),), colour=_BLUE
        )  # fmt: skip
        told = services.tell(settings, services.receipts(store), silence.key, now.astimezone(UTC).date(), message)
        for name, done in told:
            yield f"{silence.key}: {name} {done.outcome}{f', {done.reason}' if done.reason else ''}"


def give_sign_of_life(settings: Settings) -> str | None:
    """Calls `HEARTBEAT_URL`, so that a watcher outside sees when it stops being called; never raises.

    Returns:
        Why it could not be called; None where it was, or none is set.
    """
    if settings.heartbeat_url is None:
        return None
    try:
        httpx.get(settings.heartbeat_url.get_secret_value(), timeout=_HEARTBEAT_TIMEOUT_S).raise_for_status()
    except httpx.HTTPStatusError as error:
        return f"HEARTBEAT_URL answered {error.response.status_code}"
    except httpx.HTTPError as error:
        # Its text may hold the address, which is a secret.
        return f"HEARTBEAT_URL could not be called: {type(error).__name__}"
    return None


def _of_day(settings: Settings, last: Any, now: datetime) -> Silence | None:
    today = now.astimezone(UTC).date()
    deadline = datetime.combine(today, time(timetable.DAILY_DEADLINE_HOUR_UTC), tzinfo=UTC)
    if now < deadline or last >= today:
        return None
    return Silence(
        f"silence:daily:{today}",
        f"no file of {today} was published by {settings.times.clock(deadline)}; the last is of {last}",
        "look at the last run in the UI, or run `trends doctor`, then `trends run`",
    )


def _of_polls(settings: Settings, last: datetime | None, now: datetime) -> Silence | None:
    if last is None:
        # Nobody polls this home.
        return None
    gone_by = timetable.poll_slots_before(now - POLL_GRACE, SILENT_SLOTS)
    at = last.replace(tzinfo=UTC)
    if at >= gone_by[0]:
        return None
    return Silence(
        f"silence:poll:{at:%Y-%m-%dT%H:%M}",
        f"no poll for {SILENT_SLOTS} slots; the last was at {settings.times.stamp(at)}",
        "look at the schedule micro_poll_2h and its last run in the UI, or run `trends poll`",
    )


def _of_sheet(settings: Settings, last: datetime | None, now: datetime) -> Silence | None:
    is_set_up = settings.revenue_sheet_id or settings.dashboard_sheet_id
    if not is_set_up or last is None or now - last.replace(tzinfo=UTC) <= timedelta(days=SHEET_DAYS):
        return None
    return Silence(
        f"silence:sheet:{last:%Y-%m-%d}",
        f"the revenue sheet was not read since {settings.times.stamp(last)}",
        "run `trends doctor`: it says whether the sheet can be read; if not, `trends auth google`",
    )
