-- What runs in one market and has not come to the other?
select
    first_market,
    other_market,
    trend_key,
    first_onset_date,
    days_without,
    arrival_probability_7d
from marts.cross_market_trends
where
    as_of_date = (select max(as_of_date) from marts.cross_market_trends)
    and is_censored
    and first_creators > 0
order by arrival_probability_7d desc, first_creators desc, trend_key
