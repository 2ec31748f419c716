"""Sends messages through a Discord webhook: at most once, edited on a re-run, never failing the run.

Belongs here: what Discord makes of a message, within its limits; sending, editing. Must not be here: choosing what to
report, the parts of a message (`message`).

What can be promised. A webhook has no key that Discord would compare and no way to look for a message, so
"exactly once" can't be had from it in every case. What is done: an intent is stored while the request is on its
way, after its first bytes and before its last one. Killed or failed before that moment, Discord can't have
accepted the message, so it is sent again. After it, the answer decides; if the answer never comes (kill, lost
connection, 5xx), the message was most likely sent, it is NOT sent again, and the outcome is ``unclear``.
``receipts.give_up`` lets it be sent again when somebody has looked. With the id known, a re-run edits the message.

Source of the limits: Discord developer documentation (message and embed limits, execute webhook).
"""

import datetime as dt
import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlsplit

import httpx
from pydantic import SecretStr

from services.failures import UNREADABLE, Guard
from services.message import Delivery, Line, Message, Outcome, unclear_reason
from services.receipts import HANDED_OVER, NOT_SENT, Receipt, Receipts, is_unclear
from services.retries import Effect, Failure, Policy, ServiceError, call
from services.text_safety import cut_utf16, discord_text, plain_text, safe_link, utf16_length

_SERVICE = "Discord"
CONTENT_LIMIT = 2_000
EMBED_LIMIT = 10
TITLE_LIMIT = 256
DESCRIPTION_LIMIT = 4_096
FIELD_LIMIT = 25
FIELD_NAME_LIMIT = 256
FIELD_VALUE_LIMIT = 1_024
FOOTER_LIMIT = 2_048
EMBEDS_TEXT_LIMIT = 6_000
ATTACHMENT_LIMIT = 10 * 1024 * 1024

_NOTHING = "–"
_UNKNOWN_MESSAGE = "10008"
_UNKNOWN_WEBHOOK = "10015"
_DELETED = "The webhook was deleted: make a new one and set DISCORD_WEBHOOK"
_REMEDIES: Mapping[str | int, str] = {
    _UNKNOWN_MESSAGE: "Somebody deleted the message: it is not sent again but by `trends resend`",
    _UNKNOWN_WEBHOOK: _DELETED,
    401: _DELETED,
    404: _DELETED,
    "InvalidURL": "DISCORD_WEBHOOK is not an address",
}
_CHART_NAME = "chart.png"
EFFECT = "discord_message"


@dataclass(frozen=True, slots=True)
class DiscordConfig:
    """Where to send.

    Attributes:
        webhook_url: The webhook's address; whoever knows it can post, so it is a secret.
        timeout_seconds: For connecting and for each read.
        throttle_default: Seconds to wait after a 429 that doesn't say how long (shared addresses get an HTML page).
        policy: How long to insist.
    """

    webhook_url: SecretStr
    timeout_seconds: float = 30.0
    throttle_default: float = 60.0
    policy: Policy = field(default_factory=lambda: Policy(attempts=4, longest_wait=120.0, give_up_after=240.0))


def deliver(
    config: DiscordConfig,
    receipts: Receipts,
    key: str,
    as_of_date: dt.date | None,
    message: Message,
) -> Delivery:
    """Sends a message, or edits the one sent under the same key before.

    Args:
        config: Where to send.
        receipts: The ledger of message ids.
        key: Names the message, for example ``daily:2026-01-31``.
        as_of_date: The day it is about.
        message: What to send.

    Returns:
        What became of it. Never raises for a failure of Discord: the run goes on without the message.
    """
    payload, chart = build_payload(message)
    digest = hashlib.sha256(json.dumps(payload, sort_keys=True).encode() + (chart or b"")).hexdigest()
    key = f"discord:{key}"
    receipt = Receipt(key, EFFECT, "webhook", as_of_date=as_of_date)
    earlier = receipts.find(key)
    message_id = earlier.remote_id if earlier is not None else None
    if earlier is not None and message_id is not None and earlier.digest == digest:
        return Delivery("unchanged", message_id)
    if earlier is not None and is_unclear(earlier):
        return Delivery("unclear", None, unclear_reason("an earlier attempt ended without an answer"))

    def note(state: str) -> None:
        receipts.save(replace(receipt, detail={"state": state}))

    outcome: Outcome = "sent" if message_id is None else "edited"
    try:
        with httpx.Client(timeout=config.timeout_seconds) as client:
            if message_id is None:
                message_id = _send(config, client, payload, chart, note)
            else:
                _edit(config, client, message_id, payload, chart)
    except _UnclearError as error:
        return Delivery("unclear", None, unclear_reason(str(error)))
    except ServiceError as error:
        return Delivery("failed", message_id, str(error))
    receipts.save(replace(receipt, remote_id=message_id, digest=digest, detail={"state": outcome}))
    return Delivery(outcome, message_id)


def is_gone(config: DiscordConfig, receipt: Receipt) -> bool:
    """Whether a message that was sent is no longer in its channel.

    Args:
        config: Where it was sent.
        receipt: Of the message.

    Raises:
        ServiceError: Discord can't be reached, or the webhook is gone.
    """
    if receipt.effect != EFFECT or receipt.remote_id is None:
        return False
    path = f"/messages/{receipt.remote_id}"
    try:
        with httpx.Client(timeout=config.timeout_seconds) as client:
            call(lambda: _request(config, client, "look a message up", "GET", path), Effect.REPEATABLE, config.policy)
    except ServiceError as error:
        if error.code == _UNKNOWN_MESSAGE:
            return True
        raise
    return False


def check_access(config: DiscordConfig) -> str:
    """Looks whether the webhook exists, without sending.

    Args:
        config: Where to send.

    Returns:
        The webhook's name.

    Raises:
        ServiceError: It can't be reached or doesn't exist; with the remedy.
    """
    with httpx.Client(timeout=config.timeout_seconds) as client:
        found = call(
            lambda: _request(config, client, "look up the webhook", "GET", ""), Effect.REPEATABLE, config.policy
        )
    return str(found.get("name") or "")


def check_write(config: DiscordConfig) -> None:
    """Sends a scratch message and deletes it.

    Args:
        config: Where to send.

    Raises:
        ServiceError: One of the two failed; with the remedy.
    """
    payload, _ = build_payload(Message("trends doctor (scratch): this message deletes itself"))
    with httpx.Client(timeout=config.timeout_seconds) as client:
        message_id = _send(config, client, payload, None, lambda state: None)
        call(
            lambda: _request(config, client, "delete a message", "DELETE", f"/messages/{message_id}"),
            Effect.REPEATABLE,
            config.policy,
        )


def build_payload(message: Message) -> tuple[dict[str, Any], bytes | None]:
    """Makes the JSON of a message within all of Discord's limits.

    Args:
        message: What to send.

    Returns:
        The JSON body and the chart, if it is to be attached (one above 10 MiB is not; a line says so).
    """
    chart = message.chart_png if message.chart_png and len(message.chart_png) <= ATTACHMENT_LIMIT else None
    lines = message.lines
    if message.chart_png and chart is None:
        lines = (*lines, "(The chart is too large for Discord: see the report.)")
    embed: dict[str, Any] = {
        "title": discord_text(message.title, TITLE_LIMIT) or _NOTHING,
        "color": message.colour,
    }
    budget = EMBEDS_TEXT_LIMIT - utf16_length(embed["title"])
    if lines:
        embed["description"] = _joined(lines, min(DESCRIPTION_LIMIT, budget))
        budget -= utf16_length(embed["description"])
    if message.footer:
        # A footer shows no markdown, so only what is invisible or breaks the JSON is taken out of it.
        embed["footer"] = {"text": cut_utf16(plain_text(message.footer), min(FOOTER_LIMIT, 200))}
        budget -= utf16_length(embed["footer"]["text"])
    fields = []
    for item in message.fields[:FIELD_LIMIT]:
        name = discord_text(item.name, FIELD_NAME_LIMIT) or _NOTHING
        room = min(FIELD_VALUE_LIMIT, budget - utf16_length(name))
        if room < 1:
            break
        value = _joined(item.lines, room)
        budget -= utf16_length(name) + utf16_length(value)
        fields.append({"name": name, "value": value, "inline": item.is_inline})
    if fields:
        embed["fields"] = fields
    if chart:
        embed["image"] = {"url": f"attachment://{_CHART_NAME}"}
    link = safe_link(message.url)
    if link:
        embed["url"] = link
    embeds = [embed, *_pictures(message, budget)]
    payload: dict[str, Any] = {"embeds": embeds, "allowed_mentions": {"parse": []}}
    # Named in an edit too: attachments that aren't listed are removed, so a new chart replaces the old one.
    payload["attachments"] = [{"id": 0, "filename": _CHART_NAME}] if chart else []
    return payload, chart


def _pictures(message: Message, budget: int) -> Iterator[dict[str, Any]]:
    """An embed for each small picture, as far as text and count allow: one embed has room for one."""
    for picture in message.pictures[: EMBED_LIMIT - 1]:
        link = safe_link(picture.url)
        title = discord_text(picture.label, min(TITLE_LIMIT, max(budget, 1))) or _NOTHING
        budget -= utf16_length(title)
        if budget < 0:
            return
        shown: dict[str, Any] = {"title": title, "color": message.colour, "thumbnail": {"url": picture.image}}
        yield {**shown, "url": link} if link else shown


def _joined(lines: Sequence[Line], limit: int) -> str:
    """Lines within a limit; what doesn't fit is counted. Links stay whole."""
    shown: list[str] = []
    for position, line in enumerate(lines):
        rest = len(lines) - position
        reserve = utf16_length(f"\n… and {rest} more") if rest > 1 else 0
        room = limit - utf16_length("\n".join(shown)) - (1 if shown else 0) - reserve
        text = _line(line, room) if room > 0 else ""
        if not text and room <= 0:
            more = f"… and {rest} more"
            shown.append(more if utf16_length("\n".join([*shown, more])) <= limit else "")
            break
        shown.append(text)
    return "\n".join(filter(None, shown)) or _NOTHING


def _line(line: Line, room: int) -> str:
    if isinstance(line, str):
        return discord_text(line, room)
    url = safe_link(line.url)
    if url is None or utf16_length(url) + 5 > room:
        return discord_text(line.label, room)
    # A bracket would end the address.
    url = url.replace("(", "%28").replace(")", "%29")
    return f"[{discord_text(line.label, max(1, room - utf16_length(url) - 4)) or 'link'}]({url})"


class _UnclearError(Exception):
    """The whole message was handed over and no answer came."""


def _send(
    config: DiscordConfig,
    client: httpx.Client,
    payload: Mapping[str, Any],
    chart: bytes | None,
    note: Callable[[str], None],
) -> str:
    """Posts a message; repeats only while Discord can't have accepted it."""

    def attempt() -> str:
        handed_over = False

        def before_last_byte() -> None:
            nonlocal handed_over
            note(HANDED_OVER)
            handed_over = True

        try:
            answer = _request(
                config, client, "send a message", "POST", "", payload, chart, {"wait": "true"}, before_last_byte
            )
            return str(answer["id"])
        except ServiceError as error:
            problem: ServiceError = error
        except KeyError:
            problem = ServiceError(_SERVICE, "send a message", Failure.UNCLEAR, "the answer has no id")
        if problem.failure is not Failure.UNCLEAR:
            if handed_over:
                note(NOT_SENT)
            raise problem
        if handed_over:
            raise _UnclearError(str(problem))
        # The last byte was never sent: there is no message that Discord could have accepted.
        raise ServiceError(_SERVICE, "send a message", Failure.NOT_SENT, "the connection broke while sending")

    return call(attempt, Effect.ONCE, config.policy)


def _edit(
    config: DiscordConfig,
    client: httpx.Client,
    message_id: str,
    payload: Mapping[str, Any],
    chart: bytes | None,
) -> None:
    call(
        lambda: _request(config, client, "edit the message", "PATCH", f"/messages/{message_id}", payload, chart),
        Effect.REPEATABLE,
        config.policy,
    )


def _request(
    config: DiscordConfig,
    client: httpx.Client,
    action: str,
    method: str,
    path: str,
    payload: Mapping[str, Any] | None = None,
    chart: bytes | None = None,
    query: Mapping[str, str] | None = None,
    before_last_byte: Callable[[], None] | None = None,
) -> dict[str, Any]:
    """Sends one request; every failure comes out as ``ServiceError`` without the address."""

    def send() -> Any:
        base = httpx.URL(config.webhook_url.get_secret_value())
        url = base.copy_with(path=base.path.rstrip("/") + path).copy_merge_params(dict(query or {}))
        request = client.build_request(method, url, **_body(payload, chart))
        if before_last_byte is not None:
            request = httpx.Request(
                method, url, headers=request.headers, content=_Announced(request.read(), before_last_byte)
            )
        response = client.send(request).raise_for_status()
        return response.json() if response.content else {}

    guard = Guard(_SERVICE, lambda: _secrets(config), config.policy, _REMEDIES, config.throttle_default)
    answer = guard.once(action, send)
    if not isinstance(answer, dict):
        raise guard.error(action, Failure.UNCLEAR, UNREADABLE)
    return answer


class _Announced(httpx.SyncByteStream):
    """A request body that calls a function before its last byte."""

    def __init__(self, content: bytes, before_last_byte: Callable[[], None]) -> None:
        self._content = content
        self._before_last_byte = before_last_byte

    def __iter__(self) -> Iterator[bytes]:
        yield self._content[:-1]
        self._before_last_byte()
        yield self._content[-1:]


def _body(payload: Mapping[str, Any] | None, chart: bytes | None) -> dict[str, Any]:
    if payload is None:
        return {}
    if chart is None:
        return {"json": payload}
    return {
        "data": {"payload_json": json.dumps(payload)},
        "files": {"files[0]": (_CHART_NAME, chart, "image/png")},
    }


def _secrets(config: DiscordConfig) -> list[SecretStr]:
    """The address as a whole, and its last part, which is the token."""
    token = urlsplit(config.webhook_url.get_secret_value()).path.rstrip("/").rpartition("/")[2]
    return [config.webhook_url, SecretStr(token)]
