"""Whole runs on inputs that people brought: what is published, what stops the day, and what is said."""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path

import pytest

from tests.support import FIXTURES, Item, published, trends, video, write_feed
from tests.unit.test_staging_bounds import with_extremes
from warehouse.store import Store

CASES = FIXTURES / "cases"


def purge(plays: int) -> Item:
    return video(
        "7606800000000000001", plays=plays, posted="2026-02-15T05:00:00.000Z", authorMeta={"name": "maker.purge"}
    )


@pytest.mark.slow
def test_a_feed_of_no_use_stops_the_day(store: Store) -> None:
    outcome = trends(
        "run", "--date", "2026-02-20", "--source", CASES / "all_items_rejected", "--home", store.home, "--no-deliver"
    )
    assert outcome.code == 1
    assert "30 of 30 items rejected: error row: No videos found (30 items)" in outcome.out + outcome.err
    assert "no feed this day" not in outcome.out + outcome.err


@pytest.mark.slow
def test_levels_of_counts(store: Store, tmp_path: Path) -> None:
    source = tmp_path / "feeds"
    shutil.copytree(CASES / "one_wrong_reading", source)
    # The platform took views away; then the video goes on as before.
    for path, plays in zip(
        sorted(source.rglob("*.json")), (1_040_000, 1_100_000, 700_000, 760_000, 820_000, 880_000), strict=True
    ):
        feed = json.loads(path.read_text(encoding="utf-8"))
        path.write_text(json.dumps([*feed, purge(plays)]))
    outcome = trends("backfill", "--source", source, "--home", store.home)
    assert outcome.code == 0, outcome.err
    found = {
        handle: (plays, rate)
        for handle, plays, rate in published(
            store,
            "select author_handle, plays, live_views_per_hour from marts.videos_daily"
            " where as_of_date = '2026-02-21' and author_handle in ('maker.glitch', 'maker.purge')",
        )
    }
    assert found == {
        "maker.glitch": (200_000, pytest.approx(833, abs=1)), "maker.purge": (880_000, pytest.approx(2500, abs=1))
    }  # fmt: skip
    gains = published(
        store,
        "select count(distinct video_id) filter (where readings.is_new_level), min(readings.delta_plays)"
        " from marts.video_readings as readings inner join marts.videos_daily as videos using (market, video_id)"
        " where author_handle in ('maker.glitch', 'maker.purge')",
    )
    assert gains[0][0] == 2
    assert gains[0][1] >= 0, "what lies between two levels is no gain"


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


@pytest.mark.slow
def test_extremes_of_every_fact_and_odd_signs_of_a_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Where links to homes are made whose names are no URLs.
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    folder = tmp_path / 'it\'s a "folder" 100%20 #1 [x]'
    given = with_extremes()
    for time in ("2026-02-20T12:00", "2026-02-20T16:00"):
        for kind in ("videos", "music"):
            write_feed(folder / "feeds?", time, given, kind=kind)
    store = Store(folder / "my home%20 #2 'q' \"w\"")
    place = ("--date", "2026-02-20", "--source", folder / "feeds?", "--home", store.home, "--no-deliver")
    outcome = trends("run", *place)
    assert outcome.code == 0, outcome.err
    assert "plays that can not be read or can not be true" in outcome.out + outcome.err
    flagged = " ".join(
        oddities for (oddities,) in published(store, "select distinct oddities from marts.videos_daily") if oddities
    )
    assert "plays_not_believed" in flagged
    assert "post_time_not_believed" in flagged
    assert published(
        store,
        "select count(*) from marts.videos_daily"
        " where not is_believed and (build_now or tutorial_trigger <> 'NONE' or urgency <> 'NONE')",
    ) == [(0,)]
    assert trends("poll", *place).code == 0
