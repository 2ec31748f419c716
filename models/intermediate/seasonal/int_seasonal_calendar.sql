{{ config(materialized='table') }}

{#- The events in use with their dates, per market: the newest calendar that was landed, as the seed describes it. -#}

with

dates as (

    select * from {{ source('raw', 'seasonal_dates') }}
    where calendar_id = (select max(newest.calendar_id) from {{ source('raw', 'seasonal_dates') }} as newest)

),

events as (

    select * from {{ ref('seasonal_events') }}
    where enabled

),

markets as (

    select * from {{ ref('markets') }}

)

select
    markets.market,
    events.key as event_key,
    dates.event_date,
    events.name,
    events.emoji,
    events.tone,
    case when events.tone <> 'sombre' then events.template_ideas end as template_ideas,
    events.keywords,
    events.duration_days,
    dates.event_date - events.days_before as event_start_date,
    events.lead_days,
    events.major as is_major,
    dates.is_approximate,
    dates.event_date + (events.duration_days - events.days_before - 1) as event_end_date,
    dates.event_date - greatest(
        events.lead_days,
        case when events.major then {{ seasonal_major_leads() | max }} else 0 end
    ) as first_listed_on,
    dates.event_date + (events.duration_days - events.days_before - 1 + {{ seasonal_days_after() }})
        as last_listed_on
from dates
-- A date counts for the rule that gave it: an edited rule without a newly landed calendar shows no stale date.
inner join events
    on
        dates.event_key = events.key
        and dates.rule = events.rule
inner join markets
    on events.market in ('both', markets.market)
