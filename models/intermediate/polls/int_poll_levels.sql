{{ config(materialized='incremental', incremental_strategy='poll_dates') }}

{#-
    A reading's pace beside the video's own level before it: the mean of its earlier intervals, the newer the heavier,
    each brought to the market's pace of today's hour. A second reading has its lifetime rate only.
-#}

{%- set half_life = var('alert_half_life_hours') %}

with

intervals as (

    select * from {{ ref('int_poll_intervals') }}

),

polls as (

    select * from {{ ref('int_polls') }}
    where is_in_batch

),

activity as (

    select
        market,
        observed_at,
        hours_since_previous,
        sum(step_millionths) over (
            partition by market
            order by observed_at
            rows between unbounded preceding and current row
        ) as activity_millionths
    from {{ ref('int_poll_steps') }}
    where as_of_date >= {{ poll_window_start(ref('int_as_of')) }}

),

spanned as (

    -- The market's mean pace over an interval, against its pace in the feed that ends it.
    select
        intervals.market,
        intervals.video_id,
        intervals.observed_at,
        {{ exact_sum(
            pace_factor('during.activity_millionths', 'at_end.activity_millionths')
            ~ ' * least(during.hours_since_previous, '
            ~ hours_between('intervals.from_at', 'during.observed_at') ~ ')'
        ) }}
        / {{ exact_sum(
            'least(during.hours_since_previous, ' ~ hours_between('intervals.from_at', 'during.observed_at') ~ ')'
        ) }} as span_factor
    from intervals
    inner join activity as at_end
        on
            intervals.market = at_end.market
            and intervals.observed_at = at_end.observed_at
    inner join activity as during
        on
            intervals.market = during.market
            and intervals.from_at < during.observed_at
            and intervals.observed_at >= during.observed_at
    where not intervals.is_lifetime and during.hours_since_previous is not null
    group by intervals.market, intervals.video_id, intervals.observed_at

),

paced as (

    select
        intervals.*,
        activity.activity_millionths,
        coalesce(spanned.span_factor, 1) as span_factor
    from intervals
    inner join activity
        on
            intervals.market = activity.market
            and intervals.observed_at = activity.observed_at
    left join spanned
        on
            intervals.market = spanned.market
            and intervals.video_id = spanned.video_id
            and intervals.observed_at = spanned.observed_at

),

earlier as (

    select
        now.market,
        now.video_id,
        now.observed_at,
        was.is_lifetime,
        was.views_rate,
        was.resolution,
        -- Nothing gains a billion views an hour; absurd counts must not overflow the sum below.
        least(
            was.views_rate / was.span_factor
            * {{ pace_factor('now.activity_millionths', 'was.activity_millionths') }},
            1000000000
        ) as paced_rate,
        was.hours * pow(0.5, {{ hours_between('was.observed_at', 'now.from_at') }} / {{ half_life }}) as weight
    from paced as now
    inner join polls
        on
            now.market = polls.market
            and now.observed_at = polls.observed_at
    inner join paced as was
        on
            now.market = was.market
            and now.video_id = was.video_id
            -- Intervals of a poller in a hurry overlap: only what was over before tells of the time before.
            and now.from_at >= was.observed_at
    where
        not now.is_lifetime
        and was.observed_at >= now.observed_at - case
            when was.is_lifetime then interval {{ var('poll_memory_hours') }} hour
            else interval {{ var('alert_level_hours') }} hour
        end

),

levels as (

    select
        market,
        video_id,
        observed_at,
        {{ exact_sum('case when not is_lifetime then weight end') }} as level_hours,
        {{ exact_sum('case when not is_lifetime then weight * paced_rate end') }} as weighted_rate,
        max(case when not is_lifetime then resolution end) as level_resolution,
        max(case when is_lifetime then views_rate end) as lifetime_rate
    from earlier
    group by market, video_id, observed_at

),

based as (

    select
        *,
        case when level_hours > 0 then 'live' else 'lifetime' end as level_basis,
        greatest(
            case when level_hours > 0 then weighted_rate / level_hours else lifetime_rate end, 0.5
        ) as level_views_per_hour
    from levels
    where level_hours > 0 or lifetime_rate is not null

),

compared as (

    select
        paced.reading_date as as_of_date,
        paced.market,
        paced.video_id,
        paced.observed_at,
        paced.from_at,
        paced.seen_before_at,
        paced.posted_at,
        paced.age_hours,
        paced.hours,
        paced.plays,
        paced.gain_views,
        paced.views_rate,
        paced.views_per_hour,
        paced.shares_per_hour,
        paced.meets_entry,
        paced.delta_shares_per_hour,
        paced.momentum_score,
        paced.span_factor,
        based.level_basis,
        based.level_views_per_hour,
        -- 2 hours wide up to two days, 6 hours up to a week, all older ones together.
        cast(
            case
                when paced.age_hours < 48 then floor(paced.age_hours / 2) * 2
                else floor(least(paced.age_hours, 168) / 6) * 6
            end as integer
        ) as age_bucket,
        ln(greatest(paced.gain_views, 1)) - ln(based.level_views_per_hour * paced.hours * paced.span_factor)
            as log_change,
        -- Views squared: both counts of the gain, and those at the ends of the level, are rounded evenly.
        (paced.resolution * paced.resolution - 1) / 6
        + case
            when based.level_basis = 'live'
                then
                    (based.level_resolution * based.level_resolution - 1) / 6
                    * pow(paced.hours / based.level_hours, 2)
            else 0
        end as rounding_variance
    from based
    inner join paced
        on
            based.market = paced.market
            and based.video_id = paced.video_id
            and based.observed_at = paced.observed_at

)

select
    *,
    rounding_variance / pow(greatest(level_views_per_hour * hours * span_factor, 1), 2)
    + 1 / greatest(level_views_per_hour * hours * span_factor, 1) <= {{ var('alert_peer_noise') }} as is_peer
from compared
