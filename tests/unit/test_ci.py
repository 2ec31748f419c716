"""What `.ci/run` does with a clone: the README's two commands in their order, in a clean environment; all at night."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import PROJECT

# Notes what it was called with, and leaves what each call was told to leave.
MAKE = """#!/usr/bin/env bash
echo "make $* $(env | grep -c '^APIFY_TOKEN') ${TRENDS_FAIL_ON_SKIP:-no} $HTTPS_PROXY" >>.git/calls
mkdir -p home && touch home/made
[[ ! -e .git/leave-$1 ]] || touch left-behind
[[ ! -e .git/fail-$1 ]]
"""


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A clone with our `.ci`, and programs that do nothing on its path."""
    clone = tmp_path / "clone"
    shutil.copytree(PROJECT / ".ci", clone / ".ci")
    shutil.copy(PROJECT / ".gitignore", clone)
    for name in ("soffice", "chromium", "npm", "java", "apt-get", "make"):
        program = tmp_path / "bin" / name
        program.parent.mkdir(exist_ok=True)
        program.write_text(MAKE if name == "make" else "#!/bin/sh\n", encoding="utf-8")
        program.chmod(0o755)
    author = ("-c", "user.name=somebody", "-c", "user.email=somebody@example.org")
    for arguments in (["init", "-q"], ["add", "-A"], [*author, "commit", "-qm", "All of it"]):
        subprocess.run(["git", *arguments], cwd=clone, check=True)
    return clone


def run(clone: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {
        "PATH": f"{clone.parent / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(clone.parent),
        "HTTPS_PROXY": "proxy.example.org",
        "APIFY_TOKEN": "of the machine",
    }
    return subprocess.run(
        [clone / ".ci" / "run", *arguments], env=environment, capture_output=True, text=True, timeout=60, check=False
    )


def calls(clone: Path) -> list[str]:
    return (clone / ".git" / "calls").read_text(encoding="utf-8").splitlines()


def test_the_two_commands_of_the_readme_run_in_order_without_settings_of_the_machine(clone: Path) -> None:
    done = run(clone)
    assert (done.returncode, done.stderr) == (0, "")
    assert calls(clone) == [
        "make run 0 no proxy.example.org",
        "make test 0 1 proxy.example.org",
    ]
    readme = (PROJECT / "README.md").read_text(encoding="utf-8")
    assert re.findall(r"^(make \w+)", readme, re.MULTILINE)[:2] == ["make run", "make test"]


def test_at_night_it_is_all_tests_and_spark(clone: Path) -> None:
    done = run(clone, "night")
    assert (done.returncode, done.stderr) == (0, "")
    assert [call.split()[1] for call in calls(clone)] == ["run", "test-all", "test-spark"]


def test_another_word_is_refused_before_anything_is_installed(clone: Path) -> None:
    done = run(clone, "nihgt")
    assert (done.returncode, done.stderr) == (2, "nihgt: it is .ci/run or .ci/run night\n")
    assert not (clone / ".git" / "calls").exists()


@pytest.mark.parametrize("command", ["run", "test"])
def test_files_that_git_does_not_ignore_fail_the_run(clone: Path, command: str) -> None:
    (clone / ".git" / f"leave-{command}").touch()
    done = run(clone)
    assert done.returncode == 1
    assert "?? left-behind" in done.stderr
    assert len(calls(clone)) == 2


@pytest.mark.parametrize(("code", "called"), [(0, ["make run", "npm", "make test"]), (1, ["make run", "npm"])])
def test_what_the_tests_need_comes_meanwhile_and_is_waited_for(clone: Path, code: int, called: list[str]) -> None:
    npm = clone.parent / "bin" / "npm"
    npm.write_text(f"#!/bin/sh\nsleep 1\necho npm >>.git/calls\nexit {code}\n", encoding="utf-8")
    assert run(clone).returncode == code
    assert [re.sub(r" 0 .*", "", call) for call in calls(clone)] == called


def test_the_tests_are_not_run_after_a_failed_first_command(clone: Path) -> None:
    (clone / ".git" / "fail-run").touch()
    assert run(clone).returncode != 0
    assert calls(clone) == ["make run 0 no proxy.example.org"]


def test_ruff_is_told_which_packages_are_ours_and_no_folder_can_pass_for_one(tmp_path: Path) -> None:
    """A home's folder `dagster` made ruff sort the imports of Dagster among ours."""
    shutil.copy(PROJECT / "pyproject.toml", tmp_path)
    for folder in ("dagster", "duckdb", "orchestration"):
        (tmp_path / folder / "storage").mkdir(parents=True)
    module = tmp_path / "orchestration" / "module.py"
    ours = sorted({path.parent.name for path in PROJECT.glob("[!.]*/*.py")})
    lines = [f"from {name} import anything" for name in ours]
    used = "\n\nanything = dg, duckdb\n"
    module.write_text('"""A module."""\n\nimport dagster as dg\nimport duckdb\n\n' + "\n".join(lines) + used)
    command = [str(Path(sys.executable).with_name("ruff")), "check", "--no-cache", "--select", "I", "."]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout
