{#- Lines of a loop stand in the indentation of the loop.
-- sqlfluff:exclude_rules:LT02
-#}
{#-
    Trends of each market and day: every key on two videos or more of the last 28 days. The window left is the time
    until trends of that type and age began to decline, by survival: those still growing count as long as they were
    watched. A decline begins before it can be called: its delay is taken off.
-#}

{%- set living = "('new', 'emerging', 'rising', 'peaking', 'sparse', 'resurged')" %}
{%- set call_delay_h = 24 * var('trend_call_delay_days') %}
{#- Share that ends in a day even where none was seen to: trends do not live for ever. -#}
{%- set floor_rate = var('trend_ending_minimum') %}
{%- set quantiles = {'p25': 0.75, 'p50': 0.5, 'p75': 0.25} %}

with

batch as (

    select * from {{ ref('int_as_of') }}

),

stage_history as (

    select * from {{ ref('int_trend_stages') }}
    where as_of_date >= {{ window_start(ref('int_as_of'), var('history_days') - 1) }}

),

stages as (

    select stage_history.*
    from stage_history
    inner join batch
        on stage_history.as_of_date = batch.as_of_date

),

uses as (

    select * from {{ ref('int_trend_uses') }}
    where as_of_date >= {{ window_start(ref('int_as_of'), 0) }}

),

corpus as (

    select * from {{ ref('int_trend_corpus') }}

),

feeds as (

    select distinct
        as_of_date,
        market
    from {{ ref('int_feed_presence') }}

),

transitions as (

    select
        as_of_date as observed_on,
        trend_key_type,
        days_since_first_seen - 1 as age_days,
        count(*) as followed,
        sum(case when lifecycle in {{ living }} then 0 else 1 end) as ended
    from stage_history
    where
        previous_lifecycle in {{ living }}
        and not is_censored
        and not age_is_lower_bound
    group by as_of_date, trend_key_type, days_since_first_seen

),

learned as (

    select
        batch.as_of_date,
        transitions.trend_key_type,
        transitions.age_days,
        sum(transitions.followed) as followed,
        sum(transitions.ended) as ended
    from batch
    inner join transitions
        on transitions.observed_on between batch.as_of_date - {{ var('history_days') - 1 }} and batch.as_of_date
    group by batch.as_of_date, transitions.trend_key_type, transitions.age_days

),

overall as (

    -- The first day of a trend cannot be called its end: it says nothing of the days of older ones.
    select
        as_of_date,
        sum(followed) as followed,
        sum(ended) / sum(followed) as ending_rate
    from learned
    where age_days >= 1
    group by as_of_date

),

by_type as (

    select
        as_of_date,
        trend_key_type,
        sum(followed) as followed,
        sum(ended) / sum(followed) as ending_rate
    from learned
    where age_days >= 1
    group by as_of_date, trend_key_type

),

present_types as (

    select distinct
        as_of_date,
        trend_key_type
    from stages

),

type_rates as (

    select
        present_types.as_of_date,
        present_types.trend_key_type,
        {{ shrunk(
            'by_type.ending_rate',
            shrunk('overall.ending_rate', var('trend_ending_prior'), 'overall.followed'),
            'by_type.followed'
        ) }} as type_rate
    from present_types
    left join overall
        on present_types.as_of_date = overall.as_of_date
    left join by_type
        on
            present_types.as_of_date = by_type.as_of_date
            and present_types.trend_key_type = by_type.trend_key_type

),

ages as (

    {% for age in range(2 * var('history_days')) -%}
    select {{ age }} as age_days{% if not loop.last %} union all{% endif %}
    {% endfor %}

),

survival as (

    select
        type_rates.as_of_date,
        type_rates.trend_key_type,
        ages.age_days,
        ln(1 - least(greatest({{ shrunk(
            'learned.ended / learned.followed', 'type_rates.type_rate', 'learned.followed'
        ) }}, {{ floor_rate }}), 0.95)) as day_log_survival,
        sum(ln(1 - least(greatest({{ shrunk(
            'learned.ended / learned.followed', 'type_rates.type_rate', 'learned.followed'
        ) }}, {{ floor_rate }}), 0.95))) over (
            partition by type_rates.as_of_date, type_rates.trend_key_type
            order by ages.age_days
        ) as log_survival
    from type_rates
    cross join ages
    left join learned
        on
            type_rates.as_of_date = learned.as_of_date
            and type_rates.trend_key_type = learned.trend_key_type
            and ages.age_days = learned.age_days

),

windows as (

    -- The day in which the survival from an age on passes the quantile, and how far into that day.
    select
        now.as_of_date,
        now.trend_key_type,
        now.age_days
        {%- for name, share in quantiles.items() %},
        24 * coalesce(min(
            case
                when
                    later.log_survival - now.log_survival + now.day_log_survival <= ln({{ share }})
                    and later.log_survival - later.day_log_survival - now.log_survival + now.day_log_survival
                    > ln({{ share }})
                    then
                        later.age_days - now.age_days
                        + (
                            ln({{ share }})
                            - (later.log_survival - later.day_log_survival - now.log_survival + now.day_log_survival)
                        ) / later.day_log_survival
            end
        ), {{ var('history_days') }}) as left_{{ name }}_h
        {%- endfor %}
    from survival as now
    inner join survival as later
        on
            now.as_of_date = later.as_of_date
            and now.trend_key_type = later.trend_key_type
            and later.age_days between now.age_days and now.age_days + {{ var('history_days') - 1 }}
    where now.age_days < {{ var('history_days') }}
    group by now.as_of_date, now.trend_key_type, now.age_days

)

select
    stages.as_of_date,
    stages.market,
    stages.trend_key,
    stages.trend_key_type,
    case when feeds.market is not null then coalesce(uses.uses, 0) end as uses,
    case when feeds.market is not null then coalesce(uses.new_uses, 0) end as new_uses,
    case when feeds.market is not null then coalesce(uses.creators, 0) end as creators,
    case when feeds.market is not null then coalesce(uses.gained_views_24h, 0) end as gained_views_24h,
    stages.uses_3d_mean,
    stages.previous_uses_3d_mean,
    stages.peak_uses_3d_mean,
    stages.lifecycle,
    stages.lifecycle_raw,
    stages.is_censored,
    stages.first_use_date as first_seen_on,
    stages.days_since_first_seen,
    stages.last_use_date as last_seen_on,
    case
        when stages.lifecycle in {{ living }} then greatest(round(windows.left_p50_h - {{ call_delay_h }}, 1), 0)
        else 0
    end as window_left_h,
    case
        when stages.lifecycle in {{ living }} then greatest(round(windows.left_p25_h - {{ call_delay_h }}, 1), 0)
        else 0
    end as window_left_p25_h,
    case
        when stages.lifecycle in {{ living }} then greatest(round(windows.left_p75_h - {{ call_delay_h }}, 1), 0)
        else 0
    end as window_left_p75_h,
    corpus.videos as videos_28d,
    corpus.creators as creators_28d,
    corpus.own_uses_7d,
    corpus.competitor_uses_7d,
    stages.top_video_id as video_id
from stages
inner join corpus
    on
        stages.as_of_date = corpus.as_of_date
        and stages.trend_key = corpus.trend_key
inner join windows
    on
        stages.as_of_date = windows.as_of_date
        and stages.trend_key_type = windows.trend_key_type
        and stages.days_since_first_seen = windows.age_days
left join feeds
    on
        stages.as_of_date = feeds.as_of_date
        and stages.market = feeds.market
left join uses
    on
        stages.as_of_date = uses.as_of_date
        and stages.market = uses.market
        and stages.trend_key = uses.trend_key
