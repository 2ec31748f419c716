{#- The rows of the reading that each date sees, with the rates and the cap of the day the template was first seen. -#}

with

reads as (

    select * from {{ ref('int_revenue_reads') }}

),

sheet_rows as (

    select * from {{ ref('stg_sheet__revenue_rows') }}

),

rates as (

    select
        *,
        lead(valid_from) over (order by valid_from) as valid_until,
        row_number() over (order by valid_from) as rate_number
    from {{ ref('revenue_rates') }}

),

seen as (

    select
        reads.as_of_date,
        reads.cutoff_at,
        sheet_rows.*,
        sheet_rows.problem is null as is_counted,
        min(case when sheet_rows.problem is null then sheet_rows.sheet_row end) over (
            partition by reads.as_of_date, sheet_rows.url_key
        ) as first_row_of_url
    from reads
    inner join sheet_rows
        on reads.rows_read_id = sheet_rows.read_id

)

select
    seen.as_of_date,
    seen.cutoff_at,
    seen.sheet_row,
    seen.url,
    seen.video_id,
    seen.account,
    seen.template_link,
    seen.template_id,
    seen.tutorial_link,
    seen.received,
    seen.estimated,
    seen.us_eu3_installs,
    seen.row_installs,
    case
        when coalesce(seen.us_eu3_installs, seen.row_installs) is not null
            then coalesce(seen.us_eu3_installs, 0) + coalesce(seen.row_installs, 0)
    end as total_installs,
    seen.trend_description,
    seen.momentum_at_detection,
    seen.trigger_level,
    seen.action_window,
    seen.market,
    seen.ai_category,
    seen.age_at_detection_hours,
    seen.first_seen_on,
    seen.notes,
    seen.posted_on,
    coalesce('template:' || seen.template_id, 'post:' || seen.url_key) as template_key,
    seen.entered,
    seen.problem,
    seen.is_counted,
    case when seen.url_key is not null and seen.first_row_of_url < seen.sheet_row then seen.first_row_of_url end
        as duplicate_of_row,
    rates.us_eu3_rate,
    rates.row_rate,
    rates.cap,
    coalesce(seen.received >= rates.cap, false) as is_at_cap,
    coalesce(seen.received > 0, false) as is_hit
from seen
inner join rates
    on
        -- A template that is first seen later is not known yet.
        coalesce(seen.first_seen_on <= seen.as_of_date, true)
        and (
            coalesce(seen.first_seen_on, seen.as_of_date) >= rates.valid_from
            -- What was seen before the first rate has that one.
            or rates.rate_number = 1
        )
        and (coalesce(seen.first_seen_on, seen.as_of_date) < rates.valid_until or rates.valid_until is null)
