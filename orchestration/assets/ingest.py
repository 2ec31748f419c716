"""Ingest assets: raw tables and the cut-offs of the dates a run is for.

Belongs here: wiring of sources and landing to the graph. Must not be here: reading items, table definitions.
"""

import time
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import dagster as dg
import duckdb

from engine import progress
from ingest import facts, landing, readers
from orchestration import outcomes, plots, services, sources
from orchestration.partitions import DAILY, SINGLE_RUN, WRITER_POOL, run_dates
from orchestration.settings import Settings
from warehouse.store import Store

RAW_TABLES = {
    "tiktok_videos": "Video items as they came, append-only, one row per item of a feed.",
    "tiktok_music": "Items of music feeds as they came, append-only.",
    "tiktok_panel": "Videos that were read again by URL as they came, append-only; no feed, outcomes alone read them.",
    "loads": "One row per feed file that was offered: landed, repeat, empty or unreadable, and why.",
    "seasonal_dates": "Dates of the seasonal events, resolved from seeds/seasonal_events.csv for many years.",
    "quarantine": "Items and files that could not be read, with the reason.",
}
REVENUE_TABLES = {
    "revenue_reads": "One row per attempt to read revenue: sheet, cache or seed, and why no better source answered.",
    "revenue_rows": "Readable rows of the revenue sheet, typed, every cell also as it was displayed.",
    "revenue_quarantine": "Rows of the revenue sheet with an unreadable amount or date, and why.",
}
# The envelope that raw tables share, and what else needs a word.
RAW_COLUMNS = {
    "load_id": "Number of the file that was offered: a row of raw.loads.",
    "item_index": "Place of the item in its file, from 0.",
    "source": "Where it came from: `apify`, `folder`, or `sample` for the simulated one.",
    "market": "Market of the task that read it.",
    "kind": "`videos`, `music` or `panel`.",
    "file": "Path of the file.",
    "run_id": "Apify's run.",
    "dataset_id": "Apify's dataset.",
    "observed_at": "When the source was read (UTC).",
    "landed_at": "When it came into the warehouse (UTC).",
    "item_hash": "MD5 of the item.",
    "content_hash": "MD5 of what was read: the same content is told from new content by it.",
    "payload": "The item as it came.",
    "item_count": "Items landed.",
    "quarantined_count": "Items that could not be read.",
    "reason": "Why it could not be read, or was not landed.",
    "as_of_date": "The date that was decided for.",
    "cutoff_at": "The date sees raw rows observed up to this moment (UTC).",
    "origin": "How the moment was decided: by the first run, the day's end, or by hand.",
    "file_bytes": "Its size.",
    "file_modified_at": "When it was last changed (UTC).",
    "repeats_load_id": "The earlier file with the same items.",
    "read_id": "Number of the attempt to read revenue: a row of raw.revenue_reads.",
    "attempted_at": "When revenue was to be read (UTC).",
    "is_simulated": "Whether these are the shipped entries, which are invented.",
    "row_count": "Rows that could be read.",
    "rows_read_id": "The attempt whose rows hold, where this one read the same again.",
    "failure": "Why no better source answered.",
    "sheet_row": "Row of the sheet.",
    "problem": "What could not be read in it.",
    "entered": "Every cell as it is displayed.",
    "event_key": "Event of seeds/seasonal_events.csv.",
    "event_date": "A day it falls on.",
    "rule": "How the seed says so.",
    "is_approximate": "Whether the day can only be estimated.",
}
LOADS = dg.AssetKey(["raw", "loads"])
CUTOFFS = dg.AssetKey(["meta", "cutoffs"])
REVENUE_CUTOFFS = dg.AssetKey(["meta", "revenue_cutoffs"])


class IngestConfig(dg.Config):
    """What to land.

    Attributes:
        source: `sample`, `apify`, an export folder, or `landed` for what is there; empty takes the home's default.
        as_of: ISO time with offset that replaces the stored cut-off of the run's last date.
        poll: Fresh video readings for the micro-poll: no music, and the cut-off of the date is left to the daily run.
        poll_key: What a poll's paid runs are started once for; empty takes the present hour.
        apify_runs: Finished Apify runs to land instead, as `<market>/<kind>/<run id>`; none is started then.
    """

    source: str = ""
    as_of: str = ""
    poll: bool = False
    poll_key: str = ""
    apify_runs: list[str] = []  # noqa: RUF012 - a field of the configuration, not shared


class RevenueConfig(dg.Config):
    """How to read revenue.

    Attributes:
        renew: The sheet was edited: the run's dates see it as it is now, not as it was at their cut-off.
    """

    renew: bool = False


def _spec(key: dg.AssetKey, description: str, deps: Sequence[dg.AssetKey] = ()) -> dg.AssetSpec:
    return dg.AssetSpec(key, deps=list(deps), group_name="ingest", description=description, kinds={"duckdb", "python"})


@dg.multi_asset(
    specs=[
        *(
            # What could not be read hangs on the load that offered it.
            _spec(dg.AssetKey(["raw", name]), description, [LOADS] if name == "quarantine" else [])
            for name, description in RAW_TABLES.items()
        ),
        _spec(CUTOFFS, "The stored moment up to which each date sees raw rows."),
    ],
    partitions_def=DAILY,
    backfill_policy=SINGLE_RUN,
    pool=WRITER_POOL,
    can_subset=False,
)
def raw_feeds(
    context: dg.AssetExecutionContext,
    config: IngestConfig,
    settings: dg.ResourceParam[Settings],
    store: dg.ResourceParam[Store],
) -> Iterator[dg.MaterializeResult]:
    """Lands the source's feeds up to the run's last date and fixes the cut-offs."""
    started = time.monotonic()
    services.guard_logs(settings)
    dates = [date.fromisoformat(key) for key in run_dates(context)]
    last = dates[-1]
    source = sources.source_of(config.source, settings, store)
    place = sources.landing_place(source, store)
    day_end = datetime.combine(last + timedelta(days=1), datetime.min.time(), tzinfo=UTC)
    offered = (
        sources.offer_finished(settings, store, config.apify_runs)
        if config.apify_runs
        else sources.offer(
            source,
            settings,
            store,
            until=day_end - timedelta(microseconds=1),
            run_for=last,
            run_key=(config.poll_key or f"{last}T{datetime.now(UTC):%H}") if config.poll else None,
            noted_in=place,
        )
    )
    # Apify's runs take minutes: what they brought belongs to this run, so the present is what comes after them, also
    # where our clock is behind Apify's.
    now = max([datetime.now(UTC), *(feed.observed_at for feed in offered.feeds if offered.name == sources.APIFY)])
    # A poll asks for no seasonal date, and to resolve them takes as long as to land its feeds.
    calendar = None if config.poll else sources.seasonal_calendar()
    limits = readers.Limits(settings.feed_max_mb * 1024**2, settings.feed_max_expansion)
    with facts.writer(place) as connection, progress.stage("landing", len(offered.feeds), "files") as shown:
        report = landing.land(
            connection, offered.feeds, offered.refusals, source=offered.name, limits=limits, progress=shown.update
        )
        report.notes += [f"{item.market} {item.kind}: {item.reason}" for item in offered.missing] + offered.notes
        landing.record_missing(connection, offered.missing, source=offered.name, at=now)
        if calendar:
            from ingest import seasonal

            seasonal.land_seasonal_dates(connection, calendar.table, landed_at=now)
            report.notes += calendar.warnings(last.year, last.year + 1)
        landed = landing.landed_dates(connection)
        missing = [day for day in dates if day not in landed]
        if len(missing) == len(dates):
            raise dg.Failure(_nothing_for(dates, landed, source, report), allow_retries=False)
        override = datetime.fromisoformat(config.as_of) if config.as_of else None
        # Earlier dates that were never built are built too: they give yesterday to score and to compare with.
        decided = landing.decided_dates(connection) - ({last} if override else set())
        for day in [] if config.poll else [day for day in landed if day <= last and day not in decided]:
            # The sample is told as to somebody who runs it an hour after the feeds came.
            is_sample = offered.name == sources.SAMPLE
            moment = min(now, landing.last_observed(connection, day) + timedelta(hours=1)) if is_sample else now
            landing.cutoff_for(connection, day, now=moment, override=override if day == last else None)
        counts = _row_counts(connection, [f"raw.{name}" for name in RAW_TABLES], "meta.cutoffs")
        per_day = connection.execute(
            "select observed_at::date, market, sum(item_count)::bigint from raw.loads"
            " where kind = 'videos' and observed_at::date between ? and ? group by 1, 2",
            [last - timedelta(days=plots.DAYS_SHOWN), last],
        ).fetchall()
    if place != store and not counts["raw.tiktok_videos"] + counts["raw.tiktok_music"]:
        message = f"source {source} brought no item, so the sample stays. {report.summary()}"
        raise dg.Failure("; ".join([message, *report.problems]), allow_retries=False)
    sources.take_place(place, store)
    for line in (*report.problems, *report.notes):
        context.log.warning(line)
    outcomes.tell(outcomes.Landed(source, report))
    shared: dict[str, Any] = {
        "source": source,
        "landing": report.summary(),
        "problems": dg.MetadataValue.md("\n".join(f"- {line}" for line in report.problems) or "none"),
        "notes": dg.MetadataValue.md("\n".join(f"- {line}" for line in report.notes) or "none"),
        "unreadable_files": len(report.problems),
        "seconds": round(time.monotonic() - started, 3),
    }
    for name in RAW_TABLES:
        told: dict[str, Any] = {"source": source, "dagster/row_count": counts[f"raw.{name}"]}
        if LOADS.path[-1] == name:
            told |= shared
        if name == "tiktok_videos" and not config.poll:
            told["items_per_day"] = plots.daily_bars("Video items in the feeds of a day", per_day)
        yield dg.MaterializeResult(asset_key=["raw", name], metadata=told)
    yield dg.MaterializeResult(asset_key=CUTOFFS, metadata={"dagster/row_count": counts["meta.cutoffs"]})


def _row_counts(connection: duckdb.DuckDBPyConnection, tables: Sequence[str], *further: str) -> dict[str, int]:
    """Rows of each table."""
    counted = " union all ".join(f"select '{table}', count(*) from {table}" for table in (*tables, *further))
    return dict(connection.execute(counted).fetchall())


def _nothing_for(dates: list[date], landed: list[date], source: str, report: landing.LandingReport) -> str:
    wanted = dates[0].isoformat() if len(dates) == 1 else f"{dates[0]} to {dates[-1]}"
    have = f"there is data from {landed[0]} to {landed[-1]}" if landed else "there is no data at all"
    problems = f" Unreadable: {'; '.join(report.problems)}." if report.problems else ""
    notes = f" {'; '.join(report.notes)}." if report.notes else ""
    return f"source {source} has no feed for {wanted}: {have}. Give another --date or --source.{problems}{notes}"


@dg.multi_asset(
    specs=[
        *(_spec(dg.AssetKey(["raw", name]), description) for name, description in REVENUE_TABLES.items()),
        _spec(REVENUE_CUTOFFS, "Dates built again after the revenue sheet had changed, and up to when they see it."),
    ],
    partitions_def=DAILY,
    backfill_policy=SINGLE_RUN,
    pool=WRITER_POOL,
    can_subset=False,
)
def raw_revenue(
    context: dg.AssetExecutionContext,
    config: RevenueConfig,
    settings: dg.ResourceParam[Settings],
    store: dg.ResourceParam[Store],
) -> Iterator[dg.MaterializeResult]:
    """Reads the revenue sheet, else its cache, else the shipped entries, and lands what it got."""
    started = time.monotonic()
    services.guard_logs(settings)
    now = datetime.now(UTC)
    # Before the writer lock is taken: a slow service must not keep other writers waiting.
    from ingest import revenue

    with progress.stage("revenue"):
        reading = sources.revenue(settings, store, now=now)
    with facts.writer(store) as connection:
        read_id = revenue.land_revenue(connection, reading, attempted_at=now)
        if config.renew and reading.source == revenue.SHEET:
            revenue.renew_cutoffs(connection, [date.fromisoformat(key) for key in run_dates(context)], now=now)
        counts = _row_counts(connection, [f"raw.{name}" for name in REVENUE_TABLES], "meta.revenue_cutoffs")
    for line in (*reading.problems, *reading.notes, *filter(None, [reading.failure])):
        context.log.warning(f"revenue: {line}")
    outcomes.tell(outcomes.RevenueRead(reading.summary(now)))
    shared: dict[str, Any] = {
        "revenue": reading.summary(now),
        "source": reading.source,
        "age_hours": reading.age_hours(now) or 0.0,
        "rows": len(reading.readable),
        "unreadable_rows": len(reading.problems),
        "total_received_usd": float(reading.total),
        "fallback_reason": reading.failure or "none",
        "problems": dg.MetadataValue.md("\n".join(f"- {line}" for line in reading.problems) or "none"),
        "notes": dg.MetadataValue.md("\n".join(f"- {line}" for line in reading.notes) or "none"),
        "read_id": read_id,
        "seconds": round(time.monotonic() - started, 3),
    }
    for name in REVENUE_TABLES:
        told: dict[str, Any] = shared if name == "revenue_reads" else {"source": reading.source}
        yield dg.MaterializeResult(
            asset_key=["raw", name], metadata={**told, "dagster/row_count": counts[f"raw.{name}"]}
        )
    yield dg.MaterializeResult(
        asset_key=REVENUE_CUTOFFS,
        metadata={"renewed": config.renew, "dagster/row_count": counts["meta.revenue_cutoffs"]},
    )
