{#- Lines of a loop stand in the indentation of the loop.
-- sqlfluff:exclude_rules:LT02,LT05
-#}
-- depends_on: {{ ref('int_as_of') }}
{#-
    Every score that is shown anywhere, over the days of a window: what was told beside what came, on everybody it was
    told about, beside a naive twin. All outputs word these rows. What is enough, and what has no skill, is judged here,
    by one rule for all.
-#}

{%- set window = var('scorecard_days') | int %}
{%- set parts = scorecard_parts() %}
{%- set relations = {
    'int_scorecard_forecasts': ref('int_scorecard_forecasts'), 'int_scorecard_labels': ref('int_scorecard_labels'),
    'int_scorecard_outlooks': ref('int_scorecard_outlooks'),
} %}
{%- set common = [
    'as_of_date', 'record', 'kind', 'label', 'value', 'place', 'market', 'horizon_hours', 'first_days_ago',
    'last_days_ago', 'days', 'made', 'due', 'scored', 'score', 'twin', 'twin_score', 'skill', 'skill_low',
    'skill_high',
] %}

with

lines as (

    {% for part, own in parts.items() -%}
    select
        {%- for column in common %}
        {{ column }},
        {%- endfor %}
        {%- for column in parts.values() | sum(start=[]) %}
        {{ '' if column in own else 'null as ' }}{{ column }}{{ ',' if not loop.last }}
        {%- endfor %}
    from {{ relations[part] }}
    {% if not loop.last %}
    union all

    {% endif %}
    {%- endfor %}

),

judged as (

    select
        *,
        coalesce(
            scored >= {{ var('scorecard_minimum') }}
            and scored >= {{ var('scorecard_share') }} * due,
            false
        ) as is_enough,
        coalesce(
            panel_read >= {{ var('scorecard_minimum') }}
            and panel_due >= {{ var('scorecard_share') }} * due,
            false
        ) as is_panel_enough,
        -- Scored from the first week of the window on: skill had the time to show.
        coalesce(first_days_ago >= {{ window - 7 }}, false) as is_full_window,
        coalesce(panel_first_days_ago >= {{ window - 7 }}, false) as is_full_panel
    from lines

)

select
    as_of_date,
    record,
    kind,
    label,
    value,
    cast(place as integer) as place,
    market,
    cast(horizon_hours as integer) as horizon_hours,
    as_of_date - cast(first_days_ago as integer) as first_date,
    as_of_date - cast(last_days_ago as integer) as last_date,
    cast(days as integer) as days,
    cast(made as bigint) as made,
    cast(due as bigint) as due,
    cast(scored as bigint) as scored,
    round(scored * 1.0 / nullif(due, 0), 9) as share_scored,
    round(share_cold, 9) as share_cold,
    is_enough,
    round(score, 9) as score,
    twin,
    round(twin_score, 9) as twin_score,
    round(skill, 9) as skill,
    round(skill_low, 9) as skill_low,
    round(skill_high, 9) as skill_high,
    round(bias, 9) as bias,
    round(coverage_80, 9) as coverage_80,
    round(direction_accuracy, 9) as direction_accuracy,
    round(slowed_share, 9) as slowed_share,
    round(median_gain) as median_gain,
    round(score_low, 9) as score_low,
    round(score_high, 9) as score_high,
    is_panel_enough,
    cast(panel_days as integer) as panel_days,
    cast(panel_due as bigint) as panel_due,
    cast(panel_read as bigint) as panel_read,
    cast(panel_gone as bigint) as panel_gone,
    {%- set when_known = 'case when panel_read + panel_gone > 0 then ' %}
    {{ when_known }}round(panel_score, 9) end as panel_score,
    {{ when_known }}panel_twin end as panel_twin,
    {{ when_known }}round(panel_twin_score, 9) end as panel_twin_score,
    {{ when_known }}round(panel_skill, 9) end as panel_skill,
    {{ when_known }}round(panel_skill_low, 9) end as panel_skill_low,
    {{ when_known }}round(panel_skill_high, 9) end as panel_skill_high,
    {{ when_known }}round(panel_bias, 9) end as panel_bias,
    {{ when_known }}round(panel_coverage_80, 9) end as panel_coverage_80,
    -- By a rule, not by hand: weeks of outcomes, and what is told is no better than its twin. On everybody, where a panel
    -- knows those that left.
    kind not in ('value', 'range')
    and (is_enough or is_panel_enough)
    and case when is_panel_enough then is_full_panel else is_full_window end
    and not coalesce(case when is_panel_enough then panel_skill_low else skill_low end > 0, false) as is_greyed
from judged
