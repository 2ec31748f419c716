"""Rows of a big sheet as DuckDB writes them: SQL whose values are the XML of the rows.

Belongs here: how a value of each DuckDB type stands in a sheet's XML. Must not be here: which rows and columns a sheet
has, its header, widths and styles (openpyxl's, by whoever makes the sheet), what makes text safe (`text_safety`).

Source: ECMA-376 part 1, 18.3.1.4 (c), 18.18.11 (ST_CellType); what openpyxl writes for the same cells.
"""

from __future__ import annotations

from collections.abc import Mapping

import duckdb
from openpyxl.cell import Cell
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.worksheet import Worksheet

from services.text_safety import CELL_LIMIT, cell_text
from warehouse.store import quote_literal

# Text without any of this, and of half a cell's length at most, is what `cell_text` returns as it came: nearly all
# text, and a call of Python for each row of 100,000 takes seconds.
_SPECIAL = r"[\x00-\x08\x0b-\x1f\x7f-\x9f\x{2028}\x{2029}\x{fffe}\x{ffff}]|_x"
# Without the mark of the style Excel turns these into a formula when someone edits the cell.
_SIGNS = "=+-@'"
_EXCEL_DAY_OF_1970 = 25_569
_EXCEL_STYLE_OF = {"DATE": "date", "TIMESTAMP": "moment"}
_NUMBERS = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "DOUBLE", "FLOAT")


def register(connection: duckdb.DuckDBPyConnection) -> None:
    """Makes `text_safety.cell_text` known to a connection as `cell_text(varchar)`, once."""
    try:
        # The list of functions, which has thousands, takes 9 ms to look through.
        connection.execute("select cell_text('')")
    except duckdb.CatalogException:
        connection.create_function("cell_text", cell_text, ["VARCHAR"], "VARCHAR")


def rows_sql(numbered: str, sheet: Worksheet, columns: Mapping[str, str]) -> str:
    """SQL of the rows' XML, row by row in the order of their numbers.

    Args:
        numbered: A select with the columns and `row_number`, the row's number in the sheet.
        sheet: The sheet, whose workbook gets the styles that the cells need.
        columns: DuckDB type by column name, left to right.

    Returns:
        A select of one column of text, for a connection that is `register`ed. NULL, empty text, NaN and
        infinity are empty cells.

    Raises:
        TypeError: A column has a type that no cell can hold.
    """
    styles = {
        "date": _style(sheet, number_format="yyyy-mm-dd"),
        "moment": _style(sheet, number_format="yyyy-mm-dd h:mm:ss"),
        "sign": _style(sheet, quote_prefix=True),
    }
    safe = [_safe(name) if type_ == "VARCHAR" else _quoted(name) for name, type_ in columns.items()]
    cells = [
        _cell_xml(get_column_letter(index), name, type_, styles)
        for index, (name, type_) in enumerate(columns.items(), start=1)
    ]
    # DuckDB keeps the order of a subquery through a projection, and so need not sort the long texts.
    return f"""
        with
        numbered as ({numbered}),
        in_order as (select * from numbered order by row_number),
        safe as (select row_number::varchar as row_number, {", ".join(safe)} from in_order)
        select concat('<row r="', row_number, '">', {", ".join(cells)}, '</row>')
        from safe
        """


def _style(sheet: Worksheet, *, number_format: str | None = None, quote_prefix: bool = False) -> int:
    """Index of a cell's style in the workbook: openpyxl knows a style as soon as a cell asks for it."""
    cell = Cell(sheet, row=1, column=1)
    if number_format:
        cell.number_format = number_format
    if quote_prefix:
        cell.quotePrefix = True
    return int(cell.style_id)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _safe(name: str) -> str:
    """The column as text that a sheet's XML holds as it is."""
    value = _quoted(name)
    is_special = f"length({value}) > {CELL_LIMIT // 2} or regexp_matches({value}, {quote_literal(_SPECIAL)})"
    has_markup = " or ".join(f"contains({value}, '{sign}')" for sign in "&<>")
    return (
        f"case when {is_special} then {_escaped(f'cell_text({value})')} when {has_markup} then {_escaped(value)}"
        f" else {value} end as {value}"
    )


def _escaped(text: str) -> str:
    return f"replace(replace(replace({text}, '&', '&amp;'), '<', '&lt;'), '>', '&gt;')"


def _cell_xml(letter: str, name: str, type_: str, styles: Mapping[str, int]) -> str:
    value = _quoted(name)
    start = f"'<c r=\"{letter}', row_number"
    if type_ == "VARCHAR":
        is_signed = f"contains({quote_literal(_SIGNS)}, left({value}, 1))"
        style = f"case when {is_signed} then ' s=\"{styles['sign']}\"' else '' end"
        begin, end = '\' t="inlineStr"><is><t xml:space="preserve">\'', "'</t></is></c>'"
        return f"case when {value} <> '' then concat({start}, '\"', {style}, {begin}, {value}, {end}) end"
    if type_ == "BOOLEAN":
        content, number = 't="b"', f"{value}::int"
    elif type_ in _NUMBERS or type_.startswith("DECIMAL"):
        content, number = 't="n"', value
    elif type_ in _EXCEL_STYLE_OF:
        content = f's="{styles[_EXCEL_STYLE_OF[type_]]}" t="n"'
        number = f"epoch_us({value})::double / 86400e6 + {_EXCEL_DAY_OF_1970}"
    else:
        message = f"column {name} is {type_}: a sheet's cell holds text, numbers, booleans, dates and timestamps"
        raise TypeError(message)
    is_filled = f"isfinite({value})" if type_ in ("DOUBLE", "FLOAT") else f"{value} is not null"
    return f"case when {is_filled} then concat({start}, '\" {content}><v>', {number}, '</v></c>') end"
