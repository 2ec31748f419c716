"""Rows for a tab of a sheet, and the keys that each row is known by: what whoever makes rows needs of Google.

Belongs here: how rows are handed over. Must not be here: how they are sent (`sheets`), whose client takes longer to
import than a day's workbook to make.
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from services.text_safety import sheet_text

Cell = str | int | float | Decimal | bool | dt.date | dt.datetime | None


@dataclass(frozen=True, slots=True)
class SheetTable:
    """Rows for one tab.

    Attributes:
        tab: Tab name.
        columns: Column names, in the order of a new tab; an existing tab may have any order.
        rows: Values, one per column.
        row_keys: One key per row, see ``row_key``; unique within the tab for ever.
        formulas: Column name to a formula in which ``{Other Column}`` stands for the cell of that column in the
            same row; it replaces the row's value.
        unique_column: A column whose values also identify a row, for rows that people entered without a key.
        is_dated: Whether a ``Run Date`` column is added.
        aliases: Column name to the names it may have in a tab that people made.
    """

    tab: str
    columns: tuple[str, ...]
    rows: Sequence[Sequence[Cell]]
    row_keys: Sequence[str]
    formulas: Mapping[str, str] = field(default_factory=dict)
    unique_column: str | None = None
    is_dated: bool = True
    aliases: Mapping[str, Sequence[str]] = field(default_factory=dict)


def row_key(*parts: object) -> str:
    """Makes a key from what identifies a row.

    Args:
        *parts: For example a date, a market and a video id.

    Returns:
        The parts joined with ``|``; readable, because people see the column.
    """
    return "|".join(sheet_text(part).replace("|", "/") for part in parts)
