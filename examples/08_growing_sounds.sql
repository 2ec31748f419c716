-- Which sounds do more videos use than the day before?
select
    market,
    sound_name,
    artist,
    videos_24h,
    videos_previous_24h,
    creators_24h,
    status
from marts.sounds_daily
where as_of_date = (select max(as_of_date) from marts.sounds_daily) and videos_24h > videos_previous_24h
order by videos_24h - videos_previous_24h desc, sound_id, market
