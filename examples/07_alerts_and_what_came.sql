-- Which alerts were sent, and were the videos still ahead a day later?
select
    alerts.alerted_at,
    alerts.market,
    alerts.author_handle,
    alerts.gain_views,
    alerts.hours,
    alerts.z,
    outcomes.gain_views as gained_24h,
    outcomes.is_right
from marts.acceleration_alerts as alerts
left join marts.alert_outcomes as outcomes
    on
        alerts.video_id = outcomes.video_id
        and alerts.market = outcomes.market
        and alerts.alerted_at = outcomes.alerted_at
        and outcomes.horizon_hours = 24
where alerts.is_message
order by alerts.alerted_at desc, alerts.market, alerts.video_id
