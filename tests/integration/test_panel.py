"""The panel on simulated days: it changes scores and nothing else, the same way day by day and in a rebuild.

Its estimates are checked against a second computation here, from the facts and the forecasts alone.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import duckdb
import pytest

from engine import compiled_models, dbt_runner, rebuild
from engine.panel_draws import drawn
from ingest import export_folder, facts, landing, panel
from orchestration.panel import SCORED as BUILT_AGAIN
from simulator import SimulatorConfig, read_again, simulate, write_export_folder
from tests import support
from tests.support import PROJECT, mart_checksums
from warehouse.publish import publish
from warehouse.store import Store, connect

pytestmark = pytest.mark.slow("a home of many days, once with a panel and once without")

CONFIG = SimulatorConfig(seed=5, days=5, videos_per_day=80, music=False)
SIZE = 12
NEVER = datetime(2100, 1, 1, tzinfo=UTC)
SCORED = "scorecard"


@dataclass(frozen=True)
class Homes:
    """Equal days without a panel, and with one that was read as in a life."""

    plain: Store
    lived: Store
    dates: list[date]


def moment(day: date) -> datetime:
    """When the daily run of a date asks."""
    return datetime(day.year, day.month, day.day, 9, tzinfo=UTC)


def build(store: Store, days: list[date]) -> None:
    """Builds and publishes dates in one batch."""
    batch = [day.isoformat() for day in days]
    rebuild.record(PROJECT, store, batch, compiled_models.build(PROJECT, store, batch), "test")
    publish(store, run_id="test", git_sha=None, descriptions={})


def contents(path: Path) -> dict[str, tuple[int, str]]:
    """Rows and a checksum of each mart, without the numbers of the loads: a panel's are counted too."""
    connection = connect(path, read_only=True)
    try:
        tables = connection.execute(
            "select table_name, string_agg(column_name, ', ') filter (not ends_with(column_name, 'load_id'))"
            " from duckdb_columns() where schema_name = 'marts' and database_name = current_database()"
            " group by 1 order by 1"
        ).fetchall()
        return {
            name: connection.execute(
                "select count(*), cast(sum(cast(hash(mart) as hugeint)) as varchar) from"
                f" (select {columns} from marts.{name}) as mart"
            ).fetchall()[0]
            for name, columns in tables
        }
    finally:
        connection.close()


def test_all_that_descends_from_a_reading_is_built_again() -> None:
    """A model put between them would keep the rows of before the panel."""
    manifest = json.loads(dbt_runner.ensure_manifest(PROJECT).read_text(encoding="utf-8"))
    found, ahead = set(), [next(key for key in manifest["child_map"] if key.endswith(".stg_tiktok__panel"))]
    while ahead:
        node = ahead.pop()
        if node.startswith("model.") and node not in found:
            found.add(node)
            ahead += manifest["child_map"][node]
    assert {node.rsplit(".", 1)[1] for node in found} == set(BUILT_AGAIN)


@pytest.fixture(scope="module")
def homes(tmp_path_factory: pytest.TempPathFactory) -> Homes:
    """Two homes, built day by day: in one of them a panel is chosen on each day and read on later ones."""
    root = tmp_path_factory.mktemp("panel")
    simulation = simulate(CONFIG)
    write_export_folder(simulation, root / "feeds")
    feeds, _ = export_folder.scan(root / "feeds", support.MARKETS)
    dates = sorted({feed.observed_at.date() for feed in feeds})
    plain, lived = Store(root / "plain"), Store(root / "lived")
    for day in dates:
        of_day = [feed for feed in feeds if feed.observed_at.date() == day]
        with facts.writer(plain) as connection:
            landing.land(connection, of_day)
            landing.cutoff_for(connection, day, now=NEVER)
        with facts.writer(lived) as connection:
            due = panel.due(connection, moment(day), 1000)
            if due:
                path = root / f"panel-{day}.jsonl"
                path.write_bytes(read_again(simulation, [(one.video_id, one.video_url) for one in due], moment(day)))
                of_day.append(landing.FeedFile(path, "folder", panel.EVERY_MARKET, landing.PANEL, moment(day)))
            landing.land(connection, of_day)
            landing.cutoff_for(connection, day, now=NEVER)
        build(plain, [day])
        build(lived, [day])
        with lived.model_writer() as connection:
            rows = drawn(connection, [day], SIZE)
        with facts.writer(lived) as connection:
            assert 0 < panel.keep(connection, rows, moment(day)) == len(rows) <= 2 * SIZE * 3
    return Homes(plain, lived, dates)


@pytest.fixture
def marts(homes: Homes) -> Iterator[duckdb.DuckDBPyConnection]:
    """The published file of the home with a panel, and its models."""
    connection = connect(homes.lived.published_path, read_only=True)
    yield connection
    connection.close()


def test_a_panel_changes_scores_and_nothing_else(homes: Homes) -> None:
    without, with_panel = (contents(store.published_path) for store in (homes.plain, homes.lived))
    assert [name for name in without if without[name] != with_panel[name]] == [SCORED]
    told = []
    for store in (homes.plain, homes.lived):
        connection = connect(store.published_path, read_only=True)
        of_panel = connection.execute(
            "select string_agg(column_name, ', ') from duckdb_columns() where table_name = 'scorecard'"
            " and schema_name = 'marts' and column_name like '%panel%'"
        ).fetchall()[0][0]
        rows = f"from marts.scorecard select * exclude ({of_panel}, is_greyed) order by all"
        told.append(connection.execute(rows).fetchall())
        read = connection.execute("select sum(panel_read) from marts.scorecard").fetchall()[0][0]
        assert (read > 0) == (store == homes.lived)
        connection.close()
    assert told[0] == told[1], "what survivors say stays"


def test_readings_of_the_panel_are_in_no_feed(homes: Homes) -> None:
    [(loads, items)] = support.build(
        homes.lived, "select count(*), sum(item_count) from raw.loads where kind = 'panel' and market = 'ALL'"
    )
    assert loads == len(homes.dates) - 1
    assert items > 2 * SIZE * loads
    tables = ("staging.stg_tiktok__videos", "intermediate.int_video_readings", "intermediate.int_feed_presence")
    for table in tables:
        one, other = (
            support.build(store, f"select count(*), count(distinct video_id) from {table}")
            for store in (homes.plain, homes.lived)
        )
        assert one == other, table


def test_a_rebuild_gives_what_day_by_day_gave(homes: Homes, tmp_path: Path) -> None:
    before = mart_checksums(homes.lived.published_path)
    outcomes = "from intermediate.int_panel_outcomes order by all"
    lived = support.build(homes.lived, outcomes)
    rebuild.rebuild_and_publish(PROJECT, homes.lived, rebuild.plan(homes.lived))
    assert mart_checksums(homes.lived.published_path) == before
    assert support.build(homes.lived, outcomes) == lived
    assert len(lived) > 2 * SIZE


def test_the_first_places_are_drawn_within_each_stratum(homes: Homes) -> None:
    """Every stratum of a date is drawn from, as often as its turn comes, and each chance is what it was."""
    rows = support.build(
        homes.lived,
        "select as_of_date, market, stratum, any_value(videos_of_stratum), count(*) filter (place <= 12)"
        " from intermediate.int_panel_draws where horizon_hours = 24 group by all",
    )
    by_panel: dict[tuple[date, str], list[tuple[int, int]]] = {}
    for day, market, _, videos, taken in rows:
        by_panel.setdefault((day, market), []).append((videos, taken))
    for strata in by_panel.values():
        # Of a dataset that came a second time hardly any video is of the day.
        assert sum(taken for _, taken in strata) == min(SIZE, sum(videos for videos, _ in strata))
        turns = SIZE // len(strata)
        assert all(taken >= min(videos, turns) for videos, taken in strata)
    with facts.writer(homes.lived) as connection:
        weighed = connection.execute(
            "select as_of_date, market, sum(1 / probability) from meta.panel_choices where horizon_hours = 24"
            " group by all order by all"
        ).fetchall()
    population = support.build(
        homes.lived,
        "select as_of_date, market, count(*) from marts.forecasts where horizon_hours = 24 and not is_stale"
        " group by all order by all",
    )
    assert [(day, market) for day, market, _ in weighed] == [(day, market) for day, market, _ in population]
    assert [total for *_, total in weighed] == pytest.approx([videos for *_, videos in population])


def test_the_score_on_everybody_is_that_of_the_facts(homes: Homes, marts: duckdb.DuckDBPyConnection) -> None:
    """A market's 24 h line, computed again: survivors as they are, others by what each that was read stands for."""
    settled = support.build(
        homes.lived,
        """
        select settled.forecast_date, video_id, p50, p10, p90, actual_gain, base_plays, made_at
        from intermediate.int_settled_forecasts as settled
        where record = 'replay' and market = 'US' and horizon_hours = 24 and not is_stale
        """,
    )
    with facts.writer(homes.lived) as connection:
        chances = {
            (day, video_id): chance
            for day, video_id, chance in connection.execute(
                "select as_of_date, video_id, probability from meta.panel_choices where market = 'US'"
                " and horizon_hours = 24"
            ).fetchall()
        }
        answers: dict[tuple[date, str], tuple[datetime, int]] = {}
        for at, payload in connection.execute("select observed_at, payload from raw.tiktok_panel").fetchall():
            item = json.loads(payload)
            answers[at.date(), item["id"]] = (at, int(item["playCount"]))
        gone = {
            (at.date(), json.loads(payload)["url"].rsplit("/", 1)[1])
            for at, payload in connection.execute(
                "select observed_at, payload from raw.quarantine where kind = 'panel'"
            ).fetchall()
        }
    error, gain, left_error, left_gain, read, weight, lost = 0.0, 0.0, 0.0, 0.0, 0, 0.0, 0
    for day, video_id, p50, _, _, actual, base, made_at in settled:
        if actual is not None:
            error, gain = error + abs(p50 - actual), gain + actual
            continue
        lost += 1
        chance = chances.get((day, video_id))
        answer = answers.get((day + timedelta(days=1), video_id))
        if chance is not None and (day + timedelta(days=1), video_id) in gone:
            weight += 1 / chance
        if chance is None or answer is None:
            continue
        hours = (answer[0] - made_at).total_seconds() / 3600
        gained = max(answer[1] - base, 0) * 24 / hours
        read, weight = read + 1, weight + 1 / chance
        left_error += abs(p50 - gained) / chance
        left_gain += gained / chance
    [(panel_read, score)] = marts.execute(
        "select panel_read, panel_score from marts.scorecard where record = 'replay' and market = 'US'"
        " and horizon_hours = 24 and value = 'all' and as_of_date = (select max(as_of_date) from marts.scorecard)"
    ).fetchall()
    assert panel_read == read >= 10
    scale = lost / weight
    assert score == pytest.approx((error + scale * left_error) / (gain + scale * left_gain), rel=1e-3)


def test_a_later_reading_changes_no_earlier_row(homes: Homes, tmp_path: Path) -> None:
    """The last day's readings of the panel say other plays: rows of the days before stay as they are."""
    last = homes.dates[-1]
    earlier = f"as_of_date < date '{last}'"
    before = mart_checksums(homes.lived.published_path, earlier)
    copy = Store(tmp_path / "home")
    copy.warehouse.mkdir(parents=True)
    with homes.lived.lock():
        copy.facts_path.write_bytes(homes.lived.facts_path.read_bytes())
    with facts.writer(copy) as connection:
        changed = connection.execute(
            "update raw.tiktok_panel set payload = json_merge_patch(payload, '{\"playCount\": 999000000}')"
            " where observed_at::date = ?",
            [last],
        ).fetchall()
    assert changed[0][0] > 0
    rebuild.rebuild_and_publish(PROJECT, copy, rebuild.plan(copy))
    assert mart_checksums(copy.published_path, earlier) == before
    late = f"as_of_date = date '{last}'"
    assert mart_checksums(copy.published_path, late)[SCORED] != mart_checksums(homes.lived.published_path, late)[SCORED]


def test_what_was_chosen_is_kept_once_and_read_once_a_day(homes: Homes) -> None:
    with homes.lived.model_writer() as connection:
        more = drawn(connection, homes.dates, 2 * SIZE)
    last = homes.dates[-1]
    with facts.writer(homes.lived) as connection:
        assert panel.keep(connection, more, NEVER) == 0, "another size, or version, changes no panel of before"
        assert panel.due(connection, moment(last), 1000) == [], "read already"
        tomorrow = moment(last + timedelta(days=1))
        everything = panel.due(connection, tomorrow, 1000)
        some = panel.due(connection, tomorrow, 7)
        # Those of the last day, and 48 h after the day before.
        assert 2 * SIZE < len(everything) <= 4 * SIZE
        assert some == everything[:7]
        assert panel.due(connection, tomorrow + timedelta(days=30), 1000) == []
