-- Which posts did far better than their creator is used to?
select
    author_handle,
    video_id,
    views_24h,
    previous_median_views_24h,
    views_ratio,
    is_breakout
from marts.creator_outliers
where as_of_date = (select max(as_of_date) from marts.creator_outliers) and is_win
order by outlier_score desc, video_id
