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
        coalesce(live_views_per_hour, views_per_hour) as views_rate,
        -- What was gained in the last 24 hours: a video never gained more than it has; one reading says it only of a
        -- video that is not a day old.
        case
            when live_views_per_hour is not null then least(24 * live_views_per_hour, plays)
            when age_hours <= 24 and not age_is_lower_bound then plays
        end as gained_views_24h
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
        known.reading_days = 1 and not known.is_stale as is_new,
        known.gained_views_24h,
        known.views_rate
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
    sum(gained_views_24h) as gained_views_24h,
    -- The video that moves fastest stands for the key; the id decides a tie.
    max_by(video_id, {{ sort_pair('views_rate', 'video_id') }}) as top_video_id
from used
group by as_of_date, market, trend_key, trend_key_type
