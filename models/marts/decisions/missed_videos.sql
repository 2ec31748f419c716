{#-
    Videos that were to be built and were not, one by one, with why: told as decision_scores counts them. A later date
    may know of more: of a decision date the rows of the latest as_of_date count.
-#}

{%- set horizon = var('decision_horizon_hours') | int %}

with

{{ judged_decisions(horizon, ref('int_as_of'), ref('int_forecast_outcomes'), ref('decisions')) }},

videos as (

    select * from {{ ref('videos_daily') }}
    where
        as_of_date >= {{ window_start(ref('int_as_of'), horizon // 24 + 2) }}
        and as_of_date in (select came_in.forecast_date from came_in)

)

select
    judged.as_of_date,
    judged.decision_date,
    judged.market,
    judged.video_id,
    judged.decision_mode,
    {{ horizon }} as horizon_hours,
    judged.actual_gain,
    cast(judged.gain_rank as bigint) as gain_rank,
    cast(judged.videos as bigint) as videos,
    decided.gain_p50,
    decided.gain_expected,
    decided.decision_reasons,
    decided.stop_reason,
    decided.would_change_if,
    videos.video_url,
    videos.caption,
    videos.author_handle,
    videos.author_role,
    videos.trend_key,
    videos.plays,
    coalesce(videos.is_ad, false) as is_ad
from judged
inner join decided
    on
        judged.decision_date = decided.as_of_date
        and judged.market = decided.market
        and judged.video_id = decided.video_id
        and judged.decision_mode = decided.decision_mode
inner join videos
    on
        judged.decision_date = videos.as_of_date
        and judged.market = videos.market
        and judged.video_id = videos.video_id
where
    judged.is_right
    and not judged.is_build
