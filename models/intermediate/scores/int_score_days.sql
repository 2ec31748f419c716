{#- Lines of a loop stand in the indentation of the loop.
-- sqlfluff:exclude_rules:LT02,LT05
-#}
-- depends_on: {{ ref('int_as_of') }}
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

panels as (

    -- What has a panel, and so a sample of those that left.
    select distinct
        as_of_date,
        market,
        horizon_hours
    from {{ source('meta', 'panel_choices') }}
    where as_of_date >= {{ window_start(ref('int_as_of'), longest) }}

),

panel_outcomes as (

    -- Read twice within its time, a video has the first of the two.
    select
        *,
        row_number() over (
            partition by forecast_date, market, video_id, horizon_hours
            order by as_of_date
        ) as place
    from {{ ref('int_panel_outcomes') }}
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
        panels.as_of_date is not null and not settled.is_stale as has_panel,
        -- One that has an outcome in a feed stands for itself.
        case when settled.actual_gain is null then 1 / panel_outcomes.probability end as panel_weight,
        case when settled.actual_gain is null then panel_outcomes.is_gone end as is_gone,
        case
            when settled.actual_gain is null
                then
                    greatest(panel_outcomes.plays - settled.base_plays, 0) * settled.horizon_hours
                    / {{ hours_between('settled.made_at', 'panel_outcomes.observed_at') }}
        end as panel_gain,
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
    left join panels
        on
            settled.forecast_date = panels.as_of_date
            and settled.market = panels.market
            and settled.horizon_hours = panels.horizon_hours
    left join panel_outcomes
        on
            settled.as_of_date >= panel_outcomes.as_of_date
            and settled.forecast_date = panel_outcomes.forecast_date
            and settled.market = panel_outcomes.market
            and settled.video_id = panel_outcomes.video_id
            and settled.horizon_hours = panel_outcomes.horizon_hours
            and panel_outcomes.place = 1
            and not settled.is_stale

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
        gain_damped,
        has_panel,
        panel_weight,
        is_gone,
        panel_gain
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
        null as gain_damped,
        false as has_panel,
        null as panel_weight,
        null as is_gone,
        null as panel_gain
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
        coalesce({{ exact_sum('abs(gain_damped - actual_gain)') }}, 0) as error_damped_gain,
        coalesce({{ exact_sum('case when is_due = 1 and actual_gain is null then p50 end') }}, 0) as lost_gain,
        {%- set measures = {
            'actual_gain': 'GAIN', 'absolute_error': 'abs(p50 - GAIN)', 'signed_error': 'p50 - GAIN',
            'covered': 'case when GAIN between p10 and p90 then 1 else 0 end',
            'error_last_gain': 'abs(gain_last_gain - GAIN)', 'error_damped_gain': 'abs(gain_damped - GAIN)',
        } %}
        sum(case when has_panel then is_due else 0 end) as panel_due,
        count(case when has_panel then actual_gain end) as panel_scored,
        count(panel_gain) as panel_read,
        count(case when is_gone then 1 end) as panel_gone,
        coalesce({{ exact_sum('case when panel_gain is not null then panel_weight end') }}, 0) as left_weight,
        coalesce({{ exact_sum('case when is_gone then panel_weight end') }}, 0) as gone_weight,
        {%- for measure in panel_measures() %}
        {%- set value = measures[measure] %}
        {%- set kept = 'case when has_panel and actual_gain is not null then ' ~ value ~ ' end' %}
        {%- set left = 'case when panel_gain is not null then panel_weight * (' ~ value ~ ') end' %}
        coalesce({{ exact_sum(kept | replace('GAIN', 'actual_gain')) }}, 0) as kept_{{ measure }},
        coalesce({{ exact_sum(left | replace('GAIN', 'panel_gain')) }}, 0) as left_{{ measure }}{{ ',' if not loop.last }}
        {%- endfor %}
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
    {%- for column in score_counts() + panel_counts() %}
    cast(sum({{ column }}) as bigint) as {{ column }},
    {%- endfor %}
    {%- for column in score_sums() + panel_sums() %}
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
