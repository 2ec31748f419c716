"""The process of the `trends` command: interrupted in one line at any moment, ended without being taken apart.

Belongs here: signals, exit codes of a process that was stopped, how it ends. Must not be here: what a command does.

The command works in a thread of its own and the main thread waits: signals arrive in the main thread alone, and only
there do Dagster and others replace their handlers. So Ctrl-C is answered at once, also while DuckDB works on a long
query, and nothing that works meanwhile can turn it into a traceback. Work that is cut short is what a power cut leaves:
every file of the home is written so that it survives that, and the same command goes on where this one ended.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

# What a shell gives for a program that a signal ended.
BY_SIGNAL = 128

# Seconds that what is noted about an interruption may take, such as the end of a Dagster run.
NOTING_S = 3.0

# Seconds after which the waiting main thread looks for a signal by itself.
_LOOKED_AFTER_S = 0.5

_WORDS = {
    signal.SIGINT: "interrupted (Ctrl-C)",
    signal.SIGTERM: "stopped (SIGTERM)",
}
# Nothing is lost: that is why the process may end at once.
_ADVICE = "nothing half done was published; the same command goes on from here"

_at_interruption: list[Callable[[], object]] = []
_before_end: list[Callable[[], object]] = []
_is_ending = threading.Event()


@contextmanager
def noting_interruption(act: Callable[[], object]) -> Iterator[None]:
    """Calls `act` should a person or the system stop the process meanwhile."""
    _at_interruption.append(act)
    try:
        yield
    finally:
        _at_interruption.remove(act)


def before_end(act: Callable[[], object]) -> None:
    """Calls `act` before the process ends, however it does; twice the same is once."""
    if act not in _before_end:
        _before_end.append(act)


def run_command(main: Callable[[], int]) -> NoReturn:
    """Runs a command to its end, or to the signal that stops it, and ends the process with its code.

    Args:
        main: Gives the exit code.
    """
    for signum in _WORDS:
        # A shell that starts something in the background ignores Ctrl-C on its behalf.
        if signal.getsignal(signum) is not signal.SIG_IGN:
            signal.signal(signum, _stop)
    codes: list[int] = []

    def work() -> None:
        try:
            codes.append(main())
        except SystemExit as stop:  # argparse ends the process on wrong use
            codes.append(int(stop.code or 0))
        except BaseException:
            traceback.print_exc()

    worker = threading.Thread(target=work, name="trends", daemon=True)
    worker.start()
    while worker.is_alive():
        # Not without a limit: a signal that comes just before the wait begins is looked at when it ends.
        worker.join(_LOOKED_AFTER_S)
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    _end(codes[0] if codes else 1)


def _stop(signum: int, _: FrameType | None) -> None:
    """One line, and the end; a second signal does not wait for what is being noted."""
    code = BY_SIGNAL + signum
    if _is_ending.is_set():
        os._exit(code)
    _is_ending.set()
    # A bar or a half line stands there on a terminal. Not through `sys.stderr`: the worker may be writing to it.
    start = "\r\x1b[K" if os.isatty(2) else ""
    os.write(2, f"{start}trends: {_WORDS[signal.Signals(signum)]}: {_ADVICE}\n".encode())
    # Whatever the worker still has to say is about work that is over.
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 1)
    os.dup2(silence, 2)
    notes = threading.Thread(target=lambda: [act() for act in _at_interruption], daemon=True)
    notes.start()
    notes.join(NOTING_S)
    _end(code)


def _end(code: int) -> NoReturn:
    """Ends the process; freeing Dagster's objects one by one would take longer than some commands."""
    for act in _before_end:
        act()
    # dbt and pools of processes have named semaphores, which are taken back here, else they are reported as leaked; and
    # a folder for their sockets, which would stay in that of temporary files.
    util = sys.modules.get("multiprocessing.util")
    if util is not None:
        # One of them may wait for a process that was ended.
        finalizers = threading.Thread(target=lambda: [util._run_finalizers(least) for least in (0, None)], daemon=True)
        finalizers.start()
        finalizers.join(NOTING_S)
    os._exit(code)
