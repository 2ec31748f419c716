"""The sample's competitor sections and enhanced workbooks, against the simulator's truth and the raw files.

The nine sections are rebuilt from the raw JSON in plain Python: posts, times, counts and momentum come from the files,
the trend of a post from the simulator, which planted it. The workbooks are recalculated by LibreOffice.
"""

from __future__ import annotations

import csv
import gzip
import io
import itertools
import json
import math
import re
import shutil
import statistics
import subprocess
import zipfile
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from openpyxl import load_workbook

from exports.published import open_day
from exports.workbooks.enhanced import enhanced
from exports.workbooks.workbook import FIRST_ROW, HEADER_ROW
from ingest.revenue import COLUMNS, read_seed, write_cache
from simulator import Simulation, counts_at, sample_config, simulate
from simulator.feeds import rounded
from tests import reference
from tests.support import MARKETS, PROJECT, build, build_models, mart_checksums, published, records, trends
from warehouse.store import Store

DAY = date(2026, 3, 15)
FIRST = DAY - timedelta(days=6)
MINIMUM = 3
ZONES = {"US": ZoneInfo("America/New_York"), "UK": ZoneInfo("Europe/London")}
TOTALS = {"own": "YOU", "competitor": "ALL COMPETITORS"}
# Rows that a user might have entered below the shipped ones, as an American sheet.
ENTERED = (
    ("https://www.tiktok.com/@sim.own.editor/video/7600000000000000001", "n/a", "URGENT", "2026-03-01"),
    ("https://www.tiktok.com/@sim.own.editor/video/7600000000000000002", "1,234.50", "🔥 urgent", "2026-03-01"),
    ("https://www.tiktok.com/@sim.own.editor/video/7600000000000000002?lang=en", "($5)", "", "2026-02-01"),
    ("https://www.tiktok.com/@sim.own.editor/video/7600000000000000003", " 2500 ", "MEDIUM", ""),
    ("https://www.tiktok.com/@sim.own.editor/video/7600000000000000004", "12", "watch", "some day"),
    ("", "", "", ""),
    ("https://evil.example/x", "", "=1+1", "2026-03-02"),
)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """The sample run in a home that has read a sheet before: the shipped entries and some odd ones."""
    root = tmp_path_factory.mktemp("insights")
    store = Store(root / "home")
    with (PROJECT / "seeds" / "revenue_seed.csv").open(encoding="utf-8", newline="") as stream:
        lines = list(csv.reader(stream))
    names = list(COLUMNS)
    for url, received, level, first_seen in ENTERED:
        values = {"TikTok URL": url, "Received ($)": received, "Trigger Level": level, "Date First Seen": first_seen}
        lines.append([values.get(name, "") for name in names])
    with (root / "entered.csv").open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows(lines)
    reading = replace(read_seed(root / "entered.csv"), observed_at=datetime(2026, 3, 15, 7, tzinfo=UTC))
    write_cache(store.data / "revenue_cache.json", reading)
    outcome = trends("run", "--source", "sample", "--home", store.home)
    assert outcome.code == 0, outcome.err
    assert "revenue: cache of the sheet" in outcome.out
    return store


@pytest.fixture(scope="module")
def simulation() -> Simulation:
    return simulate(sample_config())


# ---------- the independent path


@dataclass
class Post:
    """A video as the raw files show it."""

    video_id: str
    account: str
    posted_at: datetime
    histories: dict[str, reference.History] = field(default_factory=dict)

    def days(self) -> list[date]:
        return sorted({moment.date() for history in self.histories.values() for moment in history.seen_at})

    def holders(self, day: date) -> list[str]:
        """Markets whose feeds of the day hold it."""
        return [
            market
            for market in MARKETS
            if market in self.histories and any(moment.date() == day for moment in self.histories[market].seen_at)
        ]

    def reading(self, day: date) -> reference.Reading:
        """What is known of it on a day: the newest reading over all markets."""
        known = {
            market: reference.History([reading for reading in history.readings if reading.day <= day])
            for market, history in self.histories.items()
        }
        return reference.newest_of({market: history for market, history in known.items() if history.readings})

    @property
    def now(self) -> reference.Reading:
        return self.reading(self.days()[-1])

    @property
    def peak(self) -> float:
        return max(self.reading(day).momentum for day in self.days())

    @property
    def is_in_week(self) -> bool:
        return FIRST <= self.posted_at.date() <= DAY

    def views_48h(self) -> float | None:
        """Views at 48 hours: interpolated between the readings around it, else one within 6 hours."""
        readings = [reading for history in self.histories.values() for reading in history.readings]
        before = [reading for reading in readings if reading.age <= 48]
        after = [reading for reading in readings if reading.age > 48]
        first = max(before, key=lambda reading: (reading.age, reading.counts[0] or 0), default=None)
        second = min(after, key=lambda reading: (reading.age, -(reading.counts[0] or 0)), default=None)
        if first and second and second.age - first.age <= 36:
            logs = [math.log(max(reading.counts[0] or 0, 1)) for reading in (first, second)]
            share = math.log(48 / first.age) / math.log(second.age / first.age)
            return math.exp(logs[0] + (logs[1] - logs[0]) * share)
        near = [reading for reading in (first, second) if reading and abs(reading.age - 48) <= 6]
        if not near:
            return None
        nearest = min(near, key=lambda reading: abs(reading.age - 48))
        return float(max(nearest.counts[0] or 0, 1))


def nested(row: dict[str, str]) -> dict[str, Any]:
    """A row of the console's CSV export with its slashes undone, lists left out."""
    result: dict[str, Any] = {}
    for name, value in row.items():
        if value == "":
            continue
        *path, last = name.split("/")
        place = result
        for part in path:
            place = place.setdefault(part, {})
        place[last] = value
    return result


def items(path: Path) -> Iterator[Any]:
    content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    name = path.name.removesuffix(".gz")
    text = content.decode("utf-8")
    if name.endswith(".csv"):
        yield from map(nested, csv.DictReader(io.StringIO(text, newline="")))
    elif name.endswith(".jsonl"):
        yield from map(json.loads, filter(str.strip, text.split("\n")))
    else:
        yield from json.loads(text)


def count(value: object) -> int | None:
    """A count as feeds write it: a number, digits, or 12.3K; a negative one is not given."""
    if value is None or value == "":
        return None
    match = re.fullmatch(r"(-?[0-9.]+) *([kmb]?)", str(value).lower())
    if match is None:
        return None
    number = round(float(match[1]) * {"": 1, "k": 1e3, "m": 1e6, "b": 1e9}[match[2]])
    return number if number >= 0 else None


@pytest.fixture(scope="module")
def posts(home: Store) -> dict[str, Post]:
    """Every video of the sample's feeds, from its files."""
    found: dict[str, Post] = {}
    seen: set[tuple[str, datetime, str]] = set()
    folder = home.data / "sample"
    for path in sorted(folder.glob("*/videos/*"), key=lambda path: (path.name[:20], path.parts[-3])):
        market = path.parts[-3].upper()
        observed_at = datetime.strptime(path.name[:20], "%Y-%m-%dT%H-%M-%SZ").replace(tzinfo=UTC)
        best: dict[str, tuple[int | None, ...]] = {}
        for item in items(path):
            if not isinstance(item, dict) or not item.get("id") or not item.get("authorMeta"):
                continue
            video_id = str(item["id"])
            counts = tuple(count(item.get(name)) for name in reference.COUNTS)
            # One video may stand in a feed under several hashtags.
            if video_id in best and (best[video_id][0] or 0) >= (counts[0] or 0):
                continue
            best[video_id] = counts
            if video_id not in found:
                handle = str(item["authorMeta"].get("name") or "").lower()
                found[video_id] = Post(video_id, handle, reference.post_time(item))
        for video_id, counts in best.items():
            post = found[video_id]
            history = post.histories.setdefault(market, reference.History())
            key = (market, observed_at, video_id)
            if key not in seen:
                seen.add(key)
                history.add(reference.Sighting(market, observed_at, video_id, post.posted_at, counts))
    return found


@pytest.fixture(scope="module")
def roles() -> dict[str, tuple[str, str]]:
    """Role and home market by handle."""
    with (PROJECT / "seeds" / "accounts.csv").open(encoding="utf-8", newline="") as stream:
        return {row["handle"]: (row["role"], row["market"]) for row in csv.DictReader(stream)}


@dataclass
class Tracked:
    """A tracked account's post with the trend it was planted on."""

    post: Post
    role: str
    market: str
    label: str
    trend_key: str | None
    is_ai: bool

    @property
    def parties(self) -> tuple[str, str]:
        return self.post.account, TOTALS[self.role]

    @property
    def local(self) -> datetime:
        return self.post.posted_at.astimezone(ZONES[self.market])


LABELS = {("US",): "🇺🇸 US ONLY", ("UK",): "🇬🇧 UK ONLY", ("US", "UK"): "🌐 BOTH"}


@pytest.fixture(scope="module")
def tracked(posts: dict[str, Post], roles: dict[str, tuple[str, str]], simulation: Simulation) -> list[Tracked]:
    truth = {row["video_id"]: row for row in simulation.truth.videos.to_pylist()}
    result = []
    for post in posts.values():
        if post.account not in roles:
            continue
        role, home_market = roles[post.account]
        holders = post.holders(post.days()[-1])
        market = home_market if home_market in holders else holders[0]
        planted = truth[post.video_id]
        result.append(Tracked(post, role, market, LABELS[tuple(holders)], planted["trend_key"], planted["is_ai"]))
    return result


@pytest.fixture(scope="module")
def week(tracked: list[Tracked]) -> list[Tracked]:
    return [entry for entry in tracked if entry.post.is_in_week]


def by_party(entries: list[Tracked]) -> dict[str, list[Tracked]]:
    groups: dict[str, list[Tracked]] = defaultdict(list)
    for entry in entries:
        for party in entry.parties:
            groups[party].append(entry)
    return groups


def mart(home: Store, name: str) -> list[dict[str, Any]]:
    with home.published_reader() as connection:
        return records(connection, f"select * from marts.{name} where as_of_date = date '{DAY}'")


def enough(value: float, n: int) -> float | None:
    return value if n >= MINIMUM else None


def naive(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(tzinfo=None)


# ---------- the nine sections


def test_1_posting_log(home: Store, week: list[Tracked]) -> None:
    rows = {row["video_id"]: row for row in mart(home, "competitor_posts")}
    assert set(rows) == {entry.post.video_id for entry in week}
    assert len(rows) > 40
    for entry in week:
        row, now = rows[entry.post.video_id], entry.post.now
        assert (row["account"], row["role"], row["market"], row["market_label"]) == (
            entry.post.account, entry.role, entry.market, entry.label,
        )  # fmt: skip
        assert (row["first_seen_on"], row["last_seen_on"]) == (entry.post.days()[0], entry.post.days()[-1])
        assert row["posted_at"] == naive(entry.post.posted_at)
        assert row["local_posted_at"] == entry.local.replace(tzinfo=None)
        assert row["trend_key"] == (entry.trend_key or f"video:{entry.post.video_id}")
        assert row["plays"] == now.counts[0]
        assert row["momentum_score"] == pytest.approx(now.momentum)
        assert row["peak_momentum"] == pytest.approx(entry.post.peak)
        assert row["views_48h"] == pytest.approx(entry.post.views_48h())
        assert row["ai_category"] == ("AI" if entry.is_ai else "NON-AI")


def test_2_posting_patterns_on_the_markets_clock(home: Store, week: list[Tracked], roles: dict[str, Any]) -> None:
    expected: Counter[tuple[str, str, int]] = Counter()
    sizes: Counter[str] = Counter(dict.fromkeys((*roles, *TOTALS.values()), 0))
    for entry in week:
        for party in entry.parties:
            sizes[party] += 1
            expected[party, "weekday", entry.local.isoweekday()] += 1
            expected[party, "hour", entry.local.hour] += 1
    for party, posts in sizes.items():
        expected[party, "all", 0] = posts
    rows = mart(home, "competitor_patterns")
    assert {(row["account"], row["pattern"], row["bucket"]): row["posts"] for row in rows} == dict(expected)
    for row in rows:
        assert row["n"] == sizes[row["account"]]
        assert row["share"] == (pytest.approx(row["posts"] / row["n"]) if row["n"] >= MINIMUM else None)
        assert row["posts_per_day"] == pytest.approx(row["posts"] / 7)


def test_3_response_time_from_the_planted_onset(
    home: Store, tracked: list[Tracked], week: list[Tracked], simulation: Simulation
) -> None:
    onsets = {
        (row["trend_key"], row["market"]): row["visible_onset_day"] for row in simulation.truth.trends.to_pylist()
    }
    first: dict[tuple[str, str], Tracked] = {}
    for entry in sorted(tracked, key=lambda entry: (entry.post.posted_at, entry.post.video_id)):
        if entry.trend_key:
            for party in entry.parties:
                first.setdefault((party, entry.trend_key), entry)
    expected: dict[tuple[str, str], float | None] = {}
    for party, key in {(party, entry.trend_key) for entry in week if entry.trend_key for party in entry.parties}:
        entry = first[party, key]
        onset = onsets[key, entry.market]
        start = datetime.combine(onset, datetime.min.time(), tzinfo=UTC) if onset else None
        expected[party, key] = reference.hours(start, entry.post.posted_at) if start else None
    rows = {(row["account"], row["trend_key"]): row["response_hours"] for row in mart(home, "competitor_responses")}
    assert set(rows) == set(expected)
    for place, value in expected.items():
        assert rows[place] == (None if value is None else pytest.approx(value, abs=1e-6)), place
    assert any(value is not None and value < 0 for value in expected.values()), "somebody led"
    for row in mart(home, "competitor_summary"):
        known = [value for (party, _), value in expected.items() if party == row["account"] and value is not None]
        assert (row["responses"], row["led"]) == (len(known), sum(value < 0 for value in known))
        median = enough(statistics.median(known), len(known)) if known else None
        assert row["response_p50_hours"] == (None if median is None else pytest.approx(median, abs=1e-6))


def test_4_selection_against_the_base_rate(
    home: Store, posts: dict[str, Post], week: list[Tracked], roles: dict[str, tuple[str, str]]
) -> None:
    base: dict[str, dict[str, float]] = {"US": {}, "UK": {}, "ALL": {}}
    for post in posts.values():
        days = [day for day in post.days() if day >= FIRST]
        if post.account in roles or not post.is_in_week or not days:
            continue
        for market in MARKETS:
            held = [day for day in days if market in post.holders(day)]
            if held:
                base[market][post.video_id] = max(post.reading(day).momentum for day in held)
        base["ALL"][post.video_id] = max(post.reading(day).momentum for day in days)
    groups = by_party(week)
    rows = mart(home, "competitor_selection")
    assert len(rows) == (len(roles) + 2) * 3
    for row in rows:
        picks = [entry.post.peak for entry in groups[row["account"]]]
        others = base[roles[row["account"]][1] if row["account"] in roles else "ALL"]
        reached = sum(peak >= row["threshold"] for peak in picks)
        base_share = sum(peak >= row["threshold"] for peak in others.values()) / len(others)
        assert (row["n"], row["reached"], row["base_n"]) == (len(picks), reached, len(others))
        assert row["base_share"] == pytest.approx(base_share)
        if len(picks) < MINIMUM:
            assert (row["share"], row["lift"]) == (None, None)
        else:
            assert row["share"] == pytest.approx(reached / len(picks))
            assert row["lift"] == pytest.approx(reached / len(picks) / base_share)


def test_5_niches(home: Store, week: list[Tracked]) -> None:
    groups = by_party(week)

    def share(party: str, dimension: str, value: str) -> float | None:
        entries = groups[party]
        values = [
            ("AI" if entry.is_ai else "NON-AI") if dimension == "ai_category" else entry.label for entry in entries
        ]
        return enough(values.count(value) / len(values), len(values)) if values else None

    rows = mart(home, "competitor_niches")
    assert {row["dimension"] for row in rows} == {"ai_category", "market"}
    for row in rows:
        theirs = share(row["account"], row["dimension"], row["value"])
        yours = share("YOU", row["dimension"], row["value"])
        assert row["share"] == (None if theirs is None else pytest.approx(theirs))
        assert row["your_share"] == pytest.approx(yours)
        gap = None if theirs is None or yours is None else 100 * (theirs - yours)
        assert row["gap_points"] == (None if gap is None else pytest.approx(gap, abs=1e-5))
        assert row["is_gap"] == (gap is not None and abs(gap) > 10)


def test_6_variation(home: Store, week: list[Tracked]) -> None:
    expected: Counter[tuple[str, str]] = Counter(
        (party, entry.trend_key) for entry in week if entry.trend_key for party in entry.parties
    )
    rows = mart(home, "competitor_variation")
    assert {(row["account"], row["trend_key"]): row["posts"] for row in rows} == dict(expected)
    ranks = {(row["account"], row["variation_rank"]): row["posts"] for row in rows}
    assert all(ranks.get((account, rank + 1), 0) <= posts for (account, rank), posts in ranks.items())


def test_7_revenue_is_a_range_under_the_stated_assumption(home: Store, week: list[Tracked]) -> None:
    groups = by_party(week)
    rate = 0.6 * 3.51 + 0.4 * 1.50
    for row in mart(home, "competitor_revenue"):
        plays = [entry.post.now.counts[0] or 0 for entry in groups[row["account"]]]
        assert row["plays"] == sum(plays)
        for name, installs in (("p10", 0.2), ("p50", 1.0), ("p90", 4.0)):
            expected = sum(min(2500, views / 1000 * installs * rate) for views in plays)
            assert row[f"revenue_{name}"] == pytest.approx(expected, abs=0.01 * len(plays))
        assert "0.2 to 4.0 installs per 1,000 views" in row["assumption"]
        assert (row["received"] is None) or row["role"] == "own"


def test_8_market_timing_as_planted(home: Store, week: list[Tracked], simulation: Simulation) -> None:
    planted = {row["trend_key"]: row for row in simulation.truth.cross_market.to_pylist()}
    rows = mart(home, "competitor_market_timing")
    posted = {(party, entry.trend_key) for entry in week if entry.trend_key for party in entry.parties}
    assert {(row["account"], row["trend_key"]) for row in rows} <= posted
    checked = [row for row in rows if row["trend_key"] in planted]
    assert checked
    for row in checked:
        truth = planted[row["trend_key"]]
        assert row["first_market"] == truth["leader"]
        if truth["visible_lag_days"] is not None and row["lag_days"] is not None:
            assert row["lag_days"] == truth["visible_lag_days"]
    assert any(row["lag_days"] for row in checked)


def test_9_win_and_loss(home: Store, tracked: list[Tracked], roles: dict[str, tuple[str, str]]) -> None:
    firsts: dict[tuple[str, str], datetime] = {}
    views: dict[tuple[str, str], float] = {}
    in_week: set[tuple[str, str]] = set()
    for entry in tracked:
        if entry.trend_key is None:
            continue
        for party in entry.parties:
            place = (party, entry.trend_key)
            firsts[place] = min(firsts.get(place, entry.post.posted_at), entry.post.posted_at)
            measured = entry.post.views_48h()
            if measured is not None:
                views[place] = max(views.get(place, 0.0), measured)
            if entry.post.is_in_week:
                in_week.add(place)
    rivals = [handle for handle, (role, _) in roles.items() if role == "competitor"] + ["ALL COMPETITORS"]
    expected = {
        (rival, key)
        for rival, key in itertools.product(rivals, {key for _, key in firsts})
        if {(rival, key), ("YOU", key)} & in_week
    }
    rows = {(row["account"], row["trend_key"]): row for row in mart(home, "competitor_scorecard")}
    assert set(rows) == expected
    outcomes: dict[str, Counter[str]] = defaultdict(Counter)
    for (rival, key), row in rows.items():
        yours, theirs = firsts.get(("YOU", key)), firsts.get((rival, key))
        if yours is None or theirs is None:
            assert row["skipped_by"] == ("YOU" if yours is None else "THEM")
            outcomes[rival][f"skipped {row['skipped_by']}"] += 1
            continue
        ahead = reference.hours(yours, theirs)
        assert row["hours_ahead"] == pytest.approx(ahead, abs=1e-6)
        assert row["first_by"] == ("YOU" if ahead > 0 else "THEM" if ahead < 0 else "TIE")
        outcomes[rival][f"first {row['first_by']}"] += 1
        mine, others = views.get(("YOU", key)), views.get((rival, key))
        larger = None if mine is None or others is None else "YOU" if mine > others else "THEM"
        assert row["larger_by"] == larger
        outcomes[rival][f"larger {larger}"] += 1
    for row in mart(home, "competitor_win_loss"):
        seen = outcomes[row["account"]]
        assert [row[name] for name in ("you_first", "they_first", "you_larger", "they_larger")] == [
            seen["first YOU"], seen["first THEM"], seen["larger YOU"], seen["larger THEM"],
        ]  # fmt: skip
        assert (row["skipped_by_you"], row["skipped_by_them"]) == (seen["skipped YOU"], seen["skipped THEM"])
        contested = seen["first YOU"] + seen["first THEM"]
        share = enough(seen["first YOU"] / contested, contested) if contested else None
        assert row["you_first_share"] == (None if share is None else pytest.approx(share))


def test_gaps_are_the_simulators(home: Store, simulation: Simulation) -> None:
    planted = {(row["trend_key"], row["competitor"]): row for row in simulation.truth.competitor_responses.to_pylist()}
    rows = {(row["trend_key"], row["account"]): row for row in mart(home, "competitor_gaps")}
    assert set(rows) == set(planted)
    assert {row["gap_type"] for row in rows.values()} == {"MISSED_BY_YOU", "BOTH_CAUGHT", "BEAT_THEM"}
    for place, row in rows.items():
        assert row["gap_type"] == planted[place]["gap_type"]
        # The simulator posts to the second; so does createTimeISO.
        assert abs((row["competitor_first_post_at"] - planted[place]["competitor_posted_at"]).total_seconds()) <= 1
        delay = planted[place]["delay_hours"]
        if delay is not None:
            assert row["hours_behind"] == pytest.approx(-delay, abs=0.001)
        else:
            assert row["missed_revenue_p10"] <= row["missed_revenue_p50"] <= row["missed_revenue_p90"]


# ---------- the workbooks


TABS = [
    "DASHBOARD", "OPPORTUNITY_NOW", "REVENUE_TRACKER", "REVENUE_INSIGHTS", "COMPETITOR_VIEW", "PREDICTION_LOG",
    "DATA_FEED", "COMPETITOR_INTEL", "TRENDS", "OUTLIERS", "PAYMENTS",
    "MONTHLY_REVENUE",
]  # fmt: skip
HEADERS = {
    "OPPORTUNITY_NOW": "Priority, Build Priority, Time Zone, Time Remaining, Trend, Creator, Momentum,"
    " Opportunity Score, Age, Market, Seasonal, Previously Built, URL",
    "REVENUE_TRACKER": "TikTok URL, Account, Template Link, Received ($), Estimated ($), US & EU3 Installs,"
    " ROW Installs, Total Installs, Rev/Install, At Cap?, Trend Description, Momentum at Detection, Trigger Level,"
    " Action Window, Market, AI Category, Age at Detection, Date First Seen, Notes",
    "COMPETITOR_VIEW": "Date, Competitor, Trend, Competitor Momentum, Your Momentum, Competitor Shares/h, Market,"
    " Gap Type, Hours Behind, Est. Missed Revenue ($), AI Category, URL",
    "PREDICTION_LOG": "Date, Trends Tracked, Direction Accuracy %, Bias, MAPE %, Correct Builds, False Positives,"
    " Missed Opportunities, Correct Skips, Tuning Suggestion",
    "DATA_FEED": "Date, Account, Trend, Age, Momentum, Status, Market, Views/h, Shares/h, BUILD_NOW, TikTok URL,"
    " TUTORIAL_TRIGGER, URGENCY, Trigger Reason, AI Category, Opportunity Score, Time Zone, Build Priority,"
    " Seasonal Event",
}
SCOPES = ("US", "UK", "COMBINED")


def workbook(path: Path, *, data_only: bool = False) -> Any:
    return load_workbook(path, data_only=data_only)


def path_of(home: Store, scope: str) -> Path:
    return home.output / str(DAY) / f"BUILD_TODAY_{scope}_ENHANCED_{DAY}.xlsx"


@pytest.mark.parametrize("scope", SCOPES)
def test_tabs_and_columns_to_the_letter(home: Store, scope: str) -> None:
    book = workbook(path_of(home, scope))
    assert book.sheetnames == TABS
    for tab, names in HEADERS.items():
        expected = names.split(", ")
        header = 1 if tab == "REVENUE_TRACKER" else HEADER_ROW
        assert [cell.value for cell in book[tab][header]][: len(expected)] == expected
    # The tracker's rows have the numbers of the live sheet's.
    assert all(len(book[tab]["A1"].value) > 40 for tab in TABS if tab not in ("DASHBOARD", "REVENUE_TRACKER"))
    assert len(book["DASHBOARD"]._charts) == 3
    for tab in TABS[1:]:
        assert book[tab].freeze_panes
    for tab in ("DASHBOARD", "OPPORTUNITY_NOW", "REVENUE_TRACKER", "COMPETITOR_VIEW", "PREDICTION_LOG", "DATA_FEED"):
        assert book[tab].conditional_formatting


def test_scopes_hold_their_market(home: Store) -> None:
    rows = {
        scope: {
            (row[1].value, row[2].value, row[6].value)
            for row in workbook(path_of(home, scope))["COMPETITOR_VIEW"].iter_rows(min_row=FIRST_ROW)
        }
        for scope in SCOPES
    }
    assert {market for _, _, market in rows["US"]} == {"US"}
    assert {market for _, _, market in rows["UK"]} == {"UK"}
    assert rows["US"] | rows["UK"] == rows["COMBINED"]


def test_opportunities_are_the_build_list_and_nobodys_we_know(home: Store, roles: dict[str, Any]) -> None:
    sheet = workbook(path_of(home, "COMBINED"))["OPPORTUNITY_NOW"]
    rows = [[cell.value for cell in row] for row in sheet.iter_rows(min_row=FIRST_ROW) if isinstance(row[0].value, int)]
    assert 0 < len(rows) <= 20
    assert [row[0] for row in rows] == list(range(1, len(rows) + 1))
    for row in rows:
        assert row[1] in ("🔴 BUILD_IMMEDIATELY", "🟠 BUILD_TODAY", "⚪ NEXT")
        assert row[2] in ("🟢 PRIME", "OFF_PEAK")
        assert row[3] >= 3, "hours until it must be out: there is time to make it"
        assert row[5] not in roles
        assert row[15] >= 1
    built = [row for row in rows if row[11] == "✅"]
    shown = [cell.value for cell in sheet[HEADER_ROW] if not sheet.column_dimensions[cell.column_letter].hidden]
    assert shown[:13] == [
        "Priority", "Build Priority", "Time Remaining", "Trend", "Momentum", "Market", "URL", "Recommended Variants",
        "Publish By (UTC)", *(f"Views Still To Come p{quantile}" for quantile in (10, 50, 90)), "Confidence",
    ], "the first screen"  # fmt: skip
    assert built, "an own post shares a trend with one of them"
    assert all(row[23].startswith("https://www.tiktok.com/@sim.own.") for row in built)


def test_tracker_keeps_what_was_entered(home: Store) -> None:
    sheet = workbook(path_of(home, "US"), data_only=True)["REVENUE_TRACKER"]
    rows = [[cell.value for cell in row] for row in sheet.iter_rows(min_row=2)]
    # The blank row is no row; fifty empty ones with formulas follow.
    assert len(rows) == 59 + 6 + 50
    odd = rows[59:65]
    assert [row[3] for row in odd] == ["n/a", 1234.5, -5, 2500, 12, None]
    assert [row[19] for row in odd] == ["no", "yes", "yes", "yes", "yes", "no"]
    assert [row[9] for row in odd] == [None, None, None, "✅ CAP", None, None]
    assert odd[0][21] == "Received ($): 'n/a' is no amount"
    assert odd[4][17] == "some day"
    assert odd[2][22] == 62, "the first row with that link"
    assert odd[5][12] == "=1+1"
    assert odd[5][21] == "no TikTok URL: not counted"
    formulas = workbook(path_of(home, "US"))["REVENUE_TRACKER"]
    assert [formulas.cell(row=116, column=column).data_type for column in (8, 9, 10)] == ["f", "f", "f"]
    assert formulas["M66"].data_type == "s"
    assert formulas["A66"].hyperlink is None, "no link to a host that is not known"


def recalculated(path: Path, directory: Path) -> Path:
    """The workbook as LibreOffice computes it, from a copy without any of the values we wrote."""
    office = shutil.which("soffice")
    if office is None:
        pytest.skip("LibreOffice (soffice) is not installed")
    stripped = directory / path.name
    with zipfile.ZipFile(path) as source, zipfile.ZipFile(stripped, "w") as target:
        for name in source.namelist():
            content = source.read(name)
            if name.startswith("xl/worksheets/sheet"):
                content = re.sub(
                    rb'( t="str")?><f>(.*?)</f><v>.*?</v></c>', rb"><f>\2</f></c>", content, flags=re.DOTALL
                )
            target.writestr(name, content)
    subprocess.run(
        [office, f"-env:UserInstallation=file://{directory}/profile", "--headless", "--convert-to",
         "xlsx:Calc MS Excel 2007 XML", "--outdir", str(directory / "out"), str(stripped)],
        check=True, capture_output=True, timeout=180,
    )  # fmt: skip
    return directory / "out" / path.name


@pytest.mark.slow("LibreOffice calculates every workbook")
def test_every_formula_comes_to_the_value_that_was_written(home: Store, tmp_path: Path) -> None:
    for scope in SCOPES:
        path = path_of(home, scope)
        formulas, values = workbook(path), workbook(path, data_only=True)
        computed = workbook(recalculated(path, tmp_path), data_only=True)
        differences, count_of = [], 0
        for sheet in formulas.worksheets:
            for row in sheet.iter_rows():
                for cell in row:
                    if cell.data_type != "f":
                        continue
                    count_of += 1
                    written = values[sheet.title][cell.coordinate].value
                    found = computed[sheet.title][cell.coordinate].value
                    if isinstance(written, int | float) and isinstance(found, int | float):
                        same = math.isclose(written, found, rel_tol=1e-9, abs_tol=1e-9)
                    else:
                        same = (written or "") == (found or "")
                    if not same:
                        differences.append((scope, sheet.title, cell.coordinate, written, found))
        assert differences == [], "\n".join(map(str, differences[:20]))
        assert count_of > 600
        errors = [
            (scope, sheet.title, cell.coordinate, cell.value)
            for book in (values, computed)
            for sheet in book.worksheets
            for row in sheet.iter_rows()
            for cell in row
            if cell.data_type == "e"
        ]
        assert errors == []


def test_kpis_are_the_warehouses(home: Store) -> None:
    sheet = workbook(path_of(home, "COMBINED"), data_only=True)["DASHBOARD"]
    shown = {row[0].value: row[1].value for row in sheet.iter_rows(min_row=4, max_col=2) if row[0].value}
    (totals,) = published(
        home,
        f"""
        select
            sum(received), count(*) filter (where is_at_cap),
            count(*) filter (where is_hit) / count(*), sum(received) / count(*), sum(outstanding)
        from marts.template_revenue where as_of_date = date '{DAY}' and is_counted
        """,
    )
    names = ("Total Revenue", "Templates at Cap", "Hit Rate", "Avg Rev/Template", "Outstanding")
    assert [shown[name] for name in names] == pytest.approx(list(totals))
    (counts,) = published(
        home,
        f"""
        select
            (select count(*) from marts.competitor_gaps
                where as_of_date = date '{DAY}' and gap_type = 'MISSED_BY_YOU'),
            (select count(*) from marts.competitor_posts where as_of_date = date '{DAY}' and role = 'competitor'),
            (select count(*) from marts.my_performance where as_of_date = date '{DAY}'),
            (select count(*) from marts.my_performance where as_of_date = date '{DAY}' and urgency = '🔥 URGENT'),
            (select 100 * direction_accuracy from marts.scorecard
                where as_of_date = date '{DAY}' and record = 'replay' and kind = 'forecast' and value = 'all'
                and market = 'ALL' and horizon_hours = 24 and is_enough)
        """,
    )
    names = ("You Missed", "Competitor Posts", "Your Posts", "URGENT", "Prediction Accuracy")
    assert [shown[name] for name in names] == pytest.approx(list(counts))
    assert shown["Total Revenue"] > 30_000


def test_payments_add_up_day_by_day(home: Store) -> None:
    sheet = workbook(path_of(home, "COMBINED"), data_only=True)["PAYMENTS"]
    rows = [[cell.value for cell in row] for row in sheet.iter_rows(min_row=FIRST_ROW)]
    assert [cell.value for cell in sheet[HEADER_ROW]][:6] == [
        "Post Date", "Account", "Trend Description", "TikTok URL", "Received ($)", "Outstanding ($)",
    ]  # fmt: skip
    sums = {row[0].removesuffix(", sum"): row for row in rows if str(row[0]).endswith(", sum")}
    details = [row for row in rows if isinstance(row[0], datetime)]
    counted = [row for row in mart(home, "template_revenue") if row["is_counted"]]
    assert len(details) == len(counted) == 63
    assert [row[0] for row in details] == sorted((row[0] for row in details), reverse=True)
    for day, row in sums.items():
        of_day = [entry["received"] or 0 for entry in counted if str(entry["posted_on"]) == day]
        assert row[4] == pytest.approx(sum(of_day)), day
    assert rows[-1][0] == "TOTAL"
    assert rows[-1][4] == pytest.approx(33_948.09)
    assert sum(row[4] for row in sums.values()) == pytest.approx(33_948.09)
    levels = {sheet.row_dimensions[number].outlineLevel for number, row in enumerate(rows, FIRST_ROW) if row in details}
    assert levels == {1}, "a day's details fold away"


def test_months_grow_over_the_month_before(home: Store) -> None:
    sheet = workbook(path_of(home, "UK"), data_only=True)["MONTHLY_REVENUE"]
    rows = [[cell.value for cell in row] for row in sheet.iter_rows(min_row=FIRST_ROW)]
    assert [cell.value for cell in sheet[HEADER_ROW]][:4] == ["Month", "Templates", "Received ($)", "Growth"]
    months = [row[0] for row in rows]
    assert months == sorted(months)
    assert "2026-03" in months
    by_month = {row[0]: row for row in rows}
    february, march = by_month["2026-02"], by_month["2026-03"]
    assert march[3] == pytest.approx(march[2] / february[2] - 1)
    assert rows[-1][4] == pytest.approx(33_948.09), "so far"
    assert by_month["2026-03"][10] == "the month is not over"
    assert february[10] is None


def test_prediction_log_has_a_row_per_scored_day_beside_the_naive_one(home: Store) -> None:
    sheet = workbook(path_of(home, "COMBINED"))["PREDICTION_LOG"]
    rows = [
        [cell.value for cell in row]
        for row in sheet.iter_rows(min_row=FIRST_ROW)
        if re.match(r"\d{4}-", str(row[0].value))
    ]
    scored = published(
        home,
        "select distinct cast(as_of_date as varchar) from marts.forecast_scores where horizon_hours = 24 order by 1",
    )
    assert [row[0] for row in rows] == [day for (day,) in scored]
    assert all(row[9] for row in rows)
    assert all((row[10] is None) == (row[11] is None) for row in rows), "no score without its naive twin"


def test_competitor_intel_opens_with_its_findings(home: Store) -> None:
    rows = [row[0].value for row in workbook(path_of(home, "COMBINED"))["COMPETITOR_INTEL"].iter_rows(max_col=1)]
    first = rows.index("Findings")
    findings = list(itertools.takewhile(lambda text: text is not None, rows[first + 1 :]))
    assert first < rows.index("1 · Posting log")
    missed = mart(home, "competitor_gaps")
    keys = {row["trend_key"] for row in missed if row["gap_type"] == "MISSED_BY_YOU"}
    assert findings[0].startswith(f"• {len(keys)} shared trends have competitors and not you; the strongest is ")
    (duel,) = [row for row in mart(home, "competitor_win_loss") if row["is_total"]]
    assert any(f"On {duel['contested']} trends that both posted on you were first {duel['you_first']}" in text
               for text in findings)  # fmt: skip


def test_equal_marts_give_equal_files(home: Store) -> None:
    with open_day(home.published_path, DAY) as day:
        assert enhanced(day) == enhanced(day) == path_of(home, "COMBINED").read_bytes()


def test_every_place_says_where_revenue_comes_from(home: Store) -> None:
    directory = home.output / str(DAY)
    line = "cache of the live sheet, read 2026-03-15 07:00 UTC"
    start = workbook(directory / f"BUILD_TODAY_TOP20_{DAY}.xlsx")["START_HERE"]
    told = {row[0].value: row[1].value for row in start.iter_rows(max_col=2)}
    summary = (directory / f"SUMMARY_REPORT_{DAY}.txt").read_text(encoding="utf-8")
    payload = json.loads((directory / f"dashboard_payload_{DAY}.json").read_text(encoding="utf-8"))
    dashboard = workbook(path_of(home, "UK"))["DASHBOARD"]["A2"].value
    for text in (told["Revenue"], summary, payload["revenue"], dashboard):
        assert line in text
        assert "63 rows, $33,948.09 received" in text
        assert "row 61: Received ($): 'n/a' is no amount" in text
        assert "row 67: no TikTok URL: not counted" in text
    assert "best naive forecast" in told["Forecasts"]


def test_briefing_has_its_sections(home: Store) -> None:
    text = (home.output / str(DAY) / f"SUMMARY_REPORT_{DAY}.txt").read_text(encoding="utf-8")
    titles = ["🔴 IMMEDIATE ACTIONS", "📊 STRATEGIC INSIGHTS - COMPETITOR ANALYSIS", "💡 RECOMMENDATIONS",
              "SEASONAL CALENDAR ALERTS"]  # fmt: skip
    places = [text.index(f"\n{title}\n") for title in titles]
    assert places == sorted(places)
    assert "Gaps: MISSED_BY_YOU 6, BOTH_CAUGHT 6, BEAT_THEM 6" in text


def test_the_day_has_its_files(home: Store) -> None:
    names = {path.name for path in (home.output / str(DAY)).iterdir()}
    assert {
        *(f"BUILD_TODAY_TOP{top}_{DAY}.xlsx" for top in (20, 100)),
        *(f"TikTok_Trend_System_{market}_{DAY}.xlsx" for market in MARKETS),
        *(f"BUILD_TODAY_{scope}_ENHANCED_{DAY}.xlsx" for scope in SCOPES),
        f"SUMMARY_REPORT_{DAY}.txt",
        f"dashboard_payload_{DAY}.json",
        f"manifest_{DAY}.json",
    } <= names
    manifest = json.loads((home.output / str(DAY) / f"manifest_{DAY}.json").read_text(encoding="utf-8"))
    assert {entry["name"] for entry in manifest["files"]} == names - {f"manifest_{DAY}.json"}


@pytest.mark.slow("a second home")
def test_a_date_built_alone_equals_the_batch(home: Store) -> None:
    """The run built twelve dates at once; two of them built again alone, the later one first, change nothing."""
    days = ("2026-03-14", "2026-03-11")
    where = f"as_of_date in (date '{days[0]}', date '{days[1]}')"
    batch = mart_checksums(home.marts_path, where)
    for day in days:
        build_models(home, [day])
    assert mart_checksums(home.marts_path, where) == batch
    # The sheet was read on the 15th: no earlier date knows of revenue.
    revenue = ("revenue_", "template_revenue")
    assert not any(rows for name, (rows, _) in batch.items() if name.startswith(revenue))
    assert sum(rows > 0 for rows, _ in batch.values()) > 30


# ---------- marts of single rows


def test_missed_videos_are_those_that_the_scores_count(home: Store) -> None:
    counted = published(
        home,
        """
        select as_of_date, decision_date, market, decision_mode, missed from marts.decision_scores
        where market <> 'ALL' and decision_mode in ('classic', 'measured') and missed > 0 order by all
        """,
    )
    listed = published(
        home,
        """
        select as_of_date, decision_date, market, decision_mode, count(*) from marts.missed_videos
        group by all order by all
        """,
    )
    assert len(counted) > 10
    assert listed == counted


def test_outcomes_row_by_row_give_the_scores_of_the_day(home: Store) -> None:
    """How many 24 h gains had an outcome, and how many lay in the range: two ways to the same numbers."""
    days = published(
        home,
        """
        select as_of_date, count(*) filter (where outcome <> 'no reading'), count(*) filter (where is_in_range)
        from marts.forecast_outcomes
        where record = 'replay' and horizon_hours = 24
        group by as_of_date order by as_of_date
        """,
    )
    scored = published(
        home,
        """
        select as_of_date, sum(n + n_cold_start), round(sum(coverage_80_with_cold_start * (n + n_cold_start)))
        from marts.forecast_scores
        where horizon_hours = 24 and model = 'chosen' and market <> 'ALL'
        group by as_of_date order by as_of_date
        """,
    )
    assert len(scored) > 8
    assert [row for row in days if row[1]] == scored
    ((unexplained,),) = published(
        home,
        "select count(*) from marts.forecast_outcomes where (actual_gain is null) <> (no_outcome_because is not null)",
    )
    assert unexplained == 0


# ---------- trends show


def test_show_tells_what_the_marts_have(home: Store) -> None:
    [(trend_url, name, creators, lead)] = published(
        home,
        "select trend_url, trend_name, creators, video_url from marts.trend_list where place = 1"
        " and as_of_date = (select max(as_of_date) from marts.trend_list)",
    )
    told = trends("show", trend_url, "--home", home.home)
    assert told.code == 0, told.err
    assert told.out.startswith(f"1. {name}\n")
    assert f"{creators} creators" in told.out
    assert lead in told.out

    [(video, url, place, why, first)] = published(
        home,
        """
        select listed.video_id, listed.video_url, listed.place, listed.because, min(days.as_of_date)
        from marts.build_list as listed
        inner join marts.videos_daily as days on listed.video_id = days.video_id
        group by listed.video_id, listed.video_url, listed.place, listed.because, listed.as_of_date
        having count(distinct days.as_of_date) > 1
        order by listed.as_of_date desc, listed.place
        limit 1
        """,
    )
    told = trends("show", url, "--home", home.home)
    assert f"place {place}, " in told.out
    assert f"why: {why}" in told.out
    assert "\nREADINGS, newest first\n" in told.out
    assert "\nFORECAST AND WHAT CAME\n" in told.out
    earlier = trends("show", video, "--date", first, "--home", home.home)
    assert (earlier.code, earlier.out.endswith(f"as of {first}\n")) == (0, True), earlier.err
    days = earlier.out.split("BY DAY\n")[1].split("\n\n")[0].splitlines()[1:]
    assert {line.split()[0] for line in days} == {f"{first}"}, "what came later is not told"

    [(handle, ratio)] = published(
        home,
        "select author_handle, views_ratio from marts.creator_outliers order by as_of_date desc, views_ratio desc"
        " limit 1",
    )
    told = trends("show", f"@{handle.upper()}", "--home", home.home)
    assert f"  {ratio:.1f} " in told.out
    assert trends("show", "#no.such.tag", "--home", home.home).code == 1
    refused = trends("show", "what", "--home", home.home)
    assert (refused.code, "@handle, #tag" in refused.err) == (2, True)


# ---------- what analysts get


def test_parquet_files_hold_the_marts(home: Store, tmp_path: Path) -> None:
    told = trends("export", "--parquet", tmp_path / "it's here", "--home", home.home)
    assert told.code == 0, told.err
    for mart in ("videos_daily", "trend_list", "build_list"):
        query = "select count(*), sum(hash(columns(*)::varchar)) from {}"
        file = str(tmp_path / "it's here" / f"{mart}.parquet").replace("'", "''")
        [in_file] = published(home, query.format(f"read_parquet('{file}')"))
        [in_mart] = published(home, query.format(f"marts.{mart}"))
        assert in_file == in_mart, mart
    (tmp_path / "file").touch()
    refused = trends("export", "--parquet", tmp_path / "file" / "x", "--home", home.home)
    assert (refused.code, "can't be written" in refused.err) == (2, True)


# ---------- the panel


def test_the_panel_of_the_sample_reads_the_truth_and_is_the_headline(home: Store, simulation: Simulation) -> None:
    """Chosen on each day, read at the hour of the daily run on later ones: true counts, as a page shows them."""
    answers = build(home, "select observed_at, video_id, plays from staging.stg_tiktok__panel where not is_gone")
    moments = sorted({observed_at.replace(tzinfo=UTC) for observed_at, _, _ in answers})
    assert len(moments) == simulation.config.days - 1
    assert {moment.hour for moment in moments} == {9}
    videos = simulation.videos.column("video_id").to_pylist()
    true = {
        (moment, video_id): plays
        for moment, counts in zip(moments, counts_at(simulation, moments), strict=True)
        for video_id, plays in zip(videos, rounded(counts.plays).tolist(), strict=True)
    }
    assert len(answers) > 700
    assert {(at, video): plays for at, video, plays in answers} == {
        (at, video): true[at.replace(tzinfo=UTC), video] for at, video, _ in answers
    }
    ((gone,),) = build(home, "select count(*) from staging.stg_tiktok__panel where is_gone")
    assert gone > 5
    lines = {
        horizon: (enough, by_panel, scored, read)
        for horizon, enough, by_panel, scored, read in published(
            home,
            f"""
            select horizon_hours, is_enough, is_panel_enough, scored, panel_read from marts.scorecard
            where as_of_date = date '{DAY}' and kind = 'forecast' and value = 'all' and market = 'ALL'
                and record = 'replay'
            """,
        )
    }
    assert all(by_panel and read > 50 for _, by_panel, _, read in lines.values())
    # Hardly a video stands in a feed for a week: without the panel no such forecast would be scored.
    assert not lines[168][0]
    assert lines[168][2] < 10
    summary = (home.output / str(DAY) / f"SUMMARY_REPORT_{DAY}.txt").read_text(encoding="utf-8")
    assert re.search(r"Forecasts: 24 h, replay of .*: by panel: skill .* that left read again", summary)
