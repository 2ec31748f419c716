{{ config(materialized='incremental', incremental_strategy='append') }}
{%- set facts = ['video_id', 'video_url', 'plays'] %}

{#-
    What came of the videos that were read again by URL: their plays, or that they are gone. An error row is about the
    video in its address; words of a page that could not be loaded say nothing of the video.
-#}

with

items as (

    select *
    from {{ source('raw', 'tiktok_panel') }}
    {% if is_incremental() %}
    where load_id > (select coalesce(max(load_id), 0) from {{ this }})
    {% endif %}

),

rejected as (

    select *
    from {{ source('raw', 'quarantine') }}
    where
        kind = 'panel'
        and item_index is not null
        {% if is_incremental() %}
        and load_id > (select coalesce(max(load_id), 0) from {{ this }})
        {% endif %}

),

parsed as (

    select
        load_id,
        observed_at,
        payload,
        {{ json_to_struct(tiktok_payload('payload'), tiktok_item_structure(facts)) }} as item
    from items

),

picked as (

    select
        load_id,
        observed_at,
        {{ tiktok_link_id() }} as link_id,
        {{ tiktok_bare_id(tiktok_fact('video_id')) }} as given_id,
        {{ tiktok_fact('plays') }} as plays_text
    from parsed

),

answers as (

    select
        load_id,
        observed_at,
        coalesce(link_id, given_id) as video_id,
        {{ tiktok_count('plays_text', 'plays') }} as plays,
        false as is_gone
    from picked

    union all

    select
        load_id,
        observed_at,
        {{ regex_capture('payload', '/(?:video|photo)/([0-9]{5,25})') }} as video_id,
        cast(null as bigint) as plays,
        {{ matches('lower(reason)', var('panel_gone_words')) }} as is_gone
    from rejected

)

select
    load_id,
    video_id,
    min(observed_at) as observed_at,
    cast(min(observed_at) as date) as observed_date,
    max(plays) as plays,
    max(plays) is null and max(case when is_gone then 1 else 0 end) = 1 as is_gone
from answers
where
    video_id is not null
    and (plays is not null or is_gone)
group by load_id, video_id
