"""Workbook building blocks: sheets, cells, fills and bytes that depend on their input alone.

Belongs here: how a table becomes a sheet and a workbook becomes a file. Must not be here: which columns a file has
(`build_today`, `full_market`), what makes text safe (`text_safety`).
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary
from xml.sax.saxutils import escape

from openpyxl import Workbook
from openpyxl.cell import Cell
from openpyxl.styles import Alignment, Font, PatternFill
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.properties import PageSetupProperties
from openpyxl.worksheet.worksheet import Worksheet
from openpyxl.writer.excel import ExcelWriter

from services.text_safety import safe_link, write_text
from warehouse import labels

# Equal input gives equal bytes: neither the document's properties nor the archive's entries say when it was made.
_FIXED_MOMENT = datetime(2000, 1, 1, tzinfo=UTC).replace(tzinfo=None)
_FIXED_ZIP_TIME = (1980, 1, 1, 0, 0, 0)
# zlib's fastest level for a market's sheet: of 100,000 videos it is 470 MB of XML.
_FASTEST = 1


def fill(rgb: str) -> PatternFill:
    """A solid fill of an RGB colour such as `FFD700`."""
    return PatternFill("solid", fgColor=rgb)


# A font without a name is replaced by a serif one in LibreOffice.
HEADER_FILL, HEADER_FONT = fill("1F2937"), Font(name="Calibri", size=11, bold=True, color="FFFFFF")
LINK_FONT = Font(name="Calibri", size=11, color="0563C1", underline="single")
TITLE_FONT = Font(name="Calibri", bold=True, size=16)
ANSWER_FONT = Font(name="Calibri", size=12, bold=True, color="1F2937")
LABEL_FONT = Font(name="Calibri", size=11, bold=True)
GOLD, CYAN, ORANGE, LIGHT_YELLOW = fill("FFD700"), fill("B2EBF2"), fill("FFD8A8"), fill("FFFDE7")
# Of a column whose label is not better than a guess, by its own record.
GREY = fill("D9D9D9")
STATUS_FILLS = {
    labels.NEW: fill("E3F2FD"),
    labels.SPIKING: fill("FFCDD2"),
    labels.RISING: fill("C8E6C9"),
    labels.COOLING: fill("ECEFF1"),
    labels.DYING: fill("CFD8DC"),
}


@dataclass(frozen=True, slots=True)
class Formula:
    """A live formula with the value it has now, for readers that don't calculate.

    Attributes:
        text: The formula, with its equals sign; plain ranges only.
        value: What it comes to: a number or text.
    """

    text: str
    value: float | int | str


@dataclass(frozen=True, slots=True)
class Shown:
    """A number that sorts as one and looks like a text that users know, such as `12.3h`.

    Attributes:
        value: The number.
        number_format: Excel number format that makes it look so.
        text: What it looks like, for places without number formats.
    """

    value: float | int
    number_format: str
    text: str


# openpyxl writes formulas without values: what they come to is kept here until the file is made.
_FORMULA_VALUES: WeakKeyDictionary[Workbook, dict[tuple[str, str], float | int | str]] = WeakKeyDictionary()
_END_OF_ROWS = b"</sheetData>"
_DIMENSION = re.compile(rb'<dimension ref="[A-Z0-9:]+"')
_FORMULA_CELL = re.compile(r'<c r="([A-Z]+[0-9]+)"([^>]*)><f>(.*?)</f><v ?(?:/>|></v>)</c>', re.DOTALL)


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a sheet.

    Attributes:
        title: Header text, part of the users' interface.
        value: Takes a row's values by name and gives the cell's value.
        width: Width in characters.
        number_format: Excel number format of a numeric cell.
        is_link: Whether the value is a URL to be linked (only known https hosts are).
        fill: Fill of every cell of the column.
        is_folded: Whether the column is folded away until someone presses the + above it.
    """

    title: str
    value: Callable[[dict[str, Any]], Any]
    width: float = 14
    number_format: str | None = None
    is_link: bool = False
    fill: PatternFill | None = None
    is_folded: bool = False


# A number ends where the text of the next column begins.
_OFF_THE_NUMBER = Alignment(horizontal="left", indent=1)
# Counts as precise as they are known, in cells that hold the number; Excel allows two conditions in a format.
ROUND_COUNT = '[>=999500]0.0,,"m";[>=9950]0,"k";#,##0'

# Where the header and the first row of a table stand that says above its header what it answers.
HEADER_ROW, FIRST_ROW = 2, 3


def new_workbook() -> Workbook:
    """An empty workbook with fixed properties and no sheet."""
    book = Workbook()
    for sheet in list(book.worksheets):
        book.remove(sheet)
    book.properties.creator = "TikTok Trend System"
    book.properties.created = _FIXED_MOMENT
    book.properties.modified = _FIXED_MOMENT
    return book


def write_cell(cell: Cell, value: Any, number_format: str | None = None) -> None:
    """Writes a number, date, boolean or `Formula` as such, everything else as text that can never be a formula."""
    if value is None:
        return
    if isinstance(value, Shown):
        value, number_format = value.value, value.number_format
    if isinstance(value, Formula):
        book, title = cell.parent.parent, cell.parent.title
        assert book is not None  # noqa: S101 (for types)
        cell.value = value.text
        _FORMULA_VALUES.setdefault(book, {})[title, cell.coordinate] = value.value
        if number_format:
            cell.number_format = number_format
        return
    if isinstance(value, bool | int | float | date) and not isinstance(value, str):
        cell.value = value
        if number_format:
            cell.number_format = number_format
    else:
        write_text(cell, value)


def put(sheet: Worksheet, row: int, column: int, value: Any, number_format: str | None = None) -> Cell:
    """Writes a value into a cell that is not merged, see `write_cell`; returns the cell."""
    cell = sheet.cell(row=row, column=column)
    assert isinstance(cell, Cell)  # noqa: S101 (for types)
    write_cell(cell, value, number_format)
    return cell


def add_answer(sheet: Worksheet, text: str, *, is_title: bool = False) -> None:
    """Says in the first row what the tab answers; a long text runs on over the empty cells at its right.

    Args:
        sheet: The tab.
        text: One sentence or two.
        is_title: Whether the tab is a page of text, with a title above it, instead of one table.
    """
    cell = sheet["A1"]
    write_text(cell, text)
    cell.font = TITLE_FONT if is_title else ANSWER_FONT
    cell.alignment = Alignment(vertical="center")
    sheet.row_dimensions[1].height = 26 if is_title else 22


def add_table(
    book: Workbook,
    title: str,
    columns: Sequence[Column],
    rows: Sequence[dict[str, Any]],
    *,
    answers: str | None = None,
    cell_fill: Callable[[dict[str, Any], str], PatternFill | None] = lambda row, column: None,
    empty_note: str = "no rows for this date",
) -> Worksheet:
    """Adds a sheet with a header row, frozen, filterable, one row per entry.

    Args:
        book: The workbook.
        title: Tab name.
        columns: The columns, left to right.
        rows: Values by name, in display order.
        answers: What the tab answers, said in a row above the header (`HEADER_ROW`, `FIRST_ROW`); None for a table
            whose header is the first row.
        cell_fill: Fill of a cell by its row's values and column title; wins over the column's own.
        empty_note: Said in the first row under the header where there are no rows.
    """
    sheet = book.create_sheet(title)
    header, first = (HEADER_ROW, FIRST_ROW) if answers else (1, 2)
    if answers:
        add_answer(sheet, answers)
    for index, column in enumerate(columns, start=1):
        cell = sheet.cell(row=header, column=index)
        write_text(cell, column.title)
        cell.fill, cell.font = HEADER_FILL, HEADER_FONT
        cell.alignment = Alignment(vertical="center", wrap_text=True)
        dimension = sheet.column_dimensions[get_column_letter(index)]
        dimension.width = column.width
        if column.is_folded:
            dimension.outlineLevel, dimension.hidden = 1, True
    for row_index, row in enumerate(rows, start=first):
        is_after_number = False
        for index, column in enumerate(columns, start=1):
            cell = sheet.cell(row=row_index, column=index)
            value = column.value(row)
            if is_after_number and isinstance(value, str):
                cell.alignment = _OFF_THE_NUMBER
            if not column.is_folded:
                is_after_number = isinstance(value, int | float | Shown)
            write_cell(cell, value, column.number_format)
            link = safe_link(value) if column.is_link else None
            if link:
                cell.hyperlink = link
                cell.font = LINK_FONT
            colour = cell_fill(row, column.title) or column.fill
            if colour:
                cell.fill = colour
    if not rows:
        write_text(sheet.cell(row=first, column=1), empty_note)
    sheet.row_dimensions[header].height = 32
    sheet.freeze_panes = f"A{first}"
    sheet.auto_filter.ref = f"A{header}:{get_column_letter(len(columns))}{len(rows) + header}"
    fit_to_page(sheet)
    return sheet


def fit_to_page(sheet: Worksheet) -> None:
    """Prints landscape, all columns on one page."""
    sheet.page_setup.orientation = "landscape"
    sheet.page_setup.fitToWidth, sheet.page_setup.fitToHeight = 1, 0
    sheet.sheet_properties.pageSetUpPr = PageSetupProperties(fitToPage=True)


@dataclass(frozen=True, slots=True)
class FurtherRows:
    """Rows of a tab below those that openpyxl holds.

    Attributes:
        reference: The cells of the whole tab, such as `A1:CB100001`: programs that stream a sheet read no further.
        xml: The rows (see `sheet_rows`), in pieces of any size.
    """

    reference: str
    xml: Iterable[bytes | memoryview]


def to_bytes(book: Workbook, rows: Mapping[str, FurtherRows] | None = None) -> bytes:
    """The finished file; equal workbooks give equal bytes.

    Args:
        book: The workbook.
        rows: Further rows by tab.
    """

    def entry_of(title: str) -> str:
        return f"xl/worksheets/sheet{book.sheetnames.index(title) + 1}.xml"

    stream = io.BytesIO()
    values: dict[str, dict[str, float | int | str]] = {}
    for (title, coordinate), value in _FORMULA_VALUES.get(book, {}).items():
        values.setdefault(entry_of(title), {})[coordinate] = value
    with _TimelessZip(stream, "w", zipfile.ZIP_DEFLATED, allowZip64=True) as archive:
        archive.formula_values = values
        archive.further_rows = {entry_of(title): further for title, further in (rows or {}).items()}
        # Workbook.save() would stamp the present into the properties.
        ExcelWriter(book, archive).write_data()
    return stream.getvalue()


class _TimelessZip(zipfile.ZipFile):
    """A zip file whose entries carry no time and no permissions of this machine; formulas get their values."""

    formula_values: Mapping[str, Mapping[str, float | int | str]] = {}
    further_rows: Mapping[str, FurtherRows] = {}

    def writestr(self, zinfo_or_arcname: Any, data: Any, *args: Any, **kwargs: Any) -> None:
        name = zinfo_or_arcname.filename if isinstance(zinfo_or_arcname, zipfile.ZipInfo) else zinfo_or_arcname
        super().writestr(_entry(name), data, *args, **kwargs)

    def write(self, filename: Any, arcname: Any = None, *args: Any, **kwargs: Any) -> None:
        name = str(arcname or filename)
        sheet = Path(filename).read_bytes()
        values = self.formula_values.get(name.lstrip("/"))
        if values:
            sheet = _with_values(sheet.decode("utf-8"), values).encode("utf-8")
        further_rows = self.further_rows.get(name.lstrip("/"))
        if further_rows:
            sheet = _DIMENSION.sub(f'<dimension ref="{further_rows.reference}"'.encode(), sheet, count=1)
        # An entry that is opened by its name has the file's level, and a fixed time.
        self.compresslevel = _FASTEST if further_rows else None
        with self.open(name, "w", force_zip64=True) as target:
            above, end, below = sheet.partition(_END_OF_ROWS)
            target.write(above)
            for piece in further_rows.xml if further_rows else ():
                target.write(piece)
            target.write(end + below)


def _entry(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, date_time=_FIXED_ZIP_TIME)
    entry.compress_type = zipfile.ZIP_DEFLATED
    return entry


def _with_values(sheet_xml: str, values: Mapping[str, float | int | str]) -> str:
    """Puts the known values behind the formulas of a sheet."""

    def filled(match: re.Match[str]) -> str:
        value = values[match[1]]
        if isinstance(value, str):
            return f'<c r="{match[1]}"{match[2]} t="str"><f>{match[3]}</f><v>{escape(value)}</v></c>'
        return f'<c r="{match[1]}"{match[2]}><f>{match[3]}</f><v>{value!r}</v></c>'

    return _FORMULA_CELL.sub(filled, sheet_xml)
