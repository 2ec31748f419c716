-- A day by hand: three marts of one date, `@day@`, in one plain script on the same raw rows, with the same joins. It
-- starts from what earlier days left and takes nothing of the date from the models.
-- What it leaves out is what a product adds: tests and contracts, tables that are kept, several dates at once, loads
-- that come late, cut-offs within a day (here a date is all of its day), item shapes and spellings of counts other than
-- those of one actor, post times from ids, settings. A yardstick of time, and no second opinion on rows.
set variable cutoff = (select cutoff_at from facts.meta.cutoffs where as_of_date = date '@day@');

set variable cutoff_before = (
    select coalesce(max(cutoff_at), getvariable('cutoff') - interval 1 day)
    from facts.meta.cutoffs
    where as_of_date < date '@day@'
);

create or replace temp macro hours_between(start_at, end_at) as epoch(end_at - start_at) / 3600.0;

create or replace temp macro momentum(shares_rate, likes_rate, views_rate) as
    case
        when coalesce(shares_rate, likes_rate, views_rate) is not null
            then 10 * coalesce(shares_rate, 0) + 3 * coalesce(likes_rate, 0) + 0.01 * coalesce(views_rate, 0)
    end;

---------- the day's items, first one of a video in each feed

create or replace temp table staged as
with parsed as (
    select
        load_id,
        item_index,
        market,
        dataset_id,
        observed_at,
        json_transform(payload, '{
            "id": "VARCHAR", "text": "VARCHAR", "createTimeISO": "TIMESTAMP", "createTime": "BIGINT",
            "webVideoUrl": "VARCHAR", "authorMeta": {"name": "VARCHAR", "nickName": "VARCHAR"},
            "musicMeta": {
                "musicId": "VARCHAR", "musicName": "VARCHAR", "musicAuthor": "VARCHAR", "musicOriginal": "BOOLEAN",
                "playUrl": "VARCHAR"
            },
            "playCount": "BIGINT", "diggCount": "BIGINT", "shareCount": "BIGINT", "commentCount": "BIGINT",
            "collectCount": "BIGINT", "hashtags": [{"name": "VARCHAR"}],
            "effectStickers": [{"ID": "VARCHAR", "name": "VARCHAR"}]
        }') as item
    from facts.raw.tiktok_videos
    where observed_at >= date '@day@' and observed_at < date '@day@' + 1
),

named as (
    select
        load_id,
        item_index,
        market,
        dataset_id,
        observed_at,
        item.id as video_id,
        coalesce(item.text, '') as caption,
        lower(item."authorMeta".name) as author_handle,
        item."authorMeta"."nickName" as author_name,
        item."webVideoUrl" as given_url,
        nullif(item."musicMeta"."musicId", '') as music_id,
        item."musicMeta"."musicName" as music_name,
        item."musicMeta"."musicAuthor" as music_author,
        item."musicMeta"."musicOriginal" as is_music_original,
        item."musicMeta"."playUrl" as music_play_url,
        coalesce(
            nullif(regexp_extract(item.text, 'capcut[.]com/t/([A-Za-z0-9_-]+)', 1), ''),
            nullif(
                regexp_extract(item.text, 'capcut[.](?:com|net)/[^ ]*?(?:template-detail/|template_id=)([0-9]+)', 1), ''
            )
        ) as template_id,
        list_distinct(list_transform(item.hashtags, lambda tag: lower(trim(tag.name)))) as hashtags,
        list_distinct(
            list_transform(item."effectStickers", lambda effect: lower(trim(coalesce(effect.name, effect."ID"))))
        ) as effects,
        item."playCount" as plays,
        item."diggCount" as likes,
        item."shareCount" as shares,
        item."commentCount" as comments,
        item."collectCount" as saves,
        coalesce(item."createTimeISO", make_timestamp(item."createTime" * 1000000)) as posted_at
    from parsed
    qualify row_number() over (partition by load_id, item.id order by item_index) = 1
),

rounding as (
    select
        load_id,
        bool_and(
            coalesce(plays < 10000 or plays % 100 = 0, true)
            and coalesce(likes < 10000 or likes % 100 = 0, true)
            and coalesce(shares < 10000 or shares % 100 = 0, true)
        ) and bool_or(coalesce(plays >= 10000 or likes >= 10000, false)) as counts_rounded
    from named
    group by load_id
)

select
    named.*,
    rounding.counts_rounded,
    case
        when named.plays is null then null
        when not rounding.counts_rounded or named.plays < 10000 then 1
        when named.plays < 1000000 then 100
        else 100000
    end as plays_resolution,
    'https://www.tiktok.com/@' || named.author_handle
    || case when contains(named.given_url, '/photo/') then '/photo/' else '/video/' end || named.video_id as video_url,
    list_concat(
        case when named.template_id is null then [] else ['template:' || named.template_id] end,
        case when named.music_id is null then [] else ['sound:' || named.music_id] end,
        list_transform(list_filter(named.effects, lambda effect: effect <> ''), lambda effect: 'effect:' || effect),
        list_transform(list_filter(named.hashtags, lambda tag: tag <> ''), lambda tag: 'hashtag:' || tag)
    ) as carried_keys
from named
inner join rounding on named.load_id = rounding.load_id;

create or replace temp table present as
select
    *,
    count(*) over (partition by video_id) as market_count,
    count(*) over (partition by market) as videos_of_market
from (
    select market, video_id, load_id, item_index, observed_at from staged
    qualify row_number() over (partition by market, video_id order by observed_at desc, load_id desc) = 1
);

---------- readings of the day's videos, from their first sighting on

create or replace temp table readings as
with sightings as (
    select
        market, video_id, observed_at, load_id, dataset_id, plays, likes, shares, comments, saves, plays_resolution,
        counts_rounded, posted_at
    from staging.stg_tiktok__videos
    where observed_date < date '@day@' and video_id in (select present.video_id from present)
    union all
    select
        market, video_id, observed_at, load_id, dataset_id, plays, likes, shares, comments, saves, plays_resolution,
        counts_rounded, posted_at
    from staged
),

compared as (
    -- Counters only rise: what is lower is an older copy, what is not higher is the reading before, seen again.
    select
        *,
        lag(observed_at) over seen as seen_before_at,
        coalesce(
            case when lag(observed_at) over seen is null then true end,
            dataset_id <> lag(dataset_id) over seen,
            coalesce(plays, -1) > coalesce(max(plays) over before, -1)
            or coalesce(likes, -1) > coalesce(max(likes) over before, -1)
            or coalesce(shares, -1) > coalesce(max(shares) over before, -1)
            or coalesce(comments, -1) > coalesce(max(comments) over before, -1)
            or coalesce(saves, -1) > coalesce(max(saves) over before, -1)
        ) as is_distinct,
        coalesce(
            plays < max(plays) over before
            or likes < max(likes) over before
            or shares < max(shares) over before
            or comments < max(comments) over before
            or saves < max(saves) over before,
            false
        ) as is_lower
    from (
        select * from sightings
        qualify row_number() over (partition by market, video_id, observed_at order by load_id desc) = 1
    )
    window
        seen as (partition by market, video_id order by observed_at),
        before as (
            partition by market, video_id order by observed_at rows between unbounded preceding and 1 preceding
        )
),

lowered as (
    select market, video_id, max(observed_at) as last_lower_at
    from compared
    where is_lower
    group by market, video_id
),

told as (
    -- A fast video that stood still for hours is an old count out of a cache.
    select
        *,
        hours_between(lag(observed_at) over earlier, observed_at) as hours,
        plays - lag(plays) over earlier as step,
        coalesce(
            (lag(plays) over earlier - lag(plays, 2) over earlier)
            / hours_between(lag(observed_at, 2) over earlier, lag(observed_at) over earlier),
            lag(plays) over earlier
            / greatest(hours_between(lag(posted_at) over earlier, lag(observed_at) over earlier), 0.1)
        ) as pace
    from compared
    where is_distinct
    window earlier as (partition by market, video_id order by observed_at)
),

lifted as (
    select
        market,
        video_id,
        observed_at,
        observed_at::date as reading_date,
        seen_before_at,
        plays_resolution,
        counts_rounded,
        posted_at is null as age_is_lower_bound,
        row_number() over so_far as reading_number,
        coalesce(posted_at, min(observed_at) over so_far) as posted_at,
        max(plays) over so_far as plays,
        max(likes) over so_far as likes,
        max(shares) over so_far as shares,
        max(comments) over so_far as comments,
        max(saves) over so_far as saves
    from told
    where
        not coalesce(
            hours > 3 and pace > 1000
            and (step < plays_resolution or (step < 0.005 * plays and step < 0.1 * pace * hours)),
            false
        )
    window so_far as (partition by market, video_id order by observed_at)
),

rated as (
    select
        *,
        greatest(hours_between(posted_at, observed_at), 0.1) as age_hours,
        hours_between(lag(observed_at) over earlier, observed_at) as gap_hours,
        plays - lag(plays) over earlier as delta_plays,
        plays / age_hours as views_per_hour,
        likes / age_hours as likes_per_hour,
        shares / age_hours as shares_per_hour,
        case when gap_hours >= 0.75 then delta_plays / gap_hours end as live_views_per_hour,
        case when gap_hours >= 0.75 then (likes - lag(likes) over earlier) / gap_hours end as live_likes_per_hour,
        case when gap_hours >= 0.75 then (shares - lag(shares) over earlier) / gap_hours end as live_shares_per_hour,
        momentum(shares_per_hour, likes_per_hour, views_per_hour) as momentum_score,
        momentum(live_shares_per_hour, live_likes_per_hour, live_views_per_hour) as live_momentum
    from lifted
    window earlier as (partition by market, video_id order by observed_at)
)

select
    rated.*,
    lowered.last_lower_at,
    lag(momentum_score) over earlier as previous_momentum_score,
    lag(age_hours) over earlier as previous_age_hours,
    lag(gap_hours) over earlier as previous_gap_hours,
    lag(live_momentum) over earlier as previous_live_momentum,
    lag(live_views_per_hour) over earlier as previous_live_views_per_hour
from rated
left join lowered on rated.market = lowered.market and rated.video_id = lowered.video_id
window earlier as (partition by rated.market, rated.video_id order by observed_at);

create or replace temp table feed_overlap as
with sizes as (
    select market, count(*) as videos from present group by market
),

in_both as (
    select one.market as market_a, other.market as market_b, count(*) as videos
    from present as one
    inner join present as other on one.video_id = other.video_id and one.market < other.market
    group by one.market, other.market
)

select
    date '@day@' as as_of_date,
    one.market as market_a,
    other.market as market_b,
    one.videos as videos_a,
    other.videos as videos_b,
    coalesce(in_both.videos, 0) as videos_shared,
    videos_shared / (videos_a + videos_b - videos_shared) as jaccard,
    jaccard > 0.5 as is_suspicious
from sizes as one
inner join sizes as other on one.market < other.market
left join in_both on one.market = in_both.market_a and other.market = in_both.market_b;

create or replace temp table videos as
select video_id, first_seen_at, author_handle, is_music_original, carried_keys
from intermediate.int_videos
where
    last_load_id < (select min(staged.load_id) from staged)
    and (first_seen_date >= date '@day@' - 28 or video_id in (select present.video_id from present))
union all
select video_id, observed_at, author_handle, is_music_original, carried_keys
from (
    select * from staged
    where video_id not in (
        select known.video_id from intermediate.int_videos as known
        where known.last_load_id < (select min(staged.load_id) from staged)
    )
    qualify row_number() over (partition by video_id order by observed_at, market, load_id) = 1
);

set variable corpus_videos = (
    select count(*) from videos where first_seen_at > getvariable('cutoff') - interval 28 day
);

create or replace temp table corpus as
with carried as (
    select coalesce(author_handle, video_id) as creator, first_seen_at, unnest(carried_keys) as trend_key
    from videos
    where first_seen_at > getvariable('cutoff') - interval 28 day
),

frequent as (
    -- Most keys are of one video: counting creators for them would cost more than all the rest.
    select trend_key, count(*) as videos
    from carried
    group by trend_key
    having count(*) >= greatest(2, ceil(0.00001 * getvariable('corpus_videos')))
)

select
    frequent.trend_key,
    split_part(frequent.trend_key, ':', 1) as trend_key_type,
    frequent.videos,
    count(distinct carried.creator) as creators,
    count(*) filter (where accounts.role = 'own') as own_uses_7d,
    count(*) filter (where accounts.role = 'competitor') as competitor_uses_7d,
    trend_key_type <> 'hashtag'
    or (creators >= 2 and frequent.videos <= 0.05 * getvariable('corpus_videos')) as is_distinctive
from frequent
inner join carried on frequent.trend_key = carried.trend_key
left join seeds.accounts as accounts
    on
        carried.creator = lower(accounts.handle)
        and carried.first_seen_at > getvariable('cutoff') - interval 7 day
where frequent.trend_key not in (select 'hashtag:' || lower(hashtag) from seeds.trend_stop_words)
group by frequent.trend_key, frequent.videos;

create or replace temp table shared_keys as
with carried as (
    select *, split_part(trend_key, ':', 1) as trend_key_type
    from (
        select video_id, coalesce(is_music_original, false) as is_music_original, unnest(carried_keys) as trend_key
        from videos
        where video_id in (select present.video_id from present)
    )
)

select
    carried.video_id,
    carried.trend_key,
    carried.is_music_original,
    carried.trend_key_type,
    coalesce(corpus.videos, 1) as videos,
    coalesce(corpus.creators, 1) as creators,
    coalesce(corpus.is_distinctive, carried.trend_key_type <> 'hashtag')
    and not (carried.trend_key_type = 'sound' and carried.is_music_original and coalesce(corpus.videos, 1) = 1)
        as is_candidate
from carried
left join corpus on carried.trend_key = corpus.trend_key
where carried.trend_key not in (select 'hashtag:' || lower(hashtag) from seeds.trend_stop_words);

create or replace temp table trend_keys as
with primary_keys as (
    select * from shared_keys
    where is_candidate
    qualify
        row_number() over (
            partition by video_id
            order by
                case trend_key_type when 'template' then 1 when 'sound' then 2 when 'effect' then 3 else 4 end,
                videos,
                trend_key
        ) = 1
)

select
    shown.video_id,
    coalesce(primary_keys.trend_key, 'video:' || shown.video_id) as trend_key,
    coalesce(primary_keys.trend_key_type, 'video') as trend_key_type,
    case
        when primary_keys.trend_key is null
            then
                'no template, sound or effect and no distinctive hashtag, among '
                || getvariable('corpus_videos') || ' videos'
        else
            case
                when primary_keys.trend_key_type = 'sound' and primary_keys.is_music_original then 'original sound'
                when primary_keys.trend_key_type = 'template' then 'CapCut template'
                else primary_keys.trend_key_type
            end
            || ' on ' || primary_keys.videos || ' of ' || getvariable('corpus_videos') || ' videos, '
            || primary_keys.creators || case when primary_keys.creators = 1 then ' creator' else ' creators' end
    end as trend_key_reason
from (select distinct present.video_id from present) as shown
left join primary_keys on shown.video_id = primary_keys.video_id;

create or replace temp table sounds_daily as
with music as (
    select
        market,
        observed_at,
        json_transform(payload, '{
            "type": "VARCHAR", "id": "VARCHAR", "name": "VARCHAR", "url": "VARCHAR", "rank": "INTEGER",
            "videoCount": "BIGINT", "authorMeta": {"name": "VARCHAR"}, "searchMusic": {"videos": "VARCHAR"},
            "musicMeta": {
                "musicId": "VARCHAR", "musicName": "VARCHAR", "musicAuthor": "VARCHAR", "musicOriginal": "BOOLEAN",
                "playUrl": "VARCHAR"
            }
        }') as item
    from facts.raw.tiktok_music
    where observed_at >= date '@day@' and observed_at < date '@day@' + 1
),

sound_uses as (
    select
        market,
        observed_at,
        trim(coalesce(item."musicMeta"."musicId", case when item.type = 'sound' then item.id end)) as sound_id,
        coalesce(item."musicMeta"."musicName", case when item.type = 'sound' then item.name end) as sound_name,
        item."musicMeta"."musicAuthor" as artist,
        item."musicMeta"."musicOriginal" as is_original,
        coalesce(item."musicMeta"."playUrl", case when item.type = 'sound' then item.url end) as play_url,
        case when coalesce(item.type, '') <> 'sound' then item.id end as video_id,
        lower(item."authorMeta".name) as author_handle,
        coalesce(
            try_cast(item."searchMusic".videos as bigint),
            -- 80.3K, 2044.8B
            round(
                regexp_extract(item."searchMusic".videos, '^[0-9.]+')::double
                * case right(item."searchMusic".videos, 1) when 'K' then 1e3 when 'M' then 1e6 else 1e9 end
            )::bigint,
            item."videoCount"
        ) as platform_uses,
        item.rank as platform_rank,
        true as is_music_feed
    from music
    union all
    select
        market, observed_at, sound_id, sound_name, artist, is_original, play_url, video_id, author_handle,
        platform_uses, platform_rank, true
    from staging.stg_tiktok__sound_uses
    where observed_date >= date '@day@' - 2 and observed_date < date '@day@'
    union all
    select
        market, observed_at, music_id, music_name, music_author, is_music_original, music_play_url, video_id,
        author_handle, null, null, false
    from staged
    where music_id is not null
    union all
    select
        market, observed_at, music_id, music_name, music_author, is_music_original, music_play_url, video_id,
        author_handle, null, null, false
    from staging.stg_tiktok__videos
    where observed_date >= date '@day@' - 2 and observed_date < date '@day@' and music_id is not null
),

counted as (
    select
        market,
        sound_id,
        max_by(sound_name, row(observed_at, is_music_feed, sound_name)) as sound_name,
        max_by(artist, row(observed_at, is_music_feed, artist)) as artist,
        coalesce(bool_or(is_original), false) as is_original,
        max_by(play_url, row(observed_at, is_music_feed, play_url)) as play_url,
        count(distinct video_id) filter (where is_last_24h) as videos_24h,
        count(distinct author_handle) filter (where is_last_24h) as creators_24h,
        count(distinct video_id) filter (where not is_last_24h) as videos_previous_24h,
        count(distinct author_handle) filter (where not is_last_24h) as creators_previous_24h,
        max(platform_uses) as platform_uses,
        min(platform_rank) filter (where is_last_24h) as platform_rank,
        case when bool_or(is_last_24h and is_music_feed) then 'music' else 'videos' end as feed,
        min(observed_at) as first_seen_at,
        bool_or(not is_last_24h) as was_seen_before
    from (select *, observed_at > getvariable('cutoff') - interval 24 hour as is_last_24h from sound_uses)
    where observed_at > getvariable('cutoff') - interval 48 hour
    group by market, sound_id
    having bool_or(is_last_24h)
)

select
    date '@day@' as as_of_date,
    counted.* exclude (platform_uses, platform_rank, was_seen_before),
    case
        when not was_seen_before then '🆕 NEW'
        when videos_24h >= 1.5 * videos_previous_24h and videos_24h >= videos_previous_24h + 3 then '🚀 SPIKING'
        when videos_24h > videos_previous_24h then '📈 RISING'
        when videos_24h >= 0.5 * videos_previous_24h then '📉 COOLING'
        else '❄️ DYING'
    end as status,
    coalesce(platform_uses, videos_24h) as used_by,
    row_number() over (
        partition by market
        order by videos_24h desc, creators_24h desc, platform_rank asc nulls last, sound_id
    )::integer as sound_rank
from counted
where market in (select markets.market from seeds.markets);

create or replace temp table creator_outliers as
with shown as (
    select distinct present.video_id, videos.author_handle
    from present
    inner join videos on present.video_id = videos.video_id
    where videos.author_handle is not null
),

around as (
    -- The readings next to an age of 24 hours, on either side.
    select
        video_id,
        age_hours > 24 as is_after,
        min(posted_at) as posted_at,
        min_by({'age': age_hours, 'plays': plays}, row(abs(age_hours - 24), -plays, market, observed_at)) as reading
    from readings
    where not age_is_lower_bound and plays is not null and age_hours <= 60
    group by video_id, is_after
),

posts as (
    select
        shown.author_handle,
        around.video_id,
        min(around.posted_at) as posted_at,
        max(around.reading.age) filter (where not around.is_after) as before_age,
        max(around.reading.plays) filter (where not around.is_after) as before_plays,
        max(around.reading.age) filter (where around.is_after) as after_age,
        max(around.reading.plays) filter (where around.is_after) as after_plays
    from around
    inner join shown on around.video_id = shown.video_id
    group by shown.author_handle, around.video_id
    union all
    select author_handle, video_id, posted_at, before_age_hours, before_plays, after_age_hours, after_plays
    from intermediate.int_video_views_24h
    where
        posted_at >= date '@day@' - 92
        and author_handle in (select shown.author_handle from shown)
        and video_id not in (select present.video_id from present)
),

measured as (
    select
        *,
        coalesce(after_age - before_age <= 36, false) as is_interpolated,
        exp(case
            when is_interpolated
                then
                    ln(greatest(before_plays, 1))
                    + (ln(greatest(after_plays, 1)) - ln(greatest(before_plays, 1)))
                    * ln(24 / before_age) / ln(after_age / before_age)
            when 24 - before_age <= 6 and coalesce(24 - before_age <= after_age - 24, true)
                then ln(greatest(before_plays, 1))
            when after_age - 24 <= 6 then ln(greatest(after_plays, 1))
        end) as views_24h
    from posts
    where
        posted_at <= getvariable('cutoff') - interval 24 hour
        and posted_at > getvariable('cutoff') - interval 90 day
),

compared as (
    select
        *,
        count(*) over ten_before as previous_posts,
        quantile_cont(views_24h, 0.5) over ten_before as previous_median_views_24h,
        max(views_24h) over ten_before as previous_best_views_24h
    from measured
    where views_24h is not null
    window
        ten_before as (
            partition by author_handle order by posted_at, video_id rows between 10 preceding and 1 preceding
        )
),

scored as (
    select
        *,
        views_24h / previous_median_views_24h as views_ratio,
        exp(previous_posts * ln(views_ratio) / (previous_posts + 3)) as outlier_score
    from compared
    where previous_posts >= 3
)

select
    date '@day@' as as_of_date,
    scored.video_id,
    scored.author_handle,
    coalesce(accounts.role, 'other') as author_role,
    scored.posted_at,
    scored.views_24h,
    scored.is_interpolated,
    scored.previous_posts,
    scored.previous_median_views_24h,
    scored.previous_best_views_24h,
    scored.views_ratio,
    scored.outlier_score,
    scored.outlier_score >= 2 as is_win,
    scored.outlier_score >= 2
    and scored.views_ratio >= 5
    and scored.views_24h > scored.previous_best_views_24h as is_breakout,
    trend_keys.trend_key,
    trend_keys.trend_key_type
from scored
inner join trend_keys on scored.video_id = trend_keys.video_id
left join seeds.accounts as accounts on scored.author_handle = lower(accounts.handle);
