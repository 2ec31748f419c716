"""`trends poll --date`: the poll of that date is told and sent, whatever other polls there are."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.service.server import Service, environment
from tests.support import trends, video, write_feed

pytestmark = pytest.mark.slow("a day and a poll by the command")


@pytest.fixture
def service() -> Iterator[Service]:
    service = Service()
    with service.running():
        yield service


def test_the_poll_of_the_date_is_told_and_sent(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DISCORD_WEBHOOK", environment(service)["DISCORD_WEBHOOK"])
    monkeypatch.setenv("POLL_SUMMARY", "always")
    for day, ids in (("05", range(3)), ("06", range(5))):
        for hour, plays in (("08", 1000), ("14", 9000)):
            items = [video(str(7590000000000000000 + n), plays=plays + n + 100 * int(day)) for n in ids]
            write_feed(tmp_path / "feeds", f"2026-01-{day}T{hour}:00", items)
    place = ("--source", tmp_path / "feeds", "--home", tmp_path / "home")
    for day, readings in (("06", 5), ("05", 3)):
        outcome = trends("poll", "--date", f"2026-01-{day}", *place)
        assert outcome.code == 0, outcome.err
        assert f"poll of 2026-01-{day} 14:00 UTC: {readings} new readings" in outcome.out
        titles = [message["payload"]["embeds"][0]["title"] for message in service.discord.messages.values()]
        assert titles[-1] == f"🔎 Poll 2026-01-{day} 14:00 UTC"
