"""Revenue of the user's templates: the live sheet, else its cache, else the entries shipped with the program.

Belongs here: reading the tab by header names, what makes a reading suspicious, the fallback chain, landing a reading.
Must not be here: what an amount looks like (`sheet_values`), what revenue means (models), writing to any sheet: the
token asked for can't write, so Google itself would refuse it.

A reading is kept whole: rows in the sheet's order, unreadable ones in quarantine with the reason, and every cell as
it was displayed. Readings with equal content share their rows.
"""

from __future__ import annotations

import csv
import hashlib
import json
import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb

from ingest.revenue_columns import ADDED, HEADERS, READ, REQUIRED, TAB
from ingest.sheet_values import CellValue, Conventions, UnreadableError, conventions, count, day, is_blank, money
from services.google_auth import SCOPE_SHEETS_READ, GoogleConfig, sign_in
from services.retries import Policy, ServiceError
from services.sheets_client import HEADER_SEARCH_ROWS, connect, first_rows, normal, read_ranges, whole_columns

SHEET, CACHE, SEED = "sheet", "cache", "seed"

# The tab's headers in the order users know.
COLUMNS = tuple(column.header for column in TAB)
ENTERED_COLUMNS = tuple(column.header for column in TAB if column.kind != "formula")
REQUIRED_COLUMNS = tuple(HEADERS[name] for name in REQUIRED)

_READ_HEADERS = frozenset(column.header for column in READ)

# Every handle of the simulator starts so: entries that are all theirs are simulated.
SIMULATED_PREFIX = "sim."

_SERVICE = "Revenue sheet"
_VIDEO_ID = re.compile(r"/(?:video|photo)/(\d+)")
_POST_LINK = re.compile(r"tiktok\.com/|/(?:video|photo)/\d", re.IGNORECASE)
_AGE = re.compile(r"(?<=\d)\s*(?:h|hrs?|hours?)\s*$", re.IGNORECASE)


class RevenueReadError(ValueError):
    """A reading that can't be trusted; the message says why."""


@dataclass(frozen=True, slots=True)
class RevenueSheetConfig:
    """Which sheet, and how to reach it.

    Attributes:
        spreadsheet_id: From the sheet's address.
        google: How to sign in.
        tab: Name of the tab.
        endpoint: Root address of the service.
        timeout_seconds: For connecting and for each read.
        policy: How long to insist.
    """

    spreadsheet_id: str
    google: GoogleConfig
    tab: str = "REVENUE_TRACKER"
    endpoint: str = "https://sheets.googleapis.com/"
    timeout_seconds: float = 30.0
    policy: Policy = field(default_factory=Policy)


@dataclass(frozen=True, slots=True)
class RevenueRow:
    """A row of the tab.

    Attributes:
        sheet_row: Row number in the sheet, from 1.
        entered: Every cell as displayed, in the order of `COLUMNS`; formula columns are empty.
        url: Link to the post.
        account: Handle.
        template_link: Link to the template.
        received: Dollars received.
        estimated: Dollars estimated by the user.
        us_eu3_installs: Installs in the US and the three large EU countries.
        row_installs: Installs elsewhere.
        trend_description: Free text.
        momentum_at_detection: Momentum points when the trend was found.
        trigger_level: As entered.
        action_window: As entered.
        market: As entered.
        ai_category: As entered.
        age_at_detection_hours: Age of the trend's video when it was found.
        first_seen_on: Date the template was first seen.
        notes: Free text.
        tutorial_link: Link to the tutorial, from a column that the user added.
        post_date: Day of the post, from a column that the user added.
        problem: Why the row can't be counted; None if it can.
    """

    sheet_row: int
    entered: tuple[str, ...]
    url: str | None = None
    account: str | None = None
    template_link: str | None = None
    received: Decimal | None = None
    estimated: Decimal | None = None
    us_eu3_installs: int | None = None
    row_installs: int | None = None
    trend_description: str | None = None
    momentum_at_detection: float | None = None
    trigger_level: str | None = None
    action_window: str | None = None
    market: str | None = None
    ai_category: str | None = None
    age_at_detection_hours: float | None = None
    first_seen_on: date | None = None
    notes: str | None = None
    tutorial_link: str | None = None
    post_date: date | None = None
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class RevenueReading:
    """All rows of one reading, and where they come from.

    Attributes:
        source: `sheet`, `cache` or `seed`.
        observed_at: When the sheet was read (aware UTC); None for the seed.
        locale: The sheet's locale.
        time_zone: The sheet's time zone.
        columns: Known columns that the sheet has, in its order.
        rows: Rows in the sheet's order, unreadable ones included.
        notes: Oddities worth naming, each with its row.
        failure: Why a better source wasn't used; empty if this is the best.
    """

    source: str
    observed_at: datetime | None
    locale: str
    time_zone: str
    columns: tuple[str, ...]
    rows: tuple[RevenueRow, ...]
    notes: tuple[str, ...] = ()
    failure: str = ""

    @property
    def readable(self) -> tuple[RevenueRow, ...]:
        """Rows that count."""
        return tuple(row for row in self.rows if row.problem is None)

    @property
    def problems(self) -> tuple[str, ...]:
        """One line for each row in quarantine."""
        return tuple(f"row {row.sheet_row}: {row.problem}" for row in self.rows if row.problem is not None)

    @property
    def total(self) -> Decimal:
        """Dollars received over all readable rows."""
        return sum((row.received for row in self.readable if row.received is not None), Decimal(0))

    @property
    def is_simulated(self) -> bool:
        """Whether these are the entries shipped with the program."""
        return self.source == SEED and all((row.account or "").startswith(SIMULATED_PREFIX) for row in self.rows)

    def age_hours(self, now: datetime) -> float | None:
        """Hours since the sheet was read; None for the seed."""
        return None if self.observed_at is None else (now - self.observed_at).total_seconds() / 3600

    def summary(self, now: datetime) -> str:
        """One line for people."""
        age = self.age_hours(now)
        origin = {
            SHEET: "live sheet",
            CACHE: f"cache of the sheet, {age or 0:.1f} h old",
            SEED: "SAMPLE entries shipped with the program" if self.is_simulated else "seed file",
        }[self.source]
        text = f"{origin}: {len(self.readable)} rows, ${self.total:,.2f} received"
        if self.problems:
            text += f", {len(self.problems)} rows unreadable"
        return f"{text} ({self.failure})" if self.failure else text


def read_revenue(
    config: RevenueSheetConfig | None, cache_path: Path, seed_path: Path, *, now: datetime
) -> RevenueReading:
    """Reads revenue from the best source there is: sheet, cache, seed.

    Args:
        config: The live sheet; None if none is set.
        cache_path: Where the last good reading of the sheet is kept; replaced after a good reading only.
        seed_path: CSV with the tab's columns.
        now: Aware time of the reading.

    Returns:
        The reading; `failure` says why it is not from the sheet.

    Raises:
        RevenueReadError: Even the seed file can't be read.
    """
    cached, cache_problem = _cache_or_problem(cache_path)
    failure = "no sheet is set (REVENUE_SHEET_ID)"
    if config is not None:
        try:
            reading = read_sheet(config, now=now)
            check_against(reading, cached)
            reading = replace(reading, notes=(*reading.notes, *_fall(reading, cached)))
        except (ServiceError, RevenueReadError) as error:
            failure = str(error)
        else:
            write_cache(cache_path, reading)
            return reading
    if cached is not None:
        return replace(cached, source=CACHE, failure=failure)
    return replace(read_seed(seed_path), failure="; ".join(filter(None, (failure, cache_problem))))


def read_sheet(config: RevenueSheetConfig, *, now: datetime) -> RevenueReading:
    """Reads the tab with a token that can't write.

    Args:
        config: Which sheet.
        now: Aware time of the reading.

    Raises:
        ServiceError: The sheet can't be reached, or the sign-in was refused.
        RevenueReadError: The tab or a required header is missing or stands twice, or columns moved while reading.
    """
    session = sign_in(config.google, [SCOPE_SHEETS_READ])
    guard = session.guard(_SERVICE, config.policy)
    client = connect(session, config.endpoint, config.timeout_seconds)

    def read(ranges: list[str], render: str, dimension: str) -> list[list[list[Any]]]:
        return guard.run("read the tab", lambda: read_ranges(client, config.spreadsheet_id, ranges, render, dimension))

    metadata = guard.run(
        "open the spreadsheet",
        lambda: client.fetch_sheet_metadata(
            config.spreadsheet_id,
            {"fields": "properties(locale,timeZone),sheets(properties(title,gridProperties(rowCount)))"},
        ),
    )
    tabs = {normal(sheet["properties"]["title"]): sheet["properties"] for sheet in metadata["sheets"]}
    if normal(config.tab) not in tabs:
        raise RevenueReadError(f"the spreadsheet has no tab {config.tab}")
    title, grid = tabs[normal(config.tab)]["title"], tabs[normal(config.tab)]["gridProperties"]
    heads = read([first_rows(title, grid["rowCount"])], "FORMULA", "ROWS")[0]
    header_row, places = find_columns(heads)
    names = [name for name in places if name in _READ_HEADERS]
    ranges = whole_columns(title, *(places[name] for name in names))
    grids = {}
    for render in ("UNFORMATTED_VALUE", "FORMATTED_VALUE"):
        columns = read(ranges, render, "COLUMNS")
        grids[render] = {name: column[0] if column else [] for name, column in zip(names, columns, strict=True)}
        for name, column in grids[render].items():
            head = column[header_row] if header_row < len(column) else ""
            if _column_of(head) != name:
                raise RevenueReadError("columns were moved while the tab was read: it is read again by the next run")
    properties = metadata["properties"]
    return parse_rows(
        grids["UNFORMATTED_VALUE"], grids["FORMATTED_VALUE"], header_row,
        RevenueReading(
            SHEET, now, properties["locale"], properties["timeZone"], tuple(names), (),
            tuple(ignored_columns(heads[header_row], places)),
        ),
    )  # fmt: skip


def find_columns(rows: Sequence[Sequence[Any]]) -> tuple[int, dict[str, int]]:
    """Finds the header row and the place of each known column.

    Args:
        rows: The first rows of the tab.

    Returns:
        Index of the header row and index of each column by its name in `COLUMNS`, both from 0.

    Raises:
        RevenueReadError: A required header is missing, or a known one stands twice.
    """
    known = [len({_column_of(cell) for cell in row} - {None}) for row in rows]
    header_row = known.index(max(known)) if any(known) else None
    header = rows[header_row] if header_row is not None else []
    places: dict[str, int] = {}
    # A column of the exact name is that column, and what only sounds like it (Date, Notes, Trend) is the user's own.
    exact = {normal(cell) for cell in header} & _EXACT.keys()
    for place, cell in enumerate(header):
        name = _column_of(cell)
        if name is None or (normal(name) in exact and normal(cell) != normal(name)):
            continue
        if name in places:
            raise RevenueReadError(f"the header {name} stands twice: rename one of the two columns")
        places[name] = place
    missing = [name for name in REQUIRED_COLUMNS if name not in places]
    if header_row is None or missing:
        raise RevenueReadError(f"the header {' and '.join(missing)} is missing: was the column renamed?")
    return header_row, places


def ignored_columns(header: Sequence[Any], places: Mapping[str, int]) -> list[str]:
    """One line for each column that sounds like one of the tab's beside the one of that name."""
    return [
        f"the column {str(cell).strip()} is not read: {name} stands there too"
        for place, cell in enumerate(header)
        if (name := _column_of(cell)) is not None and places.get(name) != place
    ]


def parse_rows(
    unformatted: Mapping[str, Sequence[CellValue]],
    formatted: Mapping[str, Sequence[CellValue]],
    header_row: int,
    reading: RevenueReading,
) -> RevenueReading:
    """Turns columns of cells into rows.

    Args:
        unformatted: Values by column name, whole columns from the first row on.
        formatted: The same as displayed.
        header_row: Index of the header row, from 0.
        reading: Everything but the rows.

    Returns:
        The reading with its rows. Blank rows are passed over; a row without a link to a post (a total, a heading) or
        with an unreadable amount received has a problem. Another unreadable cell is missed alone.
    """
    rules = conventions(reading.locale)
    rows: list[RevenueRow] = []
    notes: list[str] = []
    lengths = [len(column) for column in unformatted.values()]
    for index in range(header_row + 1, max(lengths, default=0)):
        values = {name: column[index] if index < len(column) else None for name, column in unformatted.items()}
        if all(is_blank(value) for value in values.values()):
            continue
        texts = {name: str(column[index]) if index < len(column) else "" for name, column in formatted.items()}
        rows.append(_row(index + 1, values, texts, rules, notes))
    return replace(reading, rows=tuple(rows), notes=(*reading.notes, *notes, *_duplicates(rows)))


def check_against(reading: RevenueReading, cached: RevenueReading | None) -> None:
    """Compares a reading with the last good one.

    Raises:
        RevenueReadError: It has no rows, or none that can be read, where there were some, or a header is gone: it must
            not replace the other.
    """
    if cached is None:
        return
    gone = [name for name in cached.columns if name not in reading.columns]
    if gone:
        raise RevenueReadError(f"the header {' and '.join(gone)} is gone since the last reading: was it renamed?")
    if cached.rows and not reading.rows:
        raise RevenueReadError(f"the tab is empty, and there were {len(cached.rows)} rows at the last reading")
    if cached.readable and not reading.readable:
        raise RevenueReadError(
            f"no readable row, and there were {len(cached.readable)} at the last reading ({reading.problems[0]})"
        )


def _fall(reading: RevenueReading, cached: RevenueReading | None) -> tuple[str, ...]:
    """Says so where the total lost more than half since the last reading: somebody cleared or moved a column."""
    if cached is None or 2 * reading.total >= cached.total:
        return ()
    return (f"the total fell from ${cached.total:,.2f} to ${reading.total:,.2f} since the last reading",)


def write_cache(path: Path, reading: RevenueReading) -> None:
    """Keeps a good reading, atomically: a reader sees the old file or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    content = {
        "observed_at": reading.observed_at.isoformat() if reading.observed_at else None,
        "locale": reading.locale,
        "time_zone": reading.time_zone,
        "columns": list(reading.columns),
        "notes": list(reading.notes),
        "rows": [_as_json(row) for row in reading.rows],
    }
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    with temporary.open("w", encoding="utf-8") as stream:
        json.dump(content, stream, ensure_ascii=False, indent=1)
        stream.flush()
        os.fsync(stream.fileno())
    temporary.replace(path)


def read_cache(path: Path) -> RevenueReading:
    """The last good reading.

    Raises:
        RevenueReadError: The file is damaged.
        FileNotFoundError: There is none yet.
    """
    text = path.read_text(encoding="utf-8")
    try:
        content = json.loads(text)
        return RevenueReading(
            CACHE,
            datetime.fromisoformat(content["observed_at"]),
            content["locale"],
            content["time_zone"],
            tuple(content["columns"]),
            tuple(_from_json(row) for row in content["rows"]),
            tuple(content["notes"]),
        )
    except (ValueError, KeyError, TypeError, ArithmeticError) as error:
        raise RevenueReadError(f"{path.name} is damaged ({type(error).__name__}): delete it") from None


def read_seed(path: Path) -> RevenueReading:
    """The entries of a CSV with the tab's header; amounts and dates as in an American sheet, or ISO dates.

    Raises:
        RevenueReadError: The file is missing or lacks a required column.
    """
    if not path.exists():
        raise RevenueReadError(f"{path} does not exist: restore it, or set REVENUE_SHEET_ID")
    with path.open(encoding="utf-8-sig", newline="") as stream:
        lines = list(csv.reader(stream))
    header_row, places = find_columns(lines[:HEADER_SEARCH_ROWS])
    columns = {
        name: [line[place] if place < len(line) else "" for line in lines]
        for name, place in places.items()
        if name in _READ_HEADERS
    }
    notes = tuple(ignored_columns(lines[header_row], places))
    return parse_rows(
        columns, columns, header_row, RevenueReading(SEED, None, "en_US", "Etc/GMT", tuple(columns), (), notes)
    )


def content_hash(reading: RevenueReading) -> str:
    """Names what the rows say (sha256): two readings with the same name hold the same revenue."""
    content = [reading.locale, [_as_json(row) for row in reading.rows]]
    return hashlib.sha256(json.dumps(content, ensure_ascii=False).encode()).hexdigest()


def renew_cutoffs(connection: duckdb.DuckDBPyConnection, as_of_dates: Sequence[date], *, now: datetime) -> None:
    """Lets dates see the revenue known at `now`: stored, so that a repeat of such a date reads the same.

    Args:
        connection: A writer connection.
        as_of_dates: The dates.
        now: Aware time.
    """
    connection.executemany(
        "insert or replace into meta.revenue_cutoffs (as_of_date, cutoff_at) values (?, ?)",
        [(day, _naive(now)) for day in as_of_dates],
    )


def land_revenue(connection: duckdb.DuckDBPyConnection, reading: RevenueReading, *, attempted_at: datetime) -> int:
    """Lands a reading: a row for the attempt, and its rows unless an earlier reading holds the same ones.

    Args:
        connection: A writer connection.
        reading: What was read.
        attempted_at: Aware time of the attempt: from then on the reading is known.

    Returns:
        The reading's id.
    """
    moment, observed_at = _naive(attempted_at), _naive(reading.observed_at) if reading.observed_at else None
    digest = content_hash(reading)
    read_id = connection.execute("select coalesce(max(read_id), 0) + 1 from raw.revenue_reads").fetchall()[0][0]
    same = connection.execute("select min(read_id) from raw.revenue_reads where content_hash = ?", [digest]).fetchall()[
        0
    ][0]
    connection.begin()
    try:
        connection.execute(
            "insert into raw.revenue_reads (read_id, attempted_at, source, observed_at, is_simulated, locale,"
            " time_zone, content_hash, row_count, quarantined_count, rows_read_id, failure, notes)"
            f" values ({', '.join('?' * 13)})",
            [
                read_id, moment, reading.source, observed_at, reading.is_simulated, reading.locale, reading.time_zone,
                digest, len(reading.readable), len(reading.problems), same or read_id, reading.failure,
                "\n".join(reading.notes),
            ],
        )  # fmt: skip
        if same is None:
            _land_rows(connection, read_id, reading)
        connection.commit()
    except BaseException:
        connection.rollback()
        raise
    return int(read_id)


def _land_rows(connection: duckdb.DuckDBPyConnection, read_id: int, reading: RevenueReading) -> None:
    names = [column.name for column in READ]
    readable = [
        (
            read_id, row.sheet_row, _video_id(row.url), *(getattr(row, name) for name in names),
            json.dumps(row.entered, ensure_ascii=False),
        )
        for row in reading.readable
    ]  # fmt: skip
    unreadable = [
        (read_id, row.sheet_row, row.problem, json.dumps(row.entered, ensure_ascii=False))
        for row in reading.rows
        if row.problem is not None
    ]
    if readable:
        connection.executemany(
            f"insert into raw.revenue_rows (read_id, sheet_row, video_id, {', '.join(names)}, entered)"
            f" values ({', '.join('?' * len(readable[0]))})",
            readable,
        )
    if unreadable:
        connection.executemany(
            "insert into raw.revenue_quarantine (read_id, sheet_row, problem, entered) values (?, ?, ?, ?)", unreadable
        )


def _row(
    sheet_row: int,
    values: Mapping[str, CellValue],
    texts: Mapping[str, str],
    rules: Conventions,
    notes: list[str],
) -> RevenueRow:
    problems: list[str] = []

    def side(name: str, parse: Callable[[CellValue, Conventions], Any]) -> Any:
        # Unreadable, it is missed, but costs nobody the row's money.
        try:
            return parse(values.get(name), rules)
        except UnreadableError as error:
            notes.append(f"row {sheet_row}: {name}: {error}")
            return None

    def amount(name: str) -> Decimal | None:
        if name in REQUIRED_COLUMNS:
            try:
                found = money(values.get(name), rules)
            except UnreadableError as error:
                problems.append(f"{name}: {error}")
                return None
        else:
            found = side(name, money)
        if found is not None and found.sign not in ("", "$"):
            notes.append(f"row {sheet_row}: {name} is entered in {found.sign} and counted as it stands")
        return found.amount if found is not None else None

    def text(name: str) -> str | None:
        value = values.get(name)
        shown = value if isinstance(value, str) else texts.get(name, "")
        return shown.strip() or None

    def detail(name: str) -> float | None:
        found = side(name, lambda value, _: money(_AGE.sub("", value) if isinstance(value, str) else value, rules))
        return float(found.amount) if found is not None else None

    read: Mapping[str, Callable[[str], Any]] = {
        "text": text,
        "money": amount,
        "count": lambda name: side(name, count),
        "number": detail,
        "day": lambda name: side(name, day),
    }
    row = RevenueRow(
        sheet_row,
        tuple(texts.get(column.header, "") if column.kind != "formula" else "" for column in TAB),
        **{column.name: read[column.kind](column.header) for column in READ},
    )
    if not _POST_LINK.search(row.url or ""):
        # Its money may be the sum of the rows above.
        problems.insert(0, "no TikTok URL: not counted")
    return replace(row, problem="; ".join(problems)) if problems else row


def _duplicates(rows: Sequence[RevenueRow]) -> list[str]:
    places: dict[str, list[int]] = {}
    for row in rows:
        if row.url is not None and row.problem is None:
            places.setdefault(_video_id(row.url) or _normal_url(row.url), []).append(row.sheet_row)
    return [
        f"rows {', '.join(map(str, same))} have the same TikTok URL: each is counted"
        for same in places.values()
        if len(same) > 1
    ]


def _video_id(url: str | None) -> str | None:
    match = _VIDEO_ID.search(url or "")
    return match[1] if match else None


def _normal_url(url: str) -> str:
    return url.split("?")[0].split("#")[0].rstrip("/").casefold()


def _cache_or_problem(path: Path) -> tuple[RevenueReading | None, str]:
    try:
        return read_cache(path), ""
    except FileNotFoundError:
        return None, ""
    except RevenueReadError as error:
        return None, str(error)


def _column_of(cell: object) -> str | None:
    return _NAMES.get(normal(cell))


_EXACT = {normal(column.header): column.header for column in (*TAB, *ADDED)}
_NAMES = {normal(name): column.header for column in (*TAB, *ADDED) for name in (column.header, *column.aliases)}


def _naive(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(tzinfo=None)


def _as_json(row: RevenueRow) -> dict[str, Any]:
    values = {name: getattr(row, name) for name in RevenueRow.__slots__}
    return {
        name: str(value) if isinstance(value, Decimal | date) else list(value) if isinstance(value, tuple) else value
        for name, value in values.items()
        if value is not None
    }


def _from_json(values: Mapping[str, Any]) -> RevenueRow:
    typed: dict[str, Any] = dict(values) | {"entered": tuple(values["entered"])}
    parse: Mapping[str, Callable[[str], Any]] = {"money": Decimal, "day": date.fromisoformat}
    for column in READ:
        if column.kind in parse and column.name in typed:
            typed[column.name] = parse[column.kind](typed[column.name])
    return RevenueRow(**typed)
