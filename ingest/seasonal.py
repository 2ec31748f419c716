"""Seasonal calendar: turns the rules of the event seed into dates.

Belongs here: reading and checking `seeds/seasonal_events.csv` and `seeds/content_windows.csv`, resolving each rule for
a span of years through the calendar libraries, landing the dates.
Must not be here: what an alert is (models), today's date, the environment, any date of a variable event.

Rules (spec "seasonal"):

    fixed:MM-DD            the same day every year
    nth:MM,weekday,n       the n-th weekday of a month, counted from its end where n is negative
    easter:±days           days from Easter Sunday (python-dateutil)
    after:event,±days      days from another event of the seed
    hijri:month-day        Umm al-Qura calendar (hijridate), ±1 day by the sighting of the moon
    hebrew:month-day       Hebrew calendar, Nisan is month 1 (pyluach)
    lunar:month-day        Chinese calendar (lunardate)
    table:name             a name in the calendar of India (holidays), such as Diwali

A library that does not know a year leaves the event out of it, with a reason; nothing is guessed.
"""

from __future__ import annotations

import calendar
import csv
import hashlib
import re
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache
from pathlib import Path

import duckdb
import holidays
import lunardate
import pyarrow as pa
from dateutil.easter import easter
from hijridate import Hijri, ummalqura
from pyluach.dates import HebrewDate

# Wide enough for any backfill and for planning ahead; beyond a library's range events are absent, not guessed.
FIRST_YEAR = 2010
LAST_YEAR = 2045

EVENT_COLUMNS = (
    "key", "name", "emoji", "market", "rule", "keywords", "template_ideas", "tone", "days_before", "duration_days",
    "lead_days", "major", "enabled",
)  # fmt: skip
WINDOW_COLUMNS = ("key", "name", "emoji", "market", "starts", "ends", "template_ideas", "tone", "enabled")
TONES = ("celebrate", "sombre")
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
MAXIMUM_LEAD_DAYS = 90
MAXIMUM_DAYS_BEFORE = 14
MAXIMUM_DURATION_DAYS = 92

CALENDAR_SCHEMA = pa.schema(
    [
        pa.field("event_key", pa.string(), nullable=False),
        pa.field("rule", pa.string(), nullable=False),
        pa.field("event_date", pa.date32(), nullable=False),
        pa.field("resolved_by", pa.string(), nullable=False),
        pa.field("is_approximate", pa.bool_(), nullable=False),
    ]
)


class SeasonalSeedError(ValueError):
    """The seed holds rows that cannot be used; the message names file, row and remedy of each."""


@dataclass(frozen=True, slots=True)
class SeasonalEvent:
    """One row of the event seed, checked.

    Attributes:
        key: Identifier, lower case.
        name: Name for people.
        market: Upper-case market code, or `both` for every market.
        rule: The rule as written.
        tone: `celebrate` or `sombre`.
        days_before: Days that it begins before its date, such as Good Friday before Easter Sunday.
        duration_days: Days it lasts from its begin on, 1 or more.
        lead_days: Days before it at which alerts begin.
        major: Whether it is also announced 21 and 42 days before.
        enabled: Whether it is in use.
    """

    key: str
    name: str
    market: str
    rule: str
    tone: str
    days_before: int
    duration_days: int
    lead_days: int
    major: bool
    enabled: bool


@dataclass(frozen=True, slots=True)
class CalendarGap:
    """A year for which an event has no date, and why."""

    event_key: str
    year: int
    reason: str


@dataclass(frozen=True, slots=True)
class SeasonalCalendar:
    """Resolved dates.

    Attributes:
        table: Arrow table of `CALENDAR_SCHEMA`, one row per event and date, in the seed's order.
        gaps: Years that a library could not answer.
    """

    table: pa.Table
    gaps: tuple[CalendarGap, ...]

    def warnings(self, first_year: int, last_year: int) -> list[str]:
        """One line per gap within the given years."""
        return [
            f"{gap.event_key} has no date in {gap.year}: {gap.reason}"
            for gap in self.gaps
            if first_year <= gap.year <= last_year
        ]


@dataclass(frozen=True, slots=True)
class _Resolver:
    """A rule, understood: its dates in a year (none where the year has none) and the years it can answer."""

    dates_in: Callable[[int], list[date]]
    resolved_by: str
    first_year: int = date.min.year + 1
    last_year: int = date.max.year - 1
    is_approximate: bool = False


class _RuleProblemError(ValueError):
    """What is wrong with one rule, with the remedy."""


def read_events(path: Path) -> list[SeasonalEvent]:
    """Reads and checks the event seed.

    Args:
        path: The CSV file.

    Returns:
        All its events, also the ones that are switched off.

    Raises:
        SeasonalSeedError: If any row is wrong; all wrong rows are named.
    """
    problems: list[str] = []
    events: list[SeasonalEvent] = []
    lines: dict[str, int] = {}
    for line, row in _rows(path, EVENT_COLUMNS):
        found = _problems_of_event(row)
        if row["key"] in lines:
            found.append(f"the key stands in row {lines[row['key']]} already; give each event a key of its own")
        lines.setdefault(row["key"], line)
        if found:
            problems.extend(_complaint(path, line, row["key"], problem) for problem in found)
            continue
        events.append(
            SeasonalEvent(
                key=row["key"],
                name=row["name"],
                market=row["market"],
                rule=row["rule"],
                tone=row["tone"],
                days_before=int(row["days_before"]),
                duration_days=int(row["duration_days"]),
                lead_days=int(row["lead_days"]),
                major=row["major"] == "true",
                enabled=row["enabled"] == "true",
            )
        )
    rules = {event.key: event.rule for event in events}
    for event in events:
        try:
            _understand(event.rule, rules, (event.key,))
        except _RuleProblemError as problem:
            problems.append(_complaint(path, lines[event.key], event.key, f"rule '{event.rule}': {problem}"))
    if problems:
        raise SeasonalSeedError("\n".join(problems))
    return events


def check_windows(path: Path) -> int:
    """Checks the content windows' seed; the models read it themselves.

    Args:
        path: The CSV file.

    Returns:
        The number of windows.

    Raises:
        SeasonalSeedError: If any row is wrong; all wrong rows are named.
    """
    problems: list[str] = []
    keys: set[str] = set()
    for line, row in _rows(path, WINDOW_COLUMNS):
        found = _problems_common(row)
        for column in ("starts", "ends"):
            month_day = _month_day(row[column])
            if month_day is None or month_day == (2, 29):
                found.append(f"{column} '{row[column]}' is no day of every year; write month-day such as 10-15")
        if row["key"] in keys:
            found.append("the key stands above already; give each window a key of its own")
        keys.add(row["key"])
        problems.extend(_complaint(path, line, row["key"], problem) for problem in found)
    if problems:
        raise SeasonalSeedError("\n".join(problems))
    return len(keys)


def resolve_calendar(
    events: Sequence[SeasonalEvent], first_year: int = FIRST_YEAR, last_year: int = LAST_YEAR
) -> SeasonalCalendar:
    """Resolves every event's rule to dates.

    Args:
        events: Events of `read_events`.
        first_year: First calendar year, inclusive.
        last_year: Last calendar year, inclusive.

    Returns:
        The dates and the gaps. An event has two rows in a year that holds it twice.
    """
    rules = {event.key: event.rule for event in events}
    rows: list[tuple[str, str, date, str, bool]] = []
    gaps: list[CalendarGap] = []
    for event in events:
        resolver = _understand(event.rule, rules, (event.key,))
        for year in range(first_year, last_year + 1):
            if not resolver.first_year <= year <= resolver.last_year:
                reason = f"{resolver.resolved_by} knows {resolver.first_year} to {resolver.last_year}"
                gaps.append(CalendarGap(event.key, year, reason))
                continue
            rows.extend(
                (event.key, event.rule, event_date, resolver.resolved_by, resolver.is_approximate)
                for event_date in sorted(resolver.dates_in(year))
            )
    columns = [list(column) for column in zip(*rows, strict=True)] if rows else [[] for _ in CALENDAR_SCHEMA]
    return SeasonalCalendar(pa.Table.from_arrays([pa.array(c) for c in columns], schema=CALENDAR_SCHEMA), tuple(gaps))


def land_seasonal_dates(
    connection: duckdb.DuckDBPyConnection, calendar_table: pa.Table, *, landed_at: datetime
) -> bool:
    """Appends the calendar to `raw.seasonal_dates`, unless the newest one there is the same.

    Args:
        connection: A writer connection.
        calendar_table: Table of `CALENDAR_SCHEMA`.
        landed_at: Aware time of landing.

    Returns:
        Whether anything was added.
    """
    digest = hashlib.sha256()
    for row in calendar_table.to_pylist():
        digest.update(repr(sorted(row.items())).encode())
    calendar_hash = digest.hexdigest()
    newest = connection.execute(
        "select calendar_id, calendar_hash from raw.seasonal_dates order by calendar_id desc limit 1"
    ).fetchall()
    if newest and newest[0][1] == calendar_hash:
        return False
    connection.register("resolved_calendar", calendar_table)
    connection.execute(
        "insert into raw.seasonal_dates (calendar_id, calendar_hash, landed_at, event_key, rule, event_date,"
        " resolved_by, is_approximate)"
        " select ?, ?, ?, event_key, rule, event_date, resolved_by, is_approximate from resolved_calendar",
        [newest[0][0] + 1 if newest else 1, calendar_hash, landed_at.astimezone(UTC).replace(tzinfo=None)],
    )
    connection.unregister("resolved_calendar")
    return True


def _rows(path: Path, columns: Sequence[str]) -> Iterator[tuple[int, dict[str, str]]]:
    """The file's rows with the line each ends on (the header is line 1), cells stripped."""
    if not path.exists():
        raise SeasonalSeedError(f"{path} is missing; restore it from the repository")
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file)
        missing = [column for column in columns if column not in (reader.fieldnames or [])]
        if missing:
            raise SeasonalSeedError(
                f"{path}, row 1: the columns {', '.join(missing)} are missing; the header is {','.join(columns)}"
            )
        for row in reader:
            cells = {column: (row[column] or "").strip() for column in columns}
            if row.get(None) is not None:
                raise SeasonalSeedError(
                    f"{path}, row {reader.line_num}: more cells than columns; put cells with commas in quotes"
                )
            yield reader.line_num, cells


def _complaint(path: Path, line: int, key: str, problem: str) -> str:
    return f"{path}, row {line} (event '{key}'): {problem}"


def _problems_common(row: Mapping[str, str]) -> list[str]:
    problems: list[str] = []
    if not re.fullmatch(r"[a-z0-9_]+", row["key"]):
        problems.append("the key must be lower-case letters, digits and underscores, such as pancake_day")
    if not row["name"]:
        problems.append("the name is empty; write one for people")
    if row["market"] != "both" and not re.fullmatch(r"[A-Z]{2,}", row["market"]):
        problems.append(f"market '{row['market']}' is none; write US, UK or both")
    if row["tone"] not in TONES:
        problems.append(f"tone '{row['tone']}' is none; write {' or '.join(TONES)}")
    if row["enabled"] not in ("true", "false"):
        problems.append(f"enabled '{row['enabled']}' is neither true nor false; write one of them")
    return problems


def _problems_of_event(row: Mapping[str, str]) -> list[str]:
    problems = _problems_common(row)
    if row["major"] not in ("true", "false"):
        problems.append(f"major '{row['major']}' is neither true nor false; write one of them")
    for column, lowest, highest in (
        ("days_before", 0, MAXIMUM_DAYS_BEFORE),
        ("duration_days", 1, MAXIMUM_DURATION_DAYS),
        ("lead_days", 0, MAXIMUM_LEAD_DAYS),
    ):
        if not re.fullmatch(r"[0-9]{1,4}", row[column]) or not lowest <= int(row[column]) <= highest:
            problems.append(f"{column} '{row[column]}' is no whole number of days from {lowest} to {highest}")
    return problems


def _understand(rule: str, rules: Mapping[str, str], path: tuple[str, ...]) -> _Resolver:
    """The resolver of a rule.

    Args:
        rule: The rule's text.
        rules: Rule by event key, for `after`.
        path: Keys on the way here, to find circles.

    Raises:
        _RuleProblemError: If the rule cannot be understood.
    """
    kind, _, argument = rule.partition(":")
    if kind == "after":
        return _after(argument, rules, path)
    parsers: dict[str, Callable[[str], _Resolver]] = {
        "fixed": _fixed, "nth": _nth, "easter": _easter, "hijri": _hijri, "hebrew": _hebrew, "lunar": _lunar,
        "table": _table,
    }  # fmt: skip
    if kind not in parsers:
        raise _RuleProblemError(
            f"'{kind}' is no kind of rule; write one of {', '.join([*parsers, 'after'])}, then a colon"
        )
    return parsers[kind](argument)


def _fixed(argument: str) -> _Resolver:
    month_day = _month_day(argument)
    if month_day is None:
        raise _RuleProblemError("no such day; write fixed:MM-DD, such as fixed:10-31")
    month, day = month_day
    return _Resolver(
        lambda year: [date(year, month, day)] if day <= calendar.monthrange(year, month)[1] else [], "calendar"
    )


def _nth(argument: str) -> _Resolver:
    match = re.fullmatch(r"(\d{1,2}),([a-z]{3}),(-?[1-5])", argument)
    if match is None or match[2] not in WEEKDAYS or not 1 <= int(match[1]) <= 12:
        raise _RuleProblemError(
            "write nth:MM,weekday,n, such as nth:11,thu,4 (fourth Thursday) or nth:05,mon,-1 (last Monday)"
        )
    month, weekday, place = int(match[1]), WEEKDAYS.index(match[2]), int(match[3])

    def dates_in(year: int) -> list[date]:
        days = [
            date(year, month, day)
            for day in range(1, calendar.monthrange(year, month)[1] + 1)
            if date(year, month, day).weekday() == weekday
        ]
        index = place - 1 if place > 0 else place
        return [days[index]] if -len(days) <= index < len(days) else []

    return _Resolver(dates_in, "calendar")


def _easter(argument: str) -> _Resolver:
    offset = _offset(argument, "easter:±days, such as easter:-47 or easter:+1")
    return _Resolver(
        lambda year: _within(year, (easter(year + step) + offset for step in (-1, 0, 1))), "dateutil", 1584, 4098
    )


def _after(argument: str, rules: Mapping[str, str], path: tuple[str, ...]) -> _Resolver:
    key, _, days = argument.partition(",")
    if key not in rules:
        raise _RuleProblemError(f"there is no event '{key}'; write after:event,±days with the key of another row")
    if key in path:
        raise _RuleProblemError(
            f"it comes back to itself over {', '.join([*path, key])}; give one of them a rule of its own"
        )
    offset = _offset(days, "after:event,±days, such as after:thanksgiving,+1")
    base = _understand(rules[key], rules, (*path, key))
    neighbours = range(-1, 2)
    return _Resolver(
        lambda year: _within(
            year,
            (
                base_date + offset
                for step in neighbours
                if base.first_year <= year + step <= base.last_year
                for base_date in base.dates_in(year + step)
            ),
        ),
        base.resolved_by,
        base.first_year,
        base.last_year,
        base.is_approximate,
    )


def _hijri(argument: str) -> _Resolver:
    month, day = _numbers(argument, 12, 30, "hijri:month-day, such as hijri:09-01 (1 Ramadan)")
    # The first and the last Gregorian year that the tables hold are not whole.
    first_year, last_year = (edge[0] for edge in ummalqura.GREGORIAN_RANGE)
    first_hijri, last_hijri = (edge[0] for edge in ummalqura.HIJRI_RANGE)

    def dates_in(year: int) -> list[date]:
        # A Hijri year is 11 days shorter: a Gregorian year meets two or three of them.
        middle = (year - 622) * 33 // 32
        dates: list[date] = []
        for hijri_year in range(max(first_hijri, middle - 1), min(last_hijri, middle + 2) + 1):
            if day <= Hijri(hijri_year, month, 1).month_length():
                converted = Hijri(hijri_year, month, day).to_gregorian()
                dates.append(date(converted.year, converted.month, converted.day))
        return _within(year, dates)

    return _Resolver(dates_in, "hijridate", first_year + 1, last_year - 1, is_approximate=True)


def _hebrew(argument: str) -> _Resolver:
    month, day = _numbers(argument, 13, 30, "hebrew:month-day, such as hebrew:09-25 (25 Kislev; Nisan is month 1)")

    def dates_in(year: int) -> list[date]:
        dates: list[date] = []
        for hebrew_year in (year + 3760, year + 3761):
            try:
                dates.append(HebrewDate(hebrew_year, month, day).to_pydate())
            except ValueError:
                # Months 13 and day 30 do not exist in every year.
                continue
        return _within(year, dates)

    return _Resolver(dates_in, "pyluach")


def _lunar(argument: str) -> _Resolver:
    month, day = _numbers(argument, 12, 30, "lunar:month-day, such as lunar:01-01")

    def dates_in(year: int) -> list[date]:
        dates: list[date] = []
        for lunar_year in (year - 1, year):
            try:
                dates.append(lunardate.LunarDate(lunar_year, month, day).to_solar_date())
            except ValueError:
                # The library's months of 29 days have no day 30.
                continue
        return _within(year, dates)

    return _Resolver(dates_in, "lunardate", 1901, 2098)


def _table(argument: str) -> _Resolver:
    dates = _names_of_india().get(argument)
    if dates is None:
        raise _RuleProblemError(
            f"the holidays library has no '{argument}' in its calendar of India; write a name it has, such as"
            " table:Diwali or table:Holi"
        )
    return _Resolver(
        lambda year: [found for found in dates if found.year == year], "holidays", dates[0].year, dates[-1].year
    )


@cache
def _names_of_india() -> Mapping[str, tuple[date, ...]]:
    """Dates by name in the library's calendar of India, over all years that it knows."""
    with warnings.catch_warnings():
        # Asked beyond its range on purpose: it warns and leaves the moving feasts out, which gives the range.
        warnings.simplefilter("ignore")
        known = holidays.country_holidays(
            "IN",
            years=range(FIRST_YEAR - 20, LAST_YEAR + 20),
            categories=holidays.India.supported_categories,
            # Without a language the machine's locale decides on the names.
            language="en_US",
        )
    names: dict[str, list[date]] = {}
    for day, name in sorted(known.items()):
        for single in name.split("; "):
            names.setdefault(single, []).append(day)
    return {name: tuple(days) for name, days in names.items()}


def _within(year: int, dates: Iterable[date]) -> list[date]:
    return sorted({found for found in dates if found.year == year})


def _month_day(text: str) -> tuple[int, int] | None:
    match = re.fullmatch(r"(\d{2})-(\d{2})", text)
    if match is None:
        return None
    month, day = int(match[1]), int(match[2])
    # 2000 was a leap year: 02-29 is a day, of some years.
    return (month, day) if 1 <= month <= 12 and 1 <= day <= calendar.monthrange(2000, month)[1] else None


def _numbers(text: str, highest_month: int, highest_day: int, remedy: str) -> tuple[int, int]:
    match = re.fullmatch(r"(\d{1,2})-(\d{1,2})", text)
    if match is None or not (1 <= int(match[1]) <= highest_month and 1 <= int(match[2]) <= highest_day):
        raise _RuleProblemError(f"no such day; write {remedy}")
    return int(match[1]), int(match[2])


def _offset(text: str, remedy: str) -> timedelta:
    if not re.fullmatch(r"[+-]?\d{1,3}", text):
        raise _RuleProblemError(f"'{text}' is no number of days; write {remedy}")
    return timedelta(days=int(text))
