{#- The batch: the dates this run builds and the moment up to which each of them sees raw rows. -#}

with

cutoffs as (

    select * from {{ source('meta', 'cutoffs') }}

)

select
    as_of_date,
    cutoff_at
from cutoffs
{% if as_of_dates() %}
where as_of_date in ({{ date_literals(as_of_dates()) }})
{% elif not flags.FULL_REFRESH %}
where as_of_date = (select max(latest.as_of_date) from cutoffs as latest)
{% endif %}
