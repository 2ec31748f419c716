"""The panel: which videos are read again by URL at a moment, and keeping what was chosen.

Belongs here: the facts of the panel. Must not be here: how a sample is drawn (the model `int_panel_draws`), asking a
source (`apify`, `simulator`), landing what it brought (`landing`), scores.

Chosen is a fact, like what was told: an outcome is weighted by the chance that its video had then. Drawn again by a
later version of the models, strata and chances could be others than those the video was read by.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import duckdb

from ingest.landing import PANEL
from warehouse.store import transaction

# Market of a panel's readings: plays are one number worldwide, and one run reads the videos of all markets.
EVERY_MARKET = "ALL"


@dataclass(frozen=True, slots=True)
class Due:
    """A video to be read again.

    Attributes:
        video_id: Its id.
        video_url: Its address.
    """

    video_id: str
    video_url: str


def keep(connection: duckdb.DuckDBPyConnection, rows: Sequence[tuple[object, ...]], at: datetime) -> int:
    """Keeps the panel of dates that have none yet; returns how many rows were added.

    Args:
        connection: To the facts, read-write.
        rows: Date, market, video, horizon, address, stratum, chance, and from when to when it is to be read.
        at: Aware: when they were chosen.
    """
    known = {day for (day,) in connection.execute("select distinct as_of_date from meta.panel_choices").fetchall()}
    added = [[*row, at.astimezone(UTC).replace(tzinfo=None)] for row in rows if row[0] not in known]
    if added:
        with transaction(connection):
            connection.executemany(
                "insert into meta.panel_choices (as_of_date, market, video_id, horizon_hours, video_url, stratum,"
                " probability, read_from, read_until, chosen_at) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                added,
            )
    return len(added)


def due(connection: duckdb.DuckDBPyConnection, at: datetime, limit: int) -> list[Due]:
    """The videos to be read at a moment, each once; none where the panel was read on that date before.

    Args:
        connection: To the facts.
        at: Aware.
        limit: Most videos. What goes beyond it is left out by the number that their choice was drawn by, so that the
            rest is still a sample.
    """
    moment = at.astimezone(UTC).replace(tzinfo=None)
    read = connection.execute(
        "select 1 from raw.loads where kind = ? and status <> 'missing' and observed_at::date = ?::date limit 1",
        [PANEL, moment],
    ).fetchall()
    if read:
        return []
    rows = connection.execute(
        "select video_id, min(video_url) from meta.panel_choices where ? between read_from and read_until"
        " group by video_id order by md5(video_id || ?::varchar) limit ?",
        [moment, moment.date(), limit],
    ).fetchall()
    return [Due(video_id, video_url) for video_id, video_url in rows]


def last_failure(connection: duckdb.DuckDBPyConnection) -> str | None:
    """Why the last reading of the panel failed; None where it came, or none was tried."""
    rows = connection.execute(
        "select status, observed_at::date || ': ' || reason from raw.loads where kind = ?"
        " order by load_id desc limit 1",
        [PANEL],
    ).fetchall()
    return rows[0][1] if rows and rows[0][0] == "missing" else None
