"""Delivery assets: Drive, the dashboard sheet, the channels and Discord, in this order: messages carry the links.

Belongs here: wiring of the clients in `exports` to the graph, and what is said when a delivery is not made. Must not
be here: HTTP, what a file or message holds.

One step makes them all, each on its own: a delivery that is not configured is skipped with the reason and leaves no
materialization; one that fails is named, the others go on, and the step fails at its end.
"""

import contextlib
import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import dagster as dg

from engine import progress
from exports import published
from exports.report.chart import day_chart
from exports.text import poll_report
from exports.text.daily_report import covers, daily_report
from orchestration import outcomes, services
from orchestration.assets.publication import PUBLISHED
from orchestration.partitions import DAILY, SINGLE_RUN, run_dates
from orchestration.settings import Settings
from services import discord as discord_room
from services.message import NOT_DELIVERED, Link, Message
from services.receipts import Receipt, Receipts, give_up, is_message, is_not_sent, is_unclear
from services.retries import ServiceError
from warehouse.publish import published_dates
from warehouse.store import Store

if TYPE_CHECKING:
    from services.google_auth import GoogleSession

MANIFEST = dg.AssetKey(["exports", "manifest"])
DRIVE = dg.AssetKey(["delivery", "drive"])
DASHBOARD = dg.AssetKey(["delivery", "dashboard"])
POLL_MESSAGES = dg.AssetKey(["delivery", "poll_messages"])
DISCORD = dg.AssetKey(["delivery", "discord_report"])
CHANNELS = dg.AssetKey(["delivery", "channels"])

Metadata = dict[str, Any]

# Days whose messages are looked through for ones of unknown fate.
_UNCLEAR_DAYS = 7


@dataclass(frozen=True, slots=True)
class _Sent:
    """What a delivery did.

    Attributes:
        where: Its address, or what became of it, for people.
        metadata: For the UI.
        problems: Which places did not get it, and why; some did.
    """

    where: str
    metadata: Metadata
    problems: str = ""


class Skipped(Exception):  # noqa: N818 - not an error
    """A delivery that is not made; the message says why."""


def _told(receipt: Receipt) -> str:
    """A message by its key, and by its channel where it is not Discord's."""
    name, key = services.addressed(receipt.idempotency_key)
    return key if name == services.DISCORD else f"{key} in {name}"


def _spec(key: dg.AssetKey, kind: str, description: str) -> dg.AssetSpec:
    return dg.AssetSpec(
        key, deps=[MANIFEST], group_name="delivery", skippable=True, kinds={kind}, description=description
    )


@dg.multi_asset(
    name="deliver",
    specs=[
        _spec(DRIVE, "googledrive", "The day's files in a folder of their own; a repeat uploads what changed."),
        _spec(DASHBOARD, "googlesheets", "The day's rows, appended to the live sheet; no cell that is there changes."),
        _spec(CHANNELS, "apprise", "The daily report in each channel of CHANNELS that wants it, once."),
        _spec(DISCORD, "discord", "The daily report with chart, links and what was missing; a repeat edits it."),
    ],
    partitions_def=DAILY,
    backfill_policy=SINGLE_RUN,
    can_subset=True,
)
def deliver(
    context: dg.AssetExecutionContext, settings: dg.ResourceParam[Settings], store: dg.ResourceParam[Store]
) -> Iterator[dg.MaterializeResult]:
    """Delivers the run's dates that are published."""
    services.guard_logs(settings)
    day_list = sorted(set(published_dates(store)).intersection(map(date.fromisoformat, run_dates(context))))
    failures: list[str] = []
    notes: list[str] = []
    for day in day_list:
        delivery = _Delivery(settings, store, services.receipts(store), day)
        steps: dict[dg.AssetKey, Callable[[], _Sent]] = {
            DRIVE: delivery.to_drive,
            DASHBOARD: delivery.to_dashboard,
            CHANNELS: delivery.to_channels,
            DISCORD: delivery.to_discord,
        }
        if not delivery.channels:
            # Nobody has to have any: nothing to tell.
            del steps[CHANNELS]
        for key in (key for key in steps if key in context.selected_asset_keys):
            name = key.path[-1]
            try:
                reason = why_not(settings, store)
                if reason:
                    raise Skipped(reason)
                with progress.stage(f"delivery of {day}: {name}"):
                    sent = steps[key]()
            except Skipped as skipped:
                context.log.info(f"{name} skipped: {skipped}")
                _tell_skipped(context, key, str(skipped), date=day.isoformat())
                continue
            except ServiceError as error:
                delivery.problems.append(f"{name} failed: {error}")
                context.log.error(delivery.problems[-1])
                continue
            if sent.problems:
                # Some places got it and some did not: both are told.
                _tell_skipped(context, key, sent.problems, date=day.isoformat())
            outcomes.tell(outcomes.Delivered(name, sent.where))
            yield dg.MaterializeResult(asset_key=key, metadata={"date": day.isoformat(), **sent.metadata})
        failures += delivery.problems
        notes += delivery.notes
    if failures:
        raise dg.Failure("; ".join([*failures, *notes]), allow_retries=False)


@dg.multi_asset(
    name="send_poll",
    specs=[
        dg.AssetSpec(
            POLL_MESSAGES,
            deps=[PUBLISHED],
            group_name="delivery",
            skippable=True,
            kinds={"discord"},
            description="A message for each alert of the last poll, each sent once; a poll without news is silent.",
        )
    ],
    partitions_def=DAILY,
    backfill_policy=SINGLE_RUN,
)
def send_poll(
    context: dg.AssetExecutionContext, settings: dg.ResourceParam[Settings], store: dg.ResourceParam[Store]
) -> Iterator[dg.MaterializeResult]:
    """Sends what the last poll of the run's date found. The alerts stand in the warehouse before."""
    services.guard_logs(settings)
    reason = why_not(settings, store) or (None if services.carriers(settings) else services.NOBODY_HEARS)
    if reason:
        _tell_skipped(context, POLL_MESSAGES, reason)
        return
    with store.published_reader() as connection:
        poll = published.last_poll(connection, date.fromisoformat(run_dates(context)[-1]))
    ledger = services.receipts(store)
    messages = poll_report.messages(poll, settings.poll_summary, settings.times)
    told = [
        (name, done)
        for key, message in messages
        for name, done in services.tell(settings, ledger, key, poll.row["as_of_date"], message)
    ]
    problems = "; ".join(dict.fromkeys(f"{name}: {done.reason}" for name, done in told if done.reason))
    if problems:
        _tell_skipped(context, POLL_MESSAGES, problems)
    yield dg.MaterializeResult(
        asset_key=POLL_MESSAGES,
        metadata={
            "poll_at": poll.row["poll_at"].isoformat(),
            "messages": len(messages),
            "outcomes": ", ".join(f"{name} {done.outcome}" for name, done in told),
            "problems": problems,
        },
    )


def _tell_skipped(context: dg.AssetExecutionContext, key: dg.AssetKey, reason: str, **metadata: str) -> None:
    """Says why a delivery was not made, or not to all."""
    context.log_event(dg.AssetObservation(key, metadata={**metadata, "skipped": reason}))
    outcomes.tell(outcomes.NotDelivered(key.path[-1], reason))


def send_again(settings: Settings, store: Store, day: date) -> Iterator[tuple[str, bool]]:
    """Sends the messages of a day again that may not have arrived, were refused, or were deleted in the channel.

    Args:
        settings: Of the services.
        store: The home; the day's messages are made of what is published.
        day: The day.

    Yields:
        What became of each such message in words, and whether that is all that was to be done.

    Raises:
        Skipped: Nothing is sent from this home, or nobody is set up to hear it.
    """
    carriers = {carrier.name: carrier for carrier in services.carriers(settings)}
    reason = why_not(settings, store) or (None if carriers else services.NOBODY_HEARS)
    if reason:
        raise Skipped(reason)
    ledger = services.receipts(store)
    config = services.discord(settings)
    delivery: _Delivery | None = None
    for receipt in filter(is_message, ledger.of_date(day)):
        name, key = services.addressed(receipt.idempotency_key)
        told = key if name == services.DISCORD else f"{name}: {key}"
        try:
            is_gone = not isinstance(config, str) and discord_room.is_gone(config, receipt)
        except ServiceError as error:
            yield f"{told}: {error}", False
            continue
        if not (is_unclear(receipt) or is_not_sent(receipt) or is_gone):
            continue
        carrier = carriers.get(name)
        if carrier is None:
            yield f"{told}: not sent, {_no_longer(name)}", True
            continue
        if key == f"daily:{day}":
            if delivery is None:
                delivery = _Delivery(settings, store, ledger, day)
                for step in (delivery.to_drive, delivery.to_dashboard):
                    # For their links: what is there already stays as it is.
                    with contextlib.suppress(Skipped):
                        step()
            message: Message | None = delivery.message(carrier.markets)
        else:
            with store.published_reader() as connection:
                poll = published.last_poll(connection, day)
            message = dict(poll_report.messages(poll, settings.poll_summary, settings.times)).get(key)
        if message is None:
            yield f"{told}: not sent, it is about an earlier poll than the last of the day", True
            continue
        give_up(ledger, receipt)
        done = carrier.deliver(ledger, key, day, message)
        yield f"{told}: {done.outcome}{f': {done.reason}' if done.reason else ''}", done.outcome not in NOT_DELIVERED


def _no_longer(name: str) -> str:
    return "DISCORD_WEBHOOK is not set" if name == services.DISCORD else f"CHANNELS has no channel {name}"


def why_not(settings: Settings, store: Store) -> str | None:
    """Why nothing of this home may be sent; None where it may."""
    if not settings.deliver:
        return "delivery is off for this run (--no-deliver)"
    if not settings.deliver_sample:
        with store.published_reader() as connection:
            if "sample" in published.sources_of(connection):
                return "the simulated sample is not delivered"
    return None


class _Delivery:
    """One day's deliveries; what failed earlier is told by the message at the end."""

    def __init__(self, settings: Settings, store: Store, receipts: Receipts, day: date) -> None:
        self._settings = settings
        self._store = store
        self._receipts = receipts
        self._day = day
        self._session: GoogleSession | None = None
        self._is_signed_out = False
        self._links: list[Link] = []
        self.problems: list[str] = []
        self._key = f"daily:{day}"
        self.channels = [
            carrier
            for carrier in services.carriers(settings)
            if carrier.name != services.DISCORD and carrier.wants(self._key, Message(""))
        ]
        # What harms no run: a channel that is down.
        self.notes: list[str] = []

    def to_drive(self) -> _Sent:
        """Uploads what the manifest lists, and the manifest."""
        config = services.drive(self._settings)
        if isinstance(config, str):
            raise Skipped(config)
        directory = self._settings.output_of(self._day)
        manifest = directory / f"manifest_{self._day}.json"
        listed = json.loads(manifest.read_text(encoding="utf-8"))["files"]
        hashes = {entry["name"]: entry["sha256"] for entry in listed}
        hashes[manifest.name] = hashlib.sha256(manifest.read_bytes()).hexdigest()
        paths = [directory / name for name in hashes]
        from services import drive

        done = drive.deliver(config, self._signed_in(), self._receipts, self._day, paths)
        self._links.append(Link("Drive folder", done.folder_link))
        self.problems += [f"drive: {name}: {reason}" for name, reason in done.failed]
        lines = "\n".join(
            f"| [{file.name}]({file.link}) | {file.file_id} | {file.outcome} | {file.md5} | {hashes[file.name]} |"
            for file in done.files
        )
        metadata = {
            "folder": dg.MetadataValue.url(done.folder_link),
            "uploaded": len(done.files),
            "failed": len(done.failed),
            "receipts": dg.MetadataValue.md(f"| file | id | outcome | md5 | sha256 |\n|---|---|---|---|---|\n{lines}"),
            "notes": "\n".join(done.notes),
        }
        return _Sent(done.folder_link, metadata)

    def to_dashboard(self) -> _Sent:
        """Appends the day's rows to the live sheet."""
        config = services.sheets(self._settings)
        if isinstance(config, str):
            raise Skipped(config)
        from exports import dashboard
        from services import sheets

        with published.open_day(self._store.published_path, self._day) as day:
            tables = dashboard.tables(day)
        done = sheets.append(config, self._signed_in(), self._receipts, self._day, tables)
        self._links.append(Link("Dashboard", done.link))
        self.problems += [f"dashboard: {tab.tab}: {tab.problem}" for tab in done.tabs if tab.problem]
        hashes = self._hashes("sheet_rows")
        lines = "\n".join(
            f"| {tab.tab} | {tab.appended} | {tab.present} | {tab.created} | {hashes.get(tab.tab, '')} |"
            for tab in done.tabs
        )
        head = "| tab | appended | there before | created | sha256 of the row keys |\n|---|---|---|---|---|"
        metadata = {
            "sheet": dg.MetadataValue.url(done.link),
            "appended": sum(tab.appended for tab in done.tabs),
            "receipts": dg.MetadataValue.md(f"{head}\n{lines}"),
        }
        return _Sent(done.link, metadata)

    def to_channels(self) -> _Sent:
        """Sends the daily report to each channel that wants it. A channel that is down harms no other."""
        told = []
        for carrier in self.channels:
            message = self.message(carrier.markets)
            done = carrier.deliver(self._receipts, self._key, self._day, message)
            told.append(f"{carrier.name} {done.outcome}")
            if done.reason:
                self.notes.append(f"channel {carrier.name} {done.outcome}: {done.reason}")
        if len(self.notes) == len(self.channels):
            raise Skipped("; ".join(self.notes))
        hashes = "\n".join(f"{target} {digest}" for target, digest in self._hashes("channel_message").items())
        outcome, problems = ", ".join(told), "; ".join(self.notes)
        return _Sent(outcome, {"outcome": outcome, "sha256": hashes, "problems": problems}, problems)

    def to_discord(self) -> _Sent:
        """Sends or edits the daily report. Discord's failure never fails a run."""
        config = services.discord(self._settings)
        if isinstance(config, str):
            raise Skipped(config)
        done = discord_room.deliver(config, self._receipts, self._key, self._day, self.message())
        if done.outcome in NOT_DELIVERED:
            raise Skipped(f"{done.outcome}: {done.reason}")
        sha256 = self._hashes("discord_message").get("webhook", "")
        metadata = {"outcome": done.outcome, "message_id": done.message_id or "", "sha256": sha256}
        return _Sent(done.outcome, metadata)

    def message(self, markets: Sequence[str] = ()) -> Message:
        """The daily report of the day, with what became of the deliveries so far."""
        with published.open_day(self._store.published_path, self._day, self._settings.times) as day:
            missing = [*self.problems, *self.notes, *self._unclear()]
            message = daily_report(day, self._links, missing, day_chart(day), markets)
            return replace(message, pictures=covers(day, datetime.now(UTC)))

    def _unclear(self) -> list[str]:
        """Messages of the last days that may not have arrived: somebody has to look."""
        dates = [self._day - timedelta(days) for days in range(_UNCLEAR_DAYS)]
        found = [receipt for day in dates for receipt in self._receipts.of_date(day) if is_unclear(receipt)]
        # Of today's own message each place tells at its turn.
        return [
            f"message {_told(receipt)} may not have arrived: look, then `trends resend --date {receipt.as_of_date}`"
            for receipt in found
            if services.addressed(receipt.idempotency_key)[1] != self._key
        ]

    def _hashes(self, effect: str) -> dict[str, str]:
        """Checksums of what was sent today, by target, as the receipts have them."""
        return {
            receipt.target: receipt.digest
            for receipt in self._receipts.of_date(self._day)
            if receipt.effect == effect and receipt.digest
        }

    def _signed_in(self) -> "GoogleSession":
        """Signs in once for Drive and the dashboard; a refusal is told once too."""
        if self._is_signed_out:
            raise Skipped("Google sign-in failed, see above")
        config = services.google(self._settings)
        if config is None:
            raise Skipped(services.GOOGLE_MISSING)
        if self._session is None:
            from services.google_auth import SCOPE_DRIVE, SCOPE_SHEETS, sign_in

            self._is_signed_out = True
            self._session = sign_in(config, [SCOPE_DRIVE, SCOPE_SHEETS])
            self._is_signed_out = False
        return self._session
