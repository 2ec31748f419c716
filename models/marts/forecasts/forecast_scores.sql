{#- Lines of a loop stand in the indentation of the loop.
-- sqlfluff:exclude_rules:LT02,LT05
-#}
{%- set measures = ['chosen'] + forecast_models() + forecast_baselines() %}
{#- Persistence expects the same of all videos, so it ranks none. -#}
{%- set ranked = ['actual'] + (measures | reject('equalto', 'persistence') | list) %}
{%- set top = var('forecast_top_gainers') | int %}
{#- Pairs for the rank correlation grow with the square of the videos: it is taken over a stable sample. -#}
{%- set ranked_sample = var('forecast_rank_sample') %}
{%- set sample_order = 'case when not is_cold_start then ' ~ stable_bucket('video_id', 1000000) ~ ' end' %}

with

batch as (

    select * from {{ ref('int_as_of') }}

),

outcomes as (

    select * from {{ ref('int_forecast_outcomes') }}
    where as_of_date in (select in_batch.as_of_date from batch as in_batch)

),

published as (

    select * from {{ ref('forecasts') }}
    where as_of_date >= {{ window_start(ref('int_as_of'), (forecast_horizons() | max) // 24 + 1) }}

),

scored as (

    select
        outcomes.as_of_date,
        outcomes.forecast_date,
        outcomes.market,
        outcomes.video_id,
        outcomes.horizon_hours,
        outcomes.base_plays,
        outcomes.actual_gain as gain_actual,
        outcomes.pace * outcomes.horizon_hours / 24 as gain_so_far,
        outcomes.is_cold_start,
        published.p50 as gain_chosen,
        {%- for model in forecast_models() + forecast_baselines() %}
        outcomes.gain_{{ model }},
        {%- endfor %}
        outcomes.actual_gain between published.p10 and published.p90 as is_covered
    from outcomes
    inner join published
        on
            outcomes.forecast_date = published.as_of_date
            and outcomes.market = published.market
            and outcomes.video_id = published.video_id
            and outcomes.horizon_hours = published.horizon_hours

),

highest as (

    -- The lowest of the highest {{ top }}: no video below it has a place among them, so few have to be put in order.
    select
        as_of_date,
        market,
        horizon_hours,
        {%- for measure in ranked %}
        {{ nth_highest('gain_' ~ measure, top) }} as any_{{ measure }},
        {{ nth_highest('case when not is_cold_start then gain_' ~ measure ~ ' end', top) }} as warm_{{ measure }},
        {%- endfor %}
        {{ nth_lowest(sample_order, ranked_sample) }} as last_of_sample
    from scored
    group by as_of_date, market, horizon_hours

),

contenders as (

    select
        scored.*,
        {%- for measure in ranked %}
        coalesce(scored.gain_{{ measure }} >= highest.any_{{ measure }}, highest.any_{{ measure }} is null)
            as may_be_any_{{ measure }},
        not scored.is_cold_start
        and coalesce(scored.gain_{{ measure }} >= highest.warm_{{ measure }}, highest.warm_{{ measure }} is null)
            as may_be_{{ measure }}{{ ',' if not loop.last }}
        {%- endfor %}
    from scored
    inner join highest
        on
            scored.as_of_date = highest.as_of_date
            and scored.market = highest.market
            and scored.horizon_hours = highest.horizon_hours

),

placed as (

    -- Places among all forecasts of a market and among those with a measured pace; equal values by video id.
    select
        as_of_date,
        market,
        horizon_hours,
        {%- for measure in ranked %}
        row_number() over (
            partition by as_of_date, market, horizon_hours
            order by gain_{{ measure }} desc nulls last, video_id
        ) as place_any_{{ measure }},
        case
            when not is_cold_start
                then
                    row_number() over (
                        partition by as_of_date, market, horizon_hours, is_cold_start
                        order by gain_{{ measure }} desc nulls last, video_id
                    )
        end as place_{{ measure }}{{ ',' if not loop.last }}
        {%- endfor %}
    from contenders
    where {% for measure in ranked %}may_be_any_{{ measure }} or may_be_{{ measure }}{{ ' or ' if not loop.last }}{% endfor %}

),

hits as (

    select
        as_of_date,
        market,
        horizon_hours
        {%- for measure in ranked if measure != 'actual' %},
        count(case when place_any_actual <= {{ top }} and place_any_{{ measure }} <= {{ top }} then 1 end)
            as hits_any_{{ measure }},
        count(case when place_actual <= {{ top }} and place_{{ measure }} <= {{ top }} then 1 end)
            as hits_{{ measure }}
        {%- endfor %}
    from placed
    group by as_of_date, market, horizon_hours

),

sampled as (

    select * from (
        select
            scored.*,
            row_number() over (
                partition by scored.as_of_date, scored.market, scored.horizon_hours
                order by {{ stable_bucket('scored.video_id', 1000000) }}, scored.video_id
            ) as sample_place
        from scored
        inner join highest
            on
                scored.as_of_date = highest.as_of_date
                and scored.market = highest.market
                and scored.horizon_hours = highest.horizon_hours
        where
            not scored.is_cold_start
            and coalesce(
                {{ stable_bucket('scored.video_id', 1000000) }} <= highest.last_of_sample,
                highest.last_of_sample is null
            )
    ) as in_order
    where sample_place <= {{ ranked_sample }}

),

pairs as (

    -- +1 for a pair told in its right order, -1 for the reverse, 0 for a forecast tie.
    select
        first_video.as_of_date,
        first_video.market,
        first_video.horizon_hours,
        count(*) as n_pairs,
        {%- for measure in measures %}
        sum(
            sign(first_video.gain_actual - second_video.gain_actual)
            * sign(first_video.gain_{{ measure }} - second_video.gain_{{ measure }})
        ) as agreement_{{ measure }}{{ ',' if not loop.last }}
        {%- endfor %}
    from sampled as first_video
    inner join sampled as second_video
        on
            first_video.as_of_date = second_video.as_of_date
            and first_video.market = second_video.market
            and first_video.horizon_hours = second_video.horizon_hours
            and first_video.sample_place < second_video.sample_place
            and first_video.gain_actual <> second_video.gain_actual
    group by first_video.as_of_date, first_video.market, first_video.horizon_hours

),

market_sums as (

    {% for measure in measures -%}
    {%- set gain = 'scored.gain_' ~ measure -%}
    {%- set warm = 'case when not scored.is_cold_start then ' -%}
    select
        scored.as_of_date,
        scored.market,
        scored.horizon_hours,
        '{{ measure }}' as model,
        count(*) as n_any,
        count({{ warm }} 1 end) as n,
        {{ exact_sum('scored.gain_actual') }} as actual_any,
        {{ exact_sum(warm ~ 'scored.gain_actual end') }} as actual,
        {{ exact_sum('abs(coalesce(' ~ gain ~ ', 0) - scored.gain_actual)') }} as error_any,
        {{ exact_sum(warm ~ 'abs(' ~ gain ~ ' - scored.gain_actual) end') }} as error,
        {{ exact_sum(warm ~ gain ~ ' - scored.gain_actual end') }} as signed_error,
        {{ exact_sum(
            warm ~ 'abs(' ~ gain ~ ' - scored.gain_actual) / greatest(scored.base_plays + scored.gain_actual, 1) end'
        ) }} as relative_error,
        count(
            {{ warm }} case
                when ({{ gain }} > scored.gain_so_far) = (scored.gain_actual > scored.gain_so_far) then 1
            end end
        ) as right_direction,
        {% if measure == 'chosen' -%}
        count({{ warm }} case when scored.is_covered then 1 end end) as covered,
        count(case when scored.is_covered then 1 end) as covered_any,
        {%- else -%}
        cast(null as bigint) as covered,
        cast(null as bigint) as covered_any,
        {%- endif %}
        {% if measure in ranked -%}
        case when count({{ warm }} 1 end) >= {{ 2 * top }} then max(hits.hits_{{ measure }}) / {{ top }}.0 end
            as precision_at_top,
        case when count(*) >= {{ 2 * top }} then max(hits.hits_any_{{ measure }}) / {{ top }}.0 end
            as precision_at_top_any,
        cast(max(pairs.agreement_{{ measure }}) as double) / max(pairs.n_pairs) as kendall_tau
        {%- else -%}
        cast(null as double) as precision_at_top,
        cast(null as double) as precision_at_top_any,
        cast(null as double) as kendall_tau
        {%- endif %}
    from scored
    inner join hits
        on
            scored.as_of_date = hits.as_of_date
            and scored.market = hits.market
            and scored.horizon_hours = hits.horizon_hours
    left join pairs
        on
            scored.as_of_date = pairs.as_of_date
            and scored.market = pairs.market
            and scored.horizon_hours = pairs.horizon_hours
    group by scored.as_of_date, scored.market, scored.horizon_hours
    {% if not loop.last %}
    union all

    {% endif %}
    {%- endfor %}

),

all_sums as (

    -- Errors add up over markets; rankings are made within a market, so the markets' values are averaged.
    select * from market_sums

    union all

    select
        as_of_date,
        'ALL' as market,
        horizon_hours,
        model,
        sum(n_any) as n_any,
        sum(n) as n,
        {%- for total in ['actual_any', 'actual', 'error_any', 'error', 'signed_error', 'relative_error'] %}
        {{ exact_sum(total) }} as {{ total }},
        {%- endfor %}
        sum(right_direction) as right_direction,
        sum(covered) as covered,
        sum(covered_any) as covered_any,
        {%- for share in ['precision_at_top', 'precision_at_top_any', 'kendall_tau'] %}
        {{ exact_sum(share) }} / nullif(count({{ share }}), 0) as {{ share }}{{ ',' if not loop.last }}
        {%- endfor %}
    from market_sums
    group by as_of_date, horizon_hours, model

)

select
    as_of_date,
    market,
    cast(horizon_hours as integer) as horizon_hours,
    model,
    model in ('{{ forecast_baselines() | join("', '") }}') as is_baseline,
    cast(n as bigint) as n,
    cast(n_any - n as bigint) as n_cold_start,
    actual as actual_gain,
    error as absolute_error,
    round(error / nullif(actual, 0), 9) as wape_gain,
    round(error_any / nullif(actual_any, 0), 9) as wape_gain_with_cold_start,
    round(relative_error / nullif(n, 0), 9) as mape_total,
    round(signed_error / nullif(actual, 0), 9) as bias,
    round(cast(right_direction as double) / nullif(n, 0), 9) as direction_accuracy,
    round(precision_at_top, 9) as precision_at_20,
    round(precision_at_top_any, 9) as precision_at_20_with_cold_start,
    round(kendall_tau, 9) as kendall_tau,
    round(cast(covered as double) / nullif(n, 0), 9) as coverage_80,
    round(cast(covered_any as double) / nullif(n_any, 0), 9) as coverage_80_with_cold_start
from all_sums
