"""Which version of the project is running: release and commit. Must not be here: what a version changes."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

from orchestration.settings import PROJECT_ROOT


def project_version(directory: Path = PROJECT_ROOT) -> str:
    """Release, and the commit where it is known, as `0.1.0+1a2b3c4d5e6f`."""
    commit = git_sha(directory)
    return version("tiktok-trend-system") + (f"+{commit[:12]}" if commit else "")


def git_sha(directory: Path = PROJECT_ROOT) -> str | None:
    """The checked-out commit, or None outside a checkout; read from .git, without starting git."""
    head = directory / ".git" / "HEAD"
    if not head.exists():
        return None
    content = head.read_text(encoding="utf-8").strip()
    if not content.startswith("ref: "):
        return content
    name = content.removeprefix("ref: ")
    reference, packed = directory / ".git" / name, directory / ".git" / "packed-refs"
    if reference.exists():
        return reference.read_text(encoding="utf-8").strip()
    lines = packed.read_text(encoding="utf-8").splitlines() if packed.exists() else []
    return next((line.split()[0] for line in lines if line.endswith(f" {name}")), None)
