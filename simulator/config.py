"""What can be set on the market simulator, and the two configurations the project itself uses.

Belongs here: the frozen settings, the markets, the simulated accounts. Does not belong here: any drawing of
random numbers (see ``population`` and ``feeds``) and any file format (see ``export``).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date

KIND_TEMPLATE, KIND_SOUND, KIND_HASHTAG = 0, 1, 2
KIND_NAMES = ("template", "sound", "hashtag")


@dataclass(frozen=True, slots=True)
class SimulatedMarket:
    """One market: its code, folder and country, its UTC offset in hours, its caption languages with weights."""

    code: str
    folder: str
    country: str
    utc_offset: float
    languages: dict[str, float]


MARKETS = (
    SimulatedMarket(
        "US",
        "us",
        "US",
        -5.0,
        {"en": 0.76, "es": 0.12, "pt": 0.03, "id": 0.03, "fr": 0.02, "ja": 0.02, "ar": 0.01, "tr": 0.01},
    ),
    SimulatedMarket(
        "UK",
        "uk",
        "GB",
        0.0,
        {"en": 0.80, "es": 0.03, "pt": 0.02, "fr": 0.03, "de": 0.03, "ar": 0.04, "hi": 0.03, "tr": 0.02},
    ),
)


@dataclass(frozen=True, slots=True)
class SimulatedAccount:
    """An account the product tracks: handle, role (``own`` or ``competitor``) and index of its home market."""

    handle: str
    nickname: str
    role: str
    market: int


ACCOUNTS = (
    SimulatedAccount("sim.own.editor", "Sim Own Editor", "own", 0),
    SimulatedAccount("sim.own.templates", "Sim Own Templates ✨", "own", 0),
    SimulatedAccount("sim.own.studio", "Sim Own Studio", "own", 1),
    SimulatedAccount("sim.rival.alpha", "Sim Rival Alpha", "competitor", 0),
    SimulatedAccount("sim.rival.bravo", "Sim Rival Bravo 🎬", "competitor", 0),
    SimulatedAccount("sim.rival.charlie", "Sim Rival Charlie", "competitor", 0),
    SimulatedAccount("sim.rival.delta", "Sim Rival Delta", "competitor", 1),
    SimulatedAccount("sim.rival.echo", "Sim Rival Echo", "competitor", 1),
    SimulatedAccount("sim.rival.foxtrot", "Sim Rival Foxtrot ⚡", "competitor", 1),
)


@dataclass(frozen=True, slots=True)
class Oddities:
    """Which of the known oddities of real exports the simulated feeds carry.

    Attributes:
        items: error rows, ``{}``, duplicates under several hashtags, counts as strings, missing fields, falling
            counters, empty hashtag names, post times in the future, handles in other case, urls with a query.
        captions: captions that hot videos of each market's last feed get instead of their own: tests give those that
            break programs, no market has them by itself.
        repeats: files that hold an earlier dataset again, and one day whose feed is yesterday's.
        gaps: one music feed that never came.
        formats: single files as ``.json``, ``.json.gz`` and the console's ``.csv``.
        broken_files: a truncated file, a non-list, an empty list and an unknown market folder.
    """

    items: bool = True
    captions: tuple[str, ...] = ()
    repeats: bool = True
    gaps: bool = True
    formats: bool = True
    broken_files: bool = False


NO_ODDITIES = Oddities(items=False, repeats=False, gaps=False, formats=False)


@dataclass(frozen=True, slots=True)
class SimulatorConfig:
    """Everything the simulation depends on: equal configurations give equal bytes.

    Attributes:
        seed: seed of every random stream.
        start: first day with a feed (UTC).
        days: days with feeds; 10 or more show whole trend lifecycles.
        videos_per_day: videos in each market's daily feed (08:00 UTC), the hottest ones of that moment.
        polls: feeds per day: 1 is the daily feed alone, ``n`` adds ``n - 1`` more every 2 hours (12 at most).
        poll_feed_size: most videos in a feed that isn't the daily one; ``None`` for as many as the daily one.
        poll_days: day numbers (0 = start) that have the additional polls; ``None`` for all.
        music: whether daily music feeds are made.
        music_sounds: chart rows in a music feed.
        music_videos: video objects in a music feed.
        posts_per_slot: new posts per day and market, per place in the daily feed.
        warmup_days: days of posts before the first feed, so that it holds videos of every age.
        max_age_days: age at which a video leaves the feeds.
        trend_share: share of ordinary posts that follow a trend.
        uses_per_trend: mean posts per day on a living trend; sets how many trends there are.
        burst_share: share of posts with a planted burst of views.
        burst_multiplier: least and largest factor of a burst on the view intensity (log-uniform between them).
        crossing_share: share of posts that reach the other market after a planted lag.
        noise: standard deviation of the log noise on the view intensity (half-life about 8 hours).
        level: factor on all views.
        exact_feed_every: every n-th feed gives exact counts instead of rounded ones; 0 for never, 1 for all.
        contested_trends: trends per market on which own accounts and competitors meet.
        oddities: which oddities of real exports are present.
    """

    seed: int = 20260315
    start: date = date(2026, 3, 4)
    days: int = 12
    videos_per_day: int = 250
    polls: int = 1
    poll_feed_size: int | None = None
    poll_days: tuple[int, ...] | None = None
    music: bool = True
    music_sounds: int = 30
    music_videos: int = 90
    posts_per_slot: float = 0.45
    warmup_days: int = 4
    max_age_days: int = 7
    trend_share: float = 0.55
    uses_per_trend: float = 5.0
    burst_share: float = 0.1
    burst_multiplier: tuple[float, float] = (8.0, 40.0)
    crossing_share: float = 0.2
    noise: float = 0.2
    level: float = 1.0
    exact_feed_every: int = 5
    contested_trends: int = 8
    oddities: Oddities = field(default_factory=Oddities)

    def __post_init__(self) -> None:
        """Refuse settings that can't make a market.

        Raises:
            ValueError: naming the setting and its bounds.
        """
        bounds = (
            ("days", self.days, 1, 1_100),
            ("videos_per_day", self.videos_per_day, 20, 1_000_000),
            ("polls", self.polls, 1, 12),
            ("warmup_days", self.warmup_days, 1, 30),
            ("trend_share", self.trend_share, 0, 1),
            ("burst_share", self.burst_share, 0, 1),
            ("crossing_share", self.crossing_share, 0, 1),
        )
        for name, value, low, high in bounds:
            if not low <= value <= high:
                raise ValueError(f"SimulatorConfig.{name} is {value}: give a value from {low} to {high}")


def sample_config() -> SimulatorConfig:
    """The bundled sample: 12 days ending 2026-03-15, both markets, videos and music, every oddity of real exports.

    Two days before the last one are polled every two hours; the last day ends with its morning feeds, as it does
    for a user who starts the daily run at 09:00 UTC.
    """
    return SimulatorConfig(seed=9, polls=8, poll_feed_size=40, poll_days=(9, 10))


def bench_config(videos_per_market: int, days: int, start: date = date(2026, 3, 1)) -> SimulatorConfig:
    """Large plain feeds for benchmarks: one feed a day and market, no oddity that slows the writing.

    Args:
        videos_per_market: items in each market's daily feed.
        days: number of daily feeds.
        start: first day.
    """
    return SimulatorConfig(
        start=start,
        days=days,
        videos_per_day=videos_per_market,
        posts_per_slot=0.4,
        warmup_days=3,
        uses_per_trend=25.0,
        exact_feed_every=0,
        oddities=NO_ODDITIES,
    )
