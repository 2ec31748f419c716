{#
  One resolver for the shapes of TikTok items. The names a fact may have stand in dbt_project.yml (vars: item_facts);
  here is what is done with them. Payloads are parsed once into one struct of text, `item`; empty text is no value.
  `ingest/items.py` renders these macros too, so that landing and staging have one idea of an item: they must give text
  only, and use nothing of dbt but `var` and what engine.sql uses.
#}

{# Keys that hold an object in which facts stand, between commas. #}
{% macro tiktok_parents() -%}
    ,
    {%- for paths in var('item_facts').values() -%}
    {%- for path in paths if '.' in path -%}{{ path.split('.')[0] }},{%- endfor -%}
    {%- endfor -%}
{%- endmacro %}

{#
  A payload whose flattened keys have points: `authorMeta/name` and `authorMeta_name` become `authorMeta.name`. Most
  payloads are nested, which one look for the best-known object tells.
#}
{% macro tiktok_payload(payload) -%}
    {%- set parents = tiktok_parents().split(',') | select | unique(case_sensitive=true) | join('|') -%}
    {%- set keys = '"(?:(' ~ parents ~ ')/|(' ~ var('item_underscored') | join('|') ~ ')_)([A-Za-z0-9_]+)":' -%}
    case
        when not contains({{ payload }}, '"authorMeta":') and {{ matches(payload, keys) }}
            then {{ replaced(payload, keys, '"\\1\\2.\\3":') }}
        else {{ payload }}
    end
{%- endmacro %}

{# The struct that a payload is parsed into; with a list of facts only what these need. #}
{% macro tiktok_item_structure(facts=none) -%}
    {%- set flat = [] -%}
    {%- set nested = {} -%}
    {%- set parents = tiktok_parents() -%}
    {%- for fact, paths in var('item_facts').items() if facts is none or fact in facts -%}
    {%- for path in paths -%}
    {%- if '.' in path -%}
    {%- set parent, child = path.split('.') -%}
    {%- set _ = nested.setdefault(parent, {}).update({child: none}) -%}
    {%- set _ = flat.append(path) -%}
    {%- elif (',' ~ path ~ ',') not in parents -%}
    {%- set _ = flat.append(path) -%}
    {%- endif -%}
    {%- endfor -%}
    {%- endfor -%}
    {%- if facts is none -%}
    {%- set _ = flat.extend(var('item_hashtag_lists')) -%}
    {%- set _ = flat.append('effectStickers') -%}
    {%- endif -%}
    {
    {%- for key in flat | unique(case_sensitive=true) %}"{{ key }}": "VARCHAR", {% endfor %}
    {%- for parent, children in nested.items() %}"{{ parent }}": {
    {%- for child in children %}"{{ child }}": "VARCHAR"{{ ', ' if not loop.last }}{% endfor %} }, {% endfor -%}
    "anchors": [{"component_key": "VARCHAR", "log_extra": "VARCHAR"}]}
{%- endmacro %}

{# The places of a fact in an item, the best first, each within `before` and `after`. #}
{% macro tiktok_places(fact, before='', after='') -%}
    {%- set parents = tiktok_parents() -%}
    {%- for path in var('item_facts')[fact] -%}
    {{ ', ' if not loop.first }}
    {%- if '.' in path -%}
    {%- set parent, child = path.split('.') -%}
    {{ before }}item."{{ parent }}"."{{ child }}"{{ after }}, {{ before }}item."{{ path }}"{{ after }}
    {%- elif (',' ~ path ~ ',') in parents -%}
    {{ before }}{{ json_text_at('payload', path) }}{{ after }}
    {%- else -%}
    {{ before }}item."{{ path }}"{{ after }}
    {%- endif -%}
    {%- endfor -%}
{%- endmacro %}

{# A fact of an item as text, null where it is not given. #}
{% macro tiktok_fact(fact) -%}
    coalesce({{ tiktok_places(fact, "nullif(trim(", "), '')") }})
{%- endmacro %}

{# The id in links to a post: as people share it, as a page embeds it, and with its signs escaped. #}
{% macro tiktok_link_pattern() -%}
    {{ '(?:/|%2F)(?:video|photo|v|embed(?:/v[0-9])?|player/v[0-9])(?:/|%2F)([0-9]+)' }}
{%- endmacro %}

{# The id in a link to a post; null where no link of the item has one. #}
{% macro tiktok_link_id() -%}
    {%- set around = group_of_match('@place@', tiktok_link_pattern(), 1).split('@place@') -%}
    coalesce({{ tiktok_places('video_url', 'nullif(' ~ around[0], around[1] ~ ", '')") }})
{%- endmacro %}

{#
  An id as it is given, without what a spreadsheet has around it so that it stays text, between its digits, or a whole
  link. Null for words that say there is none, and for those of a row that adds up other rows.
#}
{% macro tiktok_bare_id(value) -%}
    case
        when {{ matches_whole(value, '[0-9]{5,19}') }} then {{ value }}
        when {{ matches(value, tiktok_link_pattern()) }}
            then {{ group_of_match(value, tiktok_link_pattern(), 1) }}
        when {{ matches_whole(value, "[0-9]{1,3}([, .''\\x{00a0}\\x{202f}][0-9]{3}){5,6}") }}
            then {{ replaced(value, '[^0-9]', '') }}
        when not {{ tiktok_is_word(value, ['item_no_value', 'item_no_id', 'item_total_words']) }}
            then nullif({{ stripped(value, ' =\'\'"') }}, '')
    end
{%- endmacro %}

{# Whether text is one of the words of these lists, whatever its case. #}
{% macro tiktok_is_word(value, lists) -%}
    lower({{ stripped(value, ' =\'\'":') }}) in (
    {%- for words in lists -%}
    {%- set outer = loop -%}
    {%- for word in var(words) -%}'{{ word }}'{{ ', ' if not (loop.last and outer.last) }}{%- endfor -%}
    {%- endfor -%}
    )
{%- endmacro %}

{# Text that says something; null for the words that exports write where there is nothing. #}
{% macro tiktok_given(value) -%}
    case when not {{ tiktok_is_word(value, ['item_no_value']) }} then {{ value }} end
{%- endmacro %}

{# An id that a spreadsheet or a float parser made a decimal number of: its last digits are gone. #}
{% macro tiktok_is_decimal(value) -%}
    {{ matches_whole(value, '[0-9]+([.,][0-9]+([eE][+]?[0-9]+)?|[eE][+]?[0-9]+)') }}
{%- endmacro %}

{# A sound's id; 0 and -1 stand for none. #}
{% macro tiktok_music_id(value) -%}
    case when not {{ tiktok_is_decimal(value) }} then {{ tiktok_bare_id(value) }} end
{%- endmacro %}

{#
  What is left of text that stands for a count, once blanks, marks that nobody sees, thousands' apostrophes, "about" and
  words of what is counted are taken away, in the digits of 0-9. `mil.` keeps its point: it is a million in some
  languages, where `mil` is a thousand in others.
#}
{% macro tiktok_count_core(value) -%}
    {%- set in_digits -%}
    translate(
        lower({{ value }}),
        '٠١٢٣٤٥٦٧٨٩۰۱۲۳۴۵۶۷۸۹०१२३४५६७८९０１２３４５６７８９٬٫，．',
        '0123456789012345678901234567890123456789,.,.'
    )
    {%- endset -%}
    {%- set unseen = "[\\s\\x{00a0}\\x{2000}-\\x{200f}\\x{202a}-\\x{202f}\\x{2060}\\x{feff}_''’]|[+]\\s*$|^\\s*[~≈>≥]" -%}
    {%- set counted = '(?:views?|plays?|likes?|shares?|comments?|saves?|followers?|fans|aufrufe|vues|visualizaciones)$' -%}
    {{ replaced(replaced(in_digits, unseen, ''), counted ~ '|([^l])[.]$', '\\1', true) }}
{%- endmacro %}

{#
  A count: digits, digits in groups of three, or a shortened number such as 80.3K, 2044.8B, 1万. Null where nothing is
  given, where it cannot be read, and where it cannot be true. Groups of exactly three are thousands, whatever the sign
  between them: nobody writes a third of a view. A model that has `tiktok_count_core` and `tiktok_shortened` of the text
  in columns gives their names: written out, both stand here many times.
#}
{% macro tiktok_count(value, fact, core=none, shortened=none) -%}
    {%- set highest = 'cast(' ~ var('item_count_bounds')[fact] ~ ' as bigint)' -%}
    {%- set core = core or tiktok_count_core(value) -%}
    {%- set shortened = shortened or tiktok_shortened(core) -%}
    case
        when {{ matches_whole(value, '[0-9]{1,18}') }}
            then case when try_cast({{ value }} as bigint) <= {{ highest }} then try_cast({{ value }} as bigint) end
        when {{ value }} is not null
            then case
                when {{ matches_whole(core, '[0-9]{1,18}([.,]0{1,2})?') }}
                    and try_cast({{ group_of_match(core, '^[0-9]+') }} as bigint) <= {{ highest }}
                    then try_cast({{ group_of_match(core, '^[0-9]+') }} as bigint)
                when {{ matches_whole(
                    core, '[0-9]{1,3}((,[0-9]{3}){1,5}|([.][0-9]{3}){1,5})|[0-9]{1,2}(,[0-9]{2}){1,5},[0-9]{3}'
                ) }}
                    and try_cast({{ replaced(core, '[.,]', '') }} as {{ large_whole_type() }}) <= {{ highest }}
                    then try_cast({{ replaced(core, '[.,]', '') }} as bigint)
                -- As money is written: thousands by one sign, and no cents behind the other.
                when {{ matches_whole(core, '[0-9]{1,3}((,[0-9]{3}){1,5}[.]0{1,2}|([.][0-9]{3}){1,5},0{1,2})') }}
                    and try_cast({{ replaced(core, '[.,]0{1,2}$|[.,]', '') }} as {{ large_whole_type() }}) <= {{ highest }}
                    then try_cast({{ replaced(core, '[.,]0{1,2}$|[.,]', '') }} as bigint)
                when {{ matches_whole(core, '[0-9]([.][0-9]{1,15})?e[+]?[0-9]{1,2}') }}
                    and try_cast({{ core }} as double) <= {{ highest }}
                    then try_cast(round(try_cast({{ core }} as double)) as bigint)
                when {{ shortened }} <= {{ highest }}
                    then try_cast(round({{ shortened }}) as bigint)
            end
    end
{%- endmacro %}

{# A shortened number: at most three digits behind a point, two behind a comma, and a word that is known. #}
{% macro tiktok_shortened(core) -%}
    case
        when {{ matches_whole(core, '([0-9]{1,9}([.][0-9]{1,3}|,[0-9]{1,2})?)[^0-9.,]{1,9}') }}
            then try_cast(replace({{ group_of_match(core, '^[0-9.,]+') }}, ',', '.') as double)
                * {{ tiktok_unit(core) }}
    end
{%- endmacro %}

{% macro tiktok_unit(core) -%}
    {{ looked_up(group_of_match(core, '[^0-9.,]+$'), var('item_count_units')) }}
{%- endmacro %}

{#
  Step between neighbouring values that shortened text can say: 1.1K is told in hundreds. Null for plain numbers. Of the
  text's `tiktok_count_core` and `tiktok_shortened`.
#}
{% macro tiktok_text_step(core, shortened) -%}
    case
        when {{ shortened }} is not null
            then cast(greatest(
                {{ tiktok_unit(core) }}
                / power(10, length({{ group_of_match(core, '^[0-9]+[.,]([0-9]+)', 1) }})), 1
            ) as bigint)
    end
{%- endmacro %}

{# Whether text stands where a count should, and is none that can be believed. #}
{% macro tiktok_count_is_odd(value, count) -%}
    (
        {{ value }} is not null
        and {{ count }} is null
        and lower({{ value }}) not in (
        {%- for word in var('item_no_value') -%}'{{ word }}'{{ ', ' if not loop.last }}{%- endfor -%}
        )
    )
{%- endmacro %}

{# Step between neighbouring values that the source can tell apart, where it rounds as TikTok's web pages do. #}
{% macro tiktok_resolution(count_column, is_rounded, text_step) -%}
    case
        when {{ count_column }} is null then null
        when {{ text_step }} is not null then {{ text_step }}
        when not {{ is_rounded }} or {{ count_column }} < 10000 then 1
        when {{ count_column }} < 1000000 then 100
        else 100000
    end
{%- endmacro %}

{# Seconds, milli-, micro- or nanoseconds since 1970 as a time: the number's size says which. Null outside of them. #}
{% macro tiktok_epoch(value) -%}
    {%- set number = 'abs(try_cast(' ~ value ~ ' as double))' -%}
    case
        when try_cast({{ value }} as double) between 1e8 and 1e20
            then {% set micros -%}
            try_cast(
                try_cast({{ value }} as double)
                * case
                    when {{ number }} < 1e11 then 1e6
                    when {{ number }} < 1e14 then 1e3
                    when {{ number }} < 1e17 then 1
                    else 1e-3
                end as bigint
            )
            {%- endset %}
            {{- micros_to_timestamp(micros) }}
    end
{%- endmacro %}

{# Entries of a list of objects, of names, or of text that holds one of them; null where there is none. #}
{% macro tiktok_list(value, names) -%}
    {%- set structure -%}
    [{ {%- for name in names %}"{{ name }}": "VARCHAR"{{ ', ' if not loop.last }}{% endfor -%} }]
    {%- endset -%}
    {%- set name_of_object -%}
    coalesce(
    {%- for name in names -%}
    case
        when {{ begins_with('entry."' ~ name ~ '"', '{') }}
            then nullif({{ group_of_match(
                'entry."' ~ name ~ '"', '"(?:' ~ names | join('|') ~ ')": *"([^"]+)"', 1
            ) }}, '')
        else nullif(entry."{{ name }}", '')
    end
    {{- ', ' if not loop.last }}{%- endfor -%}
    )
    {%- endset -%}
    {%- set name_of_value -%}
    coalesce(
    {%- for name in names -%}nullif({{ json_key_of_entry('entry', name) }}, ''), {% endfor -%}
    {{ json_text_of_entry('entry') }})
    {%- endset -%}
    {%- set key = "[''\"](?:" ~ names | join('|') ~ ")[''\"]: *[''\"]" -%}
    case
        when {{ value }} is null or {{ value }} = '' or {{ tiktok_is_word(value, ['item_no_value']) }} then null
        when {{ begins_with(value, '[{') }}
            and not {{ matches(value, '[}] *, *"') }} and {{ is_json(value) }}
            then {{ mapped(json_to_struct(value, structure), 'entry', name_of_object) }}
        when {{ begins_with(value, '[') }} and {{ is_json(value) }}
            then {{ mapped(json_entries(value), 'entry', name_of_value) }}
        -- As Python prints a list, or an object instead of one.
        when {{ matches(value, '^[\\[{].*' ~ key) }}
            then {{ groups_of_matches(value, key ~ "([^''\"]*)", 1) }}
        when {{ begins_with(value, '{"') }}
            then {{ groups_of_matches(value, ': *"([^"]*)"', 1) }}
        else {{ groups_of_matches(value, "[^\\s,;|#＃''\"\\[\\]{}]+") }}
    end
{%- endmacro %}

{#
  Entries of a list that a flattened export has in columns of their own: `hashtags/0/name`, `hashtags_1_name`. By the
  best name that there is: beside its name an entry may have a title, which is a sentence.
#}
{% macro tiktok_columns(keys, names) -%}
    {%- set place = '"(?:' ~ keys | join('|') ~ ')(?:[/._][0-9]+|\\[[0-9]+\\])' -%}
    {%- set text = '": ?("(?:[^"\\\\]|\\\\.)*")' -%}
    {%- set found -%}
    coalesce(
    {%- for name in names -%}
    nullif({{ groups_of_matches('payload', place ~ '[/._]' ~ name ~ text, 1) }}, {{ no_texts() }}),
    {%- endfor -%}
    {{ groups_of_matches('payload', place ~ text, 1) }}
    )
    {%- endset -%}
    case
        when {{ matches('payload', '"(?:' ~ keys | join('|') ~ ')[/._\\[][0-9]') }}
            then {{ mapped(found, 'entry', json_unquoted('entry')) }}
    end
{%- endmacro %}

{# What a caption calls by #; a sign behind / or & belongs to a link or to broken HTML. #}
{% macro tiktok_caption_tags(caption) -%}
    {%- set without_links = replaced(caption, '[/&][#＃]', ' ') -%}
    {%- set called = groups_of_matches(without_links, '[#＃]([\\p{L}\\p{N}\\p{M}_]+)', 1) -%}
    case
        when contains({{ caption }}, '#') or contains({{ caption }}, '＃')
            then {{ kept_entries(called, 'tag', matches('tag', '[\\p{L}]')) }}
    end
{%- endmacro %}
