{#-
    How common each key is: its videos and creators among all videos that were first seen in the 28 days up to the
    cut-off, over all markets. Keys of a single video are left out: they are most, and say nothing.
-#}

with

batch as (

    select * from {{ ref('int_as_of') }}

),

accounts as (

    select
        lower(handle) as handle,
        role
    from {{ ref('accounts') }}

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
    where first_seen_date >= {{ window_start(var('history_days')) }}

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
        corpus.as_of_date,
        corpus.creator,
        case
            when corpus.first_seen_at > corpus.cutoff_at - interval 7 day then accounts.role
        end as role_7d,
        {{ explode_list('corpus.carried_keys') }} as trend_key
    from corpus
    left join accounts
        on corpus.creator = accounts.handle

),

counted as (

    select
        as_of_date,
        trend_key,
        count(*) as videos,
        count(distinct creator) as creators,
        sum(case when role_7d = 'own' then 1 else 0 end) as own_uses_7d,
        sum(case when role_7d = 'competitor' then 1 else 0 end) as competitor_uses_7d
    from carried
    group by as_of_date, trend_key
    having count(*) >= {{ var('trend_minimum_videos', 2) }}

),

typed as (

    select
        counted.*,
        sizes.corpus_videos,
        {{ trend_key_type('counted.trend_key') }} as trend_key_type
    from counted
    inner join sizes
        on counted.as_of_date = sizes.as_of_date
    where not exists (select 1 from stop_words where stop_words.trend_key = counted.trend_key)

)

select
    as_of_date,
    trend_key,
    trend_key_type,
    videos,
    creators,
    corpus_videos,
    cast(own_uses_7d as bigint) as own_uses_7d,
    cast(competitor_uses_7d as bigint) as competitor_uses_7d,
    {{ is_distinctive('trend_key_type', 'videos', 'creators', 'corpus_videos') }} as is_distinctive
from typed
