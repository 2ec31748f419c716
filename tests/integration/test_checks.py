"""The checks of a date: what each lets pass and what it finds, and what block, warn and off do to the day."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
import pytest

from engine import compiled_models, compiler, dbt_runner
from engine.dbt_runner import DbtFailedError
from orchestration.definitions import build_defs
from orchestration.settings import Settings
from tests.integration.dbt_subset import REPOSITORY, create_subset
from tests.support import PROJECT, published, trends, video, write_feed
from warehouse.store import Store

DAY = "2026-03-10"
CHECKS = (
    "feed_rows", "rejected_items", "feed_overlap", "feed_repeats", "stale_feed", "revenue_age", "forecast_skill",
    "label_order", "alert_pace", "accounts", "watchlist",
)  # fmt: skip

Find = Callable[[str], list[tuple[Any, ...]]]


@pytest.fixture(scope="module")
def compiled() -> dict[str, str]:
    """SQL of each check for `DAY`, as dbt compiled it."""
    return {
        node.name: node.sql.replace("date '@other_dates@'", f"date '{DAY}'").replace("@first_date@", DAY)
        for node in compiler.compiled(PROJECT)
        if node.name.startswith("check_")
    }


@pytest.fixture
def connection(compiled: dict[str, str], tmp_path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """A warehouse with every relation, none with rows, and `DAY` as the batch."""
    shutil.copytree(dbt_runner.kept_in(PROJECT) / "empty" / "warehouse", tmp_path / "warehouse")
    with Store(tmp_path).model_writer() as opened:
        relation(opened, "intermediate.int_as_of", "as_of_date, cutoff_at", f"('{DAY}', '{DAY} 23:59:59')")
        relation(opened, "intermediate.int_polls", "as_of_date, is_in_batch", f"('{DAY}', true)")
        yield opened


def relation(connection: duckdb.DuckDBPyConnection, name: str, columns: str, values: str) -> None:
    """Puts made-up rows in the place of a relation; what stands for a date is one."""
    day = " replace (as_of_date::date as as_of_date)" if "as_of_date" in columns else ""
    connection.execute(
        f"drop table {name}; create table {name} as select *{day} from (values {values}) as made_up ({columns})"
    )


HEALTH = (
    "as_of_date, market, kind, is_missing, is_stale, items, distinct_videos, quarantined_items,"
    " unreadable_files, message"
)
LABELS = "as_of_date, record, kind, label, value, place, is_enough, score, skill_low, skill_high"
SCORES = "as_of_date, market, horizon_hours, model, is_baseline, n, absolute_error, actual_gain"


def health(*videos: int, market: str = "US", is_stale: bool = False, rejected: int = 0, unreadable: int = 0) -> str:
    """Rows of source_health: distinct videos of the days that end with `DAY`, which has items that were rejected."""
    last = date.fromisoformat(DAY).toordinal()
    return ", ".join(
        f"('{date.fromordinal(last - ago)}', '{market}', 'videos', {count == 0}, {is_stale and ago == 0}, {count},"
        f" {count}, {rejected + unreadable if ago == 0 else 0}, {unreadable if ago == 0 else 0}, 'told')"
        for ago, count in enumerate(reversed(videos))
    )


def scores(chosen_error: int, naive_error: int, days: int = 3, forecasts: int = 50) -> str:
    last = date.fromisoformat(DAY).toordinal()
    return ", ".join(
        f"('{date.fromordinal(last - ago)}', 'ALL', 24, '{model}', {is_baseline}, {forecasts}, {error}, 100)"
        for ago in range(days)
        for model, is_baseline, error in (("chosen", False, chosen_error), ("last_gain", True, naive_error))
    )


def labels(*values: tuple[int, float, float], is_enough: bool = True) -> str:
    """Values of a label: place, share that kept the promise, and lower end of its skill, the upper one 0.2 above."""
    return ", ".join(
        f"('{DAY}', 'replay', 'value', 'Status', 'v{place}', {place}, {is_enough}, {score}, {low}, {low} + 0.2)"
        for place, score, low in values
    )


def feeds(again: int, new: int) -> str:
    """Rows of videos_daily: of the day's videos so many were there the day before."""
    rows = [("2026-03-09", f"v{number}") for number in range(again)]
    rows += [(DAY, f"v{number}") for number in range(again)] + [(DAY, f"n{number}") for number in range(new)]
    return ", ".join(f"('{day}', 'UK', '{key}')" for day, key in rows)


CASES = {
    "feed_rows: a fifth of the usual": ("feed_rows", "source_health", HEALTH, health(100, 90, 110, 20), None),
    "feed_rows: less": (
        "feed_rows", "source_health", HEALTH, health(100, 90, 110, 19), "US: 19 videos, 100 are usual",
    ),
    "feed_rows: too few days": ("feed_rows", "source_health", HEALTH, health(100, 90, 5), None),
    "feed_rows: none of use, on the first day too": (
        "feed_rows", "source_health", HEALTH, health(0, rejected=30), "US: 0 videos, told",
    ),
    "feed_rows: no feed came": ("feed_rows", "source_health", HEALTH, health(100, 90, 110, 0), None),
    "feed_rows: a file that is no feed": ("feed_rows", "source_health", HEALTH, health(0, unreadable=1), None),
    "rejected_items: a fifth": ("rejected_items", "source_health", HEALTH, health(80, rejected=20), None),
    "rejected_items: more": (
        "rejected_items", "source_health", HEALTH, health(79, rejected=21),
        "US videos: 21 of 100 items rejected: told",
    ),
    "rejected_items: the feed's message says it already": (
        "rejected_items", "source_health", HEALTH,
        health(79, rejected=21).replace("'told'", "'21 of 100 items rejected: no video id'"),
        "US videos: 21 of 100 items rejected: no video id",
    ),
    "feed_overlap: another date": (
        "feed_overlap", "feed_overlap", "as_of_date, market_a, market_b, jaccard, is_suspicious",
        f"('2026-03-09', 'UK', 'US', 0.9, true), ('{DAY}', 'UK', 'US', 0.2, false)", None,
    ),
    "feed_overlap: this date": (
        "feed_overlap", "feed_overlap", "as_of_date, market_a, market_b, jaccard, is_suspicious",
        f"('{DAY}', 'UK', 'US', 0.876, true)", "UK and US share 88 % of their videos",
    ),
    "feed_repeats: some are new": (
        "feed_repeats", "videos_daily", "as_of_date, market, video_id", feeds(again=48, new=2), None,
    ),
    "feed_repeats: nearly none": (
        "feed_repeats", "videos_daily", "as_of_date, market, video_id", feeds(again=49, new=1),
        "UK: 49 of 50 videos were in the feed of the day before",
    ),
    "feed_repeats: too few videos": (
        "feed_repeats", "videos_daily", "as_of_date, market, video_id", feeds(again=19, new=0), None,
    ),
    "stale_feed: new readings": ("stale_feed", "source_health", HEALTH, health(50), None),
    "stale_feed: none": (
        "stale_feed", "source_health", HEALTH, health(50, is_stale=True), "US videos: 50 items, none of them new",
    ),
    "revenue_age: three days": (
        "revenue_age", "revenue_source", "as_of_date, age_hours, failure", f"('{DAY}', 72.0, null)", None,
    ),
    "revenue_age: longer": (
        "revenue_age", "revenue_source", "as_of_date, age_hours, failure", f"('{DAY}', 73.0, 'no answer')",
        "revenue was read 73 h before the cut-off: no answer",
    ),
    "forecast_skill: as good": ("forecast_skill", "forecast_scores", SCORES, scores(40, 40), None),
    "forecast_skill: worse": (
        "forecast_skill", "forecast_scores", SCORES, scores(41, 40),
        "forecasts for 24 h of 3 days missed 41 % of the gains, the best naive one 40 %",
    ),
    "forecast_skill: too few days": ("forecast_skill", "forecast_scores", SCORES, scores(90, 40, days=2), None),
    "forecast_skill: too few forecasts": (
        "forecast_skill", "forecast_scores", SCORES, scores(90, 40, forecasts=33), None,
    ),
    "label_order: the better value keeps more, or may": (
        "label_order", "scorecard", LABELS, labels((1, 0.3, 0.1), (2, 0.35, 0.2), (0, 0.9, 0.8)), None,
    ),
    "label_order: the better value keeps less": (
        "label_order", "scorecard", LABELS, labels((1, 0.1, -0.2), (2, 0.4, 0.2), (3, 0.0, -0.2)),
        "labels out of their order: Status: v1 kept 10 %, v2 40 % (replay)",
    ),
    "label_order: too few to tell": (
        "label_order", "scorecard", LABELS, labels((1, 0.1, -0.2), (2, 0.4, 0.2), is_enough=False), None,
    ),
    "alert_pace: within reach": (
        "alert_pace", "poll_markets", "as_of_date, market, pace_factor_needed, held_back",
        f"('{DAY}', 'US', 10.0, 0), ('2026-03-09', 'US', 52.0, 0)", None,
    ),
    "alert_pace: out of reach": (
        "alert_pace", "poll_markets", "as_of_date, market, pace_factor_needed, held_back",
        f"('{DAY}', 'US', 12.34, 0), ('{DAY}', 'UK', 3.0, 0)",
        "in 1 polls of US an alert needed up to 12.3 times the pace, or what was learned was set aside for asking as"
        " much",
    ),
    "accounts: as people type them, and a blank row": (
        "accounts", "accounts", "handle, role, market", "(' @A.b ', 'Own', 'US'), (null, null, null)", None,
    ),
    "accounts: a word that is no role": (
        "accounts", "accounts", "handle, role, market", "('a', 'own', 'US'), ('b', 'rival', null)",
        'seeds/accounts.csv: the row "b,rival," is not used: it needs a handle, and the role own or competitor',
    ),
    "watchlist: as people type them, and a blank row": (
        "watchlist", "watchlist", "kind, value, action, market",
        "(' Account ', '@A.b', 'Follow', 'us'), ('sound', 'https://www.tiktok.com/music/x-7001', 'mute', null),"
        " (null, null, null, null)", None,
    ),
    "watchlist: a word that is no kind": (
        "watchlist", "watchlist", "kind, value, action, market", "('hashtag', '#x', 'follow', null::varchar)",
        'seeds/watchlist.csv: the row "hashtag,#x,follow," is not used: its kind is none of account, tag, sound,'
        " template, keyword",
    ),
    "watchlist: a word that is no action": (
        "watchlist", "watchlist", "kind, value, action, market", "('tag', '#x', 'watch', 'US')",
        'seeds/watchlist.csv: the row "tag,#x,watch,US" is not used: its action is neither mute nor follow',
    ),
    "watchlist: a market that is none": (
        "watchlist", "watchlist", "kind, value, action, market", "('tag', '#x', 'mute', 'FR')",
        'seeds/watchlist.csv: the row "tag,#x,mute,FR" is not used: its market is not in seeds/markets.csv; leave it'
        " empty for all",
    ),
    "watchlist: no handle": (
        "watchlist", "watchlist", "kind, value, action, market", "('account', ' @ ', 'mute', null::varchar)",
        'seeds/watchlist.csv: the row "account, @ ,mute," is not used: it has no handle',
    ),
    "watchlist: a sound by its name": (
        "watchlist", "watchlist", "kind, value, action, market", "('sound', 'my song', 'follow', '')",
        'seeds/watchlist.csv: the row "sound,my song,follow," is not used: its value has no id: copy the link of its'
        " page",
    ),
}  # fmt: skip
# Where a check's rows stand, if they stand in no mart.
SCHEMAS = {"accounts": "seeds", "watchlist": "seeds"}


@pytest.mark.parametrize("case", CASES)
def test_what_a_check_finds(connection: duckdb.DuckDBPyConnection, compiled: dict[str, str], case: str) -> None:
    check, mart, columns, values, message = CASES[case]
    relation(connection, f"{SCHEMAS.get(mart, 'marts')}.{mart}", columns, values)
    found = connection.execute(compiled[f"check_{check}"]).fetchall()
    assert found == ([(date.fromisoformat(DAY), message)] if message else [])


def test_every_check_is_tried() -> None:
    assert {case[0] for case in CASES.values()} == set(CHECKS)
    assert {path.stem for path in (PROJECT / "tests" / "dbt" / "checks").glob("*.sql")} == {
        f"check_{name}" for name in CHECKS
    }


SUSPICIOUS = """
    {{ config(materialized='table') }}
    select date '2026-03-10' as as_of_date, 'UK' as market_a, 'US' as market_b, 0.9 as jaccard, true as is_suspicious
"""
BATCH = "{{ config(materialized='table') }} select date '2026-03-10' as as_of_date"


@pytest.mark.slow("the project compiled for each mode")
@pytest.mark.parametrize("mode", ["block", "warn", "off", "'off'", "blok"])
def test_a_mode_is_one_word_in_the_project(tmp_path: Path, mode: str) -> None:
    subset = create_subset(
        tmp_path / "project", models=[], seeds=[], parents={"feed_overlap": SUSPICIOUS, "int_as_of": BATCH}
    )
    folder = subset.folder
    (folder / "tests" / "dbt" / "checks").mkdir()
    name = "check_feed_overlap"
    shutil.copy(REPOSITORY / "tests" / "dbt" / "checks" / f"{name}.sql", folder / "tests" / "dbt" / "checks")
    project = folder / "dbt_project.yml"
    text = project.read_text(encoding="utf-8")
    assert f"{name}: warn" in text
    project.write_text(text.replace(f"{name}: warn", f"{name}: {mode}"), encoding="utf-8")
    if mode == "blok":
        with pytest.raises(DbtFailedError, match=f"{name} is blok: say block, warn or off"):
            compiled_models.build(folder, Store(folder), [DAY])
        return
    failure = None
    try:
        results = compiled_models.build(folder, Store(folder), [DAY])
    except DbtFailedError as error:
        results, failure = error.results, str(error)
    (expected, told) = {
        "block": (["fail"], f"dbt: {name}: 1 rows fail the test"),
        "warn": (["warn"], None),
        "off": ([], None),
    }[mode.strip("'")]
    assert [result.status for result in results if name in result.unique_id] == expected
    assert failure == told


# ---------- through the daily job


def write_day(folder: Path, day: str, us: range, uk: range) -> None:
    for market, numbers in (("us", us), ("uk", uk)):
        items = [video(str(7590000000000000000 + number), plays=1000 + number) for number in numbers]
        write_feed(folder, f"{day}T08:00", items, market=market)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three good days."""
    directory = tmp_path_factory.mktemp("feeds")
    for place, day in enumerate(("2026-01-05", "2026-01-06", "2026-01-07")):
        write_day(directory, day, range(100 * place, 100 * place + 40), range(100 * place + 50, 100 * place + 90))
    return directory


@pytest.fixture(scope="module")
def home(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Store:
    home = Store(tmp_path_factory.mktemp("checked") / "home")
    outcome = trends("backfill", "--source", folder, "--home", home.home)
    assert outcome.code == 0, outcome.err
    return home


def test_a_check_that_blocks_keeps_the_published_file(home: Store, folder: Path, tmp_path: Path) -> None:
    home = Store(Path(shutil.copytree(home.home, tmp_path / "home")))
    before = hashlib.sha256(home.published_path.read_bytes()).hexdigest()
    few = tmp_path / "few"
    shutil.copytree(folder, few)
    write_day(few, "2026-01-08", range(500, 507), range(550, 590))
    outcome = trends("run", "--source", few, "--date", "2026-01-08", "--home", home.home)
    assert outcome.code == 1
    assert "check_feed_rows: US: 7 videos, 40 are usual" in outcome.err
    assert hashlib.sha256(home.published_path.read_bytes()).hexdigest() == before
    assert not (home.output / "2026-01-08").exists()


@pytest.mark.slow("two whole runs")
def test_a_check_that_warns_is_told_where_the_day_is_read(home: Store, folder: Path, tmp_path: Path) -> None:
    # A home of its own: one in which a date was blocked builds that date again.
    home = Store(Path(shutil.copytree(home.home, tmp_path / "home")))
    alike = tmp_path / "alike"
    shutil.copytree(folder, alike)
    write_day(alike, "2026-01-09", range(600, 640), range(600, 640))
    job = build_defs(Settings(trends_home=home.home)).resolve_job_def("daily")
    with dg.instance_for_test() as instance:
        result = job.execute_in_process(
            instance=instance,
            partition_key="2026-01-09",
            run_config={"ops": {"raw_feeds": {"config": {"source": str(alike)}}}},
        )
    (evaluation,) = [
        found for found in result.get_asset_check_evaluations() if found.check_name == "check_feed_overlap"
    ]
    assert (evaluation.passed, evaluation.severity) == (False, dg.AssetCheckSeverity.WARN)
    message = "UK and US share 100 % of their videos"
    told = published(home, "select check_name, message from meta.check_results where as_of_date = '2026-01-09'")
    assert ("check_feed_overlap", message) in told
    summary = (home.output / "2026-01-09" / "SUMMARY_REPORT_2026-01-09.txt").read_text(encoding="utf-8")
    assert f"Check: feed overlap: {message}" in summary
    report = (home.output / "2026-01-09" / "TREND_REPORT_2026-01-09.html").read_text(encoding="utf-8")
    assert message in report
