{#-
    What each entry of the watch list that follows something did in the last day: a row for each entry, whether a feed
    showed anything of it or not.
-#}

with

batch as (

    select * from {{ ref('int_as_of') }}

),

entries as (

    select distinct
        lower(trim(kind)) as kind,
        value,
        nullif(upper(trim(market)), '') as market
    from {{ ref('watchlist') }}
    where
        lower(trim(action)) = 'follow'
        and trim(value) <> ''
        and lower(trim(kind)) in ('account', 'tag', 'sound', 'template', 'keyword')

),

wanted as (

    select
        batch.as_of_date,
        batch.cutoff_at,
        entries.kind,
        entries.value,
        entries.market,
        case when entries.kind <> 'keyword' then {{ watched_key('entries.kind', 'entries.value') }} end as named_key
    from batch
    cross join entries

),

videos as (

    select * from {{ ref('videos_daily') }}
    where as_of_date in (select in_batch.as_of_date from batch as in_batch)

),

known as (

    select
        video_id,
        first_seen_at
    from {{ ref('int_videos') }}

),

shown as (

    -- A video that both markets show counts once.
    select
        matches.as_of_date,
        matches.kind,
        matches.value,
        matches.entry_market,
        matches.video_id,
        max(videos.author_handle) as author_handle,
        max(videos.video_url) as video_url,
        max(videos.caption) as caption,
        max(videos.plays) as plays,
        max({{ gained_in_a_day(
            'videos.live_views_per_hour', 'videos.plays', 'videos.age_hours', 'videos.age_is_lower_bound'
        ) }}) as gained_views_24h
    from {{ ref('int_followed_videos') }} as matches
    inner join videos
        on
            matches.as_of_date = videos.as_of_date
            and matches.market = videos.market
            and matches.video_id = videos.video_id
    group by matches.as_of_date, matches.kind, matches.value, matches.entry_market, matches.video_id

),

placed as (

    select
        *,
        row_number() over (
            partition by as_of_date, kind, value, entry_market
            order by gained_views_24h desc nulls last, plays desc nulls last, video_id asc
        ) as place_in_entry
    from shown

),

builds as (

    select
        as_of_date,
        video_id,
        place
    from {{ ref('build_list') }}
    where as_of_date in (select in_batch.as_of_date from batch as in_batch)

),

alerts as (

    select distinct
        wanted.as_of_date,
        told.video_id
    from {{ ref('acceleration_alerts') }} as told
    inner join batch as wanted
        on
            wanted.cutoff_at >= told.alerted_at
            and wanted.cutoff_at - interval 24 hour < told.alerted_at
    where told.is_message

),

stages as (

    select
        as_of_date,
        market,
        trend_key,
        lifecycle
    from {{ ref('trends_daily') }}
    where as_of_date in (select in_batch.as_of_date from batch as in_batch)

),

counted as (

    select
        wanted.as_of_date,
        wanted.kind,
        wanted.value,
        wanted.market,
        count(placed.video_id) as videos,
        count(case when known.first_seen_at > wanted.cutoff_at - interval 24 hour then 1 end) as new_videos,
        count(distinct placed.author_handle) as creators,
        cast(round(sum(placed.gained_views_24h)) as bigint) as gained_views_24h,
        max(case when placed.place_in_entry = 1 then placed.video_id end) as best_video_id,
        max(case when placed.place_in_entry = 1 then placed.video_url end) as best_video_url,
        max(case when placed.place_in_entry = 1 then placed.caption end) as best_caption,
        max(case when placed.place_in_entry = 1 then placed.author_handle end) as best_author_handle,
        count(builds.place) as builds,
        min(builds.place) as best_build_place,
        count(alerts.video_id) as alerts_24h
    from wanted
    left join placed
        on
            wanted.as_of_date = placed.as_of_date
            and wanted.kind = placed.kind
            and wanted.value = placed.value
            and coalesce(wanted.market, '') = coalesce(placed.entry_market, '')
    left join known on placed.video_id = known.video_id
    left join builds
        on
            placed.as_of_date = builds.as_of_date
            and placed.video_id = builds.video_id
    left join alerts
        on
            placed.as_of_date = alerts.as_of_date
            and placed.video_id = alerts.video_id
    group by wanted.as_of_date, wanted.kind, wanted.value, wanted.market

),

staged as (

    select
        wanted.as_of_date,
        wanted.kind,
        wanted.value,
        wanted.market,
        {{ joined_distinct("stages.market || ' ' || stages.lifecycle") }} as stages
    from wanted
    inner join stages
        on
            wanted.as_of_date = stages.as_of_date
            and wanted.named_key = stages.trend_key
            and coalesce(wanted.market, stages.market) = stages.market
    group by wanted.as_of_date, wanted.kind, wanted.value, wanted.market

)

select
    counted.as_of_date,
    cast(row_number() over (
        partition by counted.as_of_date
        order by
            counted.gained_views_24h desc nulls last, counted.videos desc, counted.kind asc, counted.value asc,
            counted.market asc nulls first
    ) as integer) as place,
    counted.kind,
    trim(counted.value) as value,
    counted.market,
    counted.videos,
    counted.new_videos,
    counted.creators,
    counted.gained_views_24h,
    staged.stages,
    counted.best_video_id,
    counted.best_video_url,
    counted.best_caption,
    counted.best_author_handle,
    counted.builds,
    counted.best_build_place,
    counted.alerts_24h
from counted
left join staged
    on
        counted.as_of_date = staged.as_of_date
        and counted.kind = staged.kind
        and counted.value = staged.value
        and coalesce(counted.market, '') = coalesce(staged.market, '')
