"""The seasonal models on the repository's own seeds: a year of daily dates, market-local days, edits, words, lift."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import pytest
from dbt_subset import create_subset

from ingest.seasonal import check_windows, land_seasonal_dates, read_events, resolve_calendar

MODELS = [
    "int_as_of",
    "int_feed_presence",
    "int_seasonal_calendar",
    "int_seasonal_days",
    "int_seasonal_lift",
    "int_seasonal_rungs",
    "int_seasonal_windows",
    "int_video_seasonal",
    "int_video_seasonal_keywords",
    "seasonal_alerts",
    "seasonal_windows",
]
SEEDS = ["seasonal_events.csv", "content_windows.csv", "seasonal.yml", "markets.csv"]
SOURCES = """
sources:
  - name: raw
    database: facts
    schema: raw
    tables: [{name: seasonal_dates}]
  - name: meta
    database: facts
    schema: meta
    tables: [{name: cutoffs}]
"""
CAPTIONS = """
create table captions (
    load_id bigint, item_index bigint, market varchar, video_id varchar, observed_at timestamp, observed_date date,
    caption varchar, hashtags varchar[]
)
"""


def _day_end(day: date) -> datetime:
    return datetime.combine(day, time.max)


def _noon(day: date) -> datetime:
    return datetime.combine(day, time(12))


class Project:
    """A warehouse with the seasonal models, driven by as-of dates.

    Attributes:
        subset: The temporary dbt project.
    """

    def __init__(self, folder: Path) -> None:
        self.subset = create_subset(
            folder,
            models=MODELS,
            seeds=SEEDS,
            parents={"stg_tiktok__videos": "{{ config(materialized='view') }} select * from main.captions"},
            sources=SOURCES,
        )
        self.land()
        with self.subset.connect() as connection:
            connection.execute(CAPTIONS)

    def land(self) -> bool:
        """Resolves the project's seed and lands its dates."""
        calendar = resolve_calendar(read_events(self.subset.folder / "seeds" / "seasonal_events.csv"), 2024, 2032)
        with self.subset.facts() as connection:
            return land_seasonal_dates(connection, calendar.table, landed_at=datetime(2026, 1, 1, tzinfo=UTC))

    def build(self, days: Sequence[date], cutoff: Callable[[date], datetime] = _day_end) -> None:
        """Builds a batch of as-of dates, storing the cut-offs of new ones as the pipeline does."""
        with self.subset.facts() as connection:
            connection.executemany(
                "insert or ignore into meta.cutoffs values (?, ?, 'test')", [(day, cutoff(day)) for day in days]
            )
        self.subset.build(as_of_dates=[day.isoformat() for day in days])

    def edit_event(self, key: str, **changes: str) -> None:
        """Changes cells of an event's row, or adds the row."""
        path = self.subset.folder / "seeds" / "seasonal_events.csv"
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        header = list(rows[0])
        row = next((row for row in rows if row["key"] == key), None)
        if row is None:
            row = {"key": key}
            rows.append(row)
        row.update(changes)
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, header, lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)

    def rungs(self, where: str = "true") -> list[tuple[object, ...]]:
        """Announced rungs: as-of date, market, event, date, rung."""
        return self.subset.rows(
            "select as_of_date, market, event_key, event_date, rung from marts.seasonal_alerts"
            f" where rung is not null and {where} order by all"
        )


def _days(first: date, last: date) -> list[date]:
    return [first + timedelta(days=step) for step in range((last - first).days + 1)]


@pytest.fixture(scope="module")
def year(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """366 daily as-of dates of the leap year 2028 in one batch, cut off at each day's end (UTC)."""
    project = Project(tmp_path_factory.mktemp("year") / "project")
    project.build(_days(date(2028, 1, 1), date(2028, 12, 31)))
    return project


def _expected_rungs(first: date, last: date) -> set[tuple[str, str, date, str, date]]:
    """What a plain reading of the seed says should be announced: market, event, date, rung, due date."""
    seeds = Path(__file__).resolve().parents[2] / "seeds"
    events = {event.key: event for event in read_events(seeds / "seasonal_events.csv")}
    expected = set()
    for row in resolve_calendar(list(events.values()), first.year - 1, last.year + 1).table.to_pylist():
        event = events[row["event_key"]]
        steps = {"T-14": 14, "T-7": 7, "T-3": 3, "T-1": 1, "T0": 0, "T+1": -1}
        if event.major:
            steps |= {"T-42": 42, "T-21": 21}
        for market in ("US", "UK") if event.market == "both" else (event.market,):
            for rung, days in steps.items():
                due = row["event_date"] - timedelta(days=days)
                if first <= due <= last:
                    expected.add((market, event.key, row["event_date"], rung, due))
    return expected


def test_each_rung_once_over_a_year(year: Project) -> None:
    announced = year.subset.rows(
        "select market, event_key, event_date, rung, rung_due_on from marts.seasonal_alerts where rung is not null"
    )
    counts = Counter(announced)
    assert set(counts.values()) == {1}
    # At the day's end in UTC the US still has that date; the United Kingdom's summer date is the day after.
    expected = _expected_rungs(date(2028, 1, 1), date(2028, 12, 31))
    assert set(announced) == expected
    assert len(expected) > 650


def test_rungs_come_on_their_local_day(year: Project) -> None:
    late = year.subset.rows(
        "select distinct as_of_date, market, local_date, rung_due_on from marts.seasonal_alerts where is_late"
    )
    # Clocks go forward on 26 March: at the end of the UTC day before, London still has that day; a day later it
    # has the next day but one. What was due on the day in between is told late, not lost.
    assert late == [(date(2028, 3, 26), "UK", date(2028, 3, 27), date(2028, 3, 26))]
    assert year.subset.rows(
        "select count(*) from marts.seasonal_alerts where market = 'US' and local_date <> as_of_date"
    ) == [(0,)]


def test_days_state_the_phase(year: Project) -> None:
    rows = year.subset.rows(
        "select days_until, phase, window_text from marts.seasonal_alerts"
        " where market = 'US' and event_key = 'halloween' and is_newest and event_date = '2028-10-31' order by 1 desc"
    )
    assert [row[0] for row in rows] == list(range(42, -3, -1))
    phases = {row[0]: row[1] for row in rows}
    assert [phases[days] for days in (42, 8, 7, 4, 3, 0, -2)] == [
        "ON RADAR", "ON RADAR", "UPCOMING", "UPCOMING", "ALERTS", "ALERTS", "ALERTS",
    ]  # fmt: skip
    texts = {row[0]: row[2] for row in rows}
    assert (texts[5], texts[1], texts[0]) == ("in 5 days", "tomorrow", "today")
    ramadan = year.subset.rows(
        "select as_of_date, phase, window_text from marts.seasonal_alerts where market = 'US'"
        " and event_key = 'ramadan' and event_date = '2028-01-28' and days_until in (-12, -31) and is_newest order by 1"
    )
    assert ramadan == [
        (date(2028, 2, 9), "ON RADAR", "running, day 13 of 30"),
        (date(2028, 2, 28), "ON RADAR", "over since 2028-02-26"),
    ]


def test_good_friday_and_easter_monday_are_easter(year: Project) -> None:
    rows = year.subset.rows(
        "select days_until, window_text from marts.seasonal_alerts where market = 'UK' and event_key = 'easter'"
        " and event_date = '2028-04-16' and days_until between -2 and 3 and is_newest order by 1 desc"
    )
    assert rows == [
        (3, "in 3 days"), (2, "running, day 1 of 4"), (1, "running, day 2 of 4"), (0, "today"),
        (-1, "running, day 4 of 4"), (-2, "over since 2028-04-17"),
    ]  # fmt: skip


def test_lists_end_two_days_after(year: Project) -> None:
    rows = year.subset.rows(
        "select min(event_date - local_date), max(local_date - event_end_date) from marts.seasonal_alerts"
        " where not is_major and market = 'US' union all"
        " select max(days_until), max(local_date - event_end_date) from marts.seasonal_alerts where is_major"
    )
    assert rows[0][1] == 2
    assert rows[1] == (42, 2)


def test_markets_have_their_own_events(year: Project) -> None:
    rows = year.subset.rows("select distinct event_key, market from marts.seasonal_alerts")
    markets: dict[str, set[str]] = {}
    for key, market in rows:
        markets.setdefault(key, set()).add(market)
    assert markets["thanksgiving"] == {"US"}
    assert markets["mothering_sunday"] == {"UK"}
    assert markets["black_friday"] == {"US", "UK"}
    assert len(markets) == 66


def test_sombre_events_offer_no_templates(year: Project) -> None:
    rows = year.subset.rows(
        "select event_key, count(template_ideas) from marts.seasonal_alerts where tone = 'sombre' group by 1 order by 1"
    )
    assert rows == [("juneteenth", 0), ("memorial_day", 0), ("remembrance_day", 0)]


def test_windows_cross_new_year(year: Project) -> None:
    rows = year.rungs("event_key = 'new_years_day' and market = 'US' and event_date = '2029-01-01'")
    assert [(row[0], row[4]) for row in rows] == [
        (date(2028, 11, 20), "T-42"), (date(2028, 12, 11), "T-21"), (date(2028, 12, 18), "T-14"),
        (date(2028, 12, 25), "T-7"), (date(2028, 12, 29), "T-3"), (date(2028, 12, 31), "T-1"),
    ]  # fmt: skip
    before = year.subset.rows(
        "select distinct window_key from marts.seasonal_windows where market = 'US' and as_of_date = '2028-12-28'"
    )
    assert before == [("year_review",)]


def test_content_windows_span_their_days(year: Project) -> None:
    rows = year.subset.rows(
        "select window_key, min(as_of_date), max(as_of_date), count(*), min(day_number), min(days_left)"
        " from marts.seasonal_windows where market = 'US' group by 1 order by 2, 1"
    )
    assert rows == [
        ("new_year_new_me", date(2028, 1, 1), date(2028, 1, 31), 31, 1, 0),
        ("valentines_window", date(2028, 2, 1), date(2028, 2, 16), 16, 1, 0),
        ("spring_glow_up", date(2028, 3, 1), date(2028, 3, 31), 31, 1, 0),
        ("summer", date(2028, 6, 1), date(2028, 8, 31), 92, 1, 0),
        ("autumn_aesthetic", date(2028, 9, 1), date(2028, 10, 31), 61, 1, 0),
        ("halloween_peak", date(2028, 10, 15), date(2028, 10, 31), 17, 1, 0),
        ("christmas_window", date(2028, 11, 15), date(2028, 12, 25), 41, 1, 0),
        ("year_review", date(2028, 12, 26), date(2028, 12, 31), 6, 1, 0),
    ]


@pytest.mark.slow("a build for each of many dates")
def test_any_date_again_gives_equal_rows_and_a_window_over_new_year_is_one(tmp_path: Path) -> None:
    project = Project(tmp_path / "project")
    with (project.subset.folder / "seeds" / "content_windows.csv").open("a", encoding="utf-8") as file:
        file.write("twixmas,Twixmas,🧦,UK,12-27,01-04,,celebrate,true\n")
    assert check_windows(project.subset.folder / "seeds" / "content_windows.csv") == 9
    project.build(_days(date(2026, 12, 20), date(2027, 1, 10)), _noon)
    everything = "select * from marts.seasonal_alerts order by all"
    once = project.subset.rows(everything)
    window = project.subset.rows(
        "select as_of_date, starts_on, ends_on, day_number, days_left from marts.seasonal_windows"
        " where window_key = 'twixmas' and as_of_date in ('2026-12-31', '2027-01-01') order by 1"
    )
    assert window == [
        (date(2026, 12, 31), date(2026, 12, 27), date(2027, 1, 4), 5, 4),
        (date(2027, 1, 1), date(2026, 12, 27), date(2027, 1, 4), 6, 3),
    ]
    project.build([date(2026, 12, 25)])
    project.build([date(2027, 1, 2), date(2027, 1, 3)])
    assert project.subset.rows(everything) == once


@pytest.mark.slow("a build for each of many dates")
def test_skipped_days_lose_nothing_and_evening_in_america_is_tomorrow_in_britain(tmp_path: Path) -> None:
    project = Project(tmp_path / "project")
    evening = datetime(2026, 7, 4, 0, 30)  # 20:30 on 3 July in New York, 01:30 on 4 July in London
    project.build([date(2026, 7, 3)], lambda _: evening)
    assert project.subset.rows("select distinct market, local_date from marts.seasonal_alerts order by 1") == [
        ("UK", date(2026, 7, 4)),
        ("US", date(2026, 7, 3)),
    ]
    assert (date(2026, 7, 3), "US", "independence_day", date(2026, 7, 4), "T-1") in project.rungs()
    assert project.subset.rows(
        "select market, days_until from marts.seasonal_alerts where event_key = 'emoji_day' and is_newest order by 1"
    ) == [("UK", 13), ("US", 14)]
    # The US rung T0 was due on the day that no run took place.
    project.build([date(2026, 7, 5)], lambda _: datetime(2026, 7, 5, 12))
    fourth = project.subset.rows(
        "select as_of_date, rung, is_late, is_newest, phase from marts.seasonal_alerts"
        " where event_key = 'independence_day' and rung is not null order by 1, 2"
    )
    assert fourth == [
        (date(2026, 7, 3), "T-1", False, True, "ALERTS"),
        (date(2026, 7, 5), "T+1", False, True, "ALERTS"),
        (date(2026, 7, 5), "T0", True, False, "ALERTS"),
    ]
    # London had its 4 July in the first run: T-13 of 17 July announces nothing, and nothing comes twice.
    assert Counter(row[1:] for row in project.rungs()).most_common(1)[0][1] == 1


@pytest.mark.slow("a build for each edit")
def test_user_adds_edits_and_switches_off_without_code(tmp_path: Path) -> None:
    project = Project(tmp_path / "project")
    project.edit_event(
        "template_day", name="Template Day", emoji="🎬", market="US", rule="nth:09,wed,2", keywords="template day",
        template_ideas="Edit the edit", tone="celebrate", days_before="0", duration_days="1", lead_days="10",
        major="false", enabled="true",
    )  # fmt: skip
    project.edit_event("labor_day", lead_days="5")
    project.edit_event("september_21st", enabled="false")
    project.edit_event("dog_day", rule="fixed:08-27")
    assert project.land()
    assert not project.land()
    project.build(_days(date(2026, 8, 20), date(2026, 9, 30)), _noon)
    by_event: dict[object, list[tuple[object, object]]] = {}
    for as_of_date, market, key, _, rung in project.rungs("market = 'US'"):
        assert market == "US"
        by_event.setdefault(key, []).append((as_of_date, rung))
    assert by_event["template_day"] == [
        (date(2026, 8, 30), "T-10"), (date(2026, 9, 2), "T-7"), (date(2026, 9, 6), "T-3"), (date(2026, 9, 8), "T-1"),
        (date(2026, 9, 9), "T0"), (date(2026, 9, 10), "T+1"),
    ]  # fmt: skip
    assert [rung for _, rung in by_event["labor_day"]] == ["T-5", "T-3", "T-1", "T0", "T+1"]
    assert (date(2026, 8, 27), "T0") in by_event["dog_day"]
    assert "september_21st" not in by_event
    # An edited rule whose dates were not landed yet shows no stale date.
    project.edit_event("dog_day", rule="fixed:08-28")
    project.build([date(2026, 8, 26)], _noon)
    assert project.subset.rows(
        "select count(*) from marts.seasonal_alerts where event_key = 'dog_day' and as_of_date = '2026-08-26'"
    ) == [(0,)]


def _insert_captions(project: Project, load_id: int, day: date, market: str, captions: dict[str, str]) -> None:
    with project.subset.connect() as connection:
        connection.executemany(
            "insert into captions values (?, ?, ?, ?, ?, ?, ?, [])",
            [
                (load_id, index, market, video_id, datetime.combine(day, time(8)), day, caption)
                for index, (video_id, caption) in enumerate(captions.items())
            ],
        )


def test_keywords_match_at_word_boundaries_and_in_their_window(tmp_path: Path) -> None:
    project = Project(tmp_path / "project")
    day = date(2026, 10, 25)
    captions = {
        "word": "my Halloween costume",
        "hashtag": "look #halloween2026",
        "two": "halloween and diwali in one week",
        "glued": "🎃 #spookyseason",
        "inside": "halflowen, weider, reidun, #notaneid",
        "easter": "easter eggs already?",
        "arabic": "رمضان كريم",
        "bastille": "14th of july",
        "bonfire": "remember remember, Guy Fawkes is near",
        "plain": "a plain caption",
    }
    for load_id, market in ((1, "US"), (2, "UK")):
        _insert_captions(project, load_id, day, market, captions)
    project.build([day], _noon)
    rows = project.subset.rows(
        "select market, video_id, event_key, days_until, seasonal_event, matched_events"
        " from intermediate.int_video_seasonal order by 1, 2"
    )
    halloween = ("halloween", 6, "🎃 Halloween", 1)
    american = [("US", "glued", *halloween), ("US", "hashtag", *halloween),
                ("US", "two", "halloween", 6, "🎃 Halloween", 2), ("US", "word", *halloween)]  # fmt: skip
    british = [("UK", "bonfire", "bonfire_night", 11, "🎇 Bonfire Night", 1)]
    british += [("UK", *row[1:]) for row in american]
    assert rows == [*british, *american]
    keys = dict(project.subset.rows("select video_id, event_keys from intermediate.int_video_seasonal_keywords"))
    assert keys["easter"] == "|easter|"
    assert keys["arabic"] == "|ramadan|"
    assert keys["inside"] is None and keys["bastille"] is None and keys["plain"] is None


def test_lift_waits_for_history_and_compares_weekdays(tmp_path: Path) -> None:
    project = Project(tmp_path / "project")
    today = date(2026, 10, 29)
    load_id = 0
    for weeks in (4, 3, 2, 1, 0):
        load_id += 1
        day = today - timedelta(weeks=weeks)
        talked = 6 if weeks == 0 else 1
        _insert_captions(
            project, load_id, day, "US",
            {f"{weeks}-{index}": "halloween!" if index < talked else "something" for index in range(10)},
        )  # fmt: skip
        # Another weekday, full of it: no part of the comparison.
        load_id += 1
        _insert_captions(
            project, load_id, day - timedelta(days=1), "US", {f"{weeks}-x{i}": "halloween" for i in range(9)}
        )
    project.build([today - timedelta(weeks=1), today], _noon)
    rows = project.subset.rows(
        "select as_of_date, event_key, keyword_videos, feed_videos, keyword_lift from marts.seasonal_alerts"
        " where market = 'US' and event_key in ('halloween', 'diwali') and is_newest order by 1, 2"
    )
    values = {(row[0], row[1]): row[2:] for row in rows}
    # Three weeks of history a week ago: not enough.
    assert values[today - timedelta(weeks=1), "halloween"] == (1, 10, None)
    videos, feed, lift = values[today, "halloween"]
    assert (videos, feed) == (6, 10)
    assert lift == pytest.approx((6.5 / 11) / (4.5 / 41))
    assert values[today, "diwali"] == (0, 10, pytest.approx((0.5 / 11) / (0.5 / 41)))
    # Nothing was observed in Britain.
    assert project.subset.rows(
        "select distinct keyword_videos, feed_videos, keyword_lift from marts.seasonal_alerts where market = 'UK'"
    ) == [(0, 0, None)]
