{#-
    The feeds of the dates being built, and of the days before that their polls look back to, each of them so far. A poll sees what was
    observed at or before its own feeds, whatever the cut-off of its date: that one belongs to the daily run.
-#}

{%- set dates = as_of_dates() %}

with

feeds as (

    select distinct
        market,
        observed_date,
        observed_at
    from {{ ref('stg_tiktok__videos') }}
    where observed_date >= {{ poll_window_start(ref('int_as_of')) }}

),

batch as (

    {% if dates -%}
    select distinct observed_date as as_of_date
    from feeds
    where observed_date in ({{ date_literals(dates) }})
    {%- elif flags.FULL_REFRESH -%}
    select distinct observed_date as as_of_date from feeds
    {%- else -%}
    select as_of_date from {{ ref('int_as_of') }}
    {%- endif %}

),

compared as (

    select
        *,
        lag(observed_at) over (partition by observed_date order by observed_at, market) as observed_before,
        max(observed_at) over (
            partition by market
            order by observed_at
            range between interval {{ (var('poll_memory_hours') * 3600) | int }} second preceding
            and interval 1 microsecond preceding
        ) as previous_feed_at,
        row_number() over (partition by market order by observed_at) as feed_number
    from feeds

),

begun as (

    -- A poller in a hurry: a feed that is nearer to the market's own feed before than half way begins the next poll.
    select
        *,
        case
            when
                {{ hours_between('observed_before', 'observed_at') }} <= least(
                    {{ var('poll_gap_minutes') }} / 60.0,
                    coalesce({{ hours_between('previous_feed_at', 'observed_at') }} / 2, 24)
                )
                then 0
            else 1
        end as begins_poll
    from compared

),

numbered as (

    select
        *,
        sum(begins_poll) over (
            order by observed_at, market
            rows between unbounded preceding and current row
        ) as poll_number
    from begun

)

select
    numbered.observed_date as as_of_date,
    numbered.market,
    numbered.observed_at,
    min(numbered.observed_at) over (partition by numbered.poll_number) as poll_at,
    max(numbered.observed_at) over (partition by numbered.poll_number) as poll_ended_at,
    cast(numbered.poll_number as integer) as poll_number,
    cast(numbered.feed_number as integer) as feed_number,
    numbered.previous_feed_at,
    {{ hours_between('numbered.previous_feed_at', 'numbered.observed_at') }} as hours_since_previous,
    batch.as_of_date is not null as is_in_batch
from numbered
left join batch
    on numbered.observed_date = batch.as_of_date
