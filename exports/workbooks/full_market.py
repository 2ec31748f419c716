"""TikTok_Trend_System_<market>: every video of a market's run with every column, in one sheet.

Big: 100,000 rows are 10 million cells, for which a cell object each takes minutes. So the book, its header and its
styles are openpyxl's, and DuckDB writes the rows as the XML that stands between them. Belongs here: that sheet only.
"""

from __future__ import annotations

from openpyxl.utils import get_column_letter

from exports import published
from exports.published import Day
from exports.workbooks import sheet_rows
from exports.workbooks.workbook import HEADER_FILL, HEADER_FONT, FurtherRows, new_workbook, to_bytes
from services.text_safety import write_text

_WIDTHS = {"caption": 60, "video_url": 40, "trigger_reason": 34, "trend_key": 28, "video_id": 22}


def full_market(day: Day, market: str) -> bytes:
    """The workbook of a market: one tab named by the market, one row per video, the columns of videos_daily.

    Args:
        day: The published day.
        market: Market code.

    Returns:
        The file; byte-identical for equal marts. Links are text here: a sheet may hold 65,530 hyperlinks.
    """
    columns = published.full_columns(day)
    book = new_workbook()
    sheet = book.create_sheet(market)
    for index, name in enumerate(columns, start=1):
        cell = sheet.cell(row=1, column=index)
        write_text(cell, name)
        cell.fill, cell.font = HEADER_FILL, HEADER_FONT
        sheet.column_dimensions[get_column_letter(index)].width = _WIDTHS.get(name, 14)
    sheet.freeze_panes = "B2"
    count = published.video_count(day, market)
    sheet.auto_filter.ref = f"A1:{get_column_letter(len(columns))}{count + 1}"
    sheet_rows.register(day.connection)
    rows = day.stream(sheet_rows.rows_sql(published.FULL_MARKET, sheet, columns), market=market)
    return to_bytes(book, {market: FurtherRows(sheet.auto_filter.ref, rows)})
