{#- The scorecard added up, per competitor and over all of them. -#}

-- The incremental strategy reads the batch.
-- depends_on: {{ ref('int_as_of') }}
with

parties as (

    select * from {{ ref('int_parties') }}
    where role = 'competitor'

),

scorecard as (

    select * from {{ ref('competitor_scorecard') }}
    where as_of_date >= {{ window_start(ref('int_as_of'), 0) }}

),

counted as (

    select
        as_of_date,
        account,
        count(*) as trends,
        count(first_by) as contested,
        count(*) filter (where first_by = 'YOU') as you_first,
        count(*) filter (where first_by = 'THEM') as they_first,
        count(larger_by) as measured,
        count(*) filter (where larger_by = 'YOU') as you_larger,
        count(*) filter (where larger_by = 'THEM') as they_larger,
        count(*) filter (where skipped_by = 'YOU') as skipped_by_you,
        count(*) filter (where skipped_by = 'THEM') as skipped_by_them
    from scorecard
    group by as_of_date, account

)

select
    parties.as_of_date,
    parties.party as account,
    parties.is_total,
    coalesce(counted.trends, 0) as trends,
    coalesce(counted.contested, 0) as contested,
    coalesce(counted.you_first, 0) as you_first,
    coalesce(counted.they_first, 0) as they_first,
    {{ if_enough('cast(counted.you_first as double) / counted.contested', 'counted.contested') }} as you_first_share,
    coalesce(counted.measured, 0) as measured,
    coalesce(counted.you_larger, 0) as you_larger,
    coalesce(counted.they_larger, 0) as they_larger,
    {{ if_enough('cast(counted.you_larger as double) / counted.measured', 'counted.measured') }} as you_larger_share,
    coalesce(counted.skipped_by_you, 0) as skipped_by_you,
    coalesce(counted.skipped_by_them, 0) as skipped_by_them
from parties
left join counted
    on
        parties.as_of_date = counted.as_of_date
        and parties.party = counted.account
