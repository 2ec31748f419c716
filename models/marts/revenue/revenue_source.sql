{#- Where a date's revenue comes from: shown wherever revenue is. -#}

-- The incremental strategy reads the batch.
-- depends_on: {{ ref('int_as_of') }}
with

reads as (

    select * from {{ ref('int_revenue_reads') }}

),

revenue_rows as (

    select * from {{ ref('int_revenue_rows') }}

),

caps as (

    select
        reads.as_of_date,
        {{ value_at_max('rates.cap', 'rates.valid_from') }} as cap
    from reads
    inner join {{ ref('revenue_rates') }} as rates
        on reads.as_of_date >= rates.valid_from
    group by reads.as_of_date

),

counted as (

    select
        as_of_date,
        count(*) filter (where is_counted) as row_count,
        count(*) filter (where not is_counted) as quarantined_rows,
        count(duplicate_of_row) as duplicate_rows,
        sum(received) as total_received,
        {{ joined_in_order("'row ' || sheet_row || ': ' || problem", '; ', 'sheet_row') }} as problems
    from revenue_rows
    group by as_of_date

)

select
    reads.as_of_date,
    reads.source,
    reads.is_simulated,
    reads.observed_at,
    {{ hours_between('reads.observed_at', 'reads.cutoff_at') }} as age_hours,
    coalesce(counted.row_count, 0) as row_count,
    coalesce(counted.quarantined_rows, 0) as quarantined_rows,
    coalesce(counted.duplicate_rows, 0) as duplicate_rows,
    coalesce(cast(counted.total_received as double), 0) as total_received,
    cast(caps.cap as double) as cap,
    nullif(reads.failure, '') as failure,
    counted.problems,
    nullif(reads.notes, '') as notes
from reads
left join caps
    on reads.as_of_date = caps.as_of_date
left join counted
    on reads.as_of_date = counted.as_of_date
