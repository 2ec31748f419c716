{{ config(incremental_strategy='poll_dates') }}

{#-
    Trends that burst within hours: a template, sound, effect or tag that more creators took up than its share of what is
    new in the market lets expect, or whose videos together outran what was expected of them. Each tells how far the other
    markets are.
-#}

{%- set window = 'interval ' ~ var('trend_alert_hours') ~ ' hour' %}
{%- set reach = 'interval ' ~ (var('trend_alert_hours') + var('trend_alert_before_hours')) ~ ' hour' %}
{#- From the day before the batch on: a burst of then is not told again. -#}
{%- set reach_hours = (var('trend_alert_hours') | int) + (var('trend_alert_before_hours') | int) %}
{%- set reach_days = (reach_hours / 24) | round(0, 'ceil') | int + 1 %}

with

all_feeds as (

    select * from {{ ref('int_polls') }}

),

reached as (

    select
        *,
        min(observed_at) over (
            partition by market
            order by observed_at
            range between {{ reach }} preceding and current row
        ) as reached_at
    from all_feeds

),

-- In the first hours everything is new.
feeds as (

    select * from reached
    where
        as_of_date >= {{ window_start(ref('int_as_of'), 1) }}
        and {{ hours_between('reached_at', 'observed_at') }} >= {{ var('trend_alert_before_hours') }} / 2.0

),

staged as (

    select
        market,
        video_id,
        observed_at,
        video_url,
        coalesce(author_handle, video_id) as creator,
        music_name,
        {{ carried_trend_keys('template_id', 'music_id', 'effects', 'hashtags') }} as carried_keys
    from {{ ref('stg_tiktok__videos') }}
    where observed_date >= {{ window_start(ref('int_as_of'), reach_days) }}

),

stop_words as (

    select 'hashtag:' || lower(hashtag) as trend_key
    from {{ ref('trend_stop_words') }}

),

firsts as (

    select
        market,
        video_id,
        min(observed_at) as first_seen_at
    from staged
    group by market, video_id

),

arrivals as (

    select distinct
        staged.market,
        staged.video_id,
        staged.creator,
        staged.observed_at,
        staged.music_name,
        staged.carried_keys
    from staged
    inner join firsts
        on
            staged.market = firsts.market
            and staged.video_id = firsts.video_id
            and staged.observed_at = firsts.first_seen_at
    inner join {{ ref('int_video_readings') }} as readings
        on
            staged.market = readings.market
            and staged.video_id = readings.video_id
            and staged.observed_at = readings.observed_at
    where readings.reading_number = 1

),

exploded as (

    select
        market,
        video_id,
        creator,
        observed_at,
        music_name,
        {{ explode_list('carried_keys') }} as trend_key
    from arrivals

),

uses as (

    select * from exploded
    where not exists (select 1 from stop_words where stop_words.trend_key = exploded.trend_key)

),

market_creators as (

    select
        feeds.market,
        feeds.observed_at,
        count(distinct case when arrivals.observed_at > feeds.observed_at - {{ window }} then arrivals.creator end)
            as new_creators,
        count(distinct case when arrivals.observed_at <= feeds.observed_at - {{ window }} then arrivals.creator end)
            as earlier_creators
    from feeds
    inner join arrivals
        on
            feeds.market = arrivals.market
            and feeds.observed_at >= arrivals.observed_at
            and arrivals.observed_at > feeds.observed_at - {{ reach }}
    group by feeds.market, feeds.observed_at

),

key_creators as (

    select
        feeds.market,
        feeds.observed_at,
        uses.trend_key,
        count(distinct case when uses.observed_at > feeds.observed_at - {{ window }} then uses.creator end)
            as new_creators,
        count(distinct case when uses.observed_at <= feeds.observed_at - {{ window }} then uses.creator end)
            as earlier_creators
    from feeds
    inner join uses
        on
            feeds.market = uses.market
            and feeds.observed_at >= uses.observed_at
            and uses.observed_at > feeds.observed_at - {{ reach }}
    group by feeds.market, feeds.observed_at, uses.trend_key
    having count(distinct case when uses.observed_at > feeds.observed_at - {{ window }} then uses.creator end) > 0

),

scores as (

    select
        market,
        video_id,
        observed_at,
        gain_views,
        expected_gain_views,
        z
    from {{ ref('int_poll_scores') }}
    where
        as_of_date >= {{ window_start(ref('int_as_of'), 2) }}
        and z is not null

),

gains as (

    -- What the key's videos gained in the feeds of the last hours, each video in its last feed.
    select
        scores.market,
        scores.observed_at,
        scores.video_id,
        staged.creator,
        scores.gain_views,
        scores.expected_gain_views,
        scores.z,
        {{ explode_list('staged.carried_keys') }} as trend_key
    from scores
    inner join staged
        on
            scores.market = staged.market
            and scores.video_id = staged.video_id
            and scores.observed_at = staged.observed_at

),

rising as (

    select
        feeds.market,
        feeds.observed_at,
        gains.trend_key,
        cast(sum(gains.gain_views) as bigint) as gain_views,
        {{ exact_sum('gains.expected_gain_views') }} as expected_gain_views,
        count(distinct case when gains.z >= {{ var('alert_watch_z') }} then gains.creator end) as rising_creators
    from feeds
    inner join gains
        on
            feeds.market = gains.market
            and feeds.observed_at = gains.observed_at
    where not exists (select 1 from stop_words where stop_words.trend_key = gains.trend_key)
    group by feeds.market, feeds.observed_at, gains.trend_key

),

keys as (

    select
        market,
        observed_at,
        trend_key
    from key_creators

    union

    select
        market,
        observed_at,
        trend_key
    from rising

),

measured as (

    select
        keys.market,
        keys.observed_at,
        keys.trend_key,
        coalesce(key_creators.new_creators, 0) as new_creators,
        coalesce(key_creators.earlier_creators, 0) as earlier_creators,
        coalesce(
            key_creators.earlier_creators * 1.0 * market_creators.new_creators
            / nullif(market_creators.earlier_creators, 0),
            0
        ) as expected_creators,
        market_creators.earlier_creators as market_creators,
        coalesce(rising.gain_views, 0) as gain_views,
        coalesce(rising.expected_gain_views, 0) as expected_gain_views,
        coalesce(rising.rising_creators, 0) as rising_creators
    from keys
    inner join market_creators
        on
            keys.market = market_creators.market
            and keys.observed_at = market_creators.observed_at
    left join key_creators
        on
            keys.market = key_creators.market
            and keys.observed_at = key_creators.observed_at
            and keys.trend_key = key_creators.trend_key
    left join rising
        on
            keys.market = rising.market
            and keys.observed_at = rising.observed_at
            and keys.trend_key = rising.trend_key

),

burst as (

    select
        *,
        (new_creators - expected_creators) / sqrt(greatest(expected_creators, 1)) as creators_z,
        case
            when
                new_creators >= {{ var('trend_alert_creators') }}
                and new_creators >= {{ var('burst_pace_ratio') }} * expected_creators
                and (new_creators - expected_creators) / sqrt(greatest(expected_creators, 1)) >= {{ var('alert_z') }}
                then 'creators'
            when
                rising_creators >= {{ var('trend_alert_rising') }}
                and gain_views >= {{ var('burst_minimum_gain') }}
                and gain_views >= {{ var('burst_pace_ratio') }} * expected_gain_views
                then 'views'
        end as burst_of
    from measured
    -- What stood on many of the earlier videos is the language of the place, not a trend.
    where
        earlier_creators <= {{ var('trend_alert_creators') }}
        or earlier_creators <= {{ var('trend_common_share') }} * market_creators

),

in_order as (

    select
        burst.*,
        feeds.poll_at,
        feeds.as_of_date,
        feeds.is_in_batch,
        lag(burst.observed_at) over (
            partition by burst.market, burst.trend_key order by burst.observed_at
        ) as burst_before_at
    from burst
    inner join feeds
        on
            burst.market = feeds.market
            and burst.observed_at = feeds.observed_at
    where burst.burst_of is not null

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
            {{ value_at_greatest('gains.video_id', ['gains.gain_views', 'gains.video_id']) }},
            {{ value_at_greatest('uses.video_id', ['uses.observed_at', 'uses.video_id']) }}
        ) as video_id
    from begun
    left join gains
        on
            begun.market = gains.market
            and begun.trend_key = gains.trend_key
            and begun.observed_at = gains.observed_at
    left join uses
        on
            begun.market = uses.market
            and begun.trend_key = uses.trend_key
            and begun.observed_at >= uses.observed_at
            and uses.observed_at > begun.observed_at - {{ reach }}
    group by begun.market, begun.observed_at, begun.trend_key

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
