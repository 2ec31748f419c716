{% set mode = check_mode('check_feed_repeats') %}
{{
    config(
        enabled=mode != 'off',
        severity='error' if mode == 'block' else 'warn',
        meta={'description': 'A market was fed the videos of the day before once more.', 'dagster': {'ref': {'name': 'videos_daily'}}},
    )
}}

with

batch as (

    select * from {{ ref('int_as_of') }}

),

videos as (

    select
        as_of_date,
        market,
        video_id
    from {{ ref('videos_daily') }}
    where as_of_date >= {{ window_start(ref('int_as_of'), 1) }}

),

compared as (

    select
        today.as_of_date,
        today.market,
        count(*) as videos,
        count(yesterday.video_id) as videos_again
    from videos as today
    inner join batch
        on today.as_of_date = batch.as_of_date
    left join videos as yesterday
        on
            today.market = yesterday.market
            and today.video_id = yesterday.video_id
            and today.as_of_date - 1 = yesterday.as_of_date
    group by today.as_of_date, today.market

)

select
    as_of_date,
    market || ': ' || videos_again || ' of ' || videos || ' videos were in the feed of the day before' as message
from compared
where
    videos >= {{ var('check_feed_repeats_minimum') }}
    and videos_again >= {{ var('check_feed_repeats_share') }} * videos
