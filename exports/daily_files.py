"""Writing the files of a day, and the manifest that lists them.

Belongs here: putting bytes in place, hashes, the manifest. Must not be here: contents of the other files.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import time
import zipfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from lxml import etree
from openpyxl.xml.constants import SHEET_MAIN_NS

from exports import published
from exports.published import Day
from services.times import IN_UTC, Times

_ROW = b"<row "
# Rows per tab by the workbook's hash: the manifest asks for what was counted when it was written.
_COUNTED: dict[str, dict[str, int]] = {}
# The date that this process makes files of: opening it takes as long as asking for a dozen tables, and its files ask
# for much the same.
_OPEN: dict[tuple[Path, int, int, date, Times], Day] = {}
_CLOSING = ExitStack()


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


def write_files(
    published_path: Path,
    as_of_date: date,
    directory: Path,
    files: Sequence[tuple[str, Callable[[Day], bytes]]],
    times: Times = IN_UTC,
) -> list[ExportedFile | Exception]:
    """Makes files of a date, and puts each in place at once; the date stays open for further ones (`close_day`).

    Args:
        published_path: The published file.
        as_of_date: The date.
        directory: Where the files go.
        files: Name of each, with `<date>`, and what makes its bytes.
        times: How moments are shown to people.

    Returns:
        Each file, or what kept it from being made: one that fails does not keep the others back. LookupError: the
        date is not published.
    """
    made: list[ExportedFile | Exception] = []
    for pattern, make in files:
        started = time.monotonic()
        try:
            content = make(_opened(published_path, as_of_date, times))
            path = directory / pattern.replace("<date>", as_of_date.isoformat())
            digest = hashlib.sha256(content).hexdigest()
            tabs = _rows_per_tab(content, digest) if path.suffix == ".xlsx" else None
            made.append(_put(path, content, digest, started, tabs))
        except Exception as error:
            made.append(error)
    return made


def _opened(published_path: Path, as_of_date: date, times: Times) -> Day:
    file = published_path.stat()
    wanted = (published_path, file.st_ino, file.st_mtime_ns, as_of_date, times)
    if wanted not in _OPEN:
        close_day()
        _OPEN[wanted] = _CLOSING.enter_context(published.open_day(published_path, as_of_date, times))
    return _OPEN[wanted]


def close_day() -> None:
    """Closes the date that this process made files of; one that ends need not."""
    _OPEN.clear()
    _CLOSING.close()


def remember(file: ExportedFile) -> None:
    """Spares this process the count of what another one wrote and counted."""
    if file.tabs is not None:
        _COUNTED[file.sha256] = file.tabs


def write_manifest(published_path: Path, as_of_date: date, directory: Path, files: list[Path]) -> ExportedFile:
    """Lists the day's files with hash, size and tabs, and the feeds they come from."""
    started = time.monotonic()
    with published.open_day(published_path, as_of_date) as day:
        about: dict[str, Any] = published.sources(day)
    with ThreadPoolExecutor() as pool:
        about["files"] = list(pool.map(_describe, files))
    content = (json.dumps(about, ensure_ascii=False, indent=2, sort_keys=True) + "\n").encode("utf-8")
    path = directory / f"manifest_{as_of_date.isoformat()}.json"
    return _put(path, content, hashlib.sha256(content).hexdigest(), started)


def _describe(path: Path) -> dict[str, Any]:
    content = path.read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    described: dict[str, Any] = {"name": path.name, "sha256": digest, "bytes": len(content)}
    if path.suffix == ".xlsx":
        described["rows"] = _rows_per_tab(content, digest)
    else:
        described["rows"] = content.count(b"\n")
    return described


def _rows_per_tab(content: bytes, digest: str) -> dict[str, int]:
    """Data rows of each tab, as the file itself says.

    The filter of a table spans its header and rows (a note that there are none stands below it), and the workbook has
    a name for it; a tab without a filter is a list of lines, of which the empty ones don't count.
    """
    if digest not in _COUNTED:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            # openpyxl would parse every sheet to its end to tell these names.
            workbook = etree.fromstring(archive.read("xl/workbook.xml"))
            sheets = workbook.iter(f"{{{SHEET_MAIN_NS}}}sheet")
            filters = {
                int(name.attrib["localSheetId"]): _rows_below_first(name.text or "")
                for name in workbook.iter(f"{{{SHEET_MAIN_NS}}}definedName")
                if name.attrib["name"] == "_xlnm._FilterDatabase"
            }
            _COUNTED[digest] = {
                sheet.attrib["name"]: filters[index]
                if index in filters
                else archive.read(f"xl/worksheets/sheet{index + 1}.xml").count(_ROW)
                for index, sheet in enumerate(sheets)
            }
    return _COUNTED[digest]


def _rows_below_first(filtered: str) -> int:
    """Rows under the header of a table whose filter spans `'TAB'!$A$2:$J$21`."""
    header, last = (int(part.rsplit("$", 1)[1]) for part in filtered.rsplit("!", 1)[1].split(":"))
    return last - header


def _put(path: Path, content: bytes, digest: str, started: float, tabs: dict[str, int] | None = None) -> ExportedFile:
    path.parent.mkdir(parents=True, exist_ok=True)
    changed = not path.exists() or hashlib.sha256(path.read_bytes()).hexdigest() != digest
    if changed:
        temporary = path.with_name(f".{path.name}.{os.getpid()}")
        temporary.write_bytes(content)
        temporary.replace(path)
    return ExportedFile(path, digest, len(content), changed, tabs, time.monotonic() - started)
