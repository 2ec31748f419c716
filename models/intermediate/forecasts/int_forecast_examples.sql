-- depends_on: {{ ref('int_as_of') }}
{{ config(materialized='incremental', incremental_strategy='as_of') }}

{#-
    What the trees learn from: forecasts whose target was first observed on a date, with what was seen when they were
    made and what should have been said. One learner says the log of the first day's gain (videos without a pace), the
    other corrects the log-linear model (videos with one). Both are told without the horizon, which the retention rule
    gives: so the gains of all horizons rise and fall together.
-#}

{%- set longest = forecast_horizons() | max // 24 %}

with

targets as (

    select
        *,
        -- Of a large day a stable sample.
        {{ stable_bucket('video_id', 1000000) }}
        < 1000000.0 * {{ var('forecast_tree_sample') }} / count(*) over (partition by as_of_date) as is_drawn
    from {{ ref('int_forecast_targets') }}
    where
        as_of_date in (select batch.as_of_date from {{ ref('int_as_of') }} as batch)
        and is_sampled

),

drawn as (

    select
        targets.as_of_date,
        targets.forecast_date,
        targets.market,
        targets.video_id,
        targets.horizon_hours,
        {{ log_of_count('targets.actual_gain') }} as log_actual,
        {{ log_of_count('candidates.gain_retention') }} as log_retention,
        {{ log_of_count('candidates.gain_log_linear') }} as log_log_linear
    from targets
    inner join {{ ref('int_forecast_candidates') }} as candidates
        on
            targets.forecast_date = candidates.as_of_date
            and targets.market = candidates.market
            and targets.video_id = candidates.video_id
            and targets.horizon_hours = candidates.horizon_hours
    where
        targets.is_drawn
        and candidates.as_of_date >= {{ window_start(ref('int_as_of'), longest + 1) }}

),

seen as (

    select
        drawn.*,
        inputs.is_cold_start,
        {%- for input in forecast_tree_inputs() %}
        inputs.{{ input }},
        {%- endfor %}
        drawn.log_actual - (drawn.log_retention - inputs.log_day_retention) as level_label,
        case
            when not inputs.is_cold_start
                then {{ held_between('drawn.log_actual - drawn.log_log_linear', -3, 3) }}
        end as log_miss
    from drawn
    inner join {{ ref('int_forecast_inputs') }} as inputs
        on
            drawn.forecast_date = inputs.as_of_date
            and drawn.market = inputs.market
            and drawn.video_id = inputs.video_id
    where inputs.as_of_date >= {{ window_start(ref('int_as_of'), longest + 1) }}

),

days as (

    -- What all videos of a feed and day were off by is no property of a video: it would be learned by heart.
    select
        as_of_date,
        forecast_date,
        market,
        horizon_hours,
        {{ quantile('log_miss', 0.5) }} * count(log_miss) / (count(log_miss) + 5) as log_day_miss
    from seen
    where not is_cold_start
    group by as_of_date, forecast_date, market, horizon_hours

)

select
    seen.as_of_date,
    seen.forecast_date,
    seen.market,
    seen.video_id,
    seen.horizon_hours,
    seen.is_cold_start,
    {%- for input in forecast_tree_inputs() %}
    seen.{{ input }},
    {%- endfor %}
    round(seen.level_label, 6) as level_label,
    round(seen.log_miss - days.log_day_miss, 6) as correction_label
from seen
left join days
    on
        seen.as_of_date = days.as_of_date
        and seen.forecast_date = days.forecast_date
        and seen.market = days.market
        and seen.horizon_hours = days.horizon_hours
