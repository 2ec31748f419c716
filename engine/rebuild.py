"""Making everything derived again from the facts, at the cut-offs that were stored.

Belongs here: which dates, in what order, what it will take, and putting the new files in place. Must not be here: how
models are run (`compiled_models`), what the files are (`warehouse.store`).

Facts are only read: nothing is fetched or sent, no cut-off moves, and what people were told stays as it is. The new
files come to be beside the old ones, which are read until the new ones are whole. A date whose blocking check fails is
left out, as it was when it was built first.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from pathlib import Path

import duckdb

from engine import compiled_models, compiler, dbt_runner, edits
from engine.dbt_runner import DbtFailedError, NodeResult
from engine.engines import DUCKDB, Engine
from engine.version import git_sha, project_version
from ingest import facts, landing
from warehouse import completeness, publish
from warehouse.completeness import IncompleteMartsError, LostRowsError
from warehouse.publish import CheckWarning, Publication
from warehouse.store import Store, checkpoint

logger = logging.getLogger(__name__)

# Readings per build of several dates: bounds memory; a day that is larger is built alone.
ROWS_PER_BATCH = 1_000_000
# Dates per build: each has scores over a window of its own. 365 of 2 x 300 videos are built within DuckDB's 4 GiB,
# 1,095 are not.
DATES_PER_BATCH = 366
# What a run makes again by itself; a longer rebuild is the user's to start.
OWN_ACCORD_S = 60.0
# Measured on 2 cores with DuckDB (`benchmarks/RESULTS.md`): a date of 100 items, an item of a large date.
_DATE_S, _ITEM_S = 0.05, 0.0003

# Whether the facts of dates are those that they were built with: rows that were landed later for a date would be in
# some of its models alone, if others stayed as they are.
_NOTHING_CAME = """
with builds as (from meta.builds where list_contains(?::date[], as_of_date))

select
    not exists (
        select 1 from builds inner join facts.raw.loads as loads
            on loads.landed_at > builds.built_at and loads.observed_at <= builds.cutoff_at
        where loads.item_count > 0
    )
    and not exists (
        select 1 from builds inner join facts.raw.revenue_reads as reads
            on reads.attempted_at > builds.built_at and reads.attempted_at < builds.cutoff_at + interval 6 hour
    )
    and not exists (
        select 1 from builds inner join facts.meta.revenue_cutoffs as renewed
            on renewed.as_of_date = builds.as_of_date and renewed.cutoff_at > builds.built_at
    )
    and not exists (
        select 1 from builds inner join facts.meta.cutoffs as cutoffs
            on cutoffs.as_of_date = builds.as_of_date and cutoffs.cutoff_at <> builds.cutoff_at
    )
    and coalesce(
        (select max(landed_at) from facts.raw.seasonal_dates) < (select min(built_at) from builds), true
    )
"""


class RebuildNeededError(RuntimeError):
    """The home has to be rebuilt, which takes too long to be done by the way; the message says how and how long."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a rebuild builds.

    Attributes:
        rows_by_date: Video items of each date, ISO, oldest first.
        start_s: Seconds that a build takes whatever its size.
        share: Of all models and tests, how many are made again.
    """

    rows_by_date: Mapping[str, int]
    start_s: float = DUCKDB.start_s
    share: float = 1.0

    @property
    def seconds(self) -> float:
        """About how long it takes."""
        of_dates = _DATE_S * len(self.rows_by_date) + _ITEM_S * sum(self.rows_by_date.values())
        return self.start_s + self.share * of_dates

    def describe(self) -> str:
        """Dates and time for people."""
        dates = list(self.rows_by_date)
        span = f"{dates[0]} to {dates[-1]}" if len(dates) > 1 else "".join(dates) or "no date"
        seconds = self.seconds
        return (
            f"{len(dates)} dates ({span}), about {f'{seconds / 60:.0f} min' if seconds >= 90 else f'{seconds:.0f} s'}"
        )


@dataclass(slots=True)
class Rebuilt:
    """What a rebuild did.

    Attributes:
        dates: Dates that were built, ISO.
        left_out: Why a date was not built, by date.
        publication: The published file; None where nothing was built.
    """

    dates: list[str] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)
    publication: Publication | None = None


def batches(rows_by_date: Mapping[str, int], limit: int = ROWS_PER_BATCH) -> list[list[str]]:
    """Splits dates (ISO, with their rows) into consecutive batches of at most `limit` rows, at least one date each.

    None has more than `DATES_PER_BATCH` dates.
    """
    result: list[list[str]] = []
    rows = 0
    for as_of_date in sorted(rows_by_date):
        is_full = not result or len(result[-1]) == DATES_PER_BATCH
        if is_full or rows + rows_by_date[as_of_date] > limit:
            result.append([])
            rows = 0
        result[-1].append(as_of_date)
        rows += rows_by_date[as_of_date]
    return result


def rows_by_date(connection: duckdb.DuckDBPyConnection, dates: Sequence[date]) -> dict[str, int]:
    """Video items that were landed for each of the dates, by ISO date; the connection sees `raw`."""
    found = connection.execute(
        "select observed_at::date::varchar, sum(item_count)::bigint from raw.loads"
        " where kind = 'videos' and list_contains(?::date[], observed_at::date) group by 1",
        [list(dates)],
    ).fetchall()
    return dict.fromkeys((day.isoformat() for day in sorted(dates)), 0) | dict(found)


def plan(store: Store, first: date | None = None, last: date | None = None, *, engine: Engine = DUCKDB) -> Plan:
    """What a rebuild of a range builds: the dates that anything was landed for.

    Args:
        store: The home.
        first: First date; all by default.
        last: Last date; all by default.
        engine: What will build them.

    Raises:
        WarehouseBusyError: Another process is writing.
    """
    with facts.writer(store) as connection:
        dates = [
            day
            for day in landing.landed_dates(connection)
            if (first is None or day >= first) and (last is None or day <= last)
        ]
        return Plan(rows_by_date(connection, dates), engine.start_s)


def rebuild(
    project_dir: Path,
    store: Store,
    wanted: Plan,
    *,
    engine: Engine = DUCKDB,
    is_part: bool = False,
    edited: edits.Part | None = None,
    on_result: Callable[[NodeResult], object] | None = None,
) -> Rebuilt:
    """Makes the derived files of a home again and puts them in place; the published file is not touched.

    Args:
        project_dir: Folder of dbt_project.yml.
        store: The home; the writer lock is held to the end.
        wanted: The dates.
        engine: What builds them.
        is_part: Other dates stay as they are, in a home that is current; else nothing but these dates is there then.
        edited: What is made again of a home that was built with another version of the project on DuckDB; the rows of
            all other models stay. The dates are all that were built; those that are not wanted count as not built.
        on_result: Called with each node's result.

    Raises:
        OutdatedHomeError: A part was asked for, of a home that another version of the project made.
        WarehouseBusyError: Another process is writing.
    """
    done = Rebuilt()
    run_id = f"rebuild-{datetime.now(UTC):%Y%m%dT%H%M%S}"
    compiler.compiled(project_dir)
    with store.lock():
        fresh = store.rebuilding()
        # What a killed rebuild left is made anew: it may be of another version.
        shutil.rmtree(fresh.build_path.parent, ignore_errors=True)
        if is_part:
            _copy_derived(project_dir, store, fresh, engine)
        elif edited:
            _copy_files(store, fresh)
            with fresh.model_writer() as connection:
                compiled_models.create_relations(connection, project_dir, edited.remade)
                if edited.names:
                    built = {day.isoformat() for day in publish.all_built(connection)}
                    publish.forget_builds(connection, sorted(built - wanted.rows_by_date.keys()))
                _note_edited(connection, project_dir, edited)
        with fresh.model_writer() as connection:
            compiled_models.prepare(connection, project_dir, engine.fingerprint(project_dir))
        for batch in batches(wanted.rows_by_date):
            _build(project_dir, fresh, batch, run_id, done, on_result, engine, edited.names if edited else None)
        with fresh.model_writer() as connection:
            if edited and edited.names:
                # Only some of the per-day tables hold these dates: a part of a date has nothing to stand on.
                connection.execute("delete from intermediate.int_as_of")
            checkpoint(connection)
        store.take_over_rebuilt()
    return done


def rebuild_and_publish(
    project_dir: Path,
    store: Store,
    wanted: Plan,
    *,
    engine: Engine = DUCKDB,
    is_part: bool = False,
    on_result: Callable[[NodeResult], object] | None = None,
) -> Rebuilt:
    """`rebuild`, and then the published file in one step; arguments as there."""
    with store.lock():
        done = rebuild(project_dir, store, wanted, engine=engine, is_part=is_part, on_result=on_result)
        if publish.has_builds(store):
            done.publication = publish.publish(
                store,
                run_id=f"rebuild-{datetime.now(UTC):%Y%m%dT%H%M%S}",
                git_sha=git_sha(project_dir),
                descriptions=dbt_runner.descriptions(dbt_runner.ensure_manifest(project_dir)),
            )
    return done


def ensure_current(
    project_dir: Path,
    store: Store,
    wanted: Sequence[date],
    *,
    engine: Engine = DUCKDB,
    is_part: bool = False,
    on_begin: Callable[[Plan], object] | None = None,
    on_result: Callable[[NodeResult], object] | None = None,
) -> Rebuilt | None:
    """Rebuilds what another version of the project made otherwise, where that is done in under a minute.

    Args:
        project_dir: Folder of dbt_project.yml.
        store: The home.
        wanted: The dates that the caller builds itself afterwards.
        engine: What builds.
        is_part: The caller builds only some models of them: they are rebuilt too.
        on_begin: Called with what will be built.
        on_result: Called with each node's result.

    Returns:
        What was rebuilt; None where nothing had to be.

    Raises:
        RebuildNeededError: It takes longer; the message says how long, and how to start it.
    """
    fingerprint = engine.fingerprint(project_dir)
    is_on_duckdb = engine.name == DUCKDB.name
    with store.model_writer() as connection:
        is_new = compiled_models.is_new(connection)
        noted = {} if is_new else compiled_models.built_nodes(connection)
        if not is_new and compiled_models.is_current(connection, fingerprint):
            if is_on_duckdb and not noted:
                # A home of a version that noted less.
                compiled_models.record_built(connection, fingerprint, compiler.compiled(project_dir))
            return None
        if is_new and not publish.is_published_of(store, connection):
            return None
        built = {day.isoformat() for day in publish.all_built(connection)}
    everything = plan(store, engine=engine)
    others = [day for day in everything.rows_by_date if date.fromisoformat(day) not in wanted]
    # A date that others come after is built in its place in time: they look back at it.
    all_before = not is_part and (not others or max(others) < min(wanted).isoformat())
    chosen = others if all_before else list(everything.rows_by_date)
    # What was never built as a whole has no rows that could stay.
    edited = _reached(project_dir, store, chosen, noted) if is_on_duckdb and built.issuperset(chosen) else None
    if edited and not edited.names | edited.remade:
        # Texts alone.
        with store.model_writer() as connection:
            _note_edited(connection, project_dir, edited)
        return None
    if edited:
        everything = replace(everything, share=edited.share)
        chosen = chosen if edited.names else []
    needed = replace(everything, rows_by_date={day: everything.rows_by_date[day] for day in chosen})
    if needed.rows_by_date and needed.seconds > OWN_ACCORD_S:
        message = (
            f"the project or its engine changed since this home was built: {replace(needed, share=1.0).describe()}."
            " Start it with `trends rebuild`, then run this again; until then the published file stays as it is"
        )
        raise RebuildNeededError(message)
    if on_begin:
        on_begin(needed)
    return rebuild(project_dir, store, needed, engine=engine, edited=edited, on_result=on_result)


def _reached(project_dir: Path, store: Store, dates: Sequence[str], noted: Mapping[str, str]) -> edits.Part | None:
    """What an edit reaches, where nothing but the project changed since these dates (ISO) were built."""
    with store.model_writer() as connection:
        [(stays,)] = connection.execute(_NOTHING_CAME, [list(dates)]).fetchall()
    return edits.part(compiler.compiled(project_dir), noted) if stays else None


def record(
    project_dir: Path,
    store: Store,
    batch: Sequence[str],
    results: Sequence[NodeResult],
    run_id: str,
    *,
    is_build: bool = True,
) -> list[CheckWarning]:
    """Notes the dates of a batch as built, with what its checks found; returns that.

    Args:
        project_dir: Folder of dbt_project.yml, whose version the dates are noted with.
        store: The home; no connection to its derived files is open, so that their rows are read from the disk.
        batch: ISO dates.
        results: Of all nodes that ran.
        run_id: The run.
        is_build: Whether the dates count as built; False after a failure, and for a poll.

    Raises:
        DbtFailedError: A relation has other rows than were written into it; nothing is noted.
    """
    lost: Exception | None = None
    with store.model_writer() as connection:
        seen = [
            finding
            for result in results
            if result.query
            for finding in publish.findings(connection, test_name(result), result.query, result.failures or 0)
        ]
        try:
            completeness.require_written(connection, {str(result.relation): result.rows for result in results})
            if is_build:
                checked = [test_name(result) for result in results if result.resource_type == "test"]
                publish.record_builds(connection, batch, run_id, seen, checked, version=project_version(project_dir))
        except (IncompleteMartsError, LostRowsError) as error:
            lost = error
        checkpoint(connection)
    if lost is not None:
        raise DbtFailedError(str(lost), results) from None
    return seen


def test_name(result: NodeResult) -> str:
    """Name of the test behind a result."""
    return result.unique_id.split(".")[2]


def _build(
    project_dir: Path,
    store: Store,
    batch: Sequence[str],
    run_id: str,
    done: Rebuilt,
    on_result: Callable[[NodeResult], object] | None,
    engine: Engine,
    names: Collection[str] | None,
) -> None:
    """Builds a batch; where it fails, its halves, down to the date that fails alone, which is left out."""
    with store.model_writer() as connection:
        publish.forget_builds(connection, batch)
    try:
        results = engine.build(project_dir, store, batch, names=names, on_result=on_result)
        record(project_dir, store, batch, results, run_id)
    except DbtFailedError as error:
        if len(batch) == 1:
            done.left_out[batch[0]] = str(error)
            logger.warning("%s is left out: %s", batch[0], error)
            return
        half = len(batch) // 2
        for part in (batch[:half], batch[half:]):
            _build(project_dir, store, part, run_id, done, on_result, engine, names)
        return
    done.dates += batch


def _copy_derived(project_dir: Path, store: Store, fresh: Store, engine: Engine) -> None:
    """Copies the derived files of a home that is current."""
    with store.model_writer() as connection:
        if compiled_models.is_new(connection) or not compiled_models.is_current(
            connection, engine.fingerprint(project_dir)
        ):
            message = (
                "the project changed since this home was built, so that a part of its dates can't be built alone:"
                " `trends rebuild` without --from and --to"
            )
            raise compiled_models.OutdatedHomeError(message)
    _copy_files(store, fresh)


def _copy_files(store: Store, fresh: Store) -> None:
    with store.model_writer() as connection:
        checkpoint(connection)
    fresh.build_path.parent.mkdir(parents=True)
    shutil.copyfile(store.build_path, fresh.build_path)
    shutil.copyfile(store.marts_path, fresh.marts_path)


def _note_edited(connection: duckdb.DuckDBPyConnection, project_dir: Path, edited: edits.Part) -> None:
    compiled_models.record_built(connection, dbt_runner.fingerprint(project_dir), compiler.compiled(project_dir))
    publish.ensure_tables(connection)
    connection.execute(
        "delete from meta.check_results where list_contains(?::varchar[], check_name)", [sorted(edited.gone)]
    )
