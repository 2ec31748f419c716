"""A Discord webhook with its limits."""

import json
from typing import Any

from tests.service.contract import OutsideContractError
from tests.service.messages import Answer, Request, multipart, of_json

WEBHOOK_ID = "123456789012345678"
_KNOWN = {"content", "embeds", "allowed_mentions", "attachments"}
_EMBED = {"title", "description", "color", "fields", "footer", "image", "thumbnail", "url"}


class Discord:
    """One webhook.

    Attributes:
        token: Last part of the webhook's address.
        messages: Sent messages by id: payload and files.
        exists: Whether the webhook still exists.
    """

    def __init__(self) -> None:
        self.token = "webhook-token-1"
        self.messages: dict[str, dict[str, Any]] = {}
        self.exists = True

    def route(self, request: Request) -> str | None:
        """Names the route of a request, or ``None``."""
        parts = request.path.strip("/").split("/")
        if parts[:2] != ["api", "webhooks"] or len(parts) not in (4, 6):
            return None
        names = {
            ("POST", 4): "execute", ("GET", 4): "webhook", ("PATCH", 6): "edit", ("GET", 6): "message",
            ("DELETE", 6): "delete",
        }  # fmt: skip
        name = names.get((request.method, len(parts)))
        return f"discord.{name}" if name else None

    def answer(self, route: str, request: Request) -> Answer:
        """Answers one request."""
        parts = request.path.strip("/").split("/")
        if not self.exists or parts[2:4] != [WEBHOOK_ID, self.token]:
            return _error(404, 10015, "Unknown Webhook")
        if route == "discord.webhook":
            return of_json({"id": WEBHOOK_ID, "name": "Trends", "type": 1, "channel_id": "1", "token": self.token})
        if route == "discord.execute":
            if set(request.query) != {"wait"} or request.one("wait") != "true":
                raise OutsideContractError("execute without wait=true")
            return self._stored(str(1_400_000_000_000_000_000 + len(self.messages)), request)
        message_id = parts[5]
        if message_id not in self.messages:
            return _error(404, 10008, "Unknown Message")
        if route == "discord.edit":
            return self._stored(message_id, request)
        if route == "discord.delete":
            del self.messages[message_id]
            return Answer(204)
        return of_json({"id": message_id, **self.messages[message_id]["payload"]})

    def _stored(self, message_id: str, request: Request) -> Answer:
        files: dict[str, bytes] = {}
        if request.headers["content-type"].startswith("multipart/form-data"):
            payload: Any = None
            for headers, content in multipart(request.body, request.headers["content-type"]):
                disposition = headers["content-disposition"]
                name = disposition.partition('name="')[2].partition('"')[0]
                if name == "payload_json":
                    payload = json.loads(content)
                else:
                    files[disposition.partition('filename="')[2].partition('"')[0]] = content
        else:
            payload = request.json()
        problem = _problem(payload, files)
        if problem:
            return _error(400, 50035, f"Invalid Form Body: {problem}")
        self.messages[message_id] = {"payload": payload, "files": files}
        return of_json({"id": message_id, "type": 0, "channel_id": "1", **payload})


def _problem(payload: Any, files: dict[str, bytes]) -> str:
    """What Discord would refuse; ``""`` if nothing."""
    if not isinstance(payload, dict) or set(payload) - _KNOWN:
        return f"unknown keys {set(payload) - _KNOWN}"
    if payload.get("allowed_mentions") != {"parse": []}:
        return "mentions are not switched off"
    if len(payload.get("content", "")) > 2_000 or not (payload.get("content") or payload.get("embeds")):
        return "content"
    if len(payload.get("embeds", [])) > 10 or any(len(content) > 10 * 1024 * 1024 for content in files.values()):
        return "too many embeds or too large a file"
    if {item["filename"] for item in payload.get("attachments", [])} != set(files):
        return "attachments and files differ"
    total = 0
    for embed in payload.get("embeds", []):
        if set(embed) - _EMBED:
            return f"unknown embed keys {set(embed) - _EMBED}"
        texts = [
            (embed.get("title"), 256),
            (embed.get("description"), 4_096),
            (embed.get("footer", {}).get("text"), 2_048),
        ]
        for item in embed.get("fields", []):
            texts += [(item["name"], 256), (item["value"], 1_024)]
        if len(embed.get("fields", [])) > 25:
            return "too many fields"
        for text, limit in texts:
            if text is None:
                continue
            length = len(text.encode("utf-16-le")) // 2
            total += length
            if not text.strip() or length > limit:
                return f"a text of {length} units where 1 to {limit} are allowed"
        if not embed.get("thumbnail", {}).get("url", "https://").startswith("https://"):
            return "a thumbnail that is no address"
        image = embed.get("image", {}).get("url", "")
        if image.startswith("attachment://") and image.removeprefix("attachment://") not in files:
            return "the image isn't attached"
    return "more than 6000 characters" if total > 6_000 else ""


def _error(status: int, code: int, message: str) -> Answer:
    return of_json({"message": message, "code": code}, status)
