"""Signing in to Google with the real google-auth against the local service."""

import base64
import json
import threading
import webbrowser
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from pydantic import SecretStr

from services import drive, google_auth
from services.google_auth import SCOPE_DRIVE, SCOPE_SHEETS_READ, GoogleConfig, authorize_in_browser, sign_in
from services.receipts import DuckDBReceipts
from services.retries import ServiceError
from tests.service.faults import EVERY_FAULT, Fault, fault_name
from tests.service.helpers import AS_OF, QUICK, google_config
from tests.service.server import Service, environment
from tests.support import Outcome, trends

pytest_plugins = ["tests.service.fixtures"]


def service_account(service: Service, **changes: str) -> GoogleConfig:
    """The other way to sign in, with a key made for this test."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    info = {
        "type": "service_account",
        "client_email": service.token.service_account,
        "private_key": key.decode(),
        "private_key_id": "key1",
        "token_uri": "https://elsewhere.example/token",
        **changes,
    }
    encoded = base64.b64encode(json.dumps(info).encode()).decode()
    return GoogleConfig(service_account=SecretStr(encoded), token_uri=f"{service.url}/token", policy=QUICK)


def test_a_service_account_delivers(service: Service, receipts: DuckDBReceipts, tmp_path: Path) -> None:
    service.drive.add_folder("shared", "Trends")
    session = sign_in(service_account(service), [SCOPE_DRIVE])
    assert session.account == service.token.service_account
    path = tmp_path / "a.txt"
    path.write_text("content", encoding="utf-8")
    delivery = drive.deliver(drive.DriveConfig("shared", endpoint=service.url), session, receipts, AS_OF, [path])
    assert [file.name for file in delivery.files] == ["a.txt"]


def test_oauth_is_preferred_when_both_are_set(service: Service) -> None:
    both = replace(google_config(service), service_account=service_account(service).service_account)
    assert sign_in(both, [SCOPE_DRIVE]).account == "OAuth user"


def test_nothing_set_and_nonsense_set_name_the_remedy(service: Service) -> None:
    with pytest.raises(ServiceError, match="or GOOGLE_CREDENTIALS"):
        sign_in(GoogleConfig(), [SCOPE_DRIVE])
    for nonsense in ("not base64!", base64.b64encode(b"{}").decode(), base64.b64encode(b"[1]").decode()):
        with pytest.raises(ServiceError, match="base64 -w0"):
            sign_in(GoogleConfig(service_account=SecretStr(nonsense)), [SCOPE_DRIVE])
    with pytest.raises(ServiceError, match="base64 -w0"):
        sign_in(service_account(service, private_key="-----BEGIN nonsense"), [SCOPE_DRIVE])


@pytest.mark.parametrize(
    ("change", "remedy"),
    [("refresh_token", "trends auth google"), ("client_secret", "don't belong together"), ("granted", "fewer rights")],
)
def test_refusals_are_one_message_and_no_retry(service: Service, change: str, remedy: str) -> None:
    config = google_config(service)
    setattr(service.token, change, set() if change == "granted" else "changed")
    with pytest.raises(ServiceError, match=remedy):
        sign_in(config, [SCOPE_DRIVE])
    assert service.count("google.token") == 1


@pytest.mark.parametrize("fault", EVERY_FAULT, ids=fault_name)
def test_one_fault_is_overcome(service: Service, elapsed: Callable[[], float], fault: Fault) -> None:
    service.faults.add("google.token", replace(fault, times=1))
    assert sign_in(replace(google_config(service), timeout_seconds=0.5), [SCOPE_DRIVE]).account
    assert elapsed() < 5


@pytest.mark.parametrize(
    "fault", [Fault("status", 503), Fault("html", 502), Fault("drop_before"), Fault("stall")], ids=fault_name
)
def test_an_endpoint_that_never_recovers_fails_in_bounded_time(
    service: Service, elapsed: Callable[[], float], fault: Fault
) -> None:
    service.faults.add("google.token", replace(fault, times=1_000))
    with pytest.raises(ServiceError, match="get a token failed"):
        sign_in(replace(google_config(service), timeout_seconds=0.3), [SCOPE_DRIVE])
    assert elapsed() < 12


class Browser(webbrowser.BaseBrowser):
    """A user who opens the address and allows everything."""

    def open(self, url: str, new: int = 0, autoraise: bool = True) -> bool:
        threading.Thread(target=httpx.get, args=(url,), kwargs={"follow_redirects": True}, daemon=True).start()
        return True


def test_consent_in_the_browser_gives_a_refresh_token(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OAUTHLIB_INSECURE_TRANSPORT", "1")  # the local service speaks plain http
    webbrowser.register("local-test", None, Browser())
    token = authorize_in_browser(
        service.token.client_id,
        SecretStr(service.token.client_secret),
        auth_uri=f"{service.url}/o/oauth2/v2/auth",
        token_uri=f"{service.url}/token",
        browser="local-test",
        timeout_seconds=10,
    )
    assert token.get_secret_value() == service.token.refresh_token


def test_a_consent_that_fails_says_so_without_the_secret(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OAUTHLIB_INSECURE_TRANSPORT", "1")
    webbrowser.register("local-test", None, Browser())
    with pytest.raises(ServiceError, match="ask for consent failed") as caught:
        authorize_in_browser(
            service.token.client_id,
            SecretStr("marker-secret"),
            auth_uri=f"{service.url}/o/oauth2/v2/auth",
            token_uri=f"{service.url}/token",
            browser="local-test",
            timeout_seconds=10,
        )
    assert "marker-secret" not in str(caught.value)


@pytest.fixture
def command(service: Service, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Outcome]:
    """`trends auth google` with the settings of the service, a browser at hand, and further variables."""
    monkeypatch.setenv("OAUTHLIB_INSECURE_TRANSPORT", "1")
    monkeypatch.setattr(webbrowser, "get", lambda using=None: Browser())

    def run(**changes: str) -> Outcome:
        for name, value in (environment(service) | {"GOOGLE_REFRESH_TOKEN": ""} | changes).items():
            monkeypatch.setenv(name, value)
        return trends("auth", "google")

    return run


def test_the_command_prints_the_line_for_the_settings(service: Service, command: Callable[..., Outcome]) -> None:
    outcome = command()
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out.splitlines()[-1] == f"GOOGLE_REFRESH_TOKEN={service.token.refresh_token}"
    # What was printed signs in, with the read-only right for revenue too.
    (consent,) = [entry for entry in service.log if entry.route == "google.consent"]
    assert set(consent.query["scope"][0].split()) == service.token.granted
    assert sign_in(google_config(service), [SCOPE_SHEETS_READ]).account == "OAuth user"


def test_the_command_names_what_is_missing_or_refused(service: Service, command: Callable[..., Outcome]) -> None:
    outcome = command(GOOGLE_CLIENT_ID="")
    assert outcome.code == 2
    assert "set GOOGLE_CLIENT_ID and GOOGLE_CLIENT_SECRET first" in outcome.err
    outcome = command(GOOGLE_CLIENT_SECRET="marker-secret")
    assert outcome.code == 1
    assert outcome.err.startswith("trends: Google sign-in: ask for consent failed")
    assert len(outcome.err.splitlines()) == 1
    assert "marker-secret" not in outcome.out + outcome.err


@pytest.mark.parametrize("browser", [None, "w3m"])
def test_without_a_browser_the_address_is_printed_and_the_answer_waited_for(
    browser: str | None, service: Service, command: Callable[..., Outcome], monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a server: the user opens the printed address, or copies to this machine where the browser ended."""
    shown: list[str] = []

    def get(using: str | None = None) -> webbrowser.BaseBrowser:
        if browser is None:
            raise webbrowser.Error("could not locate runnable browser")
        return webbrowser.GenericBrowser(browser)

    class Prompt(str):
        def format(self, *_: object, **named: object) -> str:
            text = str.format(self, *_, **named)
            if not shown:
                Browser().open(str(named["url"]))
            shown.append(text)
            return text

    monkeypatch.setattr(google_auth, "CONSENT_PROMPT", Prompt(google_auth.CONSENT_PROMPT))
    monkeypatch.setattr(webbrowser, "get", get)
    outcome = command()
    assert (outcome.code, outcome.err) == (0, "")
    assert f"Open this address and allow access: {service.url}/o/oauth2/v2/auth?" in outcome.out
    assert "curl 'ADDRESS'" in outcome.out
    assert outcome.out.splitlines()[-1] == f"GOOGLE_REFRESH_TOKEN={service.token.refresh_token}"
