"""Settings that can't be used: named with value and remedy, before anything is changed; never as a traceback."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest
from pydantic import SecretStr

from orchestration import doctor, setting_checks
from orchestration.settings import SECRET_NAMES, Settings, configured_markets, load, load_usable, unknown_names
from tests.support import trends

MARKETS = ", ".join(sorted(configured_markets()))
KEY = base64.b64encode(json.dumps({"type": "service_account"}).encode()).decode()

WRONG = [
    ("RUN_HISTORY_DAYS", "0", "RUN_HISTORY_DAYS=0: "),
    ("OWNERS", "a@b.org, growth", "OWNERS=a@b.org, growth: growth is neither an address nor team:name; expected"),
    ("POLL_SUMMARY", "sometimes", "POLL_SUMMARY=sometimes: is no kind of summary; expected never, alerts or always"),
    ("TRENDS_LOG_LEVEL", "loud", "TRENDS_LOG_LEVEL=loud: is no level; expected DEBUG, INFO, WARNING, ERROR or"),
    ("LOCK_TIMEOUT_S", "soon", "LOCK_TIMEOUT_S=soon: expected a number of seconds from 0 on, such as 60"),
    ("LOCK_TIMEOUT_S", "-1", "LOCK_TIMEOUT_S=-1: expected a number of seconds"),
    ("LOCK_TIMEOUT_S", "nan", "LOCK_TIMEOUT_S=nan: expected a number of seconds"),
    ("EXPORT_PROCESSES", "0", "EXPORT_PROCESSES=0: expected a whole number from 1 on"),
    ("EXPORT_PROCESSES", "2.5", "EXPORT_PROCESSES=2.5: expected a whole number"),
    ("TRENDS_ENGINE", "flink", "TRENDS_ENGINE=flink: is no engine; expected duckdb, or spark on a machine with Java"),
    ("SPARK_MASTER", "host:7077", "SPARK_MASTER=host:7077: is no address of a master; expected the address of a"),
    ("SPARK_MASTER", "sc://host:15002", "is no address of a master; it goes into SPARK_REMOTE; expected the address"),
    ("SPARK_REMOTE", "spark://host:7077", "SPARK_REMOTE=spark://host:7077: is no address of a Spark Connect server"),
    ("SPARK_WAREHOUSE", "s3://bucket/spark", "SPARK_WAREHOUSE=s3://bucket/spark: is an address and no folder: mount"),
    ("APIFY_TOKEN", "marker secret", "APIFY_TOKEN=(not shown): has a blank or a line break in it; expected the API"),
    ("APIFY_TOKEN", "https://marker-secret.example", "APIFY_TOKEN=(not shown): is an address"),
    ("APIFY_BASE_URL", "api.apify.com", "APIFY_BASE_URL=api.apify.com: is no address; expected an address such as"),
    ("APIFY_REUSE_HOURS", "-2", "APIFY_REUSE_HOURS=-2: expected a number of hours"),
    ("APIFY_MAX_CHARGE_USD", "0", "APIFY_MAX_CHARGE_USD=0: expected an amount above 0"),
    ("APIFY_RUN_TIMEOUT_MINUTES", "0", "APIFY_RUN_TIMEOUT_MINUTES=0: expected a number of minutes"),
    ("APIFY_ITEM_FLOOR", "many", "APIFY_ITEM_FLOOR=many: expected a whole number"),
    ("PANEL_TASK_ID", "https://console.apify.com/actors/tasks/AbC123/input", "an address: the id in it is AbC123;"),
    ("PANEL_VIDEOS_PER_MARKET", "101", "PANEL_VIDEOS_PER_MARKET=101: expected a whole number from 0 to 100"),
    ("PANEL_READS_PER_DAY", "-1", "PANEL_READS_PER_DAY=-1: expected a whole number from 0 on"),
    ("PANEL_INPUT", "post URLs", "PANEL_INPUT=post URLs: has a blank or a line break in it; expected the field of"),
    ("FEED_MAX_MB", "0", "FEED_MAX_MB=0: expected a whole number of megabytes above 0"),
    ("FEED_MAX_EXPANSION", "few", "FEED_MAX_EXPANSION=few: expected a whole number above 0"),
    ("US_VIDEO_TASK_ID", "https://console.apify.com/actors/tasks/AbC123/input", "an address: the id in it is AbC123;"),
    ("UK_MUSIC_TASK_ID", "user/task", "UK_MUSIC_TASK_ID=user/task: has a slash: write user~task; expected the task's"),
    ("GOOGLE_CLIENT_ID", "two words", "GOOGLE_CLIENT_ID=two words: has a blank"),
    ("GOOGLE_CLIENT_SECRET", "marker secret", "GOOGLE_CLIENT_SECRET=(not shown): has a blank"),
    ("GOOGLE_REFRESH_TOKEN", "marker secret", "GOOGLE_REFRESH_TOKEN=(not shown): has a blank"),
    ("GOOGLE_CREDENTIALS", "marker-secret", "GOOGLE_CREDENTIALS=(not shown): is no base64 of JSON; expected the"),
    ("GOOGLE_CREDENTIALS", base64.b64encode(b"marker-secret").decode(), "GOOGLE_CREDENTIALS=(not shown): is no base64"),
    ("GOOGLE_CREDENTIALS", base64.b64encode(b"[1]").decode(), "GOOGLE_CREDENTIALS=(not shown): is no base64 of JSON"),
    ("GOOGLE_AUTH_URI", "accounts", "GOOGLE_AUTH_URI=accounts: is no address"),
    ("GOOGLE_TOKEN_URI", "http://", "GOOGLE_TOKEN_URI=http://: is no address"),
    ("SHEETS_ENDPOINT", "https://[bad", "SHEETS_ENDPOINT=https://[bad: is no address"),
    ("DRIVE_ENDPOINT", "ftp://files.example", "DRIVE_ENDPOINT=ftp://files.example: is no address"),
    ("DRIVE_FOLDER_ID", "https://drive.google.com/drive/folders/1a-B_c?usp=x", "an address: the id in it is 1a-B_c;"),
    ("DRIVE_FOLDER_ID", "my folder", "DRIVE_FOLDER_ID=my folder: is no id; expected the id in the folder's address"),
    ("DASHBOARD_SHEET_ID", "https://docs.google.com/spreadsheets/d/1Sh-x/edit#gid=0", "the id in it is 1Sh-x;"),
    ("REVENUE_SHEET_ID", "https://drive.google.com/open?id=1Rev", "the id in it is 1Rev; expected the id in the"),
    ("DISCORD_WEBHOOK", "marker-secret", "DISCORD_WEBHOOK=(not shown): is no address; expected the https address"),
    ("DISCORD_WEBHOOK", "http://chat.example/marker-secret", "DISCORD_WEBHOOK=(not shown): is no https address"),
    ("DISCORD_WEBHOOK", "https://discord.com/channels/marker-secret", "is an address of Discord, but of no webhook"),
    ("CHANNELS", "ntfys://ntfy.sh/marker-secret", "CHANNELS=(not shown): channel 1 is not `name | address | kinds"),
    ("CHANNELS", "my phone | ntfys://ntfy.sh/marker-secret", "(not shown): channel 1 has no name of letters"),
    ("CHANNELS", "discord | ntfys://ntfy.sh/marker-secret", "(not shown): channel 1 has no name of letters"),
    ("CHANNELS", "a | ntfys://ntfy.sh/marker-1 ; a | ntfys://ntfy.sh/marker-2", "(not shown): two channels are named"),
    ("CHANNELS", "a | https://discord.com/api/webhooks/1/marker", "a webhook of Discord goes into DISCORD_WEBHOOK"),
    ("CHANNELS", "a | json://marker-secret.example", "channel a: its address is of no service that is known here"),
    ("CHANNELS", "a | tgram://marker-secret", "channel a: its address is none of Telegram: see docs/channels.md"),
    ("CHANNELS", "a | tgram://123456789:marker_secret_of_a_bot", "channel a: its address has no receivers"),
    ("CHANNELS", "a | ntfys://marker.example/one/two", "channel a: its address has 2 receivers: write"),
    ("CHANNELS", "a | ntfys://ntfy.sh/marker | loud", "channel a: loud is no kind; there are daily, alert"),
    ("CHANNELS", "a | ntfys://ntfy.sh/marker | all | US ZZ", f"channel a: ZZ is no market; there are {MARKETS}; exp"),
    ("HEARTBEAT_URL", "marker-secret", "HEARTBEAT_URL=(not shown): is no address; expected the address that"),
    ("DISPLAY_TIMEZONE", "Europe/Londn", "is no time zone: is Europe/London meant?; expected the name of a time zone"),
    ("DISPLAY_TIMEZONE", "../etc", "DISPLAY_TIMEZONE=../etc: is no time zone; expected the name of a time zone, such"),
    ("DISPLAY_HOURS", "13", "DISPLAY_HOURS=13: is no clock; expected 24 or 12"),
    ("RETRY_WAIT_S", "0", "RETRY_WAIT_S=0: expected a number of seconds above 0"),
    ("RETRY_WAIT_S", "inf", "RETRY_WAIT_S=inf: expected a number of seconds above 0"),
    ("DELIVER", "perhaps", "DELIVER=perhaps: expected true or false"),
    ("DELIVER_SAMPLE", "2", "DELIVER_SAMPLE=2: expected true or false"),
    ("DAGSTER_POSTGRES_URL", "mysql://u:marker-secret@h/d", "DAGSTER_POSTGRES_URL=(not shown): is no address of a"),
    ("DAGSTER_POSTGRES_URL", "postgresql://u:marker-secret@h", "DAGSTER_POSTGRES_URL=(not shown): names no database"),
    ("DAGSTER_POSTGRES_URL", "postgresql://u:marker-secret@127.0.0.1:1/d", "(not shown): it does not answer: "),
    ("OUTPUT_DIR", "FILE", "OUTPUT_DIR=FILE: FILE is a file and no directory; expected a directory that can be"),
    ("CACHE_DIR", "FILE/within", "CACHE_DIR=FILE/within: FILE is a file and no directory"),
    ("TRENDS_HOME", "FILE/home", "TRENDS_HOME=FILE/home: FILE is a file and no directory"),
    ("TRENDS_HOME", "FILE?/home", "TRENDS_HOME=FILE?/home: DuckDB cuts the names of its files at the ? in that path"),
    ("TRENDS_HOME", "/proc/home", "TRENDS_HOME=/proc/home: /proc can't be written ("),
]  # fmt: skip


@pytest.mark.parametrize(("name", "value", "told"), WRONG)
@pytest.mark.parametrize("command", ["run", "poll", "publish"])
def test_a_setting_that_cannot_be_used_is_named_before_anything_is_changed(
    name: str, value: str, told: str, command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "file"
    file.write_text("in the way", encoding="utf-8")
    monkeypatch.setenv("TRENDS_HOME", str(tmp_path / "home"))
    monkeypatch.setenv(name, value.replace("FILE", str(file)))
    outcome = trends(command)
    assert outcome.code == 2
    assert told.replace("FILE", str(file)) in outcome.err
    assert outcome.err.startswith(f"trends: {name}=")
    assert len(outcome.err.splitlines()) == 1
    assert "marker" not in outcome.out + outcome.err
    assert list(tmp_path.iterdir()) == [file]


def test_the_panel_has_a_task_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("US_VIDEO_TASK_ID", "user~videos")
    monkeypatch.setenv("PANEL_TASK_ID", "user~videos")
    settings, (problem,) = load_usable()
    assert problem.text.startswith("PANEL_TASK_ID=user~videos: is a task that feeds are read with")
    assert settings.panel_task_id is None
    assert settings.task_id("US", "videos") == "user~videos"


def test_every_kind_of_setting_was_tried() -> None:
    fields = {name.upper() for name in Settings.model_fields}
    tried = {"TASK_IDS" if setting_checks.TASK_NAME.fullmatch(name) else name for name, _, _ in WRONG}
    # Any text may be the name of a tab; a Java that can't be used is told where Spark is (test_spark_setup.py).
    assert fields - tried == {"REVENUE_TAB", "JAVA_HOME"}
    assert set(setting_checks.EXPECTED) == fields
    assert {"APIFY_TOKEN", "DISCORD_WEBHOOK", "DAGSTER_POSTGRES_URL"} <= SECRET_NAMES
    assert {name for name in fields if "SECRET" in name or "TOKEN" in name} - SECRET_NAMES == {"GOOGLE_TOKEN_URI"}


def test_all_of_them_are_told_at_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("LOCK_TIMEOUT_S", "soon")
    monkeypatch.setenv("DELIVER", "perhaps")
    outcome = trends("scorecard", "--home", tmp_path)
    assert outcome.code == 2
    assert [line.split("=")[0] for line in outcome.err.splitlines()] == ["trends: LOCK_TIMEOUT_S", "trends: DELIVER"]
    with pytest.raises(setting_checks.SettingsError, match="LOCK_TIMEOUT_S=soon"):
        load()


def test_what_is_right_is_taken_as_it_is_meant(monkeypatch: pytest.MonkeyPatch) -> None:
    given = {
        "TRENDS_LOG_LEVEL": "info",
        "APIFY_TOKEN": "token\n",
        "US_VIDEO_TASK_ID": " user~us-videos ",
        "GOOGLE_CREDENTIALS": KEY,
        "DISCORD_WEBHOOK": "https://discord.com/api/webhooks/1/x",
        "OWNERS": " data@example.com,team:growth ,",
        "DAGSTER_POSTGRES_URL": "postgres://user:pass@localhost/db",
        # Variables of batch systems, which only look like ours.
        "SLURM_TASK_ID": "undefined/1",
    }
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    settings = load()
    assert settings.trends_log_level == "INFO"
    assert settings.asset_owners == ["data@example.com", "team:growth"]
    assert settings.apify_token == SecretStr("token")
    assert settings.task_ids == {"US_VIDEO_TASK_ID": "user~us-videos"}


@pytest.fixture
def env_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / ".env"
    monkeypatch.setitem(Settings.model_config, "env_file", path)
    return path


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("DISCORD_WEBHOOK_URL", "DISCORD_WEBHOOK"),
        ("APIFY_API_TOKEN", "APIFY_TOKEN"),
        ("TREND_HOME", "TRENDS_HOME"),
        ("DELIVERY", "DELIVER"),
        ("US_VIDEOS_TASK_ID", "US_VIDEO_TASK_ID"),
        ("GOOGLE_CLIENTID", "GOOGLE_CLIENT_ID"),
    ],
)
def test_a_slip_in_the_name_stops_a_run_and_names_what_is_meant(
    name: str, meant: str, env_file: Path, tmp_path: Path
) -> None:
    env_file.write_text(f"{name}=marker\n", encoding="utf-8")
    outcome = trends("run", "--home", tmp_path / "home")
    assert outcome.code == 2
    assert outcome.err == (
        f"trends: {name} in {env_file} is no setting: is {meant} meant? Correct the name, or take the line out\n"
    )
    assert not (tmp_path / "home").exists()
    assert f"FAILED   {name}: " in trends("doctor", "--home", tmp_path / "home").out


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("POSTGRES_PASSWORD", "is not used"),
        ("GOOGLE_APPLICATION_CREDENTIALS", "is not used: is GOOGLE_CREDENTIALS meant?"),
        ("ZZ_VIDEO_TASK_ID", "is not used: seeds/markets.csv has no market ZZ"),
    ],
)
def test_a_name_of_others_is_noted_and_stops_nothing(name: str, told: str, env_file: Path, tmp_path: Path) -> None:
    env_file.write_text(f"{name}=marker\n", encoding="utf-8")
    outcome = trends("publish", "--home", tmp_path)
    assert outcome.err.splitlines()[0] == f"trends: note: {name} in {env_file} {told}"
    assert "nothing to publish" in outcome.err.splitlines()[1]
    assert f"not used {name}: {name} in {env_file} {told}" in trends("doctor", "--home", tmp_path).out


def test_names_of_the_example_are_all_known(env_file: Path) -> None:
    env_file.write_text((Path(__file__).parents[2] / ".env.example").read_text(encoding="utf-8"), encoding="utf-8")
    assert unknown_names() == ([], [])


def test_the_doctor_has_a_finding_for_every_setting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCK_TIMEOUT_S", "soon")
    monkeypatch.setenv("DISCORD_WEBHOOK", "http://chat.example/marker-secret")
    monkeypatch.setenv("OUTPUT_DIR", "/proc/output")
    monkeypatch.setenv("GOOGLE_CLIENT_ID", "client")
    settings, problems = load_usable(trends_home=tmp_path)
    found = {finding.name: finding for finding in doctor.examine(settings, problems)}
    fields = {name.upper() for name in Settings.model_fields} - {"TASK_IDS"}
    assert fields | {f"{market}_{kind}_TASK_ID" for market in ("US", "UK") for kind in ("VIDEO", "MUSIC")} <= set(found)
    states = {name: found[name].state for name in fields}
    assert [name for name, state in states.items() if state == "FAILED"] == [
        name for name in states if name in ("LOCK_TIMEOUT_S", "DISCORD_WEBHOOK", "OUTPUT_DIR")
    ]
    assert (states["GOOGLE_CLIENT_ID"], states["APIFY_TOKEN"], states["CACHE_DIR"]) == ("ok", "not set", "not set")
    assert found["TRENDS_HOME"].text == str(tmp_path)
    assert found["RETRY_WAIT_S"].text == "1.0 (default)"
    assert not any("marker" in finding.text for finding in found.values())


def test_the_doctor_exits_with_what_it_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert trends("doctor", "--home", tmp_path).code == 0
    monkeypatch.setenv("EXPORT_PROCESSES", "0")
    outcome = trends("doctor", "--home", tmp_path)
    assert (outcome.code, outcome.err) == (1, "")
    assert "FAILED   EXPORT_PROCESSES: EXPORT_PROCESSES=0: expected a whole number" in outcome.out
