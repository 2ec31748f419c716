{#- What installs are worth, over all templates with a readable row. -#}

-- The incremental strategy reads the batch.
-- depends_on: {{ ref('int_as_of') }}
with

revenue_rows as (

    select * from {{ ref('int_revenue_rows') }}
    where is_counted

),

summed as (

    select
        as_of_date,
        count(total_installs) as templates_with_installs,
        cast(coalesce(sum(us_eu3_installs), 0) as bigint) as us_eu3_installs,
        cast(coalesce(sum(row_installs), 0) as bigint) as row_installs,
        cast(coalesce(sum(total_installs), 0) as bigint) as total_installs,
        cast(coalesce(sum(total_installs) filter (where is_hit), 0) as bigint) as earning_installs,
        coalesce(sum(received), 0) as received,
        coalesce(sum(received) filter (where is_hit), 0) as earned,
        min(total_installs) filter (where is_at_cap) as minimum_installs_at_cap
    from revenue_rows
    group by as_of_date

)

select
    as_of_date,
    templates_with_installs,
    us_eu3_installs,
    row_installs,
    total_installs,
    earning_installs,
    cast(received as double) / nullif(total_installs, 0) as revenue_per_install,
    cast(earned as double) / nullif(earning_installs, 0) as revenue_per_install_earning,
    cast(us_eu3_installs as double) / nullif(total_installs, 0) as us_eu3_share,
    minimum_installs_at_cap
from summed
