"""The classic family of metrics once more, in plain Python over the JSON of an export folder.

Belongs here: a second, independent way from raw items to the numbers of a date. It knows the definitions of the
metrics and nothing of the models, their SQL or their tables, and it is slow and simple on purpose.

Ground rules it follows: counters never fall, so a sighting in a market without a higher count than before is the old
reading, and so is a still one of a fast video; a video has one newest reading over all markets, of several within 45
minutes one with a predecessor, then the one with more plays; what any market knew before is its history; a date sees
what was observed up to its cut-off.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

COUNTS = ("playCount", "diggCount", "shareCount", "commentCount", "collectCount")
LABELS = {"US": "🇺🇸 US ONLY", "UK": "🇬🇧 UK ONLY"}

# The shipped prior of the retention curve: pace falls with age to this power until a curve is learned.
RETENTION_EXPONENT = 0.7


@dataclass(frozen=True)
class Sighting:
    """A video in a feed."""

    market: str
    observed_at: datetime
    video_id: str
    posted_at: datetime
    counts: tuple[int | None, ...]


@dataclass
class Reading:
    """A distinct reading of a video in a market, with counts that never fall."""

    market: str
    observed_at: datetime
    posted_at: datetime
    counts: tuple[int | None, ...]
    earlier: Reading | None = None
    number: int = 1
    regressed: bool = False

    @property
    def day(self) -> date:
        return self.observed_at.date()

    @property
    def age(self) -> float:
        return max(hours(self.posted_at, self.observed_at), 0.1)

    @property
    def gap(self) -> float | None:
        return None if self.earlier is None else hours(self.earlier.observed_at, self.observed_at)

    @property
    def rates(self) -> tuple[float | None, ...]:
        """Views, likes and shares per hour of life."""
        return tuple(None if count is None else count / self.age for count in self.counts[:3])

    @property
    def momentum(self) -> float:
        return weighted(self.rates)

    @property
    def live_rates(self) -> tuple[float | None, ...]:
        """Views, likes and shares gained per hour since the previous reading."""
        if self.earlier is None or self.gap is None or self.gap < 0.75:
            return (None, None, None)
        pairs = zip(self.counts[:3], self.earlier.counts[:3], strict=True)
        return tuple(None if now is None or before is None else (now - before) / self.gap for now, before in pairs)

    @property
    def live_momentum(self) -> float | None:
        return None if self.live_rates == (None, None, None) else weighted(self.live_rates)

    @property
    def expected_live_momentum(self) -> float | None:
        """The pace that the previous reading lets one expect in the middle of the last interval."""
        if self.earlier is None or self.gap is None or self.gap < 0.75:
            return None
        middle = max(self.age - self.gap / 2, 0.1)
        before = self.earlier
        if before.live_momentum is not None and before.gap is not None:
            middle_before = max(before.age - before.gap / 2, 0.1)
            return before.live_momentum * (middle / middle_before) ** -RETENTION_EXPONENT
        return (1 - RETENTION_EXPONENT) * before.momentum * (middle / before.age) ** -RETENTION_EXPONENT


@dataclass
class Day:
    """The last reading of a day that had one, and that of the day before."""

    reading: Reading
    earlier: Day | None = None

    @property
    def velocity(self) -> float | None:
        """Momentum gained per day since the day before."""
        if self.earlier is None:
            return None
        days = (self.reading.day - self.earlier.reading.day).days
        return (self.reading.momentum - self.earlier.reading.momentum) / days

    @property
    def number(self) -> int:
        return 1 if self.earlier is None else self.earlier.number + 1


@dataclass
class History:
    """Everything seen of a video in a market, oldest first."""

    readings: list[Reading] = field(default_factory=list)
    seen_at: list[datetime] = field(default_factory=list)
    # Sightings with a higher count than before, the still ones too, and the highest counts so far.
    told: list[Sighting] = field(default_factory=list)
    highest: tuple[int | None, ...] = ()

    def add(self, sighting: Sighting) -> None:
        self.seen_at.append(sighting.observed_at)
        before = self.readings[-1] if self.readings else None
        counts, regressed = sighting.counts, False
        if before is not None:
            pairs = list(zip(counts, self.highest, strict=True))
            regressed = any(new < old for new, old in pairs if new is not None and old is not None)
            lifted = tuple(max((count for count in pair if count is not None), default=None) for pair in pairs)
            is_repeat, self.highest = lifted == self.highest, lifted
            if is_repeat:
                before.regressed = before.regressed or regressed
                return
            is_still = self._is_still(sighting)
            self.told.append(sighting)
            if is_still:
                before.regressed = before.regressed or regressed
                return
            pairs = list(zip(counts, before.counts, strict=True))
            counts = tuple(max((count for count in pair if count is not None), default=None) for pair in pairs)
        else:
            self.told.append(sighting)
            self.highest = counts
        number = 1 if before is None else before.number + 1
        self.readings.append(
            Reading(sighting.market, sighting.observed_at, sighting.posted_at, counts, before, number, regressed)
        )

    def _is_still(self, now: Sighting) -> bool:
        """Whether a fast video stood still for hours, for once: an old count."""
        before = self.told[-1]
        if now.counts[0] is None or before.counts[0] is None:
            return False
        gap, step = hours(before.observed_at, now.observed_at), now.counts[0] - before.counts[0]
        pace = before.counts[0] / max(hours(before.posted_at, before.observed_at), 0.1)
        earlier = self.told[-2] if len(self.told) > 1 else None
        if earlier is not None and earlier.counts[0] is not None:
            pace = (before.counts[0] - earlier.counts[0]) / hours(earlier.observed_at, before.observed_at)
        tiny = step < resolution(now.counts[0]) or (step < 0.005 * now.counts[0] and step < 0.1 * pace * gap)
        return gap > 3 and pace > 1000 and tiny

    def days(self) -> list[Day]:
        closing = {reading.day: reading for reading in self.readings}
        days: list[Day] = []
        for reading in closing.values():
            days.append(Day(reading, days[-1] if days else None))
        return days


def resolution(count: int) -> int:
    """The step of a count that looks rounded, as web pages round them."""
    if count >= 1_000_000 and count % 100_000 == 0:
        return 100_000
    return 100 if 10_000 <= count < 1_000_000 and count % 100 == 0 else 1


def hours(start: datetime, end: datetime) -> float:
    return (end - start).total_seconds() / 3600


def weighted(rates: Sequence[float | None]) -> float:
    views, likes, shares = (rate or 0.0 for rate in rates)
    return 10 * shares + 3 * likes + 0.01 * views


def post_time(item: Mapping[str, Any]) -> datetime:
    """Stated as ISO text, else in seconds, else the upload second that a TikTok id carries."""
    if item.get("createTimeISO"):
        return datetime.fromisoformat(item["createTimeISO"])
    seconds = item.get("createTime") or int(item["id"]) >> 32
    return datetime.fromtimestamp(int(seconds), UTC)


def sightings(folder: Path) -> Iterator[Sighting]:
    """All video sightings of an export folder of plain JSON arrays, by time."""
    files = []
    for path in folder.glob("*/videos/*.json"):
        observed_at = datetime.strptime(path.stem, "%Y-%m-%dT%H-%M-%SZ").replace(tzinfo=UTC)
        files.append((observed_at, path.parts[-3].upper(), path))
    for observed_at, market, path in sorted(files):
        first_of_id: dict[str, dict[str, Any]] = {}
        for item in json.loads(path.read_text(encoding="utf-8")):
            first_of_id.setdefault(item["id"], item)
        for video_id, item in first_of_id.items():
            yield Sighting(market, observed_at, video_id, post_time(item), tuple(item.get(name) for name in COUNTS))


def videos_daily(
    folder: Path, as_of_date: date, cutoff_at: datetime | None = None
) -> dict[tuple[str, str], dict[str, Any]]:
    """The metrics of every video in a date's feeds, by market and video id.

    Args:
        folder: An export folder of plain JSON arrays.
        as_of_date: The date.
        cutoff_at: What was observed later is not known; default: the day's end.
    """
    end = cutoff_at or datetime.combine(as_of_date, datetime.min.time(), UTC) + timedelta(days=1, microseconds=-1)
    histories: dict[tuple[str, str], History] = {}
    for sighting in sightings(folder):
        if sighting.observed_at <= end:
            histories.setdefault((sighting.market, sighting.video_id), History()).add(sighting)
    present = {key: history for key, history in histories.items() if history.seen_at[-1].date() == as_of_date}
    known = {
        key: history
        for key, history in histories.items()
        if key in present or history.readings[-1].day > as_of_date - timedelta(days=28)
    }
    result = {}
    for market, video_id in present:
        markets = sorted(other for other, other_id in present if other_id == video_id)
        feeds = {other: history for (other, other_id), history in known.items() if other_id == video_id}
        result[market, video_id] = describe(present[market, video_id], feeds, markets, as_of_date)
    return result


def newest_of(feeds: Mapping[str, History]) -> Reading:
    """The newest reading over all feeds: one not above another feed's earlier count is that one, seen later."""
    offered = [history.readings[-1] for history in feeds.values()]
    newer = [
        one
        for one in offered
        if all(
            (one.counts[0] or 0) > (other.counts[0] or 0)
            for other in offered
            if hours(other.observed_at, one.observed_at) > 0.75
        )
    ]
    newest = max(one.observed_at for one in newer)
    near = [one for one in newer if hours(one.observed_at, newest) <= 0.75 and one.earlier is not None]
    return sorted(near or newer, key=lambda one: (-one.observed_at.timestamp(), -(one.counts[0] or 0), one.market))[0]


def describe(own: History, feeds: Mapping[str, History], markets: Sequence[str], as_of_date: date) -> dict[str, Any]:
    """One row: the metrics of the newest reading, compared with what any feed knew before."""
    now = newest_of(feeds)
    day = feeds[now.market].days()[-1]
    elsewhere = [
        (reading, other_day)
        for name, history in feeds.items()
        if name != now.market
        for other_day in history.days()
        for reading in history.readings
        if reading.day == other_day.reading.day and hours(reading.observed_at, now.observed_at) >= 0.75
    ]
    elsewhere.sort(key=lambda pair: pair[0].observed_at)
    if elsewhere:
        last = elsewhere[-1][0]
        is_higher = (last.counts[0] or 0) <= (now.counts[0] or 0)
        number = max(now.number, last.number + 1)
        if is_higher and (now.earlier is None or last.observed_at > now.earlier.observed_at):
            now = replace(now, earlier=last)
        now = replace(now, number=number)
    days_before = [other_day for reading, other_day in elsewhere if reading.day < now.day]
    days_known = max(day.number, days_before[-1].number + 1 if days_before else 1)
    if days_before and (day.earlier is None or days_before[-1].reading.day > day.earlier.reading.day):
        day = Day(day.reading, days_before[-1])
    before = day.earlier
    momentum, age, velocity = now.momentum, now.age, None
    if before is not None:
        velocity = (momentum - before.reading.momentum) / (now.day - before.reading.day).days
    acceleration = None if velocity is None or before is None or before.velocity is None else velocity - before.velocity
    is_new = now.number == 1
    delta = velocity
    if delta is None and now.earlier is not None:
        delta = momentum - now.earlier.momentum
    views, likes, shares = now.rates
    live_views, live_likes, live_shares = now.live_rates
    predicted = {name: predict(momentum, velocity, acceleration, days) for name, days in HORIZONS.items()}
    status_classic = "🆕 NEW" if is_new else classic_status(delta)
    status = "🆕 NEW" if is_new else measured_status(now, delta)
    build_now = "BUILD NOW" if age <= 72 and (shares or 0) >= 5 and (views or 0) >= 1000 else "NO"
    trigger, urgency, rule = triggered(momentum, shares or 0, status, build_now)
    trajectory = trajectory_of(velocity)
    window = action_window(momentum, age, velocity, predicted["predicted_momentum_24h"])
    reason = stop_reason(trajectory, window, age, velocity, None if before is None else before.velocity)
    return {
        "observed_at": now.observed_at.replace(tzinfo=None),
        "posted_at": now.posted_at.replace(tzinfo=None),
        "last_seen_at": own.seen_at[-1].replace(tzinfo=None),
        "is_stale": now.day < as_of_date,
        "age_hours": age,
        **dict(zip(("plays", "likes", "shares", "comments", "saves"), now.counts, strict=True)),
        "counter_regressed": now.regressed,
        "views_per_hour": views,
        "likes_per_hour": likes,
        "shares_per_hour": shares,
        "momentum_score": momentum,
        "live_views_per_hour": live_views,
        "live_likes_per_hour": live_likes,
        "live_shares_per_hour": live_shares,
        "live_momentum": now.live_momentum,
        "expected_live_momentum": now.expected_live_momentum,
        "status": status,
        "status_classic": status_classic,
        "status_measured": status,
        "build_now": build_now,
        "tutorial_trigger": trigger,
        "urgency": urgency,
        "trigger_rule": rule,
        "market_label": "🌐 BOTH" if len(markets) > 1 else LABELS[markets[0]],
        "is_cross_market": len(markets) > 1,
        "is_fresh": age <= 72,
        "velocity": velocity,
        "acceleration": acceleration,
        **predicted,
        "trajectory": trajectory,
        "action_window": window,
        "recommended_variants": variants(window, trajectory, age, momentum),
        "stop_reason": reason,
        "opportunity_score": (
            0.4 * momentum
            + 2 * max(velocity or 0, 0)
            + 0.3 * (momentum if velocity is None else predicted["predicted_momentum_24h"] or 0)
            + 1000 * min(max(72 - age, 0), 72) / 72
        ),
        "confidence": {1: "LOW", 2: "MEDIUM"}.get(days_known, "HIGH"),
        "reading_count": now.number,
    }


HORIZONS = {"predicted_momentum_6h": 0.25, "predicted_momentum_12h": 0.5, "predicted_momentum_24h": 1.0}


def predict(momentum: float, velocity: float | None, acceleration: float | None, days: float) -> float | None:
    if velocity is None:
        return None
    clipped = min(max(acceleration or 0, -50), 50)
    return max(momentum + velocity * days + 0.5 * clipped * days**2, 0)


def classic_status(delta: float | None) -> str:
    if delta is None or delta <= -100:
        return "❄️ DYING"
    if delta > 100:
        return "🚀 SPIKING"
    return "📈 RISING" if delta > 0 else "📉 COOLING"


def measured_status(now: Reading, delta: float | None) -> str:
    live, expected = now.live_momentum, now.expected_live_momentum
    if live is None or expected is None:  # the gap is too short for a pace
        return classic_status(delta)
    if live >= 1.5 * expected and live >= expected + 100:
        return "🚀 SPIKING"
    if live > 0 and live >= expected:
        return "📈 RISING"
    return "📉 COOLING" if live > 0 and live >= 0.5 * expected else "❄️ DYING"


def triggered(momentum: float, shares: float, status: str, build_now: str) -> tuple[str, str, str]:
    """Action, urgency, and how the reason begins."""
    urgent, high, watch = ("🔴 MAKE_NOW", "🔥 URGENT"), ("🔴 MAKE_NOW", "⚡ HIGH"), ("🟡 WATCH", "🟡 WATCH")
    spiking, rising = status == "🚀 SPIKING", status == "📈 RISING"
    ladder = [
        (momentum >= 3000, urgent, "momentum", 3000),
        (shares >= 100, urgent, "shares/h", 100),
        (spiking and momentum >= 2000, urgent, "spiking, momentum", 2000),
        (momentum >= 2000, high, "momentum", 2000),
        (shares >= 60, high, "shares/h", 60),
        (spiking and momentum >= 1500, high, "spiking, momentum", 1500),
        (momentum >= 1000, watch, "momentum", 1000),
        (shares >= 25, watch, "shares/h", 25),
        (rising and momentum >= 800, watch, "rising, momentum", 800),
    ]
    for holds, (action, urgency), measure, limit in ladder:
        if holds:
            value = shares if measure == "shares/h" else momentum
            return action, urgency, f"{measure} {value:.1f} >= {limit}"
    return (*watch, "BUILD NOW") if build_now == "BUILD NOW" else ("NONE", "NONE", "no rule matched")


def trajectory_of(velocity: float | None) -> str | None:
    if velocity is None:
        return None
    steps = ((200, "🚀 EXPLOSIVE"), (100, "📈 STRONG"), (50, "↗️ MODERATE"), (0, "➡️ FLAT"), (-50, "↘️ DECLINING"))
    return next((label for least, label in steps if velocity >= least), "📉 CRASHING")


def action_window(momentum: float, age: float, velocity: float | None, predicted_24h: float | None) -> str:
    if age > 60:
        return "⚠️ WINDOW CLOSING"
    if velocity is None:
        steps = ((3000, 24, "🔴 ACT NOW"), (2000, 36, "🟠 6-12H"), (1000, 48, "🟡 12-24H"), (500, 60, "🟢 MONITOR"))
        return next((label for least, oldest, label in steps if momentum >= least and age <= oldest), "❌ TOO LATE")
    if velocity >= 200 and momentum >= 1000:
        return "🔴 ACT NOW"
    if velocity >= 100 and momentum >= 500:
        return "🟠 6-12H"
    if velocity >= 50 and (predicted_24h or 0) >= 2000:
        return "🟡 12-24H"
    if velocity <= 0:
        return "⚠️ PEAKED" if momentum >= 2000 else "❌ TOO LATE"
    return "🟢 MONITOR"


def variants(window: str, trajectory: str | None, age: float, momentum: float) -> int:
    over = window in ("⚠️ PEAKED", "❌ TOO LATE", "⚠️ WINDOW CLOSING")
    if over or trajectory in ("↘️ DECLINING", "📉 CRASHING") or age >= 72:
        return 0
    if age >= 60:
        strong = window in ("🔴 ACT NOW", "🟠 6-12H") and trajectory in ("🚀 EXPLOSIVE", "📈 STRONG")
        return 1 if strong and momentum >= 5000 else 0
    if window == "🔴 ACT NOW":
        young = 7 if age <= 24 else 5
        return {"🚀 EXPLOSIVE": young, "📈 STRONG": 5, "↗️ MODERATE": 3}.get(trajectory or "", 0)
    if window == "🟠 6-12H":
        return {"🚀 EXPLOSIVE": 5, "📈 STRONG": 3, "↗️ MODERATE": 3}.get(trajectory or "", 0)
    if window == "🟡 12-24H":
        return {"📈 STRONG": 3, "↗️ MODERATE": 2, "➡️ FLAT": 1}.get(trajectory or "", 0)
    return 0


def stop_reason(
    trajectory: str | None, window: str, age: float, velocity: float | None, velocity_before: float | None
) -> str | None:
    if trajectory in ("↘️ DECLINING", "📉 CRASHING"):
        return "DECLINING_TRAJECTORY"
    if window in ("⚠️ PEAKED", "❌ TOO LATE"):
        return "WINDOW_OVER"
    if age >= 72:
        return "AGE_OVER_72H"
    if velocity is not None and velocity_before is not None and velocity <= 0 and velocity_before <= 0:
        return "VELOCITY_NONPOS_2_RUNS"
    return None
