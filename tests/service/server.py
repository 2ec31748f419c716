"""The HTTP server: sockets, faults, routing and the log."""

import contextlib
import http.server
import json
import socket
import struct
import threading
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.service.apify import Apify
from tests.service.chat import Chat
from tests.service.contract import ContractError, Method, OutsideContractError, contract
from tests.service.discord import WEBHOOK_ID, Discord
from tests.service.drive import Drive
from tests.service.faults import Fault, FaultPlan
from tests.service.google_token import TokenEndpoint
from tests.service.messages import Answer, Request, google_error, of_json
from tests.service.sheets import Sheets

_HTML = b"<!DOCTYPE html><html><title>502 Bad Gateway</title><body>The server encountered an error.</body></html>"
_LONGEST_STALL = 60.0


@dataclass(frozen=True)
class Logged:
    """One request as it arrived: route, and what the tests ask about."""

    route: str
    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    body: bytes
    fault: str
    status: int


class Service:
    """All services on one port of the loopback interface.

    Attributes:
        faults: What goes wrong.
        log: Requests in order of arrival of their answers.
        violations: What no real service would accept or the service doesn't implement; must stay empty.
    """

    def __init__(self) -> None:
        self.faults = FaultPlan()
        self.log: list[Logged] = []
        self.violations: list[str] = []
        self.token = TokenEndpoint()
        self.drive = Drive()
        self.sheets = Sheets()
        self.discord = Discord()
        self.apify = Apify()
        self.chat = Chat()
        self.stopping = threading.Event()
        self._state = threading.Lock()
        self._held: dict[str, threading.Event] = {}
        self._released: dict[str, threading.Event] = {}
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.service = self
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def webhook_url(self) -> str:
        """Address of the Discord webhook."""
        return f"{self.url}/api/webhooks/{WEBHOOK_ID}/{self.discord.token}"

    def count(self, route: str) -> int:
        """How many requests of a route arrived."""
        return sum(entry.route == route for entry in self.log)

    @contextlib.contextmanager
    def running(self) -> Iterator["Service"]:
        """Serves until the block ends."""
        thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self.stopping.set()
            self._server.shutdown()
            self._server.server_close()
            thread.join()

    def route(self, request: Request) -> tuple[str, Method | None]:
        """Names the route of a request."""
        if request.path == "/token":
            return "google.token", None
        if request.path == "/o/oauth2/v2/auth":
            return "google.consent", None
        for room in (self.discord, self.apify, self.chat):
            name = room.route(request)
            if name:
                return name, None
        if request.method == "PUT" and "upload_id" in request.query:
            return "drive.upload.part", None
        for api, version in (("drive", "v3"), ("sheets", "v4")):
            method = contract(api, version).match(request.method, request.path)
            if method is not None:
                return method.route, method
        return "unknown", None

    def perform(self, route: str, method: Method | None, request: Request) -> Answer:
        """Does what a request asks for."""
        try:
            with self._state:
                return self._perform(route, method, request)
        except ContractError as error:
            self.violations.append(f"{route}: {error}")
            return google_error(400, "INVALID_ARGUMENT", str(error))
        except OutsideContractError as error:
            self.violations.append(f"{route}: outside the contract: {error}")
            return google_error(501, "notImplemented", str(error))
        except Exception:  # a fault of this service must be seen, not mistaken for one of the code under test
            self.violations.append(f"{route}: {traceback.format_exc()}")
            return google_error(501, "broken", "the local service broke")

    def _perform(self, route: str, method: Method | None, request: Request) -> Answer:
        if route == "google.token":
            return self.token.token(request)
        if route == "google.consent":
            return self.token.consent(request)
        if route.startswith("discord."):
            return self.discord.answer(route, request)
        if route.startswith("apify."):
            return self.apify.answer(route, request)
        if route.startswith(("slack.", "telegram.", "ntfy.")):
            return self.chat.answer(route, request)
        if route == "drive.upload.part":
            return self.drive.resume(request)
        if method is None:
            raise OutsideContractError(f"{request.method} {request.path}")
        refusal = self.token.refusal(request, method.description["scopes"])
        if refusal is not None:
            return refusal
        method.check_query(request.query)
        if not method.is_upload:
            method.check_body(request.json())
        room: Any = self.drive if route.startswith("drive.") else self.sheets
        answer: Answer = room.handle(method, request)
        return answer

    def hold(self, route: str) -> None:
        """Waits until the next request of the route arrives (or the service stops)."""
        arrived = self._held.setdefault(route, threading.Event())
        arrived.wait(_LONGEST_STALL)

    def arrive(self, route: str) -> None:
        """Lets a held request of the same route go first, and waits until it is done."""
        arrived = self._held.get(route)
        if arrived is not None and not arrived.is_set():
            done = self._released.setdefault(route, threading.Event())
            arrived.set()
            done.wait(_LONGEST_STALL)

    def overtook(self, route: str) -> None:
        """Says that a held request is done."""
        self._released.setdefault(route, threading.Event()).set()


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64
    service: Service

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that went away are part of the plan."""


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # head and body are two writes; together with delayed ACKs that costs 40 ms
    server: _Server

    def handle_any(self) -> None:
        service = self.server.service
        parts = urlsplit(self.path)
        length = int(self.headers.get("Content-Length", "0"))
        headers = {name.lower(): value for name, value in self.headers.items()}
        query = parse_qs(parts.query, keep_blank_values=True)
        early = Request(self.command, parts.path, query, headers, b"", service.url)
        route, _ = service.route(early)
        service.arrive(route)
        fault = service.faults.take(route)
        if fault is not None and fault.kind == "drop_early":
            self._logged(route, early, fault, 0)
            self._drop()
            return
        body = self.rfile.read(length)
        if len(body) < length:
            self.close_connection = True
            return
        request = Request(self.command, early.path, query, headers, body, service.url)
        route, method = service.route(request)
        self._answered(route, method, request, fault)

    def _answered(self, route: str, method: Method | None, request: Request, fault: Fault | None) -> None:
        service = self.server.service
        kind = fault.kind if fault is not None else ""
        if fault is not None and kind == "call_before":
            assert fault.action is not None
            fault.action()
        if kind == "overtaken":
            service.hold(route)
        answer = None
        if kind not in ("status", "html", "drop_before", "stall"):
            answer = service.perform(route, method, request)
        if kind == "overtaken":
            service.overtook(route)
        if kind in ("drop_before", "drop_after"):
            self._logged(route, request, fault, 0)
            self._drop()
            return
        if kind in ("stall", "stall_after"):
            self._logged(route, request, fault, 0)
            service.stopping.wait(_LONGEST_STALL)
            self._drop()
            return
        if fault is not None and kind in ("status", "status_after", "html"):
            answer = _planned(fault)
        assert answer is not None
        self._logged(route, request, fault, answer.status)
        self._send(answer)
        if fault is not None and kind == "call_after":
            assert fault.action is not None
            fault.action()

    def _send(self, answer: Answer) -> None:
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        self.wfile.write(answer.body)

    def _drop(self) -> None:
        """Resets the connection."""
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()

    def _logged(self, route: str, request: Request, fault: Fault | None, status: int) -> None:
        query = {name: list(values) for name, values in request.query.items()}
        kind = fault.kind if fault is not None else ""
        entry = Logged(route, request.method, request.path, query, dict(request.headers), request.body, kind, status)
        self.server.service.log.append(entry)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing is printed: the log is in the service."""

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = handle_any  # noqa: N815


def _planned(fault: Fault) -> Answer:
    if fault.kind == "html":
        status = fault.status if fault.status != 500 else 502
        return Answer(status, _HTML, {"Content-Type": "text/html", **fault.headers})
    if fault.body is not None:
        return of_json(fault.body, fault.status, fault.headers)
    answer = google_error(fault.status, "rateLimitExceeded" if fault.status == 429 else "backendError", "planned fault")
    answer.headers |= fault.headers
    return answer


def environment(service: Service) -> dict[str, str]:
    """Settings that lead the whole program to a service."""
    return {
        "APIFY_TOKEN": service.apify.token,
        "APIFY_BASE_URL": service.url,
        "DISCORD_WEBHOOK": service.webhook_url,
        "GOOGLE_CLIENT_ID": service.token.client_id,
        "GOOGLE_CLIENT_SECRET": service.token.client_secret,
        "GOOGLE_REFRESH_TOKEN": service.token.refresh_token,
        "GOOGLE_AUTH_URI": f"{service.url}/o/oauth2/v2/auth",
        "GOOGLE_TOKEN_URI": f"{service.url}/token",
        "DRIVE_ENDPOINT": service.url,
        "SHEETS_ENDPOINT": service.url,
    }


def arrived(service: Service) -> str:
    """What the service holds, in words, for the demo."""
    lines = [f"Drive: {len(service.drive.files)} files and folders"]
    for file in service.drive.files.values():
        lines.append(f"  {file['name']}  {len(file.get('content', b'')):,} bytes  md5 {file.get('md5Checksum', '-')}")
    for book in service.sheets.spreadsheets.values():
        lines.append(f"Sheet {book.spreadsheet_id}:")
        lines += [f"  {tab.title}: {len(tab.rows)} rows" for tab in book.tabs]
    lines.append(f"Discord: {len(service.discord.messages)} messages")
    for message in service.discord.messages.values():
        lines.append("  " + json.dumps(message["payload"], ensure_ascii=False)[:300])
    lines.append(f"Apify: {len(service.apify.runs)} runs")
    lines.append(f"Violations: {service.violations or 'none'}")
    return "\n".join(lines)
