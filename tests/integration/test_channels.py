"""Slack, Telegram, ntfy and e-mail with the real apprise against services on the loopback interface."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from orchestration import services as known
from orchestration.settings import Settings
from services import channels
from services.channels import Channel
from services.message import Field, Link, Message
from services.receipts import DuckDBReceipts, give_up, is_not_sent, is_unclear
from services.retries import ServiceError
from tests.service import drill
from tests.service.chat import lead_to
from tests.service.faults import Fault, fault_name
from tests.service.helpers import AS_OF, QUICK, receipts_in
from tests.service.mail import Mail, Plan
from tests.service.server import Service

pytest_plugins = ["tests.service.fixtures"]
KEY = f"daily:{AS_OF}"
NAMES = ("team", "bot", "phone", "mail")
OVER_HTTP = {"team": "slack", "bot": "telegram", "phone": "ntfy"}
DRIVE = "https://drive.google.com/drive/folders/abc?x=1&y=2"


@pytest.fixture
def mail() -> Iterator[Mail]:
    with Mail().running() as running:
        yield running


@pytest.fixture
def text(service: Service, mail: Mail, monkeypatch: pytest.MonkeyPatch) -> str:
    """CHANNELS with one of each."""
    for place, value in lead_to(service.url).items():
        monkeypatch.setattr(place, value)
    host = service.url.removeprefix("http://")
    return (
        f"team | slack://{service.chat.webhook}/#trends\n"
        f"bot | tgram://{service.chat.bot}/12315544/ ; phone | ntfy://{host}/{service.chat.topic} | all | all\n"
        f"mail | mailto://127.0.0.1:{mail.port}/?from=a@example.org&to=b@example.org"
    )


def found(text: str) -> dict[str, Channel]:
    parsed = channels.parse(text, ["US", "UK"])
    return {channel.name: replace(channel, policy=QUICK, timeout_seconds=0.5) for channel in parsed}


def message(title: str = "📊 The day", *lines: str | Link) -> Message:
    fields = (
        Field("⚠️ DEGRADED", ("US videos: none",), is_urgent=True),
        Field("Your Posts", ("3",), is_inline=True),
        Field("US Fresh", ("5",), is_inline=True),
        Field("LINKS", (Link("Drive folder", DRIVE), Link("elsewhere", "https://evil.example/"))),
    )
    return Message(title, fields, lines or ("1. build this",), footer="Poll of 14:00")


def taken(service: Service, mail: Mail, name: str) -> list[str]:
    """The texts that a channel's service has, as they were sent."""
    if name == "mail":
        bodies = [taken.get_body(("html",)) for taken in mail.taken]
        return [str(body.get_content()) for body in bodies if body is not None]
    payloads = [payload for room, payload in service.chat.taken if room == OVER_HTTP[name]]
    if name == "team":
        return ["\n".join(block["text"]["text"] for block in sent["attachments"][0]["blocks"]) for sent in payloads]
    return [sent["text"] if name == "bot" else f"{sent['title']}\n{sent['message']}" for sent in payloads]


@pytest.mark.parametrize("name", NAMES)
def test_a_message_is_sent_once_and_never_changed(
    service: Service, mail: Mail, text: str, receipts: DuckDBReceipts, name: str
) -> None:
    channel = found(text)[name]
    outcomes = [
        channels.deliver(channel, receipts, KEY, AS_OF, sent).outcome
        for sent in (message(), message(), message("another text"))
    ]
    assert outcomes == ["sent", "unchanged", "kept"]
    (shown,) = taken(service, mail, name)
    for part in ("The day", "DEGRADED", "US videos: none", "1. build this", "Your Posts: 3 · US Fresh: 5", "Poll of"):
        assert part in shown
    assert shown.index("DEGRADED") < shown.index("1. build this") < shown.index("Your Posts")
    assert DRIVE.replace("&", "&" if name == "phone" else "&amp;") in shown
    assert "elsewhere" in shown and "evil.example" not in shown
    (receipt,) = receipts.of_date(AS_OF)
    assert (receipt.idempotency_key, receipt.effect, receipt.target, receipt.remote_id) == (
        f"channel:{name}:{KEY}", "channel_message", name, None,
    )  # fmt: skip


# What is stated: outcome, texts at the service, outcome of the next run.
FAULTS = [
    (Fault("status", 429), "sent", 1, "unchanged"),
    (Fault("status", 404), "failed", 0, "sent"),
    (Fault("status", 400), "failed", 0, "sent"),
    (Fault("status", 500), "unclear", 0, "unclear"),
    (Fault("html", 502), "unclear", 0, "unclear"),
    (Fault("drop_before"), "unclear", 0, "unclear"),
    (Fault("stall"), "unclear", 0, "unclear"),
    (Fault("drop_after"), "unclear", 1, "unclear"),
    (Fault("status_after", 503), "unclear", 1, "unclear"),
    (Fault("stall_after"), "unclear", 1, "unclear"),
]


@pytest.mark.parametrize("name", OVER_HTTP)
@pytest.mark.parametrize(("fault", "outcome", "count", "next_outcome"), FAULTS, ids=fault_name)
def test_one_fault_never_doubles(
    service: Service, mail: Mail, text: str, receipts: DuckDBReceipts,
    name: str, fault: Fault, outcome: str, count: int, next_outcome: str,
) -> None:  # fmt: skip
    service.faults.add(f"{OVER_HTTP[name]}.send", replace(fault, times=1))
    channel = found(text)[name]
    done = channels.deliver(channel, receipts, KEY, AS_OF, message())
    assert (done.outcome, len(taken(service, mail, name))) == (outcome, count)
    hidden = [part.get_secret_value() for part in channels.secret_parts(text)]
    assert not any(part in done.reason for part in hidden)
    (receipt,) = receipts.of_date(AS_OF)
    assert (is_unclear(receipt), is_not_sent(receipt)) == (outcome == "unclear", outcome == "failed")
    assert channels.deliver(channel, receipts, KEY, AS_OF, message()).outcome == next_outcome
    assert len(taken(service, mail, name)) <= 1


MAILS: list[tuple[Plan, str, int, str]] = [
    ("busy", "sent", 1, "unchanged"),
    ("refuse", "failed", 0, "sent"),
    ("drop_before", "unclear", 0, "unclear"),
    ("drop_after", "unclear", 1, "unclear"),
    ("stall_after", "unclear", 1, "unclear"),
]


@pytest.mark.parametrize(("plan", "outcome", "count", "next_outcome"), MAILS)
def test_one_fault_of_mail_never_doubles(
    mail: Mail, text: str, receipts: DuckDBReceipts, plan: Plan, outcome: str, count: int, next_outcome: str
) -> None:
    mail.plan, mail.times = plan, 1
    channel = found(text)["mail"]
    assert channels.deliver(channel, receipts, KEY, AS_OF, message()).outcome == outcome
    assert len(mail.taken) == count
    assert channels.deliver(channel, receipts, KEY, AS_OF, message()).outcome == next_outcome
    assert len(mail.taken) <= 1


@pytest.mark.parametrize("name", NAMES)
def test_what_is_down_is_sent_when_it_is_up_again(
    service: Service, mail: Mail, text: str, receipts: DuckDBReceipts, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    up = found(text)[name]
    with monkeypatch.context() as patch:
        for place, value in lead_to("http://127.0.0.1:9").items():
            patch.setattr(place, value)
        down = found(re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:9", text))[name]
        done = channels.deliver(down, receipts, KEY, AS_OF, message())
        assert (done.outcome, "(not sent)" in done.reason) == ("failed", True)
        with pytest.raises(ServiceError, match=f"channel {name}: look whether it is there failed"):
            channels.check_access(down)
    assert channels.deliver(up, receipts, KEY, AS_OF, message()).outcome == "sent"
    assert "answers" in channels.check_access(up) or channels.check_access(up) == "knows the bot"
    assert len(taken(service, mail, name)) == 1
    channels.check_write(up)
    assert "this is a test" in taken(service, mail, name)[1]


@pytest.mark.parametrize("name", NAMES)
def test_killed_between_request_and_receipt_is_unclear_until_somebody_looked(
    service: Service, mail: Mail, text: str, tmp_path: Path, name: str
) -> None:
    if name == "mail":
        mail.plan, mail.times = "stall_after", 1
    else:
        service.faults.add(f"{OVER_HTTP[name]}.send", Fault("stall_after"))
    process = drill.start_message(text, name, tmp_path / "facts.duckdb", lead_to(service.url))
    wait_for(lambda: bool(taken(service, mail, name)))
    process.kill()
    process.join(30)
    ledger, channel = receipts_in(tmp_path / "facts.duckdb"), found(text)[name]
    (receipt,) = ledger.of_date(AS_OF)
    assert is_unclear(receipt)
    done = channels.deliver(channel, ledger, KEY, AS_OF, message())
    assert (done.outcome, "`trends resend`" in done.reason) == ("unclear", True)
    assert len(taken(service, mail, name)) == 1
    give_up(ledger, receipt)
    assert channels.deliver(channel, ledger, KEY, AS_OF, message()).outcome == "sent"
    assert len(taken(service, mail, name)) == 2


def wait_for(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


HOSTILE = [
    "=1+1 <b>bold</b> &amp; @everyone <!channel> *x* _y_ ~z~ ```code``` [a](b) | {{app_url}}",
    "\u202eright to left\u202c \u200b\u0000 \ud800 \U0001f469\u200d\U0001f469",
    "</div><script>alert(1)</script>",
    "\U0001f525" * 700,
    "",
]


@pytest.mark.parametrize("name", NAMES)
def test_any_text_is_shown_as_it_is_within_the_limits(
    service: Service, mail: Mail, text: str, receipts: DuckDBReceipts, name: str
) -> None:
    channel = found(text)[name]
    link = Link("a | <label> `x`", "https://www.tiktok.com/@a/video/1?x=(1)&y=<2>|3")
    for number, caption in enumerate(HOSTILE):
        long = replace(
            message(caption, *(line for _ in range(40) for line in (caption, link))),
            fields=tuple(Field(f"PART {part}", (caption, "x" * 90, link)) for part in range(30)),
        )
        done = channels.deliver(channel, receipts, f"alert:{number}", AS_OF, long)
        assert done.outcome == "sent", done.reason
    shown = taken(service, mail, name)
    assert len(shown) == len(HOSTILE)
    # Slack's head is plain text, as is all of ntfy.
    assert ("<script>" in shown[2].partition("\n")[2]) == (name == "phone")
    if name in ("bot", "phone"):
        cut = r"… left out for length, in lines: .*\d+ of PART \d+.* and \d+ more parts. The report has all\."
        assert re.search(cut, shown[0])


def test_what_is_left_out_is_named(service: Service, mail: Mail, text: str, receipts: DuckDBReceipts) -> None:
    lines = tuple(f"{number} " + "x" * 300 for number in range(16))
    full = replace(message("title", *lines), footer="")
    channels.deliver(found(text)["phone"], receipts, KEY, AS_OF, full)
    (shown,) = taken(service, mail, "phone")
    count = sum(f"\n{number} xxx" in shown for number in range(16))
    assert 8 < count < 16
    assert shown.endswith(
        f"… left out for length, in lines: {16 - count} of the list, 1 of the numbers, 2 of LINKS. The report has all."
    )


def test_kinds_and_markets_choose_who_hears(text: str) -> None:
    line = "a | ntfys://ntfy.sh/x ; b | ntfys://ntfy.sh/y | daily, silence | all ; c | ntfys://ntfy.sh/z | ALERT | uk ;"
    chosen = found(line)
    keys = ("daily:2026-01-05", "alert:1:2026", "trend:US:x", "poll:2026", "failure:run", "silence:daily:2026")
    heard = {
        name: [key.partition(":")[0] for key in keys if channel.wants(key, Message("m"))]
        for name, channel in chosen.items()
    }
    assert heard == {
        "a": ["daily", "alert", "trend", "poll", "failure", "silence"],
        "b": ["daily", "silence"],
        "c": ["alert", "trend", "poll"],
    }
    of_us, of_both = Message("m", markets=("US",)), Message("m", markets=("US", "UK"))
    assert [chosen["c"].wants("alert:1", told) for told in (of_us, of_both)] == [False, True]
    assert chosen["a"].wants("alert:1", of_us)


def test_a_channel_that_is_down_harms_no_other(
    service: Service, mail: Mail, text: str, receipts: DuckDBReceipts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DISCORD_WEBHOOK", service.webhook_url)
    monkeypatch.setenv("CHANNELS", f"dead | ntfy://127.0.0.1:9/topic\n{text}")
    monkeypatch.setenv("RETRY_WAIT_S", "0.01")
    settings = Settings()
    first = known.tell(settings, receipts, "silence:poll:1", AS_OF, message())
    assert [(name, done.outcome) for name, done in first] == [
        ("discord", "sent"), ("dead", "failed"), *((name, "sent") for name in NAMES),
    ]  # fmt: skip
    again = known.tell(settings, receipts, "silence:poll:1", AS_OF, message())
    assert [done.outcome for _, done in again] == ["unchanged", "failed", *["unchanged"] * 4]
    assert len(service.discord.messages) == 1
    assert all(len(taken(service, mail, name)) == 1 for name in NAMES)
    hidden = {secret.get_secret_value() for secret in settings.secrets}
    assert {service.chat.bot.partition(":")[2], service.chat.topic, "TIiajkdnlazkcOXrIdevi7FQ"} <= hidden
    assert not {"127.0.0.1", "", "services"} & hidden
