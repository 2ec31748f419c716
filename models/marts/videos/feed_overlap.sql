{#- How alike the feeds of two markets are: where most videos are shared, the scraper's region setting does nothing. -#}

-- depends_on: {{ ref('int_as_of') }}
with

presence as (

    select * from {{ ref('int_feed_presence') }}

),

sizes as (

    select
        as_of_date,
        market,
        count(*) as videos
    from presence
    group by as_of_date, market

),

shared_videos as (

    select
        one.as_of_date,
        one.market as market_a,
        other.market as market_b,
        count(*) as videos
    from presence as one
    inner join presence as other
        on
            one.as_of_date = other.as_of_date
            and one.video_id = other.video_id
            and one.market < other.market
    group by one.as_of_date, one.market, other.market

),

compared as (

    select
        one.as_of_date,
        one.market as market_a,
        other.market as market_b,
        one.videos as videos_a,
        other.videos as videos_b,
        coalesce(shared_videos.videos, 0) as videos_shared,
        one.videos + other.videos - coalesce(shared_videos.videos, 0) as videos_either
    from sizes as one
    inner join sizes as other
        on
            one.as_of_date = other.as_of_date
            and one.market < other.market
    left join shared_videos
        on
            one.as_of_date = shared_videos.as_of_date
            and one.market = shared_videos.market_a
            and other.market = shared_videos.market_b

)

select
    as_of_date,
    market_a,
    market_b,
    videos_a,
    videos_b,
    videos_shared,
    videos_shared / videos_either as jaccard,
    videos_shared / videos_either > {{ var('feed_overlap_limit') }} as is_suspicious
from compared
