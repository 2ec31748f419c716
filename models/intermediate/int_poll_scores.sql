{{ config(materialized='incremental', incremental_strategy='poll_dates') }}

{#-
    Each reading's gain against the gain expected of it, in standard deviations, and whether the video is watched.
    Expected: own level, times the cohort's change at that age, times what the poll's other videos did alike.
-#}

{#- Named here: dbt does not see a ref that stands in what only a later run has. -#}
{%- set remembered_from = window_start(ref('int_as_of'), 4) %}

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

judged as (

    select
        levels.*,
        coalesce(cohorts.readings, 0) as cohort_readings,
        coalesce(cohorts.log_change, everyone.log_change) as cohort_change,
        coalesce(cohorts.variance, everyone.variance) as cohort_variance,
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
        {{ shrunk('peer_medians.deviation', 0, 'peer_medians.peers', var('alert_peers')) }} as poll_change,
        -- A poll in which everything scatters more than usual says less.
        greatest(
            judged.cohort_variance,
            case when peer_medians.peers >= {{ var('alert_peers') }} then peer_spreads.variance else 0 end
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

remembered as (

    select
        scored.as_of_date,
        scored.market,
        scored.video_id,
        scored.observed_at,
        scored.age_hours,
        scored.shares_per_hour,
        scored.views_per_hour,
        scored.z,
        scored.absences,
        true as is_new
    from scored
    {% if is_incremental() %}
    union all
    select
        stored.as_of_date,
        stored.market,
        stored.video_id,
        stored.observed_at,
        stored.age_hours,
        stored.shares_per_hour,
        stored.views_per_hour,
        stored.z,
        stored.absences,
        false as is_new
    from {{ this }} as stored
    where
        stored.as_of_date >= {{ remembered_from }}
        and stored.as_of_date not in (
            select polls.as_of_date from {{ ref('int_polls') }} as polls
            where polls.is_in_batch
        )
        and exists (
            select 1 from scored
            where scored.market = stored.market and scored.video_id = stored.video_id
        )
    {% endif %}

),

in_order as (

    select
        *,
        lag(z) over (partition by market, video_id order by observed_at) as previous_z,
        age_hours <= {{ var('watch_entry_age_hours') }}
        and shares_per_hour >= {{ var('watch_entry_shares_per_hour') }}
        and views_per_hour >= {{ var('watch_entry_views_per_hour') }} as meets_entry
    from remembered

),

watched as (

    select
        *,
        max(case when meets_entry then observed_at end) over so_far as last_entry_at,
        max(case when absences >= {{ var('watch_absences') }} then observed_at end) over so_far as last_return_at,
        max(
            case when z <= {{ var('watch_fall_z') }} and previous_z <= {{ var('watch_fall_z') }} then observed_at end
        ) over so_far as last_fall_at,
        max(case when z >= {{ var('alert_watch_z') }} then observed_at end) over so_far as last_rise_at
    from in_order
    window
        so_far as (
            partition by market, video_id
            order by observed_at
            rows between unbounded preceding and current row
        )

)

select
    scored.as_of_date,
    scored.market,
    scored.video_id,
    scored.observed_at,
    scored.from_at,
    scored.posted_at,
    scored.age_hours,
    scored.hours,
    scored.plays,
    scored.gain_views,
    scored.views_rate,
    scored.views_per_hour,
    scored.shares_per_hour,
    scored.delta_shares_per_hour,
    scored.momentum_score,
    scored.level_basis,
    scored.level_views_per_hour,
    scored.age_bucket,
    scored.cohort_readings,
    scored.cohort_change,
    scored.poll_change,
    sqrt(scored.variance) as spread,
    scored.rounding_variance,
    scored.expected_gain_views,
    scored.z,
    watched.previous_z,
    scored.absences,
    watched.last_entry_at is not null
    -- After so many feeds without it, it has to qualify anew.
    and (watched.last_return_at is null or watched.last_entry_at >= watched.last_return_at)
    and scored.age_hours <= {{ var('watch_exit_age_hours') }}
    and (
        watched.last_fall_at is null
        -- Two real falls end it; a rise brings it back.
        or watched.last_rise_at > watched.last_fall_at
    ) as is_watched
from scored
inner join watched
    on
        scored.market = watched.market
        and scored.video_id = watched.video_id
        and scored.observed_at = watched.observed_at
where watched.is_new
