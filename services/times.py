"""Times as the reader's clock shows them: the one place that turns a moment into words.

Belongs here: zone, 24 or 12 hours, words. Must not be here: reading the setting (`orchestration.settings`), which
moment to show. What machines read (workbooks' columns, JSON, the marts) stays in UTC and says so.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

DEFAULT_ZONE, DEFAULT_HOURS = "UTC", 24


@dataclass(frozen=True, slots=True)
class Times:
    """How moments are shown.

    Attributes:
        zone: Name of a time zone, such as `Europe/London`.
        hours: 24 or 12.
    """

    zone: str = DEFAULT_ZONE
    hours: int = DEFAULT_HOURS

    def stamp(self, moment: datetime) -> str:
        """`2026-03-16 05:51 UTC`; a moment without a zone is UTC."""
        local = self._local(moment)
        return f"{local:%Y-%m-%d} {self._clock(local)} {self._name(local)}"

    def day(self, moment: datetime, *, named: bool = True) -> str:
        """`Mon 16 Mar 05:51 UTC`, without the zone's name where a note says it for all."""
        local = self._local(moment)
        return f"{local:%a %d %b} {self._clock(local)}" + (f" {self._name(local)}" if named else "")

    def plain_day(self, moment: datetime) -> str:
        """`Mon 5 Mar 05:51`: the day without a zero before it, for pages whose head names the zone."""
        local = self._local(moment)
        return f"{local:%a} {local.day} {local:%b} {self._clock(local)}"

    def clock(self, moment: datetime) -> str:
        """`05:51 UTC`."""
        local = self._local(moment)
        return f"{self._clock(local)} {self._name(local)}"

    def hour(self, local: datetime) -> str:
        """`05:51`, of a time that is a place's own already."""
        return self._clock(local)

    def note(self, moment: datetime) -> str:
        """Which zone a page's times are in, at a moment: summer time has a name of its own."""
        name = self._name(self._local(moment))
        return name if name in (self.zone, self._city()) else f"{name} ({self.zone})"

    def _local(self, moment: datetime) -> datetime:
        return moment.replace(tzinfo=moment.tzinfo or UTC).astimezone(ZoneInfo(self.zone))

    def _clock(self, local: datetime) -> str:
        return f"{local:%H:%M}" if self.hours == DEFAULT_HOURS else f"{local:%I:%M %p}".lstrip("0")

    def _name(self, local: datetime) -> str:
        """Its letters, such as GMT; where a zone has only numbers for them, its city."""
        name = local.tzname() or ""
        return name if name.isalpha() else self._city()

    def _city(self) -> str:
        return self.zone.rsplit("/", 1)[-1].replace("_", " ")


IN_UTC = Times()
