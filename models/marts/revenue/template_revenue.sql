{#- Lines of a loop stand in the indentation of the loop.
-- sqlfluff:exclude_rules:LT02,LT05
-#}
{#-
    The user's templates with what they earned and will earn. A template earns along a curve that levels off: the share
    of its final revenue earned by an age of a days is 1 - exp(-a / earning days). At the cap its value is censored.
-#}

{%- set tau = var('revenue_earning_days') %}
{%- set spread = var('revenue_forecast_spread') %}
{%- set days = var('revenue_forecast_days') %}
{#- Quantiles of the normal distribution of the log of the gain to come. -#}
{%- set quantiles = {'p10': -1.2815515655446004, 'p50': 0.0, 'p90': 1.2815515655446004} %}

with

revenue_rows as (

    select * from {{ ref('int_revenue_rows') }}

),

videos as (

    select
        as_of_date,
        video_id,
        trend_key,
        trend_key_type
    from {{ ref('videos_daily') }}
    where
        as_of_date >= {{ window_start(ref('int_as_of'), (var('history_days') | int) - 1) }}
        and author_role = 'own'

),

sightings as (

    -- The newest sighting of each own post up to each date; both markets carry the same key.
    select
        revenue_rows.as_of_date,
        revenue_rows.sheet_row,
        videos.trend_key,
        videos.trend_key_type,
        row_number() over (
            partition by revenue_rows.as_of_date, revenue_rows.sheet_row
            order by videos.as_of_date desc, videos.trend_key asc
        ) as place
    from revenue_rows
    inner join videos
        on
            revenue_rows.video_id = videos.video_id
            and revenue_rows.as_of_date >= videos.as_of_date

),

uses as (

    select distinct
        as_of_date,
        trend_key
    from {{ ref('int_trend_corpus') }}

),

earned as (

    select
        revenue_rows.*,
        least(
            revenue_rows.cap,
            coalesce(revenue_rows.us_eu3_installs, 0) * revenue_rows.us_eu3_rate
            + coalesce(revenue_rows.row_installs, 0) * revenue_rows.row_rate
        ) as rated,
        greatest(cast({{ days_between('revenue_rows.first_seen_on', 'revenue_rows.as_of_date') }} as double), 1) as age_days
    from revenue_rows

),

based as (

    select
        *,
        case when total_installs is not null then cast(rated as double) end as estimated_by_rate,
        -- Without a date it can't be extrapolated.
        case
            when is_counted and first_seen_on is not null
                then cast({{ earned('case when total_installs is not null then rated end') }} as double)
        end as earned_usd,
        {%- for name, z in quantiles.items() %}
        exp({{ z }} * {{ spread }}) as factor_{{ name }},
        {%- endfor %}
        1 - exp(-age_days / {{ tau }}) as share_now,
        1 - exp(-(age_days + {{ days }}) / {{ tau }}) as share_then,
        cast(cap as double) as cap_usd
    from earned

),

extrapolated as (

    select
        *,
        {%- for name in quantiles %}
        case
            when earned_usd > 0 and is_at_cap then cap_usd
            when earned_usd > 0
                then least(cap_usd, earned_usd * (1 + (share_then / share_now - 1) * factor_{{ name }}))
        end as forecast_{{ name }}{{ ',' if not loop.last }}
        {%- endfor %}
    from based

),

forecast as (

    -- The share of the final revenue at which the cap is reached, were the gain to come this large.
    select
        *,
        {%- for name in quantiles %}
        case
            when earned_usd > 0 and not is_at_cap
                then share_now * (1 + (cap_usd / earned_usd - 1) / factor_{{ name }})
        end as share_at_cap_{{ name }}{{ ',' if not loop.last }}
        {%- endfor %}
    from extrapolated

)

select
    forecast.as_of_date,
    forecast.sheet_row,
    forecast.url,
    forecast.video_id,
    forecast.account,
    forecast.template_link,
    forecast.tutorial_link,
    cast(forecast.received as double) as received,
    cast(forecast.estimated as double) as estimated,
    forecast.us_eu3_installs,
    forecast.row_installs,
    forecast.total_installs,
    cast(forecast.received as double) / nullif(forecast.total_installs, 0) as revenue_per_install,
    forecast.cap_usd as cap,
    forecast.is_at_cap,
    forecast.is_hit,
    cast(greatest(coalesce(forecast.estimated, 0) - coalesce(forecast.received, 0), 0) as double) as outstanding,
    forecast.estimated_by_rate,
    forecast.trend_description,
    forecast.momentum_at_detection,
    forecast.trigger_level,
    forecast.action_window,
    forecast.market as market_at_detection,
    forecast.ai_category,
    forecast.age_at_detection_hours,
    forecast.first_seen_on,
    cast(date_trunc('month', forecast.posted_on) as date) as month,
    forecast.notes,
    forecast.is_counted,
    forecast.problem,
    forecast.duplicate_of_row,
    {{ days }} as forecast_days,
    round(forecast.forecast_p10, 4) as forecast_p10,
    round(forecast.forecast_p50, 4) as forecast_p50,
    round(forecast.forecast_p90, 4) as forecast_p90,
    coalesce(forecast.forecast_p50 >= forecast.cap_usd, false) as forecast_is_censored,
    {%- for name in quantiles %}
    case
        when
            forecast.share_at_cap_{{ name }} < 1
            and -{{ tau }} * ln(1 - forecast.share_at_cap_{{ name }}) - forecast.age_days
            <= {{ var('revenue_cap_within_days') }}
            then
                forecast.as_of_date
                + cast(
                    ceil(
                        greatest(
                            round(-{{ tau }} * ln(1 - forecast.share_at_cap_{{ name }}) - forecast.age_days, 6), 0
                        )
                    ) as integer
                )
    end as cap_on_{{ name }},
    {%- endfor %}
    coalesce(sightings.trend_key, uses.trend_key) as trend_key,
    coalesce(
        sightings.trend_key_type, case when uses.trend_key is not null then 'template' end
    ) as trend_key_type,
    case
        when sightings.trend_key is not null then 'video'
        when uses.trend_key is not null then 'template link'
    end as trend_key_by,
    forecast.entered,
    forecast.posted_on,
    forecast.template_key
from forecast
left join sightings
    on
        forecast.as_of_date = sightings.as_of_date
        and forecast.sheet_row = sightings.sheet_row
        and sightings.place = 1
left join uses
    on
        forecast.as_of_date = uses.as_of_date
        and 'template:' || forecast.template_id = uses.trend_key
