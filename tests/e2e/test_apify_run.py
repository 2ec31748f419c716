"""`trends run --source apify` against the local service: paid once, a missing market named, nothing at all refused."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.service.server import Service, environment
from tests.support import Item, new_home, published, trends, video
from warehouse.store import Store

TASKS = ("US_VIDEO", "UK_VIDEO", "US_MUSIC", "UK_MUSIC")


@pytest.fixture
def service() -> Iterator[Service]:
    """An account whose runs end at once, in the present: a live run is for today."""
    service = Service()
    service.apify.clock.advance_to(datetime.now(UTC))
    with service.running():
        yield service
    assert service.violations == []


@pytest.fixture
def home(service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """A home whose settings lead to the service, with a webhook and no Google."""
    given = environment(service)
    for name in ("APIFY_TOKEN", "APIFY_BASE_URL", "DISCORD_WEBHOOK"):
        monkeypatch.setenv(name, given[name])
    monkeypatch.setenv("APIFY_ITEM_FLOOR", "2")
    for task in TASKS:
        monkeypatch.setenv(f"{task}_TASK_ID", f"user~{task.lower()}")
    return new_home(tmp_path / "home")


def videos() -> list[Item]:
    posted = datetime.now(UTC) - timedelta(hours=10)
    return [
        video(f"759000000000000000{n}", plays=10_000 * n, shares=900, posted=f"{posted:%Y-%m-%dT%H:%M:%S.000Z}")
        for n in range(1, 6)
    ]


def add_tasks(service: Service, **outcomes: str) -> None:
    for task in TASKS:
        items = videos() if task.endswith("VIDEO") else [{"id": "1", "title": "an invented sound"}]
        service.apify.add_task(f"user~{task.lower()}", items, seconds=0, outcome=outcomes.get(task, "SUCCEEDED"))


def test_both_markets_are_paid_once_and_a_poll_reads_anew(service: Service, home: Store) -> None:
    add_tasks(service)
    for _ in range(2):
        outcome = trends("run", "--source", "apify", "--home", home.home)
        assert outcome.code == 0, outcome.err
    assert len(service.apify.runs) == len(TASKS)
    rows = published(home, "select market, count(*) from marts.videos_daily group by 1 order by 1")
    assert rows == [("UK", 5), ("US", 5)]
    (message,) = service.discord.messages.values()
    assert message["payload"]["embeds"][0]["title"].startswith("📊 TikTok Daily Report")

    # A poll reuses none of these runs: it starts the video tasks anew and finds what has changed since.
    for task in TASKS[:2]:
        for item in service.apify.tasks[f"user~{task.lower()}"].items:
            item["playCount"] *= 2
    service.apify.clock.sleep(60)
    outcome = trends("poll", "--source", "apify", "--home", home.home)
    assert outcome.code == 0, outcome.err
    started = [run.task.task_id for run in service.apify.runs.values()]
    assert sorted(started[len(TASKS) :]) == ["user~uk_video", "user~us_video"]
    assert published(home, "select max(reading_number) from marts.video_readings") == [(2,)]


def test_a_market_without_a_run_is_named_and_the_other_goes_on(service: Service, home: Store) -> None:
    add_tasks(service, UK_VIDEO="FAILED")
    outcome = trends("run", "--source", "apify", "--home", home.home)
    assert outcome.code == 0, outcome.err
    assert "UK videos" in outcome.out
    assert published(home, "select distinct market from marts.videos_daily") == [("US",)]
    (missing,) = published(home, "select is_missing from marts.source_health where market = 'UK' and kind = 'videos'")
    assert missing == (True,)
    (message,) = service.discord.messages.values()
    degraded = [field for field in message["payload"]["embeds"][0]["fields"] if field["name"] == "⚠️ DEGRADED"]
    assert "UK videos" in degraded[0]["value"]


def test_without_any_market_nothing_is_published_or_sent_but_the_failure(service: Service, home: Store) -> None:
    add_tasks(service, US_VIDEO="ABORTED", UK_VIDEO="TIMED-OUT", US_MUSIC="FAILED", UK_MUSIC="FAILED")
    outcome = trends("run", "--source", "apify", "--home", home.home)
    assert outcome.code == 1
    assert "has no feed for" in outcome.err
    assert not home.published_path.exists()
    assert not home.output.exists()
    titles = [message["payload"]["embeds"][0]["title"] for message in service.discord.messages.values()]
    assert [title.startswith("❌ Run failed: daily") for title in titles] == [True]
