"""What a command imports before it works: libraries that only some of them need are imported by those."""

from __future__ import annotations

import pickle
import subprocess
import sys

import pytest

from exports import file_kinds
from exports.daily_files import write_files
from tests.support import PROJECT

# Each takes 20 to 200 ms, of a poll that takes some four seconds.
LATE = ("google.auth", "googleapiclient", "gspread", "holidays", "lightgbm", "numpy", "openpyxl", "pyarrow", "pyspark")


@pytest.mark.parametrize("module", ["orchestration.definitions", "exports.text.poll_report"])
def test_a_poll_imports_no_library_of_others(module: str) -> None:
    code = f"import sys, {module}; print(*(name for name in sys.argv[1:] if name in sys.modules))"
    run = subprocess.run(
        [sys.executable, "-c", code, "duckdb", *LATE], cwd=PROJECT, capture_output=True, text=True, check=True
    )
    assert run.stdout.split() == ["duckdb"]


def test_what_makes_a_file_needs_no_dagster() -> None:
    """A process that makes files is told what to call by its name: importing Dagster took it 0.6 s before the first."""
    told = pickle.dumps([(write_files, kind.make) for kind in file_kinds.of_day(["US", "UK"]).values()])
    code = "import pickle, sys; told = pickle.load(sys.stdin.buffer); print(len(told), 'dagster' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], cwd=PROJECT, input=told, capture_output=True, check=True)
    assert run.stdout.split() == [b"10", b"False"]
