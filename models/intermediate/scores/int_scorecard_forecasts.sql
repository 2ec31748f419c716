{#- Lines of a loop stand in the indentation of the loop.
-- sqlfluff:exclude_rules:LT02,LT05
-#}
{#-
    Lines of the scorecard about gains: errors over the days of a window, beside the best naive forecast, of those that
    stayed in a feed and, where a panel knows them, of everybody.
-#}

{%- set window = var('scorecard_days') | int %}
{%- set twins = score_twins() %}

with

batch as (

    select * from {{ ref('int_as_of') }}

),

forecast_days as (

    select
        batch.as_of_date,
        {{ days_between('days.as_of_date', 'batch.as_of_date') }} as days_ago,
        days.record,
        days.market,
        days.horizon_hours,
        days.stratum,
        {%- for column in score_counts() + panel_counts() + score_sums() + panel_sums() %}
        days.{{ column }}{{ ',' if not loop.last }}
        {%- endfor %}
    from batch
    inner join {{ ref('int_score_days') }} as days
        on
            batch.as_of_date >= days.as_of_date
            and batch.as_of_date - {{ window }} < days.as_of_date
    where days.as_of_date > {{ window_start(ref('int_as_of'), window) }}

),

{{ day_weights() }},

forecast_sums as (

    select
        as_of_date,
        record,
        market,
        horizon_hours,
        stratum,
        cast(max(case when scored > 0 then days_ago end) as integer) as first_days_ago,
        cast(min(case when scored > 0 then days_ago end) as integer) as last_days_ago,
        count(case when scored > 0 then 1 end) as days,
        cast(max(case when scored + panel_read > 0 then days_ago end) as integer) as panel_first_days_ago,
        count(case when scored + panel_read > 0 then 1 end) as panel_days,
        {%- for column in score_counts() + panel_counts() %}
        sum({{ column }}) as {{ column }},
        {%- endfor %}
        {%- for column in score_sums() + panel_sums() %}
        {{ exact_sum(column) }} as {{ column }}{{ ',' if not loop.last }}
        {%- endfor %}
    from forecast_days
    group by as_of_date, record, market, horizon_hours, stratum

),

forecast_twins as (

    select
        *,
        least({% for twin in twins %}error_{{ twin }}{{ ', ' if not loop.last }}{% endfor %}) as error_twin,
        case
            {%- for twin in twins | reverse %}
            when
                error_{{ twin }}
                <= least({% for other in twins %}error_{{ other }}{{ ', ' if not loop.last }}{% endfor %})
                then '{{ twin }}'
            {%- endfor %}
        end as twin
    from forecast_sums

),

panel_scales as (

    -- What each of those read again stands for, so that all that left are stood for: some were not chosen, some gave no
    -- answer.
    select
        *,
        coalesce((panel_due - panel_scored) / nullif(left_weight + gone_weight, 0), 0) as left_scale
    from forecast_twins

),

panel_lines as (

    select
        *,
        {%- for measure in panel_measures() %}
        kept_{{ measure }} + left_scale * left_{{ measure }} as panel_{{ measure }},
        {%- endfor %}
        kept_actual_gain + left_scale * left_actual_gain as panel_error_persistence,
        panel_scored + left_scale * left_weight as panel_weight
    from panel_scales

),

panel_twins as (

    select
        *,
        least({% for twin in twins %}panel_error_{{ twin }}{{ ', ' if not loop.last }}{% endfor %}) as panel_error_twin,
        case
            {%- for twin in twins | reverse %}
            when
                panel_error_{{ twin }}
                <= least({% for other in twins %}panel_error_{{ other }}{{ ', ' if not loop.last }}{% endfor %})
                then '{{ twin }}'
            {%- endfor %}
        end as panel_twin
    from panel_lines

),

lines_by_day as (

    select
        lines.*,
        day_numbers.days_ago as day_number
    from panel_twins as lines
    cross join day_numbers
    where lines.panel_days >= 2

),

errors_by_day as (

    select
        lines.as_of_date,
        lines.record,
        lines.market,
        lines.horizon_hours,
        lines.stratum,
        lines.day_number,
        days.absolute_error as error,
        case lines.twin
            {%- for twin in twins %}
            when '{{ twin }}' then days.error_{{ twin }}
            {%- endfor %}
        end as error_twin,
        days.kept_absolute_error + lines.left_scale * days.left_absolute_error as panel_error,
        case lines.panel_twin
            when 'persistence' then days.kept_actual_gain + lines.left_scale * days.left_actual_gain
            {%- for twin in twins if twin != 'persistence' %}
            when '{{ twin }}' then days.kept_error_{{ twin }} + lines.left_scale * days.left_error_{{ twin }}
            {%- endfor %}
        end as panel_error_twin
    from lines_by_day as lines
    left join forecast_days as days
        on
            lines.as_of_date = days.as_of_date
            and lines.record = days.record
            and lines.market = days.market
            and lines.horizon_hours = days.horizon_hours
            and lines.stratum = days.stratum
            and lines.day_number = days.days_ago
            and days.due > 0

),

error_lists as (

    select
        as_of_date,
        record,
        market,
        horizon_hours,
        stratum,
        {%- for error in ['error', 'error_twin', 'panel_error', 'panel_error_twin'] %}
        {{ by_day(error, 'day_number') }} as {{ error }}{{ ',' if not loop.last }}
        {%- endfor %}
    from errors_by_day
    group by as_of_date, record, market, horizon_hours, stratum

),

forecast_draws as (

    select
        lists.as_of_date,
        lists.record,
        lists.market,
        lists.horizon_hours,
        lists.stratum,
        draws.draw,
        {%- for error in ['error', 'error_twin', 'panel_error', 'panel_error_twin'] %}
        {{ dot_product('lists.' ~ error, 'draws.weights') }} as {{ error }}{{ ',' if not loop.last }}
        {%- endfor %}
    from error_lists as lists
    cross join draws

),

forecast_intervals as (

    select
        as_of_date,
        record,
        market,
        horizon_hours,
        stratum,
        {{ quantile('1 - error / nullif(error_twin, 0)', 0.025) }} as skill_low,
        {{ quantile('1 - error / nullif(error_twin, 0)', 0.975) }} as skill_high,
        {{ quantile('1 - panel_error / nullif(panel_error_twin, 0)', 0.025) }} as panel_skill_low,
        {{ quantile('1 - panel_error / nullif(panel_error_twin, 0)', 0.975) }} as panel_skill_high
    from forecast_draws
    group by as_of_date, record, market, horizon_hours, stratum

)

select
    sums.as_of_date,
    sums.record,
    'forecast' as kind,
    'gain of ' || sums.horizon_hours || ' h' as label,
    sums.stratum as value,
    0 as place,
    sums.market,
    sums.horizon_hours,
    sums.first_days_ago,
    sums.last_days_ago,
    sums.days,
    sums.made,
    sums.due,
    sums.scored,
    sums.due_cold * 1.0 / nullif(sums.due, 0) as share_cold,
    sums.absolute_error / nullif(sums.actual_gain, 0) as score,
    sums.twin,
    sums.error_twin / nullif(sums.actual_gain, 0) as twin_score,
    1 - sums.absolute_error / nullif(sums.error_twin, 0) as skill,
    case when sums.days >= 2 then intervals.skill_low end as skill_low,
    case when sums.days >= 2 then intervals.skill_high end as skill_high,
    sums.signed_error / nullif(sums.actual_gain, 0) as bias,
    sums.covered * 1.0 / nullif(sums.scored, 0) as coverage_80,
    sums.right_direction * 1.0 / nullif(sums.directed, 0) as direction_accuracy,
    sums.slowed * 1.0 / nullif(sums.directed, 0) as slowed_share,
    -- Those that left gained what they were told to, or nothing.
    sums.absolute_error / nullif(sums.actual_gain + sums.lost_gain, 0) as score_low,
    (sums.absolute_error + sums.lost_gain) / nullif(sums.actual_gain, 0) as score_high,
    sums.panel_first_days_ago,
    sums.panel_days,
    sums.panel_due,
    sums.panel_read,
    sums.panel_gone,
    sums.panel_absolute_error / nullif(sums.panel_actual_gain, 0) as panel_score,
    sums.panel_twin,
    sums.panel_error_twin / nullif(sums.panel_actual_gain, 0) as panel_twin_score,
    1 - sums.panel_absolute_error / nullif(sums.panel_error_twin, 0) as panel_skill,
    intervals.panel_skill_low,
    intervals.panel_skill_high,
    sums.panel_signed_error / nullif(sums.panel_actual_gain, 0) as panel_bias,
    sums.panel_covered / nullif(sums.panel_weight, 0) as panel_coverage_80
from panel_twins as sums
left join forecast_intervals as intervals
    on
        sums.as_of_date = intervals.as_of_date
        and sums.record = intervals.record
        and sums.market = intervals.market
        and sums.horizon_hours = intervals.horizon_hours
        and sums.stratum = intervals.stratum
