{% set mode = check_mode('check_stale_feed') %}
{{
    config(
        enabled=mode != 'off',
        severity='error' if mode == 'block' else 'warn',
        meta={'description': 'A feed only repeats readings that were known before.', 'dagster': {'ref': {'name': 'source_health'}}},
    )
}}

select
    health.as_of_date,
    health.market || ' ' || health.kind || ': ' || health.items || ' items, none of them new' as message
from {{ ref('source_health') }} as health
inner join {{ ref('int_as_of') }} as batch
    on health.as_of_date = batch.as_of_date
where
    health.is_stale
    and health.kind = 'videos'
