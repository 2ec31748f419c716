"""The script that the models' speed is told against does their work, and does it itself."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from pathlib import Path

import duckdb
import pytest

from benchmarks import by_hand
from benchmarks.home import backfill
from ingest import export_folder, facts, landing
from ingest.simulator import Oddities, SimulatorConfig, simulate, write_export_folder
from orchestration import compiled_models
from tests.support import MARKETS, PROJECT, Rows
from warehouse.store import Store

DAY = date(2026, 3, 9)
# The other shapes of files are what the script leaves out.
CONFIG = SimulatorConfig(
    seed=4, days=6, polls=6, videos_per_day=150, burst_share=0.05, oddities=Oddities(formats=False)
)
LARGE_MARTS = ("videos_daily", "forecasts", "decisions", "trends_daily", "sounds_daily")
# Marts without an answer of the word lists, which the script joins as they stand.
WITHOUT_WORD_LISTS = set(by_hand.MARTS) - {"videos_daily", "acceleration_alerts", "opportunities", "my_performance"}


def _rows(connection: duckdb.DuckDBPyConnection) -> dict[str, Rows]:
    return {mart: connection.execute(f"from temp.main.{mart} order by all").fetchall() for mart in by_hand.MARTS}


@pytest.fixture(scope="module")
def landed(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """A home in which the models built five days in one batch, with the feeds of the sixth."""
    directory = tmp_path_factory.mktemp("by_hand")
    write_export_folder(simulate(CONFIG), directory / "feeds")
    store = backfill(directory / "feeds", directory / "home", until=datetime.combine(DAY, time.min, UTC))
    feeds, refusals = export_folder.scan(directory / "feeds", MARKETS)
    now = datetime.now(UTC)
    with facts.writer(store) as connection:
        landing.land(connection, feeds, refusals, landed_at=now)
        landing.cutoff_for(connection, DAY, now=now)
    return store


def test_rows_by_hand_are_those_of_the_marts_and_not_taken_from_them(landed: Store) -> None:
    with landed.model_writer() as connection:
        by_hand.run(connection, DAY)
        before = _rows(connection)
    compiled_models.build(PROJECT, landed, [DAY.isoformat()])
    with landed.model_writer() as connection:
        by_hand.run(connection, DAY)
        assert by_hand.differences(connection, DAY) == dict.fromkeys(by_hand.MARTS, 0)
        rows = _rows(connection)
    assert all(rows.values())
    assert all(len(rows[mart]) > 100 for mart in LARGE_MARTS)
    assert {mart: before[mart] for mart in WITHOUT_WORD_LISTS} == {mart: rows[mart] for mart in WITHOUT_WORD_LISTS}


def test_rows_that_differ_are_counted(tmp_path: Path) -> None:
    with duckdb.connect(str(tmp_path / "small.duckdb")) as connection:
        connection.execute("create schema marts")
        for mart, keys in by_hand.MARTS.items():
            columns = ", ".join(f"'{key}' as {key}" for key in keys)
            connection.execute(
                f"create table marts.{mart} as select date '{DAY}' as as_of_date, {columns}, 3.0::double as n"
            )
            connection.execute(f"create temp table {mart} as from marts.{mart}")
        connection.execute("update temp.main.decisions set n = n * (1 + 1e-12)")
        assert by_hand.differences(connection, DAY) == dict.fromkeys(by_hand.MARTS, 0)
        connection.execute("update temp.main.decisions set n = n * (1 + 1e-6)")
        connection.execute("update temp.main.sounds_daily set n = null")
        connection.execute("update temp.main.forecasts set market = 'another'")
        connection.execute("insert into temp.main.videos_daily from temp.main.videos_daily")
        connection.execute(
            "insert into marts.opportunities select as_of_date - 1, * exclude (as_of_date) from marts.opportunities"
        )
        found = by_hand.differences(connection, DAY)
        assert {mart: n for mart, n in found.items() if n} == {
            "decisions": 1,
            "sounds_daily": 1,
            "forecasts": 2,
            "videos_daily": 1,
        }
        connection.execute("alter table temp.main.decisions drop column n")
        with pytest.raises(ValueError, match=r"decisions.*\['n'\]"):
            by_hand.differences(connection, DAY)
