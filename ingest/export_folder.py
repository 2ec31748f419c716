"""Export folders: raw Apify dataset items on disk, laid out as `<market>/<kind>/<observed_at>.<suffix>`.

Belongs here: finding the feed files of a folder and naming what is no feed. Must not be here: reading items
(`landing` does), the environment.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime
from pathlib import Path

from ingest.landing import KINDS, FeedFile, Refusal, feed_suffix

TIME_FORMAT = "%Y-%m-%dT%H-%M-%SZ"
SUFFIXES = (".json", ".jsonl", ".csv")


def scan(
    directory: Path, markets: Collection[str], *, source: str = "folder", until: datetime | None = None
) -> tuple[list[FeedFile], list[Refusal]]:
    """Finds the feeds of an export folder, oldest first.

    Args:
        directory: The folder.
        markets: Upper-case codes of the configured markets.
        source: Source name for the envelope.
        until: Feeds observed later than this aware time are left for a later run.

    Returns:
        The feed files by observation time, and everything that is no feed with reason and remedy.

    Raises:
        FileNotFoundError: The folder does not exist.
    """
    if not directory.is_dir():
        message = (
            f"export folder {directory} does not exist: give --source a folder of <market>/<kind>/<time>.json files"
        )
        raise FileNotFoundError(message)
    feeds: list[FeedFile] = []
    refusals: list[Refusal] = []
    for market_dir in sorted(_visible(directory)):
        if not market_dir.is_dir():
            refusals.append(Refusal(market_dir, "stands beside the market folders: move it to <market>/<kind>/"))
            continue
        if market_dir.name.upper() not in markets:
            known = ", ".join(sorted(market.lower() for market in markets))
            refusals.append(
                Refusal(market_dir, f"unknown market folder: known are {known}; add a row to seeds/markets.csv")
            )
            continue
        for kind_dir in sorted(_visible(market_dir)):
            if not kind_dir.is_dir() or kind_dir.name not in KINDS:
                refusals.append(Refusal(kind_dir, f"unknown kind: the kinds are {', '.join(KINDS)}"))
                continue
            for path in sorted(_visible(kind_dir)):
                observed_at = _observed_at(path)
                if observed_at is None or feed_suffix(path) not in SUFFIXES:
                    expected = "<YYYY-MM-DDTHH-MM-SSZ>.json, .jsonl or .csv, plain or .gz"
                    refusals.append(Refusal(path, f"is not named as a feed: expected {expected}"))
                elif until is None or observed_at <= until:
                    feeds.append(FeedFile(path.resolve(), source, market_dir.name.upper(), kind_dir.name, observed_at))
    feeds.sort(key=lambda feed: (feed.observed_at, feed.market, feed.kind, feed.path.name))
    return feeds, refusals


def _visible(directory: Path) -> list[Path]:
    return [path for path in directory.iterdir() if not path.name.startswith(".")]


def _observed_at(path: Path) -> datetime | None:
    """The time in a feed's name; None for other names, also for `<time>.part.json` of an unfinished download."""
    name = path.name.removesuffix(".gz").removesuffix(feed_suffix(path))
    try:
        return datetime.strptime(name, TIME_FORMAT).replace(tzinfo=UTC)
    except ValueError:
        return None
