{#-
    What each date knows of each video in its feeds. Counts are one worldwide number, so a video has one newest reading
    and one history, whichever feeds showed them: all markets of a date tell the same of it. A market says where the
    video was seen.
-#}

{%- set minimum_gap = "interval " ~ ((var('minimum_gap_hours') * 60) | int) ~ " minute" %}

with

presence as (

    select * from {{ ref('int_feed_presence') }}

),

videos as (

    select distinct
        as_of_date,
        cutoff_at,
        video_id
    from presence

),

readings as (

    select *
    from {{ ref('int_video_readings') }}
    where last_seen_at >= {{ window_start(ref('int_as_of'), var('history_days')) }}

),

known as (

    select
        videos.as_of_date,
        videos.cutoff_at,
        presence.market is not null as is_present,
        readings.*,
        row_number() over (
            partition by videos.as_of_date, videos.video_id, readings.market
            order by readings.observed_at desc
        ) as place_from_end
    from videos
    inner join readings
        on
            videos.video_id = readings.video_id
            and videos.cutoff_at >= readings.observed_at
    left join presence
        on
            videos.as_of_date = presence.as_of_date
            and videos.video_id = presence.video_id
            and readings.market = presence.market
    where
        presence.market is not null
        or readings.reading_date > videos.as_of_date - {{ var('history_days') }}

),

of_markets as (

    -- The newest reading of each feed. What is not above an earlier count of another feed is that reading, seen later.
    select
        *,
        coalesce(is_new_level, false)
        or plays is null
        -- The first time that one of the feeds showed as many, and those read in the same round.
        or observed_at - {{ minimum_gap }} <= min(observed_at) over (
            partition by as_of_date, video_id
            order by plays desc nulls last
            range between unbounded preceding and current row
        ) as is_newer
    from known
    where place_from_end = 1

),

timed as (

    select
        *,
        max(case when is_newer then observed_at end) over (partition by as_of_date, video_id) as newest_at
    from of_markets

),

placed as (

    -- Feeds are read one after the other: within the shortest gap the reading that has a predecessor says more.
    select
        *,
        row_number() over (
            partition by as_of_date, video_id
            order by
                is_newer desc,
                observed_at >= newest_at - {{ minimum_gap }} and previous_observed_at is not null desc,
                observed_at desc, plays desc, market asc
        ) as place_over_markets,
        count(*) over (partition by as_of_date, video_id) as markets_known
    from timed

),

latest as (

    select * from placed
    where place_over_markets = 1

),

elsewhere as (

    -- What other feeds knew before the newest reading.
    select
        known.*,
        latest.reading_date > known.reading_date as is_of_day_before,
        row_number() over (
            partition by known.as_of_date, known.video_id
            order by known.observed_at desc, known.plays desc, known.market asc
        ) as place_before,
        row_number() over (
            partition by known.as_of_date, known.video_id, latest.reading_date > known.reading_date
            order by known.observed_at desc, known.plays desc, known.market asc
        ) as place_of_day
    from latest
    inner join known
        on
            latest.as_of_date = known.as_of_date
            and latest.video_id = known.video_id
            and latest.market <> known.market
            and latest.observed_at - {{ minimum_gap }} >= known.observed_at
    where latest.markets_known > 1

),

joined as (

    select
        latest.*,
        before.reading_number as before_reading_number,
        day_before.reading_days as day_before_reading_days,
        -- The counts of another feed are those before, where they are newer than the feed's own.
        coalesce(
            not coalesce(latest.is_new_level, false)
            and coalesce(before.plays <= latest.plays, true)
            and before.observed_at > coalesce(latest.previous_observed_at, timestamp '1970-01-01'),
            false
        ) as is_after_other,
        {{ hours_between('before.observed_at', 'latest.observed_at') }} as other_gap_hours,
        {{ at_least('latest.plays - before.plays', 0) }} as other_delta_plays,
        {{ at_least('latest.likes - before.likes', 0) }} as other_delta_likes,
        {{ at_least('latest.shares - before.shares', 0) }} as other_delta_shares,
        before.momentum_score as other_momentum_score,
        before.age_hours as other_age_hours,
        before.gap_hours as before_gap_hours,
        before.live_momentum as other_live_momentum,
        before.live_views_per_hour as other_live_views_per_hour,
        coalesce(
            day_before.reading_date
            > coalesce(latest.reading_date - latest.previous_day_gap_days, date '1970-01-01'),
            false
        ) as is_a_day_after_other,
        day_before.momentum_score as other_day_momentum,
        {{ days_between('day_before.reading_date', 'latest.reading_date') }} as other_day_gap_days,
        (day_before.momentum_score - day_before.previous_day_momentum) / day_before.previous_day_gap_days
            as other_velocity
    from latest
    left join elsewhere as before
        on
            latest.as_of_date = before.as_of_date
            and latest.video_id = before.video_id
            and before.place_before = 1
    left join elsewhere as day_before
        on
            latest.as_of_date = day_before.as_of_date
            and latest.video_id = day_before.video_id
            and day_before.is_of_day_before
            and day_before.place_of_day = 1

),

rated as (

    select
        *,
        case when is_after_other then other_gap_hours else gap_hours end as known_gap_hours,
        case when is_after_other then other_delta_plays / other_gap_hours else live_views_per_hour end
            as known_live_views_per_hour,
        case when is_after_other then other_delta_likes / other_gap_hours else live_likes_per_hour end
            as known_live_likes_per_hour,
        case when is_after_other then other_delta_shares / other_gap_hours else live_shares_per_hour end
            as known_live_shares_per_hour
    from joined

),

shown as (

    select
        presence.*,
        own.reading_days as own_reading_days,
        own.reading_date as own_reading_date,
        -- The feed that knows the video longest: what is learned by market is taken from there.
        first_value(presence.market) over (
            partition by presence.as_of_date, presence.video_id
            order by own.reading_days desc, presence.market asc
        ) as lead_market
    from presence
    inner join placed as own
        on
            presence.as_of_date = own.as_of_date
            and presence.market = own.market
            and presence.video_id = own.video_id

)

select
    shown.as_of_date,
    shown.cutoff_at,
    shown.market,
    shown.video_id,
    shown.last_load_id as presence_load_id,
    shown.feed_rank,
    shown.market_count,
    shown.last_seen_in_day as last_seen_at,
    shown.lead_market,
    rated.market as reading_market,
    rated.observed_at,
    rated.reading_date,
    rated.reading_date < shown.as_of_date as is_stale,
    rated.posted_at,
    rated.age_is_lower_bound,
    rated.age_hours,
    rated.plays,
    rated.likes,
    rated.shares,
    rated.comments,
    rated.saves,
    rated.counts_rounded,
    coalesce(rated.regressed_at <= shown.cutoff_at, false) as counter_regressed,
    rated.views_per_hour,
    rated.likes_per_hour,
    rated.shares_per_hour,
    rated.momentum_score,
    rated.known_gap_hours as gap_hours,
    rated.known_live_views_per_hour as live_views_per_hour,
    rated.known_live_likes_per_hour as live_likes_per_hour,
    rated.known_live_shares_per_hour as live_shares_per_hour,
    case
        when rated.is_after_other
            then
                {{ momentum(
                    'rated.known_live_shares_per_hour', 'rated.known_live_likes_per_hour',
                    'rated.known_live_views_per_hour'
                ) }}
        else rated.live_momentum
    end as live_momentum,
    {%- for name, other in [
        ('momentum_score', 'other_momentum_score'), ('age_hours', 'other_age_hours'),
        ('gap_hours', 'before_gap_hours'), ('live_momentum', 'other_live_momentum'),
        ('live_views_per_hour', 'other_live_views_per_hour')
    ] %}
    case when rated.is_after_other then rated.{{ other }} else rated.previous_{{ name }} end as previous_{{ name }},
    {%- endfor %}
    greatest(rated.reading_number, coalesce(rated.before_reading_number, 0) + 1) as reading_count,
    rated.reading_number > 1 or rated.before_reading_number is not null as has_earlier_reading,
    greatest(rated.reading_days, coalesce(rated.day_before_reading_days, 0) + 1) as reading_days,
    shown.own_reading_days + case when shown.own_reading_date < rated.reading_date then 1 else 0 end
        as days_in_market,
    case when rated.is_a_day_after_other then rated.other_day_momentum else rated.previous_day_momentum end
        as previous_day_momentum,
    case when rated.is_a_day_after_other then rated.other_day_gap_days else rated.previous_day_gap_days end
        as previous_day_gap_days,
    case when rated.is_a_day_after_other then rated.other_velocity else rated.previous_velocity end
        as previous_velocity,
    rated.oddities,
    coalesce(rated.is_believed, true) as is_believed,
    coalesce(rated.is_new_level, false) as is_new_level
from shown
inner join rated
    on
        shown.as_of_date = rated.as_of_date
        and shown.video_id = rated.video_id
