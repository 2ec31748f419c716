{{ config(materialized='view') }}

{%- set kept_of_lifetime = 1 - var('retention_prior_exponent') | float %}

{#-
    What the models see of a video when they forecast: the gain by the retention rule for each horizon, and the inputs
    of the log-linear model, which corrects that rule. A view: targets read it for past dates, candidates for today.
-#}

with

bases as (

    select
        *,
        -- No pace yet: what the shipped power law leaves of the lifetime rate. No post time: taken to be a day old.
        case
            when is_cold_start
                then
                    {{ kept_of_lifetime }} * 24 * base_plays
                    / case when age_is_lower_bound then greatest(age_hours, 24) else age_hours end
            else pace
        end as assumed_pace
    from {{ ref('int_forecast_bases') }}

),

retention as (

    select * from {{ ref('int_retention') }}

),

joined as (

    select
        bases.*,
        retention.phi,
        -- A pace over less than a day is younger than a day's: it has less far to fall.
        {%- for horizon in forecast_horizons() %}
        greatest(bases.assumed_pace, 0) * retention.days_kept_{{ horizon }}h
        * power(retention.phi, (coalesce(bases.pace_gap_hours, 24) + 24) / 48 - 1) as retention_{{ horizon }}h,
        {%- endfor %}
        case when bases.is_cold_start then 0 else retention.feed_shift end as feed_shift
    from bases
    inner join retention
        on
            bases.as_of_date = retention.as_of_date
            and bases.market = retention.market
            and bases.age_bucket = retention.age_bucket

)

select
    as_of_date,
    cutoff_at,
    market,
    video_id,
    base_at,
    base_plays,
    base_likes,
    age_bucket,
    is_cold_start,
    is_stale,
    is_sampled,
    case
        when is_cold_start then 'cold_start'
        when pace_change is null then 'one_interval'
        else 'measured'
    end as segment,
    pace,
    lifetime_pace,
    last_pace,
    {%- for horizon in forecast_horizons() %}
    retention_{{ horizon }}h,
    {%- endfor %}
    1.0 as x_intercept,
    case when not is_cold_start and pace_change is null then 1.0 else 0.0 end as x_single_interval,
    feed_shift as x_feed_shift,
    case when is_cold_start then 0.0 else least(age_hours / 24, 6) - 2 end as x_age,
    coalesce({{ held_between('pace_change', -2, 2) }}, 0) as x_acceleration,
    {{ held_between('ln((base_plays + 1) / (greatest(assumed_pace, 0) + 1))', 0, 5) }} - 1.5 as x_maturity,
    case
        when is_cold_start or pace_change is null
            then {{ held_between('ln((base_plays + 1) / (greatest(assumed_pace, 0) + 1))', 0, 5) }} - 1.5
        else 0.0
    end as x_maturity_single,
    coalesce({{ held_between('ln((base_likes + 1.0) / (base_plays + 1)) + 3.5', -2.5, 2.5) }}, 0) as x_like_ratio,
    {{ log_of_count('assumed_pace') }} - 10 as x_level
from joined
