{#-
    What to build, in both modes side by side. classic_*: by lifetime momentum (int_video_metrics). measured_*: the
    same labels from the forecast: the gain still to come once a template is out, ranked within market and day, by
    little more than its middle where the forecast is wide (decision_maximum_spread).
-#}

{%- set horizon = var('decision_horizon_hours') | int %}
{%- set production = var('production_hours') %}
{%- set window_share = var('decision_window_share') %}
{%- set labels = {
    'act_now': '🔴 ACT NOW', 'soon': '🟠 6-12H', 'later': '🟡 12-24H', 'monitor': '🟢 MONITOR',
    'peaked': '⚠️ PEAKED', 'closing': '⚠️ WINDOW CLOSING', 'late': '❌ TOO LATE',
} %}
{%- set builds = "('" ~ labels.act_now ~ "', '" ~ labels.soon ~ "')" %}

with

batch as (

    select * from {{ ref('int_as_of') }}

),

metrics as (

    select * from {{ ref('int_video_metrics') }}

),

forecasts as (

    select * from {{ ref('forecasts') }}
    where as_of_date in (select in_batch.as_of_date from batch as in_batch)

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

kept as (

    -- The share of videos that a market's feeds still show when the horizon is over. A build is judged among those.
    select
        as_of_date,
        market,
        sum(observed) as observed,
        sum(made) as made
    from settled
    group by as_of_date, market

),

trend_keys as (

    select * from {{ ref('int_trend_keys') }}

),

trends as (

    select * from {{ ref('trends_daily') }}
    where as_of_date in (select in_batch.as_of_date from batch as in_batch)

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
    from forecasts
    group by as_of_date, market, video_id

),

expected as (

    select
        metrics.as_of_date,
        metrics.market,
        metrics.video_id,
        metrics.age_hours,
        metrics.is_stale,
        metrics.oddities,
        coalesce(metrics.is_believed, true) as is_believed,
        metrics.action_window as classic_action_window,
        metrics.trajectory as classic_trajectory,
        metrics.recommended_variants as classic_recommended_variants,
        metrics.stop_reason as classic_stop_reason,
        metrics.velocity,
        metrics.momentum_score,
        metrics.live_views_per_hour,
        metrics.previous_live_views_per_hour,
        horizons.made_at,
        horizons.gain_24h,
        horizons.gain_48h,
        horizons.last_gain_24h,
        horizons.gain_168h,
        trend_keys.trend_key,
        trends.lifecycle as trend_lifecycle,
        coalesce(trends.lifecycle in ('declining', 'dead'), false) as trend_is_ending,
        trends.window_left_h as trend_window_left_h,
        coalesce(trends.creators, 1) as trend_creators,
        {{ hours_between('horizons.made_at', 'metrics.cutoff_at') }} as forecast_age_hours,
        -- Mean over median of a log-normal; 1.2816 deviations reach from the middle to the 90 % quantile.
        exp(power(least(horizons.log_spread, {{ var('decision_maximum_spread') }}), 2) / 2) as mean_over_p50,
        -- What is gained while the template is being made is out of reach.
        case
            when horizons.gain is not null and coalesce(metrics.is_believed, true)
                then
                    greatest(
                        horizons.gain - coalesce(horizons.gain_24h, 0) * least({{ production }} / 24.0, 1), 0
                    )
        end as gain_p50,
        case
            when horizons.gain_p10 is not null and coalesce(metrics.is_believed, true)
                then
                    greatest(
                        horizons.gain_p10 - coalesce(horizons.gain_24h, 0) * least({{ production }} / 24.0, 1), 0
                    )
        end as gain_p10
    from metrics
    left join horizons
        on
            metrics.as_of_date = horizons.as_of_date
            and metrics.market = horizons.market
            and metrics.video_id = horizons.video_id
    left join trend_keys
        on
            metrics.as_of_date = trend_keys.as_of_date
            and metrics.video_id = trend_keys.video_id
    left join trends
        on
            trend_keys.as_of_date = trends.as_of_date
            and trend_keys.trend_key = trends.trend_key
            and metrics.market = trends.market

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
        end as forecast_window_hours,
        gain_p50 * mean_over_p50 as gain_expected,
        gain_24h / nullif(last_gain_24h, 0) as gain_ratio
    from expected

),

placed as (

    select
        *,
        case
            -- A feed that only repeats old readings leaves less of it. Within a day the cut-off says when the run was,
            -- not when it was decided: a backfill cuts at the day's end, and must decide as the live run did.
            when is_stale then greatest(forecast_window_hours - forecast_age_hours, 0)
            else forecast_window_hours
        end as window_left_hours,
        case
            when gain_ratio >= 1.5 then '🚀 EXPLOSIVE'
            when gain_ratio >= 1.1 then '📈 STRONG'
            when gain_ratio >= 0.9 then '↗️ MODERATE'
            when gain_ratio >= 0.7 then '➡️ FLAT'
            when gain_ratio >= 0.4 then '↘️ DECLINING'
            when gain_ratio is not null then '📉 CRASHING'
        end as measured_trajectory,
        row_number() over (
            partition by as_of_date, market
            order by gain_expected desc nulls last, video_id
        ) as gain_place,
        count(gain_p50) over (partition by as_of_date, market) as ranked_videos
    from windowed

),

bounded as (

    -- Most of a feed is gone two days later: a fifth of what stays is less than a fifth of today's videos. At least one
    -- video may be built on any day, if it is worth the work.
    {%- set prior_videos = var('decision_kept_prior_videos') %}
    {%- set kept_prior = var('decision_kept_prior') %}
    {%- set kept_share = shrunk('kept.observed * 1.0 / kept.made', kept_prior, 'kept.made', prior_videos) %}

    select
        placed.*,
        {{ kept_share }} as kept_share,
        {%- for share in ['act_now', 'build'] %}
        ceil(
            round({{ var('decision_' ~ share ~ '_share') }} * {{ kept_share }} * placed.ranked_videos, 6)
        ) as {{ share }}_places,
        {%- endfor %}
        ceil(round({{ var('decision_later_share') }} * placed.ranked_videos, 6)) as later_places
    from placed
    left join kept
        on
            placed.as_of_date = kept.as_of_date
            and placed.market = kept.market

),

bars as (

    select
        *,
        -- The gain of the last place that is still built, to say how far off a video is.
        max(case when gain_place = build_places then gain_expected end) over (
            partition by as_of_date, market
        ) as build_bar
    from bounded

),

decided as (

    select
        *,
        case
            when gain_p50 is null then '{{ labels.monitor }}'
            when window_left_hours < {{ production }} then '{{ labels.late }}'
            when gain_p50 < {{ var('decision_minimum_gain') }} then '{{ labels.late }}'
            when gain_place <= build_places and gain_p10 >= {{ var('decision_minimum_gain') }}
                then
                    case
                        -- The best of the day, and those whose window closes before a second chance.
                        when window_left_hours < {{ 2 * production }} then '{{ labels.act_now }}'
                        -- A trend that ends takes the hurry away, not the build: the video's own pace is measured,
                        -- the stage of its key rests on few uses.
                        when gain_place <= act_now_places and not trend_is_ending
                            then '{{ labels.act_now }}'
                        else '{{ labels.soon }}'
                    end
            when window_left_hours < {{ 2 * production }} then '{{ labels.closing }}'
            -- By the gain to come, whatever the trend's stage or the fall from yesterday: of videos on dead trends 12 %
            -- ended in the next day's top fifth, of peaked ones more than half, of those to monitor 2 %.
            when gain_place <= later_places then '{{ labels.later }}'
            when gain_ratio < 0.4 and momentum_score >= 2000 then '{{ labels.peaked }}'
            else '{{ labels.monitor }}'
        end as measured_action_window
    from bars

),

sized as (

    select
        *,
        case
            when measured_action_window = '{{ labels.act_now }}' and measured_trajectory = '🚀 EXPLOSIVE' then 7
            when
                measured_action_window = '{{ labels.act_now }}'
                and measured_trajectory in ('📈 STRONG', '↗️ MODERATE')
                then 5
            when measured_action_window = '{{ labels.act_now }}' then 3
            when measured_action_window = '{{ labels.soon }}' and measured_trajectory = '🚀 EXPLOSIVE' then 5
            when
                measured_action_window = '{{ labels.soon }}'
                and measured_trajectory in ('📈 STRONG', '↗️ MODERATE')
                then 3
            when measured_action_window = '{{ labels.soon }}' then 2
            when
                measured_action_window = '{{ labels.later }}'
                and measured_trajectory in ('🚀 EXPLOSIVE', '📈 STRONG')
                then 3
            when measured_action_window = '{{ labels.later }}' and measured_trajectory = '↗️ MODERATE' then 2
            when measured_action_window = '{{ labels.later }}' and measured_trajectory = '➡️ FLAT' then 1
            else 0
        end as variants_by_gain,
        -- Variants are made one after the other: what does not fit into the window comes too late. One is enough for a
        -- trend that ends.
        case
            when trend_is_ending then least(floor(window_left_hours / {{ production }}), 1)
            else floor(window_left_hours / {{ production }})
        end as variants_by_time,
        case
            when gain_p50 is null or measured_action_window in {{ builds }} then null
            when measured_action_window in ('{{ labels.peaked }}', '{{ labels.late }}') then 'WINDOW_OVER'
            when measured_action_window = '{{ labels.later }}' then null
            when measured_trajectory in ('↘️ DECLINING', '📉 CRASHING') then 'DECLINING_TRAJECTORY'
            when age_hours >= 72 then 'AGE_OVER_72H'
            when live_views_per_hour <= previous_live_views_per_hour and gain_ratio <= 1
                then 'VELOCITY_NONPOS_2_RUNS'
        end as measured_stop_reason
    from decided

),

explained as (

    select
        *,
        case
            {% for allowed in [7, 5, 3, 2, 1] -%}
            when variants_by_gain >= {{ allowed }} and variants_by_time >= {{ allowed }} then {{ allowed }}
            {% endfor -%}
            else 0
        end as measured_recommended_variants,
        case
            when not is_believed then 'not believed: ' || array_to_string(oddities, ', ')
            when gain_p50 is null then 'no forecast: the feed gives no plays'
            else
                'gain to come in {{ horizon }} h: ' || cast(round(gain_p50) as bigint)
                || ' views in the middle case, at least ' || cast(round(gain_p10) as bigint)
                || ' in 9 of 10, place ' || gain_place || ' of ' || ranked_videos || ' in ' || market
                || '; window left ' || cast(round(window_left_hours, 1) as varchar)
                || ' h against {{ production }} h of production; trend '
                || coalesce(
                    trend_lifecycle || ' (' || cast(round(trend_window_left_h, 1) as varchar) || ' h left)',
                    'not staged'
                ) || ', ' || trend_creators
                || case when trend_creators = 1 then ' creator today' else ' creators today' end
        end as measured_reasons,
        case
            when not is_believed then 'a reading that can be believed'
            when gain_p50 is null then 'a reading with plays'
            when window_left_hours < {{ production }}
                then
                    'a new rise: the window of ' || cast(round(window_left_hours, 1) as varchar)
                    || ' h must exceed {{ production }} h'
            when gain_p50 < {{ var('decision_minimum_gain') }}
                then
                    'a middle gain of {{ var("decision_minimum_gain") }} views to come, it is '
                    || cast(round(gain_p50) as bigint)
            when measured_action_window in {{ builds }}
                then
                    'falling below ' || {{ short_number('coalesce(build_bar, 0)') }}
                    || ' views to come on average (place '
                    || cast(cast(build_places as bigint) as varchar) || '), or a window under {{ production }} h'
            when trend_lifecycle = 'dead' and measured_action_window = '{{ labels.late }}'
                then 'new uses of the trend: it is dead'
            when gain_place <= build_places
                then
                    'a surer forecast: {{ var("decision_minimum_gain") }} views in 9 of 10 cases, now '
                    || cast(round(gain_p10) as bigint)
            else
                'a gain of ' || cast(round(coalesce(build_bar, 0)) as bigint)
                || ' views to come on average (place '
                || cast(cast(build_places as bigint) as varchar) || '), it is '
                || cast(round(gain_expected) as bigint)
        end as measured_would_change_if,
        'velocity ' || coalesce(cast(round(velocity, 1) as varchar), 'not known') || ' momentum points a day; momentum '
        || coalesce(cast(round(momentum_score, 1) as varchar), 'not known') || '; age '
        || cast(round(age_hours, 1) as varchar) || ' h' as classic_reasons,
        case
            when age_hours > 60 then 'nothing: the video is older than 60 h'
            when velocity is null then 'a reading on a second day'
            when classic_action_window in {{ builds }}
                then 'a velocity under 100 (now ' || round(velocity, 1) || '), or an age over 60 h'
            else
                'a velocity of 100 and a momentum of 500 (now ' || round(velocity, 1) || ' and '
                || round(momentum_score, 1) || ')'
        end as classic_would_change_if
    from sized

),

placed_over_markets as (

    select
        *,
        row_number() over (
            partition by as_of_date, video_id
            order by gain_place * 1.0 / ranked_videos asc, trend_is_ending asc, market asc
        ) as place_over_markets
    from explained

)

select
    seen.as_of_date,
    seen.market,
    seen.video_id,
    {{ horizon }} as horizon_hours,
    told.made_at,
    told.gain_p50,
    told.gain_p10,
    told.gain_expected,
    told.gain_place,
    told.ranked_videos,
    told.build_places,
    told.kept_share,
    told.window_left_hours,
    told.gain_ratio,
    {%- for by in ['classic', 'measured'] %}
    told.{{ by }}_action_window,
    told.{{ by }}_trajectory,
    told.{{ by }}_recommended_variants,
    told.{{ by }}_stop_reason,
    coalesce(told.{{ by }}_action_window in {{ builds }}, false) as {{ by }}_is_build,
    told.{{ by }}_reasons,
    told.{{ by }}_would_change_if,
    {%- endfor %}
    told.trend_key,
    told.trend_lifecycle,
    told.trend_window_left_h,
    told.trend_creators
from placed_over_markets as seen
inner join placed_over_markets as told
    on
        seen.as_of_date = told.as_of_date
        and seen.video_id = told.video_id
        and told.place_over_markets = 1
