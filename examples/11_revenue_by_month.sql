-- What came in by month, and how does it grow?
select
    month,
    templates,
    total_revenue,
    hits,
    round(100 * (total_revenue / lag(total_revenue) over (order by month) - 1), 1) as growth_percent
from marts.revenue_monthly
where as_of_date = (select max(as_of_date) from marts.revenue_monthly)
order by month
