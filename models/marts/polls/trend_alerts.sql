{{ config(incremental_strategy='poll_dates') }}

{#-
    Bursts of trends as they are told: once each, a few a day, with a video of it and how far the other markets are.
-#}

{%- set window = 'interval ' ~ var('trend_alert_hours') ~ ' hour' %}
{%- set reach = 'interval ' ~ (var('trend_alert_hours') + var('trend_alert_before_hours')) ~ ' hour' %}

with

in_order as (

    select
        bursts.*,
        polls.as_of_date,
        polls.poll_at,
        polls.is_in_batch,
        lag(bursts.observed_at) over (
            partition by bursts.market, bursts.trend_key order by bursts.observed_at
        ) as burst_before_at
    from {{ ref('int_poll_bursts') }} as bursts
    inner join {{ ref('int_polls') }} as polls
        on
            bursts.market = polls.market
            and bursts.observed_at = polls.observed_at

),

begun as (

    select
        *,
        row_number() over (
            partition by as_of_date
            order by poll_at asc, rising_creators + new_creators desc, gain_views desc, trend_key asc, market asc
        ) as place_in_day
    from in_order
    where
        is_in_batch
        and (
            burst_before_at is null
            or {{ hours_between('burst_before_at', 'observed_at') }} > {{ var('trend_alert_apart_hours') }}
        )

),

uses as (

    select
        market,
        video_id,
        creator,
        observed_at,
        music_name,
        {{ explode_list('carried_keys') }} as trend_key
    from {{ ref('int_poll_arrivals') }}

),

elsewhere as (

    select
        begun.market,
        begun.observed_at,
        begun.trend_key,
        count(distinct uses.creator) as creators
    from begun
    inner join uses
        on
            begun.trend_key = uses.trend_key
            and begun.market <> uses.market
            and begun.observed_at >= uses.observed_at
            and uses.observed_at > begun.observed_at - {{ reach }}
    group by begun.market, begun.observed_at, begun.trend_key

),

names as (

    select
        begun.market,
        begun.observed_at,
        begun.trend_key,
        min(uses.music_name) as music_name
    from begun
    inner join uses
        on
            begun.trend_key = uses.trend_key
            and begun.observed_at >= uses.observed_at
            and uses.observed_at > begun.observed_at - {{ reach }}
    group by begun.market, begun.observed_at, begun.trend_key

),

examples as (

    -- The video of it that gained most, else the one that came last.
    select
        begun.market,
        begun.observed_at,
        begun.trend_key,
        coalesce(
            min(begun.gaining_video_id),
            {{ value_at_greatest('uses.video_id', ['uses.observed_at', 'uses.video_id']) }}
        ) as video_id
    from begun
    left join uses
        on
            begun.market = uses.market
            and begun.trend_key = uses.trend_key
            and begun.observed_at >= uses.observed_at
            and uses.observed_at > begun.observed_at - {{ reach }}
    group by begun.market, begun.observed_at, begun.trend_key

),

staged as (

    select
        video_id,
        observed_at,
        video_url
    from {{ ref('stg_tiktok__videos') }}
    where observed_date >= {{ window_start(ref('int_as_of'), trend_alert_days()) }}

),

links as (

    select
        examples.market,
        examples.observed_at,
        examples.trend_key,
        {{ value_at_greatest('staged.video_url', ['staged.observed_at', 'staged.video_url']) }} as video_url
    from examples
    inner join staged
        on
            examples.video_id = staged.video_id
            and examples.observed_at >= staged.observed_at
            and staged.observed_at > examples.observed_at - {{ reach }}
    group by examples.market, examples.observed_at, examples.trend_key

)

select
    begun.as_of_date,
    begun.poll_at,
    begun.observed_at as alerted_at,
    begun.market,
    begun.trend_key,
    {{ trend_key_type('begun.trend_key') }} as trend_key_type,
    case when {{ trend_key_type('begun.trend_key') }} = 'sound' then names.music_name end as music_name,
    begun.burst_of,
    begun.observed_at - {{ window }} + interval {{ var('fresh_age_hours') }} hour as fresh_until_at,
    begun.place_in_day <= {{ var('trend_alert_budget_day') }} as is_message,
    begun.new_creators,
    begun.expected_creators,
    begun.earlier_creators,
    begun.creators_z,
    begun.rising_creators,
    begun.gain_views,
    begun.expected_gain_views,
    coalesce(elsewhere.creators, 0) as other_creators,
    coalesce(elsewhere.creators, 0) < {{ var('trend_alert_creators') }} as is_ahead,
    examples.video_id as example_video_id,
    links.video_url as example_video_url
from begun
left join elsewhere
    on
        begun.market = elsewhere.market
        and begun.observed_at = elsewhere.observed_at
        and begun.trend_key = elsewhere.trend_key
left join names
    on
        begun.market = names.market
        and begun.observed_at = names.observed_at
        and begun.trend_key = names.trend_key
left join examples
    on
        begun.market = examples.market
        and begun.observed_at = examples.observed_at
        and begun.trend_key = examples.trend_key
left join links
    on
        begun.market = links.market
        and begun.observed_at = links.observed_at
        and begun.trend_key = links.trend_key
