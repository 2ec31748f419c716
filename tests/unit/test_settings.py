"""Settings: what a user can set is what `.env.example` names."""

from __future__ import annotations

import re

from orchestration.settings import Settings
from tests.support import PROJECT


def test_env_example_names_every_variable() -> None:
    text = (PROJECT / ".env.example").read_text(encoding="utf-8")
    named = set(re.findall(r"^([A-Z_0-9]+)=", text, re.MULTILINE))
    fields = {name.upper() for name in Settings.model_fields} - {"TASK_IDS"}
    tasks = {f"{market}_{kind}_TASK_ID" for market in ("US", "UK") for kind in ("VIDEO", "MUSIC")}
    assert named == fields | tasks
    assert not re.findall(r"^[A-Z_0-9]+=.+$", text, re.MULTILINE), "an example must not set anything"
