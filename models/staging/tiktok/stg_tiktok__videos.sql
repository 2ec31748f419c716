{{ config(materialized='incremental', incremental_strategy='append') }}

{#- Loads are immutable: only the ones not staged yet are parsed, so the cost follows the day. -#}

{% set hashtag_columns -%}
{% for index in range(30) %}item."hashtags/{{ index }}/name"{% if not loop.last %}, {% endif %}{% endfor %}
{%- endset %}
{% set effect_columns -%}
{% for index in range(4) %}item."effectStickers/{{ index }}/name"{% if not loop.last %}, {% endif %}{% endfor %}
{%- endset %}
{% set all_hashtags -%}
list_concat(
    list_transform(
        item.hashtags,
        lambda tag: coalesce(tag ->> '$.name', case when json_type(tag) = 'VARCHAR' then tag ->> '$' end)
    ),
    list_transform(item.cha_list, lambda tag: tag.cha_name),
    -- Columns of a CSV export: other feeds need not carry thirty empty ones through the cleaning.
    case when coalesce({{ hashtag_columns }}) is not null then [{{ hashtag_columns }}] end
)
{%- endset %}
{% set all_effects -%}
list_concat(
    {#- Not as a struct: its keys know no case, and `ID` and `id` are two. #}
    list_transform(
        item."effectStickers", lambda effect: coalesce(effect ->> '$.name', effect ->> '$.ID', effect ->> '$.id')
    ),
    case when coalesce({{ effect_columns }}) is not null then [{{ effect_columns }}] end
)
{%- endset %}

with

source as (

    select *
    from {{ source('raw', 'tiktok_videos') }}
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
        run_id,
        dataset_id,
        observed_at,
        item_hash,
        {{ json_to_struct('payload', tiktok_item_structure()) }} as item
    from source

),

resolved as (

    select
        load_id,
        item_index,
        source,
        market,
        run_id,
        dataset_id,
        observed_at,
        item_hash,

        ---------- ids and links
        trim(coalesce(
            item.id, item.aweme_id, item."videoId",
            {{ regex_capture(
                'coalesce(item."webVideoUrl", item.url, item.share_url, item."postPage")', '/(?:video|photo)/([0-9]+)'
            ) }}
        )) as video_id,
        coalesce(item."webVideoUrl", item.url, item.share_url, item."postPage") as given_url,
        lower(coalesce(
            {{ tiktok_nested('authorMeta', 'name') }}, item.author.unique_id, item.channel.username,
            item."authorUsername", item.author.name,
            {{ regex_capture(
                'coalesce(item."webVideoUrl", item.url, item.share_url, item."postPage")', '/@([^/?]+)/'
            ) }}
        )) as author_handle,
        coalesce(
            {{ tiktok_nested('authorMeta', 'id') }}, item.author.uid, item.channel.id, item."authorId"
        ) as author_id,
        nullif(coalesce(
            {{ tiktok_nested('musicMeta', 'musicId') }}, item.music.id_str, item."musicId", item.music.id, item.song.id
        ), '') as music_id,
        coalesce(
            nullif(item.cc_template_info.template_id, ''),
            {{ regex_capture('item.anchors[1].log_extra', '"template_id": *"([^"]+)"') }},
            {{ regex_capture('coalesce(item.text, item.desc)', 'capcut[.]com/t/([A-Za-z0-9_-]+)') }},
            {{ regex_capture(
                'coalesce(item.text, item.desc)', 'capcut[.](?:com|net)/[^ ]*?(?:template-detail/|template_id=)([0-9]+)'
            ) }}
        ) as template_id,

        ---------- text
        coalesce(item.text, item.desc, item.description, item.title, item.name, '') as caption,
        nullif(item."textLanguage", 'un') as text_language,
        coalesce(
            {{ tiktok_nested('authorMeta', 'nickName') }}, item.author.nickname, item.channel.name,
            item."authorNickname"
        ) as author_name,
        coalesce(
            {{ tiktok_nested('musicMeta', 'musicName') }}, item.music.title, item.music.name, item.song.title,
            item."musicTitle"
        ) as music_name,
        coalesce(
            {{ tiktok_nested('musicMeta', 'musicAuthor') }}, item.music.author, item.song.artist, item."musicAuthor"
        ) as music_author,
        coalesce({{ tiktok_nested('musicMeta', 'playUrl') }}) as music_play_url,
        {{ clean_list(all_hashtags) }} as hashtags,
        {{ clean_list(all_effects) }} as effects,
        coalesce(
            {{ tiktok_nested('searchHashtag', 'name') }}, item."searchQuery", item.input, item."inputSource"
        ) as finder,
        coalesce(item."locationCreated", item.location, item.region) as location_created,

        ---------- numerics
        {{ tiktok_count('coalesce(item."playCount", item.plays, item.views, item.statistics.play_count)') }} as plays,
        {{ tiktok_count(
            'coalesce(item."diggCount", item.diggs, item.likes, item."likeCount", item.statistics.digg_count)'
        ) }} as likes,
        {{ tiktok_count('coalesce(item."shareCount", item.shares, item.statistics.share_count)') }} as shares,
        {{ tiktok_count('coalesce(item."commentCount", item.comments, item.statistics.comment_count)') }} as comments,
        {{ tiktok_count(
            'coalesce(item."collectCount", item."saveCount", item.bookmarks, item.statistics.collect_count)'
        ) }} as saves,
        {{ tiktok_count('coalesce(item."repostCount", item.statistics.repost_count)') }} as reposts,
        {{ tiktok_count(
            'coalesce(' ~ tiktok_nested('authorMeta', 'fans')
            ~ ', item.author.follower_count, item.channel.followers, item.author.fans)'
        ) }} as author_followers,
        coalesce(
            try_cast(
                coalesce({{ tiktok_nested('videoMeta', 'duration') }}, item.duration, item.video.duration) as double
            ),
            try_cast(item."durationMs" as double) / 1000
        ) as duration_s,

        ---------- booleans
        try_cast(coalesce(item."isAd", item.is_ads) as boolean) as is_ad,
        try_cast(item."isSponsored" as boolean) as is_sponsored,
        try_cast(item."isPinned" as boolean) as is_pinned,
        coalesce(
            try_cast(item."isSlideshow" as boolean), try_cast(item."isPhotoPost" as boolean),
            contains(coalesce(item."webVideoUrl", item.url, ''), '/photo/')
        ) as is_slideshow,
        try_cast(coalesce(
            {{ tiktok_nested('musicMeta', 'musicOriginal') }}, item.music."isOriginal", item.music.is_original
        ) as boolean) as is_music_original,
        case
            when coalesce(item.aigc_info.aigc_label_type, item."aigcLabelType") = '1' then 'creator'
            when coalesce(item.aigc_info.aigc_label_type, item."aigcLabelType") = '2' then 'platform'
            when try_cast(coalesce(item.aigc_info.created_by_ai, item."IsAigc", item."isAiGenerated") as boolean)
                then 'platform'
        end as ai_label,

        ---------- timestamps
        coalesce(
            {{ iso_to_timestamp('coalesce(item."createTimeISO", item."createdAt", item."uploadedAtFormatted")') }},
            {{ iso_to_timestamp('item."createTime"') }}
        ) as posted_at_iso,
        {{ epoch_to_timestamp('try_cast(coalesce(item."createTime", item.create_time, item."uploadedAt") as bigint)') }}
            as posted_at_epoch
    from parsed

),

dated as (

    select
        *,
        -- A TikTok id carries the second of its upload in its upper 32 bits; other platforms' ids are shorter or text.
        case
            when regexp_matches(video_id, '^[0-9]{18,19}$')
                then {{ epoch_to_timestamp('try_cast(video_id as bigint) // 4294967296') }}
        end as posted_at_id
    from resolved

),

rounding as (

    -- Web actors round every count of 10,000 and more to hundreds: one that does not prove the whole load exact.
    select
        load_id,
        coalesce(bool_and(
            coalesce(plays < 10000 or plays % 100 = 0, true)
            and coalesce(likes < 10000 or likes % 100 = 0, true)
            and coalesce(shares < 10000 or shares % 100 = 0, true)
        ), true) and bool_or(coalesce(plays >= 10000 or likes >= 10000, false)) as is_rounded
    from dated
    group by load_id

),

finders as (

    select
        load_id,
        video_id,
        count(*) as times_in_load,
        min(item_index) as first_item_index,
        {{ clean_list('array_agg(distinct finder)') }} as found_by
    from dated
    group by load_id, video_id

)

select
    dated.load_id,
    dated.item_index,
    dated.source,
    dated.market,
    dated.run_id,
    dated.dataset_id,
    dated.observed_at,
    cast(dated.observed_at as date) as observed_date,
    dated.item_hash,
    dated.video_id,
    case
        when dated.author_handle is not null and dated.posted_at_id is not null
            then
                'https://www.tiktok.com/@' || dated.author_handle
                || case when contains(dated.given_url, '/photo/') then '/photo/' else '/video/' end || dated.video_id
        else dated.given_url
    end as video_url,
    dated.author_handle,
    dated.author_id,
    dated.author_name,
    dated.author_followers,
    dated.caption,
    dated.text_language,
    dated.hashtags,
    dated.effects,
    dated.template_id,
    dated.music_id,
    dated.music_name,
    dated.music_author,
    dated.is_music_original,
    dated.music_play_url,
    dated.ai_label,
    dated.plays,
    dated.likes,
    dated.shares,
    dated.comments,
    dated.saves,
    dated.reposts,
    {{ tiktok_resolution('dated.plays', 'rounding.is_rounded') }} as plays_resolution,
    {{ tiktok_resolution('dated.likes', 'rounding.is_rounded') }} as likes_resolution,
    {{ tiktok_resolution('dated.shares', 'rounding.is_rounded') }} as shares_resolution,
    rounding.is_rounded as counts_rounded,
    dated.duration_s,
    dated.is_ad,
    dated.is_sponsored,
    dated.is_slideshow,
    dated.is_pinned,
    dated.location_created,
    finders.times_in_load,
    finders.found_by,
    coalesce(dated.posted_at_iso, dated.posted_at_epoch, dated.posted_at_id) as posted_at,
    case
        when dated.posted_at_iso is not null then 'iso'
        when dated.posted_at_epoch is not null then 'epoch'
        when dated.posted_at_id is not null then 'video_id'
        else 'first_seen'
    end as posted_at_source,
    coalesce(
        abs({{ hours_between('coalesce(dated.posted_at_iso, dated.posted_at_epoch)', 'dated.posted_at_id') }}) > 1,
        false
    ) as posted_at_disagrees
from dated
inner join finders
    on
        dated.load_id = finders.load_id
        and dated.item_index = finders.first_item_index
inner join rounding
    on dated.load_id = rounding.load_id
