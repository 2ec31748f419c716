"""A failed request of any client, as one error in our words.

Belongs here: the table of the clients' exceptions, what an answer that is no success says, and the guard in which each
room makes its calls. Must not be here: what one service's calls do.

The clients (httpx, gspread, google-api-python-client, apprise on requests and smtplib) have exceptions of their own.
The tables name them instead of importing them, so that who talks to one service doesn't load the others' clients
(gspread and Google's take half a second); a test holds that each name still exists.

Our error is raised outside of the ``except`` block: the client's exception, which knows addresses and headers, must
not hang on it.
"""

import datetime as dt
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from pydantic import SecretStr

from services.retries import (
    Effect,
    Failure,
    Policy,
    ServiceError,
    call,
    failure_of_status,
    retry_after_seconds,
    scrub,
)

_Result = TypeVar("_Result")

UNREADABLE = "the answer can't be read"
TIMEOUT = "timeout"
"""Code of an error after which the server may still be at work."""

ANSWERS: Mapping[str, Callable[[Any], tuple[int, Mapping[str, str], bytes]]] = {
    "httpx.HTTPStatusError": lambda error: _parts(error.response),
    "gspread.exceptions.APIError": lambda error: _parts(error.response),
    "googleapiclient.errors.HttpError": lambda error: (error.resp.status, error.resp, error.content),
}
"""Exceptions that bring an answer: its status, headers and body."""

SIGN_IN = "google.auth.exceptions.RefreshError"
"""Google's sign-in said no, or nothing: the library keeps of the answer what it understood."""

FAILURES: Mapping[str, Failure] = {
    "httpx.ConnectError": Failure.NOT_SENT,
    "httpx.ConnectTimeout": Failure.NOT_SENT,
    "httpx.PoolTimeout": Failure.NOT_SENT,
    "httpx.UnsupportedProtocol": Failure.NOT_SENT,
    "httpx.InvalidURL": Failure.REFUSED,
    "httpx.HTTPError": Failure.UNCLEAR,
    "google.auth.exceptions.TransportError": Failure.UNCLEAR,
    "requests.exceptions.ConnectTimeout": Failure.NOT_SENT,
    "requests.exceptions.InvalidURL": Failure.REFUSED,
    "requests.exceptions.InvalidSchema": Failure.REFUSED,
    "requests.exceptions.MissingSchema": Failure.REFUSED,
    "requests.exceptions.InvalidHeader": Failure.REFUSED,
    "requests.exceptions.RequestException": Failure.UNCLEAR,
    "urllib3.exceptions.NewConnectionError": Failure.NOT_SENT,
    "urllib3.exceptions.ConnectTimeoutError": Failure.NOT_SENT,
    "smtplib.SMTPNotSupportedError": Failure.REFUSED,
    "builtins.ConnectionRefusedError": Failure.NOT_SENT,
    "socket.gaierror": Failure.NOT_SENT,
    "ssl.SSLCertVerificationError": Failure.REFUSED,
    "json.decoder.JSONDecodeError": Failure.UNCLEAR,
    "builtins.UnicodeDecodeError": Failure.UNCLEAR,
}
"""Exceptions without an answer. The innermost cause that stands here decides: a client wraps what it met."""

LATE = ("httpx.ReadTimeout", "httpx.WriteTimeout")
_WRAPPERS = frozenset({"google.auth.exceptions.TransportError"})
_THROTTLE_CODES = frozenset({"rateLimitExceeded", "userRateLimitExceeded", "RESOURCE_EXHAUSTED"})


@dataclass(frozen=True, slots=True)
class Guard:
    """Makes the calls to one service: what fails comes out as ``ServiceError``, and is repeated where that is safe.

    Attributes:
        service: Its name for people.
        secrets: What must not appear in an error.
        policy: How long to insist.
        remedies: What the user can do, by the service's own word for the error, by the status, or by the name of the
            client's exception.
        throttle_default: Seconds to wait where the service refuses for now and doesn't say how long; ``None`` leaves
            it to the policy.
    """

    service: str
    secrets: Callable[[], Iterable[SecretStr | None]] = field(repr=False)
    policy: Policy
    remedies: Mapping[str | int, str] = field(default_factory=dict, repr=False)
    throttle_default: float | None = None

    def run(self, action: str, operation: Callable[[], _Result], effect: Effect = Effect.REPEATABLE) -> _Result:
        """Makes a call, again and again as the policy and its effect allow.

        Args:
            action: What is tried, for messages.
            operation: The call.
            effect: What a repeat would do.

        Returns:
            What the call returns.

        Raises:
            ServiceError: The last failure.
        """
        return call(lambda: self.once(action, operation), effect, self.policy)

    def once(self, action: str, operation: Callable[[], _Result]) -> _Result:
        """Makes a call one time.

        Args:
            action: What is tried, for messages.
            operation: The call.

        Returns:
            What the call returns.

        Raises:
            ServiceError: It failed. Exceptions that aren't of a client pass through.
        """
        try:
            return operation()
        except Exception as error:
            problem = self._translated(action, error)
            if problem is None:
                raise
        raise problem

    def error(self, action: str, failure: Failure, message: str, **details: Any) -> ServiceError:
        """An error of this service in words of ours, for example about an answer that isn't what was asked for."""
        return ServiceError(self.service, action, failure, message, **details)

    def _translated(self, action: str, error: Exception) -> ServiceError | None:
        for name in _names(error):
            if name in ANSWERS:
                return self._of_answer(action, *ANSWERS[name](error))
            if name == SIGN_IN:
                return self._of_sign_in(action, error)
        failure = failure_of(error)
        if failure is None or FAILURES.keys().isdisjoint(_names(error)):
            # Of no client, whatever it was made from.
            return None
        met = next((cause for cause in _causes(error) if not _WRAPPERS.intersection(_names(cause))), error)
        # The text of these exceptions holds the address: only their kind is told.
        kind = type(met).__name__
        return self.error(
            action,
            failure,
            UNREADABLE if isinstance(met, json.JSONDecodeError | UnicodeDecodeError) else kind,
            code=TIMEOUT if set(LATE).intersection(_names(met)) else "",
            remedy=self.remedies.get(kind, ""),
        )

    def _of_answer(self, action: str, status: int, headers: Mapping[str, str], body: bytes) -> ServiceError:
        code, message, wait = _said(body)
        code = scrub(code, self.secrets())
        is_throttled = status == 429 or (status == 403 and code in _THROTTLE_CODES)
        if wait is None:
            wait = retry_after_seconds(headers.get("retry-after"), dt.datetime.now(dt.UTC))
        if wait is None and is_throttled:
            wait = self.throttle_default
        remedy = self.remedies.get(code) or ("" if is_throttled else self.remedies.get(status, ""))
        return self.error(
            action,
            Failure.THROTTLED if is_throttled else failure_of_status(status),
            f"HTTP {status}, {scrub(message, self.secrets())}" if message else f"HTTP {status}",
            status=status,
            # A gateway's: the server behind it may still be at work.
            code=TIMEOUT if status == 504 else code,
            retry_after=wait,
            remedy=remedy,
        )

    def _of_sign_in(self, action: str, error: Any) -> ServiceError:
        details = next((part for part in error.args if isinstance(part, dict)), {})
        if not details and not error.retryable:
            # A gateway's page: it says nothing about the token, and google-auth repeats 408, 429, 500 and 503 only.
            return self.error(action, Failure.UNCLEAR, UNREADABLE, remedy="Google's sign-in is down: try later")
        code = scrub(str(details.get("error", "")), self.secrets())
        said = str(details or (error.args[0] if error.args else "no token"))
        unknown = "" if code else "Google's token endpoint doesn't answer: try again later"
        # google-auth has tried a retryable failure three times already: a fourth is not a different answer.
        return self.error(
            action,
            Failure.REFUSED,
            scrub(said, self.secrets()),
            code=code,
            remedy=self.remedies.get(code, unknown),
        )


def failure_of(error: BaseException) -> Failure | None:
    """Says what an exception without an answer means for a repeat.

    Args:
        error: Of any client.

    Returns:
        The kind of failure of the innermost cause that is known; None where none is.
    """
    found: Failure | None = None
    for cause in _causes(error):
        found = next((FAILURES[name] for name in _names(cause) if name in FAILURES), found)
    return found


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error and what it was made of: clients keep it as a reason, as the first argument, or raise from it."""
    seen: list[BaseException] = []
    cause: Any = error
    while isinstance(cause, BaseException) and cause not in seen:
        yield cause
        seen.append(cause)
        inner = (getattr(cause, "reason", None), cause.args[0] if cause.args else None, cause.__cause__)
        cause = next((one for one in inner if isinstance(one, BaseException)), None)


def _names(error: BaseException) -> list[str]:
    return [f"{kind.__module__}.{kind.__qualname__}" for kind in type(error).__mro__]


def _parts(response: Any) -> tuple[int, Mapping[str, str], bytes]:
    return response.status_code, response.headers, response.content


def _said(body: bytes) -> tuple[str, str, float | None]:
    """Code, message and seconds to wait, where the three services that answer in JSON put them.

    Google: `error.errors[].reason` or `error.status`; Apify: `error.type`; Discord: `code` and `retry_after`.
    """
    try:
        whole = json.loads(body)
        details = whole["error"] if isinstance(whole.get("error"), dict) else whole
        reasons = details.get("errors")
        reason = reasons[0].get("reason") if isinstance(reasons, list) and reasons else None
        code = reason or details.get("status") or details.get("type") or whole.get("code")
        wait = float(whole["retry_after"]) if "retry_after" in whole else None
        return str(code or ""), str(details.get("message") or ""), wait
    except (ValueError, KeyError, TypeError, AttributeError):
        # An HTML page of a gateway says nothing worth keeping.
        return "", "", None
