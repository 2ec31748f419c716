{#- Revenue by month of the day that it is for, with its growth. -#}

with

counted as (

    {{ counted_revenue(ref('template_revenue'), ref('int_as_of')) }}

),

by_month as (

    select
        as_of_date,
        month,
        count(*) as templates,
        round(coalesce(sum(received), 0), 4) as total_revenue,
        count(*) filter (where is_hit) as hits,
        cast(count(*) filter (where is_hit) as double) / count(*) as hit_rate,
        count(*) filter (where is_at_cap) as templates_at_cap,
        cast(count(*) filter (where is_at_cap) as double) / count(*) as cap_rate,
        cast(sum(coalesce(total_installs, 0)) as bigint) as installs
    from counted
    where month is not null
    group by as_of_date, month

),

with_previous as (

    select
        this.*,
        previous.total_revenue as previous_revenue
    from by_month as this
    left join by_month as previous
        on
            this.as_of_date = previous.as_of_date
            and previous.month + interval 1 month = this.month

)

select
    as_of_date,
    month,
    templates,
    total_revenue,
    hits,
    hit_rate,
    templates_at_cap,
    cap_rate,
    installs,
    previous_revenue,
    round(total_revenue / nullif(previous_revenue, 0) - 1, 9) as growth,
    round(sum(total_revenue) over (partition by as_of_date order by month), 4) as revenue_so_far,
    -- The current month is told as far as it has come.
    month + interval 1 month <= as_of_date as is_over
from with_previous
