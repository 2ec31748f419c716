-- The incremental strategy reads the batch.
-- depends_on: {{ ref('int_as_of') }}

with

windows as (

    select * from {{ ref('int_seasonal_windows') }}

)

select
    as_of_date,
    market,
    window_key,
    name,
    emoji,
    tone,
    template_ideas,
    starts_on,
    ends_on,
    day_number,
    days_left
from windows
