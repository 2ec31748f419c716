"""Receipts of outward effects: what was done outside, under which key, and what came back.

Belongs here: the receipt, the protocol the delivery rooms are written against, and its DuckDB table. Must not
be here: knowledge of any service. A receipt without a ``remote_id`` or ``digest`` is an intent: the effect was
about to happen. Rooms write the intent before the effect where the effect can't be found by looking.

The table is ``meta.receipts`` of the facts. It is bookkeeping about the outside world, not a mart: it is never
published. Only the copy of the database itself is noted elsewhere, in a file beside it.
"""

import datetime as dt
import json
import os
import threading
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Protocol

import duckdb


@dataclass(frozen=True, slots=True)
class Receipt:
    """One outward effect.

    Attributes:
        idempotency_key: Names the effect; equal for every repeat of it.
        effect: Kind, for example ``drive_file``, ``sheet_rows``, ``discord_message``, ``apify_run``.
        target: Where it went, without secrets (a folder id, a tab name).
        remote_id: The service's id of it; ``None`` while it isn't known.
        digest: Checksum of what was sent (md5 for Drive, else sha256); ``None`` while it isn't done.
        detail: Anything worth showing, JSON-serialisable, without secrets.
        as_of_date: The day it is about.
        created_at: When the receipt was written first, aware UTC; set by the store.
    """

    idempotency_key: str
    effect: str
    target: str
    remote_id: str | None = None
    digest: str | None = None
    detail: Mapping[str, Any] = field(default_factory=dict)
    as_of_date: dt.date | None = None
    created_at: dt.datetime | None = None


# How far a message went that has no id of the service yet. Handed over: it may have arrived or not. Not sent, to be
# sent again: the service has no such message.
HANDED_OVER, NOT_SENT, GIVEN_UP = "handed over", "not sent", "to be sent again"
_MESSAGES = "_message"


def is_message(receipt: Receipt) -> bool:
    """Whether the effect is a message to people."""
    return receipt.effect.endswith(_MESSAGES)


def is_unclear(receipt: Receipt) -> bool:
    """Whether the message of a receipt may have been sent or not: no answer came."""
    return is_message(receipt) and receipt.digest is None and receipt.detail.get("state") == HANDED_OVER


def is_not_sent(receipt: Receipt) -> bool:
    """Whether the message of a receipt was tried and is not in its channel."""
    return is_message(receipt) and receipt.digest is None and receipt.detail.get("state") in (NOT_SENT, GIVEN_UP)


def give_up(receipts: "Receipts", receipt: Receipt) -> None:
    """Takes a message for not sent: the next delivery sends it anew."""
    receipts.save(replace(receipt, remote_id=None, digest=None, detail={"state": GIVEN_UP}))


class Receipts(Protocol):
    """Where receipts are kept. A receipt is durable when ``save`` has returned."""

    def find(self, idempotency_key: str) -> Receipt | None:
        """Returns the receipt of a key, or ``None``."""

    def save(self, receipt: Receipt) -> None:
        """Writes a receipt, replacing an earlier one of the same key; its first ``created_at`` stays."""

    def of_date(self, as_of_date: dt.date) -> list[Receipt]:
        """Returns all receipts of a day, ordered by key."""


class DuckDBReceipts:
    """Receipts in ``meta.receipts`` of the facts; safe to share between threads.

    Args:
        connect: Opens a writing connection to the facts as a context manager. It is called for each operation, so
            that no lock on the database is held while a service is being waited for.
        clock: The present, aware UTC.
    """

    def __init__(
        self,
        connect: Callable[[], AbstractContextManager[duckdb.DuckDBPyConnection]],
        clock: Callable[[], dt.datetime],
    ) -> None:
        self._connect = connect
        self._clock = clock
        self._lock = threading.Lock()

    def find(self, idempotency_key: str) -> Receipt | None:
        """Returns the receipt of a key, or ``None``."""
        found = self._read("idempotency_key = ?", idempotency_key)
        return found[0] if found else None

    def save(self, receipt: Receipt) -> None:
        """Writes a receipt, replacing an earlier one of the same key; its first ``created_at`` stays."""
        with self._lock, self._connect() as connection:
            connection.execute(
                """
                insert into meta.receipts (
                    idempotency_key, effect, target, remote_id, digest, detail, as_of_date, created_at
                ) values (?, ?, ?, ?, ?, ?, ?, ?)
                on conflict (idempotency_key) do update set
                    effect = excluded.effect,
                    target = excluded.target,
                    remote_id = excluded.remote_id,
                    digest = excluded.digest,
                    detail = excluded.detail,
                    as_of_date = excluded.as_of_date
                """,
                [
                    receipt.idempotency_key,
                    receipt.effect,
                    receipt.target,
                    receipt.remote_id,
                    receipt.digest,
                    json.dumps(dict(receipt.detail), ensure_ascii=False, sort_keys=True),
                    receipt.as_of_date,
                    self._clock().astimezone(dt.UTC).replace(tzinfo=None),
                ],
            )

    def of_date(self, as_of_date: dt.date) -> list[Receipt]:
        """Returns all receipts of a day, ordered by key."""
        return self._read("as_of_date = ?", as_of_date)

    def _read(self, condition: str, value: object) -> list[Receipt]:
        with self._lock, self._connect() as connection:
            # The condition is one of the two literals above, the value is bound.
            query = (
                "select idempotency_key, effect, target, remote_id, digest, detail, as_of_date, created_at "
                f"from meta.receipts where {condition} order by idempotency_key"
            )
            rows = connection.execute(query, [value]).fetchall()
        return [
            Receipt(key, effect, target, remote_id, digest, json.loads(detail), date, made.replace(tzinfo=dt.UTC))
            for key, effect, target, remote_id, digest, detail, date, made in rows
        ]


class FileReceipts:
    """Receipts in a small JSON file, for effects that a note in the build database would change: its own copy.

    Args:
        path: The file; it is replaced as a whole.
        clock: The present, aware UTC.
    """

    def __init__(self, path: Path, clock: Callable[[], dt.datetime]) -> None:
        self._path = path
        self._clock = clock

    def find(self, idempotency_key: str) -> Receipt | None:
        """Returns the receipt of a key, or ``None``."""
        return self._read().get(idempotency_key)

    def save(self, receipt: Receipt) -> None:
        """Writes a receipt, replacing an earlier one of the same key; its first ``created_at`` stays."""
        stored = self._read()
        earlier = stored.get(receipt.idempotency_key)
        created_at = earlier.created_at if earlier is not None else None
        stored[receipt.idempotency_key] = replace(receipt, created_at=created_at or self._clock())
        rows = [{name: getattr(kept, name) for name in _FILE_FIELDS} for _, kept in sorted(stored.items())]
        self._path.parent.mkdir(parents=True, exist_ok=True)
        temporary = self._path.with_suffix(".writing")
        with temporary.open("w", encoding="utf-8") as stream:
            json.dump(rows, stream, ensure_ascii=False, indent=1, default=_iso)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(self._path)

    def of_date(self, as_of_date: dt.date) -> list[Receipt]:
        """Returns all receipts of a day, ordered by key."""
        return [kept for _, kept in sorted(self._read().items()) if kept.as_of_date == as_of_date]

    def _read(self) -> dict[str, Receipt]:
        if not self._path.exists():
            return {}
        rows = json.loads(self._path.read_text(encoding="utf-8"))
        for row in rows:
            row["as_of_date"] = dt.date.fromisoformat(row["as_of_date"]) if row["as_of_date"] else None
            row["created_at"] = dt.datetime.fromisoformat(row["created_at"])
        return {row["idempotency_key"]: Receipt(**row) for row in rows}


_FILE_FIELDS = tuple(field.name for field in fields(Receipt))


def _iso(value: object) -> object:
    """Dates, times and mappings as JSON has them."""
    return value.isoformat() if isinstance(value, dt.date) else dict(value)  # type: ignore[call-overload]


@dataclass(frozen=True, slots=True)
class RunRecord:
    """What the ledger knows of a run of an Apify task.

    Attributes:
        key: Names the reading: run key, market, kind and task.
        run_id: Apify's id; ``None`` while a start is under way.
        intended_at: When the start was decided, aware UTC.
        status: ``STARTING`` or the run's last known status.
    """

    key: str
    run_id: str | None
    intended_at: dt.datetime
    status: str


class RunReceipts:
    """Apify run ids kept as receipts: the ledger that ``ingest.apify.fetch_runs`` asks for.

    Args:
        receipts: Where they are kept.
        as_of_date: The day the runs are for.
    """

    def __init__(self, receipts: Receipts, as_of_date: dt.date | None) -> None:
        self._receipts = receipts
        self._as_of_date = as_of_date

    def find(self, key: str) -> RunRecord | None:
        """Returns the record of a key, or ``None``."""
        receipt = self._receipts.find(key)
        if receipt is None:
            return None
        intended_at = dt.datetime.fromisoformat(receipt.detail["intended_at"])
        return RunRecord(key, receipt.remote_id, intended_at, receipt.detail["status"])

    def save(self, record: RunRecord) -> None:
        """Writes a record, replacing the one of the same key."""
        detail = {"intended_at": record.intended_at.isoformat(), "status": record.status}
        self._receipts.save(Receipt(record.key, "apify_run", "apify", record.run_id, None, detail, self._as_of_date))
