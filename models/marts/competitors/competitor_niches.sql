{#- Section 5: what accounts post about and where, beside the own accounts' mix. -#}

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

valued as (

    select
        as_of_date,
        party,
        'ai_category' as dimension,
        ai_category as value
    from posts

    union all

    select
        as_of_date,
        party,
        'market' as dimension,
        market_label as value
    from posts

),

seen_values as (

    select distinct
        as_of_date,
        dimension,
        value
    from valued

),

counted as (

    select
        as_of_date,
        party,
        dimension,
        value,
        count(*) as posts
    from valued
    group by as_of_date, party, dimension, value

),

sizes as (

    select
        as_of_date,
        party,
        count(*) as n
    from posts
    group by as_of_date, party

),

shares as (

    select
        parties.as_of_date,
        parties.party,
        parties.is_total,
        parties.role,
        seen_values.dimension,
        seen_values.value,
        coalesce(counted.posts, 0) as posts,
        coalesce(sizes.n, 0) as n,
        {{ if_enough('cast(coalesce(counted.posts, 0) as double) / sizes.n', 'sizes.n') }} as share
    from parties
    inner join seen_values
        on parties.as_of_date = seen_values.as_of_date
    left join counted
        on
            parties.as_of_date = counted.as_of_date
            and parties.party = counted.party
            and seen_values.dimension = counted.dimension
            and seen_values.value = counted.value
    left join sizes
        on
            parties.as_of_date = sizes.as_of_date
            and parties.party = sizes.party

)

select
    shares.as_of_date,
    shares.party as account,
    shares.is_total,
    shares.role,
    shares.dimension,
    shares.value,
    shares.posts,
    shares.n,
    shares.share,
    own.share as your_share,
    round(100 * (shares.share - own.share), 6) as gap_points,
    coalesce(abs(round(100 * (shares.share - own.share), 6)) > {{ var('competitor_gap_points') }}, false) as is_gap
from shares
left join shares as own
    on
        shares.as_of_date = own.as_of_date
        and shares.dimension = own.dimension
        and shares.value = own.value
        and own.party = 'YOU'
