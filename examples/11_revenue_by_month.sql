-- What came in by month, and how does it grow?
select
    month,
    templates,
    total_revenue,
    hits,
    growth,
    is_over
from marts.revenue_monthly
where as_of_date = (select max(as_of_date) from marts.revenue_monthly)
order by month
