"""Whether the daily marts hold the rows that were written into them.

Belongs here: the notes of how many rows a mart had of a date when that was built, and what differs from them. Must not
be here: how models are built, how many rows a mart should have of its parents (data tests `complete` do that).

A table can lose its rows without an error: by a fault of the database or its settings, or by hand. A mart of a date
without rows looks the same whether it came out empty or was emptied. So the statements that write a mart note the rows
of each of their dates beside it, in the same file and transaction, also where there are none (macros/mart_rows.sql).

Seen with DuckDB 1.5.6 and a file without a log (`recovery_mode no_wal_writes`): whole tables were there for everybody
in the process that wrote them, also after a checkpoint, and empty once the file was opened again. So rows are counted
twice: after each commit, and before a date counts as built, on a connection that opened the file anew.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import groupby

import duckdb

from warehouse import labels
from warehouse.store import MARTS_DATABASE, quote_literal

# macros/mart_rows.sql makes the same table for a dbt that runs in a shell.
NOTES = f"{MARTS_DATABASE}.meta.mart_rows"
NOTES_DDL = f"""
create schema if not exists {MARTS_DATABASE}.meta;
create table if not exists {NOTES} (mart varchar not null, as_of_date date not null, row_count bigint not null);
"""
NOTES_COMMENT = (
    f"comment on table {NOTES} is"
    " 'Rows of each daily mart and date, noted by the statement that wrote them; 0 where there were none.'"
)

# Columns of marts that polls fill, whatever daily builds there are.
_BY_POLL = ["poll_at", "alerted_at"]

# Of each mart, in a message; the others are counted.
_DATES_SHOWN = 3

# Dates on which a mart has rows, as its parents among the marts say, by mart: the parent, and what selects them.
# Nothing that a setting could change without the models.
_MARTS = f"{MARTS_DATABASE}.marts"
_ASKED_FOR = {
    mart: (parent, rows.replace("marts.", f"{_MARTS}."))
    for mart, parent, rows in (
        ("videos_daily", "source_health", "select as_of_date from marts.source_health where distinct_videos > 0"),
        ("forecasts", "videos_daily", "select as_of_date from marts.videos_daily"),
        ("decisions", "videos_daily", "select as_of_date from marts.videos_daily"),
        ("sounds_daily", "videos_daily", "select as_of_date from marts.videos_daily where music_id is not null"),
        ("trends_daily", "videos_daily", "select as_of_date from marts.videos_daily where trend_key_type <> 'video'"),
        ("my_performance", "videos_daily", "select as_of_date from marts.videos_daily where author_role = 'own'"),
        (
            "opportunities",
            "videos_daily",
            "select as_of_date from marts.videos_daily where author_role = 'other' and age_hours <= 60"
            " and momentum_score >= 300"
            f" and action_window in ({', '.join(map(quote_literal, labels.OPEN_WINDOWS))})",
        ),
        (
            # Of a date on which five videos are asked for, by the day's reading and with a window of more than a day,
            # some are no ads and on a trend that lives, however many hours a template takes.
            "build_list",
            "decisions",
            "select videos.as_of_date from marts.videos_daily as videos inner join marts.decisions as decided"
            " on videos.as_of_date = decided.as_of_date and videos.market = decided.market"
            " and videos.video_id = decided.video_id and videos.decision_mode = decided.decision_mode"
            " where videos.author_role = 'other' and videos.is_believed and videos.stop_reason is null"
            f" and videos.recommended_variants > 0 and videos.status <> '{labels.DYING}'"
            f" and coalesce(videos.trajectory <> '{labels.CRASHING}', true)"
            " and cast(videos.observed_at as date) = videos.as_of_date"
            " and decided.is_build and decided.window_left_hours > 36"
            " group by videos.as_of_date having count(distinct videos.video_id) >= 5",
        ),
        (
            # Videos of a date whose creator has three posts before, each of them read at an age of 18 to 24 hours.
            "creator_outliers",
            "videos_daily",
            "with creators as (select video_id, min(author_handle) as creator from marts.videos_daily group by 1),"
            " posts as (select video_id, min(posted_at) as posted_at from marts.video_readings"
            " where age_hours between 18 and 24 and plays is not null and not age_is_lower_bound group by 1),"
            " placed as (select creators.creator, posts.video_id, posts.posted_at, lag(posts.posted_at, 3) over ("
            " partition by creators.creator order by posts.posted_at, posts.video_id) as third_before"
            " from posts inner join creators on posts.video_id = creators.video_id)"
            " select videos.as_of_date from marts.videos_daily as videos"
            " inner join placed on videos.video_id = placed.video_id"
            " where placed.posted_at < videos.as_of_date - 1 and placed.third_before > videos.as_of_date - 80",
        ),
        (
            "competitor_posts",
            "videos_daily",
            "select as_of_date from marts.videos_daily where author_role in ('own', 'competitor')"
            " and cast(posted_at as date) between as_of_date - 6 and as_of_date",
        ),
        ("competitor_niches", "competitor_posts", "select as_of_date from marts.competitor_posts"),
        (
            "competitor_responses",
            "competitor_posts",
            "select as_of_date from marts.competitor_posts where trend_key_type <> 'video'",
        ),
        (
            "competitor_variation",
            "competitor_posts",
            "select as_of_date from marts.competitor_posts where trend_key_type <> 'video'",
        ),
        (
            "competitor_scorecard",
            "competitor_posts",
            "select as_of_date from marts.competitor_posts where trend_key_type <> 'video' and role = 'competitor'",
        ),
        (
            "competitor_win_loss",
            "competitor_summary",
            "select as_of_date from marts.competitor_summary where role = 'competitor'",
        ),
        ("forecast_scores", "decision_scores", "select as_of_date from marts.decision_scores"),
        ("revenue_breakdown", "revenue_source", "select as_of_date from marts.revenue_source"),
        ("template_revenue", "revenue_source", "select as_of_date from marts.revenue_source where row_count > 0"),
        ("revenue_installs", "revenue_source", "select as_of_date from marts.revenue_source where row_count > 0"),
    )
}

REMEDY = "`trends rebuild` makes the marts again from what was landed"


class LostRowsError(RuntimeError):
    """A relation has other rows than were written into it; the message names both numbers."""


class IncompleteMartsError(LookupError):
    """A daily mart lacks rows of a date that was built; the message names mart, dates and remedy."""


@dataclass(frozen=True, slots=True)
class Hole:
    """A date of a mart that has other rows than it was built with.

    Attributes:
        mart: The mart.
        as_of_date: The date.
        expected: Rows that were noted when the date was built; None where nothing was noted.
        found: Rows that are there.
    """

    mart: str
    as_of_date: date
    expected: int | None
    found: int


def ensure_notes(connection: duckdb.DuckDBPyConnection) -> None:
    """Creates the table of notes in the marts' file where it is missing."""
    connection.execute(NOTES_DDL)


def has_notes(connection: duckdb.DuckDBPyConnection, database: str = MARTS_DATABASE) -> bool:
    """Whether a database has the table of notes: files of earlier versions have none."""
    return bool(
        connection.execute(
            "select 1 from duckdb_tables() where (database_name, schema_name, table_name) = (?, 'meta', 'mart_rows')",
            [database],
        ).fetchall()
    )


def count(connection: duckdb.DuckDBPyConnection, relation: str) -> int:
    """Rows of a relation."""
    ((rows,),) = connection.execute(f"select count(*) from {relation}").fetchall()
    return int(rows)


def require_written(connection: duckdb.DuckDBPyConnection, written: Mapping[str, int | None]) -> None:
    """Counts the rows of relations after what wrote them was committed.

    Args:
        connection: A connection without a transaction.
        written: Rows that each relation must have; None where that is not known.

    Raises:
        LostRowsError: One has more or fewer.
    """
    known = {relation: rows for relation, rows in written.items() if rows is not None}
    if not known:
        return
    found = connection.execute(
        " union all ".join(f"select {quote_literal(relation)}, count(*) from {relation}" for relation in known)
    ).fetchall()
    lost = [
        f"{relation} has {rows} rows, {known[relation]} were written"
        for relation, rows in found
        if rows != known[relation]
    ]
    if lost:
        message = f"rows were lost after they were committed: {'; '.join(sorted(lost))}. Run it again"
        raise LostRowsError(message)


def daily_marts(connection: duckdb.DuckDBPyConnection, database: str = MARTS_DATABASE) -> list[str]:
    """Names of the marts that have partitions by as-of date, each replaced when its date is built."""
    found = connection.execute(
        "select table_name from duckdb_columns() where schema_name = 'marts' and database_name = ?"
        " group by table_name having bool_or(column_name = 'as_of_date')"
        " and not bool_or(list_contains(?, column_name)) and not contains(table_name, '__dbt_') order by 1",
        [database, _BY_POLL],
    ).fetchall()
    return [name for (name,) in found]


def holes(
    connection: duckdb.DuckDBPyConnection, dates: Sequence[date], marts: Iterable[str] | None = None
) -> list[Hole]:
    """Dates of marts with other rows than were noted when they were built, or of which nothing was noted.

    Args:
        connection: A connection to the marts' file, or a reader of the published one.
        dates: Dates that were built.
        marts: Names of the daily marts; all that are there, or were when something was noted, by default.

    Returns:
        What differs, by mart and date.
    """
    present = daily_marts(connection)
    noted = has_notes(connection)
    if marts is None:
        of_notes = connection.execute(f"select distinct mart from {NOTES}").fetchall() if noted else []
        marts = {*present, *(mart for (mart,) in of_notes)}
    wanted = sorted(set(marts))
    if not dates or not wanted:
        return []
    # The bounds keep old partitions unread where only the newest are asked for.
    of_dates = "as_of_date between ? and ?"
    bounds = [min(dates), max(dates)]
    nothing = "select cast(null as varchar) as mart, cast(null as date) as as_of_date, 0 as row_count where false"
    counted = [
        f'select {quote_literal(mart)}, as_of_date, count(*) from {MARTS_DATABASE}.marts."{mart}"'
        f" where {of_dates} group by as_of_date"
        for mart in wanted
        if mart in present
    ]
    notes = f"select mart, as_of_date, max(row_count) as row_count from {NOTES} where {of_dates} group by all"
    found = connection.execute(
        f"with found as ({' union all '.join([nothing, *counted])}), noted as ({notes if noted else nothing})"
        " select wanted.mart, wanted.as_of_date, noted.row_count, coalesce(found.row_count, 0)"
        " from (select marts.mart, days.as_of_date"
        " from (select unnest(?::varchar[]) as mart) as marts"
        " cross join (select unnest(?::date[]) as as_of_date) as days) as wanted"
        " left join found on wanted.mart = found.mart and wanted.as_of_date = found.as_of_date"
        " left join noted on wanted.mart = noted.mart and wanted.as_of_date = noted.as_of_date"
        " where noted.row_count is distinct from coalesce(found.row_count, 0)"
        " order by 1, 2",
        [*bounds * len(counted), *(bounds if noted else []), wanted, list(dates)],
    ).fetchall()
    return [Hole(*row) for row in found]


def described(found: Iterable[Hole]) -> str:
    """Holes for people: each mart with its first dates."""
    parts = []
    for mart, group in groupby(found, key=lambda hole: hole.mart):
        dates = [
            f"{hole.as_of_date} ({hole.found} rows, "
            + ("never noted how many were built)" if hole.expected is None else f"{hole.expected} were built)")
            for hole in group
        ]
        parts.append(f"{mart}: {_first(dates)}")
    return "; ".join(parts)


def _first(dates: Sequence[str]) -> str:
    more = len(dates) - _DATES_SHOWN
    return ", ".join(dates[:_DATES_SHOWN]) + (f" and {more} further dates" if more > 0 else "")


def require(connection: duckdb.DuckDBPyConnection, dates: Sequence[date], marts: Iterable[str] | None = None) -> None:
    """Refuses marts with holes; see `holes`.

    Raises:
        IncompleteMartsError: There are some.
    """
    found = holes(connection, dates, marts)
    if found:
        message = f"marts have not the rows that they were built with: {described(found)}. {REMEDY}"
        raise IncompleteMartsError(message)


def contradictions(connection: duckdb.DuckDBPyConnection, dates: Sequence[date]) -> str:
    """Marts that have no rows of a date though another mart asks for some, for people: for files without notes.

    Args:
        connection: A reader of the published file, or a connection to the marts' file.
        dates: Dates to look at.
    """
    present = set(daily_marts(connection))
    parts = []
    for mart, (parent, asking) in sorted(_ASKED_FOR.items()):
        if mart in present and parent in present:
            found = connection.execute(
                f"with asking as ({asking}) select distinct as_of_date::varchar from asking"
                " where list_contains(?::date[], as_of_date)"
                f" and as_of_date not in (select as_of_date from {_MARTS}.{mart}) order by 1",
                [list(dates)],
            ).fetchall()
            if found:
                parts.append(f"{mart}: no rows on {_first([day for (day,) in found])}, but {parent} asks for some")
    return "; ".join(parts)


def built_dates(connection: duckdb.DuckDBPyConnection) -> list[date]:
    """Dates that the marts' file says were built: those that are, or will be, published."""
    rows = connection.execute(f"select as_of_date from {MARTS_DATABASE}.meta.builds order by 1").fetchall()
    return [day for (day,) in rows]


def checksums(connection: duckdb.DuckDBPyConnection, schemas: Sequence[str]) -> dict[str, tuple[int, int]]:
    """Rows and a sum over all columns of each table, whatever the order of the rows, by `schema.table`.

    Args:
        connection: A connection to the build file and the marts.
        schemas: Schemas to look at.
    """
    tables = connection.execute(
        "select database_name, schema_name, table_name from duckdb_tables()"
        " where list_contains(?, schema_name) and not temporary order by all",
        [list(schemas)],
    ).fetchall()
    sums = {}
    for database, schema, table in tables:
        ((rows, total),) = connection.execute(
            f'select count(*), coalesce(sum(hash(held)::hugeint), 0) from "{database}"."{schema}"."{table}" as held'
        ).fetchall()
        sums[f"{schema}.{table}"] = (int(rows), int(total))
    return sums
