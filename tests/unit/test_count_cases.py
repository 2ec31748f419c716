"""Counts as people and programs write them, from the file to the staged row."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.staging import NOON, by_name, case, landed, one, staged
from tests.staging import good_video as video
from tests.support import write_feed


def test_counts_as_text() -> None:
    rows, _, _ = case("counts_as_text")
    assert {name: row["plays"] for name, row in by_name(rows).items()} == dict.fromkeys(
        ("int", "k", "commas", "blank", "dots", "mixed"), 10000
    )
    assert by_name(rows)["mixed"]["likes"] == 1500


@pytest.mark.parametrize(
    ("given", "plays", "step"),
    [
        ("10,000", 10000, 1), ("10.000", 10000, 1), ("10 000", 10000, 1), ("10\u00a0000", 10000, 1),
        ("10'000", 10000, 1),
        ("1,00,000", 100000, 1), ("1.234.567", 1234567, 1), ("10000.0", 10000, 1), (10000.0, 10000, 1),
        ("1e4", 10000, 1), ("10K+", 10000, 1000), ("1.1K", 1100, 100), ("1,1K", 1100, 100), ("1.5M", 1500000, 100000),
        ("1万", 10000, 10000), ("1.2万", 12000, 1000), ("10K views", 10000, 1000), ("10 mil", 10000, 1000),
        ("1,2 Mio.", 1200000, 100000), ("0", 0, 1),
    ],
)  # fmt: skip
def test_a_count_is_read(tmp_path: Path, given: object, plays: int, step: int) -> None:
    # Another count keeps the feed from being one that rounds.
    (row,) = one(tmp_path, video("7608807733346005312", plays=given, likes=10001))
    assert (row["plays"], row["plays_resolution"], row["is_believed"], row["oddities"]) == (plays, step, True, [])


def test_counts_as_people_write_them(tmp_path: Path) -> None:
    written = {
        "1,2 Mio.": 1200000, "2,3 Mrd.": 2300000000, "1,5 млн": 1500000, "2 тис.": 2000, "12万": 120000,
        "1억": 100000000,
        "1,2 Tr": 1200000, "20 ribu": 20000, "1.1 juta": 1100000, "15 ألف": 15000, "2 हज़ार": 2000, "3 ล้าน": 3000000,
        "1\u202f234\u202f567": 1234567, "1\u00a0234\u00a0567": 1234567, "1’234": 1234, "1_234": 1234,
        "١٢٣٤": 1234, "۱۲۳۴": 1234, "१२३४": 1234, "１２３４": 1234, "1٬234": 1234, "١٫٢M": 1200000,
        "\u200e1234": 1234, "\ufeff1234": 1234, "5K\u200b": 5000, "> 10K": 10000, "≈10K": 10000, "10K +": 10000,
        "1,234.00": 1234, "1.234.567,00": 1234567, "999+": 999, "1.234 views": 1234,
    }  # fmt: skip
    ids = [str(7608807733346005312 + number) for number in range(len(written))]
    rows = one(tmp_path, *(video(key, plays=text) for key, text in zip(ids, written, strict=True)))
    found = {row["video_id"]: (row["plays"], row["oddities"]) for row in rows}
    assert [found[key] for key in ids] == [(count, []) for count in written.values()]


def test_what_is_no_count_is_never_a_small_one(tmp_path: Path) -> None:
    # "5 mil." is five millions in some languages and thousands in others.
    written = (
        "1.234,56", "10,5", "1,2", "1.23", "1,000,00", "1万5千", "5 mil.", "1K-2K", ".5K", "1..2K", "1,,2", "0x10",
        "5%",
        "#REF!", "Loading...", "true", [5], 1.23e18, "1.23E+18", "１２ x",
    )  # fmt: skip
    given = [video(str(7608807733346005312 + number), plays=text) for number, text in enumerate(written)]
    rows = one(tmp_path, *given)
    assert len(rows) == len(written)
    assert {(row["plays"], *row["oddities"], row["is_believed"]) for row in rows} == {
        (None, "plays_not_believed", False)
    }


@pytest.mark.parametrize(
    "given",
    ["many", "10.00.0", "1,234K", "1,23", 10.5, -5, "-5", 9e18, 9000000000000000000, "99999999999B", 10**30, "1e300",
     "infinity", "<10", {"a": 1}],
)  # fmt: skip
def test_a_count_that_can_not_be_true_is_not_believed(tmp_path: Path, given: object) -> None:
    connection, report = (write_feed(tmp_path, NOON, [video("7608807733346005312", plays=given)]), landed(tmp_path))[1]
    (row,) = staged(connection)
    assert (row["plays"], row["oddities"], row["is_believed"]) == (None, ["plays_not_believed"], False)
    assert "1 item: plays that can not be read or can not be true" in report.notes[0]


@pytest.mark.parametrize("given", [None, "", " ", "NaN", "null", "N/A", "-", "—", "#N/A", []])
def test_no_count_is_no_oddity(tmp_path: Path, given: object) -> None:
    (row,) = one(tmp_path, video("7608807733346005312", plays=given))
    assert (row["plays"], row["oddities"], row["is_believed"]) == (None, [], True)


def test_the_highest_reading_of_a_duplicate_stays(tmp_path: Path) -> None:
    low, high = (video("7608807733346005312", plays=plays) for plays in (100, 900))
    (row,) = one(tmp_path, low, high, {**low, "playCount": 500})
    assert (row["plays"], row["times_in_load"]) == (900, 3)
