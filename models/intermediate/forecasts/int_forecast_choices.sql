{#- Lines of a loop stand in the indentation of the loop.
-- sqlfluff:exclude_rules:LT02,LT05
-#}
{#-
    Which model is told as of each date, for each horizon, with and without a measured pace: the one that was off least
    in the forecasts that were scored by then, the newest counting most; and whether its middle is moved.
-#}

{%- set contestants = forecast_contestants() %}
{#- Each model as it is and with its middle moved by what it was off by of late. -#}
{%- set variants = [] %}
{%- for model in contestants %}{% do variants.append([model, false]) %}{% do variants.append([model, true]) %}{% endfor %}

with

batch as (

    select * from {{ ref('int_as_of') }}

),

shifts as (

    select * from {{ ref('int_forecast_shifts') }}
    where as_of_date > {{ window_start(ref('int_as_of'), var('history_days') + (forecast_horizons() | max) // 24 + 1) }}

),

trailing_trials as (

    select
        batch.as_of_date as known_on,
        trials.*,
        power(
            0.5, cast({{ days_between('trials.as_of_date', 'batch.as_of_date') }} as double) / {{ var('forecast_score_half_life_days') }}
        ) as recency
        {%- for model in contestants %},
        coalesce(shifts.shift_{{ model }}, 0) as shift_{{ model }}
        {%- endfor %}
    from batch
    inner join {{ ref('int_forecast_trials') }} as trials
        on
            trials.as_of_date <= batch.as_of_date
            and trials.as_of_date > batch.as_of_date - {{ var('history_days') }}
    left join shifts
        on
            trials.forecast_date = shifts.as_of_date
            and trials.horizon_hours = shifts.horizon_hours
            and trials.is_cold_start = shifts.is_cold_start
    where trials.as_of_date > {{ window_start(ref('int_as_of'), var('history_days')) }}

),

scores as (

    -- In logs every forecast weighs the same, in views the few large ones do: what wins by one alone loses on other
    -- markets (lists: by logs; simulated feeds, many of them small: by views). So both count, by their product. Models
    -- are compared on the same forecasts: those since the first trees where these are enough.
    {% for since_trees in [false, true] -%}
    select
        known_on,
        horizon_hours,
        is_cold_start,
        {{ since_trees }} as is_since_trees,
        count(*) as n,
        {{ exact_sum('recency') }} as weight,
        {{ exact_sum('recency * exp(log_actual)') }} as gained
        {%- for model, is_moved in variants %},
        {%- set miss = 'log_miss_' ~ model ~ (' - shift_' ~ model if is_moved else '') %}
        {{ exact_sum('recency * abs(' ~ miss ~ ')') }} as error_{{ model }}{{ '_moved' if is_moved }},
        {{ exact_sum(
            'recency * least(abs(exp(log_actual) - exp(least(log_actual - (' ~ miss ~ '), 40))), 1e12)'
        ) }} as missed_{{ model }}{{ '_moved' if is_moved }}
        {%- endfor %}
    from trailing_trials
    {%- if since_trees %}
    where log_miss_trees is not null
    {%- endif %}
    group by known_on, horizon_hours, is_cold_start
    {% if not loop.last %}
    union all

    {% endif %}
    {%- endfor %}

),

counted as (

    select
        *,
        max(case when is_since_trees then n else 0 end) over (
            partition by known_on, horizon_hours, is_cold_start
        ) >= {{ var('forecast_minimum_scored') }} as has_trees
    from scores

),

ranked as (

    {% for model, is_moved in variants -%}
    select
        known_on,
        horizon_hours,
        is_cold_start,
        n,
        '{{ model }}' as model,
        {{ is_moved }} as is_moved,
        {{ loop.index }} as place,
        error_{{ model }}{{ '_moved' if is_moved }} / weight as error,
        missed_{{ model }}{{ '_moved' if is_moved }} / gained as share_missed
    from counted
    where
        is_since_trees = has_trees
        {%- if model == 'trees' %}
        and has_trees
        {%- endif %}
        {%- if model != 'retention' %}
        and n >= {{ var('forecast_minimum_scored') }}
        {%- endif %}
        {%- if is_moved %}
        and n >= {{ var('forecast_shift_minimum') }}
        {%- endif %}
    {% if not loop.last %}
    union all

    {% endif %}
    {%- endfor %}

),

placed_models as (

    -- Equal errors: the rule before its challengers. A moved middle has to win clearly: it follows single days.
    select
        *,
        row_number() over (
            partition by known_on, horizon_hours, is_cold_start
            order by
                error * coalesce(share_missed, 1)
                * case when is_moved then {{ 1 + var('forecast_shift_margin') }} else 1 end,
                place
        ) as place_by_error
    from ranked

),

errors_told as (

    select
        known_on,
        horizon_hours,
        is_cold_start,
        {% set error_told -%}
        model || case when is_moved then ' moved ' else ' ' end || round(error, 3)
            || coalesce(' and ' || cast(round(100 * share_missed) as bigint) || ' %', '')
        {%- endset %}
        {{- joined_in_order(error_told, ', ', 'place') }} as errors
    from ranked
    group by known_on, horizon_hours, is_cold_start

)

select
    best.known_on as as_of_date,
    best.horizon_hours,
    best.is_cold_start,
    best.is_moved,
    best.model,
    case
        when best.is_moved
            then
                case best.model
                    {%- for model in contestants %}
                    when '{{ model }}' then shifts.shift_{{ model }}
                    {%- endfor %}
                end
        else 0
    end as log_shift,
    best.is_moved or best.n >= {{ var('forecast_minimum_scored') }} as is_measured,
    best.model || case when best.is_moved then ', its middle moved' else '' end
    || case
        when best.n < {{ var('forecast_minimum_scored') }} then ': only ' || best.n || ' {{ forecasts_needed() }}'
        else ': trailing error in logs and of the gain ' || errors_told.errors || ' over ' || best.n || ' scored forecasts'
    end as chosen_because
from placed_models as best
inner join errors_told
    on
        best.known_on = errors_told.known_on
        and best.horizon_hours = errors_told.horizon_hours
        and best.is_cold_start = errors_told.is_cold_start
left join shifts
    on
        best.known_on = shifts.as_of_date
        and best.horizon_hours = shifts.horizon_hours
        and best.is_cold_start = shifts.is_cold_start
where best.place_by_error = 1
