{#-
    Section 4: how often an account's picks reached a momentum, against all other creators' posts of the same week in
    its home market (a total: in all markets). Both by the highest momentum of the week.
-#}

with

batch as (

    select * from {{ ref('int_as_of') }}

),

parties as (

    select * from {{ ref('int_parties') }}

),

posts as (

    select * from {{ ref('int_party_posts') }}
    where is_in_week

),

thresholds as (

    select 1000 as threshold
    union all
    select 2000 as threshold
    union all
    select 3000 as threshold

),

others as (

    select
        batch.as_of_date,
        videos.market,
        videos.video_id,
        max(videos.momentum_score) as peak_momentum
    from batch
    inner join {{ ref('videos_daily') }} as videos
        on
            batch.as_of_date >= videos.as_of_date
            and batch.as_of_date - 6 <= videos.as_of_date
            and cast(videos.posted_at as date) between batch.as_of_date - 6 and batch.as_of_date
    where
        videos.as_of_date >= {{ window_start(ref('int_as_of'), 6) }}
        and videos.author_role = 'other'
    group by batch.as_of_date, videos.market, videos.video_id

),

others_anywhere as (

    select
        as_of_date,
        market,
        video_id,
        peak_momentum
    from others

    union all

    select
        as_of_date,
        'ALL' as market,
        video_id,
        max(peak_momentum) as peak_momentum
    from others
    group by as_of_date, video_id

),

base as (

    select
        others_anywhere.as_of_date,
        others_anywhere.market,
        thresholds.threshold,
        count(*) as videos,
        count(*) filter (where others_anywhere.peak_momentum >= thresholds.threshold) as reached
    from others_anywhere
    cross join thresholds
    group by others_anywhere.as_of_date, others_anywhere.market, thresholds.threshold

),

picked as (

    select
        parties.as_of_date,
        parties.party,
        parties.is_total,
        parties.role,
        coalesce(parties.home_market, 'ALL') as base_market,
        thresholds.threshold,
        count(posts.video_id) as n,
        count(posts.video_id) filter (where posts.peak_momentum >= thresholds.threshold) as reached
    from parties
    cross join thresholds
    left join posts
        on
            parties.as_of_date = posts.as_of_date
            and parties.party = posts.party
    group by
        parties.as_of_date, parties.party, parties.is_total, parties.role, parties.home_market, thresholds.threshold

)

select
    picked.as_of_date,
    picked.party as account,
    picked.is_total,
    picked.role,
    cast(picked.threshold as integer) as threshold,
    picked.n,
    picked.reached,
    {{ if_enough('cast(picked.reached as double) / picked.n', 'picked.n') }} as share,
    picked.base_market,
    coalesce(base.videos, 0) as base_n,
    cast(base.reached as double) / base.videos as base_share,
    {{ if_enough(
        '(cast(picked.reached as double) / picked.n) / nullif(cast(base.reached as double) / base.videos, 0)', 'picked.n'
    ) }} as lift
from picked
left join base
    on
        picked.as_of_date = base.as_of_date
        and picked.base_market = base.market
        and picked.threshold = base.threshold
