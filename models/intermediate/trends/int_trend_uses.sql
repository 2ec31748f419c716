{{ config(materialized='incremental', incremental_strategy='as_of') }}

{#-
    How often each key stood in a market's feeds on a date: all keys a video carries count, also those of a single
    video, because tomorrow there may be a second one. Later dates read these partitions as their history.
-#}

-- depends_on: {{ ref('int_as_of') }}
with

known as (

    select
        *,
        row_number() over (
            partition by as_of_date, market
            order by coalesce(live_views_per_hour, views_per_hour) desc nulls last, video_id asc
        ) as speed_place,
        {{ gained_in_a_day('live_views_per_hour', 'plays', 'age_hours', 'age_is_lower_bound') }} as gained_views_24h
    from {{ ref('int_videos_as_of') }}

),

videos as (

    select
        video_id,
        coalesce(author_handle, video_id) as creator
    from {{ ref('int_videos') }}

),

carried as (

    select * from {{ ref('int_video_trend_keys') }}

),

used as (

    select
        known.as_of_date,
        known.market,
        carried.trend_key,
        carried.trend_key_type,
        known.video_id,
        videos.creator,
        known.days_in_market = 1 and not known.is_stale as is_new,
        known.gained_views_24h,
        known.speed_place
    from known
    inner join carried
        on
            known.as_of_date = carried.as_of_date
            and known.video_id = carried.video_id
    inner join videos
        on known.video_id = videos.video_id

)

select
    as_of_date,
    market,
    trend_key,
    trend_key_type,
    count(*) as uses,
    count(distinct creator) as creators,
    cast(sum(case when is_new then 1 else 0 end) as bigint) as new_uses,
    -- Whole views: a sum of fractions would depend on the order of its rows.
    cast(sum(cast(round(gained_views_24h) as bigint)) as bigint) as gained_views_24h,
    {{ value_at_min('video_id', 'speed_place') }} as top_video_id
from used
group by as_of_date, market, trend_key, trend_key_type
