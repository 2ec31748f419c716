"""Progress of long work, told while it is done: a bar on a terminal, a line at begin and end elsewhere.

Belongs here: how a stage is shown. Must not be here: which stages there are (whoever does the work names its own).
"""

from __future__ import annotations

import logging
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from tqdm import tqdm

# With a count, and without one: then only what is done and how long it takes.
_BAR = "{desc}: {percentage:3.0f}% |{bar:20}| {n_fmt} of {total_fmt} {unit}, {elapsed}{postfix}"
_NO_BAR = "{desc}, {elapsed}{postfix}"


class Stage(Protocol):
    """A piece of work that is under way."""

    def expect(self, total: int, unit: str) -> None:
        """Says how many steps are to come, where that was not known at the begin."""

    def update(self, steps: int = 1) -> None:
        """Says that so many further steps are done."""

    def note(self, text: str) -> None:
        """Says what is done at the moment."""


class _Bar:
    """A stage on a terminal."""

    def __init__(self, name: str, total: int | None, unit: str) -> None:
        form = _BAR if total is not None else _NO_BAR
        # A terminal that does not tell its size says 0 and 0, for which nothing at all would be drawn.
        width, height = shutil.get_terminal_size((100, 24))
        self._bar = tqdm(total=total, desc=name, unit=unit, bar_format=form, file=sys.stderr, ncols=width, nrows=height)

    def expect(self, total: int, unit: str) -> None:
        self._bar.bar_format, self._bar.unit = _BAR, unit
        self._bar.total = (self._bar.total or 0) + total
        self._bar.refresh()

    def update(self, steps: int = 1) -> None:
        self._bar.update(steps)

    def note(self, text: str) -> None:
        self._bar.set_postfix_str(text)

    def close(self) -> None:
        self._bar.close()


class _Lines:
    """A stage in a log."""

    def __init__(self, name: str, total: int | None, unit: str) -> None:
        self._name, self._total, self._unit = name, total, unit
        self._done, self._started = 0, time.monotonic()
        print(f"{name} ...", file=sys.stderr, flush=True)

    def expect(self, total: int, unit: str) -> None:
        self._total, self._unit = (self._total or 0) + total, unit

    def update(self, steps: int = 1) -> None:
        self._done += steps

    def note(self, text: str) -> None:
        """A log has begin and end only."""

    def close(self) -> None:
        counted = "" if self._total is None else f" {self._done} of {self._total} {self._unit},"
        print(f"{self._name}:{counted} {time.monotonic() - self._started:.1f} s", file=sys.stderr, flush=True)


@contextmanager
def stage(name: str, total: int | None = None, unit: str = "") -> Iterator[Stage]:
    """Announces a piece of work on standard error and shows how far it is.

    Args:
        name: What is done, such as `landing`.
        total: How many steps it has, where that is known.
        unit: What a step is, in the plural, such as `files`.
    """
    shown = (_Bar if sys.stderr.isatty() else _Lines)(name, total, unit)
    try:
        yield shown
    finally:
        shown.close()


class LogHandler(logging.StreamHandler):
    """Log lines on standard error, which a bar makes room for."""

    def emit(self, record: logging.LogRecord) -> None:
        """Writes one record above the bars."""
        with tqdm.external_write_mode(file=self.stream):
            super().emit(record)
