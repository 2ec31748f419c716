"""How much room a home takes.

Belongs here: which parts a home has, and their sizes. Must not be here: making them smaller.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from warehouse.store import Store

_UNITS = ("B", "kB", "MB", "GB", "TB")


@dataclass(frozen=True, slots=True)
class Size:
    """What a part of a home takes.

    Attributes:
        name: The part.
        path: Where it is.
        size: Bytes, all files of a folder together; None where there is nothing.
    """

    name: str
    path: Path
    size: int | None

    def __str__(self) -> str:
        return f"{readable(self.size)} in {self.path}" if self.size is not None else f"nothing yet in {self.path}"


def parts(store: Store, output: Path | None = None, data: Path | None = None) -> Iterator[Size]:
    """The parts of a home, databases first.

    Args:
        store: The home.
        output: Folder of the daily files, where it is another than the home's.
        data: Folder of downloads and caches, where it is another than the home's.
    """
    for name, path in (
        ("facts", store.warehouse / "facts.duckdb"),
        ("build", store.build_path),
        ("marts", store.marts_path),
        ("published", store.published_path),
        ("run history", store.dagster),
        ("data", data or store.data),
        ("output", output or store.output),
    ):
        yield Size(name, path, _size(path))


def free(home: Path) -> int:
    """Bytes that are free where a home is, or will be."""
    return shutil.disk_usage(next(path for path in (home, *home.parents) if path.exists())).free


def readable(size: int) -> str:
    """Bytes as a person reads them: `12.3 MB`."""
    value = float(size)
    for unit in _UNITS[:-1]:
        if value < 1000:
            return f"{value:.0f} B" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} {_UNITS[-1]}"


def _size(path: Path) -> int | None:
    if path.is_dir():
        return sum(_bytes(Path(folder) / name) for folder, _, names in os.walk(path) for name in names)
    if not path.exists():
        return None
    # A database's log belongs to it.
    return _bytes(path) + _bytes(path.with_name(f"{path.name}.wal"))


def _bytes(path: Path) -> int:
    try:
        return path.lstat().st_size
    except FileNotFoundError:
        # Gone since it was listed.
        return 0
