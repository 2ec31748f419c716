"""Sheets v4 as far as the delivery and the revenue reader use it."""

import copy
import re
from dataclasses import dataclass, field
from typing import Any

from tests.service.contract import ContractError, Method, OutsideContractError
from tests.service.messages import Answer, Request, google_error, of_json

Cell = dict[str, Any]
_A1 = re.compile(r"(?:'((?:[^']|'')+)'|([^'!]+))(?:!([A-Z]*)(\d*)(?::([A-Z]*)(\d*))?)?")


@dataclass
class Tab:
    """One tab; ``rows`` hold cells with ``userEnteredValue`` and ``userEnteredFormat``, ``{}`` where empty."""

    sheet_id: int
    title: str
    rows: list[list[Cell]] = field(default_factory=list)
    row_count: int = 1_000
    column_count: int = 26
    frozen: int = 0
    metadata: list[dict[str, Any]] = field(default_factory=list)
    basic_filter: dict[str, Any] | None = None

    def values(self) -> list[list[Any]]:
        """What was entered, by row, without formats and trailing blanks."""
        return [_trimmed([_entered(cell) for cell in row]) for row in self.rows]


class Spreadsheet:
    """One spreadsheet.

    Attributes:
        tabs: In order.
        read_only: Whether writing is refused, as to somebody it isn't shared with.
    """

    def __init__(self, spreadsheet_id: str, locale: str = "en_US", time_zone: str = "Etc/GMT") -> None:
        self.spreadsheet_id = spreadsheet_id
        self.locale = locale
        self.time_zone = time_zone
        self.tabs: list[Tab] = []
        self.read_only = False

    def add(self, title: str, rows: list[list[Any]], **settings: Any) -> Tab:
        """Puts a tab there; text that starts with ``=`` becomes a formula, ``None`` an empty cell."""
        tab = Tab(100 + len(self.tabs), title, **settings)
        tab.rows = [[_cell(value) for value in row] for row in rows]
        tab.row_count = max(tab.row_count, len(rows))
        self.tabs.append(tab)
        return tab

    def tab(self, title: str) -> Tab:
        """The tab of a title."""
        return next(tab for tab in self.tabs if tab.title == title)


class Sheets:
    """Spreadsheets by id."""

    def __init__(self) -> None:
        self.spreadsheets: dict[str, Spreadsheet] = {}

    def add(self, spreadsheet_id: str, **settings: str) -> Spreadsheet:
        """Puts an empty spreadsheet there."""
        self.spreadsheets[spreadsheet_id] = Spreadsheet(spreadsheet_id, **settings)
        return self.spreadsheets[spreadsheet_id]

    def handle(self, method: Method, request: Request) -> Answer:
        """Answers one request; raises ``ContractError`` for what Sheets would refuse as malformed."""
        book = self.spreadsheets.get(method.path_values["spreadsheetId"])
        if book is None:
            return google_error(404, "NOT_FOUND", "Requested entity was not found.")
        match method.route:
            case "sheets.spreadsheets.get":
                if request.one("includeGridData", "false") != "false" or "ranges" in request.query:
                    raise OutsideContractError("grid data")
                return of_json(method.answer(_shown(book), request.one("fields") or None))
            case "sheets.spreadsheets.values.get":
                body = _range(book, method.path_values["range"], request)
                return of_json(method.answer(body, request.one("fields") or None))
            case "sheets.spreadsheets.values.batchGet":
                ranges = [_range(book, address, request) for address in request.query.get("ranges", [])]
                body = {"spreadsheetId": book.spreadsheet_id, "valueRanges": ranges}
                return of_json(method.answer(body, request.one("fields") or None))
            case "sheets.spreadsheets.batchUpdate":
                if book.read_only:
                    return google_error(403, "PERMISSION_DENIED", "The caller does not have permission")
                return self._update(method, book, request.json())
        raise OutsideContractError(method.route)

    def _update(self, method: Method, book: Spreadsheet, body: dict[str, Any]) -> Answer:
        if set(body) != {"requests"}:
            raise OutsideContractError(f"batchUpdate with {sorted(body)}")
        draft = copy.deepcopy(book.tabs)
        replies = []
        for number, item in enumerate(body["requests"]):
            (kind, arguments), *more = item.items()
            if more:
                raise ContractError(f"requests[{number}] has several kinds")
            if kind not in _CHANGES:
                raise OutsideContractError(kind)
            try:
                replies.append(_CHANGES[kind](draft, arguments) or {})
            except ContractError as error:
                # Atomic: the draft is thrown away.
                return google_error(400, "INVALID_ARGUMENT", f"Invalid requests[{number}].{kind}: {error}")
        book.tabs = draft
        return of_json(method.answer({"spreadsheetId": book.spreadsheet_id, "replies": replies}, None))


def _add_sheet(tabs: list[Tab], arguments: dict[str, Any]) -> dict[str, Any]:
    properties = arguments["properties"]
    _only(properties, "sheetId", "title", "gridProperties")
    grid = properties.get("gridProperties", {})
    _only(grid, "rowCount", "columnCount", "frozenRowCount")
    if any(tab.title.casefold() == properties["title"].casefold() for tab in tabs):
        raise ContractError(f'A sheet with the name "{properties["title"]}" already exists.')
    sheet_id = properties.get("sheetId", len(tabs))
    if sheet_id < 0 or any(tab.sheet_id == sheet_id for tab in tabs):
        raise ContractError(f"Sheet with ID {sheet_id} already exists.")
    tab = Tab(
        sheet_id, properties["title"], [], grid.get("rowCount", 1_000), grid.get("columnCount", 26),
        grid.get("frozenRowCount", 0),
    )  # fmt: skip
    tabs.append(tab)
    return {"addSheet": {"properties": _properties(tab, len(tabs) - 1)}}


def _delete_sheet(tabs: list[Tab], arguments: dict[str, Any]) -> None:
    tabs.remove(_tab(tabs, arguments["sheetId"]))


def _append_cells(tabs: list[Tab], arguments: dict[str, Any]) -> None:
    tab = _tab(tabs, arguments["sheetId"])
    filled = [index for index, row in enumerate(tab.rows) if any(row)]
    first = filled[-1] + 1 if filled else 0
    for offset, row in enumerate(arguments["rows"]):
        _put(tab, first + offset, 0, row.get("values", []), arguments["fields"])
    tab.row_count = max(tab.row_count, len(tab.rows))


def _update_cells(tabs: list[Tab], arguments: dict[str, Any]) -> None:
    _only(arguments, "start", "rows", "fields")
    start = arguments["start"]
    tab = _tab(tabs, start["sheetId"])
    for offset, row in enumerate(arguments["rows"]):
        _put(tab, start.get("rowIndex", 0) + offset, start.get("columnIndex", 0), row["values"], arguments["fields"])


def _append_dimension(tabs: list[Tab], arguments: dict[str, Any]) -> None:
    tab = _tab(tabs, arguments["sheetId"])
    if arguments["dimension"] != "COLUMNS":
        raise OutsideContractError(arguments["dimension"])
    tab.column_count += arguments["length"]


def _create_metadata(tabs: list[Tab], arguments: dict[str, Any]) -> dict[str, Any]:
    entry = arguments["developerMetadata"]
    _only(entry, "metadataId", "metadataKey", "metadataValue", "location", "visibility")
    _only(entry["location"], "sheetId")
    if not entry.get("metadataKey") or "visibility" not in entry or entry["metadataId"] < 1:
        raise ContractError("metadata needs a positive id, a key and a visibility")
    if any(known["metadataId"] == entry["metadataId"] for tab in tabs for known in tab.metadata):
        raise ContractError(f"Developer metadata with ID {entry['metadataId']} already exists.")
    if sum(len(known["metadataKey"]) for tab in tabs for known in tab.metadata) > 30_000:
        raise ContractError("the quota of developer metadata is used up")
    _tab(tabs, entry["location"]["sheetId"]).metadata.append(entry)
    return {"createDeveloperMetadata": {"developerMetadata": entry}}


def _delete_metadata(tabs: list[Tab], arguments: dict[str, Any]) -> dict[str, Any]:
    _only(arguments["dataFilter"], "developerMetadataLookup")
    lookup = arguments["dataFilter"]["developerMetadataLookup"]
    _only(lookup, "metadataId")
    gone = [m for tab in tabs for m in tab.metadata if m["metadataId"] == lookup["metadataId"]]
    for tab in tabs:
        tab.metadata = [m for m in tab.metadata if m not in gone]
    return {"deleteDeveloperMetadata": {"deletedDeveloperMetadata": gone}}


_CHANGES: dict[str, Any] = {
    "addSheet": _add_sheet,
    "deleteSheet": _delete_sheet,
    "appendCells": _append_cells,
    "updateCells": _update_cells,
    "appendDimension": _append_dimension,
    "createDeveloperMetadata": _create_metadata,
    "deleteDeveloperMetadata": _delete_metadata,
}


def _put(tab: Tab, row: int, column: int, cells: list[Cell], fields: str) -> None:
    """Writes cells; only what the mask names is touched, and a named field that is missing is cleared."""
    named = set(fields.split(","))
    if not named <= {"userEnteredValue", "userEnteredFormat.numberFormat"}:
        raise OutsideContractError(f"fields {fields}")
    if column + len(cells) > tab.column_count:
        raise ContractError(f"the range is outside of the grid of {tab.column_count} columns")
    while len(tab.rows) <= row:
        tab.rows.append([])
    target = tab.rows[row]
    target.extend({} for _ in range(column + len(cells) - len(target)))
    for offset, cell in enumerate(cells):
        value = cell.get("userEnteredValue", {})
        if len(value) > 1 or (len(value.get("stringValue", "")) > 50_000):
            raise ContractError("one value of at most 50,000 characters")
        target[column + offset] = copy.deepcopy(cell)


def _range(book: Spreadsheet, address: str, request: Request) -> dict[str, Any]:
    match = _A1.fullmatch(address)
    tab = next((t for t in book.tabs if match and t.title == (match[1] or match[2]).replace("''", "'")), None)
    if match is None or tab is None:
        raise ContractError(f"Unable to parse range: {address}")
    first_column, first_row = _index(match[3]), int(match[4] or 1) - 1
    last_column = (
        _index(match[5]) if match[5] else (first_column if match[3] and not match[6] and ":" not in address else None)
    )
    last_row = int(match[6]) - 1 if match[6] else None
    if (
        first_row >= tab.row_count
        or (last_row or 0) >= tab.row_count
        or (last_column or first_column) >= tab.column_count
    ):
        raise ContractError(f"Range ({address}) exceeds grid limits.")
    render = {
        "FORMATTED_VALUE": _formatted, "UNFORMATTED_VALUE": _unformatted, "FORMULA": _entered,
    }[request.one("valueRenderOption", "FORMATTED_VALUE")]  # fmt: skip
    rows = tab.rows[first_row : None if last_row is None else last_row + 1]
    values = [
        _trimmed([render(c) for c in row[first_column : None if last_column is None else last_column + 1]])
        for row in rows
    ]
    while values and not values[-1]:
        values.pop()
    if request.one("majorDimension", "ROWS") == "COLUMNS":
        width = max(map(len, values), default=0)
        values = [_trimmed([row[c] if c < len(row) else "" for row in values]) for c in range(width)]
    body = {"range": address, "majorDimension": request.one("majorDimension", "ROWS")}
    return {**body, "values": values} if values else body


def _cell(value: Any) -> Cell:
    if value is None or value == "":
        return {}
    if isinstance(value, bool):
        return {"userEnteredValue": {"boolValue": value}}
    if isinstance(value, int | float):
        return {"userEnteredValue": {"numberValue": value}}
    kind = "formulaValue" if value.startswith("=") else "stringValue"
    return {"userEnteredValue": {kind: value}}


def _entered(cell: Cell) -> Any:
    return next(iter(cell.get("userEnteredValue", {}).values()), "")


def _unformatted(cell: Cell) -> Any:
    if "formulaValue" in cell.get("userEnteredValue", {}):
        raise OutsideContractError("formulas are not calculated")
    return _entered(cell)


def _formatted(cell: Cell) -> str:
    value = _unformatted(cell)
    if isinstance(value, bool):
        return str(value).upper()
    return f"{value:g}" if isinstance(value, float) else str(value)


def _trimmed(values: list[Any]) -> list[Any]:
    while values and values[-1] == "":
        values = values[:-1]
    return values


def _shown(book: Spreadsheet) -> dict[str, Any]:
    return {
        "spreadsheetId": book.spreadsheet_id,
        "properties": {"title": "Dashboard", "locale": book.locale, "timeZone": book.time_zone},
        "spreadsheetUrl": f"https://docs.google.com/spreadsheets/d/{book.spreadsheet_id}/edit",
        "sheets": [
            {"properties": _properties(tab, index), **({"developerMetadata": tab.metadata} if tab.metadata else {})}
            for index, tab in enumerate(book.tabs)
        ],
    }


def _properties(tab: Tab, index: int) -> dict[str, Any]:
    grid = {"rowCount": tab.row_count, "columnCount": tab.column_count, "frozenRowCount": tab.frozen}
    return {"sheetId": tab.sheet_id, "title": tab.title, "index": index, "sheetType": "GRID", "gridProperties": grid}


def _tab(tabs: list[Tab], sheet_id: int) -> Tab:
    for tab in tabs:
        if tab.sheet_id == sheet_id:
            return tab
    raise ContractError(f"No grid with id: {sheet_id}")


def _only(value: dict[str, Any], *names: str) -> None:
    if not set(value) <= set(names):
        raise OutsideContractError(f"{sorted(set(value) - set(names))}")


def _index(letters: str | None) -> int:
    number = 0
    for letter in letters or "A":
        number = number * 26 + ord(letter) - 64
    return number - 1
