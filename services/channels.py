"""Sends messages to Slack, Telegram, e-mail and ntfy through apprise: at most once, never failing the run.

Belongs here: what a line of CHANNELS means, handing a message over, what became of it. Must not be here: a service's
markup and limits (`channel_text`), choosing what to report, Discord (`discord`, whose messages can be edited).

What can be promised. None of these services gives apprise an id back, compares a key of ours, or can be asked for a
message, so a message is never changed, and "exactly once" holds wherever an answer comes. An intent is stored right
before the first byte leaves. Where nothing was taken (no connection, a refusal) the next run sends it; where no answer
came (kill, lost connection, 5xx) it may have arrived: it is NOT sent again, the outcome is ``unclear``, and
`trends resend` sends it when somebody has looked.

apprise tells only whether it worked. Why not is read from what it logs: the exception that it is handling at that
moment, or the status that it names. What isn't recognised is unclear, so that nothing is sent twice.
"""

import contextlib
import datetime as dt
import hashlib
import json
import logging
import re
import smtplib
import ssl
import sys
import tempfile
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
from pydantic import SecretStr

from services import channel_text
from services.failures import failure_of
from services.message import KINDS, Delivery, Message, kind_of, unclear_reason
from services.receipts import HANDED_OVER, NOT_SENT, Receipt, Receipts, is_unclear
from services.retries import Effect, Failure, Policy, ServiceError, call, failure_of_status

EFFECT = "channel_message"
PREFIX = "channel:"
# By the scheme of the address; the library has more, whose limits nobody here looked up.
SERVICES = {
    "slack": "Slack", "tgram": "Telegram", "ntfy": "ntfy", "ntfys": "ntfy", "mailto": "e-mail", "mailtos": "e-mail",
}  # fmt: skip
_NATIVE = {"https://hooks.slack.com/": "Slack", "https://ntfy.sh/": "ntfy"}
_NAME = re.compile(r"[A-Za-z0-9_-]{1,40}")
_EXAMPLE = "phone | ntfys://ntfy.sh/topic | alert failure | UK"
# A hidden part of an address that is long enough to be looked for in other texts.
_SECRET_PART = re.compile(r"[^\s/:@?&=#|]{8,}")
_STATUS = re.compile(r"error=(\d{3})")
_ALL = "all"


@dataclass(frozen=True, slots=True)
class Channel:
    """One place that hears messages.

    Attributes:
        name: As the user calls it; receipts and messages show it.
        url: As apprise has it; whoever knows it can post, so it is a secret.
        kinds: What it wants to hear, of `message.KINDS`.
        markets: Whose alerts and lists it wants; empty for all.
        service: The service's name for people.
        timeout_seconds: For connecting and for reading.
        policy: How long to insist.
    """

    name: str
    url: SecretStr
    kinds: tuple[str, ...]
    markets: tuple[str, ...]
    service: str
    timeout_seconds: float = 30.0
    policy: Policy = field(default_factory=lambda: Policy(attempts=4, longest_wait=120.0, give_up_after=240.0))

    @property
    def title(self) -> str:
        """For people: `Slack channel team`."""
        return f"{self.service} channel {self.name}"

    def wants(self, key: str, message: Message) -> bool:
        """Whether it hears a message; what is about no market in particular is for all."""
        of_market = not (self.markets and message.markets) or bool(set(self.markets) & set(message.markets))
        return kind_of(key) in self.kinds and of_market


def parse(text: str, markets: Collection[str]) -> list[Channel]:
    """Reads CHANNELS: a line, or a part between semicolons with blanks around, for each channel.

    Args:
        text: `name | address | kinds | markets`; kinds and markets may be left out, or be `all`.
        markets: Codes of the markets that there are.

    Raises:
        ValueError: A line can't be used; says which and why, never an address.
    """
    found: list[Channel] = []
    for number, line in enumerate(filter(None, (part.strip() for part in re.split(r"\n|\s;\s|;$", text))), start=1):
        parts = [part.strip() for part in line.split("|")]
        if not 2 <= len(parts) <= 4:
            raise ValueError(f"channel {number} is not `name | address | kinds | markets`, such as `{_EXAMPLE}`")
        name, url, kinds, codes = (*parts, "", "")[:4]
        if not _NAME.fullmatch(name) or name == "discord":
            raise ValueError(f"channel {number} has no name of letters, digits, - and _ in front, such as `{_EXAMPLE}`")
        if name in (channel.name for channel in found):
            raise ValueError(f"two channels are named {name}: each needs a name of its own")
        found.append(
            Channel(
                name,
                SecretStr(url),
                _chosen(name, kinds.lower(), KINDS, "kind"),
                () if codes.lower() in ("", _ALL) else _chosen(name, codes.upper(), sorted(markets), "market"),
                _service_of(name, url),
            )
        )
    return found


def secret_parts(text: str) -> list[SecretStr]:
    """The addresses in CHANNELS, and their long parts: tokens, passwords, topics."""
    urls = [part.split("|")[1].strip() for part in re.split(r"\n|\s;\s|;$", text) if "|" in part]
    # A host is no secret, and would be taken out of every log; without a dot it may be a topic of ntfy.
    hosts = {urlsplit(url).netloc.rpartition("@")[2].partition(":")[0] for url in urls}
    parts = {part for url in urls for part in _SECRET_PART.findall(url)}
    parts -= {host for host in hosts if "." in host} | {"services"}
    return [SecretStr(found) for found in [*urls, *sorted(parts, key=len, reverse=True)]]


def deliver(channel: Channel, receipts: Receipts, key: str, as_of_date: dt.date | None, message: Message) -> Delivery:
    """Sends a message that was not sent under the same key before.

    Args:
        channel: Where to send.
        receipts: The ledger.
        key: Names the message, for example ``daily:2026-01-31``.
        as_of_date: The day it is about.
        message: What to send.

    Returns:
        What became of it. Never raises for a failure of the service: the run goes on without the message.
    """
    title, body, blocks = _rendered(channel, message)
    digest = hashlib.sha256(json.dumps([title, body, blocks], sort_keys=True).encode()).hexdigest()
    receipt = Receipt(receipt_key(channel, key), EFFECT, channel.name, as_of_date=as_of_date)
    earlier = receipts.find(receipt.idempotency_key)
    if earlier is not None and earlier.digest is not None:
        return Delivery("unchanged" if earlier.digest == digest else "kept", None)
    if earlier is not None and is_unclear(earlier):
        return Delivery("unclear", None, unclear_reason("an earlier attempt ended without an answer"))

    def note(state: str) -> None:
        receipts.save(replace(receipt, detail={"state": state}))

    def attempt() -> None:
        problem = _send(channel, title, body, blocks, note)
        if problem is not None:
            if problem.failure is not Failure.UNCLEAR:
                note(NOT_SENT)
            raise problem

    try:
        call(attempt, Effect.ONCE, channel.policy)
    except ServiceError as error:
        if error.failure is Failure.UNCLEAR:
            return Delivery("unclear", None, unclear_reason(str(error)))
        return Delivery("failed", None, str(error))
    receipts.save(replace(receipt, digest=digest, detail={"state": "sent"}))
    return Delivery("sent", None)


def receipt_key(channel: Channel, key: str) -> str:
    """The key of the receipt of a message in a channel."""
    return f"{PREFIX}{channel.name}:{key}"


def check_access(channel: Channel) -> str:
    """Looks whether the service answers, without sending.

    Args:
        channel: Where it would be sent.

    Returns:
        What was seen.

    Raises:
        ServiceError: It can't be reached, or refuses the access; with the remedy.
    """
    service = _instance(channel)
    if channel.service == "e-mail":
        return _mail_answers(channel, service)
    said = {
        "Slack": "answers; whether the webhook is good is seen by `trends doctor --live`, which sends",
        "Telegram": "knows the bot",
        "ntfy": "answers",
    }[channel.service]
    status: int | None = None
    try:
        status = httpx.get(_looked_at(channel, service), timeout=channel.timeout_seconds).status_code
        if status < 400 or (channel.service == "Slack" and status < 500):
            return said
        kind, reason = failure_of_status(status), f"HTTP {status}"
    except httpx.TransportError as error:
        kind, reason = _failure_of(error), type(error).__name__
    raise _problem(channel, kind, reason, status, action="look whether it is there")


def check_write(channel: Channel) -> None:
    """Sends a message that says it is a test; it can't be taken away again.

    Args:
        channel: Where to send.

    Raises:
        ServiceError: It was not taken; with the remedy.
    """
    title, body, blocks = _rendered(channel, Message("trends doctor: this is a test", lines=("It can be deleted.",)))
    problem = _send(channel, title, body, blocks, lambda state: None)
    if problem is not None:
        raise problem


def _chosen(name: str, text: str, known: Collection[str], noun: str) -> tuple[str, ...]:
    words = text.replace(",", " ").split()
    if not words or words == [_ALL]:
        return tuple(known)
    unknown = [word for word in words if word not in known]
    if unknown:
        raise ValueError(f"channel {name}: {unknown[0]} is no {noun}; there are {', '.join(known)}")
    return tuple(word for word in known if word in words)


def _service_of(name: str, url: str) -> str:
    """The service of an address, if it is one that the library can use for one receiver."""
    from apprise import Apprise

    native = [service for start, service in _NATIVE.items() if url.startswith(start)]
    service = native[0] if native else SERVICES.get(url.partition("://")[0].lower())
    if service is None:
        discord = " (a webhook of Discord goes into DISCORD_WEBHOOK)" if "discord" in url else ""
        raise ValueError(
            f"channel {name}: its address is of no service that is known here: slack://, tgram://, mailtos://"
            f" or ntfys://{discord}"
        )
    with _quiet():
        found: Any = Apprise.instantiate(url, suppress_exceptions=True)
    if found is None:
        raise ValueError(f"channel {name}: its address is none of {service}: see docs/channels.md for its form")
    receivers = len(found)
    if receivers != 1 or (service == "Telegram" and not found.targets):
        raise ValueError(
            f"channel {name}: its address has {receivers if receivers != 1 else 'no'} receivers: write a channel for"
            " each, so that each has its receipt"
        )
    return service


def _rendered(channel: Channel, message: Message) -> tuple[str, str, dict[str, Any] | None]:
    """Title, text and, for Slack, blocks."""
    if channel.service == "Slack":
        blocks = channel_text.slack(message)
        return blocks["fallback"], blocks["fallback"], blocks
    if channel.service == "Telegram":
        return "", channel_text.telegram(message), None
    return (*(channel_text.email if channel.service == "e-mail" else channel_text.ntfy)(message), None)


def _instance(channel: Channel) -> Any:
    """The library's object for a channel, with nothing of its own in the message, and no repeats of its own."""
    from apprise import Apprise

    with _quiet():
        service: Any = Apprise.instantiate(channel.url.get_secret_value(), suppress_exceptions=True)
    if service is None:
        raise ServiceError(channel.title, "read the address", Failure.REFUSED, "it is none of this service")
    service.retry, service.include_image, service.include_footer = 0, False, False
    # Seconds to connect, and between two bytes.
    service.socket_connect_timeout = service.socket_read_timeout = channel.timeout_seconds
    return service


def _send(channel: Channel, title: str, body: str, blocks: dict[str, Any] | None, note: Any) -> ServiceError | None:
    """Hands a message over; None where the service took it."""
    from apprise import NotifyFormat

    watch = _Watch()
    try:
        service = _instance(channel)
    except ServiceError as error:
        return error
    # Called before each request: there the library would wait between messages, which come one at a time here.
    service.throttle = lambda *_, **__: note(HANDED_OVER)
    with tempfile.TemporaryDirectory(prefix="trends-") as folder, _quiet(watch):
        source = None if channel.service == "ntfy" else NotifyFormat.HTML
        if channel.service == "ntfy":
            source = NotifyFormat.TEXT
        if blocks is not None:
            source = None
            template = Path(folder) / "blocks.json"
            # Two braces would be a place that the library fills in.
            template.write_text(json.dumps(blocks).replace("{{", "\\u007b\\u007b"), encoding="utf-8")
            service.use_blocks = True
            service.template.add(str(template))
        elif channel.service == "e-mail":
            service.notify_format = NotifyFormat.HTML
        if service.notify(body=body, title=title, body_format=source):
            return None
    kind, reason, status = watch.told()
    return _problem(channel, kind, reason, status)


def _problem(
    channel: Channel, kind: Failure, reason: str, status: int | None, action: str = "send a message"
) -> ServiceError:
    is_gone = status in (401, 403, 404, 410) or reason == "SMTPAuthenticationError"
    remedy = f"Its address in CHANNELS is no longer good: make a new one for {channel.name}" if is_gone else ""
    return ServiceError(channel.title, action, kind, reason, status=status, remedy=remedy)


class _Watch(logging.Handler):
    """Sees why the library could not send: the exception it handles while it logs, or the status it names."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self._error: BaseException | None = None
        self._status: int | None = None

    def emit(self, record: logging.LogRecord) -> None:
        """Keeps the first of each."""
        self._error = self._error or sys.exc_info()[1]
        found = _STATUS.search(record.getMessage()) if record.levelno >= logging.WARNING else None
        if found and self._status is None:
            self._status = int(found[1])

    def told(self) -> tuple[Failure, str, int | None]:
        """Kind of failure, its name, and the status if there was an answer."""
        if self._status is not None:
            # An answer that is none of the service: nobody knows what it did.
            kind = failure_of_status(self._status) if self._status >= 400 else Failure.UNCLEAR
            return kind, f"HTTP {self._status}", self._status
        if self._error is None:
            return Failure.UNCLEAR, "it does not say why", None
        return _failure_of(self._error), type(self._error).__name__, None


def _failure_of(error: BaseException) -> Failure:
    """What an error means for a repeat; unclear where the whole message may have left."""
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        codes = [code for code, _ in error.recipients.values()]
        return Failure.NOT_SENT if all(code < 500 for code in codes) else Failure.REFUSED
    if isinstance(error, smtplib.SMTPResponseException):
        # An answer: the mail was not taken, for now (4xx) or for good.
        return Failure.NOT_SENT if error.smtp_code < 500 else Failure.REFUSED
    return failure_of(error) or Failure.UNCLEAR


@contextlib.contextmanager
def _quiet(*handlers: logging.Handler) -> Iterator[None]:
    """The library's log goes to the handlers only: it names addresses, and whoever knows one can post."""
    logger = logging.getLogger("apprise")
    before, level, propagate = list(logger.handlers), logger.level, logger.propagate
    logger.handlers, logger.propagate = [*handlers] or [logging.NullHandler()], False
    logger.setLevel(logging.DEBUG if handlers else logging.CRITICAL)
    try:
        yield
    finally:
        logger.handlers, logger.propagate = before, propagate
        logger.setLevel(level)


def _looked_at(channel: Channel, service: Any) -> str:
    """An address that answers without doing anything."""
    if channel.service == "Slack":
        return str(service.webhook_url)
    if channel.service == "Telegram":
        return f"{service.notify_url}{service.bot_token}/getMe"
    if service.mode == "cloud":
        return f"{service.cloud_notify_url}/v1/health"
    port = f":{service.port}" if service.port else ""
    return f"{'https' if service.secure else 'http'}://{service.host}{port}/v1/health"


def _mail_answers(channel: Channel, service: Any) -> str:
    kind, reason = Failure.UNCLEAR, ""
    make = smtplib.SMTP_SSL if service.secure_mode == "ssl" else smtplib.SMTP
    try:
        with make(service.smtp_host, service.port or 0, timeout=channel.timeout_seconds) as server:
            if service.secure_mode == "starttls":
                server.starttls(context=ssl.create_default_context())
            if service.user and service.password:
                server.login(service.user, service.password)
                return "answers and takes user and password"
            server.ehlo()
            return "answers"
    except (smtplib.SMTPException, OSError) as error:
        kind, reason = _failure_of(error), type(error).__name__
    raise _problem(channel, kind, reason, None, action="look whether it is there")
