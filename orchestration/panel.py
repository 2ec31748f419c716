"""The panel in a run: what is asked of Apify, what is kept of a day, and the simulator as the one that answers.

Belongs here: when the panel is on, and what a run says where it isn't. Must not be here: how a sample is drawn (the
model `int_panel_draws`), the facts (`ingest.panel`), HTTP.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING

from engine.panel_draws import drawn
from ingest import facts, landing, panel
from ingest.apify import ApifyTask
from ingest.export_folder import TIME_FORMAT
from orchestration import timetable
from orchestration.settings import Settings
from warehouse.store import Store, connect, patiently

if TYPE_CHECKING:
    from simulator import Simulation, SimulatorConfig

# Models that a reading of the panel changes, and no other one: the first reads it, the others descend from that.
SCORED = ("stg_tiktok__panel", "int_panel_outcomes", "int_score_days", "int_scorecard_forecasts", "scorecard")

OFF = (
    "panel: off, because PANEL_TASK_ID is not set: what became of videos that left the feeds stays unknown, and scores"
    " have bounds instead (PANEL_VIDEOS_PER_MARKET=0 says that this is wanted)"
)
# A hundred pages are read in minutes: the day's feeds are not kept waiting for longer.
_PATIENCE = timedelta(minutes=15)


def is_on(settings: Settings) -> bool:
    """Whether anything is chosen and read."""
    is_wanted = settings.panel_videos_per_market > 0 and settings.panel_reads_per_day > 0
    return settings.panel_task_id is not None and is_wanted


def task(settings: Settings, store: Store, at: datetime) -> ApifyTask | str | None:
    """The Apify task that reads what is due.

    Args:
        settings: For the task, and how much may be read.
        store: The home whose panel it is.
        at: The present.

    Returns:
        The task; what to say where it isn't set; None where nothing is due, or none is wanted.
    """
    if settings.panel_task_id is None and settings.panel_videos_per_market > 0:
        return OFF
    if settings.panel_task_id is None or not is_on(settings):
        return None
    with facts.writer(store) as connection:
        due = panel.due(connection, at, settings.panel_reads_per_day)
    if not due:
        return None
    return ApifyTask(
        panel.EVERY_MARKET,
        landing.PANEL,
        settings.panel_task_id,
        # Of videos that are all gone no item comes.
        item_floor=0,
        input_override={settings.panel_input: [video.video_url for video in due]},
        max_items=len(due),
        run_timeout=min(_PATIENCE, timedelta(minutes=settings.apify_run_timeout_minutes)),
    )


def keep_day(settings: Settings, store: Store, day: date) -> None:
    """Keeps what was chosen on a date that is today: of another one, the time to read it is over."""
    if is_on(settings) and day == datetime.now(UTC).date():
        _keep(store, [day], settings.panel_videos_per_market)


def play_sample(settings: Settings, store: Store, dates: Sequence[date]) -> bool:
    """Chooses and reads the panel of a simulated home's dates, as if each had been run on its day.

    A user's home chooses on one day and reads on the next; the sample's days are built at once, so its simulator is
    asked for each of them at the hour of the daily run, within what that date may know.

    Args:
        settings: For how much is read.
        store: The home.
        dates: Those that were built just now.

    Returns:
        Whether there is something new to score.
    """
    if min(settings.panel_videos_per_market, settings.panel_reads_per_day) == 0 or not _is_simulated(store):
        return False
    kept = _keep(store, dates, settings.panel_videos_per_market)
    with facts.writer(store) as connection:
        cutoffs = connection.execute(
            "select as_of_date, cutoff_at from meta.cutoffs where as_of_date <= ? order by 1", [max(dates)]
        ).fetchall()
        moments = [
            moment
            for day, cutoff_at in cutoffs
            if (moment := datetime.combine(day, time(timetable.DAILY_HOUR_UTC), tzinfo=UTC))
            <= cutoff_at.replace(tzinfo=UTC)
        ]
        due = {moment: panel.due(connection, moment, settings.panel_reads_per_day) for moment in moments}
        feeds = [_answer(store, moment, videos) for moment, videos in due.items() if videos]
        landing.land(connection, feeds, source="sample")
    return kept > 0 or bool(feeds)


def last_failure(store: Store) -> str | None:
    """Why the last reading of the panel failed; None where it came. Looking changes nothing."""
    if not store.facts_path.exists():
        return None
    with (
        store.lock(),
        closing(patiently(lambda: connect(store.facts_path, read_only=True), store.lock_timeout_s)) as connection,
    ):
        loads = "select 1 from duckdb_tables() where schema_name = 'raw' and table_name = 'loads'"
        return panel.last_failure(connection) if connection.execute(loads).fetchall() else None


def _keep(store: Store, dates: Sequence[date], videos_per_market: int) -> int:
    with store.model_writer() as connection:
        rows = drawn(connection, dates, videos_per_market)
    with facts.writer(store) as connection:
        return panel.keep(connection, rows, datetime.now(UTC))


def _is_simulated(store: Store) -> bool:
    with facts.writer(store) as connection:
        rows = connection.execute("select 1 from raw.loads where source = 'sample' limit 1").fetchall()
    return bool(rows)


def _answer(store: Store, moment: datetime, videos: Sequence[panel.Due]) -> landing.FeedFile:
    """The simulator's reading of videos, as a file."""
    # NumPy and Arrow's functions, which nothing else needs: 0.1 s of every other start.
    from simulator import read_again, sample_config

    path = store.data / "panel" / f"{moment.strftime(TIME_FORMAT)}.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    asked = [(video.video_id, video.video_url) for video in videos]
    path.write_bytes(read_again(simulated(sample_config()), asked, moment))
    return landing.FeedFile(path, "sample", panel.EVERY_MARKET, landing.PANEL, moment)


@functools.lru_cache(maxsize=1)
def simulated(config: SimulatorConfig) -> Simulation:
    """The simulated market; half a second, and a first run asks for it twice."""
    from simulator import simulate

    return simulate(config)
