"""Landing: the only code that writes the raw tables.

Belongs here: reading one feed file into `raw.*`, quarantine, idempotence, as-of cut-offs. Must not be here: the
tables' definitions (`migrations`), what a value means (staging models), where files come from (`export_folder`,
`apify`, `simulator`), the environment.

Raw is append-only. Files are landed in batches, one transaction each: all of a file's items, or none. DuckDB reads
the JSON and the CSV itself; Python never sees an item. Landing the same thing twice adds nothing; the same dataset
read again at a later time is kept as a further feed whose load row says which load it repeats.
"""

from __future__ import annotations

import gzip
import hashlib
import logging
import re
import shutil
import tempfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from pathlib import Path

import duckdb

from warehouse.store import quote_literal, transaction

logger = logging.getLogger(__name__)

KINDS = ("videos", "music")

# Items bigger than this are no TikTok items; DuckDB's default of 16 MiB is kept but stated.
MAXIMUM_ITEM_BYTES = 16 * 1024 * 1024
# Files are checked and inserted together up to this size: one transaction for many small polls, bounded memory.
BATCH_BYTES = 256 * 1024 * 1024

_LOAD_COLUMNS = (
    "load_id", "source", "market", "kind", "file", "file_bytes", "file_modified_at", "run_id", "dataset_id",
    "observed_at", "landed_at", "content_hash", "item_count", "quarantined_count", "status", "repeats_load_id",
    "reason",
)  # fmt: skip
_ITEM_COLUMNS = (
    "load_id, item_index, source, market, kind, run_id, dataset_id, observed_at, landed_at, item_hash, payload"
)

# Of a digest, in which DuckDB's md5_number_upper stands; md5_number_lower in the other half.
_LOW_64_BITS = 2**64 - 1
# What md5() gives for the text of the digest: its bytes stand the other way round. Reading 300 MB again takes 1 s.
_DIGITS = "lpad(lower(hex(items.digest)), 32, '0')"
_ITEM_HASH = f"concat({', '.join(f'substring({_DIGITS}, {place}, 2)' for place in range(31, 0, -2))})"
# Where an id, a link or a reason may stand: nested, dotted and slashed keys, and sibling actors' names.
_ITEM_STRUCTURE = """{
    "id": "VARCHAR", "aweme_id": "VARCHAR", "videoId": "VARCHAR", "type": "VARCHAR",
    "webVideoUrl": "VARCHAR", "url": "VARCHAR", "share_url": "VARCHAR", "postPage": "VARCHAR",
    "playCount": "VARCHAR", "plays": "VARCHAR", "views": "VARCHAR", "diggCount": "VARCHAR", "diggs": "VARCHAR",
    "likes": "VARCHAR", "likeCount": "VARCHAR", "shareCount": "VARCHAR", "shares": "VARCHAR",
    "commentCount": "VARCHAR", "comments": "VARCHAR", "collectCount": "VARCHAR", "saveCount": "VARCHAR",
    "statistics": {"play_count": "VARCHAR", "digg_count": "VARCHAR", "share_count": "VARCHAR"},
    "musicMeta": {"musicId": "VARCHAR"}, "musicMeta.musicId": "VARCHAR", "musicMeta/musicId": "VARCHAR",
    "musicId": "VARCHAR", "music": {"id": "VARCHAR", "id_str": "VARCHAR"}, "song": {"id": "VARCHAR"},
    "error": "VARCHAR", "errorCode": "VARCHAR", "status": "VARCHAR", "note": "VARCHAR"
}"""

_VIDEO_ID = """coalesce(
    item.id, item.aweme_id, item."videoId",
    nullif(regexp_extract(
        coalesce(item."webVideoUrl", item.url, item.share_url, item."postPage"), '/(?:video|photo)/([0-9]+)', 1
    ), '')
)"""
_SOUND_ID = """coalesce(
    item."musicMeta"."musicId", item."musicMeta.musicId", item."musicMeta/musicId", item."musicId",
    item.music.id_str, item.music.id, item.song.id, case when item.type = 'sound' then item.id end
)"""
# What momentum is made of: a video of which none of these can be read has no place in any ranking.
_MOMENTUM_COUNTS = (
    'coalesce(item."playCount", item.plays, item.views, item.statistics.play_count)',
    'coalesce(item."diggCount", item.diggs, item.likes, item."likeCount", item.statistics.digg_count)',
    'coalesce(item."shareCount", item.shares, item.statistics.share_count)',
)
_HAS_MOMENTUM_COUNT = " or ".join(
    f"coalesce(try_cast({count} as bigint) >= 0 or regexp_matches({count}, '^[0-9.]+ *[kKmMbB]$'), false)"
    for count in _MOMENTUM_COUNTS
)
_COUNTS = """item."playCount", item.plays, item.views, item."diggCount", item.diggs, item.likes, item."likeCount",
    item."shareCount", item.shares, item."commentCount", item.comments, item."collectCount", item."saveCount",
    item.statistics.play_count, item.statistics.digg_count, item.statistics.share_count"""


@dataclass(frozen=True, slots=True)
class FeedFile:
    """One file that holds the items one source saw in one market at one time.

    Attributes:
        path: A .json, .jsonl or .csv file, plain or .gz.
        source: `folder`, `sample` or `apify`.
        market: Upper-case market code, such as `US`.
        kind: `videos` or `music`.
        observed_at: When the source saw the items (aware, UTC); for Apify the run's finish.
        run_id: Apify run id, where known.
        dataset_id: Apify dataset id, where known.
    """

    path: Path
    source: str
    market: str
    kind: str
    observed_at: datetime
    run_id: str | None = None
    dataset_id: str | None = None


@dataclass(frozen=True, slots=True)
class Refusal:
    """A file or folder that is no feed at all, with the reason and the remedy."""

    path: Path
    reason: str


@dataclass(frozen=True, slots=True)
class Missing:
    """A reading that was tried and failed; kept as a load of status `missing`, so that the day can say why."""

    market: str
    kind: str
    reason: str


@dataclass(slots=True)
class LandingReport:
    """What landing did, in files and items.

    Attributes:
        files: Feed files offered.
        landed: Files landed for the first time (repeats not counted).
        repeats: Files that carry exactly the items of an earlier feed of their market and kind.
        known: Files that had been landed before and added nothing.
        empty: Files that are an empty list.
        items: Items added to the raw tables.
        quarantined: Items added to the quarantine.
        problems: One line for each file that could not be read or is no feed.
        notes: One line for each file of which some items were quarantined or are odd.
    """

    files: int = 0
    landed: int = 0
    repeats: int = 0
    known: int = 0
    empty: int = 0
    items: int = 0
    quarantined: int = 0
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def summary(self) -> str:
        """One line for people."""
        return (
            f"{self.files} files: {self.landed} landed, {self.repeats} repeated an already known dataset,"
            f" {self.known} already landed, {self.empty} empty, {len(self.problems)} unreadable;"
            f" {self.items} items added, {self.quarantined} quarantined"
        )


@dataclass(slots=True)
class _Offered:
    """A file of a batch, its fingerprint and what became of it (load_id None: known already, nothing to add)."""

    feed: FeedFile
    file_bytes: int
    modified_at: datetime
    problem: str | None = None
    content: str | None = None
    mended: str | None = None
    load_id: int | None = None
    status: str = "landed"
    content_hash: str | None = None
    items: int = 0
    quarantined: int = 0
    repeats: int | None = None
    reason: str | None = None

    def load_row(self, landed_at: datetime) -> tuple[object, ...]:
        """The row of `raw.loads`, in the order of `_LOAD_COLUMNS`."""
        feed = self.feed
        return (
            self.load_id, feed.source, feed.market, feed.kind, str(feed.path), self.file_bytes, self.modified_at,
            feed.run_id, feed.dataset_id, _naive_utc(feed.observed_at), landed_at, self.content_hash, self.items,
            self.quarantined, self.status, self.repeats, self.reason,
        )  # fmt: skip


def land(
    connection: duckdb.DuckDBPyConnection,
    feeds: Iterable[FeedFile],
    refusals: Sequence[Refusal] = (),
    *,
    source: str = "folder",
    landed_at: datetime | None = None,
    progress: Callable[[int], object] | None = None,
) -> LandingReport:
    """Lands feed files in the given order and records refusals.

    Args:
        connection: A writer connection.
        feeds: The files; load ids rise in this order, so give them by observation time.
        refusals: Paths that are no feeds; each is recorded once.
        source: Source name that refusals are recorded under.
        landed_at: Aware UTC time written to the envelope; default: now.
        progress: Called with the number of files done since the last call.

    Returns:
        The counts and, by name, everything that could not be read. Bad files never raise.
    """
    moment = _naive_utc(landed_at or datetime.now(UTC))
    known_files = _known_files(connection)
    report = LandingReport()
    for refusal in refusals:
        report.problems.append(f"{refusal.path}: {refusal.reason}")
        _record_refusal(connection, refusal, source, moment)
    batch: list[_Offered] = []
    batch_bytes = 0
    for feed in feeds:
        report.files += 1
        stat = feed.path.stat()
        modified_at = datetime.fromtimestamp(stat.st_mtime, UTC).replace(tzinfo=None)
        earlier = known_files.get((str(feed.path), stat.st_size, modified_at))
        if earlier is not None:
            status, reason = earlier
            if status == "unreadable":
                report.problems.append(f"{feed.path}: {reason}")
            report.known += 1
            if progress:
                progress(1)
            continue
        batch.append(_Offered(feed, stat.st_size, modified_at))
        batch_bytes += stat.st_size
        if batch_bytes >= BATCH_BYTES:
            _land_batch(connection, batch, moment, report)
            if progress:
                progress(len(batch))
            batch, batch_bytes = [], 0
    if batch:
        _land_batch(connection, batch, moment, report)
        if progress:
            progress(len(batch))
    return report


def record_missing(
    connection: duckdb.DuckDBPyConnection, missing: Sequence[Missing], *, source: str, at: datetime
) -> None:
    """Records readings that failed: one load row each, without items.

    Args:
        connection: A writer connection.
        missing: Market, kind and reason of each.
        source: Source name of the envelope.
        at: Aware time of the attempt.
    """
    moment = _naive_utc(at)
    with transaction(connection):
        for item in missing:
            connection.execute(
                "insert into raw.loads (load_id, source, market, kind, file, observed_at, landed_at, item_count,"
                " quarantined_count, status, reason) values (?, ?, ?, ?, '', ?, ?, 0, 0, 'missing', ?)",
                [_next_load_id(connection), source, item.market, item.kind, moment, moment, item.reason],
            )


def cutoff_for(
    connection: duckdb.DuckDBPyConnection,
    as_of_date: date,
    *,
    now: datetime,
    override: datetime | None = None,
) -> datetime:
    """The stored cut-off of a date, decided on its first use.

    A date that is over gets its last moment (UTC); today gets `now`; `override` replaces what is stored.

    Args:
        connection: A writer connection with the raw tables.
        as_of_date: The date.
        now: Aware current time.
        override: Aware cut-off asked for by the user (`--as-of`).

    Returns:
        The aware UTC cut-off.
    """
    if override is not None:
        decided, origin = _naive_utc(override), "override"
        connection.execute("delete from meta.cutoffs where as_of_date = ?", [as_of_date])
    else:
        stored = connection.execute("select cutoff_at from meta.cutoffs where as_of_date = ?", [as_of_date]).fetchall()
        if stored:
            return stored[0][0].replace(tzinfo=UTC)
        day_end = datetime.combine(as_of_date, time.max)
        moment = _naive_utc(now)
        decided, origin = (moment, "live") if moment < day_end else (day_end, "day_end")
    connection.execute(
        "insert into meta.cutoffs (as_of_date, cutoff_at, origin) values (?, ?, ?)", [as_of_date, decided, origin]
    )
    return decided.replace(tzinfo=UTC)


def landed_runs(connection: duckdb.DuckDBPyConnection) -> set[str]:
    """Run ids of the sources whose feeds were landed."""
    rows = connection.execute("select distinct run_id from raw.loads where run_id is not null").fetchall()
    return {row[0] for row in rows}


def landed_dates(connection: duckdb.DuckDBPyConnection) -> list[date]:
    """Dates (UTC) that have at least one readable feed, oldest first."""
    rows = connection.execute(
        "select distinct observed_at::date as observed_date from raw.loads"
        " where status in ('landed', 'repeat', 'empty') and observed_at is not null order by 1"
    ).fetchall()
    return [row[0] for row in rows]


def _known_files(
    connection: duckdb.DuckDBPyConnection,
) -> dict[tuple[str, int, datetime], tuple[str, str | None]]:
    rows = connection.execute(
        "select file, file_bytes, file_modified_at, status, reason from raw.loads where file_bytes is not null"
    ).fetchall()
    return {(row[0], row[1], row[2]): (row[3], row[4]) for row in rows}


def _record_refusal(connection: duckdb.DuckDBPyConnection, refusal: Refusal, source: str, landed_at: datetime) -> None:
    file = str(refusal.path)
    seen = connection.execute(
        "select 1 from raw.loads where file = ? and reason = ? and status = 'unreadable'",
        [file, refusal.reason],
    ).fetchall()
    if seen:
        return
    with transaction(connection):
        load_id = _next_load_id(connection)
        connection.execute(
            "insert into raw.loads (load_id, source, file, landed_at, item_count, quarantined_count, status, reason)"
            " values (?, ?, ?, ?, 0, 0, 'unreadable', ?)",
            [load_id, source, file, landed_at, refusal.reason],
        )
        connection.execute(
            "insert into raw.quarantine (load_id, source, file, landed_at, reason) values (?, ?, ?, ?, ?)",
            [load_id, source, file, landed_at, refusal.reason],
        )


def _land_batch(
    connection: duckdb.DuckDBPyConnection, batch: Sequence[_Offered], landed_at: datetime, report: LandingReport
) -> None:
    """Reads the files one by one, then checks and inserts all their items in one transaction."""
    connection.execute(
        "create or replace temporary table incoming (file_index integer, payload varchar, is_json boolean)"
    )
    connection.execute("create or replace temporary table offered_kinds (file_index integer, kind varchar)")
    connection.executemany(
        "insert into offered_kinds values (?, ?)", [(index, offered.feed.kind) for index, offered in enumerate(batch)]
    )
    for file_index, offered in enumerate(batch):
        try:
            _read_incoming(connection, file_index, offered.feed.path)
        except duckdb.Error as error:
            _salvage(connection, file_index, offered, error)
        except (OSError, EOFError) as error:
            offered.problem = f"cannot be opened: {error}"
        if offered.problem is not None:
            offered.content_hash = _file_hash(offered.feed.path)
    _check_items(connection)
    _decide(connection, batch, landed_at, report)
    with transaction(connection):
        connection.execute("create or replace temporary table accepted (file_index integer, load_id bigint)")
        rows = [(index, offered.load_id) for index, offered in enumerate(batch) if offered.load_id is not None]
        if not rows:
            return
        connection.executemany("insert into accepted values (?, ?)", rows)
        connection.executemany(
            f"insert into raw.loads ({', '.join(_LOAD_COLUMNS)}) values ({', '.join('?' * len(_LOAD_COLUMNS))})",
            [offered.load_row(landed_at) for offered in batch if offered.load_id is not None],
        )
        for kind in KINDS:
            connection.execute(
                f"""
                insert into raw.tiktok_{kind} ({_ITEM_COLUMNS})
                select
                    loads.load_id, items.item_index, loads.source, loads.market, loads.kind, loads.run_id,
                    loads.dataset_id, loads.observed_at, loads.landed_at, {_ITEM_HASH}, incoming.payload
                from incoming
                inner join incoming_items as items on incoming.rowid = items.incoming_row
                inner join accepted on items.file_index = accepted.file_index
                inner join raw.loads as loads using (load_id)
                where items.reason is null and loads.kind = '{kind}' and loads.status <> 'unreadable'
                """
            )
        connection.execute(
            """
            insert into raw.quarantine
                (load_id, item_index, source, market, kind, file, observed_at, landed_at, reason, payload)
            select
                loads.load_id, items.item_index, loads.source, loads.market, loads.kind, loads.file,
                loads.observed_at, loads.landed_at, items.reason, incoming.payload
            from incoming
            inner join incoming_items as items on incoming.rowid = items.incoming_row
            inner join accepted on items.file_index = accepted.file_index
            inner join raw.loads as loads using (load_id)
            where items.reason is not null
            order by loads.load_id, items.item_index
            """
        )
        for offered in batch:
            if offered.problem is not None and offered.load_id is not None:
                connection.execute(
                    """
                    insert into raw.quarantine
                        (load_id, source, market, kind, file, observed_at, landed_at, reason, payload)
                    select load_id, source, market, kind, file, observed_at, landed_at, reason, ?
                    from raw.loads where load_id = ?
                    """,
                    [offered.content, offered.load_id],
                )
    connection.execute("drop table incoming; drop table incoming_items; drop table accepted; drop table offered_kinds")


def _decide(
    connection: duckdb.DuckDBPyConnection, batch: Sequence[_Offered], landed_at: datetime, report: LandingReport
) -> None:
    """Says for each file of a batch whether it is new, a repeat, known, empty or unreadable, and why."""
    stats = {
        row[0]: row[1:]
        for row in connection.execute(
            f"""
            with reasons as (
                select file_index, reason, count(*) as items from incoming_items
                where reason is not null group by file_index, reason
            ),
            described as (
                select
                    file_index,
                    string_agg(reason || case when items > 1 then ' (' || items || ' items)' else '' end, '; '
                        order by reason) as reasons
                from reasons group by file_index
            )
            select
                items.file_index,
                count(*),
                count(items.reason),
                md5(concat_ws(
                    '|', count(*), sum((items.digest >> 64)::ubigint), sum((items.digest & {_LOW_64_BITS})::ubigint)
                )),
                count(*) filter (items.has_negative_count),
                any_value(described.reasons)
            from incoming_items as items
            left join described using (file_index)
            group by items.file_index
            """
        ).fetchall()
    }
    empty_hash = "empty"
    unreadable_hashes = {offered.content_hash for offered in batch if offered.content_hash is not None}
    hashes = sorted({row[2] for row in stats.values()} | unreadable_hashes | {empty_hash})
    seen: dict[tuple[str, str, str], list[tuple[datetime, int]]] = {}
    for market, kind, content_hash, observed_at, load_id in connection.execute(
        "select market, kind, content_hash, observed_at, load_id from raw.loads"
        " where list_contains(?, content_hash) order by load_id",
        [hashes],
    ).fetchall():
        seen.setdefault((market, kind, content_hash), []).append((observed_at, load_id))
    load_id = _next_load_id(connection)
    for file_index, offered in enumerate(batch):
        feed = offered.feed
        if offered.problem is not None:
            report.problems.append(f"{feed.path}: {offered.problem}")
            twins = seen.setdefault((feed.market, feed.kind, offered.content_hash or ""), [])
            if any(observed_at == _naive_utc(feed.observed_at) for observed_at, _ in twins):
                report.known += 1
                continue
            twins.append((_naive_utc(feed.observed_at), load_id))
            offered.load_id, offered.status, offered.reason = load_id, "unreadable", offered.problem
            offered.quarantined = 1
            load_id += 1
            continue
        total, bad, content_hash, negative, reasons = stats.get(file_index, (0, 0, empty_hash, 0, None))
        twins = seen.setdefault((feed.market, feed.kind, content_hash), [])
        if any(observed_at == _naive_utc(feed.observed_at) for observed_at, _ in twins):
            report.known += 1
            continue
        offered.load_id, offered.content_hash = load_id, content_hash
        offered.items, offered.quarantined = total - bad, bad
        if total == 0:
            offered.status, offered.reason = "empty", "the list is empty"
        elif twins:
            offered.status, offered.repeats = "repeat", twins[0][1]
        notes = [f"{bad} of {total} items quarantined: {reasons}"] if bad else []
        if negative:
            notes.append(f"{negative} items have a negative count, which is read as not given")
        if offered.mended is not None:
            notes.append(offered.mended)
        offered.reason = "; ".join(notes) or offered.reason
        twins.append((_naive_utc(feed.observed_at), load_id))
        load_id += 1
        report.items += total - bad
        report.quarantined += bad
        report.landed += offered.status == "landed"
        report.repeats += offered.status == "repeat"
        report.empty += offered.status == "empty"
        if offered.reason is not None:
            report.notes.append(f"{feed.path}: {offered.reason}")


def _read_incoming(connection: duckdb.DuckDBPyConnection, file_index: int, path: Path) -> None:
    """Adds a feed file's items to the temporary table `incoming`, in the file's order. What it reads is JSON."""
    if path.stat().st_size == 0:
        message = "the file is empty (0 bytes): the download was cut off; export it again"
        raise OSError(message)
    with _globless(path) as readable:
        name = quote_literal(str(readable))
        suffix = feed_suffix(path)
        if suffix == ".csv":
            # Exploded arrays give hundreds of columns of which a row fills few: the empty ones are not kept.
            select = (
                f"select {file_index}, json_merge_patch('{{}}', to_json(line)), true from read_csv("
                f"{name}, all_varchar = true, header = true, delim = ',', quote = '\"', escape = '\"',"
                f" max_line_size = {MAXIMUM_ITEM_BYTES}) as line"
            )
        else:
            layout = "newline_delimited" if suffix == ".jsonl" else "array"
            select = (
                f"select {file_index}, json, true from read_json_objects({name}, format = '{layout}',"
                f" maximum_object_size = {MAXIMUM_ITEM_BYTES})"
            )
        connection.execute(f"insert into incoming {select}")


def _salvage(connection: duckdb.DuckDBPyConnection, file_index: int, offered: _Offered, error: duckdb.Error) -> None:
    """Second, slow look at a file that DuckDB refused.

    Broken text in it (bytes that are no UTF-8, half an emoji) is replaced, the good lines of JSON lines are kept.
    Afterwards `incoming` holds the file's items, or `offered.problem` says why it cannot be read.
    """
    path = offered.feed.path
    opener = gzip.open if path.suffix == ".gz" else open
    try:
        with opener(path, "rb") as stream:
            original = stream.read()
    except (OSError, EOFError, zlib.error) as unreadable:
        offered.problem = f"cannot be decompressed ({unreadable}): the download was cut off; export it again"
        return
    suffix = feed_suffix(path)
    content, replaced = _mend_text(original, is_json=suffix != ".csv")
    if replaced:
        offered.mended = f"{replaced} broken characters were replaced by U+FFFD"
        with tempfile.TemporaryDirectory() as directory:
            copy = Path(directory) / f"feed{suffix}"
            copy.write_text(content, encoding="utf-8", newline="")
            try:
                _read_incoming(connection, file_index, copy)
            except duckdb.Error as second_error:
                error = second_error
            else:
                return
    if suffix == ".jsonl":
        connection.execute(
            """
            insert into incoming
            select ?, line, json_valid(line)
            from (select unnest(string_split(?, chr(10))) as line)
            where trim(line) <> ''
            """,
            [file_index, content],
        )
        return
    offered.content = content
    first_line = str(error).splitlines()[0]
    if suffix == ".csv":
        offered.problem = f"is no CSV export of a dataset ({first_line}): download it again from the console"
        return
    [(root,)] = connection.execute(
        "select case when json_valid(?) then json_type(?) end", [content, content]
    ).fetchall()
    if root is not None and root != "ARRAY":
        offered.problem = f"is JSON but no list of items (its root is {root.lower()}): export the dataset's items"
    else:
        offered.problem = f"is malformed or truncated JSON ({first_line}): export it again"


# One escape of a JSON text: a pair of surrogates, a surrogate alone, or any other.
_ESCAPE = re.compile(
    r"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(u[dD][89a-fA-F][0-9a-fA-F]{2})|.)", re.DOTALL
)


def _mend_text(original: bytes, *, is_json: bool) -> tuple[str, int]:
    """Text of a file without its byte order mark, with U+FFFD for what is no character, and how many that were."""
    content = original.decode("utf-8", errors="replace").removeprefix("\ufeff")
    replaced = content.count("\ufffd") - original.count("\ufffd".encode())
    if not is_json:
        return content, replaced

    def mend(escape: re.Match[str]) -> str:
        nonlocal replaced
        if escape[1] is None:
            return escape[0]
        replaced += 1
        return "\\ufffd"

    return _ESCAPE.sub(mend, content), replaced


def _file_hash(path: Path) -> str | None:
    """MD5 of a file's bytes: what makes an unreadable file the same one under another name or date of change."""
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
    except OSError:
        return None


def _check_items(connection: duckdb.DuckDBPyConnection) -> None:
    """Gives each incoming item its index in its file and, where it cannot be used, the reason."""
    connection.execute(
        f"""
        create or replace temporary table incoming_items as
        with files as (
            select file_index, min(rowid) as first_row from incoming group by file_index
        ),
        numbered as (
            -- A file's items stand one after the other, as one statement inserted them: a window would sort the texts.
            select
                incoming.file_index,
                incoming.rowid as incoming_row,
                incoming.rowid - files.first_row + 1 as item_index,
                incoming.payload,
                incoming.is_json
            from incoming
            inner join files using (file_index)
        ),
        transformed as (
            select
                *,
                case
                    when is_json then case when starts_with(payload, '{{') then 'OBJECT' else json_type(payload) end
                end as root,
                case when is_json then json_transform(payload, {quote_literal(_ITEM_STRUCTURE)}) end as item
            from numbered
        ),
        identified as (
            select
                *,
                nullif(trim({_VIDEO_ID}), '') as video_id,
                nullif(trim({_SOUND_ID}), '') as sound_id,
                coalesce({_COUNTS}) is not null as has_count,
                {_HAS_MOMENTUM_COUNT} as has_momentum_count,
                coalesce(least({_COUNTS}) < '0' and regexp_matches(concat_ws(' ', {_COUNTS}), '(^| )-'), false)
                    as has_negative_count
            from transformed
        )
        select
            file_index,
            incoming_row,
            item_index,
            md5_number(payload) as digest,
            has_negative_count,
            case
                when root is null then 'malformed JSON'
                when root <> 'OBJECT' then 'not an object but ' || lower(root)
                when payload = '{{}}' then 'empty item'
                when item.error is not null and not has_count then 'error row: ' || left(item.error, 200)
                when item.status = 'failed' and not has_count
                    then 'failed row: ' || left(coalesce(item.note, 'no note'), 200)
                when item.type in ('hashtag', 'creator', case when kind = 'videos' then 'sound' else 'video' end)
                    then 'a ' || item.type || ' row of a trends list in a ' || kind || ' feed'
                when kind = 'music' and sound_id is null then 'no sound id'
                when kind = 'videos' and video_id is null then 'no video id'
                when kind = 'videos' and not has_count
                    then 'no counts: a ranking row without plays, likes, shares or comments'
                when kind = 'videos' and not has_momentum_count
                    then 'no usable counts: plays, likes and shares are missing, negative or no numbers'
                -- A spreadsheet or a float parser on the way makes 7.6054e+18 of a 19-digit id: the digits are gone.
                when regexp_matches(coalesce(video_id, sound_id), '^[0-9]+([.][0-9]+([eE][+]?[0-9]+)?|[eE][+][0-9]+)$')
                    then 'the id was rounded to a decimal number'
            end as reason
        from identified
        inner join offered_kinds using (file_index)
        """
    )


def _next_load_id(connection: duckdb.DuckDBPyConnection) -> int:
    # Not a sequence: a rolled-back load must not leave a gap that looks like lost data. The writer lock makes it safe.
    [(load_id,)] = connection.execute("select coalesce(max(load_id), 0) + 1 from raw.loads").fetchall()
    return int(load_id)


@contextmanager
def _globless(path: Path) -> Iterator[Path]:
    """DuckDB reads `*`, `?` and `[` in a path as a pattern: such a file is read through a plainly named copy."""
    if not set("*?[") & set(str(path)):
        yield path
        return
    with tempfile.TemporaryDirectory() as directory:
        copy = Path(directory) / f"feed{''.join(path.suffixes[-2:])}"
        shutil.copyfile(path, copy)
        yield copy


def feed_suffix(path: Path) -> str:
    """`.json`, `.jsonl` or `.csv`, whether compressed or not."""
    return Path(path.stem).suffix if path.suffix == ".gz" else path.suffix


def _naive_utc(moment: datetime) -> datetime:
    """The warehouse's form of a moment: UTC without a zone."""
    if moment.tzinfo is None:
        message = f"a time without a zone cannot be stored: {moment!r}"
        raise ValueError(message)
    return moment.astimezone(UTC).replace(tzinfo=None)
