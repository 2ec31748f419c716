"""dbt assets: the project's models, seeds and tests as assets and asset checks.

Belongs here: which dates and models are built, turning results into Dagster events. Must not be here: how dbt is
called (`dbt_runner`), how its compiled SQL is run (`compiled_models`), what the models do.
"""

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import date
from functools import partial
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

import dagster as dg
import duckdb

from engine import rebuild
from engine.dbt_runner import DbtFailedError, NodeResult
from ingest import landing
from orchestration import panel, plots
from orchestration.dbt_specs import DBT_UNIQUE_ID, DbtSpecs, dbt_name
from orchestration.engines import engine_of
from orchestration.event_log import one_transaction
from orchestration.partitions import DAILY, SINGLE_RUN, WRITER_POOL, run_dates
from orchestration.settings import Settings
from warehouse.publish import CheckWarning, built_dates, forget_builds, held_dates, pending_dates, pending_polls
from warehouse.store import Store

# The model that holds the dates of a build.
BATCH = "int_as_of"

# The model whose last days are drawn.
PICTURED = "videos_daily"

NEVER_BUILT = (
    "{dates}: no such date was built as a whole yet, and a part of it cannot be built alone. Run the job `daily` for it"
)

# What is told as soon as it is there: nothing was found about it.
_GOOD = ("success", "pass")

# Results whose events are one transaction: some 30 ms, for which others who write wait.
TOLD_TOGETHER = 10


def build_dbt_assets(project_dir: Path, dbt: DbtSpecs) -> dg.AssetsDefinition:
    """The project's models and seeds as one computation over a date or a range of dates.

    Args:
        project_dir: Folder of dbt_project.yml.
        dbt: Its specs.
    """

    @dg.multi_asset(
        name="dbt_models",
        specs=[spec.replace_attributes(skippable=True, partitions_def=DAILY) for spec in dbt.assets],
        check_specs=dbt.checks,
        can_subset=True,
        backfill_policy=SINGLE_RUN,
        pool=WRITER_POOL,
    )
    def dbt_models(
        context: dg.AssetExecutionContext, settings: dg.ResourceParam[Settings], store: dg.ResourceParam[Store]
    ) -> Iterator[Any]:
        """Seeds, models and data tests for the run's dates and for landed earlier dates that were never built."""
        wanted = [date.fromisoformat(key) for key in run_dates(context)]
        specs = context.assets_def.specs_by_key
        by_unique_id = {spec.metadata[DBT_UNIQUE_ID]: key for key, spec in specs.items()}
        names = [dbt_name(spec) for key, spec in specs.items() if key in context.selected_asset_keys]
        is_poll = dbt.polled.issuperset(names)
        everything = not context.is_subset
        engine = engine_of(settings)
        rebuild.ensure_current(
            project_dir,
            store,
            wanted,
            engine=engine,
            is_part=context.is_subset,
            on_begin=lambda plan: context.log.warning(f"the project changed: rebuilding {plan.describe()}"),
        )
        with store.model_writer() as connection:
            landed = landing.landed_dates(connection)
            if is_poll:
                pending = pending_polls(connection, landed, wanted, engine.last_load)
            elif everything:
                pending = pending_dates(connection, landed, wanted)
            else:
                pending = built_dates(connection, wanted)
                if not pending:
                    raise dg.Failure(NEVER_BUILT.format(dates=", ".join(run_dates(context))), allow_retries=False)
                # The per-day tables hold the dates of the last build: a part of any other has nothing to stand on.
                everything = held_dates(connection) != pending
                # The tests of a date ask it which dates were built.
                names.append(BATCH)
            rows = rebuild.rows_by_date(connection, pending)
        results: list[NodeResult] = []
        found: list[CheckWarning] = []
        failure: DbtFailedError | None = None
        parts = rebuild.batches(rows)
        for batch in parts:
            context.log.info(f"building {batch[0]} to {batch[-1]} ({len(batch)} dates)")
            building = partial(engine.build, project_dir, store, batch, None if everything else names)
            # Another command must not publish between: what is being built does not count as built.
            with store.lock():
                with store.model_writer() as connection:
                    # A poll changes nothing of what was built for a date.
                    forget_builds(connection, [] if is_poll else batch)
                try:
                    if len(parts) == 1:
                        done = yield from _told_meanwhile(context, by_unique_id, store, building)
                    else:
                        done = building()
                    if everything and panel.play_sample(settings, store, [date.fromisoformat(day) for day in batch]):
                        done = [*done, *engine.build(project_dir, store, batch, [BATCH, *panel.SCORED])]
                        done = list({result.unique_id: result for result in done}.values())
                except DbtFailedError as error:
                    done, failure = error.results, error
                # Of several batches the last outcome of a node counts; seeds ran in the first one only.
                results = list({result.unique_id: result for result in [*results, *done]}.values())
                is_build = not failure and not is_poll
                try:
                    found += rebuild.record(project_dir, store, batch, done, context.run.run_id, is_build=is_build)
                except DbtFailedError as error:
                    failure = failure or error
            if failure:
                break
        untold = [result for result in results if len(parts) > 1 or result.status not in _GOOD]
        told: dict[str, dict[str, Any]] = {}
        if untold:
            with store.model_writer() as connection:
                told = _told_of(connection, untold)
        yield from _events(context, by_unique_id, untold, found, told)
        if failure:
            reasons = [f"{finding.name}: {finding.message}" for finding in found if finding.as_of_date]
            raise dg.Failure("; ".join([str(failure), *reasons]), allow_retries=False)

    return dbt_models


def _told_meanwhile(
    context: dg.AssetExecutionContext,
    by_unique_id: Mapping[str, dg.AssetKey],
    store: Store,
    building: Callable[..., list[NodeResult]],
) -> Generator[dg.MaterializeResult | dg.AssetCheckResult, None, list[NodeResult]]:
    """Builds in a thread of its own and tells of each good node at once; others wait for what they found.

    DuckDB builds while Dagster writes its events, which take as long as the models of a small day.

    Raises:
        DbtFailedError: A node failed; `results` holds what ran.
    """
    done: SimpleQueue[NodeResult | None] = SimpleQueue()
    with ThreadPoolExecutor(1) as pool, ExitStack() as stack:
        future = pool.submit(building, on_result=done.put)
        future.add_done_callback(lambda _: done.put(None))
        connection = None
        while (result := done.get()) is not None:
            # With what is there already, in one transaction: committing takes as long as writing.
            good = [entry for entry in (result, *_waiting(done)) if entry.status in _GOOD]
            if good:
                # Not before there is a result: dbt itself opens the file in its own way.
                connection = connection or stack.enter_context(store.model_writer())
                with one_transaction(context.instance, context.run.run_id):
                    yield from _events(context, by_unique_id, good, [], _told_of(connection, good))
        return future.result()


def _waiting(done: SimpleQueue[NodeResult | None]) -> Iterator[NodeResult]:
    """The results that are there, up to `TOLD_TOGETHER`; the end stays in the queue."""
    for _ in range(TOLD_TOGETHER):
        try:
            result = done.get_nowait()
        except Empty:
            return
        if result is None:
            done.put(None)
            return
        yield result


def _told_of(connection: duckdb.DuckDBPyConnection, results: Sequence[NodeResult]) -> dict[str, dict[str, Any]]:
    """Rows of each relation that was built, by its node's id, and a picture for the videos of the last days.

    One query for all of them takes 15 ms: DuckDB knows the size of a table.
    """
    built = {result.unique_id: result.relation for result in results if result.status == "success" and result.relation}
    if not built:
        return {}
    counts = connection.execute(
        " union all ".join(f"select '{node}', count(*) from {relation}" for node, relation in built.items())
    ).fetchall()
    told: dict[str, dict[str, Any]] = {node: {"dagster/row_count": rows} for node, rows in counts}
    for node, relation in built.items():
        if node.endswith(f".{PICTURED}"):
            days = connection.execute(
                f"select as_of_date, market, count(*) from {relation}"
                " where as_of_date > (select max(as_of_date) from facts.meta.cutoffs) - to_days(?) group by 1, 2",
                [plots.DAYS_SHOWN],
            ).fetchall()
            told[node]["videos_per_day"] = plots.daily_bars("Videos per day", days)
    return told


def _events(
    context: dg.AssetExecutionContext,
    by_unique_id: Mapping[str, dg.AssetKey],
    results: Sequence[NodeResult],
    found: Sequence[CheckWarning],
    told: Mapping[str, Mapping[str, Any]],
) -> Iterator[dg.MaterializeResult | dg.AssetCheckResult]:
    checks = {
        spec.metadata[DBT_UNIQUE_ID]: spec.key
        for spec in context.assets_def.check_specs
        if spec.metadata and DBT_UNIQUE_ID in spec.metadata
    }
    for result in results:
        metadata: dict[str, Any] = {"seconds": round(result.seconds, 3)}
        if result.unique_id in by_unique_id:
            key = by_unique_id[result.unique_id]
            if result.status == "success" and key in context.selected_asset_keys:
                yield dg.MaterializeResult(asset_key=key, metadata={**metadata, **told.get(result.unique_id, {})})
        elif result.unique_id in checks and checks[result.unique_id] in context.selected_asset_check_keys:
            yield dg.AssetCheckResult(
                asset_key=checks[result.unique_id].asset_key,
                check_name=checks[result.unique_id].name,
                passed=result.status == "pass",
                severity=dg.AssetCheckSeverity.WARN if result.status == "warn" else dg.AssetCheckSeverity.ERROR,
                metadata=metadata if result.status == "pass" else {**metadata, **_failing(result, found)},
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
