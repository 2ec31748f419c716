{{ config(materialized='table') }}

{#-
    Each reading's gain against the gain expected of it, in standard deviations. Expected: own level, times the cohort's
    change at that age, times what the poll's other videos did alike. A first reading has nothing to be judged by.
-#}

with

levels as (

    select
        levels.*,
        polls.feed_number - seen_before.feed_number - 1 as absences
    from {{ ref('int_poll_levels') }} as levels
    inner join {{ ref('int_polls') }} as polls
        on
            levels.market = polls.market
            and levels.observed_at = polls.observed_at
    left join {{ ref('int_polls') }} as seen_before
        on
            levels.market = seen_before.market
            and levels.seen_before_at = seen_before.observed_at
    where polls.is_in_batch

),

cohorts as (

    select * from {{ ref('int_poll_cohorts') }}

),

market_cohorts as (

    -- Markets whose readings taught something: their videos are measured again whether they rose or not.
    select distinct
        as_of_date,
        market
    from cohorts
    where market is not null

),

judged as (

    select
        levels.*,
        coalesce(cohorts.readings, 0) as cohort_readings,
        coalesce(cohorts.log_change, everyone.log_change) as cohort_change,
        coalesce(cohorts.variance, everyone.variance) as cohort_variance,
        coalesce(cohorts.is_held_back, everyone.is_held_back) as is_held_back,
        market_cohorts.market is not null as is_market_followed,
        levels.log_change - coalesce(cohorts.log_change, everyone.log_change) as deviation
    from levels
    inner join cohorts as everyone
        on
            levels.as_of_date = everyone.as_of_date
            and levels.level_basis = everyone.level_basis
            and everyone.market is null
    left join cohorts
        on
            levels.as_of_date = cohorts.as_of_date
            and levels.market = cohorts.market
            and levels.level_basis = cohorts.level_basis
            and levels.age_bucket = cohorts.age_bucket
    left join market_cohorts
        on
            levels.as_of_date = market_cohorts.as_of_date
            and levels.market = market_cohorts.market

),

peer_medians as (

    select
        market,
        observed_at,
        level_basis,
        count(*) as peers,
        {{ quantile('deviation', 0.5) }} as deviation
    from judged
    where is_peer
    group by market, observed_at, level_basis

),

peer_spreads as (

    select
        judged.market,
        judged.observed_at,
        judged.level_basis,
        {{ robust_variance('abs(judged.deviation - peer_medians.deviation)') }} as variance
    from judged
    inner join peer_medians
        on
            judged.market = peer_medians.market
            and judged.observed_at = peer_medians.observed_at
            and judged.level_basis = peer_medians.level_basis
    where judged.is_peer
    group by judged.market, judged.observed_at, judged.level_basis

),

expected as (

    select
        judged.*,
        case
            -- A few videos that are seen again are the ones that rose: their rise is no norm for the others.
            when
                peer_medians.deviation > 0
                and not judged.is_market_followed
                and peer_medians.peers < {{ var('alert_peers') }}
                then 0
            else {{ shrunk('peer_medians.deviation', 0, 'peer_medians.peers', var('alert_peers')) }}
        end as poll_change,
        -- A poll in which everything scatters more than usual says less.
        greatest(
            judged.cohort_variance,
            case
                when peer_medians.peers >= {{ var('alert_peers') }}
                    then least(peer_spreads.variance, {{ var('alert_spread_cap') }} * {{ var('alert_spread_cap') }})
                else 0
            end
        ) as variance
    from judged
    left join peer_medians
        on
            judged.market = peer_medians.market
            and judged.observed_at = peer_medians.observed_at
            and judged.level_basis = peer_medians.level_basis
    left join peer_spreads
        on
            judged.market = peer_spreads.market
            and judged.observed_at = peer_spreads.observed_at
            and judged.level_basis = peer_spreads.level_basis

),

gained as (

    select
        *,
        level_views_per_hour * hours * span_factor * exp(cohort_change + poll_change) as expected_gain_views
    from expected

),

scored as (

    select
        *,
        round(
            (ln(greatest(gain_views, 1)) - ln(expected_gain_views))
            / sqrt(
                1 / expected_gain_views + variance
                + rounding_variance / (expected_gain_views * expected_gain_views)
            ),
            6
        ) as z
    from gained

),

first_readings as (

    select
        intervals.*,
        polls.is_in_batch
    from {{ ref('int_poll_intervals') }} as intervals
    inner join {{ ref('int_polls') }} as polls
        on
            intervals.market = polls.market
            and intervals.observed_at = polls.observed_at
    where intervals.is_lifetime

)

select
    as_of_date,
    market,
    video_id,
    observed_at,
    from_at,
    posted_at,
    age_hours,
    hours,
    plays,
    gain_views,
    views_rate,
    views_per_hour,
    shares_per_hour,
    meets_entry,
    delta_shares_per_hour,
    momentum_score,
    level_basis,
    level_views_per_hour,
    age_bucket,
    cohort_readings,
    cohort_change,
    is_held_back,
    poll_change,
    sqrt(variance) as spread,
    {{ pace_factor_needed('cohort_change + poll_change', 'variance') }} as pace_factor_needed,
    rounding_variance,
    expected_gain_views,
    z,
    absences
from scored

union all

select
    reading_date as as_of_date,
    market,
    video_id,
    observed_at,
    from_at,
    posted_at,
    age_hours,
    hours,
    plays,
    gain_views,
    views_rate,
    views_per_hour,
    shares_per_hour,
    meets_entry,
    delta_shares_per_hour,
    momentum_score,
    'none' as level_basis,
    null as level_views_per_hour,
    null as age_bucket,
    null as cohort_readings,
    null as cohort_change,
    null as is_held_back,
    null as poll_change,
    null as spread,
    null as pace_factor_needed,
    null as rounding_variance,
    null as expected_gain_views,
    null as z,
    0 as absences
from first_readings
where is_in_batch
