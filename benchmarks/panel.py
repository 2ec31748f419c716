"""Scores by survivors, by the panel, and by the simulator's truth of everybody that was forecast.

Belongs here: playing the panel on simulated days, and comparing. Must not be here: the simulator, how a panel is drawn
and weighed (models).

The truth is the gain of every forecast whose time is over, in a feed or not. Survivors are those that stood in a feed
again at the target: what is scored without a panel. The panel adds those that left, by a sample.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from benchmarks.home import PROJECT, backfill
from engine import rebuild
from engine.panel_draws import drawn
from ingest import facts, landing, panel
from orchestration.timetable import DAILY_HOUR_UTC
from simulator import NO_ODDITIES, SimulatorConfig, counts_at, read_again, simulate, write_export_folder
from simulator.simulation import Simulation
from warehouse.store import Store

CONFIG = SimulatorConfig(days=20, videos_per_day=300, music=False, oddities=NO_ODDITIES)
SIZES = (20, 100)
GROUPS = ("all", "cold", "warm")

SETTLED = """
select settled.*
from intermediate.int_settled_forecasts as settled
where record = 'replay' and is_first_market and not is_stale
"""

TRUTH = """
with known as (
    select
        settled.*,
        greatest(after.plays - before.plays, 0) as gain
    from settled
    inner join counts as before on before.video_id = settled.video_id and before.moment = settled.made_at
    inner join counts as after
        on after.video_id = settled.video_id
        and after.moment = settled.made_at + to_hours(settled.horizon_hours)
)
select
    horizon_hours, groups.name, count(*), count(actual_gain),
    sum(abs(p50 - gain)) / sum(gain), sum(p50 - gain) / sum(gain), avg((gain between p10 and p90)::int)
from known
inner join (values ('all', true, true), ('cold', true, false), ('warm', false, true)) as groups (name, of_cold, of_warm)
    on case when is_cold_start then of_cold else of_warm end
group by all
order by all
"""

SCORES = """
select
    horizon_hours, value, due, scored, score, bias, coverage_80, panel_read, panel_score, panel_bias,
    panel_coverage_80, score_low, score_high
from marts.scorecard
where
    as_of_date = (select max(as_of_date) from marts.scorecard) and kind = 'forecast' and market = 'ALL'
    and record = 'replay' and list_contains(?, value)
"""


def report(directory: Path) -> str:
    """Simulates, builds, reads again and compares.

    Args:
        directory: An empty directory for the feeds and the homes.
    """
    started = time.monotonic()
    simulation = simulate(CONFIG)
    write_export_folder(simulation, directory / "feeds")
    homes = {size: _home(simulation, directory, size) for size in SIZES}
    truth = {(row[0], row[1]): row[2:] for row in _truth(simulation, homes[SIZES[0]])}
    scores = {size: _scores(store) for size, store in homes.items()}
    lines = [
        "| horizon | forecasts | known by | n | WAPE | bias | in the 80 % range |",
        "|---|---|---|---|---|---|---|",
    ]
    for (horizon, group), (count, survivors, *true) in truth.items():
        name = f"{horizon} h, {group} | {count:,}"
        row = scores[SIZES[0]][horizon, group]
        lines.append(f"| {name} | survivors | {survivors:,} | {_cells(row[4:7])} |")
        lines.append(f"| {name} | survivors, with bounds | {survivors:,} | {_range(*row[11:13])} | - | - |")
        for size in SIZES:
            row = scores[size][horizon, group]
            lines.append(f"| {name} | panel of {size} | {survivors + row[7]:,} | {_cells(row[8:11])} |")
        lines.append(f"| {name} | **truth of everybody** | {count:,} | {_cells(true)} |")
    return "\n".join(
        [
            "## Scores by survivors, by the panel, and the truth of everybody",
            "",
            f"Simulator, seed {CONFIG.seed}: {CONFIG.days} days, {CONFIG.videos_per_day} videos a day and market,"
            f" counts rounded as on the web; {time.monotonic() - started:.0f} s. Replay, markets together.",
            "Panel of N: N videos a day and market, read at about 24 h, 48 h and 7 days; n counts them with the"
            " survivors.",
            "",
            *lines,
        ]
    )


def _home(simulation: Simulation, directory: Path, size: int) -> Store:
    """A home of all days with a panel of a size, as if each had been run at its hour."""
    store = backfill(directory / "feeds", directory / f"home-{size}")
    with store.model_writer() as connection:
        dates = [day for (day,) in connection.execute("select as_of_date from meta.builds order by 1").fetchall()]
        rows = drawn(connection, dates, size)
    feeds = []
    with facts.writer(store) as connection:
        panel.keep(connection, rows, datetime.now(UTC))
        for day in dates:
            moment = datetime(day.year, day.month, day.day, DAILY_HOUR_UTC, tzinfo=UTC)
            due = panel.due(connection, moment, 10_000)
            if due:
                path = directory / f"panel-{size}-{day}.jsonl"
                path.write_bytes(read_again(simulation, [(video.video_id, video.video_url) for video in due], moment))
                feeds.append(landing.FeedFile(path, "folder", panel.EVERY_MARKET, landing.PANEL, moment))
        landing.land(connection, feeds)
    rebuild.rebuild_and_publish(PROJECT, store, rebuild.plan(store))
    return store


def _truth(simulation: Simulation, store: Store) -> list[tuple[Any, ...]]:
    """Error, bias and coverage of every forecast whose time is over, by true counts at both of its ends."""
    with store.model_writer() as connection:
        settled = connection.execute(SETTLED).to_arrow_table()
    scratch = duckdb.connect()
    try:
        scratch.register("settled", settled)
        moments = scratch.execute(
            "select distinct unnest([made_at, made_at + to_hours(horizon_hours)]) as moment from settled order by 1"
        ).fetchall()
        videos = simulation.videos.column("video_id").combine_chunks()
        rising = [moment.replace(tzinfo=UTC) for (moment,) in moments]
        counts = pa.concat_tables(
            pa.table(
                {
                    "video_id": videos,
                    "moment": pa.array([moment.replace(tzinfo=None)] * len(videos), type=pa.timestamp("us")),
                    "plays": pa.array(found.plays),
                }
            )
            for moment, found in zip(rising, counts_at(simulation, rising), strict=True)
        )
        scratch.register("counts", counts)
        return scratch.execute(TRUTH).fetchall()
    finally:
        scratch.close()


def _scores(store: Store) -> dict[tuple[int, str], tuple[float, ...]]:
    with store.published_reader() as connection:
        rows = connection.execute(SCORES, [list(GROUPS)]).fetchall()
    return {(row[0], row[1]): row for row in rows}


def _cells(values: tuple[float, ...] | list[float]) -> str:
    error, bias, coverage = ("-" if value is None else f"{value:.3f}" for value in values)
    return f"{error} | {bias} | {coverage}"


def _range(low: float | None, high: float | None) -> str:
    return "-" if low is None or high is None else f"{low:.3f} to {high:.3f}"
