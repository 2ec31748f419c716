"""Readers: brings the items of one file into the temporary table `incoming`, whatever the file really is.

Belongs here: what bytes a file holds (compression, encoding, JSON or CSV, header, delimiter, quotes), established by
its content, not by its name, and told; what to do with a broken file. Must not be here: which items are of use
(`items`), tables that last (`landing`).

The good path is DuckDB's: it reads a file as a whole by what was established here, and takes no liberty. What it
refuses is taken apart piece by piece: pieces that can be read are items, each other one is a fault with its reason, and
none is lost. A file of which nothing can be read is refused as a whole.
"""

from __future__ import annotations

import codecs
import csv
import io
import json
import re
import shutil
import stat
import tempfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb

from ingest import items
from warehouse.store import quote_literal

# What DuckDB says about a file may quote half a letter of it, which is no text to Python.
_REFUSED = (duckdb.Error, UnicodeDecodeError)
# Items bigger than this are no TikTok items; DuckDB's default of 16 MiB is kept but stated.
MAXIMUM_ITEM_BYTES = 16 * 1024 * 1024
# So many Latin letters one after the other say where the pairs of bytes of UTF-16 begin.
_LETTERS_IN_A_ROW = 8
# Key of the cells of a CSV row that no column is named for.
BEYOND = "beyond the header"
# Lines above a header that are passed over: a title, or the `sep=;` of a spreadsheet.
_HEADER_SEARCH_LINES = 10
_HEAD_BYTES = 64 * 1024
# A header of two thousand columns, which is the most that the console exports, has some 60 kB.
_HEADER_BYTES = 1024 * 1024
# What no name of a column has: a piece of a row that was drawn into the header.
_HEADER_VALUE = re.compile(r"[0-9]{15,}|://|www\.")
_WHITESPACE = b" \t\r\n"
_BLOCK_BYTES = 1024 * 1024
# Compressed text grows some twentyfold; a bomb a thousandfold. Small files may do what they want.
_FREE_EXPANSION_BYTES = 64 * 1024 * 1024
_OTHER_FORMATS = {
    b"PK\x03\x04": "a zip archive or an Excel workbook: export CSV or JSON",
    b"\x89PNG": "a picture (PNG)",
    b"\xff\xd8\xff": "a picture (JPEG)",
    b"GIF8": "a picture (GIF)",
    b"RIFF": "a picture or a film (RIFF)",
    b"%PDF": "a PDF",
    b"BZh": "compressed with bzip2: unpack it, or use gzip",
    b"\xfd7zXZ": "compressed with xz: unpack it, or use gzip",
    b"\x28\xb5\x2f\xfd": "compressed with zstd: unpack it, or use gzip",
    b"PAR1": "a Parquet file: export CSV or JSON",
    b"\x1f\x8b": "compressed with gzip twice: unpack it once",
    b"x\x9c": "compressed with zlib: use gzip",
    b"7z\xbc\xaf": "a 7z archive: unpack it",
    b"Rar!": "a RAR archive: unpack it",
    b"\xd0\xcf\x11\xe0": "an Excel workbook of the old kind: export CSV or JSON",
    b"SQLite format 3": "a SQLite database",
    b"\x7fELF": "a program",
    b"<!DOCTYPE": "a web page: the download needs a sign-in or failed; export the dataset's items",
    b"<!doctype": "a web page: the download needs a sign-in or failed; export the dataset's items",
    b"<html": "a web page: the download needs a sign-in or failed; export the dataset's items",
    b"<?xml": "XML: export CSV or JSON",
    b"<rss": "XML: export CSV or JSON",
    b"version https://git-lfs": "a pointer of Git LFS: fetch the file that it stands for",
}
# Formats that say their name further inside.
_LATER_FORMATS = {
    (4, b"ftyp"): "a picture or a film (ISO media)",
    (257, b"ustar"): "a tar archive: unpack it",
}
_BOMS = {
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
# Zero bytes beside so many others are damage in a text; more of them are no text.
_BYTES_PER_ZERO = 100


@dataclass(frozen=True, slots=True)
class Limits:
    """What a feed file may cost.

    Attributes:
        file_bytes: Size of a file, also once it is unpacked.
        expansion: How many times its size a compressed file may grow, beyond 64 MiB.
    """

    file_bytes: int = 2 * 1024**3
    expansion: int = 200


@dataclass(slots=True)
class Reading:
    """What became of a file.

    Attributes:
        problem: Why the file can't be read at all; None where it was.
        content: Its text, where it was refused and is text.
        notes: What was established that the file's name doesn't say, or what was mended.
    """

    problem: str | None = None
    content: str | None = None
    notes: list[str] = field(default_factory=list)


class UnreadableFileError(ValueError):
    """A file can't be read at all; the message says what it is and what to do."""


def refusal(path: Path) -> str | None:
    """Why a path is no file that can be read to its end; None where it is one."""
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return "is a link to a file that is not there" if path.is_symlink() else "is not there any more"
    except (OSError, RuntimeError) as error:
        if path.is_symlink():
            return f"is a link that leads nowhere ({_cause(error)})"
        return f"can not be opened ({_cause(error)})"
    kinds = {
        stat.S_ISDIR: "a folder",
        stat.S_ISFIFO: "a named pipe (FIFO), which has no end",
        stat.S_ISCHR: "a device, which has no end",
        stat.S_ISBLK: "a device",
        stat.S_ISSOCK: "a socket",
    }
    found = next((name for test, name in kinds.items() if test(mode)), None)
    return f"is no file but {found}" if found else None


def shown(path: Path) -> str:
    """A path as text that can be stored and printed, whatever bytes are in its name."""
    return str(path).encode("utf-8", "backslashreplace").decode()


def feed_suffix(path: Path) -> str:
    """`.json`, `.jsonl` or `.csv`, whether compressed or not."""
    return Path(path.stem).suffix if path.suffix == ".gz" else path.suffix


def read(connection: duckdb.DuckDBPyConnection, file_index: int, path: Path, limits: Limits) -> Reading:
    """Adds a file's items, in its order, to `incoming`. Never raises for what a file holds.

    Args:
        connection: With the tables of `items.create_tables`.
        file_index: What the rows are marked with.
        path: The file.
        limits: What it may cost.

    Returns:
        What became of it.
    """
    reading = Reading()
    try:
        with _plain(path, limits, reading) as plain:
            _read_plain(connection, file_index, plain, feed_suffix(path) == ".jsonl", reading)
    except UnreadableFileError as error:
        reading.problem = str(error)
    except (OSError, EOFError, zlib.error) as error:
        reading.problem = f"can not be read ({_cause(error)})"
    except (RecursionError, MemoryError) as error:
        reading.problem = f"is too large or nested too deep to be taken apart ({type(error).__name__})"
    if reading.problem is not None:
        connection.execute("delete from incoming where file_index = ?", [file_index])
    return reading


def _cause(error: BaseException) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


@contextmanager
def _plain(path: Path, limits: Limits, reading: Reading) -> Iterator[Path]:
    """The file as UTF-8 text at a path that DuckDB can open: itself, or a copy of what it holds."""
    refused = refusal(path)
    if refused is not None:
        raise UnreadableFileError(refused)
    size = path.stat().st_size
    if size == 0:
        raise UnreadableFileError("the file is empty (0 bytes): the download was cut off; export it again")
    if size > limits.file_bytes:
        raise UnreadableFileError(f"has {size / 1e6:,.0f} MB, more than FEED_MAX_MB allows")
    with path.open("rb") as stream:
        head = stream.read(_HEAD_BYTES)
    is_packed = head.startswith(b"\x1f\x8b")
    # DuckDB reads `*`, `?` and `[` in a path as a pattern, and knows names that are UTF-8 only.
    is_plainly_named = path.suffix != ".gz" and not set("*?[") & set(str(path)) and str(path) == shown(path)
    if not is_packed:
        if path.suffix == ".gz":
            reading.notes.append("is not compressed, whatever its name says")
        encoding = _encoding(head)
        if encoding is None and is_plainly_named:
            yield path
            return
    with tempfile.TemporaryDirectory() as directory:
        copy = Path(directory) / "feed"
        if is_packed:
            _unpack(path, copy, size, limits, reading)
            if path.suffix != ".gz":
                reading.notes.append("is compressed with gzip, whatever its name says")
            with copy.open("rb") as stream:
                head = stream.read(_HEAD_BYTES)
            if not head:
                raise UnreadableFileError("the file is empty once it is unpacked: export it again")
            encoding = _encoding(head)
        else:
            shutil.copyfile(path, copy)
        if encoding is not None:
            text = _wide_text(_unmarked(copy.read_bytes()), encoding).removeprefix("\ufeff")
            copy.write_text(text, encoding="utf-8", newline="")
            reading.notes.append(f"was read as {encoding[:6].upper()}")
        yield copy


def _unpack(path: Path, copy: Path, size: int, limits: Limits, reading: Reading) -> None:
    """Writes what a gzip file holds, as far as the limits go."""
    allowed = min(limits.file_bytes, max(size * limits.expansion, _FREE_EXPANSION_BYTES))
    written = 0
    decoder = zlib.decompressobj(wbits=31)
    data = b""
    try:
        with path.open("rb") as packed, copy.open("wb") as target:
            while data := data or packed.read(_BLOCK_BYTES):
                written += target.write(decoder.decompress(data, _BLOCK_BYTES))
                if written > allowed:
                    raise UnreadableFileError(
                        f"unpacks to more than {allowed / 1e6:,.0f} MB, which FEED_MAX_MB and FEED_MAX_EXPANSION allow"
                    )
                data = decoder.unconsumed_tail
                if decoder.eof:
                    data = decoder.unused_data + packed.read(2)
                    if not data.startswith(b"\x1f\x8b"):
                        # What was packed is whole, by its own checksum; gzip itself passes over the rest too.
                        if data.strip(b"\0"):
                            reading.notes.append("bytes behind the end of what is compressed were left out")
                        return
                    decoder = zlib.decompressobj(wbits=31)
            target.write(decoder.flush())
    except zlib.error as error:
        raise UnreadableFileError(
            f"cannot be decompressed ({error}): it was damaged on its way; export it again"
        ) from error
    if not decoder.eof:
        raise UnreadableFileError("cannot be decompressed (it has no end): the download was cut off; export it again")


def _encoding(head: bytes) -> str | None:
    """The encoding that must be changed before DuckDB reads it; None for UTF-8 and what only looks at each byte tells.

    Raises:
        UnreadableFileError: These bytes are no text.
    """
    head = _unmarked(head)
    for bom, encoding in _BOMS.items():
        if head.startswith(bom):
            return encoding
    start = head.lstrip(_WHITESPACE)
    for magic, name in _OTHER_FORMATS.items():
        if start.startswith(magic):
            raise UnreadableFileError(f"is no JSON and no CSV but {name}")
    for (place, magic), name in _LATER_FORMATS.items():
        if head[place:].startswith(magic):
            raise UnreadableFileError(f"is no JSON and no CSV but {name}")
    if b"\0" not in head[:4096]:
        return None
    # JSON and CSV begin with Latin letters: UTF-16 makes every other byte of them zero, UTF-32 three of four.
    begin = head[:24]
    for encoding, letters in (("utf-32-le", begin[::4]), ("utf-32-be", begin[3::4])):
        if letters.count(0) == 0 and begin.count(0) == len(begin) - len(letters):
            return encoding
    for encoding, zeros, letters in (("utf-16-le", begin[1::2], begin[::2]), ("utf-16-be", begin[::2], begin[1::2])):
        if zeros.count(0) > 0.7 * len(zeros) and letters.count(0) == 0:
            return encoding
    text = head.rstrip(b"\0")
    if text.count(0) * _BYTES_PER_ZERO < len(text):
        return None
    raise UnreadableFileError("is no text (it holds zero bytes): it is no JSON and no CSV")


def _unmarked(content: bytes) -> bytes:
    """Without the marks of UTF-8 at its beginning: a program that joins files puts one before another one's."""
    while content.startswith(codecs.BOM_UTF8):
        content = content.removeprefix(codecs.BOM_UTF8)
    return content


def _wide_text(content: bytes, encoding: str) -> str:
    """Text of UTF-16 or UTF-32. A byte too many or too few shifts all pairs behind it: they begin where letters do."""
    if encoding.startswith("utf-32"):
        return content.decode(encoding, errors="replace")
    if encoding == "utf-16":
        encoding = "utf-16-le" if content.startswith(codecs.BOM_UTF16_LE) else "utf-16-be"
    pair = rb"[\t-~]\0" if encoding == "utf-16-le" else rb"\0[\t-~]"
    parts, begin = [], 0
    for letters in re.finditer(rb"(?:%b){%d,}" % (pair, _LETTERS_IN_A_ROW), content):
        if (letters.start() - begin) % 2:
            parts.append(content[begin : letters.start()])
            begin = letters.start()
    return "".join(part.decode(encoding, errors="replace") for part in [*parts, content[begin:]])


def _read_plain(
    connection: duckdb.DuckDBPyConnection, file_index: int, path: Path, is_lines: bool, reading: Reading
) -> None:
    with path.open("rb") as stream:
        head = stream.read(_HEAD_BYTES)
    has_mark = head.startswith(codecs.BOM_UTF8)
    head = _unmarked(head)
    start = head.lstrip(_WHITESPACE)
    if not start and is_lines:
        return
    if not start:
        raise UnreadableFileError("holds nothing but blanks: export it again")
    if start[:1] in (b"[", b"{") or (start[:1] in b'"ntf-0123456789' and _is_json_value(path, start)):
        _read_json(connection, file_index, path, start, has_mark, is_lines, reading)
    else:
        _read_csv(connection, file_index, path, reading)


def _is_json_value(path: Path, start: bytes) -> bool:
    """Whether a file that begins like one is a single JSON text, number or null."""
    if len(start) >= _HEAD_BYTES // 2:
        return False
    try:
        json.loads(start)
    except ValueError:
        return False
    return True


# ---------- JSON


def _read_json(
    connection: duckdb.DuckDBPyConnection,
    file_index: int,
    path: Path,
    start: bytes,
    has_mark: bool,
    is_lines: bool,
    reading: Reading,
) -> None:
    """Reads lists, lines, and objects one after the other, by what the file begins with."""
    is_list = start[:1] == b"["
    error = ""
    # A list that breaks off behind a comma is a whole one to DuckDB; a mark before lines is none.
    if (is_list and _last_byte(path) == b"]") or (start[:1] == b"{" and not has_mark):
        try:
            [(rows,)] = connection.execute(
                f"insert into incoming select {file_index}, json, true, null from read_json_objects("
                f"{quote_literal(str(path))}, format = '{'array' if is_list else 'newline_delimited'}',"
                f" maximum_object_size = {MAXIMUM_ITEM_BYTES})"
            ).fetchall()
            if is_list or rows > 1:
                return
        except _REFUSED as refused:
            error = str(refused).splitlines()[0]
        connection.execute("delete from incoming where file_index = ?", [file_index])
    text, mended = _text(path.read_bytes(), is_json=True)
    if mended:
        reading.notes.append(mended)
    pieces = _lines(text) if start[:1] == b"{" else None
    pieces = list(_pieces(text)) if pieces is None else pieces
    good = [piece for piece, fault in pieces if fault is None]
    if len(good) == 1 == len(pieces) and not is_list:
        pieces = _of_single(good[0], text, is_lines, reading)
    elif not good and pieces and not is_lines:
        reading.content = text
        raise UnreadableFileError(f"is malformed or truncated JSON ({error or pieces[0][1]}): export it again")
    _insert(connection, file_index, pieces)


def _of_single(value: str, text: str, is_lines: bool, reading: Reading) -> list[tuple[str, str | None]]:
    """A file that holds one JSON value: an item, or an object around the list of items. A single line is an item.

    Raises:
        UnreadableFileError: It is neither.
    """
    found = json.loads(value)
    facts = items.variables()["item_facts"]
    names = {path for fact in ("video_id", "video_url") for path in facts[fact]}
    if isinstance(found, dict):
        if found.keys() & facts["video_id"]:
            return [(value, None)]
        inner: list[tuple[str, object]] = [
            (name, outer) for name, outer in found.items() if isinstance(outer, dict | list)
        ]
        inner += [(f"{name}.{key}", deep) for name, outer in inner for key, deep in _entries(outer)]
        held = [(name, entry) for name, entry in inner if _is_item(entry, names)]
        lists = [
            (name, entries)
            for name, entries in inner
            if isinstance(entries, list) and any(_is_item(entry, names) for entry in entries)
        ]
        if len(held) == 1 and not lists:
            lists = [(name, [entry]) for name, entry in held]
        if len(lists) == 1:
            reading.notes.append(f"its items stand under {lists[0][0]}")
            return [(_dumped(entry), None) for entry in lists[0][1]]
    if is_lines:
        return [(value, None)]
    reading.content = text
    kind = {dict: "object", str: "varchar", bool: "boolean", type(None): "null"}.get(type(found), "number")
    raise UnreadableFileError(f"is JSON but no list of items (its root is {kind}): export the dataset's items")


def _is_item(value: object, names: set[str]) -> bool:
    return isinstance(value, dict) and bool(value.keys() & names)


def _entries(value: object) -> Iterable[tuple[str, object]]:
    return value.items() if isinstance(value, dict) else ()


def _last_byte(path: Path) -> bytes:
    with path.open("rb") as stream:
        stream.seek(max(path.stat().st_size - 4096, 0))
        return stream.read().rstrip(_WHITESPACE)[-1:]


def _lines(text: str) -> list[tuple[str, str | None]] | None:
    """The lines of JSON lines; None where most lines are no values."""
    pieces = [piece for line in text.split("\n") for piece in _piece(line)]
    faults = sum(fault is not None for _, fault in pieces)
    return pieces if 2 * faults <= len(pieces) else None


# What the scanner must see: texts (whole, or open to the end), brackets, and what parts values.
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*+(?:"|\Z)|[\[\]{},\n]', re.DOTALL)


def _pieces(text: str) -> Iterator[tuple[str, str | None]]:
    """The values of a text of JSON lists, lines or objects one after the other, entries of lists one by one.

    Yields:
        JSON and None, or text that is no JSON and why.
    """
    depth = 0
    lists = 0
    begin = 0
    last_break = None
    for token in _TOKEN.finditer(text):
        sign = token[0]
        if sign in "{[":
            if sign == "[" and depth == lists == 0 and not text[begin : token.start()].strip():
                lists, begin = 1, token.end()
                continue
            if depth == 0 and text[begin : token.start()].strip():
                # Two values without a comma between them.
                yield from _piece(text[begin : token.start()])
                begin = token.start()
            if sign == "{" and depth == 1 and last_break is not None and _begins_item(text, token.start(), begin):
                # A new line that begins with an object, while another one is open: that one was cut off.
                yield from _piece(text[begin : token.start()], "cut off: ")
                begin, depth = token.start(), 0
            depth += 1
        elif sign in "}]":
            if sign == "]" and depth == 0:
                yield from _piece(text[begin : token.start()])
                lists, begin = 0, token.end()
                continue
            depth = max(depth - 1, 0)
            if depth == 0:
                yield from _piece(text[begin : token.end()])
                begin = token.end()
        elif sign == "," and depth == 0:
            yield from _piece(text[begin : token.start()])
            begin = token.end()
        elif sign == "\n":
            last_break = token.end()
            if depth == 0 and not lists:
                yield from _piece(text[begin : token.start()])
                begin = token.end()
    yield from _piece(text[begin:], "cut off: " if depth or lists else "")


def _begins_item(text: str, place: int, begin: int) -> bool:
    """Whether an object begins a line and stands where no value is wanted: behind a value, not behind a colon."""
    line = text.rfind("\n", begin, place)
    if line < 0 or text[line:place].strip():
        return False
    before = text[begin:line].rstrip()
    return not before.endswith((":", "[", ","))


def _piece(text: str, prefix: str = "") -> Iterator[tuple[str, str | None]]:
    text = text.strip().strip(",").strip()
    if not text:
        return
    try:
        value = json.loads(text, parse_constant=_no_constant)
    except RecursionError:
        yield text, "malformed JSON (nested too deep)"
    except ValueError:
        try:
            # Not JSON, but nothing to guess: Python's NaN is no value, and a line end within a text is one.
            value = json.loads(text, parse_constant=lambda _: None, strict=False)
        except (ValueError, RecursionError) as error:
            yield text, f"{prefix}malformed JSON ({error})"
        else:
            yield _dumped(value), None
    else:
        # As it stands: a number of many digits stays what it is.
        yield text, None


def _no_constant(name: str) -> None:
    raise ValueError(name)


def _dumped(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace").decode()


# ---------- CSV


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a CSV file is written.

    Attributes:
        header: Names of its columns, each once.
        line: Lines above the header.
        delimiter: Between cells.
        quote: Around cells.
    """

    header: tuple[str, ...]
    line: int
    delimiter: str
    quote: str


def _read_csv(connection: duckdb.DuckDBPyConnection, file_index: int, path: Path, reading: Reading) -> None:
    """Reads a CSV file by a dialect that was found out here, and counts its rows."""
    with path.open("rb") as stream:
        begin, _ = _text(stream.read(_HEADER_BYTES), is_json=False)
    dialect = dialect_of(begin, path.stat().st_size <= _HEADER_BYTES)
    if dialect is None:
        reading.content, _ = _text(path.read_bytes(), is_json=False)
        first = next((line for line in begin.splitlines() if line.strip()), "")[:80]
        raise UnreadableFileError(
            f"is no CSV export of a dataset (no line of its first {_HEADER_SEARCH_LINES} names columns that are known;"
            f" it begins with {first!r}): download it again from the console"
        )
    if dialect.delimiter != ",":
        reading.notes.append(
            f"its cells are separated by {'tabs' if dialect.delimiter == chr(9) else dialect.delimiter}"
        )
    if (
        dialect.line == 0
        and not _has_doubles(dialect.header)
        and not _has_values(dialect.header)
        # DuckDB would skip the rows that an open quote swallows with the header.
        and begin.lstrip("\ufeff").splitlines()[0].count(dialect.quote) % 2 == 0
        and _read_whole_csv(connection, file_index, path, dialect)
    ):
        return
    connection.execute("delete from incoming where file_index = ?", [file_index])
    content, mended = _text(path.read_bytes(), is_json=False)
    if mended:
        reading.notes.append(mended)
    _insert(connection, file_index, _csv_pieces(content, dialect, reading))


def _has_doubles(header: Sequence[str]) -> bool:
    # DuckDB's columns have no case.
    return len({name.lower() for name in header}) < len(header) or "" in header


def _has_values(header: Sequence[str]) -> bool:
    """Whether a piece of a row was drawn into the header: DuckDB would skip it with the header."""
    return any(map(_HEADER_VALUE.search, header))


def dialect_of(begin: str, is_whole: bool) -> Dialect | None:
    """Finds header, delimiter and quotes by the names of columns that are known.

    Args:
        begin: The first part of a file.
        is_whole: Whether that is the whole file.

    Returns:
        The dialect whose header has most known names; None where no line names a column that is known.
    """
    known = items.known_names()
    lines = begin.lstrip("\ufeff").splitlines(keepends=True)
    best: tuple[int, Dialect] | None = None
    for number, line in enumerate(lines[:_HEADER_SEARCH_LINES]):
        if not is_whole and number == len(lines) - 1:
            # Wider than what was looked at: a header that long is none.
            break
        for quote in ('"', "'"):
            for delimiter in (",", ";", "\t", "|"):
                if quote == "'" and not line.lstrip("\ufeff").startswith("'"):
                    continue
                cells = next(_cells([line], delimiter, quote), [])
                names = tuple(cell.strip() for cell in cells)
                score = sum(_is_known(name, known) for name in names)
                if score >= min(2, len(names)) and score > 0 and (best is None or score > best[0]):
                    best = (score, Dialect(names, number, delimiter, quote))
        if best is not None and best[1].line == number:
            # The first line that names two columns is the header: what follows are rows.
            break
    return best[1] if best else None


def _is_known(name: str, known: frozenset[str]) -> bool:
    return name in known or re.split(r"[/._][0-9]+(?:[/._]|$)", name)[0] in known


def _cells(lines: Iterable[str], delimiter: str, quote: str) -> Iterator[list[str]]:
    csv.field_size_limit(MAXIMUM_ITEM_BYTES)
    return csv.reader(lines, delimiter=delimiter, quotechar=quote)


def _read_whole_csv(connection: duckdb.DuckDBPyConnection, file_index: int, path: Path, dialect: Dialect) -> bool:
    """Reads a CSV file by DuckDB; False where it refuses it, or where rows might be missing or be headers."""
    columns = ", ".join(f"{quote_literal(name)}: 'VARCHAR'" for name in dialect.header)
    try:
        # Exploded arrays give hundreds of columns of which a row fills few: the empty ones are not kept.
        [(rows,)] = connection.execute(
            f"insert into incoming select {file_index}, json_merge_patch('{{}}', to_json(line)), true, null"
            f" from read_csv({quote_literal(str(path))}, auto_detect = false, header = false, skip = 1,"
            f" columns = {{{columns}}}, delim = {quote_literal(dialect.delimiter)},"
            f" quote = {quote_literal(dialect.quote)}, escape = {quote_literal(dialect.quote)}, strict_mode = true,"
            f" null_padding = false, max_line_size = {MAXIMUM_ITEM_BYTES}) as line"
        ).fetchall()
        [(repeated,)] = connection.execute(
            f"select count(*) from incoming where file_index = {file_index} and list_contains(?, payload ->> ?)",
            [sorted(items.known_names()), "$." + json.dumps(dialect.header[0])],
        ).fetchall()
    except _REFUSED:
        return False
    return not repeated and bool(rows == _row_count(path, dialect))


def _row_count(path: Path, dialect: Dialect) -> int:
    """Rows below the header, counted without DuckDB; -1 where the last one breaks off."""
    content = path.read_bytes()
    if not content.endswith((b"\n", b"\r")):
        content += b"\n"
    breaks = content.count(b"\n") or content.count(b"\r")
    blank = re.search(rb"(?:^|\n)[ \t\r]*\n|\r\r", content) is not None
    if dialect.quote.encode() not in content and not blank:
        return breaks - 1
    rows = _cells(io.StringIO(content.decode("utf-8", "replace"), newline=""), dialect.delimiter, dialect.quote)
    try:
        return sum(1 for cells in rows if cells) - 1
    except csv.Error:
        return -1


def _csv_pieces(content: str, dialect: Dialect, reading: Reading) -> list[tuple[str, str | None]]:
    """Rows of a CSV file one by one: as items, or as they stand with what is wrong with them.

    Raises:
        UnreadableFileError: The header and all rows have different widths, and nothing says which cell is which.
    """
    known = items.known_names()
    header = list(dialect.header)
    kinds = _column_kinds(header)
    lines = content.removeprefix("\ufeff").splitlines(keepends=True)[dialect.line :]
    # Line ends of all kinds are one, also within cells: a row can't be told from a cell by them.
    source = io.StringIO("".join(_one_line_end(line) for line in lines), newline="")
    is_cut = not content.endswith(("\n", "\r"))
    try:
        # The header is one line, as it was found: a quote that it opens must not swallow the rows below.
        below = list(source)[1:]
        rows, unclosed = _rows(below, dialect, kinds)
    except csv.Error as error:
        raise UnreadableFileError(f"is no CSV export of a dataset ({error}): download it again") from error
    quotes = sum(line.count(dialect.quote) for line in below) - sum(text.count(dialect.quote) for text in unclosed)
    ends_open = bool(rows) and quotes % 2 == 1 and not content.rstrip("\r\n").endswith(dialect.quote)
    body = [row for row in rows if any(cell.strip() for cell in row)]
    shift = _shift(kinds, body)
    pieces = _above(content.removeprefix("\ufeff").splitlines()[: dialect.line], dialect, reading)
    pieces += [(text.rstrip("\n"), "opens a quote that is not closed before the next row") for text in unclosed]
    if _has_values(header):
        pieces.append(
            (_csv_line(header, dialect), "the header has values among its names: its rows may be read wrongly")
        )
    wider = 0
    for number, row in enumerate(body):
        is_last = number == len(body) - 1
        text = _csv_line(row, dialect)
        if _is_header(row, header, known):
            if list(map(str.strip, row)) != header:
                reading.notes.append(f"a second header stands above row {number + 1}: its columns hold from there on")
            header = [cell.strip() for cell in row]
            kinds, shift = _column_kinds(header), 0
            continue
        width = len(row)
        if is_last and (ends_open or (is_cut and width < len(header))):
            pieces.append((text, f"cut off: the row has {width} of {len(header)} cells; export it again"))
            continue
        if width > len(header):
            extra = row[:shift] if shift else row[len(header) :]
            cells = row[shift : shift + len(header)]
            if any(cell.strip() for cell in extra) and not _fits(kinds, cells):
                pieces.append((text, f"has {width} cells, the header names {len(header)}"))
                continue
            wider += any(cell.strip() for cell in extra)
            pieces.append(
                (_csv_item([*header, BEYOND], [*cells, _csv_line(extra, dialect).strip(dialect.delimiter)]), None)
            )
            continue
        if width < len(header):
            pieces.append((text, f"has {width} cells, the header names {len(header)}"))
            continue
        pieces.append((_csv_item(header, row), None))
    if wider:
        reading.notes.append(f"{wider} rows have cells that no column is named for: they are kept as `{BEYOND}`")
    if (
        len(body) > 1
        and body
        and not any(fault is None for _, fault in pieces)
        and len({len(row) for row in body}) == 1
    ):
        reading.content = content
        raise UnreadableFileError(
            f"its header names {len(dialect.header)} columns and all rows have {len(body[0])} cells, so that no cell"
            " can be told from another: export it again"
        )
    return pieces


def _rows(lines: Sequence[str], dialect: Dialect, kinds: Sequence[str | None]) -> tuple[list[list[str]], list[str]]:
    """All rows of lines, and what was taken out because it opens a quote that swallows the rows behind it."""
    rows: list[list[str]] = []
    unclosed: list[str] = []
    begin = 0
    while begin < len(lines):
        reader = csv.reader(lines[begin:], delimiter=dialect.delimiter, quotechar=dialect.quote)
        end = 0
        for row in reader:
            first, end = end, reader.line_num
            resumed = None
            if end - first > 1:
                parts = lines[begin + first : begin + end]
                is_sound = _is_sound(parts, dialect)
                rest = (n for n, line in enumerate(parts[1:], 1) if _is_row(line, dialect, kinds, is_sound=is_sound))
                resumed = next((begin + first + n for n in rest), None)
            if resumed is not None:
                unclosed.append("".join(lines[begin + first : resumed]))
                begin = resumed
                break
            rows.append(row)
        else:
            break
    return rows, unclosed


def _is_sound(lines: Sequence[str], dialect: Dialect) -> bool:
    """Whether a row of many lines has nothing behind a quote that is closed."""
    try:
        list(csv.reader(lines, delimiter=dialect.delimiter, quotechar=dialect.quote, strict=True))
    except csv.Error:
        return False
    return True


def _is_row(line: str, dialect: Dialect, kinds: Sequence[str | None], *, is_sound: bool) -> bool:
    """Whether a line within a cell of many lines is a row by itself: no caption has an id or a link and all cells."""
    if line.count(dialect.delimiter) < len(kinds) - 1 or not _HEADER_VALUE.search(line):
        return False
    if line.count(dialect.quote) % 2:
        return not is_sound
    cells = next(_cells([line], dialect.delimiter, dialect.quote), [])
    return len(cells) == len(kinds) and _fits(kinds, cells)


def _above(lines: Sequence[str], dialect: Dialect, reading: Reading) -> list[tuple[str, str | None]]:
    """Lines above the header: a title is told, what has cells is no item."""
    rows = []
    for line in lines:
        filled = [cell for cell in next(_cells([line], dialect.delimiter, dialect.quote), []) if cell.strip()]
        if len(filled) > 1 and not line.lower().startswith("sep="):
            rows.append((line, "stands above the header"))
        elif filled and not line.lower().startswith("sep="):
            reading.notes.append(f"begins with {line.strip()[:80]!r}, which is no header")
    return list(rows)


def _one_line_end(line: str) -> str:
    bare = line.rstrip("\r\n")
    return line if len(bare) == len(line) else bare + "\n"


def _csv_line(row: Sequence[str], dialect: Dialect) -> str:
    target = io.StringIO()
    csv.writer(target, delimiter=dialect.delimiter, quotechar=dialect.quote).writerow(row)
    return target.getvalue().rstrip("\r\n")


def _csv_item(header: Sequence[str], row: Sequence[str]) -> str:
    item: dict[str, str] = {}
    # A name that stands twice: the first cell that says something. What else there is, named or not, stays.
    others = []
    for name, cell in zip(header, row, strict=True):
        if cell != "" and (name == "" or item.setdefault(name, cell) != cell):
            others.append(cell)
    if others:
        item[BEYOND] = ", ".join(filter(None, [*others, item.get(BEYOND)]))
    return _dumped(item)


def _is_header(row: Sequence[str], header: Sequence[str], known: frozenset[str]) -> bool:
    cells = [cell.strip() for cell in row]
    if cells == list(header):
        return True
    filled = [cell for cell in cells if cell]
    names = sum(_is_known(cell, known) for cell in filled)
    return names >= 2 and 2 * names > len(filled)


_KINDS: dict[str, re.Pattern[str]] = {
    "id": re.compile(r"""['="]*[0-9.eE+]{5,}['"]*|[A-Za-z0-9_-]{6,}"""),
    "link": re.compile(r"(?:https?://|www\.)\S+", re.IGNORECASE),
    "count": re.compile(r"[-+]?[0-9][0-9., \u00a0'’_+]*[^\d\s]{0,9}", re.IGNORECASE),
    "time": re.compile(r"[0-9]{4}[-/][0-9]{1,2}[-/].*|[0-9]{9,}(?:\.[0-9]+)?"),
}


def _column_kinds(header: Sequence[str]) -> list[str | None]:
    """What the cells of each column look like, where the column is known and that can be said."""
    facts = items.variables()["item_facts"]
    kinds = {
        "video_id": "id", "music_id": "id", "author_id": "id", "video_url": "link", "posted_iso": "time",
        "posted_epoch": "time", **dict.fromkeys((*items.COUNTS, "reposts", "author_followers"), "count"),
    }  # fmt: skip
    by_name: dict[str, str] = {}
    for fact, kind in kinds.items():
        for path in facts[fact]:
            for name in (path, path.replace(".", "/"), path.replace(".", "_")):
                by_name.setdefault(name, kind)
    return [by_name.get(name) for name in header]


def _fits(kinds: Sequence[str | None], cells: Sequence[str]) -> bool:
    """Whether cells look like what their columns hold: a row with a comma too many has them beside each other."""
    judged = [(kind, cell.strip()) for kind, cell in zip(kinds, cells, strict=True) if kind and cell.strip()]
    return bool(judged) and all(_KINDS[kind].fullmatch(cell) for kind, cell in judged)


def _shift(kinds: Sequence[str | None], body: Sequence[Sequence[str]]) -> int:
    """By how many cells the header begins too late: names of rows (R, pandas) have a column that is not named."""
    surplus = {len(row) - len(kinds) for row in body}
    if len(surplus) != 1:
        return 0
    (extra,) = surplus
    if extra <= 0 or all(_fits(kinds, row[: len(kinds)]) for row in body):
        return 0
    return extra if all(_fits(kinds, row[extra:]) for row in body) else 0


# ---------- text


# One escape of a JSON text: a pair of surrogates, a surrogate alone, or any other.
_ESCAPE = re.compile(
    r"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(u[dD][89a-fA-F][0-9a-fA-F]{2})|.)", re.DOTALL
)


def _text(original: bytes, *, is_json: bool) -> tuple[str, str | None]:
    """Text of a file without its byte order mark, and what had to be mended.

    Bytes that are no UTF-8 are Windows' letters in a CSV file that has no letter of UTF-8, as a spreadsheet saves it;
    else they are broken, and U+FFFD stands for them, as for half an emoji.
    """
    original = _unmarked(original).rstrip(b"\0")
    content = original.decode("utf-8", errors="replace")
    replaced = content.count("\ufffd") - original.count("\ufffd".encode())
    if replaced:
        has_letters = any(ord(sign) > 127 and sign != "\ufffd" for sign in content)
        if not is_json and not has_letters:
            return original.decode("cp1252", errors="replace"), "was read as Windows-1252: it is no UTF-8"
    if is_json:
        # A text may not hold line ends and other control characters as they are.
        escaped = 0

        def mend(escape: re.Match[str]) -> str:
            nonlocal escaped
            if escape[1] is None:
                return escape[0]
            escaped += 1
            return "\\ufffd"

        content = _ESCAPE.sub(mend, content)
        replaced += escaped
    return content, f"{replaced} broken characters were replaced by U+FFFD" if replaced else None


def _insert(connection: duckdb.DuckDBPyConnection, file_index: int, pieces: Sequence[tuple[str, str | None]]) -> None:
    """Adds pieces of a file that was taken apart."""
    if not pieces:
        return
    clean: list[Any] = [(text.replace("\0", "\ufffd"), fault) for text, fault in pieces]
    connection.execute(
        "insert into incoming select ?, piece, json_valid(piece), fault from"
        " (select unnest(?::varchar[]) as piece, unnest(?::varchar[]) as fault)",
        [file_index, [text for text, _ in clean], [fault for _, fault in clean]],
    )
