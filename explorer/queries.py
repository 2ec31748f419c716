"""What the explorer asks the published file.

Belongs here: opening it for one question at a time, and the questions, as SQL. Must not be here: how answers look
(`app`), questions about one subject (`exports.questions`: `trends show` asks them too), rules (models).

A process sees a newly published file once all its connections to the old one are closed. Several people may look at a
time, in threads of one process: so a question opens the file, reads, and closes it, and questions take turns.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from datetime import date
from typing import Any

import pyarrow as pa

from exports import questions
from exports.questions import Lookup, Row
from warehouse.labels import AT_CAP, BREAKOUT
from warehouse.store import Store

_TURN = threading.Lock()
ALL = "all"


@dataclass(frozen=True, slots=True)
class Published:
    """The published file of a home.

    Attributes:
        store: The home.
    """

    store: Store

    def version(self) -> tuple[int, int] | None:
        """What changes when a new file takes the place of this one; None where nothing is published."""
        try:
            found = self.store.published_path.stat()
        except FileNotFoundError:
            return None
        return found.st_ino, found.st_mtime_ns

    def table(self, sql: str, until: date | None = None, **values: Any) -> pa.Table:
        """The answer to a question as an Arrow table.

        Args:
            sql: The question; `$last` is the as-of date.
            until: The last as-of date that is looked at; None for the newest.
            values: Of its further parameters.
        """
        with _TURN, self.store.published_reader() as connection:
            return Lookup(connection, until).table(sql, **values)

    def rows(self, sql: str, until: date | None = None, **values: Any) -> list[Row]:
        """The same as dicts."""
        rows: list[Row] = self.table(sql, until, **values).to_pylist()
        return rows


# What the whole page stands on.
PUBLICATION = """
    select as_of_date, cutoff_at, published_at, sources
    from meta.publication
"""
DATES = """
    select as_of_date
    from meta.builds
    order by as_of_date desc
"""
MARKETS = """
    select distinct market
    from marts.videos_daily
    order by market
"""
WINDOWS = """
    select action_window
    from marts.videos_daily
    group by action_window
    order by count(*), action_window
"""
KINDS = """
    select distinct trend_key_type
    from marts.videos_daily
    where trend_key_type is not null
    order by trend_key_type
"""

# A caption on one line: a row is as high as it must be.
_CAPTION = r"regexp_replace(trim({}), '\s+', ' ', 'g')"
_KIND_OF_KEY = "split_part(trend_key, ':', 1)"

# Lists of the day, by the filters `$market`, `$kind`, `$window` (each `all`, or a value) and `$text`.
BUILDS = f"""
    select
        place as "#", build_priority as "Priority", {_CAPTION.format("caption")} as "Caption", market_label as "Market",
        strftime(publish_by, '%d %b %H:%M') as "By (UTC)", variants as "Variants",
        cast(gain_48h_p50 as bigint) as "Gain 48 h", cast(gain_48h_p10 as bigint) as "p10",
        cast(gain_48h_p90 as bigint) as "p90", because as "Why", action_window as "Window",
        confidence as "Confidence", '@' || author_handle as "Creator", trend_name as "Trend", despite as "Despite",
        video_url as "Link", video_id as "Video"
    from marts.build_list
    where
        as_of_date = $last
        and $market in ('{ALL}', market, case when market_label like '%BOTH%' then $market end)
        and $kind in ('{ALL}', {_KIND_OF_KEY})
        and $window in ('{ALL}', action_window)
        and contains(lower(concat_ws(' ', caption, author_handle, trend_name, video_id)), lower($text))
    order by place
"""
VIDEOS = f"""
    select
        market as "Market", status as "Status", {_CAPTION.format("caption")} as "Caption",
        '@' || author_handle as "Creator", round(age_hours, 1) as "Age (h)", plays as "Views",
        cast(coalesce(live_views_per_hour, views_per_hour) as bigint) as "Views/h",
        cast(momentum_score as bigint) as "Momentum", cast(score as bigint) as "Score", action_window as "Window",
        cast(gain_24h_p50 as bigint) as "Next 24 h", cast(gain_24h_p10 as bigint) as "p10",
        cast(gain_24h_p90 as bigint) as "p90", ai_category as "AI", case when is_ad then 'ad' end as "Ad",
        trend_key as "Trend", reading_count as "Readings", video_url as "Link", video_id as "Video"
    from marts.videos_daily
    where
        as_of_date = $last
        and $market in ('{ALL}', market)
        and $kind in ('{ALL}', trend_key_type)
        and $window in ('{ALL}', action_window)
        and contains(lower(concat_ws(' ', caption, author_handle, trend_key, video_id, hashtags)), lower($text))
    order by score desc nulls last, plays desc, video_id, market
"""
TRENDS = f"""
    select
        place as "#", trend_name as "Trend", trend_key_type as "Kind", lifecycle as "Stage", stages as "By market",
        creators as "Creators", uses as "Videos", gained_views_24h as "Gained 24 h",
        round(window_left_h / 24, 1) as "Days left", round(window_left_p25_h / 24, 1) as "p25",
        round(window_left_p75_h / 24, 1) as "p75", lag_days as "Lag (days)", own_uses_7d as "Yours 7 d",
        competitor_uses_7d as "Competitors 7 d", trend_url as "Link", video_url as "Best example",
        trend_key as "Key"
    from marts.trend_list
    where
        as_of_date = $last
        and ($market = '{ALL}' or list_contains(string_split(markets, ', '), $market))
        and $kind in ('{ALL}', trend_key_type)
        and contains(lower(concat_ws(' ', trend_name, trend_key, caption, author_handle)), lower($text))
    order by place
"""
OUTLIERS = f"""
    select
        round(found.views_ratio, 1) as "Times the usual",
        case when found.is_breakout then '{BREAKOUT}' end as "Breakout",
        '@' || found.author_handle as "Creator", {_CAPTION.format("any_value(videos.caption)")} as "Caption",
        cast(found.views_24h as bigint) as "Views at 24 h",
        cast(found.previous_median_views_24h as bigint) as "Usual at 24 h", found.previous_posts as "Posts compared",
        found.trend_key as "Trend", any_value(videos.video_url) as "Link", found.video_id as "Video"
    from marts.creator_outliers as found
    left join marts.videos_daily as videos
        on found.as_of_date = videos.as_of_date and found.video_id = videos.video_id
    where
        found.as_of_date = $last and found.is_win
        and contains(lower(concat_ws(' ', videos.caption, found.author_handle, found.video_id)), lower($text))
    group by all
    order by "Times the usual" desc, "Video"
"""

# One video: what was told as views to come to, beside what was read.
VIDEO_CURVE = """
    select market as "Market", observed_at as "When", plays as "Views", cast(delta_plays as bigint) as "Gained"
    from marts.video_readings
    where video_id = $video and cast(observed_at as date) <= $last
    order by observed_at, market
"""
VIDEO_FORECASTS = f"""
    select
        as_of_date as "Made for", market as "Market", horizon_hours as "Hours", target_at as "Until",
        base_plays as "Views then", cast(base_plays + p50 as bigint) as "Views told",
        cast(base_plays + p10 as bigint) as "At least", cast(base_plays + p90 as bigint) as "At most",
        cast(base_plays + came as bigint) as "Views that came",
        outcome as "Outcome", no_outcome_because as "No outcome because",
        model as "Model", chosen_because as "Why this model"
    from ({questions.FORECASTS}) as told
    order by "Made for" desc, "Market", "Hours"
"""
VIDEO_TODAY = """
    select *
    from marts.videos_daily
    where video_id = $video and as_of_date <= $last
    order by as_of_date desc, market
    limit 1
"""

# One trend.
TREND_CURVE = """
    select
        as_of_date as "Date", market as "Market", uses as "Videos", new_uses as "New videos", creators as "Creators",
        gained_views_24h as "Views gained 24 h", lifecycle as "Stage", round(window_left_h / 24, 1) as "Days left"
    from marts.trends_daily
    where trend_key = $key and as_of_date <= $last
    order by as_of_date, market
"""
SOUND_CURVE = """
    select
        as_of_date as "Date", market as "Market", sound_name as "Sound", artist as "Artist", status as "Status",
        videos_24h as "Videos 24 h", videos_previous_24h as "the day before", creators_24h as "Creators 24 h",
        sound_rank as "Rank", play_url as "Link"
    from marts.sounds_daily
    where sound_id = $sound and as_of_date <= $last
    order by as_of_date, market
"""
TREND_REVENUE = """
    select
        account as "Account", received as "Received ($)", total_installs as "Installs", trigger_level as "Trigger",
        first_seen_on as "First seen", url as "Link"
    from marts.template_revenue
    where trend_key = $key and as_of_date = $last and is_counted
    order by received desc nulls last, url
"""

# How good it all is.
MISSED = f"""
    select
        decision_date as "Date", market as "Market", {_CAPTION.format("caption")} as "Caption",
        '@' || author_handle as "Creator", cast(actual_gain as bigint) as "Gained", gain_rank as "Place",
        videos as "of", cast(gain_p50 as bigint) as "Told", coalesce(stop_reason, decision_reasons) as "Why not built",
        decision_mode as "By", case when is_ad then 'ad' end as "Ad", video_url as "Link", video_id as "Video"
    from marts.missed_videos
    where
        as_of_date <= $last
        and $market in ('{ALL}', market)
        and contains(lower(concat_ws(' ', caption, author_handle, trend_key, video_id)), lower($text))
    qualify as_of_date = max(as_of_date) over (partition by decision_date, market, decision_mode)
    order by decision_date desc, actual_gain desc, market
"""
SCORECARD = """
    select
        record as "Record", kind as "Kind", label as "What", value as "Stratum", market as "Market", n as "n",
        round(score, 3) as "Score", twin as "Beside", round(twin_score, 3) as "Its score", round(skill, 3) as "Skill",
        round(skill_low, 3) as "from", round(skill_high, 3) as "to", round(coverage_80, 2) as "In the range",
        round(bias, 3) as "Bias", days as "Days", "Enough"
    from (
        select *, scored as n, case when is_enough then 'yes' else 'not yet' end as "Enough"
        from marts.scorecard
    )
    where as_of_date = $last
    order by record, kind, horizon_hours, label, place, value, market
"""
FORECAST_STRATA = """
    select
        value as "Stratum", market as "Market", label as "What", record as "Record",
        skill as "Skill", skill_low as "from", skill_high as "to", scored as "n", twin as "Beside",
        round(score, 3) as "Score", round(twin_score, 3) as "Its score"
    from marts.scorecard
    where as_of_date = $last and kind = 'forecast' and market = 'ALL' and skill is not null and horizon_hours < 168
    order by label, value
"""
FORECAST_DAYS = """
    select
        as_of_date as "Date", market as "Market", model as "Model", horizon_hours as "Hours", n as "n",
        wape_gain as "Error (WAPE of the gain)", coverage_80 as "In the range"
    from marts.forecast_scores
    where
        as_of_date <= $last and horizon_hours = 24 and market = 'ALL' and model in ('chosen', 'persistence')
        and wape_gain is not null
    order by as_of_date, model
"""
DECISIONS = """
    select
        decision_date as "Date", market as "Market", decision_mode as "Mode", n as "Videos", builds as "Builds",
        correct_builds as "Right", false_positives as "Wrong", missed as "Missed", correct_skips as "Right skips",
        round(precision, 2) as "Precision", round(base_rate, 2) as "By chance", round(lift, 1) as "Lift"
    from marts.decision_scores
    where as_of_date <= $last
    order by decision_date desc, market, decision_mode
"""

# Competitors.
COMPETITORS = """
    select
        account as "Account", role as "Role", home_market as "Market", posts as "Posts 7 d",
        round(posts_per_day, 1) as "a day", plays as "Views", ai_posts as "AI posts",
        posts_on_trends as "On trends", trend_keys as "Trends", led as "Led",
        round(response_p50_hours, 1) as "Response (h)"
    from marts.competitor_summary
    where as_of_date = $last
    order by is_total desc, role desc, plays desc nulls last
"""
WINS = """
    select
        account as "Account", contested as "Contested", you_first as "You first", they_first as "They first",
        measured as "Measured at 48 h", you_larger as "You larger", they_larger as "They larger",
        skipped_by_you as "You skipped", skipped_by_them as "They skipped"
    from marts.competitor_win_loss
    where as_of_date = $last
    order by is_total desc, contested desc, account
"""
GAPS = """
    select
        gap_type as "Gap", account as "Competitor", trend as "Trend", market as "Market",
        cast(competitor_momentum as bigint) as "Their momentum", cast(your_momentum as bigint) as "Yours",
        round(hours_behind, 1) as "Hours behind", cast(missed_revenue_p10 as bigint) as "Missed $ p10",
        cast(missed_revenue_p50 as bigint) as "p50", cast(missed_revenue_p90 as bigint) as "p90", url as "Link",
        video_id as "Video"
    from marts.competitor_gaps
    where
        as_of_date = $last
        and $market in ('all', market)
        and contains(lower(concat_ws(' ', account, trend, trend_key)), lower($text))
    order by gap_type desc, competitor_momentum desc nulls last, account, trend
"""
SHARES = """
    select account as "Account", as_of_date as "Date", posts as "Posts 7 d", plays as "Views"
    from marts.competitor_summary
    where as_of_date <= $last and is_total and posts > 0
    order by as_of_date, account
"""

# Revenue.
REVENUE_SOURCE = """
    select
        source as "Source", case when is_simulated then 'simulated' else 'yours' end as "Whose", row_count as "Rows",
        round(total_received, 2) as "Received ($)", observed_at as "Read at", failure as "Says"
    from marts.revenue_source
    where as_of_date = $last
"""
REVENUE_MONTHS = """
    select
        strftime(month, '%Y-%m') as "Month", templates as "Templates", round(total_revenue, 2) as "Received ($)",
        round(100 * growth, 1) as "Growth %", round(revenue_so_far, 2) as "So far ($)",
        hits as "Hits", round(hit_rate, 2) as "Hit rate", templates_at_cap as "At cap", installs as "Installs"
    from marts.revenue_monthly
    where as_of_date = $last
    order by month
"""
REVENUE_BREAKDOWN = """
    select
        dimension as "By", value as "Value", templates as "Templates", round(total_revenue, 2) as "Received ($)",
        round(average_revenue, 2) as "on average", round(hit_rate, 2) as "Hit rate", round(cap_rate, 2) as "Cap rate",
        best_template as "Best"
    from marts.revenue_breakdown
    where as_of_date = $last
    order by dimension, display_order
"""
REVENUE_TEMPLATES = f"""
    select
        trend_description as "Template", account as "Account", received as "Received ($)",
        estimated as "Estimated ($)", total_installs as "Installs", round(revenue_per_install, 2) as "per install",
        case when is_at_cap then '{AT_CAP}' end as "At cap", trigger_level as "Trigger",
        market_at_detection as "Market", first_seen_on as "First seen",
        cast(forecast_p50 as bigint) as "Still to come ($)", trend_key as "Trend", url as "Link"
    from marts.template_revenue
    where
        as_of_date = $last and is_counted
        and contains(lower(concat_ws(' ', trend_description, account, trend_key, url)), lower($text))
    order by received desc nulls last, url
"""

REVENUE_WEEKS = """
    select
        week as "Week from", posts as "Posts", received as "Received ($)", round(100 * growth, 1) as "Growth %",
        outstanding as "Outstanding ($)", installs as "Installs", round(revenue_per_install, 2) as "per install",
        hits as "Hits", at_cap as "At cap", case when not is_over then 'not over' end as "So far"
    from marts.revenue_by_week
    where as_of_date = $last
    order by week desc
"""
REVENUE_TRENDS = """
    select
        trend_key as "Trend", trend_key_type as "Kind", templates as "Templates", received as "Received ($)",
        installs as "Installs", round(revenue_per_install, 2) as "per install", at_cap as "At cap",
        first_posted_on as "First post", last_posted_on as "Last post"
    from marts.revenue_by_trend
    where as_of_date = $last
    order by received desc, trend_key
"""

# Where it is from.
SOURCES = """
    select
        market as "Market", kind as "Feed", source as "Source", feeds as "Files", items as "Items",
        quarantined_items as "Set aside", distinct_videos as "Videos", last_observed_at as "Last seen",
        round(age_hours, 1) as "Age (h)", message as "Says"
    from marts.source_health
    where as_of_date = $last
    order by market_order, kind
"""
CHECKS = """
    select check_name as "Check", failing_rows as "Rows", message as "Says"
    from meta.check_results
    where as_of_date = $last
    order by check_name
"""
