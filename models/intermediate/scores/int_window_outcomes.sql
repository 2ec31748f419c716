-- depends_on: {{ ref('int_as_of') }}
{{ config(materialized='incremental', incremental_strategy='as_of') }}

{#-
    The window that a video was told to have left, beside the hours in which half of its week's gain came in: between the
    readings that scored its three horizons, in straight lines. On the date the week was over; null where it was not seen.
-#}

{%- set longest = forecast_horizons() | max // 24 + 1 %}

with

settled as (

    select
        as_of_date,
        forecast_date,
        market,
        video_id,
        horizon_hours,
        actual_gain
    from {{ ref('int_settled_forecasts') }}
    where
        as_of_date >= {{ window_start(ref('int_as_of'), longest) }}
        and record = 'replay'

),

weeks as (

    select
        settled.as_of_date,
        settled.forecast_date,
        settled.market,
        settled.video_id,
        settled.actual_gain as gain_168h
    from settled
    inner join {{ ref('int_as_of') }} as batch
        on settled.as_of_date = batch.as_of_date
    where settled.horizon_hours = 168

),

sooner as (

    select
        forecast_date,
        market,
        video_id,
        max(case when horizon_hours = 24 then actual_gain end) as gain_24h,
        max(case when horizon_hours = 48 then actual_gain end) as gain_48h
    from settled
    where horizon_hours < 168
    group by forecast_date, market, video_id

),

decided as (

    select
        as_of_date,
        market,
        video_id,
        window_left_hours
    from {{ ref('decisions') }}
    where
        as_of_date >= {{ window_start(ref('int_as_of'), longest + 1) }}
        and decision_mode = 'measured'
        and window_left_hours is not null

)

select
    weeks.as_of_date,
    weeks.forecast_date,
    weeks.market,
    weeks.video_id,
    decided.window_left_hours as told_hours,
    case
        -- Nothing gained has no half; a reading of a later horizon below one of a sooner one is noise.
        when weeks.gain_168h <= 0 then null
        when sooner.gain_48h < sooner.gain_24h or weeks.gain_168h < sooner.gain_48h then null
        when sooner.gain_24h >= weeks.gain_168h / 2 then 12 * weeks.gain_168h / sooner.gain_24h
        when sooner.gain_48h >= weeks.gain_168h / 2
            then 24 + 24 * (weeks.gain_168h / 2 - sooner.gain_24h) / (sooner.gain_48h - sooner.gain_24h)
        else 48 + 120 * (weeks.gain_168h / 2 - sooner.gain_48h) / (weeks.gain_168h - sooner.gain_48h)
    end as actual_hours
from weeks
inner join decided
    on
        weeks.forecast_date = decided.as_of_date
        and weeks.market = decided.market
        and weeks.video_id = decided.video_id
left join sooner
    on
        weeks.forecast_date = sooner.forecast_date
        and weeks.market = sooner.market
        and weeks.video_id = sooner.video_id
