{# What entries of seeds/watchlist.csv fit: the one reading of that file. #}

{#
  CTEs from the entries of an action to `matched`: a row for each video of the CTE `videos` and each entry that it fits.
  Entries are taken as people type them; a keyword counts where its words stand side by side in the caption, in a script
  without blanks anywhere.

  Args: `mute` or `follow`; the relation of entries; one that has video_id and carried_keys, which may be `videos` itself.
  `videos` has as_of_date, market, video_id, author_handle and caption.
#}
{% macro watchlist_matches(action, watchlist, carrying) -%}
    {%- set not_in_words -%} [^0-9{{ word_letters() }}]+ {%- endset -%}
    entries as (

        select distinct
            lower(trim(kind)) as kind,
            value,
            nullif(upper(trim(market)), '') as market
        from {{ watchlist }}
        where
            lower(trim(action)) = '{{ action }}'
            and trim(value) <> ''

    ),

    carried as (

        select
            video_id,
            {{ explode_list('carried_keys') }} as trend_key
        from {{ carrying }}
        -- Most homes watch nothing, and then no video is looked into.
        where exists (select 1 from entries)

    ),

    named as (

        select
            kind,
            value,
            market,
            {{ watched_key('kind', 'value') }} as named_key
        from entries
        where kind <> 'keyword'

    ),

    keywords as (

        select
            kind,
            value,
            market,
            lower(trim(value)) as keyword,
            {{ replace_matches('lower(trim(value))', not_in_words, ' ') }} as keyword_words
        from entries
        where kind = 'keyword'

    ),

    video_keys as (

        select
            videos.as_of_date,
            videos.market,
            videos.video_id,
            carried.trend_key as video_key
        from videos
        inner join carried on videos.video_id = carried.video_id
        union all
        select
            as_of_date,
            market,
            video_id,
            'account:' || author_handle as video_key
        from videos

    ),

    video_words as (

        select
            as_of_date,
            market,
            video_id,
            lower(caption) as caption,
            ' ' || {{ replace_matches('lower(caption)', not_in_words, ' ') }} || ' ' as caption_words
        from videos
        where exists (select 1 from keywords)

    ),

    matched as (

        select
            video_keys.as_of_date,
            video_keys.market,
            video_keys.video_id,
            named.kind,
            named.value,
            named.market as entry_market
        from video_keys
        inner join named
            on
                video_keys.video_key = named.named_key
                and coalesce(named.market, video_keys.market) = video_keys.market
        union all
        select
            video_words.as_of_date,
            video_words.market,
            video_words.video_id,
            keywords.kind,
            keywords.value,
            keywords.market as entry_market
        from video_words
        inner join keywords
            on
                coalesce(keywords.market, video_words.market) = video_words.market
                and case
                    when trim(keywords.keyword_words) <> ''
                        then position(' ' || trim(keywords.keyword_words) || ' ' in video_words.caption_words) > 0
                    else position(keywords.keyword in video_words.caption) > 0
                end

    )
{%- endmacro %}

{# An entry in words: `tag #giveaway`. #}
{% macro watched_as(kind, value) -%}
    {{ kind }} || ' ' || {{ value }}
{%- endmacro %}
