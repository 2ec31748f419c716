{#
  One resolver for the shapes of TikTok items: nested keys, the dotted keys of an overview view, the slashed keys and
  exploded arrays of a CSV export, and the names that sibling actors use. Payloads are parsed once into one struct.
  Counts are read as text: some actors give numbers, some text, some "80.3K".
#}
{% macro tiktok_item_structure() -%}
{%- set text_keys = [
    'id', 'aweme_id', 'videoId', 'type', 'webVideoUrl', 'url', 'share_url', 'postPage',
    'text', 'desc', 'description', 'title', 'name', 'textLanguage',
    'createTime', 'create_time', 'uploadedAt', 'createTimeISO', 'createdAt', 'uploadedAtFormatted',
    'playCount', 'plays', 'views', 'diggCount', 'diggs', 'likes', 'likeCount', 'shareCount', 'shares',
    'commentCount', 'comments', 'collectCount', 'saveCount', 'bookmarks', 'repostCount',
    'authorUsername', 'authorId', 'authorNickname', 'musicId', 'musicTitle', 'musicAuthor',
    'duration', 'durationMs', 'isAd', 'is_ads', 'isSponsored', 'isSlideshow', 'isPhotoPost', 'isPinned',
    'locationCreated', 'location', 'region', 'input', 'searchQuery', 'inputSource', 'aigcLabelType', 'isAiGenerated',
    'IsAigc', 'rank', 'videoCount', 'countryCode'
] -%}
{%- set nested = {
    'authorMeta': ['name', 'id', 'nickName', 'fans', 'region'],
    'musicMeta': ['musicId', 'musicName', 'musicAuthor', 'musicOriginal', 'playUrl'],
    'videoMeta': ['duration'],
    'searchHashtag': ['name'],
    'searchMusic': ['musicTag', 'videos'],
} -%}
{%- set sibling = {
    'author': ['unique_id', 'uid', 'nickname', 'follower_count', 'name', 'fans', 'region'],
    'channel': ['username', 'id', 'name', 'followers'],
    'statistics': ['play_count', 'digg_count', 'share_count', 'comment_count', 'collect_count', 'repost_count'],
    'music': ['id_str', 'id', 'title', 'author', 'name', 'isOriginal', 'is_original'],
    'song': ['id', 'title', 'artist'],
    'video': ['duration'],
    'cc_template_info': ['template_id'],
    'aigc_info': ['aigc_label_type', 'created_by_ai'],
} -%}
{
{%- for key in text_keys %}"{{ key }}": "VARCHAR", {% endfor %}
{%- for parent, children in nested.items() %}
"{{ parent }}": { {% for child in children %}"{{ child }}": "VARCHAR"{% if not loop.last %}, {% endif %}{% endfor %} },
{%- for child in children %} "{{ parent }}.{{ child }}": "VARCHAR", "{{ parent }}/{{ child }}": "VARCHAR",{% endfor %}
{%- endfor %}
{%- for parent, children in sibling.items() %}
"{{ parent }}": { {% for child in children %}"{{ child }}": "VARCHAR"{% if not loop.last %}, {% endif %}{% endfor %} },
{%- endfor %}
{%- for index in range(30) %} "hashtags/{{ index }}/name": "VARCHAR",{% endfor %}
{%- for index in range(4) %} "effectStickers/{{ index }}/name": "VARCHAR",{% endfor %}
"hashtags": ["JSON"], "cha_list": [{"cha_name": "VARCHAR"}],
"effectStickers": ["JSON"],
"anchors": [{"component_key": "VARCHAR", "log_extra": "VARCHAR"}]
}
{%- endmacro %}

{# The three spellings of a nested key of the clockworks family. #}
{% macro tiktok_nested(parent, child) -%}
    item."{{ parent }}"."{{ child }}", item."{{ parent }}.{{ child }}", item."{{ parent }}/{{ child }}"
{%- endmacro %}

{# A count: an integer, integer text, or text such as 80.3K, 2044.8B. Negative or unreadable counts are not given. #}
{% macro tiktok_count(value) -%}
    case
        when try_cast({{ value }} as bigint) >= 0 then try_cast({{ value }} as bigint)
        when regexp_matches({{ value }}, '^[0-9.]+ *[kKmMbB]$')
            then cast(round(
                try_cast(regexp_extract({{ value }}, '^([0-9.]+)', 1) as double)
                * case upper(right({{ value }}, 1)) when 'K' then 1e3 when 'M' then 1e6 else 1e9 end
            ) as bigint)
    end
{%- endmacro %}

{# Step between neighbouring values that the source can tell apart, where it rounds as TikTok's web pages do. #}
{% macro tiktok_resolution(count_column, is_rounded) -%}
    case
        when {{ count_column }} is null then null
        when not {{ is_rounded }} or {{ count_column }} < 10000 then 1
        when {{ count_column }} < 1000000 then 100
        else 100000
    end
{%- endmacro %}
