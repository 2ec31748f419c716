{%- set mode = var('decision_mode') %}

with

metrics as (

    select * from {{ ref('int_video_metrics') }}

),

attributes as (

    select * from {{ ref('stg_tiktok__videos') }}
    where observed_date >= {{ window_start(ref('int_as_of'), 0) }}

),

accounts as (

    select * from {{ ref('int_accounts') }}

),

markets as (

    select * from {{ ref('markets') }}

),

categories as (

    select * from {{ ref('int_video_ai') }}

),

decisions as (

    select * from {{ ref('int_video_decisions') }}

),

reasons as (

    select * from {{ ref('int_decision_reasons') }}

),

scores as (

    select * from {{ ref('int_video_scores') }}

),

trend_keys as (

    select * from {{ ref('int_trend_keys') }}

),

seasonal as (

    select * from {{ ref('int_video_seasonal') }}

),

next_day as (

    select * from {{ ref('forecasts') }}
    where
        as_of_date in (select batch.as_of_date from {{ ref('int_as_of') }} as batch)
        and horizon_hours = 24

)

select
    metrics.as_of_date,
    metrics.market,
    metrics.video_id,
    attributes.video_url,
    attributes.caption,
    attributes.author_handle,
    attributes.author_name,
    coalesce(accounts.role, 'other') as author_role,
    metrics.posted_at,
    metrics.age_is_lower_bound,
    metrics.observed_at,
    metrics.last_seen_at,
    metrics.is_stale,
    metrics.age_hours,
    metrics.plays,
    metrics.likes,
    metrics.shares,
    metrics.comments,
    metrics.saves,
    metrics.counts_rounded,
    metrics.counter_regressed,
    metrics.views_per_hour,
    metrics.likes_per_hour,
    metrics.shares_per_hour,
    metrics.momentum_score,
    metrics.live_views_per_hour,
    metrics.live_likes_per_hour,
    metrics.live_shares_per_hour,
    metrics.live_momentum,
    metrics.expected_live_momentum,
    metrics.status,
    metrics.status_classic,
    metrics.status_measured,
    metrics.build_now,
    metrics.tutorial_trigger,
    metrics.urgency,
    metrics.trigger_reason,
    case when metrics.market_count > 1 then '🌐 BOTH' else markets.label end as market_label,
    metrics.market_count > 1 as is_cross_market,
    metrics.age_hours <= {{ var('fresh_age_hours') }} as is_fresh,
    metrics.velocity,
    metrics.acceleration,
    metrics.predicted_momentum_6h,
    metrics.predicted_momentum_12h,
    metrics.predicted_momentum_24h,
    metrics.trajectory as classic_trajectory,
    metrics.action_window as classic_action_window,
    metrics.recommended_variants as classic_recommended_variants,
    metrics.stop_reason as classic_stop_reason,
    '{{ mode }}' as decision_mode,
    decisions.{{ mode }}_trajectory as trajectory,
    decisions.{{ mode }}_action_window as action_window,
    decisions.{{ mode }}_recommended_variants as recommended_variants,
    decisions.{{ mode }}_stop_reason is not null as stop_building,
    decisions.{{ mode }}_stop_reason as stop_reason,
    reasons.{{ mode }}_reasons as decision_reasons,
    reasons.{{ mode }}_would_change_if as would_change_if,
    metrics.opportunity_score,
    metrics.confidence,
    categories.ai_category,
    categories.ai_probability,
    categories.ai_evidence,
    seasonal.seasonal_event,
    trend_keys.trend_key,
    trend_keys.trend_key_type,
    trend_keys.trend_key_reason,
    scores.score,
    scores.score_reason,
    next_day.p10 as gain_24h_p10,
    next_day.p50 as gain_24h_p50,
    next_day.p90 as gain_24h_p90,
    metrics.reading_count,
    attributes.music_id,
    attributes.music_name,
    metrics.feed_rank,
    attributes.load_id,
    attributes.item_index,
    metrics.is_believed,
    {{ entries_as_text('metrics.oddities', ', ') }} as oddities,
    metrics.is_new_level,
    {{ entries_as_text('attributes.hashtags', ' ') }} as hashtags,
    attributes.duration_s,
    attributes.is_slideshow,
    attributes.is_ad,
    attributes.is_sponsored,
    attributes.is_pinned,
    attributes.text_language,
    attributes.author_followers,
    attributes.template_id,
    'https://www.capcut.com/template-detail/' || attributes.template_id as template_url,
    'https://www.tiktok.com/music/sound-' || attributes.music_id as sound_url,
    attributes.cover_url
from metrics
inner join attributes
    on
        metrics.presence_load_id = attributes.load_id
        and metrics.video_id = attributes.video_id
inner join markets
    on metrics.market = markets.market
inner join categories
    on metrics.video_id = categories.video_id
inner join decisions
    on
        metrics.as_of_date = decisions.as_of_date
        and metrics.market = decisions.market
        and metrics.video_id = decisions.video_id
inner join reasons
    on
        metrics.as_of_date = reasons.as_of_date
        and metrics.market = reasons.market
        and metrics.video_id = reasons.video_id
left join scores
    on
        metrics.as_of_date = scores.as_of_date
        and metrics.market = scores.market
        and metrics.video_id = scores.video_id
inner join trend_keys
    on
        metrics.as_of_date = trend_keys.as_of_date
        and metrics.video_id = trend_keys.video_id
left join seasonal
    on
        metrics.as_of_date = seasonal.as_of_date
        and metrics.market = seasonal.market
        and metrics.video_id = seasonal.video_id
left join next_day
    on
        metrics.as_of_date = next_day.as_of_date
        and metrics.market = next_day.market
        and metrics.video_id = next_day.video_id
left join accounts
    on attributes.author_handle = accounts.handle
