-- How did the first video of the build list grow, reading by reading?
select
    market,
    observed_at,
    age_hours,
    plays,
    delta_plays,
    gap_hours,
    live_views_per_hour
from marts.video_readings
where
    video_id = (
        select video_id
        from marts.build_list
        where place = 1
        order by as_of_date desc
        limit 1
    )
order by observed_at, market
