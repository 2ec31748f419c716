"""A home filled from an export folder: landing, models and publishing, without exports.

Belongs here: what benchmarks and tests of the marts do before they look at numbers. Must not be here: measuring.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from engine import compiled_models, dbt_runner, rebuild
from ingest import export_folder, facts, landing
from warehouse import publish
from warehouse.store import Store

PROJECT = Path(__file__).resolve().parent.parent
MARKETS = ("US", "UK")


def backfill(folder: Path, home: Path, until: datetime | None = None) -> Store:
    """Builds and publishes every date of an export folder, in batches as `trends backfill` does.

    Args:
        folder: The export folder.
        home: An empty or absent directory.
        until: Feeds observed later than this aware time are left for a later run.

    Returns:
        The home.
    """
    store = Store(home)
    feeds, refusals = export_folder.scan(folder, MARKETS, until=until)
    now = datetime.now(UTC)
    with facts.writer(store) as connection:
        landing.land(connection, feeds, refusals, landed_at=now)
        dates = landing.landed_dates(connection)
        for day in dates:
            landing.cutoff_for(connection, day, now=now)
        rows = rebuild.rows_by_date(connection, dates)
    for batch in rebuild.batches(rows):
        results = compiled_models.build(PROJECT, store, batch)
        rebuild.record(PROJECT, store, batch, results, "benchmark")
    # With comments, as every publication has them: the measured run must not be the first to set them.
    publish.publish(
        store,
        run_id="benchmark",
        git_sha=None,
        descriptions=dbt_runner.descriptions(dbt_runner.ensure_manifest(PROJECT)),
    )
    return store
