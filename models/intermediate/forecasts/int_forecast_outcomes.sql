-- depends_on: {{ ref('int_as_of') }}
{{ config(materialized='incremental', incremental_strategy='as_of') }}

{#- Every forecast beside what came true, on the date its target was first observed. -#}

with

targets as (

    select * from {{ ref('int_forecast_targets') }}
    where as_of_date in (select batch.as_of_date from {{ ref('int_as_of') }} as batch)

),

candidates as (

    select * from {{ ref('int_forecast_candidates') }}
    where as_of_date >= {{ window_start(ref('int_as_of'), (forecast_horizons() | max) // 24 + 1) }}

)

select
    targets.as_of_date,
    targets.forecast_date,
    targets.market,
    targets.video_id,
    targets.horizon_hours,
    targets.target_at,
    targets.observed_at,
    targets.base_plays,
    targets.actual_gain,
    candidates.pace,
    candidates.age_bucket,
    candidates.segment,
    candidates.is_cold_start,
    {%- for model in forecast_models() + forecast_baselines() %}
    candidates.gain_{{ model }},
    {%- endfor %}
    {%- for model in forecast_models() %}
    {{ log_of_count('targets.actual_gain') }}
    - {{ log_of_count('candidates.gain_' ~ model) }} as log_miss_{{ model }},
    {%- endfor %}
    candidates.is_sampled
from targets
inner join candidates
    on
        targets.forecast_date = candidates.as_of_date
        and targets.market = candidates.market
        and targets.video_id = candidates.video_id
        and targets.horizon_hours = candidates.horizon_hours
