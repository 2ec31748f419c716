{#-
    Every forecast with what came of it, on the date it is settled: an outcome came in, or none can any more. What was told
    live and what today's models say of that day stand apart (record).
-#}

{%- set tolerance = var('forecast_target_tolerance_hours') | int %}
{%- set longest = forecast_horizons() | max // 24 + 1 %}

with

batch as (

    select * from {{ ref('int_as_of') }}

),

settled as (

    select * from {{ ref('int_settled_forecasts') }}
    where as_of_date in (select in_batch.as_of_date from batch as in_batch)

),

without_outcome as (

    select distinct
        settled.as_of_date,
        batch.cutoff_at,
        settled.market,
        settled.video_id
    from settled
    inner join batch on settled.as_of_date = batch.as_of_date
    where settled.actual_gain is null

),

last_seen as (

    select
        without_outcome.as_of_date,
        without_outcome.market,
        without_outcome.video_id,
        max(readings.observed_at) as last_read_at
    from without_outcome
    inner join {{ ref('int_video_readings') }} as readings
        on
            without_outcome.market = readings.market
            and without_outcome.video_id = readings.video_id
            and without_outcome.cutoff_at >= readings.observed_at
    where readings.reading_date >= {{ window_start(ref('int_as_of'), longest + 1) }}
    group by without_outcome.as_of_date, without_outcome.market, without_outcome.video_id

)

select
    settled.as_of_date,
    settled.record,
    settled.forecast_date,
    settled.market,
    settled.video_id,
    cast(settled.horizon_hours as integer) as horizon_hours,
    settled.made_at,
    settled.target_at,
    settled.model,
    settled.is_cold_start,
    cast(settled.base_plays as bigint) as base_plays,
    settled.p10,
    settled.p50,
    settled.p90,
    settled.actual_gain,
    settled.p50 - settled.actual_gain as error,
    settled.actual_gain between settled.p10 and settled.p90 as is_in_range,
    case
        when settled.actual_gain is null then 'no reading'
        when settled.actual_gain < settled.p10 then 'below the range'
        when settled.actual_gain > settled.p90 then 'above the range'
        else 'in range'
    end as outcome,
    case
        when settled.actual_gain is not null then null
        when coalesce(last_seen.last_read_at <= settled.made_at, true) then 'not read again after the forecast'
        when last_seen.last_read_at < settled.target_at then 'last read before its time'
        else 'read after its time only'
    end as no_outcome_because
from settled
left join last_seen
    on
        settled.as_of_date = last_seen.as_of_date
        and settled.market = last_seen.market
        and settled.video_id = last_seen.video_id
