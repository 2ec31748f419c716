"""The published warehouse as an asset: made only after every mart and every blocking check of the run."""

from collections.abc import Sequence
from pathlib import Path

import dagster as dg

from orchestration import progress
from orchestration.dbt_runner import descriptions
from orchestration.partitions import DAILY, SINGLE_RUN, WRITER_POOL
from orchestration.settings import PROJECT_ROOT
from orchestration.version import git_sha
from warehouse import publish
from warehouse.store import Store

PUBLISHED = dg.AssetKey(["warehouse", "trends"])


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
    def published_warehouse(context: dg.AssetExecutionContext, store: dg.ResourceParam[Store]) -> dg.MaterializeResult:
        with progress.stage("publishing"):
            publication = publish.publish(
                store,
                run_id=context.run.run_id,
                git_sha=git_sha(PROJECT_ROOT),
                descriptions=descriptions(manifest_path),
            )
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
