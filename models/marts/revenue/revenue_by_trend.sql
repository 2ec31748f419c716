{#- Revenue by trend: what the templates under a sound, tag, effect or template earned. -#}

with

counted as (

    {{ counted_revenue(ref('template_revenue'), ref('int_as_of')) }}

)

select
    as_of_date,
    trend_key,
    min(trend_key_type) as trend_key_type,
    count(distinct template_key) as templates,
    min(posted_on) as first_posted_on,
    max(posted_on) as last_posted_on,
    {{ revenue_sums() }}
from counted
where trend_key_type <> 'video'
group by as_of_date, trend_key
