{#- Lines of a loop stand in the indentation of the loop.
-- sqlfluff:exclude_rules:LT02
-#}
{{ config(materialized='incremental', incremental_strategy='as_of') }}

{#-
    Where each trend stands in its life, per date and market: 3-day means of its daily uses, against the day before and
    against the peak of 28 days. A use counts on the day its video comes into the feed: a video that is still shown days
    later tells of the past. The oldest day is left out, as on the first day there is every video is new. Days without a
    new feed are skipped; a day with feeds that do not hold the key counts as no use. Days are numbered back from the
    date (0 is the newest), each date looks at its own 28 days only.
-#}

{%- set counted = var('trend_lifecycle_counts') %}
{%- set days = var('history_days') %}
{%- set days_back = var('trend_memory_days') %}
{%- set sparse = var('trend_sparse_uses') %}
{%- set names = {'mean': [], 'stage': [], 'raw': [], 'held': []} %}
{%- for day in range(days) %}
{%- do names.mean.append('mean_' ~ day) %}
{%- endfor %}
{%- for day in range(days_back + 1) %}
{%- do names.stage.append('stage_' ~ day) %}
{%- do names.raw.append('raw_' ~ day) %}
{%- do names.held.append('held_' ~ day) %}
{%- endfor %}

with

batch as (

    select * from {{ ref('int_as_of') }}

),

feeds as (

    select
        as_of_date as feed_date,
        market
    from {{ ref('source_health') }}
    where
        kind = 'videos'
        and not is_missing
        and not is_stale
        and as_of_date >= {{ window_start(ref('int_as_of'), days - 1) }}

),

uses as (

    select * from {{ ref('int_trend_uses') }}
    where as_of_date >= {{ window_start(ref('int_as_of'), days - 1) }}

),

corpus as (

    select * from {{ ref('int_trend_corpus') }}
    where is_distinctive

),

observed_days as (

    select
        batch.as_of_date,
        feeds.market,
        feeds.feed_date,
        row_number() over (
            partition by batch.as_of_date, feeds.market
            order by feeds.feed_date desc
        ) - 1 as day_number,
        max(feeds.feed_date) over (partition by batch.as_of_date, feeds.market) as observed_date,
        count(*) over (partition by batch.as_of_date, feeds.market) as observed_day_count
    from batch
    inner join feeds
        on feeds.feed_date between batch.as_of_date - {{ days - 1 }} and batch.as_of_date

),

used_days as (

    select
        observed_days.as_of_date,
        observed_days.market,
        observed_days.feed_date,
        observed_days.observed_date,
        observed_days.day_number,
        observed_days.observed_day_count,
        uses.trend_key,
        uses.trend_key_type,
        uses.creators,
        uses.top_video_id,
        uses.{{ counted }} as uses
    from observed_days
    inner join uses
        on
            observed_days.feed_date = uses.as_of_date
            and observed_days.market = uses.market
    inner join corpus
        on
            observed_days.as_of_date = corpus.as_of_date
            and uses.trend_key = corpus.trend_key

),

summed as (

    -- A column a day: one pass over the uses, where windows over them would sort all of them.
    select
        as_of_date,
        market,
        trend_key,
        trend_key_type,
        max(observed_date) as observed_date,
        min(feed_date) as first_use_date,
        max(feed_date) as last_use_date,
        {{ value_at_max('top_video_id', 'feed_date') }} as top_video_id,
        max(day_number) as first_use_day,
        max(observed_day_count) as observed_day_count,
        min(case when creators >= {{ var('trend_onset_creators') }} then feed_date end) as onset_date,
        -- Two creators on the first day there is: it was under way before anyone looked.
        coalesce(bool_or(creators >= 2 and day_number = observed_day_count - 1), false) as was_running
        {%- for day in range(days) %},
        sum(
            case when day_number = {{ day }} and day_number < observed_day_count - 1 then uses else 0 end
        ) as uses_{{ day }}
        {%- endfor %}
    from used_days
    group by as_of_date, market, trend_key, trend_key_type

),

averaged as (

    select
        *
        {%- for day in range(days) %},
        case
            when observed_day_count - 1 > {{ day }}
                then
                    (
                        uses_{{ day }}
                        {%- if day + 1 < days %} + uses_{{ day + 1 }}{% endif %}
                        {%- if day + 2 < days %} + uses_{{ day + 2 }}{% endif %}
                    ) / least(3, observed_day_count - 1 - {{ day }})
        end as mean_{{ day }}
        {%- endfor %}
    from summed

),

peaked as (

    -- The peak that each day knew of: a later rise must not change what was said before it.
    select
        *,
        {%- for day in range(days_back + 1) %}
        greatest({{ names.mean[day:] | join(', ') }}) as peak_{{ day }}{{ ',' if not loop.last }}
        {%- endfor %}
    from averaged

),

type_peaks as (

    -- What a peak is for a trend of this type: the upper quartile over the trends that ever had enough uses a day.
    select
        as_of_date,
        market,
        trend_key_type,
        {{ quantile('peak_0', 0.75) }} as type_peak
    from peaked
    where peak_0 >= {{ var('trend_minimum_videos') }}
    group by as_of_date, market, trend_key_type

),

compared as (

    select
        peaked.*,
        type_peaks.type_peak
    from peaked
    left join type_peaks
        on
            peaked.as_of_date = type_peaks.as_of_date
            and peaked.market = type_peaks.market
            and peaked.trend_key_type = type_peaks.trend_key_type

),

staged as (

    -- Null: no rule holds, the trend stays in the stage it was in.
    select
        *
        {%- for day in range(days_back + 1) %},
        case
            when first_use_day < {{ day }} then null
            when first_use_day <= {{ day + 1 }} then 'new'
            when mean_{{ day }} is null then null
            when
                first_use_day > {{ day + 2 }}
                and (
                    greatest(mean_{{ day }}, mean_{{ day + 1 }}, mean_{{ day + 2 }}) = 0
                    or greatest(mean_{{ day }}, mean_{{ day + 1 }}, mean_{{ day + 2 }})
                    < {{ var('trend_dead_share') }} * peak_{{ day }}
                    and (mean_{{ day }} = 0 or mean_{{ day }} >= {{ sparse }})
                )
                then 'dead'
            when
                mean_{{ day }} < {{ var('trend_declining_ratio') }} * mean_{{ day + 1 }}
                and mean_{{ day + 1 }} < {{ var('trend_declining_ratio') }} * mean_{{ day + 2 }}
                then 'declining'
            -- A use here and there: neither its rise nor its fall says anything of what comes.
            when greatest(mean_{{ day }}, mean_{{ day + 1 }}) < {{ sparse }} then 'sparse'
            when
                mean_{{ day }} >= {{ var('trend_emerging_ratio') }} * mean_{{ day + 1 }}
                and mean_{{ day }} < {{ var('trend_emerging_share') }} * type_peak
                and mean_{{ day }} > 0
                then 'emerging'
            when
                mean_{{ day }} >= {{ var('trend_rising_ratio') }} * mean_{{ day + 1 }}
                and mean_{{ day }} > 0
                then 'rising'
            when
                mean_{{ day }} >= {{ var('trend_declining_ratio') }} * mean_{{ day + 1 }}
                and mean_{{ day }} >= {{ var('trend_peaking_share') }} * peak_{{ day }}
                then 'peaking'
        end as stage_{{ day }}
        {%- endfor %}
    from compared

),

resurged as (

    select
        *
        {%- for day in range(days_back + 1) %},
        case
            {%- if day < days_back %}
            {%- set earlier = names.stage[day + 1:] | join(', ') %}
            when
                stage_{{ day }} in ('emerging', 'rising')
                and ('declining' in ({{ earlier }}) or 'dead' in ({{ earlier }}))
                then 'resurged'
            {%- endif %}
            when true then stage_{{ day }}
        end as raw_{{ day }}
        {%- endfor %}
    from staged

),

held as (

    -- A day on which no rule holds counts for the stage before it.
    select
        *
        {%- for day in range(days_back + 1) %},
        coalesce({{ names.raw[day:] | join(', ') }}, null) as held_{{ day }}
        {%- endfor %}
    from resurged

),

settled as (

    -- A stage holds from its second day on. Declining, sparse and dead have had their days already; new, sparse and
    -- dead give way at once.
    -- Until a stage holds, the first one that was seen; a level that no rule ever named is told by its height.
    select
        *
        {%- for newest in range(2) %},
        coalesce(
            case
                {%- for day in range(newest, days_back) %}
                when
                    raw_{{ day }} in ('declining', 'sparse', 'dead')
                    or held_{{ day + 1 }} in ('new', 'sparse', 'dead', held_{{ day }})
                    then held_{{ day }}
                {%- endfor %}
            end,
            {{ names.held[newest:] | reverse | join(', ') }},
            case when mean_{{ newest }} >= 0.5 * peak_{{ newest }} then 'peaking' else 'declining' end
        ) as lifecycle_{{ newest }}
        {%- endfor %}
    from held

)

select
    as_of_date,
    market,
    trend_key,
    trend_key_type,
    observed_date,
    observed_date < as_of_date as is_censored,
    first_use_date,
    last_use_date,
    top_video_id,
    onset_date,
    was_running,
    cast({{ days_between('first_use_date', 'observed_date') }} as integer) as days_since_first_seen,
    -- First seen on the first day there is: it may be older.
    first_use_day = observed_day_count - 1 as age_is_lower_bound,
    mean_0 as uses_3d_mean,
    mean_1 as previous_uses_3d_mean,
    peak_0 as peak_uses_3d_mean,
    raw_0 as lifecycle_raw,
    lifecycle_0 as lifecycle,
    case when first_use_day >= 1 then lifecycle_1 end as previous_lifecycle
from settled
