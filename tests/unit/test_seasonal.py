"""Rules of the seasonal calendar: every date of the specification, independent calculations, refusals."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import duckdb
import holidays
import pytest
from dateutil.easter import EASTER_WESTERN, easter
from dateutil.relativedelta import FR, MO, SU, TU, relativedelta
from dateutil.rrule import SU as SUNDAY
from dateutil.rrule import YEARLY, rrule
from hijridate import Gregorian
from hypothesis import given
from hypothesis import strategies as st
from lunardate import LunarDate
from pyluach.dates import GregorianDate

from ingest.migrations import migrate
from ingest.seasonal import (
    EVENT_COLUMNS,
    SeasonalEvent,
    SeasonalSeedError,
    check_windows,
    land_seasonal_dates,
    read_events,
    resolve_calendar,
)

SEEDS = Path(__file__).resolve().parents[2] / "seeds"
EVENTS = SEEDS / "seasonal_events.csv"

FIXED = {
    "new_years_day": "01-01", "burns_night": "01-25", "black_history_month_us": "02-01",
    "lgbt_history_month_uk": "02-01", "groundhog_day": "02-02", "galentines_day": "02-13", "valentines_day": "02-14",
    "st_davids_day": "03-01", "international_womens_day": "03-08", "pi_day": "03-14", "st_patricks_day": "03-17",
    "day_of_happiness": "03-20", "trans_day_of_visibility": "03-31", "april_fools": "04-01", "siblings_day": "04-10",
    "pet_day": "04-11", "earth_day": "04-22", "st_georges_day": "04-23", "star_wars_day": "05-04",
    "cinco_de_mayo": "05-05", "pride_month": "06-01", "best_friends_day": "06-08", "juneteenth": "06-19",
    "world_music_day": "06-21", "independence_day": "07-04", "emoji_day": "07-17", "friendship_day": "07-30",
    "girlfriend_day": "08-01", "cat_day": "08-08", "dog_day": "08-26", "hispanic_heritage_month": "09-15",
    "september_21st": "09-21", "black_history_month_uk": "10-01", "mean_girls_day": "10-03",
    "mental_health_day": "10-10", "halloween": "10-31", "dia_de_los_muertos": "11-01", "bonfire_night": "11-05",
    "remembrance_day": "11-11", "singles_day": "11-11", "st_andrews_day": "11-30", "advent": "12-01",
    "christmas_eve": "12-24", "christmas_day": "12-25", "boxing_day": "12-26", "new_years_eve": "12-31",
}  # fmt: skip

# The table of the specification: event, market, dates in 2026, 2027, 2028 and 2030 (the last may be two).
VARIABLE = """
blue_monday UK 19Jan 18Jan 17Jan 21Jan
lunar_new_year both 17Feb 6Feb 26Jan 3Feb
super_bowl US 8Feb 14Feb 13Feb 10Feb
shrove_tuesday UK 17Feb 9Feb 29Feb 5Mar
ramadan both 18Feb 8Feb 28Jan 5Jan+26Dec
holi both 4Mar 22Mar 11Mar 20Mar
mothering_sunday UK 15Mar 7Mar 26Mar 31Mar
eid_al_fitr both 20Mar 9Mar 26Feb 4Feb
easter both 5Apr 28Mar 16Apr 21Apr
mothers_day US 10May 9May 14May 12May
memorial_day US 25May 31May 29May 27May
eid_al_adha both 27May 16May 5May 13Apr
fathers_day both 21Jun 20Jun 18Jun 16Jun
summer_bank_holiday UK 31Aug 30Aug 28Aug 26Aug
labor_day US 7Sep 6Sep 4Sep 2Sep
diwali both 8Nov 29Oct 17Oct 26Oct
thanksgiving US 26Nov 25Nov 23Nov 28Nov
black_friday both 27Nov 26Nov 24Nov 29Nov
cyber_monday both 30Nov 29Nov 27Nov 2Dec
hanukkah both 5Dec 25Dec 13Dec 21Dec
"""
TABLE = [line.split() for line in VARIABLE.split("\n") if line]
CHECKED_YEARS = range(2020, 2036)


@pytest.fixture(scope="module")
def events() -> dict[str, SeasonalEvent]:
    return {event.key: event for event in read_events(EVENTS)}


@pytest.fixture(scope="module")
def dates() -> dict[tuple[str, int], list[date]]:
    found: dict[tuple[str, int], list[date]] = {}
    for row in resolve_calendar(read_events(EVENTS)).table.to_pylist():
        found.setdefault((row["event_key"], row["event_date"].year), []).append(row["event_date"])
    return found


def _event(rule: str, key: str = "test_day") -> SeasonalEvent:
    return SeasonalEvent(key, "Test Day", "US", rule, "celebrate", 0, 1, 14, False, True)


def _resolved(*events: SeasonalEvent, first: int = 2026, last: int = 2026) -> list[date]:
    return [row["event_date"] for row in resolve_calendar(events, first, last).table.to_pylist()]


def test_the_seed_holds_46_fixed_and_20_variable_events(events: dict[str, SeasonalEvent]) -> None:
    fixed = {key: event.rule.removeprefix("fixed:") for key, event in events.items() if event.rule.startswith("fixed:")}
    assert fixed == FIXED
    assert len(FIXED) == 46
    assert set(events) - set(fixed) == {row[0] for row in TABLE}
    assert len(TABLE) == 20


def test_no_date_of_a_variable_event_is_typed_in(events: dict[str, SeasonalEvent]) -> None:
    kinds = {events[row[0]].rule.partition(":")[0] for row in TABLE}
    assert kinds == {"nth", "easter", "after", "hijri", "hebrew", "lunar", "table"}


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row[0])
def test_dates_and_market_of_the_specification(
    row: list[str], events: dict[str, SeasonalEvent], dates: dict[tuple[str, int], list[date]]
) -> None:
    key, market, *cells = row
    assert events[key].market == market
    for year, cell in zip((2026, 2027, 2028, 2030), cells, strict=True):
        expected = [datetime.strptime(f"{part}{year}", "%d%b%Y").date() for part in cell.split("+")]
        assert dates[key, year] == expected


def test_fixed_events_stand_on_their_day_every_year(dates: dict[tuple[str, int], list[date]]) -> None:
    for year in CHECKED_YEARS:
        for key, month_day in FIXED.items():
            assert dates[key, year] == [date.fromisoformat(f"{year}-{month_day}")]


def test_traps(dates: dict[tuple[str, int], list[date]]) -> None:
    assert dates["ramadan", 2030] == [date(2030, 1, 5), date(2030, 12, 26)]
    assert dates["eid_al_fitr", 2033] == [date(2033, 1, 2), date(2033, 12, 23)]
    assert dates["shrove_tuesday", 2028] == [date(2028, 2, 29)]
    assert dates["super_bowl", 2027] == dates["valentines_day", 2027]
    assert dates["cyber_monday", 2030] == [date(2030, 12, 2)]


def _days(year: int) -> Iterator[date]:
    day = date(year, 1, 1)
    while day.year == year:
        yield day
        day += timedelta(days=1)


def _independent(year: int) -> dict[str, list[date]]:
    """Each variable event found another way: day by day from the Gregorian side, or by other library functions."""
    days = list(_days(year))
    easter_day = easter(year, EASTER_WESTERN)
    january = date(year, 1, 1)

    def weekday(month: int, rule: relativedelta) -> list[date]:
        return [january + relativedelta(month=month) + rule]

    us = holidays.country_holidays("US", years=year, observed=False, language="en_US")
    england = holidays.country_holidays("GB", subdiv="ENG", years=year, observed=False)
    india = holidays.country_holidays("IN", years=year, categories=("public", "optional"), language="en_US")
    thanksgiving = [day for day, name in us.items() if name == "Thanksgiving Day"]

    def hijri(month: int, day: int) -> list[date]:
        return [d for d in days if Gregorian.fromdate(d).to_hijri().datetuple()[1:] == (month, day)]

    return {
        "blue_monday": weekday(1, relativedelta(day=1, weekday=MO(+3))),
        "lunar_new_year": [
            d for d in days if (lunar := LunarDate.from_solar_date(d.year, d.month, d.day)).month == 1
            and lunar.day == 1 and not lunar.is_leap_month
        ],
        "super_bowl": [rrule(YEARLY, dtstart=datetime(year, 1, 1), count=1, bymonth=2, byweekday=SUNDAY(2))[0].date()],
        "shrove_tuesday": [easter_day + relativedelta(weekday=TU(-7))],
        "ramadan": hijri(9, 1),
        "holi": [day for day, name in india.items() if "Holi" in name.split("; ")],
        "mothering_sunday": [easter_day + relativedelta(weeks=-3)],
        "eid_al_fitr": hijri(10, 1),
        # Two days after the public holiday Good Friday.
        "easter": [day + timedelta(days=2) for day, name in england.items() if name == "Good Friday"],
        "mothers_day": weekday(5, relativedelta(day=1, weekday=SU(+2))),
        "memorial_day": [day for day, name in us.items() if name == "Memorial Day"],
        "eid_al_adha": hijri(12, 10),
        "fathers_day": weekday(6, relativedelta(day=1, weekday=SU(+3))),
        "summer_bank_holiday": weekday(8, relativedelta(day=31, weekday=MO(-1))),
        "labor_day": [day for day, name in us.items() if name == "Labor Day"],
        "diwali": [day for day, name in india.items() if "Diwali" in name.split("; ")],
        "thanksgiving": thanksgiving,
        "black_friday": [thanksgiving[0] + relativedelta(weekday=FR(+1))],
        "cyber_monday": [thanksgiving[0] + relativedelta(weekday=MO(+1))],
        "hanukkah": [
            d for d in days
            if (hebrew := GregorianDate(d.year, d.month, d.day).to_heb()).month == 9 and hebrew.day == 25
        ],
    }  # fmt: skip


@pytest.mark.parametrize("year", CHECKED_YEARS)
def test_variable_events_agree_with_independent_calls(year: int, dates: dict[tuple[str, int], list[date]]) -> None:
    expected = _independent(year)
    assert set(expected) == {row[0] for row in TABLE}
    assert {key: dates.get((key, year), []) for key in expected} == expected


def test_summer_bank_holiday_is_the_public_holiday(dates: dict[tuple[str, int], list[date]]) -> None:
    for year in CHECKED_YEARS:
        england = holidays.country_holidays("GB", subdiv="ENG", years=year)
        assert any("Late Summer" in name for name in england.get_list(dates["summer_bank_holiday", year][0]))


def test_a_year_beyond_a_library_is_absent_with_a_reason() -> None:
    calendar = resolve_calendar(read_events(EVENTS), 2034, 2038)
    years = {row["event_date"].year for row in calendar.table.to_pylist() if row["event_key"] == "diwali"}
    assert years == {2034, 2035}
    assert calendar.warnings(2034, 2035) == []
    assert "diwali has no date in 2036: holidays knows 2001 to 2035" in calendar.warnings(2036, 2036)
    assert {gap.event_key for gap in calendar.gaps} == {"diwali", "holi"}


def test_hijri_and_chinese_years_beyond_the_tables_are_gaps() -> None:
    calendar = resolve_calendar([_event("hijri:09-01", "a"), _event("lunar:01-01", "b")], 2076, 2102)
    gaps = {(gap.event_key, gap.year) for gap in calendar.gaps}
    assert ("a", 2076) not in gaps and ("a", 2077) in gaps
    assert ("b", 2098) not in gaps and ("b", 2100) in gaps


@given(st.integers(2010, 2045), st.integers(1, 12), st.integers(0, 6), st.sampled_from([1, 2, 3, 4, 5, -1, -2, -5]))
def test_nth_weekday_is_that_weekday_in_that_place(year: int, month: int, weekday: int, place: int) -> None:
    name = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")[weekday]
    found = _resolved(_event(f"nth:{month:02d},{name},{place}"), first=year, last=year)
    all_of_month = [day for day in _days(year) if day.month == month and day.weekday() == weekday]
    expected = all_of_month[place - 1 : place] if place > 0 else all_of_month[place : len(all_of_month) + place + 1]
    assert found == (expected if abs(place) <= len(all_of_month) else [])


def test_days_that_some_years_lack() -> None:
    assert _resolved(_event("fixed:02-29"), first=2027, last=2028) == [date(2028, 2, 29)]
    assert _resolved(_event("nth:02,tue,5"), first=2027, last=2028) == [date(2028, 2, 29)]


def test_after_chains_cross_new_year() -> None:
    base = _event("fixed:12-31", "base")
    later = _event("after:base,+3", "later")
    last = _event("after:later,-1", "last")
    rows = resolve_calendar([base, later, last], 2026, 2026).table.to_pylist()
    assert [(row["event_key"], row["event_date"]) for row in rows] == [
        ("base", date(2026, 12, 31)), ("later", date(2026, 1, 3)), ("last", date(2026, 1, 2)),
    ]  # fmt: skip


def test_only_hijri_dates_are_approximate() -> None:
    rows = resolve_calendar(read_events(EVENTS), 2026, 2026).table.to_pylist()
    assert {row["event_key"] for row in rows if row["is_approximate"]} == {"ramadan", "eid_al_fitr", "eid_al_adha"}


def _seed(tmp_path: Path, **changes: str) -> Path:
    """A seed of one good event and one with the given cells."""
    good = dict.fromkeys(EVENT_COLUMNS, "") | {
        "key": "good", "name": "Good", "market": "US", "rule": "fixed:05-01", "tone": "celebrate",
        "days_before": "0", "duration_days": "1", "lead_days": "14", "major": "false", "enabled": "true",
    }  # fmt: skip
    path = tmp_path / "events.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, EVENT_COLUMNS)
        writer.writeheader()
        writer.writerow(good)
        writer.writerow(good | {"key": "edited"} | changes)
    return path


@pytest.mark.parametrize(
    ("changes", "remedy"),
    [
        ({"rule": "fixed:13-01"}, "write fixed:MM-DD"),
        ({"rule": "fixed:02-30"}, "write fixed:MM-DD"),
        ({"rule": "fixed:5-1"}, "write fixed:MM-DD"),
        ({"rule": "nth:11,thursday,4"}, "write nth:MM,weekday,n"),
        ({"rule": "nth:13,thu,1"}, "write nth:MM,weekday,n"),
        ({"rule": "nth:11,thu,0"}, "write nth:MM,weekday,n"),
        ({"rule": "easter:soon"}, "write easter:±days"),
        ({"rule": "after:nobody,+1"}, "there is no event 'nobody'"),
        ({"rule": "after:good"}, "write after:event,±days"),
        ({"rule": "after:edited,+1"}, "it comes back to itself"),
        ({"rule": "hijri:13-01"}, "write hijri:month-day"),
        ({"rule": "hebrew:9"}, "write hebrew:month-day"),
        ({"rule": "lunar:00-01"}, "write lunar:month-day"),
        ({"rule": "table:Festivus"}, "write a name it has, such as table:Diwali"),
        ({"rule": "2026-05-01"}, "write one of fixed, nth"),
        ({"rule": ""}, "write one of fixed, nth"),
        ({"market": "us"}, "write US, UK or both"),
        ({"tone": "sad"}, "write celebrate or sombre"),
        ({"days_before": "15"}, "whole number of days from 0 to 14"),
        ({"duration_days": "0"}, "whole number of days from 1"),
        ({"lead_days": "two weeks"}, "whole number of days from 0"),
        ({"major": "yes"}, "neither true nor false"),
        ({"enabled": "1"}, "neither true nor false"),
        ({"name": ""}, "the name is empty"),
        ({"key": "Edited Day"}, "the key must be lower-case"),
        ({"key": "good"}, "the key stands in row 2 already"),
    ],
)
def test_a_wrong_row_is_refused_with_file_row_and_remedy(tmp_path: Path, changes: dict[str, str], remedy: str) -> None:
    path = _seed(tmp_path, **changes)
    with pytest.raises(SeasonalSeedError) as refusal:
        read_events(path)
    assert f"{path}, row 3 (event '{changes.get('key', 'edited')}')" in str(refusal.value)
    assert remedy in str(refusal.value)


def test_all_wrong_rows_are_named_at_once(tmp_path: Path) -> None:
    path = _seed(tmp_path, rule="fixed:99-99", tone="loud")
    with path.open("a", encoding="utf-8") as file:
        file.write("third,Third,,US,nth:1,,,celebrate,0,1,14,false,true\n")
    with pytest.raises(SeasonalSeedError) as refusal:
        read_events(path)
    message = str(refusal.value)
    assert "row 3 (event 'edited'): tone 'loud'" in message
    assert "row 4 (event 'third'): rule 'nth:1'" in message


def test_a_file_without_its_columns_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "events.csv"
    path.write_text("key,name\nx,X\n", encoding="utf-8")
    with pytest.raises(SeasonalSeedError, match="row 1: the columns emoji, market, rule"):
        read_events(path)
    with pytest.raises(SeasonalSeedError, match="is missing; restore it"):
        read_events(tmp_path / "gone.csv")
    too_wide = ",".join(EVENT_COLUMNS) + "\na,A,,US,fixed:01-01,x,y,z,celebrate,0,1,14,false,true\n"
    path.write_text(too_wide, encoding="utf-8")
    with pytest.raises(SeasonalSeedError, match="row 2: more cells than columns"):
        read_events(path)


def test_windows_are_checked(tmp_path: Path) -> None:
    assert check_windows(SEEDS / "content_windows.csv") == 8
    path = tmp_path / "windows.csv"
    header = "key,name,emoji,market,starts,ends,template_ideas,tone,enabled\n"
    path.write_text(header + "x,X,,both,02-29,13-01,,celebrate,true\n", encoding="utf-8")
    with pytest.raises(SeasonalSeedError) as refusal:
        check_windows(path)
    assert "row 2 (event 'x'): starts '02-29' is no day of every year" in str(refusal.value)
    assert "ends '13-01'" in str(refusal.value)


def test_landing_appends_a_calendar_only_when_it_changed() -> None:
    with duckdb.connect() as connection:
        migrate(connection)
        moment = datetime(2026, 1, 1, tzinfo=UTC)
        first = resolve_calendar([_event("fixed:05-01")], 2026, 2027).table
        edited = resolve_calendar([_event("fixed:05-02")], 2026, 2027).table
        landed = [
            land_seasonal_dates(connection, table, landed_at=moment) for table in (first, first, edited, edited, first)
        ]
        assert landed == [True, False, True, False, True]
        rows = connection.execute(
            "select calendar_id, min(event_date), count(*) from raw.seasonal_dates group by 1 order by 1"
        ).fetchall()
    assert rows == [(1, date(2026, 5, 1), 2), (2, date(2026, 5, 2), 2), (3, date(2026, 5, 1), 2)]
