"""Rows for the exports: the only place in this room with SQL, and it reads the published marts only.

Belongs here: which rows and columns an export shows, in which order. Must not be here: formulas of metrics (models),
layout (the workbook modules).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

import duckdb

from services.times import IN_UTC, Times
from warehouse import labels
from warehouse.store import connect

Row = tuple[Any, ...]

_BATCH_ROWS = 2_000


@dataclass(frozen=True, slots=True)
class Table:
    """Rows with their column names, in display order."""

    columns: tuple[str, ...]
    rows: list[Row]

    def dicts(self) -> list[dict[str, Any]]:
        """The rows by column name."""
        return [dict(zip(self.columns, row, strict=True)) for row in self.rows]


@dataclass(frozen=True, slots=True)
class Day:
    """A published file opened for one as-of date.

    Attributes:
        connection: Read-only connection to the published file.
        as_of_date: The date.
        cutoff_at: Its cut-off (naive UTC).
        markets: Market codes that have rows on the date, in the order of the seed.
        times: How the reader wants moments shown, where a person reads them.
    """

    connection: duckdb.DuckDBPyConnection
    as_of_date: date
    cutoff_at: datetime
    markets: tuple[str, ...]
    times: Times = IN_UTC

    def table(self, sql: str, **parameters: Any) -> Table:
        """Runs a query; `$as_of_date` is always there."""
        used = {"as_of_date": self.as_of_date} | parameters
        cursor = self.connection.execute(sql, {name: value for name, value in used.items() if f"${name}" in sql})
        return _table(cursor)

    def stream(self, sql: str, **parameters: Any) -> Iterator[memoryview]:
        """The texts (UTF-8) of a query with one column, many rows to a piece; to be used once, while the day is open.

        DuckDB's memory as it is: a Python object for each of 100,000 long rows takes as long as the query.
        """
        # A query that is read in batches needs a cursor of its own; left open it would keep showing the old file.
        with self.connection.cursor() as cursor:
            cursor.execute("set TimeZone = 'UTC'")
            cursor.execute(sql, {"as_of_date": self.as_of_date} | parameters)
            for batch in cursor.to_arrow_reader(_BATCH_ROWS):
                _, _, text = batch.column(0).buffers()
                yield memoryview(text)

    def value(self, sql: str, **parameters: Any) -> Any:
        """The first value of a query, None without a row."""
        rows = self.table(sql, **parameters).rows
        return rows[0][0] if rows else None


def _table(cursor: duckdb.DuckDBPyConnection) -> Table:
    return Table(tuple(column[0] for column in cursor.description or ()), cursor.fetchall())


@contextmanager
def open_day(published: Path, as_of_date: date, times: Times = IN_UTC) -> Iterator[Day]:
    """Opens the published file for a date.

    Raises:
        LookupError: The date is not in the file; the message says which are.
    """
    connection = connect(published, read_only=True)
    try:
        built = connection.execute("select cutoff_at from meta.builds where as_of_date = ?", [as_of_date]).fetchall()
        if not built:
            [(first, last)] = connection.execute("select min(as_of_date), max(as_of_date) from meta.builds").fetchall()
            message = f"{published} has no {as_of_date}: it holds {first} to {last}"
            raise LookupError(message)
        markets = connection.execute(
            "select market from marts.source_health where as_of_date = ? group by market order by min(market_order)",
            [as_of_date],
        ).fetchall()
        yield Day(connection, as_of_date, built[0][0], tuple(market for (market,) in markets), times)
    finally:
        connection.close()


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


def seasonal(day: Day) -> list[dict[str, Any]]:
    """Seasonal events whose time it is, one row per event and phase, nearest first; markets are joined in a text."""
    return day.table(
        """
        with told as (
            -- What is over is nothing to be alerted to.
            select * replace (
                case when event_end_date < as_of_date and phase = 'ALERTS' then 'ON RADAR' else phase end as phase
            )
            from marts.seasonal_alerts
            where as_of_date = $as_of_date and is_newest
        )
        select
            phase, emoji, name, event_date, days_until, tone,
            string_agg(market, ' + ' order by market desc) as markets,
            string_agg(distinct rung, ', ') as rungs,
            any_value(window_text) as window_text,
            any_value(template_ideas) as template_ideas,
            max(keyword_lift) as keyword_lift,
            bool_and(event_end_date < as_of_date) as is_over
        from told
        group by phase, emoji, name, event_date, days_until, tone
        order by days_until, event_date, name
        """
    ).dicts()


def sources_of(connection: duckdb.DuckDBPyConnection) -> list[str]:
    """Names of the sources whose rows are behind the published file."""
    rows = connection.execute("select sources from meta.publication").fetchall()
    return str(rows[0][0]).split(", ") if rows else []


def build_list(day: Day) -> list[dict[str, Any]]:
    """What to build, in order: the one list that everything shows."""
    return day.table("select * from marts.build_list where as_of_date = $as_of_date order by place").dicts()


def build_list_before(day: Day) -> tuple[date | None, dict[str, int]]:
    """The date that was built before this one, and its list: video to place; None without such a date."""
    before = day.value("select max(as_of_date) from meta.builds where as_of_date < $as_of_date")
    rows = day.table("select video_id, place from marts.build_list where as_of_date = $before", before=before).rows
    return before, {str(video): int(place) for video, place in rows}


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


def followed(day: Day) -> list[dict[str, Any]]:
    """What each followed entry of the watch list did in a day, what gained most first."""
    return day.table("select * from marts.followed where as_of_date = $as_of_date order by place").dicts()


def outliers(day: Day, limit: int, market: str | None = None) -> list[dict[str, Any]]:
    """Posts of the last 72 hours far above their creator's usual, the furthest first, as they were last shown.

    Args:
        day: The published day.
        limit: How many.
        market: Only posts that this market's feeds showed.
    """
    return day.table(
        """
        with shown as (
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
            group by video_id
        )
        select
            row_number() over (order by found.outlier_score desc, found.video_id) as place,
            found.* exclude (as_of_date),
            shown.* exclude (video_id)
        from marts.creator_outliers as found
        inner join shown on found.video_id = shown.video_id
        where
            found.as_of_date = $as_of_date
            and found.is_win
            and found.posted_at > $cutoff_at - interval 72 hour
        order by place
        limit $rows
        """,
        market=market,
        cutoff_at=day.cutoff_at,
        rows=limit,
    ).dicts()


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


def seasonal_spans(day: Day) -> list[dict[str, Any]]:
    """Seasonal events and open content windows with their first and last day, soonest first; markets are joined."""
    return day.table(
        """
        with spans as (
            select
                'event' as kind, name, emoji, tone, market, event_date, template_ideas, window_text, is_approximate,
                event_start_date as starts_on, event_end_date as ends_on
            from marts.seasonal_alerts
            where as_of_date = $as_of_date and is_newest
            union all
            select
                'window', name, emoji, tone, market, starts_on, template_ideas,
                'open for ' || days_left || ' more days', false, starts_on, ends_on
            from marts.seasonal_windows
            where as_of_date = $as_of_date
        )
        select
            kind, name, emoji, tone, event_date, starts_on, ends_on, is_approximate,
            string_agg(market, ' + ' order by market desc) as markets,
            min(window_text) as window_text,
            min(template_ideas) as template_ideas
        from spans
        group by kind, name, emoji, tone, event_date, starts_on, ends_on, is_approximate
        order by kind, event_date < $as_of_date, event_date, name
        """
    ).dicts()


def recent_alerts(day: Day, days: int, limit: int) -> list[dict[str, Any]]:
    """Alerts that were sent in the days up to the cut-off, newest first, with what each had brought by then."""
    return day.table(
        """
        with outcomes as (
            select
                market, video_id, alerted_at,
                list({
                    'horizon_hours': horizon_hours, 'gain_views': gain_views,
                    'expected_gain_views': expected_gain_views, 'is_right': is_right
                } order by horizon_hours) as outcomes
            from marts.alert_outcomes
            where scored_at <= $cutoff_at
            group by market, video_id, alerted_at
        )
        select
            alerts.market, alerts.video_id, alerts.alerted_at, alerts.tier, alerts.z, alerts.gain_views,
            alerts.expected_gain_views, alerts.hours, alerts.video_url, alerts.caption, outcomes.outcomes
        from marts.acceleration_alerts as alerts
        left join outcomes
            on
                alerts.market = outcomes.market
                and alerts.video_id = outcomes.video_id
                and alerts.alerted_at = outcomes.alerted_at
        where
            alerts.is_message and alerts.alerted_at <= $cutoff_at
            and alerts.alerted_at > $cutoff_at - to_days($days)
        order by alerts.alerted_at desc, alerts.market, alerts.video_id
        limit $rows
        """,
        cutoff_at=day.cutoff_at,
        days=days,
        rows=limit,
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


def sources(day: Day) -> dict[str, Any]:
    """What the manifest says of the data behind the files."""
    return {
        "as_of_date": day.as_of_date.isoformat(),
        "cutoff_at": f"{day.cutoff_at.isoformat()}Z",
        "feeds": json.loads(json.dumps(health(day), default=str)),
    }


@dataclass(frozen=True, slots=True)
class Poll:
    """A poll.

    Attributes:
        row: Its row of `micro_polls`.
        markets: Its rows of `poll_markets`.
        alerts: Its rows of `acceleration_alerts`, strongest first, each with `trend_key`, `music_name`, `until_at` and
            `build_place` of the last day that was built by then (null where the video is not in it), and its `builds`.
        trends: Its rows of `trend_alerts`, largest first, with `until_at`, `build_place` and `builds` too.
    """

    row: dict[str, Any]
    markets: list[dict[str, Any]]
    alerts: list[dict[str, Any]]
    trends: list[dict[str, Any]]


def last_poll(connection: duckdb.DuckDBPyConnection, as_of_date: date) -> Poll:
    """What a date's latest poll saw and found.

    Raises:
        LookupError: No poll of the date was published.
    """
    latest = "where poll_at = (select max(poll_at) from marts.micro_polls where as_of_date = ?)"
    found = {
        mart: _table(connection.execute(f"select * from marts.{mart} {latest} order by {order}", [as_of_date])).dicts()
        for mart, order in (
            ("micro_polls", "poll_at"),
            ("poll_markets", "market"),
            ("acceleration_alerts", "tier_rank desc, extra_views desc"),
            ("trend_alerts", "is_message desc, new_creators + rising_creators desc, trend_key, market"),
        )
    }
    if not found["micro_polls"]:
        message = f"no poll of {as_of_date} was published: run `trends poll --date {as_of_date}`"
        raise LookupError(message)
    alerts, trends = _with_the_day(connection, as_of_date, found["acceleration_alerts"], found["trend_alerts"])
    return Poll(found["micro_polls"][0], found["poll_markets"], alerts, trends)


def _with_the_day(
    connection: duckdb.DuckDBPyConnection,
    as_of_date: date,
    alerts: list[dict[str, Any]],
    trends: list[dict[str, Any]],
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Alerts, and those about trends, with what the last day that was built, up to theirs, says of them.

    A trend has the place of its best video. What is built, and in which order, is said in `builds` alone.
    """
    built = connection.execute(
        "select as_of_date, cutoff_at from meta.builds where as_of_date <= ? order by as_of_date desc limit 1",
        [as_of_date],
    ).fetchall()
    listed: list[dict[str, Any]] = []
    known: dict[str, dict[str, Any]] = {}
    if built and (alerts or trends):
        built_date, cutoff_at = built[0]
        day = Day(connection, built_date, cutoff_at, ())
        listed = build_list(day)
        rows = day.table(
            "select video_id, any_value(trend_key) as trend_key, any_value(music_name) as music_name"
            " from marts.videos_daily where as_of_date = $as_of_date and video_id in (select unnest($videos))"
            " group by video_id",
            videos=[row["video_id"] for row in (*alerts, *listed)],
        ).dicts()
        known = {row["video_id"]: row for row in rows}
    nowhere = {"build_place": None, "until_at": None}
    of_video: dict[str, dict[str, Any]] = {}
    of_trend: dict[str, dict[str, Any]] = {}
    for row in listed:
        found = {"build_place": row["place"], "until_at": row["publish_by"]}
        of_video[row["video_id"]] = found
        of_trend.setdefault(row["trend_key"], found)
    nothing: dict[str, Any] = {"trend_key": None, "music_name": None}
    return (
        [
            alert
            | known.get(alert["video_id"], nothing)
            | of_video.get(alert["video_id"], nowhere)
            | {"builds": len(listed)}
            for alert in alerts
        ],
        [trend | of_trend.get(trend["trend_key"], nowhere) | {"builds": len(listed)} for trend in trends],
    )


def polling(day: Day) -> dict[str, Any] | None:
    """What the polls of the 24 hours to the cut-off did, and how well they heard so far; None without any poll.

    The scores are those of the last polled date.
    """
    if not day.value("select count(*) from marts.micro_polls where poll_at <= $cutoff_at", cutoff_at=day.cutoff_at):
        return None
    (counted,) = day.table(
        """
        select
            count(*) as polls, coalesce(sum(new_readings), 0) as new_readings, coalesce(sum(alerts), 0) as alerts
        from marts.micro_polls
        where poll_at <= $cutoff_at and poll_at > $cutoff_at - interval 24 hour
        """,
        cutoff_at=day.cutoff_at,
    ).dicts()
    scores = alert_scores(day)
    return {**counted, "scores": scores[-1] if scores else None}


def alert_scores(day: Day) -> list[dict[str, Any]]:
    """How well the polls heard up to the last polled date at or before the date: markets, ALL at the end."""
    return day.table(
        """
        select * from marts.alert_scores
        where as_of_date = (select max(as_of_date) from marts.alert_scores where as_of_date <= $as_of_date)
        order by market = 'ALL', market
        """
    ).dicts()


def last_alert_scores(connection: duckdb.DuckDBPyConnection, last: date | None) -> dict[str, Any] | None:
    """How well the polls heard in all markets, up to the last polled date (at or before `last`); None without polls."""
    known = connection.execute(
        "select 1 from information_schema.tables where table_schema = 'marts' and table_name = 'alert_scores'"
    ).fetchall()
    if not known:
        return None
    rows = _table(
        connection.execute(
            "select * from marts.alert_scores where market = 'ALL' and as_of_date <= coalesce(?, as_of_date)"
            " order by as_of_date desc limit 1",
            [last],
        )
    ).dicts()
    return rows[0] if rows else None


def missed_bursts(day: Day, days: int, limit: int) -> list[dict[str, Any]]:
    """Bursts of the days up to the cut-off that no message told of, newest first, with what kept each silent."""
    return day.table(
        """
        select market, video_id, burst_at, hours, plays, gain_views, pace_ratio, z, silent_because
        from marts.alert_bursts
        where not is_found and burst_at <= $cutoff_at and burst_at > $cutoff_at - to_days($days)
        order by burst_at desc, market, video_id
        limit $rows
        """,
        cutoff_at=day.cutoff_at,
        days=days,
        rows=limit,
    ).dicts()


def scorecard_days(
    connection: duckdb.DuckDBPyConnection, first: date | None = None, last: date | None = None
) -> tuple[Table, Table]:
    """Daily scores of the forecasts, and of the build decisions where the file has them.

    Args:
        connection: To the published file.
        first: First scored date to take, None for all.
        last: Last scored date to take.

    Returns:
        Rows of `forecast_scores` and of `decision_scores` (empty without that mart): markets before ALL, short
        horizons first, then by date.
    """
    known = {
        name
        for (name,) in connection.execute(
            "select table_name from information_schema.tables where table_schema = 'marts'"
        ).fetchall()
    }
    within = "where as_of_date >= coalesce($first, as_of_date) and as_of_date <= coalesce($last, as_of_date)"
    queries = {
        "forecast_scores": f"""
            select
                as_of_date, market, horizon_hours, model, n, actual_gain, absolute_error, mape_total, bias,
                direction_accuracy, precision_at_20, kendall_tau, coverage_80
            from marts.forecast_scores
            {within}
            order by market = 'ALL', market, horizon_hours, model, as_of_date
        """,
        # After a gap in the feeds, decisions of several dates can be scored on one.
        "decision_scores": f"""
            select
                as_of_date, market, decision_mode, sum(n) as n, sum(builds) as builds,
                sum(correct_builds) as correct_builds, sum(false_positives) as false_positives,
                sum(missed) as missed, sum(correct_skips) as correct_skips
            from marts.decision_scores
            {within}
            group by as_of_date, market, decision_mode
            order by market = 'ALL', market, decision_mode, as_of_date
        """,
    }
    tables = []
    for mart, sql in queries.items():
        if mart not in known:
            tables.append(Table((), []))
            continue
        cursor = connection.execute(sql, {"first": first, "last": last})
        tables.append(_table(cursor))
    return tables[0], tables[1]


def scorecard(day: Day) -> list[dict[str, Any]]:
    """The scores told on the date: `marts.scorecard`, the only place where scores come from."""
    return day.table(_SCORECARD).dicts()


def last_scorecard(connection: duckdb.DuckDBPyConnection, last: date | None) -> list[dict[str, Any]]:
    """The scores of the newest date up to `last` (None: of all); empty where the file has none."""
    known = connection.execute(
        "select 1 from information_schema.tables where table_schema = 'marts' and table_name = 'scorecard'"
    ).fetchall()
    if not known:
        return []
    [(newest,)] = connection.execute(
        "select max(as_of_date) from marts.scorecard where as_of_date <= coalesce(?, as_of_date)", [last]
    ).fetchall()
    return _table(connection.execute(_SCORECARD, {"as_of_date": newest})).dicts()


_SCORECARD = """
    select * from marts.scorecard
    where as_of_date = $as_of_date
    order by record desc, kind, label, place, market, horizon_hours, value
"""


def scored_period(connection: duckdb.DuckDBPyConnection) -> tuple[date | None, date | None, int]:
    """First and last date with a scored forecast (None without one), and the number of days with readings."""
    [(first, last)] = connection.execute(
        "select min(as_of_date), max(as_of_date) from marts.forecast_scores"
    ).fetchall()
    [(days,)] = connection.execute(
        "select count(distinct cast(observed_at as date)) from marts.video_readings"
    ).fetchall()
    return first, last, days


# ---------- revenue


def revenue_source(day: Day) -> dict[str, Any] | None:
    """Where the day's revenue comes from; None where none was read."""
    rows = day.table("select * from marts.revenue_source where as_of_date = $as_of_date").dicts()
    return rows[0] if rows else None


def revenue_rows(day: Day) -> list[dict[str, Any]]:
    """The user's templates, in the sheet's order."""
    return day.table("select * from marts.template_revenue where as_of_date = $as_of_date order by sheet_row").dicts()


def revenue_breakdown(day: Day) -> list[dict[str, Any]]:
    """Revenue of all templates and by trigger level, market and AI category."""
    return day.table(
        """
        select * from marts.revenue_breakdown
        where as_of_date = $as_of_date
        order by dimension, display_order
        """
    ).dicts()


def revenue_months(day: Day) -> list[dict[str, Any]]:
    """Revenue by month, oldest first."""
    return day.table("select * from marts.revenue_monthly where as_of_date = $as_of_date order by month").dicts()


def revenue_days(day: Day) -> list[dict[str, Any]]:
    """Revenue by the day that it is for, the newest first."""
    return day.table(
        "select * from marts.revenue_by_day where as_of_date = $as_of_date order by posted_on desc nulls last"
    ).dicts()


def payments(day: Day) -> list[dict[str, Any]]:
    """Rows that count, by the day that they are for, the newest first."""
    return day.table(
        """
        select *, total_installs as installs from marts.template_revenue
        where as_of_date = $as_of_date and is_counted
        order by posted_on desc nulls last, received desc nulls last, sheet_row
        """
    ).dicts()


def revenue_total(day: Day) -> dict[str, Any]:
    """What all days come to."""
    (total,) = day.table(
        """
        select
            sum(received) as received, sum(outstanding) as outstanding, cast(sum(installs) as bigint) as installs,
            sum(received) / nullif(sum(installs), 0) as revenue_per_install
        from marts.revenue_by_day
        where as_of_date = $as_of_date
        """
    ).dicts()
    return total


def revenue_installs(day: Day) -> dict[str, Any] | None:
    """What installs are worth; None without a readable row."""
    rows = day.table("select * from marts.revenue_installs where as_of_date = $as_of_date").dicts()
    return rows[0] if rows else None


# ---------- the enhanced workbooks; a market of None is all of them


def competitor_gaps(day: Day, market: str | None) -> list[dict[str, Any]]:
    """Gaps of the week: what was missed first, then by the competitor's momentum."""
    return day.table(
        """
        select * from marts.competitor_gaps
        where as_of_date = $as_of_date and market = coalesce($market, market)
        order by gap_type = 'MISSED_BY_YOU' desc, gap_type = 'BOTH_CAUGHT' desc, competitor_momentum desc, account,
            trend_key
        """,
        market=market,
    ).dicts()


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


# Orders of the competitor marts: own side first, totals before accounts.
_PARTIES = "parties.role = 'own' desc, parties.is_total desc, rows.account"
_COMPETITOR_ORDERS = {
    "competitor_summary": _PARTIES,
    "competitor_patterns": f"{_PARTIES}, rows.pattern <> 'all', rows.pattern = 'hour', rows.bucket",
    "competitor_responses": f"{_PARTIES}, rows.first_posted_at, rows.trend_key",
    "competitor_selection": f"{_PARTIES}, rows.threshold",
    "competitor_niches": f"{_PARTIES}, rows.dimension, rows.value",
    "competitor_variation": f"{_PARTIES}, rows.variation_rank",
    "competitor_revenue": _PARTIES,
    "competitor_market_timing": f"{_PARTIES}, rows.first_onset_date, rows.trend_key",
    "competitor_scorecard": f"{_PARTIES}, rows.outcome, rows.trend_key",
    "competitor_win_loss": _PARTIES,
}


def competitor_section(day: Day, mart: str, market: str | None) -> list[dict[str, Any]]:
    """Rows of a competitor mart: of the accounts at home in the market, and of the totals, which are over all.

    Args:
        day: The published day.
        mart: A name of `_COMPETITOR_ORDERS`.
        market: Market code, None for all.
    """
    return day.table(
        f"""
        select rows.*
        from marts.{mart} as rows
        inner join marts.competitor_summary as parties using (as_of_date, account)
        where rows.as_of_date = $as_of_date
            and (parties.is_total or coalesce(parties.home_market, '') = coalesce($market, parties.home_market, ''))
        order by {_COMPETITOR_ORDERS[mart]}
        """,
        market=market,
    ).dicts()


def posting_log(day: Day, market: str | None) -> list[dict[str, Any]]:
    """Own and competitors' posts of the week, newest first."""
    return day.table(
        """
        select * from marts.competitor_posts
        where as_of_date = $as_of_date and market = coalesce($market, market)
        order by posted_at desc, video_id
        """,
        market=market,
    ).dicts()
