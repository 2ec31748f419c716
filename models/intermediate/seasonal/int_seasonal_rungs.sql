{{ config(materialized='table') }}

{#- The rungs of each event: its lead and the fixed steps below it, further ones for major events, then the review. -#}

with

calendar as (

    select * from {{ ref('int_seasonal_calendar') }}

),

steps as (

    {% for days in seasonal_major_leads() + [14, 7, 3, 1, 0, -1] -%}
    select
        {{ days }} as days_before,
        {{ 'true' if days in seasonal_major_leads() else 'false' }} as is_for_majors
    {%- if not loop.last %}
    union all
    {% endif %}
    {%- endfor %}

),

offered as (

    select
        calendar.market,
        calendar.event_key,
        calendar.event_date,
        steps.days_before
    from calendar
    cross join steps
    where
        steps.days_before <= 0
        or (not steps.is_for_majors and steps.days_before <= calendar.lead_days)
        or (steps.is_for_majors and calendar.is_major)

    union distinct

    select
        market,
        event_key,
        event_date,
        lead_days as days_before
    from calendar

)

select
    market,
    event_key,
    event_date,
    days_before,
    event_date - days_before as due_on,
    case
        when days_before > 0 then 'T-' || cast(days_before as string)
        when days_before = 0 then 'T0'
        else 'T+' || cast(-days_before as string)
    end as rung
from offered
