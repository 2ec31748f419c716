"""What the micro-poll hears on real two-hourly readings, and the pace that an alert needed, day by day.

Belongs here: running the product over the set, counting, the picture. Must not be here: what a burst or an alert is
(models). Dates built together equal polls one by one: a test of the models holds that.
"""

from __future__ import annotations

import time
from pathlib import Path

import altair as alt
import pyarrow as pa

from benchmarks.home import PROJECT, backfill

SERIES = PROJECT.parent / "shared" / "data" / "tiktok_polls"
PICTURE = Path(__file__).with_name("pace_factor.svg")


def report(directory: Path) -> str:
    """Builds all polls of the set; recall and messages by week, and the pace factor by day as `pace_factor.svg`.

    Args:
        directory: An empty directory for the home.
    """
    heading = "## Bursts heard on real two-hourly readings\n\n"
    if not SERIES.is_dir():
        return f"{heading}Not run: the set is not beside this checkout (`../shared/data/tiktok_polls`)."
    started = time.monotonic()
    store = backfill(SERIES, directory)
    with store.published_reader() as connection:
        weeks = connection.execute(
            """
            with bursts as (
                select date_trunc('week', as_of_date)::date as week, count(*) as bursts,
                    count(*) filter (is_found) as found
                from marts.alert_bursts
                group by 1
            ),

            messages as (
                select date_trunc('week', alerted_at)::date as week, count(*) as messages,
                    count(distinct alerted_at::date) as days
                from marts.acceleration_alerts
                group by 1
            ),

            polled as (
                select date_trunc('week', as_of_date)::date as week, count(distinct as_of_date) as days
                from marts.poll_markets
                group by 1
            )

            select
                polled.week::varchar, polled.days, coalesce(bursts.bursts, 0), coalesce(bursts.found, 0),
                coalesce(messages.messages, 0)
            from polled
            left join bursts using (week)
            left join messages using (week)
            order by 1
            """
        ).fetchall()
        paces = connection.execute(
            """
            select as_of_date, market, median(pace_factor_needed) as middle, max(pace_factor_needed) as highest
            from marts.poll_markets
            where pace_factor_needed is not null
            group by all
            order by 1, 2
            """
        ).to_arrow_table()
    _draw(paces)
    lines = [
        f"| {week} | {days} | {bursts} | {found} | {found / bursts:.0%} | {messages / days:.1f} |"
        if bursts
        else f"| {week} | {days} | 0 | 0 | | {messages / days:.1f} |"
        for week, days, bursts, found, messages in weeks
    ]
    bursts, found = sum(row[2] for row in weeks), sum(row[3] for row in weeks)
    messages, days = sum(row[4] for row in weeks), sum(row[1] for row in weeks)
    highest = max(paces["highest"].to_pylist())
    return (
        f"{heading}Bursts are defined without the model. {time.monotonic() - started:.0f} s.\n\n"
        "| week of | polled days | bursts | heard | recall | messages a day |\n|---|---|---|---|---|---|\n"
        + "\n".join(lines)
        + f"\n| all | {days} | {bursts} | {found} | {found / bursts:.0%} | {messages / days:.1f} |\n\n"
        f"An alert needed at most {highest:.1f} times the pace. By day and market: ![pace factor](pace_factor.svg)"
    )


def _draw(paces: pa.Table) -> None:
    base = alt.Chart(alt.Data(values=[{**row, "as_of_date": f"{row['as_of_date']}"} for row in paces.to_pylist()]))
    ceiling = alt.Chart(alt.Data(values=[{"y": 10}])).mark_rule(strokeDash=[4, 4]).encode(y="y:Q")
    lines = base.mark_line(point=True).encode(
        x=alt.X("as_of_date:T", title=None),
        y=alt.Y("middle:Q", title="times the pace that an alert needed", scale=alt.Scale(domain=[0, 12])),
        color=alt.Color("market:N", title=None),
    )
    (lines + ceiling).properties(width=640, height=220).save(PICTURE)
