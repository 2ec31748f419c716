"""Landing: the only code that writes the raw tables.

Belongs here: what is landed and what goes to quarantine, idempotence, as-of cut-offs. Must not be here: what is in a
file (`readers`, `items`), the tables' definitions (`migrations`), what a value means (staging models), where files come
from (`export_folder`, `apify`, `simulator`), the environment.

Raw is append-only. Files are landed in batches, one transaction each: all of a file's items, or none. How files are
read is `readers`' business, which items are of use `items`'. Landing the same thing twice adds nothing; the same
dataset read again at a later time is kept as a further feed whose load row says which load it repeats.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Iterable, Sequence, Set
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from pathlib import Path

import duckdb

from ingest import items, readers
from warehouse.store import transaction

logger = logging.getLogger(__name__)

# What feeds are of.
KINDS = ("videos", "music")
# Videos that were read again by URL because we asked for them: in no feed, and no list and no trend may count them.
PANEL = "panel"
_TABLES = (*KINDS, PANEL)

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


@dataclass(frozen=True, slots=True)
class FeedFile:
    """One file that holds the items one source saw in one market at one time.

    Attributes:
        path: A .json, .jsonl or .csv file, plain or .gz.
        source: `folder`, `sample` or `apify`.
        market: Upper-case market code, such as `US`.
        kind: `videos`, `music` or `panel`.
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
    file_bytes: int | None
    modified_at: datetime | None
    problem: str | None = None
    content: str | None = None
    told: list[str] = field(default_factory=list)
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
            self.load_id, feed.source, feed.market, feed.kind, readers.shown(feed.path), self.file_bytes,
            self.modified_at, feed.run_id, feed.dataset_id, _naive_utc(feed.observed_at), landed_at,
            self.content_hash, self.items, self.quarantined, self.status, self.repeats, self.reason,
        )  # fmt: skip


def land(
    connection: duckdb.DuckDBPyConnection,
    feeds: Iterable[FeedFile],
    refusals: Sequence[Refusal] = (),
    *,
    source: str = "folder",
    landed_at: datetime | None = None,
    limits: readers.Limits | None = None,
    progress: Callable[[int], object] | None = None,
) -> LandingReport:
    """Lands feed files in the given order and records refusals.

    Args:
        connection: A writer connection.
        feeds: The files; load ids rise in this order, so give them by observation time.
        refusals: Paths that are no feeds; each is recorded once.
        source: Source name that refusals are recorded under.
        landed_at: Aware UTC time written to the envelope; default: now.
        limits: What a file may cost.
        progress: Called with the number of files done since the last call.

    Returns:
        The counts and, by name, everything that could not be read. Bad files never raise.
    """
    moment = _naive_utc(landed_at or datetime.now(UTC))
    known_files = _known_files(connection)
    report = LandingReport()
    for refusal in refusals:
        report.problems.append(f"{readers.shown(refusal.path)}: {refusal.reason}")
        _record_refusal(connection, refusal, source, moment)
    batch: list[_Offered] = []
    batch_bytes = 0
    for feed in feeds:
        report.files += 1
        size, modified_at = _stamp(feed.path)
        earlier = known_files.get((readers.shown(feed.path), size, modified_at))
        if earlier is not None:
            status, reason = earlier
            if status == "unreadable":
                report.problems.append(f"{readers.shown(feed.path)}: {reason}")
            report.known += 1
            if progress:
                progress(1)
            continue
        batch.append(_Offered(feed, size, modified_at))
        batch_bytes += size or 0
        if batch_bytes >= BATCH_BYTES:
            _land_batch(connection, batch, moment, report, limits or readers.Limits())
            if progress:
                progress(len(batch))
            batch, batch_bytes = [], 0
    if batch:
        _land_batch(connection, batch, moment, report, limits or readers.Limits())
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


def decided_dates(connection: duckdb.DuckDBPyConnection) -> set[date]:
    """Dates whose cut-off is stored."""
    return {day for (day,) in connection.execute("select as_of_date from meta.cutoffs").fetchall()}


def last_observed(connection: duckdb.DuckDBPyConnection, as_of_date: date) -> datetime:
    """When the last feed of a date that was landed was observed (aware UTC)."""
    rows = connection.execute(
        "select max(observed_at) from raw.loads where observed_at::date = ? and kind <> ?", [as_of_date, PANEL]
    ).fetchall()
    return rows[0][0].replace(tzinfo=UTC)


def landed_runs(connection: duckdb.DuckDBPyConnection) -> set[str]:
    """Run ids of the sources whose feeds were landed."""
    rows = connection.execute("select distinct run_id from raw.loads where run_id is not null").fetchall()
    return {row[0] for row in rows}


def landed_dates(connection: duckdb.DuckDBPyConnection) -> list[date]:
    """Dates (UTC) that have at least one readable feed, oldest first."""
    rows = connection.execute(
        "select distinct observed_at::date as observed_date from raw.loads"
        " where status in ('landed', 'repeat', 'empty') and observed_at is not null and kind <> ? order by 1",
        [PANEL],
    ).fetchall()
    return [row[0] for row in rows]


def _stamp(path: Path) -> tuple[int | None, datetime | None]:
    """Size and date of change of a file; nothing where it can't be looked at."""
    try:
        stat = path.stat()
    except (OSError, RuntimeError):
        return None, None
    return stat.st_size, datetime.fromtimestamp(stat.st_mtime, UTC).replace(tzinfo=None)


def _known_files(
    connection: duckdb.DuckDBPyConnection,
) -> dict[tuple[str, int | None, datetime | None], tuple[str, str | None]]:
    rows = connection.execute(
        "select file, file_bytes, file_modified_at, status, reason from raw.loads where file_bytes is not null"
    ).fetchall()
    return {(row[0], row[1], row[2]): (row[3], row[4]) for row in rows}


def _record_refusal(connection: duckdb.DuckDBPyConnection, refusal: Refusal, source: str, landed_at: datetime) -> None:
    file = readers.shown(refusal.path)
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
    connection: duckdb.DuckDBPyConnection,
    batch: Sequence[_Offered],
    landed_at: datetime,
    report: LandingReport,
    limits: readers.Limits,
) -> None:
    """Reads the files one by one, then checks and inserts all their items in one transaction."""
    _read_batch(connection, batch, limits)
    _decide(connection, batch, report)
    accepted = [offered for offered in batch if offered.load_id is not None]
    if accepted:
        with transaction(connection):
            _insert_loads(connection, batch, landed_at)
            _insert_items(connection, accepted)
            _insert_unreadable(connection, accepted)
    connection.execute("drop table incoming; drop table incoming_items; drop table offered_files")


def _read_batch(connection: duckdb.DuckDBPyConnection, batch: Sequence[_Offered], limits: readers.Limits) -> None:
    """Brings the items of the files into the temporary tables and judges each."""
    items.create_tables(connection)
    connection.executemany(
        "insert into offered_files values (?, ?, ?)",
        [
            (index, items.judged_as(offered.feed.kind), _naive_utc(offered.feed.observed_at))
            for index, offered in enumerate(batch)
        ],
    )
    for file_index, offered in enumerate(batch):
        reading = readers.read(connection, file_index, offered.feed.path, limits)
        offered.problem, offered.content, offered.told = reading.problem, reading.content, reading.notes
        if offered.problem is not None:
            offered.content_hash = _file_hash(offered.feed.path)
    items.judge(connection)


def _insert_loads(connection: duckdb.DuckDBPyConnection, batch: Sequence[_Offered], landed_at: datetime) -> None:
    """Adds the loads of the accepted files; `accepted` has the load of each by its place in the batch."""
    connection.execute("create or replace temporary table accepted (file_index integer, load_id bigint)")
    accepted = [(index, offered) for index, offered in enumerate(batch) if offered.load_id is not None]
    connection.executemany(
        "insert into accepted values (?, ?)", [(index, offered.load_id) for index, offered in accepted]
    )
    connection.executemany(
        f"insert into raw.loads ({', '.join(_LOAD_COLUMNS)}) values ({', '.join('?' * len(_LOAD_COLUMNS))})",
        [offered.load_row(landed_at) for _, offered in accepted],
    )


def _insert_items(connection: duckdb.DuckDBPyConnection, accepted: Sequence[_Offered]) -> None:
    """Adds each item of the accepted files to the raw table of its kind, or to the quarantine.

    Raises:
        RuntimeError: Other items were kept than were read: the transaction must not stand.
    """
    from_accepted = """
        from incoming
        inner join incoming_items as items on incoming.rowid = items.incoming_row
        inner join accepted on items.file_index = accepted.file_index
        inner join raw.loads as loads using (load_id)
    """
    kept = 0
    for kind in _TABLES:
        kept += _count(
            connection.execute(
                f"""
                insert into raw.tiktok_{kind} ({_ITEM_COLUMNS})
                select
                    loads.load_id, items.item_index, loads.source, loads.market, loads.kind, loads.run_id,
                    loads.dataset_id, loads.observed_at, loads.landed_at, {_ITEM_HASH}, incoming.payload
                {from_accepted}
                where items.reason is null and loads.kind = '{kind}' and loads.status <> 'unreadable'
                """
            )
        )
    kept += _count(
        connection.execute(
            f"""
            insert into raw.quarantine
                (load_id, item_index, source, market, kind, file, observed_at, landed_at, reason, payload)
            select
                loads.load_id, items.item_index, loads.source, loads.market, loads.kind, loads.file,
                loads.observed_at, loads.landed_at, items.reason, incoming.payload
            {from_accepted}
            where items.reason is not null
            order by loads.load_id, items.item_index
            """
        )
    )
    connection.execute("drop table accepted")
    read = sum(offered.items + offered.quarantined for offered in accepted if offered.problem is None)
    if kept != read:
        message = f"{read} items were read and {kept} kept: nothing of these files was landed"
        raise RuntimeError(message)


def _insert_unreadable(connection: duckdb.DuckDBPyConnection, accepted: Sequence[_Offered]) -> None:
    """Adds files that could not be read to the quarantine as a whole."""
    for offered in accepted:
        if offered.problem is not None:
            connection.execute(
                """
                insert into raw.quarantine
                    (load_id, source, market, kind, file, observed_at, landed_at, reason, payload)
                select load_id, source, market, kind, file, observed_at, landed_at, reason, ?
                from raw.loads where load_id = ?
                """,
                [offered.content, offered.load_id],
            )


@dataclass(frozen=True, slots=True)
class _Content:
    """What a file that could be read holds.

    Attributes:
        items: Number of its items.
        rejected: How many of them can't be used.
        digest: Names them, in whatever order: equal items, equal name.
    """

    items: int = 0
    rejected: int = 0
    digest: str = "empty"


# When contents were seen before and by which load: by market, kind and name of the content, the first load first.
_Seen = dict[tuple[str, str, str], list[tuple[datetime, int]]]


def _decide(connection: duckdb.DuckDBPyConnection, batch: Sequence[_Offered], report: LandingReport) -> None:
    """Says for each file of a batch whether it is new, a repeat, known, empty or unreadable, and why."""
    contents = _contents(connection)
    for file_index, offered in enumerate(batch):
        if offered.problem is None:
            offered.content_hash = contents.get(file_index, _Content()).digest
    seen = _seen(connection, {offered.content_hash for offered in batch if offered.content_hash is not None})
    reasons, oddities = items.reasons(connection), items.oddities(connection)
    load_id = _next_load_id(connection)
    for file_index, offered in enumerate(batch):
        feed, observed_at = offered.feed, _naive_utc(offered.feed.observed_at)
        if offered.problem is not None:
            report.problems.append(f"{readers.shown(feed.path)}: {offered.problem}")
        twins = seen.setdefault((feed.market, feed.kind, offered.content_hash or ""), [])
        if any(seen_at == observed_at for seen_at, _ in twins):
            report.known += 1
            continue
        if offered.problem is not None:
            offered.status, offered.reason, offered.quarantined = "unreadable", offered.problem, 1
        else:
            notes = [*oddities.get(file_index, []), *offered.told]
            first_load = twins[0][1] if twins else None
            _describe(offered, contents.get(file_index, _Content()), first_load, reasons.get(file_index, ""), notes)
            _add(report, offered)
        offered.load_id = load_id
        twins.append((observed_at, load_id))
        load_id += 1


def _contents(connection: duckdb.DuckDBPyConnection) -> dict[int, _Content]:
    """What the files of a batch hold, by their place in it; a file without items is not there."""
    return {
        file_index: _Content(*found)
        for file_index, *found in connection.execute(
            f"""
            select
                file_index,
                count(*),
                count(reason),
                md5(concat_ws('|', count(*), sum((digest >> 64)::ubigint), sum((digest & {_LOW_64_BITS})::ubigint)))
            from incoming_items
            group by file_index
            """
        ).fetchall()
    }


def _seen(connection: duckdb.DuckDBPyConnection, digests: Set[str]) -> _Seen:
    """The landed loads of these contents."""
    seen: _Seen = {}
    for market, kind, digest, observed_at, load_id in connection.execute(
        "select market, kind, content_hash, observed_at, load_id from raw.loads"
        " where list_contains(?, content_hash) order by load_id",
        [sorted(digests)],
    ).fetchall():
        seen.setdefault((market, kind, digest), []).append((observed_at, load_id))
    return seen


def _describe(
    offered: _Offered, content: _Content, first_load: int | None, rejected_because: str, notes: Sequence[str]
) -> None:
    """Notes at a file that is landed what it brings and what is odd about it; `first_load` brought the same before."""
    offered.items, offered.quarantined = content.items - content.rejected, content.rejected
    told = list(notes)
    if content.rejected:
        told.insert(0, f"{content.rejected} of {content.items} items rejected: {rejected_because}")
    if content.items == 0:
        offered.status = "empty"
        told.insert(0, "the list is empty")
    elif first_load is not None:
        offered.status, offered.repeats = "repeat", first_load
    offered.reason = "; ".join(filter(None, told)) or None


def _add(report: LandingReport, offered: _Offered) -> None:
    """Counts a file that could be read and was not known."""
    report.items += offered.items
    report.quarantined += offered.quarantined
    report.landed += offered.status == "landed"
    report.repeats += offered.status == "repeat"
    report.empty += offered.status == "empty"
    if offered.reason is not None:
        report.notes.append(f"{readers.shown(offered.feed.path)}: {offered.reason}")


def _file_hash(path: Path) -> str | None:
    """MD5 of a file's bytes: what makes an unreadable file the same one under another name or date of change."""
    if readers.refusal(path) is not None:
        return None
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
    except OSError:
        return None


def _count(inserted: duckdb.DuckDBPyConnection) -> int:
    """Rows that a statement wrote."""
    [(rows,)] = inserted.fetchall()
    return int(rows)


def _next_load_id(connection: duckdb.DuckDBPyConnection) -> int:
    # Not a sequence: a rolled-back load must not leave a gap that looks like lost data. The writer lock makes it safe.
    [(load_id,)] = connection.execute("select coalesce(max(load_id), 0) + 1 from raw.loads").fetchall()
    return int(load_id)


def _naive_utc(moment: datetime) -> datetime:
    """The warehouse's form of a moment: UTC without a zone."""
    if moment.tzinfo is None:
        message = f"a time without a zone cannot be stored: {moment!r}"
        raise ValueError(message)
    return moment.astimezone(UTC).replace(tzinfo=None)
