"""The HTML report on the simulated sample: numbers as published, nothing fetched, text as text, no scrolling."""

from __future__ import annotations

import html
import json
import math
import re
import shutil
import struct
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import duckdb
import pytest
from lxml import etree

from exports.published import open_day
from exports.report.trend_report import first_picture, trend_report
from tests import homes
from tests.support import PROJECT
from warehouse.store import Store

SECTIONS = [
    "builds", "trends", "forecasts", "risers", "markets", "competitors", "season", "revenue", "scores", "alerts",
    "health",
]  # fmt: skip
# What an SVG and a page of text need; nothing that runs, loads or sends.
ALLOWED_TAGS = {
    "html", "head", "meta", "title", "style", "body", "header", "main", "section", "div", "h1", "h2", "h3", "p", "b",
    "span", "br", "a", "bdi", "data", "ul", "ol", "li", "details", "summary", "figure", "figcaption", "table", "thead",
    "tbody", "tr", "th", "td", "svg", "g", "path", "line", "text", "polyline", "circle",
}  # fmt: skip
LOADING = {"src", "srcset", "xlink:href", "action", "formaction", "ping", "background", "poster", "data"}
EVIL = "</h2><script>alert(1)</script><img src=x onerror=alert(1)>\u202e\"'><svg onload=alert(1)>&lt;b&gt;"
EVIL_SHOWN = "</h2><script>alert(1)</script>"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


@dataclass
class Part:
    """What stands in one section: its words, and every number in full."""

    text: str = ""
    numbers: list[float] = field(default_factory=list)


class Page(HTMLParser):
    """The report as a browser reads it, as far as these tests look."""

    def __init__(self, content: bytes) -> None:
        super().__init__()
        self.parts: dict[str, Part] = {}
        self.header = Part()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.styles = ""
        self._part = self.header
        self._in_style = False
        self.feed(content.decode("utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self.tags.append((tag, values))
        self._in_style = tag == "style"
        if tag == "section":
            self._part = self.parts.setdefault(str(values["id"]), Part())
        if tag == "data":
            self._part.numbers.append(float(str(values["value"])))

    def handle_endtag(self, tag: str) -> None:
        self._in_style = False

    def handle_data(self, data: str) -> None:
        if self._in_style:
            self.styles += data
        else:
            self._part.text += data

    @property
    def links(self) -> list[str]:
        """Where the page leads."""
        return [str(values["href"]) for tag, values in self.tags if "href" in values and tag == "a"]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """A home in which the sample's last day was run."""
    return homes.sample(tmp_path_factory)


@pytest.fixture(scope="module")
def day(home: Store) -> date:
    """The day that was run."""
    with duckdb.connect(str(home.published_path), read_only=True) as connection:
        rows = connection.execute("select as_of_date from meta.publication").fetchall()
    found: date = rows[0][0]
    return found


@pytest.fixture(scope="module")
def content(home: Store, day: date) -> bytes:
    """The file that the daily job wrote."""
    return (home.output / day.isoformat() / f"TREND_REPORT_{day}.html").read_bytes()


@pytest.fixture(scope="module")
def page(content: bytes) -> Page:
    return Page(content)


@pytest.fixture
def changed(home: Store, day: date, tmp_path: Path) -> Callable[..., Page]:
    """Makes the report of a copy of the published file after SQL has changed it."""

    def report(*statements: str) -> Page:
        copy = tmp_path / "trends.duckdb"
        shutil.copyfile(home.published_path, copy)
        with duckdb.connect(str(copy)) as connection:
            for statement in statements:
                connection.execute(statement)
        with open_day(copy, day) as opened:
            return Page(trend_report(opened))

    return report


def rows(home: Store, sql: str) -> list[tuple[Any, ...]]:
    with duckdb.connect(str(home.published_path), read_only=True) as connection:
        connection.execute("set TimeZone = 'UTC'")
        return connection.execute(sql).fetchall()


def assert_has(part: Part, *numbers: float | None) -> None:
    for number in numbers:
        assert number is not None
        assert any(math.isclose(number, found, rel_tol=1e-9) for found in part.numbers), (number, part.numbers)


def test_sections_stand_in_order_and_the_manifest_lists_the_file(home: Store, day: date, page: Page) -> None:
    assert list(page.parts) == SECTIONS
    assert all(part.text.strip() for part in page.parts.values())
    assert "Sample data: SIMULATED" in page.header.text
    assert "degraded" not in page.header.text, "nobody has to set up a sheet"
    manifest = json.loads((home.output / day.isoformat() / f"manifest_{day}.json").read_text(encoding="utf-8"))
    assert f"TREND_REPORT_{day}.html" in [entry["name"] for entry in manifest["files"]]


def test_builds_are_the_published_list(home: Store, day: date, page: Page) -> None:
    listed = rows(
        home,
        f"""
        select variants, gain_48h_p50, gain_48h_p10, gain_48h_p90, build_priority, video_url, because
        from marts.build_list where as_of_date = date '{day}' order by place
        """,
    )
    part = page.parts["builds"]
    assert part.numbers[0] == len(listed) > 6
    # Numbers of a card follow that of the heading: variants, p50, p10, p90.
    assert part.numbers[1:] == [number for row in listed[:6] for number in row[:4]]
    assert all(row[4] in part.text and row[6] in part.text for row in listed[:6])
    assert [link for link in page.links if "/video/" in link][:6] == [row[5] for row in listed[:6]]


def test_forecast_counts_and_risers_are_the_published_ones(home: Store, day: date, page: Page) -> None:
    ((made, cold),) = rows(
        home,
        "select count(*), count(*) filter (is_cold_start) from marts.forecasts"
        f" where as_of_date = date '{day}' and horizon_hours = 24",
    )
    assert page.parts["forecasts"].numbers[:2] == [made, cold]
    fastest = rows(
        home,
        f"""
        select age_hours, live_views_per_hour, live_momentum / expected_live_momentum, status from marts.videos_daily
        where as_of_date = date '{day}' and author_role = 'other' and not is_stale
        order by live_momentum - expected_live_momentum desc nulls last, market limit 1
        """,
    )[0]
    part = page.parts["risers"]
    assert part.numbers[:3] == pytest.approx(fastest[:3])
    assert fastest[3] in part.text


def test_sparklines_know_nothing_after_the_cut_off(page: Page, changed: Any) -> None:
    # Every reading once more, a year later and enormous: it would bend every line.
    later = changed(
        "create temp table later as select * from marts.video_readings",
        "update later set observed_at = observed_at + interval 1 year, live_views_per_hour = 1e12",
        "insert into marts.video_readings select * from later",
    )
    lines, lines_later = (
        [values["points"] for tag, values in report.tags if tag == "polyline"] for report in (page, later)
    )
    assert lines
    assert lines_later == lines


def test_market_leads_are_counted_as_published(home: Store, day: date, page: Page) -> None:
    leads = dict(
        rows(
            home,
            "select leader, count(*) from marts.cross_market_trends"
            f" where as_of_date = date '{day}' and not is_censored group by leader",
        )
    )
    open_ones = rows(
        home, f"select count(*) from marts.cross_market_trends where as_of_date = date '{day}' and is_censored"
    )
    numbers = [leads.get("US", 0), leads.get("UK", 0), leads.get("simultaneous", 0), open_ones[0][0]]
    assert page.parts["markets"].numbers[:4] == numbers


def test_share_of_voice_is_the_published_plays(home: Store, day: date, page: Page) -> None:
    summary = {
        role: (posts, plays)
        for role, posts, plays in rows(
            home,
            f"select role, posts, plays from marts.competitor_summary where as_of_date = date '{day}' and is_total",
        )
    }
    (own_posts, own_plays), (their_posts, their_plays) = summary["own"], summary["competitor"]
    part = page.parts["competitors"]
    assert_has(part, 100 * own_plays / (own_plays + their_plays), 100 * own_posts / (own_posts + their_posts))
    # Every account of the week has its bar.
    accounts = rows(
        home, f"select account from marts.competitor_summary where as_of_date = date '{day}' and not is_total"
    )
    assert all(f"@{account}" in part.text for (account,) in accounts)


def test_season_names_the_events_of_the_fortnight(home: Store, day: date, page: Page) -> None:
    events = rows(
        home,
        "select distinct name from marts.seasonal_alerts"
        f" where as_of_date = date '{day}' and event_start_date <= date '{day}' + 14"
        f" union select name from marts.seasonal_windows where as_of_date = date '{day}'",
    )
    assert events
    assert all(name in page.parts["season"].text for (name,) in events)


def test_revenue_is_the_published_one_and_says_its_source(home: Store, day: date, page: Page) -> None:
    ((total, counted, hits, at_cap),) = rows(
        home,
        "select sum(received), count(*), count(*) filter (is_hit), count(*) filter (is_at_cap)"
        f" from marts.template_revenue where as_of_date = date '{day}' and is_counted",
    )
    part = page.parts["revenue"]
    assert part.numbers[:4] == [pytest.approx(total), counted, hits, at_cap]
    assert "simulated" in part.text


def test_every_score_stands_beside_its_naive_twin(home: Store, day: date, page: Page) -> None:
    part = page.parts["scores"]
    scored = rows(
        home,
        # On everybody, where the panel read enough of those that left.
        "select is_enough or is_panel_enough, case when is_panel_enough then panel_score else score end,"
        " case when is_panel_enough then panel_twin_score else twin_score end,"
        " case when is_panel_enough then panel_coverage_80 else coverage_80 end, scored, due, is_panel_enough"
        " from marts.scorecard where market = 'ALL'"
        f" and kind = 'forecast' and value in ('all', 'warm', 'cold') and as_of_date = date '{day}' and due > 0",
    )
    assert {is_enough for is_enough, *_ in scored} == {True, False}
    assert part.text.count("by panel") >= sum(by_panel for *_, by_panel in scored) > 0
    for is_enough, *numbers, _ in scored:
        assert_has(part, *(numbers if is_enough else numbers[-2:]))
    assert part.text.count("not enough yet") >= sum(not is_enough for is_enough, *_ in scored)
    decided = rows(
        home,
        "select sum(correct_builds) / sum(builds) from marts.decision_scores where market = 'ALL'"
        f" and as_of_date > date '{day}' - 28 and decision_mode in ('measured', 'classic') group by decision_mode",
    )
    assert len(decided) == 2
    assert_has(part, *(precision for (precision,) in decided))
    assert "naive: build all" in part.text


def test_a_label_without_skill_is_greyed_and_one_mode_alone_is_not_shown(changed: Any) -> None:
    part = changed(
        "update marts.scorecard set is_greyed = true where kind = 'label' and label = 'Status'",
        "delete from marts.decision_scores where decision_mode = 'classic'",
    ).parts["scores"]
    assert part.text.count("not better than a guess") == 1
    assert "Build decisions" not in part.text


def test_alerts_tell_what_came_beside_what_was_expected(home: Store, day: date, page: Page) -> None:
    outcomes = rows(
        home,
        f"""
        with sent as (
            select * from marts.acceleration_alerts
            where is_message and alerted_at < date '{day}' + 1 and alerted_at > date '{day}' - 6
            order by alerted_at desc, market, video_id limit 4
        )
        select scores.gain_views, scores.expected_gain_views
        from sent inner join marts.alert_outcomes as scores using (market, video_id, alerted_at)
        """,
    )
    assert outcomes
    assert_has(page.parts["alerts"], *(number for row in outcomes for number in row))


def test_health_lists_every_source(home: Store, day: date, page: Page) -> None:
    sources = rows(home, f"select market, kind, items from marts.source_health where as_of_date = date '{day}'")
    assert_has(page.parts["health"], *(items for _, _, items in sources))
    assert all(f"{market} {kind}" in page.parts["health"].text for market, kind, _ in sources)


def test_nothing_is_fetched_and_links_lead_to_tiktok_and_capcut(page: Page, content: bytes) -> None:
    assert {tag for tag, _ in page.tags} <= ALLOWED_TAGS
    assert page.links
    capcut = "https://www.capcut.com/template-detail/"
    of_tiktok = [link for link in page.links if not link.startswith(capcut)]
    kinds = {link.removeprefix("https://www.tiktok.com/").split("/")[0] for link in of_tiktok}
    assert all(kind.startswith("@") or kind in ("tag", "music") for kind in kinds)
    assert "tag" in kinds, "a trend leads to its page"
    for tag, values in page.tags:
        for name, value in values.items():
            assert not name.startswith("on"), (tag, name)
            assert name not in LOADING, (tag, name)
            assert name == "href" or "//" not in str(value), (tag, name, value)
            assert "url(" not in str(value), (tag, name, value)
    assert "url(" not in page.styles
    assert "@import" not in page.styles
    assert b"default-src 'none'" in content


def test_hostile_text_is_text(day: date, changed: Any) -> None:
    quoted = EVIL.replace("'", "''")
    hostile = changed(
        f"update marts.videos_daily set caption = '{quoted}', author_handle = '{quoted}',"
        f" decision_reasons = '{quoted}', music_name = '{quoted}', would_change_if = '{quoted}',"
        " video_url = 'javascript:alert(1)'",
        f"update marts.build_list set caption = '{quoted}', author_handle = '{quoted}', trend_name = '{quoted}',"
        f" would_change_if = '{quoted}', because = '{quoted}', video_url = 'javascript:alert(1)',"
        " trend_url = 'https://www.tiktok.com.evil.test/tag/x'",
        f"update marts.trend_list set trend_name = '{quoted}', author_handle = '{quoted}', markets = '{quoted}',"
        " other_market = null, video_url = 'javascript:alert(1)', trend_url = 'https://www.capcut.com.evil.test/x'",
        f"update marts.competitor_gaps set trend = '{quoted}', url = 'https://www.tiktok.com.evil.test/@a/video/1'",
        f"update marts.template_revenue set trend_description = '{quoted}', url = 'data:text/html,<script>'",
        f"update marts.acceleration_alerts set caption = '{quoted}', video_url = 'http://www.tiktok.com/@a/video/1'",
        f"update marts.cross_market_trends set trend_key = 'hashtag:{quoted}' || trend_key",
        f"update marts.source_health set message = '{quoted}'",
        f"update marts.seasonal_alerts set name = '{quoted}', template_ideas = '{quoted}'",
        f"update marts.competitor_summary set account = '{quoted}' where not is_total and role = 'competitor'",
    )
    assert list(hostile.parts) == SECTIONS
    assert {tag for tag, _ in hostile.tags} <= ALLOWED_TAGS
    assert not any(name.startswith("on") for _, values in hostile.tags for name in values)
    assert hostile.links == []
    for name in (
        "builds",
        "trends",
        "forecasts",
        "risers",
        "markets",
        "competitors",
        "season",
        "revenue",
        "alerts",
        "health",
    ):
        assert EVIL_SHOWN in hostile.parts[name].text, name
        assert "\u202e" not in hostile.parts[name].text, name


def test_equal_marts_give_equal_bytes_in_another_process(home: Store, day: date, content: bytes) -> None:
    program = (
        "import sys, pathlib, datetime\n"
        "from exports.published import open_day\n"
        "from exports.report.trend_report import first_picture, trend_report\n"
        "with open_day(pathlib.Path(sys.argv[1]), datetime.date.fromisoformat(sys.argv[2])) as day:\n"
        "    reports = {trend_report(day), trend_report(day)}\n"
        "(report,) = reports\n"
        "sys.stdout.buffer.write(report)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(home.published_path), day.isoformat()],
        cwd=PROJECT, capture_output=True, check=True, timeout=120,
        env={"PYTHONHASHSEED": "4", "TZ": "Asia/Tokyo", "PATH": ""},
    )  # fmt: skip
    assert done.stdout == content


def test_a_degraded_day_says_so_first(day: date, changed: Any) -> None:
    degraded = changed(
        f"update marts.source_health set is_missing = true, items = 0, last_observed_at = null, age_hours = null,"
        f" message = 'no UK feed came' where as_of_date = date '{day}' and market = 'UK'",
        f"delete from marts.videos_daily where as_of_date = date '{day}' and market = 'UK'",
        f"delete from marts.cross_market_trends where as_of_date = date '{day}'",
        f"delete from marts.feed_overlap where as_of_date = date '{day}'",
        f"insert into meta.check_results values (date '{day}', 'invented_check', 3, 'three rows')",
    )
    assert "no UK feed came" in degraded.header.text
    assert "invented check: three rows" in degraded.header.text
    assert "invented check: three rows" in degraded.parts["health"].text
    assert "only one market was read" in degraded.parts["markets"].text
    assert degraded.parts["builds"].numbers[0] > 0


def test_a_day_without_rows_says_what_is_missing(home: Store, day: date, changed: Any) -> None:
    tables = rows(
        home,
        "select table_name from duckdb_columns() where schema_name = 'marts' and column_name = 'as_of_date'"
        " and table_name <> 'source_health'",
    )
    empty = changed(
        *(f"delete from marts.{table}" for (table,) in tables),
        "update marts.source_health set is_missing = true, items = 0, last_observed_at = null, message = 'none came'",
    )
    assert list(empty.parts) == SECTIONS
    said = {
        "builds": "Nothing to build", "trends": "No trend grows", "forecasts": "No forecast was made",
        "risers": "No video gains", "markets": "No trend has started", "competitors": "No post",
        "season": "No event", "revenue": "No revenue", "scores": "not scored yet", "alerts": "No alert",
        "health": "none came",
    }  # fmt: skip
    for name, text in said.items():
        assert text in empty.parts[name].text, name


def chromium(*arguments: str) -> str:
    """Runs headless Chromium, which can make no picture of a window narrower than 500 px: hence the frames."""
    command = [str(CHROMIUM), "--headless", "--no-sandbox", "--hide-scrollbars", "--disable-gpu", *arguments]
    return subprocess.run(command, capture_output=True, check=True, timeout=120, text=True).stdout


def test_the_first_picture_stands_alone(content: bytes) -> None:
    picture = first_picture(content)
    assert picture is not None and "var(" not in picture
    texts = [text.text for text in etree.fromstring(picture.encode()).iter("{http://www.w3.org/2000/svg}text")]
    assert "views still to come once it is out" in texts
    assert first_picture(b"<html><p>nothing to build</p></html>") is None


@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed: the page is not looked at")
def test_a_phone_and_a_desktop_need_not_scroll_sideways(content: bytes, tmp_path: Path) -> None:
    # A phone, the narrowest page with three cards in a row, a small and a common desktop.
    widths = (390, 920, 1100, 1280)
    page = html.escape(content.decode("utf-8"), quote=True)
    frames = "".join(
        f'<iframe style="border:0;width:{width}px;height:4000px" srcdoc="{page}"></iframe>' for width in widths
    )
    # A frame of its own document may be looked into: the widest thing in it must end within it.
    script = """
        onload = () => document.body.dataset.found = JSON.stringify([...document.querySelectorAll('iframe')].map(f => {
            const root = f.contentDocument.documentElement
            const ends = [...root.querySelectorAll('body *')].map(e => e.getBoundingClientRect().right)
            const charts = [...root.querySelectorAll('svg.chart')].map(e => e.getBoundingClientRect().width)
            const heads = [...root.querySelectorAll('.cards .row > *')].map(e => e.getBoundingClientRect().height)
            return [root.scrollWidth, Math.max(...ends), Math.min(...charts), charts.length, Math.max(...heads)]
        }))
    """
    wrapper = tmp_path / "wrapper.html"
    wrapper.write_text(
        f'<!doctype html><meta charset="utf-8"><body style="margin:0;width:{sum(widths) + 10}px;display:flex">'
        f"{frames}<script>{script}</script>",
        encoding="utf-8",
    )
    found = re.search(r'data-found="([^"]+)"', chromium("--dump-dom", wrapper.as_uri()))
    assert found
    measured = json.loads(html.unescape(found[1]))
    for width, (scroll_width, rightmost, narrowest_chart, charts, highest_head) in zip(widths, measured, strict=True):
        assert scroll_width == width
        assert rightmost <= width
        assert charts == 6
        # Their text is drawn at 12 px for a width of 340.
        assert narrowest_chart > 320
        # What stands at the head of a build takes one line each, not one a letter.
        assert highest_head < 30
    picture = tmp_path / "report.png"
    chromium(f"--screenshot={picture}", f"--window-size={sum(widths) + 10},4000", wrapper.as_uri())
    png = picture.read_bytes()
    assert struct.unpack(">II", png[16:24]) == (sum(widths) + 10, 4000)
    # A blank picture of this size has some 40 kB.
    assert len(png) > 300_000
