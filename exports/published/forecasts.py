"""Forecasts of the day, and the log of what was foretold and what came; a market of None is all of them."""

from __future__ import annotations

from typing import Any

from exports.published.day import Day


def forecast_counts(day: Day) -> dict[str, Any]:
    """How many 24 h forecasts the date has, how many rest on a prior or on an old reading, and the models used."""
    return day.table(
        """
        select
            count(*) as made,
            count(*) filter (is_cold_start) as cold_starts,
            count(*) filter (is_stale) as stale,
            string_agg(distinct model, ', ' order by model) as models
        from marts.forecasts
        where as_of_date = $as_of_date and horizon_hours = 24
        """
    ).dicts()[0]


# Columns of the scorecard that a row of the prediction log carries.
_SAID = (
    "record", "horizon_hours", "days", "made", "due", "scored", "share_scored", "share_cold", "is_enough", "is_greyed",
    "score", "twin", "twin_score", "skill", "skill_low", "skill_high", "bias", "coverage_80", "direction_accuracy",
    "slowed_share", "score_low", "score_high", "is_panel_enough", "panel_days", "panel_read", "panel_gone",
    "panel_score", "panel_twin", "panel_twin_score", "panel_skill", "panel_skill_low", "panel_skill_high", "panel_bias",
    "panel_coverage_80",
)  # fmt: skip


def prediction_log(day: Day, market: str | None) -> list[dict[str, Any]]:
    """Scores of the 24-hour forecasts up to the date, with their naive twin and the decisions scored that day."""
    return day.table(
        """
        with chosen as (
            select * from marts.forecast_scores
            where as_of_date <= $as_of_date and market = coalesce($market, 'ALL') and horizon_hours = 24
                and model = 'chosen'
        ),
        naive as (
            select * from marts.forecast_scores
            where market = coalesce($market, 'ALL') and horizon_hours = 24 and model = 'last_gain'
        ),
        decided as (
            select
                as_of_date, sum(correct_builds) as correct_builds, sum(false_positives) as false_positives,
                sum(missed) as missed, sum(correct_skips) as correct_skips
            from marts.decision_scores
            where market = coalesce($market, 'ALL') and decision_mode = (
                select coalesce(any_value(decision_mode), 'measured') from marts.videos_daily
                where as_of_date = $as_of_date
            )
            group by as_of_date
        ),
        said as (
            select * from marts.scorecard
            where as_of_date <= $as_of_date and market = coalesce($market, 'ALL') and horizon_hours = 24
                and kind = 'forecast' and value = 'all'
            -- What live runs told, where any of it is due.
            qualify row_number() over (partition by as_of_date order by due > 0 desc, record desc) = 1
        )
        select
            chosen.as_of_date, chosen.n, 100 * chosen.direction_accuracy as direction_accuracy,
            100 * chosen.bias as bias, 100 * chosen.mape_total as mape, chosen.actual_gain,
            chosen.actual_gain * (1 + chosen.bias) as forecast_gain, 100 * chosen.wape_gain as wape,
            100 * naive.wape_gain as naive_wape, chosen.precision_at_20, naive.precision_at_20 as naive_precision_at_20,
            100 * chosen.coverage_80 as coverage,
            cast(decided.correct_builds as bigint) as correct_builds,
            cast(decided.false_positives as bigint) as false_positives, cast(decided.missed as bigint) as missed,
            cast(decided.correct_skips as bigint) as correct_skips,
            {said}
        from chosen
        inner join naive using (as_of_date)
        left join said using (as_of_date)
        left join decided using (as_of_date)
        order by chosen.as_of_date
        """.replace("{said}", ", ".join(f"said.{name} as said_{name}" for name in _SAID)),
        market=market,
    ).dicts()
