{{ config(materialized='incremental', incremental_strategy='as_of') }}

{#-
    Forecasts whose target was first observed on a date, with what came true. Filled on the date of the target, from
    readings up to that date's cut-off; re-read datasets are no readings, so they are no targets either. A newer dataset
    that shows a video's count again is an outcome: what it gained is told against the base of the forecast, not against
    the reading before.
-#}

{%- set tolerance = var('forecast_target_tolerance_hours') | int %}
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
        base_likes,
        coalesce(pace, lifetime_pace) as known_pace
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
        bases.known_pace,
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

stored_readings as (

    select
        market,
        video_id,
        observed_at,
        plays,
        likes,
        plays_resolution,
        previous_observed_at,
        delta_plays
    from {{ ref('int_video_readings') }}
    where
        reading_date >= {{ window_start(ref('int_as_of'), longest + 1) }}
        and observed_at > (
            select min(previous_cutoff_at) - interval {{ 2 * tolerance }} hour from scoring_dates
        )
        and plays is not null

),

repeated as (

    -- Shown without becoming a reading: an old count, or a new one that hardly rose since the reading before.
    select
        staged.market,
        staged.video_id,
        staged.observed_at,
        staged.plays,
        staged.likes,
        staged.plays_resolution
    from {{ ref('stg_tiktok__videos') }} as staged
    left join stored_readings
        on
            staged.market = stored_readings.market
            and staged.video_id = stored_readings.video_id
            and staged.observed_at = stored_readings.observed_at
    where
        staged.observed_date >= {{ window_start(ref('int_as_of'), longest + 1) }}
        and staged.observed_at > (
            select min(previous_cutoff_at) - interval {{ 2 * tolerance }} hour from scoring_dates
        )
        and staged.plays is not null
        and stored_readings.video_id is null

),

movements as (

    select
        market,
        observed_at,
        case when delta_plays > 0 then 1 else 0 end as rose,
        0 as stood
    from stored_readings
    where previous_observed_at is not null

    union all

    select
        market,
        observed_at,
        0 as rose,
        1 as stood
    from repeated

),

newer_feeds as (

    -- A dataset is newer where most of the videos that were seen before have risen in it.
    select
        market,
        observed_at
    from movements
    group by market, observed_at
    having sum(rose) > 0 and sum(rose) >= sum(stood)

),

readings as (

    select
        video_id,
        observed_at,
        max(plays) as plays,
        max(likes) as likes,
        max(plays_resolution) as plays_resolution,
        -- Known by its id to be of another dataset than the reading before.
        max(case when delta_plays = 0 then 1 else 0 end) = 1 as may_stand_still,
        false as is_repeated
    from stored_readings
    group by video_id, observed_at

    union all

    select
        repeated.video_id,
        repeated.observed_at,
        max(repeated.plays) as plays,
        max(repeated.likes) as likes,
        max(repeated.plays_resolution) as plays_resolution,
        true as may_stand_still,
        true as is_repeated
    from repeated
    inner join newer_feeds
        on
            repeated.market = newer_feeds.market
            and repeated.observed_at = newer_feeds.observed_at
    left join stored_readings
        on
            repeated.video_id = stored_readings.video_id
            and repeated.observed_at = stored_readings.observed_at
    where stored_readings.video_id is null
    group by repeated.video_id, repeated.observed_at

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
            and (
                -- Counts that another feed had shown before are the same reading, not a gain of zero.
                (
                    not readings.is_repeated
                    and (
                        readings.plays <> due.base_plays
                        or coalesce(readings.likes, -1) <> coalesce(due.base_likes, -1)
                    )
                )
                or (
                    readings.may_stand_still
                    and readings.plays >= due.base_plays
                    -- A count in whole thousands shows a gain of thousands, and not that there was none.
                    and readings.plays_resolution <= greatest(
                        {{ var('score_count_noise') }} * due.base_plays, readings.plays - due.base_plays, 1
                    )
                    -- A fast video that stands still is an old count out of a cache.
                    and not coalesce(
                        due.known_pace > 24 * {{ var('still_pace') }}
                        and readings.plays - due.base_plays < {{ var('still_share') }} * readings.plays
                        and readings.plays - due.base_plays
                        < {{ var('still_pace_share') }} * due.known_pace
                        * {{ hours_between('due.base_at', 'readings.observed_at') }} / 24,
                        false
                    )
                )
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
