"""What a run came to, for whoever started it in this process: the assets tell it, `console` words it.

Belongs here: the kinds of facts, and handing them over. Must not be here: words for people, what the UI shows of a run
(that is the assets' metadata).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from ingest.landing import LandingReport


@dataclass(frozen=True, slots=True)
class Landed:
    """Feeds were landed.

    Attributes:
        source: Where they came from, as the run was told.
        report: What became of them.
    """

    source: str
    report: LandingReport


@dataclass(frozen=True, slots=True)
class RevenueRead:
    """Revenue was read; `summary` says from where and how much."""

    summary: str


@dataclass(frozen=True, slots=True)
class Published:
    """The published file is new, as of a date (ISO)."""

    path: Path
    as_of_date: str


@dataclass(frozen=True, slots=True)
class Written:
    """A file of a day was made, in so many seconds."""

    path: Path
    seconds: float


@dataclass(frozen=True, slots=True)
class Delivered:
    """A delivery was made; `where` is its address or what became of it."""

    name: str
    where: str


@dataclass(frozen=True, slots=True)
class NotDelivered:
    """A delivery was not made, or not to all."""

    name: str
    reason: str


_Kind = TypeVar("_Kind")
Fact = Landed | RevenueRead | Published | Written | Delivered | NotDelivered


@dataclass(slots=True)
class Outcome:
    """Facts of a run, in the order in which they were told."""

    facts: list[Fact] = field(default_factory=list)

    def of(self, kind: type[_Kind]) -> list[_Kind]:
        """Those of one kind."""
        return [fact for fact in self.facts if isinstance(fact, kind)]


_CURRENT: ContextVar[Outcome | None] = ContextVar("outcome", default=None)


@contextmanager
def collected() -> Iterator[Outcome]:
    """What the run that is executed meanwhile tells."""
    outcome = Outcome()
    token = _CURRENT.set(outcome)
    try:
        yield outcome
    finally:
        _CURRENT.reset(token)


def tell(fact: Fact) -> None:
    """Tells a fact of the run; where nobody waits for it, as in the UI, it is only in the metadata."""
    outcome = _CURRENT.get()
    if outcome is not None:
        outcome.facts.append(fact)
