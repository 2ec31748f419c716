{{ config(materialized='table') }}

{#- Rows of all revenue readings with new content, the unreadable ones too: they are shown, and never counted. -#}

with

readable as (

    select * from {{ source('raw', 'revenue_rows') }}

),

unreadable as (

    select * from {{ source('raw', 'revenue_quarantine') }}

),

all_rows as (

    select
        read_id,
        sheet_row,
        url,
        video_id,
        account,
        template_link,
        tutorial_link,
        received,
        estimated,
        us_eu3_installs,
        row_installs,
        trend_description,
        momentum_at_detection,
        trigger_level,
        action_window,
        market,
        ai_category,
        age_at_detection_hours,
        first_seen_on,
        notes,
        post_date,
        entered,
        cast(null as string) as problem
    from readable

    union all

    select
        read_id,
        sheet_row,
        null as url,
        null as video_id,
        null as account,
        null as template_link,
        null as tutorial_link,
        null as received,
        null as estimated,
        null as us_eu3_installs,
        null as row_installs,
        null as trend_description,
        null as momentum_at_detection,
        null as trigger_level,
        null as action_window,
        null as market,
        null as ai_category,
        null as age_at_detection_hours,
        null as first_seen_on,
        null as notes,
        null as post_date,
        entered,
        problem
    from unreadable

)

select
    read_id,
    sheet_row,
    url,
    video_id,
    coalesce(video_id, {{ stripped_right("lower(split_part(split_part(url, '?', 1), '#', 1))", '/') }}) as url_key,
    lower({{ stripped_left('trim(account)', '@') }}) as account,
    template_link,
    coalesce(
        {{ regex_capture('template_link', '/template-detail/([0-9]+)') }},
        {{ regex_capture('template_link', 'template_id=([0-9]+)') }}
    ) as template_id,
    tutorial_link,
    received,
    estimated,
    us_eu3_installs,
    row_installs,
    trend_description,
    momentum_at_detection,
    case
        when upper(trigger_level) like '%URGENT%' then 'URGENT'
        when upper(trigger_level) like '%HIGH%' then 'HIGH'
        when upper(trigger_level) like '%WATCH%' then 'WATCH'
        else 'NONE'
    end as trigger_level,
    action_window,
    case
        when upper(market) like '%BOTH%' then 'BOTH'
        when upper(market) like '%US ONLY%' then 'US ONLY'
        when upper(market) like '%UK ONLY%' then 'UK ONLY'
        else 'OTHER'
    end as market,
    case
        when upper(trim(ai_category)) = 'AI' then 'AI'
        when upper(trim(ai_category)) like 'NON_AI' then 'NON-AI'
        else 'OTHER'
    end as ai_category,
    age_at_detection_hours,
    first_seen_on,
    notes,
    post_date,
    -- The day that its money is for. An id of TikTok's holds the second in which it was made.
    coalesce(
        post_date,
        first_seen_on,
        case
            when length(video_id) = 19
                then cast({{ epoch_to_timestamp(whole_quotient('try_cast(video_id as bigint)', 4294967296)) }} as date)
        end
    ) as posted_on,
    entered,
    problem
from all_rows
