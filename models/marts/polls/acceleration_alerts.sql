{{ config(incremental_strategy='poll_dates') }}

-- The incremental strategy reads the batch.
-- depends_on: {{ ref('int_polls') }}

{#-
    Polls are walked in order, because a message depends on those sent before it: the budget of the poll and the day,
    the cool-down of the video. The recursion carries what was sent so far (macros/engine_alert_walk.sql).
-#}

{%- set cohort = var('alert_mode') == 'cohort' %}

with recursive

polls as (

    select * from {{ ref('int_polls') }}
    where is_in_batch

),

scores as (

    select * from {{ ref('int_poll_scores') }}
    where as_of_date >= {{ window_start(ref('int_as_of'), 0) }}

),

tiered as (

    select
        polls.poll_at,
        polls.poll_number,
        scores.*,
        scores.gain_views - scores.expected_gain_views as extra_views,
        {% if cohort -%}
        case
            -- What comes back from a stall (or an old count) to its pace of before is no burst.
            when scores.previous_z <= -{{ var('alert_z') }} then null
            when scores.z >= {{ var('alert_strong_z') }} then 3
            when scores.z >= {{ var('alert_z') }} then 2
            when scores.z >= {{ var('alert_watch_z') }} and scores.previous_z >= {{ var('alert_watch_z') }} then 1
        end as tier_rank
        {%- else -%}
        case
            when
                scores.age_hours <= {{ var('classic_alert_age_hours') }}
                and scores.shares_per_hour >= {{ var('classic_alert_shares_per_hour') }}
                and scores.views_per_hour >= {{ var('classic_alert_views_per_hour') }}
                and scores.delta_shares_per_hour >= {{ var('classic_alert_delta_shares_per_hour') }}
                then 2
        end as tier_rank
        {%- endif %}
    from scores
    inner join polls
        on
            scores.market = polls.market
            and scores.observed_at = polls.observed_at
    where scores.is_watched

),

ranked as (

    -- A video that is fast in both feeds is one message.
    select
        *,
        row_number() over (
            partition by poll_number, video_id
            order by tier_rank desc, extra_views desc, market asc
        ) as place_in_poll
    from tiered
    where
        tier_rank is not null
        and ({{ 'false' if cohort else 'true' }} or extra_views >= {{ var('alert_minimum_extra_views') }})

),

candidates as (

    select
        *,
        dense_rank() over (order by poll_number) as step
    from ranked
    where place_in_poll = 1

),

sent_before as (

    -- What earlier dates told, as far back as a video cools down.
    {% if is_incremental() -%}
    select
        video_id,
        tier_rank,
        alerted_at,
        as_of_date
    from {{ this }}
    where
        as_of_date >= {{ window_start(ref('int_as_of'), 4) }}
        and as_of_date < (select min(polls.as_of_date) from polls)
    {%- else -%}
    select
        cast(null as string) as video_id,
        cast(null as integer) as tier_rank,
        cast(null as timestamp) as alerted_at,
        cast(null as date) as as_of_date
    where false
    {%- endif %}

),

{{ walked_alerts() }},

attributes as (

    select
        market,
        video_id,
        observed_at,
        video_url,
        caption,
        author_handle,
        row_number() over (partition by market, video_id, observed_at order by load_id desc) as place
    from {{ ref('stg_tiktok__videos') }}
    where observed_date >= {{ window_start(ref('int_as_of'), 0) }}

),

categories as (

    select * from {{ ref('int_video_ai') }}

)

select
    candidates.as_of_date,
    candidates.poll_at,
    candidates.observed_at as alerted_at,
    candidates.market,
    candidates.video_id,
    case candidates.tier_rank when 3 then 'STRONG' when 2 then 'ALERT' else 'WATCH' end as tier,
    cast(candidates.tier_rank as integer) as tier_rank,
    candidates.tier_rank > 1 as is_message,
    '{{ var('alert_mode') }}' as alert_mode,
    candidates.z,
    candidates.gain_views,
    candidates.expected_gain_views,
    candidates.extra_views,
    candidates.hours,
    candidates.level_views_per_hour,
    candidates.level_basis,
    candidates.cohort_change,
    candidates.cohort_readings,
    candidates.poll_change,
    candidates.spread,
    candidates.previous_z,
    candidates.from_at,
    candidates.age_hours,
    cast({{ var('fresh_age_hours') }} as integer) as fresh_age_hours,
    candidates.plays,
    candidates.views_per_hour,
    candidates.shares_per_hour,
    candidates.delta_shares_per_hour,
    candidates.momentum_score,
    attributes.video_url,
    attributes.caption,
    attributes.author_handle,
    categories.ai_category,
    candidates.followed_by
from sent
inner join candidates
    on
        sent.step = candidates.step
        and sent.video_id = candidates.video_id
left join attributes
    on
        candidates.market = attributes.market
        and candidates.video_id = attributes.video_id
        and candidates.observed_at = attributes.observed_at
        and attributes.place = 1
left join categories
    on candidates.video_id = categories.video_id
