"""What a command imports before it works: libraries that only some of them need are imported by those."""

from __future__ import annotations

import subprocess
import sys

import pytest

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
