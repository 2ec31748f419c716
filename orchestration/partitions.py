"""Partitions and the writer pool: shared by every asset of the daily graph."""

from __future__ import annotations

import warnings

import dagster as dg

# Single-run backfills are beta in 1.13, and what makes a backfill one build: the version is pinned.
warnings.filterwarnings("ignore", message=".*`backfill_policy`.*", category=dg.BetaWarning)

# TikTok started in September 2016: no feed can be older. The end offset makes today's partition runnable today.
DAILY = dg.DailyPartitionsDefinition(start_date="2016-09-01", end_offset=1)

# A run may cover a range of dates: one landing and one set-based build instead of a run per day.
SINGLE_RUN = dg.BackfillPolicy.single_run()

# DuckDB has one writer. The pool orders the runs of this instance; the store's file lock covers everyone else.
WRITER_POOL = "duckdb_writer"


def run_dates(context: dg.AssetExecutionContext) -> list[str]:
    """The run's partition keys (ISO dates), oldest first."""
    return sorted(context.partition_keys)
