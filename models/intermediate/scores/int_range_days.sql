{{ config(materialized='incremental', incremental_strategy='as_of') }}

{#-
    Ranges that were told of money, and what came: dollars in so many days, the day of the cap, and the assumption that
    values a competitor's views, tried on the own posts, whose revenue is known. A date scores what was told so many days
    before it, and posts that became so old. A template at the cap has nothing left to forecast.
-#}

{%- set days = var('revenue_forecast_days') | int %}

with

batch as (

    select * from {{ ref('int_as_of') }}

),

templates as (

    select
        as_of_date,
        url,
        video_id,
        first_seen_on,
        is_at_cap,
        forecast_p10,
        forecast_p50,
        forecast_p90,
        cap_on_p10,
        cap_on_p90,
        {{ earned('estimated_by_rate') }} as earned
    from {{ ref('template_revenue') }}
    where
        as_of_date >= {{ window_start(ref('int_as_of'), days) }}
        and is_counted
        and url is not null
        and duplicate_of_row is null

),

pairs as (

    select
        batch.as_of_date,
        earlier.forecast_p10,
        earlier.forecast_p50,
        earlier.forecast_p90,
        earlier.cap_on_p10,
        earlier.cap_on_p90,
        later.url is not null as is_known,
        later.earned,
        later.is_at_cap
    from batch
    inner join templates as earlier
        on earlier.as_of_date = batch.as_of_date - {{ days }}
    left join templates as later
        on
            batch.as_of_date = later.as_of_date
            and earlier.url = later.url
    where not earlier.is_at_cap

),

{{ rates_of_the_day(ref('revenue_rates')) }},

own_views as (

    select
        batch.as_of_date,
        videos.video_id,
        max(videos.plays) as plays
    from batch
    inner join {{ ref('videos_daily') }} as videos
        on videos.as_of_date between batch.as_of_date - {{ days }} and batch.as_of_date
    where
        videos.as_of_date >= {{ window_start(ref('int_as_of'), days) }}
        and videos.author_role = 'own'
    group by batch.as_of_date, videos.video_id

),

valued as (

    select
        templates.as_of_date,
        templates.earned,
        least(
            own_views.plays / 1000.0 * {{ revenue_per_1000_views('p10') }}, cast(rates.cap as double)
        ) as value_p10,
        least(
            own_views.plays / 1000.0 * {{ revenue_per_1000_views('p90') }}, cast(rates.cap as double)
        ) as value_p90,
        own_views.plays
    from batch
    inner join templates
        on
            batch.as_of_date = templates.as_of_date
            and batch.as_of_date - {{ days }} = templates.first_seen_on
    inner join rates on batch.as_of_date = rates.as_of_date
    left join own_views
        on
            templates.as_of_date = own_views.as_of_date
            and templates.video_id = own_views.video_id

),

outcomes as (

    select
        as_of_date,
        'Revenue in {{ days }} days' as label,
        case
            when not is_known or earned is null then null
            -- Cents are not worth a miss.
            when earned < forecast_p10 - 0.005 then 'below'
            when earned > forecast_p90 + 0.005 then 'above'
            else 'within'
        end as outcome
    from pairs
    where forecast_p50 is not null

    union all

    -- By now at the cap even where the gain came low, or not yet even where it came high; between, nothing was claimed.
    select
        as_of_date,
        'Day of the cap' as label,
        case
            when not is_known then null
            when cap_on_p10 <= as_of_date and not is_at_cap then 'below'
            when cap_on_p90 > as_of_date and is_at_cap then 'above'
            else 'within'
        end as outcome
    from pairs
    where cap_on_p10 <= as_of_date or cap_on_p90 > as_of_date

    union all

    select
        as_of_date,
        'Revenue by views' as label,
        case
            when plays is null or earned is null then null
            when earned < value_p10 then 'below'
            when earned > value_p90 then 'above'
            else 'within'
        end as outcome
    from valued

)

select
    as_of_date,
    label,
    count(*) as due,
    count(outcome) as scored,
    count(case when outcome = 'within' then 1 end) as within,
    count(case when outcome = 'below' then 1 end) as below,
    count(case when outcome = 'above' then 1 end) as above
from outcomes
group by as_of_date, label
