"""Revenue in: the live sheet over HTTP, what makes a reading suspicious, cache and seed behind it, raw tables."""

from __future__ import annotations

import copy
import csv
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from ingest import facts
from ingest.revenue import (
    COLUMNS,
    ENTERED_COLUMNS,
    RevenueReadError,
    RevenueReading,
    RevenueSheetConfig,
    land_revenue,
    read_cache,
    read_revenue,
    read_seed,
    read_sheet,
)
from services.google_auth import SCOPE_SHEETS_READ
from services.retries import ServiceError
from simulator import sample_config, simulate
from simulator.revenue_entries import write_revenue_seed
from tests.service.faults import Fault
from tests.service.helpers import QUICK, google_config
from tests.service.server import Service
from tests.service.sheets import Spreadsheet
from tests.support import PROJECT, records
from warehouse.store import Store

pytest_plugins = ["tests.service.fixtures"]

Read = Callable[[], RevenueReading]

SEED = PROJECT / "seeds" / "revenue_seed.csv"
NOW = datetime(2026, 3, 15, 9, tzinfo=UTC)
URL = "https://www.tiktok.com/@example.own/video/{}"


def line(number: int, received: Any = 100, **further: Any) -> list[Any]:
    """A row of the tab with the formulas a user has in H to J."""
    sheet_row = number + 1
    values: dict[str, Any] = dict.fromkeys(COLUMNS) | {
        "TikTok URL": URL.format(7_600_000_000_000_000_000 + number),
        "Account": "example.own",
        "Received ($)": received,
        "US & EU3 Installs": 20,
        "ROW Installs": 10,
        "Total Installs": f"=F{sheet_row}+G{sheet_row}",
        "Rev/Install": f"=D{sheet_row}/H{sheet_row}",
        "At Cap?": f'=IF(D{sheet_row}>=2500,"✅ CAP","")',
        "Date First Seen": 46056,
    }
    return list((values | further).values())


@pytest.fixture
def book(service: Service) -> Spreadsheet:
    return service.sheets.add("revenue", locale="en_US", time_zone="Europe/London")


@pytest.fixture
def config(service: Service) -> RevenueSheetConfig:
    return RevenueSheetConfig("revenue", google_config(service), endpoint=service.url, timeout_seconds=1, policy=QUICK)


@pytest.fixture
def read(config: RevenueSheetConfig, tmp_path: Path, service: Service, book: Spreadsheet) -> Read:
    """Reads down the chain; every reading leaves the sheet as it was, byte for byte."""

    def reading() -> RevenueReading:
        before = copy.deepcopy(book.tabs)
        found = read_revenue(config, tmp_path / "data" / "revenue_cache.json", SEED, now=NOW)
        assert book.tabs == before
        assert {entry.method for entry in service.log if entry.route.startswith("sheets.")} <= {"GET"}
        return found

    return reading


def test_a_sheet_is_read_as_it_stands(book: Spreadsheet, read: Read) -> None:
    book.add("REVENUE_TRACKER", [list(COLUMNS), line(1, 12.5), line(2, None, Notes="00123")])
    reading = read()
    assert (reading.source, reading.observed_at, reading.locale, reading.failure) == ("sheet", NOW, "en_US", "")
    first, second = reading.rows
    assert (first.sheet_row, first.received, first.first_seen_on) == (2, Decimal("12.5"), date(2026, 2, 3))
    assert (first.us_eu3_installs, first.row_installs, first.url) == (20, 10, URL.format(7_600_000_000_000_000_001))
    assert second.received is None, "nothing entered is not zero"
    assert second.notes == "00123"
    assert reading.total == Decimal("12.5")


def test_the_token_can_not_write(service: Service, book: Spreadsheet, config: RevenueSheetConfig, read: Read) -> None:
    book.add("REVENUE_TRACKER", [list(COLUMNS), line(1)])
    read()
    (asked,) = [entry.body.decode() for entry in service.log if entry.route == "google.token"]
    assert asked.count("scope=") == 1
    assert SCOPE_SHEETS_READ.rsplit("/", 1)[1] in asked
    assert "auth%2Fspreadsheets&" not in asked + "&"


@pytest.mark.parametrize(
    ("locale", "cell", "amount"),
    [
        ("en_GB", "£1,234.50", "1234.50"),
        ("de_DE", "1.234,50", "1234.50"),
        ("en_US", "($5)", "-5"),
        ("en_US", " 2500 ", "2500"),
        ("en_US", 1234.5, "1234.5"),
        ("en_US", "", None),
    ],
)
def test_amounts_by_the_sheets_locale(
    book: Spreadsheet, read: Read, locale: str, cell: Any, amount: str | None
) -> None:
    book.locale = locale
    book.add("REVENUE_TRACKER", [list(COLUMNS), line(1, cell)])
    (row,) = read().rows
    assert row.problem is None
    assert row.received == (None if amount is None else Decimal(amount))


def test_another_currency_is_counted_and_named(book: Spreadsheet, read: Read) -> None:
    book.locale = "en_GB"
    book.add("REVENUE_TRACKER", [list(COLUMNS), line(1, "£1,234.50")])
    assert read().notes == ("row 2: Received ($) is entered in £ and counted as it stands",)


@pytest.mark.parametrize(
    ("columns", "problem"),
    [
        ({"Received ($)": "n/a"}, "row 3: Received ($): 'n/a' is no amount"),
        ({"Received ($)": "1.234,50"}, "row 3: Received ($): '1.234,50' is no amount in a sheet of locale en_US"),
        ({"Received ($)": True}, "row 3: Received ($): TRUE is no amount"),
        ({"TikTok URL": "TOTAL"}, "row 3: no TikTok URL: not counted"),
    ],
)
def test_what_can_not_be_read_is_quarantined_and_named(
    book: Spreadsheet, read: Read, columns: dict[str, Any], problem: str
) -> None:
    book.add("REVENUE_TRACKER", [list(COLUMNS), line(1, 10), line(2, 20), line(3, 30)])
    tab = book.tab("REVENUE_TRACKER")
    for name, value in columns.items():
        kind = "boolValue" if isinstance(value, bool) else "stringValue"
        tab.rows[2][list(COLUMNS).index(name)] = {"userEnteredValue": {kind: value}}
    reading = read()
    assert reading.problems == (problem,)
    assert reading.total == Decimal(40), "the others count"
    assert reading.source == "sheet"


def test_a_detail_that_can_not_be_read_costs_nobody_the_rows_money(book: Spreadsheet, read: Read) -> None:
    details = {"Age at Detection": "12.3h", "Momentum at Detection": "high"}
    book.add("REVENUE_TRACKER", [list(COLUMNS), line(1, 10, **details)])
    reading = read()
    (row,) = reading.rows
    assert (row.age_at_detection_hours, row.momentum_at_detection, row.problem) == (12.3, None, None)
    assert reading.notes == ("row 2: Momentum at Detection: 'high' is no amount",)


def test_swapped_columns_and_other_names_are_found_by_name(book: Spreadsheet, read: Read) -> None:
    names = list(COLUMNS)
    order = [*range(3), 4, 3, *range(5, len(names))]
    header = ["  received " if name == "Received ($)" else name.upper() for name in (names[place] for place in order)]
    values = line(1, 12, **{"Estimated ($)": 99})
    book.add("REVENUE_TRACKER", [["My revenue"], [], header, [values[place] for place in order]])
    (row,) = read().rows
    assert (row.sheet_row, row.received, row.estimated) == (4, Decimal(12), Decimal(99))


def test_a_tutorial_link_that_a_user_added_is_read(book: Spreadsheet, read: Read) -> None:
    book.add("REVENUE_TRACKER", [[*COLUMNS, "Tutorial Link"], [*line(1, 1), "https://www.tiktok.com/@example.own"]])
    (row,) = read().rows
    assert (row.tutorial_link, len(row.entered)) == ("https://www.tiktok.com/@example.own", 19)


def test_a_blank_row_in_the_middle_ends_nothing(book: Spreadsheet, read: Read) -> None:
    book.add("REVENUE_TRACKER", [list(COLUMNS), line(1, 1), [None, " "], line(3, 2)])
    assert [(row.sheet_row, row.received) for row in read().rows] == [(2, Decimal(1)), (4, Decimal(2))]


def test_duplicates_are_reported_not_merged(book: Spreadsheet, read: Read) -> None:
    again = {"TikTok URL": URL.format(7_600_000_000_000_000_001) + "?lang=en"}
    book.add("REVENUE_TRACKER", [list(COLUMNS), line(1, 1), line(2, 2), line(3, 4, **again)])
    reading = read()
    assert reading.notes == ("rows 2, 4 have the same TikTok URL: each is counted",)
    assert (len(reading.rows), reading.total) == (3, Decimal(7))


# ---------- readings that are not trusted


def good(book: Spreadsheet, read: Read) -> RevenueReading:
    """A good reading that the cache holds from then on."""
    book.add("REVENUE_TRACKER", [list(COLUMNS), line(1, 1), line(2, 2)])
    return read()


def rename(book: Spreadsheet, name: str, new: str) -> None:
    book.tab("REVENUE_TRACKER").rows[0][list(COLUMNS).index(name)] = {"userEnteredValue": {"stringValue": new}}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda book: rename(book, "Received ($)", "Cash in"), "the header Received ($) is missing"),
        (lambda book: rename(book, "Notes", "Remarks"), "the header Notes is gone since the last reading"),
        (lambda book: rename(book, "Account", "Received ($)"), "the header Received ($) stands twice"),
        (lambda book: book.tab("REVENUE_TRACKER").rows.__delitem__(slice(1, None)), "there were 2 rows"),
        (lambda book: book.tab("REVENUE_TRACKER").rows.clear(), "is missing"),
        (lambda book: setattr(book.tab("REVENUE_TRACKER"), "title", "OLD"), "has no tab REVENUE_TRACKER"),
    ],
)
def test_a_suspicious_reading_never_replaces_the_cache(
    book: Spreadsheet,
    read: Read,
    tmp_path: Path,
    change: Callable[[Spreadsheet], None],
    reason: str,
) -> None:
    first = good(book, read)
    path = tmp_path / "data" / "revenue_cache.json"
    kept = path.read_bytes()
    change(book)
    reading = read()
    assert reading.source == "cache"
    assert reason in reading.failure
    assert (reading.rows, reading.total, reading.observed_at) == (first.rows, first.total, NOW)
    assert path.read_bytes() == kept


def test_no_rows_in_a_new_sheet_are_no_rows(book: Spreadsheet, read: Read) -> None:
    book.add("REVENUE_TRACKER", [list(COLUMNS)])
    reading = read()
    assert (reading.source, reading.rows) == ("sheet", ())


def test_columns_that_move_while_the_tab_is_read(
    service: Service, book: Spreadsheet, config: RevenueSheetConfig
) -> None:
    book.add("REVENUE_TRACKER", [list(COLUMNS), line(1, 1, **{"Estimated ($)": 9})])

    def move() -> None:
        for row in book.tab("REVENUE_TRACKER").rows:
            row[3], row[4] = row[4], row[3]

    service.faults.add("sheets.spreadsheets.values.batchGet", Fault("call_before", skip=1, action=move))
    with pytest.raises(RevenueReadError, match="moved"):
        read_sheet(config, now=NOW)


@pytest.mark.parametrize("kind", ["unreachable", "revoked", "broken", "stalled"])
def test_a_sheet_that_does_not_answer_is_replaced_by_its_cache(
    service: Service, book: Spreadsheet, read: Read, kind: str
) -> None:
    good(book, read)
    reason = "unclear"
    if kind == "revoked":
        service.token.refresh_token = "another one"
        reason = "trends auth google"
    elif kind == "unreachable":
        service.faults.add("sheets.*", Fault("drop_before", times=100))
    elif kind == "broken":
        service.faults.add("sheets.*", Fault("html", 502, times=100))
    else:
        service.faults.add("sheets.*", Fault("stall", times=100))
    reading = read()
    assert reading.source == "cache"
    assert reason in reading.failure
    assert reading.total == Decimal(3)
    assert service.token.refresh_token not in reading.failure


def test_without_cache_and_sheet_the_seed_answers_and_says_so(service: Service, book: Spreadsheet, read: Read) -> None:
    service.faults.add("sheets.*", Fault("status", 403, times=100))
    reading = read()
    assert (reading.source, len(reading.rows), reading.is_simulated, reading.observed_at) == ("seed", 59, True, None)
    assert "SAMPLE entries shipped with the program: 59 rows" in reading.summary(NOW)
    assert "Revenue sheet" in reading.failure


def test_a_damaged_cache_is_named(tmp_path: Path) -> None:
    path = tmp_path / "revenue_cache.json"
    path.write_text('{"rows": [', encoding="utf-8")
    reading = read_revenue(None, path, SEED, now=NOW)
    assert reading.source == "seed"
    assert "revenue_cache.json is damaged" in reading.failure


def test_cache_gives_back_what_was_read(book: Spreadsheet, read: Read, tmp_path: Path) -> None:
    details = {
        "Estimated ($)": 0.1,
        "Age at Detection": "3h",
        "Trend Description": '=HYPERLINK("x")',
        "Market": "🌐 BOTH",
    }
    book.add("REVENUE_TRACKER", [list(COLUMNS), line(1, 12.34, **details), line(2, "n/a")])
    tab = book.tab("REVENUE_TRACKER")
    tab.rows[1][list(COLUMNS).index("Trend Description")] = {"userEnteredValue": {"stringValue": '=HYPERLINK("x")'}}
    reading = read()
    assert replace(read_cache(tmp_path / "data" / "revenue_cache.json"), source="sheet") == reading


def test_cache_is_replaced_at_once_and_dated(book: Spreadsheet, read: Read, tmp_path: Path) -> None:
    good(book, read)
    directory = tmp_path / "data"
    assert [path.name for path in directory.iterdir()] == ["revenue_cache.json"]
    content = json.loads((directory / "revenue_cache.json").read_text(encoding="utf-8"))
    assert content["observed_at"] == NOW.isoformat()
    assert content["columns"] == list(ENTERED_COLUMNS)


# ---------- the seed


def test_seed_is_the_simulators(tmp_path: Path) -> None:
    write_revenue_seed(simulate(sample_config()), tmp_path / "seed.csv")
    assert (tmp_path / "seed.csv").read_bytes() == SEED.read_bytes()
    with SEED.open(encoding="utf-8", newline="") as stream:
        assert next(csv.reader(stream)) == list(COLUMNS)


def test_a_users_seed_is_no_sample(tmp_path: Path) -> None:
    path = tmp_path / "seed.csv"
    path.write_text("TikTok URL,Account,Received ($)\nhttps://www.tiktok.com/@me/video/1,me,5\n", encoding="utf-8")
    reading = read_seed(path)
    assert (reading.is_simulated, reading.total) == (False, Decimal(5))
    with pytest.raises(RevenueReadError, match="does not exist"):
        read_seed(tmp_path / "nothing.csv")


# ---------- raw


def test_equal_readings_share_their_rows(store: Store) -> None:
    reading = read_seed(SEED)
    with facts.writer(store) as connection:
        for hours in (0, 1):
            land_revenue(connection, reading, attempted_at=NOW + timedelta(hours=hours))
        changed = replace(reading, rows=reading.rows[:-1], source="sheet", observed_at=NOW)
        land_revenue(connection, changed, attempted_at=NOW + timedelta(hours=2))
        reads = records(connection, "select * from raw.revenue_reads order by read_id")
        rows = connection.execute("select read_id, count(*) from raw.revenue_rows group by 1 order by 1").fetchall()
    assert [(read["read_id"], read["rows_read_id"], read["source"]) for read in reads] == [
        (1, 1, "seed"),
        (2, 1, "seed"),
        (3, 3, "sheet"),
    ]
    assert rows == [(1, 59), (3, 58)]
    assert [read["attempted_at"].tzinfo for read in reads] == [None] * 3


def test_unreadable_rows_are_in_quarantine(store: Store, book: Spreadsheet, read: Read) -> None:
    book.add("REVENUE_TRACKER", [list(COLUMNS), line(1, "n/a"), line(2, 5)])
    with facts.writer(store) as connection:
        land_revenue(connection, read(), attempted_at=NOW)
        ((sheet_row, problem, entered),) = connection.execute(
            "select sheet_row, problem, entered from raw.revenue_quarantine"
        ).fetchall()
        ((received, video_id),) = connection.execute("select received, video_id from raw.revenue_rows").fetchall()
    assert (sheet_row, problem) == (2, "Received ($): 'n/a' is no amount")
    assert json.loads(entered)[3] == "n/a"
    assert (received, video_id) == (Decimal(5), "7600000000000000002")


def test_the_reason_of_a_refusal_is_a_service_error(config: RevenueSheetConfig, service: Service) -> None:
    service.token.refresh_token = "another one"
    with pytest.raises(ServiceError, match="no longer works"):
        read_sheet(config, now=NOW)


def test_the_day_of_a_post_is_read_where_the_sheet_has_a_column_for_it(
    book: Spreadsheet, read: Read, tmp_path: Path
) -> None:
    """It is no column that must stay: users have it since February, others not."""
    book.add(
        "REVENUE_TRACKER", [[*COLUMNS, "Post Date"], [*line(1, 12.5), 46058], [*line(2, 3), "some day"], line(3, 1)]
    )
    reading = read()
    assert [row.post_date for row in reading.rows] == [date(2026, 2, 5), None, None]
    assert [row.problem for row in reading.rows] == [None, None, None]
    assert any("row 3: Post Date" in note for note in reading.notes)
    # The cache holds it too.
    again = read_cache(tmp_path / "data" / "revenue_cache.json")
    assert [row.post_date for row in again.rows] == [date(2026, 2, 5), None, None]
