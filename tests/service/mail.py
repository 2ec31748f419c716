"""A mail server on the loopback interface that keeps what it is given, or fails as it is told."""

import asyncio
import contextlib
import email
import email.policy
import socket
from collections.abc import Iterator
from email.message import EmailMessage
from typing import Any, Literal

from aiosmtpd.controller import Controller

# What becomes of the next mails: refused for good, refused for now, the connection dropped before or after it is kept.
Plan = Literal["take", "refuse", "busy", "drop_before", "drop_after", "stall_after"]


class Mail:
    """One mailbox for everybody.

    Attributes:
        plan: What becomes of the next mails; `take` again after `times` of them.
        times: How often the plan holds.
        taken: Mails as they came.
        tried: How many came to their end.
    """

    def __init__(self) -> None:
        self.plan: Plan = "take"
        self.times = 0
        self.taken: list[EmailMessage] = []
        self.tried = 0
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802 - aiosmtpd's name
        """One mail with all its lines."""
        self.tried += 1
        plan, self.times = (self.plan if self.times else "take"), max(self.times - 1, 0)
        if plan == "refuse":
            return "554 no such mail here"
        if plan == "busy":
            return "451 come again"
        if plan != "drop_before":
            message = email.message_from_bytes(envelope.content, policy=email.policy.default)
            assert isinstance(message, EmailMessage)
            self.taken.append(message)
        if plan == "stall_after":
            await asyncio.sleep(60)
        if plan.startswith("drop"):
            server.transport.abort()
        return "250 taken"

    @contextlib.contextmanager
    def running(self) -> Iterator["Mail"]:
        """Serves until the block ends."""
        controller = Controller(self, hostname="127.0.0.1", port=self.port)
        controller.start()
        try:
            yield self
        finally:
            controller.stop()
