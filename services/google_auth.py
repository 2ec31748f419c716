"""Google sign-in for the delivery rooms: credentials, sessions, and what to do about Google's errors.

Belongs here: the two ways to sign in (OAuth refresh token, service account), the browser consent, the HTTP
session that both Google clients share, and what the user can do about Google's errors. Must not be here: anything
about Drive or Sheets.

Both clients go through one ``requests`` session without retries of its own. For google-api-python-client that
takes a small adapter in place of httplib2, which resends a POST by itself after a dropped connection, has no
time-out, and ignores proxies.
"""

import base64
import binascii
import functools
import json
import webbrowser
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import google.auth.credentials
import google.auth.exceptions
import google.auth.transport.requests
import google.oauth2.credentials
import google.oauth2.service_account
import httplib2
from pydantic import SecretStr

from services.failures import Guard
from services.retries import Failure, Policy, ServiceError, scrub

SCOPE_SHEETS = "https://www.googleapis.com/auth/spreadsheets"
SCOPE_SHEETS_READ = "https://www.googleapis.com/auth/spreadsheets.readonly"
SCOPE_DRIVE = "https://www.googleapis.com/auth/drive"
"""The whole of Drive, because ``drive.file`` can't see a folder that the user made."""

CONSENT_SCOPES = (SCOPE_DRIVE, SCOPE_SHEETS, SCOPE_SHEETS_READ)
"""What ``trends auth google`` asks for; every later token is a subset of it."""

_NOT_FOUND = "Check the id, and that it is shared with the account that signs in"
_NOT_SHARED = "Share it with the account that signs in, with the right to edit"
_REMEDIES: Mapping[str | int, str] = {
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
    "notFound": _NOT_FOUND,
    404: _NOT_FOUND,
    "PERMISSION_DENIED": _NOT_SHARED,
    403: _NOT_SHARED,
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

    def guard(self, service: str, policy: Policy) -> Guard:
        """Makes the calls to one of Google's services under this sign-in."""
        return Guard(service, lambda: self.secrets, policy, _REMEDIES)


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
    guard = Guard("Google sign-in", lambda: config.secrets, config.policy, _REMEDIES)
    guard.run("get a token", lambda: credentials.refresh(request))
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
