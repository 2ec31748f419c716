"""Apify source with the real httpx against the local service, in simulated time."""

import datetime as dt
import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from ingest import apify
from ingest.apify import ApifyTask, Degraded, Fetched, FetchResult, RunRecord
from services.receipts import RunReceipts
from services.retries import ServiceError
from tests.service.apify import START
from tests.service.faults import EVERY_FAULT, Fault, fault_name
from tests.service.helpers import AS_OF, QUICK, receipts_in
from tests.service.server import Service

pytest_plugins = ["tests.service.fixtures"]
DAY = "2026-01-05"
US = ApifyTask("US", "videos", "us-videos")


@dataclass
class Ledger:
    """A ledger in memory that remembers the order of what was saved."""

    records: dict[str, RunRecord] = field(default_factory=dict)
    history: list[RunRecord] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def find(self, key: str) -> RunRecord | None:
        with self.lock:
            return self.records.get(key)

    def save(self, record: RunRecord) -> None:
        with self.lock:
            self.records[record.key] = record
            self.history.append(record)


def items(count: int, text: str = "caption") -> list[dict[str, Any]]:
    return [
        {
            "id": str(7_399_000_000_000_000_001 + n),
            "text": f"{text} {n} \u2028 é\n\U0001f600",
            "playCount": 1000 + n,
            "musicMeta": {"musicId": str(6_900_000_000_000_000_001 + n)},
        }
        for n in range(count)
    ]


@pytest.fixture
def config(service: Service) -> apify.ApifyConfig:
    for market in ("us", "uk"):
        for kind in ("videos", "music"):
            service.apify.add_task(f"{market}-{kind}", items(25, f"{market} {kind}"))
    return apify.ApifyConfig(
        SecretStr(service.apify.token),
        base_url=service.url,
        timeout_seconds=0.5,
        # So that no read is given up while the service holds a poll: it never holds one for long.
        page_items=10,
        policy=QUICK,
    )


@pytest.fixture
def fetch(service: Service, config: apify.ApifyConfig, tmp_path: Path) -> Callable[..., FetchResult]:
    """Fetches with the service's clock; keyword arguments replace settings."""

    def run(
        *tasks: ApifyTask, ledger: apify.RunLedger | None = None, key: str = DAY, progress: Any = None, **settings: Any
    ) -> FetchResult:
        clock = service.apify.clock
        return apify.fetch_runs(
            replace(config, **settings),
            tasks or (US,),
            ledger or Ledger(),
            tmp_path / "feeds",
            key,
            clock=clock.now,
            sleep=clock.sleep,
            progress=progress,
        )

    return run


def reason(result: FetchResult) -> str:
    assert result.fetched == ()
    (degraded,) = result.degraded
    return degraded.reason


def test_both_markets_and_kinds_at_the_same_time(service: Service, fetch: Callable[..., FetchResult]) -> None:
    tasks = [ApifyTask(m, k, f"{m.lower()}-{k}") for m in ("US", "UK") for k in ("videos", "music")]
    told: list[apify.RunProgress] = []
    result = fetch(*tasks, progress=told.append)
    assert result.degraded == ()
    assert [(f.feed.market, f.feed.kind, f.item_count) for f in result.fetched] == [
        ("US", "videos", 25),
        ("US", "music", 25),
        ("UK", "videos", 25),
        ("UK", "music", 25),
    ]
    for fetched in result.fetched:
        feed = fetched.feed
        run = service.apify.runs[str(feed.run_id)]
        assert (feed.source, feed.observed_at) == ("apify", run.ends_at)
        assert feed.path.relative_to(feed.path.parents[2]).as_posix() == (
            f"{feed.market.lower()}/{feed.kind}/{run.ends_at:%Y-%m-%dT%H-%M-%SZ}.jsonl"
        )
        lines = feed.path.read_text(encoding="utf-8").rstrip("\n").split("\n")
        assert [json.loads(line) for line in lines] == run.task.items
    assert len(service.apify.runs) == 4
    assert {step.status for step in told} >= {"RUNNING", "READING", "DONE"}
    assert max(step.elapsed_seconds for step in told) >= 600
    assert not list(result.fetched[0].feed.path.parent.glob(".*"))


def test_the_token_is_never_in_an_address(service: Service, fetch: Callable[..., FetchResult]) -> None:
    fetch(max_charge_usd=1.5)
    for entry in service.log:
        assert service.apify.token not in f"{entry.path} {entry.query}"
    (run,) = service.apify.runs.values()
    assert run.query == {"maxTotalChargeUsd": "1.5"}


def test_the_run_id_is_stored_before_anything_is_waited_for(
    service: Service, fetch: Callable[..., FetchResult]
) -> None:
    ledger = Ledger()
    fetch(ledger=ledger)
    assert [(record.run_id, record.status) for record in ledger.history] == [
        (None, "STARTING"),
        ("run000", "RUNNING"),
        ("run000", "SUCCEEDED"),
    ]


class Killed(BaseException):
    """Ends a run of the pipeline as a kill would: nothing after it happens."""


@pytest.mark.parametrize("at", range(4))
def test_a_pipeline_that_dies_resumes_without_a_second_paid_run(
    service: Service, fetch: Callable[..., FetchResult], at: int
) -> None:
    """Dies after the intent, after the start, in the middle of the ten minutes, and while reading."""
    ledger = Ledger()
    seen: list[str] = []

    def die(step: apify.RunProgress) -> None:
        seen.append(step.status)
        polls = seen.count("RUNNING")
        if (at == 1 and polls == 1) or (at == 2 and polls == 5) or (at == 3 and step.status == "READING"):
            raise Killed

    if at == 0:
        # The start came through, but the process died before it could store the id.
        ledger.save(RunRecord(f"apify:{DAY}:US:videos:us-videos", None, service.apify.clock.now(), "STARTING"))
        service.apify.start("us-videos")
    else:
        with pytest.raises(Killed):
            fetch(ledger=ledger, progress=die)
    result = fetch(ledger=ledger)
    assert result.fetched[0].item_count == 25
    assert not result.fetched[0].was_started
    assert len(service.apify.runs) == 1
    assert fetch(ledger=ledger).fetched[0].feed == result.fetched[0].feed
    assert len(service.apify.runs) == 1
    assert service.apify.clock.now() >= service.apify.runs["run000"].ends_at


def test_receipts_serve_as_ledger_across_processes(
    service: Service, fetch: Callable[..., FetchResult], tmp_path: Path
) -> None:
    tasks = [ApifyTask(m, k, f"{m.lower()}-{k}") for m in ("US", "UK") for k in ("videos", "music")]
    for _ in range(2):
        receipts = receipts_in(tmp_path / "build.duckdb")
        assert len(fetch(*tasks, ledger=RunReceipts(receipts, AS_OF)).fetched) == 4
    assert len(service.apify.runs) == 4
    stored = receipts.of_date(AS_OF)
    assert {receipt.detail["status"] for receipt in stored} == {"SUCCEEDED"}
    assert {receipt.remote_id for receipt in stored} == set(service.apify.runs)


def test_another_day_starts_another_run(service: Service, fetch: Callable[..., FetchResult]) -> None:
    ledger = Ledger()
    fetch(ledger=ledger)
    fetch(ledger=ledger, key="2026-01-06")
    assert len(service.apify.runs) == 2


def test_an_active_run_is_joined(service: Service, fetch: Callable[..., FetchResult]) -> None:
    service.apify.start("us-videos")
    assert fetch().fetched[0].feed.run_id == "run000"
    assert len(service.apify.runs) == 1


@pytest.mark.parametrize(("hours", "runs"), [(None, 2), (1.0, 2), (6.0, 1)])
def test_reuse_window(service: Service, fetch: Callable[..., FetchResult], hours: float | None, runs: int) -> None:
    service.apify.start("us-videos")
    service.apify.clock.sleep(600 + 3 * 3600)
    (fetched,) = fetch(reuse_hours=hours).fetched
    assert len(service.apify.runs) == runs
    assert fetched.was_started is (runs == 2)


def test_no_credit_names_the_market_and_the_other_one_goes_on(
    service: Service, fetch: Callable[..., FetchResult]
) -> None:
    service.apify.tasks["uk-videos"].has_credit = False
    result = fetch(US, ApifyTask("UK", "videos", "uk-videos"))
    assert [fetched.feed.market for fetched in result.fetched] == ["US"]
    (degraded,) = result.degraded
    assert (degraded.market, degraded.kind) == ("UK", "videos")
    assert "out of credit" in degraded.reason
    assert service.count("apify.start") == 2


def test_both_markets_missing(service: Service, fetch: Callable[..., FetchResult]) -> None:
    for task in service.apify.tasks.values():
        task.has_credit = False
    result = fetch(US, ApifyTask("UK", "videos", "uk-videos"))
    assert result.fetched == ()
    assert [degraded.market for degraded in result.degraded] == ["US", "UK"]


@pytest.mark.parametrize("outcome", ["FAILED", "ABORTED", "TIMED-OUT"])
def test_a_run_that_fails_degrades_the_market_and_a_repeat_starts_anew(
    service: Service, fetch: Callable[..., FetchResult], tmp_path: Path, outcome: str
) -> None:
    task = service.apify.tasks["us-videos"]
    task.outcome, task.message = outcome, f"leaked {service.apify.token}"
    ledger = Ledger()
    said = reason(fetch(ledger=ledger))
    assert outcome in said and "leaked ***" in said
    assert not list((tmp_path / "feeds").rglob("*.jsonl"))
    task.outcome = "SUCCEEDED"
    assert fetch(ledger=ledger).fetched[0].feed.run_id == "run001"


@pytest.mark.parametrize(
    ("found", "floor", "usable"),
    [([], 1, 0), (items(9), 10, 9), ([{"error": "no results", "url": "x"}] * 30, 1, 0), ([{}], 1, 0)],
)
def test_too_few_items_degrade_the_market(
    service: Service, fetch: Callable[..., FetchResult], tmp_path: Path, found: list[Any], floor: int, usable: int
) -> None:
    service.apify.tasks["us-videos"].items = found
    assert f"{usable} usable items" in reason(fetch(replace(US, item_floor=floor)))
    assert not [path for path in (tmp_path / "feeds").rglob("*") if path.is_file()]


def test_a_dataset_that_lags_is_read_again(service: Service, fetch: Callable[..., FetchResult]) -> None:
    service.apify.missing_at_end = 25
    assert fetch().fetched[0].item_count == 25


def test_a_run_that_takes_too_long_is_left_running_and_read_by_the_next_attempt(
    service: Service, fetch: Callable[..., FetchResult]
) -> None:
    service.apify.tasks["us-videos"].seconds = 3 * 3600
    ledger = Ledger()
    assert "has not finished after 2 h" in reason(fetch(ledger=ledger))
    assert fetch(ledger=ledger).fetched[0].item_count == 25
    assert len(service.apify.runs) == 1


def test_the_server_decides_the_page_size(service: Service, fetch: Callable[..., FetchResult]) -> None:
    service.apify.page_limit = 4
    assert fetch().fetched[0].item_count == 25
    assert service.count("apify.items") == 7


# What is stated for a start that went wrong: starts that arrived, runs that exist, and whether the reading is there.
STARTS = [
    (Fault("status", 429, {"Retry-After": "1"}), 2, 1, True),
    (Fault("status", 429), 2, 1, True),
    (Fault("status", 500), 2, 1, True),
    (Fault("html", 502), 2, 1, True),
    (Fault("drop_early"), 2, 1, True),
    (Fault("drop_before"), 2, 1, True),
    (Fault("drop_after"), 1, 1, True),
    (Fault("status_after", 503), 1, 1, True),
    (Fault("stall_after"), 1, 1, True),
    (Fault("stall"), 1, 0, False),
    (Fault("html", 504), 1, 0, False),
]


@pytest.mark.parametrize(("fault", "starts", "runs", "is_read"), STARTS, ids=fault_name)
def test_a_start_with_one_fault_never_starts_two_runs(
    service: Service,
    fetch: Callable[..., FetchResult],
    elapsed: Callable[[], float],
    fault: Fault,
    starts: int,
    runs: int,
    is_read: bool,
) -> None:
    service.faults.add("apify.start", replace(fault, times=1))
    ledger = Ledger()
    result = fetch(ledger=ledger)
    assert service.count("apify.start") == starts
    assert len(service.apify.runs) == runs
    assert bool(result.fetched) is is_read
    if not is_read:
        assert "could be paid twice" in reason(result)
    assert fetch(ledger=ledger).fetched[0].item_count == 25
    assert len(service.apify.runs) == 1
    assert elapsed() < 6


def test_a_start_that_arrives_late_is_found_by_the_next_attempt(
    service: Service, fetch: Callable[..., FetchResult]
) -> None:
    service.faults.add("apify.start", Fault("stall"))
    ledger = Ledger()
    assert "could be paid twice" in reason(fetch(ledger=ledger))
    service.apify.start("us-videos")  # the request that nobody waited for any more
    assert fetch(ledger=ledger).fetched[0].feed.run_id == "run000"
    assert len(service.apify.runs) == 1


@pytest.mark.parametrize("route", ["apify.runs", "apify.run", "apify.items"])
@pytest.mark.parametrize("fault", EVERY_FAULT, ids=fault_name)
def test_a_read_with_one_fault_succeeds(
    service: Service,
    fetch: Callable[..., FetchResult],
    elapsed: Callable[[], float],
    route: str,
    fault: Fault,
) -> None:
    service.faults.add(route, replace(fault, times=1, skip=0 if route == "apify.runs" else 1))
    # A poll may rightly take a minute longer than any other read: here the waiting is simulated, the stall is not.
    (fetched,) = fetch(wait_for_finish=1 if "stall" in fault.kind and route == "apify.run" else 60).fetched
    lines = fetched.feed.path.read_text(encoding="utf-8").rstrip("\n").split("\n")
    assert [json.loads(line)["id"] for line in lines] == [item["id"] for item in items(25)]
    assert len(service.apify.runs) == 1
    assert service.faults.take(route) is None, "the fault never happened"
    assert elapsed() < 8


def test_a_service_that_never_recovers_degrades_in_bounded_time_and_is_resumed(
    service: Service, fetch: Callable[..., FetchResult], elapsed: Callable[[], float]
) -> None:
    ledger = Ledger()
    service.faults.add("apify.run", Fault("html", 502, times=1_000))
    said = reason(fetch(ledger=ledger))
    assert "unclear" in said and service.apify.token not in said
    assert elapsed() < 5
    service.faults.clear()
    assert fetch(ledger=ledger).fetched[0].feed.run_id == "run000"


@pytest.mark.parametrize(
    ("token", "task", "remedy"), [("wrong", "us-videos", "APIFY_TOKEN"), (None, "nope", "task id")]
)
def test_wrong_settings_name_the_remedy(
    service: Service,
    config: apify.ApifyConfig,
    fetch: Callable[..., FetchResult],
    token: str | None,
    task: str,
    remedy: str,
) -> None:
    wrong = SecretStr(token or service.apify.token)
    assert remedy in reason(fetch(replace(US, task_id=task), token=wrong))
    with pytest.raises(ServiceError, match=remedy):
        apify.check_access(replace(config, token=wrong), replace(US, task_id=task))
    assert apify.check_access(config, US) == "name-of-us-videos"


def test_input_override_and_slashed_task_ids(service: Service, fetch: Callable[..., FetchResult]) -> None:
    service.apify.add_task("user~task", items(3))
    fetch(ApifyTask("US", "videos", "user/task", input_override={"resultsPerPage": 3}))
    (run,) = service.apify.runs.values()
    assert run.input_override == {"resultsPerPage": 3}
    assert run.started_at == START


def test_a_reading_of_urls_is_a_run_of_its_own(service: Service, fetch: Callable[..., FetchResult]) -> None:
    """No other run of the task is joined or used again; it costs and takes at most what the task says."""
    found = items(3)
    task = service.apify.add_task("pages", [], seconds=60, pages={"https://p.example/1": found[0]})
    first = service.apify.start("pages", input_override={"postURLs": ["https://p.example/9"]})
    urls = ["https://p.example/1", "https://p.example/2"]
    panel = ApifyTask(
        "ALL", "panel", "pages", item_floor=0, input_override={"postURLs": urls}, max_items=2,
        run_timeout=dt.timedelta(minutes=5),
    )  # fmt: skip
    (fetched,) = fetch(panel, reuse_hours=24).fetched
    (ours,) = [run for run in service.apify.runs.values() if run is not first]
    assert (ours.input_override, ours.query["maxItems"]) == ({"postURLs": urls}, "2")
    assert (fetched.was_started, fetched.item_count, fetched.usable_count) == (True, 2, 1)
    assert fetched.feed.path.parts[-3:-1] == ("all", "panel")
    task.seconds = 3600
    began = service.apify.clock.now()
    (degraded,) = fetch(panel, key="another day").degraded
    assert "has not finished after 0.08" in degraded.reason
    assert service.apify.clock.now() - began < dt.timedelta(minutes=7)


def test_results_say_what_they_are(service: Service, fetch: Callable[..., FetchResult]) -> None:
    service.apify.tasks["us-videos"].items = [*items(2), {"error": "private", "url": "x"}]
    result = fetch(US, ApifyTask("UK", "videos", "nope"))
    (fetched,), (degraded,) = result.fetched, result.degraded
    assert isinstance(fetched, Fetched) and isinstance(degraded, Degraded)
    assert (fetched.item_count, fetched.usable_count) == (3, 2)
