"""Trends that can be joined, and posts far above their creator's usual."""

from __future__ import annotations

from typing import Any

from exports.published.day import Day


def trend_list(day: Day, market: str | None = None) -> list[dict[str, Any]]:
    """Trends that can still be joined, in order: the one list that everything shows.

    Args:
        day: The published day.
        market: Only trends of this market; their places stay those of the whole list.
    """
    return day.table(
        """
        select *
        from marts.trend_list
        where
            as_of_date = $as_of_date
            and ($market is null or list_contains(string_split(markets, ', '), $market))
        order by place
        """,
        market=market,
    ).dicts()


def outliers(day: Day, limit: int, market: str | None = None) -> list[dict[str, Any]]:
    """Posts of the last 72 hours far above their creator's usual, the furthest first, as they were last shown.

    Args:
        day: The published day.
        limit: How many.
        market: Only posts that this market's feeds showed.
    """
    return day.table(
        """
        with found as (
            select * exclude (as_of_date)
            from marts.creator_outliers
            where as_of_date = $as_of_date and is_win and posted_at > $cutoff_at - interval 72 hour
        ),
        shown as (
            -- Of those alone: nine days of a large market are a million rows.
            select
                video_id,
                max_by(video_url, as_of_date) as video_url,
                max_by(caption, as_of_date) as caption,
                max_by(market_label, as_of_date) as market_label,
                any_value(trend_key) as trend_name
            from marts.videos_daily
            where
                as_of_date between $as_of_date - 8 and $as_of_date
                and ($market is null or market = $market)
                and video_id in (select found.video_id from found)
            group by video_id
        )
        select
            row_number() over (order by found.outlier_score desc, found.video_id) as place,
            found.*,
            shown.* exclude (video_id)
        from found
        inner join shown on found.video_id = shown.video_id
        order by place
        limit $rows
        """,
        market=market,
        cutoff_at=day.cutoff_at,
        rows=limit,
    ).dicts()
