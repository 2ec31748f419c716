-- Against which competitor am I first, and whose posts get larger?
select
    account,
    count(*) as contested_trends,
    count(*) filter (first_by = 'YOU') as you_first,
    count(*) filter (larger_by = 'YOU') as you_larger,
    round(median(hours_ahead), 1) as hours_ahead
from marts.competitor_scorecard
where as_of_date = (select max(as_of_date) from marts.competitor_scorecard) and not is_total and first_by is not null
group by account
order by contested_trends desc, account
