"""Amounts, counts and dates as a sheet's locale writes them; what it does not write is no amount."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.sheet_values import SERIAL_EPOCH, CellValue, UnreadableError, conventions, count, day, money

US, UK, GERMANY, FRANCE, SWISS = map(conventions, ("en_US", "en_GB", "de_DE", "fr_FR", "de_CH"))
UNKNOWN = conventions("xx_XX")


@pytest.mark.parametrize(
    ("value", "rules", "amount", "sign"),
    [
        ("£1,234.50", UK, "1234.50", "£"),
        ("1.234,50", GERMANY, "1234.50", ""),
        ("1.234", GERMANY, "1234", ""),
        ("1.234", US, "1.234", ""),
        ("($5)", US, "-5", "$"),
        ("-$5", US, "-5", "$"),
        ("$ -5", US, "-5", "$"),
        (" 2500 ", US, "2500", ""),
        ("\u00a02500\u202f", US, "2500", ""),
        ("1 234,50 €", FRANCE, "1234.50", "€"),
        ("1\u202f234,50", FRANCE, "1234.50", ""),
        ("1'234.50", SWISS, "1234.50", ""),
        ("US$1,000,000", US, "1000000", "$"),
        (".5", US, "0.5", ""),
        (2500, US, "2500", ""),
        (0.1, GERMANY, "0.1", ""),
        (0, US, "0", ""),
        ("12.5", UNKNOWN, None, ""),
        ("1250", UNKNOWN, "1250", ""),
    ],
)
def test_amounts(value: CellValue, rules: object, amount: str | None, sign: str) -> None:
    if amount is None:
        with pytest.raises(UnreadableError):
            money(value, rules)  # type: ignore[arg-type]
        return
    found = money(value, rules)  # type: ignore[arg-type]
    assert found is not None
    assert (found.amount, found.sign) == (Decimal(amount), sign)


@pytest.mark.parametrize("value", ["", "   ", None, "\u00a0"])
def test_an_empty_cell_is_not_zero(value: CellValue) -> None:
    assert money(value, US) is None
    assert count(value, US) is None
    assert day(value, US) is None


@pytest.mark.parametrize(
    "value",
    ["n/a", "#N/A", "1.234,50", "1,23", "12,34,567", "$5€", "($5", "(-5)", "5%", "inf", "nan", "1e5", "1,234.", "--5",
     "five", "=1+1", "1 234", float("inf"), float("nan"), True, "²", "٣"],
)  # fmt: skip
def test_what_is_no_american_amount_is_never_guessed(value: CellValue) -> None:
    with pytest.raises(UnreadableError):
        money(value, US)


@given(
    st.decimals(min_value=-(10**9), max_value=10**9, places=2), st.sampled_from(["en_US", "de_DE", "fr_FR", "de_CH"])
)
def test_what_a_locale_writes_is_read_back(amount: Decimal, locale: str) -> None:
    import babel.numbers

    text = babel.numbers.format_decimal(amount, "#,##0.00", locale)
    found = money(text, conventions(locale))
    assert found is not None
    assert found.amount == amount


@pytest.mark.parametrize(("value", "expected"), [(12, 12), ("1,200", 1200), (12.0, 12), ("0", 0)])
def test_counts(value: CellValue, expected: int) -> None:
    assert count(value, US) == expected


@pytest.mark.parametrize("value", [-1, 1.5, "$5", "many", True])
def test_no_counts(value: CellValue) -> None:
    with pytest.raises(UnreadableError):
        count(value, US)


@pytest.mark.parametrize(
    ("value", "rules", "expected"),
    [
        ("2026-02-03", US, date(2026, 2, 3)),
        ("2026-02-03T10:00:00Z", GERMANY, date(2026, 2, 3)),
        ("2/3/2026", US, date(2026, 2, 3)),
        ("2/3/26", US, date(2026, 2, 3)),
        ("02/03/2026", UK, date(2026, 3, 2)),
        ("3.2.2026", GERMANY, date(2026, 2, 3)),
        ("2026-02-03", UNKNOWN, date(2026, 2, 3)),
        (46056, US, date(2026, 2, 3)),
        (46056.75, US, date(2026, 2, 3)),
    ],
)
def test_dates(value: CellValue, rules: object, expected: date) -> None:
    assert day(value, rules) == expected  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "value", ["13/13/2026", "2026-02-30", "soon", 1, 10**9, "3.2.26.1", True, "2/3-2026", "1999-01-01"]
)
def test_no_dates(value: CellValue) -> None:
    with pytest.raises(UnreadableError):
        day(value, UK)


def test_a_date_in_an_unknown_order_is_not_guessed() -> None:
    with pytest.raises(UnreadableError):
        day("02/03/2026", UNKNOWN)


@given(st.dates(min_value=date(2016, 1, 1), max_value=date(2100, 12, 31)), st.floats(0, 0.999))
def test_a_serial_is_its_day_at_any_hour(expected: date, hour: float) -> None:
    assert day((expected - SERIAL_EPOCH) / timedelta(days=1) + hour, US) == expected
