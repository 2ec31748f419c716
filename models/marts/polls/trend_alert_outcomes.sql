{{ config(
    incremental_strategy='replace_keys',
    unique_key=['market', 'trend_key', 'alerted_at']
) }}

{#-
    What became of each trend alert: creators that took the trend up in the day after it, beside its share of what was
    new in the market before. The first feed that is a day later settles it, so a score that stands does not change.
-#}

{%- set reach = 'interval ' ~ (var('trend_alert_hours') + var('trend_alert_before_hours')) ~ ' hour' %}
{%- set after = 'interval ' ~ var('trend_alert_score_hours') ~ ' hour' %}

with

feeds as (

    select
        market,
        observed_at
    from {{ ref('int_polls') }}
    where
        as_of_date <= (
            select max(polls.as_of_date) from {{ ref('int_polls') }} as polls
            where polls.is_in_batch
        )

),

alerts as (

    select * from {{ ref('trend_alerts') }}
    where as_of_date >= {{ window_start(ref('int_as_of'), 2) }}

),

settled as (

    select
        alerts.as_of_date,
        alerts.market,
        alerts.trend_key,
        alerts.alerted_at,
        alerts.is_message,
        alerts.burst_of,
        min(feeds.observed_at) as scored_at
    from alerts
    inner join feeds
        on alerts.market = feeds.market
    where
        {{ hours_between('alerts.alerted_at', 'feeds.observed_at') }}
        between {{ var('trend_alert_score_hours') }}
        and (1 + {{ var('alert_score_tolerance') }}) * {{ var('trend_alert_score_hours') }}
    group by
        alerts.as_of_date, alerts.market, alerts.trend_key, alerts.alerted_at, alerts.is_message, alerts.burst_of

),

moments as (

    select distinct
        market,
        alerted_at
    from settled

),

arrivals as (

    select
        moments.market,
        moments.alerted_at,
        coalesce(staged.author_handle, staged.video_id) as creator,
        staged.observed_at > moments.alerted_at as is_after,
        {{ carried_trend_keys('staged.template_id', 'staged.music_id', 'staged.effects', 'staged.hashtags') }}
            as carried_keys
    from moments
    inner join {{ ref('int_video_readings') }} as readings
        on
            moments.market = readings.market
            and moments.alerted_at >= readings.observed_at - {{ after }}
            and moments.alerted_at < readings.observed_at + {{ reach }}
    inner join {{ ref('stg_tiktok__videos') }} as staged
        on
            readings.market = staged.market
            and readings.video_id = staged.video_id
            and readings.observed_at = staged.observed_at
            and readings.load_id = staged.load_id
    where
        readings.reading_number = 1
        and readings.reading_date >= {{ window_start(ref('int_as_of'), 6) }}
        and staged.observed_date >= {{ window_start(ref('int_as_of'), 6) }}

),

uses as (

    select
        market,
        alerted_at,
        creator,
        is_after,
        {{ explode_list('carried_keys') }} as trend_key
    from arrivals

),

markets as (

    select
        market,
        alerted_at,
        count(distinct case when not is_after then creator end) as creators_before,
        count(distinct case when is_after then creator end) as creators_after
    from arrivals
    group by market, alerted_at

),

keys as (

    select
        market,
        alerted_at,
        trend_key,
        count(distinct case when not is_after then creator end) as creators_before,
        count(distinct case when is_after then creator end) as creators_after
    from uses
    group by market, alerted_at, trend_key

),

grown as (

    select
        keys.*,
        keys.creators_before * 1.0 * markets.creators_after / nullif(markets.creators_before, 0) as expected_creators,
        -- What stands on many of the videos is the language of the place.
        keys.creators_before <= {{ var('trend_common_share') }} * markets.creators_before as is_rare
    from keys
    inner join markets
        on
            keys.market = markets.market
            and keys.alerted_at = markets.alerted_at

),

bases as (

    -- Trends of the same hours that did not burst, by the same rule: what it is worth to be right.
    select
        grown.market,
        grown.alerted_at,
        count(*) as base_trends,
        cast(sum(case when grown.creators_after > grown.expected_creators then 1 else 0 end) as bigint) as base_right
    from grown
    left join settled
        on
            grown.market = settled.market
            and grown.alerted_at = settled.alerted_at
            and grown.trend_key = settled.trend_key
    where
        settled.trend_key is null
        and grown.is_rare
        and grown.creators_before >= {{ var('trend_alert_rising') }}
    group by grown.market, grown.alerted_at

)

select
    settled.as_of_date,
    settled.market,
    settled.trend_key,
    settled.alerted_at,
    settled.is_message,
    settled.burst_of,
    settled.scored_at,
    coalesce(grown.creators_before, 0) as creators_before,
    coalesce(grown.creators_after, 0) as creators_after,
    coalesce(grown.expected_creators, 0) as expected_creators,
    coalesce(bases.base_trends, 0) as base_trends,
    coalesce(bases.base_right, 0) as base_right,
    coalesce(grown.creators_after > grown.expected_creators, false) as is_right
from settled
left join grown
    on
        settled.market = grown.market
        and settled.alerted_at = grown.alerted_at
        and settled.trend_key = grown.trend_key
left join bases
    on
        settled.market = bases.market
        and settled.alerted_at = bases.alerted_at
