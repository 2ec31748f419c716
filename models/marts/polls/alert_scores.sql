{{ config(incremental_strategy='poll_dates') }}

{#-
    How well the polls heard over the trailing days of each polled date: recall against bursts that were defined without
    them, precision beside its base rate, delay, messages a day and the pace an alert needed. Markets and all of them.
-#}

with

batch as (

    select distinct as_of_date
    from {{ ref('int_polls') }}
    where is_in_batch

),

heard as (

    select
        as_of_date,
        market,
        poll_at,
        pace_factor_needed
    from {{ ref('poll_markets') }}
    where as_of_date >= {{ window_start(ref('int_as_of'), var('alert_score_days')) }}

),

bursts as (

    select * from {{ ref('alert_bursts') }}
    where as_of_date >= {{ window_start(ref('int_as_of'), var('alert_score_days')) }}

),

alerts as (

    select
        as_of_date,
        market
    from {{ ref('acceleration_alerts') }}
    where
        as_of_date >= {{ window_start(ref('int_as_of'), var('alert_score_days')) }}
        and is_message

),

outcomes as (

    select * from {{ ref('alert_outcomes') }}
    where
        as_of_date >= {{ window_start(ref('int_as_of'), var('alert_score_days')) }}
        and is_message

),

trend_outcomes as (

    select * from {{ ref('trend_alert_outcomes') }}
    where
        as_of_date >= {{ window_start(ref('int_as_of'), var('alert_score_days')) }}
        and is_message

),

listed as (

    select
        batch.as_of_date,
        stated.market,
        stated.as_of_date as polled_on,
        stated.poll_at,
        stated.pace_factor_needed
    from heard as stated
    inner join batch
        on {{ in_score_days('batch', 'stated') }}

),

markets as (

    select distinct
        as_of_date,
        market,
        market as scope
    from listed

    union all

    select distinct
        as_of_date,
        market,
        'ALL' as scope
    from listed

),

paces as (

    select
        markets.as_of_date,
        markets.scope,
        max(listed.poll_at) as poll_at,
        count(distinct listed.polled_on) as polled_days,
        {{ quantile('case when listed.polled_on = listed.as_of_date then listed.pace_factor_needed end', 0.5) }}
            as pace_factor_needed,
        max(listed.pace_factor_needed) as highest_pace_factor_needed
    from markets
    inner join listed
        on
            markets.as_of_date = listed.as_of_date
            and markets.market = listed.market
    group by markets.as_of_date, markets.scope

),

found as (

    select
        markets.as_of_date,
        markets.scope,
        count(*) as bursts,
        {% for reason in ['not watched', 'below z', 'budget', 'cooldown', 'no new reading'] -%}
        cast(sum(case when stated.silent_because = '{{ reason }}' then 1 else 0 end) as bigint)
            as missed_{{ reason | replace(' ', '_') }},
        {% endfor -%}
        cast(sum(case when stated.is_found then 1 else 0 end) as bigint) as found,
        {{ quantile('stated.delay_hours', 0.5) }} as median_delay_hours
    from bursts as stated
    inner join batch
        on {{ in_score_days('batch', 'stated') }}
    inner join markets
        on
            batch.as_of_date = markets.as_of_date
            and stated.market = markets.market
    group by markets.as_of_date, markets.scope

),

sent as (

    select
        markets.as_of_date,
        markets.scope,
        count(*) as messages
    from alerts as stated
    inner join batch
        on {{ in_score_days('batch', 'stated') }}
    inner join markets
        on
            batch.as_of_date = markets.as_of_date
            and stated.market = markets.market
    group by markets.as_of_date, markets.scope

),

settled as (

    select
        markets.as_of_date,
        markets.scope,
        cast(sum(case when stated.horizon_hours = 4 then 1 else 0 end) as bigint) as scored_4h,
        cast(sum(case when stated.horizon_hours = 4 and stated.is_right then 1 else 0 end) as bigint) as right_4h,
        cast(sum(case when stated.horizon_hours = 4 then stated.base_readings else 0 end) as bigint)
            as base_readings_4h,
        cast(sum(case when stated.horizon_hours = 4 then stated.base_right else 0 end) as bigint) as base_right_4h,
        cast(sum(case when stated.horizon_hours = 24 then 1 else 0 end) as bigint) as scored_24h,
        cast(sum(case when stated.horizon_hours = 24 and stated.is_right then 1 else 0 end) as bigint) as right_24h,
        cast(sum(case when stated.horizon_hours = 24 then stated.base_readings else 0 end) as bigint)
            as base_readings_24h,
        cast(sum(case when stated.horizon_hours = 24 then stated.base_right else 0 end) as bigint) as base_right_24h
    from outcomes as stated
    inner join batch
        on {{ in_score_days('batch', 'stated') }}
    inner join markets
        on
            batch.as_of_date = markets.as_of_date
            and stated.market = markets.market
    where cast(stated.scored_at as date) <= batch.as_of_date
    group by markets.as_of_date, markets.scope

),

trends as (

    select
        markets.as_of_date,
        markets.scope,
        count(*) as scored,
        cast(sum(case when stated.is_right then 1 else 0 end) as bigint) as right_ones,
        cast(sum(stated.base_trends) as bigint) as base_trends,
        cast(sum(stated.base_right) as bigint) as base_right
    from trend_outcomes as stated
    inner join batch
        on {{ in_score_days('batch', 'stated') }}
    inner join markets
        on
            batch.as_of_date = markets.as_of_date
            and stated.market = markets.market
    where cast(stated.scored_at as date) <= batch.as_of_date
    group by markets.as_of_date, markets.scope

)

select
    paces.as_of_date,
    paces.scope as market,
    paces.poll_at,
    paces.polled_days,
    coalesce(found.bursts, 0) as bursts,
    coalesce(found.found, 0) as found,
    found.found * 1.0 / found.bursts as recall,
    {% for reason in ['not_watched', 'below_z', 'budget', 'cooldown', 'no_new_reading'] -%}
    coalesce(found.missed_{{ reason }}, 0) as missed_{{ reason }},
    {% endfor -%}
    found.median_delay_hours,
    coalesce(sent.messages, 0) as messages,
    coalesce(sent.messages, 0) * 1.0 / paces.polled_days as messages_per_day,
    {% for hours in [4, 24] -%}
    coalesce(settled.scored_{{ hours }}h, 0) as scored_{{ hours }}h,
    coalesce(settled.right_{{ hours }}h, 0) as right_{{ hours }}h,
    settled.right_{{ hours }}h * 1.0 / nullif(settled.scored_{{ hours }}h, 0) as precision_{{ hours }}h,
    coalesce(settled.base_readings_{{ hours }}h, 0) as base_readings_{{ hours }}h,
    settled.base_right_{{ hours }}h * 1.0 / nullif(settled.base_readings_{{ hours }}h, 0) as base_rate_{{ hours }}h,
    {% endfor -%}
    coalesce(trends.scored, 0) as scored_trends,
    coalesce(trends.right_ones, 0) as right_trends,
    trends.right_ones * 1.0 / trends.scored as precision_trends,
    coalesce(trends.base_trends, 0) as base_trends,
    trends.base_right * 1.0 / nullif(trends.base_trends, 0) as base_rate_trends,
    paces.pace_factor_needed,
    paces.highest_pace_factor_needed,
    cast({{ var('alert_score_minimum') }} as integer) as minimum_scored
from paces
left join found
    on
        paces.as_of_date = found.as_of_date
        and paces.scope = found.scope
left join sent
    on
        paces.as_of_date = sent.as_of_date
        and paces.scope = sent.scope
left join settled
    on
        paces.as_of_date = settled.as_of_date
        and paces.scope = settled.scope
left join trends
    on
        paces.as_of_date = trends.as_of_date
        and paces.scope = trends.scope
