"""The Makefile's first step: which Python it takes, and what it says to another."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.support import PROJECT

# Says that it is of another version; notes that an environment was asked for, and makes none.
PYTHON = """#!/bin/sh
if [ "$1" = -m ]; then echo "$@" >asked; exit 9; fi
exec "{python}" -c "
import sys
sys.version, sys.version_info = '{version}.0 (main)', (*map(int, '{version}'.split('.')), 0, 'final', 0)
code = sys.argv[1]
del sys.argv[1]
exec(code)" "$2" "$3"
"""


def install(folder: Path, version: str, name: str = "python3", *arguments: str) -> subprocess.CompletedProcess[str]:
    """`make` of the environment with a Python that says it is of the version."""
    for file in ("Makefile", "requirements.lock", "pyproject.toml"):
        shutil.copy(PROJECT / file, folder)
    program = folder / "bin" / name
    program.parent.mkdir()
    program.write_text(PYTHON.format(python=sys.executable, version=version), encoding="utf-8")
    program.chmod(0o755)
    environment = {"PATH": f"{program.parent}{os.pathsep}{os.environ['PATH']}"}
    command = ["make", ".venv/.installed", *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("version", ["3.8", "3.10", "3.14", "4.0"])
def test_another_python_is_told_in_one_sentence(tmp_path: Path, version: str) -> None:
    done = install(tmp_path, version)
    assert done.returncode == 2
    assert done.stderr.splitlines()[0] == (
        f"Python 3.11, 3.12 or 3.13 is needed, and python3 is {version}.0. Where another one is installed, name it:"
        " make run PYTHON=python3.13 (dagster-dbt does not support 3.14 yet)."
    )
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "asked").exists()


@pytest.mark.parametrize("version", ["3.11", "3.12", "3.13"])
def test_a_supported_python_makes_the_environment(tmp_path: Path, version: str) -> None:
    done = install(tmp_path, version, f"python{version}", f"PYTHON=python{version}")
    assert (tmp_path / "asked").read_text(encoding="utf-8") == "-m venv .venv\n", done.stderr


def test_the_python_of_an_environment_that_is_there_counts(tmp_path: Path) -> None:
    """The system's Python may have become a newer one meanwhile."""
    own = tmp_path / ".venv" / "bin" / "python"
    own.parent.mkdir(parents=True)
    own.symlink_to(sys.executable)
    done = install(tmp_path, "3.14")
    assert "is needed" not in done.stderr
    assert "installing the locked packages" in done.stdout


def test_the_range_stands_where_pip_and_people_see_it() -> None:
    (project,) = re.findall(r'^requires-python = "(.*)"', (PROJECT / "pyproject.toml").read_text(), re.MULTILINE)
    assert project == ">=3.11,<3.14"
    assert "`python3` of version 3.11, 3.12 or 3.13" in (PROJECT / "README.md").read_text(encoding="utf-8")
    workflow = yaml.safe_load((PROJECT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8"))
    assert workflow["jobs"]["test"]["strategy"]["matrix"]["python"] == ["3.11", "3.13"]
    assert workflow["permissions"] == {"contents": "read"}
    # The locks are resolved for the oldest of them and hold for all: what a newer one needs has markers.
    assert "--universal --python-version 3.11" in (PROJECT / "Makefile").read_text(encoding="utf-8")
