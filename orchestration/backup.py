"""`trends backup` and `trends restore`: the copy of the warehouse in Drive.

Belongs here: when a copy may replace another one, and what is said. Must not be here: what a copy holds
(`warehouse.copies`), HTTP (`services.drive`).
"""

from __future__ import annotations

import tempfile
from datetime import UTC, datetime
from pathlib import Path

from orchestration import services, sources
from orchestration.settings import Settings
from services import drive
from services.google_auth import SCOPE_DRIVE, GoogleSession, sign_in
from services.receipts import FileReceipts
from warehouse import copies
from warehouse.copies import BackupError, State
from warehouse.store import Store

COPY_KEY = "warehouse"
COPY_NAME = "TRENDS_WAREHOUSE.tar.zst"


class NotConfiguredError(BackupError):
    """There is no place for a copy, or nothing that may be copied; the message names the setting."""


def backup(settings: Settings, store: Store, *, force: bool = False) -> str:
    """Brings the copy in Drive up to date; returns what was done.

    Args:
        settings: For the folder and the sign-in.
        store: The home.
        force: Also over a copy that has what this warehouse lacks.

    Raises:
        NotConfiguredError: No folder is set, or the home holds the sample.
        BackupError: The copy in Drive has loads that this warehouse lacks.
        ServiceError: Drive refuses or can't be reached.
        WarehouseBusyError: Another process is writing.
    """
    config, session = _signed_in(settings)
    with tempfile.TemporaryDirectory(prefix="trends-") as directory:
        path = Path(directory) / COPY_NAME
        state = copies.write_copy(store, path, _further(settings, store))
        if state.is_sample and not settings.deliver_sample:
            message = "the simulated sample is not copied to Drive (DELIVER_SAMPLE=true allows it)"
            raise NotConfiguredError(message)
        there = drive.find_kept(config, session, _receipts(store), COPY_KEY)
        if there is not None and not there.is_changed_by_hand and not force:
            _refuse_to_lose(store, State.of_properties(there.properties))
        done = drive.keep(config, session, _receipts(store), COPY_KEY, path, state.properties())
        size = path.stat().st_size
    return f"backup {done.outcome}: {COPY_NAME} in Drive, {size / 1e6:.1f} MB, {copies.describe(state)}; {done.link}"


def restore(settings: Settings, store: Store, *, force: bool = False, if_newer: bool = False) -> str | None:
    """Puts the copy from Drive into this home; returns what was done.

    Args:
        settings: For the folder and the sign-in.
        store: The home.
        force: Also over a warehouse that has what the copy lacks; its files are set aside.
        if_newer: Nothing is done, and nothing is wrong, where there is no copy or this warehouse is as new.

    Returns:
        What was done; None where nothing was.

    Raises:
        NotConfiguredError: No folder is set.
        BackupError: There is no copy, it is damaged, or this warehouse has what it lacks.
        ServiceError: Drive refuses or can't be reached.
        WarehouseBusyError: Another process is writing.
    """
    config, session = _signed_in(settings)
    there = drive.find_kept(config, session, _receipts(store), COPY_KEY)
    if there is None:
        if if_newer:
            return None
        message = f"there is no {COPY_NAME} in the Drive folder: nothing was backed up there yet (`trends backup`)"
        raise BackupError(message)
    if there.is_changed_by_hand:
        message = (
            f"{there.name} in Drive was replaced by hand ({there.link}): bring back the version of `trends backup`"
            " in Drive's version history"
        )
        raise BackupError(message)
    noted, here = State.of_properties(there.properties), copies.state_of(store)
    if if_newer and here is not None and here.changed_at >= noted.changed_at and copies.holds(store, noted):
        return None
    with tempfile.TemporaryDirectory(prefix="trends-") as directory:
        path = Path(directory) / COPY_NAME
        drive.fetch(config, session, there, path)
        state, aside = copies.put_back(store, path, _further(settings, store), force=force)
    kept = f"; the facts of before are {aside}" if aside else ""
    return f"restored {store.facts_path} from Drive: {copies.describe(state)}{kept}"


def _refuse_to_lose(store: Store, there: State) -> None:
    if copies.holds(store, there):
        return
    message = (
        f"the copy in Drive ({copies.describe(there)}) has loads that {store.facts_path} lacks, nothing was uploaded:"
        " `trends restore` first; or `trends backup --force` to replace the copy by this warehouse"
    )
    raise BackupError(message)


def _signed_in(settings: Settings) -> tuple[drive.DriveConfig, GoogleSession]:
    config, google = services.drive(settings), services.google(settings)
    if isinstance(config, str):
        raise NotConfiguredError(config)
    if google is None:
        raise NotConfiguredError(services.GOOGLE_MISSING)
    return config, sign_in(google, [SCOPE_DRIVE])


def _receipts(store: Store) -> FileReceipts:
    return FileReceipts(store.warehouse / "backup.json", lambda: datetime.now(UTC))


def _further(settings: Settings, store: Store) -> dict[str, Path]:
    """What stands outside of the build file and cannot be read again when its source is silent."""
    cache = sources.revenue_cache(settings, store)
    return {cache.name: cache}
