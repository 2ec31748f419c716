"""Partitions and the writer pool: shared by every asset of the daily graph."""

from __future__ import annotations

import warnings
from datetime import UTC, date, datetime, timedelta

import dagster as dg
import duckdb

from orchestration import sources
from orchestration.settings import Settings
from warehouse.publish import published_dates
from warehouse.store import Store

# Single-run backfills are beta in 1.13, and what makes a backfill one build: the version is pinned.
warnings.filterwarnings("ignore", message=".*`backfill_policy`.*", category=dg.BetaWarning)

# TikTok started in September 2016: no feed can be older. The end offset makes today's partition runnable today.
# What assets are declared with; those of a home begin with its own first date (`of_home`).
DAILY = dg.DailyPartitionsDefinition(start_date="2016-09-01", end_offset=1)

# Before anything is there, so many days before today can be asked for.
DAYS_BEFORE_FIRST = 30

# A run may cover a range of dates: one landing and one set-based build instead of a run per day.
SINGLE_RUN = dg.BackfillPolicy.single_run()

# DuckDB has one writer. The pool orders the runs of this instance; the store's file lock covers everyone else.
WRITER_POOL = "duckdb_writer"


def of_home(settings: Settings, asked: date | None = None) -> dg.DailyPartitionsDefinition:
    """The dates of a home: from its first one until today, so that nobody sees years of missing dates.

    A home that got older dates has them when the definitions are loaded the next time.

    Args:
        settings: Its directory, and what an empty one will be filled from.
        asked: First date of a run that is about to begin, which may be older than all others.
    """
    first = first_date(settings)
    return dg.DailyPartitionsDefinition(start_date=min(first, asked or first).isoformat(), end_offset=1)


def first_date(settings: Settings) -> date:
    """First published date: a run builds what was landed before its date. Without one, the first that may come."""
    # The published file and not the build file: whoever loads definitions must not wait for a run.
    store = Store(settings.trends_home)
    try:
        dates = published_dates(store) if store.published_path.exists() else []
    except duckdb.Error:
        # A torn file is replaced by the next run, which must be able to begin.
        dates = []
    if dates:
        return dates[0]
    if sources.default_source(settings) == sources.SAMPLE:
        # The simulator takes long to import: only an empty home asks it.
        from simulator.config import sample_config

        return sample_config().start
    return datetime.now(UTC).date() - timedelta(days=DAYS_BEFORE_FIRST)


def run_dates(context: dg.AssetExecutionContext) -> list[str]:
    """The run's partition keys (ISO dates), oldest first."""
    return sorted(context.partition_keys)
