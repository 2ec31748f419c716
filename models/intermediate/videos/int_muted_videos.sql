{#- Videos of a date that an entry of the watch list mutes. -#}

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

{{ watchlist_matches('mute', ref('watchlist'), ref('int_videos')) }}

select
    as_of_date,
    market,
    video_id,
    min({{ watched_as('kind', 'value') }}) as muted_by
from matched
group by as_of_date, market, video_id
