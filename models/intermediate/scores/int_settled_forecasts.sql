-- depends_on: {{ ref('int_as_of') }}
{{ config(materialized='incremental', incremental_strategy='as_of') }}

{#-
    Every forecast on the date it is settled: its outcome came in, or the last moment passed at which one could have.
    So the population of a score is everybody that was told of, not those that stayed in a feed. Two records apart: what
    was told live, and what today's models say of that day.
-#}

{%- set tolerance = var('forecast_target_tolerance_hours') | int %}
{%- set longest = forecast_horizons() | max // 24 + 1 %}

with

{{ scoring_dates(source('meta', 'cutoffs'), ref('int_as_of')) }},

{{ first_tellings(source('told', 'tellings'), ref('int_as_of'), longest) }},

told_of as (

    select
        'replay' as record,
        forecasts.as_of_date as forecast_date,
        forecasts.market,
        forecasts.video_id,
        forecasts.horizon_hours,
        forecasts.made_at,
        forecasts.target_at,
        forecasts.base_plays,
        forecasts.p10,
        forecasts.p50,
        forecasts.p90,
        forecasts.is_cold_start,
        forecasts.is_stale,
        forecasts.model,
        cast(null as timestamp) as told_at
    from {{ ref('forecasts') }} as forecasts
    where forecasts.as_of_date >= {{ window_start(ref('int_as_of'), longest) }}

    union all

    select
        'track record' as record,
        forecasts.as_of_date as forecast_date,
        forecasts.market,
        forecasts.video_id,
        forecasts.horizon_hours,
        forecasts.made_at,
        forecasts.target_at,
        forecasts.base_plays,
        forecasts.p10,
        forecasts.p50,
        forecasts.p90,
        forecasts.is_cold_start,
        forecasts.is_stale,
        forecasts.model,
        tellings.told_at
    from {{ source('told', 'forecasts') }} as forecasts
    inner join tellings on forecasts.telling_id = tellings.telling_id

),

stated as (

    -- What can be settled on these dates at all: the moments of its outcome are not over before, and not all to come.
    select told_of.*
    from told_of
    where
        (
            told_of.target_at + interval {{ tolerance }} hour > (select min(previous_cutoff_at) from scoring_dates)
            or told_of.forecast_date >= (select min(previous_as_of_date) from scoring_dates)
        )
        and told_of.target_at - interval {{ tolerance }} hour <= (select max(cutoff_at) from scoring_dates)

),

targets as (

    select * from {{ ref('int_forecast_targets') }}
    where as_of_date >= {{ window_start(ref('int_as_of'), longest) }}

),

found as (

    -- Scored by what it said: a forecast that was told may start from another reading than today's models take.
    select
        targets.as_of_date,
        stated.*,
        greatest(targets.observed_plays - stated.base_plays, 0) * stated.horizon_hours
        / {{ hours_between('stated.made_at', 'targets.observed_at') }} as actual_gain
    from stated
    inner join targets
        on
            stated.forecast_date = targets.forecast_date
            and stated.market = targets.market
            and stated.video_id = targets.video_id
            and stated.horizon_hours = targets.horizon_hours
    where
        targets.observed_at between
        stated.target_at - interval {{ tolerance }} hour and stated.target_at + interval {{ tolerance }} hour

),

passed as (

    select
        scoring_dates.as_of_date,
        stated.*,
        cast(null as double) as actual_gain
    from scoring_dates
    inner join stated
        on
            stated.target_at + interval {{ tolerance }} hour <= scoring_dates.cutoff_at
            and stated.forecast_date < scoring_dates.as_of_date
            -- One from an old reading may be over on its own date: it is settled on the next, as what was told is.
            and (
                stated.target_at + interval {{ tolerance }} hour > scoring_dates.previous_cutoff_at
                or stated.forecast_date >= scoring_dates.previous_as_of_date
            )
    left join found
        on
            stated.record = found.record
            and stated.forecast_date = found.forecast_date
            and stated.market = found.market
            and stated.video_id = found.video_id
            and stated.horizon_hours = found.horizon_hours
            and scoring_dates.as_of_date >= found.as_of_date
    where found.video_id is null

),

settled as (

    select found.*
    from found
    inner join scoring_dates on found.as_of_date = scoring_dates.as_of_date

    union all

    select * from passed

),

told_by_then as (

    select settled.*
    from settled
    inner join scoring_dates on settled.as_of_date = scoring_dates.as_of_date
    where coalesce(settled.told_at <= scoring_dates.cutoff_at, true)

),

candidates as (

    select * from {{ ref('int_forecast_candidates') }}
    where as_of_date >= {{ window_start(ref('int_as_of'), longest) }}

),

videos as (

    select
        as_of_date,
        market,
        video_id,
        feed_rank
    from {{ ref('videos_daily') }}
    where as_of_date >= {{ window_start(ref('int_as_of'), longest) }}

)

select
    told_by_then.as_of_date,
    told_by_then.record,
    told_by_then.forecast_date,
    told_by_then.market,
    told_by_then.video_id,
    told_by_then.horizon_hours,
    told_by_then.made_at,
    told_by_then.target_at,
    told_by_then.model,
    told_by_then.base_plays,
    told_by_then.p10,
    told_by_then.p50,
    told_by_then.p90,
    told_by_then.is_cold_start,
    coalesce(told_by_then.is_stale, false) as is_stale,
    candidates.age_bucket,
    {{ feed_rank_class('videos.feed_rank') }} as rank_class,
    candidates.pace,
    case when candidates.gain_last_gain > 0 then candidates.gain_last_gain else 0 end as gain_last_gain,
    told_by_then.actual_gain,
    -- Plays are one number worldwide: a line over all markets takes each video once.
    row_number() over (
        partition by
            told_by_then.record, told_by_then.as_of_date, told_by_then.forecast_date, told_by_then.video_id,
            told_by_then.horizon_hours
        order by told_by_then.market
    ) = 1 as is_first_market
from told_by_then
left join candidates
    on
        told_by_then.forecast_date = candidates.as_of_date
        and told_by_then.market = candidates.market
        and told_by_then.video_id = candidates.video_id
        and told_by_then.horizon_hours = candidates.horizon_hours
left join videos
    on
        told_by_then.forecast_date = videos.as_of_date
        and told_by_then.market = videos.market
        and told_by_then.video_id = videos.video_id
