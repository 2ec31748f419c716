"""Sources: turns the word a user gives as source into feed files.

Belongs here: which ingest module serves which word, and keeping simulated and real data apart. Must not be here:
reading items (ingest), HTTP (ingest).
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from engine import progress
from ingest import export_folder
from ingest.apify import ApifyConfig, ApifyTask, RunProgress, fetch_finished, fetch_runs
from ingest.landing import KINDS, FeedFile, Missing, Refusal
from orchestration import panel, services
from orchestration.settings import PROJECT_ROOT, Settings, configured_markets
from services.receipts import RunReceipts
from warehouse.store import Store, connect, patiently

if TYPE_CHECKING:
    from ingest.revenue import RevenueReading, RevenueSheetConfig
    from ingest.seasonal import SeasonalCalendar

logger = logging.getLogger(__name__)

SAMPLE = "sample"
APIFY = "apify"
# Nothing new: what the home has is built.
LANDED = "landed"


class MixedDataError(ValueError):
    """Simulated rows were about to be landed beside real ones."""


class NothingOfferedError(ValueError):
    """A source can't bring anything; the message names the setting or the date, and the remedy."""


@dataclass(frozen=True, slots=True)
class Offer:
    """What a source offers.

    Attributes:
        name: The envelope's source name.
        feeds: Feed files, oldest first.
        refusals: Paths that look like feeds but are none.
        missing: Readings that were tried and failed, with reasons.
        notes: What else the run should say.
    """

    name: str
    feeds: list[FeedFile]
    refusals: list[Refusal]
    missing: list[Missing] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def default_source(settings: Settings) -> str:
    """`apify` with a token, else the simulated sample."""
    return APIFY if settings.apify_token else SAMPLE


def source_of(word: str, settings: Settings, store: Store) -> str:
    """The source of a run: the word given, else the default; without a token a home of real data has what was landed.

    Args:
        word: What the run was told; empty where nobody said anything.
        settings: For the token.
        store: The home.
    """
    source = word or default_source(settings)
    if word or source != SAMPLE:
        return source
    total, simulated = _loads(store)
    return LANDED if total > simulated else SAMPLE


def _loads(store: Store) -> tuple[int, int]:
    """Feed files of the home, and how many of them are simulated; looking changes nothing."""
    if not store.has_facts:
        return 0, 0
    # Homes of earlier versions have them in the build file.
    path = store.facts_path if store.facts_path.exists() else store.build_path
    with (
        store.lock(),
        closing(patiently(lambda: connect(path, read_only=True), store.lock_timeout_s)) as connection,
    ):
        has_loads = connection.execute(
            "select 1 from duckdb_tables() where schema_name = 'raw' and table_name = 'loads'"
        ).fetchall()
        if not has_loads:
            return 0, 0
        ((total, simulated),) = connection.execute(
            "select count(*), count(*) filter (source = 'sample') from raw.loads"
        ).fetchall()
    return total, simulated


def offer(
    source: str,
    settings: Settings,
    store: Store,
    *,
    until: datetime | None = None,
    run_for: date | None = None,
    run_key: str | None = None,
    noted_in: Store | None = None,
) -> Offer:
    """The feed files of a source.

    Args:
        source: `sample`, `apify`, `landed` (no feed at all), or the path of an export folder.
        settings: For tokens and task ids.
        store: For where downloads and the sample are kept.
        until: Feeds observed later than this aware time are left out.
        run_for: As-of date for which Apify tasks are run; without it only what was downloaded before is offered.
        run_key: What an Apify run is started once for; without it the date. A poll gives its hour: only its video
            tasks run then, and no run of before is reused, because reading the same data again finds nothing new.
        noted_in: Where it is noted which runs were paid (`landing_place`); the home by default.

    Raises:
        FileNotFoundError: The folder does not exist.
        NothingOfferedError: The source needs a setting that is missing.
    """
    markets = configured_markets()
    if source == LANDED:
        return Offer(LANDED, [], [])
    if source == APIFY:
        return _offer_apify(settings, store, markets, until, run_for, run_key, noted_in or store)
    if source == SAMPLE:
        directory = ensure_sample(store)
        feeds, refusals = export_folder.scan(directory, markets, source=SAMPLE, until=until)
        return Offer(SAMPLE, feeds, refusals)
    feeds, refusals = export_folder.scan(Path(source).expanduser(), markets, until=until)
    return Offer("folder", feeds, refusals)


def _offer_apify(
    settings: Settings,
    store: Store,
    markets: Sequence[str],
    until: datetime | None,
    run_for: date | None,
    run_key: str | None,
    noted_in: Store,
) -> Offer:
    config, tasks = _apify_ready(settings, markets, KINDS if run_key is None else ("videos",))
    if run_for != datetime.now(UTC).date():
        # The past cannot be scraped: an earlier date has what was landed on it.
        return Offer(APIFY, [], [])
    if run_key is not None:
        config = replace(config, reuse_hours=None)
    notes: list[str] = []
    if run_key is None:
        panel_task = panel.task(settings, noted_in, _now())
        if isinstance(panel_task, str):
            notes.append(panel_task)
        elif panel_task is not None:
            tasks.append(panel_task)
    ledger = RunReceipts(services.receipts(noted_in), run_for)
    with progress.stage("apify", len(tasks), "tasks") as shown:

        def tell(state: RunProgress) -> None:
            shown.note(f", {state.market} {state.kind} {state.status} {state.elapsed_seconds:.0f} s")
            if state.status in ("DONE", "DEGRADED"):
                shown.update()

        result = fetch_runs(
            config, tasks, ledger, _apify_directory(settings, store), run_key or run_for.isoformat(), clock=_now,
            progress=tell,
        )  # fmt: skip
    missing = [Missing(item.market, item.kind, item.reason) for item in result.degraded]
    configured = {(task.market, task.kind) for task in tasks}
    missing += [
        Missing(market, "videos", f"no task: set {market}_VIDEO_TASK_ID")
        for market in markets
        if (market, "videos") not in configured
    ]
    feeds = sorted((item.feed for item in result.fetched), key=lambda feed: feed.observed_at)
    return Offer(APIFY, [feed for feed in feeds if until is None or feed.observed_at <= until], [], missing, notes)


def _apify_ready(
    settings: Settings, markets: Sequence[str], kinds: Sequence[str]
) -> tuple[ApifyConfig, list[ApifyTask]]:
    """How Apify is asked, and the tasks that are run.

    Raises:
        NothingOfferedError: There is no token, or no video task.
    """
    config = services.apify(settings)
    if isinstance(config, str):
        message = "source apify needs APIFY_TOKEN: set it in .env, or give --source DIR"
        raise NothingOfferedError(message)
    tasks = apify_tasks(settings, markets, kinds)
    if not any(task.kind == "videos" for task in tasks):
        names = ", ".join(f"{market}_VIDEO_TASK_ID" for market in markets)
        message = f"source apify needs the id of at least one video task: set {names} in .env"
        raise NothingOfferedError(message)
    return config, tasks


def apify_tasks(settings: Settings, markets: Sequence[str], kinds: Sequence[str] = KINDS) -> list[ApifyTask]:
    """The configured tasks of the markets."""
    return [
        ApifyTask(market, kind, task_id, item_floor=settings.apify_item_floor if kind == "videos" else 1)
        for market in markets
        for kind in kinds
        if (task_id := settings.task_id(market, kind)) is not None
    ]


def offer_finished(settings: Settings, store: Store, runs: Sequence[str]) -> Offer:
    """The feeds of Apify runs that have finished, whoever started them; no run is started.

    Args:
        settings: For token and task ids.
        store: For where downloads are kept.
        runs: `<market>/<kind>/<run id>` of each.

    Raises:
        ValueError: There is no token, or no such task.
    """
    config = services.apify(settings)
    tasks = {(task.market, task.kind): task for task in apify_tasks(settings, configured_markets())}
    wanted = [(tasks.get((market, kind)), run_id) for market, kind, run_id in (run.split("/") for run in runs)]
    known = [(task, run_id) for task, run_id in wanted if task is not None]
    if isinstance(config, str) or len(known) < len(wanted):
        message = f"runs {', '.join(runs)}: APIFY_TOKEN and the task ids of their markets must be set"
        raise ValueError(message)
    result = fetch_finished(config, known, _apify_directory(settings, store), clock=_now)
    missing = [Missing(item.market, item.kind, item.reason) for item in result.degraded]
    return Offer(APIFY, sorted((item.feed for item in result.fetched), key=lambda feed: feed.observed_at), [], missing)


def _apify_directory(settings: Settings, store: Store) -> Path:
    return (settings.cache_dir or store.data) / APIFY


def _now() -> datetime:
    return datetime.now(UTC)


def ensure_sample(store: Store) -> Path:
    """The simulated export folder of this home, made on first use."""
    directory = store.data / SAMPLE
    stamp = directory.with_suffix(".config")
    # NumPy and Arrow's functions, which nothing else needs: 0.1 s of every other start.
    from simulator import sample_config, write_export_folder

    config = sample_config()
    if not stamp.exists() or stamp.read_text(encoding="utf-8") != repr(config):
        directory.parent.mkdir(parents=True, exist_ok=True)
        with progress.stage("making the simulated sample"):
            write_export_folder(panel.simulated(config), directory)
        stamp.write_text(repr(config), encoding="utf-8")
    return directory


def landing_place(source: str, store: Store) -> Store:
    """Where the feeds of a source are landed, so that simulated and real rows never meet in one warehouse.

    The first real source of a home that holds nothing but the sample is landed beside it. `take_place` makes it the
    home's own once there is something: until then a source that brings nothing has changed nothing.

    Raises:
        MixedDataError: The sample was asked for in a home with real data.
    """
    total, simulated = _loads(store)
    if source == SAMPLE and total > simulated:
        message = (
            f"{store.home} holds real data: the simulated sample needs a home of its own. Use --home DIR, or give the"
            " real source with --source apify or --source DIR."
        )
        raise MixedDataError(message)
    if source in (SAMPLE, LANDED) or total > simulated:
        return store
    beside = store.beside("first-real")
    # Also where a process was killed while its files took their place.
    return beside if simulated or beside.warehouse.exists() else store


def take_place(landed: Store, store: Store) -> None:
    """Sets the sample's private files aside, deleting nothing, and puts what was landed beside them in their place.

    The sample stays published until the first real dates are.

    Args:
        landed: What `landing_place` gave; nothing is done where that is the home itself.
        store: The home.
    """
    if landed == store:
        return
    with store.lock():
        if store.has_facts:
            aside = store.set_aside("sample")
            logger.warning("the simulated sample was set aside as %s: from here on this home holds real data", aside)
        store.take_over(landed)


def check_offer(source: str, dates: Sequence[date], settings: Settings, store: Store) -> None:
    """Makes sure, before anything is run, that a source can bring something for one of the dates.

    What is landed already counts too, so a home with real data is asked by the run itself.

    Raises:
        NothingOfferedError: It can't; the message names the remedy.
        FileNotFoundError: The folder does not exist.
    """
    if source == APIFY:
        _apify_ready(settings, configured_markets(), KINDS)
    if source in (SAMPLE, LANDED):
        return
    total, simulated = _loads(store)
    if total > simulated:
        return
    if source == APIFY:
        if dates[-1] != datetime.now(UTC).date():
            message = (
                f"source apify brings today's readings only, and nothing was landed for {dates[-1]}: leave --date out"
            )
            raise NothingOfferedError(message)
        return
    offered = sorted({feed.observed_at.date() for feed in offer(source, settings, store).feeds})
    if not set(dates).intersection(offered):
        wanted = dates[0].isoformat() if len(dates) == 1 else f"{dates[0]} to {dates[-1]}"
        have = f"it has {offered[0]} to {offered[-1]}" if offered else "it has none at all"
        message = f"source {source} has no feed for {wanted}: {have}. Give another --date or --source."
        raise NothingOfferedError(message)


def seasonal_calendar(project_root: Path = PROJECT_ROOT) -> SeasonalCalendar:
    """The dates of the seasonal events, from the seeds a user edits.

    Raises:
        SeasonalSeedError: A row cannot be used; the message names file, row and remedy.
    """
    # Calendars of many faiths: nothing that a poll should wait for.
    from ingest.seasonal import check_windows, read_events, resolve_calendar

    check_windows(project_root / "seeds" / "content_windows.csv")
    return resolve_calendar(read_events(project_root / "seeds" / "seasonal_events.csv"))


def revenue(settings: Settings, store: Store, *, now: datetime, project_root: Path = PROJECT_ROOT) -> RevenueReading:
    """Revenue from the best source there is: the live sheet where one is set, its cache, the shipped entries.

    Raises:
        RevenueReadError: Even the shipped entries can't be read.
    """
    from ingest.revenue import read_revenue

    return read_revenue(
        revenue_sheet(settings), revenue_cache(settings, store), project_root / "seeds" / "revenue_seed.csv", now=now
    )


def revenue_sheet(settings: Settings) -> RevenueSheetConfig | None:
    """The sheet revenue is read from; None where none is set."""
    sheet_id = settings.revenue_sheet_id or settings.dashboard_sheet_id
    if not sheet_id:
        return None
    from ingest.revenue import RevenueSheetConfig
    from services.google_auth import GoogleConfig

    google = services.google(settings) or GoogleConfig(token_uri=settings.google_token_uri)
    config = RevenueSheetConfig(sheet_id, google, settings.revenue_tab, settings.sheets_endpoint)
    return replace(config, policy=services.paced(config.policy, settings))


def revenue_cache(settings: Settings, store: Store) -> Path:
    """Where the last good reading of the sheet is kept."""
    return (settings.cache_dir or store.data) / "revenue_cache.json"
