{#-
    Section 8: for the trends an account posted on, which market had them first, how far behind the other was, and
    whether the account posted before the trend arrived there.
-#}

-- The incremental strategy reads the batch.
-- depends_on: {{ ref('int_as_of') }}
with

trends as (

    select * from {{ ref('int_party_trends') }}
    where posts_7d > 0

),

crossings as (

    select * from {{ ref('cross_market_trends') }}
    where as_of_date >= {{ window_start(ref('int_as_of'), 0) }}

)

select
    trends.as_of_date,
    trends.party as account,
    trends.is_total,
    trends.role,
    trends.trend_key,
    trends.trend_key_type,
    crossings.other_market,
    trends.first_market as account_market,
    trends.first_posted_at,
    crossings.first_market,
    crossings.first_onset_date,
    crossings.other_onset_date,
    crossings.leader,
    crossings.lag_days,
    crossings.is_censored,
    {{ hours_between('cast(crossings.first_onset_date as timestamp)', 'trends.first_posted_at') }}
        as hours_after_first_onset,
    coalesce(trends.first_posted_at < cast(crossings.other_onset_date as timestamp), true) as is_before_arrival
from trends
inner join crossings
    on
        trends.as_of_date = crossings.as_of_date
        and trends.trend_key = crossings.trend_key
