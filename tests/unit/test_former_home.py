"""A home that an earlier version kept among the code: moved once, whole, also over a kill, and never over anything."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from pydantic import ValidationError

from orchestration.settings import DEFAULT_HOME, PROJECT_ROOT, Settings
from tests.support import PROJECT, ROOMS
from warehouse.former_home import HomeMoveError, take_up
from warehouse.store import Store, WarehouseBusyError

# What an earlier version left: name below the project's folder, and content.
HOME = {
    "warehouse/build.duckdb": "raw rows",
    "warehouse/build.duckdb.wal": "their log",
    "warehouse/unpublished.duckdb": "marts",
    "warehouse/trends.duckdb": "published marts",
    "warehouse/build.sample-20260105T090000.duckdb": "the sample",
    "warehouse/backup.json": "{}",
    "data/sample/us/videos/2026-01-05T08-00-00Z.json": "[]",
    "data/sample.config": "sample",
    "output/2026-01-05/manifest.json": "{}",
    "dagster/dagster.yaml": "telemetry:",
    "dagster/history/runs.db": "runs",
}
CODE = {
    "warehouse/__init__.py": '"""The store."""',
    "warehouse/store.py": "HOME = 1",
    "warehouse/__pycache__/store.pyc": "compiled",
    "orchestration/settings.py": "DEFAULT_HOME = 1",
    "dbt_project.yml": "name: trends",
}

# Dies at the n-th rename, as by a power cut.
KILLED = """
import os, signal, sys
from pathlib import Path
from warehouse.former_home import take_up
from warehouse.store import Store

renames, rename = [], Path.rename

def dying(self, target):
    renames.append(target)
    if len(renames) > int(sys.argv[2]):
        os.kill(os.getpid(), signal.SIGKILL)
    return rename(self, target)

Path.rename = dying
take_up(Path(sys.argv[1]), Store(Path(sys.argv[1]) / "home"))
"""


def lay(folder: Path, files: Mapping[str, str]) -> None:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")


def found(folder: Path, without: str = "") -> dict[str, str]:
    """All files below a folder, but for the locks and one subfolder."""
    return {
        str(path.relative_to(folder)): path.read_text(encoding="utf-8")
        for path in sorted(folder.rglob("*"))
        if path.is_file()
        and path.name not in ("build.lock", "build.holder")
        and not (without and path.is_relative_to(folder / without))
    }


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder of code with a former home in it."""
    lay(tmp_path, CODE | HOME)
    with Store(tmp_path).lock():
        pass
    return tmp_path


def test_all_of_it_is_moved_and_no_code(project: Path) -> None:
    store = Store(project / "home")
    line = take_up(project, store)
    assert line == f"the home is {store.home} now: data, output, dagster, warehouse moved there from {project}"
    assert found(store.home) == HOME
    assert found(project, without="home") == CODE
    assert sorted(path.name for path in (project / "warehouse").iterdir()) == ["__init__.py", "__pycache__", "store.py"]
    assert take_up(project, store) is None


@pytest.mark.parametrize("renames", range(10))
def test_a_kill_between_two_renames_is_made_good_by_the_next_call(project: Path, renames: int) -> None:
    """Ten paths are renamed: three folders, backup.json and six files of databases, whose names count as one each."""
    store = Store(project / "home")
    killed = subprocess.run([sys.executable, "-c", KILLED, project, str(renames)], cwd=PROJECT, check=False, timeout=60)
    lasted = renames == 9
    assert killed.returncode == (0 if lasted else -signal.SIGKILL)
    assert (found(project, without="home") == CODE) == lasted
    assert (take_up(project, store) is None) == lasted
    assert found(store.home) == HOME
    assert found(project, without="home") == CODE


def test_a_place_with_a_warehouse_is_never_touched(project: Path) -> None:
    own = {"warehouse/facts.duckdb": "own facts"}
    lay(project / "home", own)
    assert take_up(project, Store(project / "home")) is None
    assert found(project / "home") == own
    assert found(project, without="home") == CODE | HOME


def test_nothing_is_overwritten(project: Path) -> None:
    own = {"dagster/dagster.yaml": "own", "warehouse/backup.json": "own"}
    lay(project / "home", own)
    line = take_up(project, Store(project / "home"))
    assert line is not None
    assert f"(dagster, warehouse/backup.json stayed in {project}: it is in the new place too)" in line
    stayed = {name for name in HOME if name.startswith("dagster/")} | {"warehouse/backup.json"}
    assert found(project / "home") == {name: text for name, text in HOME.items() if name not in stayed} | own
    assert set(found(project, without="home")) == set(CODE) | stayed


def test_folders_that_no_home_made_and_folders_that_a_setting_names_stay(tmp_path: Path) -> None:
    code = {"dagster/__init__.py": "", "data/model.py": "X = 1", "output/notes.txt": "mine"}
    lay(tmp_path, CODE | code)
    store = Store(tmp_path / "home")
    assert take_up(tmp_path, store) is None
    assert not store.home.exists()
    shutil.rmtree(tmp_path / "data")
    lay(tmp_path, {"data/revenue_cache.json": "{}", "warehouse/build.duckdb": "raw"})
    assert take_up(tmp_path, store, keep=[tmp_path / "data"]) is not None
    assert found(store.home) == {"warehouse/build.duckdb": "raw"}
    assert found(tmp_path, without="home") == CODE | {
        "dagster/__init__.py": "", "output/notes.txt": "mine", "data/revenue_cache.json": "{}",
    }  # fmt: skip


def test_a_writer_of_the_former_home_is_waited_for(project: Path) -> None:
    store = Store(project / "home", lock_timeout_s=0.1)
    holder = "import sys; from pathlib import Path; from warehouse.store import Store\n"
    holder += "with Store(Path(sys.argv[1])).lock(): print('held', flush=True); sys.stdin.read()"
    command = [sys.executable, "-c", holder, str(project)]
    with subprocess.Popen(command, cwd=PROJECT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        with pytest.raises(WarehouseBusyError, match=f"pid {process.pid}"):
            take_up(project, store)
        assert found(project, without="home") == CODE | HOME
        process.communicate("", timeout=60)
    assert take_up(project, store) is not None


def test_a_home_on_another_disk_is_said_with_the_remedy(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path, target: Path) -> None:
        raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))

    with monkeypatch.context() as patch, pytest.raises(HomeMoveError, match=r"it is on another disk\. Move it there"):
        patch.setattr(Path, "rename", refuse)
        take_up(project, Store(project / "home"))
    assert found(project, without="home") == CODE | HOME
    assert take_up(project, Store(project / "home")) is not None


def test_the_default_home_is_a_folder_of_its_own_and_the_project_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TRENDS_HOME")
    assert Settings().trends_home == DEFAULT_HOME == PROJECT_ROOT / "home"
    for given in (PROJECT_ROOT, PROJECT_ROOT / "tests" / ".."):
        with pytest.raises(ValidationError, match=r"leave TRENDS_HOME and --home out, and what is there is moved to"):
            Settings(trends_home=given)


@pytest.mark.parametrize("given", [None, "elsewhere"])
def test_a_command_takes_the_former_home_up_unless_another_is_named(tmp_path: Path, given: str | None) -> None:
    for room in (*ROOMS, "seeds"):
        shutil.copytree(PROJECT / room, tmp_path / room, ignore=shutil.ignore_patterns("*.duckdb*", "build.*", "dbt"))
    lay(tmp_path, HOME)
    done = subprocess.run(
        [sys.executable, "-m", "orchestration.cli", "scorecard"],
        cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False,
        env=os.environ | {"PYTHONPATH": str(tmp_path), "TRENDS_HOME": given or ""},
    )  # fmt: skip
    assert done.returncode != 0, "the published file is none"
    told = f"trends: the home is {tmp_path / 'home'} now: data, output, dagster, warehouse moved there from {tmp_path}"
    assert (told in done.stderr.splitlines()) == (given is None), done.stderr
    assert (tmp_path / "home" / "warehouse" / "build.duckdb").exists() == (given is None)
    assert (tmp_path / "warehouse" / "build.duckdb").exists() == (given is not None)
