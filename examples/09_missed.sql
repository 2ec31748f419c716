-- Which trends do competitors use and I do not?
select
    account,
    trend,
    market,
    competitor_momentum,
    hours_behind,
    missed_revenue_p50,
    url
from marts.competitor_gaps
where as_of_date = (select max(as_of_date) from marts.competitor_gaps) and gap_type = 'MISSED_BY_YOU'
order by competitor_momentum desc, video_id
