"""Requests and answers as the parts of the service see them."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Request:
    """One request; ``path`` is as sent, header names are lower-case."""

    method: str
    path: str
    query: Mapping[str, Sequence[str]]
    headers: Mapping[str, str]
    body: bytes
    host: str

    def one(self, name: str, default: str = "") -> str:
        """The value of a query parameter."""
        return self.query.get(name, [default])[0]

    def json(self) -> Any:
        """The body as JSON; ``None`` if there is none."""
        return json.loads(self.body) if self.body else None


@dataclass
class Answer:
    """One answer."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


def of_json(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Answer:
    """An answer with a JSON body."""
    return Answer(
        status, json.dumps(value).encode(), {"Content-Type": "application/json; charset=UTF-8", **(headers or {})}
    )


def google_error(status: int, reason: str, message: str) -> Answer:
    """An error as Google's APIs send it."""
    error = {"code": status, "message": message, "errors": [{"reason": reason, "message": message}], "status": reason}
    return of_json({"error": error}, status)


def multipart(body: bytes, content_type: str) -> list[tuple[dict[str, str], bytes]]:
    """Parts of a multipart body: lower-case header names and content, byte for byte."""
    mark = b"--" + content_type.partition("boundary=")[2].strip('"').encode()
    start = body.index(mark)
    # google-api-python-client ends its lines with LF, everybody else with CRLF.
    end_of_line = b"\r\n" if body[start + len(mark) :].startswith(b"\r\n") else b"\n"
    parts = []
    for piece in (end_of_line + body[start:]).split(end_of_line + mark)[1:-1]:
        head, _, content = piece.removeprefix(end_of_line).partition(end_of_line * 2)
        lines = head.decode().splitlines()
        headers = {line.partition(":")[0].strip().lower(): line.partition(":")[2].strip() for line in lines}
        parts.append((headers, content))
    return parts
