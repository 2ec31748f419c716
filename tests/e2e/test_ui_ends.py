"""The UI as a service: SIGTERM ends it with all its processes, however it was started."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from orchestration import cli
from tests.support import PROJECT
from tests.ui import answers, free_port, wait_until

pytestmark = pytest.mark.slow("the UI and its daemon, started twice")


def processes_of(session: int) -> list[str]:
    """Commands of the processes of a session that are still at work."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            stat = (entry / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()
            command = (entry / "cmdline").read_bytes()
        except (OSError, ValueError):
            continue
        if int(stat[3]) == session and stat[0] != "Z":
            found.append(command.replace(b"\0", b" ").decode())
    return found


def in_the_background() -> None:
    """What a script's & does to the command before it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


@pytest.mark.parametrize("before", [None, in_the_background])
def test_sigterm_ends_the_ui_and_what_it_started(tmp_path: Path, before: Callable[[], None] | None) -> None:
    port = free_port()
    log = tmp_path / "ui.log"
    with log.open("ab") as written:
        process = subprocess.Popen(
            [sys.executable, "-m", "orchestration.cli", "ui", "--home", tmp_path / "home", "--port", str(port)],
            cwd=PROJECT, env=os.environ, stdout=written, stderr=subprocess.STDOUT, start_new_session=True,
            preexec_fn=before,
        )  # fmt: skip
    try:
        url = f"http://127.0.0.1:{port}"
        wait_until(lambda: answers(url) or process.poll() is not None, 120, "the UI answers")
        assert process.poll() is None, log.read_text(encoding="utf-8")
        started = processes_of(process.pid)
        assert any("dagster_webserver" in command for command in started)
        assert any("dagster._daemon" in command for command in started)
        # Its port is taken: a second one fails whole, in one line, and starts nothing.
        assert cli.main(["ui", "--port", str(port), "--home", str(tmp_path / "home")]) == cli.WRONG_USE
        process.send_signal(signal.SIGTERM)
        process.wait(60)
        wait_until(lambda: not processes_of(process.pid), 60, "no process is left")
        assert not answers(url)
    finally:
        if processes_of(process.pid):
            os.killpg(process.pid, signal.SIGKILL)
