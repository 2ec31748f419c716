-- noqa: disable=LT02,LT05
{#- The linter cannot place the lines that the loops below write. -#}
{#-
    Every score that is shown anywhere, over the days of a window: what was told beside what came, on everybody it was
    told about, beside a naive twin. The only place where scores are computed for people; all outputs word these rows.
    Intervals: samples of days, each day weighing as often as it came up in a Poisson bootstrap (Hanley and MacGibbon,
    2006); the same samples for all lines, and in every run.
-#}

{%- set window = var('scorecard_days') | int %}
{%- set draws = var('scorecard_draws') | int %}
{%- set twins = score_twins() %}
{#- Chances of 0, 1, 2 ... of a Poisson number with mean 1, added up, in millionths. -#}
{%- set poisson = [367879, 735759, 919699, 981012, 996340, 999406] %}

with

batch as (

    select * from {{ ref('int_as_of') }}

),

forecast_days as (

    select
        batch.as_of_date,
        batch.as_of_date - days.as_of_date as days_ago,
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

label_days as (

    select
        batch.as_of_date,
        batch.as_of_date - days.as_of_date as days_ago,
        days.record,
        days.label,
        days.value,
        days.place,
        days.due,
        days.scored,
        days.hits,
        days.median_gain
    from batch
    inner join {{ ref('int_label_days') }} as days
        on
            batch.as_of_date >= days.as_of_date
            and batch.as_of_date - {{ window }} < days.as_of_date
    where days.as_of_date > {{ window_start(ref('int_as_of'), window) }}

),

draw_numbers as (

    select {{ explode_list('range(' ~ draws ~ ')') }} as draw

),

day_numbers as (

    select {{ explode_list('range(' ~ window ~ ')') }} as days_ago

),

chances as (

    select
        draw_numbers.draw,
        day_numbers.days_ago,
        {{ stable_bucket("'draw ' || draw_numbers.draw || ' day ' || day_numbers.days_ago", 1000000) }} as chance
    from draw_numbers
    cross join day_numbers

),

weights as (

    select
        draw,
        days_ago,
        case
            {%- for below in poisson %}
            when chance < {{ below }} then {{ loop.index0 }}
            {%- endfor %}
            else {{ poisson | length }}
        end as weight
    from chances

),

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

forecast_draws as (

    select
        days.as_of_date,
        days.record,
        days.market,
        days.horizon_hours,
        days.stratum,
        weights.draw,
        sum(weights.weight * days.absolute_error) as error,
        sum(
            weights.weight
            * case lines.twin
                {%- for twin in twins %}
                when '{{ twin }}' then days.error_{{ twin }}
                {%- endfor %}
            end
        ) as error_twin,
        sum(weights.weight * (days.kept_absolute_error + lines.left_scale * days.left_absolute_error)) as panel_error,
        sum(
            weights.weight
            * case lines.panel_twin
                when 'persistence' then days.kept_actual_gain + lines.left_scale * days.left_actual_gain
                {%- for twin in twins if twin != 'persistence' %}
                when '{{ twin }}' then days.kept_error_{{ twin }} + lines.left_scale * days.left_error_{{ twin }}
                {%- endfor %}
            end
        ) as panel_error_twin
    from forecast_days as days
    inner join panel_twins as lines
        on
            days.as_of_date = lines.as_of_date
            and days.record = lines.record
            and days.market = lines.market
            and days.horizon_hours = lines.horizon_hours
            and days.stratum = lines.stratum
    inner join weights on days.days_ago = weights.days_ago
    where
        days.due > 0
        and lines.panel_days >= 2
    group by days.as_of_date, days.record, days.market, days.horizon_hours, days.stratum, weights.draw

),

forecast_intervals as (

    select
        as_of_date,
        record,
        market,
        horizon_hours,
        stratum,
        {{ quantile_in_group('1 - error / nullif(error_twin, 0)', 0.025) }} as skill_low,
        {{ quantile_in_group('1 - error / nullif(error_twin, 0)', 0.975) }} as skill_high,
        {{ quantile_in_group('1 - panel_error / nullif(panel_error_twin, 0)', 0.025) }} as panel_skill_low,
        {{ quantile_in_group('1 - panel_error / nullif(panel_error_twin, 0)', 0.975) }} as panel_skill_high
    from forecast_draws
    group by as_of_date, record, market, horizon_hours, stratum

),

label_sums as (

    select
        as_of_date,
        record,
        label,
        value,
        place,
        cast(max(case when scored > 0 then days_ago end) as integer) as first_days_ago,
        cast(min(case when scored > 0 then days_ago end) as integer) as last_days_ago,
        count(case when scored > 0 then 1 end) as days,
        sum(due) as due,
        sum(scored) as scored,
        sum(hits) as hits,
        {{ quantile_in_group('median_gain', 0.5) }} as median_gain
    from label_days
    group by as_of_date, record, label, value, place

),

drawn_values as (

    -- Draw -1 is the window as it was.
    select
        days.as_of_date,
        days.record,
        days.label,
        days.value,
        days.place,
        weights.draw,
        sum(weights.weight * days.scored) as scored,
        sum(weights.weight * days.hits) as hits
    from label_days as days
    inner join weights on days.days_ago = weights.days_ago
    group by days.as_of_date, days.record, days.label, days.value, days.place, weights.draw

    union all

    select
        as_of_date,
        record,
        label,
        value,
        place,
        -1 as draw,
        scored,
        hits
    from label_sums

),

placed_values as (

    select
        *,
        coalesce(sum(scored - hits) over lower_places, 0) as failures_below
    from drawn_values
    window
        lower_places as (
            partition by as_of_date, record, label, draw
            order by place
            rows between 1 following and unbounded following
        )

),

drawn_labels as (

    -- How often a video that kept the promise had the better value than one that did not; equal values count half.
    select
        as_of_date,
        record,
        label,
        draw,
        sum(hits * (failures_below + 0.5 * (scored - hits)))
        / nullif(sum(hits) * sum(scored - hits), 0) as concordance
    from placed_values
    where place > 0
    group by as_of_date, record, label, draw

),

label_intervals as (

    select
        as_of_date,
        record,
        label,
        max(case when draw = -1 then concordance end) as score,
        {{ quantile_in_group('case when draw >= 0 then concordance end', 0.025) }} as low,
        {{ quantile_in_group('case when draw >= 0 then concordance end', 0.975) }} as high
    from drawn_labels
    group by as_of_date, record, label

),

value_intervals as (

    select
        as_of_date,
        record,
        label,
        value,
        {{ quantile_in_group('hits / nullif(scored, 0)', 0.025) }} as low,
        {{ quantile_in_group('hits / nullif(scored, 0)', 0.975) }} as high
    from drawn_values
    where draw >= 0
    group by as_of_date, record, label, value

),

label_totals as (

    select
        as_of_date,
        record,
        label,
        max(first_days_ago) as first_days_ago,
        min(last_days_ago) as last_days_ago,
        max(days) as days,
        sum(due) as due,
        sum(scored) as scored,
        sum(hits) as hits
    from label_sums
    where place > 0
    group by as_of_date, record, label

),

windows as (

    select
        batch.as_of_date,
        batch.as_of_date - outcomes.as_of_date as days_ago,
        outcomes.told_hours,
        outcomes.actual_hours
    from batch
    inner join {{ ref('int_window_outcomes') }} as outcomes
        on
            batch.as_of_date >= outcomes.as_of_date
            and batch.as_of_date - {{ window }} < outcomes.as_of_date
    where outcomes.as_of_date > {{ window_start(ref('int_as_of'), window) }}

),

window_constants as (

    -- The constant that would have been best, known only now: a twin that is hard to beat.
    select
        as_of_date,
        {{ quantile_in_group('actual_hours', 0.5) }} as constant_hours
    from windows
    group by as_of_date

),

window_days as (

    select
        windows.as_of_date,
        windows.days_ago,
        count(*) as due,
        count(windows.actual_hours) as scored,
        {{ exact_sum('abs(windows.told_hours - windows.actual_hours)') }} as error,
        {{ exact_sum('abs(window_constants.constant_hours - windows.actual_hours)') }} as error_twin
    from windows
    inner join window_constants on windows.as_of_date = window_constants.as_of_date
    group by windows.as_of_date, windows.days_ago

),

arrival_sums as (

    select
        batch.as_of_date,
        sum(days.came) * 1.0 / nullif(sum(days.scored), 0) as base_rate
    from batch
    inner join {{ ref('int_arrival_days') }} as days
        on
            batch.as_of_date >= days.as_of_date
            and batch.as_of_date - {{ window }} < days.as_of_date
    group by batch.as_of_date

),

arrival_days as (

    -- The twin tells everybody the share that came, known only now.
    select
        batch.as_of_date,
        batch.as_of_date - days.as_of_date as days_ago,
        days.due,
        days.scored,
        days.squared_error as error,
        days.came * power(1 - arrival_sums.base_rate, 2)
        + (days.scored - days.came) * power(arrival_sums.base_rate, 2) as error_twin
    from batch
    inner join {{ ref('int_arrival_days') }} as days
        on
            batch.as_of_date >= days.as_of_date
            and batch.as_of_date - {{ window }} < days.as_of_date
    inner join arrival_sums on batch.as_of_date = arrival_sums.as_of_date

),

outlook_days as (

    select
        as_of_date,
        'Window Left (h)' as label,
        168 as horizon_hours,
        'the best constant' as twin,
        days_ago,
        due,
        scored,
        error,
        error_twin
    from window_days

    union all

    select
        as_of_date,
        'Expected Arrival' as label,
        168 as horizon_hours,
        'the share that came' as twin,
        days_ago,
        due,
        scored,
        error,
        error_twin
    from arrival_days

),

outlook_draws as (

    select
        days.as_of_date,
        days.label,
        weights.draw,
        sum(weights.weight * days.error) as error,
        sum(weights.weight * days.error_twin) as error_twin
    from outlook_days as days
    inner join weights on days.days_ago = weights.days_ago
    where days.scored > 0
    group by days.as_of_date, days.label, weights.draw

),

outlook_intervals as (

    select
        as_of_date,
        label,
        {{ quantile_in_group('1 - error / nullif(error_twin, 0)', 0.025) }} as skill_low,
        {{ quantile_in_group('1 - error / nullif(error_twin, 0)', 0.975) }} as skill_high
    from outlook_draws
    group by as_of_date, label

),

outlook_sums as (

    select
        as_of_date,
        label,
        horizon_hours,
        twin,
        max(case when scored > 0 then days_ago end) as first_days_ago,
        min(case when scored > 0 then days_ago end) as last_days_ago,
        count(case when scored > 0 then 1 end) as days,
        sum(due) as due,
        sum(scored) as scored,
        {{ exact_sum('error') }} as error,
        {{ exact_sum('error_twin') }} as error_twin
    from outlook_days
    group by as_of_date, label, horizon_hours, twin

),

lines as (

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
        null as median_gain,
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

    union all

    select
        totals.as_of_date,
        totals.record,
        'label' as kind,
        totals.label,
        'all' as value,
        0 as place,
        'ALL' as market,
        case when totals.label = 'Lifecycle' then 72 else 24 end as horizon_hours,
        totals.first_days_ago,
        totals.last_days_ago,
        totals.days,
        totals.due as made,
        totals.due,
        totals.scored,
        null as share_cold,
        intervals.score,
        'a guess' as twin,
        0.5 as twin_score,
        2 * intervals.score - 1 as skill,
        case when totals.days >= 2 then 2 * intervals.low - 1 end as skill_low,
        case when totals.days >= 2 then 2 * intervals.high - 1 end as skill_high,
        null as bias,
        null as coverage_80,
        null as direction_accuracy,
        null as slowed_share,
        null as median_gain,
        null as score_low,
        null as score_high,
        null as panel_first_days_ago,
        null as panel_days,
        null as panel_due,
        null as panel_read,
        null as panel_gone,
        null as panel_score,
        null as panel_twin,
        null as panel_twin_score,
        null as panel_skill,
        null as panel_skill_low,
        null as panel_skill_high,
        null as panel_bias,
        null as panel_coverage_80
    from label_totals as totals
    inner join label_intervals as intervals
        on
            totals.as_of_date = intervals.as_of_date
            and totals.record = intervals.record
            and totals.label = intervals.label

    union all

    select
        sums.as_of_date,
        sums.record,
        'value' as kind,
        sums.label,
        sums.value,
        sums.place,
        'ALL' as market,
        case when sums.label = 'Lifecycle' then 72 else 24 end as horizon_hours,
        sums.first_days_ago,
        sums.last_days_ago,
        sums.days,
        sums.due as made,
        sums.due,
        sums.scored,
        null as share_cold,
        sums.hits * 1.0 / nullif(sums.scored, 0) as score,
        'all of them' as twin,
        totals.hits * 1.0 / nullif(totals.scored, 0) as twin_score,
        sums.hits * 1.0 / nullif(sums.scored, 0) - totals.hits * 1.0 / nullif(totals.scored, 0) as skill,
        case when sums.days >= 2 then intervals.low - totals.hits * 1.0 / nullif(totals.scored, 0) end as skill_low,
        case when sums.days >= 2 then intervals.high - totals.hits * 1.0 / nullif(totals.scored, 0) end as skill_high,
        null as bias,
        null as coverage_80,
        null as direction_accuracy,
        null as slowed_share,
        sums.median_gain,
        null as score_low,
        null as score_high,
        null as panel_first_days_ago,
        null as panel_days,
        null as panel_due,
        null as panel_read,
        null as panel_gone,
        null as panel_score,
        null as panel_twin,
        null as panel_twin_score,
        null as panel_skill,
        null as panel_skill_low,
        null as panel_skill_high,
        null as panel_bias,
        null as panel_coverage_80
    from label_sums as sums
    inner join label_totals as totals
        on
            sums.as_of_date = totals.as_of_date
            and sums.record = totals.record
            and sums.label = totals.label
    left join value_intervals as intervals
        on
            sums.as_of_date = intervals.as_of_date
            and sums.record = intervals.record
            and sums.label = intervals.label
            and sums.value = intervals.value

    union all

    select
        sums.as_of_date,
        'replay' as record,
        'outlook' as kind,
        sums.label,
        'all' as value,
        0 as place,
        'ALL' as market,
        sums.horizon_hours,
        sums.first_days_ago,
        sums.last_days_ago,
        sums.days,
        sums.due as made,
        sums.due,
        sums.scored,
        null as share_cold,
        sums.error / nullif(sums.scored, 0) as score,
        sums.twin,
        sums.error_twin / nullif(sums.scored, 0) as twin_score,
        1 - sums.error / nullif(sums.error_twin, 0) as skill,
        case when sums.days >= 2 then intervals.skill_low end as skill_low,
        case when sums.days >= 2 then intervals.skill_high end as skill_high,
        null as bias,
        null as coverage_80,
        null as direction_accuracy,
        null as slowed_share,
        null as median_gain,
        null as score_low,
        null as score_high,
        null as panel_first_days_ago,
        null as panel_days,
        null as panel_due,
        null as panel_read,
        null as panel_gone,
        null as panel_score,
        null as panel_twin,
        null as panel_twin_score,
        null as panel_skill,
        null as panel_skill_low,
        null as panel_skill_high,
        null as panel_bias,
        null as panel_coverage_80
    from outlook_sums as sums
    left join outlook_intervals as intervals
        on
            sums.as_of_date = intervals.as_of_date
            and sums.label = intervals.label

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
    kind <> 'value'
    and (is_enough or is_panel_enough)
    and case when is_panel_enough then is_full_panel else is_full_window end
    and not coalesce(case when is_panel_enough then panel_skill_low else skill_low end > 0, false) as is_greyed
from judged
