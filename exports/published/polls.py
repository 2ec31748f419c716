"""What polls saw and told, and how well they heard."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

import duckdb

from exports.published.day import Day, read_table
from exports.published.decisions import build_list


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
        mart: read_table(
            connection.execute(f"select * from marts.{mart} {latest} order by {order}", [as_of_date])
        ).dicts()
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
    rows = read_table(
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
