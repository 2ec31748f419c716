-- What did we say of each video a day ago, and what came?
select
    told.market,
    told.video_id,
    told.base_plays,
    told.p10,
    told.p50,
    told.p90,
    now.plays - told.base_plays as came,
    now.plays - told.base_plays between told.p10 and told.p90 as is_in_range
from marts.forecasts as told
inner join marts.videos_daily as now
    on told.video_id = now.video_id and told.market = now.market and now.as_of_date = told.as_of_date + 1
where told.horizon_hours = 24 and now.as_of_date = (select max(as_of_date) from marts.videos_daily) and not now.is_stale
order by told.p50 desc, told.video_id, told.market
