{#- Videos of a date and the entries of the watch list that follow them. -#}

with

videos as (

    select
        as_of_date,
        market,
        video_id,
        author_handle,
        caption
    from {{ ref('videos_daily') }}
    where as_of_date in (select batch.as_of_date from {{ ref('int_as_of') }} as batch)

),

{{ watchlist_matches('follow', ref('watchlist'), ref('int_videos')) }}

select distinct
    as_of_date,
    market,
    video_id,
    kind,
    value,
    entry_market
from matched
