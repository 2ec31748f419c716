"""The forecast scorecard on real daily lists, where they lie beside the repository.

Belongs here: running the product over the set. Must not be here: scoring (the product's own marts and scorecard).
"""

from __future__ import annotations

import time
from pathlib import Path

from benchmarks.home import PROJECT, backfill
from exports import published
from exports.text import scorecard

SERIES = PROJECT.parent / "shared" / "data" / "daily_lists"


def report(directory: Path) -> str:
    """Builds all dates of the set and prints the scorecard of the published file.

    Args:
        directory: An empty directory for the home.
    """
    heading = "## Forecast scorecard on real daily lists\n\n"
    if not SERIES.is_dir():
        return f"{heading}Not run: the set is not beside this checkout (`../shared/data/daily_lists`)."
    started = time.monotonic()
    store = backfill(SERIES, directory)
    seconds = time.monotonic() - started
    with store.published_reader() as connection:
        text = scorecard.report(*published.scorecard_days(connection))
    return f"{heading}All dates as one batch in {seconds:.0f} s (landing, models, publishing).\n\n```text\n{text}\n```"
