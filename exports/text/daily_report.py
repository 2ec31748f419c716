"""The daily Discord report: which numbers of a published day it tells.

Belongs here: choosing and wording. Must not be here: sending and the shape of a message (`discord`), SQL (`published`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from exports import published
from exports.published import Day
from exports.text import build_list, followed, trends
from exports.text.lines import forecast_line, headline, health_lines, revenue_line, sample_lines
from exports.text.poll_report import polling_line
from services.message import Line, Link, Message, Picture, daily_message
from services.text_safety import live_image

# The counts users know from the report, in order; the workbook's START_HERE has more.
COUNTS = 8
SECTIONS = {"ALERTS": "SEASONAL ALERTS", "UPCOMING": "UPCOMING", "ON RADAR": "ON RADAR"}


def daily_report(
    day: Day,
    links: Sequence[Link],
    problems: Sequence[str],
    chart_png: bytes | None,
    markets: Sequence[str] = (),
) -> Message:
    """The message of a day.

    Args:
        day: The published day.
        links: Where the files and rows went.
        problems: Deliveries that failed before this one.
        chart_png: The day's chart.
        markets: Whose builds, trends, outliers and events it tells; empty for all. Places and counts stay those of
            the whole day.
    """
    events = published.seasonal(day)
    seasonal = [
        (
            title,
            [
                f"{row['emoji']} {row['name']} - {row['event_date']:%d %b} ({row['markets']}), {row['window_text']}"
                for row in events
                if row["phase"] == phase and _is_of(str(row["markets"]), markets)
            ],
        )
        for phase, title in SECTIONS.items()
    ]
    message = daily_message(
        day.as_of_date,
        headline(day)[:COUNTS],
        seasonal,
        links,
        [*degradations(day), *problems],
        chart_png,
    )
    # Above the counts: on a phone the first lines are all that is read.
    samples = (f"{label}: {text}" for label, text in sample_lines(day))
    told = (*samples, *_builds(day, markets), *_trends(day, markets), f"Forecasts: {forecast_line(day)}")
    message = replace(message, lines=(*message.lines, *told))
    told = tuple(_followed(day, markets))
    message = replace(message, lines=(*message.lines, *told))
    # Polls without news are silent: one line a day says that they work.
    polling = published.polling(day)
    return replace(message, lines=(*message.lines, polling_line(polling))) if polling else message


def covers(day: Day, now: datetime) -> tuple[Picture, ...]:
    """The covers of the first builds, where the source has one that can still be loaded.

    Args:
        day: The published day.
        now: The present, aware: the platform signs covers for hours to days.
    """
    rows = published.build_list(day)[: build_list.TOP]
    found = [(row, live_image(row["cover_url"], now)) for row in rows]
    return tuple(Picture(build_list.head(row), row["video_url"] or "", image) for row, image in found if image)


def _is_of(label: str, markets: Sequence[str]) -> bool:
    """Whether a label such as `US, UK` or `🌐 BOTH` names one of the markets."""
    return not markets or "BOTH" in label or any(market in label.replace(",", " ").split() for market in markets)


def _builds(day: Day, markets: Sequence[str]) -> list[Line]:
    """The first builds, each with its link, and what changed."""
    rows = published.build_list(day)
    lines: list[Line] = [f"WHAT TO BUILD: {build_list.counted(rows)}. {build_list.changes(day)}"]
    if markets:
        rows = [row for row in rows if row["market"] in markets or _is_of(row["market_label"], markets)]
        lines.append(f"Below: those of {' and '.join(markets)}, with their places in the whole list.")
    for row in rows[: build_list.TOP]:
        lines += [Link(build_list.head(row), row["video_url"] or ""), build_list.detail(row, day.times)]
    return lines


def _trends(day: Day, markets: Sequence[str]) -> list[Line]:
    """The first trends and the post furthest above its creator's usual, each with its link."""
    rows = [row for row in published.trend_list(day) if _is_of(row["markets"], markets)]
    lines: list[Line] = ["TRENDS TO JOIN" if rows else trends.NO_TREND]
    for row in rows[: trends.TOP]:
        lines += [Link(trends.head(row), row["trend_url"]), trends.detail(row)]
    of_market = markets[0] if len(markets) == 1 else None
    for row in published.outliers(day, 1, of_market):
        lines += [Link(f"OUTLIER {trends.outlier_head(row)}", row["video_url"] or ""), trends.outlier_detail(row)]
    return lines


def _followed(day: Day, markets: Sequence[str]) -> list[Line]:
    """What is followed, each with the link to its best video; nothing where nothing is followed."""
    rows = [row for row in published.followed(day) if not (markets and row["market"]) or row["market"] in markets]
    lines: list[Line] = [f"{followed.TITLE} since yesterday"] if rows else []
    for row in rows[: followed.TOP]:
        lines += [Link(followed.name(row), row["best_video_url"] or ""), followed.did(row)]
    if len(rows) > followed.TOP:
        lines.append(f"… and {len(rows) - followed.TOP} more: see the report")
    return lines


def degradations(day: Day) -> list[str]:
    """What the day had to do without, one line each; empty on a good day."""
    bad = {
        f"{row['market']} {row['kind']}"
        for row in published.health(day)
        if row["kind"] == "videos" and (row["is_missing"] or row["is_stale"])
    }
    lines = [f"{label}: {text}" for label, text in health_lines(day, day.times) if label in bad]
    # Nobody has to set up a sheet; one that was and does not answer is worth a word.
    revenue = published.revenue_source(day)
    if revenue is not None and revenue["source"] != "sheet" and not revenue["is_simulated"]:
        lines.append(f"Revenue: {revenue_line(day, day.times)}")
    return lines + [f"check: {warning}" for warning in published.warnings(day)]
