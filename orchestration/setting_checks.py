"""What a setting must look like, and what to say where it does not.

Belongs here: rules and remedies for single settings, and whether places and databases can be used. Must not be here:
reading the environment (`settings`), asking services (`doctor`).

A value that is wrong is told before anything is changed: by its name, by its value (never a secret's), with the remedy.
"""

from __future__ import annotations

import base64
import binascii
import difflib
import json
import re
import tempfile
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from pydantic import SecretStr

# What a setting expects, in words; every field of `Settings` has its own (a test holds that).
EXPECTED = {
    "TRENDS_HOME": "a directory that can be written",
    "TRENDS_LOG_LEVEL": "DEBUG, INFO, WARNING, ERROR or CRITICAL",
    "LOCK_TIMEOUT_S": "a number of seconds from 0 on, such as 60",
    "EXPORT_PROCESSES": "a whole number from 1 on, such as 2",
    "APIFY_TOKEN": "the API token of Apify's console, under Settings, API & Integrations",
    "APIFY_BASE_URL": "an address such as https://api.apify.com",
    "APIFY_REUSE_HOURS": "a number of hours from 0 on, such as 6",
    "APIFY_MAX_CHARGE_USD": "an amount above 0 in US dollars, such as 5",
    "APIFY_RUN_TIMEOUT_MINUTES": "a number of minutes above 0, such as 120",
    "APIFY_ITEM_FLOOR": "a whole number from 0 on, such as 20",
    "PANEL_TASK_ID": "the id in Apify, or user~task, of a task that reads videos by URL and nothing else",
    "PANEL_VIDEOS_PER_MARKET": "a whole number from 0 to 100, such as 20",
    "PANEL_READS_PER_DAY": "a whole number from 0 on, such as 120",
    "PANEL_INPUT": "the field of the task's input that takes addresses, such as postURLs",
    "TASK_IDS": "the task's id in Apify, or user~task",
    "GOOGLE_CLIENT_ID": "the id of an OAuth client of the type Desktop app",
    "GOOGLE_CLIENT_SECRET": "the secret of the OAuth client",
    "GOOGLE_REFRESH_TOKEN": "the token that `trends auth google` prints",
    "GOOGLE_CREDENTIALS": "the base64 of a service account's JSON key: base64 -w0 key.json",
    "GOOGLE_AUTH_URI": "an address such as https://accounts.google.com/o/oauth2/v2/auth",
    "GOOGLE_TOKEN_URI": "an address such as https://oauth2.googleapis.com/token",
    "SHEETS_ENDPOINT": "an address such as https://sheets.googleapis.com/",
    "DRIVE_ENDPOINT": "an address such as https://www.googleapis.com/",
    "DRIVE_FOLDER_ID": "the id in the folder's address, behind /folders/",
    "DASHBOARD_SHEET_ID": "the id in the sheet's address, between /d/ and the next slash",
    "REVENUE_SHEET_ID": "the id in the sheet's address, between /d/ and the next slash",
    "REVENUE_TAB": "the name of a tab",
    "DISCORD_WEBHOOK": "the https address from the channel's settings, under Integrations, Webhooks",
    "CHANNELS": "a line for each channel: name | address | kinds | markets (docs/channels.md)",
    "POLL_SUMMARY": "never, alerts or always",
    "DISPLAY_TIMEZONE": "the name of a time zone, such as Europe/London or UTC",
    "DISPLAY_HOURS": "24 or 12",
    "HEARTBEAT_URL": "the address that the watcher gave you, such as https://hc-ping.com/<id>",
    "RETRY_WAIT_S": "a number of seconds above 0, such as 1",
    "DELIVER": "true or false",
    "DELIVER_SAMPLE": "true or false",
    "DAGSTER_POSTGRES_URL": "postgresql://user:password@host:5432/database of a server that is reachable",
    "RUN_HISTORY_DAYS": "a whole number of days from 1 on, such as 90",
    "OWNERS": "addresses or teams, such as data@example.com, team:growth",
    "FEED_MAX_MB": "a whole number of megabytes above 0, such as 2048",
    "FEED_MAX_EXPANSION": "a whole number above 0, such as 200",
    "OUTPUT_DIR": "a directory that can be written",
    "CACHE_DIR": "a directory that can be written",
    "TRENDS_ENGINE": "duckdb, or spark on a machine with Java and the packages of requirements-spark.lock",
    "SPARK_MASTER": "the address of a master such as spark://host:7077, yarn, k8s://https://host:443, or local[4]",
    "SPARK_REMOTE": "the address of a Spark Connect server, such as sc://host:15002",
    "SPARK_WAREHOUSE": "a directory that can be written, and that all machines of the cluster see under this path",
    "JAVA_HOME": "the folder of a Java of 17 or newer, which has bin/java",
}

TASK_NAME = re.compile(r"[A-Z0-9]+_(VIDEO|MUSIC)_TASK_ID")
# A name as near as this to one of ours is a slip, and what it should have set is missing: DISCORD_WEBHOOK_URL is, as
# are APIFY_API_TOKEN and DELIVERY; GOOGLE_APPLICATION_CREDENTIALS and POSTGRES_URL belong to other programs.
SLIP = 0.84
_RESEMBLANCE = 0.6

# What Dagster takes.
_OWNER = re.compile(r"[\w.+-]+@[\w-]+(\.[\w-]+)+|team:\w+")
_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_CONNECT_TIMEOUT_S = 5


@dataclass(frozen=True, slots=True)
class Problem:
    """A setting that cannot be used.

    Attributes:
        name: Its name as in the environment.
        text: Name, value and what is wrong with it, and the remedy: one line.
    """

    name: str
    text: str


class SettingsError(ValueError):
    """Settings that cannot be used; the message has a line for each."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = list(problems)
        super().__init__("\n".join(problem.text for problem in self.problems))


def problem(name: str, value: object, reason: str = "", *, is_secret: bool = False) -> Problem:
    """Describes a setting that cannot be used.

    Args:
        name: As in the environment.
        value: What is set.
        reason: What is wrong, where that is not plain from what is expected.
        is_secret: Whether the value must not be shown.
    """
    expected = EXPECTED["TASK_IDS" if TASK_NAME.fullmatch(name) else name]
    shown = "(not shown)" if is_secret else " ".join(str(value).split())
    return Problem(name, f"{name}={shown}: {reason + '; ' if reason else ''}expected {expected}")


def from_errors(errors: Iterable[Mapping[str, Any]], secrets: Collection[str]) -> list[Problem]:
    """Turns what pydantic found into problems.

    Args:
        errors: `ValidationError.errors()`.
        secrets: Names of the settings whose values are secret.
    """
    found = []
    for error in errors:
        # A task's id stands within the field that holds them all.
        name = str(error["loc"][-1] if error["loc"] else "TRENDS_HOME").upper()
        reason = str(error["ctx"]["error"]) if error["type"] == "value_error" else ""
        found.append(problem(name, error["input"], reason, is_secret=name in secrets))
    return found


# ---------- single values: each gives the value back, or raises ValueError with what is wrong


def owners(value: str) -> str:
    """Owners of assets, one comma and one blank between two."""
    found = [owner.strip() for owner in value.split(",") if owner.strip()]
    for owner in found:
        if not _OWNER.fullmatch(owner):
            message = f"{owner} is neither an address nor team:name"
            raise ValueError(message)
    return ", ".join(found)


def poll_summary(value: str) -> str:
    """What a poll sends beside its alerts."""
    kind = value.strip().lower()
    if kind not in ("never", "alerts", "always"):
        message = "is no kind of summary"
        raise ValueError(message)
    return kind


def engine(value: str) -> str:
    """What builds the models."""
    name = value.strip().lower()
    if name not in ("duckdb", "spark"):
        raise ValueError("is no engine")
    return name


def spark_master(value: str) -> str:
    """The address of a Spark cluster's master."""
    if not re.fullmatch(r"local(\[(\d+|\*)(, *\d+)?\])?|local-cluster\[.*\]|yarn|(spark|k8s)://\S+", value):
        raise ValueError(
            "is no address of a master" + ("; it goes into SPARK_REMOTE" if value.startswith("sc:") else "")
        )
    return value


def spark_remote(value: str) -> str:
    """The address of a Spark Connect server."""
    if not re.match(r"sc://[^/\s]", value):
        raise ValueError("is no address of a Spark Connect server")
    return no_blanks(value)


def folder(value: object) -> object:
    """A folder of the file system, and no address of an object store."""
    if isinstance(value, str) and "://" in value:
        raise ValueError("is an address and no folder: mount the store, and name the place where it is mounted")
    return value


def time_zone(value: str) -> str:
    """A zone of the time zone database."""
    try:
        ZoneInfo(value)
    except (ValueError, OSError, ZoneInfoNotFoundError):
        near = difflib.get_close_matches(value.title().replace(" ", "_"), available_timezones(), 1)
        raise ValueError("is no time zone" + (f": is {near[0]} meant?" if near else "")) from None
    return value


def hours(value: int) -> int:
    """A clock of a whole or of half a day."""
    if value not in (12, 24):
        raise ValueError("is no clock")
    return value


def log_level(value: str) -> str:
    """A level of Python's logging, in any case of letters."""
    if value.upper() not in ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"):
        raise ValueError("is no level")
    return value.upper()


def no_blanks(value: str) -> str:
    """An id, token or secret: one word."""
    if any(character.isspace() for character in value):
        raise ValueError("has a blank or a line break in it")
    return value


def word(value: str) -> str:
    """A token or the id of a client: one word and no address."""
    if "://" in value:
        raise ValueError("is an address")
    return no_blanks(value)


def google_id(value: str) -> str:
    """The id of a folder or sheet, as it stands in its address."""
    within = re.search(r"/(?:folders|d)/([\w-]+)|[?&]id=([\w-]+)", value)
    if within:
        raise ValueError(f"is an address: the id in it is {within[1] or within[2]}")
    if not re.fullmatch(r"[\w-]+", value):
        raise ValueError("is no id")
    return value


def task_id(value: str) -> str:
    """The id of a task, or `user~task`."""
    if "://" in value or value.startswith("console.apify.com"):
        found = re.search(r"/tasks/([\w.~-]+)", value)
        raise ValueError("is an address" + (f": the id in it is {found[1]}" if found else ""))
    if re.fullmatch(r"[\w.-]+/[\w.-]+", value):
        raise ValueError(f"has a slash: write {value.replace('/', '~')}")
    if not re.fullmatch(r"[\w.-]+(~[\w.-]+)?", value):
        raise ValueError("is no id")
    return value


def address(value: str) -> str:
    """The root address of a service."""
    parts = _split(value)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("is no address")
    return value


def webhook(value: str) -> str:
    """The address of a webhook of Discord, or of a service on this machine."""
    parts = _split(value)
    if not parts.hostname or parts.scheme not in ("http", "https"):
        raise ValueError("is no address")
    if parts.scheme == "http" and parts.hostname not in _LOOPBACK:
        raise ValueError("is no https address: whoever reads it on the way could post")
    if parts.hostname.removeprefix("www.") in ("discord.com", "discordapp.com") and "/webhooks/" not in parts.path:
        raise ValueError("is an address of Discord, but of no webhook")
    return no_blanks(value)


def channels(value: str, markets: Collection[str]) -> str:
    """Places that hear messages. The library that reads addresses is imported only where some are set."""
    from services import channels as rooms

    rooms.parse(value, markets)
    return value


def parts_of_channels(value: str) -> list[SecretStr]:
    """The hidden parts of their addresses."""
    from services import channels as rooms

    return rooms.secret_parts(value)


def service_account(value: str) -> str:
    """A service account's key, in base64."""
    try:
        key = json.loads(base64.b64decode(value, validate=True))
    except (binascii.Error, ValueError):
        # What they say quotes the key.
        key = None
    if not isinstance(key, dict):
        raise ValueError("is no base64 of JSON")
    return value


def postgres_url(value: str) -> str:
    """The address of a PostgreSQL database."""
    parts = _split(value)
    if parts.scheme.partition("+")[0] not in ("postgres", "postgresql"):
        raise ValueError("is no address of a PostgreSQL database")
    if not parts.path.strip("/"):
        raise ValueError("names no database")
    return value


def _split(value: str) -> Any:
    try:
        parts = urlsplit(value)
        _ = parts.port
    except ValueError:
        raise ValueError("is no address") from None
    return parts


# ---------- names


def unknown_names(names: Iterable[str], known: Collection[str], path: Path) -> tuple[list[Problem], list[str]]:
    """Names of a settings file that nothing reads: slips, and what others may have put there.

    Args:
        names: Those of the file.
        known: Those that are read, task ids of all markets included.
        path: The file, for the message.

    Returns:
        Slips, which are errors: what was meant is not set. And a line for each other one, which is only a warning.
    """
    slips, strangers = [], []
    for name in names:
        if name.upper() in known:
            continue
        if TASK_NAME.fullmatch(name.upper()):
            market = name.split("_")[0].upper()
            strangers.append(f"{name} in {path} is not used: seeds/markets.csv has no market {market}")
            continue
        near = difflib.get_close_matches(name.upper(), known, 1, _RESEMBLANCE)
        meant = f": is {near[0]} meant?" if near else ""
        if near and difflib.SequenceMatcher(None, name.upper(), near[0]).ratio() >= SLIP:
            slips.append(Problem(name, f"{name} in {path} is no setting{meant} Correct the name, or take the line out"))
        else:
            strangers.append(f"{name} in {path} is not used{meant}")
    return slips, strangers


# ---------- places


def unwritable(path: Path) -> str | None:
    """Why no file can be made in a directory that may not be there yet; None where one can."""
    existing = next(place for place in (path, *path.parents) if place.exists())
    if not existing.is_dir():
        return f"{existing} is a file and no directory"
    try:
        # Asking for the rights says nothing about a disk that is mounted read-only.
        with tempfile.TemporaryDirectory(prefix=".trends-", dir=existing):
            return None
    except OSError as error:
        return f"{existing} can't be written ({error.strerror})"


def unreachable(postgres: str) -> str | None:
    """Why a PostgreSQL database does not answer; None where it does."""
    import psycopg2

    _, _, rest = postgres.partition("://")
    try:
        psycopg2.connect(f"postgresql://{rest}", connect_timeout=_CONNECT_TIMEOUT_S).close()
    except psycopg2.Error as error:
        return "it does not answer: " + " ".join(str(error).split())
    return None
