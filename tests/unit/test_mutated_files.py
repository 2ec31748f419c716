"""Files that are broken in any way: none ends a run, and no row of them disappears without a word."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path

import duckdb
import pytest

from ingest import landing
from ingest.landing import FeedFile
from ingest.migrations import migrate
from tests import mutations
from tests.support import moment

SEED = 20260220


def text_of(content: bytes) -> str:
    """What a file says to anybody who reads it: the ids in it are digits in any encoding."""
    if content.startswith(b"\x1f\x8b"):
        try:
            content = gzip.decompress(content)
        except (OSError, EOFError, zlib.error):
            return ""
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        wide = content.startswith((b"\xff\xfe\0\0", b"\0\0\xfe\xff"))
        return content.decode("utf-32" if wide else "utf-16", "replace")
    return content.replace(b"\0", b"").decode("utf-8", "replace")


def land_mutated(folder: Path, first: int, number: int) -> list[str]:
    """Lands a batch of mutated files.

    Returns:
        One line for each id that stands in a file and in nothing that came of it.
    """
    folder.mkdir()
    offered, expected = [], {}
    for seed in range(first, first + number):
        content, suffix, ids = mutations.mutated(seed)
        path = folder / f"{seed}{suffix}"
        path.write_bytes(content)
        offered.append(FeedFile(path, "folder", "US", "videos", moment("2026-02-20T09:00")))
        text = text_of(content)
        expected[str(path)] = {video_id for video_id in ids if video_id in text}
    connection = duckdb.connect()
    migrate(connection)
    report = landing.land(connection, offered)
    assert report.files == number
    kept: dict[str, str] = {}
    for file, payload in connection.execute(
        "select loads.file, string_agg(kept.payload, ' ') from raw.loads as loads inner join"
        " (select load_id, payload::varchar as payload from raw.tiktok_videos"
        " union all select load_id, payload from raw.quarantine) as kept"
        " using (load_id) group by all"
    ).fetchall():
        kept[file] = payload or ""
    status = dict(connection.execute("select file, status from raw.loads").fetchall())
    connection.close()
    return [
        f"{file}: {video_id}"
        for file, ids in expected.items()
        # A file of the same content is known already; one that is refused is named as a whole.
        if status.get(file) in ("landed", "repeat", "empty")
        for video_id in ids
        if video_id not in kept.get(file, "")
    ]


@pytest.mark.parametrize("part", range(4))
def test_no_broken_file_ends_a_run_or_loses_a_row(tmp_path: Path, part: int) -> None:
    assert land_mutated(tmp_path / "feeds", SEED + 100 * part, 100) == []
