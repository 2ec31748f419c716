"""Apify: starts or resumes one run per market and kind, waits for it, and saves its items as feed files.

Belongs here: the calls to the Apify API and the decision which run to use. Must not be here: reading items
(`landing` does), the environment, where run ids are kept (a ledger is passed in).

A run costs money, so a run is never started blindly. Before the start an intent is stored, after it the run id,
at once. When a start has no clear answer, or the process died in between, the newest runs of the task are
looked at: a run that began since the intent is ours. An active run of the task is joined instead of starting a
second one beside it. Where a start may still be on its way (no answer in time) and no run is found, nothing is
started: the market is degraded, and the next attempt looks again.

Source: Apify API v2 (OpenAPI document). The token travels in a header, never in an address.
"""

import datetime as dt
import os
import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote

import httpx
from pydantic import SecretStr

from ingest import items
from ingest.export_folder import TIME_FORMAT
from ingest.landing import FeedFile
from services.failures import TIMEOUT, UNREADABLE, Guard
from services.receipts import RunRecord
from services.retries import Effect, Failure, Policy, ServiceError, call, scrub

_SERVICE = "Apify"
STARTING = "STARTING"
"""Status of a ledger record whose run id isn't known."""
ACTIVE = frozenset({"READY", "RUNNING", "TIMING-OUT", "ABORTING"})
FAILED = frozenset({"FAILED", "TIMED-OUT", "ABORTED"})

# Our clock and Apify's differ a little; a run that began this much before the intent still counts as ours.
_CLOCK_DIFFERENCE = dt.timedelta(minutes=2)
_LOOKS_AFTER_UNCLEAR_START = 3
_STARTS = 2
_REMEDIES: Mapping[str | int, str] = {
    401: "Check APIFY_TOKEN",
    402: "The Apify account is out of credit or above its limit: top it up or raise the limit",
    403: "The token may not use this task: check APIFY_TOKEN and the task id",
    404: "Check the task id: the account of this token has no such task or run",
}


@dataclass(frozen=True, slots=True)
class ApifyConfig:
    """How to use Apify.

    Attributes:
        token: API token.
        base_url: Root address of the service.
        timeout_seconds: For connecting and for each read, on top of the time a poll waits on purpose.
        wait_for_finish: Seconds a poll waits at the server for the end of the run, at most 60.
        run_timeout: How long a run is waited for; it is left running then, and resumed by the next attempt.
        reuse_hours: Use the last succeeded run if it finished at most so many hours ago; ``None`` starts anew.
        max_charge_usd: Limit for the cost of each run; ``None`` leaves the task's own.
        page_items: Items read in one request.
        pause_seconds: Wait between looks after an unclear start, and between polls that return at once.
        policy: How long to insist on a call.
    """

    token: SecretStr
    base_url: str = "https://api.apify.com"
    timeout_seconds: float = 30.0
    wait_for_finish: int = 60
    run_timeout: dt.timedelta = dt.timedelta(hours=2)
    reuse_hours: float | None = None
    max_charge_usd: float | None = None
    page_items: int = 1_000
    pause_seconds: float = 5.0
    policy: Policy = field(default_factory=lambda: Policy(attempts=8, wait_max=60.0, give_up_after=300.0))


@dataclass(frozen=True, slots=True)
class ApifyTask:
    """One task to be run.

    Attributes:
        market: Upper-case market code.
        kind: ``videos``, ``music`` or ``panel``.
        task_id: Id, ``user~task`` or ``user/task``.
        item_floor: Fewer usable items than this count as a failed reading.
        input_override: Single input fields that replace the task's, for example the URLs to read. A run that
            somebody else started was asked for something else: none is joined or reused then.
        max_items: Most items that the run may bring and charge; ``None`` leaves the task's own.
        run_timeout: As in `ApifyConfig`, where this task may be waited for less long.
    """

    market: str
    kind: str
    task_id: str
    item_floor: int = 1
    input_override: Mapping[str, Any] | None = None
    max_items: int | None = None
    run_timeout: dt.timedelta | None = None


@dataclass(frozen=True, slots=True)
class FinishedRun:
    """A succeeded run of a task, whoever started it.

    Attributes:
        task: Its task.
        run_id: Apify's id.
        finished_at: Aware UTC: the time of its reading.
    """

    task: ApifyTask
    run_id: str
    finished_at: dt.datetime


class RunLedger(Protocol):
    """Where run ids are kept. Called from several threads; a record is durable when ``save`` has returned."""

    def find(self, key: str) -> RunRecord | None:
        """Returns the record of a key, or ``None``."""

    def save(self, record: RunRecord) -> None:
        """Writes a record, replacing the one of the same key."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """A reading that is on disk.

    Attributes:
        feed: The file, for ``landing``.
        item_count: Lines in it.
        usable_count: Lines that are items of use (`items`).
        was_started: Whether this call started the run; otherwise it was resumed, joined or reused.
    """

    feed: FeedFile
    item_count: int
    usable_count: int
    was_started: bool


@dataclass(frozen=True, slots=True)
class Degraded:
    """A reading that is missing.

    Attributes:
        market: Upper-case market code.
        kind: ``videos`` or ``music``.
        reason: What happened and what to do.
        run_id: The run it is about, if there is one.
    """

    market: str
    kind: str
    reason: str
    run_id: str | None = None


@dataclass(frozen=True, slots=True)
class FetchResult:
    """All readings of one call, in the order of the tasks.

    Attributes:
        fetched: Readings on disk.
        degraded: Readings that are missing.
    """

    fetched: tuple[Fetched, ...]
    degraded: tuple[Degraded, ...]


@dataclass(frozen=True, slots=True)
class RunProgress:
    """Where a reading stands.

    Attributes:
        market: Upper-case market code.
        kind: ``videos`` or ``music``.
        status: The run's status, or ``READING`` while items are read, ``DONE`` or ``DEGRADED`` at the end.
        elapsed_seconds: Since the call began.
        items: Items read so far.
    """

    market: str
    kind: str
    status: str
    elapsed_seconds: float
    items: int = 0


def fetch_runs(
    config: ApifyConfig,
    tasks: Sequence[ApifyTask],
    ledger: RunLedger,
    directory: Path,
    run_key: str,
    *,
    clock: Callable[[], dt.datetime],
    sleep: Callable[[float], None] = time.sleep,
    progress: Callable[[RunProgress], None] | None = None,
) -> FetchResult:
    """Fetches all tasks at the same time; one that fails doesn't stop the others.

    Args:
        config: How to use Apify.
        tasks: What to run.
        ledger: Where run ids are kept, so that a repeat of the same ``run_key`` resumes.
        directory: Feeds go to ``<directory>/<market>/<kind>/<finished at>.jsonl``.
        run_key: Names this occasion, for example the as-of date; a new one means new runs.
        clock: The present, aware UTC.
        sleep: Waits; a simulation passes its own.
        progress: Told whenever something changes, one call at a time.

    Returns:
        What was read and what is missing, with reasons.
    """
    room = _TaskRuns(config, ledger, directory, run_key, clock, sleep, progress)
    results: list[Fetched | Degraded] = []
    with ThreadPoolExecutor(max_workers=max(1, len(tasks)), thread_name_prefix="apify") as pool:
        futures = [pool.submit(room.fetch, task) for task in tasks]
        try:
            results = [future.result() for future in futures]
        finally:
            # Reached early only by an interruption: the threads end at their next request.
            room.close()
    return FetchResult(
        tuple(result for result in results if isinstance(result, Fetched)),
        tuple(result for result in results if isinstance(result, Degraded)),
    )


def finished_runs(config: ApifyConfig, tasks: Sequence[ApifyTask], since: dt.datetime) -> list[FinishedRun]:
    """Lists the newest succeeded runs of the tasks. Starts nothing and costs nothing.

    Args:
        config: How to use Apify.
        tasks: Whose runs.
        since: Aware; runs that finished before are left out.

    Returns:
        At most ten runs a task, oldest first.

    Raises:
        ServiceError: The list can't be read; with the remedy.
    """
    query = {"desc": "1", "limit": "10", "status": "SUCCEEDED"}

    def listed(task: ApifyTask) -> Any:
        return _request(config, client, "list the runs", "GET", f"{_task_path(task)}/runs", query).json()["data"]

    found = []
    with _client(config) as client:
        for task in tasks:
            answer = call(partial(listed, task), Effect.REPEATABLE, config.policy)
            found += [FinishedRun(task, str(run["id"]), _time(run["finishedAt"])) for run in answer["items"]]
    return sorted((run for run in found if run.finished_at >= since), key=lambda run: (run.finished_at, run.run_id))


def fetch_finished(
    config: ApifyConfig,
    runs: Sequence[tuple[ApifyTask, str]],
    directory: Path,
    *,
    clock: Callable[[], dt.datetime],
) -> FetchResult:
    """Reads the datasets of runs that have finished. Starts nothing and costs nothing.

    Args:
        config: How to use Apify.
        runs: Task and run id of each.
        directory: As for `fetch_runs`.
        clock: The present, aware UTC.

    Returns:
        What was read and what is missing, with reasons.
    """
    room = _TaskRuns(config, _NoLedger(), directory, "", clock, time.sleep, None)
    try:
        results = [room.fetch_finished(task, run_id) for task, run_id in runs]
    finally:
        room.close()
    return FetchResult(
        tuple(result for result in results if isinstance(result, Fetched)),
        tuple(result for result in results if isinstance(result, Degraded)),
    )


def check_access(config: ApifyConfig, task: ApifyTask) -> str:
    """Looks whether the token may use a task, without starting it.

    Args:
        config: How to use Apify.
        task: The task.

    Returns:
        The task's name.

    Raises:
        ServiceError: It can't be reached, isn't permitted or doesn't exist; with the remedy.
    """
    with _client(config) as client:
        answer = call(
            lambda: _request(config, client, "look up the task", "GET", _task_path(task)).json(),
            Effect.REPEATABLE,
            config.policy,
        )
    return str(answer["data"]["name"])


class _DegradedError(Exception):
    """Ends the reading of one task; the text is for the user."""


class _NoLedger:
    """The ledger of those who start nothing."""

    def find(self, key: str) -> RunRecord | None:
        return None

    def save(self, record: RunRecord) -> None:
        raise RuntimeError(f"{record.key}: only who may start runs keeps them")


class _TaskRuns:
    """One call of ``fetch_runs``: what its threads share."""

    def __init__(
        self,
        config: ApifyConfig,
        ledger: RunLedger,
        directory: Path,
        run_key: str,
        clock: Callable[[], dt.datetime],
        sleep: Callable[[float], None],
        progress: Callable[[RunProgress], None] | None,
    ) -> None:
        self._config = config
        self._ledger = ledger
        self._directory = directory
        self._run_key = run_key
        self._clock = clock
        self._sleep = sleep
        self._progress = progress
        self._began = clock()
        self._client = _client(config)
        self._progress_lock = threading.Lock()

    def close(self) -> None:
        """Closes the connections; a thread that is still waiting fails at once."""
        self._client.close()

    def fetch(self, task: ApifyTask) -> Fetched | Degraded:
        """Brings one reading to disk, or says why not."""
        record = self._ledger.find(self._key(task))
        run_id = record.run_id if record is not None else None
        try:
            run, was_started = self._run_of(task, record)
            run_id = str(run["id"])
            run = self._wait(task, run)
            fetched = self._download(task, run, was_started)
        except (_DegradedError, ServiceError) as error:
            self._tell(task, "DEGRADED")
            return Degraded(task.market, task.kind, str(error), run_id)
        self._tell(task, "DONE", fetched.item_count)
        return fetched

    def fetch_finished(self, task: ApifyTask, run_id: str) -> Fetched | Degraded:
        """Brings the reading of a run that has succeeded to disk, or says why not."""
        try:
            run = self._run(run_id)
            if run is None or run["status"] != "SUCCEEDED":
                state = "no longer exists" if run is None else f"is {run['status']}"
                raise _DegradedError(f"{_SERVICE}: run {run_id} {state}: only succeeded runs are landed")
            return self._download(task, run, was_started=False)
        except (_DegradedError, ServiceError) as error:
            return Degraded(task.market, task.kind, str(error), run_id)

    def _run_of(self, task: ApifyTask, record: RunRecord | None) -> tuple[dict[str, Any], bool]:
        """The run to read, and whether it was started just now."""
        failed_before = record is not None and record.status in FAILED
        known_failed = [str(record.run_id)] if record is not None and failed_before else []
        if record is not None and record.run_id is not None and not failed_before:
            found = self._run(record.run_id)
            if found is not None:
                return found, False
        if record is not None and record.status == STARTING:
            began = self._look(task, record.intended_at, known_failed)
            if began is not None:
                return self._adopt(task, began, record.intended_at), False
        if self._config.reuse_hours is not None and not task.input_override:
            last = self._last_succeeded(task)
            oldest = self._clock() - dt.timedelta(hours=self._config.reuse_hours)
            if last is not None and _time(last["finishedAt"]) >= oldest:
                return self._adopt(task, last, self._clock()), False
        intended_at = self._clock()
        self._ledger.save(RunRecord(self._key(task), None, intended_at, STARTING))
        return self._start(task, intended_at, known_failed)

    def _start(
        self, task: ApifyTask, intended_at: dt.datetime, known_failed: Collection[str]
    ) -> tuple[dict[str, Any], bool]:
        listed = self._newest(task)
        active = next((run for run in listed if run["status"] in ACTIVE), None)
        if active is not None and not task.input_override:
            return self._adopt(task, active, intended_at), False
        before = {str(run["id"]) for run in listed}.union(known_failed)
        query = {"maxTotalChargeUsd": str(self._config.max_charge_usd)} if self._config.max_charge_usd else {}
        query |= {"maxItems": str(task.max_items)} if task.max_items else {}
        for _ in range(_STARTS):
            try:
                run = call(
                    lambda: self._json(
                        "start the run", "POST", f"{_task_path(task)}/runs", query, dict(task.input_override or {})
                    ),
                    Effect.ONCE,
                    self._config.policy,
                )
                return self._adopt(task, run, intended_at), True
            except ServiceError as error:
                if error.failure is not Failure.UNCLEAR:
                    raise
                problem = error
            for look in range(_LOOKS_AFTER_UNCLEAR_START):
                if look:
                    self._sleep(self._config.pause_seconds)
                found = self._look(task, intended_at, before)
                if found is not None:
                    return self._adopt(task, found, intended_at), True
            if problem.code == TIMEOUT:
                break
        raise _DegradedError(
            f"{problem}. No run was found, and none is started again, because that could be paid twice: "
            "run again later, it looks first"
        )

    def _look(self, task: ApifyTask, intended_at: dt.datetime, not_ours: Collection[str]) -> dict[str, Any] | None:
        """The newest run of the task that began since the intent and hasn't failed."""
        since = intended_at - _CLOCK_DIFFERENCE
        for run in self._newest(task):
            if _time(run["startedAt"]) >= since and run["status"] not in FAILED and run["id"] not in not_ours:
                return run
        return None

    def _newest(self, task: ApifyTask) -> list[dict[str, Any]]:
        listed = self._read("list the runs", f"{_task_path(task)}/runs", {"desc": "1", "limit": "10"})
        return list(listed["items"])

    def _last_succeeded(self, task: ApifyTask) -> dict[str, Any] | None:
        query = {"desc": "1", "limit": "1", "status": "SUCCEEDED"}
        items = self._read("list the runs", f"{_task_path(task)}/runs", query)["items"]
        return dict(items[0]) if items else None

    def _adopt(self, task: ApifyTask, run: dict[str, Any], intended_at: dt.datetime) -> dict[str, Any]:
        """Stores the id before anything else is done with the run."""
        self._ledger.save(RunRecord(self._key(task), str(run["id"]), intended_at, str(run["status"])))
        return run

    def _run(self, run_id: str, wait: int = 0) -> dict[str, Any] | None:
        query = {"waitForFinish": str(wait)} if wait else {}
        try:
            return dict(self._read("poll the run", f"/v2/actor-runs/{quote(run_id, safe='')}", query, wait))
        except ServiceError as error:
            if error.status == 404:
                return None
            raise

    def _wait(self, task: ApifyTask, run: dict[str, Any]) -> dict[str, Any]:
        """Polls until the run has ended."""
        patience = task.run_timeout or self._config.run_timeout
        deadline = self._clock() + patience
        run_id = str(run["id"])
        while run["status"] in ACTIVE:
            self._tell(task, str(run["status"]))
            asked_at = self._clock()
            if asked_at >= deadline:
                hours = patience.total_seconds() / 3600
                raise _DegradedError(
                    f"{_SERVICE}: run {run_id} has not finished after {hours:g} h. It goes on, and the next "
                    "attempt reads it"
                )
            polled = self._run(run_id, self._config.wait_for_finish)
            if polled is None:
                raise _DegradedError(f"{_SERVICE}: run {run_id} no longer exists. Run again to start another")
            run = polled
            if run["status"] in ACTIVE and (self._clock() - asked_at).total_seconds() < 1:
                self._sleep(self._config.pause_seconds)  # a server that doesn't wait must not be hammered
        record = self._ledger.find(self._key(task))
        intended_at = record.intended_at if record is not None else self._began
        self._adopt(task, run, intended_at)
        if run["status"] != "SUCCEEDED":
            said = scrub(str(run.get("statusMessage") or ""), [self._config.token])
            raise _DegradedError(
                f"{_SERVICE}: run {run_id} ended as {run['status']}{': ' + said if said else ''}. "
                "Look at it in the Apify console; a repeat starts a new run"
            )
        return run

    def _download(self, task: ApifyTask, run: dict[str, Any], was_started: bool) -> Fetched:
        """Writes the dataset as JSON lines; the file appears under its name only when it is complete."""
        finished_at = _time(run["finishedAt"])
        folder = self._directory / task.market.lower() / task.kind
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{finished_at.strftime(TIME_FORMAT)}.jsonl"
        part = path.with_name(f".{path.name}.part")
        try:
            total, usable, why = self._items(task, str(run["defaultDatasetId"]), part)
            if usable < task.item_floor and self._clock() - finished_at < dt.timedelta(seconds=30):
                # A dataset's count may lag some seconds behind the end of the run.
                self._sleep(self._config.pause_seconds)
                total, usable, why = self._items(task, str(run["defaultDatasetId"]), part)
            if usable < task.item_floor:
                raise _DegradedError(
                    f"{_SERVICE}: run {run['id']} succeeded with {usable} usable items of {total}; at least "
                    f"{task.item_floor} are expected{f' ({why})' if why else ''}. Look at the task's input in the Apify"
                    " console"
                )
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
        feed = FeedFile(
            path, "apify", task.market, task.kind, finished_at, str(run["id"]), str(run["defaultDatasetId"])
        )
        return Fetched(feed, total, usable, was_started)

    def _items(self, task: ApifyTask, dataset_id: str, part: Path) -> tuple[int, int, str]:
        """Writes the items; returns how many there are, how many are of use, and why the others are not."""
        offset = 0
        with part.open("wb") as target:
            while True:
                content, count, total = self._page(dataset_id, offset)
                lines = content.splitlines()
                target.writelines(line + b"\n" for line in lines)
                offset += count
                self._tell(task, "READING", offset)
                if offset >= total:
                    break
            target.flush()
            os.fsync(target.fileno())
        return offset, *items.count_usable(part, task.kind)

    def _page(self, dataset_id: str, offset: int) -> tuple[bytes, int, int]:
        """One page: lines, how many, and how many there are in all."""
        path = f"/v2/datasets/{quote(dataset_id, safe='')}/items"
        query = {"format": "jsonl", "offset": str(offset), "limit": str(self._config.page_items)}

        def read() -> tuple[bytes, int, int]:
            answer = _request(self._config, self._client, "read the items", "GET", path, query)
            try:
                count = int(answer.headers["X-Apify-Pagination-Count"])
                total = int(answer.headers["X-Apify-Pagination-Total"])
            except (KeyError, ValueError):
                count = total = -1
            complete = count == len(answer.content.splitlines()) and (count > 0 or offset >= total)
            if not complete:
                raise ServiceError(_SERVICE, "read the items", Failure.UNCLEAR, "the page is not what its headers say")
            return answer.content, count, total

        return call(read, Effect.REPEATABLE, self._config.policy)

    def _read(self, action: str, path: str, query: Mapping[str, str], wait: int = 0) -> Any:
        return call(lambda: self._json(action, "GET", path, query, None, wait), Effect.REPEATABLE, self._config.policy)

    def _json(
        self,
        action: str,
        method: str,
        path: str,
        query: Mapping[str, str],
        body: Mapping[str, Any] | None = None,
        wait: int = 0,
    ) -> Any:
        answer = _request(self._config, self._client, action, method, path, query, body, wait)
        try:
            return answer.json()["data"]
        except (ValueError, KeyError, TypeError):
            pass
        # A start whose answer can't be read has started all the same.
        raise ServiceError(_SERVICE, action, Failure.UNCLEAR, UNREADABLE)

    def _key(self, task: ApifyTask) -> str:
        return f"apify:{self._run_key}:{task.market}:{task.kind}:{task.task_id}"

    def _tell(self, task: ApifyTask, status: str, items: int = 0) -> None:
        if self._progress is not None:
            elapsed = (self._clock() - self._began).total_seconds()
            with self._progress_lock:
                self._progress(RunProgress(task.market, task.kind, status, elapsed, items))


def _client(config: ApifyConfig) -> httpx.Client:
    headers = {"Authorization": f"Bearer {config.token.get_secret_value()}"}
    return httpx.Client(base_url=config.base_url, headers=headers, timeout=config.timeout_seconds)


def _request(
    config: ApifyConfig,
    client: httpx.Client,
    action: str,
    method: str,
    path: str,
    query: Mapping[str, str] | None = None,
    body: Mapping[str, Any] | None = None,
    wait: int = 0,
) -> httpx.Response:
    """Sends one request; every failure comes out as ``ServiceError`` without address or headers."""
    timeout = httpx.Timeout(config.timeout_seconds, read=config.timeout_seconds + wait)

    def send() -> httpx.Response:
        answer = client.request(method, path, params=dict(query or {}), json=body, timeout=timeout)
        return answer.raise_for_status()

    return Guard(_SERVICE, lambda: [config.token], config.policy, _REMEDIES).once(action, send)


def _task_path(task: ApifyTask) -> str:
    return f"/v2/actor-tasks/{quote(task.task_id.replace('/', '~'), safe='~')}"


def _time(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text).astimezone(dt.UTC)
