"""Tests on real data: left out in one line where there is none, and failing where a set of it lacks."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import PROJECT, ROOMS

MODULE = "tests/integration/test_ai_category.py"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """What importing a test module needs, with nothing beside it."""
    checkout = tmp_path / "checkout"
    for room in (*ROOMS, "tests"):
        shutil.copytree(PROJECT / room, checkout / room, ignore=shutil.ignore_patterns("*.duckdb*", "__pycache__"))
    shutil.copy(PROJECT / "pyproject.toml", checkout)
    return checkout


def run(checkout: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "no:xdist", MODULE, *arguments]
    environment = os.environ | {"PYTHONPATH": str(checkout), "TRENDS_FAIL_ON_SKIP": "1"}
    environment.pop("PYTEST_ADDOPTS", None)
    return subprocess.run(
        command, cwd=checkout, env=environment, capture_output=True, text=True, timeout=120, check=False
    )


def test_without_real_data_its_tests_are_left_out_in_one_line(checkout: Path) -> None:
    done = run(checkout, "--collect-only")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "tests on real data (-m real_data) are left out: they need ../shared/data" in done.stdout
    assert "1 deselected" in done.stdout
    assert "skip" not in done.stdout


def test_a_set_that_lacks_beside_others_is_a_failure(checkout: Path) -> None:
    (checkout.parent / "shared").mkdir()
    done = run(checkout, "-m", "real_data")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "the real data set ai_captions.csv is missing" in done.stdout
    assert "real data (-m real_data) are left out" not in done.stdout
