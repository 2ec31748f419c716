{#- Revenue by the day that it is for; days without a post are left out. Nobody may know the day: it stands last. -#}

with

counted as (

    {{ counted_revenue(ref('template_revenue'), ref('int_as_of')) }}

),

by_day as (

    select
        as_of_date,
        posted_on,
        {{ revenue_sums() }}
    from counted
    group by as_of_date, posted_on

)

select
    as_of_date,
    posted_on,
    posts,
    received,
    estimated,
    outstanding,
    installs,
    revenue_per_install,
    hits,
    at_cap,
    round(sum(received) over (partition by as_of_date order by posted_on asc nulls last), 4) as received_so_far
from by_day
