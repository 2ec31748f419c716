-- depends_on: {{ ref('int_as_of') }}
{{ config(materialized='incremental', incremental_strategy='as_of') }}

{#-
    What became of the panel: the reading nearest to the middle of the time in which one tells the outcome, on the date
    that it came. A count that did not rise is an outcome, also a rounded one: both ends are rounded, which adds noise to
    the error of a large video and no bias to the sum; leaving such readings out would leave those that jumped a step.
-#}

{%- set longest = forecast_horizons() | max // 24 + 1 %}

with

{{ scoring_dates(source('meta', 'cutoffs'), ref('int_as_of')) }},

choices as (

    select * from {{ source('meta', 'panel_choices') }}
    where as_of_date >= {{ window_start(ref('int_as_of'), longest) }}

),

answers as (

    select
        scoring_dates.as_of_date,
        panel.video_id,
        panel.observed_at,
        panel.plays,
        panel.is_gone
    from scoring_dates
    inner join {{ ref('stg_tiktok__panel') }} as panel
        on
            panel.observed_at > scoring_dates.previous_cutoff_at
            and panel.observed_at <= scoring_dates.cutoff_at
    where panel.observed_date >= {{ window_start(ref('int_as_of'), longest) }}

),

matched as (

    select
        answers.as_of_date,
        choices.as_of_date as forecast_date,
        choices.market,
        choices.video_id,
        choices.horizon_hours,
        choices.stratum,
        choices.probability,
        answers.observed_at,
        answers.plays,
        answers.is_gone,
        row_number() over (
            partition by choices.as_of_date, choices.market, choices.video_id, choices.horizon_hours
            order by
                answers.as_of_date,
                abs(
                    {{ hours_between('choices.read_from', 'answers.observed_at') }}
                    - {{ hours_between('answers.observed_at', 'choices.read_until') }}
                ),
                answers.observed_at
        ) as place
    from answers
    inner join choices
        on
            answers.video_id = choices.video_id
            and answers.observed_at >= choices.read_from
            and answers.observed_at <= choices.read_until
            and answers.as_of_date > choices.as_of_date

)

select
    as_of_date,
    forecast_date,
    market,
    video_id,
    horizon_hours,
    stratum,
    probability,
    observed_at,
    plays,
    is_gone
from matched
where place = 1
