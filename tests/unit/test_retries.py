"""The table of what may be repeated, the waits, and the scrubbing of messages."""

import datetime as dt

import pytest
from pydantic import SecretStr

from services.retries import Effect, Failure, Policy, ServiceError, call, failure_of_status, retry_after_seconds, scrub

QUICK = Policy(attempts=4, wait_initial=0.001, wait_max=0.002, wait_jitter=0.0, longest_wait=0.5, give_up_after=5.0)
NOW = dt.datetime(2026, 1, 5, 9, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("effect", "failure", "calls"),
    [
        (Effect.REPEATABLE, Failure.THROTTLED, 4),
        (Effect.REPEATABLE, Failure.NOT_SENT, 4),
        (Effect.REPEATABLE, Failure.UNCLEAR, 4),
        (Effect.REPEATABLE, Failure.REFUSED, 1),
        (Effect.ONCE, Failure.THROTTLED, 4),
        (Effect.ONCE, Failure.NOT_SENT, 4),
        (Effect.ONCE, Failure.UNCLEAR, 1),
        (Effect.ONCE, Failure.REFUSED, 1),
    ],
)
def test_what_is_repeated(effect: Effect, failure: Failure, calls: int) -> None:
    made = []

    def operation() -> None:
        made.append(1)
        raise ServiceError("Service", "act", failure, "no")

    with pytest.raises(ServiceError, match=failure.value):
        call(operation, effect, QUICK)
    assert len(made) == calls


def test_other_exceptions_and_long_waits_are_not_repeated() -> None:
    made = []

    def operation(error: Exception) -> None:
        made.append(1)
        raise error

    with pytest.raises(ZeroDivisionError):
        call(lambda: operation(ZeroDivisionError()), Effect.REPEATABLE, QUICK)
    patient = ServiceError("Service", "act", Failure.THROTTLED, "no", retry_after=0.6)
    with pytest.raises(ServiceError):
        call(lambda: operation(patient), Effect.REPEATABLE, QUICK)
    assert len(made) == 2


@pytest.mark.parametrize(
    ("status", "failure"),
    [
        (400, Failure.REFUSED),
        (404, Failure.REFUSED),
        (408, Failure.UNCLEAR),
        (409, Failure.REFUSED),
        (429, Failure.THROTTLED),
        (500, Failure.UNCLEAR),
        (504, Failure.UNCLEAR),
    ],
)
def test_statuses(status: int, failure: Failure) -> None:
    assert failure_of_status(status) is failure


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("", None),
        ("7", 7.0),
        ("0.25", 0.25),
        ("-3", 0.0),
        ("Mon, 05 Jan 2026 09:01:00 GMT", 60.0),
        ("Mon, 05 Jan 2026 08:00:00 GMT", 0.0),
        ("soon", None),
        ("inf", None),
        ("nan", None),
    ],
)
def test_retry_after(value: str | None, seconds: float | None) -> None:
    assert retry_after_seconds(value, NOW) == seconds


def test_scrub() -> None:
    text = scrub(
        "a\n secret-1 b secret-2" + "x" * 400, [SecretStr("secret-1"), None, SecretStr(""), SecretStr("secret-2")]
    )
    assert text.startswith("a *** b ***x")
    assert len(text) == 300
