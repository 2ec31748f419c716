"""Slack's webhooks, Telegram's bots and a server of ntfy, with the limits that each states."""

import html
import json
import re
from typing import Any

from tests.service.contract import OutsideContractError
from tests.service.messages import Answer, Request, of_json

TAG = re.compile(r"</?(b|i|u|s|a|code|pre)( href=\"[^\"<>]*\")?>")


def lead_to(url: str) -> dict[str, str]:
    """Where apprise's Slack and Telegram have to post so that a service on this machine hears them."""
    return {
        "apprise.plugins.slack.NotifySlack.webhook_url": f"{url}/services",
        "apprise.plugins.telegram.NotifyTelegram.notify_url": f"{url}/bot",
    }


class Chat:
    """The three services; what they took is in `taken`, in order.

    Attributes:
        webhook: Path of Slack's webhook.
        bot: Token of Telegram's bot.
        topic: The topic of ntfy.
        taken: Service and what it was sent.
    """

    def __init__(self) -> None:
        self.webhook = "T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ"
        self.bot = "123456789:abcdefg_hijklmnop"
        self.topic = "topic-that-nobody-guesses"
        self.taken: list[tuple[str, Any]] = []

    def route(self, request: Request) -> str | None:
        """Names the route of a request, or ``None``."""
        path = request.path
        if path.startswith("/services"):
            return "slack.send" if request.method == "POST" else "slack.look"
        if path.startswith("/bot"):
            return {"sendMessage": "telegram.send", "getMe": "telegram.look"}.get(path.rpartition("/")[2])
        if path == "/v1/health":
            return "ntfy.look"
        return "ntfy.send" if (path, request.method) == ("/", "POST") else None

    def answer(self, route: str, request: Request) -> Answer:
        """Answers one request."""
        service, _, action = route.partition(".")
        if service == "slack":
            if action == "look":
                return Answer(404, b"no_team")
            if request.path != f"/services/{self.webhook}":
                return Answer(404, b"no_service")
        if service == "telegram" and not request.path.startswith(f"/bot{self.bot}/"):
            return of_json({"ok": False, "error_code": 401, "description": "Unauthorized"}, 401)
        if action == "look":
            return of_json({"ok": True, "healthy": True})
        payload = request.json()
        {"slack": _check_slack, "telegram": _check_telegram, "ntfy": _check_ntfy}[service](payload)
        self.taken.append((service, payload))
        return Answer(200, b"ok") if service == "slack" else of_json({"ok": True, "result": {"message_id": 1}})


def _check_slack(payload: Any) -> None:
    (attachment,) = payload["attachments"]
    blocks = attachment["blocks"]
    _need(1 <= len(blocks) <= 50, "1 to 50 blocks")
    for block in blocks:
        _need(0 < len(block["text"]["text"]) <= (150 if block["type"] == "header" else 3_000), "the text of a block")
    _need(len(json.dumps(payload, ensure_ascii=False)) <= 50_000, "a message of 40,000 characters")


def _check_telegram(payload: Any) -> None:
    _need(payload["parse_mode"] == "HTML", "HTML")
    text = payload["text"]
    _need(not re.search(r"[<>]", TAG.sub("", text)), "only tags that Telegram knows")
    shown = html.unescape(TAG.sub("", text))
    _need(0 < len(shown.encode("utf-16-le")) // 2 <= 4_096 and len(text.encode("utf-16-le")) // 2 <= 4_096, "4,096")


def _check_ntfy(payload: Any) -> None:
    _need(set(payload) <= {"topic", "title", "message"}, "known keys")
    _need(0 < len(payload["message"].encode()) <= 4_096, "4,096 bytes")


def _need(holds: bool, what: str) -> None:
    if not holds:
        raise OutsideContractError(f"expected {what}")
