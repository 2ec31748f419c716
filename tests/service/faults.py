"""What goes wrong, where and how often."""

import fnmatch
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

Kind = Literal[
    "status",  # answer with a status and a JSON error; nothing was done
    "html",  # answer with a status and a gateway's HTML page; nothing was done
    "drop_early",  # close the connection before the body was read; nothing was done
    "drop_before",  # close the connection instead of answering; nothing was done
    "drop_after",  # do it, then close the connection instead of answering
    "status_after",  # do it, then answer with a status
    "stall",  # never answer; nothing was done
    "stall_after",  # do it, then never answer
    "overtaken",  # hold the request until the next one of its route arrives, do it then, before that one
    "call_before",  # call a function, then go on
    "call_after",  # do it and answer, then call a function
]


@dataclass(slots=True)
class Fault:
    """One planned fault.

    Attributes:
        kind: What happens.
        status: HTTP status for ``status``, ``html`` and ``status_after``.
        headers: Extra headers of that answer.
        body: JSON body of that answer instead of a generic error.
        times: How often it happens.
        skip: How many requests of the route go well before.
        action: For ``call_before`` and ``call_after``.
    """

    kind: Kind
    status: int = 500
    headers: Mapping[str, str] = field(default_factory=dict)
    body: object = None
    times: int = 1
    skip: int = 0
    action: Callable[[], object] | None = None


EVERY_FAULT = (
    Fault("status", 429, {"Retry-After": "1"}),
    Fault("status", 429),
    Fault("status", 500),
    Fault("html", 502),
    Fault("drop_early"),
    Fault("drop_before"),
    Fault("drop_after"),
    Fault("status_after", 503),
    Fault("stall"),
    Fault("stall_after"),
)
"""Every way in which one request goes wrong; a test plans copies, because a plan counts in its faults."""


def fault_name(fault: object) -> str | None:
    """The id of a fault among a test's parameters; other values keep pytest's own."""
    if not isinstance(fault, Fault):
        return None
    return f"{fault.kind}-{fault.status}{'-wait' if fault.headers else ''}"


class FaultPlan:
    """Faults by route pattern (``drive.files.*``); the first that still has something to do is taken."""

    def __init__(self) -> None:
        self._faults: list[tuple[str, Fault]] = []
        self._lock = threading.Lock()

    def add(self, pattern: str, fault: Fault) -> None:
        """Plans a fault for all routes that match a pattern."""
        with self._lock:
            self._faults.append((pattern, fault))

    def clear(self) -> None:
        """Forgets what is planned."""
        with self._lock:
            self._faults.clear()

    def take(self, route: str) -> Fault | None:
        """The fault for this request, if any; counts it."""
        with self._lock:
            for pattern, fault in self._faults:
                if not fnmatch.fnmatchcase(route, pattern) or fault.times == 0:
                    continue
                if fault.skip:
                    fault.skip -= 1
                    continue
                fault.times -= 1
                return fault
        return None
