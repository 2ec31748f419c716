with

decided as (

    select * from {{ ref('int_video_decisions') }}

),

reasons as (

    select * from {{ ref('int_decision_reasons') }}

),

cutoffs as (

    select * from {{ ref('int_as_of') }}

)

{% for mode in ['classic', 'measured'] -%}
select
    decided.as_of_date,
    decided.market,
    decided.video_id,
    '{{ mode }}' as decision_mode,
    decided.horizon_hours,
    cutoffs.cutoff_at as decided_at,
    decided.{{ mode }}_action_window as action_window,
    decided.{{ mode }}_trajectory as trajectory,
    decided.{{ mode }}_recommended_variants as recommended_variants,
    decided.{{ mode }}_stop_reason is not null as stop_building,
    decided.{{ mode }}_stop_reason as stop_reason,
    decided.{{ mode }}_is_build as is_build,
    decided.gain_p50,
    decided.gain_p10,
    decided.gain_expected,
    decided.window_left_hours,
    reasons.{{ mode }}_reasons as decision_reasons,
    reasons.{{ mode }}_would_change_if as would_change_if
from decided
inner join reasons
    on
        decided.as_of_date = reasons.as_of_date
        and decided.market = reasons.market
        and decided.video_id = reasons.video_id
inner join cutoffs
    on decided.as_of_date = cutoffs.as_of_date
{% if not loop.last %}
union all

{% endif %}
{%- endfor %}
