"""The results of a build as Dagster's events: what was made, and what the checks found.

Belongs here: which event says what of a node. Must not be here: when they are stored (`models`), what an event need not
say (`thrift`).

Dagster makes two events of a result that a computation yields as its output, asks the log for the versions of all that
it was made from, and writes the first only for steps that wait for it: of the 446 nodes of a small day that took as
long as the models themselves. No step waits for a check, or for a table that is not published: theirs are given as the
events that stay.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import dagster as dg
from dagster._core.definitions.asset_checks.asset_check_evaluation import AssetCheckEvaluationTargetMaterializationData

from engine import rebuild
from engine.dbt_runner import NodeResult
from orchestration.dbt_specs import DBT_UNIQUE_ID, MARTS
from orchestration.partitions import run_dates
from warehouse.publish import CheckWarning

Event = dg.MaterializeResult | dg.AssetMaterialization | dg.AssetCheckEvaluation


class BuildEvents:
    """What a run tells of the nodes it built.

    Args:
        context: Of the step that builds.
    """

    def __init__(self, context: dg.AssetExecutionContext) -> None:
        self._instance, self._run_id, self._dates = context.instance, context.run.run_id, run_dates(context)
        selected, selected_checks = context.selected_asset_keys, context.selected_asset_check_keys
        self._specs = {spec.metadata[DBT_UNIQUE_ID]: spec for spec in context.assets_def.specs if spec.key in selected}
        self._checks = {
            spec.metadata[DBT_UNIQUE_ID]: spec
            for spec in context.assets_def.check_specs
            if spec.metadata and DBT_UNIQUE_ID in spec.metadata and spec.key in selected_checks
        }
        # An output is given once, whatever is built again.
        self._given: set[dg.AssetKey] = set()
        self._made: dict[dg.AssetKey, AssetCheckEvaluationTargetMaterializationData | None] = {}

    def of(
        self,
        results: Sequence[NodeResult],
        told: Mapping[str, Mapping[str, Any]],
        found: Sequence[CheckWarning] = (),
    ) -> Iterator[Event]:
        """Events of these results, of what the run selected.

        Args:
            results: Of models and checks, in any order.
            told: More metadata, by dbt's id.
            found: What checks found, with the dates.
        """
        checked = []
        for result in results:
            metadata: dict[str, Any] = {"seconds": round(result.seconds, 3), **told.get(result.unique_id, {})}
            if result.unique_id in self._specs and result.status == "success":
                yield from self._made_now(self._specs[result.unique_id], metadata)
            elif result.unique_id in self._checks:
                checked.append((self._checks[result.unique_id], result, metadata))
        self._look_up({spec.asset_key for spec, _, _ in checked})
        for spec, result, metadata in checked:
            yield self._checked(spec, result, metadata, found)

    def _made_now(self, spec: dg.AssetSpec, metadata: Mapping[str, Any]) -> Iterator[Event]:
        self._made.pop(spec.key, None)
        is_awaited = spec.group_name == MARTS or len(self._dates) > 1
        if is_awaited and spec.key not in self._given:
            # Publishing waits for the marts; of a range of dates Dagster stores the events as a batch.
            self._given.add(spec.key)
            yield dg.MaterializeResult(asset_key=spec.key, metadata=metadata)
            return
        versions = {"dagster/data_version": self._run_id, "dagster/code_version": spec.code_version or self._run_id}
        for day in self._dates:
            yield dg.AssetMaterialization(spec.key, partition=day, metadata=metadata, tags=versions)

    def _checked(
        self,
        spec: dg.AssetCheckSpec,
        result: NodeResult,
        metadata: Mapping[str, Any],
        found: Sequence[CheckWarning],
    ) -> dg.AssetCheckEvaluation:
        has_passed = result.status == "pass"
        return dg.AssetCheckEvaluation(
            asset_key=spec.asset_key,
            check_name=spec.name,
            passed=has_passed,
            metadata=metadata if has_passed else {**metadata, **_failing(result, found)},
            target_materialization_data=self._made[spec.asset_key],
            severity=dg.AssetCheckSeverity.WARN if result.status == "warn" else dg.AssetCheckSeverity.ERROR,
        )

    def _look_up(self, keys: set[dg.AssetKey]) -> None:
        """What checks looked at: the catalogue says of an outcome whether it is about the newest table."""
        asked = [key for key in keys if key not in self._made]
        for record in self._instance.get_asset_records(asked) if asked else ():
            newest = record.asset_entry.last_materialization_record
            if newest is not None and newest.run_id == self._run_id:
                self._made[record.asset_entry.asset_key] = _target(newest)
        for key in asked:
            if key not in self._made:
                # Not made by this run: the newest of its dates.
                asked_for = dg.AssetRecordsFilter(asset_key=key, asset_partitions=list(self._dates))
                found = self._instance.fetch_materializations(asked_for, limit=1).records
                self._made[key] = _target(found[0]) if found else None


def _target(record: dg.EventLogRecord) -> AssetCheckEvaluationTargetMaterializationData:
    return AssetCheckEvaluationTargetMaterializationData(
        run_id=record.run_id, storage_id=record.storage_id, timestamp=record.timestamp
    )


def _failing(result: NodeResult, found: Sequence[CheckWarning]) -> dict[str, Any]:
    """What is told of a check that did not pass; of the hundreds that do, nothing is."""
    lines = [
        f"- {finding.as_of_date or 'all dates'}: {finding.message}"
        for finding in found
        if finding.name == rebuild.test_name(result)
    ]
    return {
        "status": result.status,
        "failing_rows": result.failures or 0,
        "message": result.message,
        "found": dg.MetadataValue.md("\n".join(lines) or "nothing"),
    }
