{#-
    Views of the tracked accounts' posts at an age of 48 hours, as each date knows them: ln views interpolated on ln age
    between the two readings around it, else a reading within 6 hours of it.
-#}

with

batch as (

    select * from {{ ref('int_as_of') }}

),

accounts as (

    select * from {{ ref('int_accounts') }}

),

videos as (

    select
        videos.video_id,
        videos.author_handle
    from {{ ref('int_videos') }} as videos
    inner join accounts
        on videos.author_handle = accounts.handle

),

readings as (

    select *
    from {{ ref('int_video_readings') }}
    where
        not age_is_lower_bound
        and plays is not null
        and posted_at >= {{ window_start(ref('int_as_of'), (var('history_days') | int) + 1) }}

),

placed as (

    select
        batch.as_of_date,
        readings.video_id,
        readings.age_hours,
        readings.age_hours > 48 as is_after,
        ln(greatest(readings.plays, 1)) as log_views,
        row_number() over (
            partition by batch.as_of_date, readings.video_id, readings.age_hours > 48
            order by
                abs(readings.age_hours - 48) asc, readings.plays desc, readings.market asc, readings.observed_at asc
        ) as place
    from batch
    inner join readings
        on batch.cutoff_at >= readings.observed_at
    inner join videos
        on readings.video_id = videos.video_id

),

around as (

    select
        as_of_date,
        video_id,
        max(case when not is_after then age_hours end) as before_age,
        max(case when not is_after then log_views end) as before_log_views,
        max(case when is_after then age_hours end) as after_age,
        max(case when is_after then log_views end) as after_log_views
    from placed
    where place = 1
    group by as_of_date, video_id

)

select
    as_of_date,
    video_id,
    exp(case
        when after_age - before_age <= {{ var('outlier_maximum_gap_hours') }}
            then
                before_log_views
                + (after_log_views - before_log_views) * ln(48 / before_age) / ln(after_age / before_age)
        when
            48 - before_age <= {{ var('outlier_nearest_hours') }}
            and coalesce(48 - before_age <= after_age - 48, true)
            then before_log_views
        when after_age - 48 <= {{ var('outlier_nearest_hours') }} then after_log_views
    end) as views_48h
from around
