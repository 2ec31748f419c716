"""One build list, read back from every place that tells people what to build, on each day of the sample and of polls.

What each place says is read from the finished file, with words and places of cells spelled out here, and compared with
the rows of `marts.build_list`. Of the polls every file of every day is read; of the sample the slow ones, which are the
report and the files of single markets, on every third day.
"""

from __future__ import annotations

import html
import io
import itertools
import json
import re
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import pytest
from openpyxl import load_workbook

from exports.dashboard import payload
from exports.published import Day, open_day
from exports.report.trend_report import trend_report
from exports.text.daily_report import daily_report
from exports.text.summary import summary
from exports.text.trends import NO_TREND
from exports.workbooks.build_today import build_today
from exports.workbooks.enhanced import enhanced
from ingest import export_folder
from services.message import Line, Link
from tests import homes, support
from warehouse.publish import published_dates
from warehouse.store import Store

HOURS_A_DAY, HOURS_A_BUILD, HOURS_A_VARIANT = 8.0, 3.0, 0.5
FIRST = 5
CARDS = 6
PRIORITIES = {"🔴": "🔴 BUILD_IMMEDIATELY", "🟠": "🟠 BUILD_TODAY", "⚪": "⚪ NEXT"}
COLUMNS = (
    "Priority", "Build Priority", "URL", "Recommended Variants", "Publish By (UTC)",
    *(f"Views Still To Come p{quantile}" for quantile in (10, 50, 90)), "Confidence", "Because",
)  # fmt: skip
# `3 variants, publish by Mon 16 Mar 05:51 UTC (Mon 01:51 New York), +239k (138k to 410k) views still to come, ...`
DETAIL = re.compile(
    r"(?P<variants>\d+) variants?, publish by (?P<publish_by>\w{3} \d\d \w{3} \d\d:\d\d) UTC \([^)]*\), (?P<p50>\S+)"
    r" \((?P<p10>\S+) to (?P<p90>\S+)\) views still to come, confidence (?P<confidence>\w+); (?P<because>.+)"
)
# The same over three lines of the summary; of a build that slows down the reason to build it follows.
ACTION = re.compile(
    r"action: \S+ \w+, (?P<variants>\d+) variants?, publish by (?P<publish_by>.*?) UTC .*\n"
    r" *views still to come once it is out: (?P<p50>\S+) \((?P<p10>\S+) to (?P<p90>\S+)\), confidence"
    r" (?P<confidence>\w+)\n"
    r" *why: (?P<because>.*?)(?:; slows down.*)?\n"
)


@dataclass(frozen=True)
class Build:
    """A row of the list as the mart has it, and as texts say it."""

    place: int
    priority: str
    url: str
    variants: int
    publish_by: datetime
    p10: float
    p50: float
    p90: float
    confidence: str
    because: str

    @property
    def cells(self) -> tuple[Any, ...]:
        """The values of `COLUMNS`."""
        moment = f"{self.publish_by:%Y-%m-%d %H:%M}"
        numbers = (self.p10, self.p50, self.p90)
        return (self.place, self.priority, self.url, self.variants, moment, *numbers, self.confidence, self.because)

    @property
    def words(self) -> tuple[str, ...]:
        """Variants, time, gain, range, confidence and reasons, as `DETAIL` finds them."""
        gains = (f"+{rounded(self.p50)}", rounded(self.p10), rounded(self.p90))
        return (str(self.variants), f"{self.publish_by:%a %d %b %H:%M}", *gains, self.confidence, self.because)


def rounded(value: float) -> str:
    """A count as people say it: 940, 2.1k, 207k, 1.3m."""
    if value >= 999_500:
        return f"{value / 1e6:.1f}m"
    if value >= 9_950:
        return f"{value / 1e3:.0f}k"
    return f"{value / 1e3:.1f}k" if value >= 999.5 else f"{value:.0f}"


@pytest.fixture(
    scope="module",
    params=[
        "sample",
        pytest.param("tiktok_polls", marks=[pytest.mark.real_data, pytest.mark.slow("weeks of real polls")]),
    ],
)
def home(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Store:
    """A home in which all dates of a source were built, with every data test, and published."""
    root = tmp_path_factory.mktemp(request.param)
    store = Store(root / "home")
    if request.param == "sample":
        shutil.copytree(homes.dates_of_sample(tmp_path_factory).home, store.home)
        return store
    folder = support.real_data(request.param)
    support.land_folder(store, folder, landed_at="2026-04-01T00:00")
    feeds, _ = export_folder.scan(folder, support.MARKETS)
    dates = sorted({str(feed.observed_at.date()) for feed in feeds})
    support.prepare(store, *dates)
    # All dates in one pass, with the data tests: a row that contradicts itself would keep them from being published.
    outcome = support.trends("rebuild", "--home", store.home)
    assert outcome.code == 0, outcome.err
    return store


@pytest.fixture(scope="module")
def days(home: Store) -> list[tuple[date, list[Build]]]:
    """Each date with its list."""
    return [(as_of_date, listed(home, as_of_date)) for as_of_date in published_dates(home)]


def listed(home: Store, as_of_date: date) -> list[Build]:
    """The rows of a date."""
    rows = support.published(
        home,
        f"""
        select
            place, build_priority, video_url, variants, publish_by, gain_48h_p10, gain_48h_p50, gain_48h_p90,
            confidence, because
        from marts.build_list where as_of_date = date '{as_of_date}' order by place
        """,
    )
    return [Build(*row) for row in rows]


def test_builds_fit_into_a_day_and_no_video_stands_twice(days: list[tuple[date, list[Build]]]) -> None:
    with_builds = [as_of_date for as_of_date, builds in days if builds]
    assert len(days) >= 12
    assert len(with_builds) >= len(days) // 2
    for as_of_date, builds in days:
        assert [build.place for build in builds] == list(range(1, len(builds) + 1)), as_of_date
        assert len({build.url for build in builds}) == len(builds), as_of_date
        today = [build for build in builds if build.priority != "⚪ NEXT"]
        hours = sum(HOURS_A_BUILD + HOURS_A_VARIANT * (build.variants - 1) for build in today)
        assert hours <= HOURS_A_DAY, as_of_date
        assert bool(today) == bool(builds), f"{as_of_date}: a day has hours for the best of the list"
        assert builds[: len(today)] == today, f"{as_of_date}: what is next comes after what is today"
        assert all(build.variants >= 1 and build.p10 <= build.p50 <= build.p90 for build in builds), as_of_date


def test_every_place_tells_the_same_list(home: Store, days: list[tuple[date, list[Build]]]) -> None:
    compared = 0
    is_sample = "sample" in str(home.home)
    for number, (as_of_date, builds) in enumerate(days):
        is_whole = not is_sample or number % 3 == 0
        cells, words = [build.cells for build in builds], [build.words for build in builds]
        with open_day(home.published_path, as_of_date) as day:
            for scope in ("US", "UK", None) if is_whole else (None,):
                book = Book(enhanced(day, scope))
                assert book.opportunities() == cells, (as_of_date, scope)
                assert book.counts() == tuple(
                    sum(build.priority == priority for build in builds) for priority in list(PRIORITIES.values())[:2]
                ), (as_of_date, scope)
                assert book.dashboard_words() == words[:FIRST], (as_of_date, scope)
            for top in (20, 100) if is_whole else (20,):
                book = Book(build_today(day, top))
                assert book.start_here() == [start_words(build) for build in builds[:FIRST]], (as_of_date, top)
                places = {build.url: build.place for build in builds}
                assert all(place == places.get(url) for url, place in book.build_numbers(top)), (as_of_date, top)
            assert sheet_rows(day) == cells, as_of_date
            assert message(day) == [(build.url, *build.words) for build in builds[:FIRST]], as_of_date
            actions, advice = summary_words(day)
            assert actions == [(build.url, *build.words) for build in builds[:FIRST]], as_of_date
            assert advice == words, as_of_date
            if is_whole:
                assert cards(day) == [card_words(build) for build in builds[:CARDS]], as_of_date
        compared += len(builds)
    assert compared > 20


def test_every_place_tells_the_same_trends(home: Store) -> None:
    told = 0
    for as_of_date in published_dates(home)[-2:]:
        rows = support.published(
            home,
            f"""
            select place, trend_url, video_url, creators, gained_views_24h, markets
            from marts.trend_list where as_of_date = date '{as_of_date}' order by place
            """,
        )
        urls = [url for _, url, *_ in rows]
        with open_day(home.published_path, as_of_date) as day:
            for content in (build_today(day, 20), enhanced(day)):
                tab = list(Book(content).table("TRENDS", "#"))
                shown = [
                    (row["#"], row["Trend Link"], row["Best Example"], row["Creators"], row["Views Gained 24h"])
                    for row in tab
                ]
                assert shown == [row[:5] for row in rows], as_of_date
            of_uk = [row["Trend Link"] for row in Book(enhanced(day, "UK")).table("TRENDS", "#")]
            assert of_uk == [row[1] for row in rows if "UK" in row[5].split(", ")], as_of_date
            lines = daily_report(day, [], [], None).lines
            links = [line.url for line in lines[trends_at(lines) :] if isinstance(line, Link)]
            assert links[: len(urls[:FIRST])] == urls[:FIRST], as_of_date
            text = summary(day).decode("utf-8").split("📈 TRENDS TO JOIN")[1]
            assert re.findall(r"^   (https://\S+) \| e\.g\. ", text, re.MULTILINE) == urls[:FIRST], as_of_date
            section = trend_report(day).decode("utf-8").split('<section id="trends">')[1].split("</section>")[0]
            cards = re.findall(r'<b>(\d+)\.</b> <a href="([^"]+)"', section)
            assert cards == [(f"{place}", url) for place, url, *_ in rows[:8]], as_of_date
        told += len(rows)
    assert told > (40 if "sample" in str(home.home) else 0)


class Book:
    """A workbook, read back."""

    def __init__(self, content: bytes) -> None:
        self._book = load_workbook(io.BytesIO(content), read_only=True, data_only=True)

    def _rows(self, tab: str) -> list[tuple[Any, ...]]:
        return [tuple(row) for row in self._book[tab].iter_rows(values_only=True)]

    def table(self, tab: str, first_title: str) -> Iterator[dict[str, Any]]:
        """The rows under a header that begins with a title, up to the first row without a number there."""
        rows = self._rows(tab)
        at = next(number for number, row in enumerate(rows) if row[0] == first_title)
        for row in rows[at + 1 :]:
            if not isinstance(row[0], int):
                return
            # Titles repeat at the right (p10 of 24 hours and of what is to come): the last one of a name counts.
            yield dict(zip(rows[at], row, strict=True))

    def opportunities(self) -> list[tuple[Any, ...]]:
        return [tuple(row[name] for name in COLUMNS) for row in self.table("OPPORTUNITY_NOW", "Priority")]

    def counts(self) -> tuple[Any, ...]:
        labels = {row[0]: row[1] for row in self._rows("DASHBOARD")}
        return labels["Build NOW"], labels["Build Today"]

    def dashboard_words(self) -> list[tuple[str, ...]]:
        beside = [str(row[4] or "") for row in self._rows("DASHBOARD")]
        return [found for found in map(detail_of, beside[beside.index("What to build") :]) if found]

    def start_here(self) -> list[tuple[Any, ...]]:
        rows = self._rows("START_HERE")
        at = next(number for number, row in enumerate(rows) if row[0] == "What to build")
        told: list[tuple[Any, ...]] = []
        for row in rows[at + 1 :]:
            place, _, priority = str(row[0]).partition(". ")
            if not place.isdigit():
                return told
            shown = dict(zip(rows[at], row, strict=True))
            moment = shown["Publish by"].split(" UTC")[0]
            numbers = (shown["p10"], shown["Views still to come"], shown["p90"])
            told.append(
                (int(place), priority, shown["Link"], shown["Variants"], moment, *numbers, shown["Confidence"],
                 shown["Why"])
            )  # fmt: skip
        return told

    def build_numbers(self, top: int) -> list[tuple[str, int | None]]:
        tabs = [tab for tab in self._book.sheetnames if tab.endswith(f"AI_TOP{top}")]
        return [(row["URL"], row["Build #"]) for tab in tabs for row in self.table(tab, "#")]


def start_words(build: Build) -> tuple[Any, ...]:
    """What START_HERE shows: whole numbers, the time in words."""
    place, priority, url, variants, _, *rest = build.cells
    return (place, priority, url, variants, f"{build.publish_by:%a %d %b %H:%M}", *rest)


def detail_of(text: str) -> tuple[str, ...] | None:
    """What a line says of a build."""
    match = DETAIL.search(text)
    return match.group("variants", "publish_by", "p50", "p10", "p90", "confidence", "because") if match else None


def sheet_rows(day: Day) -> list[tuple[Any, ...]]:
    """The rows that the dashboard sheet is sent."""
    (tab,) = [tab for tab in json.loads(payload(day))["tabs"] if tab["tab"] == "OPPORTUNITY_NOW"]
    return [tuple(row[tab["columns"].index(name)] for name in COLUMNS) for row in tab["rows"]]


def message(day: Day) -> list[tuple[str, ...]]:
    """The builds of the daily message: a link, and what it says below."""
    lines = daily_report(day, [], [], None).lines
    told = []
    for link, line in itertools.pairwise(lines[: trends_at(lines)]):
        if isinstance(link, Link):
            found = detail_of(str(line))
            assert found is not None, line
            told.append((link.url, *found))
    return told


def trends_at(lines: Sequence[Line]) -> int:
    """Where the trends of a message begin."""
    return next(at for at, line in enumerate(lines) if line in ("TRENDS TO JOIN", NO_TREND))


def summary_words(day: Day) -> tuple[list[tuple[str, ...]], list[tuple[str, ...]]]:
    """What the summary says under IMMEDIATE ACTIONS and under RECOMMENDATIONS."""
    text = summary(day).decode("utf-8")
    actions, advice = text.split("🔴 IMMEDIATE ACTIONS")[1].split("💡 RECOMMENDATIONS")
    told = []
    for action in re.split(r"\n(?=\d+\. )", actions.split("📈 TRENDS TO JOIN")[0])[1:]:
        link = re.search(r"https://www\.tiktok\.com/@\S+/video/\d+", action)
        match = ACTION.search(action)
        assert link, action
        assert match, action
        words = match.group("variants", "publish_by", "p50", "p10", "p90", "confidence", "because")
        told.append((link[0], *words))
    return told, [found for found in map(detail_of, advice.splitlines()) if found]


def cards(day: Day) -> list[tuple[Any, ...]]:
    """The cards of the report: numbers as programs read them, text as people do."""
    section = trend_report(day).decode("utf-8").split('<section id="builds">')[1].split("</section>")[0]
    told: list[tuple[Any, ...]] = []
    for card in section.split("<li>")[1:]:
        variants, *gains = (float(number) for number in re.findall(r'<data value="([^"]+)"', card))
        text = html.unescape(re.sub(r"<[^>]+>", " ", card))
        link = re.search(r'href="(https://www\.tiktok\.com/@[^"]+/video/\d+)"', card)
        moment = re.search(r"publish by (.*?) UTC", text)
        priority = re.search("|".join(PRIORITIES.values()), text)
        assert link, card
        assert moment, card
        assert priority, card
        confidence = re.search(r"confidence (\w+)", text)
        assert confidence, card
        told.append((link[1], priority[0], variants, moment[1], *gains, confidence[1]))
    return told


def card_words(build: Build) -> tuple[Any, ...]:
    """What a card of the report shows; the gain stands in it once."""
    moment = f"{build.publish_by:%a %d %b %H:%M}"
    return (build.url, build.priority, build.variants, moment, build.p50, build.p10, build.p90, build.confidence)


def test_what_is_muted_is_in_no_list_and_the_next_ones_move_up(
    home: Store, days: list[tuple[date, list[Build]]]
) -> None:
    as_of_date, builds = next((day, builds) for day, builds in reversed(days) if len(builds) > 1)
    first = builds[0]
    handle = first.url.split("/")[3]
    where = f"as_of_date = date '{as_of_date}'"
    # What `dbt seed` would make of a row of seeds/watchlist.csv.
    support.build(home, f"insert into seeds.watchlist values ('account', '{handle.upper()}', 'mute', null)")
    models = ("int_muted_videos", "int_build_candidates", "build_list")
    support.build_models(home, [str(day) for day, _ in days], models)
    listed_now = support.build(home, f"select video_url from marts.build_list where {where} order by place")
    assert [url for (url,) in listed_now] == [build.url for build in builds if handle not in build.url]
    reasons = support.build(
        home,
        f"select left_out_because from intermediate.int_build_candidates where {where} and video_url = '{first.url}'",
    )
    assert reasons == [(f"muted: account {handle.upper()}",)]
