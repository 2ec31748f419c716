{#- Own posts of any age: a post in several feeds stands once per market. -#}

with

videos as (

    select * from {{ ref('videos_daily') }}
    where as_of_date in (select batch.as_of_date from {{ ref('int_as_of') }} as batch)

)

select
    as_of_date,
    market,
    video_id,
    author_handle as account,
    caption as trend,
    age_hours,
    momentum_score,
    status,
    market_label,
    views_per_hour,
    shares_per_hour,
    build_now,
    video_url as url,
    tutorial_trigger,
    urgency,
    trigger_reason,
    cast(null as bigint) as competitor_count_7d,
    cast(null as varchar) as tutorial_link,
    cast(null as varchar) as template_link,
    cast(null as double) as revenue,
    cast(null as varchar) as notes
from videos
where author_role = 'own'
