{#- The seasonal event a video of the day is about: of the events whose time it is, the nearest it has keywords of. -#}

with

presence as (

    select * from {{ ref('int_feed_presence') }}

),

keywords as (

    select * from {{ ref('int_video_seasonal_keywords') }}
    where event_keys is not null

),

calendar as (

    select * from {{ ref('int_seasonal_calendar') }}

),

days as (

    select * from {{ ref('int_seasonal_days') }}

),

current_events as (

    select
        days.as_of_date,
        calendar.market,
        calendar.event_key,
        calendar.name,
        calendar.emoji,
        calendar.event_date,
        cast({{ days_between('days.local_date', 'calendar.event_date') }} as integer) as days_until,
        -- An event that is running is nearer than one that is to come.
        case
            when days.local_date > calendar.event_end_date
                then {{ days_between('calendar.event_end_date', 'days.local_date') }}
            when days.local_date >= calendar.event_date then 0
            else {{ days_between('days.local_date', 'calendar.event_date') }}
        end as days_away
    from days
    inner join calendar
        on
            days.market = calendar.market
            and days.local_date between calendar.first_listed_on and calendar.last_listed_on

),

matched as (

    select
        presence.as_of_date,
        presence.market,
        presence.video_id,
        current_events.event_key,
        current_events.name as event_name,
        current_events.emoji as event_emoji,
        current_events.event_date,
        current_events.days_until,
        row_number() over (
            partition by presence.as_of_date, presence.market, presence.video_id
            order by current_events.days_away, current_events.event_date, current_events.event_key
        ) as place,
        count(*) over (
            partition by presence.as_of_date, presence.market, presence.video_id
        ) as matched_events
    from presence
    inner join keywords
        on presence.video_id = keywords.video_id
    inner join current_events
        on
            presence.as_of_date = current_events.as_of_date
            and presence.market = current_events.market
            and keywords.event_keys like '%|' || current_events.event_key || '|%'

)

select
    as_of_date,
    market,
    video_id,
    event_key,
    event_name,
    event_emoji,
    event_date,
    days_until,
    event_emoji || ' ' || event_name as seasonal_event,
    cast(matched_events as integer) as matched_events
from matched
where place = 1
