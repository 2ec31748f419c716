{#- Lines of a loop stand in the indentation of the loop.
-- sqlfluff:exclude_rules:LT02,LT05
-#}
{{ config(materialized='incremental', incremental_strategy='as_of') }}

{#-
    How much of its pace a video keeps from one day to the next, by market and age, as of each date: the learned
    curve, drawn towards all markets, then all ages, then a shipped power law where readings are few.
-#}

{%- set strength = var('forecast_retention_shrinkage') %}
{%- set last_bucket = forecast_age_buckets() - 1 %}

with

batch as (

    select * from {{ ref('int_as_of') }}

),

bases as (

    select
        as_of_date,
        market,
        previous_age_bucket as age_bucket,
        pace_change
    from {{ ref('int_forecast_bases') }}
    where
        as_of_date > {{ window_start(ref('int_as_of'), var('history_days')) }}
        and pace_change is not null
        and is_sampled
        and not is_stale

),

trailing_changes as (

    select
        batch.as_of_date,
        bases.market,
        bases.age_bucket,
        bases.pace_change
    from batch
    inner join bases
        on
            bases.as_of_date <= batch.as_of_date
            and bases.as_of_date > batch.as_of_date - {{ var('history_days') }}

),

over_all as (

    select
        as_of_date,
        count(*) as n,
        {{ quantile('pace_change', 0.1) }} as q10,
        {{ quantile('pace_change', 0.5) }} as q50,
        {{ quantile('pace_change', 0.9) }} as q90
    from trailing_changes
    group by as_of_date

),

over_markets as (

    select
        as_of_date,
        age_bucket,
        count(*) as n,
        {{ quantile('pace_change', 0.1) }} as q10,
        {{ quantile('pace_change', 0.5) }} as q50,
        {{ quantile('pace_change', 0.9) }} as q90
    from trailing_changes
    group by as_of_date, age_bucket

),

within_market as (

    select
        as_of_date,
        market,
        age_bucket,
        count(*) as n,
        {{ quantile('pace_change', 0.1) }} as q10,
        {{ quantile('pace_change', 0.5) }} as q50,
        {{ quantile('pace_change', 0.9) }} as q90
    from trailing_changes
    group by as_of_date, market, age_bucket

),

age_buckets as (

    -- The shipped prior: pace falls as age ** -exponent, told at the middle of the bucket.
    {% for bucket in range(last_bucket + 1) -%}
    select
        {{ bucket }} as age_bucket,
        -{{ var('retention_prior_exponent') }} * ln({{ bucket + 1.5 }} / {{ bucket + 0.5 }}) as prior_log
    {% if not loop.last %}union all
    {% endif %}
    {%- endfor %}

),

batch_markets as (

    select
        bases.as_of_date,
        bases.market,
        max(bases.cutoff_at) as cutoff_at
    from {{ ref('int_forecast_bases') }} as bases
    inner join batch on bases.as_of_date = batch.as_of_date
    group by bases.as_of_date, bases.market

),

curve as (

    {%- set spread = {'q10': '- 1', 'q50': '+ 0', 'q90': '+ 1'} %}

    select
        batch_markets.as_of_date,
        batch_markets.cutoff_at,
        batch_markets.market,
        age_buckets.age_bucket,
        coalesce(within_market.n, 0) as n,
        coalesce(over_markets.n, 0) as n_all_markets,
        {%- for q in ['q10', 'q50', 'q90'] %}
        {% set prior = '(age_buckets.prior_log ' ~ spread[q] ~ ')' -%}
        {% set all_ages = shrunk('over_all.' ~ q, prior, 'over_all.n', strength) -%}
        {% set all_markets = shrunk('over_markets.' ~ q, all_ages, 'over_markets.n', strength) -%}
        {{ shrunk('within_market.' ~ q, all_markets, 'within_market.n', strength) }} as log_{{ q }}{{ ',' if not loop.last }}
        {%- endfor %}
    from batch_markets
    cross join age_buckets
    left join over_all on batch_markets.as_of_date = over_all.as_of_date
    left join over_markets
        on
            batch_markets.as_of_date = over_markets.as_of_date
            and age_buckets.age_bucket = over_markets.age_bucket
    left join within_market
        on
            batch_markets.as_of_date = within_market.as_of_date
            and batch_markets.market = within_market.market
            and age_buckets.age_bucket = within_market.age_bucket

),

feed_shifts as (

    -- All videos of a feed off the same way: the feed was read earlier or later than it says, or the day was unusual.
    select
        bases.as_of_date,
        bases.market,
        {{ quantile('bases.pace_change - curve.log_q50', 0.5) }} * count(*) / (count(*) + 5) as feed_shift
    from bases
    inner join curve
        on
            bases.as_of_date = curve.as_of_date
            and bases.market = curve.market
            and bases.age_bucket = curve.age_bucket
    group by bases.as_of_date, bases.market

),

chained as (

    -- Videos grow out of their bucket within the horizon: the factors of the days ahead, one after the other.
    select
        curve.*,
        {%- for day in range(1, 7) %}
        coalesce(lead(curve.log_q50, {{ day }}) over older, last_value(curve.log_q50) over ageing) as log_day_{{ day }},
        {%- endfor %}
        coalesce(feed_shifts.feed_shift, 0) as feed_shift
    from curve
    left join feed_shifts
        on
            curve.as_of_date = feed_shifts.as_of_date
            and curve.market = feed_shifts.market
    window
        older as (partition by curve.as_of_date, curve.market order by curve.age_bucket),
        ageing as (
            partition by curve.as_of_date, curve.market
            order by curve.age_bucket
            rows between unbounded preceding and unbounded following
        )

)

select
    as_of_date,
    cutoff_at,
    market,
    age_bucket,
    n,
    n_all_markets,
    round(exp(log_q10), 9) as phi_p10,
    round(exp(log_q50), 9) as phi,
    round(exp(log_q90), 9) as phi_p90,
    {%- for horizon in forecast_horizons() %}
    round(
        {%- for day in range(horizon // 24) %}
        {% if day > 0 %}+ {% endif %}exp(log_q50{% for step in range(1, day + 1) %} + log_day_{{ step }}{% endfor %})
        {%- endfor %},
        9
    ) as days_kept_{{ horizon }}h,
    {%- endfor %}
    round(feed_shift, 9) as feed_shift
from chained
