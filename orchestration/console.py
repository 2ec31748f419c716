"""What a person reads when a job of the command line is over.

Belongs here: choosing and wording, from what the assets told (`outcomes`) and how long the steps took. Must not be
here: running jobs (`cli`), progress while they run (`progress`).

What was made comes first, then what there is to know about it, at last what to open.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from orchestration.outcomes import Delivered, Landed, NotDelivered, Outcome, Published, RevenueRead, Written

if TYPE_CHECKING:
    import dagster as dg

# Problems and notes of a landing that are printed; all of them stand in raw.loads and in the run's metadata.
LINES_SHOWN = 8
# The day in words: it names the other files.
_OPEN_FIRST = "SUMMARY_REPORT_"
_MORE = "select file, reason from raw.loads where reason <> ''"


@dataclass
class Clock:
    """How long the stages of a command take.

    Attributes:
        started: When it began, on the monotonic clock.
        stages: Name and seconds of each.
    """

    started: float = field(default_factory=time.monotonic)
    stages: list[tuple[str, float]] = field(default_factory=list)

    def lap(self, name: str) -> None:
        """Notes a stage that ends now and began where the last one ended."""
        self.stages.append((name, self.total - sum(seconds for _, seconds in self.stages)))

    @property
    def total(self) -> float:
        """Seconds since the begin."""
        return time.monotonic() - self.started


@dataclass(frozen=True, slots=True)
class Report:
    """What a run came to.

    Attributes:
        lines: The text.
        is_published: Whether this run published.
        unreadable: Files that could not be read.
    """

    lines: list[str]
    is_published: bool
    unreadable: int


def failures(result: dg.ExecuteInProcessResult) -> list[tuple[str, str]]:
    """Each step that failed, and why."""
    return [(str(event.step_key), _innermost(event)) for event in result.all_events if event.is_step_failure]


def report(outcome: Outcome, result: dg.ExecuteInProcessResult, clock: Clock) -> Report:
    """The text about a run that is over.

    Args:
        outcome: What its assets told.
        result: How long its steps took, and whether all went well.
        clock: What was before them.
    """
    files, published = outcome.of(Written), outcome.of(Published)
    stages = [*clock.stages, *_step_times(result)]
    lines = [
        *(f"wrote {file.path} ({file.seconds:.1f} s)" for file in files),
        *(f"published {one.path} as of {one.as_of_date}" for one in published),
        *_deliveries(outcome),
        *(line for landed in outcome.of(Landed) for line in _landing(landed)),
        *(f"revenue: {read.summary}" for read in outcome.of(RevenueRead)),
        "stages: " + ", ".join(f"{name} {seconds:.1f} s" for name, seconds in stages),
        f"total {clock.total:.1f} s",
    ]
    summaries = [file.path for file in files if _OPEN_FIRST in file.path.name]
    if summaries and result.success:
        lines.append(f"open first: {summaries[-1]}")
    unreadable = sum(len(landed.report.problems) for landed in outcome.of(Landed))
    return Report(lines, bool(published), unreadable)


def _innermost(event: dg.DagsterEvent) -> str:
    failure = event.step_failure_data
    if failure.user_failure_data and failure.user_failure_data.description:
        return str(failure.user_failure_data.description)
    error = failure.error
    while error is not None and error.cause is not None:
        error = error.cause
    return error.message.strip() if error else "unknown"


def _deliveries(outcome: Outcome) -> Iterator[str]:
    for fact in outcome.facts:
        if isinstance(fact, NotDelivered):
            yield f"not delivered: {fact.name}: {fact.reason}"
        elif isinstance(fact, Delivered):
            yield f"delivered: {fact.name}: {fact.where}"


def _landing(landed: Landed) -> Iterator[str]:
    yield f"landing: {landed.report.summary()}"
    # Its flaws are invented like everything in it: they show that they are noticed, and are nobody's task.
    shown = 0 if landed.source == "sample" else LINES_SHOWN
    for name, lines in (("problems", landed.report.problems), ("notes", landed.report.notes)):
        yield from (f"- {line}" for line in lines[:shown])
        if len(lines) > shown:
            yield f"- {'and ' if shown else ''}{len(lines) - shown} {'more' if shown else name}: {_MORE}"


def _step_times(result: dg.ExecuteInProcessResult) -> Iterator[tuple[str, float]]:
    for event in result.all_events:
        if event.is_step_success:
            yield str(event.step_key), event.step_success_data.duration_ms / 1000
