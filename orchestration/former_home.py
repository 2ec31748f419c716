"""The home of an earlier version: when it is taken up.

Belongs here: which homes that concerns. Must not be here: how files are moved (`warehouse.former_home`).
"""

from __future__ import annotations

from orchestration.settings import DEFAULT_HOME, PROJECT_ROOT, Settings
from warehouse import former_home
from warehouse.store import Store


def take_up(settings: Settings) -> str | None:
    """Moves a home that lies in the project's own folder to the default home, where that is the one in use.

    Returns:
        A line that says what was moved; None where there was nothing to do.

    Raises:
        HomeMoveError: The files can't be renamed to there.
        WarehouseBusyError: Another process writes in either place.
    """
    if settings.trends_home != DEFAULT_HOME:
        return None
    elsewhere = [path.expanduser().resolve() for path in (settings.output_dir, settings.cache_dir) if path is not None]
    return former_home.take_up(PROJECT_ROOT, Store(DEFAULT_HOME, settings.lock_timeout_s), elsewhere)
