"""Where the CPU of a day goes: a flame graph of `trends run` at each size, and the shares of its parts.

Belongs here: sampling the command with py-spy, from outside and without a change to it. Must not be here: how long it
takes (`speed`): sampling slows it.

`BENCH_SIZES` as in `speed`. The pictures are `flame_<size>.svg` beside this file: open one in a browser, click a frame
to see it alone.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from datetime import date
from pathlib import Path

from benchmarks import speed
from benchmarks.home import PROJECT

# Not among the product's packages: it needs the right to look into another process.
_PY_SPY = Path(sys.prefix) / "bench" / "bin" / "py-spy"
_SAMPLES_A_SECOND = 100
# Frames of less are left out of the picture: they are most of its bytes.
_SHOWN_PERCENT = 0.3
# A function to the part that stacks with it belong to; the first one that a stack has decides.
_PARTS = (
    ("write_files (exports/daily_files.py", "files: workbooks, report, summary"),
    ("_run_node (engine/compiled_models.py", "models and data tests in DuckDB"),
    ("checkpoint", "writing DuckDB's files (checkpoints)"),
    ("land (ingest/landing.py", "landing"),
    ("publish (warehouse/publish.py", "publishing"),
    ("handle_new_event (dagster", "Dagster's events"),
    ("build_defs (orchestration/definitions.py", "definitions"),
    ("_find_and_load (", "imports"),
    ("core_execute_in_process (dagster", "the rest of Dagster's run"),
)
_OTHER = "anything else"


def report(directory: Path) -> str:
    """A section for each size, with the picture's name and a table of shares.

    Args:
        directory: An empty directory.
    """
    return "\n\n".join("\n".join(_profiled(directory / f"day{size}", size)) for size in speed.SIZES)


def _profiled(directory: Path, size: int) -> list[str]:
    day, feeds, home = speed.prepared(directory, size)
    again = directory / "again"
    shutil.copytree(home, again)
    picture = Path(__file__).with_name(f"flame_{size}.svg")
    _run(_spied("flamegraph", picture), feeds, day, home)
    picture.write_text(_tidied(picture.read_text(encoding="utf-8"), size), encoding="utf-8")
    stacks = directory / "stacks.txt"
    _run(_spied("raw", stacks), feeds, day, again)
    shares = _shares(stacks.read_text(encoding="utf-8").splitlines())
    total = sum(shares.values())
    return [
        f"## Where the CPU goes: 2 x {size:,} videos",
        "",
        f"`benchmarks/{picture.name}`: every thread that works, {_SAMPLES_A_SECOND} times a second, all processes.",
        "",
        "| part | share |",
        "|---|---|",
        *(f"| {part} | {count / total:.0%} |" for part, count in shares.most_common()),
    ]


def _tidied(drawn: str, size: int) -> str:
    """The picture without the command's paths, which are in the names of processes, and without its dust."""
    drawn = re.sub("[^<>]*py-spy record[^<]*", f"trends run, 2 x {size:,} videos", drawn)
    # A command with semicolons is cut into several frames.
    drawn = re.sub(r">(process \d+|[^<>]*sys_path|[^<>]*site-packages&apos;)[^<>]*?( \(\d|<)", _process_alone, drawn)

    def kept(group: re.Match[str]) -> str:
        return group[0] if float(group[1]) >= _SHOWN_PERCENT else ""

    return re.sub(r'<g><title>[^<]*</title><rect [^>]*?width="([0-9.]+)%".*?</g>', kept, drawn, flags=re.DOTALL)


def _process_alone(found: re.Match[str]) -> str:
    name = found[1] if found[1].startswith("process") else "of its command"
    return f">{name}{found[2]}"


def _spied(kind: str, target: Path) -> list[str]:
    rate = str(_SAMPLES_A_SECOND)
    return [
        str(_PY_SPY), "record", "--subprocesses", "--function", "--rate", rate, "--format", kind,
        "--output", str(target), "--", sys.executable,
    ]  # fmt: skip


def _run(start: Sequence[str], feeds: Path, day: date, home: Path) -> None:
    arguments = ["run", "--source", feeds, "--date", day, "--home", home, "--no-deliver"]
    command = [*start, "-m", "orchestration.cli", *map(str, arguments)]
    subprocess.run(command, cwd=PROJECT, check=True, capture_output=True)


def _shares(stacks: Sequence[str]) -> Counter[str]:
    """Samples of each part."""
    shares: Counter[str] = Counter()
    for line in stacks:
        stack, _, count = line.rpartition(" ")
        shares[_part(stack.split(";"))] += int(count)
    return shares


def _part(frames: Sequence[str]) -> str:
    return next((part for name, part in _PARTS if any(name in frame for frame in frames)), _OTHER)
