{#
  CTEs from `batch` to `judged`: every decision whose outcome is known by a date of the batch on which some came in for
  its date, and whether its video was one to build: in the top share of the gains of its market and day.

  Args: the horizon in hours; relations of the batch, of outcomes and of decisions.
#}
{% macro judged_decisions(horizon, batch, outcomes, decisions) -%}
{%- set days_back = horizon // 24 + 2 -%}
batch as (

    select * from {{ batch }}

),

outcomes as (

    select * from {{ outcomes }}
    where
        horizon_hours = {{ horizon }}
        and as_of_date >= {{ window_start(batch, days_back) }}

),

came_in as (

    select distinct
        as_of_date,
        forecast_date
    from outcomes
    where {{ of_batch('batch') }}

),

decided as (

    -- Of these dates alone: the texts of other days would be carried along.
    select * from {{ decisions }}
    where
        as_of_date >= {{ window_start(batch, days_back) }}
        and as_of_date in (select came_in.forecast_date from came_in)

),

known_outcomes as (

    select
        came_in.as_of_date,
        came_in.forecast_date as decision_date,
        outcomes.market,
        outcomes.video_id,
        outcomes.actual_gain
    from came_in
    inner join outcomes
        on
            came_in.forecast_date = outcomes.forecast_date
            and came_in.as_of_date >= outcomes.as_of_date

),

ranked as (

    select
        *,
        rank() over (partition by as_of_date, decision_date, market order by actual_gain desc) as gain_rank,
        count(*) over (partition by as_of_date, decision_date, market) as videos
    from known_outcomes

),

judged as (

    select
        ranked.as_of_date,
        ranked.decision_date,
        ranked.market,
        ranked.video_id,
        decided.decision_mode,
        decided.is_build,
        decided.gain_expected,
        ranked.actual_gain,
        ranked.gain_rank,
        ranked.videos,
        ranked.actual_gain > 0
        and ranked.gain_rank <= ceil({{ var('decision_right_share') }} * ranked.videos) as is_right
    from ranked
    inner join decided
        on
            ranked.decision_date = decided.as_of_date
            and ranked.market = decided.market
            and ranked.video_id = decided.video_id
    where ranked.videos >= {{ var('decision_minimum_scored') }}

)
{%- endmacro %}
