"""The dates of a home: from its first published one, and older ones as soon as there are some."""

from datetime import UTC, date, datetime, timedelta

import dagster as dg
import duckdb
import pytest
from pydantic import SecretStr

from orchestration import partitions
from orchestration.definitions import build_defs
from orchestration.settings import Settings
from simulator import sample_config
from warehouse.store import Store


def publish(store: Store, *dates: date) -> None:
    store.warehouse.mkdir(parents=True, exist_ok=True)
    store.published_path.unlink(missing_ok=True)
    with duckdb.connect(str(store.published_path)) as connection:
        connection.execute("create schema meta; create table meta.builds (as_of_date date)")
        connection.executemany("insert into meta.builds values (?)", [[day] for day in dates])


def first(settings: Settings, asked: date | None = None) -> str:
    return partitions.of_home(settings, asked).get_partition_keys()[0]


def test_dates_begin_with_the_first_published_one_and_follow_older_ones(store: Store) -> None:
    settings, today = Settings(trends_home=store.home), datetime.now(UTC).date()
    publish(store, date(2026, 3, 9), date(2026, 3, 8))
    of_home = partitions.of_home(settings)
    keys = of_home.get_partition_keys()
    assert (keys[0], keys[-1]) == ("2026-03-08", today.isoformat())
    # A run for an older date has it at once, and everybody when it is published.
    assert first(settings, date(2026, 2, 1)) == "2026-02-01"
    assert first(settings, date(2026, 3, 9)) == "2026-03-08"
    publish(store, date(2026, 2, 1), date(2026, 3, 8), date(2026, 3, 9))
    assert first(settings) == "2026-02-01"


@pytest.mark.parametrize("token", ["", "token"])
def test_an_empty_home_has_the_dates_that_may_come_first(store: Store, token: str) -> None:
    settings = Settings(trends_home=store.home, apify_token=SecretStr(token) if token else None)
    before_first = datetime.now(UTC).date() - timedelta(days=partitions.DAYS_BEFORE_FIRST)
    assert first(settings) == (before_first if token else sample_config().start).isoformat()


def test_every_asset_and_job_has_the_dates_of_the_home(store: Store) -> None:
    publish(store, date(2026, 3, 8))
    definitions = build_defs(Settings(trends_home=store.home))
    starts = {
        node.partitions_def.start.date()
        for node in definitions.resolve_asset_graph().asset_nodes
        if isinstance(node.partitions_def, dg.TimeWindowPartitionsDefinition)
    }
    assert starts == {date(2026, 3, 8)}
    for job in ("daily", "backfill", "micro_poll", "revenue"):
        of_job = definitions.resolve_job_def(job).partitions_def
        assert of_job is not None
        assert of_job.get_partition_keys()[0] == "2026-03-08"
