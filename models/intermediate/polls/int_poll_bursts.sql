{{ config(materialized='table') }}

{#-
    Trends that burst in a feed: a template, sound, effect or tag that more creators took up within hours than its share
    of what is new in the market lets expect, or whose videos together outran what was expected of them.
-#}

{%- set window = 'interval ' ~ var('trend_alert_hours') ~ ' hour' %}
{%- set reach = 'interval ' ~ (var('trend_alert_hours') + var('trend_alert_before_hours')) ~ ' hour' %}

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

arrivals as (

    select * from {{ ref('int_poll_arrivals') }}

),

stop_words as (

    select 'hashtag:' || lower(hashtag) as trend_key
    from {{ ref('trend_stop_words') }}

),

exploded as (

    select
        market,
        video_id,
        creator,
        observed_at,
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

carried as (

    select
        market,
        video_id,
        observed_at,
        coalesce(author_handle, video_id) as creator,
        {{ carried_trend_keys('template_id', 'music_id', 'effects', 'hashtags') }} as carried_keys
    from {{ ref('stg_tiktok__videos') }}
    where observed_date >= {{ window_start(ref('int_as_of'), trend_alert_days()) }}

),

gains as (

    -- What the key's videos gained in the feeds of the last hours, each video in its last feed.
    select
        scores.market,
        scores.observed_at,
        scores.video_id,
        carried.creator,
        scores.gain_views,
        scores.expected_gain_views,
        scores.z,
        {{ explode_list('carried.carried_keys') }} as trend_key
    from scores
    inner join carried
        on
            scores.market = carried.market
            and scores.video_id = carried.video_id
            and scores.observed_at = carried.observed_at

),

rising as (

    select
        feeds.market,
        feeds.observed_at,
        gains.trend_key,
        cast(sum(gains.gain_views) as bigint) as gain_views,
        {{ exact_sum('gains.expected_gain_views') }} as expected_gain_views,
        {{ value_at_greatest('gains.video_id', ['gains.gain_views', 'gains.video_id']) }} as gaining_video_id,
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
        coalesce(rising.rising_creators, 0) as rising_creators,
        rising.gaining_video_id
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

)

select
    market,
    observed_at,
    trend_key,
    burst_of,
    new_creators,
    expected_creators,
    earlier_creators,
    creators_z,
    rising_creators,
    gain_views,
    expected_gain_views,
    gaining_video_id
from burst
where burst_of is not null
