-- Which sounds, templates and tags can I still join, and for how many days?
select
    place,
    trend_name,
    lifecycle,
    creators,
    gained_views_24h,
    round(window_left_h / 24, 2) as days_left,
    trend_url
from marts.trend_list
where as_of_date = (select max(as_of_date) from marts.trend_list)
order by place
