-- noqa: disable=LT02,LT05
{#- The linter cannot place the lines that the loops below write. -#}
{%- set strength = forecast_setting('interval_shrinkage') %}
{%- set prior_widths = forecast_setting('interval_prior') %}
{%- set prior_width -%}
(
            case chosen.segment
                {%- for segment, width in prior_widths.items() %}
                when '{{ segment }}' then {{ width }}
                {%- endfor %}
            end
        )
{%- endset %}
{%- set needed -%} scored forecasts, the challenger needs {{ forecast_setting('minimum_scored') }}{%- endset %}
{%- set too_few = "'retention: only ' || n || ' " ~ needed ~ "'" %}
{%- set none_yet = "'retention: only 0 " ~ needed ~ "'" %}

with

batch as (

    select * from {{ ref('int_as_of') }}

),

candidates as (

    select * from {{ ref('int_forecast_candidates') }}
    where as_of_date in (select in_batch.as_of_date from batch as in_batch)

),

outcomes as (

    select * from {{ ref('int_forecast_outcomes') }}
    where
        as_of_date > {{ window_start(ref('int_as_of'), var('history_days')) }}
        and is_sampled

),

trailing_outcomes as (

    select
        batch.as_of_date as known_on,
        power(
            0.5, cast(batch.as_of_date - outcomes.as_of_date as double) / {{ forecast_setting('score_half_life_days') }}
        ) as recency,
        outcomes.*
    from batch
    inner join outcomes
        on
            outcomes.as_of_date <= batch.as_of_date
            and outcomes.as_of_date > batch.as_of_date - {{ var('history_days') }}

),

trailing_scores as (

    -- Older forecasts count less: the challenger's first ones were made from a fit to a few days.
    select
        known_on,
        market,
        horizon_hours,
        is_cold_start,
        count(*) as n,
        {%- for model in forecast_models() %}
        {{ exact_sum('recency * abs(gain_' ~ model ~ ' - actual_gain)') }}
        / nullif({{ exact_sum('recency * actual_gain') }}, 0) as wape_{{ model }}{{ ',' if not loop.last }}
        {%- endfor %}
    from trailing_outcomes
    group by known_on, market, horizon_hours, is_cold_start

),

misses as (

    {% for model in forecast_models() -%}
    select
        known_on,
        market,
        horizon_hours,
        segment,
        age_bucket,
        '{{ model }}' as model,
        log_miss_{{ model }} as log_miss
    from trailing_outcomes
    where as_of_date > known_on - {{ forecast_setting('interval_days') }}
    {% if not loop.last %}
    union all

    {% endif %}
    {%- endfor %}

),

wide_intervals as (

    select
        known_on,
        horizon_hours,
        model,
        segment,
        count(*) as n,
        {{ quantile('log_miss', 0.1) }} as q10,
        {{ quantile('log_miss', 0.9) }} as q90
    from misses
    group by known_on, horizon_hours, model, segment

),

own_intervals as (

    select
        known_on,
        horizon_hours,
        model,
        segment,
        market,
        age_bucket,
        count(*) as n,
        {{ quantile('log_miss', 0.1) }} as q10,
        {{ quantile('log_miss', 0.9) }} as q90
    from misses
    group by known_on, horizon_hours, model, segment, market, age_bucket

),

choices as (

    select
        known_on,
        market,
        horizon_hours,
        is_cold_start,
        n >= {{ forecast_setting('minimum_scored') }} as is_measured,
        case
            when n >= {{ forecast_setting('minimum_scored') }} and wape_log_linear < wape_retention then 'log_linear'
            else 'retention'
        end as model,
        case
            when n < {{ forecast_setting('minimum_scored') }} then {{ too_few }}
            else
                case when wape_log_linear < wape_retention then 'log_linear' else 'retention' end
                || ': trailing error (WAPE) retention ' || round(wape_retention, 3)
                || ', log_linear ' || round(wape_log_linear, 3) || ' over ' || n || ' scored forecasts'
        end as chosen_because
    from trailing_scores

),

chosen as (

    select
        candidates.*,
        coalesce(choices.model, 'retention') as model,
        coalesce(choices.is_measured, false) as is_measured,
        case when choices.model is null then {{ none_yet }} else choices.chosen_because end as chosen_because
    from candidates
    left join choices
        on
            candidates.as_of_date = choices.known_on
            and candidates.market = choices.market
            and candidates.horizon_hours = choices.horizon_hours
            and candidates.is_cold_start = choices.is_cold_start

),

ranged as (

    select
        chosen.*,
        case when chosen.model = 'log_linear' then (chosen.gain_log_linear + 1) / (chosen.gain_retention + 1) end
            as correction,
        {%- set wide_low = shrunk('wide_intervals.q10', '(-' ~ prior_width ~ ')', 'wide_intervals.n', strength) %}
        {%- set wide_high = shrunk('wide_intervals.q90', prior_width, 'wide_intervals.n', strength) %}
        least({{ shrunk('own_intervals.q10', wide_low, 'own_intervals.n', strength) }}, 0) as log_low,
        greatest({{ shrunk('own_intervals.q90', wide_high, 'own_intervals.n', strength) }}, 0) as log_high
    from chosen
    left join wide_intervals
        on
            chosen.as_of_date = wide_intervals.known_on
            and chosen.horizon_hours = wide_intervals.horizon_hours
            and chosen.model = wide_intervals.model
            and chosen.segment = wide_intervals.segment
    left join own_intervals
        on
            chosen.as_of_date = own_intervals.known_on
            and chosen.horizon_hours = own_intervals.horizon_hours
            and chosen.model = own_intervals.model
            and chosen.segment = own_intervals.segment
            and chosen.market = own_intervals.market
            and chosen.age_bucket = own_intervals.age_bucket

),

carried as (

    -- What a shorter horizon learned holds for a longer one that was not scored yet: else the longer would be told less.
    select
        *,
        coalesce(
            correction,
            case
                when not is_measured
                    then
                        last_value(correction ignore nulls) over (
                            partition by as_of_date, market, video_id
                            order by horizon_hours
                            rows between unbounded preceding and current row
                        )
            end,
            1
        ) as factor
    from ranged

),

drawn as (

    select
        *,
        case
            when correction is not null then gain_log_linear
            when factor = 1 then gain_retention
            else round((gain_retention + 1) * factor - 1, 3)
        end as gain
    from carried

),

rising as (

    -- Plays never fall: a longer horizon brings at least what a shorter one does.
    select
        *,
        max(round(greatest((gain + 1) * exp(log_low) - 1, 0), 3)) over so_far as p10,
        max(greatest(gain, 0)) over so_far as p50,
        max(round((gain + 1) * exp(log_high) - 1, 3)) over so_far as p90
    from drawn
    window
        so_far as (
            partition by as_of_date, market, video_id
            order by horizon_hours
            rows between unbounded preceding and current row
        )

),

placed as (

    select
        rising.*,
        row_number() over (
            partition by rising.as_of_date, rising.video_id, rising.horizon_hours
            order by rising.market = leads.lead_market desc, rising.market asc
        ) as place_over_markets
    from rising
    inner join {{ ref('int_videos_as_of') }} as leads
        on
            rising.as_of_date = leads.as_of_date
            and rising.market = leads.market
            and rising.video_id = leads.video_id

)

-- Plays are one number worldwide: the forecast of the market that leads is that of all markets.
select
    placed.as_of_date,
    placed.market,
    placed.video_id,
    placed.horizon_hours,
    told.base_at as made_at,
    told.target_at,
    told.model,
    told.base_plays,
    told.p10,
    told.p50,
    told.p90,
    told.is_cold_start,
    told.is_stale,
    told.chosen_because,
    told.gain_retention,
    told.gain_log_linear,
    told.gain_persistence,
    told.gain_lifetime_rate,
    told.gain_last_gain
from placed
inner join placed as told
    on
        placed.as_of_date = told.as_of_date
        and placed.video_id = told.video_id
        and placed.horizon_hours = told.horizon_hours
        and told.place_over_markets = 1
