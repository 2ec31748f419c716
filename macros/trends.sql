{#
  Trend keys: what several videos have in common, as text `<type>:<value>`, and the rules of the trend models that are
  used more than once.
#}

{# Everything a video carries that others may share, as a list of keys; the order says nothing. #}
{% macro carried_trend_keys(template_id, music_id, effects, hashtags) -%}
    {{ lists_together([
        "case when " ~ template_id ~ " is not null then " ~ list_of(["'template:' || " ~ template_id]) ~ " end",
        "case when " ~ music_id ~ " is not null then " ~ list_of(["'sound:' || " ~ music_id]) ~ " end",
        mapped(effects, 'effect', "'effect:' || effect"),
        mapped(hashtags, 'tag', "'hashtag:' || tag"),
    ]) }}
{%- endmacro %}

{# Type of a key: template, sound, effect, hashtag or video. #}
{% macro trend_key_type(trend_key) -%}
    split_part({{ trend_key }}, ':', 1)
{%- endmacro %}

{# Videos that a key needs, of so many: two, in large markets more, because chance alone brings two together. #}
{% macro trend_minimum_videos(corpus_videos) -%}
    greatest({{ var('trend_minimum_videos') }}, ceil({{ var('trend_minimum_share') }} * {{ corpus_videos }}))
{%- endmacro %}

{# Whether a key may be the primary one: a hashtag needs several creators and must not be common. #}
{% macro is_distinctive(trend_key_type, videos, creators, corpus_videos) -%}
    (
        {{ trend_key_type }} <> 'hashtag'
        or (
            {{ creators }} >= {{ var('trend_minimum_creators') }}
            and {{ videos }} <= {{ var('trend_common_share') }} * {{ corpus_videos }}
        )
    )
{%- endmacro %}

{# Value of a key: what stands behind its type. #}
{% macro trend_value(trend_key) -%}
    substring({{ trend_key }}, position(':' in {{ trend_key }}) + 1)
{%- endmacro %}

{#
  A trend as people know it: name and artist of a sound, a hashtag, a template or an effect; else the video.

  Args: columns. `caption`, `author_handle` and `video_id` are those of the video that stands for the trend.
#}
{% macro trend_name(trend_key, sound_name, artist, caption, author_handle, video_id) -%}
    case {{ trend_key_type(trend_key) }}
        when 'sound'
            then
                coalesce(nullif({{ sound_name }}, ''), 'sound ' || {{ trend_value(trend_key) }})
                || coalesce(' - ' || nullif({{ artist }}, ''), '')
        when 'hashtag' then '#' || {{ trend_value(trend_key) }}
        when 'template'
            then 'CapCut template: ' || coalesce(nullif(left({{ caption }}, 48), ''), {{ trend_value(trend_key) }})
        when 'effect' then 'effect ' || {{ trend_value(trend_key) }}
        else coalesce(nullif(left({{ caption }}, 60), ''), 'video of @' || {{ author_handle }}, {{ video_id }})
    end
{%- endmacro %}

{# A CTE with a name and an artist of each sound and date: both markets tell the same, of several texts one is enough. #}
{% macro named_sounds(sounds, batch) -%}
named_sounds as (

    select
        as_of_date,
        sound_id,
        min(sound_name) as sound_name,
        min(artist) as artist
    from {{ sounds }}
    where {{ of_batch(batch) }}
    group by as_of_date, sound_id

)
{%- endmacro %}

{# The page of a trend: TikTok's of a sound, a hashtag or an effect, CapCut's of a template; else the video's. #}
{% macro trend_url(trend_key, video_url) -%}
    case {{ trend_key_type(trend_key) }}
        when 'sound' then 'https://www.tiktok.com/music/sound-' || {{ trend_value(trend_key) }}
        when 'hashtag' then 'https://www.tiktok.com/tag/' || {{ trend_value(trend_key) }}
        when 'template' then 'https://www.capcut.com/template-detail/' || {{ trend_value(trend_key) }}
        when 'effect' then 'https://www.tiktok.com/sticker/effect-' || {{ trend_value(trend_key) }}
        else {{ video_url }}
    end
{%- endmacro %}

{# Key of an entry of the watch list, as people type it: an account, a tag, a sound or a template, also as a link. #}
{% macro watched_key(kind, value) -%}
    case {{ kind }}
        when 'account' then 'account:' || {{ bare_handle(value) }}
        when 'tag' then 'hashtag:' || lower({{ replace_matches('trim(' ~ value ~ ')', '^#+', '') }})
        -- A link may say more behind a question mark.
        else
            {{ kind }} || ':'
            || {{ first_match(replace_matches('trim(' ~ value ~ ')', '[?].*$', ''), '([0-9]+)[^0-9]*$') }}
    end
{%- endmacro %}

{#
  Views that a video gained in the last 24 hours: it never gained more than it has; one reading says it only of a video
  that is not a day old.
#}
{% macro gained_in_a_day(live_views_per_hour, plays, age_hours, age_is_lower_bound) -%}
    case
        when {{ live_views_per_hour }} is not null then least(24 * {{ live_views_per_hour }}, {{ plays }})
        when {{ age_hours }} <= 24 and not {{ age_is_lower_bound }} then {{ plays }}
    end
{%- endmacro %}

{# Dates before the batch from which bursts of trends need readings: from the day before on, whose burst is not told again. #}
{% macro trend_alert_days() -%}
    {%- set hours = (var('trend_alert_hours') | int) + (var('trend_alert_before_hours') | int) -%}
    {{ return((hours / 24) | round(0, 'ceil') | int + 1) }}
{%- endmacro %}
