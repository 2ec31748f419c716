{#- Lines of a loop stand in the indentation of the loop.
-- sqlfluff:exclude_rules:LT02,LT05
-#}
-- depends_on: {{ ref('int_as_of') }}
{{ config(materialized='incremental', incremental_strategy='as_of') }}

{#-
    What the outcomes of a date say of each label and value that videos were told by: of so many with the label, so many
    were seen a day later, and so many of those did what the label promises. Two records, as of the forecasts.
-#}

{%- set longest = forecast_horizons() | max // 24 + 1 %}
{%- set labels = ordered_labels() %}

with

{{ first_tellings(source('told', 'tellings'), ref('int_as_of'), longest) }},

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

),

stages as (

    -- Three days on: whether the feeds since held a new use of the trend. Without a feed of its market there is no
    -- outcome. A stage is of today's models: no live run has told it as a fact.
    select
        batch.as_of_date,
        trends.market,
        trends.trend_key,
        trends.lifecycle
    from {{ ref('trends_daily') }} as trends
    inner join {{ ref('int_as_of') }} as batch
        on trends.as_of_date = batch.as_of_date - 3
    where trends.as_of_date >= {{ window_start(ref('int_as_of'), 3) }}

),

later_uses as (

    select
        batch.as_of_date,
        uses.market,
        uses.trend_key,
        sum(uses.new_uses) as new_uses
    from {{ ref('int_trend_uses') }} as uses
    inner join {{ ref('int_as_of') }} as batch
        on uses.as_of_date between batch.as_of_date - 2 and batch.as_of_date
    where uses.as_of_date >= {{ window_start(ref('int_as_of'), 2) }}
    group by batch.as_of_date, uses.market, uses.trend_key

),

fed as (

    select distinct
        as_of_date,
        market
    from later_uses

),

staged as (

    select
        stages.as_of_date,
        stages.lifecycle,
        case when fed.market is not null then coalesce(later_uses.new_uses, 0) end as new_uses
    from stages
    left join fed
        on
            stages.as_of_date = fed.as_of_date
            and stages.market = fed.market
    left join later_uses
        on
            stages.as_of_date = later_uses.as_of_date
            and stages.market = later_uses.market
            and stages.trend_key = later_uses.trend_key

)

{% for label, values in labels.items() if label != 'Lifecycle' -%}
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
    {{ quantile('actual_gain', 0.5) }} as median_gain
from told
where {{ column }} in ('{{ (values + unordered_values(label)) | join("', '") }}')
group by as_of_date, record, {{ column }}

union all

{% endfor -%}
select
    as_of_date,
    'replay' as record,
    'Lifecycle' as label,
    lifecycle as value,
    case lifecycle
        {%- for value in labels['Lifecycle'] %}
        when '{{ value }}' then {{ loop.index }}
        {%- endfor %}
        else 0
    end as place,
    count(*) as due,
    count(new_uses) as scored,
    count(case when new_uses > 0 then 1 end) as hits,
    {{ quantile('new_uses', 0.5) }} as median_gain
from staged
group by as_of_date, lifecycle
