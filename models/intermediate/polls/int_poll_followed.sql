{{ config(materialized='table') }}

{#- Videos of the polled days that the watch list follows, by themselves, their account or what they use. -#}

with

sightings as (

    -- The batch's days: what is read there is what is scored. A poll may be the first to see a video.
    select
        *,
        row_number() over (partition by market, video_id order by observed_at desc, load_id desc) as place
    from {{ ref('stg_tiktok__videos') }}
    where
        observed_date >= {{ window_start(ref('int_as_of'), 0) }}
        and exists (
            select 1 from {{ ref('watchlist') }} as listed
            where lower(trim(listed.action)) = 'follow'
        )

),

videos as (

    select
        observed_date as as_of_date,
        market,
        video_id,
        author_handle,
        caption,
        {{ carried_trend_keys('template_id', 'music_id', 'effects', 'hashtags') }} as carried_keys
    from sightings
    where place = 1

),

{{ watchlist_matches('follow', ref('watchlist'), 'videos') }}

select
    market,
    video_id,
    min({{ watched_as('kind', 'value') }}) as followed_by
from matched
group by market, video_id
