"""One policy for calls to services: what went wrong, and whether the call may be repeated.

Belongs here: the kinds of failure, the table that says which kind is safe to repeat, the error every room
raises, and the loop around it. Must not be here: anything about one service, or about one client (`failures`).

Two rules make the table short. A call that changes something is either REPEATABLE, because it carries its own
id, looks before it writes, or sets a state, or it is ONCE. And the libraries' own retries are off, because
they repeat what may have happened already.

Errors never carry a URL, a header or a library's exception (the Discord URL is itself a secret): rooms
translate first and raise outside of the ``except`` block, so that no context hangs on the error.
"""

import datetime as dt
import email.utils
import enum
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TypeVar

import stamina
from pydantic import SecretStr

_Result = TypeVar("_Result")

MESSAGE_LIMIT = 300
"""Characters of a service's own error message that are worth keeping."""


class Failure(enum.Enum):
    """What is known about a call that failed."""

    THROTTLED = "throttled"
    """The service refused for now (429): nothing was done."""
    NOT_SENT = "not sent"
    """No connection was made: nothing was done."""
    UNCLEAR = "unclear"
    """The answer was lost, late, or a server error: it may have been done."""
    REFUSED = "refused"
    """The service said no: nothing was done, and repeating doesn't help."""


class Effect(enum.Enum):
    """What repeating a call would do."""

    REPEATABLE = "repeatable"
    """A read, a write under an id of ours, a state that is set, or a look followed by a write."""
    ONCE = "once"
    """A write that a repeat would do a second time."""


SAFE_TO_REPEAT: Mapping[Effect, frozenset[Failure]] = {
    Effect.REPEATABLE: frozenset({Failure.THROTTLED, Failure.NOT_SENT, Failure.UNCLEAR}),
    Effect.ONCE: frozenset({Failure.THROTTLED, Failure.NOT_SENT}),
}


@dataclass(frozen=True, slots=True)
class Policy:
    """How long to insist.

    Attributes:
        attempts: Calls at most, the first included.
        wait_initial: Seconds before the first repeat; doubled each time.
        wait_max: Longest wait in seconds that we choose ourselves.
        wait_jitter: Seconds of random extra, so that parallel callers don't return together.
        longest_wait: Longest wait in seconds that a service may ask for; above it we give up at once.
        give_up_after: Seconds after which no further repeat is begun.
    """

    attempts: int = 5
    wait_initial: float = 1.0
    wait_max: float = 20.0
    wait_jitter: float = 1.0
    longest_wait: float = 120.0
    give_up_after: float = 300.0


class ServiceError(Exception):
    """A call to a service failed, told without any secret.

    Attributes:
        service: Name of the service for people, for example ``Google Drive``.
        action: What was tried, for example ``create folder``.
        failure: What is known about it.
        status: HTTP status, or ``None`` if there was no answer.
        code: The service's own word for the error, for example ``storageQuotaExceeded``; ``""`` if none.
        retry_after: Seconds the service asked us to wait, or ``None``.
        remedy: What the user can do; ``""`` if nothing.
    """

    def __init__(
        self,
        service: str,
        action: str,
        failure: Failure,
        message: str,
        *,
        status: int | None = None,
        code: str = "",
        retry_after: float | None = None,
        remedy: str = "",
    ) -> None:
        self.service = service
        self.action = action
        self.failure = failure
        self.status = status
        self.code = code
        self.retry_after = retry_after
        self.remedy = remedy
        text = f"{service}: {action} failed ({failure.value}): {message}"
        super().__init__(f"{text}. {remedy}" if remedy else text)


def call(operation: Callable[[], _Result], effect: Effect, policy: Policy) -> _Result:
    """Runs an operation and repeats it where the table allows.

    Args:
        operation: The call; raises ``ServiceError`` when it fails. Other exceptions pass through.
        effect: What a repeat would do.
        policy: How long to insist.

    Returns:
        What the operation returns.

    Raises:
        ServiceError: The last failure.
    """

    def wait_or_stop(error: Exception) -> bool | float:
        if not isinstance(error, ServiceError) or error.failure not in SAFE_TO_REPEAT[effect]:
            return False
        if error.retry_after is None:
            return True
        return error.retry_after if error.retry_after <= policy.longest_wait else False

    for attempt in stamina.retry_context(
        on=wait_or_stop,
        attempts=policy.attempts,
        timeout=policy.give_up_after,
        wait_initial=policy.wait_initial,
        wait_max=policy.wait_max,
        wait_jitter=policy.wait_jitter,
    ):
        with attempt:
            result = operation()
    return result


def failure_of_status(status: int) -> Failure:
    """Says what an HTTP status means for a repeat.

    Args:
        status: A status that isn't success.

    Returns:
        The kind of failure. 408 and every 5xx are unclear: a gateway may answer for a server that went on.
    """
    if status == 429:
        return Failure.THROTTLED
    if status == 408 or status >= 500:
        return Failure.UNCLEAR
    return Failure.REFUSED


def retry_after_seconds(value: str | None, now: dt.datetime) -> float | None:
    """Reads a ``Retry-After`` header.

    Args:
        value: Seconds (fractions allowed) or an HTTP date; ``None`` if the header is missing.
        now: The present, aware.

    Returns:
        Seconds, at least 0; ``None`` if there is nothing readable.
    """
    if not value:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            seconds = (email.utils.parsedate_to_datetime(value) - now).total_seconds()
        except (ValueError, TypeError):
            return None
    return max(0.0, seconds) if seconds < float("inf") else None


def scrub(text: str, secrets: Iterable[SecretStr | None]) -> str:
    """Takes secrets out of a service's own words and shortens them.

    Args:
        text: An error message as it came.
        secrets: What must not appear.

    Returns:
        One line of at most 300 characters; each secret replaced by ``***``.
    """
    return " ".join(redact(text, secrets).split())[:MESSAGE_LIMIT]


def redact(text: str, secrets: Iterable[SecretStr | None]) -> str:
    """Takes secrets out of a text and leaves the rest as it is.

    Args:
        text: Any text.
        secrets: What must not appear.

    Returns:
        The text, each secret replaced by ``***``.
    """
    for secret in secrets:
        if secret is not None and secret.get_secret_value():
            text = text.replace(secret.get_secret_value(), "***")
    return text
