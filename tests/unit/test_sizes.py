"""Sizes of a home's parts, as `trends doctor` shows them."""

from pathlib import Path

import pytest

from orchestration.doctor import examine
from orchestration.settings import Settings
from warehouse.sizes import parts, readable
from warehouse.store import Store


@pytest.mark.parametrize(
    ("size", "text"), [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (12_345_678, "12.3 MB"), (5 * 10**15, "5000.0 TB")]
)
def test_sizes_are_readable(size: int, text: str) -> None:
    assert readable(size) == text


def test_a_part_is_a_file_with_its_log_or_a_whole_folder(store: Store, tmp_path: Path) -> None:
    store.warehouse.mkdir(parents=True)
    store.build_path.write_bytes(b"x" * 1000)
    store.build_path.with_name("build.duckdb.wal").write_bytes(b"x" * 20)
    (store.dagster / "history" / "runs").mkdir(parents=True)
    (store.dagster / "history" / "runs" / "index.db").write_bytes(b"x" * 300)
    (store.dagster / "dagster.yaml").write_bytes(b"x" * 7)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "file").write_bytes(b"x")
    sizes = {part.name: part.size for part in parts(store, output=elsewhere)}
    assert sizes == {
        "facts": None, "build": 1020, "marts": None, "published": None, "run history": 307, "data": None, "output": 1
    }  # fmt: skip


def test_doctor_shows_one_line_for_each_part_and_the_free_disk(store: Store) -> None:
    (store.output / "2026-03-04").mkdir(parents=True)
    (store.output / "2026-03-04" / "summary.txt").write_bytes(b"x" * 2500)
    found = {finding.name: finding.text for finding in examine(Settings(trends_home=store.home))}
    assert found["size of output"] == f"2.5 kB in {store.output}"
    assert found["size of published"] == f"nothing yet in {store.published_path}"
    assert found["free disk"].endswith("B")
