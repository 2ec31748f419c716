"""Makes hostile text safe for the places it is shown: Excel cells, Google Sheets cells, Discord and HTML.

Belongs here: what a caption, name or URL must go through before it leaves the system, and nothing else.
Must not be here: layout, styles, wording, or any knowledge of which column is which.

Every function is total over text, numbers, dates and ``None``: text (or ``None`` for a refused link) comes
out, never an exception.
Lengths are counted in UTF-16 code units, because that is how Excel, Google Sheets and Discord count.

Sources: ECMA-376 part 1, 22.9.2.19 (ST_Xstring: ``_xHHHH_`` stands for a character); XML 1.0, 2.2 (Char);
Excel specifications and limits (32,767 characters a cell, 2,079 a link); Google Sheets limits (50,000
characters a cell); Discord developer documentation (message formatting).
"""

import datetime as dt
import html
import math
import re
from collections.abc import Iterable
from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit

CELL_LIMIT = 32_767
"""Excel's limit of a cell, in UTF-16 code units."""

SHEET_LIMIT = 50_000
"""Google Sheets' limit of a cell, in characters; counted here in UTF-16 code units, which is never less."""

LINK_LIMIT = 2_079
"""Excel's limit of a hyperlink, in characters; a longer one makes Excel "repair" the file."""

LINK_HOSTS = (
    "tiktok.com",
    "tiktokcdn.com",
    "tiktokcdn-us.com",
    "tiktokcdn-eu.com",
    "tiktokv.com",
    "capcut.com",
    "drive.google.com",
    "docs.google.com",
)
# Where covers are. Others could count who opens a message.
IMAGE_HOSTS = ("tiktokcdn.com", "tiktokcdn-us.com", "tiktokcdn-eu.com")
"""Hosts a link may lead to; each stands for itself and its sub-domains."""

_ELLIPSIS = "…"
# Not allowed in XML 1.0 at all (one of them makes a whole workbook unreadable), and C1 controls, which are
# allowed but invisible and rendered differently by every program. Tab and line feed stay.
_NOT_TEXT = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ufffe\uffff]")
_LINE_ENDS = re.compile("\r\n?|[\x85\u2028\u2029]")
_XML_ESCAPE_START = re.compile(r"_(?=x[0-9A-Fa-f]{4}_)")
_XML_PIECE = re.compile(r"_x005F_|[\s\S]")
# Bidirectional controls let a caption reorder the text around it; zero-width characters hide text in it. The
# zero-width joiner (U+200D) stays: emoji are built with it.
_INVISIBLE = re.compile("[\u00ad\u061c\u180e\u200b\u200c\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]")
_MARKDOWN = frozenset("\\*_~`|[]<")
_LINE_MARKDOWN = frozenset("#>-+")  # headings, quotes and lists: only at the start of a line
_ZERO_WIDTH_SPACE = "\u200b"
_MENTION_STARTS = frozenset("@<")
_URL_CHARACTERS = "!#$%&'()*+,/:;=?@[]~-._"
_FORBIDDEN_IN_URL = re.compile(r"[\s\x00-\x20\x7f-\x9f\"<>\\^`{|}]")


def utf16_length(text: str) -> int:
    """Length of a text in UTF-16 code units.

    Args:
        text: Any text; a lone surrogate counts as one unit.

    Returns:
        Number of UTF-16 code units: characters above U+FFFF count twice.
    """
    return len(text) + sum(character > "\uffff" for character in text)


def cut_utf16(pieces: Iterable[str], limit: int) -> str:
    """Joins pieces up to a number of UTF-16 code units, never cutting inside a piece.

    Args:
        pieces: A text (its characters are the pieces) or pieces that must stay whole, such as escapes.
        limit: Highest number of UTF-16 code units of the result, at least 1.

    Returns:
        All pieces joined if they fit, else as many as fit together with an ellipsis.
    """
    kept: list[str] = []
    units = position_with_ellipsis = 0
    for piece in pieces:
        units += utf16_length(piece)
        if units > limit:
            return "".join(kept[:position_with_ellipsis]) + _ELLIPSIS
        kept.append(piece)
        if units < limit:
            position_with_ellipsis = len(kept)
    return "".join(kept)


def plain_text(value: Any) -> str:
    """Turns any value into well-formed text: no control characters or lone surrogates, ``LF`` line ends.

    Args:
        value: Text, number, date, boolean or ``None``.

    Returns:
        Text that every XML and JSON reader accepts. ``None`` and NaN give ``""``; a lone surrogate becomes
        U+FFFD, a pair of surrogates the character it stands for.
    """
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    text = value.isoformat() if isinstance(value, dt.date) else str(value)
    # The way through UTF-16 joins a pair that was decoded as two halves; only a truly lone one is replaced.
    text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return _NOT_TEXT.sub("", _LINE_ENDS.sub("\n", text))


def cell_text(value: Any) -> str:
    """Makes the text of one Excel cell.

    ``_x0041_`` in a caption would be shown as ``A``, so the underscore that starts such a sequence is itself
    escaped (``_x005F_x0041_``). A formula look-alike stays as it is: whether a cell is text is a property of
    the cell, so write it with ``write_text``.

    Args:
        value: Any value; see ``plain_text``.

    Returns:
        Text of at most 32,767 UTF-16 code units, escapes included, cut with an ellipsis.
    """
    text = _XML_ESCAPE_START.sub("_x005F_", plain_text(value))
    return cut_utf16(_XML_PIECE.findall(text), CELL_LIMIT) if len(text) > CELL_LIMIT // 2 else text


def write_text(cell: Any, value: Any) -> None:
    """Puts text into an openpyxl cell so that it is never a formula, a number, a date or an error value.

    Args:
        cell: An openpyxl ``Cell`` or ``WriteOnlyCell``; its other styles are kept.
        value: Any value; see ``cell_text``.
    """
    text = cell_text(value)
    cell.value = text
    # openpyxl guesses a type from the text ("=1" formula, "#N/A" error): the guess is overruled.
    cell.data_type = "s"
    if text[:1] in ("=", "+", "-", "@", "'"):
        # Without this mark Excel turns the text into a formula when someone edits the cell.
        cell.quotePrefix = True


def sheet_text(value: Any) -> str:
    """Makes the text of one Google Sheets cell, to be sent as a typed ``stringValue``.

    Args:
        value: Any value; see ``plain_text``.

    Returns:
        Text of at most 50,000 UTF-16 code units. A leading ``=`` stays: a ``stringValue`` is never a formula.
    """
    return cut_utf16(plain_text(value), SHEET_LIMIT)


def safe_link(url: Any, hosts: tuple[str, ...] = LINK_HOSTS) -> str | None:
    """Accepts a URL as a link only if it is plainly what it seems to be.

    Args:
        url: Any value.
        hosts: Host names that are allowed, each with its sub-domains.

    Returns:
        The URL in ASCII, at most 2,079 characters, or ``None`` for anything that isn't https, carries a user
        name or a port, contains a blank, quote or backslash, or leads to an unknown host.
    """
    if not isinstance(url, str) or _FORBIDDEN_IN_URL.search(url):
        return None
    try:
        parts = urlsplit(url)
        host, port = (parts.hostname or "").removesuffix("."), parts.port
        ascii_url = quote(url, safe=_URL_CHARACTERS)
    except ValueError:  # malformed IPv6 host or port, or a lone surrogate (UnicodeEncodeError)
        return None
    if parts.scheme != "https" or parts.username is not None or parts.password is not None or port is not None:
        return None
    if not any(host == known or host.endswith("." + known) for known in hosts):
        return None
    return ascii_url if len(ascii_url) <= LINK_LIMIT else None


def live_image(url: Any, now: dt.datetime) -> str | None:
    """Accepts the address of a cover picture if it is one of TikTok's that has not run out.

    Args:
        url: Any value.
        now: The present, aware.

    Returns:
        The address in ASCII; None for one of another host, or one whose signature ends within the hour.
    """
    found = safe_link(url, IMAGE_HOSTS)
    if found is None:
        return None
    ends = [value for name, value in parse_qsl(urlsplit(found).query) if name.lower() in ("x-expires", "expires")]
    soon = now.timestamp() + 3_600
    return found if all(value.isdigit() and int(value) > soon for value in ends) else None


def visible_line(value: Any, characters: int) -> str:
    """Makes one line of text in which nothing is hidden and nothing reorders the text around it.

    Args:
        value: Any value; see ``plain_text``.
        characters: Highest number of characters, at least 1; a longer text is cut with an ellipsis.

    Returns:
        Text without controls for direction, without zero-width characters but the joiner, blanks collapsed to one.
    """
    text = " ".join(_INVISIBLE.sub("", plain_text(value)).split())
    return text if len(text) <= characters else text[: characters - 1].rstrip() + _ELLIPSIS


def html_line(value: Any, characters: int = 1_000) -> str:
    """Makes one line of text that an HTML reader shows literally, in an element or in a quoted attribute.

    Args:
        value: Any value; see ``plain_text``.
        characters: Highest number of characters shown.

    Returns:
        The ``visible_line`` with ``& < > " '`` escaped.
    """
    return html.escape(visible_line(value, characters), quote=True)


def discord_text(value: Any, limit_utf16: int) -> str:
    """Makes one line of text that Discord shows literally and that notifies nobody.

    Markdown is escaped, mentions, custom emoji, time stamps and bare URLs are broken with a zero-width space,
    bidirectional and invisible characters are removed, blanks are collapsed to one.

    Args:
        value: Any value; see ``plain_text``.
        limit_utf16: Highest number of UTF-16 code units of the result, escapes included, at least 1.

    Returns:
        Text of at most ``limit_utf16`` units, cut with an ellipsis and never inside an escape. ``""`` if
        nothing visible is left: Discord refuses empty fields, so the caller must say what to show instead.
    """
    text = " ".join(_INVISIBLE.sub("", plain_text(value)).split())
    if not text.strip("\u200d\ufe0e\ufe0f "):
        return ""
    return cut_utf16((_discord_piece(text, position) for position in range(len(text))), limit_utf16)


def _discord_piece(text: str, position: int) -> str:
    """One character of a Discord text with all that must stay with it when the text is cut."""
    character = text[position]
    if character == ":" and text.startswith("//", position + 1):
        return character + _ZERO_WIDTH_SPACE
    special = character in _MARKDOWN or (position == 0 and character in _LINE_MARKDOWN)
    escaped = "\\" + character if special else character
    return escaped + _ZERO_WIDTH_SPACE if character in _MENTION_STARTS else escaped
