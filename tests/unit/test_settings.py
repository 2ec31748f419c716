"""Settings: what a user can set is what `.env.example` names."""

from __future__ import annotations

import re

from orchestration.settings import DEFAULT_HOME, PROJECT_ROOT, Settings
from tests.support import PROJECT


def test_env_example_names_every_variable() -> None:
    text = (PROJECT / ".env.example").read_text(encoding="utf-8")
    named = set(re.findall(r"^([A-Z_0-9]+)=", text, re.MULTILINE))
    fields = {name.upper() for name in Settings.model_fields} - {"TASK_IDS"}
    tasks = {f"{market}_{kind}_TASK_ID" for market in ("US", "UK") for kind in ("VIDEO", "MUSIC")}
    assert named == fields | tasks
    assert not re.findall(r"^[A-Z_0-9]+=.+$", text, re.MULTILINE), "an example must not set anything"


def test_dbt_in_a_shell_and_the_workflows_use_the_default_home_too() -> None:
    home = DEFAULT_HOME.relative_to(PROJECT_ROOT).as_posix()
    profile = (PROJECT / "profiles.yml").read_text(encoding="utf-8")
    assert re.findall(r"env_var\('TRENDS_HOME', '(.*?)'\)", profile) == [home] * profile.count("path:")
    for name in ("daily", "micro_poll"):
        text = (PROJECT / ".github" / "workflows" / f"{name}.yml").read_text(encoding="utf-8")
        assert re.findall(r"TRENDS_HOME: (.*)", text) == [home]
        paths = re.findall(r"^\s+(\S+/\S*(?:_cache\.json|\.duckdb|\.log|warehouse|output))$", text, re.MULTILINE)
        assert {path.split("/")[0] for path in paths} == {home}
        assert len(paths) >= 6
