{#- Section 6: how often an account comes back to a trend within the week. -#}

-- The incremental strategy reads the batch.
-- depends_on: {{ ref('int_as_of') }}
with

posts as (

    select * from {{ ref('int_party_posts') }}
    where
        is_in_week
        and is_on_trend

),

counted as (

    select
        as_of_date,
        party,
        is_total,
        role,
        trend_key,
        min(trend_key_type) as trend_key_type,
        count(*) as posts,
        count(distinct cast(local_posted_at as date)) as days,
        min(posted_at) as first_posted_at,
        max(posted_at) as last_posted_at
    from posts
    group by as_of_date, party, is_total, role, trend_key

)

select
    as_of_date,
    party as account,
    is_total,
    role,
    trend_key,
    trend_key_type,
    posts,
    days,
    first_posted_at,
    last_posted_at,
    row_number() over (
        partition by as_of_date, party
        order by posts desc, trend_key asc
    ) as variation_rank
from counted
