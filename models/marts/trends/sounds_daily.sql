{#-
    Sounds by the distinct videos and creators seen using them in the 24 hours before the cut-off, against the 24
    hours before that. Music feeds and video feeds both count; a sound a music feed names is marked so. Its name is the
    newest one; of one moment, a music feed's.
-#}

with

batch as (

    select * from {{ ref('int_as_of') }}

),

markets as (

    select * from {{ ref('markets') }}

),

from_music_feeds as (

    select
        market,
        observed_at,
        observed_date,
        sound_id,
        sound_name,
        artist,
        is_original,
        play_url,
        video_id,
        author_handle,
        platform_uses,
        platform_rank,
        'music' as feed
    from {{ ref('stg_tiktok__sound_uses') }}
    where observed_date >= {{ window_start(ref('int_as_of'), 2) }}

),

from_video_feeds as (

    select
        market,
        observed_at,
        observed_date,
        music_id as sound_id,
        music_name as sound_name,
        music_author as artist,
        is_music_original as is_original,
        music_play_url as play_url,
        video_id,
        author_handle,
        cast(null as bigint) as platform_uses,
        cast(null as integer) as platform_rank,
        'videos' as feed
    from {{ ref('stg_tiktok__videos') }}
    where
        observed_date >= {{ window_start(ref('int_as_of'), 2) }}
        and music_id is not null

),

uses as (

    select * from from_music_feeds
    union all
    select * from from_video_feeds

),

windowed as (

    select
        batch.as_of_date,
        batch.cutoff_at,
        uses.*,
        uses.observed_at > batch.cutoff_at - interval 24 hour as is_last_24h
    from uses
    inner join batch
        on
            uses.observed_at <= batch.cutoff_at
            and uses.observed_at > batch.cutoff_at - interval 48 hour

),

counted as (

    select
        as_of_date,
        market,
        sound_id,
        {{ value_at_greatest('sound_name', ['observed_at', "feed = 'music'", 'sound_name']) }} as sound_name,
        {{ value_at_greatest('artist', ['observed_at', "feed = 'music'", 'artist']) }} as artist,
        coalesce(bool_or(is_original), false) as is_original,
        {{ value_at_greatest('play_url', ['observed_at', "feed = 'music'", 'play_url']) }} as play_url,
        count(distinct case when is_last_24h then video_id end) as videos_24h,
        count(distinct case when is_last_24h then author_handle end) as creators_24h,
        count(distinct case when not is_last_24h then video_id end) as videos_previous_24h,
        count(distinct case when not is_last_24h then author_handle end) as creators_previous_24h,
        max(platform_uses) as platform_uses,
        min(case when is_last_24h then platform_rank end) as platform_rank,
        case when bool_or(is_last_24h and feed = 'music') then 'music' else 'videos' end as feed,
        min(observed_at) as first_seen_at,
        bool_or(not is_last_24h) as was_seen_before
    from windowed
    group by as_of_date, market, sound_id
    having bool_or(is_last_24h)

),

ranked as (

    select
        *,
        row_number() over (
            partition by as_of_date, market
            order by videos_24h desc, creators_24h desc, platform_rank asc nulls last, sound_id asc
        ) as sound_rank
    from counted

)

select
    ranked.as_of_date,
    ranked.market,
    ranked.sound_id,
    ranked.sound_name,
    ranked.artist,
    ranked.is_original,
    ranked.play_url,
    case
        when not ranked.was_seen_before then '🆕 NEW'
        when
            ranked.videos_24h >= {{ var('sound_spiking_ratio') }} * ranked.videos_previous_24h
            and ranked.videos_24h >= ranked.videos_previous_24h + {{ var('sound_spiking_videos') }}
            then '🚀 SPIKING'
        when ranked.videos_24h > ranked.videos_previous_24h then '📈 RISING'
        when ranked.videos_24h >= {{ var('sound_cooling_ratio') }} * ranked.videos_previous_24h then '📉 COOLING'
        else '❄️ DYING'
    end as status,
    ranked.videos_24h,
    ranked.creators_24h,
    ranked.videos_previous_24h,
    ranked.creators_previous_24h,
    coalesce(ranked.platform_uses, ranked.videos_24h) as used_by,
    ranked.feed,
    ranked.first_seen_at,
    cast(ranked.sound_rank as integer) as sound_rank
from ranked
inner join markets
    on ranked.market = markets.market
