{{ config(materialized='incremental', incremental_strategy='as_of') }}

{#-
    Forecasts whose target was first observed on a date, with what came true. Filled on the date of the target, from
    readings up to that date's cut-off; re-read datasets are no readings, so they are no targets either.
-#}

{%- set tolerance = forecast_setting('target_tolerance_hours') | int %}
{%- set longest = forecast_horizons() | max // 24 %}

with

cutoffs as (

    select
        as_of_date,
        cutoff_at,
        lag(cutoff_at) over (order by as_of_date) as previous_cutoff_at
    from {{ source('meta', 'cutoffs') }}

),

scoring_dates as (

    select
        batch.as_of_date,
        batch.cutoff_at,
        coalesce(cutoffs.previous_cutoff_at, batch.cutoff_at - interval 1 day) as previous_cutoff_at
    from {{ ref('int_as_of') }} as batch
    inner join cutoffs on batch.as_of_date = cutoffs.as_of_date

),

bases as (

    select
        as_of_date,
        market,
        video_id,
        base_at,
        base_plays,
        base_likes
    from {{ ref('int_forecast_bases') }}
    where
        as_of_date >= {{ window_start(ref('int_as_of'), longest + 1) }}
        and not is_stale

),

due as (

    {% for horizon in forecast_horizons() -%}
    select
        scoring_dates.as_of_date,
        scoring_dates.cutoff_at,
        scoring_dates.previous_cutoff_at,
        bases.as_of_date as forecast_date,
        bases.market,
        bases.video_id,
        {{ horizon }} as horizon_hours,
        bases.base_at,
        bases.base_plays,
        bases.base_likes,
        bases.base_at + interval {{ horizon }} hour as target_at
    from scoring_dates
    inner join bases
        on
            bases.base_at + interval {{ horizon - tolerance }} hour <= scoring_dates.cutoff_at
            and bases.base_at + interval {{ horizon + tolerance }} hour > scoring_dates.previous_cutoff_at
            and bases.as_of_date >= scoring_dates.as_of_date - {{ longest + 1 }}
            and bases.as_of_date < scoring_dates.as_of_date
    {% if not loop.last %}
    union all

    {% endif %}
    {%- endfor %}

),

readings as (

    select
        video_id,
        observed_at,
        max(plays) as plays,
        max(likes) as likes
    from {{ ref('int_video_readings') }}
    where
        reading_date >= {{ window_start(ref('int_as_of'), longest + 1) }}
        and observed_at > (
            select min(previous_cutoff_at) - interval {{ 2 * tolerance }} hour from scoring_dates
        )
        and plays is not null
    group by video_id, observed_at

),

seen as (

    select
        due.*,
        readings.observed_at,
        readings.plays as observed_plays,
        min(readings.observed_at) over same_forecast as first_observed_at,
        row_number() over (
            partition by due.as_of_date, due.forecast_date, due.market, due.video_id, due.horizon_hours
            order by abs({{ hours_between('due.target_at', 'readings.observed_at') }}), readings.observed_at
        ) as place_by_distance
    from due
    inner join readings
        on
            due.video_id = readings.video_id
            and readings.observed_at >= due.target_at - interval {{ tolerance }} hour
            and readings.observed_at <= due.target_at + interval {{ tolerance }} hour
            and readings.observed_at <= due.cutoff_at
            -- Counts that another feed had shown before are the same reading, not a gain of zero.
            and (
                readings.plays <> due.base_plays
                or coalesce(readings.likes, -1) <> coalesce(due.base_likes, -1)
            )
    window
        same_forecast as (
            partition by due.as_of_date, due.forecast_date, due.market, due.video_id, due.horizon_hours
        )

),

observed as (

    -- The forecast's row with what came true: inputs are made of what is left here, not of all forecasts.
    select
        made.*,
        seen.as_of_date as target_date,
        seen.horizon_hours,
        seen.target_at,
        seen.observed_at,
        seen.observed_plays
    from seen
    inner join {{ ref('int_forecast_bases') }} as made
        on
            seen.forecast_date = made.as_of_date
            and seen.market = made.market
            and seen.video_id = made.video_id
    where
        made.as_of_date >= {{ window_start(ref('int_as_of'), longest + 1) }}
        and seen.place_by_distance = 1
        and seen.first_observed_at > seen.previous_cutoff_at

),

{{ forecast_features('observed', ref('int_retention'), [
    'target_date', 'as_of_date', 'market', 'video_id', 'horizon_hours', 'base_at', 'base_plays', 'target_at',
    'observed_at', 'observed_plays', 'age_bucket', 'is_cold_start', 'is_sampled',
]) }}

select
    target_date as as_of_date,
    as_of_date as forecast_date,
    market,
    video_id,
    horizon_hours,
    base_at,
    base_plays,
    target_at,
    observed_at,
    observed_plays,
    -- Read a little early or late: brought to the horizon.
    greatest(observed_plays - base_plays, 0) * horizon_hours
    / {{ hours_between('base_at', 'observed_at') }} as actual_gain,
    pace,
    age_bucket,
    is_cold_start,
    is_sampled,
    segment,
    {%- for input in forecast_inputs() %}
    {{ input }},
    {%- endfor %}
    case horizon_hours
        {%- for horizon in forecast_horizons() %}
        when {{ horizon }} then retention_{{ horizon }}h
        {%- endfor %}
    end as retention_gain
from featured
