"""A failed request of any client comes out as one kind of error, without what the client knew."""

import io
import pydoc
import smtplib
import socket
import ssl
from collections.abc import Callable

import google.auth.exceptions
import gspread.exceptions
import httplib2
import httpx
import pytest
import requests
import urllib3.exceptions
from googleapiclient.errors import HttpError
from pydantic import SecretStr

from services.failures import ANSWERS, FAILURES, LATE, SIGN_IN, TIMEOUT, UNREADABLE, Guard, failure_of
from services.retries import Effect, Failure, Policy, ServiceError

ADDRESS = "https://service.example/secret-path"
GUARD = Guard(
    "Service",
    lambda: [SecretStr("s3cret")],
    Policy(attempts=2, wait_initial=0.001, wait_max=0.002, wait_jitter=0.0),
    {"quota": "Buy more", 404: "Check the id", "InvalidURL": "Not an address"},
    throttle_default=7.0,
)


def of_httpx(status: int, body: bytes, headers: dict[str, str]) -> Exception:
    request = httpx.Request("GET", ADDRESS)
    return httpx.HTTPStatusError(
        ADDRESS, request=request, response=httpx.Response(status, headers=headers, content=body)
    )


def of_gspread(status: int, body: bytes, headers: dict[str, str]) -> Exception:
    response = requests.Response()
    response.status_code, response.raw, response.url = status, io.BytesIO(body), ADDRESS
    response.headers.update(headers)
    return gspread.exceptions.APIError(response)


def of_google(status: int, body: bytes, headers: dict[str, str]) -> Exception:
    response = httplib2.Response({**headers, "status": str(status)})
    return HttpError(response, body, ADDRESS)


@pytest.mark.parametrize("answer", [of_httpx, of_gspread, of_google])
@pytest.mark.parametrize(
    ("status", "body", "headers", "failure", "code", "wait", "told"),
    [
        (404, b"<html>", {}, Failure.REFUSED, "", None, "HTTP 404. Check the id"),
        (429, b"<html>", {}, Failure.THROTTLED, "", 7.0, "HTTP 429"),
        (429, b"{}", {"retry-after": "3"}, Failure.THROTTLED, "", 3.0, "HTTP 429"),
        (
            403, b'{"error": {"code": 403, "errors": [{"reason": "rateLimitExceeded"}], "message": "slow s3cret"}}', {},
            Failure.THROTTLED, "rateLimitExceeded", 7.0, "HTTP 403, slow ***",
        ),
        (
            403, b'{"error": {"code": 403, "status": "quota", "message": "full"}}', {},
            Failure.REFUSED, "quota", None, "HTTP 403, full. Buy more",
        ),
        (
            402, b'{"error": {"code": 402, "type": "quota", "message": "full"}}', {},
            Failure.REFUSED, "quota", None, "HTTP 402, full. Buy more",
        ),
        (
            429, b'{"code": 20029, "message": "rate", "retry_after": 0.5, "errors": {"embeds": {}}}', {},
            Failure.THROTTLED, "20029", 0.5, "HTTP 429, rate",
        ),
        (503, b'["down"]', {"retry-after": "9"}, Failure.UNCLEAR, "", 9.0, "HTTP 503"),
        (504, b"", {}, Failure.UNCLEAR, TIMEOUT, None, "HTTP 504"),
    ],
)  # fmt: skip
def test_an_answer_says_the_same_through_each_client(
    answer: Callable[[int, bytes, dict[str, str]], Exception],
    status: int, body: bytes, headers: dict[str, str], failure: Failure, code: str, wait: float | None, told: str,
) -> None:  # fmt: skip
    def operation() -> None:
        raise answer(status, body, headers)

    with pytest.raises(ServiceError) as caught:
        GUARD.once("act", operation)
    error = caught.value
    assert (error.failure, error.status, error.code, error.retry_after) == (failure, status, code, wait)
    assert str(error) == f"Service: act failed ({failure.value}): {told}"
    assert error.__context__ is None
    assert error.__cause__ is None


def caused(error: Exception, cause: BaseException) -> Exception:
    error.__cause__ = cause
    return error


REFUSED_BY_MACHINE = urllib3.exceptions.NewConnectionError(None, "refused")  # type: ignore[arg-type]
FOREIGN = ssl.SSLCertVerificationError("CERTIFICATE_VERIFY_FAILED")


@pytest.mark.parametrize(
    ("error", "failure", "told"),
    [
        (httpx.ConnectError("x"), Failure.NOT_SENT, "ConnectError"),
        (httpx.PoolTimeout("x"), Failure.NOT_SENT, "PoolTimeout"),
        (httpx.ReadTimeout("x"), Failure.UNCLEAR, "ReadTimeout"),
        (httpx.RemoteProtocolError("x"), Failure.UNCLEAR, "RemoteProtocolError"),
        (httpx.InvalidURL("x"), Failure.REFUSED, "InvalidURL. Not an address"),
        (caused(httpx.ConnectError("x"), FOREIGN), Failure.REFUSED, "ConnectError"),
        (requests.ConnectTimeout(ADDRESS), Failure.NOT_SENT, "ConnectTimeout"),
        (requests.ReadTimeout(ADDRESS), Failure.UNCLEAR, "ReadTimeout"),
        (
            requests.ConnectionError(urllib3.exceptions.MaxRetryError(None, ADDRESS, REFUSED_BY_MACHINE)),  # type: ignore[arg-type]
            Failure.NOT_SENT, "ConnectionError",
        ),
        (
            requests.exceptions.SSLError(
                urllib3.exceptions.MaxRetryError(None, ADDRESS, urllib3.exceptions.SSLError(FOREIGN))  # type: ignore[arg-type]
            ),
            Failure.REFUSED, "SSLError",
        ),
        (
            google.auth.exceptions.TransportError(requests.ConnectionError(ADDRESS)),
            Failure.UNCLEAR, "ConnectionError",
        ),
    ],
)  # fmt: skip
def test_no_answer(error: Exception, failure: Failure, told: str) -> None:
    def operation() -> None:
        raise error

    with pytest.raises(ServiceError) as caught:
        GUARD.once("act", operation)
    assert caught.value.failure is failure
    assert str(caught.value) == f"Service: act failed ({failure.value}): {told}"
    assert caught.value.code == (TIMEOUT if isinstance(error, httpx.ReadTimeout) else "")
    assert caught.value.__context__ is None


def test_an_answer_that_is_no_json_may_have_been_an_effect() -> None:
    with pytest.raises(ServiceError, match=UNREADABLE) as caught:
        GUARD.once("act", httpx.Response(200, content=b"<html>").json)
    assert caught.value.failure is Failure.UNCLEAR


def test_what_mail_and_machine_say() -> None:
    assert failure_of(ConnectionRefusedError()) is Failure.NOT_SENT
    assert failure_of(socket.gaierror()) is Failure.NOT_SENT
    assert failure_of(smtplib.SMTPNotSupportedError()) is Failure.REFUSED
    assert failure_of(ZeroDivisionError()) is None


def test_exceptions_of_no_client_pass_and_only_safe_calls_are_repeated() -> None:
    made: list[int] = []

    def operation(error: Exception) -> None:
        made.append(1)
        raise error

    with pytest.raises(ZeroDivisionError):
        GUARD.run("act", lambda: operation(ZeroDivisionError()))
    with pytest.raises(ZeroDivisionError):
        GUARD.run("act", lambda: operation(caused(ZeroDivisionError(), httpx.ReadTimeout("x"))))
    assert len(made) == 2
    made.clear()
    with pytest.raises(ServiceError):
        GUARD.run("act", lambda: operation(httpx.ReadTimeout("x")))
    assert len(made) == 2
    with pytest.raises(ServiceError):
        GUARD.run("act", lambda: operation(httpx.ReadTimeout("x")), Effect.ONCE)
    assert len(made) == 3


@pytest.mark.parametrize("name", [*ANSWERS, *FAILURES, *LATE, SIGN_IN])
def test_each_exception_of_the_tables_is_where_they_name_it(name: str) -> None:
    kind = pydoc.locate(name)
    assert isinstance(kind, type), f"{name} is gone: the client renamed it, and services/failures.py must follow"
    assert issubclass(kind, BaseException)
    assert f"{kind.__module__}.{kind.__qualname__}" == name
