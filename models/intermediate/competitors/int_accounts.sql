{#-
    The accounts of the seed as the models know them: handles as people type them are bare, and a handle that stands
    twice counts once, as an own account where one of its rows says so.
-#}

with

accounts as (

    select
        {{ bare_handle('handle') }} as handle,
        lower(trim(role)) as role,
        upper(trim(market)) as market
    from {{ ref('accounts') }}

)

select
    handle,
    max(role) as role,
    min(market) as home_market
from accounts
where
    handle <> ''
    and role in ('own', 'competitor')
group by handle
