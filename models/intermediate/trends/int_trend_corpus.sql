{#-
    How common each key is: its videos and creators among all videos that were first seen in the 28 days up to the
    cut-off, over all markets. Keys of a single video are left out: they are most, and say nothing.
-#}

with

batch as (

    select * from {{ ref('int_as_of') }}

),

accounts as (

    select * from {{ ref('int_accounts') }}

),

stop_words as (

    select 'hashtag:' || lower(hashtag) as trend_key
    from {{ ref('trend_stop_words') }}

),

videos as (

    select
        video_id,
        first_seen_at,
        carried_keys,
        coalesce(author_handle, video_id) as creator
    from {{ ref('int_videos') }}
    where first_seen_date >= {{ window_start(ref('int_as_of'), var('history_days')) }}

),

corpus as (

    select
        batch.as_of_date,
        batch.cutoff_at,
        videos.video_id,
        videos.first_seen_at,
        videos.creator,
        videos.carried_keys
    from videos
    inner join batch
        on
            videos.first_seen_at <= batch.cutoff_at
            and videos.first_seen_at > batch.cutoff_at - interval {{ var('history_days') }} day

),

sizes as (

    select
        as_of_date,
        count(*) as corpus_videos
    from corpus
    group by as_of_date

),

carried as (

    select
        as_of_date,
        creator,
        first_seen_at > cutoff_at - interval 7 day as is_in_week,
        {{ explode_list('carried_keys') }} as trend_key
    from corpus

),

frequent as (

    -- Most keys are of one video: counting creators for them would cost more than all the rest.
    select
        carried.as_of_date,
        carried.trend_key,
        count(*) as videos,
        max(sizes.corpus_videos) as corpus_videos
    from carried
    inner join sizes
        on carried.as_of_date = sizes.as_of_date
    group by carried.as_of_date, carried.trend_key
    having count(*) >= {{ trend_minimum_videos('max(sizes.corpus_videos)') }}

),

told as (

    select
        *,
        {{ trend_key_type('trend_key') }} as trend_key_type
    from frequent
    where not exists (select 1 from stop_words where stop_words.trend_key = frequent.trend_key)

),

made as (

    select
        carried.as_of_date,
        carried.trend_key,
        count(distinct carried.creator) as creators,
        sum(case when accounts.role = 'own' and carried.is_in_week then 1 else 0 end) as own_uses_7d,
        sum(case when accounts.role = 'competitor' and carried.is_in_week then 1 else 0 end) as competitor_uses_7d
    from carried
    inner join told
        on
            carried.as_of_date = told.as_of_date
            and carried.trend_key = told.trend_key
    left join accounts
        on carried.creator = accounts.handle
    group by carried.as_of_date, carried.trend_key

)

select
    told.as_of_date,
    told.trend_key,
    told.trend_key_type,
    told.videos,
    made.creators,
    told.corpus_videos,
    cast(made.own_uses_7d as bigint) as own_uses_7d,
    cast(made.competitor_uses_7d as bigint) as competitor_uses_7d,
    {{ is_distinctive('told.trend_key_type', 'told.videos', 'made.creators', 'told.corpus_videos') }} as is_distinctive
from told
inner join made
    on
        told.as_of_date = made.as_of_date
        and told.trend_key = made.trend_key
