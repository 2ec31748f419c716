"""Commands that start at the same time on a new home, as a schedule and a person do: all end well, none sees a part."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from simulator import NO_ODDITIES, SimulatorConfig, simulate, write_export_folder
from tests.support import PROJECT, mart_checksums, trends
from warehouse.store import Store

pytestmark = pytest.mark.slow("a dozen commands that start together")

DAY = "2026-03-05"


def test_commands_that_start_together_on_a_new_home_all_end_well(tmp_path: Path) -> None:
    feeds = tmp_path / "feeds"
    write_export_folder(simulate(SimulatorConfig(seed=4, days=2, videos_per_day=30, oddities=NO_ODDITIES)), feeds)
    given = ("--source", f"{feeds}", "--date", DAY, "--no-deliver")
    alone, together = Store(tmp_path / "alone"), Store(tmp_path / "together")
    assert trends("run", *given, "--home", alone.home).code == 0
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", "orchestration.cli", "run", *given, "--home", f"{together.home}"],
            cwd=PROJECT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for _ in range(3)
    ]  # fmt: skip
    ended = [(*process.communicate(timeout=500), process.returncode) for process in processes]
    assert [code for _, _, code in ended] == [0, 0, 0], ended
    assert mart_checksums(together.published_path) == mart_checksums(alone.published_path)
    assert {path.name for path in (together.output / DAY).iterdir()} == {
        path.name for path in (alone.output / DAY).iterdir()
    }
