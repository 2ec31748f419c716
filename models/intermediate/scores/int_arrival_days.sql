-- depends_on: {{ ref('int_as_of') }}
{{ config(materialized='incremental', incremental_strategy='as_of') }}

{#-
    What became, a week later, of the arrivals that were expected in another market: squared errors of the told chance,
    and how many came. One that is no longer followed has no outcome.
-#}

with

expected as (

    select
        expectation.as_of_date + 7 as scored_on,
        expectation.as_of_date as expected_on,
        expectation.trend_key,
        expectation.first_market,
        expectation.other_market,
        expectation.arrival_probability_7d,
        expectation.is_overdue
    from {{ ref('cross_market_trends') }} as expectation
    inner join {{ ref('int_as_of') }} as batch
        on batch.as_of_date = expectation.as_of_date + 7
    where
        expectation.as_of_date >= {{ window_start(ref('int_as_of'), 7) }}
        and expectation.arrival_probability_7d is not null

),

known as (

    select
        expected.*,
        case
            when later.trend_key is not null
                then
                    case
                        when
                            later.other_onset_date > expected.expected_on
                            and later.other_onset_date <= expected.scored_on
                            then 1
                        else 0
                    end
        end as has_come
    from expected
    left join {{ ref('cross_market_trends') }} as later
        on
            expected.scored_on = later.as_of_date
            and expected.trend_key = later.trend_key
            and expected.first_market = later.first_market
            and expected.other_market = later.other_market
            and later.as_of_date >= {{ window_start(ref('int_as_of'), 0) }}

)

select
    scored_on as as_of_date,
    count(*) as due,
    count(has_come) as scored,
    count(case when is_overdue then 1 end) as overdue,
    cast(coalesce(sum(has_come), 0) as bigint) as came,
    {{ exact_sum('case when has_come is not null then arrival_probability_7d end') }} as told,
    {{ exact_sum('(arrival_probability_7d - has_come) * (arrival_probability_7d - has_come)') }} as squared_error
from known
group by scored_on
