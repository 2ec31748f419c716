"""The forecasts against the rule they had before, in one run, on real sets where they lie beside the repository.

Belongs here: errors, precision and coverage of what is told and of each model on the same forecasts. Must not be here:
making forecasts; the product's own scorecard (`daily_lists`).

The old rule is computed here from the outcomes that the product keeps: retention or log-linear, by the lower trailing
WAPE of a market and horizon from 100 scored forecasts on, its range from the misses of 14 days by kind, market and age,
and told to all markets by the one that leads.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import duckdb

from benchmarks.home import PROJECT, backfill
from warehouse.store import Store, connect

DATA = PROJECT.parent / "shared" / "data"
# Set, what it is, days before the first that is judged.
SETS = (
    ("daily_lists", "real daily lists", 9),
    ("tiktok_polls", "real polled videos", 0),
)
TOP = 20

JUDGED = """
create temp table trials as
select
    outcomes.*,
    case when outcomes.is_cold_start then 'cold' else 'warm' end as kind,
    told.p10, told.p50, told.p90, told.model, told.gain_trees
from intermediate.int_forecast_outcomes as outcomes
inner join trends.marts.forecasts as told
    on outcomes.forecast_date = told.as_of_date and outcomes.market = told.market
    and outcomes.video_id = told.video_id and outcomes.horizon_hours = told.horizon_hours;

-- What was known when a forecast was made, as it was judged before.
create temp table known as
select made.forecast_date, past.*
from (select distinct forecast_date from trials) as made
inner join trials as past on past.as_of_date <= made.forecast_date and past.as_of_date > made.forecast_date - 28;

create temp table old_choice as
select
    forecast_date, market, horizon_hours, is_cold_start,
    count(*) >= 100
    and sum(power(0.5, (forecast_date - as_of_date) / 7.0) * abs(gain_log_linear - actual_gain))
    < sum(power(0.5, (forecast_date - as_of_date) / 7.0) * abs(gain_retention - actual_gain)) as is_log_linear
from known
group by all;

create temp table old_misses as
select forecast_date, market, horizon_hours, segment, age_bucket, is_log_linear,
    case when is_log_linear then log_miss_log_linear else log_miss_retention end as miss
from known, (values (true), (false)) as models (is_log_linear)
where as_of_date > forecast_date - 14;

create temp table old_wide as
select forecast_date, horizon_hours, segment, is_log_linear, count(*) as n,
    quantile_cont(miss, 0.1) as low, quantile_cont(miss, 0.9) as high
from old_misses group by all;

create temp table old_own as
select forecast_date, horizon_hours, segment, market, age_bucket, is_log_linear, count(*) as n,
    quantile_cont(miss, 0.1) as low, quantile_cont(miss, 0.9) as high
from old_misses group by all;

create temp table judged as
with chosen as (
    select trials.*, coalesce(old_choice.is_log_linear, false) as is_log_linear,
        case when coalesce(old_choice.is_log_linear, false) then gain_log_linear else gain_retention end as old_p50,
        case segment when 'measured' then 0.7 when 'one_interval' then 0.9 else 1.8 end as prior
    from trials
    left join old_choice using (forecast_date, market, horizon_hours, is_cold_start)
),
ranged as (
    select chosen.*,
        (coalesce(old_wide.low, 0) * coalesce(old_wide.n, 0) - 100 * prior) / (coalesce(old_wide.n, 0) + 100) as low,
        (coalesce(old_wide.high, 0) * coalesce(old_wide.n, 0) + 100 * prior) / (coalesce(old_wide.n, 0) + 100) as high,
        coalesce(old_own.low, 0) as own_low, coalesce(old_own.high, 0) as own_high, coalesce(old_own.n, 0) as own_n
    from chosen
    left join old_wide using (forecast_date, horizon_hours, segment, is_log_linear)
    left join old_own using (forecast_date, horizon_hours, segment, market, age_bucket, is_log_linear)
),
led as (
    select ranged.* exclude (old_p50, low, high),
        struct_pack(
            p50 := old_p50,
            low := greatest((old_p50 + 1) * exp(least((own_low * own_n + 100 * low) / (own_n + 100), 0)) - 1, 0),
            high := (old_p50 + 1) * exp(greatest((own_high * own_n + 100 * high) / (own_n + 100), 0)) - 1
        ) as own_told,
        max(case when ranged.market = leads.lead_market then own_told end) over (
            partition by ranged.forecast_date, ranged.video_id, ranged.horizon_hours
        ) as lead_told
    from ranged
    inner join intermediate.int_videos_as_of as leads
        on ranged.forecast_date = leads.as_of_date and ranged.market = leads.market
        and ranged.video_id = leads.video_id
),
old_told as (
    select *, coalesce(lead_told, own_told) as old_rule from led
)
select *,
    old_rule.p50 as old_p50,
    actual_gain between p10 and p90 as is_covered,
    actual_gain between old_rule.low and old_rule.high as is_covered_by_old,
    case
        when base_plays < 10000 then 'under 10k plays' when base_plays < 100000 then '10k to 100k plays'
        when base_plays < 1000000 then '100k to 1m plays' when base_plays < 10000000 then '1m to 10m plays'
        else 'from 10m plays'
    end as size
from old_told
where forecast_date >= (select min(forecast_date) + ?::integer from trials)
"""

FORECASTS = {
    "told": "p50",
    "old rule": "old_p50",
    "retention": "gain_retention",
    "log-linear": "gain_log_linear",
    "trees": "gain_trees",
    "last gain": "gain_last_gain",
}


def report(directory: Path) -> str:
    """Builds both sets and compares.

    Args:
        directory: An empty directory for the homes.
    """
    lines = ["## Forecasts: the trees and the rule before them"]
    for name, title, skipped in SETS:
        lines += ["", f"### {title[0].upper()}{title[1:]}", ""]
        if not (DATA / name).is_dir():
            lines.append(f"Not run: the set is not beside this checkout (`../shared/data/{name}`).")
            continue
        started = time.monotonic()
        store = backfill(DATA / name, directory / name)
        seconds = time.monotonic() - started
        with _opened(store) as connection:
            for statement in connection.extract_statements(JUDGED):
                connection.execute(statement, [skipped] if "?" in statement.query else None)
            lines += [f"Forecasts made from day {skipped + 1} on; all dates as one batch in {seconds:.0f} s.", ""]
            lines += [*_errors(connection), "", *_coverage(connection), "", *_population(connection)]
    return "\n".join(lines)


def _opened(store: Store) -> duckdb.DuckDBPyConnection:
    connection = connect(store.build_path, read_only=True)
    connection.execute(f"attach '{store.marts_path}' as trends (read_only)")
    return connection


def _errors(connection: duckdb.DuckDBPyConnection) -> list[str]:
    heads = ["forecasts", "n", *(f"{name}: WAPE" for name in FORECASTS), "told against old", "bias told", "bias old"]
    rows = []
    for horizon in (24, 48):
        for kind, condition in (("all", "true"), ("warm", "kind = 'warm'"), ("cold", "kind = 'cold'")):
            errors = ", ".join(
                f"sum(abs({gain} - actual_gain)) filter ({gain} is not null)"
                f" / nullif(sum(actual_gain) filter ({gain} is not null), 0)"
                for gain in FORECASTS.values()
            )
            [(n, *found, bias, old_bias)] = connection.execute(
                f"select count(*), {errors}, sum(p50 - actual_gain) / sum(actual_gain),"
                f" sum(old_p50 - actual_gain) / sum(actual_gain) from judged where horizon_hours = ? and {condition}",
                [horizon],
            ).fetchall()
            if n:
                change = f"{100 * (found[0] / found[1] - 1):+.1f} %"
                rows.append(
                    [f"{horizon} h, {kind}", f"{n:,}", *map(_number, found), change, *map(_number, (bias, old_bias))]
                )
    precision = ["", "Precision@20 of the 24 h gain, cold starts included, mean of days and markets:"]
    shares = [
        f"{name} {_number(_precision(connection, gain))}" for name, gain in FORECASTS.items() if name != "last gain"
    ]
    return [*_table(heads, rows), *precision, ", ".join(shares) + "."]


def _precision(connection: duckdb.DuckDBPyConnection, gain: str) -> float | None:
    [(share,)] = connection.execute(
        f"""
        with placed as (
            select forecast_date, market, count(*) over day as videos,
                row_number() over (partition by forecast_date, market order by actual_gain desc, video_id) as place,
                row_number() over (partition by forecast_date, market order by {gain} desc nulls last, video_id) as told
            from judged where horizon_hours = 24
            window day as (partition by forecast_date, market)
        ),
        days as (
            select count(*) filter (place <= {TOP} and told <= {TOP}) / {TOP} as share
            from placed where videos >= {2 * TOP} group by forecast_date, market
        )
        select avg(share) from days
        """
    ).fetchall()
    return share


def _coverage(connection: duckdb.DuckDBPyConnection) -> list[str]:
    rows = connection.execute(
        """
        with strata as (
            select 1 as place, kind as stratum, * from judged
            union all select 2, size, * from judged
            union all select 3, 'age in days: ' || age_bucket, * from judged where kind = 'warm'
            union all select 4, market, * from judged
        )
        select stratum, count(*), avg(is_covered::int), avg(is_covered_by_old::int)
        from strata group by place, stratum order by place, min(base_plays), stratum
        """
    ).fetchall()
    cells = [[stratum, f"{n:,}", _number(told), _number(old)] for stratum, n, told, old in rows]
    return _table(["80 % range, all horizons", "n", "told: coverage", "old rule: coverage"], cells)


def _population(connection: duckdb.DuckDBPyConnection) -> list[str]:
    rows = connection.execute(
        """
        select told.horizon_hours, count(*), count(outcomes.video_id), avg(told.is_cold_start::int),
            avg((told.model = 'trees')::int)
        from trends.marts.forecasts as told
        left join intermediate.int_forecast_outcomes as outcomes
            on outcomes.forecast_date = told.as_of_date and outcomes.market = told.market
            and outcomes.video_id = told.video_id and outcomes.horizon_hours = told.horizon_hours
        where not told.is_stale
        group by told.horizon_hours order by told.horizon_hours
        """
    ).fetchall()
    cells = [
        [f"{horizon} h", f"{made:,}", f"{scored:,}", _number(scored / made), _number(cold), _number(by_trees)]
        for horizon, made, scored, cold, by_trees in rows
    ]
    return _table(["horizon", "told", "scored", "share scored", "share cold", "share by trees"], cells)


def _table(heads: Sequence[str], rows: Sequence[Sequence[Any]]) -> list[str]:
    return [f"| {' | '.join(cells)} |" for cells in (heads, ["---"] * len(heads), *rows)]


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
