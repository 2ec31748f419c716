{#- Section 1: the posting log of seven days, own posts beside the competitors'. -#}

-- The incremental strategy reads the batch.
-- depends_on: {{ ref('int_as_of') }}
with

posts as (

    select * from {{ ref('int_account_posts') }}
    where is_in_week

)

select
    as_of_date,
    video_id,
    account,
    role,
    market,
    market_label,
    first_seen_on,
    last_seen_on,
    caption as trend,
    trend_key,
    trend_key_type,
    posted_at,
    local_posted_at,
    {{ iso_weekday('local_posted_at') }} as post_weekday,
    cast(extract(hour from local_posted_at) as integer) as post_hour,
    age_hours,
    plays,
    momentum_score,
    peak_momentum,
    shares_per_hour,
    views_per_hour,
    views_48h,
    ai_category,
    status,
    video_url as url
from posts
