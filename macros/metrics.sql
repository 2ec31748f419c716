{# Momentum points: weighted rates per hour. A rate that is not given adds nothing; none given is no momentum. #}
{% macro momentum(shares_rate, likes_rate, views_rate) -%}
    case
        when coalesce({{ shares_rate }}, {{ likes_rate }}, {{ views_rate }}) is not null
            then
                {{ var('momentum_share_weight') }} * coalesce({{ shares_rate }}, 0)
                + {{ var('momentum_like_weight') }} * coalesce({{ likes_rate }}, 0)
                + {{ var('momentum_view_weight') }} * coalesce({{ views_rate }}, 0)
    end
{%- endmacro %}

{# Rate per hour between two readings; gaps that are too short give none. Reads the column gap_hours. #}
{% macro live_rate(delta) -%}
    case when gap_hours >= {{ var('minimum_gap_hours') }} then {{ delta }} / gap_hours end
{%- endmacro %}

{#
  Variance of what scatters, from absolute deviations: by the middle half, or by the outer fourteenth where the tails are
  heavier than a normal distribution's (1.812 deviations hold 93 % of it). A few outliers change neither.
#}
{% macro robust_variance(deviation) -%}
    pow(greatest(1.4826 * {{ quantile(deviation, 0.5) }}, {{ quantile(deviation, 0.93) }} / 1.812), 2)
{%- endmacro %}

{# A market's pace at one feed over that at another. Steps add up to a drift over weeks, which no pace has. #}
{% macro pace_factor(activity, other) -%}
    exp(least(greatest(
        ({{ activity }} - {{ other }}) / 1000000.0, -{{ var('alert_activity_range') }}
    ), {{ var('alert_activity_range') }}))
{%- endmacro %}

{# Whether a row's date is among the days up to a date of the batch over which alerts are scored. #}
{% macro in_score_days(batch, rows) -%}
    {{ batch }}.as_of_date >= {{ rows }}.as_of_date
    and {{ batch }}.as_of_date - {{ var('alert_score_days') }} < {{ rows }}.as_of_date
{%- endmacro %}

{# Times its own pace that a video with exact counts must reach for an alert, from the usual change and its variance. #}
{% macro pace_factor_needed(log_change, variance) -%}
    exp({{ log_change }} + {{ var('alert_z') }} * sqrt({{ variance }}))
{%- endmacro %}

{# A number as precise as it is known, as people say it: 940, 2.1k, 207k, 1.3m. #}
{% macro short_number(value) -%}
    case
        when abs({{ value }}) >= 999500 then {{ in_tenths('(' ~ value ~ ') / 1000000.0') }} || 'm'
        when abs({{ value }}) >= 9950 then cast(cast(round({{ value }} / 1000.0) as bigint) as string) || 'k'
        when abs({{ value }}) >= 999.5 then {{ in_tenths('(' ~ value ~ ') / 1000.0') }} || 'k'
        else cast(cast(round({{ value }}) as bigint) as string)
    end
{%- endmacro %}
