{#-
    What the first measured pace of a video turned out to be, over what the shipped power law makes of its lifetime
    rate before: the median by age at the earlier reading, as of each date. A post of a few hours that made it into a feed
    may run far ahead of that law, one of some days behind it.
-#}

{%- set alpha = var('retention_prior_exponent') | float %}

with

batch as (

    select * from {{ ref('int_as_of') }}

),

first_intervals as (

    select
        as_of_date,
        pace,
        age_hours - pace_gap_hours as earlier_age_hours,
        age_hours - pace_gap_hours / 2 as middle_age_hours,
        base_plays - pace * pace_gap_hours / 24 as earlier_plays
    from {{ ref('int_forecast_bases') }}
    where
        as_of_date > {{ window_start(ref('int_as_of'), var('history_days')) }}
        and pace is not null
        and previous_pace is null
        and not age_is_lower_bound
        and age_hours - pace_gap_hours >= {{ var('minimum_age_hours') }}
        and is_sampled
        and not is_stale

),

over_expected as (

    select
        as_of_date,
        {{ first_pace_age_class('earlier_age_hours') }} as age_class,
        {{ log_of_count('pace') }} - {{ log_of_count(
            '(' ~ (1 - alpha) ~ ' * 24 * earlier_plays / earlier_age_hours * power(middle_age_hours / earlier_age_hours, -'
            ~ alpha ~ '))'
        ) }} as log_ratio
    from first_intervals

)

select
    batch.as_of_date,
    over_expected.age_class,
    count(*) as n,
    round(exp({{ quantile('over_expected.log_ratio', 0.5) }}), 9) as ratio
from batch
inner join over_expected
    on
        batch.as_of_date >= over_expected.as_of_date
        and batch.as_of_date - {{ var('history_days') }} < over_expected.as_of_date
group by batch.as_of_date, over_expected.age_class
having count(*) >= {{ var('first_pace_minimum') }}
