{#- Section 2: when accounts post, by weekday and hour of their market's clock. -#}

-- The incremental strategy reads the batch.
-- depends_on: {{ ref('int_as_of') }}
with

parties as (

    select * from {{ ref('int_parties') }}

),

posts as (

    select * from {{ ref('int_party_posts') }}
    where is_in_week

),

bucketed as (

    select
        as_of_date,
        party,
        'weekday' as pattern,
        {{ iso_weekday('local_posted_at') }} as bucket
    from posts

    union all

    select
        as_of_date,
        party,
        'hour' as pattern,
        cast(extract(hour from local_posted_at) as integer) as bucket
    from posts

),

counted as (

    select
        as_of_date,
        party,
        pattern,
        bucket,
        count(*) as posts
    from bucketed
    group by as_of_date, party, pattern, bucket

),

totals as (

    select
        parties.as_of_date,
        parties.party,
        parties.is_total,
        parties.role,
        count(posts.video_id) as n
    from parties
    left join posts
        on
            parties.as_of_date = posts.as_of_date
            and parties.party = posts.party
    group by parties.as_of_date, parties.party, parties.is_total, parties.role

),

all_rows as (

    select
        totals.as_of_date,
        totals.party,
        totals.is_total,
        totals.role,
        'all' as pattern,
        0 as bucket,
        totals.n as posts,
        totals.n
    from totals

    union all

    select
        totals.as_of_date,
        totals.party,
        totals.is_total,
        totals.role,
        counted.pattern,
        counted.bucket,
        counted.posts,
        totals.n
    from totals
    inner join counted
        on
            totals.as_of_date = counted.as_of_date
            and totals.party = counted.party

)

select
    as_of_date,
    party as account,
    is_total,
    role,
    pattern,
    cast(bucket as integer) as bucket,
    posts,
    n,
    {{ if_enough('cast(posts as double) / n', 'n') }} as share,
    round(posts / 7.0, 9) as posts_per_day
from all_rows
