{{ config(incremental_strategy='poll_dates') }}

{#-
    Bursts defined without the model of the alerts, and whether a message told of each: what was heard of what could be
    heard. A miss carries the first reason that kept it silent.
-#}

with

polls as (

    select * from {{ ref('int_polls') }}

),

fast as (

    -- Each market's reading of it; the video is one all over the world.
    select
        market,
        video_id,
        observed_at,
        reading_date,
        from_at,
        hours,
        age_hours,
        plays,
        gain_views,
        views_rate,
        (plays - gain_views) / greatest(age_hours - hours, {{ var('minimum_age_hours') }}) as lifetime_views_per_hour
    from {{ ref('int_poll_intervals') }}
    where
        not is_lifetime
        and gain_views >= {{ var('burst_minimum_gain') }}
        and views_rate
        >= {{ var('burst_pace_ratio') }} * (plays - gain_views)
        / greatest(age_hours - hours, {{ var('minimum_age_hours') }})

),

in_order as (

    select
        *,
        lag(observed_at) over (partition by video_id order by observed_at, market) as fast_before_at
    from fast

),

bursts as (

    select
        in_order.*,
        polls.poll_at,
        polls.poll_ended_at
    from in_order
    inner join polls
        on
            in_order.market = polls.market
            and in_order.observed_at = polls.observed_at
    where
        polls.is_in_batch
        and (
            in_order.fast_before_at is null
            or {{ hours_between('in_order.fast_before_at', 'in_order.observed_at') }} > {{ var('burst_apart_hours') }}
        )

),

messages as (

    select
        as_of_date,
        poll_at,
        video_id,
        alerted_at,
        tier_rank
    from {{ ref('acceleration_alerts') }}
    where
        as_of_date >= {{ window_start(ref('int_as_of'), 4) }}
        and is_message

),

scores as (

    select
        polls.poll_at,
        scores.video_id,
        scores.is_watched,
        scores.z,
        scores.previous_z
    from {{ ref('int_poll_scores') }} as scores
    inner join polls
        on
            scores.market = polls.market
            and scores.observed_at = polls.observed_at
    where scores.as_of_date >= {{ window_start(ref('int_as_of'), 0) }}

),

judged as (

    select
        poll_at,
        video_id,
        max(z) as z,
        max(case when is_watched then z end) as watched_z,
        max(case when is_watched and previous_z <= -{{ var('alert_z') }} then 1 else 0 end) as is_rebound
    from scores
    group by poll_at, video_id

),

found as (

    select
        bursts.video_id,
        bursts.observed_at,
        min(messages.alerted_at) as alerted_at
    from bursts
    inner join messages
        on
            bursts.video_id = messages.video_id
            -- Before its readings crossed the threshold counts too, if it was told within the cool-down.
            and bursts.from_at - interval {{ var('alert_cooldown_hours') }} hour < messages.alerted_at
            and messages.alerted_at <= bursts.poll_ended_at + interval {{ var('burst_found_hours') }} hour
    group by bursts.video_id, bursts.observed_at

),

told_before as (

    select
        bursts.video_id,
        bursts.observed_at,
        count(*) as messages
    from bursts
    inner join messages
        on
            bursts.video_id = messages.video_id
            and bursts.from_at >= messages.alerted_at
    group by bursts.video_id, bursts.observed_at

)

select
    bursts.reading_date as as_of_date,
    bursts.video_id,
    bursts.observed_at as burst_at,
    bursts.market,
    bursts.poll_at,
    bursts.from_at,
    bursts.hours,
    bursts.age_hours,
    bursts.plays,
    bursts.gain_views,
    bursts.views_rate as views_per_hour,
    bursts.lifetime_views_per_hour,
    bursts.views_rate / greatest(bursts.lifetime_views_per_hour, 0.5) as pace_ratio,
    judged.z,
    found.alerted_at is not null as is_found,
    found.alerted_at,
    {{ hours_between('bursts.observed_at', 'found.alerted_at') }} as delay_hours,
    case
        when found.alerted_at is not null then null
        when judged.z is null then 'no new reading'
        when judged.watched_z is null then 'not watched'
        when judged.watched_z < {{ var('alert_z') }} or judged.is_rebound = 1 then 'below z'
        when told_before.messages > 0 then 'cooldown'
        else 'budget'
    end as silent_because
from bursts
left join judged
    on
        bursts.poll_at = judged.poll_at
        and bursts.video_id = judged.video_id
left join found
    on
        bursts.video_id = found.video_id
        and bursts.observed_at = found.observed_at
left join told_before
    on
        bursts.video_id = told_before.video_id
        and bursts.observed_at = told_before.observed_at
