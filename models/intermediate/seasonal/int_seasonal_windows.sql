{#- The content windows open on each date, in the market's own date. A window may cross New Year. -#}

with

days as (

    select
        *,
        extract(month from local_date) * 100 + extract(day from local_date) as month_day,
        extract(year from local_date) as local_year
    from {{ ref('int_seasonal_days') }}

),

windows as (

    select
        *,
        cast(replace(starts, '-', '') as integer) as start_month_day,
        cast(replace(ends, '-', '') as integer) as end_month_day
    from {{ ref('content_windows') }}
    where enabled

),

opened as (

    select
        days.as_of_date,
        days.market,
        days.local_date,
        days.local_year,
        days.month_day,
        windows.key,
        windows.name,
        windows.emoji,
        windows.tone,
        windows.template_ideas,
        windows.starts,
        windows.ends,
        windows.start_month_day,
        windows.end_month_day
    from days
    inner join windows
        on windows.market in ('both', days.market)
    where
        case
            when windows.start_month_day <= windows.end_month_day
                then days.month_day between windows.start_month_day and windows.end_month_day
            else days.month_day >= windows.start_month_day or days.month_day <= windows.end_month_day
        end

),

dated as (

    -- Across New Year it began last year where its end is still ahead, and ends next year where it has just begun.
    select
        *,
        cast(
            cast(
                local_year - case
                    when start_month_day > end_month_day and month_day <= end_month_day then 1 else 0
                end as string
            ) || '-' || starts as date
        ) as starts_on,
        cast(
            cast(
                local_year + case
                    when start_month_day > end_month_day and month_day >= start_month_day then 1 else 0
                end as string
            ) || '-' || ends as date
        ) as ends_on
    from opened

)

select
    as_of_date,
    market,
    key as window_key,
    name,
    emoji,
    tone,
    template_ideas,
    local_date,
    starts_on,
    ends_on,
    cast({{ days_between('starts_on', 'local_date') }} as integer) + 1 as day_number,
    cast({{ days_between('local_date', 'ends_on') }} as integer) as days_left
from dated
