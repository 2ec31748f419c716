{#-
    Trends of each market and day that people can still join and that are no chance: they grow, their videos are in the
    day's feed, and several creators use them. What the watch list mutes is left out, in its market or everywhere. They are
    placed by what their videos gained, over all markets.
-#}

{%- set joinable = "('new', 'emerging', 'rising', 'resurged')" %}

with

batch as (

    select * from {{ ref('int_as_of') }}

),

trends as (

    select * from {{ ref('trends_daily') }}
    where as_of_date in (select batch.as_of_date from batch)

),

muted as (

    select
        {{ watched_key('lower(trim(kind))', 'value') }} as trend_key,
        nullif(upper(trim(market)), '') as market
    from {{ ref('watchlist') }}
    where
        lower(trim(action)) = 'mute'
        and lower(trim(kind)) in ('tag', 'sound', 'template')

),

alive as (

    select
        trends.as_of_date,
        trends.market,
        trends.trend_key,
        trends.trend_key_type,
        trends.lifecycle,
        trends.uses,
        trends.new_uses,
        trends.gained_views_24h,
        trends.first_seen_on,
        trends.window_left_p25_h,
        trends.window_left_h,
        trends.window_left_p75_h,
        trends.videos_28d,
        trends.creators_28d,
        trends.own_uses_7d,
        trends.competitor_uses_7d,
        trends.video_id
    from trends
    where
        trends.trend_key_type <> 'video'
        and trends.lifecycle in {{ joinable }}
        and trends.uses > 0
        and trends.creators_28d >= {{ var('trend_list_creators') }}
        and not exists (
            select 1
            from muted
            where
                muted.trend_key = trends.trend_key
                and coalesce(muted.market, trends.market) = trends.market
        )

),

carried as (

    select
        as_of_date,
        video_id,
        trend_key
    from {{ ref('int_video_trend_keys') }}

),

known as (

    select
        as_of_date,
        video_id,
        {{ gained_in_a_day('live_views_per_hour', 'plays', 'age_hours', 'age_is_lower_bound') }} as gained_views_24h
    from {{ ref('int_videos_as_of') }}

),

videos as (

    select
        video_id,
        coalesce(author_handle, video_id) as creator
    from {{ ref('int_videos') }}

),

read_videos as (

    -- A video that both markets show counts once.
    select
        as_of_date,
        video_id,
        max(gained_views_24h) as gained_views_24h
    from known
    group by as_of_date, video_id

),

alive_keys as (

    select distinct
        as_of_date,
        trend_key
    from alive

),

totals as (

    select
        carried.as_of_date,
        carried.trend_key,
        count(*) as uses,
        count(distinct videos.creator) as creators,
        cast(sum(cast(round(read_videos.gained_views_24h) as bigint)) as bigint) as gained_views_24h
    from alive_keys
    inner join carried
        on
            alive_keys.as_of_date = carried.as_of_date
            and alive_keys.trend_key = carried.trend_key
    inner join read_videos
        on
            carried.as_of_date = read_videos.as_of_date
            and carried.video_id = read_videos.video_id
    inner join videos on carried.video_id = videos.video_id
    group by carried.as_of_date, carried.trend_key
    having count(distinct videos.creator) >= {{ var('trend_list_creators_now') }}

),

placed as (

    select
        *,
        row_number() over (
            partition by as_of_date
            order by gained_views_24h desc nulls last, creators desc, trend_key asc
        ) as place
    from totals

)

select
    alive.*,
    placed.place,
    placed.uses as all_uses,
    placed.creators as all_creators,
    placed.gained_views_24h as all_gained_views_24h,
    row_number() over (
        partition by alive.as_of_date, alive.trend_key
        order by alive.gained_views_24h desc nulls last, alive.uses desc, alive.market asc
    ) as market_place
from alive
inner join placed
    on
        alive.as_of_date = placed.as_of_date
        and alive.trend_key = placed.trend_key
