"""The Sheets API for those who read or append: one client, and the words both have for tabs and columns.

Belongs here: the client at a configurable address, names and letters of columns. Must not be here: what is read or
written.
"""

import unicodedata
from typing import Any

import gspread
from gspread.urls import SPREADSHEETS_API_V4_BASE_URL
from gspread.utils import rowcol_to_a1

from services.google_auth import GoogleSession

HEADER_SEARCH_ROWS = 10
"""People put titles and notes above a header, but not more."""

_GOOGLE_ROOT = SPREADSHEETS_API_V4_BASE_URL.removesuffix("v4/spreadsheets")


class _EndpointClient(gspread.HTTPClient):
    """The plain gspread client (its backing-off sibling repeats appends) at a configurable address."""

    endpoint = _GOOGLE_ROOT

    def request(self, method: str, endpoint: str, *args: Any, **kwargs: Any) -> Any:
        address = self.endpoint.rstrip("/") + "/" + endpoint.removeprefix(_GOOGLE_ROOT)
        return super().request(method, address, *args, **kwargs)


def connect(session: GoogleSession, endpoint: str, timeout_seconds: float) -> gspread.HTTPClient:
    """Makes the client.

    Args:
        session: Signed in with a Sheets scope.
        endpoint: Root address of the service.
        timeout_seconds: For connecting and for each read.
    """
    client = _EndpointClient(session.http.credentials, session.http)
    client.endpoint = endpoint
    client.set_timeout(timeout_seconds)
    return client


def normal(name: object) -> str:
    """A name of a tab or column as it is compared: people change case, blanks and width of letters."""
    return " ".join(unicodedata.normalize("NFKC", str(name)).casefold().split())


def letters(position: int) -> str:
    """The letters of a column, counted from 0."""
    return str(rowcol_to_a1(1, position + 1)).rstrip("1")


def quoted(title: str) -> str:
    """A tab's title as it stands in a range."""
    doubled = title.replace("'", "''")
    return f"'{doubled}'"


def whole_columns(title: str, *positions: int) -> list[str]:
    """Ranges of whole columns of a tab."""
    return [f"{quoted(title)}!{letters(position)}:{letters(position)}" for position in positions]


def first_rows(title: str, row_count: int) -> str:
    """The range in which the header is looked for."""
    return f"{quoted(title)}!1:{min(HEADER_SEARCH_ROWS, row_count)}"


def read_ranges(
    client: gspread.HTTPClient, spreadsheet_id: str, ranges: list[str], render: str, dimension: str
) -> list[list[list[Any]]]:
    """Reads ranges in one request.

    Args:
        client: From ``connect``.
        spreadsheet_id: From the sheet's address.
        ranges: In A1 notation.
        render: ``FORMULA``, ``FORMATTED_VALUE``, or ``UNFORMATTED_VALUE`` with dates as serial numbers.
        dimension: ``ROWS`` or ``COLUMNS``: what the lists of a range are.

    Returns:
        The values of each range, in the given order; empty cells at the end are left out.
    """
    parameters: dict[str, Any] = {"majorDimension": dimension, "valueRenderOption": render}
    if render == "UNFORMATTED_VALUE":
        parameters["dateTimeRenderOption"] = "SERIAL_NUMBER"
    answer = client.values_batch_get(spreadsheet_id, ranges, parameters)
    return [found.get("values", []) for found in answer["valueRanges"]]
