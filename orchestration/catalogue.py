"""What the catalogue shows of every asset beside what its own function says: owner, columns, how fresh it should be.

Belongs here: filling these in, in one place for models, raw tables and files. Must not be here: names, groups and
descriptions of assets (theirs), reading columns (`columns`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any

import dagster as dg

from engine.columns import Column, Columns
from orchestration import timetable
from orchestration.assets.ingest import RAW_COLUMNS
from orchestration.assets.publication import PUBLISHED

SCHEMA, LINEAGE = "dagster/column_schema", "dagster/column_lineage"
# Sources named beside a column; all of them are in its lineage.
SOURCES_SHOWN = 3

# A day is late where nothing was made between midnight and the deadline.
DAILY = dg.FreshnessPolicy.cron(timetable.DAILY_DEADLINE_CRON, timedelta(hours=timetable.DAILY_DEADLINE_HOUR_UTC))


def complete(
    assets: Iterable[dg.AssetsDefinition],
    owners: Sequence[str],
    columns: Columns,
    partitions: dg.PartitionsDefinition,
    given: Sequence[str] = (),
) -> Sequence[dg.AssetsDefinition]:
    """The same assets with what the catalogue lacks.

    Args:
        assets: All assets.
        owners: Who owns what has no owner of its own.
        columns: Of the relations of the warehouse, by `schema/name`; what is not among them is left as it is.
        partitions: The dates of the home.
        given: Who owns all of them, whatever the models say; where nobody is given, these stand.
    """

    def completed(spec: dg.AssetSpec) -> dg.AssetSpec:
        found = columns.get("/".join(spec.key.path), [])
        return spec.replace_attributes(
            owners=given or spec.owners or owners,
            partitions_def=partitions,
            freshness_policy=DAILY if _is_daily(spec.key) else ...,
            metadata={**spec.metadata, **_column_metadata(spec, found)} if found else ...,
        )

    return [asset.map_asset_specs(completed) for asset in assets]


def _is_daily(key: dg.AssetKey) -> bool:
    """What a day must have brought, whatever else is set up: feeds, revenue, the published file, the day's files."""
    return key == PUBLISHED or key.path[0] in ("exports", "raw")


def _column_metadata(spec: dg.AssetSpec, found: Sequence[Column]) -> Mapping[str, Any]:
    """Column schema and lineage: descriptions are the spec's (a model's YAML), the rest is what the warehouse says."""
    told = spec.metadata.get(SCHEMA)
    described = {column.name: column.description for column in told.columns} if told else RAW_COLUMNS
    lineage = {
        column.name: [dg.TableColumnDep(dg.AssetKey(table.split("/")), source) for table, source in column.sources]
        for column in found
        if column.sources
    }
    schema = dg.TableSchema(
        columns=[
            dg.TableColumn(column.name, column.type.lower(), _about(column, described.get(column.name)))
            for column in found
        ]
    )
    return {SCHEMA: schema} | ({LINEAGE: dg.TableColumnLineage(lineage)} if lineage else {})


def _about(column: Column, description: str | None) -> str:
    """The description and, because the pages of open-source Dagster leave lineage out, where the values come from."""
    shown = ", ".join(f"`{table.split('/')[1]}.{source}`" for table, source in column.sources[:SOURCES_SHOWN])
    further = len(column.sources) - SOURCES_SHOWN
    sources = f"From {shown}{f' and {further} more' if further > 0 else ''}." if shown else ""
    return " ".join(filter(None, [description or column.comment, sources]))
