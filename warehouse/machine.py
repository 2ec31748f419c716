"""The machine: how much memory this process may have, and how DuckDB shares it.

Belongs here: what the machine, its container and the shell allow. Must not be here: connections (`store`).

A container has the machine's memory to look at and a part of it to use: the limits of control groups say how much, of
both kinds that Linux has. `ulimit -v` bounds the addresses of a process: what is reserved and never filled counts too.
"""

from __future__ import annotations

import os
import resource
from dataclasses import dataclass
from pathlib import Path

GIB = 1024**3

# Python with Dagster, dbt and the clients, beside what DuckDB has.
_PROGRAM_GIB = 0.6
# Below so much a machine has no room for a second process that makes files.
SMALL_GIB = 2.0
# A day of 2 x 1,000 videos is built within it; DuckDB spills what is more to a folder beside the file.
_LEAST_GIB = 0.25
_LEAST_READER_GIB = 0.125


@dataclass(frozen=True, slots=True)
class Memory:
    """What DuckDB may have, in GiB.

    Attributes:
        writer: Of a connection that writes.
        reader: Of one that reads: two of them make files at a time.
    """

    writer: float
    reader: float


def memory_gib(root: Path = Path("/")) -> float:
    """The memory that this process may have: the least of what machine, control groups and shell give.

    Args:
        root: Where `proc` and `sys` are.
    """
    bounds = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / GIB, *_group_bounds(root)]
    addresses = _addresses_gib()
    return min(bounds if addresses is None else [*bounds, addresses])


def shares(available: float, *, most: Memory) -> Memory:
    """How DuckDB shares what there is.

    Args:
        available: What `memory_gib` gives.
        most: What a large machine gives.
    """
    rest = max(available - _PROGRAM_GIB, 0.0)
    return Memory(
        min(most.writer, max(0.8 * rest, _LEAST_GIB)),
        min(most.reader, max(0.3 * rest, _LEAST_READER_GIB)),
    )


def is_small() -> bool:
    """Whether there is room for one process that makes files only."""
    return memory_gib() < SMALL_GIB


def can_draw() -> bool:
    """Whether charts can be drawn: their engine reserves more addresses than a shell with bounds gives, and dies."""
    return _addresses_gib() is None


def _addresses_gib() -> float | None:
    soft, _ = resource.getrlimit(resource.RLIMIT_AS)
    return None if soft == resource.RLIM_INFINITY else soft / GIB


def _group_bounds(root: Path) -> list[float]:
    """The limits of this process's control groups, of each and of all above it."""
    try:
        lines = (root / "proc/self/cgroup").read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
    bounds = []
    for line in lines:
        _, controllers, group = line.split(":", 2)
        if controllers == "":
            folder, name = root / "sys/fs/cgroup", "memory.max"
        elif "memory" in controllers.split(","):
            folder, name = root / "sys/fs/cgroup/memory", "memory.limit_in_bytes"
        else:
            continue
        # Within a container the path may be that outside of it: then only the root is there.
        parts = [part for part in group.split("/") if part]
        for depth in range(len(parts) + 1):
            try:
                text = folder.joinpath(*parts[:depth], name).read_text(encoding="ascii").strip()
            except (OSError, ValueError):
                continue
            if text.isdigit():
                bounds.append(int(text) / GIB)
    return bounds
