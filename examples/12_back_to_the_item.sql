-- Which raw item is a number from? (raw.tiktok_videos of facts.duckdb has it whole)
select
    as_of_date,
    market,
    video_id,
    plays,
    observed_at,
    load_id,
    item_index,
    oddities
from marts.videos_daily
where as_of_date = (select max(as_of_date) from marts.videos_daily)
order by plays desc, video_id, market
