"""Trend keys, lifecycles, cross-market lags, overlap and outliers, on small invented feeds counted a second time here.

Belongs here: planted feeds, the same numbers computed from the items in plain Python, and their comparison with the
models. Must not be here: the formulas at their thresholds (see the unit tests beside the models).
"""

from __future__ import annotations

import math
import random
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support import Item, build, build_models, land_folder, prepare, video, write_feed
from warehouse.store import Store

FIRST = date(2026, 3, 1)
DAYS = 16
LAST = DAYS - 1
# Of these, the last ones are built one by one in a second home.
SINGLE_DAYS = 2
MODELS = ("trends_daily", "cross_market_trends", "feed_overlap", "creator_outliers")
MARKETS = ("UK", "US")
STOP_WORDS = ("capcut", "fyp")
TYPES = ("template", "sound", "effect", "hashtag")
# Uses a day in the US feed, by sound.
SERIES = {
    "rising": [0, 0, 0, 0, 0, 0, 0, 1, 1, 2, 3, 4, 6, 8, 11, 15],
    "peaking": [1, 2, 4, 8, 10, 10, 11, 10, 10, 11, 10, 10, 10, 11, 10, 10],
    "declining": [2, 4, 6, 9, 12, 14, 14, 14, 13, 12, 11, 9, 6, 4, 2, 1],
    "dead": [3, 8, 12, 12, 8, 4, 2, 1, 0, 0, 0, 0, 0, 0, 0, 0],
    "resurged": [4, 9, 12, 12, 8, 5, 3, 2, 1, 1, 1, 2, 4, 6, 8, 11],
    "one wild day": [5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 9],
    "now and then": [0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1],
    "just seen": [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3],
}
# First day with three creators (US, UK) by sound; from then on three a day.
ONSETS: dict[str, tuple[int | None, int | None]] = {
    "us leads": (3, 5),
    "uk leads": (9, 4),
    "both at once": (6, 6),
    "waiting": (10, None),
    "waiting since yesterday": (14, None),
    "seen today": (LAST, None),
    "ran before": (0, 4),
}
# A creator's plays at an age of 20 and of 44 hours, a post a day.
POSTS = {"steady": [(800, 1600)] * 4 + [(7000, 13000)], "two posts": [(500, 900), (5000, 9000)]}


@dataclass
class Feeds:
    """What stands in each feed: items by (market, day number)."""

    items: dict[tuple[str, int], list[Item]] = field(default_factory=lambda: defaultdict(list))
    made: int = 0

    def add(self, market: str, day: int, *, plays: int = 1000, **further: object) -> Item:
        """A new video in a feed."""
        self.made += 1
        posted = FIRST + timedelta(days=day - 1)
        further = {"posted": f"{posted}T20:00:00.000Z", **further}
        item = video(str(7_590_000_000_000_000_000 + self.made), plays=plays, **further)  # type: ignore[arg-type]
        self.items[market, day].append(item)
        return item

    def write(self, folder: Path, days: Iterable[int]) -> None:
        """Writes the feeds of these days as an export folder."""
        for day in days:
            for market in MARKETS:
                moment = f"{FIRST + timedelta(days=day)}T12:00"
                write_feed(folder, moment, self.items[market, day], market=market.lower())


def music(name: str, *, original: bool = False) -> Item:
    """The part of an item that names its sound."""
    return {"musicId": f"{name.replace(' ', '-')}", "musicName": name, "musicOriginal": original}


def author(name: str) -> Item:
    """The part of an item that names its creator."""
    return {"name": name, "id": name}


def tags(*names: str) -> list[Item]:
    """The part of an item that names its hashtags."""
    return [{"name": name} for name in names]


@pytest.fixture(scope="module")
def feeds() -> Feeds:
    """The invented feeds: planted series and onsets in the midst of videos that share things by chance."""
    made, chance = Feeds(), random.Random(5)
    for name, uses in SERIES.items():
        for day, count in enumerate(uses):
            for place in range(count):
                made.add("US", day, musicMeta=music(name), authorMeta=author(f"user{day}-{place}"))
    for name, onsets in ONSETS.items():
        for market, onset in zip(("US", "UK"), onsets, strict=True):
            for day in range(onset if onset is not None else DAYS, DAYS):
                for place in range(3):
                    made.add(market, day, musicMeta=music(name), authorMeta=author(f"{market}-{place}"))
    for day in range(2, DAYS):  # many videos of one creator are no onset
        for _ in range(3):
            made.add("UK", day, musicMeta=music("one creator"), authorMeta=author("alone"))
    for market in MARKETS:
        for day in range(DAYS):
            for _ in range(12):
                further: Item = {
                    "authorMeta": author(f"any{chance.randrange(60)}"),
                    "hashtags": tags(*chance.sample(["fyp", "everywhere"], chance.randrange(3)))
                    + tags(*(f"tag{int(40 * chance.random() ** 2)}" for _ in range(3))),
                }
                if chance.random() < 0.5:
                    further["musicMeta"] = music(f"s{chance.randrange(150)}", original=chance.random() < 0.7)
                if chance.random() < 0.1:
                    further["text"] = f"www.capcut.com/template-detail/{chance.randrange(12)} #capcut"
                if chance.random() < 0.15:
                    further["effectStickers"] = [{"name": f"Effect {chance.randrange(8)}"}]
                item = made.add(market, day, plays=chance.randrange(500, 9000), **further)
                other = "US" if market == "UK" else "UK"
                if chance.random() < 0.2:  # the same video in both feeds
                    made.items[other, day].append(item)
                if chance.random() < 0.3 and day < LAST:  # still shown on the next day
                    made.items[market, day + 1].append({**item, "playCount": item["playCount"] + 100})
    for day in (4, LAST):
        made.add("US", day, effectStickers=[{"name": "Effect 1"}], hashtags=[])
        made.add("US", day, hashtags=tags("capcut", "everywhere", f"onlyhere{day}"))
    for creator, posts in POSTS.items():
        for day, seen in enumerate(posts):
            further = {"authorMeta": author(creator), "posted": f"{FIRST + timedelta(days=day)}T16:00:00.000Z"}
            item = made.add("US", day + 1, plays=seen[0], **further)
            made.items["US", day + 2].append({**item, "playCount": seen[1]})
    return made


@pytest.fixture(scope="module")
def home(feeds: Feeds, tmp_path_factory: pytest.TempPathFactory) -> Store:
    """A home with all dates built in one batch."""
    folder = tmp_path_factory.mktemp("trends")
    store = Store(folder / "home")
    prepare(store, *(f"{day}T00:00" for day in dates(range(DAYS))))
    feeds.write(folder / "feeds", range(DAYS))
    land_folder(store, folder / "feeds")
    run(store, range(DAYS))
    return store


def run(store: Store, days: Iterable[int]) -> None:
    """Builds the trend marts and all they need for these days."""
    build_models(store, dates(days), [f"+{model}" for model in MODELS])


def dates(days: Iterable[int]) -> list[str]:
    """ISO dates of day numbers."""
    return [(FIRST + timedelta(days=day)).isoformat() for day in days]


def carried(item: Item) -> list[tuple[str, str]]:
    """The keys that an item carries, without stop words, as (type, key)."""
    keys = []
    text = str(item["text"])
    if "template-detail/" in text:
        keys.append(("template", "template:" + text.split("template-detail/")[1].split()[0]))
    if "musicMeta" in item:
        keys.append(("sound", "sound:" + item["musicMeta"]["musicId"]))
    keys += [("effect", "effect:" + effect["name"].lower()) for effect in item.get("effectStickers", [])]
    names = {tag["name"].lower() for tag in item["hashtags"]} - set(STOP_WORDS)
    return keys + [("hashtag", "hashtag:" + name) for name in names]


@dataclass(frozen=True, slots=True)
class Corpus:
    """How common each key is among all videos seen up to a day."""

    videos: Counter[str]
    creators: dict[str, set[str]]
    size: int

    def is_distinctive(self, kind: str, key: str) -> bool:
        """Hashtags need two creators, and to be on at most 5 % of the videos."""
        return kind != "hashtag" or (len(self.creators[key]) >= 2 and self.videos[key] <= 0.05 * self.size)


def corpus(feeds: Feeds, last: int) -> Corpus:
    """Counts the first sighting of every video."""
    seen: dict[str, Item] = {}
    for day in range(last + 1):
        for market in MARKETS:
            for item in feeds.items[market, day]:
                seen.setdefault(item["id"], item)
    videos: Counter[str] = Counter()
    creators: dict[str, set[str]] = defaultdict(set)
    for item in seen.values():
        for _, key in carried(item):
            videos[key] += 1
            creators[key].add(item["authorMeta"]["name"])
    return Corpus(videos, creators, len(seen))


@pytest.mark.parametrize("day", [4, LAST])
def test_each_video_is_told_under_its_most_telling_key(home: Store, feeds: Feeds, day: int) -> None:
    """Template, sound, effect, rarest hashtag that is not common, else the video itself, with the reason."""
    known = corpus(feeds, day)
    expected = {}
    for market in MARKETS:
        for item in feeds.items[market, day]:
            candidates = []
            for kind, key in carried(item):
                once = kind == "sound" and item["musicMeta"]["musicOriginal"] and known.videos[key] == 1
                if known.is_distinctive(kind, key) and not once:
                    candidates.append((TYPES.index(kind), known.videos[key], key))
            key = min(candidates)[2] if candidates else f"video:{item['id']}"
            reason = f"{known.videos[key]} of {known.size} videos, {len(known.creators[key])} creator"
            expected[item["id"]] = (key, reason if candidates else f"among {known.size} videos")
    # Keys of a batch are kept for its dates only: built again for this one.
    of_batch = ("int_as_of", "int_feed_presence", "int_trend_corpus", "int_video_trend_keys", "int_trend_keys")
    build_models(home, dates([day]), of_batch)
    rows = build(home, "select video_id, trend_key, trend_key_type, trend_key_reason from intermediate.int_trend_keys")
    assert {row[0]: row[1] for row in rows} == {video_id: key for video_id, (key, _) in expected.items()}
    assert all(kind == key.split(":")[0] for _, key, kind, _ in rows)
    assert all(expected[video_id][1] in reason for video_id, _, _, reason in rows)
    assert {kind for _, _, kind, _ in rows} == {*TYPES, "video"}


def test_uses_and_creators_are_counted_per_market_and_day(home: Store, feeds: Feeds) -> None:
    expected: dict[tuple[str, str, str], tuple[int, int]] = {}
    for (market, day), items in feeds.items.items():
        users: dict[str, list[str]] = defaultdict(list)
        for item in items:
            for _, key in carried(item):
                users[key].append(item["authorMeta"]["name"])
        for key, names in users.items():
            expected[market, dates([day])[0], key] = (len(names), len(set(names)))
    rows = build(home, "select market, as_of_date::varchar, trend_key, uses, creators from intermediate.int_trend_uses")
    assert {tuple(row[:3]): tuple(row[3:]) for row in rows} == expected


def use_series(feeds: Feeds, last: int) -> dict[tuple[str, str, str], list[int]]:
    """Videos that came into the feed a day, of each (market, type, key) that several videos share."""
    known = corpus(feeds, last)
    series: dict[tuple[str, str, str], list[int]] = {}
    for market in MARKETS:
        seen: set[str] = set()
        for day in range(last + 1):
            for item in feeds.items[market, day]:
                for kind, key in carried(item) if item["id"] not in seen else ():
                    if known.videos[key] > 1 and known.is_distinctive(kind, key):
                        series.setdefault((market, kind, key), [0] * (last + 1))[day] += 1
                seen.add(item["id"])
    return series


def lifecycle(uses: Sequence[int], type_peak: float | None) -> str:
    """The stage on the last day, day after day: a stage holds from its second day on."""
    # On the first day there is, every video is new: it counts for nobody.
    means = [math.nan] + [sum(uses[max(1, day - 2) : day + 1]) / min(3, day) for day in range(1, len(uses))]
    first = next(day for day, count in enumerate(uses) if count)
    days = range(max(first, len(uses) - 11), len(uses))

    def rule(day: int) -> str | None:
        now, before = means[day], means[day - 1] if day else math.nan
        earlier = means[day - 2] if day > 1 else math.nan
        if day - first <= 1:
            return "new"
        peak, last_means = max(means[1 : day + 1]), means[day - 2 : day + 1]
        if day - first > 2 and (max(last_means) == 0 or (max(last_means) < 0.1 * peak and (now == 0 or now >= 0.6))):
            return "dead"
        if now < 0.85 * before and before < 0.85 * earlier:
            return "declining"
        if max(now, before) < 0.6:
            return "sparse"
        if now >= 1.25 * before and now < 0.5 * (type_peak or 0) and now > 0:
            return "emerging"
        if now >= 1.15 * before and now > 0:
            return "rising"
        return "peaking" if now >= 0.85 * before and now >= 0.8 * peak else None

    was_down = False
    held: str | None = None
    stage: str | None = None
    for day in days:
        found = rule(day)
        if found in ("emerging", "rising") and was_down:
            found = "resurged"
        was_down = was_down or found in ("declining", "dead")
        before = held
        held = found or held
        if held is not None and (
            found in ("declining", "sparse", "dead") or before in (None, "new", "sparse", "dead", held)
        ):
            stage = held
    if stage is None:
        stage = "peaking" if means[-1] >= 0.5 * max(means[1:]) else "declining"
    return stage


@pytest.mark.parametrize("last", [9, LAST])
def test_lifecycle_follows_the_means_of_three_days(home: Store, feeds: Feeds, last: int) -> None:
    series = use_series(feeds, last)
    peaks: dict[tuple[str, str], list[float]] = defaultdict(list)
    for (market, kind, _), uses in series.items():
        peak = max(sum(uses[max(1, day - 2) : day + 1]) / min(3, day) for day in range(1, last + 1))
        if peak >= 2:
            peaks[market, kind].append(peak)
    expected = {}
    for (market, kind, key), uses in series.items():
        known = peaks.get((market, kind))
        expected[market, key] = lifecycle(uses, float(np.quantile(known, 0.75)) if known else None)
    rows = build(
        home,
        f"select market, trend_key, lifecycle from marts.trends_daily where as_of_date = '{dates([last])[0]}'",
    )
    found = {(market, key): stage for market, key, stage in rows}
    assert found == expected
    if last == LAST:
        told = {name: found["US", "sound:" + name.replace(" ", "-")] for name in SERIES}
        assert told == {
            "rising": "rising",
            "peaking": "peaking",
            "declining": "declining",
            "dead": "dead",
            "resurged": "resurged",
            "one wild day": "peaking",
            "now and then": "sparse",
            "just seen": "new",
        }


def test_window_left_is_a_range_that_ends_with_the_trend(home: Store) -> None:
    rows = build(home, "select lifecycle, window_left_p25_h, window_left_h, window_left_p75_h from marts.trends_daily")
    assert all(low <= middle <= high for _, low, middle, high in rows)
    over = [row[1:] for row in rows if row[0] in ("declining", "dead")]
    assert over and set(over) == {(0, 0, 0)}
    living = [row for row in rows if row[0] not in ("declining", "dead")]
    assert all(row[3] > row[1] for row in living if row[2] > 0)
    assert max(row[2] for row in living) > 24
    assert all(row[2] <= 24 * 28 for row in living)


def cross_market(feeds: Feeds, last: int) -> dict[tuple[str, str], tuple[str, int, int | None]]:
    """Per key and other market: the first market, its onset, and the lag in days (None: not there yet)."""
    onsets: dict[str, dict[str, int]] = defaultdict(dict)
    ran: set[str] = set()
    known = corpus(feeds, last)
    for market in MARKETS:
        for day in range(last + 1):
            creators: dict[tuple[str, str], set[str]] = defaultdict(set)
            for item in feeds.items[market, day]:
                for kind, key in carried(item):
                    creators[kind, key].add(item["authorMeta"]["name"])
            for (kind, key), names in creators.items():
                if known.videos[key] < 2 or not known.is_distinctive(kind, key):
                    continue
                if len(names) >= 3:
                    onsets[key].setdefault(market, day)
                if day == 0 and len(names) >= 2:
                    ran.add(key)
    pairs = {}
    for key, by_market in onsets.items():
        if key in ran:
            continue
        first = min(by_market, key=lambda market: (by_market[market], market))
        other = "US" if first == "UK" else "UK"
        lag = by_market[other] - by_market[first] if other in by_market else None
        pairs[key, other] = (first, by_market[first], lag)
    return pairs


def test_lags_between_markets_are_measured_or_censored(home: Store, feeds: Feeds) -> None:
    expected = cross_market(feeds, LAST)
    rows = build(
        home,
        f"""
        select trend_key, other_market, first_market, first_onset_date::varchar, lag_days, is_censored, leader,
            days_without
        from marts.cross_market_trends where as_of_date = '{dates([LAST])[0]}'
        """,
    )
    found = {(row[0], row[1]): row[2:] for row in rows}
    assert found.keys() == expected.keys()
    for pair, (first, onset, lag) in expected.items():
        without = max((lag if lag is not None else LAST + 1 - onset) - 1, 0)
        leads = (lag is None and without > 0) or (lag or 0) >= 1
        leader = first if leads else "simultaneous" if lag == 0 else None
        assert found[pair] == (first, dates([onset])[0], lag, lag is None, leader, without), pair
    assert found["sound:us-leads", "UK"][2] == 2
    assert found["sound:uk-leads", "US"][2] == 5
    assert found["sound:both-at-once", "US"][4] == "simultaneous"
    assert found["sound:waiting", "UK"][3:5] == (True, "US")
    assert found["sound:seen-today", "UK"][3:5] == (True, None)
    assert not {"sound:ran-before", "sound:one-creator"} & {key for key, _ in found}


def test_arrival_is_expected_from_lags_of_its_type(home: Store, feeds: Feeds) -> None:
    """Median lag and its quartiles drawn to all types, those to a prior; chance from the days others waited."""
    pairs = cross_market(feeds, LAST)
    lags = {"all": [], "sound": []}  # type: dict[str, list[int]]
    waiting: dict[str, Counter[int]] = {"all": Counter(), "sound": Counter()}
    arrived: dict[str, Counter[int]] = {"all": Counter(), "sound": Counter()}
    for (key, _), (_, onset, lag) in pairs.items():
        for group in ("all", "sound") if key.startswith("sound:") else ("all",):
            if lag is not None and lag >= 1:
                lags[group].append(lag)
            waiting[group].update(range(1, (lag if lag is not None else LAST + 1 - onset - 1) + 1))
            if lag:
                arrived[group][lag] += 1

    def shrunk(own: float, wider: float, count: int) -> float:
        return (own * count + wider * 10) / (count + 10)

    def expected_lag(prior: float, share: float) -> float:
        wider = shrunk(float(np.quantile(lags["all"], share)), prior, len(lags["all"]))
        return shrunk(float(np.quantile(lags["sound"], share)), wider, len(lags["sound"]))

    def arrival(day: int) -> float:
        rate = 0.3 / day
        for group in ("all", "sound"):
            count = waiting[group][day]
            rate = shrunk(arrived[group][day] / count if count else 0, rate, count)
        return rate

    (row,) = build(
        home,
        f"""
        select expected_arrival_p25_date, expected_arrival_date, expected_arrival_p75_date, arrival_probability_7d,
            observed_lags, is_overdue
        from marts.cross_market_trends
        where as_of_date = '{dates([LAST])[0]}' and trend_key = 'sound:waiting'
        """,
    )
    days = [round(expected_lag(prior, share)) for prior, share in ((1, 0.25), (2, 0.5), (4, 0.75))]
    # Once the middle of the lags has gone by, no date is told.
    is_overdue = 10 + days[1] < LAST
    assert row[:3] == ((None,) * 3 if is_overdue else tuple(FIRST + timedelta(days=10 + day) for day in days))
    without = LAST - 10
    assert row[3] == pytest.approx(1 - math.prod(1 - arrival(without + day) for day in range(1, 8)), abs=1e-4)
    assert row[4] == len(lags["sound"])
    assert row[5] is is_overdue


def test_overlap_of_feeds_is_the_share_of_common_ids(home: Store, feeds: Feeds) -> None:
    rows = build(home, "select as_of_date::varchar, market_a, market_b, jaccard, is_suspicious from marts.feed_overlap")
    expected = []
    for day in range(DAYS):
        one, other = ({item["id"] for item in feeds.items[market, day]} for market in MARKETS)
        share = len(one & other) / len(one | other)
        expected.append((dates([day])[0], *MARKETS, pytest.approx(share), share > 0.5))
    assert sorted(rows) == expected


def test_posts_are_compared_with_their_creators_posts_before(home: Store) -> None:
    """Views at 24 h on a straight line in logs between 20 and 44 h; two posts before are too few."""
    rows: list[tuple[Any, ...]] = build(
        home,
        """
        select author_handle, views_24h, previous_posts, previous_median_views_24h, views_ratio, outlier_score, is_win,
            is_breakout
        from marts.creator_outliers
        where is_interpolated and author_handle in ('steady', 'two posts')
        order by as_of_date, posted_at
        """,
    )
    assert {row[0] for row in rows} == {"steady"}
    weight = math.log(24 / 20) / math.log(44 / 20)
    usual, hit = (math.exp(math.log(a) + weight * math.log(b / a)) for a, b in (POSTS["steady"][0], POSTS["steady"][4]))
    ratio = hit / usual
    score = math.exp(4 * math.log(ratio) / 7)
    assert rows[-1][1:6] == (pytest.approx(hit), 4, pytest.approx(usual), pytest.approx(ratio), pytest.approx(score))
    assert rows[-1][6:] == (True, True)
    assert rows[-2][1:] == (
        pytest.approx(usual),
        3,
        pytest.approx(usual),
        pytest.approx(1),
        pytest.approx(1),
        False,
        False,
    )


def test_batch_equals_single_builds_on_what_was_known_then(home: Store, feeds: Feeds, tmp_path: Path) -> None:
    """The last days landed and built one after the other give the same rows as one batch over all of them."""
    store = Store(tmp_path / "home")
    prepare(store, *(f"{day}T00:00" for day in dates(range(DAYS))))
    feeds.write(tmp_path / "feeds", range(DAYS - SINGLE_DAYS))
    land_folder(store, tmp_path / "feeds")
    run(store, range(DAYS - SINGLE_DAYS))
    for day in range(DAYS - SINGLE_DAYS, DAYS):
        feeds.write(tmp_path / "feeds", [day])
        land_folder(store, tmp_path / "feeds")
        run(store, [day])
    for mart in MODELS:
        rows = build(store, f"select * from marts.{mart} order by all")
        assert rows, mart
        assert rows == build(home, f"select * from marts.{mart} order by all"), mart
