"""Outward services: turns settings into the configurations of the clients in `ingest` and `exports`.

Belongs here: which settings a service needs, what to say when they are missing, and what no log may tell. Must not be
here: HTTP (the clients), reading the environment (`settings`).

Google's clients are imported by those who talk to Google: they take 0.3 s, of which a poll would have nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

from pydantic import SecretStr

from ingest import facts
from ingest.apify import ApifyConfig
from orchestration.settings import Settings, configured_markets
from services import discord as discord_room
from services.discord import DiscordConfig
from services.message import Delivery, Message, failure_message
from services.receipts import DuckDBReceipts, Receipts
from services.retries import Policy, redact, scrub
from warehouse.store import Store

if TYPE_CHECKING:
    from services.channels import Channel
    from services.drive import DriveConfig
    from services.google_auth import GoogleConfig
    from services.sheets import SheetsConfig

DISCORD = "discord"
NOBODY_HEARS = "nobody hears it: set DISCORD_WEBHOOK or CHANNELS"

# They log addresses, headers or bodies at INFO and DEBUG, and a webhook's address is its password.
CHATTY = ("httpx", "httpcore", "urllib3", "google", "google_auth_httplib2", "googleapiclient", "oauthlib", "gspread")

GOOGLE_MISSING = (
    "no Google access: set GOOGLE_CLIENT_ID, GOOGLE_CLIENT_SECRET and GOOGLE_REFRESH_TOKEN (`trends auth google`"
    " mints it), or GOOGLE_CREDENTIALS"
)


class Redacting(logging.Filter):
    """Takes secrets out of log records, whoever wrote them; the last line of defence, for what nobody foresaw.

    Args:
        secrets: What must not be shown.
    """

    def __init__(self, secrets: Iterable[SecretStr]) -> None:
        super().__init__()
        self._secrets = list(secrets)

    def filter(self, record: logging.LogRecord) -> bool:
        """Changes the record in place; every record passes."""
        if record.exc_info and not record.exc_text:
            record.exc_text = logging.Formatter().formatException(record.exc_info)
        record.exc_text = redact(record.exc_text, self._secrets) if record.exc_text else record.exc_text
        record.msg, record.args = redact(record.getMessage(), self._secrets), ()
        return True


def guard_logs(settings: Settings) -> None:
    """Keeps secrets out of this process's logs: clients tell warnings only, and handlers take out what is left."""
    for name in CHATTY:
        logging.getLogger(name).setLevel(logging.WARNING)
    for handler in logging.getLogger().handlers:
        for earlier in [item for item in handler.filters if isinstance(item, Redacting)]:
            handler.removeFilter(earlier)
        handler.addFilter(Redacting(settings.secrets))


def paced(policy: Policy, settings: Settings) -> Policy:
    """How long to insist on a call, with the waits of the settings."""
    pace = settings.retry_wait_s
    return replace(
        policy,
        wait_initial=policy.wait_initial * pace,
        wait_max=policy.wait_max * pace,
        wait_jitter=policy.wait_jitter * pace,
    )


def report_failure(
    settings: Settings, store: Store, *, run_id: str, job: str, as_of_date: date | None, step: str, reason: str
) -> str:
    """Tells all that want to hear it, once a run, that the run failed; returns what became of the message."""
    if not settings.deliver:
        return "skipped"
    message = failure_message(job, as_of_date, step, scrub(reason, settings.secrets))
    told = tell(settings, receipts(store), f"failure:{run_id}", as_of_date, message)
    return ", ".join(f"{name} {done.outcome}" for name, done in told) or "skipped"


def receipts(store: Store) -> DuckDBReceipts:
    """The ledger of outward effects in the home's facts."""
    return DuckDBReceipts(partial(facts.writer, store), lambda: datetime.now(UTC))


def apify(settings: Settings) -> ApifyConfig | str:
    """How Apify is used, or why it isn't."""
    if settings.apify_token is None:
        return "set APIFY_TOKEN; until then the source is the simulated sample"
    config = ApifyConfig(
        settings.apify_token,
        base_url=settings.apify_base_url,
        run_timeout=timedelta(minutes=settings.apify_run_timeout_minutes),
        reuse_hours=settings.apify_reuse_hours,
        max_charge_usd=settings.apify_max_charge_usd,
    )
    pause = config.pause_seconds * settings.retry_wait_s
    return replace(config, policy=paced(config.policy, settings), pause_seconds=pause)


def google(settings: Settings) -> GoogleConfig | None:
    """How to sign in with Google; None without credentials of either kind."""
    from services.google_auth import GoogleConfig

    config = GoogleConfig(
        settings.google_client_id,
        settings.google_client_secret,
        settings.google_refresh_token,
        settings.google_credentials,
        settings.google_token_uri,
        policy=paced(Policy(), settings),
    )
    return config if config.has_oauth or config.service_account else None


def drive(settings: Settings) -> DriveConfig | str:
    """Where files go, or why they go nowhere."""
    if not settings.drive_folder_id:
        return "no folder: set DRIVE_FOLDER_ID to the id in the folder's address"
    if google(settings) is None:
        return GOOGLE_MISSING
    from services.drive import DriveConfig

    return DriveConfig(settings.drive_folder_id, settings.drive_endpoint, policy=paced(Policy(), settings))


def sheets(settings: Settings) -> SheetsConfig | str:
    """The live sheet, or why nothing is appended to one."""
    if not settings.dashboard_sheet_id:
        return "no sheet: set DASHBOARD_SHEET_ID to the id in the sheet's address"
    if google(settings) is None:
        return GOOGLE_MISSING
    from services.sheets import SheetsConfig

    return SheetsConfig(settings.dashboard_sheet_id, settings.sheets_endpoint, policy=paced(Policy(), settings))


@dataclass(frozen=True, slots=True)
class Carrier:
    """One place that hears messages, whatever carries them.

    Attributes:
        name: `discord`, or the channel's.
        markets: Whose lists and alerts it wants; empty for all.
        prefix: What the keys of its receipts begin with.
        wants: Whether it hears a message of a key.
        deliver: Sends a message under a key, about a day; see `discord.deliver`.
    """

    name: str
    markets: tuple[str, ...]
    prefix: str
    wants: Callable[[str, Message], bool]
    deliver: Callable[[Receipts, str, date | None, Message], Delivery]


def addressed(idempotency_key: str) -> tuple[str, str]:
    """Who a message was for, and the key that names it, from the key of its receipt."""
    prefix, _, rest = idempotency_key.partition(":")
    if prefix == DISCORD:
        return DISCORD, rest
    name, _, key = rest.partition(":")
    return name, key


def carriers(settings: Settings) -> list[Carrier]:
    """All that hear messages: Discord first, then the channels in their order."""
    found = []
    config = discord(settings)
    if not isinstance(config, str):
        found.append(Carrier(DISCORD, (), f"{DISCORD}:", lambda *_: True, partial(discord_room.deliver, config)))
    for channel in channels(settings):
        # Imported by `channels` already.
        from services import channels as room

        prefix = room.receipt_key(channel, "")
        found.append(Carrier(channel.name, channel.markets, prefix, channel.wants, partial(room.deliver, channel)))
    return found


def tell(
    settings: Settings, ledger: Receipts, key: str, as_of_date: date | None, message: Message
) -> list[tuple[str, Delivery]]:
    """Sends a message to all that want to hear it; a place that is down harms no other.

    Args:
        settings: What is set up.
        ledger: Of what was sent.
        key: Names the message.
        as_of_date: The day it is about.
        message: What to send.

    Returns:
        Who was told, and what became of it.
    """
    return [
        (carrier.name, carrier.deliver(ledger, key, as_of_date, message))
        for carrier in carriers(settings)
        if carrier.wants(key, message)
    ]


def channels(settings: Settings) -> list[Channel]:
    """The channels beside Discord."""
    if settings.channels is None:
        return []
    from services import channels as room

    found = room.parse(settings.channels.get_secret_value(), configured_markets())
    return [replace(channel, policy=paced(channel.policy, settings)) for channel in found]


def discord(settings: Settings) -> DiscordConfig | str:
    """The webhook, or why nothing is sent."""
    if settings.discord_webhook is None:
        return "no webhook: set DISCORD_WEBHOOK to the address from the channel's settings"
    config = DiscordConfig(settings.discord_webhook)
    return replace(config, policy=paced(config.policy, settings))
