{{ config(materialized='table') }}

{#- First readings of the days that bursts of trends are looked for in, each with what its video uses. -#}

select
    staged.market,
    staged.video_id,
    staged.observed_at,
    coalesce(staged.author_handle, staged.video_id) as creator,
    staged.music_name,
    {{ carried_trend_keys('staged.template_id', 'staged.music_id', 'staged.effects', 'staged.hashtags') }}
        as carried_keys
from {{ ref('stg_tiktok__videos') }} as staged
inner join {{ ref('int_video_readings') }} as readings
    on
        staged.market = readings.market
        and staged.video_id = readings.video_id
        -- Two loads of one moment are one reading, of one item.
        and staged.load_id = readings.load_id
        and staged.item_index = readings.item_index
where
    staged.observed_date >= {{ window_start(ref('int_as_of'), trend_alert_days()) }}
    and readings.reading_date >= {{ window_start(ref('int_as_of'), trend_alert_days()) }}
    and readings.reading_number = 1
