{#
  Trend keys: what several videos have in common, as text `<type>:<value>`, and the rules of the trend models that are
  used more than once. The functions that differ between engines stand at the end.
#}

{# Everything a video carries that others may share, as a list of keys; the order says nothing. #}
{% macro carried_trend_keys(template_id, music_id, effects, hashtags) -%}
    list_concat(
        case when {{ template_id }} is null then [] else ['template:' || {{ template_id }}] end,
        case when {{ music_id }} is null then [] else ['sound:' || {{ music_id }}] end,
        list_transform({{ effects }}, lambda effect: 'effect:' || effect),
        list_transform({{ hashtags }}, lambda tag: 'hashtag:' || tag)
    )
{%- endmacro %}

{# Type of a key: template, sound, effect, hashtag or video. #}
{% macro trend_key_type(trend_key) -%}
    split_part({{ trend_key }}, ':', 1)
{%- endmacro %}

{# Videos that a key needs, of so many: two, in large markets more, because chance alone brings two together. #}
{% macro trend_minimum_videos(corpus_videos) -%}
    greatest({{ var('trend_minimum_videos', 2) }}, ceil({{ var('trend_minimum_share', 0.00001) }} * {{ corpus_videos }}))
{%- endmacro %}

{# Whether a key may be the primary one: a hashtag needs several creators and must not be common. #}
{% macro is_distinctive(trend_key_type, videos, creators, corpus_videos) -%}
    (
        {{ trend_key_type }} <> 'hashtag'
        or (
            {{ creators }} >= {{ var('trend_minimum_creators', 2) }}
            and {{ videos }} <= {{ var('trend_common_share', 0.05) }} * {{ corpus_videos }}
        )
    )
{%- endmacro %}

{# ---------- functions that differ between engines #}

{# One row per entry of a list. #}
{% macro explode_list(values) -%}
    unnest({{ values }})
{%- endmacro %}

{# Quantile of a column in a group, interpolated. #}
{% macro quantile_in_group(value, fraction) -%}
    quantile_cont({{ value }}, {{ fraction }})
{%- endmacro %}
