{#-
    Every key that a video of the date's feeds carries, with its place: the first one is the video's trend key.
    A template says most, then a sound, an effect and a hashtag; among hashtags (or effects) the rarest goes first.
-#}

with

presence as (

    select * from {{ ref('int_feed_presence') }}

),

videos as (

    select * from {{ ref('int_videos') }}

),

corpus as (

    select * from {{ ref('int_trend_corpus') }}

),

stop_words as (

    select 'hashtag:' || lower(hashtag) as trend_key
    from {{ ref('trend_stop_words') }}

),

present as (

    select distinct
        as_of_date,
        video_id
    from presence

),

carried as (

    select
        present.as_of_date,
        present.video_id,
        videos.is_music_original,
        {{ explode_list('videos.carried_keys') }} as trend_key
    from present
    inner join videos
        on present.video_id = videos.video_id

),

counted as (

    -- A key that the corpus does not list is used by this video alone.
    select
        carried.as_of_date,
        carried.video_id,
        carried.trend_key,
        carried.is_music_original,
        {{ trend_key_type('carried.trend_key') }} as trend_key_type,
        coalesce(corpus.videos, 1) as videos,
        coalesce(corpus.creators, 1) as creators,
        coalesce(corpus.is_distinctive, {{ trend_key_type('carried.trend_key') }} <> 'hashtag') as is_distinctive
    from carried
    left join corpus
        on
            carried.as_of_date = corpus.as_of_date
            and carried.trend_key = corpus.trend_key
    where not exists (select 1 from stop_words where stop_words.trend_key = carried.trend_key)

),

judged as (

    select
        *,
        is_distinctive
        and not (trend_key_type = 'sound' and coalesce(is_music_original, false) and videos = 1) as is_candidate,
        case trend_key_type when 'template' then 1 when 'sound' then 2 when 'effect' then 3 else 4 end as type_order
    from counted

)

select
    as_of_date,
    video_id,
    trend_key,
    trend_key_type,
    is_music_original,
    videos,
    creators,
    is_candidate,
    row_number() over (
        partition by as_of_date, video_id
        order by is_candidate desc, type_order asc, videos asc, trend_key asc
    ) as key_place
from judged
