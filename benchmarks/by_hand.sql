-- A day by hand: the marts of one date, `@day@`, in one plain script on the same raw rows, with the same joins and
-- equal rows (`by_hand.py` compares them). It starts from what earlier days left (staging, forecasts, levels, stages)
-- and takes nothing of the date from the models but the answers of the two word lists, which are patterns and no joins:
-- the AI category of a caption and its seasonal keywords.
-- What it leaves out is what a product adds: tests and contracts, tables that are kept, several dates at once, loads
-- that come late, cut-offs within a day (here a date is all of its day), item shapes and spellings of counts other than
-- those of one actor, post times from ids, classic mode of statuses, decisions and alerts, settings (the constants are
-- those of dbt_project.yml: who changes a rule there changes it here), competitors, revenue, seasonal alerts.
-- Measured against, used by nothing.
set variable cutoff = (select cutoff_at from facts.meta.cutoffs where as_of_date = date '@day@');

set variable cutoff_before = (
    select coalesce(max(cutoff_at), getvariable('cutoff') - interval 1 day)
    from facts.meta.cutoffs
    where as_of_date < date '@day@'
);

create or replace temp macro hours_between(start_at, end_at) as epoch(end_at - start_at) / 3600.0;

create or replace temp macro whole(value) as sum(round(value * 1000000)::bigint);

create or replace temp macro exact_sum(value) as whole(value)::double / 1000000;

create or replace temp macro shrunk(own, wider, n, strength) as
    (coalesce(own, 0) * coalesce(n, 0) + wider * strength) / (coalesce(n, 0) + strength);

create or replace temp macro log_of(value) as ln(greatest(value, 0) + 1);

create or replace temp macro age_bucket(age_hours) as least(floor(greatest(age_hours, 0) / 24), 7)::integer;

create or replace temp macro in_sample(video_id, size, videos) as
    md5_number_lower(video_id) % 1000000 < 1000000.0 * size / videos;

create or replace temp macro spread(deviation) as
    pow(greatest(1.4826 * quantile_cont(deviation, 0.5), quantile_cont(deviation, 0.93) / 1.812), 2);

create or replace temp macro half_lived(hours, ended_at, now_at) as
    hours * pow(0.5, hours_between(ended_at, now_at) / 6);

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

create or replace temp table newest as
with day_closes as (
    select market, video_id, reading_date, observed_at, momentum_score, plays from readings
    qualify row_number() over (partition by market, video_id, reading_date order by observed_at desc) = 1
),

day_steps as (
    select
        *,
        row_number() over earlier as reading_days,
        lag(momentum_score) over earlier as previous_day_momentum,
        reading_date - lag(reading_date) over earlier as previous_day_gap_days,
        (momentum_score - previous_day_momentum) / previous_day_gap_days as day_velocity
    from day_closes
    window earlier as (partition by market, video_id order by reading_date)
),

own as (
    select *, lag(day_velocity) over (partition by market, video_id order by reading_date) as previous_velocity
    from day_steps
    qualify row_number() over (partition by market, video_id order by reading_date desc) = 1
),

shown as (
    select
        own.video_id,
        own.market,
        own.reading_days,
        own.reading_date,
        present.market_count,
        present.item_index as feed_rank,
        present.observed_at as last_seen_at,
        first_value(own.market) over (
            partition by own.video_id order by own.reading_days desc, own.market
        ) as lead_market
    from own
    inner join present on own.market = present.market and own.video_id = present.video_id
),

offered as (
    -- The newest reading of each feed; one that is not above an earlier count of another feed is that one, seen later.
    select
        readings.*,
        own.reading_days,
        own.previous_day_momentum,
        own.previous_day_gap_days,
        own.previous_velocity,
        readings.plays is null
        or readings.observed_at - interval 45 minute <= min(readings.observed_at) over (
            partition by readings.video_id order by readings.plays desc nulls last
            range between unbounded preceding and current row
        ) as is_newer
    from own
    inner join readings
        on
            own.market = readings.market
            and own.video_id = readings.video_id
            and own.observed_at = readings.observed_at
),

latest as (
    select *
    from (select *, max(observed_at) filter (where is_newer) over (partition by video_id) as newest_at from offered)
    qualify
        row_number() over (
            partition by video_id
            order by
                is_newer desc,
                observed_at >= newest_at - interval 45 minute and gap_hours is not null desc,
                observed_at desc, plays desc, market
        ) = 1
),

before as (
    select readings.*
    from latest
    inner join readings
        on
            latest.video_id = readings.video_id
            and latest.market <> readings.market
            and latest.observed_at - interval 45 minute >= readings.observed_at
    qualify
        row_number() over (
            partition by readings.video_id order by readings.observed_at desc, readings.plays desc, readings.market
        ) = 1
),

day_before as (
    select days.*
    from latest
    inner join day_steps as days
        on
            latest.video_id = days.video_id
            and latest.market <> days.market
            and latest.reading_date > days.reading_date
            and latest.observed_at - interval 45 minute >= days.observed_at
    qualify
        row_number() over (
            partition by days.video_id order by days.observed_at desc, days.plays desc, days.market
        ) = 1
),

-- Counts are one number worldwide, and so is what any feed knew before them.
known as (
    select
        latest.* exclude (
            market, last_lower_at, reading_number, newest_at, is_newer, gap_hours, live_views_per_hour,
            live_likes_per_hour, live_shares_per_hour, live_momentum, previous_momentum_score, previous_age_hours,
            previous_gap_hours, previous_live_momentum, previous_live_views_per_hour, reading_days,
            previous_day_momentum, previous_day_gap_days, previous_velocity
        ),
        latest.market as reading_market,
        latest.last_lower_at,
        coalesce(
            before.plays <= latest.plays
            and (
                latest.gap_hours is null
                or before.observed_at > latest.observed_at - to_microseconds((latest.gap_hours * 3600000000)::bigint)
            ),
            false
        ) as is_after_other,
        case
            when is_after_other then hours_between(before.observed_at, latest.observed_at) else latest.gap_hours
        end as gap_hours,
        case
            when is_after_other
                then greatest(latest.plays - before.plays, 0) / hours_between(before.observed_at, latest.observed_at)
            else latest.live_views_per_hour
        end as live_views_per_hour,
        case
            when is_after_other
                then greatest(latest.likes - before.likes, 0) / hours_between(before.observed_at, latest.observed_at)
            else latest.live_likes_per_hour
        end as live_likes_per_hour,
        case
            when is_after_other
                then greatest(latest.shares - before.shares, 0) / hours_between(before.observed_at, latest.observed_at)
            else latest.live_shares_per_hour
        end as live_shares_per_hour,
        case
            when is_after_other then before.momentum_score else latest.previous_momentum_score
        end as previous_momentum_score,
        case when is_after_other then before.age_hours else latest.previous_age_hours end as previous_age_hours,
        case when is_after_other then before.gap_hours else latest.previous_gap_hours end as previous_gap_hours,
        case
            when is_after_other then before.live_momentum else latest.previous_live_momentum
        end as previous_live_momentum,
        case
            when is_after_other then before.live_views_per_hour else latest.previous_live_views_per_hour
        end as previous_live_views_per_hour,
        latest.live_momentum as own_live_momentum,
        greatest(latest.reading_number, coalesce(before.reading_number, 0) + 1) as reading_count,
        latest.reading_number > 1 or before.reading_number is not null as has_earlier_reading,
        greatest(latest.reading_days, coalesce(day_before.reading_days, 0) + 1) as reading_days,
        coalesce(
            day_before.reading_date > coalesce(latest.reading_date - latest.previous_day_gap_days::integer, date '1970-01-01'),
            false
        ) as is_a_day_after_other,
        case
            when is_a_day_after_other then day_before.momentum_score else latest.previous_day_momentum
        end as previous_day_momentum,
        case
            when is_a_day_after_other then latest.reading_date - day_before.reading_date
            else latest.previous_day_gap_days
        end as previous_day_gap_days,
        case when is_a_day_after_other then day_before.day_velocity else latest.previous_velocity end
            as previous_velocity
    from latest
    left join before on latest.video_id = before.video_id
    left join day_before on latest.video_id = day_before.video_id
)

select
    shown.market,
    shown.market_count,
    shown.feed_rank,
    shown.last_seen_at,
    shown.lead_market,
    shown.reading_days + case when shown.reading_date < known.reading_date then 1 else 0 end as days_in_market,
    known.reading_date < date '@day@' as is_stale,
    coalesce(known.last_lower_at >= known.observed_at, false) as counter_regressed,
    known.* exclude (last_lower_at, own_live_momentum, is_after_other, is_a_day_after_other),
    case
        when known.is_after_other
            then momentum(known.live_shares_per_hour, known.live_likes_per_hour, known.live_views_per_hour)
        else known.own_live_momentum
    end as live_momentum
from shown
inner join known on shown.video_id = known.video_id;

---------- forecasts: the pace of each video, and what is left of a pace a day later

create or replace temp table paces as
with worldwide as (
    -- One feed may show later what the other one had shown before: equal counts are one reading.
    select
        video_id,
        observed_at,
        max(max(plays)) over so_far as plays,
        max(max(likes)) over so_far as likes,
        min(case when not age_is_lower_bound then posted_at end) as posted_at,
        min(posted_at) as first_seen_at
    from readings
    where reading_date >= date '@day@' - 8 and plays is not null
    group by video_id, observed_at
    window so_far as (partition by video_id order by observed_at)
),

changed as (
    select
        *,
        max(observed_at) over (partition by video_id) as base_at
    from (
        select * from worldwide
        window earlier as (partition by video_id order by observed_at)
        qualify
            lag(plays) over earlier is null
            or plays > lag(plays) over earlier
            or coalesce(likes, -1) <> coalesce(lag(likes) over earlier, -1)
    )
),

measured as (
    -- Over the last day where readings allow it, else since the last reading before it.
    select
        video_id,
        base_at,
        max(plays) as base_plays,
        max(likes) as base_likes,
        min(posted_at) as posted_at,
        coalesce(min(posted_at), min(first_seen_at)) as age_from,
        coalesce(
            min(observed_at) filter (where hours_between(observed_at, base_at) between 0.75 and 30),
            max(observed_at) filter (where hours_between(observed_at, base_at) > 30)
        ) as reference_at,
        coalesce(
            min(plays) filter (where hours_between(observed_at, base_at) between 0.75 and 30),
            max(plays) filter (where hours_between(observed_at, base_at) > 30)
        ) as reference_plays
    from changed
    group by video_id, base_at
),

measured_before as (
    select
        measured.video_id,
        coalesce(
            min(changed.observed_at) filter (where hours_between(changed.observed_at, measured.reference_at) <= 30),
            max(changed.observed_at)
        ) as earlier_at,
        coalesce(
            min(changed.plays) filter (where hours_between(changed.observed_at, measured.reference_at) <= 30),
            max(changed.plays)
        ) as earlier_plays
    from measured
    inner join changed on measured.video_id = changed.video_id
    where hours_between(changed.observed_at, measured.reference_at) >= 0.75
    group by measured.video_id
)

select
    measured.video_id,
    base_at,
    base_plays,
    base_likes,
    posted_at is null as age_is_lower_bound,
    greatest(hours_between(age_from, base_at), 0.1) as age_hours,
    age_bucket(hours_between(age_from, base_at)) as age_bucket,
    age_bucket(hours_between(age_from, reference_at)) as previous_age_bucket,
    hours_between(reference_at, base_at) as pace_gap_hours,
    24 * (base_plays - reference_plays) / pace_gap_hours as pace,
    hours_between(earlier_at, reference_at) as previous_gap_hours,
    24 * (reference_plays - earlier_plays) / previous_gap_hours as previous_pace,
    -- A pace belongs to the middle of its interval: the change is brought to 24 hours between two middles.
    case
        when pace_gap_hours + previous_gap_hours >= 24
            then (log_of(pace) - log_of(previous_pace)) * 48 / (pace_gap_hours + previous_gap_hours)
    end as pace_change
from measured
left join measured_before on measured.video_id = measured_before.video_id;

create or replace temp table bases as
select
    present.market,
    paces.*,
    24 * own.views_per_hour as lifetime_pace,
    coalesce(24 * own.live_views_per_hour, paces.pace) as last_pace,
    paces.pace is null as is_cold_start,
    hours_between(paces.base_at, getvariable('cutoff')) >= 24 as is_stale,
    in_sample(present.video_id, 20000, present.videos_of_market) as is_sampled
from present
inner join paces on present.video_id = paces.video_id
left join (
    select * from readings
    where reading_date >= date '@day@' - 8
    qualify row_number() over (partition by market, video_id order by observed_at desc) = 1
) as own
    on present.market = own.market and present.video_id = own.video_id;

create or replace temp table curve as
with changes as (
    select market, previous_age_bucket as age_bucket, pace_change
    from intermediate.int_forecast_bases
    where
        as_of_date > date '@day@' - 28
        and as_of_date < date '@day@'
        and pace_change is not null
        and is_sampled
        and not is_stale
    union all
    select market, previous_age_bucket as age_bucket, pace_change
    from bases
    where pace_change is not null and is_sampled and not is_stale
),

learned as (
    select market, age_bucket, count(*) as n, quantile_cont(pace_change, [0.1, 0.5, 0.9]) as q
    from changes
    group by grouping sets ((), (age_bucket), (market, age_bucket))
),

drawn as (
    -- The shipped curve, drawn to all readings, to those of the age, to those of the market.
    select
        markets.market,
        ages.age_bucket,
        coalesce(of_age.n, 0) as n_all_markets,
        list_transform(
            [1, 2, 3],
            lambda i: shrunk(
                own.q[i],
                shrunk(
                    of_age.q[i],
                    shrunk(overall.q[i], ages.prior + i - 2, overall.n, 30),
                    of_age.n,
                    30
                ),
                own.n,
                30
            )
        ) as log_q
    from (select distinct present.market from present) as markets
    cross join (
        select range::integer as age_bucket, -0.7 * ln((range + 1.5) / (range + 0.5)) as prior from range(8)
    ) as ages
    left join learned as overall on overall.age_bucket is null
    left join learned as of_age on ages.age_bucket = of_age.age_bucket and of_age.market is null
    left join learned as own on ages.age_bucket = own.age_bucket and markets.market = own.market
),

shifts as (
    -- All videos of a feed off the same way: it was read earlier or later than it says, or the day was unusual.
    select
        bases.market,
        quantile_cont(bases.pace_change - drawn.log_q[2], 0.5) * count(*) / (count(*) + 5) as feed_shift
    from bases
    inner join drawn on bases.market = drawn.market and bases.previous_age_bucket = drawn.age_bucket
    where bases.pace_change is not null and bases.is_sampled and not bases.is_stale
    group by bases.market
),

ahead as (
    -- Videos grow out of their age: the factors of the next seven days, one after the other.
    select
        drawn.*,
        list_transform(range(7), lambda day: whole.log_q50[least(drawn.age_bucket + day, 7) + 1]) as days
    from drawn
    inner join (
        select market, list(log_q[2] order by age_bucket) as log_q50 from drawn group by market
    ) as whole
        on drawn.market = whole.market
)

select
    ahead.market,
    ahead.age_bucket,
    ahead.n_all_markets,
    round(exp(ahead.log_q[2]), 9) as phi,
    round(exp(ahead.days[1]), 9) as days_kept_24h,
    round(exp(ahead.days[1]) + exp(list_sum(ahead.days[:2])), 9) as days_kept_48h,
    round(list_sum(list_transform(range(1, 8), lambda day: exp(list_sum(ahead.days[:day])))), 9) as days_kept_168h,
    round(coalesce(shifts.feed_shift, 0), 9) as feed_shift
from ahead
left join shifts on ahead.market = shifts.market;
---------- forecasts that came due, the correction learned from them, the new forecasts

create or replace temp table due as
with seen as (
    select video_id, observed_at, max(plays) as plays, max(likes) as likes
    from readings
    where observed_at > getvariable('cutoff_before') - interval 12 hour and plays is not null
    group by video_id, observed_at
)

select
    bases.*,
    seen.plays as observed_plays,
    seen.observed_at,
    hours_between(bases.base_at, seen.observed_at) as hours,
    case when hours < 31 then 24 when hours < 55 then 48 else 168 end as horizon_hours
from intermediate.int_forecast_bases as bases
inner join seen on bases.video_id = seen.video_id
where
    bases.as_of_date >= date '@day@' - 8
    and bases.as_of_date < date '@day@'
    and not bases.is_stale
    and (hours between 18 and 30 or hours between 42 and 54 or hours between 162 and 174)
    and (seen.plays <> bases.base_plays or coalesce(seen.likes, -1) <> coalesce(bases.base_likes, -1))
window forecast as (partition by bases.as_of_date, bases.market, bases.video_id, horizon_hours)
qualify
    row_number() over (forecast order by abs(hours - horizon_hours), seen.observed_at) = 1
    and min(seen.observed_at) over forecast > getvariable('cutoff_before');

create or replace temp table features as
with based as (
    select
        date '@day@' as as_of_date, market, video_id, base_at, base_plays, base_likes, age_hours, age_is_lower_bound,
        age_bucket, pace, pace_gap_hours, pace_change, lifetime_pace, last_pace, is_cold_start, is_stale, is_sampled,
        null as horizon_hours, null as actual_gain
    from bases
    union all
    select
        as_of_date, market, video_id, base_at, base_plays, base_likes, age_hours, age_is_lower_bound,
        age_bucket, pace, pace_gap_hours, pace_change, lifetime_pace, last_pace, is_cold_start, is_stale, is_sampled,
        horizon_hours, greatest(observed_plays - base_plays, 0) * horizon_hours / hours as actual_gain
    from due
),

curves as (
    select
        date '@day@' as as_of_date, market, age_bucket, phi, days_kept_24h, days_kept_48h, days_kept_168h, feed_shift
    from curve
    union all
    select as_of_date, market, age_bucket, phi, days_kept_24h, days_kept_48h, days_kept_168h, feed_shift
    from intermediate.int_retention
    where as_of_date >= date '@day@' - 8 and as_of_date < date '@day@'
)

select
    based.*,
    case
        when based.is_cold_start then 'cold_start'
        when based.pace_change is null then 'one_interval'
        else 'measured'
    end as segment,
    -- No pace yet: what a power law of age leaves of the lifetime rate.
    greatest(
        case
            when based.is_cold_start
                then
                    0.30000000000000004 * 24 * based.base_plays
                    / case when based.age_is_lower_bound then greatest(based.age_hours, 24) else based.age_hours end
            else based.pace
        end,
        0
    ) as assumed_pace,
    power(curves.phi, (coalesce(based.pace_gap_hours, 24) + 24) / 48 - 1) as kept,
    assumed_pace * curves.days_kept_24h * kept as retention_24h,
    assumed_pace * curves.days_kept_48h * kept as retention_48h,
    assumed_pace * curves.days_kept_168h * kept as retention_168h,
    least(greatest(ln((based.base_plays + 1) / (assumed_pace + 1)), 0), 5) - 1.5 as maturity,
    1.0::double as x1,
    case segment when 'one_interval' then 1.0 else 0.0 end::double as x2,
    case when based.is_cold_start then 0 else curves.feed_shift end as x3,
    case when based.is_cold_start then 0.0 else least(based.age_hours / 24, 6) - 2 end as x4,
    coalesce(case when based.pace_change < -2 then -2 when based.pace_change > 2 then 2 else based.pace_change end, 0)
        as x5,
    maturity as x6,
    case segment when 'measured' then 0.0 else maturity end as x7,
    coalesce(least(greatest(ln((based.base_likes + 1.0) / (based.base_plays + 1)) + 3.5, -2.5), 2.5), 0) as x8,
    ln(assumed_pace + 1) - 10 as x9
from based
inner join curves
    on based.as_of_date = curves.as_of_date and based.market = curves.market and based.age_bucket = curves.age_bucket;

create or replace temp table fits as
with recursive targets as (
    select market, horizon_hours, is_cold_start, x1, x2, x3, x4, x5, x6, x7, x8, x9,
        log_of(actual_gain) - log_of(
            case horizon_hours when 24 then retention_24h when 48 then retention_48h else retention_168h end
        ) as miss
    from features
    where horizon_hours is not null and is_sampled
    union all
    select market, horizon_hours, is_cold_start, x_intercept, x_single_interval, x_feed_shift, x_age, x_acceleration,
        x_maturity, x_maturity_single, x_like_ratio, x_level, log_of(actual_gain) - log_of(retention_gain) as miss
    from intermediate.int_forecast_targets
    where as_of_date > date '@day@' - 28 and as_of_date < date '@day@' and is_sampled
),

held as (
    select * replace (case when miss < -3 then -3 when miss > 3 then 3 else miss end as miss) from targets
),

-- Least squares of the logarithmic miss on nine inputs: sums of products, those of the miss in the last column.
own as (
    select
        market,
        horizon_hours,
        is_cold_start,
        n,
        [
            [s11, s12, s13, s14, s15, s16, s17, s18, s19, s1m],
            [s12, s22, s23, s24, s25, s26, s27, s28, s29, s2m],
            [s13, s23, s33, s34, s35, s36, s37, s38, s39, s3m],
            [s14, s24, s34, s44, s45, s46, s47, s48, s49, s4m],
            [s15, s25, s35, s45, s55, s56, s57, s58, s59, s5m],
            [s16, s26, s36, s46, s56, s66, s67, s68, s69, s6m],
            [s17, s27, s37, s47, s57, s67, s77, s78, s79, s7m],
            [s18, s28, s38, s48, s58, s68, s78, s88, s89, s8m],
            [s19, s29, s39, s49, s59, s69, s79, s89, s99, s9m]
        ] as m
    from (
        select
            market, horizon_hours, is_cold_start, count(*) as n,
            whole(x1 * x1) as s11, whole(x1 * x2) as s12, whole(x1 * x3) as s13, whole(x1 * x4) as s14,
            whole(x1 * x5) as s15, whole(x1 * x6) as s16, whole(x1 * x7) as s17, whole(x1 * x8) as s18,
            whole(x1 * x9) as s19, whole(x1 * miss) as s1m,
            whole(x2 * x2) as s22, whole(x2 * x3) as s23, whole(x2 * x4) as s24, whole(x2 * x5) as s25,
            whole(x2 * x6) as s26, whole(x2 * x7) as s27, whole(x2 * x8) as s28, whole(x2 * x9) as s29,
            whole(x2 * miss) as s2m,
            whole(x3 * x3) as s33, whole(x3 * x4) as s34, whole(x3 * x5) as s35, whole(x3 * x6) as s36,
            whole(x3 * x7) as s37, whole(x3 * x8) as s38, whole(x3 * x9) as s39, whole(x3 * miss) as s3m,
            whole(x4 * x4) as s44, whole(x4 * x5) as s45, whole(x4 * x6) as s46, whole(x4 * x7) as s47,
            whole(x4 * x8) as s48, whole(x4 * x9) as s49, whole(x4 * miss) as s4m,
            whole(x5 * x5) as s55, whole(x5 * x6) as s56, whole(x5 * x7) as s57, whole(x5 * x8) as s58,
            whole(x5 * x9) as s59, whole(x5 * miss) as s5m,
            whole(x6 * x6) as s66, whole(x6 * x7) as s67, whole(x6 * x8) as s68, whole(x6 * x9) as s69,
            whole(x6 * miss) as s6m,
            whole(x7 * x7) as s77, whole(x7 * x8) as s78, whole(x7 * x9) as s79, whole(x7 * miss) as s7m,
            whole(x8 * x8) as s88, whole(x8 * x9) as s89, whole(x8 * miss) as s8m,
            whole(x9 * x9) as s99, whole(x9 * miss) as s9m
        from held
        group by market, horizon_hours, is_cold_start
    )
),

pooled as (
    select horizon_hours, is_cold_start, sum(n) as n, list(m) as ms
    from own
    group by horizon_hours, is_cold_start
),

systems as (
    -- Firmness of five rows' worth with which the fit stays at no correction, and of a feed's shift half reverts.
    select
        markets.market,
        pooled.horizon_hours,
        pooled.is_cold_start,
        1 as k,
        list_transform(
            range(1, 10),
            lambda i: list_transform(
                range(1, 11),
                lambda j:
                coalesce(own.m[i][j], 0) / 1000000
                + 1000 / (pooled.n + 1000) * (list_sum(list_transform(pooled.ms, lambda m: m[i][j])) / 1000000)
                + case when i = j then 5 when i = 3 and j = 10 then 5 * (-0.5) else 0 end
            )
        ) as m
    from pooled
    cross join (select distinct present.market from present) as markets
    left join own
        on
            markets.market = own.market
            and pooled.horizon_hours = own.horizon_hours
            and pooled.is_cold_start = own.is_cold_start
),

eliminated as (
    select * from systems
    union all
    select
        market,
        horizon_hours,
        is_cold_start,
        k + 1,
        list_transform(
            m,
            lambda line, i: case
                when i > k
                    then list_transform(line, lambda value, j: value - m[k][i] * m[k][j] / m[k][k])
                else line
            end
        )
    from eliminated
    where k < 9
),

substituted as (
    select market, horizon_hours, is_cold_start, m, 9 as k, []::double[] as b
    from eliminated
    where k = 9
    union all
    select
        market,
        horizon_hours,
        is_cold_start,
        m,
        k - 1,
        list_prepend(
            list_reduce(
                list_prepend(m[k][10], list_transform(b, lambda value, place: m[k][k + place] * value)),
                lambda rest, part: rest - part
            ) / m[k][k],
            b
        )
    from substituted
    where k > 0
)

select market, horizon_hours, is_cold_start, list_transform(b, lambda value: round(value, 9)) as b
from substituted
where k = 0;

create or replace temp table candidates as
with by_horizon as (
    select
        *,
        unnest([
            {'horizon_hours': 24, 'gain': retention_24h},
            {'horizon_hours': 48, 'gain': retention_48h},
            {'horizon_hours': 168, 'gain': retention_168h}
        ]) as made
    from (select * exclude (horizon_hours) from features where horizon_hours is null)
)

select
    by_horizon.market,
    by_horizon.video_id,
    made.horizon_hours,
    by_horizon.base_at as made_at,
    by_horizon.base_at + to_hours(made.horizon_hours) as target_at,
    by_horizon.base_plays,
    by_horizon.age_bucket,
    by_horizon.segment,
    by_horizon.is_cold_start,
    by_horizon.is_stale,
    round(made.gain, 3) as gain_retention,
    round(
        greatest(
            (made.gain + 1) * exp(least(greatest(
                coalesce(list_dot_product(fits.b, [x1, x2, x3, x4, x5, x6, x7, x8, x9]), 0), -3
            ), 3)) - 1,
            0
        ),
        3
    ) as gain_log_linear,
    0::double as gain_persistence,
    round(by_horizon.lifetime_pace * made.horizon_hours / 24, 3) as gain_lifetime_rate,
    round(by_horizon.last_pace * made.horizon_hours / 24, 3) as gain_last_gain
from by_horizon
left join fits
    on
        by_horizon.market = fits.market
        and made.horizon_hours = fits.horizon_hours
        and by_horizon.is_cold_start = fits.is_cold_start;

create or replace temp table outcomes as
select
    features.as_of_date as forecast_date,
    features.market,
    features.video_id,
    features.horizon_hours,
    features.base_plays,
    features.actual_gain,
    features.pace,
    features.age_bucket,
    features.segment,
    features.is_cold_start,
    features.is_sampled,
    made.p10,
    made.p50,
    made.p90,
    made.gain_retention,
    made.gain_log_linear,
    made.gain_persistence,
    made.gain_lifetime_rate,
    made.gain_last_gain
from features
inner join marts.forecasts as made
    on
        features.as_of_date = made.as_of_date
        and features.market = made.market
        and features.video_id = made.video_id
        and features.horizon_hours = made.horizon_hours
where made.as_of_date >= date '@day@' - 8 and made.as_of_date < date '@day@';

create or replace temp table forecasts as
with scored as (
    select
        as_of_date, market, horizon_hours, is_cold_start, segment, age_bucket, actual_gain, gain_retention,
        gain_log_linear, log_miss_retention, log_miss_log_linear
    from intermediate.int_forecast_outcomes
    where as_of_date > date '@day@' - 28 and as_of_date < date '@day@' and is_sampled
    union all
    select
        date '@day@', market, horizon_hours, is_cold_start, segment, age_bucket, actual_gain, gain_retention,
        gain_log_linear, log_of(actual_gain) - log_of(gain_retention), log_of(actual_gain) - log_of(gain_log_linear)
    from outcomes
    where is_sampled
),

records as (
    -- Older forecasts count less: the challenger's first ones were made from a fit to a few days.
    select
        market,
        horizon_hours,
        is_cold_start,
        count(*) as scored,
        exact_sum(recency * abs(gain_retention - actual_gain)) / nullif(exact_sum(recency * actual_gain), 0)
            as wape_retention,
        exact_sum(recency * abs(gain_log_linear - actual_gain)) / nullif(exact_sum(recency * actual_gain), 0)
            as wape_log_linear,
        case when scored >= 100 and wape_log_linear < wape_retention then 'log_linear' else 'retention' end as model
    from (select *, power(0.5, (date '@day@' - as_of_date)::double / 7) as recency from scored)
    group by market, horizon_hours, is_cold_start
),

misses as (
    select
        horizon_hours,
        segment,
        market,
        age_bucket,
        count(*) as n,
        quantile_cont(log_miss_retention, [0.1, 0.9]) as retention,
        quantile_cont(log_miss_log_linear, [0.1, 0.9]) as log_linear
    from scored
    where as_of_date > date '@day@' - 14
    group by grouping sets ((horizon_hours, segment), (horizon_hours, segment, market, age_bucket))
),

ranged as (
    select
        candidates.*,
        coalesce(records.scored, 0) as scored,
        records.wape_retention,
        records.wape_log_linear,
        coalesce(records.model, 'retention') as model,
        case candidates.segment when 'measured' then 0.7 when 'one_interval' then 0.9 else 1.8 end as prior,
        case records.model when 'log_linear' then own.log_linear else own.retention end as own_q,
        case records.model when 'log_linear' then wide.log_linear else wide.retention end as wide_q,
        case records.model when 'log_linear' then (gain_log_linear + 1) / (gain_retention + 1) end as correction,
        least(shrunk(own_q[1], shrunk(wide_q[1], -prior, wide.n, 100), own.n, 100), 0) as log_low,
        greatest(shrunk(own_q[2], shrunk(wide_q[2], prior, wide.n, 100), own.n, 100), 0) as log_high
    from candidates
    left join records
        on
            candidates.market = records.market
            and candidates.horizon_hours = records.horizon_hours
            and candidates.is_cold_start = records.is_cold_start
    left join misses as wide
        on
            candidates.horizon_hours = wide.horizon_hours
            and candidates.segment = wide.segment
            and wide.market is null
    left join misses as own
        on
            candidates.horizon_hours = own.horizon_hours
            and candidates.segment = own.segment
            and candidates.market = own.market
            and candidates.age_bucket = own.age_bucket
),

drawn as (
    -- What a shorter horizon learned holds for a longer one without scores.
    select
        *,
        case
            when correction is not null then gain_log_linear
            when scored >= 100 then gain_retention
            else
                coalesce(
                    round(
                        (gain_retention + 1) * last_value(correction ignore nulls) over so_far - 1, 3
                    ),
                    gain_retention
                )
        end as gain
    from ranged
    window
        so_far as (
            partition by market, video_id order by horizon_hours rows between unbounded preceding and current row
        )
),

led as (
    select
        drawn.*,
        max(round(greatest((gain + 1) * exp(log_low) - 1, 0), 3)) over so_far as p10,
        max(gain) over so_far as p50,
        max(round((gain + 1) * exp(log_high) - 1, 3)) over so_far as p90
    from drawn
    window
        so_far as (
            partition by market, video_id order by horizon_hours rows between unbounded preceding and current row
        )
)

select
    date '@day@' as as_of_date,
    newest.market,
    led.video_id,
    led.horizon_hours,
    led.made_at,
    led.target_at,
    led.model,
    led.base_plays,
    led.p10,
    led.p50,
    led.p90,
    led.is_cold_start,
    led.is_stale,
    case
        when led.scored < 100 then 'retention: only ' || led.scored || ' scored forecasts, the challenger needs 100'
        else
            led.model || ': trailing error (WAPE) retention ' || round(led.wape_retention, 3)
            || ', log_linear ' || round(led.wape_log_linear, 3) || ' over ' || led.scored || ' scored forecasts'
    end as chosen_because,
    led.gain_retention,
    led.gain_log_linear,
    led.gain_persistence,
    led.gain_lifetime_rate,
    led.gain_last_gain
from newest
inner join led on newest.lead_market = led.market and newest.video_id = led.video_id;

create or replace temp table forecast_scores as
with warm as (
    select
        *,
        row_number() over (
            partition by market, horizon_hours order by in_order, video_id
        ) as sample_place
    from (select *, md5_number_lower(video_id) % 1000000 as in_order from outcomes where not is_cold_start)
),

pairs as (
    -- +1 for a pair told in its right order, -1 for the reverse, 0 for a tie of the forecasts.
    select
        one.market,
        one.horizon_hours,
        count(*) as n,
        {
            'chosen': sum(sign(one.actual_gain - two.actual_gain) * sign(one.p50 - two.p50)),
            'retention': sum(
                sign(one.actual_gain - two.actual_gain) * sign(one.gain_retention - two.gain_retention)
            ),
            'log_linear': sum(
                sign(one.actual_gain - two.actual_gain) * sign(one.gain_log_linear - two.gain_log_linear)
            ),
            'lifetime_rate': sum(
                sign(one.actual_gain - two.actual_gain) * sign(one.gain_lifetime_rate - two.gain_lifetime_rate)
            ),
            'last_gain': sum(
                sign(one.actual_gain - two.actual_gain) * sign(one.gain_last_gain - two.gain_last_gain)
            )
        } as agreement
    from warm as one
    inner join warm as two
        on
            one.market = two.market
            and one.horizon_hours = two.horizon_hours
            and one.sample_place < two.sample_place
            and one.actual_gain <> two.actual_gain
    where one.sample_place <= 200 and two.sample_place <= 200
    group by one.market, one.horizon_hours
),

told as (
    select
        *,
        pace * horizon_hours / 24 as gain_so_far,
        actual_gain between p10 and p90 as is_covered,
        unnest([
            {'model': 'chosen', 'gain': p50},
            {'model': 'retention', 'gain': gain_retention},
            {'model': 'log_linear', 'gain': gain_log_linear},
            {'model': 'persistence', 'gain': gain_persistence},
            {'model': 'lifetime_rate', 'gain': gain_lifetime_rate},
            {'model': 'last_gain', 'gain': gain_last_gain}
        ], recursive := true)
    from outcomes
),

sums as (
    select
        market,
        horizon_hours,
        model,
        count(*) as n_any,
        count(*) filter (where not is_cold_start) as n,
        exact_sum(actual_gain) as actual_any,
        exact_sum(case when not is_cold_start then actual_gain end) as actual,
        exact_sum(abs(coalesce(gain, 0) - actual_gain)) as error_any,
        exact_sum(case when not is_cold_start then abs(gain - actual_gain) end) as error,
        exact_sum(case when not is_cold_start then gain - actual_gain end) as signed_error,
        exact_sum(
            case when not is_cold_start then abs(gain - actual_gain) / greatest(base_plays + actual_gain, 1) end
        ) as relative_error,
        count(*) filter (where not is_cold_start and (gain > gain_so_far) = (actual_gain > gain_so_far))
            as right_direction,
        case when model = 'chosen' then count(*) filter (where not is_cold_start and is_covered) end as covered,
        case when model = 'chosen' then count(*) filter (where is_covered) end as covered_any,
        min_by(video_id, row(-actual_gain, video_id), 20) as top_any,
        min_by(video_id, row(-gain, video_id), 20) as told_top_any,
        min_by(video_id, row(-actual_gain, video_id), 20) filter (where not is_cold_start) as top,
        min_by(video_id, row(-gain, video_id), 20) filter (where not is_cold_start) as told_top
    from told
    group by market, horizon_hours, model
),

of_markets as (
    -- Persistence expects the same of all videos, so it ranks none.
    select
        sums.* exclude (top_any, told_top_any, top, told_top),
        case when model <> 'persistence' and sums.n >= 40 then len(list_intersect(top, told_top)) / 20.0::double end
            as precision_at_top,
        case
            when model <> 'persistence' and sums.n_any >= 40
                then len(list_intersect(top_any, told_top_any)) / 20.0::double
        end as precision_at_top_any,
        case model
            when 'chosen' then agreement.chosen
            when 'retention' then agreement.retention
            when 'log_linear' then agreement.log_linear
            when 'lifetime_rate' then agreement.lifetime_rate
            when 'last_gain' then agreement.last_gain
        end::double / pairs.n as kendall_tau
    from sums
    left join pairs on sums.market = pairs.market and sums.horizon_hours = pairs.horizon_hours
),

of_all as (
    select * from of_markets
    union all
    select
        'ALL',
        horizon_hours,
        model,
        sum(n_any),
        sum(n),
        exact_sum(actual_any),
        exact_sum(actual),
        exact_sum(error_any),
        exact_sum(error),
        exact_sum(signed_error),
        exact_sum(relative_error),
        sum(right_direction),
        sum(covered),
        sum(covered_any),
        exact_sum(precision_at_top) / nullif(count(precision_at_top), 0),
        exact_sum(precision_at_top_any) / nullif(count(precision_at_top_any), 0),
        exact_sum(kendall_tau) / nullif(count(kendall_tau), 0)
    from of_markets
    group by horizon_hours, model
)

select
    date '@day@' as as_of_date,
    market,
    horizon_hours,
    model,
    model in ('persistence', 'lifetime_rate', 'last_gain') as is_baseline,
    n,
    n_any - n as n_cold_start,
    actual as actual_gain,
    error as absolute_error,
    round(error / nullif(actual, 0), 9) as wape_gain,
    round(error_any / nullif(actual_any, 0), 9) as wape_gain_with_cold_start,
    round(relative_error / nullif(n, 0), 9) as mape_total,
    round(signed_error / nullif(actual, 0), 9) as bias,
    round(right_direction::double / nullif(n, 0), 9) as direction_accuracy,
    round(precision_at_top, 9) as precision_at_20,
    round(precision_at_top_any, 9) as precision_at_20_with_cold_start,
    round(kendall_tau, 9) as kendall_tau,
    round(covered::double / nullif(n, 0), 9) as coverage_80,
    round(covered_any::double / nullif(n_any, 0), 9) as coverage_80_with_cold_start
from of_all;
---------- feeds of the day

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

create or replace temp table source_health as
with seen as (
    select market, 'videos' as kind, count(*) as distinct_videos, count(*) filter (where not is_stale) as fresh_readings
    from newest
    group by market
),

fed as (
    select
        markets.market,
        kinds.kind,
        min(markets.display_order) as market_order,
        string_agg(distinct loads.run_id, ', ' order by loads.run_id) as run_ids,
        string_agg(distinct loads.dataset_id, ', ' order by loads.dataset_id) as dataset_ids,
        max_by(loads.source, loads.observed_at) as source,
        count(*) filter (where loads.status in ('landed', 'repeat', 'empty')) as feeds,
        count(*) filter (where loads.status = 'repeat') as repeated_feeds,
        count(*) filter (where loads.status = 'unreadable') as unreadable_files,
        max_by(loads.reason, loads.load_id) filter (where loads.status = 'missing') as failure,
        coalesce(sum(loads.item_count), 0)::bigint as items,
        coalesce(sum(loads.quarantined_count), 0)::bigint as quarantined_items,
        max(loads.observed_at) filter (where loads.status in ('landed', 'repeat')) as last_observed_at
    from seeds.markets as markets
    cross join (values ('videos'), ('music')) as kinds (kind)
    left join facts.raw.loads as loads
        on
            markets.market = loads.market
            and kinds.kind = loads.kind
            and loads.observed_at >= date '@day@'
            and loads.observed_at < date '@day@' + 1
    group by markets.market, kinds.kind
)

select
    date '@day@' as as_of_date,
    fed.* exclude (failure),
    coalesce(seen.distinct_videos, 0) as distinct_videos,
    coalesce(seen.fresh_readings, 0) as fresh_readings,
    hours_between(last_observed_at, getvariable('cutoff')) as age_hours,
    items = 0 as is_missing,
    items > 0 and (feeds = repeated_feeds or (fed.kind = 'videos' and coalesce(seen.fresh_readings, 0) = 0))
        as is_stale,
    case
        when is_missing and failure is not null then failure
        when is_missing and fed.kind = 'music' then 'no music feed: sounds are taken from the video feeds'
        when is_missing then 'no feed this day: the market is missing'
        when is_stale then 'every feed repeats data that was known before: nothing new was observed'
        when unreadable_files > 0 then unreadable_files || ' files could not be read'
        when quarantined_items > 0 then quarantined_items || ' items are in quarantine'
        else 'ok'
    end as message
from fed
left join seen on fed.market = seen.market and fed.kind = seen.kind;

---------- trends: what videos share, its uses, its stage, its way between markets

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

create or replace temp table uses as
with known as (
    select
        newest.market,
        newest.video_id,
        coalesce(videos.author_handle, newest.video_id) as creator,
        newest.days_in_market = 1 and not newest.is_stale as is_new,
        coalesce(newest.live_views_per_hour, newest.views_per_hour) as speed,
        case
            when newest.live_views_per_hour is not null then least(24 * newest.live_views_per_hour, newest.plays)
            when newest.age_hours <= 24 and not newest.age_is_lower_bound then newest.plays
        end as gained_views_24h
    from newest
    inner join videos on newest.video_id = videos.video_id
)

select
    known.market,
    shared_keys.trend_key,
    shared_keys.trend_key_type,
    count(*) as uses,
    count(distinct known.creator) as creators,
    count(*) filter (where known.is_new) as new_uses,
    sum(round(known.gained_views_24h)::bigint)::bigint as gained_views_24h,
    min_by(known.video_id, row(-known.speed, known.video_id)) as top_video_id
from known
inner join shared_keys on known.video_id = shared_keys.video_id
group by known.market, shared_keys.trend_key, shared_keys.trend_key_type;

create or replace temp table stages as
with feeds as (
    select as_of_date as feed_date, market, is_missing, is_stale, kind from marts.source_health
    where as_of_date >= date '@day@' - 27 and as_of_date < date '@day@'
    union all
    select as_of_date, market, is_missing, is_stale, kind from source_health
),

observed_days as (
    select
        market,
        feed_date,
        row_number() over (partition by market order by feed_date desc) - 1 as day_number,
        max(feed_date) over (partition by market) as observed_date,
        count(*) over (partition by market) as days
    from feeds
    where kind = 'videos' and not is_missing and not is_stale
),

all_uses as (
    select as_of_date, market, trend_key, trend_key_type, new_uses, creators, top_video_id
    from intermediate.int_trend_uses
    where
        as_of_date >= date '@day@' - 27
        and as_of_date < date '@day@'
        and trend_key in (select corpus.trend_key from corpus where corpus.is_distinctive)
    union all
    select date '@day@', market, trend_key, trend_key_type, new_uses, creators, top_video_id
    from uses
    where trend_key in (select corpus.trend_key from corpus where corpus.is_distinctive)
),

summed as (
    -- The oldest day is left out of the counts: on the first day there is every video is new.
    select
        all_uses.market,
        all_uses.trend_key,
        all_uses.trend_key_type,
        max(observed_days.observed_date) as observed_date,
        max(observed_days.days) as days,
        min(observed_days.feed_date) as first_use_date,
        max(observed_days.feed_date) as last_use_date,
        max_by(all_uses.top_video_id, observed_days.feed_date) as top_video_id,
        max(observed_days.day_number) as first_use_day,
        min(observed_days.feed_date) filter (where all_uses.creators >= 3) as onset_date,
        bool_or(all_uses.creators >= 2 and observed_days.day_number = observed_days.days - 1) as was_running,
        map_from_entries(
            list(row(observed_days.day_number, all_uses.new_uses))
                filter (where observed_days.day_number < observed_days.days - 1)
        ) as uses
    from all_uses
    inner join observed_days
        on all_uses.as_of_date = observed_days.feed_date and all_uses.market = observed_days.market
    group by all_uses.market, all_uses.trend_key, all_uses.trend_key_type
),

averaged as (
    -- Lists of days, the newest first: means of three days, and the peaks that each day knew of.
    select
        *,
        list_transform(
            range(28),
            lambda day: case
                when day < days - 1
                    then
                        (coalesce(uses[day], 0) + coalesce(uses[day + 1], 0) + coalesce(uses[day + 2], 0))
                        / least(3, days - 1 - day)
            end
        ) as means,
        list_transform(range(1, 12), lambda day: list_max(means[day:])) as peaks
    from summed
),

staged_days as (
    select
        averaged.*,
        list_transform(
            range(1, 12),
            lambda day: case
                when first_use_day < day - 1 then null
                when first_use_day <= day then 'new'
                when means[day] is null then null
                when
                    first_use_day > day + 1
                    and (
                        list_max(means[day:day + 2]) = 0
                        or list_max(means[day:day + 2]) < 0.1 * peaks[day]
                    )
                    then 'dead'
                when means[day] < 0.85 * means[day + 1] and means[day + 1] < 0.85 * means[day + 2] then 'declining'
                when means[day] >= 1.25 * means[day + 1] and means[day] < 0.5 * type_peaks.type_peak and means[day] > 0
                    then 'emerging'
                when means[day] >= 1.15 * means[day + 1] and means[day] > 0 then 'rising'
                when means[day] >= 0.85 * means[day + 1] and means[day] >= 0.8 * peaks[day] then 'peaking'
            end
        ) as told
    from averaged
    left join (
        select market, trend_key_type, quantile_cont(peaks[1], 0.75) as type_peak
        from averaged
        where peaks[1] >= 2
        group by market, trend_key_type
    ) as type_peaks
        on averaged.market = type_peaks.market and averaged.trend_key_type = type_peaks.trend_key_type
),

held as (
    -- A day on which no rule holds counts for the stage before it.
    select
        *,
        list_transform(
            told,
            lambda stage, day: case
                when stage in ('emerging', 'rising') and list_has_any(told[day + 1:], ['declining', 'dead'])
                    then 'resurged'
                else stage
            end
        ) as raw,
        list_transform(range(1, 12), lambda day: list_filter(raw[day:], lambda stage: stage is not null)[1]) as held
    from staged_days
),

settled as (
    -- A stage holds from its second day on; declining and dead have had their days, new gives way at once.
    select
        *,
        list_transform(
            [1, 2],
            lambda newest: coalesce(
                list_filter(
                    list_transform(
                        range(newest, 11),
                        lambda day: case
                            when raw[day] in ('declining', 'dead') or held[day + 1] in ('new', held[day]) then held[day]
                        end
                    ),
                    lambda stage: stage is not null
                )[1],
                list_filter(held[newest:], lambda stage: stage is not null)[-1],
                case when means[newest] >= 0.5 * peaks[newest] then 'peaking' else 'declining' end
            )
        ) as lifecycles
    from held
)

select
    market,
    trend_key,
    trend_key_type,
    observed_date < date '@day@' as is_censored,
    first_use_date,
    last_use_date,
    top_video_id,
    onset_date,
    was_running,
    (observed_date - first_use_date)::integer as days_since_first_seen,
    first_use_day = days - 1 as age_is_lower_bound,
    means[1] as uses_3d_mean,
    means[2] as previous_uses_3d_mean,
    peaks[1] as peak_uses_3d_mean,
    raw[1] as lifecycle_raw,
    lifecycles[1] as lifecycle,
    case when first_use_day >= 1 then lifecycles[2] end as previous_lifecycle
from settled;

create or replace temp table trends_daily as
with followed as (
    select as_of_date, trend_key_type, days_since_first_seen, lifecycle, previous_lifecycle, is_censored,
        age_is_lower_bound
    from intermediate.int_trend_stages
    where as_of_date >= date '@day@' - 27 and as_of_date < date '@day@'
    union all
    select date '@day@', trend_key_type, days_since_first_seen, lifecycle, previous_lifecycle, is_censored,
        age_is_lower_bound
    from stages
),

learned as (
    select
        trend_key_type,
        days_since_first_seen - 1 as age_days,
        count(*) as followed,
        count(*) filter (where lifecycle not in ('new', 'emerging', 'rising', 'peaking', 'resurged')) as ended
    from followed
    where
        previous_lifecycle in ('new', 'emerging', 'rising', 'peaking', 'resurged')
        and not is_censored
        and not age_is_lower_bound
    group by trend_key_type, days_since_first_seen
),

rates as (
    -- The first day of a trend cannot be called its end: it says nothing of the days of older ones.
    select trend_key_type, sum(followed) as followed, sum(ended) / sum(followed) as rate
    from learned
    where age_days >= 1
    group by grouping sets ((), (trend_key_type))
),

survival as (
    select
        types.trend_key_type,
        ages.age_days,
        ln(1 - least(greatest(
            shrunk(
                learned.ended / learned.followed,
                shrunk(of_type.rate, shrunk(overall.rate, 0.2, overall.followed, 10), of_type.followed, 10),
                learned.followed,
                10
            ),
            0.02
        ), 0.95)) as day_log_survival,
        sum(day_log_survival) over (partition by types.trend_key_type order by ages.age_days) as log_survival
    from (select distinct stages.trend_key_type from stages) as types
    cross join (select range as age_days from range(56)) as ages
    left join rates as overall on overall.trend_key_type is null
    left join rates as of_type on types.trend_key_type = of_type.trend_key_type
    left join learned on types.trend_key_type = learned.trend_key_type and ages.age_days = learned.age_days
),

windows as (
    -- The day in which the survival from an age on passes the quantile, and how far into that day.
    select
        now.trend_key_type,
        now.age_days,
        later.age_days - now.age_days as days_later,
        later.log_survival - now.log_survival + now.day_log_survival as until_end,
        later.log_survival - later.day_log_survival - now.log_survival + now.day_log_survival as until_start,
        later.day_log_survival
    from survival as now
    inner join survival as later
        on
            now.trend_key_type = later.trend_key_type
            and later.age_days between now.age_days and now.age_days + 27
    where now.age_days < 28
),

left_hours as (
    select
        trend_key_type,
        age_days,
        24 * coalesce(
            min(days_later + (ln(0.75) - until_start) / day_log_survival)
                filter (where until_end <= ln(0.75) and until_start > ln(0.75)),
            28
        ) as p25,
        24 * coalesce(
            min(days_later + (ln(0.5) - until_start) / day_log_survival)
                filter (where until_end <= ln(0.5) and until_start > ln(0.5)),
            28
        ) as p50,
        24 * coalesce(
            min(days_later + (ln(0.25) - until_start) / day_log_survival)
                filter (where until_end <= ln(0.25) and until_start > ln(0.25)),
            28
        ) as p75
    from windows
    group by trend_key_type, age_days
),

alive as (
    select *, lifecycle in ('new', 'emerging', 'rising', 'peaking', 'resurged') as is_alive from stages
)

select
    date '@day@' as as_of_date,
    alive.market,
    alive.trend_key,
    alive.trend_key_type,
    case when fed.market is not null then coalesce(uses.uses, 0) end as uses,
    case when fed.market is not null then coalesce(uses.new_uses, 0) end as new_uses,
    case when fed.market is not null then coalesce(uses.creators, 0) end as creators,
    case when fed.market is not null then coalesce(uses.gained_views_24h, 0) end as gained_views_24h,
    alive.uses_3d_mean,
    alive.previous_uses_3d_mean,
    alive.peak_uses_3d_mean,
    alive.lifecycle,
    alive.lifecycle_raw,
    alive.is_censored,
    alive.first_use_date as first_seen_on,
    alive.days_since_first_seen,
    alive.last_use_date as last_seen_on,
    case when alive.is_alive then greatest(round(left_hours.p50 - 48, 1), 0) else 0 end as window_left_h,
    case when alive.is_alive then greatest(round(left_hours.p25 - 48, 1), 0) else 0 end as window_left_p25_h,
    case when alive.is_alive then greatest(round(left_hours.p75 - 48, 1), 0) else 0 end as window_left_p75_h,
    corpus.videos as videos_28d,
    corpus.creators as creators_28d,
    corpus.own_uses_7d,
    corpus.competitor_uses_7d,
    alive.top_video_id as video_id
from alive
inner join corpus on alive.trend_key = corpus.trend_key
inner join left_hours
    on
        alive.trend_key_type = left_hours.trend_key_type
        and alive.days_since_first_seen = left_hours.age_days
left join (select distinct present.market from present) as fed on alive.market = fed.market
left join uses on alive.market = uses.market and alive.trend_key = uses.trend_key;

create or replace temp table cross_market_trends as
with watched as (
    select market, max(feed_date) as last_feed_date
    from (
        select market, as_of_date as feed_date, kind, is_missing, is_stale from marts.source_health
        where as_of_date >= date '@day@' - 27 and as_of_date < date '@day@'
        union all
        select market, as_of_date, kind, is_missing, is_stale from source_health
    )
    where kind = 'videos' and not is_missing and not is_stale
    group by market
),

spread as (
    -- One creator, or two on some day, are no onset anywhere.
    select
        stages.*,
        uses.creators,
        bool_or(stages.was_running) over (partition by stages.trend_key) as ran_somewhere,
        row_number() over (
            partition by stages.trend_key order by stages.onset_date asc nulls last, stages.market
        ) as place
    from stages
    left join uses on stages.market = uses.market and stages.trend_key = uses.trend_key
    where stages.onset_date is not null or stages.was_running
),

pairs as (
    select
        early.trend_key,
        early.trend_key_type,
        early.market as first_market,
        early.onset_date as first_onset_date,
        early.creators as first_creators,
        watched.market as other_market,
        late.onset_date as other_onset_date,
        late.creators as other_creators,
        late.onset_date - early.onset_date as lag_days,
        greatest(coalesce(late.onset_date, watched.last_feed_date + 1) - early.onset_date - 1, 0) as days_without
    from spread as early
    inner join watched on early.market <> watched.market
    left join spread as late on early.trend_key = late.trend_key and watched.market = late.market
    where early.place = 1 and early.onset_date is not null and not early.ran_somewhere
),

lags as (
    select trend_key_type, count(*) as n, quantile_cont(lag_days, [0.25, 0.5, 0.75]) as q
    from pairs
    where lag_days >= 1
    group by grouping sets ((), (trend_key_type))
),

expected as (
    select
        types.trend_key_type,
        coalesce(of_type.n, 0) as observed_lags,
        list_transform(
            [1, 2, 3],
            lambda i:
            shrunk(of_type.q[i], shrunk(overall.q[i], power(2, i - 1)::integer, overall.n, 10), of_type.n, 10)
        ) as lag
    from (select distinct pairs.trend_key_type from pairs) as types
    left join lags as overall on overall.trend_key_type is null
    left join lags as of_type on types.trend_key_type = of_type.trend_key_type
),

arrivals as (
    -- How many trends had not reached the other market before a day after the first onset, and did on it.
    select
        pairs.trend_key_type,
        days.day_after,
        count(*) as waiting,
        count(*) filter (where pairs.lag_days = days.day_after) as arrived
    from pairs
    inner join (select range as day_after from range(1, 35)) as days
        on days.day_after <= pairs.days_without or days.day_after = pairs.lag_days
    group by grouping sets ((days.day_after), (pairs.trend_key_type, days.day_after))
),

rates as (
    select
        expected.trend_key_type,
        days.day_after,
        shrunk(
            of_type.arrived / of_type.waiting,
            shrunk(overall.arrived / overall.waiting, 0.3 / days.day_after, overall.waiting, 10),
            of_type.waiting,
            10
        ) as arrival_rate
    from expected
    cross join (select range as day_after from range(1, 35)) as days
    left join arrivals as overall on overall.trend_key_type is null and days.day_after = overall.day_after
    left join arrivals as of_type
        on expected.trend_key_type = of_type.trend_key_type and days.day_after = of_type.day_after
),

within_7d as (
    select
        trend_key_type,
        day_after - 1 as days_without,
        round(1 - exp(sum(ln(1 - least(arrival_rate, 0.999))) over (
            partition by trend_key_type order by day_after rows between current row and 6 following
        )), 4) as arrival_probability_7d
    from rates
)

select
    date '@day@' as as_of_date,
    pairs.trend_key,
    pairs.trend_key_type,
    pairs.first_market,
    pairs.other_market,
    pairs.first_onset_date,
    pairs.other_onset_date,
    pairs.lag_days::integer as lag_days,
    pairs.other_onset_date is null as is_censored,
    pairs.days_without::integer as days_without,
    case
        when pairs.lag_days >= 1 or (pairs.lag_days is null and pairs.days_without >= 1) then pairs.first_market
        when pairs.lag_days = 0 then 'simultaneous'
    end as leader,
    coalesce(pairs.first_creators, 0) as first_creators,
    coalesce(pairs.other_creators, 0) as other_creators,
    case when is_censored then pairs.first_onset_date + round(expected.lag[2])::integer end as expected_arrival_date,
    case when is_censored then pairs.first_onset_date + round(expected.lag[1])::integer end
        as expected_arrival_p25_date,
    case when is_censored then pairs.first_onset_date + round(expected.lag[3])::integer end
        as expected_arrival_p75_date,
    expected_arrival_date < date '@day@' as is_overdue,
    case when is_censored then within_7d.arrival_probability_7d end as arrival_probability_7d,
    expected.lag[2] as expected_lag_days,
    expected.observed_lags
from pairs
inner join expected on pairs.trend_key_type = expected.trend_key_type
left join within_7d
    on pairs.trend_key_type = within_7d.trend_key_type and pairs.days_without = within_7d.days_without;
---------- classic and measured numbers of each video

create or replace temp table metrics as
with first_paces as (
    -- What first paces were, over what a power law makes of the lifetime rate before.
    select
        case
            when earlier_age < 3 then 3
            when earlier_age < 6 then 6
            when earlier_age < 12 then 12
            when earlier_age < 24 then 24
            when earlier_age < 48 then 48
            else 0
        end as age_class,
        round(exp(quantile_cont(
            log_of(pace)
            - log_of(
                0.30000000000000004 * 24 * (base_plays - pace * pace_gap_hours / 24) / earlier_age
                * power((age_hours - pace_gap_hours / 2) / earlier_age, -0.7)
            ),
            0.5
        )), 9) as ratio
    from (
        select
            pace, pace_gap_hours, previous_pace, base_plays, age_hours, age_is_lower_bound, is_sampled, is_stale,
            age_hours - pace_gap_hours as earlier_age
        from intermediate.int_forecast_bases
        where as_of_date > date '@day@' - 28 and as_of_date < date '@day@'
        union all
        select
            pace, pace_gap_hours, previous_pace, base_plays, age_hours, age_is_lower_bound, is_sampled, is_stale,
            age_hours - pace_gap_hours as earlier_age
        from bases
    )
    where
        pace is not null
        and previous_pace is null
        and not age_is_lower_bound
        and earlier_age >= 0.1
        and is_sampled
        and not is_stale
    group by age_class
    having count(*) >= 50
),

expected as (
    select
        newest.*,
        case
            when newest.gap_hours < 0.75 then null
            when newest.previous_live_momentum is not null
                then
                    newest.previous_live_momentum
                    * power(
                        greatest(newest.age_hours - newest.gap_hours / 2, 0.1)
                        / greatest(newest.previous_age_hours - newest.previous_gap_hours / 2, 0.1),
                        -case
                            when curve.n_all_markets >= 30 and curve.phi > 0
                                then -ln(curve.phi) / ln((curve.age_bucket + 1) / greatest(curve.age_bucket, 0.5))
                            else 0.7
                        end
                    )
            when not newest.age_is_lower_bound
                then
                    coalesce(first_paces.ratio, 1) * (1 - 0.7) * newest.previous_momentum_score
                    * power(
                        greatest(newest.age_hours - newest.gap_hours / 2, 0.1) / newest.previous_age_hours, -0.7
                    )
        end as expected_live_momentum,
        (newest.momentum_score - newest.previous_day_momentum) / newest.previous_day_gap_days as velocity,
        velocity - newest.previous_velocity as acceleration,
        0.5 * least(greatest(coalesce(acceleration, 0), -50), 50) as bend,
        case when velocity is not null then greatest(newest.momentum_score + velocity * 0.25 + bend * 0.0625, 0) end
            as predicted_momentum_6h,
        case when velocity is not null then greatest(newest.momentum_score + velocity * 0.5 + bend * 0.25, 0) end
            as predicted_momentum_12h,
        case when velocity is not null then greatest(newest.momentum_score + velocity + bend, 0) end
            as predicted_momentum_24h,
        coalesce(velocity, newest.momentum_score - newest.previous_momentum_score) as classic_delta
    from newest
    left join curve
        on newest.lead_market = curve.market and age_bucket(newest.previous_age_hours) = curve.age_bucket
    left join first_paces
        on
            case
                when newest.previous_age_hours < 3 then 3
                when newest.previous_age_hours < 6 then 6
                when newest.previous_age_hours < 12 then 12
                when newest.previous_age_hours < 24 then 24
                when newest.previous_age_hours < 48 then 48
                else 0
            end = first_paces.age_class
)

select
    *,
    case
        when not has_earlier_reading then '🆕 NEW'
        when classic_delta > 100 then '🚀 SPIKING'
        when classic_delta > 0 then '📈 RISING'
        when classic_delta > -100 then '📉 COOLING'
        else '❄️ DYING'
    end as status_classic,
    case
        when not has_earlier_reading or live_momentum is null then status_classic
        when expected_live_momentum is null and live_momentum > 0 then '📈 RISING'
        when expected_live_momentum is null then '📉 COOLING'
        when live_momentum >= 1.5 * expected_live_momentum and live_momentum >= expected_live_momentum + 100
            then '🚀 SPIKING'
        when live_momentum > 0 and live_momentum >= expected_live_momentum then '📈 RISING'
        when live_momentum > 0 and live_momentum >= 0.5 * expected_live_momentum then '📉 COOLING'
        else '❄️ DYING'
    end as status,
    case when age_hours <= 72 and shares_per_hour >= 5 and views_per_hour >= 1000 then 'BUILD NOW' else 'NO' end
        as build_now,
    case
        when velocity >= 200 then '🚀 EXPLOSIVE'
        when velocity >= 100 then '📈 STRONG'
        when velocity >= 50 then '↗️ MODERATE'
        when velocity >= 0 then '➡️ FLAT'
        when velocity >= -50 then '↘️ DECLINING'
        when velocity is not null then '📉 CRASHING'
    end as trajectory,
    case
        when age_hours > 60 then '⚠️ WINDOW CLOSING'
        when velocity is null and momentum_score >= 3000 and age_hours <= 24 then '🔴 ACT NOW'
        when velocity is null and momentum_score >= 2000 and age_hours <= 36 then '🟠 6-12H'
        when velocity is null and momentum_score >= 1000 and age_hours <= 48 then '🟡 12-24H'
        when velocity is null and momentum_score >= 500 then '🟢 MONITOR'
        when velocity is null then '❌ TOO LATE'
        when velocity >= 200 and momentum_score >= 1000 then '🔴 ACT NOW'
        when velocity >= 100 and momentum_score >= 500 then '🟠 6-12H'
        when velocity >= 50 and predicted_momentum_24h >= 2000 then '🟡 12-24H'
        when velocity <= 0 and momentum_score >= 2000 then '⚠️ PEAKED'
        when velocity <= 0 then '❌ TOO LATE'
        else '🟢 MONITOR'
    end as action_window,
    case when reading_days >= 3 then 'HIGH' when reading_days = 2 then 'MEDIUM' else 'LOW' end as confidence,
    -- First match: rule, trigger, urgency.
    case
        when momentum_score >= 3000
            then ['🔴 MAKE_NOW', '🔥 URGENT', 'momentum ' || round(momentum_score, 1) || ' >= 3000']
        when shares_per_hour >= 100
            then ['🔴 MAKE_NOW', '🔥 URGENT', 'shares/h ' || round(shares_per_hour, 1) || ' >= 100']
        when status = '🚀 SPIKING' and momentum_score >= 2000
            then ['🔴 MAKE_NOW', '🔥 URGENT', 'spiking, momentum ' || round(momentum_score, 1) || ' >= 2000']
        when momentum_score >= 2000
            then ['🔴 MAKE_NOW', '⚡ HIGH', 'momentum ' || round(momentum_score, 1) || ' >= 2000']
        when shares_per_hour >= 60
            then ['🔴 MAKE_NOW', '⚡ HIGH', 'shares/h ' || round(shares_per_hour, 1) || ' >= 60']
        when status = '🚀 SPIKING' and momentum_score >= 1500
            then ['🔴 MAKE_NOW', '⚡ HIGH', 'spiking, momentum ' || round(momentum_score, 1) || ' >= 1500']
        when momentum_score >= 1000
            then ['🟡 WATCH', '🟡 WATCH', 'momentum ' || round(momentum_score, 1) || ' >= 1000']
        when shares_per_hour >= 25
            then ['🟡 WATCH', '🟡 WATCH', 'shares/h ' || round(shares_per_hour, 1) || ' >= 25']
        when status = '📈 RISING' and momentum_score >= 800
            then ['🟡 WATCH', '🟡 WATCH', 'rising, momentum ' || round(momentum_score, 1) || ' >= 800']
        when build_now = 'BUILD NOW'
            then [
                '🟡 WATCH',
                '🟡 WATCH',
                'BUILD NOW: shares/h ' || round(shares_per_hour, 1) || ', views/h ' || round(views_per_hour, 0)
            ]
        else ['NONE', 'NONE', 'no rule matched']
    end as rule,
    case
        when action_window in ('⚠️ PEAKED', '❌ TOO LATE', '⚠️ WINDOW CLOSING') then 0
        when trajectory in ('↘️ DECLINING', '📉 CRASHING') or age_hours >= 72 then 0
        when age_hours >= 60
            then
                case
                    when
                        action_window in ('🔴 ACT NOW', '🟠 6-12H')
                        and trajectory in ('🚀 EXPLOSIVE', '📈 STRONG')
                        and momentum_score >= 5000
                        then 1
                    else 0
                end
        when action_window = '🔴 ACT NOW' and trajectory = '🚀 EXPLOSIVE' and age_hours <= 24 then 7
        when action_window = '🔴 ACT NOW' and trajectory in ('🚀 EXPLOSIVE', '📈 STRONG') then 5
        when action_window = '🔴 ACT NOW' and trajectory = '↗️ MODERATE' then 3
        when action_window = '🟠 6-12H' and trajectory = '🚀 EXPLOSIVE' then 5
        when action_window = '🟠 6-12H' and trajectory in ('📈 STRONG', '↗️ MODERATE') then 3
        when action_window = '🟡 12-24H' and trajectory = '📈 STRONG' then 3
        when action_window = '🟡 12-24H' and trajectory = '↗️ MODERATE' then 2
        when action_window = '🟡 12-24H' and trajectory = '➡️ FLAT' then 1
        else 0
    end as recommended_variants,
    case
        when trajectory in ('↘️ DECLINING', '📉 CRASHING') then 'DECLINING_TRAJECTORY'
        when action_window in ('⚠️ PEAKED', '❌ TOO LATE') then 'WINDOW_OVER'
        when age_hours >= 72 then 'AGE_OVER_72H'
        when velocity <= 0 and previous_velocity <= 0 then 'VELOCITY_NONPOS_2_RUNS'
    end as stop_reason,
    0.4 * momentum_score
    + 2 * greatest(coalesce(velocity, 0), 0)
    + 0.3 * coalesce(predicted_momentum_24h, momentum_score)
    + 1000 * least(greatest(72 - age_hours, 0), 72) / 72 as opportunity_score
from expected;

---------- scores within the market, against videos as old

create or replace temp table score_features as
with intervals as (
    select market, video_id, count(*) as usable_intervals
    from readings
    where live_views_per_hour is not null and observed_at > getvariable('cutoff') - interval 28 day
    group by market, video_id
)

select
    newest.market,
    newest.video_id,
    age_bucket(newest.age_hours) as age_bucket,
    coalesce(intervals.usable_intervals, 0) as usable_intervals,
    bases.pace is null as is_lifetime_pace,
    -- Views a day that noise of the counts alone may show.
    0.02 * bases.base_plays * 24 / bases.pace_gap_hours as noise_pace,
    case
        when bases.pace is not null then ln((greatest(bases.pace, 0) + noise_pace) / 24 + 1)
        when newest.age_is_lower_bound then ln(newest.plays / greatest(newest.age_hours, 24) + 1)
        when newest.plays is not null then log_of(newest.views_per_hour)
    end as log_pace,
    case
        when bases.previous_pace is not null
            then
                ln(
                    ((greatest(bases.pace, 0) + noise_pace) / 24 + 1)
                    / ((greatest(bases.previous_pace, 0) + noise_pace) / 24 + 1)
                )
    end as push,
    newest.plays,
    newest.shares,
    newest.likes,
    ln((newest.shares + 0.5) / (newest.plays + 1)) as log_share_rate,
    ln((newest.likes + 0.5) / (newest.plays + 1)) as log_like_rate,
    in_sample(newest.video_id, 2000, count(*) over (partition by newest.market)) as is_sampled
from newest
left join bases on newest.market = bases.market and newest.video_id = bases.video_id
left join intervals on newest.reading_market = intervals.market and newest.video_id = intervals.video_id;

create or replace temp table scores as
with sampled as (
    select market, age_bucket, is_lifetime_pace, log_pace, push, log_share_rate, log_like_rate
    from intermediate.int_score_features
    where as_of_date > date '@day@' - 28 and as_of_date < date '@day@' and is_sampled
    union all
    select market, age_bucket, is_lifetime_pace, log_pace, push, log_share_rate, log_like_rate
    from score_features
    where is_sampled
),

quartiles as (
    select
        market,
        is_lifetime_pace,
        age_bucket,
        count(*) as n,
        count(log_pace) as n_pace,
        quantile_cont(log_pace, [0.25, 0.5, 0.75]) as pace,
        count(push) as n_push,
        quantile_cont(push, [0.25, 0.5, 0.75]) as push,
        count(log_share_rate) as n_share,
        quantile_cont(log_share_rate, [0.25, 0.5, 0.75]) as share,
        count(log_like_rate) as n_like,
        quantile_cont(log_like_rate, [0.25, 0.5, 0.75]) as likes
    from sampled
    group by grouping sets ((market, is_lifetime_pace), (market, is_lifetime_pace, age_bucket))
),

cohorts as (
    -- Few of an age: drawn to all ages of the market. The quartiles' distance over 1.349 is a robust deviation.
    select
        own.market,
        own.is_lifetime_pace,
        own.age_bucket,
        own.n,
        shrunk(own.pace[2], whole.pace[2], own.n_pace, 30) as mid_pace,
        shrunk(own.push[2], whole.push[2], own.n_push, 30) as mid_push,
        shrunk(own.share[2], whole.share[2], own.n_share, 30) as mid_share,
        shrunk(own.likes[2], whole.likes[2], own.n_like, 30) as mid_like,
        greatest((
            shrunk(own.pace[3], whole.pace[3], own.n_pace, 30) - shrunk(own.pace[1], whole.pace[1], own.n_pace, 30)
        ) / 1.349, 0.5) as spread_pace,
        greatest((
            shrunk(own.push[3], whole.push[3], own.n_push, 30) - shrunk(own.push[1], whole.push[1], own.n_push, 30)
        ) / 1.349, 0.7) as spread_push,
        greatest((
            shrunk(own.share[3], whole.share[3], own.n_share, 30)
            - shrunk(own.share[1], whole.share[1], own.n_share, 30)
        ) / 1.349, 0.25) as spread_share,
        greatest((
            shrunk(own.likes[3], whole.likes[3], own.n_like, 30) - shrunk(own.likes[1], whole.likes[1], own.n_like, 30)
        ) / 1.349, 0.25) as spread_like
    from quartiles as own
    inner join quartiles as whole on own.market = whole.market and own.is_lifetime_pace = whole.is_lifetime_pace
    where own.age_bucket is not null and whole.age_bucket is null
),

compared as (
    select
        score_features.market,
        score_features.video_id,
        score_features.age_bucket,
        score_features.usable_intervals,
        coalesce(cohorts.n, 0) as cohort_videos,
        (score_features.log_pace - cohorts.mid_pace) / cohorts.spread_pace as raw_pace_z,
        (score_features.push - cohorts.mid_push) / cohorts.spread_push as raw_push_z,
        (
            ln((score_features.shares + 0.5 + exp(cohorts.mid_share) * 1000) / (score_features.plays + 1 + 1000))
            - cohorts.mid_share
        ) / cohorts.spread_share as share_z,
        (
            ln((score_features.likes + 0.5 + exp(cohorts.mid_like) * 1000) / (score_features.plays + 1 + 1000))
            - cohorts.mid_like
        ) / cohorts.spread_like as like_z,
        (coalesce(share_z, like_z) + coalesce(like_z, share_z)) / 2 as raw_quality_z,
        ln(greatest(coalesce(trends_daily.creators, 1), 1)) / ln(2) as raw_breadth_z,
        -- One wild number must not decide a rank: every part counts three deviations at most.
        case when raw_pace_z < -3 then -3 when raw_pace_z > 3 then 3 else raw_pace_z end as pace_z,
        case when raw_push_z < -3 then -3 when raw_push_z > 3 then 3 else raw_push_z end as push_z,
        case when raw_quality_z < -3 then -3 when raw_quality_z > 3 then 3 else raw_quality_z end as quality_z,
        case when raw_breadth_z > 3 then 3 else raw_breadth_z end as breadth_z,
        (
            0.45 * coalesce(pace_z, 0) + 0.15 * coalesce(push_z, 0)
            + 0.25 * coalesce(quality_z, 0) + 0.15 * coalesce(breadth_z, 0)
        ) / nullif(
            case when pace_z is null then 0 else 0.45 end + case when push_z is null then 0 else 0.15 end
            + case when quality_z is null then 0 else 0.25 end + case when breadth_z is null then 0 else 0.15 end,
            0
        ) as blend,
        greatest(score_features.usable_intervals, 0.5) / (greatest(score_features.usable_intervals, 0.5) + 2) as trust,
        round(coalesce(blend * trust, 0), 9) as shrunk_blend
    from score_features
    left join cohorts
        on
            score_features.market = cohorts.market
            and score_features.age_bucket = cohorts.age_bucket
            and score_features.is_lifetime_pace = cohorts.is_lifetime_pace
    left join trend_keys on score_features.video_id = trend_keys.video_id
    left join trends_daily
        on trend_keys.trend_key = trends_daily.trend_key and score_features.market = trends_daily.market
)

select
    market,
    video_id,
    -- The middle of the places that equal videos share; a single video stands at 50.
    round(
        100 * (
            rank() over (partition by market order by shrunk_blend) - 1
            + count(*) over (partition by market, shrunk_blend) / 2.0
        ) / count(*) over (partition by market),
        2
    ) as score,
    'pace ' || coalesce(round(pace_z, 2)::varchar, 'not known') || ' x 0.45'
    || ', push ' || coalesce(round(push_z, 2)::varchar, 'not known') || ' x 0.15'
    || ', quality ' || coalesce(round(quality_z, 2)::varchar, 'not known') || ' x 0.25'
    || ', breadth ' || coalesce(round(breadth_z, 2)::varchar, 'not known') || ' x 0.15'
    || '; counts ' || round(trust, 2) || ' (' || usable_intervals || ' intervals); against '
    || cohort_videos || ' videos of ' || age_bucket || ' days' as score_reason
from compared;

---------- decisions, measured and classic

create or replace temp table decided_by_market as
with made as (
    select as_of_date as forecast_date, market, count(*) as made
    from marts.forecasts
    where
        as_of_date between date '@day@' - 14 and date '@day@' - 3
        and horizon_hours = 48
        and not is_stale
    group by as_of_date, market
),

observed as (
    select forecast_date, market, count(*) as observed
    from (
        select forecast_date, market from intermediate.int_forecast_outcomes
        where as_of_date >= date '@day@' - 14 and as_of_date < date '@day@' and horizon_hours = 48
        union all
        select forecast_date, market from outcomes
        where horizon_hours = 48
    )
    group by forecast_date, market
),

kept as (
    -- The share of videos that a market's feeds still show when the horizon is over: a build is judged among those.
    select made.market, sum(observed.observed) as observed, sum(made.made) as made
    from made
    inner join observed on made.forecast_date = observed.forecast_date and made.market = observed.market
    group by made.market
),

horizons as (
    select
        market,
        video_id,
        max(made_at) as made_at,
        max(p50) filter (where horizon_hours = 24) as gain_24h,
        max(gain_last_gain) filter (where horizon_hours = 24) as last_gain_24h,
        max(p50) filter (where horizon_hours = 48) as gain,
        max(p10) filter (where horizon_hours = 48) as low_gain,
        max(ln((p90 + 1) / (p50 + 1)) / 1.2816) filter (where horizon_hours = 48) as log_spread,
        max(p50) filter (where horizon_hours = 168) as gain_168h
    from forecasts
    group by market, video_id
),

expected as (
    select
        metrics.market,
        metrics.video_id,
        metrics.age_hours,
        metrics.is_stale,
        metrics.action_window as classic_action_window,
        metrics.trajectory as classic_trajectory,
        metrics.recommended_variants as classic_recommended_variants,
        metrics.stop_reason as classic_stop_reason,
        metrics.velocity,
        metrics.momentum_score,
        metrics.live_views_per_hour,
        metrics.previous_live_views_per_hour,
        trends_daily.lifecycle as trend_lifecycle,
        coalesce(trends_daily.lifecycle in ('declining', 'dead'), false) as trend_is_ending,
        trends_daily.window_left_h as trend_window_left_h,
        coalesce(trends_daily.creators, 1) as trend_creators,
        -- What is gained while the template is being made is out of reach.
        case
            when horizons.gain is not null
                then greatest(horizons.gain - coalesce(horizons.gain_24h, 0) * least(3 / 24.0, 1), 0)
        end as gain_p50,
        case
            when horizons.low_gain is not null
                then greatest(horizons.low_gain - coalesce(horizons.gain_24h, 0) * least(3 / 24.0, 1), 0)
        end as gain_p10,
        -- Mean over median of a log-normal.
        gain_p50 * exp(power(least(horizons.log_spread, 0.8), 2) / 2) as gain_expected,
        horizons.gain_24h / nullif(horizons.last_gain_24h, 0) as gain_ratio,
        -- The window is open until half of the week's gain is in, read off the forecast in straight lines.
        case
            when horizons.gain_168h <= 0 then 0
            when horizons.gain_24h >= 0.5 * horizons.gain_168h
                then 24 * 0.5 * horizons.gain_168h / horizons.gain_24h
            else
                24 + 144 * (0.5 * horizons.gain_168h - horizons.gain_24h) / (horizons.gain_168h - horizons.gain_24h)
        end as forecast_window_hours,
        case
            when metrics.is_stale
                then
                    greatest(
                        forecast_window_hours - hours_between(horizons.made_at, getvariable('cutoff')), 0
                    )
            else forecast_window_hours
        end as window_left_hours,
        case
            when gain_ratio >= 1.5 then '🚀 EXPLOSIVE'
            when gain_ratio >= 1.1 then '📈 STRONG'
            when gain_ratio >= 0.9 then '↗️ MODERATE'
            when gain_ratio >= 0.7 then '➡️ FLAT'
            when gain_ratio >= 0.4 then '↘️ DECLINING'
            when gain_ratio is not null then '📉 CRASHING'
        end as trajectory
    from metrics
    left join horizons on metrics.market = horizons.market and metrics.video_id = horizons.video_id
    left join trend_keys on metrics.video_id = trend_keys.video_id
    left join trends_daily
        on trend_keys.trend_key = trends_daily.trend_key and metrics.market = trends_daily.market
),

placed as (
    select
        *,
        row_number() over (partition by market order by gain_expected desc nulls last, video_id) as gain_place,
        count(gain_p50) over (partition by market) as ranked_videos
    from expected
),

bars as (
    -- Most of a feed is gone two days later: a fifth of what stays is less than a fifth of today's videos.
    select
        placed.*,
        shrunk(kept.observed * 1.0 / kept.made, 0.35, kept.made, 100) as kept_share,
        ceil(round(0.085 * kept_share * placed.ranked_videos, 6)) as act_now_places,
        ceil(round(0.17 * kept_share * placed.ranked_videos, 6)) as build_places,
        ceil(round(0.35 * placed.ranked_videos, 6)) as later_places
    from placed
    left join kept on placed.market = kept.market
),

windowed as (
    select
        *,
        max(case when gain_place = build_places then gain_expected end) over (partition by market) as build_bar,
        case
            when gain_p50 is null then '🟢 MONITOR'
            when window_left_hours < 3 or gain_p50 < 1000 then '❌ TOO LATE'
            when gain_place <= build_places and gain_p10 >= 1000
                then
                    case
                        when window_left_hours < 6 or (gain_place <= act_now_places and not trend_is_ending)
                            then '🔴 ACT NOW'
                        else '🟠 6-12H'
                    end
            when trend_lifecycle = 'dead' then '❌ TOO LATE'
            when window_left_hours < 6 then '⚠️ WINDOW CLOSING'
            when gain_ratio < 0.4 and momentum_score >= 2000 then '⚠️ PEAKED'
            when gain_place <= later_places then '🟡 12-24H'
            else '🟢 MONITOR'
        end as action_window,
        coalesce(action_window in ('🔴 ACT NOW', '🟠 6-12H'), false) as is_build
    from bars
),

sized as (
    select
        *,
        case
            when action_window = '🔴 ACT NOW' and trajectory = '🚀 EXPLOSIVE' then 7
            when action_window = '🔴 ACT NOW' and trajectory in ('📈 STRONG', '↗️ MODERATE') then 5
            when action_window = '🔴 ACT NOW' then 3
            when action_window = '🟠 6-12H' and trajectory = '🚀 EXPLOSIVE' then 5
            when action_window = '🟠 6-12H' and trajectory in ('📈 STRONG', '↗️ MODERATE') then 3
            when action_window = '🟠 6-12H' then 2
            when action_window = '🟡 12-24H' and trajectory in ('🚀 EXPLOSIVE', '📈 STRONG') then 3
            when action_window = '🟡 12-24H' and trajectory = '↗️ MODERATE' then 2
            when action_window = '🟡 12-24H' and trajectory = '➡️ FLAT' then 1
            else 0
        end as variants_by_gain,
        least(
            variants_by_gain,
            floor(window_left_hours / 3),
            case when trend_is_ending then 1 else 7 end
        ) as variants
    from windowed
)

select
    *,
    -- Packs of 7, 5, 3, 2 or 1; without a window none.
    coalesce(list_max(list_filter([0, 1, 2, 3, 5, 7], lambda pack: pack <= variants)), 0) as recommended_variants,
    case
        when gain_p50 is null or is_build then null
        when action_window in ('⚠️ PEAKED', '❌ TOO LATE') then 'WINDOW_OVER'
        when action_window = '🟡 12-24H' then null
        when trajectory in ('↘️ DECLINING', '📉 CRASHING') then 'DECLINING_TRAJECTORY'
        when age_hours >= 72 then 'AGE_OVER_72H'
        when live_views_per_hour <= previous_live_views_per_hour and gain_ratio <= 1 then 'VELOCITY_NONPOS_2_RUNS'
    end as stop_reason,
    case
        when gain_p50 is null then 'no forecast: the feed gives no plays'
        else
            'gain to come in 48 h: ' || round(gain_p50)::bigint
            || ' views in the middle case, at least ' || round(gain_p10)::bigint
            || ' in 9 of 10, place ' || gain_place || ' of ' || ranked_videos || ' in ' || market
            || '; window left ' || round(window_left_hours, 1) || ' h against 3 h of production; trend '
            || coalesce(trend_lifecycle || ' (' || round(trend_window_left_h, 1) || ' h left)', 'not staged')
            || ', ' || trend_creators || case when trend_creators = 1 then ' creator today' else ' creators today' end
    end as decision_reasons,
    case
        when gain_p50 is null then 'a reading with plays'
        when window_left_hours < 3
            then 'a new rise: the window of ' || round(window_left_hours, 1) || ' h must exceed 3 h'
        when gain_p50 < 1000 then 'a middle gain of 1000 views to come, it is ' || round(gain_p50)::bigint
        when is_build
            then
                'falling below ' || round(coalesce(build_bar, 0))::bigint || ' views to come on average (place '
                || build_places::bigint || '), or a window under 3 h'
        when trend_lifecycle = 'dead' and action_window = '❌ TOO LATE' then 'new uses of the trend: it is dead'
        when gain_place <= build_places
            then 'a surer forecast: 1000 views in 9 of 10 cases, now ' || round(gain_p10)::bigint
        else
            'a gain of ' || round(coalesce(build_bar, 0))::bigint || ' views to come on average (place '
            || build_places::bigint || '), it is ' || round(gain_expected)::bigint
    end as would_change_if,
    coalesce(classic_action_window in ('🔴 ACT NOW', '🟠 6-12H'), false) as classic_is_build,
    'velocity ' || coalesce(round(velocity, 1)::varchar, 'not known') || ' momentum points a day; momentum '
    || coalesce(round(momentum_score, 1)::varchar, 'not known') || '; age ' || round(age_hours, 1) || ' h'
        as classic_reasons,
    case
        when age_hours > 60 then 'nothing: the video is older than 60 h'
        when velocity is null then 'a reading on a second day'
        when classic_is_build then 'a velocity under 100 (now ' || round(velocity, 1) || '), or an age over 60 h'
        else
            'a velocity of 100 and a momentum of 500 (now ' || round(velocity, 1) || ' and '
            || round(momentum_score, 1) || ')'
    end as classic_would_change_if
from sized;

-- One decision of a video: that of the market in which it stands highest.
create or replace temp table decided as
select metrics.market, best.* exclude (market)
from metrics
inner join (
    select * from decided_by_market
    qualify
        row_number() over (
            partition by video_id order by gain_place / ranked_videos, trend_is_ending, market
        ) = 1
) as best on metrics.video_id = best.video_id;

create or replace temp table decisions as
select
    date '@day@' as as_of_date,
    market,
    video_id,
    'classic' as decision_mode,
    48 as horizon_hours,
    getvariable('cutoff') as decided_at,
    classic_action_window as action_window,
    classic_trajectory as trajectory,
    classic_recommended_variants as recommended_variants,
    classic_stop_reason is not null as stop_building,
    classic_stop_reason as stop_reason,
    classic_is_build as is_build,
    gain_p50,
    gain_p10,
    gain_expected,
    window_left_hours,
    classic_reasons as decision_reasons,
    classic_would_change_if as would_change_if
from decided
union all
select
    date '@day@',
    market,
    video_id,
    'measured',
    48,
    getvariable('cutoff'),
    action_window,
    trajectory,
    recommended_variants,
    stop_reason is not null,
    stop_reason,
    is_build,
    gain_p50,
    gain_p10,
    gain_expected,
    window_left_hours,
    decision_reasons,
    would_change_if
from decided;

create or replace temp table decision_scores as
with known as (
    -- All that came in so far of the dates of which something came in today.
    select forecast_date as decision_date, market, video_id, actual_gain
    from (
        select forecast_date, market, video_id, actual_gain from intermediate.int_forecast_outcomes
        where as_of_date >= date '@day@' - 4 and as_of_date < date '@day@' and horizon_hours = 48
        union all
        select forecast_date, market, video_id, actual_gain from outcomes
        where horizon_hours = 48
    )
    where forecast_date in (select outcomes.forecast_date from outcomes where outcomes.horizon_hours = 48)
),

ranked as (
    select
        *,
        count(*) over (partition by decision_date, market) as videos,
        actual_gain > 0
        and rank() over (partition by decision_date, market order by actual_gain desc) <= ceil(0.2 * videos) as is_right
    from known
),

judged as (
    select
        ranked.decision_date,
        ranked.market,
        made.decision_mode,
        made.is_build,
        ranked.is_right,
        row_number() over (
            partition by ranked.decision_date, ranked.market, made.decision_mode
            order by made.gain_expected desc nulls last, ranked.video_id
        ) as gain_place,
        count(*) filter (where made.decision_mode = 'classic' and made.is_build) over (
            partition by ranked.decision_date, ranked.market
        ) as classic_builds,
        bool_or(made.decision_mode = 'classic') over (partition by ranked.decision_date, ranked.market) as has_classic
    from ranked
    inner join marts.decisions as made
        on
            ranked.decision_date = made.as_of_date
            and ranked.market = made.market
            and ranked.video_id = made.video_id
    where ranked.videos >= 10 and made.as_of_date >= date '@day@' - 4 and made.as_of_date < date '@day@'
),

modes as (
    select decision_date, market, decision_mode, is_build, is_right from judged
    union all
    -- The measured order cut at as many builds as the classic mode took: which of the two picks better.
    select decision_date, market, 'measured_at_classic_count', gain_place <= classic_builds, is_right
    from judged
    where decision_mode = 'measured' and has_classic
),

counted as (
    select
        decision_date,
        coalesce(market, 'ALL') as market,
        decision_mode,
        count(*) as n,
        count(*) filter (where is_build) as builds,
        count(*) filter (where is_build and is_right) as correct_builds,
        count(*) filter (where is_build and not is_right) as false_positives,
        count(*) filter (where not is_build and is_right) as missed,
        count(*) filter (where not is_build and not is_right) as correct_skips
    from modes
    group by grouping sets ((decision_date, decision_mode, market), (decision_date, decision_mode))
)

select
    date '@day@' as as_of_date,
    decision_date,
    market,
    decision_mode,
    48 as horizon_hours,
    n,
    builds,
    correct_builds,
    false_positives,
    missed,
    correct_skips,
    round(correct_builds::double / nullif(builds, 0), 9) as precision,
    round(correct_builds::double / nullif(correct_builds + missed, 0), 9) as recall,
    round(2.0 * correct_builds / nullif(2 * correct_builds + false_positives + missed, 0), 9) as f1,
    round((correct_builds + missed)::double / n, 9) as base_rate,
    round(
        (correct_builds::double / nullif(builds, 0)) / nullif((correct_builds + missed)::double / n, 0), 9
    ) as lift
from counted;

---------- the day's videos

create or replace temp table videos_daily as
with calendar as (
    select
        markets.market,
        events.key as event_key,
        events.emoji || ' ' || events.name as seasonal_event,
        dates.event_date,
        ((getvariable('cutoff') at time zone 'UTC') at time zone markets.timezone)::date as local_date,
        dates.event_date + (events.duration_days - events.days_before - 1) as event_end_date,
        case
            when local_date > event_end_date then local_date - event_end_date
            when local_date >= dates.event_date then 0
            else dates.event_date - local_date
        end as days_away
    from facts.raw.seasonal_dates as dates
    inner join seeds.seasonal_events as events on dates.event_key = events.key and dates.rule = events.rule
    inner join seeds.markets as markets on events.market in ('both', markets.market)
    where
        events.enabled
        and dates.calendar_id = (select max(newer.calendar_id) from facts.raw.seasonal_dates as newer)
        and local_date >= dates.event_date - greatest(events.lead_days, case when events.major then 42 else 0 end)
        and local_date <= event_end_date + 2
),

seasonal as (
    select
        present.market,
        present.video_id,
        min_by(
            calendar.seasonal_event, row(calendar.days_away, calendar.event_date, calendar.event_key)
        ) as seasonal_event
    from present
    inner join intermediate.int_video_seasonal_keywords as keywords on present.video_id = keywords.video_id
    inner join calendar
        on present.market = calendar.market and keywords.event_keys like '%|' || calendar.event_key || '|%'
    group by present.market, present.video_id
)

select
    date '@day@' as as_of_date,
    metrics.market,
    metrics.video_id,
    shown.video_url,
    shown.caption,
    shown.author_handle,
    shown.author_name,
    coalesce(accounts.role, 'other') as author_role,
    metrics.posted_at,
    metrics.age_is_lower_bound,
    metrics.observed_at,
    metrics.last_seen_at,
    metrics.is_stale,
    metrics.age_hours,
    metrics.plays,
    metrics.likes,
    metrics.shares,
    metrics.comments,
    metrics.saves,
    metrics.counts_rounded,
    metrics.counter_regressed,
    metrics.views_per_hour,
    metrics.likes_per_hour,
    metrics.shares_per_hour,
    metrics.momentum_score,
    metrics.live_views_per_hour,
    metrics.live_likes_per_hour,
    metrics.live_shares_per_hour,
    metrics.live_momentum,
    metrics.expected_live_momentum,
    metrics.status,
    metrics.status_classic,
    metrics.status as status_measured,
    metrics.build_now,
    metrics.rule[1] as tutorial_trigger,
    metrics.rule[2] as urgency,
    metrics.rule[3] as trigger_reason,
    case when metrics.market_count > 1 then '🌐 BOTH' else markets.label end as market_label,
    metrics.market_count > 1 as is_cross_market,
    metrics.age_hours <= 72 as is_fresh,
    metrics.velocity,
    metrics.acceleration,
    metrics.predicted_momentum_6h,
    metrics.predicted_momentum_12h,
    metrics.predicted_momentum_24h,
    metrics.trajectory as classic_trajectory,
    metrics.action_window as classic_action_window,
    metrics.recommended_variants as classic_recommended_variants,
    metrics.stop_reason as classic_stop_reason,
    'measured' as decision_mode,
    decided.trajectory,
    decided.action_window,
    decided.recommended_variants,
    decided.stop_reason is not null as stop_building,
    decided.stop_reason,
    decided.decision_reasons,
    decided.would_change_if,
    metrics.opportunity_score,
    metrics.confidence,
    categories.ai_category,
    categories.ai_probability,
    categories.ai_evidence,
    seasonal.seasonal_event,
    trend_keys.trend_key,
    trend_keys.trend_key_type,
    trend_keys.trend_key_reason,
    scores.score,
    scores.score_reason,
    next_day.p10 as gain_24h_p10,
    next_day.p50 as gain_24h_p50,
    next_day.p90 as gain_24h_p90,
    metrics.reading_count,
    shown.music_id,
    shown.music_name,
    metrics.feed_rank,
    shown.load_id,
    shown.item_index
from metrics
inner join present on metrics.market = present.market and metrics.video_id = present.video_id
inner join staged as shown on present.load_id = shown.load_id and present.video_id = shown.video_id
inner join seeds.markets as markets on metrics.market = markets.market
inner join intermediate.int_video_ai as categories on metrics.video_id = categories.video_id
inner join trend_keys on metrics.video_id = trend_keys.video_id
inner join decided on metrics.market = decided.market and metrics.video_id = decided.video_id
inner join scores on metrics.market = scores.market and metrics.video_id = scores.video_id
left join seasonal on metrics.market = seasonal.market and metrics.video_id = seasonal.video_id
left join (select market, video_id, p10, p50, p90 from forecasts where horizon_hours = 24) as next_day
    on metrics.market = next_day.market and metrics.video_id = next_day.video_id
left join seeds.accounts as accounts on shown.author_handle = lower(accounts.handle);
---------- sounds, creators, opportunities, own posts

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

create or replace temp table opportunities as
with own_posts as (
    select videos.*
    from (
        select as_of_date, market, video_id, author_handle, trend_key, trend_key_type, momentum_score, video_url
        from marts.videos_daily
        where as_of_date >= date '@day@' - 27 and as_of_date < date '@day@' and author_role = 'own'
        union all
        select as_of_date, market, video_id, author_handle, trend_key, trend_key_type, momentum_score, video_url
        from videos_daily
        where author_role = 'own'
    ) as videos
    inner join seeds.accounts as accounts on videos.author_handle = lower(accounts.handle)
    qualify
        row_number() over (
            partition by videos.video_id
            order by videos.as_of_date desc, videos.market = accounts.market desc, videos.market
        ) = 1
),

built as (
    select * from own_posts
    where trend_key_type <> 'video'
    qualify row_number() over (partition by trend_key order by momentum_score desc nulls last, video_id) = 1
)

select
    videos.as_of_date,
    videos.market,
    videos.video_id,
    markets.display_order::integer as market_order,
    videos.age_hours <= 48 and videos.momentum_score >= 500 and videos.action_window in ('🔴 ACT NOW', '🟠 6-12H')
        as is_strict,
    case when videos.action_window = '🔴 ACT NOW' then '🔴 BUILD_IMMEDIATELY' else '🟠 BUILD_TODAY' end
        as build_priority,
    case
        when hour((getvariable('cutoff') at time zone 'UTC') at time zone markets.timezone) between 8 and 21
            then '🟢 PRIME'
        else 'OFF_PEAK'
    end as time_zone_label,
    greatest(72 - videos.age_hours, 0) as time_remaining_hours,
    videos.caption as trend,
    videos.author_handle as creator,
    videos.momentum_score,
    videos.opportunity_score,
    videos.age_hours,
    videos.market_label,
    videos.seasonal_event,
    built.trend_key is not null as is_previously_built,
    built.video_url as previously_built_url,
    videos.video_url as url,
    videos.action_window,
    videos.trajectory,
    videos.recommended_variants,
    videos.stop_building,
    videos.stop_reason,
    videos.gain_24h_p10,
    videos.gain_24h_p50,
    videos.gain_24h_p90,
    decided.window_left_hours,
    videos.trend_key,
    videos.ai_category
from videos_daily as videos
inner join seeds.markets as markets on videos.market = markets.market
inner join decided on videos.market = decided.market and videos.video_id = decided.video_id
left join built on videos.trend_key = built.trend_key
where
    videos.author_role = 'other'
    and videos.age_hours <= 60
    and videos.momentum_score >= 300
    and videos.action_window in ('🔴 ACT NOW', '🟠 6-12H', '🟡 12-24H', '🟢 MONITOR');

create or replace temp table my_performance as
with revenue_read as (
    select reads.rows_read_id
    from facts.raw.revenue_reads as reads
    left join facts.meta.revenue_cutoffs as renewed on renewed.as_of_date = date '@day@'
    order by
        reads.source <> 'seed' desc,
        reads.attempted_at <= greatest(
            getvariable('cutoff') + interval 10 minute, coalesce(renewed.cutoff_at, getvariable('cutoff'))
        ) desc,
        case
            when
                reads.attempted_at <= greatest(
                    getvariable('cutoff') + interval 10 minute, coalesce(renewed.cutoff_at, getvariable('cutoff'))
                )
                then reads.attempted_at
        end desc,
        reads.attempted_at,
        reads.read_id
    limit 1
),

entered as (
    select
        video_id,
        sum(received)::double as revenue,
        min_by(tutorial_link, sheet_row) filter (where tutorial_link is not null) as tutorial_link,
        min_by(template_link, sheet_row) filter (where template_link is not null) as template_link,
        min_by(notes, sheet_row) filter (where notes is not null) as notes
    from facts.raw.revenue_rows
    where read_id in (select revenue_read.rows_read_id from revenue_read) and video_id is not null
    group by video_id
),

rivals as (
    select trend_key, count(distinct author_handle) as competitors
    from (
        select trend_key, author_handle from marts.videos_daily
        where as_of_date >= date '@day@' - 6 and as_of_date < date '@day@' and author_role = 'competitor'
        union all
        select trend_key, author_handle from videos_daily
        where author_role = 'competitor'
    )
    group by trend_key
)

select
    videos.as_of_date,
    videos.market,
    videos.video_id,
    videos.author_handle as account,
    videos.caption as trend,
    videos.age_hours,
    videos.momentum_score,
    videos.status,
    videos.market_label,
    videos.views_per_hour,
    videos.shares_per_hour,
    videos.build_now,
    videos.video_url as url,
    if(videos.status in ('📉 COOLING', '❄️ DYING'), 'NONE', videos.tutorial_trigger) as tutorial_trigger,
    if(videos.status in ('📉 COOLING', '❄️ DYING'), 'NONE', videos.urgency) as urgency,
    if(videos.status in ('📉 COOLING', '❄️ DYING'), 'loses its pace (' || videos.status || '), although: ', '')
    || videos.trigger_reason as trigger_reason,
    coalesce(rivals.competitors, 0) as competitor_count_7d,
    entered.tutorial_link,
    entered.template_link,
    entered.revenue,
    entered.notes,
    videos.ai_category,
    videos.opportunity_score,
    videos.trend_key,
    videos.seasonal_event,
    case
        when hour((getvariable('cutoff') at time zone 'UTC') at time zone markets.timezone) between 8 and 21
            then '🟢 PRIME'
        else 'OFF_PEAK'
    end as time_zone_label,
    case
        when videos.action_window = '🔴 ACT NOW' then '🔴 BUILD_IMMEDIATELY'
        when videos.action_window in ('🟠 6-12H', '🟡 12-24H') then '🟠 BUILD_TODAY'
    end as build_priority
from videos_daily as videos
inner join seeds.markets as markets on videos.market = markets.market
left join rivals on videos.trend_key = rivals.trend_key
left join entered on videos.video_id = entered.video_id
where videos.author_role = 'own';
---------- polls: the pace of an interval against the video's own level, its cohort and its peers of the same feed

create or replace temp table feeds as
with known as (
    select market, observed_at
    from facts.raw.loads
    where
        kind = 'videos'
        and item_count > 0
        and observed_at >= date '@day@' - 4
        and observed_at < date '@day@' + 1
    group by market, observed_at
),

begun as (
    -- Feeds that begin within half an hour of the one before belong to one poll, unless they are nearer to the market's
    -- own feed before than half way; a poll ends with its day.
    select
        *,
        lag(observed_at) over (partition by market order by observed_at) as previous_feed_at,
        row_number() over (partition by market order by observed_at) as feed_number,
        lag(observed_at) over (partition by observed_at::date order by observed_at, market) as observed_before,
        case
            when
                hours_between(observed_before, observed_at)
                <= least(0.5, coalesce(hours_between(previous_feed_at, observed_at) / 2, 24))
                then 0
            else 1
        end as begins_poll
    from known
),

numbered as (
    select *, sum(begins_poll) over (order by observed_at, market rows unbounded preceding) as poll_number
    from begun
)

select
    market,
    observed_at,
    observed_at::date as as_of_date,
    previous_feed_at,
    feed_number,
    poll_number,
    hours_between(previous_feed_at, observed_at) as hours_since_previous,
    min(observed_at) over (partition by poll_number) as poll_at,
    max(observed_at) over (partition by poll_number) as poll_ended_at
from numbered;

create or replace temp table intervals as
with recent as (
    select
        * exclude (seen_before_at),
        case when lag(observed_at) over seen is not null then seen_before_at end as seen_before_at,
        max(case when delta_plays > 0 or reading_number = 1 then observed_at end) over (
            partition by market, video_id order by observed_at rows between unbounded preceding and 1 preceding
        ) as last_change_at
    from readings
    where reading_date >= date '@day@' - 4 and plays is not null
    window seen as (partition by market, video_id order by observed_at)
),

counted as (
    -- An unchanged count may be an old copy; longer stillness is real.
    select *
    from recent
    where delta_plays is null or delta_plays > 0 or hours_between(last_change_at, observed_at) > 6
),

paired as (
    -- With the last count that is 45 minutes old.
    select
        counted.*,
        before.observed_at as counted_before_at,
        before.plays as plays_before,
        before.plays_resolution as resolution_before,
        counted.shares_per_hour - before.shares_per_hour as delta_shares_per_hour,
        before.shares as shares_before,
        before.likes as likes_before
    from counted
    left join counted as before
        on
            counted.market = before.market
            and counted.video_id = before.video_id
            and before.observed_at <= counted.observed_at - interval 45 minute
    qualify
        row_number() over (
            partition by counted.market, counted.video_id, counted.observed_at order by before.observed_at desc
        ) = 1
),

measured as (
    select
        market,
        video_id,
        observed_at,
        reading_date,
        posted_at,
        seen_before_at,
        age_hours,
        plays,
        shares_per_hour,
        likes_per_hour,
        views_per_hour,
        momentum_score,
        delta_shares_per_hour,
        coalesce(max(shares) over (partition by market, observed_at) > 0, false) as feed_gives_shares,
        reading_number = 1 as is_lifetime,
        case when is_lifetime then posted_at else counted_before_at end as from_at,
        case when is_lifetime then age_hours else hours_between(counted_before_at, observed_at) end as hours,
        case when is_lifetime then plays else plays - plays_before end as gain_views,
        case when is_lifetime then shares else shares - shares_before end as gain_shares,
        case when is_lifetime then likes else likes - likes_before end as gain_likes,
        greatest(plays_resolution, coalesce(resolution_before, 1))::double as resolution
    from paired
    where reading_number = 1 or counted_before_at is not null
)

select
    *,
    gain_views / hours as views_rate,
    -- Young, and fast over its life or now.
    age_hours <= 48
    and greatest(views_per_hour, gain_views / hours) >= 150
    and case
        when feed_gives_shares and shares_per_hour is not null then greatest(shares_per_hour, gain_shares / hours) >= 6
        else coalesce(greatest(likes_per_hour, gain_likes / hours) >= 20, true)
    end as meets_entry,
    lag(gain_views / hours) over interval_before as previous_rate,
    lag(gain_views) over interval_before as previous_gain,
    lag(is_lifetime) over interval_before as previous_is_lifetime
from measured
window interval_before as (partition by market, video_id order by observed_at);

create or replace temp table activity as
with steps as (
    -- How the pace of all changed since the feed before, in whole millionths.
    select market, observed_at, hours_since_previous, step_millionths
    from intermediate.int_poll_steps
    where as_of_date >= date '@day@' - 4 and as_of_date < date '@day@'
    union all
    select
        feeds.market,
        feeds.observed_at,
        any_value(feeds.hours_since_previous),
        round(1000000 * shrunk(
            quantile_cont(ln(intervals.views_rate / intervals.previous_rate), 0.5), 0, count(intervals.video_id), 20
        ))::bigint
    from feeds
    left join intervals
        on
            feeds.market = intervals.market
            and feeds.observed_at = intervals.observed_at
            and feeds.previous_feed_at = intervals.from_at
            and not intervals.is_lifetime
            and not intervals.previous_is_lifetime
            and intervals.gain_views >= 50
            and intervals.previous_gain > 0
            -- Rounded counts say little of a small gain.
            and intervals.resolution * intervals.resolution / 6
            < 0.02 * pow(least(intervals.gain_views, intervals.previous_gain), 2)
    where feeds.as_of_date = date '@day@'
    group by feeds.market, feeds.observed_at
)

select
    market,
    observed_at,
    hours_since_previous,
    sum(step_millionths) over (partition by market order by observed_at rows unbounded preceding) as activity
from steps;

create or replace temp table levels as
with spanned as (
    -- The market's mean pace over an interval, against its pace in the feed that ends it.
    select
        intervals.market,
        intervals.video_id,
        intervals.observed_at,
        exact_sum(
            exp(least(greatest((during.activity - at_end.activity) / 1000000.0, -3), 3))
            * least(during.hours_since_previous, hours_between(intervals.from_at, during.observed_at))
        ) / exact_sum(least(during.hours_since_previous, hours_between(intervals.from_at, during.observed_at)))
            as span_factor
    from intervals
    inner join activity as at_end on intervals.market = at_end.market and intervals.observed_at = at_end.observed_at
    inner join activity as during
        on
            intervals.market = during.market
            and during.observed_at > intervals.from_at
            and during.observed_at <= intervals.observed_at
    where not intervals.is_lifetime and during.hours_since_previous is not null
    group by intervals.market, intervals.video_id, intervals.observed_at
),

paced as (
    select intervals.*, activity.activity, coalesce(spanned.span_factor, 1) as span_factor
    from intervals
    inner join activity on intervals.market = activity.market and intervals.observed_at = activity.observed_at
    left join spanned
        on
            intervals.market = spanned.market
            and intervals.video_id = spanned.video_id
            and intervals.observed_at = spanned.observed_at
),

own as (
    -- Intervals of 36 hours count, one of six hours ago half as much as a new one.
    select
        now.market,
        now.video_id,
        now.observed_at,
        exact_sum(case when not was.is_lifetime then half_lived(was.hours, was.observed_at, now.from_at) end)
            as level_hours,
        exact_sum(case
            when not was.is_lifetime
                then
                    half_lived(was.hours, was.observed_at, now.from_at)
                    * least(
                        was.views_rate / was.span_factor
                        * exp(least(greatest((now.activity - was.activity) / 1e6, -3), 3)),
                        1000000000
                    )
        end) as weighted_rate,
        max(was.resolution) filter (where not was.is_lifetime) as level_resolution,
        max(was.views_rate) filter (where was.is_lifetime) as lifetime_rate
    from paced as now
    inner join paced as was
        on
            now.market = was.market
            and now.video_id = was.video_id
            and now.from_at >= was.observed_at
    where
        now.reading_date = date '@day@'
        and not now.is_lifetime
        and (was.is_lifetime or was.observed_at >= now.observed_at - interval 36 hour)
    group by now.market, now.video_id, now.observed_at
)

select
    paced.market,
    paced.video_id,
    paced.observed_at,
    paced.from_at,
    paced.seen_before_at,
    paced.age_hours,
    paced.hours,
    paced.plays,
    paced.gain_views,
    paced.views_per_hour,
    paced.shares_per_hour,
    paced.meets_entry,
    paced.delta_shares_per_hour,
    paced.momentum_score,
    paced.span_factor,
    case when own.level_hours > 0 then 'live' else 'lifetime' end as level_basis,
    greatest(case when own.level_hours > 0 then own.weighted_rate / own.level_hours else own.lifetime_rate end, 0.5)
        as level_views_per_hour,
    -- 2 hours wide up to two days, 6 hours up to a week, all older ones together.
    case
        when paced.age_hours < 48 then floor(paced.age_hours / 2) * 2
        else floor(least(paced.age_hours, 168) / 6) * 6
    end::integer as age_bucket,
    ln(greatest(paced.gain_views, 1)) - ln(level_views_per_hour * paced.hours * paced.span_factor) as log_change,
    (paced.resolution * paced.resolution - 1) / 6
    + case
        when own.level_hours > 0
            then (own.level_resolution * own.level_resolution - 1) / 6 * pow(paced.hours / own.level_hours, 2)
        else 0
    end as rounding_variance,
    rounding_variance / pow(greatest(level_views_per_hour * paced.hours * paced.span_factor, 1), 2)
    + 1 / greatest(level_views_per_hour * paced.hours * paced.span_factor, 1) <= 0.02 as is_peer
from own
inner join paced
    on own.market = paced.market and own.video_id = paced.video_id and own.observed_at = paced.observed_at
where own.level_hours > 0 or own.lifetime_rate is not null;

create or replace temp table cohorts as
with teachers as (
    -- Markets of which four in five videos were measured again: the others' feeds show again what rose.
    select seen.market
    from (
        select market, count(distinct video_id) as videos
        from intermediate.int_video_readings
        where reading_date >= date '@day@' - 28 and reading_date < date '@day@'
        group by market
    ) as seen
    inner join (
        select market, count(distinct video_id) as videos
        from intermediate.int_poll_levels
        where as_of_date >= date '@day@' - 28 and as_of_date < date '@day@'
        group by market
    ) as followed on seen.market = followed.market
    where followed.videos >= 0.8 * seen.videos
),

history as (
    select
        market,
        level_basis,
        age_bucket,
        log_change,
        pow(0.5, (date '@day@' - as_of_date) / 14) as weight,
        quantile_cont(log_change, 0.5) over (partition by market, level_basis, age_bucket) as median
    from intermediate.int_poll_levels
    where
        as_of_date >= date '@day@' - 28
        and as_of_date < date '@day@'
        and is_peer
        and market in (select teachers.market from teachers)
),

learned as (
    select
        market,
        level_basis,
        age_bucket,
        count(*) as readings,
        exact_sum(weight) as weight,
        quantile_cont(log_change, 0.5) as log_change,
        spread(abs(log_change - median)) as variance
    from history
    group by grouping sets ((level_basis), (market, level_basis, age_bucket))
),

everyone as (
    select
        priors.level_basis,
        priors.log_change as prior_change,
        priors.spread * priors.spread as prior_variance,
        shrunk(learned.log_change, priors.log_change, learned.weight, 5) as log_change,
        shrunk(learned.variance, priors.spread * priors.spread, learned.weight, 5) as variance
    from (values ('live', -0.1, 0.5), ('lifetime', -0.7, 0.6)) as priors (level_basis, log_change, spread)
    left join learned on priors.level_basis = learned.level_basis and learned.market is null
),

-- The rows without market and age are for readings whose cohort was never seen.
capped as (
    select
        null as market, level_basis, null as age_bucket, 0 as readings, prior_change, prior_variance, log_change,
        least(variance, 0.7 * 0.7) as variance
    from everyone
    union all
    select
        learned.market,
        learned.level_basis,
        learned.age_bucket,
        learned.readings,
        everyone.prior_change,
        everyone.prior_variance,
        shrunk(learned.log_change, everyone.log_change, learned.weight, 20),
        least(shrunk(learned.variance, everyone.variance, learned.weight, 20), 0.7 * 0.7)
    from learned
    inner join everyone on learned.level_basis = everyone.level_basis
    where learned.market is not null
)

-- An alert must not need more than ten times the pace.
select
    market,
    level_basis,
    age_bucket,
    readings,
    exp(log_change + 3 * sqrt(variance)) > 10 as is_held_back,
    case when is_held_back then prior_change else capped.log_change end as log_change,
    case when is_held_back then prior_variance else capped.variance end as variance
from capped;

create or replace temp table poll_scores as
with judged as (
    select
        levels.*,
        feeds.feed_number - seen.feed_number - 1 as absences,
        coalesce(cohorts.readings, 0) as cohort_readings,
        coalesce(cohorts.log_change, everyone.log_change) as cohort_change,
        coalesce(cohorts.variance, everyone.variance) as cohort_variance,
        levels.market in (select cohorts.market from cohorts where cohorts.market is not null) as is_market_followed,
        levels.log_change - cohort_change as deviation
    from levels
    inner join feeds on levels.market = feeds.market and levels.observed_at = feeds.observed_at
    left join feeds as seen on levels.market = seen.market and levels.seen_before_at = seen.observed_at
    inner join cohorts as everyone on levels.level_basis = everyone.level_basis and everyone.market is null
    left join cohorts
        on
            levels.market = cohorts.market
            and levels.level_basis = cohorts.level_basis
            and levels.age_bucket = cohorts.age_bucket
),

medians as (
    select market, observed_at, level_basis, count(*) as peers, quantile_cont(deviation, 0.5) as deviation
    from judged
    where is_peer
    group by market, observed_at, level_basis
),

spreads as (
    select
        medians.market,
        medians.observed_at,
        medians.level_basis,
        medians.peers,
        medians.deviation,
        spread(abs(judged.deviation - medians.deviation)) as variance
    from judged
    inner join medians
        on
            judged.market = medians.market
            and judged.observed_at = medians.observed_at
            and judged.level_basis = medians.level_basis
    where judged.is_peer
    group by medians.market, medians.observed_at, medians.level_basis, medians.peers, medians.deviation
),

scored as (
    select
        judged.*,
        case
            when spreads.deviation > 0 and spreads.peers < 20 and not judged.is_market_followed then 0
            else shrunk(spreads.deviation, 0, spreads.peers, 20)
        end as poll_change,
        -- A poll in which everything scatters more than usual says less.
        greatest(
            judged.cohort_variance, case when spreads.peers >= 20 then least(spreads.variance, 0.7 * 0.7) else 0 end
        ) as whole_variance,
        judged.level_views_per_hour * judged.hours * judged.span_factor * exp(judged.cohort_change + poll_change)
            as expected_gain_views,
        round(
            (ln(greatest(judged.gain_views, 1)) - ln(expected_gain_views))
            / sqrt(
                1 / expected_gain_views + whole_variance
                + judged.rounding_variance / (expected_gain_views * expected_gain_views)
            ),
            6
        ) as z
    from judged
    left join spreads
        on
            judged.market = spreads.market
            and judged.observed_at = spreads.observed_at
            and judged.level_basis = spreads.level_basis
),

results as (
    select
        market, video_id, observed_at, from_at, age_hours, hours, plays, gain_views, views_per_hour, shares_per_hour,
        meets_entry, delta_shares_per_hour, momentum_score, level_basis, level_views_per_hour,
        cohort_change, cohort_readings, poll_change, whole_variance, expected_gain_views, z, absences
    from scored
    union all
    -- First readings are not judged, but they enter.
    select
        market, video_id, observed_at, from_at, age_hours, hours, plays, gain_views, views_per_hour, shares_per_hour,
        meets_entry, delta_shares_per_hour, momentum_score, 'none', null, null, null, null, null,
        null, null, 0
    from intervals
    where is_lifetime and reading_date = date '@day@'
),

in_order as (
    select
        *,
        lag(z) over (partition by market, video_id order by observed_at) as previous_z
    from (
        select market, video_id, observed_at, meets_entry, z, absences
        from results
        union all
        select market, video_id, observed_at, meets_entry, z, absences
        from intermediate.int_poll_scores
        where
            as_of_date >= date '@day@' - 4
            and as_of_date < date '@day@'
            and video_id in (select results.video_id from results)
    )
),

watched as (
    select
        market,
        video_id,
        observed_at,
        previous_z,
        max(case when meets_entry then observed_at end) over so_far as last_entry_at,
        max(case when absences >= 3 then observed_at end) over so_far as last_return_at,
        max(case when z <= -1 and previous_z <= -1 then observed_at end) over so_far as last_fall_at,
        max(case when z >= 2 then observed_at end) over so_far as last_rise_at
    from in_order
    window so_far as (partition by market, video_id order by observed_at)
)

-- Two real falls end the watch, a rise brings the video back; after three absences it has to qualify anew.
select
    results.*,
    watched.previous_z,
    watched.last_entry_at is not null
    and (watched.last_return_at is null or watched.last_entry_at >= watched.last_return_at)
    and results.age_hours <= 60
    and (watched.last_fall_at is null or watched.last_rise_at > watched.last_fall_at) as is_watched
from results
inner join watched
    on
        results.market = watched.market
        and results.video_id = watched.video_id
        and results.observed_at = watched.observed_at;

create or replace temp table acceleration_alerts as
with recursive tiered as (
    select
        poll_scores.*,
        feeds.poll_at,
        feeds.poll_number,
        poll_scores.gain_views - poll_scores.expected_gain_views as extra_views,
        case
            -- Back from a stall to its pace of before.
            when poll_scores.previous_z <= -3 then null
            when poll_scores.z >= 6 then 3
            when poll_scores.z >= 3 then 2
            when poll_scores.z >= 2 and poll_scores.previous_z >= 2 then 1
        end as tier_rank
    from poll_scores
    inner join feeds on poll_scores.market = feeds.market and poll_scores.observed_at = feeds.observed_at
    where poll_scores.is_watched
),

candidates as (
    -- A video that is fast in both feeds is one message.
    select *, dense_rank() over (order by poll_number) as step
    from (
        select * from tiered
        where tier_rank is not null and extra_views >= 500
        qualify
            row_number() over (
                partition by poll_number, video_id order by tier_rank desc, extra_views desc, market
            ) = 1
    )
),

-- Poll by poll: three messages each, ten a day, no video twice within 12 hours or without a higher tier.
walk as (
    select 0 as step, null::varchar as video_id, 0 as tier_rank, null::timestamp as alerted_at, false as is_new
    union all
    select 0, video_id, tier_rank, alerted_at, false
    from marts.acceleration_alerts
    where as_of_date >= date '@day@' - 4 and as_of_date < date '@day@'
    union all
    (
        select step + 1, video_id, tier_rank, alerted_at, false
        from walk
        where step < (select max(candidates.step) from candidates)
        union all
        select step, video_id, tier_rank, observed_at, true
        from (
            select
                candidates.*,
                row_number() over (
                    partition by candidates.tier_rank = 1
                    order by candidates.tier_rank desc, candidates.extra_views desc, candidates.video_id
                ) as place
            from candidates
            where
                candidates.step = (select max(walk.step) + 1 from walk)
                and not exists (
                    select 1 from walk
                    where
                        walk.video_id = candidates.video_id
                        and (
                            walk.tier_rank >= candidates.tier_rank
                            or (walk.tier_rank > 1 and hours_between(walk.alerted_at, candidates.observed_at) < 12)
                        )
                )
        ) as allowed
        where
            tier_rank = 1
            or (
                place <= 3
                and place <= 10 - (
                    select count(*) from walk where walk.tier_rank > 1 and walk.alerted_at >= date '@day@'
                )
            )
    )
)

select
    date '@day@' as as_of_date,
    candidates.poll_at,
    candidates.observed_at as alerted_at,
    candidates.market,
    candidates.video_id,
    case candidates.tier_rank when 3 then 'STRONG' when 2 then 'ALERT' else 'WATCH' end as tier,
    candidates.tier_rank,
    candidates.tier_rank > 1 as is_message,
    'cohort' as alert_mode,
    candidates.z,
    candidates.gain_views,
    candidates.expected_gain_views,
    candidates.extra_views,
    candidates.hours,
    candidates.level_views_per_hour,
    candidates.level_basis,
    candidates.cohort_change,
    candidates.cohort_readings,
    candidates.poll_change,
    sqrt(candidates.whole_variance) as spread,
    candidates.previous_z,
    candidates.from_at,
    candidates.age_hours,
    72 as fresh_age_hours,
    candidates.plays,
    candidates.views_per_hour,
    candidates.shares_per_hour,
    candidates.delta_shares_per_hour,
    candidates.momentum_score,
    shown.video_url,
    shown.caption,
    shown.author_handle,
    categories.ai_category
from candidates
inner join (select * from walk where is_new) as sent
    on candidates.step = sent.step and candidates.video_id = sent.video_id
left join (
    select * from staged
    qualify row_number() over (partition by market, video_id, observed_at order by load_id desc) = 1
) as shown
    on
        candidates.market = shown.market
        and candidates.video_id = shown.video_id
        and candidates.observed_at = shown.observed_at
left join intermediate.int_video_ai as categories on candidates.video_id = categories.video_id;

create or replace temp table alert_outcomes as
with alerts as (
    select
        as_of_date, market, video_id, alerted_at, tier, is_message, alert_mode, age_hours, level_views_per_hour, plays
    from marts.acceleration_alerts
    where as_of_date >= date '@day@' - 2 and as_of_date < date '@day@'
    union all
    select
        as_of_date, market, video_id, alerted_at, tier, is_message, alert_mode, age_hours, level_views_per_hour, plays
    from acceleration_alerts
),

seen as (
    select market, video_id, observed_at, plays
    from readings
    where reading_date >= date '@day@' - 4
    union all
    select market, video_id, observed_at, plays
    from intermediate.int_video_readings
    where
        reading_date >= date '@day@' - 4
        and reading_date < date '@day@'
        and video_id not in (select present.video_id from present)
),

all_levels as (
    select market, video_id, observed_at, age_hours, plays, level_views_per_hour, z
    from intermediate.int_poll_scores
    where as_of_date >= date '@day@' - 2 and as_of_date < date '@day@' and z is not null
    union all
    select market, video_id, observed_at, age_hours, plays, level_views_per_hour, z
    from poll_scores
    where z is not null
),

settled as (
    select
        alerts.*,
        horizons.horizon_hours,
        seen.observed_at as scored_at,
        hours_between(alerts.alerted_at, seen.observed_at) as hours,
        seen.plays - alerts.plays as gain_views
    from alerts
    cross join (values (4), (24)) as horizons (horizon_hours)
    inner join seen on alerts.market = seen.market and alerts.video_id = seen.video_id
    where hours between 0.9 * horizons.horizon_hours and 1.5 * horizons.horizon_hours
    qualify
        row_number() over (
            partition by alerts.video_id, alerts.alerted_at, horizons.horizon_hours order by seen.observed_at
        ) = 1
),

changes as (
    -- Other videos about as old, measured in the same two feeds.
    select
        settled.video_id,
        settled.alerted_at,
        settled.horizon_hours,
        all_levels.z < 1 as is_base,
        ln(greatest(seen.plays - all_levels.plays, 1) / (all_levels.level_views_per_hour * settled.hours)) as log_change
    from settled
    inner join all_levels
        on
            settled.market = all_levels.market
            and settled.alerted_at = all_levels.observed_at
            and settled.video_id <> all_levels.video_id
    inner join seen
        on
            all_levels.market = seen.market
            and all_levels.video_id = seen.video_id
            and settled.scored_at = seen.observed_at
    where abs(settled.age_hours - all_levels.age_hours) <= 12
),

peers as (
    select
        *,
        count(*) over whole as peers,
        case when peers >= 5 then quantile_cont(log_change, 0.5) over whole else 0 end as usual
    from changes
    window whole as (partition by video_id, alerted_at, horizon_hours)
),

summed as (
    select
        video_id,
        alerted_at,
        horizon_hours,
        any_value(peers) as peers,
        any_value(usual) as usual,
        count(*) filter (is_base) as base_readings,
        count(*) filter (is_base and log_change > usual) as base_right
    from peers
    group by video_id, alerted_at, horizon_hours
)

select
    settled.* exclude (age_hours, level_views_per_hour, plays),
    settled.level_views_per_hour * settled.hours * exp(coalesce(summed.usual, 0)) as expected_gain_views,
    coalesce(summed.peers, 0) as peers,
    coalesce(summed.base_readings, 0) as base_readings,
    coalesce(summed.base_right, 0) as base_right,
    settled.gain_views > expected_gain_views as is_right
from settled
left join summed
    on
        settled.video_id = summed.video_id
        and settled.alerted_at = summed.alerted_at
        and settled.horizon_hours = summed.horizon_hours;

create or replace temp table micro_polls as
with polls as (
    select
        as_of_date,
        poll_at,
        poll_ended_at,
        count(*) as feeds,
        lag(poll_at) over (order by poll_at) as previous_poll_at
    from feeds
    group by as_of_date, poll_at, poll_ended_at
),

sightings as (
    select market, video_id, observed_at from staged
    union
    select market, video_id, observed_at from staging.stg_tiktok__videos
    where observed_date >= date '@day@' - 4 and observed_date < date '@day@'
),

counted as (
    select feeds.poll_at, count(*) as items, count(readings.video_id) as new_readings
    from sightings
    inner join feeds on sightings.market = feeds.market and sightings.observed_at = feeds.observed_at
    left join readings
        on
            sightings.market = readings.market
            and sightings.video_id = readings.video_id
            and sightings.observed_at = readings.observed_at
    where sightings.observed_at >= date '@day@'
    group by feeds.poll_at
),

shown as (
    -- From a sighting until the feed that is one absence too many, or the next sighting.
    select
        sightings.market,
        sightings.video_id,
        sightings.observed_at,
        least(
            coalesce(
                lead(sightings.observed_at) over (
                    partition by sightings.market, sightings.video_id order by sightings.observed_at
                ),
                timestamp '9999-12-31'
            ),
            coalesce(too_many.observed_at, timestamp '9999-12-31')
        ) as until_at
    from sightings
    inner join feeds on sightings.market = feeds.market and sightings.observed_at = feeds.observed_at
    left join feeds as too_many on feeds.market = too_many.market and feeds.feed_number + 3 = too_many.feed_number
),

all_scores as (
    select
        *,
        lead(observed_at) over earlier as next_scored_at,
        lag(is_watched) over earlier as was_watched
    from (
        select market, video_id, observed_at, age_hours, absences, is_watched from poll_scores
        union all
        select market, video_id, observed_at, age_hours, absences, is_watched from intermediate.int_poll_scores
        where as_of_date >= date '@day@' - 4 and as_of_date < date '@day@'
    )
    window earlier as (partition by market, video_id order by observed_at)
),

tracked as (
    select polls.poll_at, count(distinct row(all_scores.market, all_scores.video_id)) as videos
    from (
        select * from polls
        qualify max(as_of_date) over (order by poll_at rows between current row and 1 following) = date '@day@'
    ) as polls
    inner join all_scores
        on
            polls.poll_ended_at >= all_scores.observed_at
            and (all_scores.next_scored_at is null or polls.poll_ended_at < all_scores.next_scored_at)
    inner join shown
        on
            all_scores.market = shown.market
            and all_scores.video_id = shown.video_id
            and polls.poll_ended_at >= shown.observed_at
            and polls.poll_ended_at < shown.until_at
    where
        all_scores.is_watched
        and all_scores.age_hours + hours_between(all_scores.observed_at, polls.poll_ended_at) <= 60
    group by polls.poll_at
),

entered as (
    select feeds.poll_at, count(*) as videos
    from all_scores
    inner join feeds on all_scores.market = feeds.market and all_scores.observed_at = feeds.observed_at
    where
        all_scores.observed_at >= date '@day@'
        and all_scores.is_watched
        and (not coalesce(all_scores.was_watched, false) or all_scores.absences >= 3)
    group by feeds.poll_at
),

fired as (
    select poll_at, count(*) filter (where is_message) as messages, count(*) filter (where not is_message) as watches
    from acceleration_alerts
    group by poll_at
),

needed as (
    -- Of the watched videos, else of all that were judged, else of the prior; of the market that needed most.
    select
        feeds.poll_at,
        feeds.market,
        max(coalesce(heard.watched, heard.judged)) as factor
    from feeds
    left join (
        select
            market,
            observed_at,
            quantile_cont(exp(cohort_change + poll_change + 3 * sqrt(whole_variance)), 0.5) as judged,
            quantile_cont(exp(cohort_change + poll_change + 3 * sqrt(whole_variance)), 0.5) filter (is_watched)
                as watched
        from poll_scores
        group by market, observed_at
    ) as heard on feeds.market = heard.market and feeds.observed_at = heard.observed_at
    group by feeds.poll_at, feeds.market
),

highest as (
    select
        poll_at,
        max(coalesce(
            factor,
            (
                select exp(cohorts.log_change + 3 * sqrt(cohorts.variance)) from cohorts
                where cohorts.market is null and cohorts.level_basis = 'lifetime'
            )
        )) as pace_factor_needed
    from needed
    group by poll_at
)

select
    polls.as_of_date,
    polls.poll_at,
    polls.poll_ended_at,
    polls.feeds,
    coalesce(counted.items, 0) as items,
    coalesce(counted.new_readings, 0) as new_readings,
    coalesce(counted.items, 0) - coalesce(counted.new_readings, 0) as repeated_readings,
    coalesce(entered.videos, 0) as new_candidates,
    greatest(coalesce(before.videos, 0) + coalesce(entered.videos, 0) - coalesce(tracked.videos, 0), 0) as removed,
    coalesce(tracked.videos, 0) as tracked,
    coalesce(fired.messages, 0) as alerts,
    coalesce(fired.watches, 0) as watches,
    highest.pace_factor_needed
from polls
left join highest on polls.poll_at = highest.poll_at
left join counted on polls.poll_at = counted.poll_at
left join entered on polls.poll_at = entered.poll_at
left join tracked on polls.poll_at = tracked.poll_at
left join tracked as before on polls.previous_poll_at = before.poll_at
left join fired on polls.poll_at = fired.poll_at
where polls.as_of_date = date '@day@';
