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
  Variance of what scatters, from absolute deviations: by the middle half, or by the outer twentieth where the tails are
  heavier than a normal distribution's. A few outliers change neither.
#}
{% macro robust_variance(deviation) -%}
    pow(greatest(1.4826 * {{ quantile(deviation, 0.5) }}, {{ quantile(deviation, 0.95) }} / 1.96), 2)
{%- endmacro %}
