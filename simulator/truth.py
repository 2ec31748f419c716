"""What really happened in the simulated market, for tests and benchmarks to compare the models with.

Belongs here: tables derived from the latent market and from what the feeds showed of it. Does not belong here:
anything the product may read.

Days are UTC dates. A trend's onset in a market is the first day with at least three distinct creators: *latent* counts
all posts so far, *visible* counts the videos that the day's distinct feeds hold.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from simulator.captions import TrendWords
from simulator.config import ACCOUNTS, KIND_NAMES, MARKETS, SimulatorConfig
from simulator.population import (
    PATTERN_NAMES,
    RESPONSE,
    Array,
    Creators,
    Posts,
    Trends,
    epoch_second,
    expected_views,
)

STAGES = ("none", "new", "emerging", "rising", "peaking", "declining", "dead", "resurged")
NONE, NEW, EMERGING, RISING, PEAKING, DECLINING, DEAD, RESURGED_STAGE = range(8)
ONSET_CREATORS = 3


@dataclass(frozen=True, slots=True)
class Truth:
    """The tables of the truth.

    Attributes:
        videos: video_id, market (of origin), posted_at, trend_key (null without a planted trend), creator, role,
            is_ai, crosses_at (when it reaches the other market, else null), views_48h (expected at age 48 h).
        bursts: video_id, start, end, multiplier (of the view intensity).
        trends: trend_key, type, market, pattern (single, resurged, evergreen), is_ai, posts, onset_day (latent),
            visible_onset_day, peak_day.
        trend_days: trend_key, type, market, day, stage, expected_posts, posts, visible_videos, visible_creators.
        cross_market: trend_key, type, leader, follower, lag_days (planted), visible_lag_days (null unless both
            onsets were seen, after the first feed day).
        competitor_responses: trend_key, competitor, market, competitor_posted_at, own_account, own_posted_at (null
            when no own account posted), delay_hours (competitor after own; negative: it led), hours_from_onset
            (from the start of the latent onset day), gap_type.
        expected_counts: market, video_id, observed_at, plays, likes, shares, comments, saves (true, unrounded, never
            falling), expected_plays (the model's mean), one row per video and distinct feed.
    """

    videos: pa.Table
    bursts: pa.Table
    trends: pa.Table
    trend_days: pa.Table
    cross_market: pa.Table
    competitor_responses: pa.Table
    expected_counts: pa.Table


@dataclass(frozen=True, slots=True)
class Sightings:
    """Which post stood in which market's video feed on which day (day 0 = first feed day)."""

    post: Array
    market: Array
    day: Array


def timestamps(seconds: Array) -> pa.Array:
    """Seconds since 1970 (float or int; infinite for none) as naive UTC timestamps."""
    known = np.isfinite(seconds.astype(float))
    values = np.where(known, seconds, 0).astype("int64").astype("datetime64[s]")
    return pa.array(values, type=pa.timestamp("s"), mask=~known)


def lifecycle_stages(uses: Array) -> Array:
    """Give the noise-free stage of each trend and day from its expected posts, shape (trends, days).

    The rules of the lifecycle metric on 3-day means and the trend's own peak; a trend is ``new`` for two days, growth
    after a decline is ``resurged``, and a day that fits no rule keeps the stage before it.
    """
    trends, days = uses.shape
    padded = np.concatenate([np.zeros((trends, 2)), uses], axis=1)
    mean = (padded[:, 2:] + padded[:, 1:-1] + padded[:, :-2]) / 3
    peak, peak_day = mean.max(axis=1), mean.argmax(axis=1)
    stages = np.zeros((trends, days), dtype=int)
    previous = np.zeros(trends, dtype=int)
    was_down = np.zeros(trends, dtype=bool)
    since_onset = np.full(trends, -1)
    for day in range(days):
        since_onset = np.where((since_onset >= 0) | (uses[:, day] > 0), since_onset + 1, -1)
        now, before = mean[:, day], mean[:, day - 1] if day else np.zeros(trends)
        growth = np.divide(now, before, out=np.full(trends, 2.0), where=before > 0)
        stage = np.select(
            [
                since_onset < 0,
                since_onset < 2,
                (now < 0.1 * peak) & (day > peak_day),
                (growth >= 1.15) & was_down,
                (growth >= 1.15) & (now < 0.5 * peak),
                growth >= 1.15,
                growth < 0.85,
                now >= 0.8 * peak,
            ],
            [NONE, NEW, DEAD, RESURGED_STAGE, EMERGING, RISING, DECLINING, PEAKING],
            default=previous,
        )
        was_down |= (stage == DECLINING) | (stage == DEAD)
        stages[:, day] = previous = stage
    return stages


def build_truth(
    config: SimulatorConfig,
    trends: Trends,
    trend_words: TrendWords,
    creators: Creators,
    posts: Posts,
    videos: pa.Table,
    sightings: Sightings,
    expected_counts: pa.Table,
) -> Truth:
    """Put the truth together; ``videos`` are the shown ones, ``sightings`` what the video feeds held."""
    trend_table, day_table, onset, visible_onset = _trend_tables(config, trends, trend_words, posts, sightings)
    shown = videos.column("post").to_numpy()
    burst = shown[posts.burst_multiplier[shown] > 1]
    zero = epoch_second(config)
    return Truth(
        videos=pa.table(
            {
                "video_id": videos.column("video_id"),
                "market": videos.column("market"),
                "posted_at": timestamps(posts.created_second[shown]),
                "trend_key": videos.column("trend_key"),
                "creator": videos.column("handle"),
                "role": videos.column("role"),
                "is_ai": videos.column("is_ai"),
                "crosses_at": timestamps(zero + 3600 * posts.crosses_hour[shown]),
                "views_48h": pa.array(expected_views(posts, shown, posts.posted_hour[shown] + 48.0)),
            }
        ),
        bursts=pa.table(
            {
                "video_id": pc.cast(pa.array(posts.video_id[burst]), pa.string()),
                "start": timestamps(zero + 3600 * posts.burst_start[burst]),
                "end": timestamps(zero + 3600 * posts.burst_end[burst]),
                "multiplier": pa.array(posts.burst_multiplier[burst]),
            }
        ),
        trends=trend_table,
        trend_days=day_table,
        cross_market=_cross_market(trends, trend_words, visible_onset),
        competitor_responses=_responses(config, trend_words, creators, posts, onset),
        expected_counts=expected_counts,
    )


def _third_creator_day(trends: int, trend: Array, market: Array, creator: Array, day: Array, first: int) -> Array:
    """First day with ``ONSET_CREATORS`` distinct creators so far, shape (markets, trends); ``-99`` for none."""
    pair = (trend * len(MARKETS) + market).astype(np.int64)
    order = np.lexsort((day, creator, pair))
    pair, creator, day = pair[order], creator[order], day[order]
    fresh = np.ones(pair.size, dtype=bool)
    fresh[1:] = (pair[1:] != pair[:-1]) | (creator[1:] != creator[:-1])
    pair, day = pair[fresh], day[fresh]
    order = np.lexsort((day, pair))
    pair, day = pair[order], day[order]
    rank = np.arange(pair.size) - np.searchsorted(pair, pair)
    onset = np.full((trends, len(MARKETS)), -99)
    third = rank == ONSET_CREATORS - 1
    onset.reshape(-1)[pair[third]] = day[third]
    return np.where(onset >= first, onset, -99).T


def _trend_tables(
    config: SimulatorConfig, trends: Trends, trend_words: TrendWords, posts: Posts, sightings: Sightings
) -> tuple[pa.Table, pa.Table, Array, Array]:
    count, warmup = trends.kind.size, config.warmup_days
    days = warmup + config.days
    shape = (len(MARKETS), count, days)
    on_trend = np.flatnonzero((posts.trend >= 0) & (posts.posted_hour < 24.0 * config.days))
    trend, market, creator = posts.trend[on_trend], posts.market[on_trend], posts.creator[on_trend]
    day = np.floor(posts.posted_hour[on_trend] / 24).astype(int)
    posted = np.zeros(shape, dtype=int)
    inside = day + warmup >= 0
    np.add.at(posted, (market[inside], trend[inside], day[inside] + warmup), 1)
    onset = _third_creator_day(count, trend, market, creator, day, -warmup)

    seen = posts.trend[sightings.post] >= 0
    post, seen_market, seen_day = sightings.post[seen], sightings.market[seen], sightings.day[seen]
    seen_trend = posts.trend[post]
    videos = _distinct(shape, seen_market, seen_trend, seen_day + warmup, post)
    people = _distinct(shape, seen_market, seen_trend, seen_day + warmup, posts.creator[post])
    enough = people >= ONSET_CREATORS
    visible_onset = np.where(enough.any(axis=2), enough.argmax(axis=2) - warmup, -99)

    stages = np.stack([lifecycle_stages(trends.uses[m]) for m in range(len(MARKETS))])
    places = [(m, k) for k in range(count) for m in range(len(MARKETS)) if trends.uses[m, k].max() > 0]
    at_market = np.array([m for m, _ in places])
    at_trend = np.array([k for _, k in places])
    codes = np.array([m.code for m in MARKETS])
    kinds = np.array(KIND_NAMES)
    keys = pa.array(trend_words.key)
    peak = trends.uses[at_market, at_trend].argmax(axis=1) - warmup
    table = pa.table(
        {
            "trend_key": pc.take(keys, pa.array(at_trend)),
            "type": pa.array(kinds[trends.kind[at_trend]]),
            "market": pa.array(codes[at_market]),
            "pattern": pa.array(np.array(PATTERN_NAMES)[trends.pattern[at_trend]]),
            "is_ai": pa.array(trends.is_ai[at_trend]),
            "posts": pa.array(posted[at_market, at_trend].sum(axis=1)),
            "onset_day": _dates(config, onset[at_market, at_trend]),
            "visible_onset_day": _dates(config, visible_onset[at_market, at_trend]),
            "peak_day": _dates(config, peak),
        }
    )
    repeated = np.repeat(np.arange(len(places)), config.days)
    number = np.tile(np.arange(config.days), len(places))
    spot = (at_market[repeated], at_trend[repeated], number + warmup)
    day_table = pa.table(
        {
            "trend_key": pc.take(keys, pa.array(at_trend[repeated])),
            "type": pa.array(kinds[trends.kind[at_trend[repeated]]]),
            "market": pa.array(codes[at_market[repeated]]),
            "day": _dates(config, number),
            "stage": pa.array(np.array(STAGES)[stages[spot]]),
            "expected_posts": pa.array(trends.uses[spot]),
            "posts": pa.array(posted[spot]),
            "visible_videos": pa.array(videos[spot]),
            "visible_creators": pa.array(people[spot]),
        }
    )
    return table, day_table, onset, visible_onset


def _distinct(shape: tuple[int, int, int], market: Array, trend: Array, day: Array, what: Array) -> Array:
    """Count distinct ``what`` per (market, trend, day)."""
    cell = np.ravel_multi_index((market, trend, day), shape).astype(np.int64)
    pairs = np.unique(np.stack([cell, what]), axis=1)
    return np.bincount(pairs[0], minlength=int(np.prod(shape))).reshape(shape)


def _dates(config: SimulatorConfig, day: Array) -> pa.Array:
    first = np.datetime64(config.start)
    return pa.array(first + day.astype("timedelta64[D]"), type=pa.date32(), mask=day == -99)


def _cross_market(trends: Trends, trend_words: TrendWords, visible_onset: Array) -> pa.Table:
    crossing = np.flatnonzero(trends.lag_days >= 0)
    leader = trends.leader[crossing]
    codes = np.array([m.code for m in MARKETS])
    first, second = visible_onset[leader, crossing], visible_onset[1 - leader, crossing]
    # Seen on the first feed day already: the onset lies before the feeds, so the difference isn't the lag.
    unknown = (first <= 0) | (second <= 0)
    return pa.table(
        {
            "trend_key": pc.take(pa.array(trend_words.key), pa.array(crossing)),
            "type": pa.array(np.array(KIND_NAMES)[trends.kind[crossing]]),
            "leader": pa.array(codes[leader]),
            "follower": pa.array(codes[1 - leader]),
            "lag_days": pa.array(trends.lag_days[crossing]),
            "visible_lag_days": pa.array(second - first, mask=unknown),
        }
    )


def _responses(
    config: SimulatorConfig, trend_words: TrendWords, creators: Creators, posts: Posts, onset: Array
) -> pa.Table:
    """Compare first posts per trend; computed from the posts themselves, so planted and true delays agree."""
    base = len(creators.market) - len(ACCOUNTS)
    rows = np.flatnonzero(posts.purpose == RESPONSE)
    rows = rows[np.argsort(posts.created_second[rows], kind="stable")]
    first: dict[tuple[int, int], int] = {}
    for row in rows.tolist():  # a few dozen posts of tracked accounts
        first.setdefault((int(posts.trend[row]), int(posts.creator[row]) - base), row)
    fields: list[dict[str, object]] = []
    own_first: dict[int, tuple[int, int]] = {}
    for (trend, account), row in first.items():
        if ACCOUNTS[account].role == "own":
            own_first.setdefault(trend, (account, row))
    hour_of = posts.created_second / 3600.0
    midnight = epoch_second(config) / 3600.0
    for (trend, account), row in sorted(first.items()):
        if ACCOUNTS[account].role != "competitor":
            continue
        own = own_first.get(trend)
        delay = None if own is None else float(hour_of[row] - hour_of[own[1]])
        onset_day = int(onset[ACCOUNTS[account].market, trend])
        gap = "MISSED_BY_YOU" if delay is None else "BEAT_THEM" if delay > 0 else "BOTH_CAUGHT"
        fields.append(
            {
                "trend_key": trend_words.key[trend],
                "competitor": ACCOUNTS[account].handle,
                "market": MARKETS[ACCOUNTS[account].market].code,
                "competitor_posted_at": _moment(posts, row),
                "own_account": None if own is None else ACCOUNTS[own[0]].handle,
                "own_posted_at": None if own is None else _moment(posts, own[1]),
                "delay_hours": delay,
                "hours_from_onset": None if onset_day == -99 else float(hour_of[row] - midnight - 24 * onset_day),
                "gap_type": gap,
            }
        )
    schema = pa.schema(
        [
            ("trend_key", pa.string()),
            ("competitor", pa.string()),
            ("market", pa.string()),
            ("competitor_posted_at", pa.timestamp("s")),
            ("own_account", pa.string()),
            ("own_posted_at", pa.timestamp("s")),
            ("delay_hours", pa.float64()),
            ("hours_from_onset", pa.float64()),
            ("gap_type", pa.string()),
        ]
    )
    return pa.Table.from_pylist(fields, schema=schema)


def _moment(posts: Posts, row: int) -> object:
    return posts.created_second[row].astype("datetime64[s]").astype(object)
