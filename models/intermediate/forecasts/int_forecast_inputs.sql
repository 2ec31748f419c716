{{ config(materialized='view') }}

{#-
    What the trees see of a video when they forecast: numbers without gaps, rounded so that a split does not hang on the
    last bit. A view: of earlier dates few rows are needed again.
-#}

with

bases as (

    select * from {{ ref('int_forecast_bases') }}

),

candidates as (

    select * from {{ ref('int_forecast_candidates') }}
    where horizon_hours = 24

)

select
    bases.as_of_date,
    bases.market,
    bases.video_id,
    bases.is_cold_start,
    {{ log_of_count('candidates.gain_retention') }} as log_day_retention,
    round({{ log_of_count('candidates.gain_retention') }}, 4) as f_retention,
    round({{ log_of_count('bases.base_plays') }}, 4) as f_plays,
    round(coalesce({{ log_of_count('bases.base_plays') }} - {{ log_of_count('bases.pace') }}, -9), 4) as f_maturity,
    round(coalesce(bases.pace_change, -9), 4) as f_change,
    round(coalesce({{ log_of_count('bases.previous_pace') }}, -9), 4) as f_previous_pace,
    round(coalesce(ln((bases.base_likes + 1.0) / (bases.base_plays + 1)), -19), 4) as f_like_ratio,
    round(coalesce(ln((bases.base_comments + 1.0) / (bases.base_plays + 1)), -19), 4) as f_comment_ratio,
    {{ rounded('bases.age_hours', 2) }} as f_age,
    round(cast(extract(hour from bases.base_at) as double), 0) as f_hour,
    cast(coalesce(bases.best_feed_rank, 1000) as double) as f_feed_rank,
    cast(bases.market_count as double) as f_markets,
    case when bases.is_cold_start then 1.0 else 0.0 end as f_cold
from bases
inner join candidates
    on
        bases.as_of_date = candidates.as_of_date
        and bases.market = candidates.market
        and bases.video_id = candidates.video_id
