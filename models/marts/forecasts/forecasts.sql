{#- Lines of a loop stand in the indentation of the loop.
-- sqlfluff:exclude_rules:LT02,LT05
-#}
{%- set strength = var('forecast_interval_shrinkage') %}
{%- set prior_widths = var('forecast_interval_prior') %}
{%- set prior_width -%}
(
            case chosen.segment
                {%- for segment, width in prior_widths.items() %}
                when '{{ segment }}' then {{ width }}
                {%- endfor %}
            end
        )
{%- endset %}
{%- set contestants = forecast_contestants() %}
{%- set interval_days = [var('forecast_interval_days'), var('forecast_interval_days_of_group')] | max %}

with

batch as (

    select * from {{ ref('int_as_of') }}

),

candidates as (

    select
        made.*,
        tree_gains.log_factor
    from {{ ref('int_forecast_candidates') }} as made
    left join {{ ref('int_forecast_tree_gains') }} as tree_gains
        on
            made.as_of_date = tree_gains.as_of_date
            and made.market = tree_gains.market
            and made.video_id = tree_gains.video_id
            and tree_gains.as_of_date >= {{ window_start(ref('int_as_of'), 0) }}
    where made.as_of_date in (select in_batch.as_of_date from batch as in_batch)

),

said as (

    select
        *,
        {{ forecast_size_class('base_plays') }} as size_class,
        {{ forecast_age_class('age_bucket') }} as age_class,
        {{ tree_gain() }} as gain_trees
    from candidates

),

known_trials as (

    select
        batch.as_of_date as known_on,
        trials.*
    from batch
    inner join {{ ref('int_forecast_trials') }} as trials
        on
            trials.as_of_date <= batch.as_of_date
            and trials.as_of_date > batch.as_of_date - {{ interval_days }}
    where trials.as_of_date > {{ window_start(ref('int_as_of'), interval_days) }}

),

misses as (

    {% for model in contestants -%}
    select
        known_on,
        horizon_hours,
        horizon_hours > 48 as is_long,
        segment,
        is_cold_start,
        size_class,
        age_class,
        '{{ model }}' as model,
        log_miss_{{ model }} as log_miss,
        as_of_date > known_on - {{ var('forecast_interval_days') }} as is_late
    from known_trials
    where log_miss_{{ model }} is not null
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

size_intervals as (

    -- Small videos are off by more than large ones, in logs, at 24 h as at 48.
    select
        known_on,
        is_long,
        model,
        is_cold_start,
        size_class,
        count(*) as n,
        {{ quantile('log_miss', 0.1) }} as q10,
        {{ quantile('log_miss', 0.9) }} as q90
    from misses
    group by known_on, is_long, model, is_cold_start, size_class

),

own_intervals as (

    select
        known_on,
        horizon_hours,
        model,
        is_cold_start,
        size_class,
        age_class,
        count(*) as n,
        {{ quantile('log_miss', 0.1) }} as q10,
        {{ quantile('log_miss', 0.9) }} as q90
    from misses
    where is_late
    group by known_on, horizon_hours, model, is_cold_start, size_class, age_class

),

chosen as (

    select
        said.*,
        coalesce(choices.model, 'retention') as model,
        coalesce(choices.is_measured, false) as is_measured,
        case when choices.is_moved then choices.log_shift else 0 end as log_shift,
        coalesce(choices.chosen_because, 'retention: only 0 {{ forecasts_needed() }}') as chosen_because
    from said
    left join {{ ref('int_forecast_choices') }} as choices
        on
            said.as_of_date = choices.as_of_date
            and said.horizon_hours = choices.horizon_hours
            and said.is_cold_start = choices.is_cold_start

),

ranged as (

    select
        chosen.*,
        case
            chosen.model
            {%- for model in contestants %}
            when '{{ model }}' then coalesce(chosen.gain_{{ model }}, chosen.gain_retention)
            {%- endfor %}
        end as gain_model,
        {%- for q, name, prior in [('q10', 'log_low', '(-' ~ prior_width ~ ')'), ('q90', 'log_high', prior_width)] %}
        {%- set wide = shrunk('wide_intervals.' ~ q, prior, 'wide_intervals.n', strength) %}
        {%- set of_size = shrunk('size_intervals.' ~ q, wide, 'size_intervals.n', strength) %}
        {{ shrunk('own_intervals.' ~ q, of_size, 'own_intervals.n', strength * 2) }} as {{ name }}{{ ',' if not loop.last }}
        {%- endfor %}
    from chosen
    left join wide_intervals
        on
            chosen.as_of_date = wide_intervals.known_on
            and chosen.horizon_hours = wide_intervals.horizon_hours
            and chosen.model = wide_intervals.model
            and chosen.segment = wide_intervals.segment
    left join size_intervals
        on
            -- Where the horizon itself was scored: what another one missed is carried with its correction already.
            chosen.is_measured
            and chosen.as_of_date = size_intervals.known_on
            and (chosen.horizon_hours > 48) = size_intervals.is_long
            and chosen.model = size_intervals.model
            and chosen.is_cold_start = size_intervals.is_cold_start
            and chosen.size_class = size_intervals.size_class
    left join own_intervals
        on
            chosen.as_of_date = own_intervals.known_on
            and chosen.horizon_hours = own_intervals.horizon_hours
            and chosen.model = own_intervals.model
            and chosen.is_cold_start = own_intervals.is_cold_start
            and chosen.size_class = own_intervals.size_class
            and chosen.age_class = own_intervals.age_class

),

corrected as (

    select
        *,
        -- A count over a rule's, in logs: what the chosen model and its shift learned.
        case
            when is_measured
                then ln((greatest(gain_model, 0) + 1) / (greatest(gain_retention, 0) + 1)) + log_shift
        end as log_correction
    from ranged

),

carried as (

    -- What a shorter horizon learned holds for a longer one that was not scored yet: else the longer would be told less.
    select
        *,
        coalesce(
            log_correction,
            {{ last_known('log_correction') }} over (
                partition by as_of_date, market, video_id
                order by horizon_hours
                rows between unbounded preceding and current row
            ),
            0
        ) as log_moved
    from corrected

),

drawn as (

    select
        *,
        round((greatest(gain_retention, 0) + 1) * exp(log_moved) - 1, 3) as gain,
        -- The range belongs to the model as it is, or to what was carried from a shorter horizon.
        case when is_measured then gain_model else (greatest(gain_retention, 0) + 1) * exp(log_moved) - 1 end
            as gain_of_range
    from carried

),

rising as (

    -- Plays never fall: a longer horizon brings at least what a shorter one does.
    select
        *,
        max(greatest(least(round((gain_of_range + 1) * exp(log_low) - 1, 3), gain), 0)) over so_far as p10,
        max(greatest(gain, 0)) over so_far as p50,
        max(greatest(round((gain_of_range + 1) * exp(log_high) - 1, 3), gain, 0)) over so_far as p90
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
    told.gain_trees,
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
