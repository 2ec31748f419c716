{% set mode = check_mode('check_forecast_skill') %}
{{
    config(
        enabled=mode != 'off',
        severity='error' if mode == 'block' else 'warn',
        meta={'description': 'The forecasts of the last days were worse than the best naive one.', 'dagster': {'ref': {'name': 'forecast_scores'}}},
    )
}}

with

batch as (

    select * from {{ ref('int_as_of') }}

),

scores as (

    select *
    from {{ ref('forecast_scores') }}
    where
        market = 'ALL'
        and horizon_hours = 24
        and as_of_date > {{ window_start(ref('int_as_of'), var('check_forecast_skill_days')) }}

),

periods as (

    select
        batch.as_of_date,
        scores.model,
        scores.is_baseline,
        count(*) as days,
        sum(scores.n) as forecasts,
        sum(scores.absolute_error) / nullif(sum(scores.actual_gain), 0) as wape
    from batch
    inner join scores
        on
            batch.as_of_date >= scores.as_of_date
            and batch.as_of_date - {{ var('check_forecast_skill_days') }} < scores.as_of_date
    group by batch.as_of_date, scores.model, scores.is_baseline

),

compared as (

    select
        as_of_date,
        max(case when model = 'chosen' then days end) as days,
        max(case when model = 'chosen' then forecasts end) as forecasts,
        max(case when model = 'chosen' then wape end) as wape,
        min(case when is_baseline then wape end) as naive_wape
    from periods
    group by as_of_date

)

select
    as_of_date,
    'forecasts for 24 h of ' || days || ' days missed ' || cast(round(100 * wape) as integer)
    || ' % of the gains, the best naive one ' || cast(round(100 * naive_wape) as integer) || ' %' as message
from compared
where
    days >= {{ var('check_minimum_days') }}
    and forecasts >= {{ var('check_forecast_skill_minimum') }}
    and wape > naive_wape
