"""Apify v2 as far as the source uses it, in simulated time."""

import datetime as dt
import json
import threading
from dataclasses import dataclass, field
from typing import Any

from apify_client import _models as models

from tests.service.contract import OutsideContractError
from tests.service.messages import Answer, Request, of_json

START = dt.datetime(2026, 1, 5, 9, 0, tzinfo=dt.UTC)


class Clock:
    """Time that passes only when somebody waits."""

    def __init__(self, now: dt.datetime = START) -> None:
        self._now = now
        self._lock = threading.Lock()

    def now(self) -> dt.datetime:
        """The present."""
        with self._lock:
            return self._now

    def sleep(self, seconds: float) -> None:
        """Lets time pass."""
        self.advance_to(self.now() + dt.timedelta(seconds=seconds))

    def advance_to(self, moment: dt.datetime) -> None:
        """Lets time pass until a moment, unless it is later already."""
        with self._lock:
            self._now = max(self._now, moment)


@dataclass
class Task:
    """How runs of a task go.

    Attributes:
        task_id: Id.
        items: What a run brings.
        seconds: How long it takes.
        outcome: Its last status.
        message: Its status message.
        has_credit: Whether it may be started.
        pages: What stands at each address, of an actor that reads URLs; at any other one there is no post.
    """

    task_id: str
    items: list[Any] = field(default_factory=list)
    seconds: float = 600.0
    outcome: str = "SUCCEEDED"
    message: str = "done"
    has_credit: bool = True
    pages: dict[str, Any] | None = None


@dataclass
class Run:
    """One run."""

    run_id: str
    task: Task
    started_at: dt.datetime
    outcome: str
    input_override: dict[str, Any]
    query: dict[str, str]

    @property
    def ends_at(self) -> dt.datetime:
        return self.started_at + dt.timedelta(seconds=self.task.seconds)

    def status(self, now: dt.datetime) -> str:
        return self.outcome if now >= self.ends_at else "RUNNING"


class Apify:
    """Tasks, runs and datasets of one account.

    Attributes:
        token: The account's token.
        tasks: By id.
        runs: By id, in order of start.
        page_limit: Most items the server gives out at once.
        missing_at_end: Items that a dataset doesn't show in its first read after the end.
    """

    def __init__(self) -> None:
        self.token = "apify-token-1"
        self.clock = Clock()
        self.tasks: dict[str, Task] = {}
        self.runs: dict[str, Run] = {}
        self.page_limit = 1_000
        self.missing_at_end = 0

    def add_task(self, task_id: str, items: list[Any], **settings: Any) -> Task:
        """Puts a task there."""
        self.tasks[task_id] = Task(task_id, items, **settings)
        return self.tasks[task_id]

    def start(self, task_id: str, **changes: Any) -> Run:
        """Starts a run, as somebody else might."""
        task = self.tasks[task_id]
        run = Run(f"run{len(self.runs):03d}", task, self.clock.now(), task.outcome, {}, {})
        for name, value in changes.items():
            setattr(run, name, value)
        self.runs[run.run_id] = run
        return run

    def route(self, request: Request) -> str | None:
        """Names the route of a request, or ``None``."""
        parts = request.path.strip("/").split("/")
        match request.method, *parts:
            case "GET", "v2", "actor-tasks", _:
                return "apify.task"
            case "POST", "v2", "actor-tasks", _, "runs":
                return "apify.start"
            case "GET", "v2", "actor-tasks", _, "runs":
                return "apify.runs"
            case "GET", "v2", "actor-runs", _:
                return "apify.run"
            case "GET", "v2", "datasets", _, "items":
                return "apify.items"
        return None

    def answer(self, route: str, request: Request) -> Answer:
        """Answers one request."""
        if "token" in request.query:
            raise OutsideContractError("the token belongs into the header")
        if request.headers.get("authorization") != f"Bearer {self.token}":
            return _error(401, "user-or-token-not-found", "User was not found or authentication token is not valid")
        subject = request.path.strip("/").split("/")[2]
        if route in ("apify.task", "apify.start", "apify.runs") and subject not in self.tasks:
            return _error(404, "record-not-found", "Actor task was not found")
        match route:
            case "apify.task":
                return of_json({"data": {"id": subject, "name": f"name-of-{subject}"}})
            case "apify.start":
                return self._start(self.tasks[subject], request)
            case "apify.runs":
                return self._list(self.tasks[subject], request)
            case "apify.run":
                return self._poll(subject, request)
        return self._items(subject, request)

    def _start(self, task: Task, request: Request) -> Answer:
        _only(request, "maxTotalChargeUsd", "waitForFinish", "timeout", "memory", "maxItems", "build")
        if request.headers.get("content-type") != "application/json":
            return _error(415, "unsupported-content-type", "send JSON")
        if not task.has_credit:
            return _error(402, "not-enough-usage-to-run-paid-actor", "You have exceeded your monthly usage")
        query = {name: values[0] for name, values in request.query.items()}
        run = self.start(task.task_id, input_override=request.json(), query=query)
        return of_json({"data": self._shown(run, models.Run)}, 201)

    def _list(self, task: Task, request: Request) -> Answer:
        _only(request, "desc", "limit", "offset", "status")
        statuses = request.one("status").split(",") if "status" in request.query else None
        now = self.clock.now()
        found = [
            run for run in self.runs.values()
            if run.task is task and (statuses is None or run.status(now) in statuses)
        ]  # fmt: skip
        if request.one("desc") == "1":
            found.reverse()
        limit = int(request.one("limit", "1000"))
        body = {
            "total": len(found), "count": len(found[:limit]), "offset": 0, "limit": limit,
            "desc": request.one("desc") == "1",
            "items": [self._shown(run, models.RunListItem) for run in found[:limit]],
        }  # fmt: skip
        models.ListOfRuns.model_validate(body)
        return of_json({"data": body})

    def _poll(self, run_id: str, request: Request) -> Answer:
        _only(request, "waitForFinish")
        run = self.runs.get(run_id)
        if run is None:
            return _error(404, "record-not-found", "Actor run was not found")
        wait = int(request.one("waitForFinish", "0"))
        if not 0 <= wait <= 60:
            return _error(400, "invalid-parameter", "waitForFinish is at most 60")
        self.clock.advance_to(min(run.ends_at, self.clock.now() + dt.timedelta(seconds=wait)))
        return of_json({"data": self._shown(run, models.Run)})

    def _items(self, dataset_id: str, request: Request) -> Answer:
        _only(request, "format", "offset", "limit")
        run = next((run for run in self.runs.values() if _dataset(run) == dataset_id), None)
        if run is None:
            return _error(404, "record-not-found", "Dataset was not found")
        if request.one("format", "json") != "jsonl":
            raise OutsideContractError("formats other than jsonl")
        items = run.task.items if run.task.pages is None else _read_urls(run, run.task.pages)
        if self.missing_at_end:
            items, self.missing_at_end = items[: -self.missing_at_end], 0
        offset, limit = int(request.one("offset", "0")), int(request.one("limit", "999999999999"))
        page = items[offset : offset + min(limit, self.page_limit)]
        headers = {
            "Content-Type": "application/jsonl; charset=utf-8",
            "X-Apify-Pagination-Total": str(len(items)),
            "X-Apify-Pagination-Offset": str(offset),
            "X-Apify-Pagination-Limit": str(limit),
            "X-Apify-Pagination-Count": str(len(page)),
        }
        lines = (json.dumps(item, ensure_ascii=False) + "\n" for item in page)
        return Answer(200, "".join(lines).encode(), headers)

    def _shown(self, run: Run, model: Any) -> dict[str, Any]:
        now = self.clock.now()
        status = run.status(now)
        shown: dict[str, Any] = {
            "id": run.run_id, "actId": "act1", "userId": "user1", "actorTaskId": run.task.task_id,
            "startedAt": _stamp(run.started_at), "finishedAt": _stamp(run.ends_at) if status != "RUNNING" else None,
            "status": status, "statusMessage": run.task.message, "meta": {"origin": "API"},
            "stats": {"restartCount": 0, "resurrectCount": 0, "computeUnits": 0.1},
            "options": {"build": "latest", "timeoutSecs": 0, "memoryMbytes": 1024, "diskMbytes": 2048},
            "buildId": "build1", "usageTotalUsd": 0.25, "defaultKeyValueStoreId": "kv1",
            "defaultDatasetId": _dataset(run), "defaultRequestQueueId": "rq1",
        }  # fmt: skip
        model.model_validate(shown)
        return shown


def _read_urls(run: Run, pages: dict[str, Any]) -> list[Any]:
    """What a run brings that was given addresses: an item or an error row for each, as many as are paid for."""
    asked = run.input_override.get("postURLs")
    if not asked:
        raise OutsideContractError("this actor needs postURLs")
    rows = [
        {**pages[url], "submittedVideoUrl": url}
        if url in pages
        else {"url": url, "input": url, "error": "Post not found or private", "errorCode": "POST_NOT_FOUND"}
        for url in asked
    ]
    return rows[: int(run.query.get("maxItems", len(rows)))]


def _dataset(run: Run) -> str:
    return f"dataset-of-{run.run_id}"


def _stamp(moment: dt.datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.000Z")


def _only(request: Request, *names: str) -> None:
    if not set(request.query) <= set(names):
        raise OutsideContractError(f"parameters {sorted(set(request.query) - set(names))}")


def _error(status: int, kind: str, message: str) -> Answer:
    return of_json({"error": {"type": kind, "message": message}}, status)
