{#-
    Posts against what their creator's posts usually reach: views at an age of 24 hours over the median of the ten
    posts before, drawn towards 1 while those are few. Ln views are interpolated on ln age between the two readings
    around 24 hours; with readings on one side only, one within 6 hours stands in.
-#}

{%- set posts_back = 10 %}

with

batch as (

    select * from {{ ref('int_as_of') }}

),

presence as (

    select * from {{ ref('int_feed_presence') }}

),

videos as (

    select * from {{ ref('int_videos') }}

),

trend_keys as (

    select * from {{ ref('int_trend_keys') }}

),

accounts as (

    select * from {{ ref('int_accounts') }}

),

posts as (

    select * from {{ ref('int_video_views_24h') }}
    where posted_at >= {{ window_start(ref('int_as_of'), (var('outlier_history_days') | int) + 2) }}

),

present as (

    select distinct
        presence.as_of_date,
        presence.video_id,
        videos.author_handle
    from presence
    inner join videos
        on presence.video_id = videos.video_id
    where videos.author_handle is not null

),

present_creators as (

    select distinct
        as_of_date,
        author_handle
    from present

),

known as (

    -- A post is measured once it is 24 hours old: from then on the reading before that age stays the same.
    select
        batch.as_of_date,
        posts.author_handle,
        posts.video_id,
        posts.posted_at,
        posts.before_age_hours,
        ln(greatest(posts.before_plays, 1)) as before_log_views,
        case when posts.after_observed_at <= batch.cutoff_at then posts.after_age_hours end as after_age_hours,
        ln(greatest(posts.after_plays, 1)) as after_log_views
    from batch
    inner join present_creators
        on batch.as_of_date = present_creators.as_of_date
    inner join posts
        on
            present_creators.author_handle = posts.author_handle
            and posts.posted_at <= batch.cutoff_at - interval 24 hour
            and posts.posted_at > batch.cutoff_at - interval {{ var('outlier_history_days') }} day

),

measured as (

    select
        *,
        after_age_hours - before_age_hours <= {{ var('outlier_maximum_gap_hours') }} as is_interpolated,
        exp(case
            when after_age_hours - before_age_hours <= {{ var('outlier_maximum_gap_hours') }}
                then
                    before_log_views
                    + (after_log_views - before_log_views)
                    * ln(24 / before_age_hours) / ln(after_age_hours / before_age_hours)
            when
                24 - before_age_hours <= {{ var('outlier_nearest_hours') }}
                and coalesce(24 - before_age_hours <= after_age_hours - 24, true)
                then before_log_views
            when after_age_hours - 24 <= {{ var('outlier_nearest_hours') }} then after_log_views
        end) as views_24h
    from known

),

numbered as (

    select
        *,
        row_number() over (
            partition by as_of_date, author_handle
            order by posted_at, video_id
        ) as post_number
    from measured
    where views_24h is not null

),

compared as (

    select
        post.as_of_date,
        post.video_id,
        post.author_handle,
        post.posted_at,
        post.views_24h,
        coalesce(post.is_interpolated, false) as is_interpolated,
        count(*) as previous_posts,
        {{ quantile('earlier.views_24h', 0.5) }} as previous_median_views_24h,
        max(earlier.views_24h) as previous_best_views_24h
    from numbered as post
    inner join present
        on
            post.as_of_date = present.as_of_date
            and post.video_id = present.video_id
    inner join numbered as earlier
        on
            post.as_of_date = earlier.as_of_date
            and post.author_handle = earlier.author_handle
            and earlier.post_number between post.post_number - {{ posts_back }} and post.post_number - 1
    group by
        post.as_of_date, post.video_id, post.author_handle, post.posted_at, post.views_24h, post.is_interpolated
    having count(*) >= {{ var('outlier_minimum_posts') }}

),

scored as (

    select
        *,
        views_24h / previous_median_views_24h as views_ratio,
        exp(previous_posts * ln(views_24h / previous_median_views_24h) / (previous_posts + 3)) as outlier_score
    from compared

)

select
    scored.as_of_date,
    scored.video_id,
    scored.author_handle,
    coalesce(accounts.role, 'other') as author_role,
    scored.posted_at,
    scored.views_24h,
    scored.is_interpolated,
    scored.previous_posts,
    scored.previous_median_views_24h,
    scored.previous_best_views_24h,
    scored.views_ratio,
    scored.outlier_score,
    scored.outlier_score >= {{ var('outlier_win') }} as is_win,
    scored.outlier_score >= {{ var('outlier_win') }}
    and scored.views_ratio >= {{ var('breakout_ratio') }}
    and scored.views_24h > scored.previous_best_views_24h as is_breakout,
    trend_keys.trend_key,
    trend_keys.trend_key_type
from scored
inner join trend_keys
    on
        scored.as_of_date = trend_keys.as_of_date
        and scored.video_id = trend_keys.video_id
left join accounts
    on scored.author_handle = accounts.handle
