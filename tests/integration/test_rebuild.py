"""`trends rebuild`: what is derived is made again from the facts, whole or not at all; a changed project reaches it.

With `DRILL_KILLS` (`make drill-kills`) every file is torn in every way, and a rebuild killed at every point.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest

from benchmarks.home import backfill
from engine import compiled_models, rebuild
from engine.rebuild import Plan, RebuildNeededError
from ingest import facts, told
from orchestration import jobs
from simulator import NO_ODDITIES, SimulatorConfig, simulate, write_export_folder
from tests.changed_project import change, copy_models
from tests.support import PROJECT, build, mart_checksums, published, trends
from warehouse.store import Store

IS_DRILL = bool(os.environ.get("DRILL_KILLS"))
DAYS = ["2026-03-04", "2026-03-05", "2026-03-06", "2026-03-07"]


@pytest.fixture(scope="module")
def feeds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four simulated days of two polls."""
    folder = tmp_path_factory.mktemp("rebuild") / "feeds"
    config = SimulatorConfig(seed=3, days=4, polls=2, videos_per_day=40, oddities=NO_ODDITIES)
    write_export_folder(simulate(config), folder)
    return folder


@pytest.fixture(scope="module")
def made(feeds: Path) -> Store:
    """A home with these days, built and published, of which people were told the last one."""
    store = backfill(feeds, feeds.with_name("home"))
    # Revenue and the seasonal calendar come with a run; the earlier dates see them once they are made again.
    assert trends("run", "--date", DAYS[-1], "--source", feeds, "--home", store.home, "--no-deliver").code == 0
    assert trends("rebuild", "--home", store.home).code == 0
    with facts.writer(store) as connection:
        told.keep_day(connection, store.published_path, date.fromisoformat(DAYS[-1]), told.Teller("run", "1", "then"))
    return store


@pytest.fixture
def home(made: Store, tmp_path: Path) -> Store:
    """A copy of it."""
    shutil.copytree(made.home, tmp_path / "home")
    return Store(tmp_path / "home")


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_rebuild_gives_equal_marts_and_leaves_the_facts_alone(home: Store) -> None:
    before, facts_before = mart_checksums(home.published_path), digest(home.facts_path)
    outcome = trends("rebuild", "--home", home.home)
    assert outcome.code == 0, outcome.err
    assert "rebuilding 4 dates (2026-03-04 to 2026-03-07), about" in outcome.out
    assert f"rebuilt 4 dates; published {home.published_path} as of 2026-03-07" in outcome.out
    assert mart_checksums(home.published_path) == mart_checksums(home.marts_path) == before
    assert digest(home.facts_path) == facts_before
    assert published(home, "select distinct left(run_id, 8), version <> '' from meta.builds") == [("rebuild-", True)]
    assert not (home.warehouse / ".rebuild").exists()


def test_a_part_puts_its_dates_right_and_leaves_the_others(home: Store) -> None:
    before = mart_checksums(home.published_path)
    runs: dict[str, str] = dict(published(home, "select as_of_date::varchar, run_id from meta.builds"))
    build(home, "delete from marts.videos_daily where as_of_date in ('2026-03-05', '2026-03-06')")
    outcome = trends("rebuild", "--from", "2026-03-05", "--to", "2026-03-06", "--home", home.home)
    assert outcome.code == 0, outcome.err
    assert mart_checksums(home.published_path) == before
    now = published(home, "select as_of_date::varchar, run_id from meta.builds order by 1")
    assert [(day, run == runs[day]) for day, run in now] == [
        (DAYS[0], True), (DAYS[1], False), (DAYS[2], False), (DAYS[3], True),
    ]  # fmt: skip


@pytest.mark.slow("all dates made again for each file")
@pytest.mark.parametrize("lost", ["build_path", "marts_path"])
def test_a_derived_file_that_is_lost_is_made_again(home: Store, lost: str) -> None:
    """Where both are, it is as after `trends restore`: see tests/e2e/test_restore.py."""
    before = mart_checksums(home.published_path)
    getattr(home, lost).unlink()
    assert trends("rebuild", "--home", home.home).code == 0
    assert mart_checksums(home.published_path) == before


HARMS = [("build_path", "empty"), ("marts_path", "cut"), ("build_path", "no database")]
OTHER_HARMS = [("marts_path", "empty"), ("build_path", "cut"), ("marts_path", "no database")]


@pytest.mark.slow("all dates made again for each harm")
@pytest.mark.parametrize(("name", "harm"), HARMS + OTHER_HARMS * IS_DRILL)
def test_a_torn_derived_file_is_set_aside_and_made_again(home: Store, name: str, harm: str, feeds: Path) -> None:
    run = ("run", "--date", DAYS[-1], "--source", feeds, "--home", home.home, "--no-deliver")
    before = mart_checksums(home.published_path)
    path: Path = getattr(home, name)
    content = path.read_bytes()
    path.write_bytes({"empty": b"", "cut": content[:5000], "no database": b"x" * 5000}[harm])
    outcome = trends(*run)
    assert outcome.code == 0, outcome.err
    assert mart_checksums(home.published_path) == before
    assert len(list(home.warehouse.glob(f"{path.stem}.torn-*.duckdb"))) == 1


@pytest.mark.parametrize("harm", ["empty", "cut", "no database"])
def test_torn_facts_are_named_with_the_remedy_and_kept(home: Store, harm: str, feeds: Path) -> None:
    content = home.facts_path.read_bytes()
    torn = {"empty": b"", "cut": content[:5000], "no database": b"x" * 5000}[harm]
    home.facts_path.write_bytes(torn)
    before = digest(home.published_path)
    for command in ("rebuild", "publish"):
        outcome = trends(command, "--home", home.home)
        assert outcome.code == 1
        assert "facts.duckdb can't be read" in outcome.err
        assert "`trends restore --force`" in outcome.err
    assert home.facts_path.read_bytes() == torn
    assert digest(home.published_path) == before


def test_a_part_of_a_changed_home_is_refused(home: Store) -> None:
    with home.model_writer() as connection:
        compiled_models.record_built(connection, "another project")
    before = digest(home.published_path)
    outcome = trends("rebuild", "--from", DAYS[1], "--home", home.home)
    assert (outcome.code, "`trends rebuild` without --from and --to" in outcome.err) == (2, True)
    assert digest(home.published_path) == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--from", "2027-01-01"], "nothing to rebuild: nothing was landed in"),
        (["--from", "2026-03-06", "--to", "2026-03-05"], "--from 2026-03-06 is after --to 2026-03-05"),
    ],
)
def test_wrong_use_is_named(home: Store, arguments: list[str], message: str) -> None:
    outcome = trends("rebuild", *arguments, "--home", home.home)
    assert (outcome.code, message in outcome.err) == (2, True)


@pytest.mark.slow("all dates made again, twice")
def test_a_date_whose_check_fails_is_left_out_and_named(home: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = compiled_models.build

    def build_but_one(project_dir: Path, store: Store, dates: list[str], **further: object) -> object:
        results = whole(project_dir, store, dates, **further)  # type: ignore[arg-type]
        if DAYS[1] in dates:
            raise compiled_models.DbtFailedError("dbt: check_feed_rows: too few")
        return results

    monkeypatch.setattr(compiled_models, "build", build_but_one)
    runs: dict[str, str] = dict(published(home, "select as_of_date::varchar, run_id from meta.builds"))
    outcome = trends("rebuild", "--home", home.home)
    assert outcome.code == 0, outcome.err
    assert "left out 2026-03-05: dbt: check_feed_rows: too few" in outcome.out
    # As with any build that failed: what was published of that date stays.
    assert published(home, "select count(distinct as_of_date) from marts.videos_daily") == [(4,)]
    now = published(home, "select as_of_date::varchar, run_id from meta.builds order by 1")
    assert [(day, run == runs[day]) for day, run in now] == [(day, day == DAYS[1]) for day in DAYS]


# ---------- a changed project


@pytest.fixture(scope="module")
def changed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project with another threshold, another formula, a column more and a mart more."""
    project = tmp_path_factory.mktemp("changed") / "project"
    copy_models(project)
    change(project)
    return project


@pytest.mark.slow("all dates made again for each edit")
def test_a_formula_a_column_a_mart_and_a_threshold_reach_all_dates(home: Store, changed: Path, tmp_path: Path) -> None:
    fresh = Store(tmp_path / "fresh")
    fresh.warehouse.mkdir(parents=True)
    shutil.copy(home.facts_path, fresh.facts_path)
    compiled_models.build(changed, fresh, DAYS)
    facts_before, told_then = digest(home.facts_path), "select p10, p50, p90 from facts.told.forecasts order by all"
    forecasts = build(home, told_then)
    begun: list[Plan] = []
    done = rebuild.ensure_current(changed, home, [date(2026, 3, 8)], on_begin=begun.append)
    assert done is not None
    assert (done.dates, [list(plan.rows_by_date) for plan in begun]) == (DAYS, [DAYS])
    assert mart_checksums(home.marts_path) == mart_checksums(fresh.marts_path)
    columns = "min(used_by_doubled - 2 * (used_by - 1)), max(used_by_doubled - 2 * (used_by - 1))"
    assert build(home, f"select count(distinct as_of_date), {columns} from marts.sounds_daily") == [(4, 0, 0)]
    assert build(home, "select count(*), min(videos) > 0 from marts.days_told") == [(4, True)]
    assert digest(home.facts_path) == facts_before
    assert build(home, told_then) == forecasts != [], "what people were told stays"


def test_a_long_rebuild_is_not_done_by_the_way(home: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """A home that takes longer than a minute is not rebuilt by the way: the message says how."""
    with home.model_writer() as connection:
        compiled_models.record_built(connection, "another project")
    monkeypatch.setattr(rebuild, "OWN_ACCORD_S", 0.0)
    before = digest(home.published_path)
    with pytest.raises(RebuildNeededError, match=r": 4 dates .*about \d+ s\. Start it with `trends rebuild`"):
        rebuild.ensure_current(PROJECT, home, [date(2026, 3, 8)])
    assert digest(home.published_path) == before
    assert rebuild.ensure_current(PROJECT, Store(home.home.with_name("new")), [date(2026, 3, 8)]) is None


@pytest.mark.slow("all dates made again")
def test_a_run_rebuilds_a_home_of_another_version_by_itself(home: Store, feeds: Path) -> None:
    run = ("run", "--date", DAYS[-1], "--source", feeds, "--home", home.home, "--no-deliver")
    before = mart_checksums(home.published_path)
    with home.model_writer() as connection:
        compiled_models.record_built(connection, "another project")
        connection.execute("alter table marts.sounds_daily add column of_another_version integer")
    outcome = trends(*run)
    assert outcome.code == 0, outcome.err
    assert mart_checksums(home.published_path) == before


# ---------- a kill at any point

KILLED = """
import os, signal, sys
from pathlib import Path
from engine import rebuild
from warehouse.store import Store
point, home = sys.argv[1], Store(Path(sys.argv[2]))
name, _, number = point.partition(':')
left = int(number)
def count(*_):
    global left
    left -= 1
    if left <= 0:
        os.kill(os.getpid(), signal.SIGKILL)
if name != 'node':
    # The renames, syncs and removals that put the new files in place.
    module, function = {'replace': (Path, 'replace'), 'sync': (os, 'fsync'), 'unlink': (Path, 'unlink')}[name]
    real = getattr(module, function)
    def dying(*arguments, **further):
        count()
        return real(*arguments, **further)
    setattr(module, function, dying)
project = Path(sys.argv[3])
rebuild.rebuild_and_publish(project, home, rebuild.plan(home), on_result=count if name == 'node' else None)
"""


# In the midst of the models, and at each kind of step that puts the new files in place.
POINTS = ["node:90", "unlink:2", "replace:2", "sync:2"]
OTHER_POINTS = ["node:1", "node:200", "replace:1", "replace:3", "sync:1", "sync:3"]


@pytest.mark.slow("all dates made again for each kill")
@pytest.mark.parametrize("point", POINTS + OTHER_POINTS * IS_DRILL)
def test_a_kill_leaves_the_old_file_or_the_new_one_and_the_next_command_goes_on(home: Store, point: str) -> None:
    facts_before = digest(home.facts_path)
    # So that the new file can be told from the old one.
    old = mart_checksums(home.published_path)
    build(home, "update trends.meta.publication set run_id = 'old'")
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, point, str(home.home), str(PROJECT)], cwd=PROJECT, check=False, timeout=300
    )
    assert killed.returncode == -signal.SIGKILL, "the point was reached"
    assert mart_checksums(home.published_path) == old
    outcome = trends("rebuild", "--home", home.home)
    assert outcome.code == 0, outcome.err
    assert mart_checksums(home.published_path) == mart_checksums(home.marts_path) == old
    assert digest(home.facts_path) == facts_before
    assert sorted(path.name for path in home.warehouse.iterdir() if not path.name.startswith("build.")) == [
        "facts.duckdb", "trends.duckdb", "unpublished.duckdb",
    ]  # fmt: skip


def test_the_job_of_the_ui_rebuilds_the_home(home: Store) -> None:
    before = mart_checksums(home.published_path)
    build(home, "delete from marts.videos_daily where as_of_date = '2026-03-05'")
    result = jobs.rebuild.execute_in_process(resources={"store": home})
    assert result.success
    assert mart_checksums(home.published_path) == before
