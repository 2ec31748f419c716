-- depends_on: {{ ref('int_as_of') }}
{{ config(materialized='incremental', incremental_strategy='as_of') }}

{#-
    What a forecast of a date starts from: the video's last reading and its pace over the two days before it.
    Plays are one worldwide number, so the readings of all feeds count for the video.
-#}

{%- set lookback = var('forecast_lookback_days') %}
{%- set pace_hours = var('forecast_pace_hours') %}
{%- set minimum_gap = var('minimum_gap_hours') %}

with

presence as (

    select
        as_of_date,
        cutoff_at,
        market,
        video_id,
        market_count,
        -- A video has one forecast, whichever market's it is.
        min(feed_rank) over (partition by as_of_date, video_id) as best_feed_rank
    from {{ ref('int_feed_presence') }}

),

readings as (

    select * from {{ ref('int_video_readings') }}
    where reading_date >= {{ window_start(ref('int_as_of'), lookback) }}

),

videos as (

    select distinct
        as_of_date,
        cutoff_at,
        video_id
    from presence

),

worldwide as (

    select
        videos.as_of_date,
        videos.cutoff_at,
        readings.video_id,
        readings.observed_at,
        max(readings.plays) as plays,
        max(readings.likes) as likes,
        max(readings.comments) as comments,
        min(case when not readings.age_is_lower_bound then readings.posted_at end) as posted_at,
        min(readings.posted_at) as first_seen_at
    from videos
    inner join readings on videos.video_id = readings.video_id
    where
        readings.observed_at <= videos.cutoff_at
        and readings.reading_date >= videos.as_of_date - {{ lookback }}
        and readings.plays is not null
    group by videos.as_of_date, videos.cutoff_at, readings.video_id, readings.observed_at

),

lifted as (

    select
        as_of_date,
        cutoff_at,
        video_id,
        observed_at,
        posted_at,
        first_seen_at,
        max(plays) over so_far as plays,
        max(likes) over so_far as likes,
        max(comments) over so_far as comments
    from worldwide
    window
        so_far as (
            partition by as_of_date, video_id
            order by observed_at
            rows between unbounded preceding and current row
        )

),

compared as (

    -- One feed may show later what the other one had shown before: equal counts are one reading.
    select
        *,
        lag(observed_at) over earlier as previous_observed_at,
        lag(plays) over earlier as previous_plays,
        lag(likes) over earlier as previous_likes
    from lifted
    window earlier as (partition by as_of_date, video_id order by observed_at)

),

dated as (

    select
        *,
        max(observed_at) over (partition by as_of_date, video_id) as base_at
    from compared
    where
        previous_observed_at is null
        or plays > previous_plays
        or coalesce(likes, -1) <> coalesce(previous_likes, -1)

),

measured as (

    -- Plays never fall here, so the earliest row of a group is its minimum and the latest its maximum.
    select
        as_of_date,
        cutoff_at,
        video_id,
        base_at,
        max(plays) as base_plays,
        max(likes) as base_likes,
        max(comments) as base_comments,
        min(posted_at) as posted_at,
        min(first_seen_at) as first_seen_at,
        coalesce(
            min(
                case
                    when {{ hours_between('observed_at', 'base_at') }} between {{ minimum_gap }} and {{ pace_hours }}
                        then observed_at
                end
            ),
            max(
                case when {{ hours_between('observed_at', 'base_at') }} > {{ pace_hours }} then observed_at end
            )
        ) as reference_at,
        coalesce(
            min(
                case
                    when {{ hours_between('observed_at', 'base_at') }} between {{ minimum_gap }} and {{ pace_hours }}
                        then plays
                end
            ),
            max(
                case when {{ hours_between('observed_at', 'base_at') }} > {{ pace_hours }} then plays end
            )
        ) as reference_plays
    from dated
    group by as_of_date, cutoff_at, video_id, base_at

),

measured_before as (

    select
        measured.as_of_date,
        measured.video_id,
        coalesce(
            min(
                case
                    when {{ hours_between('dated.observed_at', 'measured.reference_at') }} <= {{ pace_hours }}
                        then dated.observed_at
                end
            ),
            max(dated.observed_at)
        ) as earlier_at,
        coalesce(
            min(
                case
                    when {{ hours_between('dated.observed_at', 'measured.reference_at') }} <= {{ pace_hours }}
                        then dated.plays
                end
            ),
            max(dated.plays)
        ) as earlier_plays
    from measured
    inner join dated
        on
            measured.as_of_date = dated.as_of_date
            and measured.video_id = dated.video_id
    where {{ hours_between('dated.observed_at', 'measured.reference_at') }} >= {{ minimum_gap }}
    group by measured.as_of_date, measured.video_id

),

paced as (

    select
        measured.*,
        coalesce(measured.posted_at, measured.first_seen_at) as age_from,
        {{ hours_between('measured.reference_at', 'measured.base_at') }} as pace_gap_hours,
        24 * (measured.base_plays - measured.reference_plays)
        / {{ hours_between('measured.reference_at', 'measured.base_at') }} as pace,
        {{ hours_between('measured_before.earlier_at', 'measured.reference_at') }} as previous_gap_hours,
        24 * (measured.reference_plays - measured_before.earlier_plays)
        / {{ hours_between('measured_before.earlier_at', 'measured.reference_at') }} as previous_pace
    from measured
    left join measured_before
        on
            measured.as_of_date = measured_before.as_of_date
            and measured.video_id = measured_before.video_id

),

changes as (

    -- A pace belongs to the middle of its interval; its change is brought to 24 hours between the two middles.
    select
        *,
        greatest({{ hours_between('age_from', 'base_at') }}, {{ var('minimum_age_hours') }}) as age_hours,
        {{ forecast_age_bucket(hours_between('age_from', 'base_at')) }} as age_bucket,
        {{ forecast_age_bucket(hours_between('age_from', 'reference_at')) }} as previous_age_bucket,
        case
            when pace_gap_hours + previous_gap_hours >= 24
                then
                    ({{ log_of_count('pace') }} - {{ log_of_count('previous_pace') }})
                    * 48 / (pace_gap_hours + previous_gap_hours)
        end as pace_change
    from paced

),

own_readings as (

    select
        presence.as_of_date,
        presence.market,
        presence.video_id,
        readings.views_per_hour,
        readings.live_views_per_hour,
        row_number() over (
            partition by presence.as_of_date, presence.market, presence.video_id
            order by readings.observed_at desc
        ) as place_from_end
    from presence
    inner join readings
        on
            presence.market = readings.market
            and presence.video_id = readings.video_id
    where
        readings.observed_at <= presence.cutoff_at
        and readings.reading_date >= presence.as_of_date - {{ lookback }}

),

sized as (

    select
        *,
        count(*) over (partition by as_of_date, market) as videos_of_market
    from presence

)

select
    sized.as_of_date,
    sized.cutoff_at,
    sized.market,
    sized.video_id,
    sized.best_feed_rank,
    sized.market_count,
    changes.base_at,
    changes.base_plays,
    changes.base_likes,
    changes.base_comments,
    changes.age_hours,
    changes.posted_at is null as age_is_lower_bound,
    changes.age_bucket,
    changes.previous_age_bucket,
    changes.pace,
    changes.pace_gap_hours,
    changes.previous_pace,
    changes.pace_change,
    24 * own_readings.views_per_hour as lifetime_pace,
    coalesce(24 * own_readings.live_views_per_hour, changes.pace) as last_pace,
    changes.pace is null as is_cold_start,
    {{ hours_between('changes.base_at', 'sized.cutoff_at') }} >= 24 as is_stale,
    {{ stable_bucket('sized.video_id', 1000000) }}
    < 1000000.0 * {{ var('forecast_sample_size') }} / sized.videos_of_market as is_sampled
from sized
inner join changes
    on
        sized.as_of_date = changes.as_of_date
        and sized.video_id = changes.video_id
left join own_readings
    on
        sized.as_of_date = own_readings.as_of_date
        and sized.market = own_readings.market
        and sized.video_id = own_readings.video_id
        and own_readings.place_from_end = 1
