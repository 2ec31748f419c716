"""`python -m benchmarks [name ...]`: runs the benchmarks of this folder, or those named, and writes `RESULTS.md`.

Belongs here: finding the benchmarks (modules with `report(directory) -> str`), the machine, the file. Must not be
here: what a benchmark does, and any verdict: numbers are recorded, tests judge.

A section begins with `## `. What is run again takes the place of what it said before; the rest stays, and each section
says when it was measured.
"""

from __future__ import annotations

import importlib
import os
import pkgutil
import platform
import re
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import benchmarks

RESULTS = Path(__file__).with_name("RESULTS.md")
# A script that `speed` runs in processes of its own: it needs pandas, which is not beside the product.
SCRIPTS = ("__main__", "classic_day")
PACKAGES = ("duckdb", "dbt-core", "dbt-duckdb", "dagster", "pyarrow", "numpy")


def main(names: Sequence[str]) -> int:
    """Runs the benchmarks (all where none is named) one after the other; returns the exit code."""
    started = time.monotonic()
    sections = _sections(RESULTS.read_text(encoding="utf-8")) if names and RESULTS.exists() else {}
    for module in pkgutil.iter_modules(benchmarks.__path__):
        if module.name in SCRIPTS or (names and module.name not in names):
            continue
        report = getattr(importlib.import_module(f"benchmarks.{module.name}"), "report", None)
        if report is None:
            continue
        print(f"running benchmarks.{module.name}", file=sys.stderr)
        with tempfile.TemporaryDirectory(prefix="trends-bench-") as directory:
            told = report(Path(directory))
        print(told + "\n", flush=True)
        sections |= {title: f"{_measured()}\n\n{text}" for title, text in _sections(told).items()}
        # After each of them: the large sizes take an hour.
        text = "\n\n".join(f"{title}\n\n{text}" for title, text in sections.items())
        RESULTS.write_text(f"{_heading()}\n\n{text}\n", encoding="utf-8")
    print(f"wrote {RESULTS} after {time.monotonic() - started:.0f} s")
    return 0


def _sections(text: str) -> dict[str, str]:
    """The text of each section by its title line."""
    parts = re.split(r"^(## .*)$", text, flags=re.MULTILINE)[1:]
    return {title: body.strip() for title, body in zip(parts[::2], parts[1::2], strict=True)}


def _measured() -> str:
    cores = len(os.sched_getaffinity(0))
    load = os.getloadavg()
    told = (
        f"Measured {datetime.now(UTC):%Y-%m-%d %H:%M} UTC; load at the end {' '.join(f'{value:.1f}' for value in load)}"
    )
    return told + (" (more than the cores: others were working, times are too long)." if max(load) > cores + 1 else ".")


def _heading() -> str:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    versions = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    cores = len(os.sched_getaffinity(0))
    return (
        "# Benchmark results\n\n"
        f"Written by `make bench`. Machine: {cores} cores, {memory:.0f} GiB memory, {platform.system()}"
        f" {platform.machine()}.\nPython {platform.python_version()}, {versions}."
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
