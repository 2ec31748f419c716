-- depends_on: {{ ref('int_as_of') }}
-- noqa: disable=LT02,LT05
{#- The linter cannot place the lines that the loops below write. -#}
{{ config(materialized='incremental', incremental_strategy='as_of') }}

{#-
    What the forecasts that were settled on a date add to each line of the scorecard: counts and sums, so that a mean over
    days is one of rows. Every error stands beside those of the naive forecasts on the same videos.
-#}

{%- set longest = forecast_horizons() | max // 24 + 1 %}

with

{{ scoring_dates(source('meta', 'cutoffs'), ref('int_as_of')) }},

{{ first_tellings(source('told', 'tellings'), ref('int_as_of'), longest) }},

settled as (

    select * from {{ ref('int_settled_forecasts') }}
    where as_of_date in (select batch.as_of_date from {{ ref('int_as_of') }} as batch)

),

twins as (

    select * from {{ ref('int_score_twins') }}
    where as_of_date >= {{ window_start(ref('int_as_of'), longest) }}

),

candidates as (

    select * from {{ ref('int_forecast_candidates') }}
    where as_of_date >= {{ window_start(ref('int_as_of'), longest) }}

),

compared as (

    select
        settled.as_of_date,
        settled.record,
        settled.market,
        settled.is_first_market,
        settled.horizon_hours,
        settled.is_cold_start,
        settled.base_plays,
        settled.age_bucket,
        settled.p10,
        settled.p50,
        settled.p90,
        settled.actual_gain,
        settled.pace * settled.horizon_hours / 24 as gain_so_far,
        -- Of a video without a measured pace no last gain is known: none is expected.
        coalesce(settled.gain_last_gain, 0) as gain_last_gain,
        case
            when settled.is_cold_start then coalesce(own.value, wide.value, 0)
            else coalesce(settled.gain_last_gain, 0) * coalesce(own.value, wide.value, 1)
        end as gain_damped
    from settled
    left join twins as own
        on
            settled.forecast_date = own.as_of_date
            and settled.horizon_hours = own.horizon_hours
            and settled.is_cold_start = own.is_cold_start
            and settled.age_bucket = own.age_bucket
            and own.rank_class = case when settled.is_cold_start then settled.rank_class else 0 end
    left join twins as wide
        on
            settled.forecast_date = wide.as_of_date
            and settled.horizon_hours = wide.horizon_hours
            and settled.is_cold_start = wide.is_cold_start
            and wide.age_bucket = -1

),

made as (

    -- Counted on the next date: what was told live is kept after its own date was built.
    select
        scoring_dates.as_of_date,
        'replay' as record,
        forecasts.as_of_date as forecast_date,
        forecasts.market,
        forecasts.video_id,
        forecasts.horizon_hours,
        forecasts.base_plays,
        forecasts.is_cold_start
    from scoring_dates
    inner join {{ ref('forecasts') }} as forecasts
        on scoring_dates.previous_as_of_date = forecasts.as_of_date

    union all

    select
        scoring_dates.as_of_date,
        'track record' as record,
        tellings.as_of_date as forecast_date,
        forecasts.market,
        forecasts.video_id,
        forecasts.horizon_hours,
        forecasts.base_plays,
        forecasts.is_cold_start
    from scoring_dates
    inner join tellings
        on
            scoring_dates.previous_as_of_date = tellings.as_of_date
            and scoring_dates.cutoff_at >= tellings.told_at
    inner join {{ source('told', 'forecasts') }} as forecasts
        on tellings.telling_id = forecasts.telling_id

),

events as (

    select
        as_of_date,
        record,
        market,
        is_first_market,
        horizon_hours,
        is_cold_start,
        base_plays,
        age_bucket,
        0 as is_made,
        1 as is_due,
        p10,
        p50,
        p90,
        actual_gain,
        gain_so_far,
        gain_last_gain,
        gain_damped
    from compared

    union all

    select
        made.as_of_date,
        made.record,
        made.market,
        row_number() over (
            partition by made.as_of_date, made.record, made.video_id, made.horizon_hours
            order by made.market
        ) = 1 as is_first_market,
        made.horizon_hours,
        made.is_cold_start,
        made.base_plays,
        candidates.age_bucket,
        1 as is_made,
        0 as is_due,
        null as p10,
        null as p50,
        null as p90,
        null as actual_gain,
        null as gain_so_far,
        null as gain_last_gain,
        null as gain_damped
    from made
    left join candidates
        on
            made.forecast_date = candidates.as_of_date
            and made.market = candidates.market
            and made.video_id = candidates.video_id
            and made.horizon_hours = candidates.horizon_hours

),

cells as (

    -- One pass over the videos: what the lines have in common.
    {%- set known = 'actual_gain is not null' %}
    {%- set measured = 'actual_gain is not null and not is_cold_start' %}
    select
        as_of_date,
        record,
        market,
        is_first_market,
        horizon_hours,
        is_cold_start,
        case
            when base_plays < 10000 then 0
            when base_plays < 100000 then 1
            when base_plays < 1000000 then 2
            when base_plays < 10000000 then 3
            when base_plays is not null then 4
        end as size_class,
        least(age_bucket, 3) as age_class,
        sum(is_made) as made,
        sum(is_due) as due,
        sum(case when is_cold_start then is_due else 0 end) as due_cold,
        count(actual_gain) as scored,
        count(case when is_cold_start then actual_gain end) as scored_cold,
        count(case when actual_gain between p10 and p90 then 1 end) as covered,
        count(case when {{ measured }} then gain_so_far end) as directed,
        count(
            case when {{ measured }} and (p50 > gain_so_far) = (actual_gain > gain_so_far) then 1 end
        ) as right_direction,
        count(case when {{ measured }} and actual_gain <= gain_so_far then 1 end) as slowed,
        coalesce({{ exact_sum('actual_gain') }}, 0) as actual_gain,
        coalesce({{ exact_sum('abs(p50 - actual_gain)') }}, 0) as absolute_error,
        coalesce({{ exact_sum('p50 - actual_gain') }}, 0) as signed_error,
        coalesce({{ exact_sum('actual_gain') }}, 0) as error_persistence,
        coalesce({{ exact_sum('abs(gain_last_gain - actual_gain)') }}, 0) as error_last_gain,
        coalesce({{ exact_sum('abs(gain_damped - actual_gain)') }}, 0) as error_damped_gain
    from events
    group by
        as_of_date, record, market, is_first_market, horizon_hours, is_cold_start, size_class, age_class

)

{% for name, condition, by_market in score_strata() -%}
{%- set last_stratum = loop.last -%}
{%- for market in (['market', 'ALL'] if by_market else ['ALL']) -%}
select
    as_of_date,
    record,
    {{ 'market' if market == 'market' else "'ALL' as market" }},
    horizon_hours,
    '{{ name }}' as stratum,
    {%- for column in score_counts() %}
    cast(sum({{ column }}) as bigint) as {{ column }},
    {%- endfor %}
    {%- for column in score_sums() %}
    {{ exact_sum(column) }} as {{ column }}{{ ',' if not loop.last }}
    {%- endfor %}
from cells
where {{ condition }}{{ ' and is_first_market' if market == 'ALL' }}
group by as_of_date, record, horizon_hours{{ ', market' if market == 'market' }}
{% if not (last_stratum and loop.last) %}
union all

{% endif %}
{%- endfor -%}
{%- endfor %}
