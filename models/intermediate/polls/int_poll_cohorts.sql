{#-
    What is usual at an age: the median change against the own level, and its spread, over the 28 days before a date.
    A cohort is drawn to all ages together, and both to the shipped prior while little was seen or it is long ago.

    A feed of the hottest videos shows again the ones that rose, so a market whose videos are mostly not measured again
    teaches nothing: there the prior holds, which expects no rise. So it does where an alert would need more than
    `alert_factor_ceiling` times the pace, whatever was learned.
-#}

{%- set strength = var('alert_peers') %}
{%- set highest_variance = var('alert_spread_cap') ~ ' * ' ~ var('alert_spread_cap') %}

with

dates as (

    select distinct as_of_date
    from {{ ref('int_polls') }}
    where is_in_batch

),

levels as (

    select
        as_of_date,
        market,
        video_id,
        is_peer,
        level_basis,
        age_bucket,
        log_change
    from {{ ref('int_poll_levels') }}
    where
        as_of_date >= {{ window_start(ref('int_as_of'), var('history_days')) }}

),

seen as (

    select distinct
        market,
        video_id,
        reading_date
    from {{ ref('int_video_readings') }}
    where reading_date >= {{ window_start(ref('int_as_of'), var('history_days')) }}

),

seen_before as (

    select
        dates.as_of_date,
        seen.market,
        count(distinct seen.video_id) as videos
    from dates
    inner join seen
        on
            dates.as_of_date > seen.reading_date
            and dates.as_of_date - {{ var('history_days') }} <= seen.reading_date
    group by dates.as_of_date, seen.market

),

followed as (

    select
        dates.as_of_date,
        levels.market,
        count(distinct levels.video_id) as videos
    from dates
    inner join levels
        on
            dates.as_of_date > levels.as_of_date
            and dates.as_of_date - {{ var('history_days') }} <= levels.as_of_date
    group by dates.as_of_date, levels.market

),

teachers as (

    select
        seen_before.as_of_date,
        seen_before.market
    from seen_before
    inner join followed
        on
            seen_before.as_of_date = followed.as_of_date
            and seen_before.market = followed.market
    where followed.videos >= {{ var('alert_followed_share') }} * seen_before.videos

),

history as (

    select
        teachers.as_of_date,
        levels.market,
        levels.level_basis,
        levels.age_bucket,
        levels.log_change,
        pow(
            0.5, ({{ days_between('levels.as_of_date', 'teachers.as_of_date') }}) / {{ var('alert_memory_days') }}
        ) as weight
    from teachers
    inner join levels
        on
            teachers.market = levels.market
            and teachers.as_of_date > levels.as_of_date
            and teachers.as_of_date - {{ var('history_days') }} <= levels.as_of_date
    where levels.is_peer

),

cohort_medians as (

    select
        as_of_date,
        market,
        level_basis,
        age_bucket,
        count(*) as readings,
        {{ exact_sum('weight') }} as weight,
        {{ quantile('log_change', 0.5) }} as log_change
    from history
    group by as_of_date, market, level_basis, age_bucket

),

deviations as (

    select
        history.*,
        abs(history.log_change - cohort_medians.log_change) as deviation
    from history
    inner join cohort_medians
        on
            history.as_of_date = cohort_medians.as_of_date
            and history.market = cohort_medians.market
            and history.level_basis = cohort_medians.level_basis
            and history.age_bucket = cohort_medians.age_bucket

),

cohort_spreads as (

    select
        as_of_date,
        market,
        level_basis,
        age_bucket,
        {{ robust_variance('deviation') }} as variance
    from deviations
    group by as_of_date, market, level_basis, age_bucket

),

pooled as (

    select
        as_of_date,
        level_basis,
        {{ exact_sum('weight') }} as weight,
        {{ quantile('log_change', 0.5) }} as log_change,
        {{ robust_variance('deviation') }} as variance
    from deviations
    group by as_of_date, level_basis

),

bases as (

    select
        dates.as_of_date,
        priors.level_basis,
        cast(priors.log_change as double) as prior_log_change,
        cast(priors.spread * priors.spread as double) as prior_variance,
        {{ shrunk('pooled.log_change', 'priors.log_change', 'pooled.weight', var('alert_prior_readings')) }}
            as log_change,
        {{ shrunk('pooled.variance', 'priors.spread * priors.spread', 'pooled.weight', var('alert_prior_readings')) }}
            as variance
    from dates
    cross join (
        values
        ('live', {{ var('alert_prior_change_live') }}, {{ var('alert_prior_spread_live') }}),
        ('lifetime', {{ var('alert_prior_change_lifetime') }}, {{ var('alert_prior_spread_lifetime') }})
    ) as priors (level_basis, log_change, spread)
    left join pooled
        on
            dates.as_of_date = pooled.as_of_date
            and priors.level_basis = pooled.level_basis

),

learned as (

    -- The row without market and age is for readings whose cohort was never seen.
    select
        as_of_date,
        cast(null as string) as market,
        level_basis,
        cast(null as integer) as age_bucket,
        cast(0 as bigint) as readings,
        prior_log_change,
        prior_variance,
        cast(log_change as double) as log_change,
        least(variance, {{ highest_variance }}) as variance
    from bases

    union all

    select
        cohort_medians.as_of_date,
        cohort_medians.market,
        cohort_medians.level_basis,
        cohort_medians.age_bucket,
        cohort_medians.readings,
        bases.prior_log_change,
        bases.prior_variance,
        {{ shrunk('cohort_medians.log_change', 'bases.log_change', 'cohort_medians.weight', strength) }} as log_change,
        least(
            {{ shrunk('cohort_spreads.variance', 'bases.variance', 'cohort_medians.weight', strength) }},
            {{ highest_variance }}
        ) as variance
    from cohort_medians
    inner join cohort_spreads
        on
            cohort_medians.as_of_date = cohort_spreads.as_of_date
            and cohort_medians.market = cohort_spreads.market
            and cohort_medians.level_basis = cohort_spreads.level_basis
            and cohort_medians.age_bucket = cohort_spreads.age_bucket
    inner join bases
        on
            cohort_medians.as_of_date = bases.as_of_date
            and cohort_medians.level_basis = bases.level_basis

),

guarded as (

    select
        *,
        {{ pace_factor_needed('log_change', 'variance') }} > {{ var('alert_factor_ceiling') }} as is_held_back
    from learned

)

select
    as_of_date,
    market,
    level_basis,
    age_bucket,
    readings,
    case when is_held_back then prior_log_change else log_change end as log_change,
    case when is_held_back then prior_variance else variance end as variance,
    is_held_back
from guarded
