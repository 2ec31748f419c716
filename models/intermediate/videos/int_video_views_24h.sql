{{ config(
    materialized='incremental',
    incremental_strategy='replace_keys',
    unique_key=['video_id']
) }}

{#-
    The two readings around a video's age of 24 hours, over all markets: the last one up to it and the first one after
    it. A date interpolates between those of them it knows. Videos without a post time have no such age.
-#}

with

readings as (

    select *
    from {{ ref('int_video_readings') }}
    where
        not age_is_lower_bound
        and plays is not null
        and age_hours <= 24 + {{ var('outlier_maximum_gap_hours') }}

),

videos as (

    select * from {{ ref('int_videos') }}

),

touched as (

    select distinct video_id
    from readings
    {% if is_incremental() %}
    where last_load_id > (select coalesce(max(last_load_id), 0) from {{ this }})
    {% endif %}

),

placed as (

    select
        readings.*,
        readings.age_hours > 24 as is_after,
        row_number() over (
            partition by readings.video_id, readings.age_hours > 24
            order by
                abs(readings.age_hours - 24) asc, readings.plays desc, readings.market asc, readings.observed_at asc
        ) as place
    from readings
    inner join touched
        on readings.video_id = touched.video_id

)

select
    placed.video_id,
    videos.author_handle,
    min(placed.posted_at) as posted_at,
    max(case when not placed.is_after then placed.observed_at end) as before_observed_at,
    max(case when not placed.is_after then placed.age_hours end) as before_age_hours,
    max(case when not placed.is_after then placed.plays end) as before_plays,
    max(case when placed.is_after then placed.observed_at end) as after_observed_at,
    max(case when placed.is_after then placed.age_hours end) as after_age_hours,
    max(case when placed.is_after then placed.plays end) as after_plays,
    max(placed.last_load_id) as last_load_id
from placed
inner join videos
    on placed.video_id = videos.video_id
where
    placed.place = 1
    and videos.author_handle is not null
group by placed.video_id, videos.author_handle
