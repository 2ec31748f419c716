"""Videos and sounds of the day: tabs of a market, own posts, the whole feed, what rises, which market leads."""

from __future__ import annotations

from typing import Any

from exports.published.day import Day, Table


def category_tab(day: Day, market: str, category: str, limit: int) -> Table:
    """The fresh videos of a market and AI category by momentum, ties by video id."""
    return day.table(
        """
        select
            row_number() over (order by videos.momentum_score desc, videos.video_id) as place,
            videos.market_label, videos.status, videos.caption, videos.author_handle, videos.age_hours,
            videos.age_is_lower_bound, videos.momentum_score, videos.shares_per_hour, videos.views_per_hour,
            videos.video_url, videos.live_momentum, videos.score, videos.gain_24h_p50, videos.gain_24h_p10,
            videos.gain_24h_p90, videos.trend_key, videos.reading_count, videos.author_role, listed.place as build_place
        from marts.videos_daily as videos
        left join marts.build_list as listed
            on videos.as_of_date = listed.as_of_date and videos.video_id = listed.video_id
        where
            videos.as_of_date = $as_of_date and videos.market = $market and videos.ai_category = $category
            and videos.is_fresh
        order by videos.momentum_score desc, videos.video_id
        limit $rows
        """,
        market=market,
        category=category,
        rows=limit,
    )


def audio_tab(day: Day, market: str, limit: int) -> Table:
    """The market's sounds by distinct videos in 24 hours; those of a music feed first, where there is one."""
    return day.table(
        """
        select
            row_number() over (order by feed = 'music' desc, sound_rank) as place,
            status, sound_name, artist, is_original, used_by, play_url, videos_24h, creators_24h, videos_previous_24h
        from marts.sounds_daily
        where as_of_date = $as_of_date and market = $market
        order by feed = 'music' desc, sound_rank
        limit $rows
        """,
        market=market,
        rows=limit,
    )


def my_performance(day: Day) -> Table:
    """Own posts, hottest first."""
    return day.table(
        """
        select
            as_of_date, account, trend, age_hours, momentum_score, status, market_label, views_per_hour,
            shares_per_hour, build_now, url, tutorial_trigger, urgency, trigger_reason, competitor_count_7d,
            tutorial_link, template_link, revenue, notes, ai_category, opportunity_score, time_zone_label,
            build_priority, seasonal_event, market, video_id
        from marts.my_performance
        where as_of_date = $as_of_date
        order by momentum_score desc, video_id, market
        """
    )


def own_posts_first_seen(day: Day) -> list[dict[str, Any]]:
    """The day's own posts as they were on the first day they were seen, each once, in the market that led then."""
    return day.table(
        """
        with seen as (
            select
                posts.*, videos.action_window,
                min(posts.as_of_date) over (partition by posts.video_id) as first_seen_on,
                max(posts.as_of_date) over (partition by posts.video_id) as last_seen_on,
                row_number() over (
                    partition by posts.video_id
                    order by posts.as_of_date, posts.momentum_score desc nulls last, posts.market
                ) as place
            from marts.my_performance as posts
            inner join marts.videos_daily as videos using (as_of_date, market, video_id)
            where posts.as_of_date <= $as_of_date
        )
        select
            video_id, url, account, trend, momentum_score, urgency, action_window, market_label, ai_category,
            age_hours, first_seen_on
        from seen
        where place = 1 and last_seen_on = $as_of_date
        order by first_seen_on, momentum_score desc nulls last, video_id
        """
    ).dicts()


def risers(day: Day, limit: int) -> list[dict[str, Any]]:
    """Other creators' videos that gain faster than their age lets one expect, by how much faster; each once.

    `pace` lists views an hour, oldest first, of the last readings up to the cut-off: the first reading's over its life,
    later ones since the reading before.
    """
    return day.table(
        """
        with ranked as (
            select
                *,
                row_number() over (
                    partition by video_id order by live_momentum - expected_live_momentum desc, market
                ) as copy
            from marts.videos_daily
            where
                as_of_date = $as_of_date and author_role = 'other' and not is_stale
                and live_momentum > expected_live_momentum
        ),
        chosen as (
            select * from ranked where copy = 1
            order by live_momentum - expected_live_momentum desc, video_id
            limit $rows
        ),
        steps as (
            select
                readings.market, readings.video_id, readings.observed_at,
                case
                    when readings.reading_number = 1 then readings.views_per_hour else readings.live_views_per_hour
                end as pace,
                row_number() over (
                    partition by readings.market, readings.video_id order by readings.observed_at desc
                ) as back
            from marts.video_readings as readings
            inner join chosen on readings.market = chosen.market and readings.video_id = chosen.video_id
            where readings.observed_at <= $cutoff_at
        ),
        paces as (
            select market, video_id, list(pace order by observed_at) as pace
            from steps
            where back <= 16 and pace is not null
            group by market, video_id
        )
        select
            chosen.video_id, chosen.market, chosen.market_label, chosen.caption, chosen.author_handle,
            chosen.video_url, chosen.status, chosen.age_hours, chosen.views_per_hour, chosen.live_views_per_hour,
            chosen.live_momentum, chosen.expected_live_momentum, paces.pace
        from chosen
        left join paces on chosen.market = paces.market and chosen.video_id = paces.video_id
        order by chosen.live_momentum - chosen.expected_live_momentum desc, chosen.video_id
        """,
        cutoff_at=day.cutoff_at,
        rows=limit,
    ).dicts()


def market_leads(day: Day) -> list[dict[str, Any]]:
    """Trends that one market had first: those still on their way, liveliest first, then the latest arrivals."""
    return day.table(
        """
        with faces as (
            select
                trends.trend_key, trends.market, videos.caption, videos.music_name
            from marts.trends_daily as trends
            inner join marts.videos_daily as videos
                on
                    trends.last_seen_on = videos.as_of_date
                    and trends.market = videos.market
                    and trends.video_id = videos.video_id
            where trends.as_of_date = $as_of_date
        )
        select leads.* exclude (as_of_date), faces.caption, faces.music_name
        from marts.cross_market_trends as leads
        left join faces on leads.trend_key = faces.trend_key and leads.first_market = faces.market
        where leads.as_of_date = $as_of_date
        order by
            leads.is_censored desc,
            leads.other_onset_date desc,
            leads.first_creators desc,
            leads.arrival_probability_7d desc,
            leads.trend_key, leads.other_market
        """
    ).dicts()


def full_columns(day: Day) -> dict[str, str]:
    """DuckDB type of each column of the full workbooks by name, left to right."""
    return dict(day.table("select column_name, column_type from (describe select * from marts.videos_daily)").rows)


def video_count(day: Day, market: str) -> int:
    """How many rows `FULL_MARKET` has."""
    sql = "select count(*) from marts.videos_daily where as_of_date = $as_of_date and market = $market"
    return int(day.value(sql, market=market))


FULL_MARKET = """
    select *, 1 + row_number() over (order by momentum_score desc, video_id) as row_number
    from marts.videos_daily
    where as_of_date = $as_of_date and market = $market
"""
"""Every video of a market's feeds of the date, every column, numbered from 2 (below a header) by momentum, then id."""
