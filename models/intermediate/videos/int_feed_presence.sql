{#- The videos present in each date's feeds up to its cut-off. One row per as-of date, market and video. -#}

with

batch as (

    select * from {{ ref('int_as_of') }}

),

staged as (

    select
        market,
        video_id,
        load_id,
        item_index,
        observed_at,
        observed_date
    from {{ ref('stg_tiktok__videos') }}
    where observed_date >= {{ window_start(ref('int_as_of'), 0) }}

),

present as (

    select
        batch.as_of_date,
        batch.cutoff_at,
        staged.market,
        staged.video_id,
        staged.load_id,
        staged.item_index,
        staged.observed_at,
        row_number() over (
            partition by batch.as_of_date, staged.market, staged.video_id
            order by staged.observed_at desc, staged.load_id desc
        ) as place_from_end,
        min(staged.observed_at) over (
            partition by batch.as_of_date, staged.market, staged.video_id
        ) as first_seen_in_day
    from staged
    inner join batch
        on
            staged.observed_date = batch.as_of_date
            and staged.observed_at <= batch.cutoff_at

)

select
    as_of_date,
    cutoff_at,
    market,
    video_id,
    item_index as feed_rank,
    first_seen_in_day,
    observed_at as last_seen_in_day,
    load_id as last_load_id,
    count(*) over (partition by as_of_date, video_id) as market_count
from present
where place_from_end = 1
