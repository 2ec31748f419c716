"""The printed scorecard: sums over days, the bootstrap by day, what is shown and what is not."""

from __future__ import annotations

import itertools
from datetime import date, timedelta
from pathlib import Path

import duckdb
import numpy as np
import pytest

from exports import published
from exports.text import scorecard
from tests.support import trends
from warehouse.store import Store, connect

FIRST = date(2026, 1, 5)
NAIVE = ("persistence", "lifetime_rate", "last_gain")

FORECAST_SCORES = """
create schema marts;
create table marts.video_readings (market varchar, video_id varchar, observed_at timestamp);
create table marts.forecast_scores (
    as_of_date date, market varchar, horizon_hours integer, model varchar, n bigint, actual_gain double,
    absolute_error double, mape_total double, bias double, direction_accuracy double, precision_at_20 double,
    kendall_tau double, coverage_80 double
);
"""
DECISION_SCORES = """
create table marts.decision_scores (
    as_of_date date, market varchar, decision_mode varchar, n bigint, builds bigint, correct_builds bigint,
    false_positives bigint, missed bigint, correct_skips bigint, precision double, recall double
)
"""


@pytest.fixture
def file(store: Store) -> duckdb.DuckDBPyConnection:
    """A published file with two days of scores for the US at 24 h."""
    store.warehouse.mkdir(parents=True)
    connection = connect(store.published_path)
    connection.execute(FORECAST_SCORES)
    score(connection, 0, "chosen", n=10, gain=1000, error=200, bias=0.1, coverage=0.9, precision=None)
    score(connection, 1, "chosen", n=30, gain=3000, error=1200, bias=-0.2, coverage=0.7, precision=0.8)
    for day, model in itertools.product((0, 1), NAIVE):
        score(connection, day, model, n=10, gain=1000, error=1000, bias=-1, coverage=None, precision=None)
    return connection


def score(
    connection: duckdb.DuckDBPyConnection,
    day: int,
    model: str,
    *,
    n: int,
    gain: float,
    error: float,
    bias: float,
    coverage: float | None,
    precision: float | None,
) -> None:
    """Writes a row of the mart; scores that a test does not look at are 0.5."""
    row = [FIRST + timedelta(days=day), "US", 24, model, n, gain, error, 0.5, bias, 0.5, precision, 0.5, coverage]
    connection.execute(f"insert into marts.forecast_scores values ({', '.join('?' * len(row))})", row)


def lines_of(text: str, label: str) -> list[str]:
    """The lines of a text that start with a label."""
    return [line.strip() for line in text.splitlines() if line.strip().startswith(label)]


def test_scores_of_days_add_up_by_their_weights(file: duckdb.DuckDBPyConnection) -> None:
    """WAPE (200 + 1200) / 4000; bias (100 - 600) / 4000; coverage (9 + 21) / 40; precision of the only ranked day."""
    text = scorecard.report(*published.scorecard_days(file))
    assert "US, 24 h: n = 40 forecasts scored on 2 days (2026-01-05 to 2026-01-06)" in text
    # Two days: a sample holds the one twice, the other twice, or both.
    assert lines_of(text, "WAPE of gain")[0].split()[3:6] == ["0.350", "[0.200,", "0.400]"]
    assert lines_of(text, "bias")[0].split()[1:4] == ["-0.125", "[-0.200,", "0.100]"]
    assert "0.750 [0.700, 0.900]" in lines_of(text, "80 % coverage")[0]
    # One day with a ranking has no interval; the naive forecasts have no value here.
    assert lines_of(text, "precision@20")[0].split()[1:] == ["0.800", "-", "-", "-"]


def test_every_score_stands_beside_its_naive_twins(file: duckdb.DuckDBPyConnection) -> None:
    """A market without one of the naive forecasts is named and not shown."""
    text = scorecard.report(*published.scorecard_days(file))
    header = text.splitlines()[text.splitlines().index("") + 2]
    assert header.split() == ["chosen", *NAIVE]
    file.execute("delete from marts.forecast_scores where model = 'last_gain'")
    text = scorecard.report(*published.scorecard_days(file))
    assert "US, 24 h: not shown, there is no score of last_gain to compare" in text
    assert not lines_of(text, "WAPE of gain")


def test_bootstrap_of_a_mean_has_its_known_spread() -> None:
    """Of 100 days of 0 and 100 of 1, the mean of a sample has a standard deviation of 0.5 / sqrt(200)."""
    days = np.repeat([0.0, 1.0], 100)
    draws = scorecard.day_draws(200)
    assert draws.shape == (scorecard.DRAWS, 200)
    assert (draws.sum(axis=1) == 200).all()
    values = scorecard.ratios(days, np.ones(200), draws)
    spread = 0.5 / np.sqrt(200)
    assert np.std(values[:-1]) == pytest.approx(spread, rel=0.1)
    found = scorecard.estimate(values, 200)
    assert found.value == 0.5
    # The ends are quantiles of 1,000 draws: each has an error of a twelfth of the spread, and steps of a seventh.
    assert found.low == pytest.approx(0.5 - 1.96 * spread, abs=0.4 * spread)
    assert found.high == pytest.approx(0.5 + 1.96 * spread, abs=0.4 * spread)


def test_samples_are_the_loop_over_days() -> None:
    """The product of matrices gives what adding up the drawn days one by one gives; days without a value are out."""
    top, bottom = np.array([1.0, 4.0, np.nan, 2.0]), np.array([2.0, 5.0, 9.0, 0.0])
    draws = scorecard.day_draws(4)
    values = scorecard.ratios(top, bottom, draws)
    assert values[-1] == pytest.approx(7 / 7)
    assert np.isnan(values).any(), "some samples hold only days without a denominator"
    for counts, value in zip(draws, values, strict=False):
        drawn = [day for day in (0, 1, 3) for _ in range(int(counts[day]))]
        below = sum(bottom[day] for day in drawn)
        if below:
            assert value == pytest.approx(sum(top[day] for day in drawn) / below)
        else:
            assert np.isnan(value)


def test_decision_modes_stand_side_by_side(file: duckdb.DuckDBPyConnection) -> None:
    """Precision 12/16 and 6/20, recall 12/20 and 6/20, and by how much the measured mode is ahead."""
    assert "Decisions" not in scorecard.report(*published.scorecard_days(file))
    file.execute(DECISION_SCORES)
    for day in (0, 1):
        for mode, builds, correct in (("measured", 8, 6), ("classic", 10, 3), ("measured_at_classic_count", 10, 7)):
            row = [FIRST + timedelta(days=day), "US", mode, 50, builds, correct, builds - correct, 10 - correct]
            file.execute(
                "insert into marts.decision_scores values (?, ?, ?, ?, ?, ?, ?, ?, ?, null, null)",
                [*row, 50 - builds - 10 + correct],
            )
    text = scorecard.report(*published.scorecard_days(file))
    assert "US: n = 100 decisions scored on 2 days" in text
    assert "building everything has precision 0.200" in text
    (precision,) = lines_of(text, "precision  ")
    assert precision.split()[1::3] == ["0.750", "0.300", "0.450", "0.700"]
    (recall,) = lines_of(text, "recall")
    assert recall.split()[1::3] == ["0.600", "0.300", "0.300", "0.700"]
    (f1,) = lines_of(text, "F1")
    assert f1.split()[1::3] == ["0.667", "0.300", "0.367", "0.700"]
    assert lines_of(text, "false positives")[0].split()[2:] == ["4", "14", "-10", "6"]


def test_command_prints_the_dates_asked_for(file: duckdb.DuckDBPyConnection, store: Store) -> None:
    """`--from` and `--to` cut the days; nothing in them is said with the dates there are."""
    file.close()
    both = trends("scorecard", "--home", store.home)
    assert (both.code, both.err) == (0, "")
    assert "n = 40 forecasts" in both.out
    one = trends("scorecard", "--home", store.home, "--from", "2026-01-06")
    assert "n = 30 forecasts scored on 1 days (2026-01-06 to 2026-01-06)" in one.out
    assert lines_of(one.out, "WAPE of gain")[0].split()[3] == "0.400"
    assert trends("scorecard", "--home", store.home).out == both.out
    none = trends("scorecard", "--home", store.home, "--to", "2026-01-01")
    assert none.code == 0
    assert "the published file has scores of 2026-01-05 to 2026-01-06" in none.out
    wrong = trends("scorecard", "--home", store.home, "--from", "2026-01-06", "--to", "2026-01-05")
    assert wrong.code == 2
    assert "--from 2026-01-06 is after --to 2026-01-05" in wrong.err


def test_command_says_why_nothing_is_scored(store: Store, tmp_path: Path) -> None:
    """One day of readings: nothing to print yet and no failure. No published file: a failure with the remedy."""
    store.warehouse.mkdir(parents=True)
    connection = connect(store.published_path)
    connection.execute(FORECAST_SCORES)
    connection.execute("insert into marts.video_readings values ('US', 'a', timestamp '2026-01-05 08:00:00')")
    connection.close()
    early = trends("scorecard", "--home", store.home)
    assert early.code == 0
    assert "needs two days of readings" in early.out
    assert "The published file has 1 day;" in early.out
    absent = trends("scorecard", "--home", tmp_path / "empty")
    assert absent.code == 1
    assert "Run `trends run` first" in absent.err
