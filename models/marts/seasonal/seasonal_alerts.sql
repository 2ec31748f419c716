-- The incremental strategy reads the batch.
-- depends_on: {{ ref('int_as_of') }}

with

days as (

    select * from {{ ref('int_seasonal_days') }}

),

calendar as (

    select * from {{ ref('int_seasonal_calendar') }}

),

rungs as (

    select * from {{ ref('int_seasonal_rungs') }}

),

lift as (

    select * from {{ ref('int_seasonal_lift') }}

),

listed as (

    select
        days.as_of_date,
        days.local_date,
        days.reached_before,
        calendar.*,
        cast({{ days_between('days.local_date', 'calendar.event_date') }} as integer) as days_until
    from days
    inner join calendar
        on
            days.market = calendar.market
            and days.local_date between calendar.first_listed_on and calendar.last_listed_on

),

announced as (

    -- A rung is announced on the first as-of date that reaches it: late where the date itself was skipped.
    select
        listed.as_of_date,
        listed.market,
        listed.event_key,
        listed.event_date,
        listed.local_date,
        listed.days_until,
        listed.name,
        listed.emoji,
        listed.tone,
        listed.template_ideas,
        listed.keywords,
        listed.duration_days,
        listed.event_start_date,
        listed.event_end_date,
        listed.is_major,
        listed.is_approximate,
        rungs.rung,
        rungs.due_on as rung_due_on,
        coalesce(rungs.due_on < listed.local_date, false) as is_late,
        row_number() over (
            partition by listed.as_of_date, listed.market, listed.event_key, listed.event_date
            order by rungs.due_on desc
        ) as place_from_newest,
        case
            when listed.days_until between -{{ seasonal_days_after() }} and 3 then 'ALERTS'
            when listed.days_until between 4 and 7 then 'UPCOMING'
            else 'ON RADAR'
        end as phase,
        case
            when listed.days_until = 0 then 'today'
            when listed.local_date between listed.event_start_date and listed.event_end_date
                then
                    'running, day '
                    || cast({{ days_between('listed.event_start_date', 'listed.local_date') }} + 1 as string)
                    || ' of ' || cast(listed.duration_days as string)
            when listed.days_until > 1 then 'in ' || cast(listed.days_until as string) || ' days'
            when listed.days_until = 1 then 'tomorrow'
            else 'over since ' || cast(listed.event_end_date as string)
        end as window_text
    from listed
    left join rungs
        on
            listed.market = rungs.market
            and listed.event_key = rungs.event_key
            and listed.event_date = rungs.event_date
            and listed.reached_before < rungs.due_on
            and listed.local_date >= rungs.due_on

)

select
    announced.as_of_date,
    announced.market,
    announced.event_key,
    announced.event_date,
    announced.rung,
    announced.rung_due_on,
    announced.is_late,
    announced.place_from_newest = 1 as is_newest,
    announced.phase,
    announced.days_until,
    announced.window_text,
    announced.local_date,
    announced.name,
    announced.emoji,
    announced.tone,
    announced.template_ideas,
    announced.keywords,
    announced.duration_days,
    announced.event_start_date,
    announced.event_end_date,
    announced.is_major,
    announced.is_approximate,
    lift.keyword_videos,
    lift.feed_videos,
    lift.keyword_lift
from announced
left join lift
    on
        announced.as_of_date = lift.as_of_date
        and announced.market = lift.market
        and announced.event_key = lift.event_key
