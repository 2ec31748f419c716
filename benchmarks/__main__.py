"""`python -m benchmarks`: runs every benchmark of this folder and writes `RESULTS.md`.

Belongs here: finding the benchmarks (modules with `report(directory) -> str`), the machine, the file. Must not be
here: what a benchmark does, and any verdict: numbers are recorded, tests judge.
"""

from __future__ import annotations

import importlib
import os
import pkgutil
import platform
import sys
import tempfile
import time
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import benchmarks

RESULTS = Path(__file__).with_name("RESULTS.md")
# A script that `speed` runs in processes of its own: it needs pandas, which is not beside the product.
SCRIPTS = ("__main__", "classic_day")
PACKAGES = ("duckdb", "dbt-core", "dbt-duckdb", "dagster", "pyarrow", "numpy")


def main() -> int:
    """Runs the benchmarks one after the other; returns the exit code."""
    started = time.monotonic()
    sections = []
    for module in pkgutil.iter_modules(benchmarks.__path__):
        if module.name in SCRIPTS:
            continue
        report = getattr(importlib.import_module(f"benchmarks.{module.name}"), "report", None)
        if report is None:
            continue
        print(f"running benchmarks.{module.name}", file=sys.stderr)
        with tempfile.TemporaryDirectory(prefix="trends-bench-") as directory:
            sections.append(report(Path(directory)))
        print(sections[-1] + "\n", flush=True)
    seconds = time.monotonic() - started
    RESULTS.write_text("\n\n".join([_heading(seconds), *sections]) + "\n", encoding="utf-8")
    print(f"wrote {RESULTS} after {seconds:.0f} s")
    return 0


def _heading(seconds: float) -> str:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    versions = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    cores = len(os.sched_getaffinity(0))
    load = " ".join(f"{value:.1f}" for value in os.getloadavg())
    if max(os.getloadavg()) > cores + 1:
        load += " (more than the cores: others were working, times are too long)"
    return (
        "# Benchmark results\n\n"
        f"Written by `make bench` on {datetime.now(UTC):%Y-%m-%d %H:%M} UTC, in {seconds:.0f} s. Machine:"
        f" {cores} cores, {memory:.0f} GiB memory, {platform.system()} {platform.machine()};"
        f" load at the end {load}.\n"
        f"Python {platform.python_version()}, {versions}."
    )


if __name__ == "__main__":
    sys.exit(main())
