"""TikTok_Trend_System_<market>: every video of a market's run with every column, in one sheet.

Big: read and written row by row in write-only mode, so that 100,000 rows need little memory. Belongs here: that sheet
only.
"""

from __future__ import annotations

import functools
import re
from typing import Any

from openpyxl.cell import Cell, WriteOnlyCell
from openpyxl.cell.cell import ERROR_CODES
from openpyxl.utils import get_column_letter

from exports import published
from exports.published import Day
from exports.text_safety import cell_text, write_text
from exports.workbook import HEADER_FILL, HEADER_FONT, new_workbook, to_bytes

# Text that `cell_text` returns as it came: most handles, names, ids and links. No underscore before an x, which may
# start a `_xHHHH_` escape.
_PLAIN = re.compile(r"(?!.*_x)[A-Za-z0-9][A-Za-z0-9 _.:/@?&-]{0,2000}")
_SIGNS = frozenset("=+-@'")
_WIDTHS = {"caption": 60, "video_url": 40, "trigger_reason": 34, "trend_key": 28}

# Labels stand in thousands of rows; captions pass through without filling the memory.
_safe_text = functools.lru_cache(maxsize=4_096)(cell_text)


def full_market(day: Day, market: str) -> bytes:
    """The workbook of a market: one tab named by the market, one row per video, the columns of videos_daily.

    Args:
        day: The published day.
        market: Market code.

    Returns:
        The file; byte-identical for equal marts. Links are text here: a sheet may hold 65,530 hyperlinks.
    """
    stream = published.all_columns(day, market)
    book = new_workbook(write_only=True)
    sheet = book.create_sheet(market)
    sheet.freeze_panes = "B2"
    for index, name in enumerate(stream.columns, start=1):
        sheet.column_dimensions[get_column_letter(index)].width = _WIDTHS.get(name, 14)

    def text_cell(value: Any) -> Cell:
        cell = WriteOnlyCell(sheet)
        write_text(cell, value)
        return cell

    def cell_value(value: Any) -> Any:
        if not isinstance(value, str) or _PLAIN.fullmatch(value):
            return value
        text = _safe_text(value)
        # openpyxl would take these for a formula or an error, or Excel would when someone edits the cell. All
        # other text goes in as it is: a cell of its own takes twice the time.
        return text_cell(value) if text[:1] in _SIGNS or text in ERROR_CODES else text

    header = [text_cell(name) for name in stream.columns]
    for cell in header:
        cell.fill, cell.font = HEADER_FILL, HEADER_FONT
    sheet.append(header)
    count = 0
    for row in stream.rows:
        sheet.append([cell_value(value) for value in row])
        count += 1
    # Written after the rows, when their number is known.
    sheet.auto_filter.ref = f"A1:{get_column_letter(len(stream.columns))}{count + 1}"
    return to_bytes(book)
