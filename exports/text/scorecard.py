"""The public scorecard as text: scores of a period beside their naive twins, each with a bootstrap interval.

Belongs here: how daily scores add up to those of a period, how sure they are, how they are laid out. Must not be here:
SQL (`exports.published.scorecard_days`), formulas of a day's scores (the marts `forecast_scores`, `decision_scores`).

The interval of a score resamples days, not videos: videos of one day rise and fall together, so days are what the
scores vary by. All models of a market and horizon are resampled with the same days.
Source: Efron and Tibshirani, An Introduction to the Bootstrap (1993), percentile interval, section 13.3.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from textwrap import wrap
from typing import Any

import numpy as np
import numpy.typing as npt

from exports.published import Table
from exports.text.heard import alert_lines
from exports.text.score_lines import scorecard_lines

Array = npt.NDArray[np.float64]
Record = Mapping[str, Any]

CHOSEN = "chosen"
BASELINES = ("persistence", "lifetime_rate", "last_gain")
DECISION_MODES = ("measured", "classic")
# The measured order cut at as many builds as the classic mode took.
SAME_COUNT = "measured_at_classic_count"
DRAWS = 1000
CONFIDENCE = 0.95
SEED = 20260315
NO_SCORE = "-"
# Characters of a line, and of the names of scores.
WIDTH = 120
NAMES = 32


@dataclass(frozen=True, slots=True)
class Measure:
    """A score of a period: sum of `top` over days, by sum of `bottom` over days.

    Attributes:
        label: What is printed.
        score: Column of the day's score, where `top` is that score weighted by `bottom`; else empty.
        top: Columns of the numerator, added up, where there is no day's score to weigh.
        bottom: Columns of the denominator, added up; empty counts days.
    """

    label: str
    score: str
    top: tuple[str, ...]
    bottom: tuple[str, ...]


# A day without a score (too few videos for a ranking, nothing gained) leaves out its weight too.
FORECAST_MEASURES = (
    Measure("WAPE of gain", "", ("absolute_error",), ("actual_gain",)),
    Measure("MAPE of totals", "mape_total", (), ("n",)),
    Measure("bias", "bias", (), ("actual_gain",)),
    Measure("direction", "direction_accuracy", (), ("n",)),
    Measure("precision@20", "precision_at_20", (), ()),
    Measure("Kendall tau", "kendall_tau", (), ()),
    Measure("80 % coverage", "coverage_80", (), ("n",)),
)
DECISION_MEASURES = (
    Measure("precision", "", ("correct_builds",), ("builds",)),
    Measure("recall", "", ("correct_builds",), ("correct_builds", "missed")),
    Measure("F1", "", ("correct_builds",) * 2, ("correct_builds", "correct_builds", "false_positives", "missed")),
)
DECISION_COUNTS = ("builds", "correct_builds", "false_positives", "missed", "correct_skips")


@dataclass(frozen=True, slots=True)
class Estimate:
    """A score with its interval; not a number where there is none (`low` and `high` from fewer than two days)."""

    value: float
    low: float
    high: float

    def text(self) -> str:
        """`0.301 [0.281, 0.325]`, without an interval `0.301`, without a value a dash."""
        if np.isnan(self.value):
            return NO_SCORE
        if np.isnan(self.low):
            return f"{self.value:.3f}"
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


def day_draws(days: int) -> Array:
    """How often each day is in each bootstrap sample, shape (draws, days); the same for the same number of days."""
    chances = np.full(days, 1 / days)
    return np.random.default_rng(SEED).multinomial(days, chances, size=DRAWS).astype(np.float64)


def ratios(top: Array, bottom: Array, draws: Array) -> Array:
    """The ratio of two sums over days: of each sample and, last, of all days; shape (draws + 1,).

    Args:
        top: Numerator per day, not a number where the day has none: it is then left out of both sums.
        bottom: Denominator per day.
        draws: See `day_draws`; shape (draws, days).

    Returns:
        The ratios, not a number where the denominator is zero.
    """
    known = ~(np.isnan(top) | np.isnan(bottom))
    samples = np.vstack([draws, np.ones(top.size)])
    sums = samples @ np.where(known, top, 0), samples @ np.where(known, bottom, 0)
    return np.divide(*sums, out=np.full(len(samples), np.nan), where=sums[1] != 0)


def estimate(values: Array, days: int) -> Estimate:
    """The value of all days with its percentile interval.

    Args:
        values: See `ratios`.
        days: Number of days they were sampled from; a single one says nothing of how days differ.
    """
    samples = values[:-1][~np.isnan(values[:-1])]
    if days < 2 or not samples.size:
        return Estimate(float(values[-1]), np.nan, np.nan)
    low, high = np.quantile(samples, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return Estimate(float(values[-1]), float(low), float(high))


def summary(rows: Sequence[Record], measure: Measure, days: Sequence[date], draws: Array) -> Estimate:
    """One measure of one model over a period.

    Args:
        rows: The model's days, at most one row each.
        measure: What to sum up.
        days: The days that `draws` counts, in its order.
        draws: See `day_draws`.
    """
    top, bottom = _sums(rows, measure, days)
    return estimate(ratios(top, bottom, draws), int((~np.isnan(top)).sum()))


def report(forecasts: Table, decisions: Table, alerts: Record | None = None, scores: Sequence[Record] = ()) -> str:
    """The scorecard.

    Args:
        forecasts: Rows of `marts.forecast_scores` of the period, in the order to print.
        decisions: Rows of `marts.decision_scores` of the period, in the order to print; may be empty.
        alerts: The row of `marts.alert_scores` for all markets, where there were polls.
        scores: Rows of `marts.scorecard` of one date: what every output says, before the details of the period.

    Returns:
        Text whose details have lines of at most 120 characters; a market and horizon without all its naive forecasts is
        only named.
    """
    rows = forecasts.dicts()
    days = sorted({row["as_of_date"] for row in rows})
    lines = [*scorecard_lines(scores, NAMES), ""] if scores else []
    lines += [
        f"By day and model, a part of the above: forecasts scored {days[0]} to {days[-1]} beside the naive",
        "ones: persistence expects no gain, lifetime_rate the pace since the post, last_gain the last measured pace.",
        "In brackets: 95 % of 1,000 bootstrap samples of days. Forecasts without a measured pace are left out.",
        "WAPE and MAPE: lower is better; bias: 0; direction, precision, tau: higher; coverage: 0.8, of the chosen",
        "forecast only, as the naive ones give no range. persistence ranks no video.",
    ]
    for (market, horizon), group in _groups(rows, ("market", "horizon_hours")).items():
        lines += ["", *_forecast_block(str(market), int(horizon), group)]
    decision_rows = decisions.dicts()
    if decision_rows:
        lines += [
            "",
            "Decisions: a build was right when its gain of the next 48 h was in the top fifth of its market and day.",
            "Scored is the decision on every video (marts.decisions). The build list takes the best of these builds:",
            "no account that is followed, no ad, nothing muted, within the hours of a day.",
            "measured, as many: the first videos of the measured order, as many a day as the classic mode built.",
        ]
    for (market,), group in _groups(decision_rows, ("market",)).items():
        lines += ["", *_decision_block(str(market), group)]
    if alerts is not None:
        lines += ["", *alert_block(alerts)]
    return "\n".join(lines)


def alert_block(scores: Record) -> list[str]:
    """How well the polls heard; a row of `marts.alert_scores`."""
    return [part for line in alert_lines(scores) for part in wrap(line, WIDTH, subsequent_indent="  ")]


def nothing_scored(first: date | None, last: date | None, reading_days: int) -> str:
    """Why there is no scorecard to print.

    Args:
        first: The first scored date of the published file, None if nothing has been scored.
        last: The last one.
        reading_days: Days with readings in the published file.
    """
    if first is not None:
        return f"no forecast was scored in the dates asked for: the published file has scores of {first} to {last}"
    days = f"{reading_days} day" + ("" if reading_days == 1 else "s")
    return (
        "nothing has been scored yet: a forecast is scored when a later feed shows the same video again, so it needs"
        f" two days of readings for 24 h, three for 48 h, eight for 168 h. The published file has {days}; run"
        " `trends run` daily, or `trends backfill` over a longer source."
    )


def _forecast_block(market: str, horizon: int, rows: Sequence[Record]) -> list[str]:
    models = {model: group for (model,), group in _groups(rows, ("model",)).items()}
    missing = [model for model in (CHOSEN, *BASELINES) if model not in models]
    if missing:
        return [f"{market}, {horizon} h: not shown, there is no score of {', '.join(missing)} to compare"]
    days = sorted({row["as_of_date"] for row in rows})
    draws = day_draws(len(days))
    scored = sum(row["n"] for row in models[CHOSEN])
    cells = [
        [measure.label, *(summary(models[model], measure, days, draws).text() for model in (CHOSEN, *BASELINES))]
        for measure in FORECAST_MEASURES
    ]
    heading = f"{market}, {horizon} h: n = {scored:,} forecasts scored on {len(days)} days ({days[0]} to {days[-1]})"
    return [heading, *_aligned([["", CHOSEN, *BASELINES], *cells])]


def _decision_block(market: str, rows: Sequence[Record]) -> list[str]:
    by_mode = {str(mode): group for (mode,), group in _groups(rows, ("decision_mode",)).items()}
    missing = [mode for mode in DECISION_MODES if mode not in by_mode]
    if missing:
        return [f"{market}: decisions not shown, there is no score of {', '.join(missing)} to compare"]
    days = sorted({row["as_of_date"] for row in rows})
    draws = day_draws(len(days))
    same_count = [SAME_COUNT] if SAME_COUNT in by_mode else []
    totals = {
        mode: {name: sum(row[name] for row in by_mode[mode]) for name in DECISION_COUNTS}
        for mode in (*DECISION_MODES, *same_count)
    }
    first, second = (totals[mode] for mode in DECISION_MODES)
    counts = [
        [
            name.replace("_", " "),
            *(f"{totals[mode][name]:,}" for mode in DECISION_MODES),
            f"{first[name] - second[name]:+,}",
            *(f"{totals[mode][name]:,}" for mode in same_count),
        ]
        for name in DECISION_COUNTS
    ]
    scores = []
    for measure in DECISION_MEASURES:
        texts = {mode: summary(by_mode[mode], measure, days, draws).text() for mode in totals}
        scores.append(
            [
                measure.label,
                *(texts[mode] for mode in DECISION_MODES),
                _difference(by_mode, measure, days, draws),
                *(texts[mode] for mode in same_count),
            ]
        )
    measured = by_mode[DECISION_MODES[0]]
    everything = summary(measured, Measure("", "", ("correct_builds", "missed"), ("n",)), days, draws)
    heading = (
        f"{market}: n = {sum(row['n'] for row in measured):,} decisions scored on {len(days)} days"
        f" ({days[0]} to {days[-1]}); building everything has precision {everything.text()}"
    )
    header = ["", *DECISION_MODES, "measured - classic", *("measured, as many" for _ in same_count)]
    return [heading, *_aligned([header, *counts, *scores])]


def _difference(by_mode: Mapping[str, Sequence[Record]], measure: Measure, days: Sequence[date], draws: Array) -> str:
    """The first mode's score less the second's; both are taken from the same days of a sample."""
    first, second = (ratios(*_sums(by_mode[mode], measure, days), draws) for mode in DECISION_MODES)
    return estimate(first - second, len(days)).text()


def _sums(rows: Sequence[Record], measure: Measure, days: Sequence[date]) -> tuple[Array, Array]:
    """Numerator and denominator per day, not a number on days without a row or a value."""
    by_day = {row["as_of_date"]: row for row in rows}

    def column(names: Iterable[str]) -> Array:
        values = [[by_day[day][name] if day in by_day else None for name in names] for day in days]
        return np.array(values, dtype=np.float64).sum(axis=1)

    bottom = column(measure.bottom) if measure.bottom else np.ones(len(days))
    top = column((measure.score,)) * bottom if measure.score else column(measure.top)
    return top, bottom


def _groups(rows: Iterable[Record], names: Sequence[str]) -> dict[tuple[Any, ...], list[Record]]:
    """Rows by some of their values, in the order of first appearance."""
    groups: dict[tuple[Any, ...], list[Record]] = {}
    for row in rows:
        groups.setdefault(tuple(row[name] for name in names), []).append(row)
    return groups


def _aligned(cells: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(row[place]) for row in cells) for place in range(len(cells[0]))]
    return [
        "  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells
    ]
