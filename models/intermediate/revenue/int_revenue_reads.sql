{#-
    The revenue reading that each date sees: the newest one known by its cut-off, whenever the date is made again. The
    shipped entries give way to any reading of a sheet that is known; they are simulated, and no part of a home of real
    feeds.
-#}

with

batch as (

    select * from {{ ref('int_as_of') }}

),

reads as (

    select * from {{ source('raw', 'revenue_reads') }}

),

renewed as (

    select * from {{ source('meta', 'revenue_cutoffs') }}

),

home as (

    select coalesce(bool_or(source <> 'sample'), false) as is_real
    from {{ source('raw', 'loads') }}

),

with_first as (

    select
        batch.as_of_date,
        batch.cutoff_at,
        reads.*,
        min(case when reads.attempted_at >= batch.cutoff_at then reads.attempted_at end) over (
            partition by batch.as_of_date
        ) as first_read_at
    from batch
    cross join reads

),

offered as (

    select
        with_first.*,
        -- The run that fixes a cut-off reads revenue moments after it, and a repeat of it is given the same; an edited
        -- sheet may be asked for later.
        with_first.attempted_at <= greatest(
            with_first.cutoff_at,
            case
                when
                    with_first.first_read_at
                    <= with_first.cutoff_at + interval {{ var('revenue_read_minutes') }} minute
                    then with_first.first_read_at
                else with_first.cutoff_at
            end,
            coalesce(renewed.cutoff_at, with_first.cutoff_at)
        ) as is_known,
        -- A reading out of the cache was made when the sheet still answered.
        coalesce(with_first.observed_at <= with_first.cutoff_at, false) as was_entered
    from with_first
    left join renewed
        on with_first.as_of_date = renewed.as_of_date

),

placed as (

    select
        *,
        row_number() over (
            partition by as_of_date
            order by
                source <> 'seed' desc,
                is_known desc,
                case when is_known then attempted_at end desc,
                attempted_at asc,
                read_id asc
        ) as place,
        -- The newest attempt says why no better source answered.
        first_value(failure) over (
            partition by as_of_date
            order by is_known desc, case when is_known then attempted_at end desc, attempted_at asc, read_id asc
        ) as last_failure
    from offered
    where
        (is_known or was_entered or is_simulated)
        and not (is_simulated and (select home.is_real from home))

)

select
    as_of_date,
    cutoff_at,
    read_id,
    rows_read_id,
    source,
    is_simulated,
    observed_at,
    attempted_at,
    last_failure as failure,
    notes
from placed
where place = 1
