"""What a cell of somebody's sheet means: amounts, counts and dates in the sheet's own locale, or no meaning at all.

Belongs here: parsing one cell by one strict rule. Must not be here: which columns there are, where cells come from.
Nothing is guessed: '1.234' is 1.234 in an American sheet and 1,234 in a German one, and '1.234,50' is no number in an
American one. What does not follow the sheet's locale raises `UnreadableError`, whose message quotes the cell.

Sources: Unicode CLDR (through Babel) for separators and the order of dates; Google Sheets API, date and time values
(serial days since 1899-12-30).
"""

from __future__ import annotations

import functools
import math
import re
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

import babel
import babel.dates
import babel.numbers

# A date cell's number counts days from here.
SERIAL_EPOCH = date(1899, 12, 30)
# TikTok opened in 2016; a date outside of these years is a slip of the pen.
_YEARS = range(2016, 2101)
_BLANKS = "\u00a0\u202f\u2009 "
_SIGN_NAMES = {"$": "$", "US$": "$", "USD": "$", "£": "£", "GBP": "£", "€": "€", "EUR": "€"}
_SIGN = r"(?:US\$|\$|£|€|USD|GBP|EUR)"
_MONEY = re.compile(
    rf"(?P<open>\()?(?P<minus>[-\u2212])?\s*(?P<before>{_SIGN})?\s*(?P<minus_after>[-\u2212])?\s*"
    rf"(?P<number>[0-9.,'\u2019{_BLANKS}]*[0-9])\s*(?P<after>{_SIGN})?(?P<close>\))?"
)
_ISO_DATE = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})")
_LOCAL_DATE = re.compile(r"(\d{1,4})([./-])\s?(\d{1,2})\2\s?(\d{1,4})\.?")

CellValue = str | int | float | bool | None


class UnreadableError(ValueError):
    """A cell does not say what its column wants; the message quotes the cell."""


@dataclass(frozen=True, slots=True)
class Conventions:
    """How a sheet's locale writes numbers and dates.

    Attributes:
        locale: As the sheet names it, such as `de_DE`.
        decimal: Sign before the fraction.
        groups: Signs that may stand between thousands.
        date_order: `dmy`, `mdy` or `ymd`.
    """

    locale: str
    decimal: str
    groups: str
    date_order: str


@dataclass(frozen=True, slots=True)
class Money:
    """An amount.

    Attributes:
        amount: The number.
        sign: Currency sign that stood beside it, empty without one.
    """

    amount: Decimal
    sign: str = ""


@functools.cache
def conventions(locale: str) -> Conventions:
    """The conventions of a sheet's locale; one that is not known writes plain digits and ISO dates only."""
    try:
        known = babel.Locale.parse(locale.replace("-", "_"))
    except (babel.UnknownLocaleError, ValueError):
        return Conventions(locale, "", "", "ymd")
    group = babel.numbers.get_group_symbol(known)
    # A blank between thousands is typed as any blank, an apostrophe as the straight one.
    groups = _BLANKS if group in _BLANKS else "'\u2019" if group in "'\u2019" else group
    pattern = babel.dates.get_date_format("short", known).pattern.lower()
    order = "".join(sorted("dmy", key=lambda part: pattern.find(part)))
    return Conventions(locale, babel.numbers.get_decimal_symbol(known), groups, order)


def is_blank(value: CellValue) -> bool:
    """Whether nothing was entered."""
    return value is None or (isinstance(value, str) and not value.strip(_BLANKS + "\t\r\n"))


def money(value: CellValue, rules: Conventions) -> Money | None:
    """An amount; None for an empty cell, which is not zero.

    Args:
        value: The cell's unformatted value: a number, or the text somebody typed.
        rules: The sheet's conventions.

    Raises:
        UnreadableError: The text is no amount in this locale.
    """
    if is_blank(value):
        return None
    if isinstance(value, bool):
        raise UnreadableError(f"{str(value).upper()} is no amount")
    if isinstance(value, int | float):
        if not math.isfinite(value):
            raise UnreadableError(f"{value} is no amount")
        return Money(Decimal(str(value)))
    text = str(value).strip(_BLANKS + "\t\r\n")
    match = _MONEY.fullmatch(text)
    if match is None or bool(match["open"]) != bool(match["close"]) or (match["before"] and match["after"]):
        raise UnreadableError(f"{text!r} is no amount")
    number = _number(match["number"], rules)
    if number is None:
        raise UnreadableError(f"{text!r} is no amount in a sheet of locale {rules.locale}")
    minus = [match["open"], match["minus"], match["minus_after"]]
    if sum(map(bool, minus)) > 1:
        raise UnreadableError(f"{text!r} is no amount")
    return Money(-number if any(minus) else number, _SIGN_NAMES.get(match["before"] or match["after"] or "", ""))


def count(value: CellValue, rules: Conventions) -> int | None:
    """A whole number that is not negative; None for an empty cell.

    Raises:
        UnreadableError: It is none.
    """
    found = money(value, rules)
    if found is None:
        return None
    if found.sign or found.amount < 0 or found.amount != found.amount.to_integral_value():
        raise UnreadableError(f"{str(value).strip()!r} is no whole number")
    return int(found.amount)


def day(value: CellValue, rules: Conventions) -> date | None:
    """A date; None for an empty cell.

    Args:
        value: A serial number, an ISO date, or a date in the order of the sheet's locale.
        rules: The sheet's conventions.

    Raises:
        UnreadableError: It is none, or lies outside of the years in which there can be posts.
    """
    if is_blank(value):
        return None
    if isinstance(value, bool):
        raise UnreadableError(f"{str(value).upper()} is no date")
    text = str(value).strip(_BLANKS + "\t\r\n")
    try:
        found = _serial_day(value) if isinstance(value, int | float) else _text_day(text, rules)
    except (ValueError, OverflowError):
        found = None
    if found is None or found.year not in _YEARS:
        raise UnreadableError(f"{text!r} is no date")
    return found


def _serial_day(value: float) -> date:
    return SERIAL_EPOCH + timedelta(days=math.floor(value))


def _text_day(text: str, rules: Conventions) -> date | None:
    iso = _ISO_DATE.fullmatch(text.split("T")[0])
    if iso:
        return date(int(iso[1]), int(iso[2]), int(iso[3]))
    local = _LOCAL_DATE.fullmatch(text)
    # Without a known locale the order of day and month would be a guess.
    if local is None or not rules.decimal:
        return None
    parts = dict(zip(rules.date_order, (local[1], local[3], local[4]), strict=True))
    if len(parts["y"]) not in (2, 4) or max(len(parts["d"]), len(parts["m"])) > 2:
        return None
    year = int(parts["y"]) + (2000 if len(parts["y"]) == 2 else 0)
    return date(year, int(parts["m"]), int(parts["d"]))


def _number(text: str, rules: Conventions) -> Decimal | None:
    """Digits with the locale's separators: groups of exactly three, the fraction last."""
    whole, mark, fraction = text.partition(rules.decimal) if rules.decimal else (text, "", "")
    if mark and not re.fullmatch(r"\d+", fraction):
        return None
    if re.fullmatch(r"\d+", whole):
        digits = whole
    elif rules.groups and re.fullmatch(rf"\d{{1,3}}(?:[{re.escape(rules.groups)}]\d{{3}})+", whole):
        digits = re.sub(r"\D", "", whole)
    elif not whole and mark:
        digits = "0"
    else:
        return None
    return Decimal(f"{digits}.{fraction}" if mark else digits)
