{#-
    How much more often the feed speaks of an event than on the same weekdays of the four weeks before. Null until the
    market's history reaches back four weeks and three of those days were observed.
-#}

with

batch as (

    select * from {{ ref('int_as_of') }}

),

days as (

    select * from {{ ref('int_seasonal_days') }}

),

staged as (

    select
        market,
        video_id,
        observed_at,
        observed_date
    from {{ ref('stg_tiktok__videos') }}
    where observed_date >= {{ window_start(ref('int_as_of'), 28) }}

),

first_days as (

    select
        market,
        min(observed_date) as first_observed_date
    from {{ ref('stg_tiktok__videos') }}
    group by market

),

keywords as (

    select * from {{ ref('int_video_seasonal_keywords') }}

),

calendar as (

    select * from {{ ref('int_seasonal_calendar') }}

),

weekdays as (

    select
        batch.as_of_date,
        batch.cutoff_at,
        weeks.weeks_before,
        batch.as_of_date - weeks.weeks_before * 7 as observed_date
    from batch
    cross join (values (0), (1), (2), (3), (4)) as weeks (weeks_before)

),

seen as (

    select distinct
        weekdays.as_of_date,
        weekdays.weeks_before,
        staged.market,
        staged.video_id
    from weekdays
    inner join staged
        on
            weekdays.observed_date = staged.observed_date
            and weekdays.cutoff_at >= staged.observed_at

),

feeds as (

    select
        as_of_date,
        market,
        sum(case when weeks_before = 0 then 1 else 0 end) as videos,
        sum(case when weeks_before > 0 then 1 else 0 end) as videos_before,
        count(distinct case when weeks_before > 0 then weeks_before end) as days_before
    from seen
    group by as_of_date, market

),

current_events as (

    select distinct
        days.as_of_date,
        calendar.market,
        calendar.event_key
    from days
    inner join calendar
        on
            days.market = calendar.market
            and days.local_date between calendar.first_listed_on and calendar.last_listed_on

),

spoken_of as (

    select
        seen.as_of_date,
        seen.market,
        current_events.event_key,
        sum(case when seen.weeks_before = 0 then 1 else 0 end) as videos,
        sum(case when seen.weeks_before > 0 then 1 else 0 end) as videos_before
    from seen
    inner join keywords
        on
            seen.video_id = keywords.video_id
            and keywords.event_keys is not null
    inner join current_events
        on
            seen.as_of_date = current_events.as_of_date
            and seen.market = current_events.market
            and keywords.event_keys like '%|' || current_events.event_key || '|%'
    group by seen.as_of_date, seen.market, current_events.event_key

)

select
    current_events.as_of_date,
    current_events.market,
    current_events.event_key,
    cast(coalesce(spoken_of.videos, 0) as bigint) as keyword_videos,
    cast(coalesce(feeds.videos, 0) as bigint) as feed_videos,
    cast(coalesce(feeds.days_before, 0) as integer) as baseline_days,
    case
        when
            feeds.videos > 0
            and feeds.days_before >= 3
            and first_days.first_observed_date <= current_events.as_of_date - 28
            -- Half a video is added to each count: an event nobody spoke of before has no infinite lift.
            then
                ((coalesce(spoken_of.videos, 0) + 0.5) / (feeds.videos + 1.0))
                / ((coalesce(spoken_of.videos_before, 0) + 0.5) / (feeds.videos_before + 1.0))
    end as keyword_lift
from current_events
left join feeds
    on
        current_events.as_of_date = feeds.as_of_date
        and current_events.market = feeds.market
left join first_days
    on current_events.market = first_days.market
left join spoken_of
    on
        current_events.as_of_date = spoken_of.as_of_date
        and current_events.market = spoken_of.market
        and current_events.event_key = spoken_of.event_key
