"""The pure functions that decide what is built together, and how text becomes SQL."""

from __future__ import annotations

from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from engine.rebuild import DATES_PER_BATCH, batches
from warehouse.store import quote_literal


def test_small_days_share_a_batch() -> None:
    assert batches({"2026-01-02": 4, "2026-01-01": 4, "2026-01-03": 2}, limit=10) == [
        ["2026-01-01", "2026-01-02", "2026-01-03"]
    ]


def test_limit_is_reached_but_never_passed() -> None:
    rows = {"2026-01-01": 5, "2026-01-02": 5, "2026-01-03": 1}
    assert batches(rows, limit=10) == [["2026-01-01", "2026-01-02"], ["2026-01-03"]]


def test_day_larger_than_the_limit_is_built_alone() -> None:
    rows = {"2026-01-01": 1, "2026-01-02": 99, "2026-01-03": 1}
    assert batches(rows, limit=10) == [["2026-01-01"], ["2026-01-02"], ["2026-01-03"]]


def test_years_of_small_days_are_built_one_after_the_other() -> None:
    days = [(date(2023, 1, 1) + timedelta(days=number)).isoformat() for number in range(1095)]
    assert [len(batch) for batch in batches(dict.fromkeys(days, 1))] == [DATES_PER_BATCH, DATES_PER_BATCH, 363]


def test_no_date_is_no_batch() -> None:
    assert batches({}) == []


@given(st.dictionaries(st.dates().map(str), st.integers(0, 50)), st.integers(1, 100))
def test_batches_keep_every_date_once_and_in_order(rows: dict[str, int], limit: int) -> None:
    result = batches(rows, limit)
    assert [day for batch in result for day in batch] == sorted(rows)
    assert all(batch for batch in result)
    assert all(len(batch) == 1 or sum(rows[day] for day in batch) <= limit for batch in result)


def test_literal_cannot_be_left() -> None:
    assert quote_literal("it's; drop table x --") == "'it''s; drop table x --'"
