"""TikTok_Trend_System_<market>: every video of a market's run with every column, in one sheet.

Big: written row by row in write-only mode, so that 100,000 rows need little memory. Belongs here: that sheet only.
"""

from __future__ import annotations

import re
from datetime import date, datetime
from typing import Any

from openpyxl.cell import WriteOnlyCell
from openpyxl.utils import get_column_letter

from exports import published
from exports.published import Day
from exports.text_safety import write_text
from exports.workbook import HEADER_FILL, HEADER_FONT, new_workbook, to_bytes

# Text that openpyxl writes as the text it is; everything else gets a cell of its own, forced to text.
_PLAIN = re.compile(r"[A-Za-z0-9@][A-Za-z0-9 _.:/@?&-]{0,2000}")
_WIDTHS = {"caption": 60, "video_url": 40, "trigger_reason": 34, "trend_key": 28}


def full_market(day: Day, market: str) -> bytes:
    """The workbook of a market: one tab named by the market, one row per video, the columns of videos_daily.

    Args:
        day: The published day.
        market: Market code.

    Returns:
        The file; byte-identical for equal marts. Links are text here: a sheet may hold 65,530 hyperlinks.
    """
    table = published.all_columns(day, market)
    book = new_workbook(write_only=True)
    sheet = book.create_sheet(market)
    sheet.freeze_panes = "B2"
    for index, name in enumerate(table.columns, start=1):
        sheet.column_dimensions[get_column_letter(index)].width = _WIDTHS.get(name, 14)
    sheet.auto_filter.ref = f"A1:{get_column_letter(len(table.columns))}{len(table.rows) + 1}"

    def text_cell(value: Any) -> WriteOnlyCell:
        cell = WriteOnlyCell(sheet)
        write_text(cell, value)
        return cell

    def safe(value: Any) -> Any:
        if value is None or isinstance(value, bool | int | float | datetime | date):
            return value
        return value if _PLAIN.fullmatch(value) else text_cell(value)

    header = [text_cell(name) for name in table.columns]
    for cell in header:
        cell.fill, cell.font = HEADER_FILL, HEADER_FONT
    sheet.append(header)
    for row in table.rows:
        sheet.append([safe(value) for value in row])
    return to_bytes(book)
