{#-
    The market's own date at each cut-off, and the furthest one that an earlier as-of date had reached: a rung is due
    on every date in between, so none is lost when runs are skipped or the clock jumps, and none comes twice.
-#}

with

batch as (

    select * from {{ ref('int_as_of') }}

),

cutoffs as (

    select * from {{ source('meta', 'cutoffs') }}

),

markets as (

    select * from {{ ref('markets') }}

),

local_days as (

    select
        cutoffs.as_of_date,
        markets.market,
        {{ local_date('cutoffs.cutoff_at', 'markets.timezone') }} as local_date
    from cutoffs
    cross join markets

),

followed as (

    select
        as_of_date,
        market,
        local_date,
        max(local_date) over (
            partition by market
            order by as_of_date
            rows between unbounded preceding and 1 preceding
        ) as reached_before
    from local_days

)

select
    batch.as_of_date,
    batch.cutoff_at,
    followed.market,
    followed.local_date,
    -- The first date ever announces what is due that day, not all that went before.
    coalesce(followed.reached_before, followed.local_date - 1) as reached_before
from batch
inner join followed
    on batch.as_of_date = followed.as_of_date
