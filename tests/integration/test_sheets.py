"""Dashboard sheet appends with the real gspread against the local service."""

import copy
import datetime as dt
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from services import sheets
from services.google_auth import SCOPE_SHEETS_READ, GoogleSession, sign_in
from services.receipts import DuckDBReceipts
from services.retries import ServiceError
from services.sheet_table import Cell, SheetTable, row_key
from tests.service.faults import EVERY_FAULT, Fault, Kind, fault_name
from tests.service.helpers import AS_OF, QUICK, google_config, receipts_in
from tests.service.server import Service
from tests.service.sheets import Spreadsheet, Tab

pytest_plugins = ["tests.service.fixtures"]
BOOK = "dashboard1"
COLUMNS = ("Date", "Competitor", "Trend", "Momentum", "URL")
BATCH = "sheets.spreadsheets.batchUpdate"
HOSTILE = ["=1+1", "+2", "-3", "@everyone", "'quoted", "#N/A", "1.234", "TRUE", "7399123456789012345", "\ud800\x00x"]


@pytest.fixture
def book(service: Service) -> Spreadsheet:
    return service.sheets.add(BOOK)


@pytest.fixture
def config(service: Service) -> sheets.SheetsConfig:
    return sheets.SheetsConfig(BOOK, endpoint=service.url, timeout_seconds=0.5, policy=QUICK)


def table(tab: str = "COMPETITOR_VIEW", day: dt.date = AS_OF, count: int = 3) -> SheetTable:
    rows: list[list[Cell]] = [
        [day, f"@rival{n}", HOSTILE[n % len(HOSTILE)], 1234.5 + n, f"https://t/{n}"] for n in range(count)
    ]
    return SheetTable(tab, COLUMNS, rows, [row_key(day, n) for n in range(count)])


def column(tab: Tab, name: str) -> list[Any]:
    """What was entered below a header, by name, as (kind, value)."""
    values = tab.values()
    header = next(index for index, row in enumerate(values) if name in row)
    position = values[header].index(name)
    cells = [row[position] if position < len(row) else {} for row in tab.rows[header + 1 :]]
    return [next(iter(cell.get("userEnteredValue", {"": None}).items())) for cell in cells]


def test_missing_tabs_are_made_and_a_repeat_appends_nothing(
    service: Service, book: Spreadsheet, config: sheets.SheetsConfig, google: GoogleSession, receipts: DuckDBReceipts
) -> None:
    tables = [table(name) for name in ("COMPETITOR_VIEW", "PREDICTION_LOG", "DATA_FEED", "OPPORTUNITY_NOW")]
    tables.append(replace(table("REVENUE_TRACKER"), is_dated=False))
    first = sheets.append(config, google, receipts, AS_OF, tables)
    assert [(tab.appended, tab.created, tab.problem) for tab in first.tabs] == [(3, True, "")] * 5
    assert len(service.log) - service.count("google.token") < 15
    made = book.tab("COMPETITOR_VIEW")
    assert made.values()[0] == [*COLUMNS, "Run Date", "row_key"]
    assert made.frozen == 1
    assert book.tab("REVENUE_TRACKER").values()[0] == [*COLUMNS, "row_key"]
    before = copy.deepcopy(book.tabs)
    second = sheets.append(config, google, receipts, AS_OF, tables)
    assert [(tab.appended, tab.present) for tab in second.tabs] == [(0, 3)] * 5
    assert book.tabs == before
    assert service.count(BATCH) == 5
    receipt = receipts.find(f"sheets:{BOOK}:DATA_FEED:{AS_OF}")
    assert receipt is not None and receipt.detail == {"appended": 3, "rows": 3}


def test_values_are_typed_and_text_stays_text(
    book: Spreadsheet, config: sheets.SheetsConfig, google: GoogleSession, receipts: DuckDBReceipts
) -> None:
    sheets.append(config, google, receipts, AS_OF, [table(count=len(HOSTILE))])
    tab = book.tab("COMPETITOR_VIEW")
    assert [kind for kind, _ in column(tab, "Trend")] == ["stringValue"] * len(HOSTILE)
    assert [value for _, value in column(tab, "Trend")][:-1] == HOSTILE[:-1]
    assert column(tab, "Trend")[-1] == ("stringValue", "\ufffdx")
    assert column(tab, "Date")[0] == ("numberValue", 46027.0)
    assert tab.rows[1][0]["userEnteredFormat"]["numberFormat"] == {"type": "DATE", "pattern": "yyyy-mm-dd"}
    assert column(tab, "Momentum")[0] == ("numberValue", 1234.5)


def lived_in(book: Spreadsheet) -> Tab:
    """A tab as users make it: title row, spacer column, a gap, own columns, a filter, 3,000 rows."""
    header = ["Date", None, "Trend", " competitor ", "URL", "My notes", None, "Momentum"]
    rows: list[list[Any]] = [["COMPETITORS (do not touch)"], header]
    for n in range(3_000):
        rows.append([46000.0 + n % 20, None, f"=A{n}", "@x", f"https://t/old{n}", f"note {n}", None, n])
    rows[1500:1500] = [[], []]
    rows[40].extend([None, None, "far out"])
    tab = book.add("COMPETITOR_VIEW", rows, column_count=12)
    tab.basic_filter = {"range": {"startRowIndex": 1, "endRowIndex": 900}}
    return tab


def test_a_lived_in_tab_keeps_every_cell(
    service: Service, book: Spreadsheet, config: sheets.SheetsConfig, google: GoogleSession, receipts: DuckDBReceipts
) -> None:
    lived_in(book)
    before = copy.deepcopy(book.tab("COMPETITOR_VIEW"))
    delivery = sheets.append(config, google, receipts, AS_OF, [table()])
    assert delivery.tabs == (sheets.TabResult("COMPETITOR_VIEW", 3, 0, False),)
    after = book.tab("COMPETITOR_VIEW")
    for old, new in zip(before.rows, after.rows, strict=False):
        assert new[: len(old)] == old
    assert after.basic_filter == before.basic_filter
    assert len(after.rows) == len(before.rows) + 3
    assert [row for row in after.rows[:-3] if len(row) > 11] == [after.rows[1]]
    assert after.values()[1][11:] == ["Run Date", "row_key"]
    assert [value for _, value in column(after, "Trend")[-3:]] == HOSTILE[:3]
    assert [value for _, value in column(after, " competitor ")[-3:]] == ["@rival0", "@rival1", "@rival2"]
    assert column(after, "My notes")[-3:] == [("", None)] * 3
    next_day = AS_OF + dt.timedelta(days=1)
    sheets.append(config, google, receipts, next_day, [table(day=next_day)])
    sheets.append(config, google, receipts, AS_OF, [table()])
    assert len(book.tab("COMPETITOR_VIEW").rows) == len(before.rows) + 6
    assert book.tab("COMPETITOR_VIEW").values()[1].count("row_key") == 1


def test_a_tab_without_its_header_is_not_touched_and_the_others_go_on(
    book: Spreadsheet, config: sheets.SheetsConfig, google: GoogleSession, receipts: DuckDBReceipts
) -> None:
    book.add("COMPETITOR_VIEW", [["shopping list"], ["milk", 3]])
    before = copy.deepcopy(book.tab("COMPETITOR_VIEW"))
    delivery = sheets.append(config, google, receipts, AS_OF, [table(), table("DATA_FEED")])
    assert "no header row" in delivery.tabs[0].problem
    assert delivery.tabs[1].appended == 3
    assert book.tab("COMPETITOR_VIEW") == before


def without(tab: Tab, *names: str) -> None:
    """Somebody deletes columns of a tab."""
    for name in names:
        position = tab.values()[0].index(name)
        for row in tab.rows:
            del row[position : position + 1]


def test_rows_are_known_where_their_keys_were_deleted(
    book: Spreadsheet, config: sheets.SheetsConfig, google: GoogleSession, receipts: DuckDBReceipts
) -> None:
    next_day = AS_OF + dt.timedelta(days=1)
    sheets.append(config, google, receipts, AS_OF, [table()])
    without(book.tab("COMPETITOR_VIEW"), "row_key")
    again = sheets.append(config, google, receipts, AS_OF, [table()])
    assert [(tab.appended, tab.present, tab.problem) for tab in again.tabs] == [(0, 3, "")]
    assert len(book.tab("COMPETITOR_VIEW").values()) == 4
    # The next day's rows have keys again, in a new column; the first day's stay known without.
    for day, appended in ((next_day, 3), (AS_OF, 0), (next_day, 0)):
        (result,) = sheets.append(config, google, receipts, day, [table(day=day)]).tabs
        assert (result.appended, result.problem) == (appended, "")
    assert len(book.tab("COMPETITOR_VIEW").values()) == 7
    assert [value for _, value in column(book.tab("COMPETITOR_VIEW"), "row_key")] == [
        *[None] * 3, *(row_key(next_day, n) for n in range(3))
    ]  # fmt: skip


def test_what_can_not_be_told_apart_is_not_appended_and_named(
    book: Spreadsheet, config: sheets.SheetsConfig, google: GoogleSession, receipts: DuckDBReceipts
) -> None:
    # Three rows of which one was there, all with the same words.
    alike = replace(table(), rows=[[AS_OF, "@rival", "t", float(n), "u"] for n in range(3)])
    sheets.append(config, google, receipts, AS_OF, [replace(alike, rows=alike.rows[:1], row_keys=alike.row_keys[:1])])
    without(book.tab("COMPETITOR_VIEW"), "row_key")
    (result,) = sheets.append(config, google, receipts, AS_OF, [alike]).tabs
    assert result.appended == 0
    assert result.problem.startswith("3 rows of COMPETITOR_VIEW can't be told from rows whose row_key was deleted")
    without(book.tab("COMPETITOR_VIEW"), "Run Date")
    before = copy.deepcopy(book.tabs)
    (result,) = sheets.append(config, google, receipts, AS_OF, [table()]).tabs
    assert "the columns Run Date and row_key are gone" in result.problem
    assert book.tabs == before


def test_an_empty_tab_gets_its_header(
    book: Spreadsheet, config: sheets.SheetsConfig, google: GoogleSession, receipts: DuckDBReceipts
) -> None:
    book.add("Competitor_View", [], column_count=3)
    sheets.append(config, google, receipts, AS_OF, [table()])
    assert book.tab("Competitor_View").values()[0] == [*COLUMNS, "Run Date", "row_key"]
    assert len(book.tabs) == 1


def test_revenue_rows_are_recognised_by_url_and_formulas_find_their_row(
    book: Spreadsheet, config: sheets.SheetsConfig, google: GoogleSession, receipts: DuckDBReceipts
) -> None:
    book.add(
        "REVENUE_TRACKER", [["TikTok URL", "Own", "US", "ROW", "Total"], ["https://t/1/ ", "mine", 5, 6, "=C2+D2"]]
    )
    tracker = SheetTable(
        "REVENUE_TRACKER",
        ("TikTok URL", "US", "ROW", "Total"),
        [["https://t/1", None, None, None], ["https://t/2", None, None, None]],
        ["https://t/1", "https://t/2"],
        formulas={"Total": "={US}+{ROW}"},
        unique_column="TikTok URL",
        is_dated=False,
    )
    delivery = sheets.append(config, google, receipts, AS_OF, [tracker])
    assert (delivery.tabs[0].appended, delivery.tabs[0].present) == (1, 1)
    tab = book.tab("REVENUE_TRACKER")
    assert tab.values()[1] == ["https://t/1/ ", "mine", 5, 6, "=C2+D2"]
    assert column(tab, "Total")[-1] == ("formulaValue", "=INDEX(C:C;ROW())+INDEX(D:D;ROW())")


def test_many_rows_go_in_several_requests(
    service: Service, book: Spreadsheet, config: sheets.SheetsConfig, google: GoogleSession, receipts: DuckDBReceipts
) -> None:
    sheets.append(replace(config, rows_per_call=4), google, receipts, AS_OF, [table(count=10)])
    assert len(book.tab("COMPETITOR_VIEW").rows) == 11
    assert service.count(BATCH) == 3
    assert len(book.tab("COMPETITOR_VIEW").metadata) == 1, "the guard's entries must not pile up"


@pytest.mark.parametrize("fault", EVERY_FAULT, ids=fault_name)
@pytest.mark.parametrize("route", ["sheets.spreadsheets.get", "sheets.spreadsheets.values.batchGet", BATCH])
@pytest.mark.parametrize("exists", [False, True])
def test_one_fault_leaves_each_row_once(
    service: Service,
    book: Spreadsheet,
    config: sheets.SheetsConfig,
    google: GoogleSession,
    receipts: DuckDBReceipts,
    elapsed: Callable[[], float],
    route: str,
    fault: Fault,
    exists: bool,
) -> None:
    book.add("OTHER" if not exists else "COMPETITOR_VIEW", [list(COLUMNS), [1, "@old", "t", 1, "u"]])
    book.add("DATA_FEED", [list(COLUMNS), [1, "@old", "t", 1, "u"]])
    service.faults.add(route, replace(fault, times=1))
    delivery = sheets.append(config, google, receipts, AS_OF, [table(), table("DATA_FEED")])
    assert [tab.problem for tab in delivery.tabs] == ["", ""]
    for title, old in (("COMPETITOR_VIEW", 1 if exists else 0), ("DATA_FEED", 1)):
        assert len(book.tab(title).rows) == 1 + old + 3
        keys = [value for _, value in column(book.tab(title), "row_key") if value is not None]
        assert keys == [row_key(AS_OF, n) for n in range(3)]
    assert service.faults.take(route) is None, "the fault never happened"
    assert (1 if fault.headers else 0) <= elapsed() < 6


@pytest.mark.parametrize("exists", [False, True])
def test_a_request_that_arrives_late_is_refused_or_makes_the_repeat_unnecessary(
    service: Service,
    book: Spreadsheet,
    config: sheets.SheetsConfig,
    google: GoogleSession,
    receipts: DuckDBReceipts,
    exists: bool,
) -> None:
    """The first request is given up, the tab is read, and only then both requests are carried out."""
    if exists:
        book.add("COMPETITOR_VIEW", [list(COLUMNS), [1, "@old", "t", 1, "u"]])
    service.faults.add(BATCH, Fault("overtaken"))
    delivery = sheets.append(config, google, receipts, AS_OF, [table()])
    assert delivery.tabs[0].problem == ""
    assert service.count(BATCH) == 2
    assert sorted(entry.status for entry in service.log if entry.route == BATCH) == [200, 400]
    assert len(book.tab("COMPETITOR_VIEW").rows) == (5 if exists else 4)


@pytest.mark.parametrize("kind", ["status", "html", "drop_before", "stall"])
def test_a_service_that_never_recovers_fails_in_bounded_time(
    service: Service,
    book: Spreadsheet,
    config: sheets.SheetsConfig,
    google: GoogleSession,
    receipts: DuckDBReceipts,
    elapsed: Callable[[], float],
    kind: Kind,
) -> None:
    book.add("COMPETITOR_VIEW", [list(COLUMNS)])
    service.faults.add(BATCH, Fault(kind, 503, times=1_000))
    delivery = sheets.append(config, google, receipts, AS_OF, [table(), table("DATA_FEED")])
    assert all("failed (unclear)" in tab.problem for tab in delivery.tabs)
    assert elapsed() < 12
    assert receipts.of_date(AS_OF) == []


def test_a_sheet_that_is_not_shared_names_the_remedy(
    book: Spreadsheet, config: sheets.SheetsConfig, google: GoogleSession, receipts: DuckDBReceipts
) -> None:
    book.read_only = True
    delivery = sheets.append(config, google, receipts, AS_OF, [table()])
    assert "right to edit" in delivery.tabs[0].problem
    with pytest.raises(ServiceError, match="Check the id"):
        sheets.append(replace(config, spreadsheet_id="nowhere"), google, receipts, AS_OF, [table()])


def test_a_reader_can_not_write(
    service: Service, book: Spreadsheet, config: sheets.SheetsConfig, receipts: DuckDBReceipts
) -> None:
    reader = sign_in(google_config(service), [SCOPE_SHEETS_READ])
    assert sheets.check_access(config, reader) == "Dashboard"
    delivery = sheets.append(config, reader, receipts, AS_OF, [table()])
    assert "lacks this right" in delivery.tabs[0].problem
    assert book.tabs == []


def test_a_second_home_with_its_own_receipts_appends_nothing(
    book: Spreadsheet, config: sheets.SheetsConfig, google: GoogleSession, receipts: DuckDBReceipts
) -> None:
    sheets.append(config, google, receipts, AS_OF, [table()])
    again = sheets.append(config, google, receipts_in(":memory:"), AS_OF, [table()])
    assert again.tabs[0].appended == 0
    assert len(book.tab("COMPETITOR_VIEW").rows) == 4


def test_checks(book: Spreadsheet, config: sheets.SheetsConfig, google: GoogleSession) -> None:
    book.add("COMPETITOR_VIEW", [["Date"]])
    before = copy.deepcopy(book.tabs)
    assert sheets.check_access(config, google) == "Dashboard"
    sheets.check_write(config, google)
    assert book.tabs == before
