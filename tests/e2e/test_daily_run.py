"""The `trends` command from raw files to the published warehouse, in this process and without stand-ins."""

from __future__ import annotations

import hashlib
import json
import math
import re
import shutil
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from ingest import facts
from tests import invented, reference
from tests.support import (
    PROJECT,
    Outcome,
    build,
    mart_checksums,
    moment,
    published,
    real_data,
    records,
    trends,
    video,
    write_feed,
    write_file,
)
from warehouse.store import Store, connect

FIRST_DAYS = ["2026-02-12", "2026-02-13", "2026-02-14"]


def output_files(home: Path) -> dict[str, str]:
    """SHA-256 of each file below the home's `output/`."""
    return {
        str(path.relative_to(home)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted((home / "output").rglob("*"))
        if path.is_file()
    }


def raw_sizes(store: Store) -> dict[str, int]:
    names = ("loads", "tiktok_videos", "tiktok_music", "quarantine")
    return {name: build(store, f"select count(*) from raw.{name}")[0][0] for name in names}


@dataclass(frozen=True)
class Run:
    """A home after a command, with what the command said and everything it left there."""

    store: Store
    outcome: Outcome
    sizes: dict[str, int]
    marts: dict[str, tuple[int, str]]
    files: dict[str, str]


def run(store: Store, *arguments: str | Path) -> Run:
    outcome = trends(*arguments, "--home", store.home)
    return Run(store, outcome, raw_sizes(store), mart_checksums(store.published_path), output_files(store.home))


# ---------- polls: invented ones, and real ones where they are


@pytest.fixture(
    scope="module",
    params=[
        "invented",
        pytest.param("tiktok_polls", marks=[pytest.mark.real_data, pytest.mark.slow("weeks of real polls")]),
    ],
)
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    if request.param == "invented":
        return invented.write_polls(tmp_path_factory.mktemp("invented_polls"))
    return real_data(request.param)


@pytest.fixture(scope="module")
def polls(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """All days of the polls, backfilled into a new home."""
    return run(Store(tmp_path_factory.mktemp("polls")), "backfill", "--source", folder)


@pytest.fixture(scope="module")
def polls_again(polls: Run, folder: Path) -> Run:
    """The same backfill once more."""
    return run(polls.store, "backfill", "--source", folder)


def poll_files(folder: Path) -> list[tuple[datetime, str, list[dict[str, Any]]]]:
    """(observation time, market, items) of each file, oldest first."""
    files = [
        (
            datetime.strptime(path.stem, "%Y-%m-%dT%H-%M-%SZ").replace(tzinfo=UTC),
            path.parts[-3].upper(),
            json.loads(path.read_text(encoding="utf-8")),
        )
        for path in folder.rglob("*.json")
    ]
    return sorted(files, key=lambda entry: entry[:2])


def poll_days(folder: Path) -> list[date]:
    return sorted({observed_at.date() for observed_at, _, _ in poll_files(folder)})


def whole_day(folder: Path) -> date:
    """A day with polls from morning to night in both markets."""
    return min(poll_days(folder)[-2], date(2026, 2, 20))


def test_every_poll_is_landed_and_repeats_are_counted(polls: Run, folder: Path) -> None:
    files = poll_files(folder)
    items = sum(len(items) for _, _, items in files)
    contents = Counter(
        (market, tuple(sorted(json.dumps(item, sort_keys=True) for item in items))) for _, market, items in files
    )
    repeats = sum(count - 1 for count in contents.values())
    if folder.name == "tiktok_polls":
        assert (len(files), items) == (252, 1281)
    assert repeats > 0
    assert polls.outcome.code == 0, polls.outcome.err
    assert (
        f"landing: {len(files)} files: {len(files) - repeats} landed, {repeats} repeated an already known dataset,"
        f" 0 already landed, 0 empty, 0 unreadable; {items} items added, 0 quarantined"
    ) in polls.outcome.out
    assert polls.sizes == {"loads": len(files), "tiktok_videos": items, "tiktok_music": 0, "quarantine": 0}
    landed = build(polls.store, "select observed_at, market, payload ->> 'id' from raw.tiktok_videos")
    assert Counter(landed) == Counter(
        (observed_at.replace(tzinfo=None), market, item["id"]) for observed_at, market, items in files for item in items
    )


def test_stage_times_and_the_published_file_are_printed(polls: Run) -> None:
    (stages,) = re.findall(r"^stages: (.*)$", polls.outcome.out, re.MULTILINE)
    names = [stage.rsplit(" ", 2)[0] for stage in stages.split(", ")]
    assert {"start-up", "raw_feeds", "dbt_models", "warehouse__trends"} <= set(names)
    assert f"published {polls.store.published_path}" in polls.outcome.out


def test_every_distinct_reading_is_published(polls: Run, folder: Path) -> None:
    histories: dict[tuple[str, str], reference.History] = {}
    for sighting in reference.sightings(folder):
        histories.setdefault((sighting.market, sighting.video_id), reference.History()).add(sighting)
    expected = {
        (market, video_id, reading.number): (reading.observed_at.replace(tzinfo=None), *reading.counts[:3])
        for (market, video_id), history in histories.items()
        for reading in history.readings
    }
    rows = published(
        polls.store,
        "select market, video_id, reading_number, observed_at, plays, likes, shares from marts.video_readings",
    )
    assert {row[:3]: row[3:] for row in rows} == expected
    ((sightings,),) = published(polls.store, "select sum(times_seen) from marts.video_readings")
    assert sightings == sum(len(history.seen_at) for history in histories.values())


@pytest.mark.slow("a second backfill")
def test_second_backfill_changes_nothing(polls: Run, polls_again: Run) -> None:
    assert polls_again.outcome.code == 0, polls_again.outcome.err
    known = polls.sizes["loads"]
    assert f"0 landed, 0 repeated an already known dataset, {known} already landed" in polls_again.outcome.out
    assert polls_again.sizes == polls.sizes
    assert polls_again.marts == polls.marts
    assert polls_again.files == polls.files


def test_a_date_holds_the_videos_of_its_feeds(polls: Run, folder: Path) -> None:
    day = whole_day(folder)
    expected = {
        (market, item["id"])
        for observed_at, market, items in poll_files(folder)
        for item in items
        if observed_at.date() == day
    }
    rows = published(polls.store, f"select market, video_id from marts.videos_daily where as_of_date = '{day}'")
    assert len(rows) > 10
    assert len(rows) == len(set(rows))
    assert set(rows) == expected


def differences(store: Store, folder: Path, day: str, cutoff_at: datetime | None = None) -> list[str]:
    """Where a date of `videos_daily` differs from the computation in plain Python, row by row and column by column."""
    expected = reference.videos_daily(folder, date.fromisoformat(day), cutoff_at)
    with store.published_reader() as connection:
        rows = records(connection, f"select * from marts.videos_daily where as_of_date = '{day}'")
    found = {(row["market"], row["video_id"]): row for row in rows}
    result = [f"{key}: in one of the two only" for key in set(found) ^ set(expected)]
    for key in set(found) & set(expected):
        row = found[key]
        for column, value in expected[key].items():
            # What the decision mode chooses stands beside the classic decision.
            column = f"classic_{column}" if f"classic_{column}" in row else column
            if column == "trigger_rule":
                if not row["trigger_reason"].startswith(value):
                    result.append(f"{key}: {row['trigger_reason']!r} does not begin with {value!r}")
            elif isinstance(value, float) and row[column] is not None:
                if not math.isclose(row[column], value, rel_tol=1e-9, abs_tol=1e-9):
                    result.append(f"{key} {column}: {row[column]} instead of {value}")
            elif row[column] != value:
                result.append(f"{key} {column}: {row[column]!r} instead of {value!r}")
    return result


def test_every_row_of_every_day_equals_an_independent_computation(polls: Run, folder: Path) -> None:
    rows = published(polls.store, "select distinct as_of_date from marts.videos_daily order by 1")
    assert [day for (day,) in rows] == poll_days(folder)
    assert [line for (day,) in rows for line in differences(polls.store, folder, str(day))] == []


def test_the_days_hold_every_case_that_matters(polls: Run) -> None:
    """The comparison above would be worth little on days without repeats, falls, both markets and all labels."""
    ((both, regressed, levels, statuses, trajectories, repeats),) = published(
        polls.store,
        """
        select
            count(*) filter (is_cross_market), count(*) filter (counter_regressed), count(distinct urgency),
            count(distinct status), count(distinct classic_trajectory),
            (select count(*) from marts.video_readings where times_seen > 1)
        from marts.videos_daily
        """,
    )
    assert min(both, regressed, repeats) > 0
    assert (levels, statuses, trajectories) == (4, 5, 6)


def test_source_health_tells_repeats_and_missing_music(polls: Run, folder: Path) -> None:
    day = whole_day(folder)
    files = [(market, items) for observed_at, market, items in poll_files(folder) if observed_at.date() == day]
    rows = published(
        polls.store,
        "select market, kind, feeds, items, is_missing, message from marts.source_health"
        f" where as_of_date = '{day}' order by market, kind",
    )
    no_music = "no music feed: sounds are taken from the video feeds"
    for market in ("UK", "US"):
        feeds = [items for feed_market, items in files if feed_market == market]
        assert (market, "videos", len(feeds), sum(map(len, feeds)), False, "ok") in rows
        assert (market, "music", 0, 0, True, no_music) in rows
    assert len(rows) == 4


def test_published_file_describes_itself(polls: Run, folder: Path) -> None:
    ((as_of_date, sources, tables),) = published(
        polls.store, "select as_of_date, sources, tables from meta.publication"
    )
    assert (as_of_date, sources) == (poll_days(folder)[-1], "folder")
    assert json.loads(tables) == {name: rows for name, (rows, _) in polls.marts.items()}
    undescribed = published(
        polls.store,
        "select table_name, column_name from duckdb_columns() where schema_name = 'marts' and comment is null"
        " union all select table_name, '' from duckdb_tables() where schema_name = 'marts' and comment is null",
    )
    assert undescribed == []


@pytest.mark.slow("a second backfill")
def test_trends_publish_extends_to_the_same_file(polls: Run, polls_again: Run, folder: Path) -> None:
    polls_again.store.published_path.unlink()
    outcome = trends("publish", "--home", polls.store.home)
    assert (outcome.code, outcome.err) == (0, "")
    assert f"published {polls.store.published_path} as of {poll_days(folder)[-1]}" in outcome.out
    assert mart_checksums(polls.store.published_path) == polls.marts


# ---------- days, one by one


@dataclass(frozen=True)
class Days:
    """The first days of the polls run one by one, the last of them up to noon; then all of them as one backfill."""

    store: Store
    first_days: dict[str, tuple[int, str]]
    singly: dict[str, tuple[int, str]]
    differences_at_noon: list[str]
    together: dict[str, tuple[int, str]]


UNTIL_FIRST_DAYS = f"as_of_date <= date '{FIRST_DAYS[-2]}'"


@pytest.fixture(scope="module")
def days(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Days:
    store = Store(tmp_path_factory.mktemp("days"))
    source = ("--source", folder, "--home", store.home)
    last = FIRST_DAYS[-1]
    for day in FIRST_DAYS[:-1]:
        outcome = trends("run", "--date", day, "--no-deliver", *source)
        assert outcome.code == 0, outcome.err
    first_days = mart_checksums(store.published_path, UNTIL_FIRST_DAYS)
    outcome = trends("run", "--date", last, "--as-of", f"{last}T12:00:00Z", "--no-deliver", *source)
    assert outcome.code == 0, outcome.err
    differences_at_noon = differences(store, folder, last, moment(f"{last}T12:00"))
    singly = mart_checksums(store.published_path, f"as_of_date <= date '{last}'")
    outcome = trends("backfill", "--from", FIRST_DAYS[0], "--to", last, *source)
    assert outcome.code == 0, outcome.err
    together = mart_checksums(store.published_path, f"as_of_date <= date '{last}'")
    return Days(store, first_days, singly, differences_at_noon, together)


@pytest.mark.slow("a home for each day and each cut-off")
def test_single_runs_equal_the_backfill_of_all_days(days: Days, polls: Run) -> None:
    """A day is the same whether it is run when it is the last one or among later days."""
    assert set(days.first_days) >= {"videos_daily", "sounds_daily", "source_health", "my_performance"}
    assert days.first_days == mart_checksums(polls.store.published_path, UNTIL_FIRST_DAYS)
    assert days.first_days["videos_daily"][0] > 0


@pytest.mark.slow("a home for each day and each cut-off")
def test_days_run_again_after_later_days_are_equal(days: Days) -> None:
    """Set-based for all of them at once, which equals the single runs too."""
    assert days.together == days.singly


@pytest.mark.slow("a home for each day and each cut-off")
def test_cutoff_hides_what_was_observed_later(days: Days, polls: Run) -> None:
    assert days.differences_at_noon == []
    query = f"select count(*) from marts.videos_daily where as_of_date = '{FIRST_DAYS[-1]}'"
    assert 0 < published(days.store, query)[0][0] < published(polls.store, query)[0][0]


@pytest.mark.slow("a home for each day and each cut-off")
def test_cutoff_is_stored_and_reused(days: Days) -> None:
    """The backfill after the run with `--as-of` was not told a time and found the stored one."""
    assert published(days.store, "select cast(cutoff_at as varchar) from meta.publication") == [
        ("2026-02-14 12:00:00",)
    ]
    stored = build(days.store, "select cast(as_of_date as varchar), origin from facts.meta.cutoffs order by 1")
    assert stored == [("2026-02-12", "day_end"), ("2026-02-13", "day_end"), ("2026-02-14", "override")]


# ---------- degraded input and failures


@dataclass(frozen=True)
class Small:
    """A home of two invented days, of which the first has a broken file, bad items and a stray folder."""

    store: Store
    folder: Path
    first: Outcome
    published_sha: str


def sha(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Small:
    folder = tmp_path_factory.mktemp("small")
    feeds, store = folder / "feeds", Store(folder / "home")
    write_feed(
        feeds,
        "2026-01-05T08:00",
        [
            video("7590000000000000001", plays=50_000, shares=900),
            video("7590000000000000001", plays=50_000, shares=900, searchHashtag={"name": "edit"}),
            {"error": "This profile does not exist."},
            video("7590000000000000002", plays=-5, likes=None, shares=None),
            video("7590000000000000003", plays="1200", likes=-4, shares="7"),
            video("7590000000000000004", plays=0, likes=0, shares=0, text='=HYPERLINK("http://x")'),
        ],
    )
    write_feed(feeds, "2026-01-05T08:30", [], market="uk")
    write_file(feeds, "2026-01-05T09:00", b'[{"id": "7590000000000000009", "playC', market="uk")
    write_feed(feeds, "2026-01-06T08:00", [video("7590000000000000001", plays=60_000, shares=1000)])
    (feeds / "zz").mkdir()
    first = trends("run", "--date", "2026-01-05", "--source", feeds, "--home", store.home, "--no-deliver")
    return Small(store, feeds, first, sha(store.published_path) if store.published_path.exists() else "")


def test_unreadable_input_is_named_and_the_rest_is_published(small: Small) -> None:
    assert small.first.code == 1, "unreadable input is no success"
    assert (
        "3 files: 1 landed, 0 repeated an already known dataset, 0 already landed, 1 empty, 2 unreadable"
        in small.first.out
    )
    cut_off = small.folder / "uk" / "videos" / "2026-01-05T09-00-00Z.json"
    assert f"{cut_off}: is malformed or truncated JSON" in small.first.out
    assert (
        f"{small.folder / 'zz'}: unknown market folder: known are uk, us; add a row to seeds/markets.csv"
        in small.first.out
    )
    assert "2 of 6 items rejected: error row: This profile does not exist.; no usable counts" in small.first.out
    rows = published(small.store, "select video_id, plays, likes, shares, caption from marts.videos_daily order by 1")
    assert [row[:4] for row in rows] == [
        ("7590000000000000001", 50_000, 100, 900),
        ("7590000000000000003", 1200, None, 7),
        ("7590000000000000004", 0, 0, 0),
    ]
    assert rows[2][4] == '=HYPERLINK("http://x")'
    health = published(
        small.store,
        "select market, items, quarantined_items, unreadable_files, is_missing, message from marts.source_health"
        " where kind = 'videos' order by market",
    )
    assert health[0][:5] == ("UK", 0, 1, 1, True)
    assert str(health[0][5]).startswith("the feed could not be read: is malformed or truncated JSON")
    assert health[1:] == [
        (
            "US", 4, 2, 0, False,
            "2 of 6 items rejected: error row: This profile does not exist.; no usable counts: plays, likes and shares"
            " are missing, negative or no numbers; 1 item: likes that can not be read or can not be true, taken as not"
            " given (such as -4)",
        ),
    ]  # fmt: skip


def test_date_without_data_fails_and_says_what_there_is(small: Small) -> None:
    outcome = trends(
        "run", "--date", "2025-12-31", "--source", small.folder, "--home", small.store.home, "--no-deliver"
    )
    assert outcome.code == 1
    assert (
        f"raw_feeds failed: source {small.folder} has no feed for 2025-12-31: there is data from 2026-01-05 to"
        " 2026-01-05. Give another --date or --source."
    ) in outcome.err
    assert sha(small.store.published_path) == small.published_sha


def test_simulated_and_real_rows_never_meet(small: Small) -> None:
    outcome = trends("run", "--date", "2026-01-05", "--source", "sample", "--home", small.store.home, "--no-deliver")
    assert outcome.code == 1
    assert f"{small.store.home} holds real data: the simulated sample needs a home of its own" in outcome.err
    assert build(small.store, "select distinct source from raw.loads") == [("folder",)]
    assert sha(small.store.published_path) == small.published_sha


def test_second_run_at_the_same_time_stops_with_a_clear_message(small: Small, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCK_TIMEOUT_S", "0.2")
    script = (
        "import sys; from pathlib import Path; from warehouse.store import Store\n"
        "with Store(Path(sys.argv[1])).lock(): print('held', flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", script, str(small.store.home)]
    with subprocess.Popen(command, cwd=PROJECT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        run = trends(
            "run", "--date", "2026-01-06", "--source", small.folder, "--home", small.store.home, "--no-deliver"
        )
        publish = trends("publish", "--home", small.store.home)
        holder.communicate(timeout=30)
    for outcome in (run, publish):
        assert outcome.code == 1
        assert f"another trends process (pid {holder.pid}) is writing {small.store.build_path}" in outcome.err
        assert "Wait for it, or stop it, then run the command again." in outcome.err
    assert sha(small.store.published_path) == small.published_sha


def test_failed_check_publishes_nothing_and_yesterday_stays(small: Small, tmp_path: Path) -> None:
    """A video without its market in the build file, as after an edit by hand: a check fails."""
    home = tmp_path / "home"
    shutil.copytree(small.store.home, home)
    store = Store(home)
    build(
        store,
        "update intermediate.int_videos set first_market = null where video_id like '%3'",
    )
    outcome = trends("run", "--date", "2026-01-06", "--source", small.folder, "--home", home, "--no-deliver")
    assert outcome.code == 1
    assert "dbt_models failed: dbt: never_null_int_videos" in outcome.err
    assert sha(store.published_path) == small.published_sha
    assert published(store, "select distinct cast(as_of_date as varchar) from marts.videos_daily") == [("2026-01-05",)]
    assert not (home / "output" / "2026-01-06").exists(), "no file is written from marts that were not published"


@pytest.mark.slow("two whole runs")
def test_a_home_of_an_earlier_version_goes_on(small: Small, tmp_path: Path) -> None:
    """One file for everything, without migrations: it becomes the facts' file, and the rest is made again."""
    home = tmp_path / "home"
    shutil.copytree(small.store.home, home)
    store = Store(home)
    before = mart_checksums(store.published_path, "as_of_date = '2026-01-05'")
    told = "select market, video_id, horizon_hours, p10, p50, p90 from {} order by all"
    forecasts = published(store, told.format("marts.forecasts"))
    raw = build(store, "select load_id, item_index, item_hash from raw.tiktok_videos order by all")
    store.build_path.unlink()
    store.facts_path.rename(store.build_path)
    connection = connect(store.build_path)
    connection.execute(
        f"attach '{store.marts_path}' as marts_file (read_only);"
        " drop schema told cascade; drop table meta.migrations; create schema marts; create schema staging;"
        " create table marts.videos_daily as from marts_file.marts.videos_daily;"
        " create view staging.stg_tiktok__videos as from raw.tiktok_videos;"
        " create table meta.builds as select 1 as of_derived_rows;"
        # The day was sent, so that people were told.
        " insert into meta.receipts values"
        " ('discord:daily:2026-01-05', 'discord_message', 'webhook', 'id', 'd', '{}', '2026-01-05', '2026-01-05')"
    )
    connection.close()
    outcome = trends("run", "--date", "2026-01-06", "--source", small.folder, "--home", home, "--no-deliver")
    assert "failed" not in outcome.err
    assert mart_checksums(store.published_path, "as_of_date = '2026-01-05'") == before
    assert published(store, "select cast(as_of_date as varchar), count(*) from marts.videos_daily group by 1") == [
        ("2026-01-05", 3), ("2026-01-06", 1),
    ]  # fmt: skip
    kept = build(store, "select load_id, item_index, item_hash from raw.tiktok_videos order by all")
    assert kept[: len(raw)] == raw
    with facts.writer(store) as connection:
        tellings = connection.execute("select as_of_date::varchar, version from told.tellings order by 1").fetchall()
        assert [(day, version == "earlier") for day, version in tellings] == [
            ("2026-01-05", True), ("2026-01-06", False),
        ]  # fmt: skip
        earlier = told.format("(from told.forecasts where telling_id = 1)")
        assert connection.execute(earlier).fetchall() == forecasts
        schemas = connection.execute(
            "select distinct schema_name from duckdb_tables() where database_name = 'facts' order by 1"
        ).fetchall()
        assert schemas == [("meta",), ("raw",), ("told",)], "nothing derived is left"


# ---------- wrong use: exit status 2 and one line that says what to do


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "--source", "DIR/nowhere"], "export folder DIR/nowhere does not exist: give --source a folder"),
        (["backfill", "--source", "DIR/nowhere"], "export folder DIR/nowhere does not exist"),
        (["run", "--source", "DIR/empty"], "DIR/empty holds no feed: expected <market>/<kind>/"),
        (["backfill", "--source", "DIR/empty"], "DIR/empty has no feed in the dates asked for"),
        (["backfill", "--source", "DIR/feeds", "--from", "2027-01-01"], "DIR/feeds has no feed in the dates asked for"),
        (["run", "--date", "yesterday"], "'yesterday' is no date: expected YYYY-MM-DD"),
        (["run", "--as-of", "noon"], "'noon' is no time: expected 2026-02-20T09:00:00Z"),
        (["run", "--as-of", "2026-02-20T09:00:00"], "has no offset: say 2026-02-20T09:00:00Z"),
        (["publish"], "nothing to publish: nothing was built in DIR/home. Run `trends run` first."),
        (["backfill"], "the following arguments are required: --source"),
        (["dance"], "invalid choice: 'dance'"),
        ([], "the following arguments are required: COMMAND"),
    ],
)
def test_wrong_use(tmp_path: Path, arguments: list[str], message: str) -> None:
    (tmp_path / "empty").mkdir()
    write_feed(tmp_path / "feeds", "2026-01-05T08:00", [video()])
    home = ["--home", str(tmp_path / "home")] if arguments and arguments != ["dance"] else []
    outcome = trends(*[argument.replace("DIR", str(tmp_path)) for argument in arguments], *home)
    assert outcome.code == 2
    assert message.replace("DIR", str(tmp_path)) in outcome.err
    assert not (tmp_path / "home" / "warehouse" / "trends.duckdb").exists()


def test_cutoffs_follow_the_clock(store: Store) -> None:
    """The cut-off of a date that is over is its end, of today the moment of its first run; either is kept."""
    from ingest.landing import cutoff_for

    noon = moment("2026-01-05T12:00")
    with facts.writer(store) as connection:
        today = cutoff_for(connection, noon.date(), now=noon)
        later = cutoff_for(connection, noon.date(), now=noon + timedelta(hours=3))
        yesterday = cutoff_for(connection, date(2026, 1, 4), now=noon)
        override = cutoff_for(connection, noon.date(), now=noon, override=noon + timedelta(hours=1))
        stored = connection.execute(
            "select cast(as_of_date as varchar), origin from meta.cutoffs order by 1"
        ).fetchall()
    assert (today, later, override) == (noon, noon, noon + timedelta(hours=1))
    assert yesterday == moment("2026-01-04T23:59:59.999999")
    assert stored == [("2026-01-04", "day_end"), ("2026-01-05", "override")]


@pytest.mark.slow("four backfills")
def test_a_backfill_makes_files_of_the_dates_asked_for(tmp_path: Path) -> None:
    for number, day in enumerate(("2026-01-05", "2026-01-06", "2026-01-07")):
        write_feed(tmp_path / "feeds", f"{day}T08:00", [video("7590000000000000001", plays=1000 * number)], market="us")
    store = Store(tmp_path / "home")

    def made(*arguments: str) -> dict[str, int]:
        done = trends("backfill", "--source", tmp_path / "feeds", "--home", store.home, *arguments)
        # One market is missing.
        assert done.code == 0, done.err
        return {path.name: path.stat().st_mtime_ns for path in sorted(store.output.rglob("SUMMARY_REPORT_*"))}

    assert made("--files", "none", "--to", "2026-01-06") == {}
    # A folder of the day before is there: its files must not grow old.
    (store.output / "2026-01-06").mkdir(parents=True)
    assert list(made()) == [f"SUMMARY_REPORT_2026-01-0{day}.txt" for day in (6, 7)]
    assert list(made("--files", "all")) == [f"SUMMARY_REPORT_2026-01-0{day}.txt" for day in (5, 6, 7)]
    assert published(store, "select count(*) from meta.builds") == [(3,)]
