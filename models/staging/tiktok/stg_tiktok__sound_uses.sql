{#- Lines of a loop stand in the indentation of the loop.
-- sqlfluff:exclude_rules:LT02
-#}
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
        payload,
        {{ json_to_struct(tiktok_payload('payload'), tiktok_item_structure()) }} as item
    from source

),

picked as (

    select
        load_id,
        item_index,
        source,
        market,
        observed_at,
        coalesce({{ tiktok_fact('row_type') }}, '') = 'sound' as is_sound,
        {{ tiktok_link_id() }} as link_id,
        {{ tiktok_bare_id(tiktok_fact('video_id')) }} as given_id,
        {{ tiktok_fact('video_url') }} as given_url,
        {%- for fact in [
            'caption', 'author_handle', 'music_id', 'music_name', 'music_author', 'music_original', 'music_play_url',
            'music_uses', 'rank',
        ] %}
        {{ tiktok_fact(fact) }} as {{ fact }}_text{{ ',' if not loop.last }}
        {%- endfor %}
    from parsed

)

select
    load_id,
    item_index,
    source,
    market,
    observed_at,
    cast(observed_at as date) as observed_date,
    coalesce({{ tiktok_music_id('music_id_text') }}, case when is_sound then given_id end) as sound_id,
    coalesce({{ tiktok_given('music_name_text') }}, case when is_sound then caption_text end) as sound_name,
    {{ tiktok_given('music_author_text') }} as artist,
    try_cast(music_original_text as boolean) as is_original,
    coalesce(music_play_url_text, case when is_sound then given_url end) as play_url,
    case when not is_sound then coalesce(link_id, given_id) end as video_id,
    nullif({{ bare_handle(
        "coalesce(case when not " ~ begins_with('author_handle_text', '{') ~ " then " ~ tiktok_given('author_handle_text') ~ " end, "
        ~ regex_capture('given_url', '/(@[^/?]+)/') ~ ")"
    ) }}, '') as author_handle,
    {{ tiktok_count('music_uses_text', 'music_uses') }} as platform_uses,
    try_cast(rank_text as integer) as platform_rank
from picked
