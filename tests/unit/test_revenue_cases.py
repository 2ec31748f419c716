"""The revenue tab as people keep it: totals, sheets that are still loading, columns of their own, unreadable cells."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from exports.workbooks.revenue_tabs import TRACKER_COLUMNS
from ingest import revenue
from ingest.revenue import COLUMNS, RevenueReadError, RevenueReading, RevenueRow, check_against, read_seed
from ingest.revenue_columns import READ, TAB
from orchestration.settings import PROJECT_ROOT
from simulator.revenue_entries import HEADER
from tests.support import FIXTURES

CASES = FIXTURES / "cases" / "revenue"


def reading(name: str) -> RevenueReading:
    return read_seed(CASES / f"{name}.csv")


def edited(path: Path, cells: Mapping[str, str], row: int | None = None) -> RevenueReading:
    """The good tab with some cells changed, in one row (from 0) or in all."""
    with (CASES / "still_loading_1_good.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    for number, entry in enumerate(rows):
        if row in (None, number):
            entry |= cells
    target = path / "tab.csv"
    with target.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return read_seed(target)


@pytest.mark.parametrize("name", ["total_row", "total_without_label"])
def test_a_total_is_no_template(name: str) -> None:
    found = reading(name)
    assert (found.total, len(found.readable)) == (Decimal(300), 3)
    assert found.problems == ("row 5: no TikTok URL: not counted",)


def test_subtotals_of_months(tmp_path: Path) -> None:
    found = edited(tmp_path, {"TikTok URL": "February", "Received ($)": "100"}, row=1)
    assert (found.total, found.problems) == (Decimal(200), ("row 3: no TikTok URL: not counted",))


@pytest.mark.parametrize("text", ["Loading...", "#REF!", "#N/A", "#ERROR!"])
def test_a_sheet_that_is_still_loading_is_a_failed_reading(tmp_path: Path, text: str) -> None:
    good = reading("still_loading_1_good")
    for bad in (reading("still_loading_2_bad"), edited(tmp_path, {"TikTok URL": text, "Received ($)": text})):
        with pytest.raises(RevenueReadError, match="no readable row, and there were 3"):
            check_against(bad, good)


def test_the_cache_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = datetime(2026, 2, 20, 9, tzinfo=UTC)
    cache = tmp_path / "cache.json"
    config = revenue.RevenueSheetConfig("sheet", None)  # type: ignore[arg-type]
    answers = [reading("still_loading_1_good"), reading("still_loading_2_bad")]
    for source, total in ((revenue.SHEET, 300), (revenue.CACHE, 300)):
        answer = replace(answers.pop(0), source=revenue.SHEET, observed_at=now)
        monkeypatch.setattr(revenue, "read_sheet", lambda *_, answer=answer, **__: answer)
        found = revenue.read_revenue(config, cache, tmp_path / "no seed", now=now)
        assert (found.source, found.total) == (source, total)
    assert "no readable row, and there were 3" in found.failure


def test_a_fallen_total_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = datetime(2026, 2, 20, 9, tzinfo=UTC)
    revenue.write_cache(tmp_path / "cache", replace(reading("still_loading_1_good"), observed_at=now))
    cleared = replace(edited(tmp_path, {"Received ($)": ""}), source=revenue.SHEET, observed_at=now)
    monkeypatch.setattr(revenue, "read_sheet", lambda *_, **__: cleared)
    found = revenue.read_revenue(revenue.RevenueSheetConfig("s", None), tmp_path / "cache", tmp_path, now=now)  # type: ignore[arg-type]
    assert (found.source, found.total) == (revenue.SHEET, 0)
    assert "the total fell from $300.00 to $0.00 since the last reading" in found.notes


def test_an_exact_header_beats_an_alias() -> None:
    found = reading("added_column_date")
    assert (found.total, len(found.readable)) == (Decimal(300), 3)
    assert {str(row.first_seen_on) for row in found.readable} == {"2026-02-03"}
    assert found.notes == ("the column Date is not read: Date First Seen stands there too",)


@pytest.mark.parametrize(
    ("alias", "column"),
    [("Note", "Notes"), ("Trend", "Trend Description"), ("Age", "Age at Detection"),
     ("Momentum", "Momentum at Detection"), ("Template", "Template Link")],
)  # fmt: skip
def test_columns_of_the_users_own(alias: str, column: str) -> None:
    header, places = revenue.find_columns([["TikTok URL", "Received ($)", alias, column]])
    assert (header, places[column]) == (0, 3)
    assert revenue.find_columns([["TikTok URL", "Received ($)", alias]])[1][column] == 2


def test_an_unreadable_side_cell_costs_that_cell(tmp_path: Path) -> None:
    found = edited(
        tmp_path, {"Estimated ($)": "soon", "US & EU3 Installs": "n/a", "Date First Seen": "last week"}, row=1
    )
    assert (found.total, found.problems) == (Decimal(300), ())
    assert [note.partition(": ")[2].partition(":")[0] for note in found.notes] == [
        "Estimated ($)", "US & EU3 Installs", "Date First Seen",
    ]  # fmt: skip


def test_every_list_of_columns_follows_the_one() -> None:
    fields = [name for name in RevenueRow.__slots__ if name not in ("sheet_row", "entered", "problem")]
    assert fields == [column.name for column in READ]
    assert tuple(HEADER) == COLUMNS
    with (PROJECT_ROOT / "seeds" / "revenue_seed.csv").open(encoding="utf-8") as seed:
        assert tuple(seed.readline().rstrip("\n").split(",")) == COLUMNS
    titles = [column.title for column in TRACKER_COLUMNS[: len(TAB)]]
    assert tuple(titles) == COLUMNS
