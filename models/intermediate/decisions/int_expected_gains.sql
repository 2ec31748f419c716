{#-
    What a video still has to give once a template is out: the gain, its range, and for how many hours the window is open.
-#}

{%- set horizon = var('decision_horizon_hours') | int %}
{%- set lost = 'least(' ~ var('production_hours') ~ ' / 24.0, 1)' %}
{%- set window_share = var('decision_window_share') %}

with

batch as (

    select * from {{ ref('int_as_of') }}

),

metrics as (

    select
        as_of_date,
        cutoff_at,
        market,
        video_id,
        is_stale,
        coalesce(is_believed, true) as is_believed
    from {{ ref('int_video_metrics') }}

),

horizons as (

    -- One row per video: what each horizon says stands side by side.
    select
        as_of_date,
        market,
        video_id,
        max(made_at) as made_at,
        max(case when horizon_hours = 24 then p50 end) as gain_24h,
        max(case when horizon_hours = 24 then gain_last_gain end) as last_gain_24h,
        max(case when horizon_hours = 48 then p50 end) as gain_48h,
        max(case when horizon_hours = {{ horizon }} then p50 end) as gain,
        max(case when horizon_hours = {{ horizon }} then p10 end) as gain_p10,
        max(case when horizon_hours = {{ horizon }} then ln((p90 + 1) / (p50 + 1)) / 1.2816 end) as log_spread,
        max(case when horizon_hours = 168 then p50 end) as gain_168h
    from {{ ref('forecasts') }}
    where as_of_date in (select in_batch.as_of_date from batch as in_batch)
    group by as_of_date, market, video_id

),

expected as (

    select
        metrics.as_of_date,
        metrics.market,
        metrics.video_id,
        metrics.is_stale,
        horizons.made_at,
        horizons.gain_24h,
        horizons.gain_48h,
        horizons.last_gain_24h,
        horizons.gain_168h,
        {{ hours_between('horizons.made_at', 'metrics.cutoff_at') }} as forecast_age_hours,
        -- Mean over median of a log-normal; 1.2816 deviations reach from the middle to the 90 % quantile.
        exp(power(least(horizons.log_spread, {{ var('decision_maximum_spread') }}), 2) / 2) as mean_over_p50,
        -- What is gained while the template is being made is out of reach.
        case
            when horizons.gain is not null and metrics.is_believed
                then greatest(horizons.gain - coalesce(horizons.gain_24h, 0) * {{ lost }}, 0)
        end as gain_p50,
        case
            when horizons.gain_p10 is not null and metrics.is_believed
                then greatest(horizons.gain_p10 - coalesce(horizons.gain_24h, 0) * {{ lost }}, 0)
        end as gain_p10
    from metrics
    left join horizons
        on
            metrics.as_of_date = horizons.as_of_date
            and metrics.market = horizons.market
            and metrics.video_id = horizons.video_id

),

windowed as (

    select
        *,
        -- The window is open until its share of the week's gain is in, read off the forecast in straight lines between
        -- its horizons. On public daily lists the error was 22 h, 27 h with one line from the first day to the week.
        case
            when gain_168h <= 0 then 0
            when gain_24h >= {{ window_share }} * gain_168h then 24 * {{ window_share }} * gain_168h / gain_24h
            when gain_48h >= {{ window_share }} * gain_168h
                then 24 + 24 * ({{ window_share }} * gain_168h - gain_24h) / (gain_48h - gain_24h)
            else 48 + 120 * ({{ window_share }} * gain_168h - gain_48h) / (gain_168h - gain_48h)
        end as forecast_window_hours
    from expected

)

select
    as_of_date,
    market,
    video_id,
    made_at,
    gain_p50,
    gain_p10,
    gain_p50 * mean_over_p50 as gain_expected,
    gain_24h / nullif(last_gain_24h, 0) as gain_ratio,
    case
        -- A feed that only repeats old readings leaves less of it. Within a day the cut-off says when the run was, not
        -- when it was decided: a backfill cuts at the day's end, and must decide as the live run did.
        when is_stale then {{ at_least('forecast_window_hours - forecast_age_hours', 0) }}
        else forecast_window_hours
    end as window_left_hours
from windowed
