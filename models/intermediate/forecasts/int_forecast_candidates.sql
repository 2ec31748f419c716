-- depends_on: {{ ref('int_as_of') }}
{{ config(materialized='incremental', incremental_strategy='as_of') }}

{#-
    Every forecast of a date before one is chosen: both models and the naive ones, as gains over the horizon from the
    last reading. Kept as made: models are chosen and intervals drawn from how these did, never from refits.
-#}

with

features as (

    select * from {{ ref('int_forecast_features') }}
    where as_of_date in (select batch.as_of_date from {{ ref('int_as_of') }} as batch)

),

fits as (

    select * from {{ ref('int_forecast_fits') }}

),

by_horizon as (

    {% for horizon in forecast_horizons() -%}
    select
        *,
        {{ horizon }} as horizon_hours,
        base_at + interval {{ horizon }} hour as target_at,
        retention_{{ horizon }}h as gain_retention
    from features
    {% if not loop.last %}
    union all

    {% endif %}
    {%- endfor %}

),

corrected as (

    select
        by_horizon.*,
        coalesce(
            {%- for input in forecast_inputs() %}
            {% if not loop.first %}+ {% endif %}fits.{{ input | replace('x_', 'b_', 1) }} * by_horizon.{{ input }}
            {%- endfor %},
            0
        ) as log_correction
    from by_horizon
    left join fits
        on
            by_horizon.as_of_date = fits.as_of_date
            and by_horizon.market = fits.market
            and by_horizon.horizon_hours = fits.horizon_hours
            and by_horizon.is_cold_start = fits.is_cold_start

)

select
    as_of_date,
    market,
    video_id,
    horizon_hours,
    base_at,
    target_at,
    base_plays,
    pace,
    age_bucket,
    segment,
    is_cold_start,
    is_stale,
    is_sampled,
    round(gain_retention, 3) as gain_retention,
    round(
        greatest((gain_retention + 1) * exp({{ held_between('log_correction', -3, 3) }}) - 1, 0), 3
    ) as gain_log_linear,
    cast(0 as double) as gain_persistence,
    round(lifetime_pace * horizon_hours / 24, 3) as gain_lifetime_rate,
    round(last_pace * horizon_hours / 24, 3) as gain_last_gain
from corrected
