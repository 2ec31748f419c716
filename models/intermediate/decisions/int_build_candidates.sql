{#-
    What may be built on a date, in order, and why the rest is left out: other creators' videos that the decision of the
    day's mode says to build. Each video once, whichever feeds show it. A day has hours for some of them; the others are
    next.
-#}

{%- set mode = var('decision_mode') %}
{%- set horizon = var('decision_horizon_hours') | int %}
{%- set production = var('production_hours') | float %}
{%- set day = var('build_hours_per_day') | float %}
{%- set variant = var('variant_hours') | float %}
{#- So many builds fit into a day with one variant each; what is left of the hours goes to further variants. -#}
{%- set builds = "greatest(floor(" ~ day ~ " / greatest(" ~ production ~ ", 0.25)), 1)" %}
{%- set further = "floor((" ~ day ~ " / " ~ builds ~ " - " ~ production ~ ") / greatest(" ~ variant ~ ", 0.05))" %}
{%- set lost = "least(" ~ production ~ " / 24.0, 1)" %}

with

videos as (

    select
        as_of_date,
        market,
        video_id,
        load_id,
        item_index,
        observed_at,
        posted_at,
        is_stale,
        trend_key
    from {{ ref('videos_daily') }}
    where as_of_date in (select batch.as_of_date from {{ ref('int_as_of') }} as batch)

),

batch as (

    select * from {{ ref('int_as_of') }}

),

markets as (

    select * from {{ ref('markets') }}

),

items as (

    select
        load_id,
        item_index,
        video_id,
        is_ad,
        is_sponsored
    from {{ ref('stg_tiktok__videos') }}
    where observed_date >= {{ window_start(ref('int_as_of'), 0) }}

),

horizons as (

    select
        as_of_date,
        market,
        video_id,
        max(made_at) as made_at,
        max(case when horizon_hours = 24 then p50 end) as gain_24h,
        max(case when horizon_hours = {{ horizon }} then p10 end) as p10,
        max(case when horizon_hours = {{ horizon }} then p50 end) as p50,
        max(case when horizon_hours = {{ horizon }} then p90 end) as p90
    from {{ ref('forecasts') }}
    where as_of_date in (select in_batch.as_of_date from batch as in_batch)
    group by as_of_date, market, video_id

),

decided as (

    select * from {{ ref('int_video_decisions') }}

),

muted as (

    select * from {{ ref('int_muted_videos') }}

),

followed as (

    select
        as_of_date,
        video_id,
        min({{ watched_as('kind', 'value') }}) as followed_by
    from {{ ref('int_followed_videos') }}
    group by as_of_date, video_id

),

trends as (

    select
        as_of_date,
        market,
        trend_key,
        lifecycle
    from {{ ref('trends_daily') }}
    where as_of_date in (select in_batch.as_of_date from batch as in_batch)

),

seen as (

    select
        videos.as_of_date,
        videos.market,
        videos.video_id,
        batch.cutoff_at,
        markets.display_order,
        followed.followed_by,
        decided.window_left_hours,
        decided.gain_p50 as decided_gain,
        horizons.made_at,
        -- What is gained while the template is being made is out of reach.
        {{ at_least('horizons.p10 - horizons.gain_24h * ' ~ lost, 0) }} as gain_48h_p10,
        {{ at_least('horizons.p50 - horizons.gain_24h * ' ~ lost, 0) }} as gain_48h_p50,
        {{ at_least('horizons.p90 - horizons.gain_24h * ' ~ lost, 0) }} as gain_48h_p90,
        {% if mode == 'measured' -%}
        -- The window counts from the last reading, of a feed that only repeats from the cut-off.
        case when videos.is_stale then batch.cutoff_at else coalesce(horizons.made_at, videos.observed_at) end
        + {{ seconds_long('cast(floor(decided.window_left_hours * 3600) as bigint)') }} as publish_by,
        decided.measured_is_build as is_asked_for,
        {%- else -%}
        videos.posted_at + interval {{ var('fresh_age_hours') }} hour as publish_by,
        decided.classic_is_build as is_asked_for,
        {%- endif %}
        coalesce(bool_or(coalesce(items.is_ad, false) or coalesce(items.is_sponsored, false)) over (
            partition by videos.as_of_date, videos.video_id
        ), false) as is_paid_for,
        -- Muted where each market that shows it mutes it.
        case when min(case when muted.video_id is null then 0 else 1 end) over (
            partition by videos.as_of_date, videos.video_id
        ) = 1 then muted.muted_by end as muted_by,
        coalesce(max(case when trends.lifecycle = 'dead' then 1 end) over (
            partition by videos.as_of_date, videos.video_id
        ) = 1, false) as is_on_dead_trend,
        row_number() over (
            partition by videos.as_of_date, videos.video_id
            order by markets.display_order
        ) as market_place
    from videos
    inner join batch on videos.as_of_date = batch.as_of_date
    inner join markets on videos.market = markets.market
    inner join decided
        on
            videos.as_of_date = decided.as_of_date
            and videos.market = decided.market
            and videos.video_id = decided.video_id
    left join items
        on
            videos.load_id = items.load_id
            and videos.item_index = items.item_index
            and videos.video_id = items.video_id
    left join horizons
        on
            videos.as_of_date = horizons.as_of_date
            and videos.market = horizons.market
            and videos.video_id = horizons.video_id
    left join muted
        on
            videos.as_of_date = muted.as_of_date
            and videos.market = muted.market
            and videos.video_id = muted.video_id
    left join followed
        on
            videos.as_of_date = followed.as_of_date
            and videos.video_id = followed.video_id
    left join trends
        on
            videos.as_of_date = trends.as_of_date
            and videos.market = trends.market
            and videos.trend_key = trends.trend_key

),

asked_for as (

    select * from seen
    where
        is_asked_for
        and market_place = 1

),

asked as (

    -- What else is known of a video is fetched for these alone.
    select
        videos_daily.*,
        asked_for.cutoff_at,
        asked_for.display_order,
        asked_for.followed_by,
        asked_for.window_left_hours,
        asked_for.decided_gain,
        asked_for.made_at,
        asked_for.gain_48h_p10,
        asked_for.gain_48h_p50,
        asked_for.gain_48h_p90,
        asked_for.publish_by,
        asked_for.is_paid_for,
        asked_for.muted_by,
        asked_for.is_on_dead_trend,
        case
            when videos_daily.author_role <> 'other' then 'account: ' || videos_daily.author_role
            when asked_for.muted_by is not null then 'muted: ' || asked_for.muted_by
            when asked_for.is_paid_for then 'an ad or sponsored'
            when not videos_daily.is_believed then 'not believed: ' || videos_daily.oddities
            when videos_daily.stop_reason is not null then 'stop: ' || videos_daily.stop_reason
            when videos_daily.recommended_variants = 0 then 'no variant is worth its work'
            when asked_for.publish_by is null then 'no window is known'
            when
                asked_for.publish_by
                < asked_for.cutoff_at + {{ seconds_long('cast(' ~ production ~ ' * 3600 as bigint)') }}
                then 'the window closes before a template is out'
            when asked_for.is_on_dead_trend then 'its trend is dead'
            when videos_daily.status = '❄️ DYING' or videos_daily.trajectory = '📉 CRASHING' then 'it is dying down'
        end as left_out_because
    from asked_for
    inner join {{ ref('videos_daily') }} as videos_daily
        on
            asked_for.as_of_date = videos_daily.as_of_date
            and asked_for.market = videos_daily.market
            and asked_for.video_id = videos_daily.video_id

),

ranked as (

    select
        *,
        least(recommended_variants, 1 + greatest(cast({{ further }} as integer), 0)) as variants,
        row_number() over (
            partition by as_of_date
            order by
                {{ 'gain_48h_p50 desc nulls last' if mode == 'measured' else 'opportunity_score desc nulls last' }},
                video_id
        ) as place
    from asked
    where left_out_because is null

),

timed as (

    select
        *,
        sum({{ production }} + {{ variant }} * (variants - 1)) over (
            partition by as_of_date
            order by place
            rows between unbounded preceding and current row
        ) as hours_so_far
    from ranked

)

select
    asked.*,
    cast(timed.place as integer) as place,
    timed.variants,
    timed.hours_so_far,
    coalesce(timed.hours_so_far <= {{ day }}, false) as fits_into_day
from asked
left join timed
    on
        asked.as_of_date = timed.as_of_date
        and asked.video_id = timed.video_id
