"""The process of the `trends` command: a signal ends it in one line at any moment, and no process stays behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import IO

import dagster as dg
import pytest

from orchestration import instance, process
from orchestration.settings import Settings
from tests.support import PROJECT, published, trends, video, write_feed
from warehouse.store import Store

pytestmark = pytest.mark.slow("a command that is interrupted at many moments")

TRENDS = Path(sys.executable).with_name("trends")
ENDS = {signal.SIGINT: (130, "trends: interrupted (Ctrl-C): "), signal.SIGTERM: (143, "trends: stopped (SIGTERM): ")}


def start(arguments: Iterable[str | Path]) -> subprocess.Popen[str]:
    """A command in a session of its own, as in a terminal of its own, with makers that are processes."""
    return subprocess.Popen(
        [TRENDS, *map(str, arguments)],
        cwd=PROJECT,
        env=os.environ | {"EXPORT_PROCESSES": "2"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=hear_signals,
    )


def hear_signals() -> None:
    """What starts the tests in the background may ignore signals on their behalf; a terminal does not."""
    for signum in ENDS:
        signal.signal(signum, signal.SIG_DFL)


def read_until(stream: IO[str] | None, begin: str) -> list[str]:
    """The lines of a stream up to the one that begins so."""
    assert stream is not None
    lines = []
    for line in stream:
        lines.append(line)
        if line.startswith(begin):
            return lines
    raise AssertionError(f"no line begins with {begin!r}: {''.join(lines)}")


def answers_signals(pid: int) -> bool:
    """Whether a process has a handler for SIGTERM: Python itself has none."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("SigCgt:"):
            return bool(int(line.split()[1], 16) >> (signal.SIGTERM - 1) & 1)
    raise AssertionError(f"/proc/{pid}/status has no SigCgt")


def living(session: int) -> list[str]:
    """What still runs in a session."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            stat = (entry / "stat").read_text().rpartition(")")[2].split() if entry.name.isdigit() else []
            if stat and int(stat[3]) == session and stat[0] != "Z":
                found.append((entry / "cmdline").read_text().replace("\0", " "))
        except FileNotFoundError:
            continue
    return found


def wait_for_end_of(session: int) -> None:
    """Returns when nothing of a session runs any more."""
    limit = time.monotonic() + 30
    while left := living(session):
        assert time.monotonic() < limit, left
        os.sched_yield()


def test_a_signal_at_any_moment_ends_a_command_in_one_line(tmp_path: Path) -> None:
    """One after the other on one home, as a person would: the last run finds nothing broken."""
    folder = tmp_path / "feeds"
    for hour in ("08", "12"):
        for day in ("05", "06"):
            write_feed(folder, f"2026-01-{day}T{hour}:00", [video(str(7590000000000000000 + n)) for n in range(30)])
    home = ("--home", tmp_path / "home", "--source", folder)
    moments = [
        (("run", *home), None, signal.SIGINT),
        (("run", *home), "start-up", signal.SIGINT),
        (("run", *home), "landing ...", signal.SIGTERM),
        (("backfill", *home), "models of", signal.SIGINT),
        (("run", *home), "models of", signal.SIGTERM),
        (("run", *home), "files ...", signal.SIGINT),
        (("poll", *home), "landing ...", signal.SIGINT),
    ]
    for arguments, begin, signum in moments:
        with start(arguments) as command:
            told = [] if begin is None else read_until(command.stderr, begin)
            while begin is None and not answers_signals(command.pid):
                assert command.poll() is None, "it ended before it heard signals"
                os.sched_yield()
            os.killpg(command.pid, signum)
            assert command.stderr is not None
            told += command.stderr.readlines()
        code, line = ENDS[signum]
        assert command.returncode == code, told
        wait_for_end_of(command.pid)
        last = [text for text in told if text.startswith("trends: ")]
        assert len(last) == 1, told
        assert last[0].startswith(line)
        assert told[-1] == last[0], "nothing is said after it"
        assert all(" ...\n" in text or text.endswith(" s\n") for text in told[:-1]), "and before it the stages only"
    outcome = trends("run", *home, "--no-deliver")
    assert outcome.code == 0, outcome.err
    store = Store(tmp_path / "home")
    assert published(store, "select count(*) from marts.videos_daily") == [(60,)]
    with instance.of_command(instance.environment(Settings(trends_home=store.home), store)) as opened:
        runs = opened.get_runs()
    # Nothing stands as running or as failed. The one that was stopped while its files were made had published.
    told_of = [(run.job_name, run.status) for run in runs]
    assert {status for _, status in told_of} == {dg.DagsterRunStatus.CANCELED, dg.DagsterRunStatus.SUCCESS}, told_of
    assert told_of[0] == ("daily", dg.DagsterRunStatus.SUCCESS)


def test_semaphores_and_folders_of_processes_are_taken_back_at_the_end(tmp_path: Path) -> None:
    """dbt's locks are named ones; a process that ends without them being taken back is told of."""
    script = (
        "import multiprocessing, os, signal, sys, threading\n"
        "from orchestration import makers, process\n"
        "kept = []\n"
        "def main():\n"
        "    kept.append(multiprocessing.get_context('spawn').RLock())\n"
        "    makers.start()\n"
        "    print(*os.listdir(os.environ['TMPDIR']), flush=True)\n"
        "    if sys.argv[1] == 'interrupted':\n"
        "        os.kill(os.getpid(), signal.SIGINT)\n"
        "        threading.Event().wait()\n"
        "    return 0\n"
        "process.run_command(main)\n"
    )
    for how, code, lines in (("ended", 0, 0), ("interrupted", 130, 1)):
        done = subprocess.run(
            [sys.executable, "-c", script, how], cwd=PROJECT, capture_output=True, text=True, timeout=60, check=False,
            env=os.environ | {"TMPDIR": str(tmp_path)},
        )  # fmt: skip
        assert done.returncode == code
        assert "leaked" not in done.stderr
        assert len(done.stderr.splitlines()) == lines
        # A socket of the process that makes files lay there.
        assert done.stdout.startswith("pymp-")
        assert list(tmp_path.iterdir()) == []


def test_an_unforeseen_error_is_shown_and_wrong_use_keeps_its_code() -> None:
    script = (
        "import sys\n"
        "from orchestration import process\n"
        "def main():\n"
        "    raise SystemExit(2) if sys.argv[1] == 'use' else ValueError('unforeseen')\n"
        "process.run_command(main)\n"
    )
    for how, code in (("use", 2), ("error", 1)):
        done = subprocess.run(
            [sys.executable, "-c", script, how], cwd=PROJECT, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == code
        assert ("ValueError: unforeseen" in done.stderr) == (how == "error")


def test_what_is_noted_at_an_interruption_ends_with_its_block() -> None:
    noted: list[str] = []
    with process.noting_interruption(lambda: noted.append("called")):
        assert len(process._at_interruption) == 1
    assert (process._at_interruption, noted) == ([], [])
