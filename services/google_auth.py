"""Google sign-in for the delivery rooms: credentials, sessions, and Google's errors in our words.

Belongs here: the two ways to sign in (OAuth refresh token, service account), the browser consent, the HTTP
session that both Google clients share, and the translation of their exceptions. Must not be here: anything
about Drive or Sheets.

Both clients go through one ``requests`` session without retries of its own. For google-api-python-client that
takes a small adapter in place of httplib2, which resends a POST by itself after a dropped connection, has no
time-out, and ignores proxies.
"""

import base64
import binascii
import datetime as dt
import functools
import json
import webbrowser
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import google.auth.credentials
import google.auth.exceptions
import google.auth.transport.requests
import google.oauth2.credentials
import google.oauth2.service_account
import gspread.exceptions
import httplib2
import requests
import urllib3.exceptions
from googleapiclient.errors import HttpError
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

SCOPE_SHEETS = "https://www.googleapis.com/auth/spreadsheets"
SCOPE_SHEETS_READ = "https://www.googleapis.com/auth/spreadsheets.readonly"
SCOPE_DRIVE = "https://www.googleapis.com/auth/drive"
"""The whole of Drive, because ``drive.file`` can't see a folder that the user made."""

CONSENT_SCOPES = (SCOPE_DRIVE, SCOPE_SHEETS, SCOPE_SHEETS_READ)
"""What ``trends auth google`` asks for; every later token is a subset of it."""

_THROTTLE_REASONS = frozenset({"rateLimitExceeded", "userRateLimitExceeded", "RESOURCE_EXHAUSTED"})
_REMEDIES = {
    "invalid_grant": (
        "The refresh token no longer works: it was revoked, unused for 6 months, the password changed, or the "
        "consent screen is in Testing (tokens die after 7 days: publish it). Run `trends auth google` and "
        "store the new GOOGLE_REFRESH_TOKEN"
    ),
    "invalid_client": "GOOGLE_CLIENT_ID and GOOGLE_CLIENT_SECRET don't belong together or were deleted",
    "unauthorized_client": "The refresh token was made with another GOOGLE_CLIENT_ID: run `trends auth google`",
    "invalid_scope": "The token was granted fewer rights than are needed: run `trends auth google` again",
    "insufficientPermissions": "The token lacks this right: run `trends auth google` again",
    "storageQuotaExceeded": (
        "No storage left for this account. A service account can't own files on a personal Drive: use a shared "
        "drive or sign in with `trends auth google`"
    ),
    "notFound": "Check the id, and that it is shared with the account that signs in",
    "PERMISSION_DENIED": "Share it with the account that signs in, with the right to edit",
}


# Shown before the answer is waited for. Google sends the browser to this machine, which only a browser on it reaches.
CONSENT_PROMPT = """Open this address and allow access: {url}
Waiting for the answer. If the browser is on another machine, it ends at an address that begins with http://localhost \
and does not open: copy it, and in a second terminal on this machine run: curl 'ADDRESS'"""
_TERMINAL_BROWSERS = ("www-browser", "links", "elinks", "lynx", "w3m")


@dataclass(frozen=True, slots=True)
class GoogleConfig:
    """How to sign in. If both ways are given, OAuth is used: it can own files on a personal Drive.

    Attributes:
        client_id: OAuth client.
        client_secret: Its secret.
        refresh_token: From ``trends auth google``.
        service_account: Service account key, base64 of the JSON file.
        token_uri: Google's token endpoint.
        timeout_seconds: For one request to it.
        policy: How long to insist on a token.
    """

    client_id: str | None = None
    client_secret: SecretStr | None = None
    refresh_token: SecretStr | None = None
    service_account: SecretStr | None = None
    token_uri: str = "https://oauth2.googleapis.com/token"  # noqa: S105 (an address)
    timeout_seconds: float = 30.0
    policy: Policy = field(default_factory=Policy)

    @property
    def has_oauth(self) -> bool:
        """Whether client id, secret and refresh token are all there."""
        return bool(self.client_id and self.client_secret and self.refresh_token)

    @property
    def secrets(self) -> tuple[SecretStr | None, ...]:
        """Everything that must not appear in an error."""
        return (self.client_secret, self.refresh_token, self.service_account)


@dataclass(frozen=True, slots=True)
class GoogleSession:
    """A signed-in HTTP session, to be passed to the Drive and Sheets rooms.

    Attributes:
        http: The session; attaches and renews the token by itself.
        account: Who signs in, for messages: a service account's address, or ``OAuth user``.
        config: How it signed in.
    """

    http: google.auth.transport.requests.AuthorizedSession = field(repr=False)
    account: str
    config: GoogleConfig = field(repr=False)

    @property
    def secrets(self) -> tuple[SecretStr | None, ...]:
        """Everything that must not appear in an error, the present access token included."""
        token = self.http.credentials.token
        return (*self.config.secrets, SecretStr(token) if token else None)


def sign_in(config: GoogleConfig, scopes: Sequence[str]) -> GoogleSession:
    """Mints an access token with exactly these scopes.

    Args:
        config: How to sign in.
        scopes: OAuth scopes; a reader passes the read-only one, so that Google itself refuses a write.

    Returns:
        A session that carries the token.

    Raises:
        ServiceError: Nothing is configured, a key is malformed, or Google refuses; with the remedy.
    """
    credentials, account = _credentials(config, scopes)
    request = functools.partial(google.auth.transport.requests.Request(), timeout=config.timeout_seconds)
    guarded("Google sign-in", "get a token", config.secrets, lambda: credentials.refresh(request), config.policy)
    http = google.auth.transport.requests.AuthorizedSession(credentials, auth_request=request)
    return GoogleSession(http, account, config)


def authorize_in_browser(
    client_id: str,
    client_secret: SecretStr,
    *,
    scopes: Sequence[str] = CONSENT_SCOPES,
    auth_uri: str = "https://accounts.google.com/o/oauth2/v2/auth",
    token_uri: str = "https://oauth2.googleapis.com/token",  # noqa: S107 (an address)
    browser: str | None = None,
    timeout_seconds: int = 300,
) -> SecretStr:
    """Asks the user for consent in the browser and returns a refresh token (installed-app loopback flow).

    Args:
        client_id: OAuth client of type "Desktop app".
        client_secret: Its secret.
        scopes: What to ask for.
        auth_uri: Google's consent page.
        token_uri: Google's token endpoint.
        browser: Name of a browser known to ``webbrowser``; ``None`` for the default. The address is printed
            as well; on a machine without a browser it is all there is.
        timeout_seconds: How long to wait for the user.

    Returns:
        The refresh token.

    Raises:
        ServiceError: The user declined or didn't answer in time, or Google gave no refresh token.
    """
    client = {
        "installed": {
            "client_id": client_id,
            "client_secret": client_secret.get_secret_value(),
            "auth_uri": auth_uri,
            "token_uri": token_uri,
            "redirect_uris": ["http://localhost"],
        }
    }
    # Only this command needs it: 0.1 s of every other start.
    import google_auth_oauthlib.flow

    flow = google_auth_oauthlib.flow.InstalledAppFlow.from_client_config(client, list(scopes))
    try:
        credentials = flow.run_local_server(
            port=0,
            browser=browser,
            open_browser=_has_browser(browser),
            authorization_prompt_message=CONSENT_PROMPT,
            timeout_seconds=timeout_seconds,
            access_type="offline",
            prompt="consent",
        )
        if credentials.refresh_token:
            return SecretStr(credentials.refresh_token)
        problem = "Google gave no refresh token"
    except Exception as error:  # oauthlib, requests and the loopback server each raise their own kinds
        problem = scrub(f"{type(error).__name__}: {error}", [client_secret])
    raise ServiceError(
        "Google sign-in",
        "ask for consent",
        Failure.REFUSED,
        problem,
        remedy="Try again, and allow every right on the consent page",
    )


def _has_browser(name: str | None) -> bool:
    """Whether a window can be opened here; a browser of the terminal would take it away from the address."""
    try:
        return getattr(webbrowser.get(name), "name", "") not in _TERMINAL_BROWSERS
    except webbrowser.Error:
        return False


def _credentials(config: GoogleConfig, scopes: Sequence[str]) -> tuple[google.auth.credentials.Credentials, str]:
    if config.has_oauth:
        assert config.client_secret is not None and config.refresh_token is not None  # noqa: S101 (for types)
        oauth = google.oauth2.credentials.Credentials(
            token=None,
            refresh_token=config.refresh_token.get_secret_value(),
            token_uri=config.token_uri,
            client_id=config.client_id,
            client_secret=config.client_secret.get_secret_value(),
            scopes=list(scopes),
        )
        return oauth, "OAuth user"
    if config.service_account is None:
        raise ServiceError(
            "Google sign-in",
            "read the settings",
            Failure.REFUSED,
            "no credentials are set",
            code="not_configured",
            remedy="Set GOOGLE_CLIENT_ID, GOOGLE_CLIENT_SECRET and GOOGLE_REFRESH_TOKEN, or GOOGLE_CREDENTIALS",
        )
    try:
        info = json.loads(base64.b64decode(config.service_account.get_secret_value(), validate=True))
        info["token_uri"] = config.token_uri
        key = google.oauth2.service_account.Credentials.from_service_account_info(info, scopes=list(scopes))
        return key, key.service_account_email
    except (binascii.Error, ValueError, TypeError, KeyError, google.auth.exceptions.GoogleAuthError):
        pass  # the message of each of these quotes parts of the key
    raise ServiceError(
        "Google sign-in",
        "read the settings",
        Failure.REFUSED,
        "GOOGLE_CREDENTIALS is not the base64 of a service account's JSON key",
        code="malformed_key",
        remedy="Encode the downloaded file: base64 -w0 key.json",
    )


class Httplib2Adapter:
    """What google-api-python-client expects of ``httplib2.Http``, on top of a signed-in ``requests`` session.

    Args:
        session: The signed-in session.
        timeout_seconds: For connecting and for each read.
    """

    def __init__(self, session: GoogleSession, timeout_seconds: float) -> None:
        self._http = session.http
        self._timeout = timeout_seconds

    def request(
        self,
        uri: str,
        method: str = "GET",
        body: bytes | str | None = None,
        headers: Mapping[str, str] | None = None,
        redirections: int = 0,
        connection_type: object = None,
    ) -> tuple[httplib2.Response, bytes]:
        """Sends one request, once.

        Args:
            uri: Absolute address.
            method: HTTP method.
            body: Request body, whole.
            headers: Request headers.
            redirections: Ignored: none of the calls used here is redirected.
            connection_type: Ignored; part of the interface.

        Returns:
            The response in httplib2's form, and its body.
        """
        answer = self._http.request(
            method, uri, data=body, headers=dict(headers or {}), timeout=self._timeout, allow_redirects=False
        )
        response = httplib2.Response({**{k.lower(): v for k, v in answer.headers.items()}, "status": "0"})
        response.status = answer.status_code
        response["status"] = str(answer.status_code)
        response.reason = answer.reason
        return response, answer.content

    def close(self) -> None:
        """Does nothing: the session belongs to the caller."""


def guarded(
    service: str,
    action: str,
    secrets: Sequence[SecretStr | None],
    operation: Callable[[], _Result],
    policy: Policy | None = None,
    effect: Effect = Effect.REPEATABLE,
) -> _Result:
    """Runs a call of a Google client; its exceptions come out as ``ServiceError``.

    Args:
        service: Name for messages.
        action: What is tried, for messages.
        secrets: What must not appear in the message.
        operation: The call.
        policy: How long to insist; ``None`` tries once.
        effect: What a repeat would do.

    Returns:
        What the call returns.

    Raises:
        ServiceError: The call failed.
    """

    def attempt() -> _Result:
        try:
            return operation()
        except (HttpError, gspread.exceptions.APIError) as error:
            problem = _of_answer(service, action, secrets, error)
        except google.auth.exceptions.RefreshError as error:
            problem = _of_refresh(service, action, secrets, error)
        except (google.auth.exceptions.TransportError, requests.RequestException) as error:
            problem = _of_transport(service, action, error)
        except json.JSONDecodeError:
            problem = ServiceError(service, action, Failure.UNCLEAR, "the answer can't be read")
        # Outside of the except block: the library's exception, which knows URLs, doesn't hang on ours.
        raise problem

    return attempt() if policy is None else call(attempt, effect, policy)


def _of_answer(
    service: str, action: str, secrets: Sequence[SecretStr | None], error: HttpError | gspread.exceptions.APIError
) -> ServiceError:
    if isinstance(error, HttpError):
        status, headers, body = error.resp.status, error.resp, error.content
    else:
        status, headers, body = error.response.status_code, error.response.headers, error.response.content
    code, message = "", f"HTTP {status}"
    try:
        details = json.loads(body)["error"]
        reasons = [item.get("reason", "") for item in details.get("errors", [])]
        code = scrub(next(iter(reasons), "") or str(details.get("status", "")), secrets)
        message = f"HTTP {status}, {scrub(str(details.get('message', '')), secrets)}"
    except (ValueError, KeyError, TypeError, AttributeError):
        pass  # an HTML page of a gateway says nothing worth keeping
    throttled = status in (403, 429) and (status == 429 or code in _THROTTLE_REASONS)
    remedy = _REMEDIES.get(code, "")
    if not remedy and status == 404:
        remedy = _REMEDIES["notFound"]
    if not remedy and status == 403 and not throttled:
        remedy = _REMEDIES["PERMISSION_DENIED"]
    return ServiceError(
        service,
        action,
        Failure.THROTTLED if throttled else failure_of_status(status),
        message,
        status=status,
        code=code,
        retry_after=retry_after_seconds(headers.get("retry-after"), dt.datetime.now(dt.UTC)),
        remedy=remedy,
    )


def _of_refresh(
    service: str, action: str, secrets: Sequence[SecretStr | None], error: google.auth.exceptions.RefreshError
) -> ServiceError:
    details = next((part for part in error.args if isinstance(part, dict)), {})
    code = scrub(str(details.get("error", "")), secrets)
    if not details and not error.retryable:
        # A gateway's page: it says nothing about the token, and google-auth repeats 408, 429, 500 and 503 only.
        return ServiceError(
            service, action, Failure.UNCLEAR, "the answer can't be read", remedy="Google's sign-in is down: try later"
        )
    # google-auth has tried a retryable failure three times already: a fourth is not a different answer.
    return ServiceError(
        service,
        action,
        Failure.REFUSED,
        scrub(str(error.args[0]) if error.args and not details else str(details or "no token"), secrets),
        code=code,
        remedy=_REMEDIES.get(code, "" if code else "Google's token endpoint doesn't answer: try again later"),
    )


def _of_transport(service: str, action: str, error: Exception) -> ServiceError:
    cause: Any = error.args[0] if error.args else None
    if isinstance(error, google.auth.exceptions.TransportError) and isinstance(cause, Exception):
        error, cause = cause, (cause.args[0] if cause.args else None)
    reason = getattr(cause, "reason", cause)
    not_sent = isinstance(error, requests.ConnectTimeout) or isinstance(
        reason, urllib3.exceptions.NewConnectionError | urllib3.exceptions.ConnectTimeoutError
    )
    # The text of these exceptions holds the address: only their kind is told.
    return ServiceError(service, action, Failure.NOT_SENT if not_sent else Failure.UNCLEAR, type(error).__name__)
