"""dbt assets: the project's models, seeds and tests as assets and asset checks.

Belongs here: which dates and models are built, and when their events are stored. Must not be here: what the events say
(`build_events`), how dbt is called (`dbt_runner`), how its compiled SQL is run (`compiled_models`), what the models do.
"""

import time
from collections.abc import Callable, Generator, Iterator, Sequence
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
from orchestration.assets.build_events import BuildEvents, Event
from orchestration.dbt_specs import DbtSpecs, dbt_name
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

# Results of one moment are told in one transaction: some 0.1 s, for which others who write wait.
TOLD_AFTER_S = 0.5
TOLD_TOGETHER = 50


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
        names = [dbt_name(spec) for key, spec in specs.items() if key in context.selected_asset_keys]
        is_poll = dbt.polled.issuperset(names)
        everything = not context.is_subset
        engine, events = engine_of(settings), BuildEvents(context)
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
        again: list[NodeResult] = []
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
                        done = yield from _told_meanwhile(context, events, store, building)
                    else:
                        done = building()
                    if everything and panel.play_sample(settings, store, [date.fromisoformat(day) for day in batch]):
                        again = engine.build(project_dir, store, batch, [BATCH, *panel.SCORED])
                        done = list({result.unique_id: result for result in [*done, *again]}.values())
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
        untold = [result for result in results if len(parts) > 1 or result in again or result.status not in _GOOD]
        told: dict[str, dict[str, Any]] = {}
        if untold:
            with store.model_writer() as connection:
                told = _told_of(connection, untold)
        yield from events.of(untold, told, found)
        if failure:
            reasons = [f"{finding.name}: {finding.message}" for finding in found if finding.as_of_date]
            raise dg.Failure("; ".join([str(failure), *reasons]), allow_retries=False)

    return dbt_models


def _told_meanwhile(
    context: dg.AssetExecutionContext,
    events: BuildEvents,
    store: Store,
    building: Callable[..., list[NodeResult]],
) -> Generator[Event, None, list[NodeResult]]:
    """Builds in a thread of its own and tells of the good nodes of each moment; others wait for what they found.

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
                    yield from events.of(good, _told_of(connection, good))
        return future.result()


def _waiting(done: SimpleQueue[NodeResult | None]) -> Iterator[NodeResult]:
    """The results of the next moment; the end stays in the queue."""
    until = time.monotonic() + TOLD_AFTER_S
    for _ in range(TOLD_TOGETHER):
        try:
            result = done.get(timeout=max(until - time.monotonic(), 0))
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
