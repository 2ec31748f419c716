{#- Lines of a loop stand in the indentation of the loop.
-- sqlfluff:exclude_rules:LT02
-#}
{#-
    Section 7: what the week's posts may have earned, under a stated assumption: installs per 1,000 views at a low, a
    middle and a high value, paid by the rates of the date, at most the cap per post. Never one number.
#}

with

batch as (

    select * from {{ ref('int_as_of') }}

),

parties as (

    select * from {{ ref('int_parties') }}

),

posts as (

    select * from {{ ref('int_party_posts') }}
    where is_in_week

),

received as (

    select
        as_of_date,
        video_id,
        sum(received) as received
    from {{ ref('int_revenue_rows') }}
    where
        is_counted
        and video_id is not null
    group by as_of_date, video_id

),

{{ rates_of_the_day(ref('revenue_rates')) }},

valued as (

    select
        posts.as_of_date,
        posts.party,
        posts.video_id,
        posts.plays,
        posts.role,
        received.received,
        -- In whole cents: a sum of fractions would depend on the order of its rows.
        {%- for quantile in ['p10', 'p50', 'p90'] %}
        {%- set value = 'posts.plays / 1000.0 * ' ~ revenue_per_1000_views(quantile) %}
        cast(round(100 * {{ at_most(value, 'cast(rates.cap as double)') }}) as bigint) as cents_{{ quantile }}
        {{- ',' if not loop.last }}
        {%- endfor %}
    from posts
    inner join rates
        on posts.as_of_date = rates.as_of_date
    left join received
        on
            posts.as_of_date = received.as_of_date
            and posts.video_id = received.video_id

),

summed as (

    select
        as_of_date,
        party,
        count(*) as posts,
        cast(sum(coalesce(plays, 0)) as bigint) as plays,
        sum(cents_p10) / 100.0 as revenue_p10,
        sum(cents_p50) / 100.0 as revenue_p50,
        sum(cents_p90) / 100.0 as revenue_p90,
        sum(case when role = 'own' then received end) as received
    from valued
    group by as_of_date, party

)

select
    parties.as_of_date,
    parties.party as account,
    parties.is_total,
    parties.role,
    coalesce(summed.posts, 0) as posts,
    coalesce(summed.plays, 0) as plays,
    cast(summed.revenue_p10 as double) as revenue_p10,
    cast(summed.revenue_p50 as double) as revenue_p50,
    cast(summed.revenue_p90 as double) as revenue_p90,
    cast(summed.received as double) as received,
    'assumption: {{ var('competitor_installs_per_1000_views_p10') }} to '
    || '{{ var('competitor_installs_per_1000_views_p90') }} installs per 1,000 views, '
    || cast(cast(100 * {{ var('competitor_us_eu3_share') }} as integer) as string) || ' % of them at $'
    || cast(cast(rates.us_eu3_rate as decimal(18, 2)) as string) || ', the others at $'
    || cast(cast(rates.row_rate as decimal(18, 2)) as string) || ', at most $'
    || cast(cast(rates.cap as decimal(18, 0)) as string) || ' a post' as assumption
from parties
left join summed
    on
        parties.as_of_date = summed.as_of_date
        and parties.party = summed.party
left join rates
    on parties.as_of_date = rates.as_of_date
