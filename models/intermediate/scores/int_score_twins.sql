{{ config(materialized='incremental', incremental_strategy='as_of') }}

{#-
    What a naive forecaster knew on a date from the outcomes of the days before: how much of a last gain comes again at
    an age, and what a video without a measured pace gains at an age and place in the feed. Medians of the replay, over
    all markets; where a group has few outcomes, those of all.
-#}

{%- set few = var('score_twin_minimum') %}

with

batch as (

    select * from {{ ref('int_as_of') }}

),

recent_outcomes as (

    select
        batch.as_of_date,
        settled.horizon_hours,
        settled.is_cold_start,
        settled.age_bucket,
        case when settled.is_cold_start then settled.rank_class else 0 end as rank_class,
        case
            when settled.is_cold_start then settled.actual_gain
            when settled.gain_last_gain > 0 then settled.actual_gain / settled.gain_last_gain
        end as value
    from batch
    inner join {{ ref('int_settled_forecasts') }} as settled
        on
            batch.as_of_date >= settled.as_of_date
            and batch.as_of_date - {{ var('scorecard_days') }} < settled.as_of_date
    where
        settled.as_of_date > {{ window_start(ref('int_as_of'), var('scorecard_days')) }}
        and settled.record = 'replay'
        and settled.is_first_market
        and settled.actual_gain is not null
        and settled.age_bucket is not null

),

wide as (

    select
        as_of_date,
        horizon_hours,
        is_cold_start,
        count(value) as n,
        {{ quantile('value', 0.5) }} as value
    from recent_outcomes
    group by as_of_date, horizon_hours, is_cold_start

),

own as (

    select
        as_of_date,
        horizon_hours,
        is_cold_start,
        age_bucket,
        rank_class,
        count(value) as n,
        {{ quantile('value', 0.5) }} as value
    from recent_outcomes
    group by as_of_date, horizon_hours, is_cold_start, age_bucket, rank_class

)

select
    as_of_date,
    horizon_hours,
    is_cold_start,
    age_bucket,
    rank_class,
    n,
    value
from own
where n >= {{ few }}

union all

-- For groups of their own with fewer outcomes: an age and a class that no video has.
select
    as_of_date,
    horizon_hours,
    is_cold_start,
    -1 as age_bucket,
    -1 as rank_class,
    n,
    value
from wide
where n > 0
