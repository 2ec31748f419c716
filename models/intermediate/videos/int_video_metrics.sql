{{ config(materialized='view') }}

{#-
    The classic family of metrics and both statuses, from what a date knows of a video. A view: its two readers take
    some of its columns each, and computing those is cheaper than storing all of them.
-#}

{%- set alpha = var('retention_prior_exponent') %}

with

known as (

    select * from {{ ref('int_videos_as_of') }}

),

retention as (

    select * from {{ ref('int_retention') }}

),

first_paces as (

    select * from {{ ref('int_first_paces') }}

),

matched as (

    -- The exponent that the learned curve has at the age of the previous reading; the shipped one until the readings
    -- of that age outweigh it. A bucket's retention compares the day before a reading with the day after it: on average
    -- from as many days of age as the bucket says to one more.
    select
        known.*,
        case
            when retention.n_all_markets >= {{ var('forecast_retention_shrinkage') }} and retention.phi > 0
                then -ln(retention.phi) / ln((retention.age_bucket + 1) / greatest(retention.age_bucket, 0.5))
            else {{ alpha }}
        end as decay_exponent,
        coalesce(first_paces.ratio, 1) as first_pace_ratio
    from known
    left join retention
        on
            known.as_of_date = retention.as_of_date
            and known.lead_market = retention.market
            and {{ forecast_age_bucket('known.previous_age_hours') }} = retention.age_bucket
    left join first_paces
        on
            known.as_of_date = first_paces.as_of_date
            and {{ first_pace_age_class('known.previous_age_hours') }} = first_paces.age_class

),

moved as (

    select
        *,
        (momentum_score - previous_day_momentum) / previous_day_gap_days as velocity,
        -- The pace that the previous reading lets one expect in the middle of the last interval, by a power law of age.
        -- With one earlier reading its lifetime average stands in: under that law the pace is (1 - alpha) of it, times
        -- what first paces of that age were seen to be.
        case
            when gap_hours < {{ var('minimum_gap_hours') }} then null
            when previous_live_momentum is not null
                then
                    previous_live_momentum
                    * power(
                        greatest(age_hours - gap_hours / 2, {{ var('minimum_age_hours') }})
                        / greatest(previous_age_hours - previous_gap_hours / 2, {{ var('minimum_age_hours') }}),
                        -decay_exponent
                    )
            when not age_is_lower_bound
                then
                    first_pace_ratio * (1 - {{ alpha }}) * previous_momentum_score
                    * power(
                        greatest(age_hours - gap_hours / 2, {{ var('minimum_age_hours') }}) / previous_age_hours,
                        -{{ alpha }}
                    )
        end as expected_live_momentum
    from matched

),

extrapolated as (

    select
        *,
        velocity - previous_velocity as acceleration,
        {% for hours in [6, 12, 24] -%}
        {% set days = hours / 24 -%}
        -- Guarded: the greatest of nothing and 0 is 0 on this engine, not nothing.
        case
            when velocity is not null
                then
                    greatest(
                        momentum_score + velocity * {{ days }}
                        + 0.5 * least(greatest(coalesce(velocity - previous_velocity, 0), -50), 50) * {{ days * days }},
                        0
                    )
        end as predicted_momentum_{{ hours }}h,
        {% endfor -%}
        coalesce(velocity, momentum_score - previous_momentum_score) as classic_delta
    from moved

),

labelled as (

    select
        *,
        case
            when not has_earlier_reading then '🆕 NEW'
            when classic_delta > {{ var('status_spiking_above') }} then '🚀 SPIKING'
            when classic_delta > 0 then '📈 RISING'
            when classic_delta > {{ var('status_cooling_above') }} then '📉 COOLING'
            else '❄️ DYING'
        end as status_classic,
        case
            when not has_earlier_reading then '🆕 NEW'
            -- Readings too close to each other: what the lifetime numbers say is all there is.
            when live_momentum is null
                then
                    case
                        when classic_delta > {{ var('status_spiking_above') }} then '🚀 SPIKING'
                        when classic_delta > 0 then '📈 RISING'
                        when classic_delta > {{ var('status_cooling_above') }} then '📉 COOLING'
                        else '❄️ DYING'
                    end
            -- No post time and no earlier pace: growing or not is all that can be said.
            when expected_live_momentum is null and live_momentum > 0 then '📈 RISING'
            when expected_live_momentum is null then '📉 COOLING'
            when
                live_momentum >= {{ var('status_spiking_ratio') }} * expected_live_momentum
                and live_momentum >= expected_live_momentum + {{ var('status_spiking_margin') }}
                then '🚀 SPIKING'
            when live_momentum > 0 and live_momentum >= expected_live_momentum then '📈 RISING'
            when live_momentum > 0 and live_momentum >= {{ var('status_cooling_ratio') }} * expected_live_momentum
                then '📉 COOLING'
            else '❄️ DYING'
        end as status_measured,
        case
            when
                coalesce(is_believed, true)
                and age_hours <= {{ var('fresh_age_hours') }}
                and shares_per_hour >= {{ var('build_now_shares_per_hour') }}
                and views_per_hour >= {{ var('build_now_views_per_hour') }}
                then 'BUILD NOW'
            else 'NO'
        end as build_now,
        case
            when velocity >= 200 then '🚀 EXPLOSIVE'
            when velocity >= 100 then '📈 STRONG'
            when velocity >= 50 then '↗️ MODERATE'
            when velocity >= 0 then '➡️ FLAT'
            when velocity >= -50 then '↘️ DECLINING'
            when velocity is not null then '📉 CRASHING'
        end as trajectory,
        case
            when age_hours > 60 then '⚠️ WINDOW CLOSING'
            -- Neither built nor given up: what it rests on is not believed.
            when not coalesce(is_believed, true) then '🟢 MONITOR'
            when velocity is null and momentum_score >= 3000 and age_hours <= 24 then '🔴 ACT NOW'
            when velocity is null and momentum_score >= 2000 and age_hours <= 36 then '🟠 6-12H'
            when velocity is null and momentum_score >= 1000 and age_hours <= 48 then '🟡 12-24H'
            when velocity is null and momentum_score >= 500 then '🟢 MONITOR'
            when velocity is null then '❌ TOO LATE'
            when velocity >= 200 and momentum_score >= 1000 then '🔴 ACT NOW'
            when velocity >= 100 and momentum_score >= 500 then '🟠 6-12H'
            when velocity >= 50 and predicted_momentum_24h >= 2000 then '🟡 12-24H'
            when velocity <= 0 and momentum_score >= 2000 then '⚠️ PEAKED'
            when velocity <= 0 then '❌ TOO LATE'
            else '🟢 MONITOR'
        end as action_window,
        case
            when reading_days >= 3 then 'HIGH'
            when reading_days = 2 then 'MEDIUM'
            else 'LOW'
        end as confidence
    from extrapolated

),

chosen as (

    select
        *,
        {{ 'status_measured' if var('status_mode') == 'measured' else 'status_classic' }} as status
    from labelled

),

{#- First match wins: (rule, action, urgency, reason). -#}
{%- set rules = [
    ('momentum_score >= ' ~ var('urgent_momentum'), 'urgent',
        "'momentum ' || " ~ in_tenths('momentum_score') ~ " || ' >= " ~ var('urgent_momentum') ~ "'"),
    ('shares_per_hour >= ' ~ var('urgent_shares_per_hour'), 'urgent',
        "'shares/h ' || " ~ in_tenths('shares_per_hour') ~ " || ' >= " ~ var('urgent_shares_per_hour') ~ "'"),
    ("status = '🚀 SPIKING' and momentum_score >= " ~ var('urgent_spiking_momentum'), 'urgent',
        "'spiking, momentum ' || " ~ in_tenths('momentum_score') ~ " || ' >= " ~ var('urgent_spiking_momentum') ~ "'"),
    ('momentum_score >= ' ~ var('high_momentum'), 'high',
        "'momentum ' || " ~ in_tenths('momentum_score') ~ " || ' >= " ~ var('high_momentum') ~ "'"),
    ('shares_per_hour >= ' ~ var('high_shares_per_hour'), 'high',
        "'shares/h ' || " ~ in_tenths('shares_per_hour') ~ " || ' >= " ~ var('high_shares_per_hour') ~ "'"),
    ("status = '🚀 SPIKING' and momentum_score >= " ~ var('high_spiking_momentum'), 'high',
        "'spiking, momentum ' || " ~ in_tenths('momentum_score') ~ " || ' >= " ~ var('high_spiking_momentum') ~ "'"),
    ('momentum_score >= ' ~ var('watch_momentum'), 'watch',
        "'momentum ' || " ~ in_tenths('momentum_score') ~ " || ' >= " ~ var('watch_momentum') ~ "'"),
    ('shares_per_hour >= ' ~ var('watch_shares_per_hour'), 'watch',
        "'shares/h ' || " ~ in_tenths('shares_per_hour') ~ " || ' >= " ~ var('watch_shares_per_hour') ~ "'"),
    ("status = '📈 RISING' and momentum_score >= " ~ var('watch_rising_momentum'), 'watch',
        "'rising, momentum ' || " ~ in_tenths('momentum_score') ~ " || ' >= " ~ var('watch_rising_momentum') ~ "'"),
    ("build_now = 'BUILD NOW'", 'watch',
        "'BUILD NOW: shares/h ' || " ~ in_tenths('shares_per_hour') ~ " || ', views/h ' || "
        ~ in_tenths('round(views_per_hour)')),
] %}
{%- set actions = {'urgent': '🔴 MAKE_NOW', 'high': '🔴 MAKE_NOW', 'watch': '🟡 WATCH'} %}
{%- set urgencies = {'urgent': '🔥 URGENT', 'high': '⚡ HIGH', 'watch': '🟡 WATCH'} %}

triggered as (

    select
        *,
        case
            when not coalesce(is_believed, true) then 'NONE'
            {% for rule, level, reason in rules -%}
            when {{ rule }} then '{{ actions[level] }}'
            {% endfor -%}
            else 'NONE'
        end as tutorial_trigger,
        case
            when not coalesce(is_believed, true) then 'NONE'
            {% for rule, level, reason in rules -%}
            when {{ rule }} then '{{ urgencies[level] }}'
            {% endfor -%}
            else 'NONE'
        end as urgency,
        case
            when not coalesce(is_believed, true) then 'not believed: ' || {{ entries_as_text('oddities', ', ') }}
            {% for rule, level, reason in rules -%}
            when {{ rule }} then {{ reason }}
            {% endfor -%}
            else 'no rule matched'
        end as trigger_reason,
        case
            when action_window in ('⚠️ PEAKED', '❌ TOO LATE', '⚠️ WINDOW CLOSING') then 0
            when trajectory in ('↘️ DECLINING', '📉 CRASHING') or age_hours >= 72 then 0
            when age_hours >= 60
                then
                    case
                        when
                            action_window in ('🔴 ACT NOW', '🟠 6-12H')
                            and trajectory in ('🚀 EXPLOSIVE', '📈 STRONG')
                            and momentum_score >= 5000
                            then 1
                        else 0
                    end
            when action_window = '🔴 ACT NOW' and trajectory = '🚀 EXPLOSIVE' and age_hours <= 24 then 7
            when action_window = '🔴 ACT NOW' and trajectory in ('🚀 EXPLOSIVE', '📈 STRONG') then 5
            when action_window = '🔴 ACT NOW' and trajectory = '↗️ MODERATE' then 3
            when action_window = '🟠 6-12H' and trajectory = '🚀 EXPLOSIVE' then 5
            when action_window = '🟠 6-12H' and trajectory in ('📈 STRONG', '↗️ MODERATE') then 3
            when action_window = '🟡 12-24H' and trajectory = '📈 STRONG' then 3
            when action_window = '🟡 12-24H' and trajectory = '↗️ MODERATE' then 2
            when action_window = '🟡 12-24H' and trajectory = '➡️ FLAT' then 1
            else 0
        end as recommended_variants,
        case
            when trajectory in ('↘️ DECLINING', '📉 CRASHING') then 'DECLINING_TRAJECTORY'
            when action_window in ('⚠️ PEAKED', '❌ TOO LATE') then 'WINDOW_OVER'
            when age_hours >= 72 then 'AGE_OVER_72H'
            when velocity <= 0 and previous_velocity <= 0 then 'VELOCITY_NONPOS_2_RUNS'
        end as stop_reason,
        0.4 * momentum_score
        + 2 * greatest(coalesce(velocity, 0), 0)
        + 0.3 * coalesce(predicted_momentum_24h, momentum_score)
        + 1000 * least(greatest(72 - age_hours, 0), 72) / 72 as opportunity_score
    from chosen

)

select * from triggered
