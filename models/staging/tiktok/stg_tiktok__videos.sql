{#- Lines of a loop stand in the indentation of the loop.
-- sqlfluff:exclude_rules:LT02
-#}
{{ config(materialized='incremental', incremental_strategy='append') }}

{#- Loads are immutable: only the ones not staged yet are parsed, so the cost follows the day. -#}

{%- set counts = ['plays', 'likes', 'shares', 'comments', 'saves', 'reposts', 'author_followers'] %}
{#- What momentum is made of, and a build is decided by: where one of these is not believed, the row is not. -#}
{%- set decisive = ['plays', 'likes', 'shares'] %}
{%- set texts = [
    'caption', 'text_language', 'author_handle', 'author_id', 'author_name', 'music_id', 'music_name', 'music_author',
    'music_original', 'music_play_url', 'finder', 'location_created', 'posted_iso', 'posted_epoch', 'duration',
    'duration_ms', 'is_ad', 'is_sponsored', 'is_pinned', 'is_slideshow', 'ai_label_type', 'ai_created', 'template_id',
    'cover',
] %}
{#- One expression for all lists of an item: written out for each of them it took half of the time of a small load. -#}
{%- set lists = [] %}
{%- for key in var('item_hashtag_lists') %}{% do lists.append('item."' ~ key ~ '"') %}{% endfor %}
{%- set all_tags = lists_together([
    flattened(mapped(list_of(lists), 'given', tiktok_list('given', var('item_hashtag_names')))),
    tiktok_columns(var('item_hashtag_lists'), var('item_hashtag_names')),
    tiktok_caption_tags('caption_text'),
]) %}
{#- A tag is one word: sentences are about it. -#}
{%- set all_hashtags = kept_entries(all_tags, 'tag', 'not ' ~ matches(stripped('tag', '#＃ '), '\\s')) %}
{#- DuckDB 2 refuses two keys that differ by their case alone. -#}
{%- set effects = replaced('item."effectStickers"', "([''\"])ID([''\"]):", '\\1id\\2:') %}
{%- set all_effects = lists_together([
    tiktok_list(effects, ['name', 'id']), tiktok_columns(['effectStickers'], ['name']),
]) %}

{#- What is not believed of a row, each null where there is nothing. -#}
{%- set odd = [
    "case when placed.is_id_from_link then 'id_from_link' end",
    "case when placed.is_post_time_odd then 'post_time_not_believed' end",
    "case when placed.is_post_time_unknown then 'post_time_unknown' end",
] %}
{%- for fact in counts %}
{%- do odd.append('case when placed.is_' ~ fact ~ "_odd then '" ~ fact ~ "_not_believed' end") %}
{%- endfor %}

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
        payload,
        {{ json_to_struct(tiktok_payload('payload'), tiktok_item_structure()) }} as item
    from source

),

picked as (

    -- Each fact as text, from the first place where something stands.
    select
        load_id,
        item_index,
        source,
        market,
        run_id,
        dataset_id,
        observed_at,
        item_hash,
        payload,
        item,
        {{ tiktok_link_id() }} as link_id,
        {{ tiktok_bare_id(tiktok_fact('video_id')) }} as given_id,
        {{ tiktok_fact('video_url') }} as given_url,
        {%- for fact in texts + counts %}
        {{ tiktok_fact(fact) }} as {{ fact }}_text{{ ',' if not loop.last }}
        {%- endfor %}
    from parsed

),

cored as (

    -- Plain digits need no look at what else they could be.
    select
        *,
        {%- for fact in counts %}
        case
            when not {{ matches_whole(fact ~ '_text', '[0-9]{1,18}') }} then {{ tiktok_count_core(fact ~ '_text') }}
        end as {{ fact }}_core{{ ',' if not loop.last }}
        {%- endfor %}
    from picked

),

shortened as (

    select
        *,
        {%- for fact in counts %}
        {{ tiktok_shortened(fact ~ '_core') }} as {{ fact }}_shortened{{ ',' if not loop.last }}
        {%- endfor %}
    from cored

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
        -- Where id and link disagree the link is right: it is no number on its way, so nobody rounds it.
        coalesce(link_id, given_id) as video_id,
        coalesce(link_id <> given_id, false) as is_id_from_link,
        given_url,
        nullif({{ bare_handle(
            "coalesce(case when not " ~ begins_with('author_handle_text', '{') ~ " then " ~ tiktok_given('author_handle_text') ~ " end, "
            ~ regex_capture('given_url', '/(@[^/?]+)/') ~ ")"
        ) }}, '') as author_handle,
        author_id_text as author_id,
        {{ tiktok_music_id('music_id_text') }} as music_id,
        coalesce(
            template_id_text,
            {{ regex_capture(nth_of('item.anchors', 1) ~ '.log_extra', '"template_id": *"([^"]+)"') }},
            {{ regex_capture('caption_text', 'capcut[.]com/t/([A-Za-z0-9_-]+)') }},
            {{ regex_capture(
                'caption_text', 'capcut[.](?:com|net)/[^ ]*?(?:template-detail/|template_id=)([0-9]+)'
            ) }}
        ) as template_id,

        ---------- text
        coalesce(caption_text, '') as caption,
        nullif(text_language_text, 'un') as text_language,
        author_name_text as author_name,
        {{ tiktok_given('music_name_text') }} as music_name,
        {{ tiktok_given('music_author_text') }} as music_author,
        music_play_url_text as music_play_url,
        {{ clean_list(all_hashtags, '#＃ ') }} as hashtags,
        {{ clean_list(all_effects) }} as effects,
        finder_text as finder,
        location_created_text as location_created,
        case when cover_text like 'https://%' then cover_text end as cover_url,

        ---------- numerics
        {%- for fact in counts %}
        {{ tiktok_count(fact ~ '_text', fact, fact ~ '_core', fact ~ '_shortened') }} as {{ fact }},
        {{ fact }}_text,
        {{ fact }}_core,
        {{ fact }}_shortened,
        {%- endfor %}
        -- A day: no post is longer.
        case
            when try_cast(duration_text as double) between 0 and 86400 then try_cast(duration_text as double)
            when try_cast(duration_ms_text as double) / 1000 between 0 and 86400
                then try_cast(duration_ms_text as double) / 1000
        end as duration_s,

        ---------- booleans
        try_cast(is_ad_text as boolean) as is_ad,
        try_cast(is_sponsored_text as boolean) as is_sponsored,
        try_cast(is_pinned_text as boolean) as is_pinned,
        coalesce(try_cast(is_slideshow_text as boolean), contains(coalesce(given_url, ''), '/photo/')) as is_slideshow,
        try_cast(music_original_text as boolean) as is_music_original,
        case
            when ai_label_type_text = '1' then 'creator'
            when ai_label_type_text = '2' then 'platform'
            when try_cast(ai_created_text as boolean) then 'platform'
        end as ai_label,

        ---------- timestamps
        coalesce(posted_iso_text, posted_epoch_text) as posted_text,
        coalesce({{ iso_to_timestamp('posted_iso_text') }}, {{ iso_to_timestamp('posted_epoch_text') }})
            as posted_at_iso,
        coalesce({{ tiktok_epoch('posted_epoch_text') }}, {{ tiktok_epoch('posted_iso_text') }}) as posted_at_epoch
    from shortened

),

identified as (

    select
        *,
        -- A TikTok id carries the second of its upload in its upper 32 bits; other platforms' ids are shorter or text.
        case
            when {{ matches_whole('video_id', '[0-9]{18,19}') }}
                then {{ epoch_to_timestamp(whole_quotient('try_cast(video_id as bigint)', 4294967296)) }}
        end as posted_at_id
    from resolved

),

believed as (

    -- A post is not younger than its reading (clocks differ by minutes), not older than its id, which is made when the
    -- upload begins, and not older than any platform. A time that can't be true leaves its place to the next best.
    {%- set moments = {'iso': 'posted_at_iso', 'epoch': 'posted_at_epoch', 'id': 'posted_at_id'} %}

    select
        *,
        {%- for name, moment in moments.items() %}
        case
            when
                {{ moment }} between timestamp '2005-01-01' and observed_at + interval 5 minutes
                {%- if name != 'id' %}
                and coalesce({{ moment }} >= posted_at_id - interval 1 day, true)
                {%- endif %}
                then {{ moment }}
        end as believed_{{ name }}{{ ',' if not loop.last }}
        {%- endfor %}
    from identified

),

dated as (

    select
        *,
        coalesce(believed_iso, believed_epoch, believed_id) as posted_at,
        case
            when believed_iso is not null then 'iso'
            when believed_epoch is not null then 'epoch'
            when believed_id is not null then 'video_id'
            else 'first_seen'
        end as posted_at_source,
        coalesce(
            abs({{ hours_between('coalesce(posted_at_iso, posted_at_epoch)', 'posted_at_id') }}) > 1, false
        ) as posted_at_disagrees,
        (
            coalesce(believed_iso, believed_epoch) is null
            and {{ tiktok_count_is_odd('posted_text', 'cast(null as bigint)') }}
        ) as is_post_time_odd,
        coalesce(believed_iso, believed_epoch, believed_id) is null
        and (posted_at_id is not null or {{ tiktok_count_is_odd('posted_text', 'cast(null as bigint)') }})
            as is_post_time_unknown,
        {%- for fact in counts %}
        {{ tiktok_count_is_odd(fact ~ '_text', fact) }} as is_{{ fact }}_odd,
        {%- endfor %}
        {%- for fact in decisive %}
        {{ tiktok_text_step(fact ~ '_core', fact ~ '_shortened') }} as {{ fact }}_step{{ ',' if not loop.last }}
        {%- endfor %}
    from believed

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

placed as (

    -- A video that a load has several times: counters only rise, so the highest reading is the newest one.
    select
        *,
        row_number() over (
            partition by load_id, video_id
            order by
                plays desc nulls last, likes desc nulls last, shares desc nulls last, comments desc nulls last,
                item_index
        ) as place
    from dated

),

finders as (

    select
        load_id,
        video_id,
        count(*) as times_in_load,
        {{ clean_list(distinct_values('finder')) }} as found_by
    from dated
    group by load_id, video_id

)

select
    placed.load_id,
    placed.item_index,
    placed.source,
    placed.market,
    placed.run_id,
    placed.dataset_id,
    placed.observed_at,
    cast(placed.observed_at as date) as observed_date,
    placed.item_hash,
    placed.video_id,
    case
        when placed.author_handle is not null and placed.posted_at_id is not null
            then
                'https://www.tiktok.com/@' || placed.author_handle
                || case when contains(placed.given_url, '/photo/') then '/photo/' else '/video/' end || placed.video_id
        else placed.given_url
    end as video_url,
    placed.author_handle,
    placed.author_id,
    placed.author_name,
    placed.author_followers,
    placed.caption,
    placed.text_language,
    placed.hashtags,
    placed.effects,
    placed.template_id,
    placed.music_id,
    placed.music_name,
    placed.music_author,
    placed.is_music_original,
    placed.music_play_url,
    placed.ai_label,
    placed.plays,
    placed.likes,
    placed.shares,
    placed.comments,
    placed.saves,
    placed.reposts,
    {{ tiktok_resolution('placed.plays', 'rounding.is_rounded', 'placed.plays_step') }} as plays_resolution,
    {{ tiktok_resolution('placed.likes', 'rounding.is_rounded', 'placed.likes_step') }} as likes_resolution,
    {{ tiktok_resolution('placed.shares', 'rounding.is_rounded', 'placed.shares_step') }} as shares_resolution,
    rounding.is_rounded as counts_rounded,
    placed.duration_s,
    placed.is_ad,
    placed.is_sponsored,
    placed.is_slideshow,
    placed.is_pinned,
    placed.location_created,
    placed.cover_url,
    finders.times_in_load,
    finders.found_by,
    placed.posted_at,
    placed.posted_at_source,
    placed.posted_at_disagrees,
    {{ kept_entries(list_of(odd), 'oddity', 'oddity is not null') }} as oddities,
    (
        placed.is_post_time_unknown
        {%- for fact in decisive %}
        or placed.is_{{ fact }}_odd
        {%- endfor %}
    ) = false as is_believed
from placed
inner join finders
    on
        placed.load_id = finders.load_id
        and placed.video_id = finders.video_id
inner join rounding
    on placed.load_id = rounding.load_id
where placed.place = 1
