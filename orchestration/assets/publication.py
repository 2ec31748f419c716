"""The published warehouse as an asset: made only after every mart and every check of the run.

What a live job publishes, people are told: it is kept as a fact (`ingest.told`).
"""

from collections.abc import Sequence
from datetime import date
from pathlib import Path

import dagster as dg

from engine import dbt_runner, progress
from engine.version import git_sha, project_version
from ingest import facts, told
from orchestration import outcomes, panel
from orchestration.partitions import DAILY, SINGLE_RUN, WRITER_POOL, run_dates
from orchestration.settings import PROJECT_ROOT, Settings
from warehouse import publish
from warehouse.store import Store

PUBLISHED = dg.AssetKey(["warehouse", "trends"])

# What the jobs that tell people something told them; a backfill and a rebuild tell nobody anything.
_KEPT = {"daily": told.keep_day, "micro_poll": told.keep_poll}


def build_published_asset(mart_keys: Sequence[dg.AssetKey], manifest_path: Path) -> dg.AssetsDefinition:
    """The asset `warehouse/trends`, downstream of the given marts."""

    @dg.asset(
        key=PUBLISHED,
        deps=list(mart_keys),
        group_name="marts",
        kinds={"duckdb"},
        partitions_def=DAILY,
        backfill_policy=SINGLE_RUN,
        pool=WRITER_POOL,
        description="`warehouse/trends.duckdb`: the marts as tables, swapped in as a whole. Open it read-only.",
    )
    def published_warehouse(
        context: dg.AssetExecutionContext, settings: dg.ResourceParam[Settings], store: dg.ResourceParam[Store]
    ) -> dg.MaterializeResult:
        with progress.stage("publishing"):
            publication = publish.publish(
                store,
                run_id=context.run.run_id,
                git_sha=git_sha(PROJECT_ROOT),
                descriptions=dbt_runner.descriptions(manifest_path),
            )
        outcomes.tell(outcomes.Published(publication.path, publication.as_of_date))
        keep = _KEPT.get(context.run.job_name)
        if keep is not None:
            # A run that built earlier dates too tells of its own alone.
            told_of = date.fromisoformat(run_dates(context)[-1])
            version, fingerprint = project_version(PROJECT_ROOT), dbt_runner.fingerprint(PROJECT_ROOT)
            with facts.writer(store) as connection:
                keep(connection, publication.path, told_of, told.Teller(context.run.run_id, version, fingerprint))
            if keep is told.keep_day:
                panel.keep_day(settings, store, told_of)
        table = "\n".join(f"| {name} | {rows} |" for name, rows in publication.tables.items())
        return dg.MaterializeResult(
            metadata={
                "path": dg.MetadataValue.path(str(publication.path)),
                "as_of_date": publication.as_of_date,
                "dagster/row_count": sum(publication.tables.values()),
                "tables": dg.MetadataValue.md(f"| mart | rows |\n|---|---|\n{table}"),
                "bytes": publication.path.stat().st_size,
            }
        )

    return published_warehouse
