"""`trends run --source apify` against the local service: paid once also when it dies, what is missing is named."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.service import drill
from tests.service.apify import Clock
from tests.service.faults import Fault
from tests.service.server import Service, environment
from tests.support import Item, published, trends, video
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
    monkeypatch.setenv("RETRY_WAIT_S", "0.01")
    for task in TASKS:
        monkeypatch.setenv(f"{task}_TASK_ID", f"user~{task.lower()}")
    return Store(tmp_path / "home")


def videos() -> list[Item]:
    posted = datetime.now(UTC) - timedelta(hours=10)
    return [
        video(f"759000000000000000{n}", plays=10_000 * n, shares=900, posted=f"{posted:%Y-%m-%dT%H:%M:%S.000Z}")
        for n in range(1, 6)
    ]


def add_tasks(service: Service, **changes: Mapping[str, object]) -> None:
    """Four tasks whose runs end at once and well; changes by the task's name."""
    for task in TASKS:
        items = videos() if task.endswith("VIDEO") else [{"id": "1", "title": "an invented sound"}]
        settings: dict[str, Any] = {"items": items, "seconds": 0, **changes.get(task, {})}
        service.apify.add_task(f"user~{task.lower()}", **settings)


@pytest.mark.slow("four whole runs")
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


@pytest.mark.slow("two whole runs")
def test_a_run_that_dies_in_its_ten_minutes_is_resumed_and_not_paid_again(
    service: Service, home: Store, tmp_path: Path
) -> None:
    """The home has the storage that ships: what the dead run left in it must not hold the next one up."""
    add_tasks(service, **{task: {"seconds": 600} for task in TASKS})
    began = datetime.now(UTC) - timedelta(minutes=9)
    service.apify.clock = Clock(began)
    settings = environment(service) | {"APIFY_ITEM_FLOOR": "2", "RETRY_WAIT_S": "0.01", "DISCORD_WEBHOOK": ""}
    settings |= {f"{task}_TASK_ID": f"user~{task.lower()}" for task in TASKS}
    shipped = Store(tmp_path / "shipped")
    arguments = ("run", "--source", "apify", "--home", str(shipped.home))
    process = drill.start_trends(settings, tmp_path / "printed.txt", *arguments)
    # Every run is polled once, so its id is stored, and is being polled a second time when the process dies.
    for last in (None, process.kill):
        together = threading.Barrier(len(TASKS), action=last, timeout=100)
        service.faults.add("apify.run", Fault("call_before", times=len(TASKS), action=together.wait))
    process.join(120)
    assert process.exitcode == -signal.SIGKILL
    assert {run.status(service.apify.clock.now()) for run in service.apify.runs.values()} == {"RUNNING"}
    outcome = trends(*arguments)
    assert outcome.code == 0, outcome.err
    assert sorted(run.task.task_id for run in service.apify.runs.values()) == sorted(service.apify.tasks)
    # Ten minutes went by, one of them ahead of our own clock: the readings belong to this run all the same.
    assert service.apify.clock.now() - began >= timedelta(minutes=10)
    rows = published(shipped, "select market, count(*) from marts.videos_daily group by 1 order by 1")
    assert rows == [("UK", 5), ("US", 5)]


def test_what_is_missing_is_named_and_the_rest_goes_on(
    service: Service, home: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One market's last run is recent enough; the other has no credit; of the sounds one is empty, one aborted."""
    add_tasks(
        service, UK_VIDEO={"has_credit": False}, US_MUSIC={"items": []}, UK_MUSIC={"outcome": "ABORTED"}
    )  # fmt: skip
    monkeypatch.setenv("APIFY_REUSE_HOURS", "6")
    service.apify.start("user~us_video")
    service.apify.clock.sleep(1)
    outcome = trends("run", "--source", "apify", "--home", home.home)
    assert outcome.code == 0, outcome.err
    assert sorted(run.task.task_id for run in service.apify.runs.values()) == [
        "user~uk_music", "user~us_music", "user~us_video",
    ]  # fmt: skip
    for told in ("UK videos: ", "out of credit", "0 usable items of 0", "ended as ABORTED"):
        assert told in outcome.out
    assert published(home, "select distinct market from marts.videos_daily") == [("US",)]
    (missing,) = published(home, "select is_missing from marts.source_health where market = 'UK' and kind = 'videos'")
    assert missing == (True,)
    (message,) = service.discord.messages.values()
    degraded = [field for field in message["payload"]["embeds"][0]["fields"] if field["name"] == "⚠️ DEGRADED"]
    assert "UK videos" in degraded[0]["value"]


NOTHING: list[tuple[dict[str, dict[str, object]], tuple[str, str]]] = [
    ({"US_VIDEO": {"outcome": "ABORTED"}, "UK_VIDEO": {"outcome": "TIMED-OUT"}}, ("as ABORTED", "as TIMED-OUT")),
    ({"US_VIDEO": {"has_credit": False}, "UK_VIDEO": {"items": []}}, ("out of credit", "0 usable items of 0")),
    ({"US_VIDEO": {"items": [{"error": "x"}] * 3}, "UK_VIDEO": {"items": [video("1")]}}, ("0 usable", "1 usable")),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "reasons"), NOTHING, ids=["not finished", "no credit or items", "item floor"])
def test_without_any_market_nothing_is_published_or_sent_but_the_failure(
    service: Service, home: Store, changes: dict[str, dict[str, object]], reasons: tuple[str, str]
) -> None:
    failed: dict[str, dict[str, object]] = {task: {"outcome": "FAILED"} for task in TASKS}
    add_tasks(service, **(failed | changes))
    outcome = trends("run", "--source", "apify", "--home", home.home)
    assert outcome.code == 1
    assert "has no feed for" in outcome.err
    for reason in reasons:
        assert reason in outcome.err
    assert not home.published_path.exists()
    assert not home.output.exists()
    titles = [message["payload"]["embeds"][0]["title"] for message in service.discord.messages.values()]
    assert [title.startswith("❌ Run failed: daily") for title in titles] == [True]
