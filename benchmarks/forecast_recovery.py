"""Planted bursts of the simulator against what the models call spiking, from daily feeds.

Belongs here: comparing the published file with the simulator's truth. Must not be here: the simulator, the models.

A feed a day sees a burst of 5 to 14 hours only as part of a day's gain. So the truth of a reading is its lift: what
the burst multiplies the views by, weighed with the share of the time since the previous reading that it covers.
"""

from __future__ import annotations

import time
from itertools import pairwise
from pathlib import Path

import duckdb

from benchmarks.home import backfill
from simulator import NO_ODDITIES, SimulatorConfig, simulate, write_export_folder

CONFIG = SimulatorConfig(days=12, videos_per_day=400, music=False, burst_share=0.15, oddities=NO_ODDITIES)
# A lift that the product's own threshold could see, a clear one, and a strong one.
LIFTS = (1.5, 3.0, 6.0)

READINGS = """
create temp table measured as
select
    videos.market,
    videos.video_id,
    readings.reading_number = 2 as is_second,
    videos.status_measured = '🚀 SPIKING' as is_spiking_measured,
    videos.status_classic = '🚀 SPIKING' as is_spiking_classic,
    videos.live_momentum / videos.expected_live_momentum as over_expected,
    coalesce(
        max(
            1 + (bursts.multiplier - 1)
            * greatest(
                epoch(least(bursts."end", videos.observed_at))
                - epoch(greatest(bursts.start, videos.observed_at - to_seconds(readings.gap_hours * 3600))),
                0
            ) / (readings.gap_hours * 3600)
        ),
        1
    ) as lift
from marts.videos_daily as videos
inner join marts.video_readings as readings
    on
        videos.market = readings.market
        and videos.video_id = readings.video_id
        and videos.observed_at = readings.observed_at
left join bursts on videos.video_id = bursts.video_id
where videos.live_momentum is not null and videos.expected_live_momentum > 0
group by
    videos.market, videos.video_id, readings.reading_number, videos.as_of_date, videos.status_measured,
    videos.status_classic, videos.live_momentum, videos.expected_live_momentum
"""


def report(directory: Path) -> str:
    """Simulates, builds and compares.

    Args:
        directory: An empty directory for the feeds and the home.
    """
    started = time.monotonic()
    least, most = CONFIG.burst_multiplier
    simulation = simulate(CONFIG)
    write_export_folder(simulation, directory / "feeds")
    store = backfill(directory / "feeds", directory / "home")
    seconds = time.monotonic() - started
    with store.published_reader() as connection:
        connection.register("bursts", simulation.truth.bursts)
        connection.execute(READINGS)
        lines = [*_spiking(connection), "", *_over_expected(connection)]
    return "\n".join(
        [
            "## Planted bursts, daily feeds",
            "",
            f"Simulator, seed {CONFIG.seed}: {CONFIG.days} days, {CONFIG.videos_per_day} videos a day and market,"
            f" bursts of 5 to 14 h that multiply views by {least:.0f} to {most:.0f}; {seconds:.0f} s.",
            "Lift: by how much the burst raised the views since the previous reading. Counted are",
            "readings with a previous one (live momentum and its expectation known).",
            "",
            *lines,
        ]
    )


def _spiking(connection: duckdb.DuckDBPyConnection) -> list[str]:
    lines = [
        "| called SPIKING by | readings of a video | planted lift | with it | recall | precision | called of all |",
        "|---|---|---|---|---|---|---|",
    ]
    for mode in ("measured", "classic"):
        # A second reading has only the age's usual course as its expectation, later ones a measured pace before.
        for which, condition in (("all", "true"), ("second", "is_second"), ("third and later", "not is_second")):
            for lift in LIFTS:
                [(count, *shares)] = connection.execute(
                    f"""
                    select
                        count(*) filter (lift >= $lift),
                        avg(is_spiking_{mode}::int) filter (lift >= $lift),
                        avg((lift >= $lift)::int) filter (is_spiking_{mode}),
                        avg(is_spiking_{mode}::int)
                    from measured
                    where {condition}
                    """,
                    {"lift": lift},
                ).fetchall()
                cells = " | ".join(_share(value) for value in shares)
                lines.append(f"| {mode} | {which} | >= {lift:g} | {count:,} | {cells} |")
    return lines


def _over_expected(connection: duckdb.DuckDBPyConnection) -> list[str]:
    """Live momentum over its expectation by lift, and how often a burst outranks a reading without one (AUC)."""
    lines = [
        "| planted lift | readings | live momentum over expected: 10 % | median | 90 % |",
        "|---|---|---|---|---|",
    ]
    for label, low, high in (("none", 1, 1 + 1e-9), ("up to 1.5", 1 + 1e-9, 1.5), *_bands()):
        [(count, *quantiles)] = connection.execute(
            """
            select
                count(*), quantile_cont(over_expected, 0.1), median(over_expected), quantile_cont(over_expected, 0.9)
            from measured where lift >= $low and lift < $high
            """,
            {"low": low, "high": high},
        ).fetchall()
        cells = " | ".join("-" if value is None else f"{value:.2f}" for value in quantiles)
        lines.append(f"| {label} | {count:,} | {cells} |")
    [(auc,)] = connection.execute(
        """
        with placed as (
            select lift >= $lift as is_burst, rank() over (order by over_expected) as place,
                count(*) over (partition by over_expected) as ties
            from measured where lift >= $lift or lift = 1
        )
        select
            (sum(place + (ties - 1) / 2.0) filter (is_burst)
                - count(*) filter (is_burst) * (count(*) filter (is_burst) + 1) / 2.0)
            / nullif(count(*) filter (is_burst) * count(*) filter (not is_burst), 0)
        from placed
        """,
        {"lift": LIFTS[0]},
    ).fetchall()
    return [
        *lines,
        "",
        f"A reading with a lift of at least {LIFTS[0]:g} has the higher ratio than one without a burst in"
        f" {_share(auc)} of pairs (AUC; 50 % would be chance).",
    ]


def _bands() -> list[tuple[str, float, float]]:
    limits = (*LIFTS, float("inf"))
    labels = [f"{low:g} to {high:g}" for low, high in pairwise(LIFTS)] + [f"from {LIFTS[-1]:g}"]
    return list(zip(labels, limits[:-1], limits[1:], strict=True))


def _share(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.1f} %"
