"""The panel against the local Apify service: what is due is asked once and within the settings, and harms no run."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from engine.panel_draws import drawn
from ingest import facts, panel
from tests.service.apify import Run
from tests.service.server import Service, environment
from tests.support import Item, build, published, trends, video, write_feed
from warehouse.store import Store

pytestmark = pytest.mark.slow("seven whole runs, each with a panel that is asked")

NOW = datetime.now(UTC).replace(microsecond=0)
DAY_AGO = NOW - timedelta(hours=24)
TASK = "user~pages"
CHOSEN = 6


@pytest.fixture
def service() -> Iterator[Service]:
    """An account whose runs end at once, in the present."""
    service = Service()
    service.apify.clock.advance_to(NOW)
    with service.running():
        yield service
    assert service.violations == []


@pytest.fixture(scope="module")
def yesterday(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """A home that yesterday forecast ten videos and chose six of them."""
    directory = tmp_path_factory.mktemp("yesterday")
    store = Store(directory / "home")
    write_feed(directory / "feeds", f"{DAY_AGO:%Y-%m-%dT%H:%M:%S}", videos(1, 10))
    outcome = trends("run", "--source", directory / "feeds", "--date", str(DAY_AGO.date()), "--home", store.home)
    assert outcome.code == 0, outcome.err
    with store.model_writer() as connection:
        rows = drawn(connection, [DAY_AGO.date()], CHOSEN)
    with facts.writer(store) as connection:
        panel.keep(connection, rows, DAY_AGO)
    return store


@pytest.fixture
def home(yesterday: Store, service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """A copy of it; today's feed holds others."""
    given = environment(service)
    monkeypatch.setenv("DISCORD_WEBHOOK", "")
    monkeypatch.setenv("RETRY_WAIT_S", "0.01")
    store = Store(Path(shutil.copytree(yesterday.home, tmp_path / "home")))
    for name in ("APIFY_TOKEN", "APIFY_BASE_URL"):
        monkeypatch.setenv(name, given[name])
    monkeypatch.setenv("APIFY_ITEM_FLOOR", "2")
    monkeypatch.setenv("US_VIDEO_TASK_ID", "user~us_video")
    monkeypatch.setenv("UK_VIDEO_TASK_ID", "user~uk_video")
    monkeypatch.setenv("PANEL_TASK_ID", TASK)
    for market in ("us", "uk"):
        service.apify.add_task(f"user~{market}_video", videos(20, 26), seconds=0)
    return store


def videos(first: int, last: int) -> list[Item]:
    posted = NOW - timedelta(hours=40)
    return [
        video(f"75900000000000000{n:02}", plays=1_000 * n, shares=n, posted=f"{posted:%Y-%m-%dT%H:%M:%S.000Z}")
        for n in range(first, last + 1)
    ]


def pages(gone: str = "") -> dict[str, Item]:
    """What stands at the addresses of yesterday's videos today, but for one that is gone."""
    return {
        item["webVideoUrl"]: {**item, "playCount": item["playCount"] + 500}
        for item in videos(1, 10)
        if item["id"] != gone
    }


def chosen(store: Store, day: date) -> dict[str, str]:
    """The panel of a date: addresses by video."""
    with facts.writer(store) as connection:
        rows = connection.execute(
            "select distinct video_id, video_url from meta.panel_choices where as_of_date = ?", [day]
        ).fetchall()
    return dict(rows)


def panel_runs(service: Service) -> list[Run]:
    return [run for run in service.apify.runs.values() if run.task.task_id == TASK]


def test_what_is_due_is_asked_once_and_tells_outcomes_alone(service: Service, home: Store) -> None:
    yesterday, today = DAY_AGO.date(), NOW.date()
    wanted = chosen(home, yesterday)
    assert len(wanted) == CHOSEN
    missing = sorted(wanted)[0]
    service.apify.add_task(TASK, [], seconds=0, pages=pages(gone=missing))
    for _ in range(2):
        outcome = trends("run", "--source", "apify", "--home", home.home)
        assert outcome.code == 0, outcome.err
    (run,) = panel_runs(service)
    assert sorted(run.input_override["postURLs"]) == sorted(wanted.values())
    assert run.query["maxItems"] == str(CHOSEN)
    outcomes = build(
        home,
        "select video_id, plays, is_gone from intermediate.int_panel_outcomes where horizon_hours = 24 order by 1",
    )
    read = {item["id"]: item["playCount"] for item in pages().values()}
    assert outcomes == [(key, None if key == missing else read[key], key == missing) for key in sorted(wanted)]

    # None of them is a video of today, a reading, or a use of a trend.
    listed = published(home, f"select distinct video_id from marts.videos_daily where as_of_date = '{today}'")
    assert not wanted.keys() & {video_id for (video_id,) in listed}
    late = published(home, f"select count(*) from marts.video_readings where observed_at > '{today}' and plays < 20000")
    assert late == [(0,)]
    # And today's run chose for tomorrow.
    assert len(chosen(home, today)) == 14 // 2
    states = trends("doctor", "--home", home.home)
    assert "Apify task panel" in states.out
    assert "the last reading failed" not in states.out


@pytest.mark.parametrize(("setting", "asked"), [("PANEL_READS_PER_DAY", 4), ("PANEL_VIDEOS_PER_MARKET", 0)])
def test_settings_bound_what_is_asked(
    service: Service, home: Store, monkeypatch: pytest.MonkeyPatch, setting: str, asked: int
) -> None:
    service.apify.add_task(TASK, [], seconds=0, pages=pages())
    monkeypatch.setenv(setting, str(asked))
    outcome = trends("run", "--source", "apify", "--home", home.home)
    assert outcome.code == 0, outcome.err
    runs = panel_runs(service)
    assert [len(run.input_override["postURLs"]) for run in runs] == ([asked] if asked else [])
    assert not asked or set(runs[0].input_override["postURLs"]) < set(chosen(home, DAY_AGO.date()).values())
    assert "panel: off" not in outcome.out + outcome.err


def test_a_failed_reading_harms_no_run_and_is_named(
    service: Service, home: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = service.apify.add_task(TASK, [], seconds=0, pages=pages(), has_credit=False)
    outcome = trends("run", "--source", "apify", "--home", home.home)
    assert outcome.code == 0, outcome.err
    assert published(home, "select count(*) from marts.videos_daily where market = 'US'") == [(17,)]
    assert "out of credit" in outcome.out + outcome.err, "in the run's notes"
    [(status, reason)] = build(home, "select status, reason from raw.loads where kind = 'panel'")
    assert status == "missing"
    assert "out of credit" in reason
    health = published(home, f"select distinct message from marts.source_health where as_of_date = '{NOW.date()}'")
    assert not any("credit" in message for (message,) in health), "the feeds came"
    told = trends("doctor", "--home", home.home)
    (line,) = [line for line in told.out.splitlines() if "the last reading failed" in line]
    assert "FAILED" in line
    assert "out of credit" in line

    # With credit again, the same day's next run brings it.
    task.has_credit = True
    assert trends("run", "--source", "apify", "--home", home.home).code == 0
    assert build(home, "select count(*) from intermediate.int_panel_outcomes") == [(CHOSEN,)]
    assert "the last reading failed" not in trends("doctor", "--home", home.home).out

    # Without a task nothing is asked, and the run says so once.
    monkeypatch.setenv("PANEL_TASK_ID", "")
    with facts.writer(home) as connection:
        notes = connection.execute("select count(*) from raw.loads where kind = 'panel'").fetchall()
    outcome = trends("run", "--source", "apify", "--home", home.home)
    assert outcome.code == 0
    assert (outcome.out + outcome.err).count("panel: off, because PANEL_TASK_ID is not set") == 1
    assert build(home, "select count(*) from raw.loads where kind = 'panel'") == notes
    assert "without PANEL_TASK_ID" in trends("doctor", "--home", home.home).out
