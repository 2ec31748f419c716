-- noqa: disable=LT02,LT05
{#- The linter cannot place the lines that the loops below write. -#}
-- depends_on: {{ ref('int_as_of') }}
{{ config(materialized='incremental', incremental_strategy='as_of') }}

{#-
    What the outcomes of a date say of each label and value that videos were told by: of so many with the label, so many
    were seen a day later, and so many of those did what the label promises. Two records, as of the forecasts.
-#}

{%- set longest = forecast_horizons() | max // 24 + 1 %}
{%- set labels = ordered_labels() %}

with

{{ first_tellings(longest) }},

settled as (

    select * from {{ ref('int_settled_forecasts') }}
    where
        as_of_date in (select batch.as_of_date from {{ ref('int_as_of') }} as batch)
        and horizon_hours = 24

),

settled_dates as (

    select distinct
        record,
        forecast_date
    from settled

),

described as (

    select
        'replay' as record,
        videos.as_of_date as forecast_date,
        videos.market,
        videos.video_id,
        videos.action_window,
        videos.status,
        videos.urgency,
        videos.confidence,
        videos.trajectory,
        videos.score
    from {{ ref('videos_daily') }} as videos
    inner join settled_dates
        on
            videos.as_of_date = settled_dates.forecast_date
            and settled_dates.record = 'replay'
    where videos.as_of_date >= {{ window_start(ref('int_as_of'), longest) }}

    union all

    select
        'track record' as record,
        decisions.as_of_date as forecast_date,
        decisions.market,
        decisions.video_id,
        decisions.action_window,
        decisions.status,
        decisions.urgency,
        decisions.confidence,
        decisions.trajectory,
        decisions.score
    from {{ source('told', 'decisions') }} as decisions
    inner join tellings on decisions.telling_id = tellings.telling_id
    inner join settled_dates
        on
            decisions.as_of_date = settled_dates.forecast_date
            and settled_dates.record = 'track record'

),

listed as (

    select
        'replay' as record,
        builds.as_of_date as forecast_date,
        builds.video_id,
        builds.build_priority
    from {{ ref('build_list') }} as builds
    where builds.as_of_date >= {{ window_start(ref('int_as_of'), longest) }}

    union all

    -- One row per video: until November 2026 each market had a list of its own.
    select
        'track record' as record,
        builds.as_of_date as forecast_date,
        builds.video_id,
        min(builds.build_priority) as build_priority
    from {{ source('told', 'build_list') }} as builds
    inner join tellings on builds.telling_id = tellings.telling_id
    group by builds.as_of_date, builds.video_id

),

tenths as (

    select
        *,
        ntile(10) over (
            partition by record, forecast_date, market
            order by score desc, video_id
        ) as tenth
    from described

),

ranked as (

    -- The best fifth of those seen again, of each market and day. Nothing gained is never among them.
    select
        *,
        rank() over (
            partition by as_of_date, record, forecast_date, market
            order by actual_gain desc nulls last
        ) as gain_rank,
        count(actual_gain) over (partition by as_of_date, record, forecast_date, market) as known
    from settled

),

told as (

    select
        ranked.as_of_date,
        ranked.record,
        ranked.actual_gain,
        case
            when ranked.actual_gain is not null
                then ranked.actual_gain > 0 and ranked.gain_rank <= ceil({{ var('decision_right_share') }} * ranked.known)
        end as is_top,
        case
            when ranked.actual_gain is not null
                then abs({{ log_of_count('ranked.actual_gain') }} - {{ log_of_count('ranked.p50') }}) <= ln(2)
        end as is_near,
        case when ranked.actual_gain is not null then ranked.actual_gain >= 0.7 * ranked.gain_last_gain end as goes_on,
        coalesce(listed.build_priority, 'not listed') as build_priority,
        tenths.action_window,
        tenths.status,
        coalesce(tenths.urgency, 'NONE') as urgency,
        tenths.confidence,
        tenths.trajectory,
        case
            {%- for value in labels['Score'] %}
            when tenths.score is not null and tenths.tenth = {{ loop.index }} then '{{ value }}'
            {%- endfor %}
        end as score_tenth
    from ranked
    inner join tenths
        on
            ranked.record = tenths.record
            and ranked.forecast_date = tenths.forecast_date
            and ranked.market = tenths.market
            and ranked.video_id = tenths.video_id
    left join listed
        on
            ranked.record = listed.record
            and ranked.forecast_date = listed.forecast_date
            and ranked.video_id = listed.video_id
    where ranked.is_first_market

)

{% for label, values in labels.items() -%}
{%- set column = label_column(label) %}
select
    as_of_date,
    record,
    '{{ label }}' as label,
    {{ column }} as value,
    case {{ column }}
        {%- for value in values %}
        when '{{ value }}' then {{ loop.index }}
        {%- endfor %}
        else 0
    end as place,
    count(*) as due,
    count(actual_gain) as scored,
    count(case when {{ label_hit(label) }} then 1 end) as hits,
    {{ quantile_in_group('actual_gain', 0.5) }} as median_gain
from told
where {{ column }} in ('{{ (values + unordered_values(label)) | join("', '") }}')
group by as_of_date, record, {{ column }}
{% if not loop.last %}
union all

{% endif %}
{%- endfor %}
