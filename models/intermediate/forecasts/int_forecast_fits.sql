{#- Lines of a loop stand in the indentation of the loop.
-- sqlfluff:exclude_rules:LT02,LT05
-#}
{#-
    The log-linear model as of each date: least squares of what the retention rule got wrong (log of actual over
    forecast gain) on the inputs, over the trailing targets. The ridge draws it to zero, that is to the rule itself;
    a market's own sums are joined by those of all markets, so that a small market borrows from the others.
-#}

{%- set inputs = forecast_inputs() %}
{%- set size = inputs | length %}
{%- set keys = ['as_of_date', 'market', 'horizon_hours', 'is_cold_start', 'n'] %}

with

batch as (

    select * from {{ ref('int_as_of') }}

),

targets as (

    select
        *,
        {{ held_between(log_of_count('actual_gain') ~ ' - ' ~ log_of_count('retention_gain'), -3, 3) }} as log_miss
    from {{ ref('int_forecast_targets') }}
    where
        as_of_date > {{ window_start(ref('int_as_of'), var('history_days')) }}
        and is_sampled

),

market_sums as (

    select
        batch.as_of_date,
        targets.market,
        targets.horizon_hours,
        targets.is_cold_start,
        count(*) as n,
        {%- for i in range(size) %}
        {%- for j in range(i, size) %}
        {{ exact_sum('targets.' ~ inputs[i] ~ ' * targets.' ~ inputs[j]) }} as g_{{ i }}_{{ j }},
        {%- endfor %}
        {{ exact_sum('targets.' ~ inputs[i] ~ ' * targets.log_miss') }} as c_{{ i }}{{ ',' if not loop.last }}
        {%- endfor %}
    from batch
    inner join targets
        on
            targets.as_of_date <= batch.as_of_date
            and targets.as_of_date > batch.as_of_date - {{ var('history_days') }}
    group by batch.as_of_date, targets.market, targets.horizon_hours, targets.is_cold_start

),

pooled_sums as (

    select
        as_of_date,
        horizon_hours,
        is_cold_start,
        {{ var('forecast_pooled_rows') }} / (sum(n) + {{ var('forecast_pooled_rows') }}) as weight,
        {%- for i in range(size) %}
        {%- for j in range(i, size) %}
        {{ exact_sum('g_' ~ i ~ '_' ~ j) }} as g_{{ i }}_{{ j }},
        {%- endfor %}
        {{ exact_sum('c_' ~ i) }} as c_{{ i }}{{ ',' if not loop.last }}
        {%- endfor %}
    from market_sums
    group by as_of_date, horizon_hours, is_cold_start

),

markets as (

    select distinct
        as_of_date,
        market
    from {{ ref('int_feed_presence') }}

),

systems as (

    -- A market without targets of its own gets the fit of all markets.
    select
        pooled_sums.as_of_date,
        markets.market,
        pooled_sums.horizon_hours,
        pooled_sums.is_cold_start,
        coalesce(market_sums.n, 0) as n,
        {%- for i in range(size) %}
        {%- for j in range(i, size) %}
        coalesce(market_sums.g_{{ i }}_{{ j }}, 0) + pooled_sums.weight * pooled_sums.g_{{ i }}_{{ j }}
        {%- if i == j %} + {{ var('forecast_ridge') }}{% endif %} as g_{{ i }}_{{ j }},
        {%- endfor %}
        coalesce(market_sums.c_{{ i }}, 0) + pooled_sums.weight * pooled_sums.c_{{ i }}
        {%- if inputs[i] == 'x_feed_shift' %}
        + {{ var('forecast_ridge') }} * ({{ var('forecast_shift_prior') }})
        {%- endif %} as c_{{ i }}{{ ',' if not loop.last }}
        {%- endfor %}
    from pooled_sums
    inner join markets on pooled_sums.as_of_date = markets.as_of_date
    left join market_sums
        on
            pooled_sums.as_of_date = market_sums.as_of_date
            and pooled_sums.horizon_hours = market_sums.horizon_hours
            and pooled_sums.is_cold_start = market_sums.is_cold_start
            and markets.market = market_sums.market

),

{{ solve_systems('systems', size, keys) }}

select
    {{ keys | join(',\n    ') }},
    {%- for i in range(size) %}
    round(b_{{ i }}, 9) as {{ inputs[i] | replace('x_', 'b_', 1) }}{{ ',' if not loop.last }}
    {%- endfor %}
from solved
