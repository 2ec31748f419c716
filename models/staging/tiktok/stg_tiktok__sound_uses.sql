{{ config(materialized='incremental', incremental_strategy='append') }}

{#- Items of music feeds: a video that uses a sound (sound scraper), or a sound's place in a trends list. -#}

with

source as (

    select *
    from {{ source('raw', 'tiktok_music') }}
    {% if is_incremental() %}
    where load_id > (select coalesce(max(load_id), 0) from {{ this }})
    {% endif %}

),

parsed as (

    select
        load_id,
        item_index,
        source,
        market,
        observed_at,
        {{ json_to_struct('payload', tiktok_item_structure()) }} as item
    from source

)

select
    load_id,
    item_index,
    source,
    market,
    observed_at,
    cast(observed_at as date) as observed_date,
    trim(coalesce(
        {{ tiktok_nested('musicMeta', 'musicId') }}, item."musicId", item.music.id_str, item.music.id, item.song.id,
        case when item.type = 'sound' then item.id end
    )) as sound_id,
    coalesce(
        {{ tiktok_nested('musicMeta', 'musicName') }}, item.music.title, item.music.name, item.song.title,
        item."musicTitle", case when item.type = 'sound' then item.name end
    ) as sound_name,
    coalesce(
        {{ tiktok_nested('musicMeta', 'musicAuthor') }}, item.music.author, item.song.artist, item."musicAuthor"
    ) as artist,
    try_cast(coalesce(
        {{ tiktok_nested('musicMeta', 'musicOriginal') }}, item.music."isOriginal", item.music.is_original
    ) as boolean) as is_original,
    coalesce({{ tiktok_nested('musicMeta', 'playUrl') }}, case when item.type = 'sound' then item.url end) as play_url,
    case when coalesce(item.type, '') <> 'sound' then coalesce(item.id, item.aweme_id, item."videoId") end as video_id,
    lower(coalesce(
        {{ tiktok_nested('authorMeta', 'name') }}, item.author.unique_id, item.channel.username, item."authorUsername"
    )) as author_handle,
    {{ tiktok_count('coalesce(' ~ tiktok_nested('searchMusic', 'videos') ~ ', item."videoCount")') }} as platform_uses,
    try_cast(item.rank as integer) as platform_rank
from parsed
