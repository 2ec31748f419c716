{{ config(materialized='table') }}

{#- First readings of the days that bursts of trends are looked for in, each with what its video uses. -#}

with

staged as (

    select
        market,
        video_id,
        observed_at,
        coalesce(author_handle, video_id) as creator,
        music_name,
        {{ carried_trend_keys('template_id', 'music_id', 'effects', 'hashtags') }} as carried_keys
    from {{ ref('stg_tiktok__videos') }}
    where observed_date >= {{ window_start(ref('int_as_of'), trend_alert_days()) }}

),

firsts as (

    select
        market,
        video_id,
        min(observed_at) as first_seen_at
    from staged
    group by market, video_id

)

select distinct
    staged.market,
    staged.video_id,
    staged.observed_at,
    staged.creator,
    staged.music_name,
    staged.carried_keys
from staged
inner join firsts
    on
        staged.market = firsts.market
        and staged.video_id = firsts.video_id
        and staged.observed_at = firsts.first_seen_at
inner join {{ ref('int_video_readings') }} as readings
    on
        staged.market = readings.market
        and staged.video_id = readings.video_id
        and staged.observed_at = readings.observed_at
where readings.reading_number = 1
