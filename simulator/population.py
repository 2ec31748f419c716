"""The latent market: trends with adoption curves, creators, and every video that is posted.

Belongs here: all draws that happen before anything is observed, as arrays (one entry per trend or video), and the
closed form of a video's expected views. Does not belong here: feeds, counts and text.

Hours are floats since 00:00 UTC of the first feed day; posts of the warm-up have negative hours. Views follow a power
law of age in *operational* time: the origin market's daily cycle stretches and shrinks the clock, so that intensity is
``amplitude * cycle(t) * (1 + age / tau) ** -power`` and its integral stays exact. A burst multiplies it by a constant
between two moments.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simulator.config import (
    ACCOUNTS,
    KIND_HASHTAG,
    KIND_SOUND,
    KIND_TEMPLATE,
    MARKETS,
    SimulatorConfig,
)

Array = NDArray[Any]

DAILY_FEED_HOUR = 8
PATTERN_NAMES = ("single", "resurged", "evergreen")
SINGLE, RESURGED, EVERGREEN = 0, 1, 2
CYCLE_DEPTH = 0.45
CYCLE_PEAK_LOCAL = 20.0
FILLER, RESPONSE, PINNED = 1, 2, 3


@dataclass(frozen=True, slots=True)
class Trends:
    """Arrays over trends; ``uses`` is the expected posts, shape (markets, trends, warm-up + feed days)."""

    kind: Array
    pattern: Array
    is_ai: Array
    is_original: Array
    value: Array
    leader: Array
    lag_days: Array
    uses: Array


@dataclass(frozen=True, slots=True)
class Posts:
    """Arrays over posts in order of posting time.

    ``creator`` counts through both markets' ordinary creators and then the tracked accounts; ``purpose`` is 0 for
    ordinary posts, else FILLER, RESPONSE or PINNED of a tracked account. Hours as in the module's docstring.
    """

    video_id: Array
    posted_second: Array
    posted_hour: Array
    created_second: Array
    market: Array
    creator: Array
    trend: Array
    purpose: Array
    is_ai: Array
    amplitude: Array
    tau: Array
    power: Array
    like_ratio: Array
    share_ratio: Array
    comment_ratio: Array
    save_ratio: Array
    foreign_share: Array
    crosses_hour: Array
    burst_start: Array
    burst_end: Array
    burst_multiplier: Array
    is_slideshow: Array


@dataclass(frozen=True, slots=True)
class Creators:
    """Arrays over creators: home market, followers, and the probability of writing a post of that market."""

    market: Array
    followers: Array
    activity: Array


def stream(config: SimulatorConfig, name: str) -> np.random.Generator:
    """Give the random stream of one part, so that a change in one part leaves the draws of the others alone."""
    return np.random.default_rng([config.seed, *name.encode()])


def epoch_second(config: SimulatorConfig) -> int:
    """Seconds since 1970 of hour 0: midnight UTC of the first feed day."""
    midnight = datetime(config.start.year, config.start.month, config.start.day, tzinfo=UTC)
    return int(midnight.timestamp())


def operational_hours(hours: Array, market: Array | int) -> Array:
    """Integral of the daily cycle (mean 1, peak in the local evening) up to ``hours``, per market index."""
    offsets = np.array([m.utc_offset for m in MARKETS])[market]
    omega = 2 * np.pi / 24
    phase: Array = omega * (hours + offsets - CYCLE_PEAK_LOCAL)
    return hours + CYCLE_DEPTH / omega * np.sin(phase)


def expected_views(posts: Posts, rows: Array, hour: float | Array) -> Array:
    """Expected cumulative views of the posts ``rows`` at ``hour``; 0 before the post."""
    market = posts.market[rows]
    origin = operational_hours(posts.posted_hour[rows], market)
    tau, power = posts.tau[rows], posts.power[rows]

    def base(at: Array) -> Array:
        age = np.maximum(operational_hours(at, market) - origin, 0.0)
        return tau / (power - 1) * (1 - (1 + age / tau) ** (1 - power))

    at = np.broadcast_to(np.asarray(hour, dtype=float), rows.shape)
    views = base(at)
    burst = np.flatnonzero((posts.burst_multiplier[rows] > 1) & (posts.burst_start[rows] < at))
    if burst.size:
        origin, tau, power, market = origin[burst], tau[burst], power[burst], market[burst]
        chosen = rows[burst]
        inside = base(np.minimum(at[burst], posts.burst_end[chosen])) - base(posts.burst_start[chosen])
        views[burst] += (posts.burst_multiplier[chosen] - 1) * inside
    return posts.amplitude[rows] * views


def draw_trends(config: SimulatorConfig) -> Trends:
    """Draw the trends and their expected posts per market and day.

    A curve rises and falls like two halves of a normal density of different width, starts at a tenth of its peak and
    ends below a twenty-fifth. In the follower market it starts ``lag_days`` later; a twelfth resurges after its fall.
    """
    rng = stream(config, "trends")
    all_days = config.warmup_days + config.days
    per_day = config.videos_per_day * config.posts_per_slot * config.trend_share
    life = 6.0
    wanted = per_day / config.uses_per_trend * (all_days + life) / life
    count = max(24, round(wanted))
    evergreen = max(12, count // 6)
    pattern = np.full(count, SINGLE)
    pattern[2::12] = RESURGED
    pattern[-evergreen:] = EVERGREEN
    kind = np.resize(np.array([KIND_TEMPLATE, KIND_SOUND, KIND_HASHTAG]), count)
    kind[-evergreen:] = KIND_SOUND
    onset = rng.permutation(np.linspace(-life / 2, all_days - 1.5, count)).round().astype(int)
    rise, fall = rng.uniform(1.5, 4.0, count), rng.uniform(1.5, 4.0, count)
    height = rng.lognormal(0.0, 0.45, count)
    leader = rng.integers(0, 2, count)
    lag_days = rng.choice([0, 1, 2, 3, 4], size=count, p=[0.2, 0.25, 0.25, 0.2, 0.1])
    only_leader = (rng.random(count) < 0.25) & (pattern == SINGLE)
    follower_height = rng.uniform(0.6, 1.1, count)

    def curve(since: Array, scale: Array) -> Array:
        to_peak = rise[:, None]
        width = np.where(since < to_peak, to_peak, fall[:, None]) / 2.15
        value = np.exp(-0.5 * ((since - to_peak) / width) ** 2)
        value = np.where((since < 0) | ((since > to_peak) & (value < 0.04)), 0.0, value)
        return value * scale[:, None]

    day = np.arange(all_days)[None, :]
    raw = np.zeros((2, count, all_days))
    for market in (0, 1):
        follows = leader != market
        start = onset + np.where(follows, lag_days, 0)
        scale = height * np.where(follows, follower_height, 1.0) * ~(follows & only_leader)
        since = day - start[:, None]
        raw[market] = curve(since, scale)
        again = rise + 2 * fall + 1.5
        second = curve(since - np.ceil(again)[:, None], 0.7 * scale)
        raw[market] += np.where((pattern == RESURGED)[:, None], second, 0.0)
        raw[market][pattern == EVERGREEN] = 0.15
    total = raw.sum(axis=1, keepdims=True)
    uses = np.divide(raw, total, out=np.zeros_like(raw), where=total > 0) * per_day
    lag_days = np.where(only_leader | (pattern == EVERGREEN), -1, lag_days)
    sound_like = 7_100_000_000_000_000_000 + rng.integers(0, 2**40, count) * 4096 + np.arange(count)
    return Trends(
        kind=kind,
        pattern=pattern,
        is_ai=(rng.random(count) < np.where(kind == KIND_SOUND, 0.15, 0.4)) & (pattern != EVERGREEN),
        is_original=(kind == KIND_SOUND) & (rng.random(count) < 0.3),
        value=sound_like,
        leader=leader,
        lag_days=lag_days,
        uses=uses,
    )


def draw_creators(config: SimulatorConfig) -> Creators:
    """Draw ordinary creators of both markets (power-law audiences), then append the tracked accounts."""
    rng = stream(config, "creators")
    per_market = max(150, round(config.videos_per_day * config.posts_per_slot * 1.6))
    ordinary = 2 * per_market
    followers = np.minimum(3_000 * rng.pareto(1.1, ordinary) + 400, 4e7)
    activity = rng.pareto(1.6, ordinary) + 0.15
    account_followers = rng.uniform(80_000, 600_000, len(ACCOUNTS))
    return Creators(
        market=np.concatenate([np.repeat([0, 1], per_market), [a.market for a in ACCOUNTS]]).astype(int),
        followers=np.concatenate([followers, account_followers]).round().astype(np.int64),
        activity=np.concatenate([activity, np.zeros(len(ACCOUNTS))]),
    )


def draw_ordinary(config: SimulatorConfig, trends: Trends, creators: Creators, market: int) -> dict[str, Array]:
    """Draw hour, creator and trend of one market's ordinary posts."""
    rng = stream(config, f"posts{market}")
    first, last = -24.0 * config.warmup_days, 24.0 * config.days
    count = round(config.videos_per_day * config.posts_per_slot * (config.warmup_days + config.days))
    grid = np.linspace(first, last, 24 * (config.warmup_days + config.days) * 4 + 1)
    clock = operational_hours(grid, market)
    hour = np.interp(np.sort(rng.uniform(clock[0], clock[-1], count)), clock, grid)
    home = np.flatnonzero(creators.market == market)
    share = np.cumsum(creators.activity[home])
    creator = home[np.searchsorted(share, rng.random(count) * share[-1], side="right")]
    trend = np.full(count, -1)
    follows = rng.random(count) < config.trend_share
    pick = rng.random(count)
    day = np.floor(hour / 24).astype(int) + config.warmup_days
    for number in range(config.warmup_days + config.days):
        weights = np.cumsum(trends.uses[market, :, number])
        chosen = np.flatnonzero((day == number) & follows)
        if weights[-1] > 0 and chosen.size:
            trend[chosen] = np.searchsorted(weights, pick[chosen] * weights[-1], side="right")
    return {"hour": hour, "creator": creator, "trend": trend, "purpose": np.zeros(count, dtype=int)}


def contested_trends(config: SimulatorConfig, trends: Trends) -> list[tuple[int, int, int]]:
    """Choose where accounts meet: (trend, market, onset day index), in the trend's leading market, strongest first."""
    last_day = config.warmup_days + config.days - 1
    chosen: list[tuple[int, int, int]] = []
    for market in (0, 1):
        uses = trends.uses[market]
        onset = np.argmax(uses > 0, axis=1)
        fits = (trends.leader == market) & (trends.pattern == SINGLE) & (onset >= max(last_day - 7, 1))
        fits &= (onset <= last_day - 2) & (uses.max(axis=1) > 0)
        order = np.argsort(-uses.max(axis=1), kind="stable")
        keys = [int(k) for k in order if fits[k]][: config.contested_trends]
        chosen += [(key, market, int(onset[key])) for key in keys]
    return chosen


def draw_account_posts(config: SimulatorConfig, trends: Trends, creators: Creators) -> dict[str, Array]:
    """Draw the posts of own and competitor accounts: responses to trends with planted delays, and fillers.

    Four patterns take turns over the contested trends: own first and competitors later, competitors first, only
    competitors, only own. Loops run over the few contested trends and accounts, not over items.
    """
    rng = stream(config, "accounts")
    base = len(creators.market) - len(ACCOUNTS)
    last_feed = 24.0 * (config.days - 1) + DAILY_FEED_HOUR
    rows: list[tuple[float, int, int, int]] = []
    for number, (key, market, onset_day) in enumerate(contested_trends(config, trends)):
        own = [i for i, a in enumerate(ACCOUNTS) if a.role == "own" and a.market == market]
        rivals = [i for i, a in enumerate(ACCOUNTS) if a.role == "competitor" and a.market == market]
        onset = 24.0 * (onset_day - config.warmup_days)
        first = min(onset + rng.uniform(14, 40), last_feed - 16)
        behind = rng.uniform(3, 14, 2)
        pattern = number % 4
        if pattern != 2:
            rows.append((first + (behind[0] if pattern == 1 else 0), own[number % len(own)], key, RESPONSE))
        if pattern != 3:
            for place in (0, 1):
                delay = 0.6 * behind[place] * place if pattern in (1, 2) else behind[place]
                rows.append((first + delay, rivals[(number + place) % len(rivals)], key, RESPONSE))
    for account in range(len(ACCOUNTS)):
        hours = rng.uniform(-24.0 * config.warmup_days, last_feed, rng.poisson(0.7 * config.days) + 3)
        rows += [(float(hour), account, -1, FILLER) for hour in hours]
    if config.oddities.items:
        rows += [(-24.0 * 400 - 7 * i, i, -1, PINNED) for i, a in enumerate(ACCOUNTS) if a.role == "own"]
    table = np.array(rows, dtype=float)
    return {
        "hour": table[:, 0],
        "creator": table[:, 1].astype(int) + base,
        "trend": table[:, 2].astype(int),
        "purpose": table[:, 3].astype(int),
    }


def draw_posts(config: SimulatorConfig, trends: Trends, creators: Creators) -> Posts:
    """Draw every post of both markets with its latent view curve, ratios, burst and crossing."""
    parts = [draw_ordinary(config, trends, creators, market) for market in (0, 1)]
    parts.append(draw_account_posts(config, trends, creators))
    hour, creator, trend, purpose = (
        np.concatenate([part[name] for part in parts]) for name in ("hour", "creator", "trend", "purpose")
    )
    order = np.argsort(hour, kind="stable")
    hour, creator, trend, purpose = hour[order], creator[order], trend[order], purpose[order]
    rng = stream(config, "curves")
    count = hour.size
    market = creators.market[creator]
    second = epoch_second(config) + np.floor(hour * 3600).astype(np.int64)
    # The upper 32 bits are the upload second, as on TikTok; the index in the lower ones makes ids unique.
    low = (rng.integers(0, 2**8, count) << 24) | (np.arange(count) & (2**24 - 1))
    behind = rng.integers(1, 7, count)
    if config.oddities.items:
        # Drafts: uploaded hours before they were posted.
        draft = (rng.random(count) < 0.002) & (purpose == 0)
        behind = np.where(draft, rng.integers(3_600, 36_000, count), behind)
    hour = (second + behind - epoch_second(config)) / 3600.0

    day = np.clip(np.floor(hour / 24).astype(int) + config.warmup_days, 0, trends.uses.shape[2] - 1)
    has_trend = trend >= 0
    peak = np.maximum(trends.uses.max(axis=2), 1e-9)
    phase = np.where(has_trend, trends.uses[market, trend, day] / peak[market, trend], 0.0)
    hit_chance = np.select([purpose == RESPONSE, purpose > 0], [0.6, 0.12], 0.08 + 0.19 * phase)
    hit = rng.random(count) < hit_chance
    audience = np.log(creators.followers[creator]) - np.log(6_000)
    spread = rng.normal(size=count)
    ordinary = np.exp(np.log(900.0) + 0.85 * spread + 0.12 * audience + 0.5 * phase)
    hits = np.exp(np.log(14_500.0) + 0.5 * spread + 0.08 * audience)
    tau = np.exp(rng.normal(np.log(13.0), 0.35, count))
    power = rng.uniform(1.5, 2.3, count)

    burst = (rng.random(count) < config.burst_share) & (purpose != PINNED)
    burst_start = hour + rng.uniform(8, 40, count)
    burst_end = burst_start + rng.uniform(5, 14, count)
    low_log, high_log = np.log(config.burst_multiplier)
    multiplier = np.exp(rng.uniform(low_log, high_log, count))
    end = 24.0 * config.days
    burst &= (burst_start > 0) & (burst_end < end)
    # A post on a trend crosses once its trend has begun over there, never before: else it would blur the trend's lag.
    follower_onset = np.argmax(trends.uses[1 - market, trend] > 0, axis=1) - config.warmup_days
    follower_onset = np.where(has_trend, 24.0 * follower_onset, -np.inf)
    arrives = ~has_trend | (trends.lag_days[trend] >= 0) | (trends.pattern[trend] == EVERGREEN)
    crosses = (rng.random(count) < config.crossing_share) & (purpose == 0) & arrives
    crosses_hour = np.maximum(hour + rng.uniform(6, 48, count), follower_onset)
    is_ai = np.where(has_trend, trends.is_ai[trend], (rng.random(count) < 0.22) & (purpose == 0))
    return Posts(
        video_id=(second << 32) | low,
        posted_second=second,
        posted_hour=hour,
        created_second=second + behind,
        market=market,
        creator=creator,
        trend=trend,
        purpose=purpose,
        is_ai=is_ai.astype(bool),
        amplitude=config.level * np.where(hit, hits, ordinary) * np.where(purpose == PINNED, 4.0, 1.0),
        tau=tau,
        power=power,
        like_ratio=rng.beta(9.0, 105.0, count),
        share_ratio=rng.beta(2.2, 640.0, count),
        comment_ratio=rng.beta(1.5, 420.0, count),
        save_ratio=rng.beta(1.6, 190.0, count),
        foreign_share=np.exp(rng.normal(np.log(0.03), 0.8, count)) * np.where(has_trend, 0.2, 1.0),
        crosses_hour=np.where(crosses, crosses_hour, np.inf),
        burst_start=np.where(burst, burst_start, np.inf),
        burst_end=np.where(burst, burst_end, np.inf),
        burst_multiplier=np.where(burst, multiplier, 1.0),
        is_slideshow=rng.random(count) < 0.06,
    )
