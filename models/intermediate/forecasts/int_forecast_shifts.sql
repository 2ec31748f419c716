{#- Lines of a loop stand in the indentation of the loop.
-- sqlfluff:exclude_rules:LT02,LT05
-#}
-- depends_on: {{ ref('int_as_of') }}
{{ config(materialized='incremental', incremental_strategy='as_of') }}

{#-
    By how much each model's middle was off of late, as of each date: the trailing median miss, drawn to none where few
    forecasts were scored. Kept as made, so that a model with its shift is judged by shifts that could have been told.
-#}

with

batch as (

    select * from {{ ref('int_as_of') }}

),

trials as (

    select * from {{ ref('int_forecast_trials') }}
    where as_of_date > {{ window_start(ref('int_as_of'), var('forecast_shift_days')) }}

)

select
    batch.as_of_date,
    trials.horizon_hours,
    trials.is_cold_start,
    count(*) as n
    {%- for model in forecast_contestants() %},
    round(
        coalesce({{ quantile('trials.log_miss_' ~ model, 0.5) }}, 0) * count(trials.log_miss_{{ model }})
        / (count(trials.log_miss_{{ model }}) + {{ var('forecast_shift_shrinkage') }}),
        9
    ) as shift_{{ model }}
    {%- endfor %}
from batch
inner join trials
    on
        trials.as_of_date <= batch.as_of_date
        and trials.as_of_date > batch.as_of_date - {{ var('forecast_shift_days') }}
group by batch.as_of_date, trials.horizon_hours, trials.is_cold_start
