{% set mode = check_mode('check_alert_pace') %}
{{
    config(
        enabled=mode != 'off',
        severity='error' if mode == 'block' else 'warn',
        meta={'description': 'An alert needs so many times the pace that hardly any video would reach it.', 'dagster': {'ref': {'name': 'poll_markets'}}},
    )
}}

-- Named for the batch: the check belongs to the dates whose polls were judged.
-- depends_on: {{ ref('int_polls') }}

select
    as_of_date,
    'in ' || count(*) || ' polls of ' || market || ' an alert needed up to '
    || cast(round(max(pace_factor_needed), 1) as string)
    || ' times the pace, or what was learned was set aside for asking as much' as message
from {{ ref('poll_markets') }}
where
    as_of_date in (select polls.as_of_date from {{ ref('int_polls') }} as polls where polls.is_in_batch)
    and (pace_factor_needed > {{ var('alert_factor_ceiling') }} or held_back > 0)
group by as_of_date, market
