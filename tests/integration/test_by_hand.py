"""The script that the models' speed is told against does their work, and does it itself."""

from __future__ import annotations

from datetime import UTC, date, datetime, time

import pytest

from benchmarks import by_hand
from benchmarks.home import backfill
from engine import compiled_models, compiler
from ingest import export_folder, facts, landing
from simulator import Oddities, SimulatorConfig, simulate, write_export_folder
from tests.invented import HOSTILE_CAPTIONS
from tests.support import MARKETS, PROJECT
from warehouse.store import Store

DAY = date(2026, 3, 9)
# The other shapes of files are what the script leaves out.
CONFIG = SimulatorConfig(
    seed=4,
    days=6,
    polls=6,
    videos_per_day=150,
    burst_share=0.05,
    oddities=Oddities(captions=HOSTILE_CAPTIONS, formats=False),
)


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


def test_the_script_makes_as_many_rows_as_the_models_and_takes_none_from_them(landed: Store) -> None:
    nodes = compiler.compiled(PROJECT)
    with landed.model_writer() as connection:
        before = by_hand.run(connection, DAY)
        compiled_models.run(connection, nodes, [DAY.isoformat()], names=by_hand.models(nodes))
        after = by_hand.run(connection, DAY)
        marts = {mart: connection.execute(f"select count(*) from {of_day(mart)}").fetchall() for mart in by_hand.MARTS}
    assert before == after
    assert marts == {mart: [(rows,)] for mart, rows in before.items()}
    assert all(before.values())


def test_a_mart_needs_the_models_before_it_and_no_others() -> None:
    names = by_hand.models(compiler.compiled(PROJECT))
    assert {"stg_tiktok__videos", "int_feed_presence", *by_hand.MARTS} < set(names)
    assert set(names).isdisjoint({"forecasts", "template_revenue", "acceleration_alerts"})


def of_day(mart: str) -> str:
    return f"trends.marts.{mart} where as_of_date = date '{DAY}'"
