"""The score's places hold when every count is off by up to 1 %, as caches and rounding make them."""

from __future__ import annotations

from pathlib import Path

import pytest
from dbt_subset import Subset, create_subset

VIDEOS = 400
# Two markets hold the same videos: EXACT their counts, NOISY the same with up to 1 % either way on each reading.
COUNTS = f"""
with videos as (select range as n from range({VIDEOS})),
drawn as (
    select
        n,
        'v' || n as video_id,
        10 + (n * 7) % 160 as age_hours,
        exp(7 + 6 * ((n * 37 % {VIDEOS}) / {VIDEOS}.0)) as day_1,
        0.02 + 0.9 * ((n * 91 % {VIDEOS}) / {VIDEOS}.0) as growth,
        0.3 + 0.9 * ((n * 53 % {VIDEOS}) / {VIDEOS}.0) as kept,
        0.001 + 0.02 * ((n * 17 % {VIDEOS}) / {VIDEOS}.0) as share_rate
    from videos
),
exact as (
    select
        *,
        day_1 * (1 + growth) as day_2,
        day_1 * (1 + growth + growth * kept) as day_3
    from drawn
),
noisy as (
    select
        market,
        exact.*,
        greatest(day_1 * (1 + off * (hash(n, 1) % 201 / 100.0 - 1)), 0) as plays_1,
        greatest(day_2 * (1 + off * (hash(n, 2) % 201 / 100.0 - 1)), 0) as plays_2,
        greatest(day_3 * (1 + off * (hash(n, 3) % 201 / 100.0 - 1)), 0) as plays_3,
        share_rate * day_3 * (1 + off * (hash(n, 4) % 201 / 100.0 - 1)) as shares,
        5 * share_rate * day_3 * (1 + off * (hash(n, 5) % 201 / 100.0 - 1)) as likes
    from exact
    cross join (values ('EXACT', 0.0), ('NOISY', 0.01)) as markets (market, off)
)
"""
PARENTS = {
    "int_as_of": "select date '2026-03-10' as as_of_date, timestamp '2026-03-10 18:00:00' as cutoff_at",
    "int_videos_as_of": COUNTS
    + """
    select
        date '2026-03-10' as as_of_date, timestamp '2026-03-10 18:00:00' as cutoff_at, market,
        market as reading_market, video_id, age_hours, false as age_is_lower_bound, plays_3 as plays,
        plays_3 / age_hours as views_per_hour, shares, likes
    from noisy
    """,
    "int_forecast_bases": COUNTS
    + """
    select
        date '2026-03-10' as as_of_date, market, video_id, plays_3 as base_plays,
        case when n % 5 > 0 then greatest(plays_3, plays_2) - plays_2 end as pace, 24.0 as pace_gap_hours,
        case when n % 5 > 1 then greatest(plays_2, plays_1) - plays_1 end as previous_pace
    from noisy
    """,
    "int_video_readings": COUNTS
    + """
    select
        market, video_id, date '2026-03-10' as reading_date, 1.0 as live_views_per_hour,
        timestamp '2026-03-10 12:00:00' - to_hours(cast(24 * nth as integer)) as observed_at
    from noisy
    cross join (values (0), (1)) as intervals (nth)
    where n % 5 > nth
    """,
    "int_trend_keys": "select date '2026-03-10' as as_of_date, 'v1' as video_id, 'sound:1' as trend_key",
    "trends_daily": (
        "select date '2026-03-10' as as_of_date, 'EXACT' as market, 'sound:1' as trend_key, 1 as creators"
    ),
}


@pytest.fixture(scope="module")
def scored(tmp_path_factory: pytest.TempPathFactory) -> Subset:
    """The score models, built on the two markets."""
    folder: Path = tmp_path_factory.mktemp("scores") / "project"
    models = ["int_score_features", "int_video_scores"]
    subset = create_subset(folder, models=models, seeds=[], parents=PARENTS)
    subset.build(as_of_dates=["2026-03-10"])
    return subset


def test_places_hold_under_one_percent_of_noise(scored: Subset) -> None:
    ((videos, mean_shift, wide_shift, widest_shift, agreement),) = scored.rows("""
        select
            count(*), avg(abs(exact.score - noisy.score)), quantile_cont(abs(exact.score - noisy.score), 0.95),
            max(abs(exact.score - noisy.score)), corr(exact.score, noisy.score)
        from intermediate.int_video_scores as exact
        inner join intermediate.int_video_scores as noisy on exact.video_id = noisy.video_id
        where exact.market = 'EXACT' and noisy.market = 'NOISY'
    """)
    assert videos == VIDEOS
    assert 0 < mean_shift < 3
    assert wide_shift < 10
    assert widest_shift < 30
    assert agreement > 0.98


def test_scores_spread_over_the_whole_scale(scored: Subset) -> None:
    ((lowest, highest, middle),) = scored.rows(
        "select min(score), max(score), avg(score) from intermediate.int_video_scores where market = 'EXACT'"
    )
    assert lowest < 1
    assert highest > 99
    assert middle == pytest.approx(50, abs=0.01)
