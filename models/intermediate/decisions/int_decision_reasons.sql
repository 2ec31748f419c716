{#-
    The decisions in words: three reasons in numbers, and what would change it. Nothing is decided here. The words are
    rows, not made by each file: `would_change_if` is a column of the build list, and what people were told is kept.
-#}

{%- set horizon = var('decision_horizon_hours') | int %}
{%- set production = var('production_hours') %}

with

decided as (

    select * from {{ ref('int_video_decisions') }}

),

metrics as (

    select
        as_of_date,
        market,
        video_id,
        age_hours,
        velocity,
        momentum_score,
        oddities,
        coalesce(is_believed, true) as is_believed
    from {{ ref('int_video_metrics') }}

),

numbered as (

    -- Of a video in several markets the one in which it stands highest is told.
    select
        decided.*,
        metrics.age_hours,
        metrics.velocity,
        metrics.momentum_score,
        metrics.oddities,
        metrics.is_believed
    from decided
    inner join metrics
        on
            decided.as_of_date = metrics.as_of_date
            and decided.told_in_market = metrics.market
            and decided.video_id = metrics.video_id

)

select
    as_of_date,
    market,
    video_id,
    case
        when not is_believed then 'not believed: ' || {{ entries_as_text('oddities', ', ') }}
        when gain_p50 is null then 'no forecast: the feed gives no plays'
        else
            'gain to come in {{ horizon }} h: ' || cast(round(gain_p50) as bigint)
            || ' views in the middle case, at least ' || cast(round(gain_p10) as bigint)
            || ' in 9 of 10, place ' || gain_place || ' of ' || ranked_videos || ' in ' || told_in_market
            || '; window left ' || {{ in_tenths('window_left_hours') }}
            || ' h against {{ production }} h of production; trend '
            || coalesce(
                trend_lifecycle || ' (' || {{ in_tenths('trend_window_left_h') }} || ' h left)',
                'not staged'
            ) || ', ' || trend_creators
            || case when trend_creators = 1 then ' creator today' else ' creators today' end
    end as measured_reasons,
    case
        when not is_believed then 'a reading that can be believed'
        when gain_p50 is null then 'a reading with plays'
        when window_left_hours < {{ production }}
            then
                'a new rise: the window of ' || {{ in_tenths('window_left_hours') }}
                || ' h must exceed {{ production }} h'
        when gain_p50 < {{ var('decision_minimum_gain') }}
            then
                'a middle gain of {{ var("decision_minimum_gain") }} views to come, it is '
                || cast(round(gain_p50) as bigint)
        when measured_is_build
            then
                'falling below ' || {{ short_number('coalesce(build_bar, 0)') }}
                || ' views to come on average (place '
                || cast(cast(build_places as bigint) as string) || '), or a window under {{ production }} h'
        when trend_lifecycle = 'dead' and measured_action_window = '❌ TOO LATE'
            then 'new uses of the trend: it is dead'
        when gain_place <= build_places
            then
                'a surer forecast: {{ var("decision_minimum_gain") }} views in 9 of 10 cases, now '
                || cast(round(gain_p10) as bigint)
        else
            'a gain of ' || cast(round(coalesce(build_bar, 0)) as bigint)
            || ' views to come on average (place '
            || cast(cast(build_places as bigint) as string) || '), it is '
            || cast(round(gain_expected) as bigint)
    end as measured_would_change_if,
    'velocity ' || coalesce({{ in_tenths('velocity') }}, 'not known') || ' momentum points a day; momentum '
    || coalesce({{ in_tenths('momentum_score') }}, 'not known') || '; age '
    || {{ in_tenths('age_hours') }} || ' h' as classic_reasons,
    case
        when age_hours > 60 then 'nothing: the video is older than 60 h'
        when velocity is null then 'a reading on a second day'
        when classic_is_build
            then 'a velocity under 100 (now ' || {{ in_tenths('velocity') }} || '), or an age over 60 h'
        else
            'a velocity of 100 and a momentum of 500 (now ' || {{ in_tenths('velocity') }} || ' and '
            || {{ in_tenths('momentum_score') }} || ')'
    end as classic_would_change_if
from numbered
