{#-
    How much of a market's feeds will still be shown when the horizon is over. A build is judged among those videos, so
    its places are a share of them.
-#}

{%- set horizon = var('decision_horizon_hours') | int %}

with

batch as (

    select * from {{ ref('int_as_of') }}

),

trailing_forecasts as (

    select
        as_of_date as forecast_date,
        market,
        count(*) as made
    from {{ ref('forecasts') }}
    where
        as_of_date >= {{ window_start(ref('int_as_of'), var('decision_kept_days')) }}
        and horizon_hours = {{ horizon }}
        and not is_stale
    group by as_of_date, market

),

trailing_outcomes as (

    select
        as_of_date,
        forecast_date,
        market,
        count(*) as observed
    from {{ ref('int_forecast_outcomes') }}
    where
        as_of_date >= {{ window_start(ref('int_as_of'), var('decision_kept_days')) }}
        and horizon_hours = {{ horizon }}
    group by as_of_date, forecast_date, market

),

settled as (

    -- Dates whose outcomes have had a day more than the horizon to come in. Days after which no feed came say nothing.
    select
        batch.as_of_date,
        trailing_forecasts.market,
        trailing_forecasts.forecast_date,
        max(trailing_forecasts.made) as made,
        sum(trailing_outcomes.observed) as observed
    from batch
    inner join trailing_forecasts
        on
            batch.as_of_date - {{ horizon // 24 + 1 }} >= trailing_forecasts.forecast_date
            and batch.as_of_date - {{ var('decision_kept_days') }} <= trailing_forecasts.forecast_date
    inner join trailing_outcomes
        on
            trailing_forecasts.forecast_date = trailing_outcomes.forecast_date
            and trailing_forecasts.market = trailing_outcomes.market
            and batch.as_of_date >= trailing_outcomes.as_of_date
    group by batch.as_of_date, trailing_forecasts.market, trailing_forecasts.forecast_date

),

added_up as (

    select
        as_of_date,
        market,
        cast(sum(made) as bigint) as made,
        cast(sum(observed) as bigint) as observed
    from settled
    group by as_of_date, market

)

select
    as_of_date,
    market,
    made,
    observed,
    {{ shrunk('observed * 1.0 / made', var('decision_kept_prior'), 'made', var('decision_kept_prior_videos')) }}
        as kept_share
from added_up
