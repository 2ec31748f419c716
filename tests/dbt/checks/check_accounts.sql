{% set mode = check_mode('check_accounts') %}
{{
    config(
        enabled=mode != 'off',
        severity='error' if mode == 'block' else 'warn',
        meta={'description': 'A row of seeds/accounts.csv names no account.', 'dagster': {'ref': {'name': 'my_performance'}}},
    )
}}

{#- A blank row is nobody's mistake; one that says something and can't be used is. -#}

-- Own posts are what a lost account is missed in.
-- depends_on: {{ ref('my_performance') }}

select
    batch.as_of_date,
    'seeds/accounts.csv: the row "' || coalesce(accounts.handle, '') || ',' || coalesce(accounts.role, '') || ','
    || coalesce(accounts.market, '') || '" is not used: it needs a handle, and the role own or competitor' as message
from {{ ref('accounts') }} as accounts
cross join {{ ref('int_as_of') }} as batch
where
    coalesce(accounts.handle, accounts.role, accounts.market) is not null
    and (
        coalesce({{ bare_handle('accounts.handle') }}, '') = ''
        or coalesce(lower(trim(accounts.role)), '') not in ('own', 'competitor')
    )
