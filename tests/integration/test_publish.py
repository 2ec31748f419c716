"""Publishing: one atomic step that readers never notice, and one writer at a time. With real processes."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import duckdb
import pytest

from tests.support import PROJECT, build, mart_checksums, moment, note_rows, prepare, published
from warehouse.completeness import IncompleteMartsError
from warehouse.publish import TableDescription, forget_builds, pending_dates, publish, record_builds
from warehouse.store import (
    DEAD_ROWS,
    MEMORY_LIMIT_GIB,
    SPARE_ROW_GROUPS,
    Store,
    WarehouseBusyError,
    allow_memory,
    checkpoint,
    connect,
    log_of,
)

DAYS = ["2026-01-01", "2026-01-02", "2026-01-03"]


MARTS = """
create table {schema}.videos_daily as
select
    day::date as as_of_date,
    'US' as market,
    number::varchar as video_id,
    number * 1.5 as momentum_score
from unnest(['2026-01-01', '2026-01-02', '2026-01-03']) as days (day)
cross join range(500) as numbers (number);
create table {schema}.micro_polls as
select
    as_of_date,
    as_of_date + interval 10 hour as poll_at,
    as_of_date + interval 10 hour as poll_ended_at
from (values (date '2026-01-03')) as polls (as_of_date);
create table {schema}.markets as select 'US' as market, 'label' as label;
"""


@pytest.fixture
def built(store: Store) -> Store:
    """A home with marts of every form: daily partitions, polls, a small table."""
    prepare(store, *DAYS)
    with store.model_writer() as connection:
        connection.execute(MARTS.format(schema="trends.marts"))
        note_rows(connection, *DAYS)
        record_builds(connection, DAYS, "run-0")
    return store


def change(store: Store, day: str, number: int) -> None:
    """A further run: rebuilds one day with other values and another number of rows."""
    prepare(store, day)
    with store.model_writer() as connection:
        connection.execute(f"delete from marts.videos_daily where as_of_date = '{day}'")
        connection.execute(
            f"insert into marts.videos_daily select '{day}', 'UK', number::varchar, {number}"
            f" from range({400 + number}) as numbers (number)"
        )
        note_rows(connection, day)
        record_builds(connection, [day], f"run-{number}")


# ---------- what is published


def block_sizes(store: Store) -> list[int]:
    sizes = []
    for path in (store.facts_path, store.build_path, store.marts_path, store.published_path):
        with connect(path, read_only=True) as connection:
            [(size,)] = connection.execute("select block_size from pragma_database_size()").fetchall()
        sizes.append(size // 1024)
    return sizes


def test_new_private_files_have_blocks_for_many_small_tables(built: Store) -> None:
    publish(built, run_id="run-0")
    assert block_sizes(built) == [64, 64, 256, 256]


def test_a_home_in_other_blocks_goes_on(store: Store) -> None:
    """As earlier versions made it, and a few."""
    store.warehouse.mkdir(parents=True)
    for path, size in ((store.facts_path, 256), (store.build_path, 256), (store.marts_path, 64)):
        duckdb.connect(str(path), config={"default_block_size": f"{size * 1024}"}).close()
    prepare(store, *DAYS)
    with store.model_writer() as connection:
        connection.execute(MARTS.format(schema="trends.marts"))
        note_rows(connection, *DAYS)
        record_builds(connection, DAYS, "run-0")
    assert publish(store, run_id="run-0").tables["videos_daily"] == 1500
    assert block_sizes(store) == [256, 256, 64, 64]


def test_publication_describes_the_file(built: Store) -> None:
    result = publish(built, run_id="run-0", git_sha="abc")
    assert result.as_of_date == "2026-01-03"
    assert result.tables == {"markets": 1, "micro_polls": 1, "videos_daily": 1500}
    ((run_id, as_of_date, cutoff_at, sha, tables),) = published(
        built, "select run_id, as_of_date, cutoff_at, git_sha, tables from meta.publication"
    )
    assert (run_id, str(as_of_date), str(cutoff_at), sha) == (
        "run-0",
        "2026-01-03",
        "2026-01-03 23:59:59.999999",
        "abc",
    )
    assert tables == '{"markets": 1, "micro_polls": 1, "videos_daily": 1500}'
    kinds = published(built, "select distinct table_type from information_schema.tables where table_schema = 'marts'")
    assert kinds == [("BASE TABLE",)], "a view would name the build file"
    assert mart_checksums(built.published_path) == mart_checksums(built.marts_path)
    assert published(built, "select as_of_date::varchar, run_id from meta.builds order by 1") == [
        (day, "run-0") for day in DAYS
    ]


def test_what_was_built_since_is_published_with_what_stands(built: Store) -> None:
    publish(built, run_id="run-0")
    change(built, "2026-01-02", 7)
    change(built, "2026-01-04", 8)
    with built.model_writer() as connection:
        connection.execute("delete from marts.videos_daily where as_of_date = '2026-01-03'")
        note_rows(connection, "2026-01-03")
        record_builds(connection, ["2026-01-03"], "run-9")
        connection.execute("update marts.markets set label = 'new label'")
    assert publish(built, run_id="run-9").tables == {
        "markets": 1, "micro_polls": 1, "videos_daily": 500 + 407 + 408,
    }  # fmt: skip
    assert mart_checksums(built.published_path) == mart_checksums(built.marts_path)
    assert published(built, "select label from marts.markets") == [("new label",)]
    assert published(built, "select run_id from meta.builds order by as_of_date") == [
        ("run-0",), ("run-7",), ("run-9",), ("run-8",),
    ]  # fmt: skip


def _half_a_build(store: Store, *days: str) -> None:
    """A build of dates that wrote rows and did not come to its end, and a poll after it."""
    with store.model_writer() as connection:
        forget_builds(connection, days)
        for day in days:
            connection.execute(f"delete from marts.videos_daily where as_of_date = '{day}' and momentum_score > 300")
            connection.execute(f"insert into marts.videos_daily select '{day}', 'UK', 'half', -1")
        connection.execute(
            "insert into marts.micro_polls select as_of_date, poll_at + interval 2 hour, null from marts.micro_polls"
        )


def test_a_date_that_failed_to_build_stays_as_it_was_published(built: Store) -> None:
    publish(built, run_id="run-0")
    before, builds = mart_checksums(built.published_path), published(built, "from meta.builds order by as_of_date")
    _half_a_build(built, "2026-01-03", "2026-01-04")
    result = publish(built, run_id="run-1")
    assert result.as_of_date == "2026-01-02", "the latest date that is built"
    after = mart_checksums(built.published_path)
    assert after["videos_daily"] == before["videos_daily"]
    assert after["micro_polls"] == mart_checksums(built.marts_path)["micro_polls"] != before["micro_polls"]
    assert published(built, "from meta.builds order by as_of_date") == builds
    # Built to its end, it is published.
    change(built, "2026-01-03", 3)
    assert publish(built, run_id="run-2").tables["videos_daily"] == 1000 + 403
    assert published(built, "select count(*) from marts.videos_daily where as_of_date = '2026-01-04'") == [(0,)]


@pytest.mark.parametrize("before", ["other columns", "nothing"])
def test_a_failed_date_without_such_rows_before_is_not_published(built: Store, before: str) -> None:
    if before == "other columns":
        publish(built, run_id="run-0")
        build(built, "alter table marts.videos_daily add column score double default 5")
    with built.model_writer() as connection:
        forget_builds(connection, ["2026-01-03"])
    publish(built, run_id="run-1")
    assert published(built, "select distinct as_of_date::varchar from marts.videos_daily order by 1") == [
        (day,) for day in DAYS[:2]
    ]
    assert published(built, "select count(*) from meta.builds") == [(2,)]


def test_a_lost_file_of_marts_is_taken_from_what_was_published(built: Store) -> None:
    publish(built, run_id="run-0")
    before = mart_checksums(built.published_path)
    change(built, "2026-01-02", 7)
    built.marts_path.unlink()
    days = [moment(day).date() for day in DAYS]
    with built.model_writer() as connection:
        assert pending_dates(connection, days, [days[2]]) == days[1:], "what was built since is to be built again"
    assert mart_checksums(built.marts_path) == before
    assert publish(built, run_id="run-1").tables["videos_daily"] == 1500


def test_descriptions_become_comments(built: Store) -> None:
    described = {
        "videos_daily": TableDescription("Every video's day.", {"market": "It's the market.", "momentum_score": "10 ·"})
    }
    for text in ("Every video's day.", "Another text."):
        described["videos_daily"] = TableDescription(text, described["videos_daily"].columns)
        publish(built, run_id="run", descriptions=described)
        assert published(built, "select comment from duckdb_tables() where table_name = 'videos_daily'") == [(text,)]
        comments = published(
            built,
            "select column_name, comment from duckdb_columns() where table_name = 'videos_daily' order by column_index",
        )
        assert comments == [
            ("as_of_date", None),
            ("market", "It's the market."),
            ("video_id", None),
            ("momentum_score", "10 ·"),
        ]


def test_every_column_beside_the_marts_says_what_it_is(built: Store) -> None:
    publish(built, run_id="run")
    columns = "select table_name || '.' || column_name from duckdb_columns() where schema_name = 'meta'"
    assert ("publication.as_of_date",) in published(built, columns)
    assert published(built, f"{columns} and comment is null") == []


def test_nothing_built_is_said(store: Store) -> None:
    prepare(store)
    with store.model_writer() as connection:
        pending_dates(connection, [], [moment("2026-01-01").date()])
    with pytest.raises(LookupError, match="nothing to publish: no date was built"):
        publish(store, run_id="run-0")
    assert list(store.warehouse.glob(".publishing*")) == []
    assert not store.published_path.exists()


def test_reading_before_the_first_publication_says_what_to_do(store: Store) -> None:
    with pytest.raises(FileNotFoundError, match="nothing is published yet"), store.published_reader():
        pass


@pytest.mark.parametrize("share", [0.0, 0.3, 2.0])
def test_leftover_of_a_killed_publish_becomes_the_published_file(built: Store, share: float) -> None:
    leftover = built.warehouse / ".publishing.duckdb"
    leftover.write_bytes(b"half a file " * int(share * built.marts_path.stat().st_size / 12))
    publish(built, run_id="run-0")
    assert not leftover.exists()
    assert built.published_path.read_bytes() == built.marts_path.read_bytes()
    assert published(built, "select count(*) from marts.markets") == [(1,)]


# ---------- what was lost on the way


@pytest.mark.parametrize(
    ("loss", "told"),
    [
        ("delete from marts.videos_daily", "videos_daily: 2026-01-01 (0 rows, 500 were built), 2026-01-02 (0 rows, "),
        (
            "delete from marts.videos_daily where as_of_date = '2026-01-02'",
            "2026-01-02 (0 rows, 500 were built). `trends",
        ),
        ("insert into marts.videos_daily (as_of_date) values ('2026-01-03')", "2026-01-03 (501 rows, 500 were built)"),
        ("drop table marts.videos_daily", "videos_daily: 2026-01-01 (0 rows, 500 were built)"),
        ("delete from trends.meta.mart_rows where as_of_date = '2026-01-03'", "2026-01-03 (500 rows, never noted"),
    ],
)
def test_a_mart_that_changed_since_it_was_built_is_not_published(built: Store, loss: str, told: str) -> None:
    publish(built, run_id="run-0")
    before = built.published_path.read_bytes()
    build(built, loss)
    with pytest.raises(IncompleteMartsError) as error:
        publish(built, run_id="run-1")
    assert told in str(error.value)
    assert "`trends rebuild`" in str(error.value)
    assert built.published_path.read_bytes() == before


def test_a_date_with_holes_does_not_count_as_built(built: Store) -> None:
    with built.model_writer() as connection:
        forget_builds(connection, DAYS)
        connection.execute("delete from marts.videos_daily where as_of_date = '2026-01-03'")
        with pytest.raises(IncompleteMartsError, match=r"^[^;]*videos_daily: 2026-01-03 \(0 rows, 500 were built\)"):
            record_builds(connection, DAYS, "run-1")
        assert connection.execute("select count(*) from meta.builds").fetchall() == [(0,)]


def test_an_empty_date_of_a_mart_is_no_hole(built: Store) -> None:
    with built.model_writer() as connection:
        connection.execute("delete from marts.videos_daily where as_of_date = '2026-01-03'")
        note_rows(connection, "2026-01-03")
    assert publish(built, run_id="run-1").tables["videos_daily"] == 1000


KILLED = """
import os, sys
from pathlib import Path
from warehouse.store import Store
with Store(Path(sys.argv[1])).model_writer() as connection:
    connection.execute("update trends.marts.markets set label = 'committed, then killed'")
    os._exit(9)
"""


def test_what_a_killed_process_committed_is_published(built: Store) -> None:
    publish(built, run_id="run-0")
    assert subprocess.run([sys.executable, "-c", KILLED, str(built.home)], cwd=PROJECT, check=False).returncode == 9
    assert log_of(built.marts_path).exists()
    publish(built, run_id="run-1")
    assert published(built, "select label from marts.markets") == [("committed, then killed",)]
    assert not log_of(built.marts_path).exists()
    assert built.published_path.read_bytes() == built.marts_path.read_bytes()


def _leave_log(store: Store) -> bytes:
    """What a killed process leaves beside the marts' file."""
    subprocess.run([sys.executable, "-c", KILLED, str(store.home)], cwd=PROJECT, check=False)
    return log_of(store.marts_path).read_bytes()


def test_a_log_never_meets_another_file(built: Store, tmp_path: Path) -> None:
    """DuckDB replays it onto whatever file has the name of its own."""
    publish(built, run_id="run-0")
    log = _leave_log(built)
    # Somebody wrote into the published file and was killed: readers of the next one don't see that.
    build(built, "update marts.markets set label = 'label'")
    log_of(built.published_path).write_bytes(log)
    publish(built, run_id="run-1")
    assert published(built, "select label from marts.markets") == [("label",)]
    # The marts' file was lost, its log was not: the published one takes its place.
    built.marts_path.unlink()
    log_of(built.marts_path).write_bytes(log)
    assert build(built, "select label from marts.markets") == [("label",)]


def test_a_log_goes_aside_with_its_file(built: Store) -> None:
    _leave_log(built)
    aside = built.set_aside("test")
    assert not log_of(built.marts_path).exists()
    (marts,) = aside.parent.glob("unpublished.test-*.duckdb")
    with connect(marts) as connection:
        assert connection.execute("select label from marts.markets").fetchall() == [("committed, then killed",)]
    assert build(built, "select count(*) from duckdb_tables() where schema_name = 'marts'") == [(0,)]


# ---------- which dates a run builds


def test_pending_dates_are_the_wanted_and_the_unbuilt_before_them(built: Store) -> None:
    days = [moment(f"2026-01-0{day}").date() for day in range(1, 8)]
    with built.model_writer() as connection:
        # 1-3 are built; 5 is wanted, so 4 comes along; 6 and 7 are later.
        assert pending_dates(connection, days, [days[4]]) == [days[3], days[4]]
        assert pending_dates(connection, days, [days[1]]) == [days[1]], "a wanted date is built again"
        assert pending_dates(connection, days[:2] + days[4:], [days[4]]) == [days[4]], "a date without data is none"


# ---------- readers and writers in processes of their own


@contextmanager
def process(script: str, *arguments: str | Path) -> Iterator[subprocess.Popen[str]]:
    """A Python process of the project that speaks over its pipes; ended and checked at the end."""
    with subprocess.Popen(
        [sys.executable, "-c", script, *map(str, arguments)],
        cwd=PROJECT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as running:
        try:
            yield running
        finally:
            running.kill()


def output(running: subprocess.Popen[str]) -> IO[str]:
    """What a process prints. (`communicate` would lose what `readline` has buffered.)"""
    assert running.stdout is not None
    return running.stdout


READER = """
import json, sys, duckdb
reads = torn = 0
seen = []
while True:
    connection = duckdb.connect(sys.argv[1], read_only=True)
    run_id, tables = connection.execute('select run_id, tables from meta.publication').fetchall()[0]
    counts = {
        name: connection.execute(f'select count(*) from marts.{name}').fetchall()[0][0] for name in json.loads(tables)
    }
    days = connection.execute(
        'select as_of_date, count(distinct momentum_score) from marts.videos_daily'
        " where market = 'UK' group by 1 having count(distinct momentum_score) > 1"
    ).fetchall()
    connection.close()
    reads += 1
    torn += counts != json.loads(tables) or bool(days)
    if run_id not in seen:
        seen.append(run_id)
        print(json.dumps({'run_id': run_id, 'reads': reads, 'torn': torn}), flush=True)
    if run_id == 'run-20':
        break
"""


@pytest.mark.slow("readers and a publisher for seconds")
def test_readers_notice_nothing_while_publishing(built: Store) -> None:
    """Two processes read the published file in a loop during 20 publishes: no error, no half build."""
    publish(built, run_id="run-0")
    with process(READER, built.published_path) as one, process(READER, built.published_path) as other:
        for reader in (one, other):
            assert '"run-0"' in output(reader).readline(), "both are reading before the first publish"
        for number in range(1, 21):
            change(built, DAYS[number % 3], number)
            publish(built, run_id=f"run-{number}")
        for reader in (one, other):
            last = output(reader).read().splitlines()[-1]
            assert reader.wait(timeout=60) == 0
            assert '"run_id": "run-20"' in last
            assert '"torn": 0' in last


HOLDER = """
import sys
from pathlib import Path
from warehouse.store import Store
with Store(Path(sys.argv[1])).lock():
    print('held', flush=True)
    sys.stdin.read()
"""
WAITER = """
import sys
from pathlib import Path
from warehouse.publish import publish
from warehouse.store import Store
print('asking', flush=True)
print(publish(Store(Path(sys.argv[1])), run_id='waited').as_of_date, flush=True)
"""


def test_second_writer_stops_with_a_clear_message(built: Store) -> None:
    impatient = Store(built.home, lock_timeout_s=0.2)
    with process(HOLDER, built.home) as holder:
        assert output(holder).readline() == "held\n"
        with pytest.raises(WarehouseBusyError) as failure:
            publish(impatient, run_id="run-1")
        assert f"another trends process (pid {holder.pid}) is writing {built.build_path}" in str(failure.value)
        assert "Wait for it, or stop it" in str(failure.value)
        with pytest.raises(WarehouseBusyError), impatient.model_writer():
            pass


def test_lock_of_a_killed_writer_is_free(built: Store) -> None:
    with process(HOLDER, built.home) as holder:
        assert output(holder).readline() == "held\n"
        holder.kill()
        holder.wait(timeout=30)
    assert publish(Store(built.home, lock_timeout_s=5), run_id="run-1").as_of_date == "2026-01-03"


def test_second_writer_waits_for_the_first(built: Store) -> None:
    with process(HOLDER, built.home) as holder:
        assert output(holder).readline() == "held\n"
        with process(WAITER, built.home) as waiter:
            assert output(waiter).readline() == "asking\n"
            holder.communicate(timeout=60)
            assert output(waiter).read() == "2026-01-03\n"
            assert waiter.wait(timeout=60) == 0
    assert published(built, "select run_id from meta.publication") == [("waited",)]


def test_lock_is_reentrant_and_connections_are_closed(built: Store) -> None:
    with built.lock(), built.model_writer() as connection:
        assert connection.execute("select 1").fetchall() == [(1,)]
    with pytest.raises(ZeroDivisionError), built.model_writer():
        raise ZeroDivisionError
    with built.model_writer() as connection:
        assert connection.execute("select count(*) from marts.markets").fetchall() == [(1,)]


def test_memory_of_a_connection_is_bounded(store: Store) -> None:
    with store.facts_writer() as connection:
        ((limit,),) = connection.execute("select current_setting('memory_limit')").fetchall()
        connection.execute("set memory_limit = '20GiB'")
        ((raised,),) = connection.execute("select current_setting('memory_limit')").fetchall()
    amount, unit = limit.split()
    assert unit in ("MiB", "GiB")
    assert unit == "MiB" or float(amount) <= MEMORY_LIMIT_GIB
    # The setting is one that DuckDB reads back as it was given.
    assert raised == "20.0 GiB"


@pytest.mark.parametrize(
    ("dates", "videos", "gib"),
    [(1, 0, 1.2), (1, 200_000, 1.2), (1, 1_000_000, 3.2), (1, 10_000_000, 4.0), (2, 0, 4.0)],
)
def test_memory_follows_what_is_built(store: Store, dates: int, videos: int, gib: float) -> None:
    with store.facts_writer() as connection:
        allow_memory(connection, dates, videos)
        ((limit,),) = connection.execute("select current_setting('memory_limit')").fetchall()
        # A further connection of the process, as the one that tells what was built meanwhile, leaves it.
        with store.facts_writer() as beside:
            assert beside.execute("select current_setting('memory_limit')").fetchall() == [(limit,)]
    assert limit == f"{gib} GiB"


def test_dead_rows_are_made_free_once_they_are_many(store: Store) -> None:
    size = "select estimated_size from duckdb_tables() where table_name = 'readings'"
    with store.model_writer() as connection:
        # More than two of DuckDB's row groups, so that none of them is dead as a whole.
        connection.execute("create table readings as select i, md5(i::varchar) as text from range(300000) as t (i)")
        assert checkpoint(connection) == []
        connection.execute("delete from readings where i % 10 = 0")
        assert checkpoint(connection) == []
    with store.model_writer() as connection:
        # A tenth is dead: kept through the end of a connection, and no row of it is seen.
        assert connection.execute(size).fetchall() == [(300_000,)]
        connection.execute("delete from readings where i % 10 < 7")
        kept = connection.execute("select count(*), sum(i), min(text), max(text) from readings").fetchall()
        assert checkpoint(connection) == ["main.readings"]
        assert connection.execute(size).fetchall() == [(90_000,)]
        assert connection.execute("select count(*), sum(i), min(text), max(text) from readings").fetchall() == kept
        connection.execute(f"create table small as select i from range({DEAD_ROWS}) as t (i)")
        connection.execute("delete from small where i > 0")
        assert checkpoint(connection) == []


def test_small_commits_do_not_take_a_block_each(store: Store) -> None:
    """A thousand polls write a few rows each: the facts grow by their rows, not by a block a commit."""
    sizes = []
    for commit in range(100):
        with store.facts_writer() as connection:
            connection.execute("create table if not exists polled (item integer, payload varchar)")
            connection.execute(
                "insert into polled select ?::integer * 50 + i, repeat('x', 200) from range(50) as rows (i)", [commit]
            )
        sizes.append(store.facts_path.stat().st_size / 2**20)
    with store.facts_writer() as connection:
        assert connection.execute("select count(*), count(distinct item) from polled").fetchall() == [(5000, 5000)]
        [(groups,)] = connection.execute(
            "select count(distinct row_group_id) from pragma_storage_info('polled')"
        ).fetchall()
    assert groups <= SPARE_ROW_GROUPS
    # A megabyte of rows; what is freed is used again.
    assert sizes[-1] < sizes[39] + 1 < 10
