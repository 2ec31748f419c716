"""Google's consent page and token endpoint: refresh tokens and service accounts."""

import base64
import datetime as dt
import json
import secrets
from urllib.parse import parse_qs, urlencode

from tests.service.messages import Answer, Request, google_error, of_json


class TokenEndpoint:
    """Mints tokens and says which scopes a token has.

    Attributes:
        client_id: The one OAuth client.
        client_secret: Its secret.
        refresh_token: The one refresh token; set to another value to revoke it.
        granted: Scopes granted at consent.
        service_account: Address of the one service account.
    """

    def __init__(self) -> None:
        self.client_id = "client-1.apps.example"
        self.client_secret = "client-secret-1"
        self.refresh_token = "refresh-token-1"
        self.granted = {
            "https://www.googleapis.com/auth/drive",
            "https://www.googleapis.com/auth/spreadsheets",
            "https://www.googleapis.com/auth/spreadsheets.readonly",
        }
        self.service_account = "robot@project.example"
        self._tokens: dict[str, set[str]] = {}
        self._codes: dict[str, set[str]] = {}

    def expire_all(self) -> None:
        """Every access token minted so far is answered with 401 from now on."""
        self._tokens.clear()

    @property
    def minted(self) -> list[str]:
        """Access tokens that are valid."""
        return list(self._tokens)

    def consent(self, request: Request) -> Answer:
        """The consent page, on which everything is allowed at once."""
        if request.one("access_type") != "offline" or request.one("prompt") != "consent":
            return google_error(400, "invalid_request", "offline access and consent are expected")
        code = secrets.token_hex(8)
        self._codes[code] = set(request.one("scope").split())
        query = urlencode({"code": code, "state": request.one("state"), "scope": request.one("scope")})
        return Answer(302, b"", {"Location": f"{request.one('redirect_uri')}?{query}"})

    def token(self, request: Request) -> Answer:
        """The token endpoint."""
        form = {name: values[0] for name, values in parse_qs(request.body.decode()).items()}
        grant = form.get("grant_type")
        if grant == "urn:ietf:params:oauth:grant-type:jwt-bearer":
            claims = json.loads(base64.urlsafe_b64decode(form["assertion"].split(".")[1] + "=="))
            now = dt.datetime.now(dt.UTC).timestamp()
            if claims["iss"] != self.service_account or not claims["iat"] - 60 <= now <= claims["exp"]:
                return of_json({"error": "invalid_grant", "error_description": "Invalid JWT"}, 400)
            return self._minted(set(claims["scope"].split()))
        # A client may name itself in the form or in a Basic header; the libraries do one of each.
        basic = request.headers.get("authorization", "").partition("Basic ")[2]
        if basic:
            form["client_id"], _, form["client_secret"] = base64.b64decode(basic).decode().partition(":")
        if form.get("client_id") != self.client_id or form.get("client_secret") != self.client_secret:
            return of_json({"error": "invalid_client", "error_description": "Unauthorized"}, 401)
        if grant == "authorization_code":
            scopes = self._codes.pop(form["code"], None)
            if scopes is None:
                return of_json({"error": "invalid_grant", "error_description": "Malformed auth code."}, 400)
            return self._minted(scopes, self.refresh_token)
        if grant != "refresh_token" or form.get("refresh_token") != self.refresh_token:
            return of_json({"error": "invalid_grant", "error_description": "Token has been expired or revoked."}, 400)
        wanted = set(form["scope"].split()) if "scope" in form else self.granted
        if not wanted <= self.granted:
            return of_json({"error": "invalid_scope", "error_description": "Bad Request"}, 400)
        return self._minted(wanted)

    def refusal(self, request: Request, accepted: list[str]) -> Answer | None:
        """Why a request's token isn't enough, or ``None``."""
        scopes = self._tokens.get(request.headers.get("authorization", "").removeprefix("Bearer "))
        if scopes is None:
            return google_error(401, "authError", "Request had invalid authentication credentials.")
        if not scopes & set(accepted):
            return google_error(403, "insufficientPermissions", "Request had insufficient authentication scopes.")
        return None

    def _minted(self, scopes: set[str], refresh_token: str | None = None) -> Answer:
        token = f"ya29.{secrets.token_hex(12)}"
        self._tokens[token] = scopes
        body = {"access_token": token, "expires_in": 3599, "scope": " ".join(sorted(scopes)), "token_type": "Bearer"}
        return of_json({**body, "refresh_token": refresh_token} if refresh_token else body)
