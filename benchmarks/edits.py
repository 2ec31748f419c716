"""What an edit costs: the first `trends run` after a changed threshold or model, beside the next one.

Belongs here: editing a copy of the project, and timing. Must not be here: whether what is compiled anew is right
(`tests/integration/test_compiler.py`).

The first run asks dbt for what changed, and makes the rows of what it reaches again for the home's dates: the latter
grows with the home, so both are told apart.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path

from benchmarks import speed
from benchmarks.home import PROJECT
from engine import compiler, dbt_runner

_SIZE = 1_000
# Without environments, version control, homes and what else is made.
_COPIED = (
    "benchmarks", "engine", "exports", "forecasting", "ingest", "macros", "models", "orchestration", "seeds",
    "services", "simulator", "tests/dbt", "warehouse", dbt_runner.KEPT,
)  # fmt: skip
_FILES = ("dbt_project.yml", "profiles.yml", "pyproject.toml")
_MODEL = "models/marts/trends/trend_list.sql"
_EDITS: dict[str, Callable[[Path], None]] = {
    "a threshold": lambda project: _edit(project / "dbt_project.yml", r"(?m)^(  trend_common_share:) \S+", r"\1 0.4"),
    "a model, after the threshold": lambda project: _edit(project / _MODEL, r"\Z", "-- edited once\n"),
    "a model, after a model": lambda project: _edit(project / _MODEL, r"\Z", "-- edited twice\n"),
    "a macro": lambda project: _edit(project / "macros/trends.sql", r"ceil\(", "ceiling("),
}


def report(directory: Path) -> str:
    """A table: the first run after each edit and the next one.

    Args:
        directory: An empty directory.
    """
    compiler.compiled(PROJECT)
    day, feeds, home = speed.prepared(directory, _SIZE)
    # As a home whose own runs made it: what was built before its calendar came would be made again as a whole.
    speed.process("-m", "orchestration.cli", "rebuild", "--home", home)
    project = directory / "project"
    for name in _COPIED:
        shutil.copytree(PROJECT / name, project / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in _FILES:
        shutil.copy(PROJECT / name, project / name)
    arguments = ["-m", "orchestration.cli", "run", "--source", feeds, "--date", day, "--home", home, "--no-deliver"]

    def run() -> speed.Cost:
        return speed.process(*arguments, project=project)

    run()
    lines = [
        f"## Speed: the first `trends run` after an edit, 2 x {_SIZE:,} videos, {speed.DAYS_BEFORE} days of history",
        "",
        "| edit | first run s | next run s | more s | of that dbt s | derived rows of all dates s |",
        "|---|---|---|---|---|---|",
    ]
    for name, edit in _EDITS.items():
        edit(project)
        first, following = run(), run()
        asked = _seconds("reading the models", first.output) + _seconds("compiling the models", first.output)
        lines.append(
            f"| {name} | {first.seconds:.1f} | {following.seconds:.1f} | {first.seconds - following.seconds:.1f} |"
            f" {asked:.1f} | {_seconds('models of', first.output) - _seconds('models of', following.output):.1f} |"
        )
    return "\n".join(lines)


def _edit(file: Path, pattern: str, replacement: str) -> None:
    text, count = re.subn(pattern, replacement, file.read_text(encoding="utf-8"))
    if not count:
        message = f"{file.name} has nothing like {pattern}"
        raise ValueError(message)
    file.write_text(text, encoding="utf-8")


def _seconds(stage: str, output: str) -> float:
    """What the stages of a name took, as the run told it at their ends."""
    return sum(float(found) for found in re.findall(rf"(?m)^{stage}[^\n]*? (\d+\.\d) s$", output))
