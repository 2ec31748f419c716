{{ config(
    materialized='incremental',
    incremental_strategy='replace_keys',
    unique_key=['market', 'video_id']
) }}

{#-
    Distinct readings and everything that follows from a video's own history. Each column of a reading depends on
    that reading and earlier ones only, so a date sees the same values however much later data is there.
    A run recomputes the videos that its new loads touched, and no others.
-#}

with

staged as (

    select * from {{ ref('stg_tiktok__videos') }}

),

touched as (

    -- Asked of staging itself: a CTE that is read twice would be kept whole, with all days.
    select distinct
        market,
        video_id
    from {{ ref('stg_tiktok__videos') }}
    {% if is_incremental() %}
    where load_id > (select coalesce(max(last_load_id), 0) from {{ this }})
    {% endif %}

),

shared_moments as (

    -- Moments at which two loads saw a market: nearly always none, so that no video need be looked at for it.
    select
        market,
        observed_at
    from {{ ref('stg_tiktok__videos') }}
    group by market, observed_at
    having min(load_id) < max(load_id)

),

appearances as (

    select staged.*
    from staged
    inner join touched
        on
            staged.market = touched.market
            and staged.video_id = touched.video_id
    where
        not exists (
            select 1
            from {{ ref('stg_tiktok__videos') }} as later
            inner join shared_moments
                on
                    later.market = shared_moments.market
                    and later.observed_at = shared_moments.observed_at
            where
                later.market = staged.market
                and later.video_id = staged.video_id
                and later.observed_at = staged.observed_at
                and later.load_id > staged.load_id
        )

),

stepped as (

    select
        *,
        lag(plays) over seen as plays_before,
        max(plays) over (
            partition by market, video_id
            order by observed_at
            rows between unbounded preceding and 2 preceding
        ) as highest_earlier_plays
    from appearances
    window seen as (partition by market, video_id order by observed_at)

),

compared_with_peak as (

    -- Two readings in a row that lie clearly below what was seen before, the second going on where the first
    -- was: the high one was wrong, or the platform took counts away. One alone, or two equal ones, may be an old copy.
    select
        *,
        coalesce(
            plays < (1 - {{ var('score_count_noise') }}) * highest_earlier_plays
            and plays_before < (1 - {{ var('score_count_noise') }}) * highest_earlier_plays
            and plays > plays_before
            and plays <= {{ var('new_level_growth') }} * plays_before,
            false
        ) as is_below
    from stepped

),

begun as (

    select
        *,
        is_below and not coalesce(lag(is_below) over (partition by market, video_id order by observed_at), false)
            as is_new_level
    from compared_with_peak

),

leveled as (

    select
        *,
        sum(case when is_new_level then 1 else 0 end) over (
            partition by market, video_id
            order by observed_at
            rows between unbounded preceding and current row
        ) as level_number
    from begun

),

preceded as (

    select
        *,
        row_number() over seen as sighting_number,
        lag(dataset_id) over seen as previous_dataset_id,
        max(plays) over before as highest_plays,
        max(likes) over before as highest_likes,
        max(shares) over before as highest_shares,
        max(comments) over before as highest_comments,
        max(saves) over before as highest_saves
    from leveled
    window
        seen as (partition by market, video_id order by observed_at),
        before as (
            partition by market, video_id, level_number
            order by observed_at
            rows between unbounded preceding and 1 preceding
        )

),

compared as (

    -- Two datasets known to be different are two readings. Else a sighting without a higher count is the reading
    -- before, seen again: counters never fall, so lower counts are an older copy and say nothing new.
    select
        *,
        case
            when sighting_number = 1 then true
            when dataset_id is not null and previous_dataset_id is not null then dataset_id <> previous_dataset_id
            else
                coalesce(plays, -1) > coalesce(highest_plays, -1)
                or coalesce(likes, -1) > coalesce(highest_likes, -1)
                or coalesce(shares, -1) > coalesce(highest_shares, -1)
                or coalesce(comments, -1) > coalesce(highest_comments, -1)
                or coalesce(saves, -1) > coalesce(highest_saves, -1)
        end as is_distinct,
        coalesce(
            plays < highest_plays
            or likes < highest_likes
            or shares < highest_shares
            or comments < highest_comments
            or saves < highest_saves,
            false
        ) as is_lower
    from preceded

),

paced as (

    -- What the reading before and its own pace let one expect of this one.
    select
        *,
        lag(plays) over told_apart as reading_before_plays,
        {{ hours_between('lag(observed_at) over told_apart', 'observed_at') }} as reading_before_hours,
        coalesce(
            (lag(plays) over told_apart - lag(plays, 2) over told_apart)
            / {{ hours_between('lag(observed_at, 2) over told_apart', 'lag(observed_at) over told_apart') }},
            lag(plays) over told_apart
            / greatest(
                {{ hours_between('lag(posted_at) over told_apart', 'lag(observed_at) over told_apart') }},
                {{ var('minimum_age_hours') }}
            )
        ) as pace_before
    from compared
    window told_apart as (partition by market, video_id, is_distinct order by observed_at)

),

judged as (

    -- A fast video that stood still for hours is an old count out of a cache: no reading to judge by. A second one in
    -- a row has no such pace before it: the stillness is real.
    select
        *,
        is_distinct
        and not coalesce(
            reading_before_hours > {{ var('still_after_hours') }}
            and pace_before > {{ var('still_pace') }}
            and (
                plays - reading_before_plays < plays_resolution
                or (
                    plays - reading_before_plays < {{ var('still_share') }} * plays
                    and plays - reading_before_plays
                    < {{ var('still_pace_share') }} * pace_before * reading_before_hours
                )
            )
            and not is_new_level,
            false
        ) as is_reading
    from paced

),

numbered as (

    select
        *,
        sum(case when is_reading then 1 else 0 end) over (
            partition by market, video_id
            order by observed_at
            rows between unbounded preceding and current row
        ) as reading_number
    from judged

),

sightings as (

    select
        market,
        video_id,
        reading_number,
        max(observed_at) as last_seen_at,
        count(*) as times_seen,
        min(case when is_lower then observed_at end) as regressed_at,
        max(load_id) as last_load_id
    from numbered
    group by market, video_id, reading_number

),

readings as (

    -- Counters only rise: a lower count stays in staging and is lifted to the highest one so far of its level here. A
    -- new level begins without a step: what lies between it and the old one is no gain.
    select
        numbered.market,
        numbered.video_id,
        numbered.reading_number,
        numbered.observed_at,
        numbered.observed_date as reading_date,
        numbered.load_id,
        numbered.item_index,
        numbered.counts_rounded,
        numbered.plays_resolution,
        numbered.likes_resolution,
        numbered.shares_resolution,
        numbered.posted_at_disagrees,
        numbered.oddities,
        numbered.is_believed,
        numbered.is_new_level,
        sightings.last_seen_at,
        sightings.times_seen,
        max(sightings.last_load_id) over (partition by numbered.market, numbered.video_id) as last_load_id,
        case
            when numbered.posted_at is null then 'first_seen' else numbered.posted_at_source
        end as posted_at_source,
        coalesce(
            numbered.posted_at,
            min(numbered.observed_at) over (
                partition by numbered.market, numbered.video_id
                order by numbered.observed_at
            )
        ) as posted_at,
        numbered.posted_at is null as age_is_lower_bound,
        max(numbered.plays) over so_far as plays,
        max(numbered.likes) over so_far as likes,
        max(numbered.shares) over so_far as shares,
        max(numbered.comments) over so_far as comments,
        max(numbered.saves) over so_far as saves,
        -- In one pass with the above: the highest count before a reading is the count of the reading before.
        max(numbered.plays) over until_before as previous_plays,
        max(numbered.likes) over until_before as previous_likes,
        max(numbered.shares) over until_before as previous_shares,
        lag(numbered.observed_at) over (
            partition by numbered.market, numbered.video_id, numbered.level_number
            order by numbered.observed_at
        ) as previous_observed_at,
        sightings.regressed_at,
        sightings.regressed_at is not null as counter_regressed
    from numbered
    inner join sightings
        on
            numbered.market = sightings.market
            and numbered.video_id = sightings.video_id
            and numbered.reading_number = sightings.reading_number
    where numbered.is_reading
    window
        so_far as (
            partition by numbered.market, numbered.video_id, numbered.level_number
            order by numbered.observed_at
            rows between unbounded preceding and current row
        ),
        until_before as (
            partition by numbered.market, numbered.video_id, numbered.level_number
            order by numbered.observed_at
            rows between unbounded preceding and 1 preceding
        )

),

aged as (

    select
        *,
        greatest({{ hours_between('posted_at', 'observed_at') }}, {{ var('minimum_age_hours') }}) as age_hours,
        {{ hours_between('previous_observed_at', 'observed_at') }} as gap_hours,
        plays - previous_plays as delta_plays,
        likes - previous_likes as delta_likes,
        shares - previous_shares as delta_shares
    from readings

),

rated as (

    select
        *,
        plays / age_hours as views_per_hour,
        likes / age_hours as likes_per_hour,
        shares / age_hours as shares_per_hour,
        {{ live_rate('delta_plays') }} as live_views_per_hour,
        {{ live_rate('delta_likes') }} as live_likes_per_hour,
        {{ live_rate('delta_shares') }} as live_shares_per_hour
    from aged

),

scored as (

    select
        *,
        {{ momentum('shares_per_hour', 'likes_per_hour', 'views_per_hour') }} as momentum_score,
        {{ momentum('live_shares_per_hour', 'live_likes_per_hour', 'live_views_per_hour') }} as live_momentum
    from rated

),

chained as (

    select
        *,
        lag(momentum_score) over earlier as previous_momentum_score,
        lag(age_hours) over earlier as previous_age_hours,
        lag(gap_hours) over earlier as previous_gap_hours,
        lag(live_momentum) over earlier as previous_live_momentum,
        lag(live_views_per_hour) over earlier as previous_live_views_per_hour,
        coalesce(lead(reading_date) over earlier > reading_date, true) as closes_day
    from scored
    window earlier as (partition by market, video_id order by observed_at)

),

day_trends as (

    select
        market,
        video_id,
        reading_date,
        row_number() over earlier as reading_days,
        lag(momentum_score) over earlier as previous_day_momentum,
        {{ days_between('lag(reading_date) over earlier', 'reading_date') }} as previous_day_gap_days,
        (lag(momentum_score) over earlier - lag(momentum_score, 2) over earlier)
        / ({{ days_between('lag(reading_date, 2) over earlier', 'lag(reading_date) over earlier') }})
            as previous_velocity
    from chained
    where closes_day
    window earlier as (partition by market, video_id order by reading_date)

)

select
    chained.market,
    chained.video_id,
    cast(chained.reading_number as integer) as reading_number,
    chained.observed_at,
    chained.reading_date,
    chained.last_seen_at,
    cast(chained.times_seen as integer) as times_seen,
    chained.posted_at,
    chained.posted_at_source,
    chained.age_is_lower_bound,
    chained.posted_at_disagrees,
    chained.age_hours,
    chained.plays,
    chained.likes,
    chained.shares,
    chained.comments,
    chained.saves,
    chained.plays_resolution,
    chained.likes_resolution,
    chained.shares_resolution,
    chained.counts_rounded,
    chained.counter_regressed,
    chained.regressed_at,
    chained.views_per_hour,
    chained.likes_per_hour,
    chained.shares_per_hour,
    chained.momentum_score,
    chained.previous_observed_at,
    chained.gap_hours,
    chained.delta_plays,
    chained.delta_likes,
    chained.delta_shares,
    chained.live_views_per_hour,
    chained.live_likes_per_hour,
    chained.live_shares_per_hour,
    chained.live_momentum,
    chained.previous_momentum_score,
    chained.previous_age_hours,
    chained.previous_gap_hours,
    chained.previous_live_momentum,
    chained.previous_live_views_per_hour,
    cast(day_trends.reading_days as integer) as reading_days,
    day_trends.previous_day_momentum,
    cast(day_trends.previous_day_gap_days as integer) as previous_day_gap_days,
    day_trends.previous_velocity,
    chained.load_id,
    chained.item_index,
    chained.last_load_id,
    chained.oddities,
    chained.is_believed,
    chained.is_new_level
from chained
inner join day_trends
    on
        chained.market = day_trends.market
        and chained.video_id = day_trends.video_id
        and chained.reading_date = day_trends.reading_date
