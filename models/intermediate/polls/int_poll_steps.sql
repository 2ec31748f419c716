{{ config(materialized='incremental', incremental_strategy='poll_dates') }}

{#-
    How the pace of a market's videos changed from one feed to the next: the daily cycle and whatever else moves all of
    them at once. The median over the videos that both feeds measured, drawn to no change where they are few.
-#}

with

polls as (

    select * from {{ ref('int_polls') }}
    where is_in_batch

),

intervals as (

    select * from {{ ref('int_poll_intervals') }}

),

changes as (

    select
        polls.market,
        polls.observed_at,
        ln(intervals.views_rate / intervals.previous_rate) as log_change
    from intervals
    inner join polls
        on
            intervals.market = polls.market
            and intervals.observed_at = polls.observed_at
            and intervals.from_at = polls.previous_feed_at
    where
        not intervals.is_lifetime
        and not intervals.previous_is_lifetime
        and intervals.gain_views >= 50
        and intervals.previous_gain > 0
        -- Rounded counts say little of a small gain.
        and intervals.resolution * intervals.resolution / 6
        < {{ var('alert_peer_noise') }} * pow(least(intervals.gain_views, intervals.previous_gain), 2)

),

medians as (

    select
        market,
        observed_at,
        {{ quantile('log_change', 0.5) }} as log_change,
        count(*) as peers
    from changes
    group by market, observed_at

)

select
    polls.as_of_date,
    polls.market,
    polls.observed_at,
    polls.hours_since_previous,
    coalesce(medians.peers, 0) as peers,
    -- Millionths, whole: sums of them are exact whatever the order.
    cast(round(1000000 * {{ shrunk('medians.log_change', 0, 'medians.peers', var('alert_peers')) }}) as bigint)
        as step_millionths
from polls
left join medians
    on
        polls.market = medians.market
        and polls.observed_at = medians.observed_at
