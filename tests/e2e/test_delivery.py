"""`trends run` with deliveries into the local service: everything once, again nothing new, failures named."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.service import drill
from tests.service.faults import Fault, Kind
from tests.service.server import Service, environment
from tests.support import Outcome, published, trends, video, write_feed
from warehouse.store import Store

DAY = "2026-01-05"
# An own account of seeds/accounts.csv, so that the dashboard has rows.
OWN = "sim.own.editor"
# The tab as a user made it: own names, an entry by hand, a spacer column and a column of the user's.
TRACKER: list[list[Any]] = [
    ["URL", "Account", "Template Link", "Received", "Estimated ($)", "US & EU3 Installs", "ROW Installs",
     "Total Installs", "Rev/Install", "At Cap?", "Description", "", "My column"],
    ["https://www.tiktok.com/@x/video/7580000000000000001", "x", "", 120.5, 200, 10, 5, "=F2+G2", "=D2/H2", "",
     "an entry by hand", "", "keep me"],
]  # fmt: skip


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    """The service with the user's folder and sheet in it."""
    service = Service()
    service.drive.add_folder("parent", "Trends")
    service.sheets.add("book").add("REVENUE_TRACKER", TRACKER)
    with service.running():
        yield service
    assert service.violations == []


@pytest.fixture(scope="module")
def configured(service: Service) -> Iterator[dict[str, str]]:
    """The settings that lead the product to the service."""
    given = environment(service) | {"DRIVE_FOLDER_ID": "parent", "DASHBOARD_SHEET_ID": "book"}
    del given["APIFY_TOKEN"]
    with pytest.MonkeyPatch.context() as patch:
        for name, value in given.items():
            patch.setenv(name, value)
        yield given


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two feeds with a post of an own account and a caption that looks like a formula."""
    directory = tmp_path_factory.mktemp("feeds")
    items = [
        video("7590000000000000001", text='=HYPERLINK("http://x") @everyone', shares=4000, plays=90_000),
        video("7590000000000000002", text="=1+1", authorMeta={"name": OWN, "id": "2"}, shares=900, plays=50_000),
    ]
    for market in ("us", "uk"):
        write_feed(directory, f"{DAY}T08:00", items, market=market)
    return directory


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return Store(tmp_path_factory.mktemp("home"))


def run(home: Store, folder: Path, *further: str) -> Outcome:
    return trends("run", "--source", folder, "--date", DAY, "--home", home.home, *further)


@pytest.fixture(scope="module")
def nothing(home: Store, folder: Path, configured: dict[str, str], service: Service) -> tuple[Outcome, set[str]]:
    """A run that must not deliver, and the routes it went to nevertheless."""
    return run(home, folder, "--no-deliver"), {entry.route for entry in service.log}


@pytest.fixture(scope="module")
def delivered(home: Store, folder: Path, nothing: tuple[Outcome, set[str]]) -> Outcome:
    return run(home, folder)


def files_in(service: Service) -> dict[str, str]:
    return {file["name"]: file["md5Checksum"] for file in service.drive.files.values() if "content" in file}


def test_no_deliver_sends_nothing_and_says_so(nothing: tuple[Outcome, set[str]]) -> None:
    outcome, routes = nothing
    assert outcome.code == 0, outcome.err
    # Revenue is read from the live sheet; that is no delivery.
    assert routes <= {"google.token", "sheets.spreadsheets.get", "sheets.spreadsheets.values.batchGet"}
    for name in ("drive", "dashboard", "discord_report"):
        assert f"not delivered: {name}: delivery is off for this run (--no-deliver)" in outcome.out


def test_every_file_of_the_day_arrives_with_equal_content(home: Store, delivered: Outcome, service: Service) -> None:
    assert delivered.code == 0, delivered.err
    written = {path.name: hashlib.md5(path.read_bytes()).hexdigest() for path in (home.output / DAY).iterdir()}
    assert files_in(service) == written
    assert len(written) >= 7
    assert [file["name"] for file in service.drive.children("parent")] == [DAY]
    assert "delivered: drive: " in delivered.out


def test_rows_arrive_as_text_in_the_dashboard(home: Store, delivered: Outcome, service: Service) -> None:
    tab = service.sheets.spreadsheets["book"].tab("DATA_FEED")
    payload = json.loads((home.output / DAY / f"dashboard_payload_{DAY}.json").read_text(encoding="utf-8"))
    (sent,) = [entry for entry in payload["tabs"] if entry["tab"] == "DATA_FEED"]
    own = published(home, f"select count(*) from marts.my_performance where as_of_date = '{DAY}'")
    assert len(tab.rows) - 1 == len(sent["rows"]) == own[0][0] == 2
    trend = sent["columns"].index("Trend")
    assert [row[trend] for row in sent["rows"]] == ["=1+1", "=1+1"]
    assert json.dumps(tab.rows, default=str).count("formulaValue") == 0


def test_every_tab_of_the_dashboard_gets_its_rows_once(home: Store, delivered: Outcome, service: Service) -> None:
    """A post that is in both markets' feeds is one row of the tracker, in the columns that the user named."""
    book = service.sheets.spreadsheets["book"]
    payload = json.loads((home.output / DAY / f"dashboard_payload_{DAY}.json").read_text(encoding="utf-8"))
    assert [entry["tab"] for entry in payload["tabs"]] == [
        "OPPORTUNITY_NOW", "REVENUE_TRACKER", "COMPETITOR_VIEW", "PREDICTION_LOG", "DATA_FEED",
    ]  # fmt: skip
    for entry in payload["tabs"]:
        old = len(TRACKER) if entry["tab"] == "REVENUE_TRACKER" else 1
        assert len(book.tab(entry["tab"]).rows) == old + len(entry["rows"]), entry["tab"]
    tracker = book.tab("REVENUE_TRACKER").values()
    assert tracker[0][: len(TRACKER[0])] == TRACKER[0]
    assert tracker[1][: len(TRACKER[1])] == TRACKER[1]
    (added,) = tracker[2:]
    assert added[0] == f"https://www.tiktok.com/@{OWN}/video/7590000000000000002"
    assert (added[1], added[3], added[10], added[12]) == (OWN, "", "=1+1", "")
    assert added[7] == '=IF(COUNT(INDEX(F:F;ROW());INDEX(G:G;ROW()))=0;"";SUM(INDEX(F:F;ROW());INDEX(G:G;ROW())))'
    assert "Run Date" not in tracker[0]
    assert "Run Date" in book.tab("DATA_FEED").values()[0]


def test_one_message_with_counts_and_links(delivered: Outcome, service: Service) -> None:
    ((_, message),) = service.discord.messages.items()
    (embed,) = message["payload"]["embeds"]
    assert embed["title"] == f"📊 TikTok Daily Report - {DAY}"
    names = [field["name"] for field in embed["fields"]]
    assert [name for name in names if name != "⚠️ DEGRADED"][:8] == [
        "Your Posts", "Competitor Posts", "🔥 URGENT", "⚡ HIGH", "🟡 WATCH", "🚀 SPIKING", "US Fresh (72h)",
        "UK Fresh (72h)",
    ]  # fmt: skip
    assert "LINKS" in names
    assert message["payload"]["allowed_mentions"] == {"parse": []}


def test_again_nothing_new_arrives(home: Store, folder: Path, delivered: Outcome, service: Service) -> None:
    book = service.sheets.spreadsheets["book"]
    files, cells = files_in(service), {tab.title: json.dumps(tab.rows, default=str) for tab in book.tabs}
    messages = {key: json.dumps(value, default=str) for key, value in service.discord.messages.items()}
    outcome = run(home, folder)
    assert outcome.code == 0, outcome.err
    assert files_in(service) == files
    assert {tab.title: json.dumps(tab.rows, default=str) for tab in book.tabs} == cells
    assert {key: json.dumps(value, default=str) for key, value in service.discord.messages.items()} == messages


REQUESTS = 37
"""Requests of a whole first delivery of this day; a test makes sure that it is so."""

STEP = int(os.environ.get("DRILL_STEP", "19"))
"""The delivery is killed twice at every request, while it is on the way and when it was answered: that many points
from one point to the next. `make drill` takes every one."""

Drill = Callable[..., dict[str, Any] | None]


@pytest.fixture(scope="module")
def drill_home(home: Store, nothing: Outcome, tmp_path_factory: pytest.TempPathFactory) -> Store:
    """The exported day, apart from the home whose receipts the other tests need."""
    directory = tmp_path_factory.mktemp("drill") / "home"
    shutil.copytree(home.home, directory)
    return Store(directory)


@pytest.fixture
def untouched(drill_home: Store) -> Iterator[Service]:
    """A service that nothing was delivered to, and no receipt of anything."""
    with drill_home.facts_writer() as connection:
        connection.execute("delete from meta.receipts")
    service = Service()
    service.drive.add_folder("parent", "Trends")
    service.sheets.add("book").add("REVENUE_TRACKER", TRACKER)
    with service.running():
        yield service
    assert service.violations == []


@pytest.fixture
def deliver(untouched: Service, drill_home: Store, tmp_path: Path) -> Drill:
    """Delivers the exported day in a process that a fault may kill; tells what it reported, None if it died."""

    def run_once(fault: Fault | None = None) -> dict[str, Any] | None:
        given = environment(untouched) | {"DRIVE_FOLDER_ID": "parent", "DASHBOARD_SHEET_ID": "book"}
        values = {name.lower(): value for name, value in given.items()} | {"trends_home": drill_home.home}
        outcome = tmp_path / "outcome.json"
        process = drill.start_delivery(values, DAY, outcome)
        if fault is not None:
            untouched.faults.add("*", replace(fault, action=process.kill))
        process.join(120)
        assert process.exitcode in (0, -signal.SIGKILL), process.exitcode
        return dict(json.loads(outcome.read_text(encoding="utf-8"))) if process.exitcode == 0 else None

    return run_once


def everything_is_there_once(service: Service, home: Store) -> None:
    """One folder with every file of the day and its content, every row of the payload, one message."""
    assert [file["name"] for file in service.drive.children("parent")] == [DAY]
    written = {path.name: hashlib.md5(path.read_bytes()).hexdigest() for path in (home.output / DAY).iterdir()}
    files = sorted(file["name"] for file in service.drive.files.values() if "content" in file)
    assert files == sorted(written)
    assert files_in(service) == written
    payload = json.loads((home.output / DAY / f"dashboard_payload_{DAY}.json").read_text(encoding="utf-8"))
    book = service.sheets.spreadsheets["book"]
    for entry in payload["tabs"]:
        old = len(TRACKER) if entry["tab"] == "REVENUE_TRACKER" else 1
        assert len(book.tab(entry["tab"]).rows) == old + len(entry["rows"]), entry["tab"]
    assert len(service.discord.messages) == 1


def test_a_delivery_makes_so_many_requests(untouched: Service, deliver: Drill, drill_home: Store) -> None:
    done = deliver()
    assert done is not None and done["success"] and not done["skipped"]
    assert len(untouched.log) == REQUESTS
    everything_is_there_once(untouched, drill_home)

    # What each delivery tells of itself: links, ids, checksums, rows.
    drive, sheet, report = (done["told"][name] for name in ("drive", "dashboard", "discord_report"))
    for path in (drill_home.output / DAY).iterdir():
        (file,) = [file for file in untouched.drive.files.values() if file["name"] == path.name]
        checksums = [hashlib.new(kind, path.read_bytes()).hexdigest() for kind in ("md5", "sha256")]
        link = f"[{path.name}](https://drive.google.com/file/d/{file['id']})"
        assert f"| {link} | {file['id']} | created | {' | '.join(checksums)} |" in drive["receipts"]
    assert drive["folder"].endswith(f"/folders/{untouched.drive.children('parent')[0]['id']}")
    payload = json.loads((drill_home.output / DAY / f"dashboard_payload_{DAY}.json").read_text(encoding="utf-8"))
    assert sheet["appended"] == sum(len(entry["rows"]) for entry in payload["tabs"])
    for entry in payload["tabs"]:
        sha256 = hashlib.sha256(json.dumps(sorted(entry["row_keys"])).encode()).hexdigest()
        created = entry["tab"] != "REVENUE_TRACKER"
        assert f"| {entry['tab']} | {len(entry['rows'])} | 0 | {created} | {sha256} |" in sheet["receipts"]
    ((message_id, _),) = untouched.discord.messages.items()
    assert (report["outcome"], report["message_id"], len(report["sha256"])) == ("sent", message_id, 64)


@pytest.mark.slow("five deliveries")
def test_a_message_of_unknown_fate_or_deleted_is_sent_again_by_hand_alone(
    untouched: Service, deliver: Drill, drill_home: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (environment(untouched) | {"DRIVE_FOLDER_ID": "parent", "DASHBOARD_SHEET_ID": "book"}).items():
        monkeypatch.setenv(name, value)
    here = ("--home", drill_home.home)
    resend = ("resend", "--date", DAY, *here)
    untouched.faults.add("discord.execute", Fault("drop_before"))
    assert deliver() is not None
    doctor = trends("doctor", *here)
    assert f"FAILED   messages: daily:{DAY} may not have arrived: look, then `trends resend --date {DAY}`" in doctor.out
    assert deliver() is not None
    assert untouched.discord.messages == {}
    assert trends(*resend).out == f"daily:{DAY}: sent\n"
    everything_is_there_once(untouched, drill_home)
    assert trends(*resend).out == f"every message of {DAY} is in its channel: nothing to send\n"

    untouched.discord.messages.clear()
    assert f"FAILED   messages: daily:{DAY} was deleted in the channel" in trends("doctor", *here).out
    assert deliver() is not None
    assert untouched.discord.messages == {}
    untouched.faults.add("discord.execute", Fault("status", 404, times=10))
    refused = trends(*resend)
    assert (refused.code, refused.err.startswith(f"daily:{DAY}: failed: ")) == (1, True), refused
    assert untouched.discord.messages == {}
    untouched.faults.clear()
    assert f"FAILED   messages: daily:{DAY} was not sent: `trends resend" in trends("doctor", *here).out
    assert trends(*resend).out == f"daily:{DAY}: sent\n"
    everything_is_there_once(untouched, drill_home)
    assert "ok       messages: 1 of the last 7 days" in trends("doctor", *here).out
    monkeypatch.delenv("DISCORD_WEBHOOK")
    outcome = trends(*resend)
    assert (outcome.code, "DISCORD_WEBHOOK or CHANNELS" in outcome.err) == (2, True)


def test_what_is_not_configured_is_skipped_with_the_reason(drill_home: Store, tmp_path: Path) -> None:
    needed = {"drive": "drive_folder_id", "dashboard": "dashboard_sheet_id", "discord_report": "discord_webhook"}
    values = {"trends_home": drill_home.home, **dict.fromkeys(needed.values())}
    drill.start_delivery(values, DAY, tmp_path / "outcome.json").join(120)
    told = json.loads((tmp_path / "outcome.json").read_text(encoding="utf-8"))
    assert (told["success"], told["told"]) == (True, {})
    for name, setting in needed.items():
        assert f"set {setting.upper()}" in told["skipped"][name]


def test_a_refused_sign_in_is_told_once(untouched: Service, deliver: Drill) -> None:
    refusal = {"error": "invalid_grant", "error_description": "Token has been expired or revoked."}
    untouched.faults.add("google.token", Fault("status", 400, body=refusal, times=10))
    done = deliver()
    assert done is not None and not done["success"] and done["told"].keys() == {"discord_report"}
    assert done["skipped"] == {"dashboard": "Google sign-in failed, see above"}
    assert untouched.count("google.token") == 1
    ((_, message),) = untouched.discord.messages.items()
    assert json.dumps(message["payload"]).count("The refresh token no longer works") == 1


@pytest.mark.parametrize("point", range(0, 2 * REQUESTS, STEP))
def test_killed_anywhere_and_run_again_everything_is_there_once(
    untouched: Service, deliver: Drill, drill_home: Store, point: int
) -> None:
    """Killed while a request is on the way (it is carried out all the same) or right after it was answered.

    Points are counted from the end: the first one is the message, on its way.
    """
    kind: Kind = "call_after" if point % 2 else "call_before"
    killed = deliver(Fault(kind, skip=REQUESTS - 1 - point // 2))
    assert killed is None or kind == "call_after"
    again = deliver()
    assert again is not None and again["success"]
    everything_is_there_once(untouched, drill_home)
    assert {"drive", "dashboard"} <= set(again["told"])
    # Nobody can look for a message whose answer was lost, and it is not sent twice: that is said.
    assert "discord_report" in again["told"] or again["skipped"]["discord_report"].startswith("unclear: ")


@pytest.mark.slow("two deliveries")
def test_drive_refuses_and_the_rest_goes_on(
    home: Store, folder: Path, delivered: Outcome, service: Service, configured: dict[str, str]
) -> None:
    """The run fails and names it, the message is edited to say it, and no secret is in any output."""
    before = len(service.discord.messages)
    service.faults.add("drive*", Fault("status", status=403, times=50))
    outcome = run(home, folder)
    service.faults.clear()
    assert outcome.code == 1
    assert "drive" in outcome.err
    told = [message["payload"]["embeds"][0] for message in service.discord.messages.values()]
    daily = [embed for embed in told if embed["title"].startswith("📊")]
    assert len(daily) == 1
    assert "⚠️ DEGRADED" in [field["name"] for field in daily[0]["fields"]]
    # One notice that the run failed, beside the report.
    assert len(service.discord.messages) == before + 1
    for secret in ("GOOGLE_CLIENT_SECRET", "GOOGLE_REFRESH_TOKEN", "DISCORD_WEBHOOK"):
        assert configured[secret] not in outcome.out + outcome.err


@pytest.mark.slow("a whole run")
def test_the_sample_is_never_delivered(tmp_path: Path, configured: dict[str, str], service: Service) -> None:
    files, messages = files_in(service), len(service.discord.messages)
    # Its first date: the whole of it takes twice as long.
    outcome = trends("run", "--source", "sample", "--date", "2026-03-04", "--home", Store(tmp_path).home)
    assert outcome.code == 0, outcome.err
    assert "not delivered: drive: the simulated sample is not delivered" in outcome.out
    assert (files_in(service), len(service.discord.messages)) == (files, messages)


@pytest.mark.slow("a day and its polls")
def test_a_poll_sends_each_alert_once_and_its_summary_where_it_is_wanted(
    tmp_path: Path, configured: dict[str, str], service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = set(service.discord.messages)
    fast = "7590000000000090001"
    home = Store(tmp_path / "home").home

    def poll(until: int, summary: str) -> list[dict[str, Any]]:
        """Polls twice; the embeds that are new."""
        known = set(service.discord.messages)
        monkeypatch.setenv("POLL_SUMMARY", summary)
        for hour in range(8, until + 1, 2):
            views = {f"75900000000000{n:05d}": 4000 + 150 * n + (300 + 11 * n) * hour for n in range(25)}
            views[fast] = 9000 + 500 * hour + (40_000 if hour == 14 else 0)
            items = [video(name, plays=count, shares=count // 30) for name, count in views.items()]
            write_feed(tmp_path / "feeds", f"{DAY}T{hour:02d}:00", items)
        for _ in range(2):
            outcome = trends("poll", "--source", tmp_path / "feeds", "--date", DAY, "--home", home)
            assert outcome.code == 0, outcome.err
            said.append(outcome.out)
        new = [message for key, message in service.discord.messages.items() if key not in known]
        return [message["payload"]["embeds"][0] for message in new]

    said: list[str] = []
    assert poll(12, "") == [], "a poll without news is silent by default"
    (embed,) = poll(14, "")
    assert "poll of 2026-01-05 14:00 UTC: 26 new readings, 0 read before; 26 tracked" in said[-1]
    assert "an alert needed" in said[-1]
    assert embed["title"] == "🚀 TREND ALERT: BUILD NOW - 🔴 STRONG"
    assert embed["url"].endswith(fast)
    fields = {field["name"]: field["value"] for field in embed["fields"]}
    assert list(fields) == [
        "Trend", "Market", "Category", "Creator", "Age", "Momentum", "Shares/h", "Δ Shares/h", "Views/h",
        "What happened", "Publish by", "Build list",
    ]  # fmt: skip
    assert fields["What happened"].startswith("15,000 → 56,000 views in 2.0 h, ")
    # 18 hours old at 14:00.
    assert fields["Publish by"].startswith("Wed 07 Jan 20:00 UTC")
    assert fields["Build list"] == "no list yet"
    assert embed["footer"]["text"].startswith("Poll of 14:00 UTC: 26 new readings")
    (summary,) = poll(14, "always")
    assert summary["title"] == "🔎 Poll 2026-01-05 14:00 UTC"
    names = [field["name"] for field in summary["fields"]]
    assert names == ["New Candidates", "Alerts Sent", "Removed", "Total Tracked"]
    assert len(set(service.discord.messages) - before) == 2


def test_doctor_of_a_home_that_published_nothing_goes_on(configured: dict[str, str], tmp_path: Path) -> None:
    with Store(tmp_path / "home").facts_writer() as connection:
        connection.execute("create schema raw")
    outcome = trends("doctor", "--home", tmp_path / "home")
    assert "ok       Discord webhook: " in outcome.out
    assert "  messages: " not in outcome.out + outcome.err


def test_doctor_tells_what_works_and_the_remedy_for_the_rest(
    configured: dict[str, str], service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = files_in(service)
    outcome = trends("doctor", "--live")
    assert outcome.code == 0, outcome.out
    for name in ("Google sign-in", "Drive folder", "Drive file", "dashboard sheet", "dashboard rows"):
        assert f"ok       {name}: " in outcome.out
    assert "not set  Apify token: set APIFY_TOKEN" in outcome.out
    assert files_in(service) == files
    monkeypatch.setenv("DRIVE_FOLDER_ID", "nowhere")
    outcome = trends("doctor")
    assert outcome.code == 1
    assert "FAILED   Drive folder: " in outcome.out
