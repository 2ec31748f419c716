"""The home is lost between two days: after `trends restore` the next day equals the day without the loss."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests import homes
from tests.service.server import Service, environment
from tests.support import mart_checksums, trends
from warehouse.store import Store

pytestmark = pytest.mark.slow("two homes, one of which is lost and restored")

pytest_plugins = ["tests.service.fixtures"]


def run(home: Store, day: str) -> None:
    outcome = trends("run", "--source", "sample", "--date", day, "--no-deliver", "--home", home.home)
    # Exit code 1 would say that files of the sample could not be read.
    assert outcome.code == 0, outcome.err


def test_the_day_after_a_restore_equals_the_day_without_the_loss(
    service: Service, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    service.drive.add_folder("parent", "Trends")
    given = environment(service) | {"DRIVE_FOLDER_ID": "parent", "DELIVER_SAMPLE": "true"}
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    home, twin = Store(tmp_path / "home"), Store(tmp_path / "twin")
    shutil.copytree(homes.day_of_sample(tmp_path_factory).home, home.home)
    assert trends("backup", "--home", home.home).code == 0
    two_days = mart_checksums(home.published_path)
    shutil.move(home.home, twin.home)

    restored = Store(tmp_path / "home")
    outcome = trends("restore", "--home", restored.home)
    assert outcome.code == 0, outcome.err
    assert f"published {restored.published_path} as of 2026-03-05" in outcome.out
    assert mart_checksums(restored.published_path) == two_days

    for one in (twin, restored):
        run(one, "2026-03-06")
    third_day = mart_checksums(restored.published_path)
    assert third_day == mart_checksums(twin.published_path)
    assert third_day != two_days
    assert mart_checksums(restored.marts_path) == mart_checksums(twin.marts_path)
