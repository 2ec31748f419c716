"""The processes that make files: copies of one that has imported what they need.

Belongs here: when that one starts and what it imports. Must not be here: which files are made, how many at a time.

This process cannot be copied: it has threads (DuckDB's, Dagster's), and a copy of them would hang. A process of its own
for each of two makers imports the same modules twice, 0.9 s before the first file; one that starts with the run has
them long before.
"""

import multiprocessing
from multiprocessing import forkserver

# What makes the files, and what finding the command again in a copy imports.
_MODULES = (
    "exports.build_today",
    "exports.daily_files",
    "exports.dashboard",
    "exports.enhanced",
    "exports.full_market",
    "exports.summary",
    "exports.trend_report",
    "orchestration.cli",
)


def start() -> None:
    """Starts the process that the makers are copied from, where it is not there yet. It ends with this one."""
    multiprocessing.set_forkserver_preload(list(_MODULES))
    forkserver.ensure_running()
