"""Facts: their tables grow by numbered steps, homes of earlier versions come along, and what was told stays told."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import duckdb
import pytest

from ingest import facts, told
from ingest.migrations import _STEPS, NewerHomeError, migrate
from ingest.told import Teller
from tests.support import FIXTURES, PROJECT, ROOMS, land_folder, moment, records, video, write_feed
from warehouse.store import FactsLostError, Store, connect

EARLIER = sorted((FIXTURES / "earlier_homes").glob("*.sql"))
DAY = date(2026, 1, 5)


def tables(connection: duckdb.DuckDBPyConnection) -> list[tuple[str, str, str, bool]]:
    """Every column of the facts, without their order: a column that came later stands at the end."""
    return connection.execute(
        "select schema_name || '.' || table_name, column_name, data_type, is_nullable from duckdb_columns()"
        " where database_name = current_database() and not internal order by all"
    ).fetchall()


def test_steps_are_applied_once(store: Store) -> None:
    with store.facts_writer() as connection:
        assert migrate(connection) == [name for name, _ in _STEPS]
        assert migrate(connection) == []
        applied = connection.execute("select number, name from meta.migrations order by 1").fetchall()
    assert applied == [(number, name) for number, (name, _) in enumerate(_STEPS, 1)]


def test_a_step_that_fails_leaves_the_tables_as_they_were(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(connection: duckdb.DuckDBPyConnection) -> None:
        connection.execute("create table raw.half_done (i integer); select error('stop')")

    monkeypatch.setattr("ingest.migrations._STEPS", (*_STEPS, ("fails", fails)))
    with pytest.raises(duckdb.Error, match="stop"), facts.writer(store):
        pass
    monkeypatch.undo()
    with facts.writer(store) as connection:
        assert [name for name, *_ in tables(connection) if "half_done" in name] == []


def test_facts_of_a_newer_version_are_refused(store: Store) -> None:
    with facts.writer(store) as connection:
        connection.execute("insert into meta.migrations values (99, 'later', now())")
    with (
        pytest.raises(NewerHomeError, match=rf"step 99 .* this version knows {len(_STEPS)}\).*: update the project"),
        facts.writer(store),
    ):
        pass


@pytest.mark.parametrize("ddl", EARLIER, ids=lambda path: path.stem)
def test_an_earlier_home_gets_the_tables_of_a_new_one_and_loses_no_fact(ddl: Path, tmp_path: Path) -> None:
    earlier, new = Store(tmp_path / "earlier"), Store(tmp_path / "new")
    earlier.warehouse.mkdir(parents=True)
    connection = connect(earlier.build_path)
    connection.execute(ddl.read_text(encoding="utf-8"))
    connection.execute(
        "insert into raw.loads (load_id, source, market, kind, file, observed_at, landed_at, item_count,"
        " quarantined_count, status)"
        " values (7, 'folder', 'US', 'videos', 'f', '2026-01-05', '2026-01-05', 1, 0, 'landed');"
        " insert into raw.tiktok_videos values (7, 1, 'folder', 'US', 'videos', null, null, '2026-01-05',"
        " '2026-01-05', 'hash', '{\"id\": \"1\"}');"
        " insert into meta.cutoffs values ('2026-01-05', '2026-01-05 09:00', 'live');"
        " create schema staging; create schema intermediate; create table staging.staged as select 1 as derived;"
        " create view intermediate.seen as from staging.staged; create table meta.builds as select 1 as derived"
    )
    connection.close()
    with facts.writer(new) as connection:
        expected = tables(connection)
    with facts.writer(earlier) as connection:
        # A table that was made `as from` another one had no `not null`: nothing else may differ.
        found = [(*column[:3], True) for column in tables(connection)]
        assert found == [(*column[:3], True) for column in expected]
        assert records(connection, "select load_id, status from raw.loads") == [{"load_id": 7, "status": "landed"}]
        assert connection.execute("select payload ->> 'id' from raw.tiktok_videos").fetchall() == [("1",)]
        assert connection.execute("select as_of_date::varchar, origin from meta.cutoffs").fetchall() == [
            ("2026-01-05", "live")
        ]
    assert not earlier.build_path.exists(), "its name is free for what is derived"
    write_feed(tmp_path / "feeds", "2026-01-06T08:00", [video()])
    report = land_folder(earlier, tmp_path / "feeds")
    assert (report.landed, report.items) == (1, 1)


def test_lost_facts_are_named_and_nothing_takes_their_place(store: Store, tmp_path: Path) -> None:
    write_feed(tmp_path / "feeds", "2026-01-05T08:00", [video()])
    land_folder(store, tmp_path / "feeds")
    with store.model_writer() as connection:
        connection.execute("create table derived as select 1 as i")
    store.facts_path.unlink()
    for opened in (store.facts_writer, store.model_writer):
        with pytest.raises(FactsLostError, match=r"facts.duckdb is gone.*`trends restore`"), opened():
            pass
    assert not store.facts_path.exists()
    assert store.build_path.exists()


def test_no_statement_writes_facts_by_place() -> None:
    """A column that a step adds must not move the values of another one."""
    by_place = [
        f"{path.name}: {line.strip()}"
        for room in ROOMS
        for path in sorted((PROJECT / room).rglob("*.py"))
        for line in path.read_text(encoding="utf-8").splitlines()
        if "insert" in line
        and ("raw." in line or "told." in line)
        and "values" in line
        and "(" not in line.split("values")[0]
    ]
    assert by_place == []


# ---------- what was told

PUBLISHED = """
create schema meta; create schema marts;
create table meta.builds as select date '2026-01-05' as as_of_date, timestamp '2026-01-05 09:00' as cutoff_at;
create table marts.forecasts as
select date '2026-01-05' as as_of_date, 'US' as market, '1' as video_id, horizon as horizon_hours,
    timestamp '2026-01-05 08:00' as made_at, timestamp '2026-01-06 08:00' as target_at, {p50} as p50
from unnest([24, 48]) as horizons (horizon);
create table marts.opportunities as
select date '2026-01-05' as as_of_date, 'US' as market, place::varchar as video_id, place::integer as market_order
from range(1, 30) as places (place);
create table marts.micro_polls as
select date '2026-01-05' as as_of_date, timestamp '2026-01-05 10:00' as poll_at,
    timestamp '2026-01-05 10:04' as poll_ended_at;
create table marts.acceleration_alerts as
select date '2026-01-05' as as_of_date, timestamp '2026-01-05 10:00' as poll_at,
    timestamp '2026-01-05 10:04' as alerted_at, 'US' as market, '1' as video_id, 'ALERT' as tier;
create table marts.trend_alerts as
select date '2026-01-05' as as_of_date, timestamp '2026-01-05 10:00' as poll_at,
    timestamp '2026-01-05 10:04' as alerted_at, 'UK' as market, 'hashtag:wave' as trend_key, 5 as new_creators;
"""


def publish(path: Path, p50: float) -> Path:
    """A published file with what people are told, as far as an early version had it."""
    path.unlink(missing_ok=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    connection = connect(path)
    connection.execute(PUBLISHED.format(p50=p50))
    connection.close()
    return path


def test_a_day_is_kept_once_and_as_it_was_told(store: Store) -> None:
    one, other = Teller("run-1", "0.1.0", "one"), Teller("run-2", "0.2.0", "other")
    with facts.writer(store) as connection:
        assert told.keep_day(connection, publish(store.published_path, 100.0), DAY, one)
        assert not told.keep_day(connection, publish(store.published_path, 200.0), DAY, one), "the same version, again"
        assert connection.execute("select p50 from told.forecasts").fetchall() == [(100.0,)] * 2
        assert told.keep_day(connection, store.published_path, DAY, other)
        assert not told.keep_day(connection, store.published_path, date(2026, 1, 6), other), "not published"
        rows = connection.execute(
            "select telling_id, version, p50, count(*) from told.tellings join told.forecasts using (telling_id)"
            " group by all order by 1"
        ).fetchall()
        assert rows == [(1, "0.1.0", 100.0, 2), (2, "0.2.0", 200.0, 2)]
        places = connection.execute("select max(place), count(*) from told.build_list where telling_id = 1").fetchall()
        assert places == [(20, 20)], "what the workbooks have room for"
        assert connection.execute("select bool_or(is_live) from told.tellings").fetchall() == [(False,)]


def test_alerts_of_a_poll_are_kept_once(store: Store) -> None:
    teller = Teller("run-1", "0.1.0", "one")
    with facts.writer(store) as connection:
        for expected in (True, False):
            assert told.keep_poll(connection, publish(store.published_path, 1.0), DAY, teller) is expected
        assert connection.execute("select video_id, tier from told.alerts").fetchall() == [("1", "ALERT")]
        trends = connection.execute("select market, trend_key, new_creators from told.trend_alerts").fetchall()
        assert trends == [("UK", "hashtag:wave", 5)]


def test_a_poll_that_told_of_a_trend_only_is_kept(store: Store) -> None:
    path = publish(store.published_path, 1.0)
    with connect(path) as connection:
        connection.execute("delete from marts.acceleration_alerts")
    with facts.writer(store) as connection:
        assert told.keep_poll(connection, path, DAY, Teller("run-1", "0.1.0", "one"))
        assert connection.execute("select count(*) from told.trend_alerts").fetchall() == [(1,)]
    with connect(path) as connection:
        connection.execute("update marts.micro_polls set poll_at = poll_at + interval 2 hour")
    with facts.writer(store) as connection:
        assert not told.keep_poll(connection, path, DAY, Teller("run-1", "0.1.0", "one")), "told nothing"


@pytest.mark.parametrize(
    ("built_at", "receipt", "expected"),
    [
        ("2026-01-05 09:02", None, [("2026-01-05", "earlier", True)]),
        ("2026-02-05 09:02", "discord:daily:2026-01-05", [("2026-01-05", "earlier", False)]),
        ("2026-02-05 09:02", "discord:failure:run-1", []),
        ("2026-02-05 09:02", None, []),
    ],
)
def test_an_earlier_home_keeps_what_it_told_people(
    store: Store, built_at: str, receipt: str | None, expected: list[tuple[str, str, bool]]
) -> None:
    """Told is what was published on its day, or sent."""
    store.warehouse.mkdir(parents=True)
    connection = connect(publish(store.published_path, 100.0))
    connection.execute(
        f"alter table meta.builds add column built_at timestamp default '{built_at}';"
        " alter table meta.builds add column run_id varchar default 'run-0'"
    )
    connection.close()
    connection = connect(store.build_path)
    connection.execute(next(path for path in EARLIER if "receipts" in path.stem).read_text(encoding="utf-8"))
    connection.execute("create schema staging")
    if receipt:
        connection.execute(
            "insert into meta.receipts values (?, 'discord_message', 'webhook', 'id', 'd', '{}', ?, ?)",
            [receipt, DAY, moment("2026-02-05T09:03").replace(tzinfo=None)],
        )
    connection.close()
    with facts.writer(store) as connection:
        tellings = connection.execute("select as_of_date::varchar, version, is_live from told.tellings").fetchall()
        assert tellings == expected
        assert connection.execute("select p50 from told.forecasts").fetchall() == [(100.0,)] * (2 * len(expected))
