-- depends_on: {{ ref('int_as_of') }}
{#-
    Of which fit each date's trees are: the first date of its stretch of days that anything was read on. Told by the
    calendar and the cut-offs alone, so that a date built alone or again has the trees that it had.
-#}

{%- set days = var('forecast_tree_days') | int %}

with

cutoffs as (

    select
        as_of_date,
        cutoff_at,
        floor(({{ days_between("date '1970-01-01'", 'as_of_date') }}) / {{ days }}) as stretch
    from {{ source('meta', 'cutoffs') }}
    where as_of_date > {{ window_start(ref('int_as_of'), days) }}

),

firsts as (

    select
        stretch,
        min(as_of_date) as fitted_on
    from cutoffs
    group by stretch

)

select
    batch.as_of_date,
    batch.cutoff_at,
    firsts.fitted_on
from {{ ref('int_as_of') }} as batch
inner join cutoffs on batch.as_of_date = cutoffs.as_of_date
inner join firsts on cutoffs.stretch = firsts.stretch
