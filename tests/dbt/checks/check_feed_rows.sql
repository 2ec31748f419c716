{% set mode = check_mode('check_feed_rows') %}
{{
    config(
        enabled=mode != 'off',
        severity='error' if mode == 'block' else 'warn',
        meta={'description': 'A video feed has a small part of the videos that are usual for its market, or none of use.', 'dagster': {'ref': {'name': 'source_health'}}},
    )
}}

with

batch as (

    select * from {{ ref('int_as_of') }}

),

health as (

    select *
    from {{ ref('source_health') }}
    where
        kind = 'videos'
        and not is_missing
        and as_of_date >= {{ window_start(ref('int_as_of'), var('check_feed_rows_days')) }}

),

compared as (

    select
        today.as_of_date,
        today.market,
        max(today.distinct_videos) as videos,
        {{ quantile('earlier.distinct_videos', 0.5) }} as usual_videos,
        count(*) as days
    from health as today
    inner join batch
        on today.as_of_date = batch.as_of_date
    inner join health as earlier
        on
            today.market = earlier.market
            and today.as_of_date > earlier.as_of_date
            and today.as_of_date - {{ var('check_feed_rows_days') }} <= earlier.as_of_date
    group by today.as_of_date, today.market

)

-- A feed came and nothing in it was of use: worse than a thin one, whatever is usual.
select
    today.as_of_date,
    today.market || ': 0 videos, ' || today.message as message
from {{ ref('source_health') }} as today
inner join batch
    on today.as_of_date = batch.as_of_date
where
    today.kind = 'videos'
    and today.items = 0
    and today.quarantined_items > today.unreadable_files
union all
select
    as_of_date,
    market || ': ' || videos || ' videos, ' || cast(usual_videos as integer) || ' are usual' as message
from compared
where
    days >= {{ var('check_minimum_days') }}
    and videos < {{ var('check_feed_rows_share') }} * usual_videos
