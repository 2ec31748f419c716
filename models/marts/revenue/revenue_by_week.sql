{#- Revenue by week, Monday to Sunday, with its growth; weeks without a post are left out. -#}

with

counted as (

    {{ counted_revenue(ref('template_revenue'), ref('int_as_of')) }}

),

by_week as (

    select
        as_of_date,
        cast(date_trunc('week', posted_on) as date) as week,
        {{ revenue_sums() }}
    from counted
    where posted_on is not null
    group by as_of_date, cast(date_trunc('week', posted_on) as date)

),

with_previous as (

    select
        this.*,
        coalesce(previous.received, 0) as previous_received
    from by_week as this
    left join by_week as previous
        on
            this.as_of_date = previous.as_of_date
            and previous.week = this.week - 7

)

select
    as_of_date,
    week,
    posts,
    received,
    estimated,
    outstanding,
    installs,
    revenue_per_install,
    hits,
    at_cap,
    previous_received,
    round(received / nullif(previous_received, 0) - 1, 9) as growth,
    -- The current week is told as far as it has come.
    week + 6 < as_of_date as is_over
from with_previous
