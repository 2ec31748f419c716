{#- Revenue by template: its posts together. Its history is the same row of earlier as-of dates. -#}

with

counted as (

    {{ counted_revenue(ref('template_revenue'), ref('int_as_of')) }}

),

named as (

    -- Of several posts the one that earned most says what the template is.
    select
        *,
        row_number() over (
            partition by as_of_date, template_key
            order by received desc nulls last, sheet_row asc
        ) as place
    from counted

),

by_template as (

    select
        as_of_date,
        template_key,
        min(posted_on) as first_posted_on,
        max(posted_on) as last_posted_on,
        {{ revenue_sums() }}
    from counted
    group by as_of_date, template_key

)

select
    by_template.as_of_date,
    by_template.template_key,
    named.template_link,
    named.trend_description,
    named.account,
    named.url,
    named.trend_key,
    by_template.first_posted_on,
    by_template.last_posted_on,
    by_template.posts,
    by_template.received,
    by_template.estimated,
    by_template.outstanding,
    by_template.installs,
    by_template.revenue_per_install,
    by_template.hits,
    by_template.at_cap
from by_template
inner join named
    on
        by_template.as_of_date = named.as_of_date
        and by_template.template_key = named.template_key
        and named.place = 1
