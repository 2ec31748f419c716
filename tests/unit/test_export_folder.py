"""Export folders: which files are feeds, in which order, and what is said about the others."""

from __future__ import annotations

from pathlib import Path

import pytest

from ingest import export_folder
from tests.support import MARKETS, moment, write_file


def touch(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"[]")


def test_feeds_come_by_observation_time_with_their_envelope(tmp_path: Path) -> None:
    touch(
        tmp_path,
        "us/videos/2026-01-05T10-00-00Z.json",
        "uk/videos/2026-01-05T09-00-00Z.jsonl.gz",
        "us/music/2026-01-05T09-00-00Z.csv",
        "us/videos/2025-12-31T23-59-59Z.csv.gz",
    )
    feeds, refusals = export_folder.scan(tmp_path, MARKETS, source="sample")
    assert refusals == []
    assert [(feed.market, feed.kind, feed.observed_at) for feed in feeds] == [
        ("US", "videos", moment("2025-12-31T23:59:59")),
        ("UK", "videos", moment("2026-01-05T09:00")),
        ("US", "music", moment("2026-01-05T09:00")),
        ("US", "videos", moment("2026-01-05T10:00")),
    ]
    assert {feed.source for feed in feeds} == {"sample"}
    assert all(feed.path.is_absolute() for feed in feeds)


@pytest.mark.parametrize("suffix", [".json", ".jsonl", ".csv", ".json.gz", ".jsonl.gz", ".csv.gz"])
def test_every_suffix_is_a_feed(tmp_path: Path, suffix: str) -> None:
    path = write_file(tmp_path, "2026-01-05T10:00", b"[]", suffix=suffix)
    feeds, refusals = export_folder.scan(tmp_path, MARKETS)
    assert [feed.path for feed in feeds] == [path]
    assert refusals == []


@pytest.mark.parametrize(
    ("name", "refused", "reason"),
    [
        ("zz/videos/2026-01-05T10-00-00Z.json", "zz", "unknown market folder: known are uk, us"),
        ("us/pictures/2026-01-05T10-00-00Z.json", "us/pictures", "unknown kind: the kinds are videos, music"),
        ("us/videos", "us/videos", "unknown kind: the kinds are videos, music"),
        ("notes.txt", "notes.txt", "stands beside the market folders"),
        (
            "us/videos/today.json",
            "us/videos/today.json",
            "is not named as a feed: expected <YYYY-MM-DDTHH-MM-SSZ>.json",
        ),
        ("us/videos/2026-02-30T10-00-00Z.json", "us/videos/2026-02-30T10-00-00Z.json", "is not named as a feed"),
        ("us/videos/2026-01-05T10:00:00Z.json", "us/videos/2026-01-05T10:00:00Z.json", "is not named as a feed"),
        ("us/videos/2026-01-05T10-00-00Z.xlsx", "us/videos/2026-01-05T10-00-00Z.xlsx", "is not named as a feed"),
        ("us/videos/2026-01-05T10-00-00Z.gz", "us/videos/2026-01-05T10-00-00Z.gz", "is not named as a feed"),
        ("us/videos/2026-01-05T10-00-00Z", "us/videos/2026-01-05T10-00-00Z", "is not named as a feed"),
        (
            "us/videos/2026-01-05T10-00-00Z.part.json",
            "us/videos/2026-01-05T10-00-00Z.part.json",
            "is not named as a feed",
        ),
    ],
)
def test_what_is_no_feed_is_named_and_the_rest_found(tmp_path: Path, name: str, refused: str, reason: str) -> None:
    touch(tmp_path, "uk/videos/2026-01-05T09-00-00Z.json", name)
    feeds, refusals = export_folder.scan(tmp_path, MARKETS)
    assert [feed.market for feed in feeds] == ["UK"]
    (refusal,) = refusals
    assert refusal.path == tmp_path / refused
    assert reason in refusal.reason


def test_unknown_market_is_refused_once_whatever_it_holds(tmp_path: Path) -> None:
    touch(tmp_path, *(f"zz/videos/2026-01-0{day}T10-00-00Z.json" for day in range(1, 6)))
    feeds, refusals = export_folder.scan(tmp_path, MARKETS)
    assert feeds == []
    assert [refusal.path.name for refusal in refusals] == ["zz"]


def test_hidden_files_are_nobodys_business(tmp_path: Path) -> None:
    touch(tmp_path, ".DS_Store", "us/.DS_Store", "us/videos/.tmp", "us/videos/2026-01-05T10-00-00Z.json")
    feeds, refusals = export_folder.scan(tmp_path, MARKETS)
    assert (len(feeds), refusals) == (1, [])


def test_later_feeds_wait_for_a_later_run(tmp_path: Path) -> None:
    touch(
        tmp_path, "us/videos/2026-01-05T10-00-00Z.json", "us/videos/2026-01-05T10-00-01Z.json", "us/videos/wrong.json"
    )
    feeds, refusals = export_folder.scan(tmp_path, MARKETS, until=moment("2026-01-05T10:00"))
    assert [feed.observed_at for feed in feeds] == [moment("2026-01-05T10:00")]
    assert len(refusals) == 1


def test_markets_are_data(tmp_path: Path) -> None:
    touch(tmp_path, "de/videos/2026-01-05T10-00-00Z.json")
    feeds, refusals = export_folder.scan(tmp_path, [*MARKETS, "DE"])
    assert ([feed.market for feed in feeds], refusals) == (["DE"], [])


def test_missing_folder_says_what_to_give(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="does not exist: give --source a folder of <market>/<kind>/<time>"):
        export_folder.scan(tmp_path / "nowhere", MARKETS)
