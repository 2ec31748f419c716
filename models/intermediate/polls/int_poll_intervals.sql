{#-
    What a video gained between two counts that differ. A count that did not move within a few hours is mostly an old
    one out of a cache, and the next one then holds the gain of two polls: the interval spans both. Of counts that come
    faster than `minimum_gap_hours` the interval begins at the last one that is old enough.
-#}

{%- set memory = 'interval ' ~ (var('poll_memory_hours') * 3600) | int ~ ' second' %}

with

recent as (

    select * from {{ ref('int_video_readings') }}
    where
        reading_date >= {{ poll_window_start(ref('int_as_of')) }}
        and plays is not null
        and coalesce(is_believed, true)

),

polled as (

    -- Polls of the batch judge no other videos.
    select distinct video_id
    from recent
    where reading_date >= {{ window_start(ref('int_as_of'), 0) }}

),

readings as (

    select
        recent.*,
        max(case when recent.delta_plays > 0 or recent.reading_number = 1 then recent.observed_at end) over (
            partition by recent.market, recent.video_id
            order by recent.observed_at
            rows between unbounded preceding and 1 preceding
        ) as last_change_at,
        max(recent.last_seen_at) over (
            partition by recent.market, recent.video_id
            order by recent.observed_at
            range between {{ memory }} preceding
            and interval 1 microsecond preceding
        ) as seen_before_at
    from recent
    inner join polled
        on recent.video_id = polled.video_id

),

counted as (

    select *
    from readings
    where
        delta_plays is null
        or delta_plays > 0
        or coalesce({{ hours_between('last_change_at', 'observed_at') }} > {{ var('alert_cached_hours') }}, true)

),

paired as (

    select
        *,
        last_value(observed_at) over earlier as counted_before_at,
        last_value(plays) over earlier as plays_before,
        last_value(plays_resolution) over earlier as resolution_before,
        last_value(shares_per_hour) over earlier as shares_per_hour_before,
        last_value(shares) over earlier as shares_before,
        last_value(likes) over earlier as likes_before
    from counted
    window
        earlier as (
            partition by market, video_id
            order by observed_at
            range between {{ memory }} preceding
            and interval {{ (3600 * var('minimum_gap_hours')) | int }} second preceding
        )

),

measured as (

    select
        market,
        video_id,
        observed_at,
        reading_date,
        reading_number,
        posted_at,
        seen_before_at,
        age_hours,
        plays,
        shares_per_hour,
        likes_per_hour,
        views_per_hour,
        momentum_score,
        shares_per_hour - shares_per_hour_before as delta_shares_per_hour,
        reading_number = 1 as is_lifetime,
        case when reading_number = 1 then posted_at else counted_before_at end as from_at,
        case when reading_number = 1 then age_hours else {{ hours_between('counted_before_at', 'observed_at') }} end
            as hours,
        case when reading_number = 1 then plays else plays - plays_before end as gain_views,
        case when reading_number = 1 then shares else shares - shares_before end as gain_shares,
        case when reading_number = 1 then likes else likes - likes_before end as gain_likes,
        cast(greatest(plays_resolution, coalesce(resolution_before, 1)) as double) as resolution,
        -- Missing is not zero, and a feed in which nobody was ever shared does not count shares.
        coalesce(max(shares) over (partition by market, observed_at) > 0, false) as feed_gives_shares
    from paired
    -- Below what was counted before a new level begins: what lies between the two is no gain.
    where reading_number = 1 or plays >= plays_before

)

select
    *,
    gain_views / hours as views_rate,
    -- Onto the watch list by the pace of its life or of now: what was slow and bursts is what an alert is for.
    age_hours <= {{ var('watch_entry_age_hours') }}
    and greatest(views_per_hour, gain_views / hours) >= {{ var('watch_entry_views_per_hour') }}
    -- By what is there: without shares the likes decide, without likes the views alone.
    and case
        when feed_gives_shares and shares_per_hour is not null
            then greatest(shares_per_hour, gain_shares / hours) >= {{ var('watch_entry_shares_per_hour') }}
        else coalesce(greatest(likes_per_hour, gain_likes / hours) >= {{ var('watch_entry_likes_per_hour') }}, true)
    end as meets_entry,
    last_value(gain_views / hours) over earlier as previous_rate,
    last_value(gain_views) over earlier as previous_gain,
    last_value(is_lifetime) over earlier as previous_is_lifetime
from measured
window
    earlier as (
        partition by market, video_id
        order by observed_at
        range between {{ memory }} preceding
        and interval 1 microsecond preceding
    )
