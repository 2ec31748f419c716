"""What a machine, its container and its shell give, and how DuckDB shares it."""

from __future__ import annotations

from pathlib import Path

import pytest

from warehouse import machine
from warehouse.machine import GIB, Memory

MOST = Memory(4.0, 1.5)


def group(root: Path, lines: str, limits: dict[str, str]) -> Path:
    (root / "proc/self").mkdir(parents=True)
    (root / "proc/self/cgroup").write_text(lines, encoding="utf-8")
    for name, text in limits.items():
        path = root / "sys/fs/cgroup" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{text}\n", encoding="utf-8")
    return root


@pytest.mark.parametrize(
    ("lines", "limits"),
    [
        pytest.param("0::/\n", {"memory.max": str(GIB)}, id="a container of today"),
        pytest.param("0::/docker/1\n", {"memory.max": str(GIB)}, id="whose path is that outside"),
        pytest.param("0::/a/b\n", {"a/memory.max": str(GIB), "a/b/memory.max": "max"}, id="a group above"),
        pytest.param(
            "4:memory:/x\n0::/\n",
            {"memory/x/memory.limit_in_bytes": str(GIB), "memory/memory.limit_in_bytes": "9223372036854771712"},
            id="of the former kind",
        ),
    ],
)
def test_limits_follow_the_container(tmp_path: Path, lines: str, limits: dict[str, str]) -> None:
    assert machine.memory_gib(group(tmp_path, lines, limits)) == 1.0


def test_without_a_container_it_is_the_machine(tmp_path: Path) -> None:
    whole = machine.memory_gib(tmp_path)
    assert 0.5 < whole < 100_000
    assert machine.memory_gib(group(tmp_path, "0::/\n", {"memory.max": "max"})) == whole


def test_shares() -> None:
    assert machine.shares(24, most=MOST) == MOST
    small = machine.shares(1, most=MOST)
    assert 0.25 <= small.writer < 0.5
    assert machine.shares(0.4, most=MOST) == Memory(0.25, 0.125)
