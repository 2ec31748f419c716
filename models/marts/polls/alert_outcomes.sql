{{ config(
    incremental_strategy='replace_keys',
    unique_key=['video_id', 'alerted_at', 'horizon_hours']
) }}

{#-
    What became of each alert: its gain in the hours after it, beside what its own pace before the alert would have
    brought, changed as the pace of its peers changed meanwhile. The first reading that is old enough decides, so a
    score that stands does not change.
-#}

with

batch as (

    select distinct as_of_date
    from {{ ref('int_polls') }}
    where is_in_batch

),

alerts as (

    select *
    from {{ ref('acceleration_alerts') }}
    where
        as_of_date >= {{ window_start(ref('int_as_of'), 2) }}
        and as_of_date <= (select max(batch.as_of_date) from batch)

),

readings as (

    select
        market,
        video_id,
        observed_at,
        age_hours,
        plays
    from {{ ref('int_video_readings') }}
    where
        reading_date >= {{ window_start(ref('int_as_of'), 4) }}
        and reading_date <= (select max(batch.as_of_date) from batch)

),

levels as (

    select * from {{ ref('int_poll_scores') }}
    where
        as_of_date >= {{ window_start(ref('int_as_of'), 2) }}
        and z is not null

),

horizons as (

    select given.horizon_hours from (values (4), (24)) as given (horizon_hours)

),

settled as (

    select
        alerts.as_of_date,
        alerts.market,
        alerts.video_id,
        alerts.alerted_at,
        alerts.tier,
        alerts.is_message,
        alerts.alert_mode,
        alerts.age_hours,
        alerts.level_views_per_hour,
        horizons.horizon_hours,
        readings.observed_at as scored_at,
        {{ hours_between('alerts.alerted_at', 'readings.observed_at') }} as hours,
        readings.plays - alerts.plays as gain_views,
        row_number() over (
            partition by alerts.video_id, alerts.alerted_at, horizons.horizon_hours
            order by readings.observed_at
        ) as place
    from alerts
    cross join horizons
    inner join readings
        on
            alerts.market = readings.market
            and alerts.video_id = readings.video_id
    where
        {{ hours_between('alerts.alerted_at', 'readings.observed_at') }}
        between 0.9 * horizons.horizon_hours
        and (1 + {{ var('alert_score_tolerance') }}) * horizons.horizon_hours

),

peer_changes as (

    -- Other videos about as old, measured in the same two feeds.
    select
        settled.video_id,
        settled.alerted_at,
        settled.horizon_hours,
        levels.z < {{ var('alert_base_z') }} as is_base,
        ln(greatest(after_that.plays - levels.plays, 1) / (levels.level_views_per_hour * settled.hours)) as log_change
    from settled
    inner join levels
        on
            settled.market = levels.market
            and settled.alerted_at = levels.observed_at
            and settled.video_id <> levels.video_id
    inner join readings as after_that
        on
            levels.market = after_that.market
            and levels.video_id = after_that.video_id
            and settled.scored_at = after_that.observed_at
    where
        settled.place = 1
        and abs(settled.age_hours - levels.age_hours) <= 12

),

peers as (

    select
        video_id,
        alerted_at,
        horizon_hours,
        count(*) as peers,
        {{ quantile('log_change', 0.5) }} as log_change
    from peer_changes
    group by video_id, alerted_at, horizon_hours

),

bases as (

    -- What the same rule says of videos that did nothing of note: what it is worth to be right.
    select
        peer_changes.video_id,
        peer_changes.alerted_at,
        peer_changes.horizon_hours,
        count(*) as readings,
        cast(sum(
            case
                when peer_changes.log_change > case when peers.peers >= 5 then peers.log_change else 0 end then 1
                else 0
            end
        ) as bigint) as right_readings
    from peer_changes
    inner join peers
        on
            peer_changes.video_id = peers.video_id
            and peer_changes.alerted_at = peers.alerted_at
            and peer_changes.horizon_hours = peers.horizon_hours
    where peer_changes.is_base
    group by peer_changes.video_id, peer_changes.alerted_at, peer_changes.horizon_hours

),

compared as (

    select
        settled.*,
        coalesce(peers.peers, 0) as peers,
        coalesce(bases.readings, 0) as base_readings,
        coalesce(bases.right_readings, 0) as base_right,
        -- With few peers its own pace before has to do, which is much to ask of a video that grows older.
        settled.level_views_per_hour * settled.hours
        * case when peers.peers >= 5 then exp(peers.log_change) else 1 end as expected_gain_views
    from settled
    left join peers
        on
            settled.video_id = peers.video_id
            and settled.alerted_at = peers.alerted_at
            and settled.horizon_hours = peers.horizon_hours
    left join bases
        on
            settled.video_id = bases.video_id
            and settled.alerted_at = bases.alerted_at
            and settled.horizon_hours = bases.horizon_hours
    where settled.place = 1

)

select
    as_of_date,
    market,
    video_id,
    alerted_at,
    horizon_hours,
    tier,
    is_message,
    alert_mode,
    scored_at,
    hours,
    gain_views,
    expected_gain_views,
    peers,
    base_readings,
    base_right,
    gain_views > expected_gain_views as is_right
from compared
