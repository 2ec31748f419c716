"""Sources: turns the word a user gives as source into feed files.

Belongs here: which ingest module serves which word, and keeping simulated and real data apart. Must not be here:
reading items (ingest), HTTP (ingest).
"""

from __future__ import annotations

import csv
import logging
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from ingest import export_folder, landing
from ingest.landing import FeedFile, Refusal
from ingest.simulator import sample_config, simulate, write_export_folder
from orchestration.settings import PROJECT_ROOT, Settings
from warehouse.store import Store

logger = logging.getLogger(__name__)

SAMPLE = "sample"
APIFY = "apify"


class MixedDataError(ValueError):
    """Simulated rows were about to be landed beside real ones."""


@dataclass(frozen=True, slots=True)
class Offer:
    """What a source offers: feed files, and what looks like feeds but is none."""

    name: str
    feeds: list[FeedFile]
    refusals: list[Refusal]


def default_source(settings: Settings) -> str:
    """`apify` with a token, else the simulated sample."""
    return APIFY if settings.apify_token else SAMPLE


def configured_markets(project_root: Path = PROJECT_ROOT) -> list[str]:
    """Market codes of seeds/markets.csv, in file order."""
    with (project_root / "seeds" / "markets.csv").open(encoding="utf-8", newline="") as stream:
        return [row["market"].strip().upper() for row in csv.DictReader(stream)]


def offer(source: str, settings: Settings, store: Store, *, until: datetime | None = None) -> Offer:
    """The feed files of a source.

    Args:
        source: `sample`, `apify`, or the path of an export folder.
        settings: For tokens and task ids.
        store: For where downloads and the sample are kept.
        until: Feeds observed later than this aware time are left out.

    Raises:
        FileNotFoundError: The folder does not exist.
        ValueError: The source needs a setting that is missing.
    """
    markets = configured_markets()
    if source == APIFY:
        message = "source apify is not available: set APIFY_TOKEN and the task ids, or give --source DIR"
        raise ValueError(message)
    if source == SAMPLE:
        directory = ensure_sample(store)
        feeds, refusals = export_folder.scan(directory, markets, source=SAMPLE, until=until)
        return Offer(SAMPLE, feeds, refusals)
    feeds, refusals = export_folder.scan(Path(source).expanduser(), markets, until=until)
    return Offer("folder", feeds, refusals)


def ensure_sample(store: Store) -> Path:
    """The simulated export folder of this home, made on first use."""
    directory = store.data / SAMPLE
    stamp = directory.with_suffix(".config")
    config = sample_config()
    if not stamp.exists() or stamp.read_text(encoding="utf-8") != repr(config):
        directory.parent.mkdir(parents=True, exist_ok=True)
        write_export_folder(simulate(config), directory)
        stamp.write_text(repr(config), encoding="utf-8")
    return directory


def keep_apart(source: str, store: Store) -> Path | None:
    """Never lets simulated and real rows meet in one warehouse.

    A real source arriving at a home that holds nothing but the sample sets the sample's files aside; nothing is
    deleted. The sample is refused where real data is.

    Returns:
        Where the sample's build file was moved to, if it was.

    Raises:
        MixedDataError: The sample was asked for in a home with real data.
    """
    if not store.build_path.exists():
        return None
    with store.writer() as connection:
        landing.ensure_tables(connection)
        row = connection.execute("select count(*), count(*) filter (source = 'sample') from raw.loads").fetchone()
    total, simulated = row or (0, 0)
    if source == SAMPLE and total > simulated:
        message = (
            f"{store.home} holds real data: the simulated sample needs a home of its own. Use --home DIR, or give the"
            " real source with --source apify or --source DIR."
        )
        raise MixedDataError(message)
    if source == SAMPLE or total == 0 or simulated == 0:
        return None
    with store.lock():
        aside = store.build_path.with_name(f"build.sample-{datetime.now(UTC):%Y%m%dT%H%M%S}.duckdb")
        store.build_path.rename(aside)
        store.published_path.unlink(missing_ok=True)
    logger.warning("the simulated sample was set aside as %s: from here on this home holds real data", aside.name)
    return aside
