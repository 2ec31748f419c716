{#- Every account and the two totals on every date: one without a post is named with a zero. -#}

with

batch as (

    select * from {{ ref('int_as_of') }}

),

accounts as (

    select
        handle as account,
        role,
        home_market
    from {{ ref('int_accounts') }}

),

parties as (

    select
        account as party,
        false as is_total,
        role,
        home_market
    from accounts

    union all

    select
        {{ total_of('role') }} as party,
        true as is_total,
        role,
        cast(null as string) as home_market
    from accounts
    group by role

)

select
    batch.as_of_date,
    parties.party,
    parties.is_total,
    parties.role,
    parties.home_market
from batch
cross join parties
