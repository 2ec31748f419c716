"""Discord delivery with the real httpx against the local service."""

import json
from collections.abc import Callable
from dataclasses import replace

import pytest
from pydantic import SecretStr

from services import discord
from services.message import Delivery, Field, Link, Message, Picture, alert_message, daily_message, failure_message
from services.receipts import DuckDBReceipts, give_up, is_unclear
from services.retries import ServiceError
from services.text_safety import utf16_length
from tests.service.faults import EVERY_FAULT, Fault, Kind, fault_name
from tests.service.helpers import AS_OF, QUICK, receipts_in
from tests.service.server import Service

pytest_plugins = ["tests.service.fixtures"]
KEY = f"daily:{AS_OF}"
CHART = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 2_000
COUNTS = [("Your Posts", 3), ("Competitor Posts", 14), ("🔥 URGENT", 1), ("US Fresh (72h)", 1_234)]


@pytest.fixture
def config(service: Service) -> discord.DiscordConfig:
    return discord.DiscordConfig(
        SecretStr(service.webhook_url), timeout_seconds=0.5, throttle_default=0.01, policy=QUICK
    )


def message(chart: bytes | None = CHART, degradations: tuple[str, ...] = ()) -> Message:
    return daily_message(
        AS_OF,
        COUNTS,
        [("SEASONAL ALERTS", ["Valentine's Day in 40 days"]), ("ON RADAR", [])],
        [Link("Drive folder", "https://drive.google.com/drive/folders/abc")],
        degradations,
        chart,
    )


def test_one_message_with_its_chart_and_a_repeat_sends_nothing(
    service: Service, config: discord.DiscordConfig, receipts: DuckDBReceipts
) -> None:
    first = discord.deliver(config, receipts, KEY, AS_OF, message())
    assert first.outcome == "sent"
    assert discord.deliver(config, receipts, KEY, AS_OF, message()) == Delivery("unchanged", first.message_id)
    assert len(service.log) == 1
    ((message_id, stored),) = service.discord.messages.items()
    assert message_id == first.message_id
    assert stored["files"] == {"chart.png": CHART}
    embed = stored["payload"]["embeds"][0]
    assert embed["title"] == f"📊 TikTok Daily Report - {AS_OF}"
    assert [(item["name"], item["value"]) for item in embed["fields"]] == [
        ("Your Posts", "3"),
        ("Competitor Posts", "14"),
        ("🔥 URGENT", "1"),
        ("US Fresh (72h)", "1,234"),
        ("SEASONAL ALERTS", "Valentine's Day in 40 days"),
        ("LINKS", "[Drive folder](https://drive.google.com/drive/folders/abc)"),
    ]


def test_a_changed_report_edits_the_message(
    service: Service, config: discord.DiscordConfig, receipts: DuckDBReceipts
) -> None:
    first = discord.deliver(config, receipts, KEY, AS_OF, message())
    second = discord.deliver(config, receipts, KEY, AS_OF, message(b"\x89PNG new", ("UK music is missing",)))
    assert (second.outcome, second.message_id) == ("edited", first.message_id)
    ((_, stored),) = service.discord.messages.items()
    assert stored["files"] == {"chart.png": b"\x89PNG new"}
    assert stored["payload"]["embeds"][0]["fields"][0] == {
        "name": "⚠️ DEGRADED",
        "value": "UK music is missing",
        "inline": False,
    }


def test_hostile_text_within_all_limits(
    service: Service, config: discord.DiscordConfig, receipts: DuckDBReceipts
) -> None:
    caption = "@everyone **x** [a](https://evil.example) \u202e😀 ```" * 300
    fields = tuple(Field(caption, (caption, "", caption), True) for _ in range(40))
    hostile = Message(caption, fields, (caption, Link("x", "https://evil.example/")), footer=caption)
    assert discord.deliver(config, receipts, KEY, AS_OF, hostile).outcome == "sent"
    ((_, stored),) = service.discord.messages.items()
    text = json.dumps(stored["payload"], ensure_ascii=False).replace(
        stored["payload"]["embeds"][0]["footer"]["text"], ""
    )
    assert "@everyone" not in text and "\u202e" not in text and "](https://evil" not in text
    assert stored["payload"]["allowed_mentions"] == {"parse": []}


def test_empty_texts_and_too_large_a_chart(
    service: Service, config: discord.DiscordConfig, receipts: DuckDBReceipts
) -> None:
    empty = Message("", (Field("\u200b", ("",)),), chart_png=b"x" * (10 * 1024 * 1024 + 1))
    assert discord.deliver(config, receipts, KEY, AS_OF, empty).outcome == "sent"
    ((_, stored),) = service.discord.messages.items()
    assert stored["files"] == {}
    assert "too large" in stored["payload"]["embeds"][0]["description"]


def test_lines_that_do_not_fit_are_counted() -> None:
    payload, _ = discord.build_payload(Message("t", (Field("f", tuple("x" * 100 for _ in range(30))),)))
    value = payload["embeds"][0]["fields"][0]["value"]
    assert utf16_length(value) <= 1_024
    shown = value.count("x" * 100)
    assert value.endswith(f"… and {30 - shown} more")


# Route, then fault, then what is stated: outcome, messages in the channel, and outcome of the next run.
SEND = [
    (Fault("status", 429, body={"message": "limited", "retry_after": 0.25, "global": False}), "sent", 1, "unchanged"),
    (Fault("status", 429, {"Retry-After": "1"}), "sent", 1, "unchanged"),
    (Fault("status", 429), "sent", 1, "unchanged"),
    (Fault("html", 429), "sent", 1, "unchanged"),
    (Fault("drop_early"), "sent", 1, "unchanged"),
    (Fault("status", 500), "unclear", 0, "unclear"),
    (Fault("html", 502), "unclear", 0, "unclear"),
    (Fault("drop_before"), "unclear", 0, "unclear"),
    (Fault("stall"), "unclear", 0, "unclear"),
    (Fault("drop_after"), "unclear", 1, "unclear"),
    (Fault("status_after", 503), "unclear", 1, "unclear"),
    (Fault("stall_after"), "unclear", 1, "unclear"),
    (Fault("status", 400, body={"message": "Invalid Form Body", "code": 50035}), "failed", 0, "sent"),
    (Fault("status", 429, {"Retry-After": "9999"}), "failed", 0, "sent"),
]


@pytest.mark.parametrize(("fault", "outcome", "messages", "next_outcome"), SEND, ids=fault_name)
def test_sending_with_one_fault_never_doubles(
    service: Service,
    config: discord.DiscordConfig,
    receipts: DuckDBReceipts,
    elapsed: Callable[[], float],
    fault: Fault,
    outcome: str,
    messages: int,
    next_outcome: str,
) -> None:
    service.faults.add("discord.execute", replace(fault, times=1))
    # A chart larger than the socket's buffers: a connection that breaks early breaks while sending.
    large = message(CHART * 14)
    delivery = discord.deliver(config, receipts, KEY, AS_OF, large)
    assert delivery.outcome == outcome
    assert len(service.discord.messages) == messages
    assert service.discord.token not in delivery.reason
    assert elapsed() < 4
    assert discord.deliver(config, receipts, KEY, AS_OF, large).outcome == next_outcome
    assert len(service.discord.messages) <= 1


def test_after_somebody_looked_an_unclear_message_can_be_sent(
    service: Service, config: discord.DiscordConfig, receipts: DuckDBReceipts
) -> None:
    service.faults.add("discord.execute", Fault("drop_before"))
    assert discord.deliver(config, receipts, KEY, AS_OF, message()).outcome == "unclear"
    (unclear,) = receipts.of_date(AS_OF)
    assert is_unclear(unclear)
    assert not discord.is_gone(config, unclear)
    give_up(receipts, unclear)
    sent = discord.deliver(config, receipts, KEY, AS_OF, message())
    assert sent.outcome == "sent"
    assert len(service.discord.messages) == 1
    assert discord.deliver(config, receipts, KEY, AS_OF, message()).outcome == "unchanged"


@pytest.mark.parametrize("fault", EVERY_FAULT, ids=fault_name)
def test_editing_with_one_fault_succeeds(
    service: Service,
    config: discord.DiscordConfig,
    receipts: DuckDBReceipts,
    elapsed: Callable[[], float],
    fault: Fault,
) -> None:
    discord.deliver(config, receipts, KEY, AS_OF, message())
    service.faults.add("discord.edit", replace(fault, times=1))
    assert discord.deliver(config, receipts, KEY, AS_OF, message(None)).outcome == "edited"
    ((_, stored),) = service.discord.messages.items()
    assert stored["files"] == {}
    assert elapsed() < 4


@pytest.mark.parametrize("kind", ["status", "html", "drop_early", "stall"])
def test_a_service_that_never_recovers_fails_quietly_in_bounded_time(
    service: Service,
    config: discord.DiscordConfig,
    receipts: DuckDBReceipts,
    elapsed: Callable[[], float],
    kind: Kind,
) -> None:
    service.faults.add("discord.*", Fault(kind, 429 if kind == "status" else 502, times=1_000))
    delivery = discord.deliver(config, receipts, KEY, AS_OF, message(CHART * 14))
    assert delivery.outcome in ("failed", "unclear")
    assert service.discord.messages == {}
    assert elapsed() < 5


def test_nobody_listens(receipts: DuckDBReceipts, config: discord.DiscordConfig) -> None:
    nowhere = replace(config, webhook_url=SecretStr("http://127.0.0.1:9/api/webhooks/1/marker-token"))
    delivery = discord.deliver(nowhere, receipts, KEY, AS_OF, message())
    assert delivery.outcome == "failed"
    assert "marker-token" not in delivery.reason
    assert receipts.find(f"discord:{KEY}") is None, "nothing left the machine, so nothing is unclear"


def test_a_deleted_webhook_and_a_deleted_message_name_the_remedy(
    service: Service, config: discord.DiscordConfig, receipts: DuckDBReceipts
) -> None:
    discord.deliver(config, receipts, KEY, AS_OF, message())
    service.discord.messages.clear()
    deleted = discord.deliver(config, receipts, KEY, AS_OF, message(None))
    assert deleted.outcome == "failed" and "deleted the message" in deleted.reason
    assert service.discord.messages == {}
    service.discord.exists = False
    gone = discord.deliver(config, receipts_in(":memory:"), KEY, AS_OF, message())
    assert gone.outcome == "failed" and "make a new one" in gone.reason


@pytest.mark.parametrize("address", ["", "not an address", "ftp://x/y", "http://[::1"])
def test_a_malformed_address_fails_quietly(
    config: discord.DiscordConfig, receipts: DuckDBReceipts, address: str
) -> None:
    delivery = discord.deliver(replace(config, webhook_url=SecretStr(address)), receipts, KEY, AS_OF, message())
    assert delivery.outcome == "failed"


def test_checks(service: Service, config: discord.DiscordConfig) -> None:
    assert discord.check_access(config) == "Trends"
    discord.check_write(config)
    assert service.discord.messages == {}
    service.discord.exists = False
    with pytest.raises(ServiceError, match="make a new one"):
        discord.check_access(config)


def test_alert_and_failure_messages_fit(
    service: Service, config: discord.DiscordConfig, receipts: DuckDBReceipts
) -> None:
    alert = alert_message("URGENT", 0xE74C3C, [("Trend", "a"), ("Market", "US")], "https://www.tiktok.com/@a/video/1")
    failure = failure_message("daily", AS_OF, "publish", "3 checks failed")
    assert discord.deliver(config, receipts, "a", AS_OF, alert).outcome == "sent"
    assert discord.deliver(config, receipts, "b", None, failure).outcome == "sent"
    first, second = (stored["payload"]["embeds"][0] for stored in service.discord.messages.values())
    assert first["title"] == "🚀 TREND ALERT: BUILD NOW - URGENT"
    assert first["url"] == "https://www.tiktok.com/@a/video/1"
    assert second["title"].startswith("❌ Run failed: daily")


def test_covers_stand_beside_their_builds_and_go_when_they_ran_out(
    service: Service, config: discord.DiscordConfig, receipts: DuckDBReceipts
) -> None:
    image = "https://p16-sign-sg.tiktokcdn.com/c.jpeg?x-expires=1767700000"
    pictures = tuple(
        Picture(f"{number}. build *this*", f"https://www.tiktok.com/@a/video/{number}", image) for number in range(12)
    )
    full = replace(message(), lines=("x" * 4_000,), pictures=pictures)
    assert discord.deliver(config, receipts, KEY, AS_OF, full).outcome == "sent"
    ((_, stored),) = service.discord.messages.items()
    _, *beside = stored["payload"]["embeds"]
    assert len(beside) == 9
    assert beside[0]["title"] == "0. build \\*this\\*"
    assert (beside[0]["url"], beside[0]["thumbnail"]) == ("https://www.tiktok.com/@a/video/0", {"url": image})
    assert discord.deliver(config, receipts, KEY, AS_OF, replace(full, pictures=())).outcome == "edited"
    ((_, stored),) = service.discord.messages.items()
    assert len(stored["payload"]["embeds"]) == 1
