{#-
    Other creators' videos that are young and fast enough by the classic rules, with an action window that asks for it.
    The wider net (not is_strict) is for a day without any of those. What to build is decided in build_list.
-#}

with

videos as (

    select * from {{ ref('videos_daily') }}
    where
        as_of_date >= {{ window_start(ref('int_as_of'), 0) }}
        and author_role = 'other'
        and age_hours <= 60
        and momentum_score >= 300
        and action_window in ('🔴 ACT NOW', '🟠 6-12H', '🟡 12-24H', '🟢 MONITOR')

),

batch as (

    select
        batch.as_of_date,
        markets.market,
        markets.display_order,
        {{ local_hour('batch.cutoff_at', 'markets.timezone') }} as local_hour
    from {{ ref('int_as_of') }} as batch
    cross join {{ ref('markets') }} as markets

),

decided as (

    select * from {{ ref('decisions') }}
    where as_of_date >= {{ window_start(ref('int_as_of'), 0) }}

),

yours as (

    select * from {{ ref('int_party_trends') }}
    where party = 'YOU'

)

select
    videos.as_of_date,
    videos.market,
    videos.video_id,
    cast(batch.display_order as integer) as market_order,
    videos.age_hours <= 48
    and videos.momentum_score >= 500
    and videos.action_window in ('🔴 ACT NOW', '🟠 6-12H') as is_strict,
    case
        when batch.local_hour between {{ var('prime_from_hour') }} and {{ var('prime_to_hour') }} then '🟢 PRIME'
        else 'OFF_PEAK'
    end as time_zone_label,
    greatest({{ var('fresh_age_hours') }} - videos.age_hours, 0) as time_remaining_hours,
    videos.caption as trend,
    videos.author_handle as creator,
    videos.momentum_score,
    videos.opportunity_score,
    videos.age_hours,
    videos.market_label,
    videos.seasonal_event,
    yours.trend_key is not null as is_previously_built,
    yours.best_url as previously_built_url,
    videos.video_url as url,
    videos.action_window,
    videos.trajectory,
    videos.recommended_variants,
    videos.stop_building,
    videos.stop_reason,
    videos.gain_24h_p10,
    videos.gain_24h_p50,
    videos.gain_24h_p90,
    decided.window_left_hours,
    videos.trend_key,
    videos.ai_category
from videos
inner join batch
    on
        videos.as_of_date = batch.as_of_date
        and videos.market = batch.market
left join decided
    on
        videos.as_of_date = decided.as_of_date
        and videos.market = decided.market
        and videos.video_id = decided.video_id
        and videos.decision_mode = decided.decision_mode
left join yours
    on
        videos.as_of_date = yours.as_of_date
        and videos.trend_key = yours.trend_key
