{#-
    What is usual at an age: the median change against the own level, and its spread, over the 28 days before a date.
    A cohort is drawn to all ages together, and both to the shipped prior while little was seen.
-#}

{%- set strength = var('alert_peers') %}
{%- set prior_variance = var('alert_prior_spread') ~ ' * ' ~ var('alert_prior_spread') %}

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
        level_basis,
        age_bucket,
        log_change
    from {{ ref('int_poll_levels') }}
    where
        as_of_date >= {{ window_start(ref('int_as_of'), var('history_days')) }}
        and is_peer

),

history as (

    select
        dates.as_of_date,
        levels.market,
        levels.level_basis,
        levels.age_bucket,
        levels.log_change
    from dates
    inner join levels
        on
            dates.as_of_date > levels.as_of_date
            and dates.as_of_date - {{ var('history_days') }} <= levels.as_of_date

),

cohort_medians as (

    select
        as_of_date,
        market,
        level_basis,
        age_bucket,
        count(*) as readings,
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
        count(*) as readings,
        {{ quantile('log_change', 0.5) }} as log_change,
        {{ robust_variance('deviation') }} as variance
    from deviations
    group by as_of_date, level_basis

),

bases as (

    select
        dates.as_of_date,
        priors.level_basis,
        {{ shrunk('pooled.log_change', 'priors.log_change', 'pooled.readings', var('alert_prior_readings')) }}
            as log_change,
        {{ shrunk('pooled.variance', prior_variance, 'pooled.readings', var('alert_prior_readings')) }} as variance
    from dates
    cross join (
        values
        ('live', {{ var('alert_prior_change_live') }}),
        ('lifetime', {{ var('alert_prior_change_lifetime') }})
    ) as priors (level_basis, log_change)
    left join pooled
        on
            dates.as_of_date = pooled.as_of_date
            and priors.level_basis = pooled.level_basis

)

-- The row without market and age is for readings whose cohort was never seen.
select
    as_of_date,
    cast(null as varchar) as market,
    level_basis,
    cast(null as integer) as age_bucket,
    cast(0 as bigint) as readings,
    cast(log_change as double) as log_change,
    cast(variance as double) as variance
from bases

union all

select
    cohort_medians.as_of_date,
    cohort_medians.market,
    cohort_medians.level_basis,
    cohort_medians.age_bucket,
    cohort_medians.readings,
    {{ shrunk('cohort_medians.log_change', 'bases.log_change', 'cohort_medians.readings', strength) }} as log_change,
    {{ shrunk('cohort_spreads.variance', 'bases.variance', 'cohort_medians.readings', strength) }} as variance
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
