{#-
    Trends that people can still join, by name and in order: every place that shows trends reads them here. A trend is
    told once, with its stage in each market; its face is the market in which its videos gained most.
-#}

{%- set drawn_days = var('trend_list_drawn_days') | int %}

with

batch as (

    select * from {{ ref('int_as_of') }}

),

candidates as (

    select * from {{ ref('int_trend_candidates') }}
    where place <= {{ var('trend_list_rows') }}

),

faces as (

    select * from candidates
    where market_place = 1

),

in_markets as (

    select
        as_of_date,
        trend_key,
        {{ joined_distinct("market || ' ' || lifecycle") }} as stages,
        {{ joined_distinct('market') }} as markets,
        cast(sum(new_uses) as bigint) as new_uses,
        min(first_seen_on) as first_seen_on
    from candidates
    group by as_of_date, trend_key

),

leads as (

    select
        *,
        row_number() over (
            partition by as_of_date, trend_key
            order by lag_days asc nulls last, arrival_probability_7d desc nulls last, other_market asc
        ) as lead_place
    from {{ ref('cross_market_trends') }}
    where as_of_date in (select batch.as_of_date from batch)

),

{{ named_sounds(ref('sounds_daily'), ref('int_as_of')) }},

shown_videos as (

    select * from {{ ref('videos_daily') }}
    where as_of_date in (select batch.as_of_date from batch)

),

history as (

    -- Of several markets that show a trend the one that shows it most: their videos are partly the same.
    select
        as_of_date as used_on,
        trend_key,
        max(uses) as uses
    from {{ ref('int_trend_uses') }}
    where as_of_date >= {{ window_start(ref('int_as_of'), drawn_days - 1) }}
    group by as_of_date, trend_key

),

gains as (

    -- A trend that a day does not have gained nothing; one whose videos were read once only, nobody knows what.
    select
        as_of_date as used_on,
        trend_key,
        max(gained_views_24h) as gained_views
    from {{ ref('trends_daily') }}
    where as_of_date >= {{ window_start(ref('int_as_of'), drawn_days - 1) }}
    group by as_of_date, trend_key

),

read_days as (

    select distinct used_on
    from history

),

by_day as (

    select
        faces.as_of_date,
        faces.trend_key,
        read_days.used_on,
        cast(coalesce(history.uses, 0) as bigint) as uses,
        cast(case when gains.trend_key is null then 0 else gains.gained_views end as bigint) as gained_views
    from faces
    inner join read_days
        on read_days.used_on between faces.as_of_date - {{ drawn_days - 1 }} and faces.as_of_date
    left join history
        on
            read_days.used_on = history.used_on
            and faces.trend_key = history.trend_key
    left join gains
        on
            read_days.used_on = gains.used_on
            and faces.trend_key = gains.trend_key

),

series as (

    select
        as_of_date,
        trend_key,
        {{ list_in_order('uses', 'used_on') }} as uses_by_day,
        {{ list_in_order('gained_views', 'used_on') }} as gained_by_day
    from by_day
    group by as_of_date, trend_key

)

select
    faces.as_of_date,
    cast(faces.place as integer) as place,
    faces.trend_key,
    faces.trend_key_type,
    {{ trend_name(
        'faces.trend_key', 'coalesce(named_sounds.sound_name, shown_videos.music_name)', 'named_sounds.artist',
        'shown_videos.caption', 'shown_videos.author_handle', 'faces.video_id'
    ) }} as trend_name,
    {{ trend_url('faces.trend_key', 'shown_videos.video_url') }} as trend_url,
    faces.lifecycle,
    in_markets.stages,
    in_markets.markets,
    faces.all_uses as uses,
    in_markets.new_uses,
    faces.all_creators as creators,
    faces.all_gained_views_24h as gained_views_24h,
    leads.first_market,
    leads.other_market,
    leads.lag_days,
    leads.days_without,
    leads.arrival_probability_7d,
    faces.window_left_p25_h,
    faces.window_left_h,
    faces.window_left_p75_h,
    in_markets.first_seen_on,
    faces.videos_28d,
    faces.creators_28d,
    faces.own_uses_7d,
    faces.competitor_uses_7d,
    series.uses_by_day,
    faces.market,
    faces.video_id,
    shown_videos.video_url,
    shown_videos.author_handle,
    shown_videos.caption,
    shown_videos.plays,
    series.gained_by_day
from faces
inner join in_markets
    on
        faces.as_of_date = in_markets.as_of_date
        and faces.trend_key = in_markets.trend_key
inner join series
    on
        faces.as_of_date = series.as_of_date
        and faces.trend_key = series.trend_key
left join leads
    on
        faces.as_of_date = leads.as_of_date
        and faces.trend_key = leads.trend_key
        and leads.lead_place = 1
left join shown_videos
    on
        faces.as_of_date = shown_videos.as_of_date
        and faces.market = shown_videos.market
        and faces.video_id = shown_videos.video_id
left join named_sounds
    on
        faces.as_of_date = named_sounds.as_of_date
        and named_sounds.sound_id = {{ trend_value('faces.trend_key') }}
        and faces.trend_key_type = 'sound'
