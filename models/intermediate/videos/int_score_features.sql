{{ config(materialized='incremental', incremental_strategy='as_of') }}

{#-
    What the score compares between videos of a date: pace, push and rates as logs. Stored, because cohorts look back
    28 days at what each date knew then.
-#}

{%- set noise = var('score_count_noise') %}

with

known as (

    select * from {{ ref('int_videos_as_of') }}

),

bases as (

    select
        *,
        -- Views a day that noise of the counts alone may show.
        {{ noise }} * base_plays * 24 / pace_gap_hours as noise_pace
    from {{ ref('int_forecast_bases') }}
    where {{ of_batch(ref('int_as_of')) }}

),

readings as (

    select
        market,
        video_id,
        observed_at
    from {{ ref('int_video_readings') }}
    where
        reading_date >= {{ window_start(ref('int_as_of'), var('history_days')) }}
        and live_views_per_hour is not null

),

intervals as (

    select
        known.as_of_date,
        known.market,
        known.video_id,
        count(*) as usable_intervals
    from known
    inner join readings
        on
            known.reading_market = readings.market
            and known.video_id = readings.video_id
            and known.cutoff_at >= readings.observed_at
            and known.cutoff_at - interval {{ var('history_days') }} day < readings.observed_at
    group by known.as_of_date, known.market, known.video_id

),

sized as (

    select
        *,
        count(*) over (partition by as_of_date, market) as videos_of_market
    from known

)

select
    sized.as_of_date,
    sized.cutoff_at,
    sized.market,
    sized.video_id,
    {{ forecast_age_bucket('sized.age_hours') }} as age_bucket,
    coalesce(intervals.usable_intervals, 0) as usable_intervals,
    bases.pace is null as is_lifetime_pace,
    case
        when bases.pace is not null then ln((greatest(bases.pace, 0) + bases.noise_pace) / 24 + 1)
        when sized.age_is_lower_bound then ln(sized.plays / (greatest(sized.age_hours, 24)) + 1)
        when sized.plays is not null then {{ log_of_count("sized.views_per_hour") }}
    end as log_pace,
    case
        when bases.previous_pace is not null
            then
                ln(
                    ((greatest(bases.pace, 0) + bases.noise_pace) / 24 + 1)
                    / ((greatest(bases.previous_pace, 0) + bases.noise_pace) / 24 + 1)
                )
    end as push,
    sized.plays,
    sized.shares,
    sized.likes,
    -- Half a share: none seen yet is not none at all.
    ln((sized.shares + 0.5) / (sized.plays + 1)) as log_share_rate,
    ln((sized.likes + 0.5) / (sized.plays + 1)) as log_like_rate,
    {{ stable_bucket('sized.video_id', 1000000) }}
    < 1000000.0 * {{ var('score_cohort_sample') }} / sized.videos_of_market as is_sampled
from sized
left join bases
    on
        sized.as_of_date = bases.as_of_date
        and sized.market = bases.market
        and sized.video_id = bases.video_id
left join intervals
    on
        sized.as_of_date = intervals.as_of_date
        and sized.market = intervals.market
        and sized.video_id = intervals.video_id
