{{ config(incremental_strategy='poll_dates') }}

-- The incremental strategy reads the batch.
-- depends_on: {{ ref('int_polls') }}

with

feeds as (

    select * from {{ ref('int_polls') }}

),

polls as (

    select
        as_of_date,
        poll_at,
        poll_ended_at,
        is_in_batch,
        count(*) as feeds,
        max(poll_at) over (
            order by poll_at
            range between interval {{ (var('poll_memory_hours') * 3600) | int }} second preceding
            and interval 1 microsecond preceding
        ) as previous_poll_at
    from feeds
    group by as_of_date, poll_at, poll_ended_at, is_in_batch

),

sightings as (

    select distinct
        market,
        video_id,
        observed_at
    from {{ ref('stg_tiktok__videos') }}
    where observed_date >= {{ window_start(ref('int_as_of'), 0) }}

),

readings as (

    select
        market,
        video_id,
        observed_at,
        reading_number
    from {{ ref('int_video_readings') }}
    where reading_date >= {{ window_start(ref('int_as_of'), 0) }}

),

ever_watched as (

    -- Of all videos of some days these are few: what follows need not be done for the others.
    select distinct
        market,
        video_id
    from {{ ref('int_poll_scores') }}
    where
        as_of_date >= {{ window_start(ref('int_as_of'), 4) }}
        and is_watched

),

scores as (

    select
        scored.market,
        scored.video_id,
        scored.observed_at,
        scored.age_hours,
        scored.absences,
        scored.is_watched,
        lead(scored.observed_at) over in_order as next_scored_at,
        lag(scored.is_watched) over in_order as was_watched
    from {{ ref('int_poll_scores') }} as scored
    inner join ever_watched
        on
            scored.market = ever_watched.market
            and scored.video_id = ever_watched.video_id
    where scored.as_of_date >= {{ window_start(ref('int_as_of'), 4) }}
    window in_order as (partition by scored.market, scored.video_id order by scored.observed_at)

),

watched as (

    select * from scores
    where is_watched

),

alerts as (

    select * from {{ ref('acceleration_alerts') }}
    where as_of_date >= {{ window_start(ref('int_as_of'), 0) }}

),

counted as (

    select
        feeds.poll_at,
        count(*) as items,
        sum(case when readings.reading_number is not null then 1 else 0 end) as new_readings
    from sightings
    inner join feeds
        on
            sightings.market = feeds.market
            and sightings.observed_at = feeds.observed_at
    left join readings
        on
            sightings.market = readings.market
            and sightings.video_id = readings.video_id
            and sightings.observed_at = readings.observed_at
    where feeds.is_in_batch
    group by feeds.poll_at

),

seen_of_watched as (

    select distinct
        staged.market,
        staged.video_id,
        staged.observed_at
    from {{ ref('stg_tiktok__videos') }} as staged
    inner join ever_watched
        on
            staged.market = ever_watched.market
            and staged.video_id = ever_watched.video_id
    where staged.observed_date >= {{ window_start(ref('int_as_of'), 4) }}

),

present as (

    -- From a sighting until the feed that is one absence too many, or the next sighting.
    select
        seen.market,
        seen.video_id,
        seen.observed_at,
        least(
            coalesce(lead(seen.observed_at) over (
                partition by seen.market, seen.video_id order by seen.observed_at
            ), timestamp '9999-12-31'),
            coalesce(too_many.observed_at, timestamp '9999-12-31')
        ) as until_at
    from seen_of_watched as seen
    inner join feeds
        on
            seen.market = feeds.market
            and seen.observed_at = feeds.observed_at
    left join feeds as too_many
        on
            feeds.market = too_many.market
            and feeds.feed_number + {{ var('watch_absences') }} = too_many.feed_number

),

tracked as (

    select
        polls.poll_at,
        count(distinct watched.market || ' ' || watched.video_id) as videos
    from polls
    inner join watched
        on
            polls.poll_ended_at >= watched.observed_at
            and (watched.next_scored_at is null or polls.poll_ended_at < watched.next_scored_at)
    inner join present
        on
            watched.market = present.market
            and watched.video_id = present.video_id
            and polls.poll_ended_at >= present.observed_at
            and polls.poll_ended_at < present.until_at
    where
        watched.age_hours + {{ hours_between('watched.observed_at', 'polls.poll_ended_at') }}
        <= {{ var('watch_exit_age_hours') }}
    group by polls.poll_at

),

entered as (

    select
        feeds.poll_at,
        count(*) as videos
    from watched
    inner join feeds
        on
            watched.market = feeds.market
            and watched.observed_at = feeds.observed_at
    where
        not coalesce(watched.was_watched, false)
        or watched.absences >= {{ var('watch_absences') }}
    group by feeds.poll_at

),

heard as (

    select
        poll_at,
        max(pace_factor_needed) as pace_factor_needed
    from {{ ref('poll_markets') }}
    where as_of_date >= {{ window_start(ref('int_as_of'), 0) }}
    group by poll_at

),

fired as (

    select
        poll_at,
        sum(case when is_message then 1 else 0 end) as messages,
        sum(case when is_message then 0 else 1 end) as watches
    from alerts
    group by poll_at

)

select
    polls.as_of_date,
    polls.poll_at,
    polls.poll_ended_at,
    polls.feeds,
    coalesce(counted.items, 0) as items,
    cast(coalesce(counted.new_readings, 0) as bigint) as new_readings,
    cast(coalesce(counted.items - counted.new_readings, 0) as bigint) as repeated_readings,
    coalesce(entered.videos, 0) as new_candidates,
    -- What was tracked before, and what came in, less what is tracked now.
    greatest(coalesce(before.videos, 0) + coalesce(entered.videos, 0) - coalesce(tracked.videos, 0), 0) as removed,
    coalesce(tracked.videos, 0) as tracked,
    cast(coalesce(fired.messages, 0) as bigint) as alerts,
    cast(coalesce(fired.watches, 0) as bigint) as watches,
    heard.pace_factor_needed
from polls
inner join heard
    on polls.poll_at = heard.poll_at
left join counted
    on polls.poll_at = counted.poll_at
left join entered
    on polls.poll_at = entered.poll_at
left join tracked
    on polls.poll_at = tracked.poll_at
left join tracked as before
    on polls.previous_poll_at = before.poll_at
left join fired
    on polls.poll_at = fired.poll_at
where polls.is_in_batch
