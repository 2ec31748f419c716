"""Micro-poll models on feeds whose course is known: what fires and what does not, budget, watch list, outcome."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from engine import dbt_runner
from engine.dbt_runner import DbtFailedError
from tests.support import PROJECT, build, build_models, land_folder, moment, records, video, write_feed
from warehouse.publish import pending_polls
from warehouse.store import Store

START = moment("2026-01-05T08:00")
POSTED = "2026-01-04T20:00:00.000Z"

Course = Callable[[float], float]


def steady(total_at_start: float, per_hour: float) -> Course:
    """Views by hours since the first poll of a video that keeps its pace."""
    return lambda hours: total_at_start + per_hour * hours


def jumping(total_at_start: float, per_hour: float, at: float, factor: float) -> Course:
    """The same, with `factor` times the pace from `at` hours on."""
    return lambda hours: total_at_start + per_hour * (hours + (factor - 1) * max(0.0, hours - at))


def item(name: str, views: float, posted: str = POSTED) -> dict[str, Any]:
    return video(name, plays=round(views), likes=round(views * 0.1), shares=round(views * 0.03), posted=posted)


def write_polls(
    folder: Path, hours: Iterable[float], courses: Mapping[str, Course], market: str = "us", start: datetime = START
) -> None:
    """A feed with all videos at each of the hours."""
    for hour in hours:
        at = f"{start + timedelta(hours=hour):%Y-%m-%dT%H:%M}"
        write_feed(folder, at, [item(name, course(hour)) for name, course in courses.items()], market=market)


def crowd(videos: int) -> dict[str, Course]:
    """Peers of different size and pace, none of which does anything of note."""
    return {f"75900000000000{n:05d}": steady(4000 + 150 * n, 300 + 11 * n) for n in range(videos)}


@functools.cache
def polled() -> frozenset[str]:
    """Everything a poll needs, and nothing else of the project."""
    manifest = json.loads(dbt_runner.ensure_manifest(PROJECT).read_text(encoding="utf-8"))
    return frozenset(
        node["name"]
        for node in manifest["nodes"].values()
        if node["resource_type"] == "model" and "poll" in node["tags"]
    )


def judge(store: Store, dates: Sequence[str]) -> None:
    """The models of a poll and their data tests, as the job of a poll runs them."""
    build_models(store, dates, polled(), tested=True)


def poll(home: Path, folder: Path, dates: Sequence[str] = ("2026-01-05",)) -> Store:
    """A home in which the folder was landed and the polls of the dates were judged."""
    store = Store(home)
    land_folder(store, folder)
    judge(store, dates)
    return store


def alerts(store: Store) -> list[dict[str, Any]]:
    with store.model_writer() as connection:
        return records(connection, "select * from marts.acceleration_alerts order by alerted_at, video_id")


FAST = "7590000000000090001"
TWO_HOURLY = [0, 2, 4, 6, 8, 10]


@pytest.fixture(scope="module")
def jumped(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """A crowd of 30 at their pace, one video at thirty times its own from hour 6 on, in both markets' feeds."""
    directory = tmp_path_factory.mktemp("jumped")
    courses = crowd(30) | {FAST: jumping(9000, 500, 6, 30)}
    write_polls(directory / "feeds", TWO_HOURLY, courses)
    write_polls(directory / "feeds", [hour + 0.1 for hour in TWO_HOURLY], courses, market="uk")
    return poll(directory / "home", directory / "feeds")


def test_a_jump_fires_once_with_the_numbers_that_fired_it(jumped: Store) -> None:
    (alert,) = alerts(jumped)
    assert (alert["video_id"], alert["tier"], alert["is_message"]) == (FAST, "STRONG", True)
    # The jump lies between the polls of 14:00 and 16:00; both markets saw it, one message tells it.
    assert alert["alerted_at"] in (moment("2026-01-05T16:00").replace(tzinfo=None), datetime(2026, 1, 5, 16, 6))
    assert alert["poll_at"] == datetime(2026, 1, 5, 16, 0)
    assert (alert["gain_views"], alert["hours"]) == (30_000, 2)
    assert alert["level_views_per_hour"] == pytest.approx(500, rel=0.01)
    # Nobody else changed pace: what was expected is the old pace for two hours.
    assert alert["expected_gain_views"] == pytest.approx(1000, rel=0.1)
    assert alert["extra_views"] == pytest.approx(alert["gain_views"] - alert["expected_gain_views"])
    assert alert["z"] >= 6


def test_polls_tell_what_they_saw(jumped: Store) -> None:
    rows = build(jumped, "select feeds, items, new_readings, alerts, tracked from marts.micro_polls order by poll_at")
    assert [row[:4] for row in rows] == [(2, 62, 62, 1 if hour == 8 else 0) for hour in TWO_HOURLY]
    # Everybody qualifies at the first reading (shares and views an hour), in either market, and nobody is cut.
    assert [row[4] for row in rows] == [62] * 6


def test_outcome_is_scored_by_the_readings_after_it(tmp_path: Path, jumped: Store) -> None:
    assert build(jumped, "select count(*) from marts.alert_outcomes") == [(0,)]
    courses = crowd(30) | {FAST: jumping(9000, 500, 6, 30)}
    write_polls(tmp_path / "feeds", TWO_HOURLY, courses)
    write_polls(tmp_path / "feeds", [12, 24, 32, 40], courses)
    store = poll(tmp_path / "home", tmp_path / "feeds", ("2026-01-05", "2026-01-06"))
    rows = build(
        store,
        "select horizon_hours, hours, gain_views, round(expected_gain_views, -2), peers, is_right"
        " from marts.alert_outcomes order by 1",
    )
    # 4 and 24 hours after 16:00: fifteen thousand an hour instead of the five hundred its peers' course leaves of it.
    assert rows == [(4, 4.0, 60_000, 2000.0, 30, True), (24, 24.0, 360_000, 12_000.0, 30, True)]


def test_old_data_read_again_fires_nothing(tmp_path: Path) -> None:
    """The same items under new file names: no reading, no fall, no alert."""
    courses = crowd(10) | {FAST: jumping(9000, 500, 6, 10)}
    write_polls(tmp_path / "feeds", [0, 2], courses)
    for hour in (4, 6, 8):
        at = f"{START + timedelta(hours=hour):%Y-%m-%dT%H:%M}"
        # One item differs each time, else the whole file would be a repeat of the dataset.
        write_feed(tmp_path / "feeds", at, [item(name, course(2)) for name, course in courses.items()] + [{"at": at}])
    store = poll(tmp_path / "home", tmp_path / "feeds")
    assert alerts(store) == []
    rows = build(store, "select new_readings, repeated_readings from marts.micro_polls order by poll_at")
    assert rows == [(11, 0), (11, 0), (0, 11), (0, 11), (0, 11)]


def test_a_count_out_of_a_cache_is_no_jump(tmp_path: Path) -> None:
    """A count that stands still for one poll and then holds two polls' gain."""
    held = "7590000000000090002"
    courses = crowd(30) | {held: lambda hours: 9000 + 500 * (4 if hours == 6 else hours)}
    write_polls(tmp_path / "feeds", TWO_HOURLY, courses)
    store = poll(tmp_path / "home", tmp_path / "feeds")
    assert alerts(store) == []
    ((hours, gain),) = build(
        store,
        f"select hours, gain_views from intermediate.int_poll_scores where video_id = '{held}'"
        " and observed_at = '2026-01-05 16:00'",
    )
    assert (hours, gain) == (4, 2000)


def test_what_all_do_at_once_is_no_news(tmp_path: Path) -> None:
    """The evening: everybody at three times the pace."""
    courses = {name: jumping(4000 + 150 * n, 300 + 11 * n, 4, 3) for n, name in enumerate(crowd(40))}
    write_polls(tmp_path / "feeds", TWO_HOURLY, courses)
    assert alerts(poll(tmp_path / "home", tmp_path / "feeds")) == []


def test_budget_takes_the_largest_and_cool_down_keeps_the_rest_quiet(tmp_path: Path) -> None:
    """Five videos jump at once: three messages a poll by extra views, none twice."""
    fast = {f"75900000000001{n:05d}": jumping(20_000, 1000 + 100 * n, 6, 30) for n in range(5)}
    write_polls(tmp_path / "feeds", [*TWO_HOURLY, 12, 14], crowd(140) | fast)
    sent = [row for row in alerts(poll(tmp_path / "home", tmp_path / "feeds")) if row["is_message"]]
    assert len(sent) == len({row["video_id"] for row in sent})
    first = [row for row in sent if row["poll_at"] == datetime(2026, 1, 5, 16)]
    assert [row["video_id"] for row in sorted(first, key=lambda row: -row["extra_views"])] == sorted(fast)[:-4:-1]
    by_poll = {poll_at: [row for row in sent if row["poll_at"] == poll_at] for poll_at in {r["poll_at"] for r in sent}}
    assert max(map(len, by_poll.values())) == 3
    assert len(sent) <= 10


def test_again_only_at_a_higher_tier_and_after_the_cool_down(tmp_path: Path) -> None:
    """Eight times the pace, later four hundred times: an alert, silence for twelve hours, a strong one, silence."""

    def course(hours: float) -> float:
        return 9000 + 400 * (hours + 7 * max(0, hours - 6) + 400 * max(0, hours - 18))

    write_polls(tmp_path / "feeds", [*TWO_HOURLY, 12, 14, 16, 18, 20, 22, 24], crowd(40) | {FAST: course})
    store = poll(tmp_path / "home", tmp_path / "feeds", ("2026-01-05", "2026-01-06"))
    sent = [(row["alerted_at"].hour, row["tier"]) for row in alerts(store) if row["is_message"]]
    assert sent[0][1] == "ALERT"
    assert [tier for _, tier in sent] == ["ALERT", "STRONG"]
    first, second = (row["alerted_at"] for row in alerts(store) if row["is_message"])
    assert second - first >= timedelta(hours=12)


def test_watch_list_by_the_entry_rule_and_until_three_absences(tmp_path: Path) -> None:
    slow, gone, old = "7590000000000090003", "7590000000000090004", "7590000000000090005"
    always = {slow: steady(1000, 20), old: steady(9000, 500)}
    for hour in range(0, 16, 2):
        at = f"{START + timedelta(hours=hour):%Y-%m-%dT%H:%M}"
        items = [item(slow, always[slow](hour)), item(old, always[old](hour), posted="2026-01-03T03:00:00.000Z")]
        # In the feed until 12:00 and again at 22:00.
        if hour in (0, 2, 4, 14):
            items.append(item(gone, 9000 + 500 * hour))
        write_feed(tmp_path / "feeds", at, items)
    store = poll(tmp_path / "home", tmp_path / "feeds")
    rows = build(store, "select hour(poll_at), tracked, new_candidates, removed from marts.micro_polls order by 1")
    # `slow` never qualifies; `old` is 53 hours old at the first poll: too old to enter. `gone` leaves with its third
    # absence at 18:00 and qualifies anew at 22:00.
    assert rows == [
        (8, 1, 1, 0), (10, 1, 0, 0), (12, 1, 0, 0), (14, 1, 0, 0), (16, 1, 0, 0), (18, 0, 0, 1), (20, 0, 0, 0),
        (22, 1, 1, 0),
    ]  # fmt: skip


@pytest.mark.slow("a build for each of many polls")
def test_polls_one_by_one_equal_all_at_once(tmp_path: Path) -> None:
    """Rows of a poll depend on it and on earlier ones only, and on those no longer than it remembers."""
    fast = {f"75900000000001{n:05d}": jumping(20_000, 1000 + 100 * n, 5 + n, 12) for n in range(6)}
    hours = [0, 2, 4, 6, 8, 16, 18, 20, 150, 152, 154]
    courses = crowd(30) | fast
    write_polls(tmp_path / "all", hours, courses)
    dates = sorted({f"{START + timedelta(hours=hour):%Y-%m-%d}" for hour in hours})
    together = poll(tmp_path / "together", tmp_path / "all", dates)
    singly = Store(tmp_path / "singly")
    for hour in hours:
        write_polls(tmp_path / "one", [hour], courses)
        land_folder(singly, tmp_path / "one")
        judge(singly, [f"{START + timedelta(hours=hour):%Y-%m-%d}"])
    for table in (
        "acceleration_alerts",
        "micro_polls",
        "poll_markets",
        "alert_outcomes",
        "alert_bursts",
        "alert_scores",
        "trend_alerts",
        "trend_alert_outcomes",
    ):
        rows = f"select * from marts.{table} order by all"
        assert build(singly, rows) == build(together, rows)
    assert len(alerts(singly)) >= 3


def without(folder: Path, *counts: str) -> None:
    """Takes counts out of every item of the feeds, as a source that doesn't give them."""
    for path in folder.rglob("*.json"):
        items = json.loads(path.read_text(encoding="utf-8"))
        kept = [{key: value for key, value in entry.items() if key not in counts} for entry in items]
        path.write_text(json.dumps(kept), encoding="utf-8")


def test_without_shares_the_likes_decide_and_the_jump_is_heard(tmp_path: Path) -> None:
    write_polls(tmp_path / "feeds", TWO_HOURLY, crowd(10) | {FAST: jumping(9000, 500, 6, 30)})
    without(tmp_path / "feeds", "shareCount")
    store = poll(tmp_path / "home", tmp_path / "feeds")
    assert [row["video_id"] for row in alerts(store)] == [FAST]
    assert build(store, "select distinct gives_views, gives_likes, gives_shares from marts.poll_markets") == [
        (True, True, False)
    ]


def test_views_alone_are_enough_and_none_at_all_are_told(tmp_path: Path) -> None:
    write_polls(tmp_path / "views", TWO_HOURLY, crowd(10) | {FAST: jumping(9000, 500, 6, 30)})
    without(tmp_path / "views", "shareCount", "diggCount")
    assert [row["video_id"] for row in alerts(poll(tmp_path / "home", tmp_path / "views"))] == [FAST]
    write_polls(tmp_path / "none", TWO_HOURLY[:2], crowd(3))
    without(tmp_path / "none", "playCount")
    store = poll(tmp_path / "deaf", tmp_path / "none")
    assert build(store, "select distinct silent_because from marts.poll_markets") == [("no view counts",)]


def test_polls_every_17_minutes_are_polls_of_their_own_and_hear(tmp_path: Path) -> None:
    """No two counts are 45 minutes apart: intervals reach back to the last one that is, in one market as in two."""
    hours = [round(17 / 60 * step, 4) for step in range(22)]
    courses = crowd(10) | {FAST: jumping(9000, 500, 3, 30)}
    write_polls(tmp_path / "feeds", hours, courses)
    write_polls(tmp_path / "feeds", [hour + 0.05 for hour in hours], courses, market="uk")
    store = poll(tmp_path / "home", tmp_path / "feeds")
    (sent,) = [row for row in alerts(store) if row["is_message"]]
    assert (sent["video_id"], sent["hours"]) == (FAST, pytest.approx(0.85, abs=0.02))
    assert sent["alerted_at"] - START.replace(tzinfo=None) < timedelta(hours=4)
    assert build(store, "select count(*), min(feeds), max(feeds) from marts.micro_polls") == [(22, 2, 2)]


def test_hours_without_a_poll_are_one_long_interval(tmp_path: Path) -> None:
    write_polls(tmp_path / "feeds", [0, 2, 9, 11], crowd(10) | {FAST: jumping(9000, 500, 3, 30)})
    store = poll(tmp_path / "home", tmp_path / "feeds")
    (sent,) = [row for row in alerts(store) if row["is_message"]]
    assert (sent["video_id"], sent["hours"], sent["alerted_at"].hour) == (FAST, 7, 17)


def test_one_market_alone_hears_and_says_why_it_could_not_before(tmp_path: Path) -> None:
    write_polls(tmp_path / "feeds", TWO_HOURLY, crowd(10) | {FAST: jumping(9000, 500, 6, 30)}, market="uk")
    store = poll(tmp_path / "home", tmp_path / "feeds")
    assert [(row["market"], row["video_id"]) for row in alerts(store)] == [("UK", FAST)]
    reasons = build(store, "select market, silent_because is null from marts.poll_markets order by poll_at")
    assert reasons == [("UK", False)] + [("UK", True)] * 5


def hottest_seen_again(day: int) -> tuple[dict[str, Course], dict[str, Course]]:
    """A day's eight hottest in the evening, and the two that are still there in the morning because they rose."""
    names = [f"759000000000{day:02d}{n:05d}" for n in range(8)]
    evening = {name: steady(9000 + 500 * n, 500) for n, name in enumerate(names)}
    return evening, {name: jumping(9000 + 500 * n, 500, 0, 8) for n, name in enumerate(names[:2])}


def test_survivors_teach_no_rise(tmp_path: Path) -> None:
    """Two weeks in which only what rose was seen again: the pace that an alert needs is that of the first day."""
    days = 14
    for day in range(days):
        evening, morning = hottest_seen_again(day)
        begin = START + timedelta(days=day)
        posted = f"{begin - timedelta(hours=12):%Y-%m-%dT%H:%M:%S.000Z}"
        for at, courses, hours in ((begin, evening, 0), (begin + timedelta(hours=14), morning, 14)):
            items = [item(name, course(hours), posted=posted) for name, course in courses.items()]
            write_feed(tmp_path / "feeds", f"{at:%Y-%m-%dT%H:%M}", items)
    dates = [f"{START + timedelta(days=day):%Y-%m-%d}" for day in range(days)]
    store = poll(tmp_path / "home", tmp_path / "feeds", dates)
    needed = build(store, "select distinct round(pace_factor_needed, 3) from marts.micro_polls")
    assert needed == [(3.004,)]
    assert build(store, "select count(*), min(z) >= 3 from intermediate.int_poll_scores where z is not null") == [
        (2 * days, True)
    ]


def test_bursts_are_counted_without_the_model_and_a_miss_has_its_reason(tmp_path: Path) -> None:
    """One that is heard, one that jumps when it is too old to be watched, and a small one that doesn't count."""
    old, small = "7590000000000090006", "7590000000000090007"
    for hour in TWO_HOURLY:
        at = f"{START + timedelta(hours=hour):%Y-%m-%dT%H:%M}"
        courses = {FAST: jumping(20_000, 1500, 6, 30), small: jumping(9000, 500, 6, 30)}
        items = [item(name, course(hour)) for name, course in (crowd(10) | courses).items()]
        items.append(item(old, jumping(50_000, 1500, 6, 30)(hour), posted="2026-01-03T03:00:00.000Z"))
        write_feed(tmp_path / "feeds", at, items)
    store = poll(tmp_path / "home", tmp_path / "feeds")
    rows = build(store, "select video_id, is_found, delay_hours, silent_because from marts.alert_bursts order by 1")
    assert rows == [(FAST, True, 0, None), (old, False, None, "not watched")]
    scores = build(
        store,
        "select bursts, found, recall, missed_not_watched, messages from marts.alert_scores where market = 'ALL'",
    )
    assert scores == [(2, 1, 0.5, 1, 2)]


def test_bursts_and_no_alert_at_all_fail_the_build(tmp_path: Path) -> None:
    """Nobody is watched: the posts are too old. Five bursts went by."""
    names = [f"75900000000002{n:05d}" for n in range(5)]
    for hour in TWO_HOURLY:
        at = f"{START + timedelta(hours=hour):%Y-%m-%dT%H:%M}"
        course = jumping(50_000, 1500, 6, 30)
        items = [item(name, course(hour) + n, posted="2026-01-03T03:00:00.000Z") for n, name in enumerate(names)]
        write_feed(tmp_path / "feeds", at, items)
    with pytest.raises(DbtFailedError, match="alerts_hear_bursts"):
        poll(tmp_path / "home", tmp_path / "feeds")


def test_a_poll_judges_the_day_before_only_for_feeds_that_none_has_judged(tmp_path: Path) -> None:
    """The last feeds of a day may come after its last poll; a day that was judged whole is left as it is."""
    courses = crowd(3)
    write_polls(tmp_path / "feeds", [0, 2, 16], courses)
    first, second = date(2026, 1, 5), date(2026, 1, 6)
    with Store(tmp_path / "new").model_writer() as connection:
        assert pending_polls(connection, [first, second], [second]) == [first, second]
    store = poll(tmp_path / "home", tmp_path / "feeds", ("2026-01-05", "2026-01-06"))
    with store.model_writer() as connection:
        assert pending_polls(connection, [first, second], [second]) == [second]
        assert pending_polls(connection, [second], [second]) == [second]
    write_polls(tmp_path / "late", [15], courses)
    land_folder(store, tmp_path / "late")
    with store.model_writer() as connection:
        assert pending_polls(connection, [first, second], [second]) == [first, second]
    # Staged with another date: its polls are not judged by that.
    judge(store, ["2026-01-06"])
    with store.model_writer() as connection:
        assert pending_polls(connection, [first, second], [second]) == [first, second]
    judge(store, ["2026-01-05", "2026-01-06"])
    with store.model_writer() as connection:
        assert pending_polls(connection, [first, second], [second]) == [second]
    rows = build(store, "select as_of_date, feeds from marts.micro_polls order by poll_at")
    assert rows == [(first, 1), (first, 1), (first, 1), (second, 1)]


def test_slow_over_its_life_and_fast_now_is_watched(tmp_path: Path) -> None:
    """What comes to life is what an alert is for: its mean since the post is too slow for the watch list."""
    late = "7590000000000090008"
    courses = crowd(30) | {late: jumping(600, 40, 6, 30)}
    write_polls(tmp_path / "feeds", TWO_HOURLY, courses)
    store = poll(tmp_path / "home", tmp_path / "feeds")
    assert build(
        store,
        "select max(shares_per_hour) < 6, bool_or(is_watched) from intermediate.int_poll_scores"
        f" where video_id = '{late}' and observed_at < '2026-01-05 16:00'",
    ) == [(True, False)]
    (sent,) = [row for row in alerts(store) if row["is_message"]]
    assert (sent["video_id"], sent["alerted_at"].hour) == (late, 16)
    # Over its life it has too few shares an hour even now.
    assert sent["shares_per_hour"] < 6
