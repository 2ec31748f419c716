{#- Each side's and account's posts on each shared trend key in the last 28 days: the first one and the best one. -#}

with

posts as (

    select * from {{ ref('int_party_posts') }}
    where is_on_trend

),

ordered as (

    select
        *,
        row_number() over (
            partition by as_of_date, party, trend_key
            order by posted_at, video_id
        ) as time_place,
        row_number() over (
            partition by as_of_date, party, trend_key
            order by momentum_score desc nulls last, video_id
        ) as momentum_place
    from posts

)

select
    as_of_date,
    party,
    is_total,
    role,
    trend_key,
    min(trend_key_type) as trend_key_type,
    count(*) as posts,
    count(*) filter (where is_in_week) as posts_7d,
    min(posted_at) as first_posted_at,
    max(posted_at) as last_posted_at,
    max(case when time_place = 1 then video_id end) as first_video_id,
    max(case when time_place = 1 then market end) as first_market,
    max(case when time_place = 1 then caption end) as first_caption,
    max(case when momentum_place = 1 then video_id end) as best_video_id,
    max(case when momentum_place = 1 then video_url end) as best_url,
    max(case when momentum_place = 1 then momentum_score end) as best_momentum,
    max(case when momentum_place = 1 then shares_per_hour end) as best_shares_per_hour,
    max(case when momentum_place = 1 then ai_category end) as best_ai_category,
    max(case when momentum_place = 1 then plays end) as best_plays,
    max(views_48h) as best_views_48h,
    count(views_48h) as measured_48h
from ordered
group by as_of_date, party, is_total, role, trend_key
