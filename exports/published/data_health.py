"""What the day's data is: counts, sources and their age, warnings of checks."""

from __future__ import annotations

import json
from typing import Any

import duckdb

from exports.published.day import Day
from warehouse import labels


def counts(day: Day) -> dict[str, int]:
    """The headline counts; own and competitor posts, triggers and statuses count a video once."""
    names = (
        "own_posts, competitor_posts, urgent, high, watch, spiking, raw_items, unique_videos, both_markets,"
        " own_videos, competitor_videos"
    )
    row = day.table(
        f"""
        with videos as (select * from marts.videos_daily where as_of_date = $as_of_date)
        select
            count(*) filter (author_role = 'own'),
            count(*) filter (author_role = 'competitor'),
            count(distinct video_id) filter (urgency = '{labels.URGENT}'),
            count(distinct video_id) filter (urgency = '{labels.HIGH}'),
            count(distinct video_id) filter (urgency = '{labels.WATCH}'),
            count(distinct video_id) filter (status = '{labels.SPIKING}'),
            (select coalesce(sum(items), 0) from marts.source_health
                where as_of_date = $as_of_date and kind = 'videos'),
            count(distinct video_id),
            count(distinct video_id) filter (is_cross_market),
            count(distinct video_id) filter (author_role = 'own'),
            count(distinct video_id) filter (author_role = 'competitor')
        from videos
        """
    ).rows[0]
    return {name.strip(): int(value) for name, value in zip(names.split(","), row, strict=True)}


def market_counts(day: Day) -> list[dict[str, Any]]:
    """Items, unique and fresh videos per market, in the order of the markets."""
    return day.table(
        """
        select
            health.market,
            any_value(health.items) as items,
            count(videos.video_id) as unique_videos,
            count(videos.video_id) filter (videos.is_fresh) as fresh_videos
        from marts.source_health as health
        left join marts.videos_daily as videos
            on health.as_of_date = videos.as_of_date and health.market = videos.market
        where health.as_of_date = $as_of_date and health.kind = 'videos'
        group by health.market
        order by min(health.market_order)
        """
    ).dicts()


def health(day: Day) -> list[dict[str, Any]]:
    """What each source delivered, by market and kind."""
    return day.table(
        """
        select
            market, kind, source, feeds, repeated_feeds, unreadable_files, items, quarantined_items, last_observed_at,
            age_hours, is_missing, is_stale, message, run_ids, dataset_ids
        from marts.source_health
        where as_of_date = $as_of_date
        order by market_order, kind desc
        """
    ).dicts()


def warnings(day: Day) -> list[str]:
    """Checks that warned when the date was built: the ones that fail keep a build from being published."""
    rows = day.table(
        "select check_name, message from meta.check_results where as_of_date = $as_of_date order by check_name"
    ).rows
    return [f"{name.removeprefix('check_').replace('_', ' ')}: {message}" for name, message in rows]


def sources_of(connection: duckdb.DuckDBPyConnection) -> list[str]:
    """Names of the sources whose rows are behind the published file."""
    rows = connection.execute("select sources from meta.publication").fetchall()
    return str(rows[0][0]).split(", ") if rows else []


def feed_overlaps(day: Day) -> list[dict[str, Any]]:
    """How alike the feeds of two markets are."""
    return day.table(
        """
        select market_a, market_b, videos_shared, jaccard, is_suspicious
        from marts.feed_overlap
        where as_of_date = $as_of_date
        order by market_a, market_b
        """
    ).dicts()


def sources(day: Day) -> dict[str, Any]:
    """What the manifest says of the data behind the files."""
    return {
        "as_of_date": day.as_of_date.isoformat(),
        "cutoff_at": f"{day.cutoff_at.isoformat()}Z",
        "feeds": json.loads(json.dumps(health(day), default=str)),
    }
