{#- Lines of a loop stand in the indentation of the loop.
-- sqlfluff:exclude_rules:LT02,LT05
-#}
-- depends_on: {{ ref('int_as_of') }}
{{ config(materialized='incremental', incremental_strategy='as_of') }}

{#-
    What each model said of a forecast whose target was first observed on a date, and how far off it was. Of these the
    model is chosen, its middle moved and its range drawn. All as made: no refit changes a trial.
-#}

with

outcomes as (

    select * from {{ ref('int_forecast_outcomes') }}
    where
        as_of_date in (select batch.as_of_date from {{ ref('int_as_of') }} as batch)
        and is_sampled

),

told as (

    select
        outcomes.*,
        tree_gains.log_factor
    from outcomes
    left join {{ ref('int_forecast_tree_gains') }} as tree_gains
        on
            outcomes.forecast_date = tree_gains.as_of_date
            and outcomes.market = tree_gains.market
            and outcomes.video_id = tree_gains.video_id
            and tree_gains.as_of_date >= {{ window_start(ref('int_as_of'), (forecast_horizons() | max) // 24 + 1) }}

),

gained as (

    select
        *,
        {{ tree_gain() }} as gain_trees
    from told

)

select
    as_of_date,
    forecast_date,
    market,
    video_id,
    horizon_hours,
    segment,
    is_cold_start,
    {{ forecast_size_class('base_plays') }} as size_class,
    {{ forecast_age_class('age_bucket') }} as age_class,
    {{ log_of_count('actual_gain') }} as log_actual,
    {%- for model in forecast_contestants() %}
    case
        when gain_{{ model }} is not null
            then {{ log_of_count('actual_gain') }} - {{ log_of_count('gain_' ~ model) }}
    end as log_miss_{{ model }}{{ ',' if not loop.last }}
    {%- endfor %}
from gained
