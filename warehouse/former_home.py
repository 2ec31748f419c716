"""Taking up a home that an earlier version kept among the code, in the project's own folder.

Belongs here: which files of that folder are a home's, and moving them. Must not be here: where the home is now
(orchestration), what is in the files.

Everything is moved by renames, under the writer locks of both places. A note in the new home says that a move has
begun: after a kill the next call finishes it before anything else looks into the home. Nothing is overwritten.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Collection, Iterator
from pathlib import Path

from warehouse.store import Store

# What a home makes in its folders. `warehouse/` is the name of a package of the project too: its code stays.
_FOLDERS = {
    "data": ("sample", "sample.config", "apify", "revenue_cache.json"),
    "output": ("[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]",),
    "dagster": ("dagster.yaml", "postgresql/dagster.yaml"),
}
_WAREHOUSE_FILES = ("backup.json", "dbt", ".restoring", "*.duckdb*")
_NOTE = ".being-moved"


class HomeMoveError(RuntimeError):
    """A former home cannot be moved; the message names the remedy."""


def take_up(former: Path, store: Store, keep: Collection[Path] = ()) -> str | None:
    """Moves the home that lies in a folder of code into a home of its own, unless that has a warehouse already.

    Args:
        former: The folder of code.
        store: The new home.
        keep: Paths that stay where they are, because a setting names them.

    Returns:
        A line that says what was moved; None where there was nothing to do.

    Raises:
        HomeMoveError: The files can't be renamed to there; what was moved so far is moved on by the next call.
        WarehouseBusyError: Another process writes in either place.
    """
    if not _is_due(former, store, keep):
        return None
    with store.lock():
        # Whoever held the lock may have moved everything meanwhile.
        if not _is_due(former, store, keep):
            return None
        old = Store(former, store.lock_timeout_s)
        with old.lock():
            note = store.home / _NOTE
            note.touch()
            moved, left = [], []
            for path in list(_entries(former, keep)):
                target = store.home / path.relative_to(former)
                if os.path.lexists(target):
                    left.append(str(path.relative_to(former)))
                    continue
                _rename(path, target)
                moved.append(path.relative_to(former).parts[0])
            old.lock_path.with_suffix(".holder").unlink(missing_ok=True)
            old.lock_path.unlink(missing_ok=True)
            note.unlink()
    if not moved:
        return None
    kept = f" ({', '.join(left)} stayed in {former}: it is in the new place too)" if left else ""
    return f"the home is {store.home} now: {', '.join(dict.fromkeys(moved))} moved there from {former}{kept}"


def _is_due(former: Path, store: Store, keep: Collection[Path]) -> bool:
    """Whether a move has begun, or there is something to move to a place without a warehouse."""
    if (store.home / _NOTE).exists():
        return True
    return not any(store.warehouse.glob("*.duckdb")) and any(True for _ in _entries(former, keep))


def _entries(former: Path, keep: Collection[Path]) -> Iterator[Path]:
    """What is moved, the warehouse's files last."""
    for name, signs in _FOLDERS.items():
        folder = former / name
        # Without a sign of its own it may be anybody's folder.
        if folder not in keep and any(True for sign in signs for _ in folder.glob(sign)):
            yield folder
    for pattern in _WAREHOUSE_FILES:
        yield from sorted((former / "warehouse").glob(pattern))


def _rename(path: Path, target: Path) -> None:
    try:
        path.rename(target)
    except OSError as error:
        why = "it is on another disk" if error.errno == errno.EXDEV else error.strerror
        message = (
            f"{path} can't be renamed to {target}: {why}. Move it there by hand, then run the command again; or set"
            " TRENDS_HOME to a folder in which a home can be."
        )
        raise HomeMoveError(message) from None
