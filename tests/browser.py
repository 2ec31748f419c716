"""Headless Chromium for tests that look at pages, driven over its debugging pipe (Chrome DevTools Protocol).

Belongs here: opening, waiting, reading, clicking, screenshots. Must not be here: what a page should show.

No driver, no port, no further package: Chromium reads JSON with a NUL behind it from descriptor 3 and answers on 4.
"""

from __future__ import annotations

import base64
import contextlib
import fcntl
import json
import os
import select
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")

# Above the two that the browser wants, so that neither overwrites the other.
_FIRST_FREE_DESCRIPTOR = 10
_ANSWER_S = 60.0

# Resolves to what is missing: nothing as soon as all texts stand on the page. Reading its text lays the page out, so it
# is not done at every change.
_WAIT = """new Promise(resolve => {
    const texts = %s, deadline = Date.now() + %d
    const look = () => {
        const shown = document.body ? document.body.innerText : ''
        const missing = texts.filter(text => !shown.includes(text))
        missing.length && Date.now() < deadline ? setTimeout(look, 100) : resolve(missing.join(', '))
    }
    look()
})"""


class Page:
    """One tab.

    Args:
        to_browser: Descriptor to write to.
        from_browser: Descriptor to read from.
    """

    def __init__(self, to_browser: int, from_browser: int) -> None:
        self._to_browser, self._from_browser = to_browser, from_browser
        self._buffer = b""
        self._number = 0
        self._session: dict[str, str] = {}
        target = self._call("Target.createTarget", url="about:blank")["targetId"]
        attached = self._call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = {"sessionId": attached["sessionId"]}
        self._call("Page.enable")

    def open(self, url: str, *texts: str, seconds: float = 20.0) -> str:
        """Goes to an address and waits until all texts are there; returns what the page says.

        Raises:
            AssertionError: A text did not appear in time.
        """
        origin = "/".join(url.split("/")[:3])
        if self.evaluate("location.origin") == origin:
            # As a click on a link of a one-page application: loading all of it anew takes seconds.
            self.evaluate(
                f"history.pushState({{}}, '', {json.dumps(url)}); dispatchEvent(new PopStateEvent('popstate'))"
            )
        else:
            self.load(url)
        return self.wait_for(*texts, seconds=seconds)

    def load(self, url: str) -> None:
        """Loads an address, also the one that is shown; returns once it takes the place of what was there.

        Raises:
            AssertionError: The browser says why it did not.
        """
        answer = self._call("Page.navigate", url=url)
        assert "errorText" not in answer, f"{url}: {answer['errorText']}"

    def wait_for(self, *texts: str, seconds: float = 20.0) -> str:
        """Waits until all texts stand on the page; returns all of its text.

        Raises:
            AssertionError: A text did not appear in time.
        """
        missing = self.evaluate(_WAIT % (json.dumps(texts), seconds * 1000))
        text = str(self.evaluate("document.body ? document.body.innerText : ''"))
        assert not missing, f"not on the page: {missing}. It says: {text[:2000]}"
        return text

    def evaluate(self, expression: str) -> Any:
        """The value of a JavaScript expression; a promise is waited for."""
        answer = self._call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def click(self, text: str) -> None:
        """Clicks the innermost element that says exactly this."""
        self.evaluate(
            f"[...document.querySelectorAll('*')].filter(e => (e.innerText || '').trim() === {json.dumps(text)})"
            ".pop().click()"
        )

    def screenshot(self, path: Path) -> None:
        """Writes what is to be seen as PNG."""
        path.write_bytes(base64.b64decode(self._call("Page.captureScreenshot", format="png")["data"]))

    def _call(self, method: str, **parameters: Any) -> dict[str, Any]:
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters, **self._session}
        os.write(self._to_browser, json.dumps(message).encode() + b"\0")
        deadline = time.monotonic() + _ANSWER_S
        while True:
            *messages, self._buffer = self._buffer.split(b"\0")
            for text in messages:
                answer = json.loads(text)
                if answer.get("id") == self._number:
                    assert "error" not in answer, (method, answer["error"])
                    result: dict[str, Any] = answer["result"]
                    return result
            ready, _, _ = select.select([self._from_browser], [], [], max(0.0, deadline - time.monotonic()))
            assert ready, f"Chromium did not answer {method} in {_ANSWER_S:.0f} s"
            content = os.read(self._from_browser, 1 << 20)
            assert content, f"Chromium ended at {method}"
            self._buffer += content


@contextlib.contextmanager
def browser(profile: Path, width: int = 1600, height: int = 1000) -> Iterator[Page]:
    """A browser with one tab; it and its helpers are gone afterwards.

    Args:
        profile: An empty directory for what a browser remembers.
        width: Of the window, pixels.
        height: Of the window, pixels.
    """
    assert CHROMIUM is not None
    ends = [*os.pipe(), *os.pipe()]
    read, to_browser, from_browser, write = (
        fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, _FIRST_FREE_DESCRIPTOR) for end in ends
    )
    for end in ends:
        os.close(end)
    arguments = [
        CHROMIUM, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars",
        "--no-first-run", "--remote-debugging-pipe", f"--user-data-dir={profile}", f"--window-size={width},{height}",
    ]  # fmt: skip
    null = os.open(os.devnull, os.O_RDWR)
    process = os.posix_spawn(
        CHROMIUM,
        arguments,
        os.environ,
        file_actions=[
            *((os.POSIX_SPAWN_DUP2, null, descriptor) for descriptor in (0, 1, 2)),
            (os.POSIX_SPAWN_DUP2, read, 3),
            (os.POSIX_SPAWN_DUP2, write, 4),
        ],
        setpgroup=0,
    )
    for end in (read, write, null):
        os.close(end)
    try:
        yield Page(to_browser, from_browser)
    finally:
        os.close(to_browser)
        os.close(from_browser)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process, signal.SIGKILL)
        os.waitpid(process, 0)
