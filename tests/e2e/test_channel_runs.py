"""Whole runs with channels: each hears what it wants once, one that is down is named and harms no other."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.service.chat import lead_to
from tests.service.mail import Mail
from tests.service.server import Service, environment
from tests.support import Outcome, trends, video, write_feed

pytestmark = pytest.mark.slow("a day and its polls, told on every channel")

DAY = "2026-01-05"
DOWN = "ntfy://127.0.0.1:9/topic-of-a-dead-server"


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    service = Service()
    with service.running():
        yield service
    assert service.violations == []


@pytest.fixture(scope="module")
def mail() -> Iterator[Mail]:
    with Mail().running() as running:
        yield running


@pytest.fixture(scope="module")
def home(service: Service, mail: Mail, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A home whose runs reach the services; no Discord."""
    given = environment(service) | {
        "RETRY_WAIT_S": "0.01",
        "CHANNELS": f"team | slack://{service.chat.webhook} | daily | US ; dead | {DOWN}"
        f" ; mail | mailto://127.0.0.1:{mail.port}/?from=a@example.org&to=b@example.org | daily failure"
        f" ; bot | tgram://{service.chat.bot}/12315544 | alert | UK"
        f" ; phone | ntfy://{service.url.removeprefix('http://')}/{service.chat.topic} | alert | US",
    }
    for name in ("APIFY_TOKEN", "DISCORD_WEBHOOK"):
        del given[name]
    with pytest.MonkeyPatch.context() as patch:
        for name, value in given.items():
            patch.setenv(name, value)
        for place, value in lead_to(service.url).items():
            patch.setattr(place, value)
        yield tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The morning of two markets, and a poll in which one video of the US runs away."""
    directory = tmp_path_factory.mktemp("feeds")
    for hour in (8, 10, 12, 14):
        for market in ("us", "uk"):
            items = [
                video(str(7590000000000000001 + number), shares=40, plays=1_000 * (number + 3) + 120 * hour)
                for number in range(24)
            ]
            runs_away = {8: 9_000, 10: 12_000, 12: 15_000, 14: 56_000}[hour]
            if market == "us":
                items.append(video("7590000000000000099", shares=400 + hour, plays=runs_away, text="runs away"))
            write_feed(directory / f"{hour}", f"{DAY}T{hour:02}:00", items, market=market)
    return directory


def daily(home: Path, folder: Path) -> Outcome:
    return trends("run", "--source", folder / "8", "--date", DAY, "--home", home)


@pytest.fixture(scope="module")
def delivered(home: Path, folder: Path) -> Outcome:
    return daily(home, folder)


def test_each_hears_the_day_once_and_the_dead_one_is_named(
    delivered: Outcome, home: Path, folder: Path, service: Service, mail: Mail
) -> None:
    assert delivered.code == 0, delivered.err
    assert "delivered: channels: team sent, dead failed, mail sent\n" in delivered.out
    named = "not delivered: channels: channel dead failed: ntfy channel dead: send a message failed (not sent): "
    assert named in delivered.out
    assert "not delivered: discord_report: no webhook" in delivered.out
    ((room, sent),) = service.chat.taken
    text = "\n".join(block["text"]["text"] for block in sent["attachments"][0]["blocks"])
    assert (room, text.partition("\n")[0]) == ("slack", f"📊 TikTok Daily Report - {DAY}")
    assert "Below: those of US, with their places in the whole list." in text
    (letter,) = mail.taken
    assert letter["subject"] == f"📊 TikTok Daily Report - {DAY}"
    body = letter.get_body(("html",))
    assert body is not None
    # What was sent before it names what was down.
    assert "channel dead failed" in body.get_content() and "channel dead failed" not in text

    again = daily(home, folder)
    assert again.code == 0, again.err
    assert "delivered: channels: team unchanged, dead failed, mail unchanged\n" in again.out
    assert (len(service.chat.taken), len(mail.taken)) == (1, 1)
    assert "topic-of-a-dead-server" not in delivered.out + delivered.err + again.out + again.err


def test_doctor_names_what_is_down_and_resend_sends_it_alone(
    delivered: Outcome, home: Path, service: Service, mail: Mail, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = trends("doctor", "--home", home)
    assert told.code == 1
    for line in (
        "ok       Slack channel team: answers; whether the webhook is good is seen by `trends doctor --live`",
        "ok       e-mail channel mail: answers; hears daily, failure of all markets",
        "ok       Telegram channel bot: knows the bot; hears alert of UK",
        "FAILED   ntfy channel dead: ntfy channel dead: look whether it is there failed (not sent): ConnectError",
        f"FAILED   messages: daily:{DAY} in dead was not sent: `trends resend --date {DAY}`",
        "ok       CHANNELS: set",
    ):
        assert f"\n{line}" in told.out
    sent = len(service.chat.taken)
    resend = ("resend", "--date", DAY, "--home", home)
    assert trends(*resend).code == 1
    there = f"ntfy://{service.url.removeprefix('http://')}/{service.chat.topic}"
    monkeypatch.setenv("CHANNELS", os.environ["CHANNELS"].replace(DOWN, there))
    assert trends(*resend).out == f"dead: daily:{DAY}: sent\n"
    assert trends(*resend).out == f"every message of {DAY} is in its channel: nothing to send\n"
    assert [room for room, _ in service.chat.taken[sent:]] == ["ntfy"]
    assert len(mail.taken) == 1


def test_an_alert_goes_to_the_channels_of_its_market(
    delivered: Outcome, home: Path, folder: Path, service: Service, mail: Mail
) -> None:
    before, letters = len(service.chat.taken), len(mail.taken)
    told = ""
    for hour in (10, 12, 14):
        done = trends("poll", "--source", folder / f"{hour}", "--date", DAY, "--home", home)
        assert done.code == 0, done.err
        told += done.out
    alerts = service.chat.taken[before:]
    assert alerts, "the poll found nothing"
    assert {room for room, _ in alerts} == {"ntfy"}
    assert any("runs away" in sent["message"] and "Market: US" in sent["message"] for _, sent in alerts)
    assert len(mail.taken) == letters
    assert "not delivered: poll_messages: dead: ntfy channel dead: " in told
    assert daily(home, folder / "none").code == 1
    (failure,) = mail.taken[letters:]
    assert failure["subject"].startswith("❌ Run failed: daily")
