"""Rows for the exports: the only place in this room with SQL beside `questions`, and it reads the published marts only.

Belongs here: which rows and columns an export shows, in which order; a module for each subject. Must not be here:
formulas of metrics (models), layout (the workbook modules).
"""

from exports.published.competitors import competitor_gaps, competitor_section, posting_log
from exports.published.data_health import counts, feed_overlaps, health, market_counts, sources, sources_of, warnings
from exports.published.day import Day, Table, open_day
from exports.published.decisions import build_list, build_list_before, followed
from exports.published.earnings import (
    payments,
    revenue_breakdown,
    revenue_days,
    revenue_installs,
    revenue_months,
    revenue_rows,
    revenue_source,
    revenue_total,
)
from exports.published.forecasts import forecast_counts, prediction_log
from exports.published.polls import (
    Poll,
    alert_scores,
    last_alert_scores,
    last_poll,
    missed_bursts,
    polling,
    recent_alerts,
)
from exports.published.scores import last_scorecard, scorecard, scorecard_days, scored_period
from exports.published.season import seasonal, seasonal_spans
from exports.published.trends import outliers, trend_list
from exports.published.videos import (
    FULL_MARKET,
    audio_tab,
    category_tab,
    full_columns,
    market_leads,
    my_performance,
    own_posts_first_seen,
    risers,
    video_count,
)

__all__ = [
    "FULL_MARKET",
    "Day",
    "Poll",
    "Table",
    "alert_scores",
    "audio_tab",
    "build_list",
    "build_list_before",
    "category_tab",
    "competitor_gaps",
    "competitor_section",
    "counts",
    "feed_overlaps",
    "followed",
    "forecast_counts",
    "full_columns",
    "health",
    "last_alert_scores",
    "last_poll",
    "last_scorecard",
    "market_counts",
    "market_leads",
    "missed_bursts",
    "my_performance",
    "open_day",
    "outliers",
    "own_posts_first_seen",
    "payments",
    "polling",
    "posting_log",
    "prediction_log",
    "recent_alerts",
    "revenue_breakdown",
    "revenue_days",
    "revenue_installs",
    "revenue_months",
    "revenue_rows",
    "revenue_source",
    "revenue_total",
    "risers",
    "scorecard",
    "scorecard_days",
    "scored_period",
    "seasonal",
    "seasonal_spans",
    "sources",
    "sources_of",
    "trend_list",
    "video_count",
    "warnings",
]
