{#-
    Decisions against what happened: told on the date an outcome came in, over all outcomes of that decision date known
    by then. A later date may know more of them: the row with the latest as_of_date of a decision date replaces.
-#}

{%- set horizon = var('decision_horizon_hours') | int %}

with

{{ judged_decisions(horizon, ref('int_as_of'), ref('int_forecast_outcomes'), ref('decisions')) }},

classic_counts as (

    select
        as_of_date,
        decision_date,
        market,
        sum(case when is_build then 1 else 0 end) as builds
    from judged
    where decision_mode = 'classic'
    group by as_of_date, decision_date, market

),

by_gain as (

    select
        judged.*,
        row_number() over (
            partition by judged.as_of_date, judged.decision_date, judged.market
            order by judged.gain_expected desc nulls last, judged.video_id
        ) as gain_place
    from judged
    where judged.decision_mode = 'measured'

),

modes as (

    select
        as_of_date,
        decision_date,
        market,
        decision_mode,
        is_build,
        is_right
    from judged

    union all

    -- The measured order cut at as many builds as the classic mode took: which of the two picks better.
    select
        by_gain.as_of_date,
        by_gain.decision_date,
        by_gain.market,
        'measured_at_classic_count' as decision_mode,
        by_gain.gain_place <= classic_counts.builds as is_build,
        by_gain.is_right
    from by_gain
    inner join classic_counts
        on
            by_gain.as_of_date = classic_counts.as_of_date
            and by_gain.decision_date = classic_counts.decision_date
            and by_gain.market = classic_counts.market

),

with_all_markets as (

    select * from modes

    union all

    select
        as_of_date,
        decision_date,
        'ALL' as market,
        decision_mode,
        is_build,
        is_right
    from modes

),

counted as (

    select
        as_of_date,
        decision_date,
        market,
        decision_mode,
        count(*) as n,
        sum(case when is_build then 1 else 0 end) as builds,
        sum(case when is_build and is_right then 1 else 0 end) as correct_builds,
        sum(case when is_build and not is_right then 1 else 0 end) as false_positives,
        sum(case when not is_build and is_right then 1 else 0 end) as missed,
        sum(case when not is_build and not is_right then 1 else 0 end) as correct_skips
    from with_all_markets
    group by as_of_date, decision_date, market, decision_mode

)

select
    as_of_date,
    decision_date,
    market,
    decision_mode,
    {{ horizon }} as horizon_hours,
    cast(n as bigint) as n,
    cast(builds as bigint) as builds,
    cast(correct_builds as bigint) as correct_builds,
    cast(false_positives as bigint) as false_positives,
    cast(missed as bigint) as missed,
    cast(correct_skips as bigint) as correct_skips,
    round(cast(correct_builds as double) / nullif(builds, 0), 9) as precision,
    round(cast(correct_builds as double) / nullif(correct_builds + missed, 0), 9) as recall,
    round(2.0 * correct_builds / nullif(2 * correct_builds + false_positives + missed, 0), 9) as f1,
    round(cast(correct_builds + missed as double) / n, 9) as base_rate,
    round(
        (cast(correct_builds as double) / nullif(builds, 0))
        / nullif(cast(correct_builds + missed as double) / n, 0),
        9
    ) as lift
from counted
