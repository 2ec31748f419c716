"""What the linter's templater needs of dbt: values of variables, over which some models loop and with which they count.

Its own stand-in is a text for each: such models could not be read. A folder of its own, because the templater looks
through whatever lies beside a library.
"""

from pathlib import Path
from typing import Any

import yaml

_PROJECT = Path(__file__).resolve().parents[3] / "dbt_project.yml"
_VARIABLES: dict[str, Any] = yaml.safe_load(_PROJECT.read_text(encoding="utf-8"))["vars"]


def var(name: str, default: Any = None) -> Any:
    """The value of dbt_project.yml; the default of what a command gives (the dates of a build)."""
    return _VARIABLES.get(name, default)
