{% set mode = check_mode('check_watchlist') %}
{{
    config(
        enabled=mode != 'off',
        severity='error' if mode == 'block' else 'warn',
        meta={'description': 'A row of seeds/watchlist.csv can not be used.', 'dagster': {'ref': {'name': 'build_list'}}},
    )
}}

{#- A blank row is nobody's mistake; one that says something and can't be used is. -#}

-- The list is what a lost entry is missed in.
-- depends_on: {{ ref('build_list') }}

with

rows_of_the_file as (

    select
        *,
        'seeds/watchlist.csv: the row "' || coalesce(kind, '') || ',' || coalesce(value, '') || ','
        || coalesce(action, '') || ',' || coalesce(market, '') || '" is not used: ' as told,
        case
            when coalesce(trim(value), '') = '' then 'it names nothing'
            when coalesce(lower(trim(kind)), '') not in ('account', 'tag', 'sound', 'template', 'keyword')
                then 'its kind is none of account, tag, sound, template, keyword'
            when coalesce(lower(trim(action)), '') not in ('mute', 'follow') then 'its action is neither mute nor follow'
            when
                coalesce(trim(market), '') <> ''
                and upper(trim(market)) not in (select markets.market from {{ ref('markets') }} as markets)
                then 'its market is not in seeds/markets.csv; leave it empty for all'
            when lower(trim(kind)) = 'account' and coalesce({{ bare_handle('value') }}, '') = '' then 'it has no handle'
            when lower(trim(kind)) in ('sound', 'template') and {{ watched_key('lower(trim(kind))', 'value') }} is null
                then 'its value has no id: copy the link of its page'
        end as problem
    from {{ ref('watchlist') }}

)

select
    batch.as_of_date,
    listed.told || listed.problem as message
from rows_of_the_file as listed
cross join {{ ref('int_as_of') }} as batch
where
    coalesce(listed.kind, listed.value, listed.action, listed.market) is not null
    and listed.problem is not null
