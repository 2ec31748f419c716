{#-
    Posts of own accounts and competitors that a date knows, of the last 28 days, each as it was seen last. A post in
    both feeds stands once, under its account's home market where that shows it.
-#}

with

batch as (

    select * from {{ ref('int_as_of') }}

),

sightings as (

    select
        as_of_date as seen_on,
        market,
        video_id,
        author_handle,
        author_role,
        market_label,
        caption,
        trend_key,
        trend_key_type,
        posted_at,
        age_hours,
        plays,
        momentum_score,
        shares_per_hour,
        views_per_hour,
        ai_category,
        status,
        video_url
    from {{ ref('videos_daily') }}
    where
        as_of_date >= {{ window_start(ref('int_as_of'), (var('history_days') | int) - 1) }}
        and author_role in ('own', 'competitor')

),

accounts as (

    select
        handle as account,
        home_market
    from {{ ref('int_accounts') }}

),

markets as (

    select * from {{ ref('markets') }}

),

views_48h as (

    select * from {{ ref('int_account_views_48h') }}

),

known as (

    select
        batch.as_of_date,
        sightings.*,
        accounts.home_market,
        row_number() over (
            partition by batch.as_of_date, sightings.video_id
            order by
                sightings.seen_on desc,
                case when sightings.market = accounts.home_market then 0 else 1 end asc,
                sightings.market asc
        ) as place
    from batch
    inner join sightings
        on
            batch.as_of_date >= sightings.seen_on
            and batch.as_of_date - {{ (var('history_days') | int) - 1 }} <= sightings.seen_on
    inner join accounts
        on sightings.author_handle = accounts.account

),

spans as (

    select
        as_of_date,
        video_id,
        min(seen_on) as first_seen_on,
        max(momentum_score) as peak_momentum
    from known
    group by as_of_date, video_id

)

select
    known.as_of_date,
    known.video_id,
    known.author_handle as account,
    known.author_role as role,
    known.home_market,
    known.market,
    known.market_label,
    spans.first_seen_on,
    known.seen_on as last_seen_on,
    known.caption,
    known.trend_key,
    known.trend_key_type,
    known.trend_key_type <> 'video' as is_on_trend,
    known.posted_at,
    {{ local_time('known.posted_at', 'markets.timezone') }} as local_posted_at,
    known.age_hours,
    known.plays,
    known.momentum_score,
    spans.peak_momentum,
    known.shares_per_hour,
    known.views_per_hour,
    known.ai_category,
    known.status,
    known.video_url,
    views_48h.views_48h,
    cast(known.posted_at as date) between known.as_of_date - 6 and known.as_of_date as is_in_week
from known
inner join spans
    on
        known.as_of_date = spans.as_of_date
        and known.video_id = spans.video_id
inner join markets
    on known.market = markets.market
left join views_48h
    on
        known.as_of_date = views_48h.as_of_date
        and known.video_id = views_48h.video_id
where known.place = 1
