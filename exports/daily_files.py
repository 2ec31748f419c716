"""Writing the files of a day, and the manifest that lists them.

Belongs here: putting bytes in place, hashes, the manifest. Must not be here: contents of the other files.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import time
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from lxml import etree
from openpyxl.xml.constants import SHEET_MAIN_NS

from exports import published
from exports.deflate import inflate_fast
from exports.published import Day

_ROW = b"<row "
_FILTER = re.compile(rb'<autoFilter ref="[A-Z]+1:[A-Z]+(\d+)"')
_LONGEST_TAG = 80
# Bytes of a sheet from which the time to inflate it counts.
_BIG = 1 << 20
# Rows per tab by the workbook's hash: the manifest asks for what was counted when it was written, and the sheets of a
# big market unpack to hundreds of megabytes.
_COUNTED: dict[str, dict[str, int]] = {}


@dataclass(frozen=True, slots=True)
class ExportedFile:
    """A written file.

    Attributes:
        path: Where it is.
        sha256: Hash of its bytes.
        size: Bytes.
        changed: Whether its bytes differ from what stood there before.
        tabs: Data rows of each tab of a workbook; None for other files.
        seconds: How long it took to make.
    """

    path: Path
    sha256: str
    size: int
    changed: bool
    tabs: dict[str, int] | None
    seconds: float

    @property
    def rows(self) -> int | None:
        """Data rows over all tabs of a workbook; None for other files."""
        return None if self.tabs is None else sum(self.tabs.values())


def write_file(
    published_path: Path, as_of_date: date, directory: Path, pattern: str, make: Callable[[Day], bytes]
) -> ExportedFile:
    """Makes one file of a date and puts it in place at once.

    Raises:
        LookupError: The date is not published.
    """
    started = time.monotonic()
    with published.open_day(published_path, as_of_date) as day:
        content = make(day)
    path = directory / pattern.replace("<date>", as_of_date.isoformat())
    return _put(path, content, started, _rows_per_tab(content) if path.suffix == ".xlsx" else None)


def remember(file: ExportedFile) -> None:
    """Spares this process the count of what another one wrote and counted."""
    if file.tabs is not None:
        _COUNTED[file.sha256] = file.tabs


def write_manifest(published_path: Path, as_of_date: date, directory: Path, files: list[Path]) -> ExportedFile:
    """Lists the day's files with hash, size and tabs, and the feeds they come from."""
    started = time.monotonic()
    with published.open_day(published_path, as_of_date) as day:
        about: dict[str, Any] = published.sources(day)
    about["files"] = [_describe(path) for path in files]
    text = json.dumps(about, ensure_ascii=False, indent=2, sort_keys=True) + "\n"
    return _put(directory / f"manifest_{as_of_date.isoformat()}.json", text.encode("utf-8"), started)


def _describe(path: Path) -> dict[str, Any]:
    content = path.read_bytes()
    described: dict[str, Any] = {
        "name": path.name, "sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content),
    }  # fmt: skip
    if path.suffix == ".xlsx":
        described["rows"] = _rows_per_tab(content)
    else:
        described["rows"] = content.count(b"\n")
    return described


def _rows_per_tab(content: bytes) -> dict[str, int]:
    """Data rows of each tab, counted in the file itself.

    The filter of a table spans its header and rows (a note that there are none stands below it); a tab without a
    filter is a list of lines, of which the empty ones don't count.
    """
    digest = hashlib.sha256(content).hexdigest()
    if digest not in _COUNTED:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            # openpyxl would parse every sheet to its end to tell these names.
            sheets = etree.fromstring(archive.read("xl/workbook.xml")).iter(f"{{{SHEET_MAIN_NS}}}sheet")
            names = [sheet.attrib["name"] for sheet in sheets]
            _COUNTED[digest] = {
                name: _rows_of_sheet(archive, f"xl/worksheets/sheet{index}.xml")
                for index, name in enumerate(names, start=1)
            }
    return _COUNTED[digest]


def _rows_of_sheet(archive: zipfile.ZipFile, member: str) -> int:
    # In pieces, because it may be big. A tag may lie across two pieces.
    lines, table, rest = 0, None, b""
    with archive.open(member) as sheet:
        if archive.getinfo(member).file_size > _BIG:
            inflate_fast(sheet)
        while piece := sheet.read(1 << 20):
            text = rest + piece
            lines += text.count(_ROW) - rest.count(_ROW)
            table = _FILTER.search(text) or table
            rest = text[-_LONGEST_TAG:]
    return int(table[1]) - 1 if table else lines


def _put(path: Path, content: bytes, started: float, tabs: dict[str, int] | None = None) -> ExportedFile:
    path.parent.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256(content).hexdigest()
    changed = not path.exists() or hashlib.sha256(path.read_bytes()).hexdigest() != digest
    if changed:
        temporary = path.with_name(f".{path.name}.{os.getpid()}")
        temporary.write_bytes(content)
        temporary.replace(path)
    return ExportedFile(path, digest, len(content), changed, tabs, time.monotonic() - started)
