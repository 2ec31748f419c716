"""Whole runs on inputs that people brought: what is published, what stops the day, and what is said."""

from __future__ import annotations

import pytest

from tests.support import FIXTURES, published, trends
from warehouse.store import Store

CASES = FIXTURES / "cases"


@pytest.mark.slow
def test_a_feed_of_no_use_stops_the_day(store: Store) -> None:
    outcome = trends(
        "run", "--date", "2026-02-20", "--source", CASES / "all_items_rejected", "--home", store.home, "--no-deliver"
    )
    assert outcome.code == 1
    assert "30 of 30 items rejected: error row: No videos found (30 items)" in outcome.out + outcome.err
    assert "no feed this day" not in outcome.out + outcome.err


@pytest.mark.slow
def test_levels_of_counts(store: Store) -> None:
    outcome = trends("backfill", "--source", CASES / "one_wrong_reading", "--home", store.home)
    assert outcome.code == 0, outcome.err
    found = {
        row[0].removeprefix("maker."): row[1:]
        for row in published(
            store,
            "select author_handle, plays, live_views_per_hour, is_new_level from marts.videos_daily"
            " where as_of_date = '2026-02-21' and author_handle = 'maker.glitch'",
        )
    }
    assert found["glitch"][0] == 200_000
    assert found["glitch"][1] == pytest.approx(833, abs=1)


@pytest.mark.slow
def test_knowing_less_never_ranks_higher(store: Store) -> None:
    outcome = trends(
        "run", "--date", "2026-02-20", "--source", CASES / "score_without_plays", "--home", store.home, "--no-deliver"
    )
    assert outcome.code == 0, outcome.err
    scores: dict[str, float] = dict(
        published(store, "select author_handle, max(score) from marts.videos_daily group by 1")
    )
    equals = [score for handle, score in scores.items() if handle.startswith("maker.same")]
    assert len(equals) == 20
    assert max(scores["maker.noplays"], scores["maker.noplays_nolikes"]) <= min(equals)
