"""Export folders: raw Apify dataset items on disk, laid out as `<market>/<kind>/<observed_at>.<suffix>`.

The names that Apify's console gives its downloads are understood too: `dataset_<actor>_<date>_<time>.<suffix>`.

Belongs here: finding the feed files of a folder and naming what is no feed. Must not be here: reading items
(`landing` does), the environment.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from datetime import UTC, datetime
from pathlib import Path

from ingest.landing import KINDS, FeedFile, Refusal
from ingest.readers import feed_suffix, refusal

TIME_FORMAT = "%Y-%m-%dT%H-%M-%SZ"
SUFFIXES = (".json", ".jsonl", ".csv")
# `dataset_tiktok-scraper_2026-03-06_08-07-00-276.json`, also as a browser names a second copy. The time is UTC.
_CONSOLE_NAME = re.compile(r"dataset_.+_(\d{4}-\d{2}-\d{2})_(\d{2}-\d{2}-\d{2})(?:-\d{1,3})?(?: ?\(\d+\))?")


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
    for market_dir in _visible(directory, refusals):
        if not market_dir.is_dir():
            refusals.append(Refusal(market_dir, "stands beside the market folders: move it to <market>/<kind>/"))
            continue
        if market_dir.name.upper() not in markets:
            known = ", ".join(sorted(market.lower() for market in markets))
            refusals.append(
                Refusal(market_dir, f"unknown market folder: known are {known}; add a row to seeds/markets.csv")
            )
            continue
        for kind_dir in _visible(market_dir, refusals):
            if not kind_dir.is_dir() or kind_dir.name not in KINDS:
                refusals.append(Refusal(kind_dir, f"unknown kind: the kinds are {', '.join(KINDS)}"))
                continue
            for path in _visible(kind_dir, refusals):
                observed_at = _observed_at(path)
                refused = refusal(path)
                if observed_at is None or feed_suffix(path) not in SUFFIXES:
                    expected = "<YYYY-MM-DDTHH-MM-SSZ>.json, .jsonl or .csv, plain or .gz"
                    refusals.append(Refusal(path, f"is not named as a feed: expected {expected}"))
                elif refused is not None:
                    refusals.append(Refusal(path, refused))
                elif until is None or observed_at <= until:
                    feeds.append(FeedFile(path.resolve(), source, market_dir.name.upper(), kind_dir.name, observed_at))
    feeds.sort(key=lambda feed: (feed.observed_at, feed.market, feed.kind, feed.path.name))
    return feeds, refusals


def _visible(directory: Path, refusals: list[Refusal]) -> list[Path]:
    """What a folder shows, in the order of names; a folder that can't be opened is refused."""
    try:
        return sorted(path for path in directory.iterdir() if not path.name.startswith("."))
    except OSError as error:
        refusals.append(Refusal(directory, f"can not be opened ({error.strerror})"))
        return []


def _observed_at(path: Path) -> datetime | None:
    """The time in a feed's name; None for other names, also for `<time>.part.json` of an unfinished download."""
    name = path.name.removesuffix(".gz").removesuffix(feed_suffix(path))
    console = _CONSOLE_NAME.fullmatch(name)
    try:
        return datetime.strptime(f"{console[1]}T{console[2]}Z" if console else name, TIME_FORMAT).replace(tzinfo=UTC)
    except ValueError:
        return None
