{#- Revenue by the month in which a template was first seen. -#}

-- The incremental strategy reads the batch.
-- depends_on: {{ ref('int_as_of') }}
with

revenue_rows as (

    select
        *,
        cast(date_trunc('month', first_seen_on) as date) as month
    from {{ ref('int_revenue_rows') }}
    where
        is_counted
        and first_seen_on is not null

)

select
    as_of_date,
    month,
    count(*) as templates,
    coalesce(cast(sum(received) as double), 0) as total_revenue,
    count(*) filter (where is_hit) as hits,
    cast(count(*) filter (where is_hit) as double) / count(*) as hit_rate,
    count(*) filter (where is_at_cap) as templates_at_cap,
    cast(count(*) filter (where is_at_cap) as double) / count(*) as cap_rate,
    cast(sum(coalesce(total_installs, 0)) as bigint) as installs
from revenue_rows
group by as_of_date, month
