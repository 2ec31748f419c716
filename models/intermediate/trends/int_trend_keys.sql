{#- The one key that each video of a date's feeds is told under, and why; where it shares none, the video itself. -#}

with

presence as (

    select * from {{ ref('int_feed_presence') }}

),

batch as (

    select * from {{ ref('int_as_of') }}

),

videos as (

    select first_seen_at
    from {{ ref('int_videos') }}
    where first_seen_date >= {{ window_start(ref('int_as_of'), var('history_days')) }}

),

primary_keys as (

    select * from {{ ref('int_video_trend_keys') }}
    where
        key_place = 1
        and is_candidate

),

sizes as (

    select
        batch.as_of_date,
        count(*) as corpus_videos
    from videos
    inner join batch
        on
            videos.first_seen_at <= batch.cutoff_at
            and videos.first_seen_at > batch.cutoff_at - interval {{ var('history_days') }} day
    group by batch.as_of_date

),

present as (

    select distinct
        as_of_date,
        video_id
    from presence

)

select
    present.as_of_date,
    present.video_id,
    coalesce(primary_keys.trend_key, 'video:' || present.video_id) as trend_key,
    coalesce(primary_keys.trend_key_type, 'video') as trend_key_type,
    case
        when primary_keys.trend_key is null
            then
                'no template, sound or effect and no distinctive hashtag, among '
                || coalesce(sizes.corpus_videos, 0) || ' videos'
        else
            case
                when primary_keys.trend_key_type = 'sound' and primary_keys.is_music_original then 'original sound'
                when primary_keys.trend_key_type = 'template' then 'CapCut template'
                else primary_keys.trend_key_type
            end
            || ' on ' || primary_keys.videos || ' of ' || coalesce(sizes.corpus_videos, 0) || ' videos, '
            || primary_keys.creators || case when primary_keys.creators = 1 then ' creator' else ' creators' end
    end as trend_key_reason
from present
left join primary_keys
    on
        present.as_of_date = primary_keys.as_of_date
        and present.video_id = primary_keys.video_id
left join sizes
    on present.as_of_date = sizes.as_of_date
