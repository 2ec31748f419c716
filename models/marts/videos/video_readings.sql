{{ config(incremental_strategy='replace_keys', unique_key=['market', 'video_id']) }}

{#- What int_video_readings has for readers: of the videos that new loads touched, as there. -#}

select
    market,
    video_id,
    reading_number,
    observed_at,
    last_seen_at,
    times_seen,
    posted_at,
    posted_at_source,
    age_is_lower_bound,
    posted_at_disagrees,
    age_hours,
    plays,
    likes,
    shares,
    comments,
    saves,
    cast(plays_resolution as integer) as plays_resolution,
    cast(likes_resolution as integer) as likes_resolution,
    cast(shares_resolution as integer) as shares_resolution,
    counts_rounded,
    counter_regressed,
    views_per_hour,
    likes_per_hour,
    shares_per_hour,
    momentum_score,
    gap_hours,
    delta_plays,
    delta_likes,
    delta_shares,
    live_views_per_hour,
    live_likes_per_hour,
    live_shares_per_hour,
    live_momentum,
    load_id,
    item_index,
    last_load_id,
    is_believed,
    {{ entries_as_text('oddities', ', ') }} as oddities,
    is_new_level
from {{ ref('int_video_readings') }}
{% if is_incremental() %}
where last_load_id > (select coalesce(max(last_load_id), 0) from {{ this }})
{% endif %}
