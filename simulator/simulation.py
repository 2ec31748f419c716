"""Runs the market model from settings to tables: latent posts, feeds, items, truth.

Belongs here: the order of the steps. Does not belong here: the steps themselves, and files (see ``export``).
"""

from __future__ import annotations

import json
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from simulator.captions import TrendWords, creator_columns, name_trends, video_columns
from simulator.config import ACCOUNTS, MARKETS, SimulatorConfig
from simulator.feeds import Counts, Feed, Membership, count_over_time, lay_out, memberships, schedule
from simulator.population import (
    Array,
    Posts,
    Trends,
    draw_creators,
    draw_posts,
    draw_trends,
    stream,
)
from simulator.truth import Sightings, Truth, build_truth, timestamps
from simulator.vocabulary import FINDERS


@dataclass(frozen=True, slots=True)
class Latent:
    """What the feeds are a view of.

    Attributes:
        posts: every post, shown or not.
        shown: indices of the posts that a feed holds, in the order of `Simulation.videos`.
        moments: seconds since 1970 of the distinct feeds, rising.
        last_shown: of each shown post, the moment of the last distinct feed that holds it.
    """

    posts: Posts
    shown: Array
    moments: list[int]
    last_shown: Array


@dataclass(frozen=True, slots=True)
class Simulation:
    """A simulated period.

    Attributes:
        config: the settings it came from.
        creators: every creator (handle, nickname, followers, ...).
        videos: every video that a feed holds, with caption, hashtags and music.
        feeds: one row per file: number, market, kind, role (daily, poll, repeat), day, observed_at, content (number
            of the feed whose dataset it holds), exact, suffix, first_item, items.
        items: the rows of all distinct feeds, in file order: ``video`` points into ``videos``; ``literal`` is the
            whole row where it isn't a video.
        provenances: JSON fragments (finder, profile or sound) that ``items.provenance`` points into.
        truth: what really happened.
        latent: what counts at any other moment are drawn from (`panel`).
    """

    config: SimulatorConfig
    creators: pa.Table
    videos: pa.Table
    feeds: pa.Table
    items: pa.Table
    provenances: tuple[str, ...]
    truth: Truth
    latent: Latent


def simulate(config: SimulatorConfig) -> Simulation:
    """Simulate the markets.

    Args:
        config: the settings; equal ones give equal tables, in any process.
    """
    trends = draw_trends(config)
    creators = draw_creators(config)
    posts = draw_posts(config, trends, creators)
    trend_words = name_trends(trends)
    creator_table = creator_columns(config, creators)
    feeds = schedule(config)
    shown_by_feed = list(memberships(config, feeds, posts, trends, creators))
    shown = np.unique(np.concatenate([m.rows for m in shown_by_feed]))
    place = np.full(posts.video_id.size, -1)
    place[shown] = np.arange(shown.size)

    created_second = _printed_post_times(config, posts, shown, place, shown_by_feed)
    given = _videos_with_given_captions(config, posts, shown, place, shown_by_feed)
    videos = video_columns(config, posts, shown, trends, trend_words, creator_table, created_second, given)

    provenances = [f',"searchHashtag":{{"name":"{n}","views":"{v}"}},"input":"{n}"}}' for n, v in FINDERS]
    provenances += [f',"fromProfileSection":"videos","input":"{a.handle}"}}' for a in ACCOUNTS]
    chart = _Chart(config, trends, trend_words)
    tables: list[pa.Table] = []
    expected: list[pa.Table] = []
    last_plays = [np.zeros(shown.size, dtype=np.int64) for _ in MARKETS]
    moments = [m.feed.observed_second for m in shown_by_feed]
    drawn = count_over_time(config, moments, posts, shown)
    for membership, (_, counts) in zip(shown_by_feed, drawn, strict=True):
        sound_rows, sound_provenance = chart.of(membership, provenances)
        market = membership.feed.market
        tables.append(
            lay_out(
                config,
                membership,
                counts,
                place,
                last_plays[market],
                posts,
                creators,
                sound_rows,
                sound_provenance,
            )
        )
        if membership.feed.kind == "videos":
            expected.append(_expected_rows(membership, counts, place, videos))
    sizes = {m.feed.number: table.num_rows for m, table in zip(shown_by_feed, tables, strict=True)}
    video_feeds = [m for m in shown_by_feed if m.feed.kind == "videos"]
    sightings = Sightings(
        post=np.concatenate([m.rows for m in video_feeds]),
        market=np.repeat([m.feed.market for m in video_feeds], [m.rows.size for m in video_feeds]),
        day=np.repeat([m.feed.day for m in video_feeds], [m.rows.size for m in video_feeds]),
    )
    truth = build_truth(config, trends, trend_words, creators, posts, videos, sightings, pa.concat_tables(expected))
    return Simulation(
        config=config,
        creators=creator_table,
        videos=videos,
        feeds=_feed_table(feeds, sizes),
        items=pa.concat_tables(tables),
        provenances=tuple(provenances),
        truth=truth,
        latent=Latent(posts, shown, moments, _last_shown(shown.size, place, shown_by_feed)),
    )


def _last_shown(size: int, place: Array, shown_by_feed: list[Membership]) -> Array:
    """Give the moment of the last distinct feed of each shown video."""
    last = np.zeros(size, dtype=np.int64)
    for membership in shown_by_feed:
        rows = place[membership.rows]
        last[rows] = np.maximum(last[rows], membership.feed.observed_second)
    return last


def _printed_post_times(
    config: SimulatorConfig, posts: Posts, shown: Array, place: Array, shown_by_feed: list[Membership]
) -> Array:
    """Give the post times the feeds print: the true ones, but for a few that lie after the first reading.

    Only videos that have left the feeds well before the end: the oddity shall be found, not rule the last day's lists.
    """
    printed = posts.created_second[shown].copy()
    if not config.oddities.items or config.days < 6:
        return printed
    first = np.full(shown.size, np.iinfo(np.int64).max)
    last = np.zeros(shown.size, dtype=np.int64)
    for membership in shown_by_feed:
        rows = place[membership.rows]
        first[rows] = np.minimum(first[rows], membership.feed.observed_second)
        last[rows] = np.maximum(last[rows], membership.feed.observed_second)
    end = shown_by_feed[-1].feed.observed_second
    ordinary = (posts.purpose[shown] == 0) & (posts.trend[shown] < 0)
    candidates = np.flatnonzero(ordinary & (last < end - 3 * 86_400) & (first - printed < 7_200))
    chosen = candidates[:: max(1, candidates.size // 3)][:3]
    printed[chosen] = first[chosen] + 600
    return printed


def _videos_with_given_captions(
    config: SimulatorConfig, posts: Posts, shown: Array, place: Array, shown_by_feed: list[Membership]
) -> Array:
    """Choose the videos with captions of the caller's: hot ones of each market's last feed, so every export meets them.

    Returns:
        Per shown video the caption's index, -1 for its own.
    """
    given = np.full(shown.size, -1)
    for market in range(len(MARKETS)):
        last = [m for m in shown_by_feed if m.feed.market == market and m.feed.kind == "videos"][-1]
        hour = last.feed.observed_second / 3600.0
        age = hour - posts.created_second[last.rows] / 3600.0
        fits = (posts.trend[last.rows] < 0) & (posts.purpose[last.rows] == 0) & (age < 60) & (age > 2)
        chosen = last.rows[fits & (given[place[last.rows]] < 0)][: len(config.oddities.captions)]
        given[place[chosen]] = np.arange(chosen.size)
    return given


def _expected_rows(membership: Membership, counts: Counts, place: Array, videos: pa.Table) -> pa.Table:
    rows = place[membership.rows]
    size = rows.size
    moment = np.full(size, membership.feed.observed_second)
    return pa.table(
        {
            "market": pa.array([MARKETS[membership.feed.market].code] * size, type=pa.string()),
            "video_id": pc.take(videos.column("video_id"), pa.array(rows)),
            "observed_at": timestamps(moment),
            "plays": pa.array(counts.plays[rows]),
            "likes": pa.array(counts.likes[rows]),
            "shares": pa.array(counts.shares[rows]),
            "comments": pa.array(counts.comments[rows]),
            "saves": pa.array(counts.saves[rows]),
            "expected_plays": pa.array(counts.expected_plays[rows]),
        }
    )


def _feed_table(feeds: list[Feed], sizes: dict[int, int]) -> pa.Table:
    starts: dict[int, int] = {}
    position = 0
    for number, size in sizes.items():
        starts[number] = position
        position += size
    return pa.table(
        {
            "number": pa.array([f.number for f in feeds]),
            "market": pa.array([MARKETS[f.market].code for f in feeds]),
            "kind": pa.array([f.kind for f in feeds]),
            "role": pa.array([f.role for f in feeds]),
            "day": pa.array([f.day for f in feeds]),
            "observed_at": timestamps(np.array([f.observed_second for f in feeds])),
            "content": pa.array([f.content for f in feeds]),
            "exact": pa.array([feeds[f.content].exact for f in feeds]),
            "suffix": pa.array([feeds[f.content].suffix for f in feeds]),
            "first_item": pa.array([starts[f.content] for f in feeds]),
            "items": pa.array([sizes[f.content] for f in feeds]),
        }
    )


class _Chart:
    """Writes the chart rows of music feeds; remembers each market's last ranks for ``rankDiff``."""

    def __init__(self, config: SimulatorConfig, trends: Trends, trend_words: TrendWords) -> None:
        self._trends = trends
        self._words = trend_words
        self._rank: list[dict[int, int]] = [{} for _ in MARKETS]
        self._popularity = stream(config, "popularity").lognormal(9.5, 1.4, trends.kind.size)
        self._no_provenance = np.zeros(trends.kind.size, dtype=int)

    def of(self, membership: Membership, provenances: list[str]) -> tuple[list[str], Array]:
        """Give the chart rows of a feed and the provenance code per trend, appending new fragments."""
        if membership.feed.kind != "music":
            return [], self._no_provenance
        market = membership.feed.market
        country = MARKETS[market].country
        before, rank_now = self._rank[market], {}
        codes = self._no_provenance.copy()
        rows: list[str] = []
        # At most ``music_sounds`` turns per feed.
        for rank, sound in enumerate(membership.sounds.tolist(), start=1):
            name, identity = self._words.name[sound], self._words.value[sound]
            slug = name.lower().replace(" ", "-")
            rank_now[sound] = rank
            row = {
                "type": "sound",
                "id": identity,
                "name": name,
                "url": f"https://www.tiktok.com/music/{slug}-{identity}",
                "countryCode": country,
                "rank": rank,
                "rankDiff": before[sound] - rank if sound in before else None,
                "markedAsNew": sound not in before,
                "isPromoted": False,
            }
            rows.append(json.dumps(row, ensure_ascii=False, separators=(",", ":")))
            used = self._popularity[sound] * (1 + self._trends.uses[market, sound, : membership.feed.day].sum())
            fragment = f',"searchMusic":{{"musicTag":"{slug}-{identity}","videos":"{_short(used)}"}}}}'
            codes[sound] = len(provenances)
            provenances.append(fragment)
        self._rank[market] = rank_now
        return rows, codes


def _short(number: float) -> str:
    """Abbreviate as the web page does: 80.3K, 1.2M."""
    if number >= 1e6:
        return f"{number / 1e6:.1f}M"
    return f"{number / 1e3:.1f}K" if number >= 1e4 else str(int(number))
