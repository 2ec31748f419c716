"""What runs it for good: container, compose and service files start what there is, with settings that there are."""

from __future__ import annotations

import argparse
import configparser
import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from orchestration import cli
from orchestration.settings import Settings
from tests.support import PROJECT

SETTINGS = {name.upper() for name in Settings.model_fields}


def instructions() -> list[tuple[str, str]]:
    """Word and rest of each instruction of the Dockerfile, with its continued lines."""
    text = (PROJECT / "Dockerfile").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines))
    return [(line.partition(" ")[0], line.partition(" ")[2]) for line in joined.splitlines()]


def compose() -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load((PROJECT / "compose.yaml").read_text(encoding="utf-8"))
    return content


def service() -> configparser.SectionProxy:
    parser = configparser.ConfigParser(interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read(PROJECT / "deploy" / "trends.service", encoding="utf-8")
    return parser["Service"]


def test_what_they_start_is_a_command_that_there_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Both command lines are given to the real parser; what it would start is caught."""
    (in_container,) = [yaml.safe_load(rest) for word, rest in instructions() if word == "CMD"]
    as_service = shlex.split(service()["ExecStart"])
    started: list[tuple[str, int]] = []

    def start(options: argparse.Namespace, _: Settings) -> int:
        started.append((options.host, options.port))
        return 0

    monkeypatch.setattr(cli, "_ui", start)
    for program, *arguments in (in_container, as_service):
        assert Path(program).name == "trends"
        assert cli.main([*arguments, "--home", str(tmp_path)]) == 0
    assert started == [("0.0.0.0", 3000), ("127.0.0.1", 3000)]
    assert int(service()["RestartPreventExitStatus"]) == cli.WRONG_USE


def test_only_this_machine_reaches_the_ui_and_no_secret_is_in_an_image() -> None:
    trends = compose()["services"]["trends"]
    assert trends["ports"] == ["127.0.0.1:3000:3000"]
    assert {"EXPOSE": "3000"}.items() <= dict(instructions()).items()
    ignored = (PROJECT / ".dockerignore").read_text(encoding="utf-8").split()
    assert {".env", "home", ".git", ".venv"} <= set(ignored)
    users = [rest for word, rest in instructions() if word == "USER"]
    assert users == ["trends"], "nothing runs as root"


def test_settings_and_files_are_named_as_they_are() -> None:
    services = compose()["services"]
    given = services["trends"]["environment"]
    assert set(given) <= SETTINGS
    assert re.fullmatch(
        r"postgresql://trends:\$\{POSTGRES_PASSWORD:\?[^}]*\}@postgres:5432/trends", given["DAGSTER_POSTGRES_URL"]
    )
    own = services["postgres"]["environment"]
    assert (own["POSTGRES_USER"], own["POSTGRES_DB"]) == ("trends", "trends")
    set_in_image = dict(pair.split("=", 1) for word, rest in instructions() if word == "ENV" for pair in rest.split())
    assert set(set_in_image) - {"PATH"} <= SETTINGS and set_in_image["TRENDS_HOME"] == given["TRENDS_HOME"]
    mounted = [entry.split(":")[1] for entry in services["trends"]["volumes"]]
    assert given["TRENDS_HOME"] in mounted
    for word, rest in instructions():
        if word == "COPY":
            source = next(part for part in rest.split() if not part.startswith("--"))
            assert (PROJECT / source).exists()
    volumes = {entry.split(":")[0] for one in services.values() for entry in one["volumes"] if entry[0] not in "./"}
    assert volumes == set(compose()["volumes"])


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="this system has no systemd")
def test_systemd_reads_its_unit() -> None:
    done = subprocess.run(
        ["systemd-analyze", "verify", PROJECT / "deploy" / "trends.service"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    # It is checked where it is not installed: its program is the one thing that lacks.
    told = [line for line in done.stderr.splitlines() if "trends.service" in line and "is not executable" not in line]
    assert told == []
