"""Appends rows to the dashboard sheet: adds what is missing, touches nothing that is there.

Belongs here: finding tabs and columns, telling which rows are new, appending them. Must not be here: which rows
there are and what they mean, and any call that clears, deletes, sorts, moves or overwrites.

How a row is written once. Each row carries a key in the visible ``row_key`` column; keys are read first and
only missing rows are appended. Every append is one atomic ``batchUpdate`` that also records a developer
metadata entry under an id derived from what the sheet held before and from the rows: ids are unique in a
spreadsheet, so a copy of the request that arrives late (we had given up on it and asked again) is refused as a
whole. ``values.append`` is not used: it guesses where a "table" is and can overwrite rows below a gap.

Where somebody deleted the key column, or keys in it, such a row is known by what it says: its run date and its text.

Values are typed: text is sent as text, so a caption that starts with ``=`` is never a formula.
"""

import datetime as dt
import hashlib
import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

import gspread

from services.google_auth import GoogleSession
from services.receipts import Receipt, Receipts
from services.retries import Effect, Failure, Policy, ServiceError, call
from services.sheet_table import Cell, SheetTable
from services.sheets_client import (
    HEADER_SEARCH_ROWS,
    connect,
    first_rows,
    letters,
    normal,
    quoted,
    read_ranges,
    whole_columns,
)
from services.text_safety import sheet_text

RUN_DATE_COLUMN = "Run Date"
ROW_KEY_COLUMN = "row_key"

_SERVICE = "Google Sheets"
_GUARD_KEY = "trends_last_append"
_LAST_EXACT_INTEGER = 2**53
_EPOCH = dt.datetime(1899, 12, 30)
_GONE = (
    f"the columns {RUN_DATE_COLUMN} and {ROW_KEY_COLUMN} are gone, and rows of this date were appended before: nothing"
    " was appended. Bring the columns back by the version history of the sheet"
)
_PLACEHOLDER = re.compile(r"\{([^{}]+)\}")


@dataclass(frozen=True, slots=True)
class SheetsConfig:
    """Which spreadsheet, and how to reach it.

    Attributes:
        spreadsheet_id: From the sheet's address.
        endpoint: Root address of the service.
        timeout_seconds: For connecting and for each read.
        rows_per_call: Rows sent in one request.
        policy: How long to insist.
    """

    spreadsheet_id: str
    endpoint: str = "https://sheets.googleapis.com/"
    timeout_seconds: float = 60.0
    rows_per_call: int = 1_000
    policy: Policy = field(default_factory=Policy)


@dataclass(frozen=True, slots=True)
class TabResult:
    """What became of one tab.

    Attributes:
        tab: Tab name.
        appended: Rows added by this run.
        present: Rows of this delivery that were there already.
        created: Whether the tab was made.
        problem: Why rows are missing; ``""`` if none are.
    """

    tab: str
    appended: int
    present: int
    created: bool
    problem: str = ""


@dataclass(frozen=True, slots=True)
class SheetsDelivery:
    """What a delivery did.

    Attributes:
        link: Address of the spreadsheet for people.
        tabs: One result per table, in the given order.
    """

    link: str
    tabs: tuple[TabResult, ...]


@dataclass(frozen=True, slots=True)
class _View:
    """What is known of a tab before a write.

    Attributes:
        sheet_id: Id, also of a tab that doesn't exist yet.
        exists: Whether the tab exists.
        grid_columns: Columns of the grid, used or not.
        header_row: Index of the header row, from 0; ``None`` if the tab is empty.
        positions: Normalised column name to index, leftmost first.
        used_width: Columns that hold anything; only known when a column has to be added.
        keys: Row keys present.
        unique_values: Normalised values of the unique column.
        keyless: What rows with a run date and without a key say, see ``_said``; each with its number of rows.
        guard: Id of the newest developer metadata entry of ours, or 0.
    """

    sheet_id: int
    exists: bool
    grid_columns: int
    header_row: int | None
    positions: Mapping[str, int]
    used_width: int
    keys: frozenset[str]
    unique_values: frozenset[str]
    keyless: Mapping[tuple[Cell, ...], int]
    guard: int


def append(
    config: SheetsConfig,
    session: GoogleSession,
    receipts: Receipts,
    as_of_date: dt.date,
    tables: Sequence[SheetTable],
) -> SheetsDelivery:
    """Appends the rows that aren't there yet, to all tabs; missing tabs are created with their headers.

    Args:
        config: Which spreadsheet.
        session: Signed in with the Sheets scope.
        receipts: Where the result is noted; what is in the sheet decides, not the receipt.
        as_of_date: The day, for the ``Run Date`` column.
        tables: Rows by tab.

    Returns:
        One result per tab. A tab that can't be written has a ``problem``, the others go on.

    Raises:
        ServiceError: The spreadsheet can't be opened.
    """
    spreadsheet = _Spreadsheet(config, session)
    tables = [_with_own_columns(table, as_of_date) for table in tables]
    views = spreadsheet.look(tables)
    for table in tables:
        view = views[table.tab]
        if (
            isinstance(view, _View)
            and _is_without_any_key(table, view)
            and receipts.find(f"sheets:{config.spreadsheet_id}:{table.tab}:{as_of_date}")
        ):
            views[table.tab] = TabResult(table.tab, 0, 0, False, _GONE)
    results = []
    for table in tables:
        view = views[table.tab]
        try:
            result = view if isinstance(view, TabResult) else spreadsheet.append(table, view)
            if isinstance(view, _View) and (unknown := _unknown(table, view)):
                result = replace(result, problem=unknown)
        except ServiceError as error:
            result = TabResult(table.tab, 0, 0, False, str(error))
        results.append(result)
        if not result.problem:
            receipts.save(_receipt(config, as_of_date, table, result, receipts))
    return SheetsDelivery(f"https://docs.google.com/spreadsheets/d/{config.spreadsheet_id}", tuple(results))


def check_access(config: SheetsConfig, session: GoogleSession) -> str:
    """Opens the spreadsheet without writing.

    Args:
        config: Which spreadsheet.
        session: Signed in with a Sheets scope.

    Returns:
        Its title.

    Raises:
        ServiceError: It can't be opened; with the remedy.
    """
    client = _client(config, session)
    found = session.guard(_SERVICE, config.policy).run(
        "open the spreadsheet",
        lambda: client.fetch_sheet_metadata(config.spreadsheet_id, {"fields": "properties(title)"}),
    )
    return str(found["properties"]["title"])


def check_write(config: SheetsConfig, session: GoogleSession) -> None:
    """Makes a scratch tab, appends to it twice with the same request (the second must be refused), deletes it.

    Args:
        config: Which spreadsheet.
        session: Signed in with the Sheets scope.

    Raises:
        ServiceError: Something doesn't work as the delivery relies on; with the remedy.
    """
    client = _client(config, session)
    sheet_id = _sheet_id("trends doctor (scratch)")
    guard = _guard_request(sheet_id, _digest_id(config.spreadsheet_id, "scratch"))
    cells = {"sheetId": sheet_id, "rows": [{"values": [_cell("=scratch")]}], "fields": "userEnteredValue"}

    def write(*requests: Mapping[str, Any]) -> None:
        session.guard(_SERVICE, config.policy).once(
            "write to a scratch tab",
            lambda: client.batch_update(config.spreadsheet_id, {"requests": list(requests)}),
        )

    write({"addSheet": {"properties": {"sheetId": sheet_id, "title": "trends doctor (scratch)"}}})
    repeat_refused = False
    try:
        write(guard, {"appendCells": cells})
        try:
            write(guard, {"appendCells": cells})
        except ServiceError as error:
            if error.status != 400:
                raise
            repeat_refused = True
    finally:
        write({"deleteSheet": {"sheetId": sheet_id}})
    if not repeat_refused:
        raise ServiceError(_SERVICE, "write to a scratch tab", Failure.REFUSED, "a repeat was not refused")


class _Spreadsheet:
    """The user's spreadsheet during one delivery."""

    def __init__(self, config: SheetsConfig, session: GoogleSession) -> None:
        self._config = config
        self._guard = session.guard(_SERVICE, config.policy)
        self._client = _client(config, session)

    def look(self, tables: Sequence[SheetTable]) -> dict[str, "_View | TabResult"]:
        """Reads what decides where rows go and which are new: three requests for all tabs."""
        sheets = {normal(sheet["properties"]["title"]): sheet for sheet in self._metadata()["sheets"]}
        present = [table for table in tables if normal(table.tab) in sheets]
        heads = self._values(
            [
                first_rows(_title(sheets[normal(table.tab)]), _grid(sheets[normal(table.tab)])["rowCount"])
                for table in present
            ],
            "ROWS",
        )
        headers: dict[str, tuple[int | None, dict[str, int]]] = {}
        views: dict[str, _View | TabResult] = {}
        for table, rows in zip(present, heads, strict=True):
            header = _find_header(table, rows)
            if isinstance(header, str):
                views[table.tab] = TabResult(table.tab, 0, 0, False, header)
            else:
                headers[table.tab] = header
        widths = self._used_widths(
            [
                (table.tab, sheets[normal(table.tab)])
                for table in present
                if table.tab in headers and not set(map(normal, table.columns)) <= set(headers[table.tab][1])
            ]
        )
        keyless = self._keyless(
            [(table, sheets[normal(table.tab)], headers[table.tab]) for table in present if table.tab in headers]
        )
        columns = self._key_columns(
            [(table, sheets[normal(table.tab)], headers[table.tab][1]) for table in present if table.tab in headers]
        )
        for table in tables:
            if table.tab in headers:
                sheet = sheets[normal(table.tab)]
                header_row, positions = headers[table.tab]
                views[table.tab] = _View(
                    sheet["properties"]["sheetId"],
                    True,
                    _grid(sheet)["columnCount"],
                    header_row,
                    positions,
                    widths.get(table.tab, 0),
                    *columns[table.tab],
                    keyless.get(table.tab, {}),
                    _guard_of(sheet),
                )
            elif table.tab not in views:
                views[table.tab] = _View(_sheet_id(table.tab), False, 0, None, {}, 0, frozenset(), frozenset(), {}, 0)
        return views

    def append(self, table: SheetTable, first_view: _View) -> TabResult:
        """Writes the missing rows of one tab; after any failure it looks again before it writes again."""
        view: _View | None = first_view
        wanted = len(_missing(table, first_view))

        def attempt() -> None:
            nonlocal view
            if view is None:
                view = self._look_again(table)
            while (missing := _missing(table, view)) or not view.exists:
                before, chunk = view, missing[: self._config.rows_per_call]
                view = None  # from here on, what we knew may be outdated
                refusal: ServiceError | None = None
                try:
                    self._write(table.tab, {"requests": _requests(self._config, table, before, chunk)})
                except ServiceError as error:
                    if error.status != 400:
                        raise
                    refusal = error
                if refusal is None and chunk == missing:
                    return
                view = self._look_again(table)
                # Refused as a whole: either an earlier request of ours came through after all, or it is wrong.
                if refusal is not None and (missing, before.exists) == (_missing(table, view), view.exists):
                    raise refusal

        call(attempt, Effect.REPEATABLE, self._config.policy)
        return TabResult(table.tab, wanted, len(table.rows) - wanted, not first_view.exists)

    def _look_again(self, table: SheetTable) -> _View:
        view = self.look([table])[table.tab]
        if isinstance(view, TabResult):
            raise ServiceError(_SERVICE, f"append to {table.tab}", Failure.REFUSED, view.problem)
        return view

    def _write(self, tab: str, body: Mapping[str, Any]) -> None:
        self._guard.once(f"append to {tab}", lambda: self._client.batch_update(self._config.spreadsheet_id, body))

    def _metadata(self) -> Mapping[str, Any]:
        fields = (
            "sheets(properties(sheetId,title,gridProperties(rowCount,columnCount)),"
            "developerMetadata(metadataId,metadataKey))"
        )
        return self._guard.run(
            "open the spreadsheet",
            lambda: self._client.fetch_sheet_metadata(self._config.spreadsheet_id, {"fields": fields}),
        )

    def _values(self, ranges: list[str], dimension: str) -> list[list[list[Any]]]:
        """Reads ranges; formulas come as text, so that a cell that shows nothing still counts as filled."""
        if not ranges:
            return []
        return self._guard.run(
            "read the tabs",
            lambda: read_ranges(self._client, self._config.spreadsheet_id, ranges, "FORMULA", dimension),
        )

    def _used_widths(self, tabs: Sequence[tuple[str, Mapping[str, Any]]]) -> dict[str, int]:
        """Columns that hold anything anywhere: new columns go to the right of all of them."""
        contents = self._values([quoted(_title(sheet)) for _, sheet in tabs], "ROWS")
        return {tab: max((len(row) for row in rows), default=0) for (tab, _), rows in zip(tabs, contents, strict=True)}

    def _key_columns(
        self, tabs: Sequence[tuple[SheetTable, Mapping[str, Any], Mapping[str, int]]]
    ) -> dict[str, tuple[frozenset[str], frozenset[str]]]:
        """Row keys and unique values of each tab; a tab without such a column has none."""
        wanted = [
            (table.tab, name, *whole_columns(_title(sheet), positions[name]))
            for table, sheet, positions in tabs
            for name in dict.fromkeys((ROW_KEY_COLUMN, normal(table.unique_column or ROW_KEY_COLUMN)))
            if name in positions
        ]
        contents = self._values([address for _, _, address in wanted], "COLUMNS")
        found = {
            (tab, name): frozenset(_identity(value) for column in values for value in column if value != "")
            for (tab, name, _), values in zip(wanted, contents, strict=True)
        }
        return {
            table.tab: (
                found.get((table.tab, ROW_KEY_COLUMN), frozenset()),
                found.get((table.tab, normal(table.unique_column or "")), frozenset()),
            )
            for table, _, _ in tabs
        }

    def _keyless(
        self, tabs: Sequence[tuple[SheetTable, Mapping[str, Any], tuple[int | None, Mapping[str, int]]]]
    ) -> dict[str, dict[tuple[Cell, ...], int]]:
        """What rows of ours say that have a run date and no key; tabs whose rows all have one are not read."""
        run_date = normal(RUN_DATE_COLUMN)
        dated = [(table, sheet, row, found) for table, sheet, (row, found) in tabs if run_date in found]
        names = [(table, name) for table, _, _, found in dated for name in (run_date, ROW_KEY_COLUMN) if name in found]
        ranges = [
            range_
            for _, sheet, _, found in dated
            for name in (run_date, ROW_KEY_COLUMN)
            if name in found
            for range_ in whole_columns(_title(sheet), found[name])
        ]
        filled = {
            (table.tab, name): [value != "" for column in values for value in column]
            for (table, name), values in zip(names, self._values(ranges, "COLUMNS"), strict=True)
        }
        wanted = [
            entry
            for entry in dated
            if any(filled[entry[0].tab, run_date][len(filled.get((entry[0].tab, ROW_KEY_COLUMN), [])) :])
            or any(
                is_dated and not has_key
                for is_dated, has_key in zip(
                    filled[entry[0].tab, run_date], filled.get((entry[0].tab, ROW_KEY_COLUMN), []), strict=False
                )
            )
        ]
        contents = self._values([quoted(_title(sheet)) for _, sheet, _, _ in wanted], "ROWS")
        return {
            table.tab: _keyless_rows(table, found, rows[(header_row or 0) + 1 :])
            for (table, _, header_row, found), rows in zip(wanted, contents, strict=True)
        }


def _client(config: SheetsConfig, session: GoogleSession) -> gspread.HTTPClient:
    return connect(session, config.endpoint, config.timeout_seconds)


def _with_own_columns(table: SheetTable, as_of_date: dt.date) -> SheetTable:
    """Adds the run date and the key at the far right, and drops rows that repeat a key."""
    rows = dict(zip(table.row_keys, table.rows, strict=True))
    names = (RUN_DATE_COLUMN, ROW_KEY_COLUMN) if table.is_dated else (ROW_KEY_COLUMN,)
    return replace(
        table,
        columns=table.columns + names,
        rows=[[*row, as_of_date, key] if table.is_dated else [*row, key] for key, row in rows.items()],
        row_keys=list(rows),
    )


def _find_header(table: SheetTable, rows: Sequence[Sequence[Any]]) -> tuple[int | None, dict[str, int]] | str:
    """Finds the header row and the columns; a text says why it can't be told."""
    if not any(any(value != "" for value in row) for row in rows):
        return None, {}
    wanted = set(map(normal, table.columns))
    own_names = {normal(alias): normal(name) for name, aliases in table.aliases.items() for alias in aliases}
    named = [[own_names.get(name, name) for name in map(normal, row)] for row in rows]
    matches = [len(wanted & set(names)) for names in named]
    best = max(matches)
    own = len(wanted) - (2 if table.is_dated else 1)
    if best * 2 < own:
        return (
            f"no header row found in the first {HEADER_SEARCH_ROWS} rows of the tab: nothing was written. "
            f"Rename the tab {table.tab} or restore the header ({', '.join(table.columns[:3])}, …)"
        )
    header_row = matches.index(best)
    positions: dict[str, int] = {}
    for position, name in enumerate(named[header_row]):
        positions.setdefault(name, position)
    positions.pop("", None)
    return header_row, positions


def _keyless_rows(
    table: SheetTable, positions: Mapping[str, int], rows: Sequence[Sequence[Any]]
) -> dict[tuple[Cell, ...], int]:
    found: dict[tuple[Cell, ...], int] = {}
    columns = [(name, positions.get(normal(name))) for name in _saying(table)]

    def cell(row: Sequence[Any], position: int | None) -> Any:
        return row[position] if position is not None and position < len(row) else ""

    for row in rows:
        if cell(row, positions.get(ROW_KEY_COLUMN)) != "" or cell(row, positions[normal(RUN_DATE_COLUMN)]) == "":
            continue
        said = _said(table, positions, [cell(row, position) for _, position in columns])
        found[said] = found.get(said, 0) + 1
    return found


def _saying(table: SheetTable) -> list[str]:
    """Columns that tell a row from another: no key, and no formula."""
    return [name for name in table.columns if name != ROW_KEY_COLUMN and name not in table.formulas]


def _said(table: SheetTable, positions: Mapping[str, int], values: Sequence[Any]) -> tuple[Cell, ...]:
    """A row's run date and texts, of the columns that its tab has: numbers may be told anew, and be rounded."""
    said: list[Cell] = []
    for name, value in zip(_saying(table), values, strict=True):
        if normal(name) not in positions:
            continue
        if name == RUN_DATE_COLUMN:
            day = _cell(value)["userEnteredValue"]["numberValue"] if isinstance(value, dt.date) else value
            said.append(float(day) if isinstance(day, int | float) else _identity(day))
        else:
            said.append(_identity(value) if isinstance(value, str) else "")
    return tuple(said)


def _saying_values(table: SheetTable, row: Sequence[Cell]) -> list[Cell]:
    wanted = set(_saying(table))
    return [value for name, value in zip(table.columns, row, strict=True) if name in wanted]


def _unknown(table: SheetTable, view: _View) -> str:
    """Rows that can't be told apart without their keys; empty where there are none."""
    if not view.keyless:
        return ""
    said = [_said(table, view.positions, _saying_values(table, row)) for row in table.rows]
    doubtful = sum(said.count(one) > view.keyless[one] for one in said if one in view.keyless)
    if not doubtful:
        return ""
    return (
        f"{doubtful} rows of {table.tab} can't be told from rows whose {ROW_KEY_COLUMN} was deleted, and were not"
        f" appended: bring the column back by the version history of the sheet"
    )


def _is_without_any_key(table: SheetTable, view: _View) -> bool:
    """Whether a tab has rows, and neither of the columns by which ours are known."""
    return (
        table.is_dated
        and view.exists
        and view.header_row is not None
        and not {normal(RUN_DATE_COLUMN), ROW_KEY_COLUMN} & set(view.positions)
    )


def _missing(table: SheetTable, view: _View) -> list[int]:
    """Indexes of the rows that aren't in the tab."""
    unique = table.columns.index(table.unique_column) if table.unique_column else None
    return [
        index
        for index, (key, row) in enumerate(zip(table.row_keys, table.rows, strict=True))
        if _identity(key) not in view.keys
        and (unique is None or _identity(row[unique]) not in view.unique_values)
        and not (view.keyless and _said(table, view.positions, _saying_values(table, row)) in view.keyless)
    ]


def _requests(config: SheetsConfig, table: SheetTable, view: _View, missing: Sequence[int]) -> list[dict[str, Any]]:
    """One atomic batch: the guard, the tab or columns that are missing, the rows."""
    requests: list[dict[str, Any]] = []
    positions = dict(view.positions)
    new_columns = [name for name in table.columns if normal(name) not in positions]
    start = view.used_width if view.exists else 0
    positions |= {normal(name): start + offset for offset, name in enumerate(new_columns)}
    width = max(positions.values()) + 1
    if not view.exists:
        grid = {"rowCount": 1_000, "columnCount": max(26, width), "frozenRowCount": 1}
        properties = {"sheetId": view.sheet_id, "title": table.tab, "gridProperties": grid}
        requests.append({"addSheet": {"properties": properties}})
    elif width > view.grid_columns:
        length = width - view.grid_columns
        dimension = {"sheetId": view.sheet_id, "dimension": "COLUMNS", "length": length}
        requests.append({"appendDimension": dimension})
    if view.guard:
        lookup = {"developerMetadataLookup": {"metadataId": view.guard}}
        requests.append({"deleteDeveloperMetadata": {"dataFilter": lookup}})
    keys = [table.row_keys[index] for index in missing]
    guard = _digest_id(config.spreadsheet_id, table.tab, view.guard, new_columns, keys)
    requests.append(_guard_request(view.sheet_id, guard))
    if new_columns:
        # Only cells right of everything in use: they are empty.
        corner = {"sheetId": view.sheet_id, "rowIndex": view.header_row or 0, "columnIndex": start}
        header = [{"values": [_cell(name) for name in new_columns]}]
        requests.append({"updateCells": {"start": corner, "rows": header, "fields": "userEnteredValue"}})
    if missing:
        rows = [{"values": _row_cells(table, table.rows[index], positions, width)} for index in missing]
        fields = "userEnteredValue,userEnteredFormat.numberFormat"
        requests.append({"appendCells": {"sheetId": view.sheet_id, "rows": rows, "fields": fields}})
    return requests


def _row_cells(
    table: SheetTable, row: Sequence[Cell], positions: Mapping[str, int], width: int
) -> list[dict[str, Any]]:
    cells: list[dict[str, Any]] = [{} for _ in range(width)]
    for name, value in zip(table.columns, row, strict=True):
        template = table.formulas.get(name)
        cells[positions[normal(name)]] = _cell(value) if template is None else _formula(template, positions)
    return cells


def _formula(template: str, positions: Mapping[str, int]) -> dict[str, Any]:
    """A formula that finds its own row: the row number isn't known before the append.

    A semicolon separates arguments in every locale of Google Sheets, a comma doesn't.
    """

    def cell_of(match: re.Match[str]) -> str:
        column = letters(positions[normal(match[1])])
        return f"INDEX({column}:{column};ROW())"

    return {"userEnteredValue": {"formulaValue": _PLACEHOLDER.sub(cell_of, template)}}


def _cell(value: Cell) -> dict[str, Any]:
    """A typed cell; dates are serial numbers since 1899-12-30 with a format, as Sheets keeps them itself."""
    if value is None or value == "":
        return {}
    if isinstance(value, bool):
        return {"userEnteredValue": {"boolValue": value}}
    if isinstance(value, dt.datetime):
        naive = value.astimezone(dt.UTC).replace(tzinfo=None) if value.tzinfo else value
        return _dated((naive - _EPOCH) / dt.timedelta(days=1), "DATE_TIME", "yyyy-mm-dd hh:mm")
    if isinstance(value, dt.date):
        return _dated(float(value.toordinal() - _EPOCH.toordinal()), "DATE", "yyyy-mm-dd")
    if isinstance(value, int | float | Decimal):
        if isinstance(value, int) and abs(value) > _LAST_EXACT_INTEGER:
            return {"userEnteredValue": {"stringValue": str(value)}}
        return {"userEnteredValue": {"numberValue": float(value)}} if math.isfinite(value) else {}
    return {"userEnteredValue": {"stringValue": sheet_text(value)}}


def _dated(serial: float, kind: str, pattern: str) -> dict[str, Any]:
    return {
        "userEnteredValue": {"numberValue": serial},
        "userEnteredFormat": {"numberFormat": {"type": kind, "pattern": pattern}},
    }


def _guard_request(sheet_id: int, metadata_id: int) -> dict[str, Any]:
    return {
        "createDeveloperMetadata": {
            "developerMetadata": {
                "metadataId": metadata_id,
                "metadataKey": _GUARD_KEY,
                "location": {"sheetId": sheet_id},
                "visibility": "DOCUMENT",
            }
        }
    }


def _guard_of(sheet: Mapping[str, Any]) -> int:
    entries = [
        entry["metadataId"] for entry in sheet.get("developerMetadata", []) if entry.get("metadataKey") == _GUARD_KEY
    ]
    return max(entries, default=0)


def _receipt(
    config: SheetsConfig, as_of_date: dt.date, table: SheetTable, result: TabResult, receipts: Receipts
) -> Receipt:
    key = f"sheets:{config.spreadsheet_id}:{table.tab}:{as_of_date}"
    earlier = receipts.find(key)
    appended = result.appended + int(earlier.detail.get("appended", 0) if earlier else 0)
    return Receipt(
        key,
        "sheet_rows",
        table.tab,
        remote_id=config.spreadsheet_id,
        digest=hashlib.sha256(json.dumps(sorted(table.row_keys)).encode()).hexdigest(),
        detail={"appended": appended, "rows": len(table.rows)},
        as_of_date=as_of_date,
    )


def _identity(value: object) -> str:
    """Keys and links are compared without blanks around them and without a last slash."""
    return sheet_text(value).strip().rstrip("/")


def _grid(sheet: Mapping[str, Any]) -> Mapping[str, int]:
    grid: Mapping[str, int] = sheet["properties"]["gridProperties"]
    return grid


def _title(sheet: Mapping[str, Any]) -> str:
    return str(sheet["properties"]["title"])


def _sheet_id(tab: str) -> int:
    """The same id at every try, so that a repeated creation is refused."""
    return _digest_id("tab", tab)


def _digest_id(*parts: object) -> int:
    """A positive 31-bit number, as Google wants ids."""
    digest = hashlib.sha256(json.dumps(parts, default=str).encode()).digest()
    return int.from_bytes(digest[:4], "big") % (2**31 - 1) + 1
