{{ config(materialized='incremental', incremental_strategy='poll_dates') }}

{#-
    The gains of the polls, with what came before them, and whether the video is watched. A first reading is not judged,
    but it may put the video on the watch list.
-#}

{#- Named here: dbt does not see a ref that stands in what only a later run has. -#}
{%- set remembered_from = window_start(ref('int_as_of'), 4) %}
{%- set all_polls = ref('int_polls') %}

with

gains as (

    select * from {{ ref('int_poll_gains') }}

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
    from gains
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
            select polls.as_of_date from {{ all_polls }} as polls
            where polls.is_in_batch
        )
        and exists (
            select 1 from gains
            where gains.market = stored.market and gains.video_id = stored.video_id
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
    gains.as_of_date,
    gains.market,
    gains.video_id,
    gains.observed_at,
    gains.from_at,
    gains.posted_at,
    gains.age_hours,
    gains.hours,
    gains.plays,
    gains.gain_views,
    gains.views_rate,
    gains.views_per_hour,
    gains.shares_per_hour,
    gains.meets_entry,
    gains.delta_shares_per_hour,
    gains.momentum_score,
    gains.level_basis,
    gains.level_views_per_hour,
    gains.age_bucket,
    gains.cohort_readings,
    gains.cohort_change,
    gains.is_held_back,
    gains.poll_change,
    gains.spread,
    gains.pace_factor_needed,
    gains.rounding_variance,
    gains.expected_gain_views,
    gains.z,
    watched.previous_z,
    gains.absences,
    followed.followed_by,
    gains.age_hours <= {{ var('watch_exit_age_hours') }}
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
from gains
inner join watched
    on
        gains.market = watched.market
        and gains.video_id = watched.video_id
        and gains.observed_at = watched.observed_at
left join {{ ref('int_poll_followed') }} as followed
    on
        gains.market = followed.market
        and gains.video_id = followed.video_id
where watched.is_new
