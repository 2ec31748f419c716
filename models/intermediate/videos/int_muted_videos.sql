{#-
    Videos of a date that an entry of the watch list mutes. Entries are taken as people type them; a keyword counts
    where its words stand side by side in the caption, in a script without blanks anywhere.
-#}

{%- set not_in_words %}[^0-9{{ word_letters() }}]+{% endset %}

with

entries as (

    select
        lower(trim(kind)) as kind,
        value,
        nullif(upper(trim(market)), '') as market
    from {{ ref('watchlist') }}
    where lower(trim(action)) = 'mute'

),

videos as (

    select
        as_of_date,
        market,
        video_id,
        author_handle,
        lower(caption) as caption,
        ' ' || {{ replace_matches('lower(caption)', not_in_words, ' ') }} || ' ' as caption_words
    from {{ ref('videos_daily') }}
    where as_of_date in (select batch.as_of_date from {{ ref('int_as_of') }} as batch)

),

carried as (

    select
        video_id,
        {{ explode_list('carried_keys') }} as trend_key
    from {{ ref('int_videos') }}

),

named as (

    select
        market,
        kind || ' ' || value as muted_by,
        {{ watched_key('kind', 'value') }} as named_key
    from entries
    where kind <> 'keyword'

),

keywords as (

    select
        market,
        'keyword ' || value as muted_by,
        lower(trim(value)) as keyword,
        {{ replace_matches('lower(trim(value))', not_in_words, ' ') }} as keyword_words
    from entries
    where
        kind = 'keyword'
        and trim(value) <> ''

),

keys as (

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

muted as (

    select
        keys.as_of_date,
        keys.market,
        keys.video_id,
        named.muted_by
    from keys
    inner join named
        on
            keys.video_key = named.named_key
            and coalesce(named.market, keys.market) = keys.market
    union all
    select
        videos.as_of_date,
        videos.market,
        videos.video_id,
        keywords.muted_by
    from videos
    inner join keywords
        on
            coalesce(keywords.market, videos.market) = videos.market
            and case
                when trim(keywords.keyword_words) <> ''
                    then position(' ' || trim(keywords.keyword_words) || ' ' in videos.caption_words) > 0
                else position(keywords.keyword in videos.caption) > 0
            end

)

select
    as_of_date,
    market,
    video_id,
    min(muted_by) as muted_by
from muted
group by as_of_date, market, video_id
