"""Dagster's run launcher that can also say whether the process of a run is still there.

Belongs here: telling a run that goes on from one whose process is gone. Must not be here: what a run does, when the
daemon looks (`dagster.yaml`).

Dagster's own launcher cannot tell: after a power cut or a killed daemon its runs stand as started for ever, and since
one run at a time may write the warehouse, every later one would wait behind them. The daemon asks once in a while
(run monitoring) and marks what is gone as failed; nobody resumes it, the next run of the date does all of it again.
"""

import platform
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dagster as dg
import filelock
from dagster._core.launcher.base import CheckRunHealthResult, WorkerStatus

HOST_TAG = "trends/host"
# Between the start of a run and its first resource lie the imports of its process.
LONGEST_START_S = 120.0


@contextmanager
def process_of(instance: dg.DagsterInstance, run_id: str) -> Iterator[None]:
    """Marks this process as the one of a run, until the run ends or the process does, however that happens.

    Args:
        instance: Where the run is known.
        run_id: Of the run that is executed in this process, by the UI, the daemon or the command line.
    """
    path = _lock_path(instance, run_id)
    path.parent.mkdir(parents=True, exist_ok=True)
    instance.add_run_tags(run_id, {HOST_TAG: platform.node()})
    # A lock and not the number of a process: the system frees it with the process, and numbers are given out again.
    with filelock.FileLock(path):
        yield
    path.unlink(missing_ok=True)


def _lock_path(instance: dg.DagsterInstance, run_id: str) -> Path:
    return Path(instance.root_directory) / "running" / f"{run_id}.lock"


class WatchfulRunLauncher(dg.DefaultRunLauncher):
    """The default launcher with a check of health, for runs that mark their process (`process_of`)."""

    @classmethod
    def config_type(cls) -> Any:
        """No setting."""
        return {}

    @classmethod
    def from_config_value(cls, inst_data: Any, config_value: Mapping[str, Any]) -> "WatchfulRunLauncher":
        """The launcher of an instance."""
        return cls(inst_data)

    @property
    def supports_check_run_worker_health(self) -> bool:
        """True: that is what this class is for."""
        return True

    def check_run_worker_health(self, run: dg.DagsterRun) -> CheckRunHealthResult:
        """Whether the process of a run that was started is there."""
        if run.tags.get(HOST_TAG, platform.node()) != platform.node():
            return CheckRunHealthResult(WorkerStatus.RUNNING, "it runs on another machine, which nobody can see here")
        lock = filelock.FileLock(_lock_path(self._instance, run.run_id))
        if not Path(lock.lock_file).exists():
            record = self._instance.get_run_record_by_id(run.run_id)
            started = (record.start_time if record else None) or 0.0
            if time.time() - started < LONGEST_START_S:
                return CheckRunHealthResult(WorkerStatus.RUNNING, "it has only just begun")
            return CheckRunHealthResult(WorkerStatus.FAILED, "its process never came")
        try:
            with lock.acquire(timeout=0):
                return CheckRunHealthResult(WorkerStatus.FAILED, "its process is gone")
        except filelock.Timeout:
            return CheckRunHealthResult(WorkerStatus.RUNNING)
