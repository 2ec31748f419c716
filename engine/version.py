"""Which version of the program this is.

Belongs here: how the versions of the program, its commit and its main libraries are found. Must not be here: when they
are shown.
"""

from importlib.metadata import version
from pathlib import Path
from platform import python_version

_LIBRARIES = {"DuckDB": "duckdb", "dbt": "dbt-core", "Dagster": "dagster"}


def describe(project_root: Path) -> str:
    """One line: the program, its commit where known, Python and the main libraries."""
    sha = git_sha(project_root)
    commit = f" ({sha[:12]})" if sha else ""
    others = ", ".join(f"{name} {version(package)}" for name, package in _LIBRARIES.items())
    return f"trends {version('tiktok-trend-system')}{commit}, Python {python_version()}, {others}"


def project_version(project_root: Path) -> str:
    """Release, and the commit where it is known, as `0.1.0+1a2b3c4d5e6f`."""
    sha = git_sha(project_root)
    return version("tiktok-trend-system") + (f"+{sha[:12]}" if sha else "")


def git_sha(directory: Path) -> str | None:
    """The checked-out commit, or None outside a checkout; read from .git, without starting git."""
    git = directory / ".git"
    if git.is_file():
        # A further worktree has its own HEAD; branches are in the common folder.
        git = directory / git.read_text(encoding="utf-8").partition("gitdir:")[2].strip()
    head = git / "HEAD"
    if not head.exists():
        return None
    content = head.read_text(encoding="utf-8").strip()
    if not content.startswith("ref: "):
        return content
    name = content.removeprefix("ref: ")
    common = git / "commondir"
    for place in (git, *([git / common.read_text(encoding="utf-8").strip()] if common.exists() else [])):
        if (place / name).exists():
            return (place / name).read_text(encoding="utf-8").strip()
        packed = place / "packed-refs"
        for line in packed.read_text(encoding="utf-8").splitlines() if packed.exists() else []:
            sha, _, of = line.partition(" ")
            if of == name:
                return sha
    return None
