{% set mode = check_mode('check_revenue_age') %}
{{
    config(
        enabled=mode != 'off',
        severity='error' if mode == 'block' else 'warn',
        meta={'description': 'Revenue was read long before the cut-off.', 'dagster': {'ref': {'name': 'revenue_source'}}},
    )
}}

select
    revenue.as_of_date,
    'revenue was read ' || cast(round(revenue.age_hours) as integer) || ' h before the cut-off'
    || coalesce(': ' || revenue.failure, '') as message
from {{ ref('revenue_source') }} as revenue
inner join {{ ref('int_as_of') }} as batch
    on revenue.as_of_date = batch.as_of_date
where revenue.age_hours > {{ var('check_revenue_age_hours') }}
