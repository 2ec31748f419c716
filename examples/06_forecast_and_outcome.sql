-- What did we say of each video a day ago, and what came?
select
    market,
    video_id,
    base_plays,
    p10,
    p50,
    p90,
    actual_gain,
    outcome,
    no_outcome_because
from marts.forecast_outcomes
where as_of_date = (select max(as_of_date) from marts.forecast_outcomes) and record = 'replay' and horizon_hours = 24
order by actual_gain desc nulls last, p50 desc, video_id, market
