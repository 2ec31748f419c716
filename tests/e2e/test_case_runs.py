"""Whole runs on inputs that people brought: what is published, what stops the day, and what is said."""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from benchmarks.home import backfill
from tests.support import FIXTURES, PROJECT, Item, build, published, trends, video, write_feed
from tests.unit.test_staging_bounds import with_extremes
from warehouse.store import Store

pytestmark = pytest.mark.slow("seven whole runs of what people typed")

CASES = FIXTURES / "cases"


def purge(plays: int) -> Item:
    return video(
        "7606800000000000001", plays=plays, posted="2026-02-15T05:00:00.000Z", authorMeta={"name": "maker.purge"}
    )


def test_a_feed_of_no_use_stops_the_day(store: Store) -> None:
    outcome = trends(
        "run", "--date", "2026-02-20", "--source", CASES / "all_items_rejected", "--home", store.home, "--no-deliver"
    )
    assert outcome.code == 1
    assert "30 of 30 items rejected: error row: No videos found (30 items)" in outcome.out + outcome.err
    assert "no feed this day" not in outcome.out + outcome.err


def test_levels_of_counts(tmp_path: Path) -> None:
    source = tmp_path / "feeds"
    shutil.copytree(CASES / "one_wrong_reading", source)
    # The platform took views away; then the video goes on as before.
    for path, plays in zip(
        sorted(source.rglob("*.json")), (1_040_000, 1_100_000, 700_000, 760_000, 820_000, 880_000), strict=True
    ):
        feed = json.loads(path.read_text(encoding="utf-8"))
        path.write_text(json.dumps([*feed, purge(plays)]))
    store = backfill(source, tmp_path / "home")
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


def test_knowing_less_never_ranks_higher(tmp_path: Path) -> None:
    store = backfill(CASES / "score_without_plays", tmp_path / "home")
    scores: dict[str, float] = dict(
        published(store, "select author_handle, max(score) from marts.videos_daily group by 1")
    )
    equals = [score for handle, score in scores.items() if handle.startswith("maker.same")]
    assert len(equals) == 20
    assert max(scores["maker.noplays"], scores["maker.noplays_nolikes"]) <= min(equals)


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


def test_handles_as_typed(tmp_path: Path) -> None:
    # Accounts are the user's own file of the project: a copy has another one.
    project = tmp_path / "project"
    shutil.copytree(
        PROJECT, project, ignore=shutil.ignore_patterns(".*", "target", "home", "benchmarks", "__pycache__", "e2e")
    )
    case = CASES / "handles_as_typed"
    with (case / "accounts.csv").open(encoding="utf-8", newline="") as stream:
        typed = list(csv.reader(stream))
    typed += [
        ["https://www.tiktok.com/@Maker.H4?lang=en", " Competitor ", "us"], ["maker.h2", "competitor", "US"],
        ["", "", ""], ["maker.h1", "friend", "US"],
    ]  # fmt: skip
    with (project / "seeds" / "accounts.csv").open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows(typed)
    feeds = tmp_path / "feeds"
    shutil.copytree(case / "us", feeds / "us")
    store = Store(tmp_path / "home")
    done = subprocess.run(
        [sys.executable, "-m", "orchestration.cli", "run", "--date", "2026-02-20", "--source", feeds,
         "--home", store.home, "--no-deliver"],
        cwd=project, env=os.environ | {"PYTHONPATH": str(project)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert published(store, "select author_handle, author_role from marts.videos_daily order by 1") == [
        ("maker.h1", "other"), ("maker.h2", "own"), ("maker.h3", "competitor"), ("maker.h4", "competitor")
    ]  # fmt: skip
    links = published(store, "select video_url from marts.videos_daily where author_handle = 'maker.h1'")
    assert links[0][0].startswith("https://www.tiktok.com/@maker.h1/video/")
    assert published(store, "select count(*) from marts.my_performance") == [(1,)]
    # The log holds the own posts too.
    assert published(store, "select count(distinct video_id) from marts.competitor_posts") == [(3,)]
    told = published(store, "select message from meta.check_results where check_name = 'check_accounts'")
    assert [message.partition(" is not used")[0] for (message,) in told] == [
        'seeds/accounts.csv: the row "maker.h1,friend,US"'
    ]


def test_a_machines_time_zone_changes_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "feeds"
    shutil.copytree(CASES / "time_without_zone", folder)
    for time, plays in (("2026-02-20T09:30", 6000), ("2026-02-20T20:00", 9000)):
        times = ("2026-02-20 05:00:00", "2026/02/20 05:00", "2026-02-20T05:00:00Z", "2026-02-20", 1771563600)
        items = [
            video(f"76088077302509444{number}0", plays=plays * number, posted=posted)  # type: ignore[arg-type]
            for number, posted in enumerate(times, 1)
        ]
        write_feed(folder, time, items, market="uk")
    rows = {}
    # 22 hours apart: what depended on the zone would differ between them.
    for zone in ("America/Los_Angeles", "Pacific/Kiritimati"):
        store = Store(tmp_path / zone.replace("/", "-"))
        done = subprocess.run(
            [Path(sys.executable).with_name("trends"), "run", "--date", "2026-02-20", "--source", folder,
             "--home", store.home, "--no-deliver"],
            cwd=PROJECT, env=os.environ | {"TZ": zone}, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        staged = build(
            store, "select video_id, observed_at, posted_at, oddities from staging.stg_tiktok__videos order by all"
        )
        marts = [
            build(store, f"select * from marts.{mart} order by all")
            for mart in ("videos_daily", "video_readings", "forecasts", "trends_daily", "build_list", "sounds_daily")
        ]
        rows[zone] = (staged, marts)
    west, east = rows.values()
    assert len(west[0]) > 10
    assert {row[2].hour for row in west[0]} <= {0, 5}, "the hours that were given, as UTC"
    assert west == east
