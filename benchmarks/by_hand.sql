-- A day by hand, in one script on the same raw rows: readings of the day, their predecessors, classic and live metrics,
-- status against what is expected at that age, trends of both markets with their onsets, forecasts, sounds, creators.
-- What is left out is what a product adds: cut-offs of each date, repeats and rounded counts, checks, scores of earlier
-- forecasts, word lists, accounts, revenue. `@day@` is the date. Measured against, used by nothing.
create or replace temp table staged as
select
    market,
    observed_at,
    json_extract_string(payload, '$.id') as video_id,
    json_extract_string(payload, '$.text') as caption,
    json_extract_string(payload, '$.authorMeta.name') as author,
    json_extract_string(payload, '$.musicMeta.musicId') as music_id,
    json_extract_string(payload, '$.webVideoUrl') as url,
    try_cast(json_extract_string(payload, '$.playCount') as bigint) as plays,
    try_cast(json_extract_string(payload, '$.diggCount') as bigint) as likes,
    try_cast(json_extract_string(payload, '$.shareCount') as bigint) as shares,
    try_cast(json_extract_string(payload, '$.commentCount') as bigint) as comments,
    try_cast(json_extract_string(payload, '$.createTimeISO') as timestamp) as posted_at,
    list_transform(json_extract(payload, '$.hashtags[*].name'), tag -> lower(trim(tag::varchar, '"'))) as hashtags
from raw.tiktok_videos
where observed_at >= date '@day@' and observed_at < date '@day@' + 1;

create or replace temp table today as
select * from staged
qualify row_number() over (partition by market, video_id order by observed_at desc) = 1;

create or replace temp table before as
select market, video_id, observed_at, plays, likes, shares, posted_at, music_id, author_handle as author
from staging.stg_tiktok__videos
where observed_date >= date '@day@' - 28 and observed_date < date '@day@'
qualify row_number() over (partition by market, video_id, observed_at order by load_id desc) = 1;

create or replace temp table metrics as
with ages as (
    select *, greatest(0.1, epoch(observed_at - posted_at) / 3600) as age_hours from today
),
last_before as (
    select
        *,
        greatest(0.1, epoch(observed_at - posted_at) / 3600) as age_hours,
        lag(plays) over (partition by market, video_id order by observed_at) as plays_before,
        lag(observed_at) over (partition by market, video_id order by observed_at) as at_before
    from before
    qualify row_number() over (partition by market, video_id order by observed_at desc) = 1
),
rates as (
    select
        ages.*,
        10 * ages.shares / ages.age_hours + 3 * ages.likes / ages.age_hours + 0.01 * ages.plays / ages.age_hours
            as momentum,
        10 * last_before.shares / last_before.age_hours + 3 * last_before.likes / last_before.age_hours
            + 0.01 * last_before.plays / last_before.age_hours as momentum_before,
        (ages.plays - last_before.plays) / nullif(epoch(ages.observed_at - last_before.observed_at) / 3600, 0)
            as live_rate,
        (last_before.plays - last_before.plays_before)
            / nullif(epoch(last_before.observed_at - last_before.at_before) / 3600, 0) as live_rate_before,
        count(*) over (partition by ages.video_id) as market_count
    from ages left join last_before using (market, video_id)
)
select
    *,
    case
        when momentum_before is null then 'NEW' when momentum - momentum_before > 100 then 'SPIKING'
        when momentum > momentum_before then 'RISING' when momentum - momentum_before > -100 then 'COOLING' else 'DYING'
    end as status,
    regexp_matches(lower(caption), '(^|[^a-z])(ai|aigc|midjourney|kling|sora|ai (video|photo|filter))([^a-z]|$)') as is_ai,
    percent_rank() over (partition by market order by momentum) as score
from rates;

create or replace temp table retention as
select market, cast(floor(age_hours / 24) as integer) as age_days, median(ratio) as phi,
    quantile_cont(ratio, 0.1) as phi_low, quantile_cont(ratio, 0.9) as phi_high
from (
    select
        market,
        epoch(observed_at - posted_at) / 3600 as age_hours,
        (lead(plays) over video - plays) / nullif(plays - lag(plays) over video, 0) as ratio
    from before
    window video as (partition by market, video_id order by observed_at)
)
where ratio > 0
group by all;

create or replace temp table forecast as
select metrics.market, metrics.video_id, 24 * live_rate * phi as p50, 24 * live_rate * phi_low as p10,
    24 * live_rate * phi_high as p90, 24 * live_rate * phi + 24 * live_rate * phi * phi as p50_48h
from metrics inner join retention
    on metrics.market = retention.market and cast(floor(metrics.age_hours / 24) as integer) = retention.age_days;

create or replace temp table uses as
select market, music_id as trend_key, observed_at::date as day, count(distinct video_id) as videos,
    count(distinct author) as creators
from (
    select market, music_id, observed_at, video_id, author from before
    union all select market, music_id, observed_at, video_id, author from today
)
where music_id is not null
group by all;

create or replace temp table tags as
select market, tag, count(distinct video_id) as videos from (select market, video_id, unnest(hashtags) as tag from today)
group by all;

create or replace temp table trends as
with means as (
    select *, avg(videos) over (partition by market, trend_key order by day rows between 2 preceding and current row) as u
    from uses
),
onsets as (
    select trend_key, market, min(day) as onset from uses where creators >= 3 group by all
),
leads as (
    select trend_key, us.onset as us_onset, uk.onset as uk_onset, uk.onset - us.onset as lag_days
    from (from onsets where market = 'US') as us full join (from onsets where market = 'UK') as uk using (trend_key)
)
select means.*, max(u) over (partition by market, trend_key) as peak, leads.us_onset, leads.uk_onset, leads.lag_days
from means left join leads using (trend_key)
where day = date '@day@';

create or replace temp table creators as
select author, market, median(plays) as median_plays, count(*) as posts from before group by all;

create or replace temp table result as
select metrics.*, forecast.p10, forecast.p50, forecast.p90, forecast.p50_48h, trends.videos as trend_videos,
    trends.creators as trend_creators, trends.lag_days, metrics.plays / nullif(creators.median_plays, 0) as outlier,
    row_number() over (partition by metrics.market order by metrics.momentum desc, metrics.video_id) as place
from metrics
left join forecast using (market, video_id)
left join trends on metrics.market = trends.market and metrics.music_id = trends.trend_key
left join creators on metrics.author = creators.author and metrics.market = creators.market;
