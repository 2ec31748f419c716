{#-
    Section 3: hours from a trend's onset in the market to an account's first post on it; below zero it led. The onset
    is the start (UTC) of the first day with three distinct creators; a trend that ran already when watching began has
    none.
-#}

-- The incremental strategy reads the batch.
-- depends_on: {{ ref('int_as_of') }}
with

trends as (

    select * from {{ ref('int_party_trends') }}
    where posts_7d > 0

),

stages as (

    select
        as_of_date,
        market,
        trend_key,
        onset_date,
        was_running
    from {{ ref('int_trend_stages') }}
    where as_of_date >= {{ window_start(ref('int_as_of'), 0) }}

)

select
    trends.as_of_date,
    trends.party as account,
    trends.is_total,
    trends.role,
    trends.trend_key,
    trends.trend_key_type,
    trends.first_market as market,
    trends.first_video_id as video_id,
    trends.first_posted_at,
    case when not stages.was_running then stages.onset_date end as onset_date,
    case
        when not stages.was_running
            then {{ hours_between('cast(stages.onset_date as timestamp)', 'trends.first_posted_at') }}
    end as response_hours
from trends
left join stages
    on
        trends.as_of_date = stages.as_of_date
        and trends.first_market = stages.market
        and trends.trend_key = stages.trend_key
