"""The panel of dates that were built: the first places of what the model drew, each with the chance that it had.

Belongs here: taking a panel of some size out of `int_panel_draws`. Must not be here: the order of drawing (the model),
keeping it (`ingest.panel`).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import duckdb

_DRAWN = """
select
    as_of_date, market, video_id, horizon_hours, video_url, stratum,
    count(*) over (partition by as_of_date, market, horizon_hours, stratum) * 1.0 / videos_of_stratum as probability,
    read_from, read_until
from intermediate.int_panel_draws
where place <= ? and list_contains(?::date[], as_of_date)
"""


def drawn(
    connection: duckdb.DuckDBPyConnection, dates: Sequence[date], videos_per_market: int
) -> list[tuple[object, ...]]:
    """The panel of dates, as rows for `ingest.panel.keep`.

    Args:
        connection: A model writer.
        dates: Dates that were built.
        videos_per_market: How many videos of each market; at most the variable `panel_most`.
    """
    return connection.execute(_DRAWN, [videos_per_market, list(dates)]).fetchall()
