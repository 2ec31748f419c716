{{ config(incremental_strategy='poll_dates') }}

{#-
    What a poll could hear in each market: what the source gave, how many readings had something to be judged by, and
    the pace an alert would have needed. Where nothing could be heard it says why.
-#}

with

feeds as (

    select * from {{ ref('int_polls') }}
    where is_in_batch

),

sightings as (

    select
        market,
        observed_at,
        count(distinct video_id) as items,
        count(plays) > 0 as gives_views,
        coalesce(max(likes) > 0, false) as gives_likes,
        -- A feed in which nobody was ever shared does not count shares.
        coalesce(max(shares) > 0, false) as gives_shares
    from {{ ref('stg_tiktok__videos') }}
    where observed_date >= {{ window_start(ref('int_as_of'), 0) }}
    group by market, observed_at

),

readings as (

    select
        market,
        observed_at,
        count(*) as new_readings
    from {{ ref('int_video_readings') }}
    where reading_date >= {{ window_start(ref('int_as_of'), 0) }}
    group by market, observed_at

),

scores as (

    select
        market,
        observed_at,
        count(z) as judged,
        count(case when is_watched then z end) as watched,
        {{ quantile('pace_factor_needed', 0.5) }} as pace_factor_needed,
        {{ quantile('case when is_watched then pace_factor_needed end', 0.5) }} as watched_factor_needed,
        cast(sum(case when is_held_back then 1 else 0 end) as bigint) as held_back,
        cast(sum(case when cohort_readings > 0 then 1 else 0 end) as bigint) as learned
    from {{ ref('int_poll_scores') }}
    where as_of_date >= {{ window_start(ref('int_as_of'), 0) }}
    group by market, observed_at

),

priors as (

    -- Of a video that was read once: the first thing a market without judged readings can hear.
    select
        as_of_date,
        {{ pace_factor_needed('log_change', 'variance') }} as pace_factor_needed
    from {{ ref('int_poll_cohorts') }}
    where
        market is null
        and level_basis = 'lifetime'

),

polled as (

    select
        feeds.as_of_date,
        feeds.poll_at,
        feeds.market,
        max(feeds.observed_at) as observed_at,
        max(feeds.hours_since_previous) as hours_since_previous,
        cast(sum(sightings.items) as bigint) as items,
        cast(sum(coalesce(readings.new_readings, 0)) as bigint) as new_readings,
        coalesce(max(case when sightings.gives_views then 1 else 0 end) = 1, false) as gives_views,
        coalesce(max(case when sightings.gives_likes then 1 else 0 end) = 1, false) as gives_likes,
        coalesce(max(case when sightings.gives_shares then 1 else 0 end) = 1, false) as gives_shares,
        cast(sum(coalesce(scores.judged, 0)) as bigint) as judged,
        cast(sum(coalesce(scores.watched, 0)) as bigint) as watched,
        cast(sum(coalesce(scores.learned, 0)) as bigint) as learned,
        cast(sum(coalesce(scores.held_back, 0)) as bigint) as held_back,
        max(coalesce(scores.watched_factor_needed, scores.pace_factor_needed)) as pace_factor_needed
    from feeds
    inner join sightings
        on
            feeds.market = sightings.market
            and feeds.observed_at = sightings.observed_at
    left join readings
        on
            feeds.market = readings.market
            and feeds.observed_at = readings.observed_at
    left join scores
        on
            feeds.market = scores.market
            and feeds.observed_at = scores.observed_at
    group by feeds.as_of_date, feeds.poll_at, feeds.market

)

select
    polled.as_of_date,
    polled.poll_at,
    polled.market,
    polled.observed_at,
    polled.hours_since_previous,
    polled.items,
    polled.new_readings,
    polled.judged,
    polled.watched,
    polled.gives_views,
    polled.gives_likes,
    polled.gives_shares,
    polled.learned > 0 as is_learned,
    polled.held_back,
    coalesce(polled.pace_factor_needed, priors.pace_factor_needed) as pace_factor_needed,
    case
        when not polled.gives_views then 'no view counts'
        when polled.new_readings = 0 then 'no new reading'
        when polled.judged = 0
            then 'no video was read before, {{ (60 * var("minimum_gap_hours")) | int }} minutes ago or more'
        when polled.watched = 0 then 'none of the videos read again is watched'
    end as silent_because
from polled
inner join priors
    on polled.as_of_date = priors.as_of_date
