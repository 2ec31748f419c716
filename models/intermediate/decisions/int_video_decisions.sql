{#-
    What to build, in both modes side by side. classic_*: by lifetime momentum (int_video_metrics). measured_*: the
    same labels from the forecast: the gain still to come once a template is out, ranked within market and day, by
    little more than its middle where the forecast is wide (decision_maximum_spread).
-#}

{%- set production = var('production_hours') %}
{%- set labels = {
    'act_now': '🔴 ACT NOW', 'soon': '🟠 6-12H', 'later': '🟡 12-24H', 'monitor': '🟢 MONITOR',
    'peaked': '⚠️ PEAKED', 'closing': '⚠️ WINDOW CLOSING', 'late': '❌ TOO LATE',
} %}
{%- set builds = "('" ~ labels.act_now ~ "', '" ~ labels.soon ~ "')" %}

with

metrics as (

    select * from {{ ref('int_video_metrics') }}

),

gains as (

    select * from {{ ref('int_expected_gains') }}

),

kept_shares as (

    select * from {{ ref('int_kept_shares') }}

),

trend_keys as (

    select * from {{ ref('int_trend_keys') }}

),

trends as (

    select * from {{ ref('trends_daily') }}
    where as_of_date in (select batch.as_of_date from {{ ref('int_as_of') }} as batch)

),

placed as (

    select
        gains.*,
        metrics.age_hours,
        metrics.momentum_score,
        metrics.live_views_per_hour,
        metrics.previous_live_views_per_hour,
        metrics.action_window as classic_action_window,
        metrics.trajectory as classic_trajectory,
        metrics.recommended_variants as classic_recommended_variants,
        metrics.stop_reason as classic_stop_reason,
        trend_keys.trend_key,
        trends.lifecycle as trend_lifecycle,
        coalesce(trends.lifecycle in ('declining', 'dead'), false) as trend_is_ending,
        trends.window_left_h as trend_window_left_h,
        coalesce(trends.creators, 1) as trend_creators,
        case
            when gains.gain_ratio >= 1.5 then '🚀 EXPLOSIVE'
            when gains.gain_ratio >= 1.1 then '📈 STRONG'
            when gains.gain_ratio >= 0.9 then '↗️ MODERATE'
            when gains.gain_ratio >= 0.7 then '➡️ FLAT'
            when gains.gain_ratio >= 0.4 then '↘️ DECLINING'
            when gains.gain_ratio is not null then '📉 CRASHING'
        end as measured_trajectory,
        row_number() over (
            partition by gains.as_of_date, gains.market
            order by gains.gain_expected desc nulls last, gains.video_id
        ) as gain_place,
        count(gains.gain_p50) over (partition by gains.as_of_date, gains.market) as ranked_videos
    from gains
    inner join metrics
        on
            gains.as_of_date = metrics.as_of_date
            and gains.market = metrics.market
            and gains.video_id = metrics.video_id
    left join trend_keys
        on
            gains.as_of_date = trend_keys.as_of_date
            and gains.video_id = trend_keys.video_id
    left join trends
        on
            trend_keys.as_of_date = trends.as_of_date
            and trend_keys.trend_key = trends.trend_key
            and gains.market = trends.market

),

bounded as (

    -- Most of a feed is gone two days later: a fifth of what stays is less than a fifth of today's videos. At least one
    -- video may be built on any day, if it is worth the work.
    {%- set kept_share = "coalesce(kept_shares.kept_share, " ~ var('decision_kept_prior') ~ ")" %}

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
    left join kept_shares
        on
            placed.as_of_date = kept_shares.as_of_date
            and placed.market = kept_shares.market

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

limited as (

    select
        *,
        case
            {% for allowed in [7, 5, 3, 2, 1] -%}
            when variants_by_gain >= {{ allowed }} and variants_by_time >= {{ allowed }} then {{ allowed }}
            {% endfor -%}
            else 0
        end as measured_recommended_variants
    from sized

),

placed_over_markets as (

    select
        *,
        row_number() over (
            partition by as_of_date, video_id
            order by gain_place * 1.0 / ranked_videos asc, trend_is_ending asc, market asc
        ) as place_over_markets
    from limited

)

select
    seen.as_of_date,
    seen.market,
    seen.video_id,
    {{ var('decision_horizon_hours') | int }} as horizon_hours,
    told.market as told_in_market,
    told.made_at,
    told.gain_p50,
    told.gain_p10,
    told.gain_expected,
    told.gain_place,
    told.ranked_videos,
    told.build_places,
    told.build_bar,
    told.kept_share,
    told.window_left_hours,
    told.gain_ratio,
    {%- for by in ['classic', 'measured'] %}
    told.{{ by }}_action_window,
    told.{{ by }}_trajectory,
    told.{{ by }}_recommended_variants,
    told.{{ by }}_stop_reason,
    coalesce(told.{{ by }}_action_window in {{ builds }}, false) as {{ by }}_is_build,
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
