{#- Lines of a loop stand in the indentation of the loop.
-- sqlfluff:exclude_rules:LT02,LT05
-#}

{#-
    The score 0-100: how a video stands against those of its age (pace, push, quality) and how wide its trend runs
    (breadth), drawn to the middle where few readings are known, as percentile within its market and day.
-#}

{%- set measures = ['log_pace', 'push', 'log_share_rate', 'log_like_rate'] %}
{#-
    The least spread of a cohort, in logs: a cohort of equal videos must not turn a rounding into a rank. Push is a
    difference of differences: less than a doubling is within the noise of the counts.
-#}
{%- set least_spread = {
    'log_pace': 0.5, 'push': 0.7, 'log_share_rate': 0.25, 'log_like_rate': 0.25,
} %}
{%- set parts = ['pace', 'push', 'quality', 'breadth'] %}
{%- set strength = var('score_cohort_shrinkage') %}
{%- set prior_plays = var('score_quality_prior_plays') %}

with

batch as (

    select * from {{ ref('int_as_of') }}

),

features as (

    select * from {{ ref('int_score_features') }}
    where as_of_date > {{ window_start(ref('int_as_of'), var('history_days')) }}

),

current_videos as (

    select features.* from features
    inner join batch on features.as_of_date = batch.as_of_date

),

trend_keys as (

    select * from {{ ref('int_trend_keys') }}

),

trends as (

    select * from {{ ref('trends_daily') }}
    where as_of_date in (select in_batch.as_of_date from batch as in_batch)

),

trailing_features as (

    select
        batch.as_of_date,
        features.market,
        features.age_bucket,
        features.is_lifetime_pace,
        {%- for measure in measures %}
        features.{{ measure }}{{ ',' if not loop.last }}
        {%- endfor %}
    from batch
    inner join features
        on
            batch.as_of_date >= features.as_of_date
            and batch.as_of_date - {{ var('history_days') }} < features.as_of_date
    where features.is_sampled

),

market_cohorts as (

    select
        as_of_date,
        market,
        is_lifetime_pace
        {%- for measure in measures %},
        count({{ measure }}) as n_{{ measure }},
        {{ quantile(measure, 0.25) }} as q25_{{ measure }},
        {{ quantile(measure, 0.5) }} as q50_{{ measure }},
        {{ quantile(measure, 0.75) }} as q75_{{ measure }}
        {%- endfor %}
    from trailing_features
    group by as_of_date, market, is_lifetime_pace

),

age_cohorts as (

    select
        as_of_date,
        market,
        is_lifetime_pace,
        age_bucket,
        count(*) as n
        {%- for measure in measures %},
        count({{ measure }}) as n_{{ measure }},
        {{ quantile(measure, 0.25) }} as q25_{{ measure }},
        {{ quantile(measure, 0.5) }} as q50_{{ measure }},
        {{ quantile(measure, 0.75) }} as q75_{{ measure }}
        {%- endfor %}
    from trailing_features
    group by as_of_date, market, is_lifetime_pace, age_bucket

),

cohorts as (

    -- Few of an age: drawn to all ages of the market. The quartiles' distance over 1.349 is a robust deviation.
    select
        age_cohorts.as_of_date,
        age_cohorts.market,
        age_cohorts.is_lifetime_pace,
        age_cohorts.age_bucket,
        age_cohorts.n
        {%- for measure in measures %}
        {%- set n = 'age_cohorts.n_' ~ measure %},
        {{ shrunk('age_cohorts.q50_' ~ measure, 'market_cohorts.q50_' ~ measure, n, strength) }} as mid_{{ measure }},
        greatest(
            (
                {{ shrunk('age_cohorts.q75_' ~ measure, 'market_cohorts.q75_' ~ measure, n, strength) }}
                - {{ shrunk('age_cohorts.q25_' ~ measure, 'market_cohorts.q25_' ~ measure, n, strength) }}
            ) / 1.349,
            {{ least_spread[measure] }}
        ) as spread_{{ measure }}
        {%- endfor %}
    from age_cohorts
    inner join market_cohorts
        on
            age_cohorts.as_of_date = market_cohorts.as_of_date
            and age_cohorts.market = market_cohorts.market
            and age_cohorts.is_lifetime_pace = market_cohorts.is_lifetime_pace

),

compared as (

    select
        current_videos.as_of_date,
        current_videos.market,
        current_videos.video_id,
        current_videos.age_bucket,
        current_videos.usable_intervals,
        coalesce(cohorts.n, 0) as cohort_videos,
        trend_keys.trend_key,
        coalesce(trends.creators, 1) as trend_creators,
        (current_videos.log_pace - cohorts.mid_log_pace) / cohorts.spread_log_pace as pace_z,
        (current_videos.push - cohorts.mid_push) / cohorts.spread_push as push_z,
        {%- for rate, count in [('share', 'shares'), ('like', 'likes')] %}
        -- Beta prior: so many plays at the cohort's rate are added to what was seen.
        (
            ln(
                (
                    current_videos.{{ count }} + 0.5
                    + exp(cohorts.mid_log_{{ rate }}_rate) * {{ prior_plays }}
                ) / (current_videos.plays + 1 + {{ prior_plays }})
            ) - cohorts.mid_log_{{ rate }}_rate
        ) / cohorts.spread_log_{{ rate }}_rate as {{ rate }}_z,
        {%- endfor %}
        -- Most videos are alone on their key, so there is no spread to compare with: doublings count.
        ln(greatest(coalesce(trends.creators, 1), 1)) / ln(2) as breadth_z
    from current_videos
    left join cohorts
        on
            current_videos.as_of_date = cohorts.as_of_date
            and current_videos.market = cohorts.market
            and current_videos.age_bucket = cohorts.age_bucket
            and current_videos.is_lifetime_pace = cohorts.is_lifetime_pace
    left join trend_keys
        on
            current_videos.as_of_date = trend_keys.as_of_date
            and current_videos.video_id = trend_keys.video_id
    left join trends
        on
            trend_keys.as_of_date = trends.as_of_date
            and trend_keys.trend_key = trends.trend_key
            and current_videos.market = trends.market

),

held as (

    -- One wild number must not decide a rank: every part counts three deviations at most.
    select
        as_of_date,
        market,
        video_id,
        age_bucket,
        usable_intervals,
        cohort_videos,
        trend_key,
        trend_creators,
        {{ held_between('pace_z', -3, 3) }} as pace_z,
        {{ held_between('push_z', -3, 3) }} as push_z,
        {{ held_between('(coalesce(share_z, like_z) + coalesce(like_z, share_z)) / 2', -3, 3) }} as quality_z,
        {{ held_between('breadth_z', -3, 3) }} as breadth_z
    from compared

),

blended as (

    -- A part that is not known (no counts given, no earlier pace) counts as the middle: left to the others, its weight
    -- would lift a video of which little is known above its equals.
    {%- set weights = [] %}
    {%- for part in parts %}{% do weights.append(var('score_weight_' ~ part)) %}{% endfor %}
    select
        *,
        (
            {%- for part in parts %}
            {% if not loop.first %}+ {% endif %}{{ var('score_weight_' ~ part) }} * coalesce({{ part }}_z, 0)
            {%- endfor %}
        ) / ({{ weights | join(' + ') }}) as blend,
        greatest(usable_intervals, {{ var('score_single_reading_intervals') }})
        / (greatest(usable_intervals, {{ var('score_single_reading_intervals') }}) + {{ var('score_shrinkage') }})
        as trust
    from held

),

placed as (

    -- Rounded: the last bits of a sum must not decide a tie.
    select
        *,
        round(coalesce(blend * trust, 0), 9) as shrunk_blend,
        rank() over (
            partition by as_of_date, market
            order by round(coalesce(blend * trust, 0), 9)
        ) as place,
        count(*) over (partition by as_of_date, market) as videos,
        count(*) over (partition by as_of_date, market, round(coalesce(blend * trust, 0), 9)) as equals
    from blended

)

select
    as_of_date,
    market,
    video_id,
    -- The middle of the places that equal videos share; a single video stands at 50.
    round(100 * (place - 1 + equals / 2.0) / videos, 2) as score,
    shrunk_blend as score_blend,
    round(pace_z, 6) as pace_z,
    round(push_z, 6) as push_z,
    round(quality_z, 6) as quality_z,
    round(breadth_z, 6) as breadth_z,
    usable_intervals,
    trust as score_trust,
    cohort_videos,
    trend_key,
    trend_creators,
    {%- for part in parts %}
    {% if not loop.first %}|| {% endif %}'{{ ", " if not loop.first }}{{ part }} '
    || coalesce(cast({{ rounded(part ~ '_z', 2) }} as string), 'not known') || ' x {{ var("score_weight_" ~ part) }}'
    {%- endfor %}
    || '; counts ' || {{ rounded('trust', 2) }} || ' (' || usable_intervals || ' intervals); against '
    || cohort_videos || ' videos of ' || age_bucket || ' days' as score_reason
from placed
