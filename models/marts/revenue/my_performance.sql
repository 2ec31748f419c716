{#- Own posts of any age: a post in several feeds stands once per market. -#}

with

recent as (

    select * from {{ ref('videos_daily') }}
    where as_of_date >= {{ window_start(ref('int_as_of'), 6) }}

),

videos as (

    select * from {{ ref('videos_daily') }}
    where as_of_date in (select batch.as_of_date from {{ ref('int_as_of') }} as batch)

),

entered as (

    -- What the user entered for the post; several rows of one link add up, of texts the first one holds.
    select
        as_of_date,
        video_id,
        cast(sum(received) as double) as revenue,
        {{ value_at_min('tutorial_link', 'sheet_row', 'tutorial_link is not null') }} as tutorial_link,
        {{ value_at_min('template_link', 'sheet_row', 'template_link is not null') }} as template_link,
        {{ value_at_min('notes', 'sheet_row', 'notes is not null') }} as notes
    from {{ ref('int_revenue_rows') }}
    where
        is_counted
        and video_id is not null
    group by as_of_date, video_id

),

batch as (

    select
        int_as_of.as_of_date,
        markets.market,
        {{ local_hour('int_as_of.cutoff_at', 'markets.timezone') }} as local_hour
    from {{ ref('int_as_of') }} as int_as_of
    cross join {{ ref('markets') }} as markets

),

rivals as (

    -- Competitors on the same trend key in the seven days up to the date.
    select
        videos.as_of_date,
        videos.trend_key,
        count(distinct recent.author_handle) as competitor_count
    from videos
    inner join recent
        on
            videos.trend_key = recent.trend_key
            and recent.as_of_date between videos.as_of_date - 6 and videos.as_of_date
    where
        videos.author_role = 'own'
        and recent.author_role = 'competitor'
    group by videos.as_of_date, videos.trend_key

)

select
    videos.as_of_date,
    videos.market,
    videos.video_id,
    videos.author_handle as account,
    videos.caption as trend,
    videos.age_hours,
    videos.momentum_score,
    videos.status,
    videos.market_label,
    videos.views_per_hour,
    videos.shares_per_hour,
    videos.build_now,
    videos.video_url as url,
    -- A post that loses its pace is not told to be made now, however high its lifetime rates are.
    case when videos.status in ('📉 COOLING', '❄️ DYING') then 'NONE' else videos.tutorial_trigger end
        as tutorial_trigger,
    case when videos.status in ('📉 COOLING', '❄️ DYING') then 'NONE' else videos.urgency end as urgency,
    case
        when videos.status in ('📉 COOLING', '❄️ DYING')
            then 'loses its pace (' || videos.status || '), although: ' || videos.trigger_reason
        else videos.trigger_reason
    end as trigger_reason,
    coalesce(rivals.competitor_count, 0) as competitor_count_7d,
    entered.tutorial_link,
    entered.template_link,
    entered.revenue,
    entered.notes,
    videos.ai_category,
    videos.opportunity_score,
    videos.trend_key,
    videos.seasonal_event,
    case
        when batch.local_hour between {{ var('prime_from_hour') }} and {{ var('prime_to_hour') }} then '🟢 PRIME'
        else 'OFF_PEAK'
    end as time_zone_label,
    case
        when videos.action_window = '🔴 ACT NOW' then '🔴 BUILD_IMMEDIATELY'
        when videos.action_window in ('🟠 6-12H', '🟡 12-24H') then '🟠 BUILD_TODAY'
    end as build_priority
from videos
inner join batch
    on
        videos.as_of_date = batch.as_of_date
        and videos.market = batch.market
left join rivals
    on
        videos.as_of_date = rivals.as_of_date
        and videos.trend_key = rivals.trend_key
left join entered
    on
        videos.as_of_date = entered.as_of_date
        and videos.video_id = entered.video_id
where videos.author_role = 'own'
