"""What a person reads when a job of the command line is over.

Belongs here: choosing and wording, from what Dagster kept of the run. Must not be here: running jobs (`cli`), progress
while they run (`progress`).

What was made comes first, then what there is to know about it, at last what to open.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

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


def report(result: dg.ExecuteInProcessResult, clock: Clock) -> Report:
    """The text about a run that is over."""
    made = _materializations(result)
    files = [line for _, metadata in made for line in _files(metadata)]
    published = [
        f"published {metadata['path'].value} as of {metadata['as_of_date'].value}"
        for name, metadata in made
        if name == "warehouse/trends"
    ]
    landed = next((metadata for _, metadata in made if "landing" in metadata), None)
    revenue = next((f"revenue: {metadata['revenue'].value}" for _, metadata in made if "revenue" in metadata), None)
    stages = [*clock.stages, *_step_times(result)]
    lines = [
        *(f"wrote {path} ({seconds:.1f} s)" for path, seconds in files),
        *published,
        *_deliveries(result),
        *(_landing(landed) if landed is not None else ()),
        *filter(None, [revenue]),
        "stages: " + ", ".join(f"{name} {seconds:.1f} s" for name, seconds in stages),
        f"total {clock.total:.1f} s",
    ]
    summaries = [path for path, _ in files if _OPEN_FIRST in path]
    if summaries and result.success:
        lines.append(f"open first: {summaries[-1]}")
    unreadable = int(str(landed["unreadable_files"].value)) if landed is not None else 0
    return Report(lines, bool(published), unreadable)


def _innermost(event: dg.DagsterEvent) -> str:
    failure = event.step_failure_data
    if failure.user_failure_data and failure.user_failure_data.description:
        return str(failure.user_failure_data.description)
    error = failure.error
    while error is not None and error.cause is not None:
        error = error.cause
    return error.message.strip() if error else "unknown"


def _materializations(result: dg.ExecuteInProcessResult) -> list[tuple[str, Any]]:
    """Key and metadata of what was made; a run over a range tells of every partition with the same metadata."""
    made: dict[str, Any] = {}
    for event in result.all_events:
        if event.is_step_materialization:
            made.setdefault("/".join(event.materialization.asset_key.path), event.materialization.metadata)
    return list(made.items())


def _files(metadata: Any) -> Iterator[tuple[str, float]]:
    if "files" in metadata:
        for path in str(metadata["files"].value).splitlines():
            yield path, metadata["seconds"].value


def _deliveries(result: dg.ExecuteInProcessResult) -> Iterator[str]:
    for event in result.all_events:
        if event.event_type_value == "ASSET_OBSERVATION" and event.step_key in ("deliver", "send_poll"):
            observation = event.asset_observation_data.asset_observation
            yield f"not delivered: {observation.asset_key.path[-1]}: {observation.metadata['skipped'].value}"
        elif event.is_step_materialization and event.step_key == "deliver":
            told = event.materialization.metadata
            where = [str(told[name].value) for name in ("folder", "sheet", "outcome") if name in told]
            yield f"delivered: {event.materialization.asset_key.path[-1]}: {' '.join(where)}"


def _landing(metadata: Any) -> Iterator[str]:
    yield f"landing: {metadata['landing'].value}"
    # Its flaws are invented like everything in it: they show that they are noticed, and are nobody's task.
    shown = 0 if metadata["source"].value == "sample" else LINES_SHOWN
    for name in ("problems", "notes"):
        lines = [line for line in str(metadata[name].value).splitlines() if line != "none"]
        yield from lines[:shown]
        if len(lines) > shown:
            yield f"- {'and ' if shown else ''}{len(lines) - shown} {'more' if shown else name}: {_MORE}"


def _step_times(result: dg.ExecuteInProcessResult) -> Iterator[tuple[str, float]]:
    for event in result.all_events:
        if event.is_step_success:
            yield str(event.step_key), event.step_success_data.duration_ms / 1000
