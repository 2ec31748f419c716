{% set mode = check_mode('check_rejected_items') %}
{{
    config(
        enabled=mode != 'off',
        severity='error' if mode == 'block' else 'warn',
        meta={'description': 'A large part of the items of a feed could not be used.', 'dagster': {'ref': {'name': 'source_health'}}},
    )
}}

with

batch as (

    select * from {{ ref('int_as_of') }}

),

health as (

    -- A file that can't be read at all is counted as one.
    select
        *,
        quarantined_items - unreadable_files as rejected_items
    from {{ ref('source_health') }}

)

select
    health.as_of_date,
    -- Where the feed's message is about its rejected items already, it says the numbers too.
    health.market || ' ' || health.kind || ': '
    || case
        when contains(health.message, ' items rejected: ') then health.message
        else
            health.rejected_items || ' of ' || cast(health.items + health.rejected_items as bigint)
            || ' items rejected: ' || health.message
    end as message
from health
inner join batch
    on health.as_of_date = batch.as_of_date
where
    health.rejected_items > {{ var('check_rejected_items_share') }} * (health.items + health.rejected_items)
