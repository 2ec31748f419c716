"""Lines that several outputs have: counts of the day, what its data is, how good the scores were.

Belongs here: wording that workbooks, summary, report and messages share. Must not be here: cells, markup, which rows
there are (`published`).
"""

from __future__ import annotations

import re

from exports import published
from exports.published import Day
from exports.text import score_lines
from exports.text.heard import recall_line
from services.times import IN_UTC, Times
from warehouse import labels

# Users know the UK first.
MARKET_ORDER = ("UK", "US")
TREND_CHARACTERS = 80
_WHITE_SPACE = re.compile(r"\s+")


def one_line(text: str | None, characters: int = TREND_CHARACTERS) -> str:
    """A caption on one line, cut to a number of characters."""
    return _WHITE_SPACE.sub(" ", text or "").strip()[:characters]


def age_label(hours: float | None) -> str | None:
    """Hours as users read them: `12.3h`."""
    return None if hours is None else f"{hours:.1f}h"


def headline(day: Day) -> list[tuple[str, int]]:
    """Labels and counts that START_HERE, the summary and the daily message share, in their order."""
    totals = published.counts(day)
    markets = {row["market"]: row for row in published.market_counts(day)}
    order = [*(market for market in ("US", "UK") if market in markets), *(m for m in markets if m not in MARKET_ORDER)]
    return [
        ("Your Posts", totals["own_posts"]),
        ("Competitor Posts", totals["competitor_posts"]),
        (labels.URGENT, totals["urgent"]),
        (labels.HIGH, totals["high"]),
        (labels.WATCH, totals["watch"]),
        (labels.SPIKING, totals["spiking"]),
        *((f"{market} Fresh (72h)", markets[market]["fresh_videos"]) for market in order),
        *((f"{market} Unique", markets[market]["unique_videos"]) for market in order),
    ]


def health_lines(day: Day, times: Times = IN_UTC) -> list[tuple[str, str]]:
    """What a reader must know of the data behind the numbers: source, observation time, age, and what is wrong."""
    lines = []
    for source in published.health(day):
        label = f"{source['market']} {source['kind']}"
        if source["is_missing"]:
            lines.append((label, f"MISSING: {source['message']}"))
            continue
        origin = "SIMULATED sample" if source["source"] == "sample" else source["source"]
        observed = times.stamp(source["last_observed_at"])
        text = f"{origin}, observed {observed}, {source['age_hours']:.1f} h before the cut-off"
        lines.append((label, text if source["message"] == "ok" else f"{text}. {source['message']}"))
    return lines


def sample_lines(day: Day) -> list[tuple[str, str]]:
    """Says so where the day's feeds are invented; nothing on a day of real ones."""
    if not is_sample(day):
        return []
    return [("Sample data", "SIMULATED: accounts, captions, counts and revenue are invented.")]


def is_sample(day: Day) -> bool:
    """Whether the day's feeds come from the bundled sample."""
    return any(source["source"] == "sample" for source in published.health(day))


def forecast_line(day: Day) -> str:
    """How good the forecasts were, on everybody they were made for: the line that every output has."""
    return score_lines.forecast_line(score_lines.headline_row(published.scorecard(day)))


def score_notes(day: Day) -> list[tuple[str, str]]:
    """The scores as labelled lines: of the forecasts, of the labels without skill, of the polls."""
    of_labels = score_lines.label_line(published.scorecard(day))
    return [
        ("Forecasts", forecast_line(day)),
        *([("Labels", of_labels)] if of_labels else []),
        ("Alerts", alert_line(day)),
    ]


def alert_line(day: Day) -> str:
    """How well the polls between the runs heard so far."""
    scores = published.alert_scores(day)
    return recall_line(scores[-1] if scores else None)


def revenue_line(day: Day, times: Times = IN_UTC) -> str:
    """Source, age, rows and total of the day's revenue, in one line; says what is wrong with it."""
    source = published.revenue_source(day)
    if source is None:
        return "no revenue was entered by this date: set REVENUE_SHEET_ID to show it"
    origin = {
        "sheet": "live sheet",
        "cache": "cache of the live sheet",
        "seed": "SAMPLE entries (simulated)" if source["is_simulated"] else "seed file",
    }[source["source"]]
    if source["observed_at"] is not None:
        when = f"read {times.stamp(source['observed_at'])}"
        origin += f", {when}, {max(source['age_hours'], 0):.1f} h before the cut-off"
    text = f"{origin}: {source['row_count']} rows, ${source['total_received']:,.2f} received"
    if source["quarantined_rows"]:
        text += f". NOT COUNTED: {source['problems']}"
    if source["duplicate_rows"]:
        text += f". {source['duplicate_rows']} rows repeat a link and are counted"
    return f"{text}. {source['failure']}" if source["failure"] else text
