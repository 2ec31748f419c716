"""`trends doctor`: is each setting present, valid, reachable and permitted, and what to do where it isn't.

Belongs here: which checks there are. Must not be here: how a service is asked (the clients).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from forecasting import trees
from ingest import apify
from ingest.landing import KINDS, PANEL
from ingest.panel import EVERY_MARKET
from orchestration import panel, services, sources
from orchestration import setting_checks as checks
from orchestration.setting_checks import Problem
from orchestration.settings import SECRET_NAMES, Settings, unknown_names, unusable_places
from services import discord, drive, sheets
from services.google_auth import SCOPE_DRIVE, SCOPE_SHEETS, GoogleSession, sign_in
from services.receipts import is_message, is_not_sent, is_unclear
from services.retries import ServiceError
from warehouse import completeness, publish, sizes
from warehouse.store import Store, WarehouseBusyError

State = Literal["ok", "not set", "not used", "FAILED"]

# Published days whose messages are looked for.
_MESSAGE_DAYS = 7


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found.

    Attributes:
        name: What was looked at.
        state: `ok`, `not set`, `not used` (a name in `.env` that nothing reads) or `FAILED`.
        text: What it is, or the remedy.
    """

    name: str
    state: State
    text: str


def examine(settings: Settings, problems: Sequence[Problem] = (), *, live: bool = False) -> Iterator[Finding]:
    """Looks at everything a user can set up, one finding after the other.

    Args:
        settings: What is set.
        problems: What is set and can't be used; `settings` has a default in its place.
        live: Also write to a scratch file, tab and message, and take them away again.
    """
    yield from _settings(settings, problems)
    yield _marts(Store(settings.trends_home))
    yield _trees()
    yield from _sizes(settings)
    yield from _apify(settings)
    yield from _panel(settings)
    yield from _google(settings, live)
    config = services.discord(settings)
    if isinstance(config, str):
        yield Finding("Discord webhook", "not set", config)
    else:
        yield _asked("Discord webhook", lambda: discord.check_access(config))
        if live:
            yield _asked("Discord message", lambda: discord.check_write(config))
    yield from _channels(settings, live)
    if services.carriers(settings):
        yield from _messages(config, Store(settings.trends_home))


def _channels(settings: Settings, live: bool) -> Iterator[Finding]:
    """Whether each channel answers; a test message can't be taken away again, so only `live` sends one."""
    found = services.channels(settings)
    if not found:
        yield Finding("channels", "not set", "Slack, Telegram, e-mail or ntfy: set CHANNELS (docs/channels.md)")
        return
    from services import channels as room

    for channel in found:
        hears = f"hears {', '.join(channel.kinds)} of {', '.join(channel.markets) or 'all markets'}"
        asked = _asked(channel.title, lambda channel=channel: room.check_access(channel))  # type: ignore[misc]
        yield Finding(asked.name, asked.state, f"{asked.text}; {hears}" if asked.state == "ok" else asked.text)
        if live:
            yield _asked(f"{channel.title}: test message", lambda channel=channel: room.check_write(channel))  # type: ignore[misc]


def _messages(config: discord.DiscordConfig | str, store: Store) -> Iterator[Finding]:
    """Messages of the last days that may not have arrived, were refused, or that somebody deleted."""
    if not (store.has_facts and store.published_path.exists()):
        return
    ledger, found = services.receipts(store), 0
    try:
        days = publish.published_dates(store)[-_MESSAGE_DAYS:]
        sent = [receipt for day in days for receipt in ledger.of_date(day) if is_message(receipt)]
        for receipt in sent:
            carrier, key = services.addressed(receipt.idempotency_key)
            name = key if carrier == services.DISCORD else f"{key} in {carrier}"
            remedy = f"`trends resend --date {receipt.as_of_date}`"
            if is_unclear(receipt):
                found += 1
                yield Finding("messages", "FAILED", f"{name} may not have arrived: look, then {remedy}")
            elif is_not_sent(receipt):
                found += 1
                yield Finding("messages", "FAILED", f"{name} was not sent: {remedy}")
            elif not isinstance(config, str) and key.startswith("daily:") and discord.is_gone(config, receipt):
                found += 1
                yield Finding("messages", "FAILED", f"{name} was deleted in the channel: look, then {remedy}")
    except (ServiceError, WarehouseBusyError) as error:
        yield Finding("messages", "FAILED", str(error))
        return
    if sent and not found:
        yield Finding("messages", "ok", f"{len(sent)} of the last {_MESSAGE_DAYS} days, each taken by its service")


def _settings(settings: Settings, problems: Sequence[Problem]) -> Iterator[Finding]:
    """Every setting with its value, as far as that may be shown, and what is wrong with it."""
    known = [name.upper() for name in type(settings).model_fields if name != "task_ids"]
    tasks = [
        f"{market}_{'VIDEO' if kind == 'videos' else 'MUSIC'}_TASK_ID"
        for market in sources.configured_markets()
        for kind in KINDS
    ]
    wrong = {problem.name: problem for problem in [*unusable_places(settings), *problems]}
    for name in dict.fromkeys([*known, *tasks, *wrong]):
        if name in wrong:
            yield Finding(name, "FAILED", wrong[name].text)
            continue
        value = settings.task_ids.get(name) if name in tasks else getattr(settings, name.lower())
        if value is None:
            yield Finding(name, "not set", f"it would be {checks.EXPECTED['TASK_IDS' if name in tasks else name]}")
        else:
            is_given = name in tasks or name.lower() in settings.model_fields_set
            shown = "set" if name in SECRET_NAMES else str(value)
            yield Finding(name, "ok", shown if is_given else f"{shown} (default)")
    for line in unknown_names()[1]:
        yield Finding(line.split()[0], "not used", line)


def _marts(store: Store) -> Finding:
    """Whether what is published has the rows that it was built with."""
    name = "published marts"
    if not store.published_path.exists():
        return Finding(name, "not set", "nothing is published yet: `trends run` does")
    with store.published_reader() as connection:
        dates = completeness.built_dates(connection)
        found = completeness.holes(connection, dates)
        unnoted = sorted({hole.as_of_date for hole in found if hole.expected is None})
        lost = completeness.described(hole for hole in found if hole.expected is not None)
        contradictions = completeness.contradictions(connection, unnoted)
    if lost or contradictions:
        text = "; ".join(filter(None, (lost, contradictions)))
        return Finding(name, "FAILED", f"published with holes: {text}. {completeness.REMEDY}")
    if unnoted:
        text = f"how many rows {len(unnoted)} dates were built with was not noted. {completeness.REMEDY}"
        return Finding(name, "not set", text)
    return Finding(name, "ok", f"{len(dates)} dates, each with the rows that it was built with")


def _trees() -> Finding:
    name, lacking = "forecast trees", trees.missing()
    if lacking:
        return Finding(name, "not set", f"{lacking}, then `trends rebuild`")
    return Finding(name, "ok", "LightGBM can fit them here")


def _sizes(settings: Settings) -> Iterator[Finding]:
    for part in sizes.parts(Store(settings.trends_home), settings.output_dir, settings.cache_dir):
        yield Finding(f"size of {part.name}", "ok", str(part))
    yield Finding("free disk", "ok", sizes.readable(sizes.free(settings.trends_home)))


def _apify(settings: Settings) -> Iterator[Finding]:
    config = services.apify(settings)
    if isinstance(config, str):
        yield Finding("Apify token", "not set", config)
        return
    for market in sources.configured_markets():
        for kind in KINDS:
            name = f"{market}_{'VIDEO' if kind == 'videos' else 'MUSIC'}_TASK_ID"
            task_id = settings.task_id(market, kind)
            if task_id is None:
                yield Finding(f"Apify task {market} {kind}", "not set", f"without {name} there is no such feed")
                continue
            task = apify.ApifyTask(market, kind, task_id)
            yield _asked(f"Apify task {market} {kind}", lambda task=task: apify.check_access(config, task))  # type: ignore[misc]


def _panel(settings: Settings) -> Iterator[Finding]:
    """The task that reads videos by URL, and what became of its last run."""
    name = "Apify task panel"
    config = services.apify(settings)
    if isinstance(config, str) or settings.panel_task_id is None:
        yield Finding(name, "not set", "without PANEL_TASK_ID nobody knows what became of videos that left the feeds")
        return
    if not panel.is_on(settings):
        yield Finding(name, "not set", "turned off: PANEL_VIDEOS_PER_MARKET or PANEL_READS_PER_DAY is 0")
        return
    task = apify.ApifyTask(EVERY_MARKET, PANEL, settings.panel_task_id)
    yield _asked(name, lambda: apify.check_access(config, task))
    try:
        failure = panel.last_failure(Store(settings.trends_home))
    except WarehouseBusyError as error:
        failure = str(error)
    if failure is not None:
        yield Finding("panel", "FAILED", f"the last reading failed, {failure}")


def _google(settings: Settings, live: bool) -> Iterator[Finding]:
    google = services.google(settings)
    if google is None:
        yield Finding("Google", "not set", services.GOOGLE_MISSING)
        return
    session: GoogleSession | None = None
    try:
        session = sign_in(google, [SCOPE_DRIVE, SCOPE_SHEETS])
    except ServiceError as error:
        yield Finding("Google sign-in", "FAILED", str(error))
        return
    yield Finding("Google sign-in", "ok", session.account)
    folder, book = services.drive(settings), services.sheets(settings)
    if isinstance(folder, str):
        yield Finding("Drive folder", "not set", folder)
    else:
        yield _asked("Drive folder", lambda: drive.check_access(folder, session))
        if live:
            yield _asked("Drive file", lambda: drive.check_write(folder, session))
    if isinstance(book, str):
        yield Finding("dashboard sheet", "not set", book)
    else:
        yield _asked("dashboard sheet", lambda: sheets.check_access(book, session))
        if live:
            yield _asked("dashboard rows", lambda: sheets.check_write(book, session))


def _asked(name: str, ask: Callable[[], str | None]) -> Finding:
    try:
        return Finding(name, "ok", ask() or "written to a scratch place and taken away again")
    except ServiceError as error:
        return Finding(name, "FAILED", str(error))
