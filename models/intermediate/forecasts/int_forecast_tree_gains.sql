{#- Lines of a loop stand in the indentation of the loop.
-- sqlfluff:exclude_rules:LT02,LT05
-#}
-- depends_on: {{ ref('int_as_of') }}
{{ config(materialized='incremental', incremental_strategy='as_of') }}

{#-
    What the trees of its fit say of each video of a date: kept as made, whatever is fitted later. A factor, in logs, on
    the retention rule for a video without a pace, and on the log-linear model for one with a pace.
-#}

{%- set ends = 2 ** forecast_tree_levels() %}

with

fit_dates as (

    select * from {{ ref('int_forecast_fit_dates') }}

),

nodes as (

    select * from {{ ref('int_forecast_trees') }}
    where as_of_date in (select fit_dates.fitted_on from fit_dates)

),

trees as (

    -- One row a tree, its nodes side by side. An early leaf holds for all that would lie below it.
    select
        as_of_date,
        learner,
        tree,
        max(version) as version,
        {%- for node in range(1, ends) %}
        coalesce(max(case when node = {{ node }} then feature end), 1) as feature_{{ node }},
        coalesce(max(case when node = {{ node }} then threshold end), 0) as threshold_{{ node }},
        {%- endfor %}
        {%- for node in range(ends, 2 * ends) %}
        {%- set above = [] %}
        {%- for level in range(forecast_tree_levels() + 1) %}{% do above.append(node // 2 ** level) %}{% endfor %}
        max(case when node in ({{ above | join(', ') }}) then value end) as value_{{ node }}{{ ',' if not loop.last }}
        {%- endfor %}
    from nodes
    group by as_of_date, learner, tree

),

inputs as (

    select
        inputs.as_of_date,
        inputs.market,
        inputs.video_id,
        fit_dates.fitted_on,
        -- What is learned of a video without a pace is the gain itself.
        case when inputs.is_cold_start then inputs.log_day_retention else 0 end as log_told_already,
        case when inputs.is_cold_start then 'cold' else 'warm' end as learner,
        {{ list_of(forecast_tree_inputs() | map('replace', 'f_', 'inputs.f_', 1) | list) }} as features
    from {{ ref('int_forecast_inputs') }} as inputs
    inner join fit_dates on inputs.as_of_date = fit_dates.as_of_date
    where inputs.as_of_date >= {{ window_start(ref('int_as_of'), 0) }}

),

walked as (

    select
        inputs.as_of_date,
        inputs.market,
        inputs.video_id,
        inputs.learner,
        inputs.fitted_on,
        inputs.log_told_already,
        trees.version,
        {{ walked_tree('trees', 'inputs.features') }} as value
    from inputs
    inner join trees
        on
            inputs.fitted_on = trees.as_of_date
            and inputs.learner = trees.learner

)

select
    as_of_date,
    market,
    video_id,
    learner,
    fitted_on,
    version,
    round({{ exact_sum('value') }} - max(log_told_already), 9) as log_factor
from walked
group by as_of_date, market, video_id, learner, fitted_on, version
