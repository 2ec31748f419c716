{{ config(materialized='incremental', incremental_strategy='poll_dates') }}

{#-
    Each reading's gain against the gain expected of it, in standard deviations, and whether the video is watched.
    Expected: own level, times the cohort's change at that age, times what the poll's other videos did alike. A first
    reading has nothing to be judged by, but it may put the video on the watch list.
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

),

results as (

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

),

remembered as (

    select
        market,
        video_id,
        observed_at,
        meets_entry,
        z,
        absences,
        true as is_new
    from results
    {% if is_incremental() %}
    union all
    select
        stored.market,
        stored.video_id,
        stored.observed_at,
        stored.meets_entry,
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
            select 1 from results
            where results.market = stored.market and results.video_id = stored.video_id
        )
    {% endif %}

),

in_order as (

    select
        *,
        last_value(z) over (
            partition by market, video_id
            order by observed_at
            range between interval {{ (var('poll_memory_hours') * 3600) | int }} second preceding
            and interval 1 microsecond preceding
        ) as previous_z
    from remembered

),

sightings as (

    -- The batch's days: what is read there is what is scored. A poll may be the first to see a video.
    select
        *,
        row_number() over (partition by market, video_id order by observed_at desc, load_id desc) as place
    from {{ ref('stg_tiktok__videos') }}
    where
        observed_date >= {{ window_start(ref('int_as_of'), 0) }}
        and exists (
            select 1 from {{ ref('watchlist') }} as listed
            where lower(trim(listed.action)) = 'follow'
        )

),

videos as (

    select
        observed_date as as_of_date,
        market,
        video_id,
        author_handle,
        caption,
        {{ carried_trend_keys('template_id', 'music_id', 'effects', 'hashtags') }} as carried_keys
    from sightings
    where place = 1

),

{{ watchlist_matches('follow', ref('watchlist'), 'videos') }},

followed as (

    select
        market,
        video_id,
        min({{ watched_as('kind', 'value') }}) as followed_by
    from matched
    group by market, video_id

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
    results.as_of_date,
    results.market,
    results.video_id,
    results.observed_at,
    results.from_at,
    results.posted_at,
    results.age_hours,
    results.hours,
    results.plays,
    results.gain_views,
    results.views_rate,
    results.views_per_hour,
    results.shares_per_hour,
    results.meets_entry,
    results.delta_shares_per_hour,
    results.momentum_score,
    results.level_basis,
    results.level_views_per_hour,
    results.age_bucket,
    results.cohort_readings,
    results.cohort_change,
    results.is_held_back,
    results.poll_change,
    results.spread,
    results.pace_factor_needed,
    results.rounding_variance,
    results.expected_gain_views,
    results.z,
    watched.previous_z,
    results.absences,
    followed.followed_by,
    results.age_hours <= {{ var('watch_exit_age_hours') }}
    and (
        -- What is followed need not qualify.
        followed.followed_by is not null
        or (
            watched.last_entry_at is not null
            -- After so many feeds without it, it has to qualify anew.
            and (watched.last_return_at is null or watched.last_entry_at >= watched.last_return_at)
            and (
                watched.last_fall_at is null
                -- Two real falls end it; a rise brings it back.
                or watched.last_rise_at > watched.last_fall_at
            )
        )
    ) as is_watched
from results
inner join watched
    on
        results.market = watched.market
        and results.video_id = watched.video_id
        and results.observed_at = watched.observed_at
left join followed
    on
        results.market = followed.market
        and results.video_id = followed.video_id
where watched.is_new
