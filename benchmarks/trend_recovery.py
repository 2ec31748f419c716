"""Planted trends of the simulator against what the models say: onsets, lags between markets, stages of life.

Belongs here: comparing the published file with the simulator's truth. Must not be here: the simulator, the models.

The truth of a stage is noise-free and counts posts; the models see the videos that feeds show, of which many are days
old, and hold a stage for two days before they call it. So a stage also counts as found when it is called within the
days that this takes.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import duckdb

from benchmarks.home import backfill
from simulator import NO_ODDITIES, SimulatorConfig, simulate, write_export_folder

CONFIG = SimulatorConfig(days=24, videos_per_day=600, music=False, uses_per_trend=8.0, oddities=NO_ODDITIES)
# Days that two days of hysteresis and a mean of three days may be late.
DELAY_DAYS = 3
STAGES = ("new", "emerging", "rising", "peaking", "declining", "dead", "resurged")

TABLES = """
create temp table planted as
select planted_days.*, trends.pattern, trends.visible_onset_day
from trend_days as planted_days
inner join trends using (trend_key, market);

create temp table last_day as select max(as_of_date) as day from marts.trends_daily;

create temp table lags as
select
    truth.trend_key, truth.leader, truth.lag_days as planted_lag, truth.visible_lag_days as visible_lag,
    found.leader as found_leader, found.lag_days as found_lag
from planted_lags as truth
left join (
    select * from marts.cross_market_trends where as_of_date = (select day from last_day)
) as found using (trend_key);

create temp table stages as
select
    truth.trend_key, truth.market, truth.day, truth.stage, found.lifecycle,
    exists (
        select 1 from planted as near
        where near.trend_key = truth.trend_key and near.market = truth.market and near.stage = found.lifecycle
            and near.day between truth.day - $delay and truth.day
    ) as is_true_lately,
    exists (
        select 1 from marts.trends_daily as near
        where near.trend_key = truth.trend_key and near.market = truth.market and near.lifecycle = truth.stage
            and near.as_of_date between truth.day and truth.day + $delay
    ) as is_called_soon
from planted as truth
inner join marts.trends_daily as found
    on truth.trend_key = found.trend_key and truth.market = found.market and truth.day = found.as_of_date
where truth.pattern <> 'evergreen' and truth.stage <> 'none'
    and truth.day between (select min(as_of_date) + 3 from marts.trends_daily) and (select day - $delay from last_day);

create temp table waits as
select
    now.trend_key, now.as_of_date, now.arrival_probability_7d as chance, now.expected_arrival_p25_date as early,
    now.expected_arrival_p75_date as late, last.other_onset_date as arrived_on
from marts.cross_market_trends as now
inner join marts.cross_market_trends as last
    on now.trend_key = last.trend_key and now.other_market = last.other_market and now.first_market = last.first_market
        and last.as_of_date = (select day from last_day)
where now.is_censored and now.as_of_date between (select min(as_of_date) + 7 from marts.trends_daily)
    and (select day - 7 from last_day);
"""


def report(directory: Path) -> str:
    """Simulates, builds and compares.

    Args:
        directory: An empty directory for the feeds and the home.
    """
    started = time.monotonic()
    simulation = simulate(CONFIG)
    write_export_folder(simulation, directory / "feeds")
    store = backfill(directory / "feeds", directory / "home")
    seconds = time.monotonic() - started
    with store.published_reader() as connection:
        connection.register("trends", simulation.truth.trends)
        connection.register("trend_days", simulation.truth.trend_days)
        connection.register("planted_lags", simulation.truth.cross_market)
        for statement in TABLES.split(";"):
            if statement.strip():
                connection.execute(statement, {"delay": DELAY_DAYS} if "$delay" in statement else {})
        sections = [*_onsets(connection), "", *_lags(connection), "", *_arrivals(connection), "", *_stages(connection)]
    return "\n".join(
        [
            "## Planted trends: onsets, market lags, stages",
            "",
            f"Simulator, seed {CONFIG.seed}: {CONFIG.days} days, {CONFIG.videos_per_day} videos a day and market,"
            f" {CONFIG.uses_per_trend:.0f} posts a day on a living trend; {seconds:.0f} s.",
            "",
            *sections,
        ]
    )


def _onsets(connection: duckdb.DuckDBPyConnection) -> list[str]:
    """Whether planted trends are found, and when, against the feeds' own onset (third creator)."""
    found, count, share = _row(
        connection,
        """
        select count(found.trend_key), count(*), count(found.trend_key) / count(*)
        from (select distinct trend_key, market from planted where visible_onset_day is not null) as truth
        left join (select distinct trend_key, market from marts.trends_daily) as found using (trend_key, market)
        """,
    )
    primary, videos = _row(
        connection,
        """
        select avg((videos_daily.trend_key = truth.trend_key)::int), count(*)
        from marts.videos_daily
        inner join (select distinct trend_key, market from planted) as truth
            on videos_daily.market = truth.market and videos_daily.trend_key = truth.trend_key
        """,
    )
    return [
        f"Planted trends with three creators in a feed: {count:,}; {found:,} ({_percent(share)}) are in `trends_daily`,"
        f" as the primary key of {videos:,} rows of `videos_daily`."
        if primary
        else "No planted trend is a primary key."
    ]


def _lags(connection: duckdb.DuckDBPyConnection) -> list[str]:
    lines = [
        "| planted lag between markets | trends | lag found | leader right | simultaneous | leader wrong"
        " | mean error (days) | mean absolute error | error against the feeds' own lag |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for label, condition in (
        ("none", "planted_lag = 0"),
        ("1 day", "planted_lag = 1"),
        ("2 days", "planted_lag = 2"),
        ("3 days and more", "planted_lag >= 3"),
        ("1 day and more", "planted_lag >= 1"),
    ):
        count, found, right, both, wrong, bias, error, visible = _row(
            connection,
            f"""
            with signed as (
                select *, case when found_leader = leader or found_lag = 0 then found_lag else -found_lag end as lag
                from lags where visible_lag is not null and {condition}
            )
            select
                count(*), avg((found_lag is not null)::int),
                avg((found_leader = leader and planted_lag > 0)::int) filter (found_lag is not null),
                avg((found_lag = 0)::int) filter (found_lag is not null),
                avg((found_lag > 0 and (found_leader <> leader or planted_lag = 0))::int)
                    filter (found_lag is not null),
                avg(lag - planted_lag), avg(abs(lag - planted_lag)), avg(abs(lag - visible_lag))
            from signed
            """,
        )
        shares = " | ".join(_percent(value) for value in (found, right, both, wrong))
        errors = " | ".join(_days(value) for value in (bias, error, visible))
        lines.append(f"| {label} | {count:,} | {shares} | {errors} |")
    claims, precision = _row(
        connection,
        """
        select count(*), avg((lags.planted_lag > 0 and lags.leader = found.leader)::int)
        from marts.cross_market_trends as found
        inner join lags using (trend_key)
        where found.as_of_date = (select day from last_day) and found.lag_days >= 1
        """,
    )
    return [
        *lines,
        "",
        f"Counted are trends whose onset was seen in both markets. Of {claims:,} planted trends for which a leader with"
        f" an observed lag is named, it is the planted one in {_percent(precision)}.",
    ]


def _arrivals(connection: duckdb.DuckDBPyConnection) -> list[str]:
    lines = ["| stated chance of arrival within 7 days | cases | arrived |", "|---|---|---|"]
    for low, high in ((0.0, 0.2), (0.2, 0.4), (0.4, 0.6), (0.6, 0.8), (0.8, 1.01)):
        count, stated, arrived = _row(
            connection,
            f"""
            select count(*), avg(chance), avg(coalesce(arrived_on <= as_of_date + 7, false)::int)
            from waits where chance >= {low} and chance < {high}
            """,
        )
        if count:
            lines.append(f"| {_percent(stated)} | {count:,} | {_percent(arrived)} |")
    count, before, within, after = _row(
        connection,
        """
        select
            count(*), avg((arrived_on < early)::int), avg((arrived_on between early and late)::int),
            avg((arrived_on > late)::int)
        from waits where arrived_on is not null
        """,
    )
    return [
        *lines,
        "",
        "All trends that had begun in one market, asked a week or more before the end. Of the"
        f" {count:,} forecasts whose trend did arrive, {_percent(before)} arrived before the stated 25-75 % range,"
        f" {_percent(within)} in it, {_percent(after)} after it.",
    ]


def _stages(connection: duckdb.DuckDBPyConnection) -> list[str]:
    lines = [
        f"| stage | days | called that day | called within {DELAY_DAYS} days | days called"
        f" | right that day | right within {DELAY_DAYS} days |",
        "|---|---|---|---|---|---|---|",
    ]
    for stage in (*STAGES, "all"):
        is_true = "true" if stage == "all" else f"stage = '{stage}'"
        is_called = "true" if stage == "all" else f"lifecycle = '{stage}'"
        true, recall, soon, called, precision, lately = _row(
            connection,
            f"""
            select
                count(*) filter ({is_true}), avg((lifecycle = stage)::int) filter ({is_true}),
                avg(is_called_soon::int) filter ({is_true}), count(*) filter ({is_called}),
                avg((lifecycle = stage)::int) filter ({is_called}), avg(is_true_lately::int) filter ({is_called})
            from stages
            """,
        )
        cells = f"{_percent(recall)} | {_percent(soon)} | {called:,} | {_percent(precision)} | {_percent(lately)}"
        lines.append(f"| {stage} | {true:,} | {cells} |")
    growing, over = (
        _row(connection, _PHASE.format(stages=phase)) for phase in ("'emerging', 'rising'", "'declining', 'dead'")
    )
    for name, (count, share, late) in (("growth", growing), ("decline", over)):
        lines += [
            "",
            f"First day of {name} of {count:,} trends: called in {_percent(share)} of them, {_days(late)} days late"
            " (median).",
        ]
    return lines


_PHASE = """
    select
        count(*), avg((called is not null)::int), median(called - began)
    from (
        select
            trend_key, market, min(day) filter (stage in ({stages})) as began,
            min(day) filter (lifecycle in ({stages})) as called
        from stages group by trend_key, market
    )
    where began is not null
"""


def _row(connection: duckdb.DuckDBPyConnection, sql: str) -> Sequence[float]:
    (row,) = connection.execute(sql).fetchall()
    return row


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.1f} %"


def _days(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"
