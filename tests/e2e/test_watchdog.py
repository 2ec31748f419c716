"""Silence is told once, and a watcher outside hears of each good run."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from pytest_httpserver import HTTPServer

from orchestration.settings import Settings
from orchestration.watchdog import silences, tell
from tests.service.server import Service, environment
from tests.support import trends, video, write_feed
from warehouse.store import Store

pytestmark = pytest.mark.slow("eight whole runs under a watchman")

DAY = date(2026, 2, 20)


def london(hour: int, minute: int = 0, day: date = DAY) -> datetime:
    return datetime(day.year, day.month, day.day, hour, minute, tzinfo=ZoneInfo("Europe/London")).astimezone(UTC)


@pytest.fixture(scope="module")
def feeds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A day of both markets, read at 09:00 and 12:00 UTC."""
    folder = tmp_path_factory.mktemp("feeds")
    for hour in (9, 12):
        for market in ("us", "uk"):
            items = [video(str(7607000000000000000 + number), plays=1000 * hour + number) for number in range(20)]
            write_feed(folder / f"{hour}", f"{DAY}T{hour:02}:00", items, market=market)
    return folder


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, feeds: Path) -> Store:
    store = Store(tmp_path_factory.mktemp("watched"))
    for command, hour in (("run", 9), ("poll", 12)):
        done = trends(command, "--source", feeds / f"{hour}", "--date", f"{DAY}", "--home", store.home, "--no-deliver")
        assert done.code == 0, done.err
    return store


def missing(store: Store, now: datetime) -> list[str]:
    return [silence.key for silence in silences(Settings(trends_home=store.home), store, now)]


def test_what_did_not_come_is_a_silence_from_its_hour_on(home: Store) -> None:
    tomorrow = DAY + timedelta(days=1)
    assert missing(home, london(12, 30)) == []
    # The slots of 14 and 16 o'clock went by; the one of 16 may still be at work until 16:45.
    assert missing(home, london(16, 40)) == []
    assert missing(home, london(16, 50)) == ["silence:poll:2026-02-20T12:00"]
    assert missing(home, london(11, 59, tomorrow)) == ["silence:poll:2026-02-20T12:00"]
    assert missing(home, london(12, 0, tomorrow)) == [f"silence:daily:{tomorrow}", "silence:poll:2026-02-20T12:00"]
    assert missing(Store(home.home / "nothing"), london(12, 0, tomorrow)) == []


def test_a_night_without_polls_is_no_silence(home: Store, feeds: Path, tmp_path: Path) -> None:
    late = Store(tmp_path / "late")
    for command, hour in (("run", 9), ("poll", 22)):
        items = [video(str(7607000000000000000 + number), plays=1000 * hour + number) for number in range(20)]
        for market in ("us", "uk"):
            write_feed(tmp_path / f"{hour}", f"{DAY}T{hour:02}:05", items, market=market)
        done = trends(
            command, "--source", tmp_path / f"{hour}", "--date", f"{DAY}", "--home", late.home, "--no-deliver"
        )
        assert done.code == 0, done.err
    tomorrow = DAY + timedelta(days=1)
    assert missing(late, london(8, 50, tomorrow)) == []
    assert missing(late, london(10, 50, tomorrow)) == ["silence:poll:2026-02-20T22:05"]


def test_each_silence_is_told_once(home: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    service = Service()
    with service.running():
        for name, value in environment(service).items():
            monkeypatch.setenv(name, value)
        settings = Settings(trends_home=home.home)
        now = london(12, 0, DAY + timedelta(days=1))
        assert [line.split(": ")[1] for line in tell(settings, home, now)] == ["discord sent", "discord sent"]
        assert [line.split(": ")[1] for line in tell(settings, home, now)] == ["discord unchanged", "discord unchanged"]
    titles = [message["payload"]["embeds"][0]["title"] for message in service.discord.messages.values()]
    assert titles == [
        "🔕 Silence: no file of 2026-02-21 was published by 12:00 UTC; the last is of 2026-02-20",
        "🔕 Silence: no poll for 2 slots; the last was at 2026-02-20 12:00 UTC",
    ]


@pytest.fixture
def watcher(httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[HTTPServer]:
    monkeypatch.setenv("HEARTBEAT_URL", httpserver.url_for("/alive/secret-id"))
    yield httpserver


def test_a_good_run_gives_a_sign_of_life(home: Store, feeds: Path, watcher: HTTPServer) -> None:
    watcher.expect_request("/alive/secret-id").respond_with_data("OK")
    run = ("run", "--source", feeds / "9", "--date", f"{DAY}", "--home", home.home)
    assert trends(*run, "--no-deliver").code == 0
    assert watcher.log == [], "nothing is sent"
    assert trends(*run).code == 0
    assert len(watcher.log) == 1
    assert trends("poll", *run[1:]).code == 0
    assert len(watcher.log) == 2
    broken = trends("run", "--source", feeds / "none", "--date", f"{DAY}", "--home", home.home)
    assert (broken.code, len(watcher.log)) == (1, 2)


def test_a_watcher_that_fails_fails_no_run(home: Store, feeds: Path, watcher: HTTPServer) -> None:
    watcher.expect_request("/alive/secret-id").respond_with_data("no", status=500)
    done = trends("run", "--source", feeds / "9", "--date", f"{DAY}", "--home", home.home)
    assert (done.code, len(watcher.log)) == (0, 1)
    assert "secret-id" not in done.out + done.err
