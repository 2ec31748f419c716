"""Troubles of the machine in one line each: no memory, a full disk, a home that can't be written, a store that broke.

Belongs here: knowing them by what libraries say, and the remedy. Must not be here: errors of the pipeline itself, which
have their own words.

Dagster, SQLite and DuckDB each say it in their own way, and often as the cause of something else: the whole chain of an
error is looked at.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from warehouse import machine
from warehouse.store import Store

_MIB = 1024**2
# Of a first run; what a home has says it better.
_LEAST_FREE = 100 * _MIB
# What a run writes and clears away meanwhile: logs of databases, the history of runs.
_BESIDE = 64 * _MIB
# Where a disk is as full as that, an error of reading or writing is about that.
_FULL = 4 * _MIB

_NO_SPACE = re.compile(r"no space left|disk is full|disk quota|not enough space|could not write all", re.IGNORECASE)
_NO_RIGHT = re.compile(r"read-only file system|readonly database|permission denied", re.IGNORECASE)
_NO_MEMORY = re.compile(
    r"out of memory|bad_alloc|cannot allocate memory|can't start new thread|failed to allocate"
    r"|terminated abruptly|virtual memory",
    re.IGNORECASE,
)
_IO_ERROR = re.compile(r"disk i/o error|unable to open database file|input/output error", re.IGNORECASE)
_BROKEN_STORE = re.compile(
    r"alembic|file is not a database|database disk image is malformed|no such table|more than one head", re.IGNORECASE
)


def line_for(error: BaseException, home: Path) -> str | None:
    """What is wrong with the machine, and what to do; None where the error is about something else."""
    texts = [f"{type(link).__name__}: {link}" for link in _chain(error)]
    return line_for_text("\n".join(texts), home)


def line_for_text(text: str, home: Path) -> str | None:
    """As `line_for`, for what is left of an error as text."""
    free = _free(home)
    if _NO_SPACE.search(text) or (_IO_ERROR.search(text) and free < _FULL):
        return (
            f"the disk of {home} is full ({free // _MIB:,} MB are free): make room, then run the command again;"
            " nothing half done was published"
        )
    if _NO_RIGHT.search(text) or _IO_ERROR.search(text):
        return f"{home} can't be written ({_first(text)}): give this user the right to, or use --home DIR"
    if "MemoryError" in text or _NO_MEMORY.search(text):
        return (
            f"there was not enough memory: this process may have {machine.memory_gib():.1f} GiB. Give the machine or"
            " container more, lift `ulimit -v`, or set EXPORT_PROCESSES=1"
        )
    if _BROKEN_STORE.search(text) and re.search("sqlite|alembic", text, re.IGNORECASE):
        return (
            f"Dagster's store in {home / 'dagster'} is broken ({_first(text)}): move that folder aside, it holds the"
            " history of runs, no data"
        )
    return None


def check_room(store: Store) -> None:
    """Looks at the free space before a run: it needs a copy of what is published and what the last day's files took.

    Raises:
        OSError: There is less; the message says how much, and the remedy.
    """
    needed = max(_LEAST_FREE, _size(store.published_path) + _last_output(store) + _BESIDE)
    free = _free(store.home)
    if free < needed:
        message = (
            f"{free // _MIB:,} MB are free on the disk of {store.home}, and a run needs {needed // _MIB:,} MB: make"
            " room, or use --home DIR"
        )
        raise OSError(message)


def _last_output(store: Store) -> int:
    days = sorted(path for path in store.output.glob("????-??-??") if path.is_dir())
    return sum(_size(path) for path in days[-1].iterdir()) if days else 0


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


def _free(home: Path) -> int:
    """Bytes free where a home is, or will be."""
    there = next(path for path in (home, *home.absolute().parents) if path.exists())
    return shutil.disk_usage(there).free


def _first(text: str) -> str:
    lines = [line for line in text.splitlines() if _NO_RIGHT.search(line) or _IO_ERROR.search(line)]
    lines += [line for line in text.splitlines() if _BROKEN_STORE.search(line)]
    return (lines or text.splitlines() or [""])[0][:160]


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    link: BaseException | None = error
    while link is not None and id(link) not in seen:
        seen.add(id(link))
        yield link
        link = link.__cause__ or link.__context__
