{#
  Parts that the forecasting models share.
#}

{# Horizons that are forecast, in hours. #}
{% macro forecast_horizons() -%}
    {{ return([24, 48, 168]) }}
{%- endmacro %}

{# Age buckets of 24 h that the retention curve tells apart; the last one is open. #}
{% macro forecast_age_buckets() -%}
    {{ return(8) }}
{%- endmacro %}

{# The models that compete, and the naive forecasts they are shown beside. #}
{% macro forecast_models() -%}
    {{ return(['retention', 'log_linear']) }}
{%- endmacro %}

{# The models that a forecast is chosen from: the trees join them when they were fitted. #}
{% macro forecast_contestants() -%}
    {{ return(forecast_models() + ['trees']) }}
{%- endmacro %}

{# What is said where too few forecasts were scored. #}
{% macro forecasts_needed() -%}
    scored forecasts, a challenger needs {{ var('forecast_minimum_scored') }}
{%- endmacro %}

{# Class of a video's size: how far forecasts are off differs more by it than by market. #}
{% macro forecast_size_class(plays) -%}
    case
        {%- for limit in [10000, 100000, 1000000, 10000000] %}
        when {{ plays }} < {{ limit }} then {{ loop.index0 }}
        {%- endfor %}
        else 4
    end
{%- endmacro %}

{# Class of a video's age: days are hours of guessing less. Without a pace there is one class. #}
{% macro forecast_age_class(age_bucket) -%}
    case when is_cold_start then 0 else greatest(least({{ age_bucket }}, 4), 1) end
{%- endmacro %}

{% macro forecast_baselines() -%}
    {{ return(['persistence', 'lifetime_rate', 'last_gain']) }}
{%- endmacro %}

{# The inputs of the log-linear model, columns of int_forecast_features. The first is the intercept. #}
{% macro forecast_inputs() -%}
    {{ return([
        'x_intercept', 'x_single_interval', 'x_feed_shift', 'x_age', 'x_acceleration', 'x_maturity',
        'x_maturity_single', 'x_like_ratio', 'x_level',
    ]) }}
{%- endmacro %}

{# What the trees may split on, columns of int_forecast_inputs. Their place here, from 1, is the number that trees name. #}
{% macro forecast_tree_inputs() -%}
    {{ return([
        'f_retention', 'f_plays', 'f_maturity', 'f_change', 'f_previous_pace', 'f_like_ratio', 'f_comment_ratio',
        'f_age', 'f_hour', 'f_feed_rank', 'f_markets', 'f_cold',
    ]) }}
{%- endmacro %}

{# Levels of splits that a tree has at most (forecasting/trees.py says the same). #}
{% macro forecast_tree_levels() -%}
    {{ return(4) }}
{%- endmacro %}

{# The gain that the trees forecast, of a row with both rules' gains and the factor of int_forecast_tree_gains; null without. #}
{% macro tree_gain(factor='log_factor') -%}
    case
        when {{ factor }} is not null
            then
                round(
                    greatest(
                        (case when is_cold_start then gain_retention else gain_log_linear end + 1)
                        * exp({{ factor }}) - 1,
                        0
                    ),
                    3
                )
    end
{%- endmacro %}

{#
  The value that a tree gives a video: its nodes stand side by side in `tree` (columns feature_<n>, threshold_<n>, and
  value_<n> at the lowest level), what is known of the video in the list `features`.
#}
{% macro walked_tree(tree, features, node=1) -%}
    {%- if node >= 2 ** forecast_tree_levels() -%}
        {{ tree }}.value_{{ node }}
    {%- else -%}
        case when {{ nth_of(features, tree ~ '.feature_' ~ node) }} <= {{ tree }}.threshold_{{ node }}
            then {{ walked_tree(tree, features, 2 * node) }}
            else {{ walked_tree(tree, features, 2 * node + 1) }} end
    {%- endif -%}
{%- endmacro %}

{#
  CTEs that end in `featured`: what the models see of a video when they forecast, for the rows of a CTE with the columns
  of int_forecast_bases. Columns: those of `keys`, segment, pace, lifetime_pace, last_pace, retention_<horizon>h and
  the forecast inputs.
#}
{% macro forecast_features(source, retention, keys=none) -%}
{%- set kept_of_lifetime = 1 - var('retention_prior_exponent') | float -%}
assumed as (

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
    from {{ source }}

),

retained as (

    select
        assumed.*,
        -- A pace over less than a day is younger than a day's: it has less far to fall.
        {%- for horizon in forecast_horizons() %}
        greatest(assumed.assumed_pace, 0) * retention.days_kept_{{ horizon }}h
        * power(retention.phi, (coalesce(assumed.pace_gap_hours, 24) + 24) / 48 - 1) as retention_{{ horizon }}h,
        {%- endfor %}
        case when assumed.is_cold_start then 0 else retention.feed_shift end as feed_shift
    from assumed
    inner join {{ retention }} as retention
        on
            assumed.as_of_date = retention.as_of_date
            and assumed.market = retention.market
            and assumed.age_bucket = retention.age_bucket

),

featured as (

    select
        {%- for key in keys or [
            'as_of_date', 'cutoff_at', 'market', 'video_id', 'base_at', 'base_plays', 'base_likes', 'age_bucket',
            'is_cold_start', 'is_stale', 'is_sampled',
        ] %}
        {{ key }},
        {%- endfor %}
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
    from retained

)
{%- endmacro %}

{#
  A sum that does not depend on the order of its rows: a replay gives the same bits. Whole millionths are added.
  Nulls are left out; no rows give null.
#}
{% macro exact_sum(value) -%}
    (cast(sum(cast(round(({{ value }}) * 1000000) as bigint)) as double) / 1000000)
{%- endmacro %}

{# Natural logarithm of a count or rate that may be zero. #}
{% macro log_of_count(value) -%}
    ln(greatest({{ value }}, 0) + 1)
{%- endmacro %}

{# A value held between two bounds; null stays null. #}
{% macro held_between(value, low, high) -%}
    case when {{ value }} < {{ low }} then {{ low }} when {{ value }} > {{ high }} then {{ high }} else {{ value }} end
{%- endmacro %}

{# Age bucket of an age in hours. #}
{% macro forecast_age_bucket(age_hours) -%}
    cast(least(floor(greatest({{ age_hours }}, 0) / 24), {{ forecast_age_buckets() - 1 }}) as integer)
{%- endmacro %}

{# Age class of a video when it was seen once: it tells how far its lifetime rate is from its pace. 0: older. #}
{% macro first_pace_age_class(age_hours) -%}
    case
        {%- for hours in [3, 6, 12, 24, 48] %}
        when {{ age_hours }} < {{ hours }} then {{ hours }}
        {%- endfor %}
        else 0
    end
{%- endmacro %}

{# A statistic of n rows drawn towards what a wider group says: n / (n + strength). #}
{% macro shrunk(own, wider, n, strength=var('trend_prior_cases')) -%}
    (
        (coalesce({{ own }}, 0) * coalesce({{ n }}, 0) + {{ wider }} * {{ strength }})
        / (coalesce({{ n }}, 0) + {{ strength }})
    )
{%- endmacro %}

{#
  CTEs that solve symmetric positive definite systems, one per row of `source`: columns g_<i>_<j> (i <= j) and c_<i>
  become the columns b_<i> of the CTE `solved`; `keys` are carried along. Gaussian elimination written out column by
  column, since SQL has no matrices; the ridge that the caller adds keeps every pivot above zero.
#}
{% macro solve_systems(source, size, keys) -%}
{%- set carried = keys | join(', ') -%}
{%- for k in range(size - 1) %}
eliminated_{{ k }} as (

    select
        {{ carried }},
        {%- for i in range(k + 1) %}
        {% for j in range(i, size) %}g_{{ i }}_{{ j }}, {% endfor %}c_{{ i }},
        {%- endfor %}
        {%- for i in range(k + 1, size) %}
        {%- for j in range(i, size) %}
        g_{{ i }}_{{ j }} - g_{{ k }}_{{ i }} * g_{{ k }}_{{ j }} / g_{{ k }}_{{ k }} as g_{{ i }}_{{ j }},
        {%- endfor %}
        c_{{ i }} - g_{{ k }}_{{ i }} * c_{{ k }} / g_{{ k }}_{{ k }} as c_{{ i }}{{ ',' if not loop.last }}
        {%- endfor %}
    from {{ source if k == 0 else 'eliminated_' ~ (k - 1) }}

),
{% endfor %}
{%- for i in range(size - 1, -1, -1) %}
{{ 'solved' if i == 0 else 'substituted_' ~ i }} as (

    select
        *,
        (
            c_{{ i }}
            {%- for j in range(i + 1, size) %} - g_{{ i }}_{{ j }} * b_{{ j }}{% endfor %}
        ) / g_{{ i }}_{{ i }} as b_{{ i }}
    from {{ 'eliminated_' ~ (size - 2) if i == size - 1 else 'substituted_' ~ (i + 1) }}

){{ ',' if i > 0 }}
{% endfor %}
{%- endmacro %}
