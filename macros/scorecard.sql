{#
  Parts that the models of the scorecard share: what was told as a fact and what today's models say of a past day are two
  records, never one.
#}

{# The two records. A score names the one it is of. #}
{% macro score_records() -%}
    {{ return(['replay', 'track record']) }}
{%- endmacro %}

{#
  CTEs that end in `scoring_dates`: the dates of a batch with their cut-off and the one before them. Both relations are
  named by the model: `cutoffs` of all dates, and the batch.
#}
{% macro scoring_dates(stored_cutoffs, batch) -%}
cutoffs as (

    select
        as_of_date,
        cutoff_at,
        lag(cutoff_at) over (order by as_of_date) as previous_cutoff_at,
        lag(as_of_date) over (order by as_of_date) as previous_as_of_date
    from {{ stored_cutoffs }}

),

scoring_dates as (

    select
        batch.as_of_date,
        batch.cutoff_at,
        coalesce(cutoffs.previous_cutoff_at, batch.cutoff_at - interval 1 day) as previous_cutoff_at,
        coalesce(cutoffs.previous_as_of_date, batch.as_of_date - 1) as previous_as_of_date
    from {{ batch }} as batch
    inner join cutoffs on batch.as_of_date = cutoffs.as_of_date

)
{%- endmacro %}

{#
  CTE `tellings`: the first telling of each date that was live, of the last `days` before a batch. A date that was told
  again keeps what was told first: people had acted on it. Relations as above.
#}
{% macro first_tellings(stored_tellings, batch, days) -%}
tellings as (

    select
        as_of_date,
        min(telling_id) as telling_id,
        min(told_at) as told_at
    from {{ stored_tellings }}
    where
        kind = 'daily'
        and is_live
        and as_of_date >= {{ window_start(batch, days) }}
    group by as_of_date

)
{%- endmacro %}

{#
  Groups of forecasts that are scored apart: name, condition on a cell of int_score_days, and whether each market has a
  line of its own.
#}
{% macro score_strata() -%}
    {{ return([
        ('all', 'true', true),
        ('warm', 'not is_cold_start', true),
        ('cold', 'is_cold_start', true),
        ('under 10k plays', 'size_class = 0', false),
        ('10k to 100k plays', 'size_class = 1', false),
        ('100k to 1m plays', 'size_class = 2', false),
        ('1m to 10m plays', 'size_class = 3', false),
        ('over 10m plays', 'size_class = 4', false),
        ('day 1 of its age', 'age_class = 0', false),
        ('day 2 of its age', 'age_class = 1', false),
        ('day 3 of its age', 'age_class = 2', false),
        ('older than 3 days', 'age_class = 3', false),
    ]) }}
{%- endmacro %}

{# Counts and sums that a line of the scorecard is made of; columns of int_score_days. #}
{% macro score_counts() -%}
    {{ return(['made', 'due', 'due_cold', 'scored', 'scored_cold', 'covered', 'directed', 'right_direction', 'slowed']) }}
{%- endmacro %}

{% macro score_sums() -%}
    {{ return([
        'actual_gain', 'absolute_error', 'signed_error', 'error_persistence', 'error_last_gain', 'error_damped_gain',
    ]) }}
{%- endmacro %}

{#
  The same of dates that have a panel, where those that left the feeds are known by a sample: `kept_` sums are of all
  that have an outcome in a feed, `left_` sums of those that have none and were read again, each as often as it stands
  for others.
#}
{% macro panel_counts() -%}
    {{ return(['panel_due', 'panel_scored', 'panel_read', 'panel_gone']) }}
{%- endmacro %}

{% macro panel_measures() -%}
    {{ return(['actual_gain', 'absolute_error', 'signed_error', 'covered', 'error_last_gain', 'error_damped_gain']) }}
{%- endmacro %}

{% macro panel_sums() -%}
    {%- set sums = ['lost_gain', 'left_weight', 'gone_weight'] -%}
    {%- for measure in panel_measures() -%}
        {%- do sums.append('kept_' ~ measure) -%}
        {%- do sums.append('left_' ~ measure) -%}
    {%- endfor -%}
    {{ return(sums) }}
{%- endmacro %}

{# Naive forecasts that the chosen one is shown beside; the best of them is its twin. #}
{% macro score_twins() -%}
    {{ return(['persistence', 'last_gain', 'damped_gain']) }}
{%- endmacro %}

{# Class of a place in a feed, best first. #}
{% macro feed_rank_class(feed_rank) -%}
    case
        when {{ feed_rank }} <= 10 then 1
        when {{ feed_rank }} <= 30 then 2
        when {{ feed_rank }} <= 100 then 3
        else 4
    end
{%- endmacro %}

{#
  Labels that users read as an order, best first: where a label stands of a video, and its values in the order they
  claim. Values that are not named here (a new one, a classic one) are not scored.
#}
{% macro ordered_labels() -%}
    {{ return({
        'Build Priority': ['🔴 BUILD_IMMEDIATELY', '🟠 BUILD_TODAY', '⚪ NEXT', 'not listed'],
        'Action Window': [
            '🔴 ACT NOW', '🟠 6-12H', '🟡 12-24H', '🟢 MONITOR', '⚠️ WINDOW CLOSING', '⚠️ PEAKED', '❌ TOO LATE',
        ],
        'Status': ['🚀 SPIKING', '📈 RISING', '📉 COOLING', '❄️ DYING'],
        'URGENCY': ['🔥 URGENT', '⚡ HIGH', '🟡 WATCH', 'NONE'],
        'Score': [
            'top tenth', '2nd tenth', '3rd tenth', '4th tenth', '5th tenth', '6th tenth', '7th tenth', '8th tenth',
            '9th tenth', 'last tenth',
        ],
        'Trajectory': [
            '🚀 EXPLOSIVE', '📈 STRONG', '↗️ MODERATE', '➡️ FLAT', '↘️ DECLINING', '📉 CRASHING',
        ],
        'Confidence': ['HIGH', 'MEDIUM', 'LOW'],
        'Lifecycle': ['rising', 'resurged', 'emerging', 'peaking', 'declining', 'sparse', 'dead'],
    }) }}
{%- endmacro %}

{# Where a label stands in int_label_days. #}
{% macro label_column(label) -%}
    {{ return({
        'Build Priority': 'build_priority', 'Action Window': 'action_window', 'Status': 'status', 'URGENCY': 'urgency',
        'Score': 'score_tenth', 'Trajectory': 'trajectory', 'Confidence': 'confidence',
    }[label]) }}
{%- endmacro %}

{#
  Values that have no place in their label's order: nothing is known yet. They have a line, at place 0.
#}
{% macro unordered_values(label) -%}
    {{ return({'Status': ['🆕 NEW'], 'Lifecycle': ['new']}.get(label, [])) }}
{%- endmacro %}

{#
  What a label promises of its first value: a place in the next day's top fifth; of a trajectory that the last gain goes
  on; of confidence a gain between half and double of what was told. (Of a trend's stage: a new use within three days,
  in int_label_days.)
#}
{% macro label_hit(label) -%}
    {{ return({'Confidence': 'is_near', 'Trajectory': 'goes_on'}.get(label, 'is_top')) }}
{%- endmacro %}

{#
  CTEs that draw samples of a window's days, of a Poisson bootstrap (Hanley and MacGibbon, 2006): `draws` has for each draw
  how often each of `day_numbers` came up, as a list in their order; the same samples for all lines, and in every run.
  What is summed over the days of a draw is the `dot_product` with a list of the days, 0 where there is nothing: a row for
  each day and draw took a quarter of the time of a year.
#}
{% macro day_weights() -%}
{%- set window = var('scorecard_days') | int %}
{%- set draws = var('scorecard_draws') | int %}
{#- Chances of 0, 1, 2 ... of a Poisson number with mean 1, added up, in millionths. -#}
{%- set poisson = [367879, 735759, 919699, 981012, 996340, 999406] -%}
draw_numbers as (

    select {{ explode_list(whole_numbers(draws)) }} as draw

),

day_numbers as (

    select {{ explode_list(whole_numbers(window)) }} as days_ago

),

chances as (

    select
        draw_numbers.draw,
        day_numbers.days_ago,
        {{ stable_bucket("'draw ' || draw_numbers.draw || ' day ' || day_numbers.days_ago", 1000000) }} as chance
    from draw_numbers
    cross join day_numbers

),

weights as (

    select
        draw,
        days_ago,
        case
            {%- for below in poisson %}
            when chance < {{ below }} then {{ loop.index0 }}
            {%- endfor %}
            else {{ poisson | length }}
        end as weight
    from chances

),

draws as (

    select
        draw,
        {{ list_in_order('cast(weight as double)', 'days_ago') }} as weights
    from weights
    group by draw

)
{%- endmacro %}

{# Values of a window's days as a list in the order of the days, 0 where there is none; for `dot_product` with a draw. #}
{% macro by_day(value, days_ago) -%}
    {{ list_in_order('cast(coalesce(' ~ value ~ ', 0) as double)', days_ago) }}
{%- endmacro %}

{#
  Kinds of lines that the scorecard puts together: where they are computed, and which of its columns only they have.
#}
{% macro scorecard_parts() -%}
    {{ return({
        'int_scorecard_forecasts': [
            'share_cold', 'bias', 'coverage_80', 'direction_accuracy', 'slowed_share', 'score_low', 'score_high',
            'panel_first_days_ago', 'panel_days', 'panel_due', 'panel_read', 'panel_gone', 'panel_score',
            'panel_twin', 'panel_twin_score', 'panel_skill', 'panel_skill_low', 'panel_skill_high', 'panel_bias',
            'panel_coverage_80',
        ],
        'int_scorecard_labels': ['median_gain'],
        'int_scorecard_outlooks': [],
    }) }}
{%- endmacro %}
