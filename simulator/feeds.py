"""What the feeds show of the market: when they run, which videos they hold, and the counts they print.

Belongs here: the schedule with its re-reads and gaps, the choice of the hottest videos, the noisy integer counts and
their rounding, and the oddities of single items. Does not belong here: the latent market (``population``), captions,
JSON (``export``).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa

from simulator.config import ACCOUNTS, KIND_SOUND, MARKETS, SimulatorConfig
from simulator.population import (
    DAILY_FEED_HOUR,
    PINNED,
    Array,
    Creators,
    Posts,
    Trends,
    epoch_second,
    expected_views,
    stream,
)
from simulator.vocabulary import FINDERS

NOISE_HALF_LIFE_HOURS = 8.0
PROFILE_FINDER = len(FINDERS)
TRACKED_AGE_HOURS = 120.0
SOUND_VIDEOS = 8
ERROR_ROWS = (
    '{"error":"This profile/hashtag does not exist.","input":"nosuchtag","url":"https://www.tiktok.com/tag/nosuchtag"}',
    '{"url":"https://www.tiktok.com/@sim.private","input":"@sim.private","error":"The profile is private.",'
    '"errorCode":"PRIVATE"}',
)


@dataclass(frozen=True, slots=True)
class Feed:
    """One file: ``content`` is the number of the feed whose dataset it holds (its own number if it is a new one)."""

    number: int
    market: int
    kind: str
    role: str
    day: int
    observed_second: int
    content: int
    exact: bool
    suffix: str


@dataclass(frozen=True, slots=True)
class Membership:
    """Post indices of one feed, hottest first, and for a music feed the charted sounds (trend indices)."""

    feed: Feed
    rows: Array
    sounds: Array


def poll_hours(config: SimulatorConfig, day: int) -> list[int]:
    """Hours (UTC) of the video feeds of a day; the daily one is always among them."""
    polls = config.polls if config.poll_days is None or day in config.poll_days else 1
    return sorted((DAILY_FEED_HOUR + 2 * k) % 24 for k in range(polls))


def schedule(config: SimulatorConfig) -> list[Feed]:
    """Plan every file in order of observation time.

    With ``oddities.repeats`` every third unpolled day is read again at 14 and 20 h, and in the middle of the period
    the second market's daily feed is the previous day's dataset. With ``oddities.gaps`` one music feed is missing.
    """
    rng = stream(config, "schedule")
    odd = config.oddities
    stale_day = config.days // 2 if odd.repeats and config.days >= 4 else -1
    plans: list[tuple[int, int, str, str, int]] = []
    for day in range(config.days):
        for market in range(len(MARKETS)):
            hours = poll_hours(config, day)
            for hour in hours:
                role = "daily" if hour == DAILY_FEED_HOUR else "poll"
                if role == "daily" and day == stale_day and market == 1:
                    role = "repeat"
                second = (24 * day + hour) * 3600 + 60 * 4 * market + int(rng.integers(5, 200))
                plans.append((second, market, "videos", role, day))
            if odd.repeats and len(hours) == 1 and day % 3 == 1:
                for hour in (14, 20):
                    second = (24 * day + hour) * 3600 + 60 * 4 * market + int(rng.integers(5, 200))
                    plans.append((second, market, "videos", "repeat", day))
            missing = odd.gaps and market == 1 and day == stale_day + 1
            if config.music and not missing:
                second = (24 * day + DAILY_FEED_HOUR) * 3600 + 1200 + 60 * 4 * market + int(rng.integers(5, 200))
                plans.append((second, market, "music", "daily", day))
    feeds: list[Feed] = []
    latest: dict[int, int] = {}
    for number, (second, market, kind, role, day) in enumerate(sorted(plans)):
        content = latest[market] if role == "repeat" else number
        if kind == "videos":
            latest[market] = content
        every = config.exact_feed_every
        exact = every > 0 and number % every == every - 1
        feeds.append(Feed(number, market, kind, role, day, epoch_second(config) + second, content, exact, ".jsonl"))
    if odd.formats:
        odd_formats = {(0, "videos", 3): ".json.gz", (1, "videos", 5): ".csv", (0, "music", 2): ".json"}
        for number, feed in enumerate(feeds):
            suffix = odd_formats.get((feed.market, feed.kind, feed.day))
            if suffix and feed.role == "daily":
                feeds[number] = replace(feed, suffix=suffix)
    return feeds


def memberships(
    config: SimulatorConfig, feeds: list[Feed], posts: Posts, trends: Trends, creators: Creators
) -> Iterator[Membership]:
    """Choose each new feed's videos: the most views per hour over the last day, weighted by the market's interest.

    Posts of tracked accounts are always in their home market's daily feed for five days (the task scrapes their
    profiles too), pinned ones for ever.
    """
    first_account = len(creators.market) - len(ACCOUNTS)
    pinned = np.flatnonzero(posts.purpose == PINNED)
    is_sound = np.append(trends.kind == KIND_SOUND, False)
    horizon = 24.0 * config.max_age_days
    for feed in feeds:
        if feed.content != feed.number:
            continue
        hour = (feed.observed_second - epoch_second(config)) / 3600.0
        alive = np.flatnonzero((posts.posted_hour < hour - 0.25) & (posts.posted_hour >= hour - horizon))
        alive = np.concatenate([pinned, alive])
        home = posts.market[alive] == feed.market
        gained = expected_views(posts, alive, hour) - expected_views(posts, alive, hour - 24.0)
        age = hour - posts.posted_hour[alive]
        abroad = np.where(hour >= posts.crosses_hour[alive], 0.9, posts.foreign_share[alive])
        heat = gained / np.minimum(24.0, age + 2.0) * np.where(home, 1.0, abroad)
        if feed.kind == "videos":
            size = config.videos_per_day
            if feed.role == "poll" and config.poll_feed_size is not None:
                size = min(size, config.poll_feed_size)
            else:
                tracked = home & (posts.creator[alive] >= first_account)
                heat = heat + 1e15 * (tracked & ((age <= TRACKED_AGE_HOURS) | (posts.purpose[alive] == PINNED)))
            rows = alive[_hottest(heat, size)]
            yield Membership(feed, rows, np.zeros(0, dtype=int))
        else:
            uses_sound = is_sound[posts.trend[alive]]
            alive, heat = alive[uses_sound], heat[uses_sound]
            sound = posts.trend[alive]
            total = np.bincount(sound, weights=heat, minlength=len(trends.kind))
            sounds = np.argsort(-total, kind="stable")[: config.music_sounds]
            sounds = sounds[total[sounds] > 0]
            place = np.full(len(trends.kind), len(sounds))
            place[sounds] = np.arange(len(sounds))
            order = np.lexsort((-heat, place[sound]))
            ordered = place[sound[order]]
            within = np.arange(order.size) - np.searchsorted(ordered, ordered)
            keep = (ordered < len(sounds)) & (within < max(SOUND_VIDEOS, config.music_videos // 12))
            yield Membership(feed, alive[order[keep]][: config.music_videos], sounds)


def _hottest(heat: Array, size: int) -> Array:
    chosen = np.argpartition(-heat, size - 1)[:size] if heat.size > size else np.arange(heat.size)
    # Ties are broken by position, so that the order never depends on the partition.
    return chosen[np.lexsort((chosen, -heat[chosen]))]


@dataclass(frozen=True, slots=True)
class Counts:
    """Cumulative counts of the shown videos at one moment (int64 arrays over all shown videos)."""

    plays: Array
    likes: Array
    shares: Array
    comments: Array
    saves: Array
    expected_plays: Array


def count_over_time(
    config: SimulatorConfig, moments: list[int], posts: Posts, shown: Array
) -> Iterator[tuple[int, Counts]]:
    """Draw integer counts at each moment (seconds since 1970, rising): Poisson gains under noisy intensity.

    The log noise is an Ornstein-Uhlenbeck process per video, so neighbouring intervals err together, and gains are
    non-negative, so true counts never fall.
    """
    rng = stream(config, "counts")
    ratios = (posts.like_ratio, posts.share_ratio, posts.comment_ratio, posts.save_ratio)
    totals = [np.zeros(shown.size, dtype=np.int64) for _ in range(5)]
    expected = np.zeros(shown.size)
    noise = rng.normal(size=shown.size) * config.noise
    previous = moments[0] if moments else 0
    for moment in moments:
        keep = 0.5 ** ((moment - previous) / 3600.0 / NOISE_HALF_LIFE_HOURS)
        noise = keep * noise + np.sqrt(1 - keep**2) * config.noise * rng.normal(size=shown.size)
        now = expected_views(posts, shown, (moment - epoch_second(config)) / 3600.0)
        gain = np.maximum(now - expected, 0.0) * np.exp(noise - config.noise**2 / 2)
        totals[0] = totals[0] + rng.poisson(gain)
        for number, ratio in enumerate(ratios, start=1):
            totals[number] = totals[number] + rng.poisson(gain * ratio[shown])
        expected, previous = now, moment
        yield moment, Counts(totals[0], totals[1], totals[2], totals[3], totals[4], now)


def rounded(count: Array) -> Array:
    """Round as the web page does: exact below 10,000, then hundreds, from a million on hundred thousands."""
    hundreds = (count + 50) // 100 * 100
    large = (count + 50_000) // 100_000 * 100_000
    return np.where(count < 10_000, count, np.where(hundreds < 1_000_000, hundreds, large))


def resolution(count: Array) -> Array:
    """Smallest step in which a printed count can move: 1, 100 or 100,000."""
    return np.where(count < 10_000, 1, np.where(count < 1_000_000, 100, 100_000))


def lay_out(
    config: SimulatorConfig,
    membership: Membership,
    counts: Counts,
    place: Array,
    last_plays: Array,
    posts: Posts,
    creators: Creators,
    sound_rows: list[str],
    sound_provenance: Array,
) -> pa.Table:
    """Turn one feed's videos into its items: printed counts, finder, duplicates, error rows, in file order.

    Args:
        config: the settings.
        membership: the feed and its post indices.
        counts: counts of all shown videos at the feed's moment.
        place: index among the shown videos, per post.
        last_plays: printed plays of each shown video in this market's previous feed (0 for none); updated in place.
        posts: the posts.
        creators: the creators.
        sound_rows: chart rows (JSON) that open a music feed.
        sound_provenance: provenance code of each charted sound, per trend.

    Returns:
        A table feed, video, plays, likes, shares, comments, saves, as_text, without_saves, provenance, literal:
        ``literal`` is the whole row where it isn't a video.
    """
    feed, rows = membership.feed, membership.rows
    rng = np.random.default_rng([config.seed, 7, feed.number])
    odd = config.oddities.items
    music = feed.kind == "music"
    if music:
        provenance = sound_provenance[posts.trend[rows]]
    else:
        account = posts.creator[rows] - (len(creators.market) - len(ACCOUNTS))
        provenance = np.where(account >= 0, PROFILE_FINDER + account, rng.integers(0, PROFILE_FINDER, rows.size))
        if odd:
            again = np.flatnonzero((account < 0) & (rng.random(rows.size) < 0.04))
            other = (provenance[again] + rng.integers(1, PROFILE_FINDER, again.size)) % PROFILE_FINDER
            rows = np.concatenate([rows, rows[again]])
            provenance = np.concatenate([provenance, other])
        order = np.lexsort((np.arange(rows.size), provenance))
        rows, provenance = rows[order], provenance[order]
    video = place[rows]
    size = video.size
    true = (counts.plays, counts.likes, counts.shares, counts.comments, counts.saves)
    printed = [values[video] if feed.exact else rounded(values[video]) for values in true]
    as_text = np.zeros(size, dtype=bool)
    without_saves = np.full(size, music)
    if odd:
        # Corrections by the platform: a count a step or two below the one printed before. Decided per video, because
        # the duplicates of a feed always carry the same counts.
        draws = np.random.default_rng([config.seed, 8, feed.number]).random((2, counts.plays.size))
        before = last_plays[video]
        settled = (before > 0) & (printed[0] < 1.04 * before)
        falls = settled & (draws[0][video] < 0.05)
        base = before if feed.exact else rounded(before)
        printed[0] = np.where(falls, np.maximum(base - resolution(base - 1), 0), printed[0])
        as_text = draws[1][video] < 0.004
        without_saves = without_saves | (draws[1][video] > 0.996)
    if not music:
        last_plays[video] = printed[0]
    literals: list[tuple[int, str]] = [(0, row) for row in sound_rows]
    if odd and not music:
        literals += [(0, ERROR_ROWS[0])] if feed.number % 3 == 0 else []
        literals += [(size // 2, "{}")] if feed.number % 4 == 0 else []
        literals += [(size, ERROR_ROWS[1])] if feed.number % 5 == 0 else []
    spots = np.array([spot for spot, _ in literals], dtype=int)
    kept = np.arange(size) + np.searchsorted(spots, np.arange(size), side="right")
    total = size + len(literals)
    literal_at = np.setdiff1d(np.arange(total), kept)
    literal = np.full(total, None, dtype=object)
    literal[literal_at] = [row for _, row in literals]

    def spread(values: Array, kind: pa.DataType) -> pa.Array:
        wide = np.zeros(total, dtype=values.dtype)
        wide[kept] = values
        mask = np.ones(total, dtype=bool)
        mask[kept] = False
        return pa.array(wide, type=kind, mask=mask if literals else None)

    columns = {
        "feed": pa.array(np.full(total, feed.number), type=pa.int32()),
        "video": spread(video, pa.int32()),
        **{
            name: spread(values, pa.int64())
            for name, values in zip(("plays", "likes", "shares", "comments", "saves"), printed, strict=True)
        },
        "as_text": spread(as_text, pa.bool_()),
        "without_saves": spread(without_saves, pa.bool_()),
        "provenance": spread(provenance, pa.int32()),
        "literal": pa.array(literal, type=pa.string()),
    }
    return pa.table(columns)
