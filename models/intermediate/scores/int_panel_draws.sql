{{ config(materialized='incremental', incremental_strategy='as_of') }}

{#-
    Videos that were forecast, in the order in which they are drawn for the panel: the first N of a market are a random
    sample of each stratum. Random by date, market and video alone: the same in every run, and nothing of what came
    later. Strata take turns, so that few videos are built or large and still in the sample; the chance of each stands
    with what is kept of it (meta.panel_choices). Large: in the quarter with the highest gain told, which errors grow
    with.
-#}

{%- set tolerance = var('forecast_target_tolerance_hours') | int %}

with

forecasts as (

    -- A reading of another day has no target a day from now.
    select *
    from {{ ref('forecasts') }}
    where
        as_of_date in (select batch.as_of_date from {{ ref('int_as_of') }} as batch)
        and not is_stale

),

addresses as (

    select
        as_of_date,
        market,
        video_id,
        video_url
    from {{ ref('videos_daily') }}
    where
        as_of_date in (select batch.as_of_date from {{ ref('int_as_of') }} as batch)
        and video_url like 'https://www.tiktok.com/%'

),

built as (

    select distinct
        as_of_date,
        video_id
    from {{ ref('build_list') }}
    where as_of_date in (select batch.as_of_date from {{ ref('int_as_of') }} as batch)

),

sized as (

    select
        forecasts.as_of_date,
        forecasts.market,
        forecasts.video_id,
        addresses.video_url,
        forecasts.is_cold_start,
        built.video_id is not null as is_built,
        4 * row_number() over (
            partition by forecasts.as_of_date, forecasts.market
            order by forecasts.p50 desc, forecasts.video_id
        ) <= count(*) over (partition by forecasts.as_of_date, forecasts.market) as is_large
    from forecasts
    inner join addresses
        on
            forecasts.as_of_date = addresses.as_of_date
            and forecasts.market = addresses.market
            and forecasts.video_id = addresses.video_id
    left join built
        on
            forecasts.as_of_date = built.as_of_date
            and forecasts.video_id = built.video_id
    where forecasts.horizon_hours = {{ forecast_horizons() | min }}

),

layered as (

    select
        *,
        case when is_cold_start then 'cold' else 'warm' end
        || case when is_large then ', large' else ', small' end
        || case when is_built then ', built' else ', not built' end as stratum
    from sized

),

shuffled as (

    select
        *,
        count(*) over (partition by as_of_date, market, stratum) as videos_of_stratum,
        row_number() over (
            partition by as_of_date, market, stratum
            order by
                {{ stable_bucket("'panel ' || as_of_date || ' ' || market || ' ' || video_id", 1000000000) }}, video_id
        ) as place_in_stratum
    from layered

),

ordered as (

    select
        *,
        row_number() over (
            partition by as_of_date, market
            order by place_in_stratum, videos_of_stratum desc, stratum
        ) as place
    from shuffled

)

select
    ordered.as_of_date,
    ordered.market,
    ordered.video_id,
    forecasts.horizon_hours,
    ordered.video_url,
    ordered.stratum,
    cast(ordered.videos_of_stratum as integer) as videos_of_stratum,
    cast(ordered.place as integer) as place,
    forecasts.target_at - interval {{ tolerance }} hour as read_from,
    forecasts.target_at + interval {{ tolerance }} hour as read_until
from ordered
inner join forecasts
    on
        ordered.as_of_date = forecasts.as_of_date
        and ordered.market = forecasts.market
        and ordered.video_id = forecasts.video_id
where ordered.place <= {{ var('panel_most') }}
