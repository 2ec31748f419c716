"""How long `trends run` takes on the bundled sample, stage by stage, in a process of its own.

Belongs here: calling the command and reading the times it prints. Must not be here: other ways to run the job.
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

from benchmarks.home import PROJECT


def report(directory: Path) -> str:
    """Runs the command twice on one home: a first run, which makes the sample and builds all its dates, and a re-run.

    Args:
        directory: An empty directory for the home.
    """
    lines = ["## `trends run --source sample`", "", "| run | stage | seconds |", "|---|---|---|"]
    for name in ("first run", "run again"):
        started = time.monotonic()
        run = subprocess.run(
            [
                sys.executable,
                "-m",
                "orchestration.cli",
                "run",
                "--source",
                "sample",
                "--home",
                directory,
                "--no-deliver",
            ],
            cwd=PROJECT,
            capture_output=True,
            text=True,
            check=False,
        )
        seconds = time.monotonic() - started
        stages = [line.removeprefix("stages: ") for line in run.stdout.splitlines() if line.startswith("stages: ")]
        for stage in ", ".join(stages).split(", ") if stages else []:
            label, _, value = stage.removesuffix(" s").rpartition(" ")
            lines.append(f"| {name} | {label} | {value} |")
        outcome = ""
        if run.returncode:
            print(run.stderr, file=sys.stderr)
            outcome = f", FAILED with exit code {run.returncode}: {' '.join(run.stderr.split())[:300]}"
        lines.append(f"| {name} | whole process{outcome} | {seconds:.1f} |")
    return "\n".join(lines)
