-- What do I build today, by when, and why?
select
    place,
    build_priority,
    publish_by,
    variants,
    gain_48h_p50,
    trend_name,
    because,
    video_url
from marts.build_list
where as_of_date = (select max(as_of_date) from marts.build_list)
order by place
