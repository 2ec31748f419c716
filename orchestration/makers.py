"""The processes that make files: copies of one that has imported what they need.

Belongs here: when that one starts and what it imports. Must not be here: which files are made, how many at a time.

This process cannot be copied: it has threads (DuckDB's, Dagster's), and a copy of them would hang. A process of its own
for each of two makers imports the same modules twice, 0.9 s before the first file; one that starts with the run has
them long before.
"""

import contextlib
import gc
import multiprocessing
import os
import signal
import threading
from multiprocessing import forkserver, resource_tracker

from orchestration import process

# What makes the files, and what finding the command again in a copy imports.
_MODULES = (
    "orchestration.makers_process",
    "exports.workbooks.build_today",
    "exports.daily_files",
    "exports.dashboard",
    "exports.workbooks.enhanced",
    "exports.workbooks.full_market",
    "exports.text.summary",
    "exports.report.trend_report",
    "orchestration.cli",
)


def start() -> None:
    """Starts the process that the makers are copied from, where it is not there yet. It ends with this one."""
    multiprocessing.set_forkserver_preload(list(_MODULES))
    # It would unblock the signal below.
    resource_tracker.ensure_running()
    # Ctrl-C on a terminal reaches every process of the command: this one answers it, and the others end with it. A new
    # program keeps the signals that its parent blocks, from its first moment on, and so do its copies.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        forkserver.ensure_running()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    process.before_end(stop)


def stop() -> None:
    """Ends the makers and the process that they are copied from."""
    pid = getattr(forkserver._forkserver, "_forkserver_pid", None)
    if pid is not None:
        # It may not have a group of its own yet; then it has no copies.
        for end in (os.kill, os.killpg):
            with contextlib.suppress(ProcessLookupError):
                end(pid, signal.SIGKILL)


def begin() -> None:
    """A maker's first step, a pool's `initializer`: it ends when the process that it works for is gone, however."""
    # A workbook has a hundred thousand objects that stay until it is written: looking through them for cycles at each
    # 700 new ones, and through all that was imported, took an eighth of the CPU of a backfill's files.
    gc.freeze()
    gc.set_threshold(50_000, 10, 10)
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def wait() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()
