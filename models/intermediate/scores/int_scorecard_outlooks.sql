{#- Lines of a loop stand in the indentation of the loop.
-- sqlfluff:exclude_rules:LT02,LT05
-#}
{#-
    Lines of the scorecard about outlooks, over the days of a window: hours that a window was told to be open, arrivals in
    another market, and ranges of money.
-#}

{%- set window = var('scorecard_days') | int %}

with

batch as (

    select * from {{ ref('int_as_of') }}

),

windows as (

    select
        batch.as_of_date,
        {{ days_between('outcomes.as_of_date', 'batch.as_of_date') }} as days_ago,
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
        {{ quantile('actual_hours', 0.5) }} as constant_hours
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
        {{ days_between('days.as_of_date', 'batch.as_of_date') }} as days_ago,
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

{{ day_weights() }},

outlooks_by_day as (

    select
        outlooks.as_of_date,
        outlooks.label,
        day_numbers.days_ago
    from (
        select distinct
            as_of_date,
            label
        from outlook_days
        where scored > 0
    ) as outlooks
    cross join day_numbers

),

outlook_lists as (

    select
        listed.as_of_date,
        listed.label,
        {{ by_day('days.error', 'listed.days_ago') }} as error,
        {{ by_day('days.error_twin', 'listed.days_ago') }} as error_twin
    from outlooks_by_day as listed
    left join outlook_days as days
        on
            listed.as_of_date = days.as_of_date
            and listed.label = days.label
            and listed.days_ago = days.days_ago
            and days.scored > 0
    group by listed.as_of_date, listed.label

),

outlook_draws as (

    select
        lists.as_of_date,
        lists.label,
        draws.draw,
        {{ dot_product('lists.error', 'draws.weights') }} as error,
        {{ dot_product('lists.error_twin', 'draws.weights') }} as error_twin
    from outlook_lists as lists
    cross join draws

),

outlook_intervals as (

    select
        as_of_date,
        label,
        {{ quantile('1 - error / nullif(error_twin, 0)', 0.025) }} as skill_low,
        {{ quantile('1 - error / nullif(error_twin, 0)', 0.975) }} as skill_high
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

range_sums as (

    select
        batch.as_of_date,
        days.label,
        max(case when days.scored > 0 then {{ days_between('days.as_of_date', 'batch.as_of_date') }} end) as first_days_ago,
        min(case when days.scored > 0 then {{ days_between('days.as_of_date', 'batch.as_of_date') }} end) as last_days_ago,
        count(case when days.scored > 0 then 1 end) as days,
        sum(days.due) as due,
        sum(days.scored) as scored,
        sum(days.within) as within
    from batch
    inner join {{ ref('int_range_days') }} as days
        on
            batch.as_of_date >= days.as_of_date
            and batch.as_of_date - {{ window }} < days.as_of_date
    where days.as_of_date > {{ window_start(ref('int_as_of'), window) }}
    group by batch.as_of_date, days.label

)

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
    sums.error / nullif(sums.scored, 0) as score,
    sums.twin,
    sums.error_twin / nullif(sums.scored, 0) as twin_score,
    1 - sums.error / nullif(sums.error_twin, 0) as skill,
    case when sums.days >= 2 then intervals.skill_low end as skill_low,
    case when sums.days >= 2 then intervals.skill_high end as skill_high
from outlook_sums as sums
left join outlook_intervals as intervals
    on
        sums.as_of_date = intervals.as_of_date
        and sums.label = intervals.label

union all

select
    as_of_date,
    'replay' as record,
    'range' as kind,
    label,
    'all' as value,
    0 as place,
    'ALL' as market,
    24 * {{ var('revenue_forecast_days') }} as horizon_hours,
    first_days_ago,
    last_days_ago,
    days,
    due as made,
    due,
    scored,
    within * 1.0 / nullif(scored, 0) as score,
    'a range of 8 of 10' as twin,
    0.8 as twin_score,
    null as skill,
    null as skill_low,
    null as skill_high
from range_sums
