"""The explorer as people use it: `trends explore` in a process of its own, its page in a browser.

Screenshots of the pages are kept where TRENDS_SCREENSHOTS names a directory.
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from explorer import queries
from explorer.queries import ALL, Published
from exports import questions
from orchestration import cli
from simulator import SimulatorConfig, simulate, write_export_folder
from tests.browser import CHROMIUM, Page, browser
from tests.support import PROJECT, published, trends
from tests.ui import free_port, wait_until
from warehouse.store import Store

FIRST, SECOND = "2026-03-05", "2026-03-06"
PAGES = {
    "Build today": "What to build, and by when",
    "Trends": "Posts far above their creator's usual",
    "Videos": "All videos of the day's feeds",
    "Look up": "Or choose a row in one of the lists",
    "Forecasts": "Missed: among the best gains, and not built",
    "Competitors": "Seven days, you and them",
    "Revenue": "By month",
    "Sources": "Checks that found something",
}

# Its elements have documents of their own inside (shadow roots), which neither `innerText` nor a selector looks into.
_ALL = """(() => { const all = []
    const walk = node => node.querySelectorAll('*').forEach(e => { all.push(e); e.shadowRoot && walk(e.shadowRoot) })
    walk(document); return all })()"""
_TEXT = """(() => { const out = []
    const walk = node => {
        if (!node || ['STYLE', 'SCRIPT'].includes(node.tagName)) return
        if (node.nodeType === 3) { node.textContent.trim() && out.push(node.textContent.trim()); return }
        node.shadowRoot && walk(node.shadowRoot)
        node.childNodes.forEach(walk) }
    walk(document.body); return out.join('\\n') })()"""  # fmt: skip


@dataclass(frozen=True, slots=True)
class Shown:
    """A running explorer in a browser.

    Attributes:
        page: The tab.
        url: Its address.
        store: The home.
        feeds: Export folder of the home's days.
        log: What the server said.
    """

    page: Page
    url: str
    store: Store
    feeds: Path
    log: Path

    def text(self) -> str:
        return str(self.page.evaluate(_TEXT))

    def wait_for(self, *texts: str) -> str:
        wait_until(lambda: all(text in self.text() for text in texts), 30, f"{texts} on the page")
        return self.text()

    def open(self, what: str, *texts: str) -> str:
        """Loads the page anew, with what is to be looked up."""
        self.page.load(self.url + (f"?what={quote(what)}" if what else ""))
        return self.wait_for(*texts)

    def to_page(self, name: str) -> str:
        self.page.evaluate(
            f"{_ALL}.filter(e => e.getAttribute('role') === 'tab' && e.innerText.trim() === {json.dumps(name)}).pop()"
            ".dispatchEvent(new MouseEvent('mousedown', {bubbles: true, button: 0}))"
        )
        return self.wait_for(PAGES[name])

    def choose(self, label: str, value: str) -> None:
        """Sets a filter as a person does; the frontend listens to the events of the native elements."""
        kind, event = ("HTMLInputElement", "input") if label == "Text" else ("HTMLSelectElement", "change")
        self.page.evaluate(
            f"""(() => {{
                const host = {_ALL}.filter(e => e.tagName.startsWith('MARIMO-')
                    && (e.dataset.label || '').includes({json.dumps(label)})).pop()
                const field = host.shadowRoot.querySelector('select, input')
                const value = field.tagName === 'SELECT'
                    ? [...field.options].find(o => o.text === {json.dumps(value)}).value : {json.dumps(value)}
                Object.getOwnPropertyDescriptor({kind}.prototype, 'value').set.call(field, value)
                field.dispatchEvent(new Event('{event}', {{bubbles: true}})) }})()"""
        )


def row_count(text: str) -> int:
    """Rows that the first table of a page says it has."""
    found = re.search(r"([\d,]+) rows?\b", text)
    return int(found[1].replace(",", "")) if found else 0


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shown]:
    """The explorer over a home of two days, of which the second comes later."""
    assert CHROMIUM, "no Chromium is installed"
    directory = tmp_path_factory.mktemp("explorer")
    write_export_folder(
        simulate(SimulatorConfig(seed=3, start=date(2026, 3, 4), days=3, videos_per_day=60)), directory / "feeds"
    )
    store, log = Store(directory / "home"), directory / "log"
    done = trends("run", "--source", directory / "feeds", "--date", FIRST, "--home", store.home, "--no-deliver")
    assert done.code == 0, done.err
    port = free_port()
    with log.open("wb") as written:
        process = subprocess.Popen(
            [sys.executable, "-m", "orchestration.cli", "explore", "--home", store.home, "--port", str(port),
             "--no-browser"],
            cwd=PROJECT, env=os.environ | {"PYTHONUNBUFFERED": "1"}, stdout=written, stderr=subprocess.STDOUT,
            start_new_session=True,
        )  # fmt: skip
    url = f"http://127.0.0.1:{port}/"

    def answers() -> bool:
        try:
            return httpx.get(f"{url}health", timeout=5).is_success
        except httpx.TransportError:
            return False

    try:
        wait_until(lambda: answers() or process.poll() is not None, 30, "the explorer answers")
        assert process.poll() is None, log.read_text(encoding="utf-8")
        with browser(directory / "profile", height=1400) as page:
            page.open(url)
            shown = Shown(page, url, store, directory / "feeds", log)
            shown.wait_for("Build today")
            yield shown
        assert "Traceback" not in log.read_text(encoding="utf-8")
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=20) in (0, 130, -signal.SIGINT)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def test_every_page_shows_what_the_file_has(shown: Shown) -> None:
    for name in PAGES:
        text = shown.to_page(name)
        assert "This cell" not in text, text
        assert "Error" not in text.replace("Error (WAPE of the gain)", ""), text
        picture(shown, name)
    assert f"as of\n{FIRST}" in text
    assert "Traceback" not in shown.log.read_text(encoding="utf-8")


def test_filters_narrow_the_lists(shown: Shown) -> None:
    ((all_videos, uk, handle),) = published(
        shown.store,
        f"""select count(*), count(*) filter (market = 'UK'),
            min_by(author_handle, video_id) filter (market = 'UK')
        from marts.videos_daily where as_of_date = '{FIRST}'""",
    )
    assert 0 < uk < all_videos
    shown.to_page("Videos")
    wait_until(lambda: row_count(shown.text()) == all_videos, 20, "all videos are listed")
    shown.choose("Market", "UK")
    wait_until(lambda: row_count(shown.text()) == uk, 20, "the UK's are left")
    shown.choose("Text", handle)
    text = shown.wait_for(f"@{handle}")
    wait_until(lambda: 0 < row_count(shown.text()) < uk, 20, "those of the creator are left")
    shown.choose("Market", ALL)
    shown.choose("Text", "no caption has these words")
    shown.wait_for("Nothing by these filters.")
    shown.choose("Text", "")
    wait_until(lambda: row_count(shown.text()) == all_videos, 20, "all are back")
    assert handle in text


@pytest.mark.slow("a page for each of many rows")
def test_a_row_leads_to_its_history_which_is_what_show_tells(shown: Shown) -> None:
    (video, views), *_ = published(
        shown.store,
        f"select video_id, max(plays) from marts.videos_daily where as_of_date = '{FIRST}' and score is not null"
        " group by video_id order by max(score) desc, video_id limit 1",
    )
    text = shown.open(video, "Views, and what was told", "Readings", f"{views:,}")
    told = trends("show", video, "--home", shown.store.home).out
    assert (line := re.search(r"^trend (\S+): (.+)$", told, re.MULTILINE))
    assert line[1] in text
    assert line[2] in text
    assert re.search(r"load (\d+), item (\d+)", told)[0] in text  # type: ignore[index]
    picture(shown, "video")
    ((key,),) = published(
        shown.store, f"select min(trend_key) from marts.trends_daily where as_of_date = '{FIRST}' and uses > 1"
    )
    shown.open(key, key, "By day", "Its videos, fastest first")
    picture(shown, "trend")
    shown.open("@nobody.at.all", "Nothing is published about account nobody.at.all")
    shown.open("nothing", "'nothing' is nothing that can be shown")
    shown.open("", "Build today")
    shown.to_page("Videos")
    shown.page.evaluate(f"{_ALL}.filter(e => e.getAttribute('role') === 'checkbox').pop().click()")
    shown.wait_for("Views, and what was told", "Raw item: load")


@pytest.mark.slow("another file is published meanwhile")
def test_a_newly_published_file_is_picked_up_with_the_filters_as_they_were(shown: Shown) -> None:
    shown.open("", "Build today")
    shown.choose("Market", "US")
    shown.wait_for(f"as of\n{FIRST}")
    done = trends("run", "--source", shown.feeds, "--date", SECOND, "--home", shown.store.home, "--no-deliver")
    assert done.code == 0, done.err
    shown.wait_for(f"as of\n{SECOND}")
    ((us,),) = published(
        shown.store, f"select count(*) from marts.videos_daily where as_of_date = '{SECOND}' and market = 'US'"
    )
    shown.to_page("Videos")
    wait_until(lambda: row_count(shown.text()) == us, 20, "the US's of the new day are listed")
    shown.choose("Day", FIRST)
    ((before,),) = published(
        shown.store, f"select count(*) from marts.videos_daily where as_of_date = '{FIRST}' and market = 'US'"
    )
    wait_until(lambda: row_count(shown.text()) == before, 20, "the former day is there to be chosen")


def test_all_questions_answer_and_hold_nothing_open(shown: Shown) -> None:
    file = Published(shown.store)
    values: dict[str, Any] = dict.fromkeys(("market", "kind", "window"), ALL) | {
        "text": "", "video": "1", "key": "hashtag:x", "sound": "1", "handle": "x", "most": 3,
    }  # fmt: skip
    asked = 0
    for module in (queries, questions):
        for name, sql in vars(module).items():
            if name.isupper() and not name.startswith("_") and isinstance(sql, str) and "select" in sql:
                assert file.table(sql, **values).num_columns > 0, name
                asked += 1
    assert asked > 30
    assert not [link for link in Path("/proc/self/fd").iterdir() if str(shown.store.published_path) in _target(link)]


def test_what_is_missing_is_said_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["explore", "--home", str(tmp_path)]) == 1
    assert "nothing is published yet" in capsys.readouterr().err
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "marimo" else found(name))
    assert cli.main(["explore", "--home", str(tmp_path)]) == 2
    said = capsys.readouterr().err
    assert said == "trends: the explorer's packages are not installed: `make explore` installs them and opens it\n"


@pytest.mark.slow("two explorers")
def test_a_port_that_is_taken_is_said(shown: Shown) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = trends("explore", "--home", shown.store.home, "--port", str(port))
    assert done.code == 2
    assert f"the explorer can't listen on 127.0.0.1:{port}" in done.err


def picture(shown: Shown, name: str) -> None:
    if directory := os.environ.get("TRENDS_SCREENSHOTS"):
        # Charts come in over some frames.
        time.sleep(1.5)
        shown.page.screenshot(Path(directory) / f"explorer_{name.lower().replace(' ', '_')}.png")


def _target(link: Path) -> str:
    try:
        return str(link.readlink())
    except OSError:
        return ""
