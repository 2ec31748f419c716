"""TREND_REPORT: the day in pictures, one HTML file that a person reads in two minutes on a phone.

Belongs here: the sections, their words and the page. A further section is a `Section` in `SECTIONS`. Must not be here:
SQL (`published`), how a chart is drawn (`report_charts`), how text is made harmless (`text_safety`).

The file fetches nothing: styles and pictures are inline, there is no script, and its own content security policy
forbids the rest. Links lead to TikTok and CapCut only. Numbers stand in `<data value>`: shortened for people, whole
for programs.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np

from exports import published
from exports.published import Day
from exports.report import report_charts
from exports.text import build_list, followed, score_lines, trends
from exports.text.daily_report import degradations
from exports.text.heard import alert_lines
from exports.text.lines import headline, revenue_line, sample_lines
from exports.text.scorecard import DECISION_MODES
from services.text_safety import html_line, safe_link, visible_line
from services.times import Times

Row = dict[str, Any]

BUILDS = 6
RISERS = 6
TRENDS = 8
OUTLIERS = 4
LEADS = 5
ARRIVALS = 3
MISSED = 3
TEMPLATES = 8
ALERTS = 4
ALERT_DAYS = 7
SCORED_DAYS = 28
SEASON_DAYS = 14
LINK_HOSTS = ("www.tiktok.com", "www.capcut.com")
NO_CAPTION = "(no caption)"

STRATA = ("all", "warm", "cold")
MODE_NAMES = {"measured": "measured", "classic": "classic rules"}

_CHART = re.compile(r'<svg class="chart" viewBox="0 0 ([\d.]+) ([\d.]+)"[^>]*>(.*?)</svg>', re.DOTALL)
_COLOUR = re.compile(r"--([a-z-]+):(#[0-9a-f]+)")
_USED_COLOUR = re.compile(r"var\(--([a-z-]+)\)")

STYLE = """
:root{color-scheme:light dark;--page:#f4f5f7;--card:#fff;--ink:#1b1f24;--muted:#5b6470;--line:#e1e4e8;--accent:#08786f;
--other:#b4690e;--soft:#a8ddd6;--bad:#b3261e;--bad-soft:#fdecea;--chip:#eef1f4}
@media (prefers-color-scheme:dark){:root{--page:#0f1216;--card:#181c22;--ink:#e9edf1;--muted:#9aa4b0;--line:#2b323b;
--accent:#3fc4b5;--other:#e5a04b;--soft:#1f5f59;--bad:#ff8a80;--bad-soft:#3a1c1a;--chip:#242a32}}
*{box-sizing:border-box}
body{margin:0;background:var(--page);color:var(--ink);font:15px/1.45 system-ui,-apple-system,"Segoe UI",Roboto,
"Noto Sans",sans-serif;overflow-wrap:anywhere}
main,header{max-width:1160px;margin:0 auto;padding:0 12px}
header{padding-top:14px}
main{padding-bottom:32px}
section{background:var(--card);border:1px solid var(--line);border-radius:12px;padding:14px;margin:0 0 12px;
break-inside:avoid}
h1{font-size:22px;line-height:1.2;margin:0}
h2{font-size:17px;margin:0 0 2px}
h3{font-size:14px;margin:14px 0 4px}
p{margin:4px 0}
ul,ol{margin:6px 0;padding:0;list-style:none}
li{padding:7px 0;border-top:1px solid var(--line)}
li:first-child{border-top:0}
a{color:var(--accent)}
bdi{unicode-bidi:isolate}
figure{margin:8px 0 0}
svg.chart{display:block;width:100%;max-width:440px;height:auto}
svg.spark{width:96px;height:40px;flex:none}
svg.spark polyline{fill:none;stroke:var(--accent);stroke-width:2;stroke-linejoin:round}
svg.spark circle{fill:var(--accent)}
table{border-collapse:collapse;width:100%;font-size:13px;font-variant-numeric:tabular-nums}
th,td{text-align:right;padding:4px 3px;border-top:1px solid var(--line);vertical-align:top;font-weight:normal}
thead th{border-top:0;color:var(--muted)}
thead th,td{overflow-wrap:normal}
th:first-child,td:first-child{text-align:left}
.scores tbody th{white-space:nowrap}
.guess{opacity:.5}
.ours td,.ours th{font-weight:600}
.sub{color:var(--muted);font-size:13px}
.tiles{display:grid;gap:8px;grid-template-columns:repeat(5,minmax(0,1fr));margin:12px 0}
.tiles div{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:6px 5px;min-width:0}
.tiles b{display:block;font-size:18px}
.tiles span{color:var(--muted);font-size:10px;line-height:1.2;display:block}
.warn{background:var(--bad-soft);border-left:4px solid var(--bad);border-radius:8px;padding:8px 12px;margin:10px 0}
.warn li{border:0;padding:2px 0}
.note{background:var(--chip);border-radius:8px;padding:6px 12px;margin:10px 0;font-size:13px}
.chip{background:var(--chip);border-radius:99px;padding:1px 8px;font-size:13px;font-weight:600;white-space:nowrap}
.row{display:flex;gap:8px;align-items:center;justify-content:space-between;flex-wrap:wrap}
.grow{flex:1 1 0;min-width:0}
.keep{flex:1 1 auto;white-space:nowrap}
.over{color:var(--bad)}
.key{display:inline-block;width:10px;height:10px;border-radius:3px;vertical-align:-1px;margin-right:3px}
details{font-size:13px;color:var(--muted)}
summary{cursor:pointer}
@media (min-width:900px){
.columns{columns:2;column-gap:14px}
section{margin-bottom:14px}
.tiles{grid-template-columns:repeat(10,minmax(0,1fr))}
ol.cards{display:grid;grid-template-columns:repeat(3,minmax(0,1fr));gap:12px}
ol.cards li{border:1px solid var(--line);border-radius:10px;padding:10px}
h1{font-size:26px}}
""".replace("\n", "")


@dataclass(frozen=True, slots=True)
class Section:
    """One part of the report.

    Attributes:
        key: Its id in the page.
        title: Its heading.
        make: Makes its HTML; every text in it is escaped.
    """

    key: str
    title: str
    make: Callable[[Day], str]


def trend_report(day: Day) -> bytes:
    """The report as UTF-8 HTML; byte-identical for equal marts.

    Args:
        day: The published file, opened for the date.
    """
    # The first one has the whole width of a large screen, the others stand in two columns, in the same order.
    first, *others = (
        f'<section id="{section.key}"><h2>{html_line(section.title)}</h2>\n{made}</section>'
        for section in SECTIONS
        if (made := section.make(day))
    )
    sections = "\n".join([first, "<div class=columns>", *others, "</div>"])
    title = f"TikTok Trend Report {day.as_of_date}"
    page = (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">\n'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="referrer" content="no-referrer">\n'
        f"<title>{title}</title>\n<style>{STYLE}</style></head>\n<body>\n"
        f"<header>{_header(day)}</header>\n<main>\n{sections}\n</main>\n</body></html>\n"
    )
    return page.encode("utf-8")


def first_picture(report: bytes) -> str | None:
    """The first chart of a report as an SVG document of its own, in the colours of the light page.

    Args:
        report: What `trend_report` gave.

    Returns:
        The document; None where the day had nothing to draw.
    """
    found = _CHART.search(report.decode("utf-8"))
    if found is None:
        return None
    width, height, drawing = found.groups()
    colours = dict(_COLOUR.findall(STYLE.split("@media")[0]))
    drawing = _USED_COLOUR.sub(lambda used: colours[used[1]], drawing)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{2 * float(width):g}" height="{2 * float(height):g}"'
        f' viewBox="0 0 {width} {height}"><rect width="100%" height="100%" fill="{colours["card"]}"/>{drawing}</svg>'
    )


def _header(day: Day) -> str:
    parts = [
        f"<h1>📊 TikTok Trend Report</h1><p class=sub>{day.as_of_date:%A} {_day(day.as_of_date)} {day.as_of_date.year},"
        f" as of {day.times.plain_day(day.cutoff_at)}. All times {html_line(day.times.note(day.cutoff_at))}."
        f" Markets: {html_line(' + '.join(day.markets)) or 'none'}.</p>"
    ]
    problems = [
        *degradations(day),
        *(
            f"the feeds of {pair['market_a']} and {pair['market_b']} share {pair['jaccard']:.0%} of their videos:"
            " the scraper's region setting seems not to work"
            for pair in published.feed_overlaps(day)
            if pair["is_suspicious"]
        ),
    ]
    if problems:
        items = "".join(f"<li>{html_line(problem)}</li>" for problem in problems)
        parts.append(f'<div class=warn id="degraded"><b>⚠️ This day is degraded</b><ul>{items}</ul></div>')
    parts += [f"<p class=note>{html_line(label)}: {html_line(text)}</p>" for label, text in sample_lines(day)]
    tiles = "".join(
        f"<div><b>{_number(value)}</b><span>{html_line(name)}</span></div>" for name, value in headline(day)
    )
    return "".join(parts) + f"<div class=tiles>{tiles}</div>"


def _builds(day: Day) -> str:
    rows = published.build_list(day)
    if not rows:
        changed = html_line(build_list.changes(day))
        return f"<p>Nothing to build: no decision of the day says so.</p><p class=sub>{changed}</p>"
    shown = rows[:BUILDS]
    more = f" The first {len(shown)} are shown." if len(rows) > len(shown) else ""
    head = (
        f"<p class=sub>{_number(len(rows))} in the list: {html_line(build_list.counted(rows))}.{more}"
        f" {html_line(build_list.changes(day))}</p>"
    )
    return head + "<ol class=cards>" + "".join(_build(row, day.times) for row in shown) + "</ol>"


def _build(row: Row, times: Times) -> str:
    season = f" · 📅 {html_line(row['seasonal_event'])}" if row["seasonal_event"] else ""
    built = " · ✅ built before" if row["previously_built"] else ""
    despite = f"<p class=sub>{html_line(row['despite'])}</p>" if row["despite"] else ""
    # A video that shares nothing with others is its own trend: its name stands above already.
    trend = (
        f"<p class=sub>trend: {_link(row['trend_url'], row['trend_name'], 60)}</p>"
        if row["trend_url"] != row["video_url"]
        else ""
    )
    return (
        f"<li><div class=row><b>{row['place']}.</b><span class=chip>{html_line(row['build_priority'])}</span>"
        f"<span class='sub keep'>{html_line(row['market_label'])}</span>"
        f"<span class=sub>{_counted(row['variants'], 'variant')}</span></div>"
        f"<p>{_link(row['video_url'], build_list.name(row, 90), 91)}"
        f" <span class=sub>{_creator(row)}{season}{built}</span></p>"
        f"<p><b>publish by {html_line(build_list.publish_by(row, times))}</b></p>"
        f"<p>{_forecast(row)} · confidence {html_line(row['confidence'])}</p>"
        f"<p class=sub>{html_line(row['because'])}</p>{despite}{trend}"
        f"<details><summary>What would change it</summary>"
        f"<p><bdi>{html_line(row['trend_key'], 60)}</bdi></p>"
        f"<p>Would change by: {html_line(row['would_change_if'] or 'not known')}</p></details></li>"
    )


def _forecasts(day: Day) -> str:
    counts = published.forecast_counts(day)
    if not counts["made"]:
        return "<p>No forecast was made: there is no reading to start from.</p>"
    text = (
        f"<p class=sub>{_counted(counts['made'], 'forecast')} for 24 h by {html_line(counts['models'])};"
        f" {_number(counts['cold_starts'])} without a measured pace, {_number(counts['stale'])} from old readings.</p>"
    )
    values = [
        {
            "label": f"{row['place']}. {visible_line(build_list.name(row), 60)}",
            "low": row["gain_48h_p10"],
            "middle": row["gain_48h_p50"],
            "high": row["gain_48h_p90"],
        }
        for row in published.build_list(day)[:BUILDS]
        if row["gain_48h_p50"] is not None
    ]
    if not values:
        return text + "<p>No video to build has a forecast.</p>"
    return text + _figure(
        report_charts.range_chart(values, "views still to come once it is out"),
        f"Numbered as above. {_swatch('soft')}80 % range {_swatch('accent')}middle",
    )


def _risers(day: Day) -> str:
    rows = published.risers(day, RISERS)
    if not rows:
        return "<p>No video gains faster than its age lets one expect, or none was read twice.</p>"
    items = []
    for row in rows:
        pace = row["pace"] or []
        spark = (
            report_charts.sparkline(pace, f"views per hour over {len(pace)} readings")
            if len(pace) > 1
            else "<span class=sub>one reading</span>"
        )
        ratio = row["live_momentum"] / row["expected_live_momentum"] if row["expected_live_momentum"] else None
        times = f", {_number(ratio, '.1f')} × expected" if ratio is not None else ""
        items.append(
            f"<li class=row><div class=grow>{_link(row['video_url'], row['caption'] or NO_CAPTION, 60)}<br>"
            f"<span class=sub>{html_line(row['status'])} · {html_line(row['market'])} ·"
            f" {_number(row['age_hours'], '.0f')} h old</span><br>"
            f"{_compact(row['live_views_per_hour'])} views/h{times}</div>{spark}</li>"
        )
    return (
        "<p class=sub>Live momentum over what is expected at that age. Line: views per hour from reading to reading."
        f"</p><ul>{''.join(items)}</ul>"
    )


def _trends(day: Day) -> str:
    rows = published.trend_list(day)
    items = "".join(
        f"<li class=row><div class=grow><b>{row['place']}.</b> {_link(row['trend_url'], trends.name(row), 60)}"
        f" <span class=chip>{html_line(trends.stage(row))}</span><br>"
        f"{_compact(row['gained_views_24h'], '+')} views in 24 h, {_counted(row['creators'], 'creator')}<br>"
        f"<span class=sub>{html_line(trends.markets(row))} · {html_line(trends.days_left(row))} ·"
        f" {_link(row['video_url'], 'best example', 20)} {_creator(row)}</span></div>"
        f"{_gains(row['gained_by_day'])}</li>"
        for row in rows[:TRENDS]
    )
    shown = f" The first {TRENDS} of {_number(len(rows))}; all are in the TRENDS tab." if len(rows) > TRENDS else ""
    listed = (
        f"<p class=sub>Sounds, templates and tags that can still be joined, by what their videos gained.{shown}"
        f" Line: views gained, day by day.</p><ol>{items}</ol>"
        if rows
        else f"<p>{html_line(trends.NO_TREND)}</p>"
    )
    found = "".join(
        f"<li>{_link(row['video_url'], trends.outlier_head(row), 90)}<br>"
        f"<span class=sub>{html_line(trends.outlier_detail(row))}</span></li>"
        for row in published.outliers(day, OUTLIERS)
    )
    outliers = f"<ul>{found}</ul>" if found else f"<p class=sub>{html_line(trends.NO_OUTLIER)}</p>"
    return f"{listed}<h3>Far above their creator's usual</h3>{outliers}"


def _followed(day: Day) -> str:
    """What the watch list follows; nothing where it follows nothing."""
    items = "".join(
        f"<li><b>{html_line(followed.name(row), 60)}</b><br>{html_line(followed.did(row))}"
        + (
            f"<br><span class=sub>best: {_link(row['best_video_url'], row['best_caption'] or NO_CAPTION, 60)}"
            f" {html_line('@' + row['best_author_handle'], 40) if row['best_author_handle'] else ''}</span>"
            if row["videos"]
            else ""
        )
        + "</li>"
        for row in published.followed(day)
    )
    return f"<p class=sub>What seeds/watchlist.csv follows, by the views gained.</p><ul>{items}</ul>" if items else ""


def _gains(values: Sequence[int | None]) -> str:
    known = [value for value in values if value is not None]
    return report_charts.sparkline(known, f"views gained in 24 h over {len(known)} days") if len(known) > 1 else ""


def _markets(day: Day) -> str:
    rows = published.market_leads(day)
    overlap = "".join(
        f"<p class=sub>{_number(pair['videos_shared'])} videos in both {html_line(pair['market_a'])} and"
        f" {html_line(pair['market_b'])} ({_number(pair['jaccard'] * 100, '.0f')} % of all).</p>"
        for pair in published.feed_overlaps(day)
    )
    if not rows:
        return f"<p>No trend has started in a market within 28 days, or only one market was read.</p>{overlap}"
    arrived = [row for row in rows if not row["is_censored"]]
    led = [f"{html_line(market)} led {_number(_leads(arrived, market))}" for market in day.markets]
    head = (
        f"<p class=sub>Trends in both markets: {', '.join(led)}, {_number(_leads(arrived, 'simultaneous'))} at once."
        f" {_number(len(rows) - len(arrived))} are in one market only.</p>"
    )
    # A trend whose first market has let go of it is nothing to wait for.
    coming = [row for row in rows if row["is_censored"] and row["first_creators"]][:LEADS]
    shown = [*coming, *arrived[:ARRIVALS]]
    first = min((row["first_onset_date"] for row in shown), default=day.as_of_date)
    last = max((row["expected_arrival_p75_date"] or day.as_of_date for row in shown), default=day.as_of_date)
    values = [
        {
            # Markets first: a name in a script that runs from right to left would take them to its other side.
            "label": f"{row['first_market']} → {row['other_market']} {_trend(row)}{_lag(row)}",
            "is_ours": not row["is_censored"],
            "start": row["first_onset_date"],
            "end": row["other_onset_date"] or row["first_onset_date"],
            "soft_start": row["expected_arrival_p25_date"],
            "soft_end": row["expected_arrival_p75_date"],
        }
        for row in shown
    ]
    chart = _figure(
        report_charts.time_chart(values, day.as_of_date, first, max(last, day.as_of_date) + timedelta(days=1)),
        f"{_swatch('other')}started in one market {_swatch('soft')}expected in the other (25-75 %)"
        f" {_swatch('accent')}in both; dashed: {_day(day.as_of_date)}",
    )
    items = "".join(
        f"<li>{html_line(row['first_market'])} → {html_line(row['other_market'])}"
        f" {_link(build_list.trend_link(row['trend_key']), _trend(row), 48)}<br>"
        f"<span class=sub>{_arrival(row)}</span></li>"
        for row in coming
    )
    return f"{head}{chart}<ul>{items}</ul>{overlap}"


def _leads(rows: Sequence[Row], leader: str) -> int:
    return sum(row["leader"] == leader for row in rows)


def _lag(row: Row) -> str:
    return "" if row["is_censored"] else f" (+{row['lag_days']} d)"


def _arrival(row: Row) -> str:
    parts = [f"{_counted(row['first_creators'], 'creator')} there today"]
    if row["arrival_probability_7d"] is not None:
        parts.append(f"{_number(row['arrival_probability_7d'] * 100, '.0f')} % within 7 days")
    if row["is_overdue"]:
        parts.append("overdue")
    elif row["expected_arrival_date"] is not None:
        parts.append(f"expected {_day(row['expected_arrival_date'])}")
    return ", ".join(parts)


def _competitors(day: Day) -> str:
    rows = published.competitor_section(day, "competitor_summary", None)
    posts, plays = (sum(row[name] for row in rows if row["is_total"]) for name in ("posts", "plays"))
    if not posts:
        return "<p>No post of an own or competitor account was seen in 7 days: they stand in seeds/accounts.csv.</p>"
    own = next(row for row in rows if row["is_total"] and row["role"] == "own")
    share = f"{_number(100 * own['plays'] / plays, '.0f')} % of the plays" if plays else "no play known"
    head = (
        f"<p>You: <b>{share}</b>, {_number(100 * own['posts'] / posts, '.0f')} % of {_number(posts)} posts"
        " in 7 days.</p>"
    )
    values = [
        {
            "label": f"@{row['account']} ({row['posts']})",
            "value": row["plays"] / plays if plays else 0,
            "is_ours": row["role"] == "own",
        }
        for row in sorted(rows, key=lambda row: (-row["plays"], row["account"]))
        if not row["is_total"]
    ]
    chart = _figure(
        report_charts.bar_chart(values, "share of all their plays", ".0%"),
        f"{_swatch('accent')}you {_swatch('other')}competitors; in brackets: posts",
    )
    duels = "".join(
        f"<p>Of {_number(duel['contested'])} trends both sides used, you were first on {_number(duel['you_first'])},"
        f" they on {_number(duel['they_first'])}; larger after 48 h: you {_number(duel['you_larger'])}, they"
        f" {_number(duel['they_larger'])} of {_number(duel['measured'])} measured. Skipped by you:"
        f" {_number(duel['skipped_by_you'])}, by them: {_number(duel['skipped_by_them'])}.</p>"
        for duel in published.competitor_section(day, "competitor_win_loss", None)
        if duel["is_total"]
    )
    missed = "".join(
        f"<li>{_link(row['url'], row['trend'] or row['trend_key'], 60)}<br>"
        f"<span class=sub>@{html_line(row['account'])}, momentum {_compact(row['competitor_momentum'])},"
        f" {_number(row['hours_behind'], '.0f')} h ago</span></li>"
        for row in _missed(day)
    )
    return f"{head}{chart}{duels}" + (f"<h3>You missed</h3><ul>{missed}</ul>" if missed else "")


def _missed(day: Day) -> list[Row]:
    """Trends of competitors without an own post, each by the strongest of their posts."""
    gaps = (row for row in published.competitor_gaps(day, None) if row["gap_type"] == "MISSED_BY_YOU")
    strongest: dict[str, Row] = {}
    for row in gaps:
        strongest.setdefault(row["trend_key"], row)
    return list(strongest.values())[:MISSED]


def _season(day: Day) -> str:
    rows = published.seasonal_spans(day)
    if not rows:
        return "<p>No event within its lead time, no content window open.</p>"
    values = [
        {
            "label": f"{row['emoji']} {row['name']} ({row['markets']})",
            "is_ours": row["kind"] == "event",
            "start": row["starts_on"],
            "end": row["ends_on"],
        }
        for row in rows
    ]
    first = day.as_of_date - timedelta(days=3)
    last = max(day.as_of_date + timedelta(days=SEASON_DAYS), *(row["starts_on"] + timedelta(days=2) for row in rows))
    chart = _figure(
        report_charts.time_chart(values, day.as_of_date, first, last),
        f"{_swatch('accent')}event {_swatch('other')}content window; dashed: {_day(day.as_of_date)}",
    )
    items = []
    # What is further away is in the picture only.
    for row in (row for row in rows if row["starts_on"] <= day.as_of_date + timedelta(days=SEASON_DAYS)):
        ideas = "sombre: no commercial templates" if row["tone"] == "sombre" else _ideas(row["template_ideas"])
        about = " (± 1 day)" if row["is_approximate"] else ""
        items.append(
            f"<li>{html_line(row['emoji'])} {html_line(row['name'])} · {_day(row['event_date'])}{about} ·"
            f" {html_line(row['markets'])} · {html_line(row['window_text'])}<br><span class=sub>{ideas}</span></li>"
        )
    return f"{chart}<ul>{''.join(items)}</ul>"


def _ideas(text: str | None) -> str:
    return html_line((text or "").replace("|", ", "))


def _revenue(day: Day) -> str:
    counted = [row for row in published.revenue_rows(day) if row["is_counted"]]
    source = f"<p class=sub>From {html_line(revenue_line(day, day.times))}.</p>"
    if not counted:
        return f"<p>No revenue is known for this date.</p>{source}"
    hits = [row for row in counted if row["is_hit"]]
    head = (
        f"<p><b>{_dollars(math.fsum(row['received'] for row in hits))}</b> received for"
        f" {_counted(len(counted), 'template')}: {_number(len(hits))} earned anything,"
        f" {_number(sum(row['is_at_cap'] for row in counted))} are at the cap.</p>{source}"
    )
    # What is at the cap already earns no more: those on their way are of interest.
    below = [row for row in hits if not row["is_at_cap"]]
    rows = sorted(below, key=lambda row: (-row["received"], row["sheet_row"]))[:TEMPLATES]
    if not rows:
        return head
    values = [
        {
            "label": f"{row['trend_description'] or row['url']} @{row['account']}",
            "value": row["received"],
            "expected": row["forecast_p50"],
            "is_ours": True,
        }
        for row in rows
    ]
    chart = _figure(
        report_charts.bar_chart(values, "dollars", "$,d", rows[0]["cap"]),
        f"Below the cap ({_dollars(rows[0]['cap'])}, dashed): {_swatch('accent')}received, tick: expected in"
        f" {_number(rows[0]['forecast_days'])} days",
    )
    nearing = "".join(
        f"<li>{_link(row['url'], row['trend_description'] or row['url'], 48)} {_dollars(row['received'])}"
        f" <span class=sub>{_dollars(row['forecast_p10'])} to {_dollars(row['forecast_p90'])} in"
        f" {row['forecast_days']} days, cap expected {_day(row['cap_on_p50'])}</span></li>"
        for row in sorted(
            (row for row in rows if row["cap_on_p50"]), key=lambda row: (row["cap_on_p50"], row["sheet_row"])
        )
    )
    return head + chart + (f"<h3>Reaching the cap</h3><ul>{nearing}</ul>" if nearing else "")


def _scores(day: Day) -> str:
    rows = [dict(score_lines.on_everybody(row)) for row in published.scorecard(day)]
    _, decisions = published.scorecard_days(
        day.connection, day.as_of_date - timedelta(days=SCORED_DAYS - 1), day.as_of_date
    )
    said = score_lines.forecast_line(score_lines.headline_row(rows))
    text = f"<p>{html_line(said, 600)}</p>"
    text += _forecast_scores([row for row in rows if row["kind"] == "forecast" and row["due"]])
    text += _label_scores(rows)
    return text + _decision_scores([row for row in decisions.dicts() if row["market"] == "ALL"])


def _forecast_scores(rows: Sequence[Row]) -> str:
    """Horizons and groups beside the best naive forecast; with too few scored, the population alone."""
    shown = [
        row
        for record in (score_lines.TRACK_RECORD, score_lines.REPLAY)
        for horizon in sorted({row["horizon_hours"] for row in rows})
        for stratum in STRATA
        for row in rows
        if (row["record"], row["horizon_hours"], row["value"], row["market"]) == (record, horizon, stratum, "ALL")
    ]
    if not shown:
        return ""
    drawn = score_lines.headline_row(rows)
    chart = ""
    if drawn is not None and drawn["is_enough"]:
        values = [
            {"label": "our forecast", "value": drawn["score"], "is_ours": True},
            {"label": f"naive: {score_lines.TWINS[drawn['twin']]}", "value": drawn["twin_score"], "is_ours": False},
        ]
        chart = _figure(
            report_charts.bar_chart(
                values, f"error of the {drawn['horizon_hours']} h gain, as a share of all gains", ".2f"
            ),
            "lower is better",
        )
    body = "".join(
        f"<tr{' class=ours' if row is drawn else ''}><th>{row['record']}, {row['horizon_hours']} h, {row['value']}"
        f"{'<br><span class=sub>by panel</span>' if row.get('by_panel') else ''}</th>"
        + (
            f"<td>{_score(row['score'])}</td><td>{_score(row['twin_score'])}</td><td>{score_lines.skill(row)}</td>"
            f"<td>{_score(row['coverage_80'])}</td>"
            if row["is_enough"]
            else f"<td colspan=4>{score_lines.NOT_ENOUGH}</td>"
        )
        + f"<td>{_number(row['scored'])} of {_number(row['due'])}</td></tr>"
        for row in shown
    )
    return (
        f"{chart}<table class=scores><thead><tr><th></th><th>error</th><th>best naive</th><th>skill</th>"
        f"<th>in range</th><th>scored of due</th></tr></thead><tbody>{body}</tbody></table>"
    )


def _label_scores(rows: Sequence[Row]) -> str:
    """Each label by whether those that kept its promise had the better value."""
    body = "".join(
        f"<tr{' class=guess' if row['is_greyed'] else ''}><th>{html_line(row['label'], 40)}</th>"
        f"<td>{score_lines.skill(row)}</td><td>{_number(row['scored'])} of {_number(row['due'])}</td>"
        f"<td>{score_lines.verdict(row)}</td></tr>"
        for row in score_lines.labels(rows)
        if row["scored"]
    )
    if not body:
        return ""
    return (
        "<h3>Labels</h3><table class=scores><thead><tr><th></th><th>skill</th><th>scored of due</th><th></th></tr>"
        f"</thead><tbody>{body}</tbody></table>"
    )


def _decision_scores(rows: Sequence[Row]) -> str:
    by_mode = {mode: [row for row in rows if row["decision_mode"] == mode] for mode in DECISION_MODES}
    if not all(by_mode.values()):
        return ""
    body = []
    for mode, days in by_mode.items():
        builds, correct, missed, n = (
            sum(row[name] for row in days) for name in ("builds", "correct_builds", "missed", "n")
        )
        body.append((MODE_NAMES[mode], builds, _ratio(correct, builds), _ratio(correct, correct + missed)))
    # Building everything is what blind luck scores; it misses nothing.
    body.append(("naive: build all", n, _ratio(correct + missed, n), _ratio(correct + missed, correct + missed)))
    lines = "".join(
        f"<tr{' class=ours' if place == 0 else ''}><th>{name}</th><td>{_number(built)}</td><td>{_score(precision)}</td>"
        f"<td>{_score(recall)}</td></tr>"
        for place, (name, built, precision, recall) in enumerate(body)
    )
    return (
        "<h3>Build decisions</h3><table><thead><tr><th></th><th>built</th><th>right</th><th>of the best found</th></tr>"
        f"</thead><tbody>{lines}</tbody></table>"
    )


def _alerts(day: Day) -> str:
    rows = published.recent_alerts(day, ALERT_DAYS, ALERTS)
    heard = _heard(day)
    if not rows:
        return f"<p>No alert was sent in the last {ALERT_DAYS} days.</p>{heard}"
    items = "".join(
        f"<li>{_link(row['video_url'], row['caption'] or NO_CAPTION, 60)}<br><span class=sub>"
        f"{html_line(row['tier'])} {day.times.plain_day(row['alerted_at'])}, {html_line(row['market'])}, z"
        f" {_number(row['z'], '.1f')}</span><br>{_outcomes(row)}</li>"
        for row in rows
    )
    return (
        "<p class=sub>What came after each, beside what its own pace, changed as its peers' was, would have brought."
        f"</p><ul>{items}</ul>{heard}"
    )


def _heard(day: Day) -> str:
    """Recall and precision of the alerts, and the bursts that no message told of."""
    scores = {row["market"]: row for row in published.alert_scores(day)}
    if "ALL" not in scores:
        return ""
    missed = "".join(
        f"<li>{html_line(row['market'])} {day.times.plain_day(row['burst_at'])}: {_compact(row['gain_views'], '+')}"
        f" views in {_number(row['hours'], '.0f')} h, {_number(row['pace_ratio'], '.1f')} times the lifetime pace;"
        f" {html_line(row['silent_because'])}</li>"
        for row in published.missed_bursts(day, SCORED_DAYS, ALERTS)
    )
    lines = "<br>".join(html_line(line, 300) for line in alert_lines(scores["ALL"]))
    return f"<p class=sub>{lines}</p>" + (f"<h3>Not heard</h3><ul>{missed}</ul>" if missed else "")


def _outcomes(row: Row) -> str:
    outcomes = row["outcomes"] or []
    texts = [
        f"{'✅' if outcome['is_right'] else '❌'} {outcome['horizon_hours']} h:"
        f" {_compact(outcome['gain_views'], '+')} views (expected {_compact(outcome['expected_gain_views'], '+')})"
        for outcome in outcomes
    ]
    return " · ".join(texts) or "outcome not known yet"


def _health(day: Day) -> str:
    body = []
    for row in published.health(day):
        seen = "-" if row["last_observed_at"] is None else f"{day.times.plain_day(row['last_observed_at'])}"
        message = "" if row["message"] == "ok" else f"<br><span class=sub>{html_line(row['message'], 200)}</span>"
        state = "❌ missing" if row["is_missing"] else "⚠️ stale" if row["is_stale"] else "✅"
        body.append(
            f"<tr><th>{html_line(row['market'])} {html_line(row['kind'])}{message}</th><td>{state}</td>"
            f"<td>{_number(row['items'])}</td><td>{seen}</td></tr>"
        )
    warnings = published.warnings(day)
    checks = (
        f"{len(warnings)} checks warned: {html_line('; '.join(warnings))}"
        if warnings
        else "All checks passed, none warned"
    )
    return (
        "<table><thead><tr><th>source</th><th></th><th>items</th><th>observed</th></tr></thead>"
        f"<tbody>{''.join(body)}</tbody></table><p class=sub>{checks}."
        f" Cut-off {day.times.plain_day(day.cutoff_at)}.</p>"
    )


def _trend(row: Row) -> str:
    """A trend as people know it: a hashtag by name, else what it is and the caption or sound it is known by."""
    kind, _, value = str(row["trend_key"]).partition(":")
    if kind == "hashtag":
        return f"#{value}"
    known_by = row["music_name"] if kind == "sound" else row["caption"]
    return f"{kind} {visible_line(known_by, 34) or value}"


def _creator(row: Row) -> str:
    return f"<bdi>@{html_line(row['author_handle'], 40)}</bdi>" if row["author_handle"] else "unknown creator"


def _forecast(row: Row) -> str:
    if row["gain_48h_p50"] is None:
        return "no forecast yet"
    return (
        f"{_compact(row['gain_48h_p50'], '+')} views still to come <span class=sub>(80 %:"
        f" {_compact(row['gain_48h_p10'])} to {_compact(row['gain_48h_p90'])})</span>"
    )


def _link(url: Any, text: Any, characters: int) -> str:
    """Text of others, as a link where the URL is plainly one to TikTok or CapCut."""
    shown = f"<bdi>{html_line(text, characters) or '(not readable)'}</bdi>"
    href = safe_link(url, LINK_HOSTS)
    return f'<a href="{html_line(href, len(href))}" rel="noopener noreferrer">{shown}</a>' if href else shown


def _figure(svg: str, caption: str) -> str:
    return f"<figure>{svg}<figcaption class=sub>{caption}</figcaption></figure>"


def _swatch(colour: str) -> str:
    return f'<span class=key style="background:var(--{colour})"></span>'


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else np.nan


def _score(value: float | None) -> str:
    return "-" if value is None or np.isnan(value) else _number(value, ".2f")


def _number(value: float, style: str = ",") -> str:
    return f'<data value="{value!r}">{value:{style}}</data>'


def _counted(value: int, noun: str) -> str:
    return f"{_number(value)} {noun}{'' if value == 1 else 's'}"


def _compact(value: float | None, sign: str = "") -> str:
    """A count as every other place says it: 950, 9.5k, 259k, 1.2m."""
    text = build_list.short(value, sign)
    return text if value is None else f'<data value="{value!r}">{text}</data>'


def _dollars(value: float | None) -> str:
    return "not known" if value is None else f'<data value="{value!r}">${value:,.0f}</data>'


def _day(value: date) -> str:
    return f"{value.day} {value:%b}"


SECTIONS: tuple[Section, ...] = (
    Section("builds", "🔴 What to build now", _builds),
    Section("trends", "📈 Trends to join", _trends),
    Section("followed", "⭐ Followed since yesterday", _followed),
    Section("forecasts", "🔮 Forecast ranges", _forecasts),
    Section("risers", "🚀 Risers", _risers),
    Section("markets", "🌐 Which market leads", _markets),
    Section("competitors", "⚔️ Share of voice", _competitors),
    Section("season", "📅 Season", _season),
    Section("revenue", "💰 Revenue against the cap", _revenue),
    Section("scores", "🎯 How good the forecasts were", _scores),
    Section("alerts", "⏱️ Alerts between the runs", _alerts),
    Section("health", "🩺 Data health", _health),
)
