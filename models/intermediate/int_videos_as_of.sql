{#-
    What each date knows of each video in its feeds. Counts are worldwide: a video in several feeds shows its most
    recent reading in all of them. What happened before stays with the market: its days and its previous day.
-#}

with

presence as (

    select * from {{ ref('int_feed_presence') }}

),

readings as (

    select *
    from {{ ref('int_video_readings') }}
    where last_seen_at >= {{ window_start(ref('int_as_of'), var('history_days')) }}

),

known as (

    select
        presence.as_of_date,
        presence.cutoff_at,
        presence.last_seen_in_day,
        presence.last_load_id as presence_load_id,
        presence.feed_rank,
        presence.market_count,
        readings.*,
        row_number() over (
            partition by presence.as_of_date, presence.market, presence.video_id
            order by readings.observed_at desc
        ) as place_from_end
    from presence
    inner join readings
        on
            presence.market = readings.market
            and presence.video_id = readings.video_id
            and presence.cutoff_at >= readings.observed_at

),

own_current as (

    select
        *,
        row_number() over (
            partition by as_of_date, video_id
            order by observed_at desc, plays desc, market asc
        ) as place_over_markets
    from known
    where place_from_end = 1

),

latest as (

    select * from own_current
    where place_over_markets = 1

)

select
    own.as_of_date,
    own.cutoff_at,
    own.market,
    own.video_id,
    own.presence_load_id,
    own.feed_rank,
    own.market_count,
    own.last_seen_in_day as last_seen_at,
    latest.market as reading_market,
    latest.observed_at,
    latest.reading_date,
    latest.reading_date < own.as_of_date as is_stale,
    latest.posted_at,
    latest.age_is_lower_bound,
    latest.age_hours,
    latest.plays,
    latest.likes,
    latest.shares,
    latest.comments,
    latest.saves,
    latest.counts_rounded,
    coalesce(latest.regressed_at <= own.cutoff_at, false) as counter_regressed,
    latest.views_per_hour,
    latest.likes_per_hour,
    latest.shares_per_hour,
    latest.momentum_score,
    latest.gap_hours,
    latest.live_views_per_hour,
    latest.live_likes_per_hour,
    latest.live_shares_per_hour,
    latest.live_momentum,
    latest.previous_momentum_score,
    latest.previous_age_hours,
    latest.previous_gap_hours,
    latest.previous_live_momentum,
    latest.previous_live_views_per_hour,
    latest.reading_number as reading_count,
    latest.reading_number > 1 or own.reading_date < latest.reading_date as has_earlier_reading,
    case
        when own.reading_date = latest.reading_date then own.reading_days else own.reading_days + 1
    end as reading_days,
    case
        when own.reading_date < latest.reading_date then own.momentum_score else own.previous_day_momentum
    end as previous_day_momentum,
    case
        when own.reading_date < latest.reading_date then latest.reading_date - own.reading_date
        else own.previous_day_gap_days
    end as previous_day_gap_days,
    case
        when own.reading_date < latest.reading_date
            then (own.momentum_score - own.previous_day_momentum) / own.previous_day_gap_days
        else own.previous_velocity
    end as previous_velocity,
    latest.oddities,
    coalesce(latest.is_believed, true) as is_believed,
    coalesce(latest.is_new_level, false) as is_new_level
from own_current as own
inner join latest
    on
        own.as_of_date = latest.as_of_date
        and own.video_id = latest.video_id
