{% set mode = check_mode('check_label_order') %}
{{
    config(
        enabled=mode != 'off',
        severity='error' if mode == 'block' else 'warn',
        meta={'description': 'A label promises more than another one and keeps less.', 'dagster': {'ref': {'name': 'scorecard'}}},
    )
}}

with

told as (

    select *
    from {{ ref('scorecard') }}
    where
        as_of_date in (select batch.as_of_date from {{ ref('int_as_of') }} as batch)
        and kind = 'value'
        and place > 0
        and is_enough

),

broken as (

    -- Beyond what days differ by: the whole interval of the better value lies below that of the worse one.
    select
        better.as_of_date,
        better.label || ': ' || better.value || ' kept ' || cast(round(100 * better.score) as integer) || ' %, '
        || worse.value || ' ' || cast(round(100 * worse.score) as integer) || ' % (' || better.record || ')' as finding
    from told as better
    inner join told as worse
        on
            better.as_of_date = worse.as_of_date
            and better.record = worse.record
            and better.label = worse.label
            and better.place < worse.place
            and better.skill_high < worse.skill_low

)

select
    as_of_date,
    'labels out of their order: ' || {{ joined_distinct('finding') }} as message
from broken
group by as_of_date
