"""Planted bursts of the simulator against what the micro-poll alerts on, beside the classic and two naive rules.

Belongs here: comparing the alerts with the simulator's truth. Must not be here: the simulator, the models.

A burst counts as found by an alert whose interval overlaps it. The truth holds bursts of watched videos: those that the
classic entry rule lets onto the watch list and that a poll read during the burst.
"""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from engine import compiled_models, rebuild
from ingest import export_folder, facts, landing
from orchestration import dbt_specs
from simulator import SimulatorConfig, simulate, write_export_folder
from warehouse.store import Store

PROJECT = Path(__file__).resolve().parent.parent
# About 2,000 posts a market in the feeds, of which three in a hundred burst.
CONFIG = SimulatorConfig(seed=1, days=14, polls=8, videos_per_day=250, music=False, burst_share=0.03)

# The naive rules look at the same watched readings and have the same budget a day, by gain.
RULES = {
    "classic (shares an hour rose by 4)": (
        "age_hours <= 36 and shares_per_hour >= 8 and views_per_hour >= 200 and delta_shares_per_hour >= 4"
    ),
    "naive: pace doubled": "views_rate >= 2 * previous_rate",
    "naive: fastest of the poll": "place_in_poll <= 3",
}


# Two weeks, and two months: what was learned in the first must not make the second deaf.
PERIODS = (14, 60)


def report(directory: Path) -> str:
    """Simulates two weeks and two months of two-hourly polls, judges them, compares.

    Args:
        directory: An empty directory for the feeds and the homes.
    """
    sections = []
    for days in PERIODS:
        place = directory / str(days)
        place.mkdir()
        sections.append(_period(place, replace(CONFIG, days=days)))
    return "\n\n".join(sections)


def _period(directory: Path, config: SimulatorConfig) -> str:
    started = time.monotonic()
    simulation = simulate(config)
    write_export_folder(simulation, directory / "feeds")
    store = Store(directory / "home")
    feeds, refusals = export_folder.scan(directory / "feeds", ("US", "UK"))
    with facts.writer(store) as connection:
        landing.land(connection, feeds, refusals, landed_at=datetime.now(UTC))
        dates = landing.landed_dates(connection)
        rows = rebuild.rows_by_date(connection, dates)
    polled = dbt_specs.load(PROJECT).polled
    for batch in rebuild.batches(rows):
        compiled_models.build(PROJECT, store, batch, polled)
    seconds = time.monotonic() - started
    with store.model_writer() as connection:
        connection.register("planted", simulation.truth.bursts)
        _prepare(connection)
        table = [_rates(connection, "this product", "product"), *_others(connection)]
        items, item_days, bursts, watched_days = _one(
            connection,
            "select count(distinct video_id), count(distinct (video_id, market, as_of_date)),"
            " (select count(*) from bursts), round(sum(case when is_watched then hours end) / 24) from readings",
        )
        halves = _halves(connection)
    return "\n".join(
        [
            f"## Planted bursts, two-hourly polls over {config.days} days",
            "",
            f"{items:,} items ({item_days:,} item-days, {watched_days:,.0f} of them watched), {bursts} bursts of"
            f" watched items, 8 polls a day; {seconds:.0f} s to simulate, land and judge.",
            "",
            "| rule | messages | recall | precision | false per 1,000 item-days | median delay | most a day |",
            "|---|---|---|---|---|---|---|",
            *table,
            "",
            halves,
            "",
            *_outcomes(connection_of=store),
        ]
    )


def _halves(connection: duckdb.DuckDBPyConnection) -> str:
    """Recall and the pace that an alert needed in either half of the days."""
    rows = connection.execute("""
        with halves as (
            select min(as_of_date) + cast((max(as_of_date) - min(as_of_date) + 1) / 2 as integer) as second_at
            from readings
        )
        select
            bursts.burst_start >= halves.second_at as is_second, count(*),
            count(*) filter (exists (
                select 1 from product where product.video_id = bursts.video_id and product.is_burst
            ))
        from bursts cross join halves group by 1 order by 1
    """).fetchall()
    paces = connection.execute("""
        select min(factor), median(factor), max(factor)
        from (
            select median(pace_factor_needed) as factor from readings
            where is_watched and pace_factor_needed is not null group by as_of_date
        )
    """).fetchall()
    found = ", ".join(f"{found} of {bursts}" for _, bursts, found in rows)
    low, middle, high = paces[0]
    return (
        f"Bursts found in the first and the second half: {found}. Pace that an alert needed, median of each day:"
        f" {low:.1f} to {high:.1f} times, {middle:.1f} in the middle."
    )


def _prepare(connection: duckdb.DuckDBPyConnection) -> None:
    """Tables `readings` (scored ones, with the burst they lie in), `bursts` and `product` (the messages)."""
    connection.execute("""
        create temp table readings as
        select
            scores.*,
            planted.start as burst_start,
            coalesce(scores.observed_at > planted.start and scores.from_at < planted."end", false) as is_burst,
            lag(scores.views_rate) over (
                partition by scores.market, scores.video_id order by scores.observed_at
            ) as previous_rate
        from intermediate.int_poll_scores as scores
        left join planted on scores.video_id = planted.video_id
        -- A first reading has no pace of before: nothing can be heard of it.
        where scores.z is not null;

        create temp table bursts as
        select video_id, min(burst_start) as burst_start
        from readings where is_burst and is_watched group by 1;

        create temp table product as
        select alerts.video_id, alerts.alerted_at, alerts.as_of_date, readings.is_burst
        from marts.acceleration_alerts as alerts
        inner join readings
            on alerts.market = readings.market and alerts.video_id = readings.video_id
            and alerts.alerted_at = readings.observed_at
        where alerts.is_message;
    """)


def _others(connection: duckdb.DuckDBPyConnection) -> list[str]:
    lines = []
    for name, condition in RULES.items():
        connection.execute(f"""
            create or replace temp table rule as
            with placed as (
                select
                    *,
                    row_number() over (partition by market, observed_at order by views_rate desc) as place_in_poll
                from readings where is_watched
            ),
            firsts as (
                select *, row_number() over (partition by video_id order by observed_at, market) as place
                from placed where {condition}
            ),
            budget as (
                select *, row_number() over (partition by as_of_date order by gain_views desc) as place_of_day
                from firsts where place = 1
            )
            select video_id, observed_at as alerted_at, as_of_date, is_burst from budget where place_of_day <= 10
        """)
        lines.append(_rates(connection, name, "rule"))
    return lines


def _rates(connection: duckdb.DuckDBPyConnection, name: str, table: str) -> str:
    messages, right, found, bursts, item_days, delay, most = _one(
        connection,
        f"""
        select
            count(*), count(*) filter (sent.is_burst), count(distinct sent.video_id) filter (sent.is_burst),
            (select count(*) from bursts), (select count(distinct (video_id, market, as_of_date)) from readings),
            (
                select median(delay) from (
                    select epoch(min(firsts.alerted_at) - min(bursts.burst_start)) / 3600 as delay
                    from {table} as firsts inner join bursts using (video_id) where firsts.is_burst group by video_id
                )
            ),
            (select max(n) from (select count(*) as n from {table} group by as_of_date))
        from {table} as sent
        """,
    )
    if not messages:
        return f"| {name} | 0 | 0 % | | 0.0 | | 0 |"
    late = f"{delay:.1f} h" if delay is not None else ""
    return (
        f"| {name} | {messages} | {found / bursts:.0%} | {right / messages:.0%} |"
        f" {1000 * (messages - right) / item_days:.1f} | {late} | {most} |"
    )


def _outcomes(connection_of: Store) -> list[str]:
    with connection_of.model_writer() as connection:
        rows = connection.execute(
            "select horizon_hours, count(*), count(*) filter (is_right) from marts.alert_outcomes where is_message"
            " group by 1 order by 1"
        ).fetchall()
    return [
        f"{hours} h after the message {right} of {scored} still outran their cohort." for hours, scored, right in rows
    ]


def _one(connection: duckdb.DuckDBPyConnection, sql: str) -> tuple[float, ...]:
    (row,) = connection.execute(sql).fetchall()
    return row
