"""A daemon killed in the middle of a delivery, with the run and all its processes, and started again."""

from __future__ import annotations

import hashlib
from datetime import date
from pathlib import Path

import pytest

from simulator import SimulatorConfig, simulate, write_export_folder
from tests.service.faults import Fault
from tests.service.server import Service
from tests.ui import UI, google_and_discord, running_ui, wait_until
from warehouse.store import Store

pytestmark = pytest.mark.slow("two daemons, one of which is killed")

DAY = "2026-03-04"


def launch(ui: UI) -> str:
    return ui.launch("daily", DAY, {"ops": {"raw_feeds": {"config": {"source": str(ui.feeds)}}}})


def test_the_run_is_marked_and_the_next_one_sends_what_is_missing(tmp_path: Path) -> None:
    write_export_folder(
        simulate(SimulatorConfig(seed=3, start=date(2026, 3, 4), days=1, videos_per_day=40)), tmp_path / "feeds"
    )
    store, service = Store(tmp_path / "home"), Service()
    store.home.mkdir()
    service.drive.add_folder("parent", "Trends")
    with service.running():
        environment = google_and_discord(service)
        with running_ui(store, service, tmp_path / "feeds", environment) as ui:
            # The folder of the day and four files are there, and the answer to the last one is on its way.
            service.faults.add("drive.files.create", Fault("call_after", skip=4, action=ui.kill))
            killed = launch(ui)
            ui.process.wait(timeout=90)
        sent_before = service.count("drive.files.create")
        assert sent_before == 5, "it died in the middle"
        assert service.discord.messages == {}
        with running_ui(store, service, tmp_path / "feeds", environment) as ui:
            marked = ui.ended(killed)
            assert marked["status"] == "FAILURE"
            again = ui.ended(launch(ui))
            assert again["status"] == "SUCCESS"
            wait_until(lambda: len(service.discord.messages) == 2, 60, "the failure is told too")
    in_drive = [file for file in service.drive.files.values() if "content" in file]
    written = {path.name: hashlib.md5(path.read_bytes()).hexdigest() for path in (store.output / DAY).iterdir()}
    assert {file["name"]: file["md5Checksum"] for file in in_drive} == written
    assert len(in_drive) == len(written) > sent_before
    assert [file["name"] for file in service.drive.children("parent")] == [DAY]
    titles = sorted(message["payload"]["embeds"][0]["title"] for message in service.discord.messages.values())
    assert titles == [f"❌ Run failed: daily - {DAY}", f"📊 TikTok Daily Report - {DAY}"]
    assert service.violations == []
