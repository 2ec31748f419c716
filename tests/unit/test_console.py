"""What a person reads after a run: told by the assets as facts, worded in one place."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from ingest.landing import LandingReport
from orchestration import console, outcomes
from orchestration.outcomes import Delivered, Fact, Landed, NotDelivered, Published, RevenueRead, Written

REPORT = LandingReport(files=3, landed=2, items=40, problems=["a.json: no JSON"], notes=[f"note {n}" for n in range(9)])
FACTS: list[Fact] = [
    Landed("folder", REPORT),
    RevenueRead("seed file: 3 rows"),
    Published(Path("home/trends.duckdb"), "2026-03-15"),
    Written(Path("out/SUMMARY_REPORT_2026-03-15.txt"), 0.25),
    Written(Path("out/manifest_2026-03-15.json"), 0.04),
    NotDelivered("drive", "DRIVE_FOLDER_ID is not set"),
    Delivered("discord_report", "sent"),
]


@dg.asset
def telling() -> None:
    for fact in FACTS:
        outcomes.tell(fact)


@dg.asset(deps=[telling])
def failing() -> Iterator[dg.MaterializeResult]:
    outcomes.tell(Published(Path("home/trends.duckdb"), "2026-03-16"))
    raise dg.Failure("as asked", allow_retries=False)
    yield dg.MaterializeResult()


def run(*assets: dg.AssetsDefinition) -> tuple[console.Report, dg.ExecuteInProcessResult]:
    with outcomes.collected() as outcome:
        result = dg.materialize([*assets], instance=dg.DagsterInstance.ephemeral(), raise_on_error=False)
    return console.report(outcome, result, console.Clock()), result


def test_what_assets_tell_is_worded_in_the_order_of_a_reader() -> None:
    report, _ = run(telling)
    stages = next(line for line in report.lines if line.startswith("stages: "))
    total = next(line for line in report.lines if line.startswith("total "))
    assert report.lines == [
        "wrote out/SUMMARY_REPORT_2026-03-15.txt (0.2 s)",
        "wrote out/manifest_2026-03-15.json (0.0 s)",
        "published home/trends.duckdb as of 2026-03-15",
        "not delivered: drive: DRIVE_FOLDER_ID is not set",
        "delivered: discord_report: sent",
        f"landing: {REPORT.summary()}",
        "- a.json: no JSON",
        *(f"- note {n}" for n in range(console.LINES_SHOWN)),
        "- and 1 more: select file, reason from raw.loads where reason <> ''",
        "revenue: seed file: 3 rows",
        stages,
        total,
        "open first: out/SUMMARY_REPORT_2026-03-15.txt",
    ]
    assert "telling" in stages
    assert (report.is_published, report.unreadable) == (True, 1)


def test_a_run_that_failed_tells_what_came_before_and_has_nothing_to_open() -> None:
    report, result = run(telling, failing)
    assert [line for line in report.lines if line.startswith("published")] == [
        "published home/trends.duckdb as of 2026-03-15", "published home/trends.duckdb as of 2026-03-16",
    ]  # fmt: skip
    assert not any(line.startswith("open first") for line in report.lines)
    assert console.failures(result) == [("failing", "as asked")]


@pytest.mark.parametrize(("source", "lines"), [("sample", ["- 1 problems: ", "- 9 notes: "]), ("folder", ["- a.json"])])
def test_flaws_of_the_sample_are_counted_and_those_of_others_shown(source: str, lines: list[str]) -> None:
    @dg.asset
    def landing() -> None:
        outcomes.tell(Landed(source, REPORT))

    report, _ = run(landing)
    shown = [line for line in report.lines if line.startswith("- ")]
    assert [line for line, start in zip(shown, lines, strict=False) if line.startswith(start)] == shown[: len(lines)]


def test_nobody_needs_to_listen() -> None:
    outcomes.tell(Delivered("drive", "somewhere"))
    report, _ = run()
    assert not any("somewhere" in line for line in report.lines)
