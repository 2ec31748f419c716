"""`trends doctor`: is each setting present, valid, reachable and permitted, and what to do where it isn't.

Belongs here: which checks there are. Must not be here: how a service is asked (the clients).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from exports import discord, drive, sheets
from exports.google_auth import SCOPE_DRIVE, SCOPE_SHEETS, GoogleSession, sign_in
from ingest import apify
from ingest.landing import KINDS
from ingest.retries import ServiceError
from orchestration import feeds, services
from orchestration.settings import Settings
from warehouse import sizes
from warehouse.store import Store

State = Literal["ok", "not set", "FAILED"]


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found.

    Attributes:
        name: What was looked at.
        state: `ok`, `not set` or `FAILED`.
        text: What it is, or the remedy.
    """

    name: str
    state: State
    text: str


def examine(settings: Settings, *, live: bool = False) -> Iterator[Finding]:
    """Looks at everything a user can set up, one finding after the other.

    Args:
        settings: What is set.
        live: Also write to a scratch file, tab and message, and take them away again.
    """
    yield _home(settings.trends_home)
    yield from _sizes(settings)
    yield from _apify(settings)
    yield from _google(settings, live)
    config = services.discord(settings)
    if isinstance(config, str):
        yield Finding("Discord webhook", "not set", config)
    else:
        yield _asked("Discord webhook", lambda: discord.check_access(config))
        if live:
            yield _asked("Discord message", lambda: discord.check_write(config))


def _home(home: Path) -> Finding:
    existing = next(path for path in (home, *home.parents) if path.exists())
    if not os.access(existing, os.W_OK):
        return Finding("home", "FAILED", f"{home} is not writable: set TRENDS_HOME, or give --home")
    return Finding("home", "ok", str(home))


def _sizes(settings: Settings) -> Iterator[Finding]:
    for part in sizes.parts(Store(settings.trends_home), settings.output_dir, settings.cache_dir):
        yield Finding(f"size of {part.name}", "ok", str(part))
    yield Finding("free disk", "ok", sizes.readable(sizes.free(settings.trends_home)))


def _apify(settings: Settings) -> Iterator[Finding]:
    config = services.apify(settings)
    if isinstance(config, str):
        yield Finding("Apify token", "not set", config)
        return
    for market in feeds.configured_markets():
        for kind in KINDS:
            name = f"{market}_{'VIDEO' if kind == 'videos' else 'MUSIC'}_TASK_ID"
            task_id = settings.task_id(market, kind)
            if task_id is None:
                yield Finding(name, "not set", "the market has no such feed without it")
                continue
            task = apify.ApifyTask(market, kind, task_id)
            yield _asked(name, lambda task=task: apify.check_access(config, task))  # type: ignore[misc]


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
