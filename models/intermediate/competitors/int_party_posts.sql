{#- Posts under their account, and once more under the total of their side. -#}

with

posts as (

    select * from {{ ref('int_account_posts') }}

)

select
    as_of_date,
    account as party,
    false as is_total,
    role,
    video_id,
    home_market,
    market,
    market_label,
    caption,
    trend_key,
    trend_key_type,
    is_on_trend,
    posted_at,
    local_posted_at,
    plays,
    momentum_score,
    peak_momentum,
    shares_per_hour,
    ai_category,
    video_url,
    views_48h,
    is_in_week
from posts

union all

select
    as_of_date,
    {{ total_of('role') }} as party,
    true as is_total,
    role,
    video_id,
    home_market,
    market,
    market_label,
    caption,
    trend_key,
    trend_key_type,
    is_on_trend,
    posted_at,
    local_posted_at,
    plays,
    momentum_score,
    peak_momentum,
    shares_per_hour,
    ai_category,
    video_url,
    views_48h,
    is_in_week
from posts
