{#- Lines of a loop stand in the indentation of the loop.
-- sqlfluff:exclude_rules:LT02,LT05
-#}
{#-
    Lines of the scorecard about labels: whether a better value meant more, over the days of a window, for a label and
    for each of its values.
-#}

{%- set window = var('scorecard_days') | int %}

with

batch as (

    select * from {{ ref('int_as_of') }}

),

label_days as (

    select
        batch.as_of_date,
        {{ days_between('days.as_of_date', 'batch.as_of_date') }} as days_ago,
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

{{ day_weights() }},

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
        {{ quantile('median_gain', 0.5) }} as median_gain
    from label_days
    group by as_of_date, record, label, value, place

),

values_by_day as (

    select
        sums.as_of_date,
        sums.record,
        sums.label,
        sums.value,
        sums.place,
        day_numbers.days_ago
    from label_sums as sums
    cross join day_numbers

),

value_lists as (

    select
        listed.as_of_date,
        listed.record,
        listed.label,
        listed.value,
        listed.place,
        {{ by_day('days.scored', 'listed.days_ago') }} as scored,
        {{ by_day('days.hits', 'listed.days_ago') }} as hits
    from values_by_day as listed
    left join label_days as days
        on
            listed.as_of_date = days.as_of_date
            and listed.record = days.record
            and listed.label = days.label
            and listed.value = days.value
            and listed.place = days.place
            and listed.days_ago = days.days_ago
    group by listed.as_of_date, listed.record, listed.label, listed.value, listed.place

),

drawn_values as (

    -- Draw -1 is the window as it was.
    select
        lists.as_of_date,
        lists.record,
        lists.label,
        lists.value,
        lists.place,
        draws.draw,
        {{ dot_product('lists.scored', 'draws.weights') }} as scored,
        {{ dot_product('lists.hits', 'draws.weights') }} as hits
    from value_lists as lists
    cross join draws

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
        {{ quantile('case when draw >= 0 then concordance end', 0.025) }} as low,
        {{ quantile('case when draw >= 0 then concordance end', 0.975) }} as high
    from drawn_labels
    group by as_of_date, record, label

),

value_intervals as (

    select
        as_of_date,
        record,
        label,
        value,
        {{ quantile('hits / nullif(scored, 0)', 0.025) }} as low,
        {{ quantile('hits / nullif(scored, 0)', 0.975) }} as high
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

)

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
    intervals.score,
    'a guess' as twin,
    0.5 as twin_score,
    2 * intervals.score - 1 as skill,
    case when totals.days >= 2 then 2 * intervals.low - 1 end as skill_low,
    case when totals.days >= 2 then 2 * intervals.high - 1 end as skill_high,
    null as median_gain
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
    sums.hits * 1.0 / nullif(sums.scored, 0) as score,
    'all of them' as twin,
    totals.hits * 1.0 / nullif(totals.scored, 0) as twin_score,
    sums.hits * 1.0 / nullif(sums.scored, 0) - totals.hits * 1.0 / nullif(totals.scored, 0) as skill,
    case when sums.days >= 2 then intervals.low - totals.hits * 1.0 / nullif(totals.scored, 0) end as skill_low,
    case when sums.days >= 2 then intervals.high - totals.hits * 1.0 / nullif(totals.scored, 0) end as skill_high,
    sums.median_gain
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
