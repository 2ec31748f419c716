"""What Slack, Telegram, ntfy and e-mail make of a message, each within its limits.

Belongs here: markup and lengths of each service. Must not be here: sending (`channels`), choosing what to tell. A text
that is too long ends with what was left out, by name.

Sources of the limits: Slack, "Reference: blocks" (3,000 characters a section, 50 blocks) and "chat.postMessage"
(40,000 a message); Telegram Bot API, sendMessage (4,096 characters); ntfy, "Limitations" (4,096 bytes).
"""

import html
import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from services.message import Field, Line, Message
from services.text_safety import safe_link, utf16_length, visible_line

SLACK_TEXT, SLACK_SECTION, SLACK_BLOCKS, SLACK_TITLE = 40_000, 3_000, 50, 150
TELEGRAM_TEXT = 4_096
NTFY_BYTES, NTFY_TITLE = 4_096, 200
# Above 8,000 characters of JSON, in which an emoji takes twelve, apprise would send a file instead of a text. The topic
# is in it too.
NTFY_JSON = 7_700
# Mail has no limit of its own: this keeps one slip from filling a mailbox.
EMAIL_TEXT = 100_000
# apprise writes a subject as one line, of which RFC 5321 allows 998 bytes: twelve for an emoji.
EMAIL_SUBJECT = 75
_LINE = 600
_NAMES = 8


@dataclass(frozen=True, slots=True)
class _Piece:
    """A line as a service shows it, and the section that it belongs to."""

    section: str
    text: str


@dataclass(frozen=True, slots=True)
class _Markup:
    """How a service writes plain text, a link, and the head of a section."""

    text: Callable[[str], str]
    link: Callable[[str, str], str]
    head: Callable[[str], str]


def slack(message: Message) -> dict[str, Any]:
    """An attachment with blocks, as Slack's API has it."""
    pieces = _fitted(_pieces(message, _SLACK), SLACK_TEXT - SLACK_SECTION, len)
    texts = [""]
    for piece in pieces:
        joined = f"{texts[-1]}\n{piece}" if texts[-1] else piece
        if len(joined) <= SLACK_SECTION:
            texts[-1] = joined
        else:
            texts.append(piece)
    title = visible_line(message.title, SLACK_TITLE) or "–"
    sections = [
        {"type": "section", "text": {"type": "mrkdwn", "text": text, "verbatim": True}} for text in texts if text
    ]
    return {
        # What a notification shows.
        "fallback": title,
        "color": f"#{message.colour:06X}",
        "blocks": [{"type": "header", "text": {"type": "plain_text", "text": title}}, *sections][:SLACK_BLOCKS],
    }


def telegram(message: Message) -> str:
    """Text in Telegram's HTML."""
    title = f"<b>{_escaped(visible_line(message.title, _LINE))}</b>"
    rest = TELEGRAM_TEXT - _telegram_size(f"{title}\n\n")
    return "\n".join((title, "", *_fitted(_pieces(message, _TELEGRAM), rest, _telegram_size)))


def ntfy(message: Message) -> tuple[str, str]:
    """Title and plain text."""
    title = visible_line(message.title, NTFY_TITLE) or "–"
    room = NTFY_JSON - len(json.dumps(title))

    def size(text: str) -> int:
        return max(len(text.encode()), -(-len(json.dumps(text)) * NTFY_BYTES // room))

    return title, "\n".join(_fitted(_pieces(message, _PLAIN), NTFY_BYTES, size)) or "–"


def email(message: Message) -> tuple[str, str]:
    """Subject and HTML."""
    title = visible_line(message.title, _LINE) or "–"
    lines = "\n".join(_fitted(_pieces(message, _HTML), EMAIL_TEXT, len)).replace("\n", "<br>\n")
    body = (
        '<div style="font:15px/1.5 -apple-system,Segoe UI,Roboto,sans-serif;max-width:720px">'
        f'<h2 style="border-left:6px solid #{message.colour:06X};padding-left:10px">{_escaped(title)}</h2>\n'
        f"{lines}\n</div>"
    )
    return visible_line(title, EMAIL_SUBJECT), body


def _pieces(message: Message, markup: _Markup) -> list[_Piece]:
    """The lines of a message in order: what is urgent, the description, the fields, the footer."""
    urgent = [item for item in message.fields if item.is_urgent]
    others = [item for item in message.fields if not item.is_urgent]
    pieces = [piece for item in urgent for piece in _of_lines(item.name, item.lines, markup)]
    pieces += _of_lines("", message.lines, markup)
    pieces += _of_fields(others, markup)
    if safe_link(message.url):
        pieces.append(_Piece("the link", "\n" + markup.link("the video", str(safe_link(message.url)))))
    if message.footer:
        pieces.append(_Piece("the footer", "\n" + markup.text(visible_line(message.footer, _LINE))))
    return pieces


def _of_fields(fields: Sequence[Field], markup: _Markup) -> Iterator[_Piece]:
    """Short fields that stand side by side where there is room share a line."""
    beside: list[str] = []
    for item in fields:
        if item.is_inline and len(item.lines) == 1 and isinstance(item.lines[0], str):
            beside.append(f"{item.name}: {item.lines[0]}")
            continue
        yield from _beside(beside, markup)
        beside = []
        yield from _of_lines(item.name, item.lines, markup)
    yield from _beside(beside, markup)


def _beside(texts: Sequence[str], markup: _Markup) -> Iterator[_Piece]:
    if texts:
        yield _Piece("the numbers", "\n" + markup.text(visible_line(" · ".join(texts), 2 * _LINE)))


def _of_lines(name: str, lines: Sequence[Line], markup: _Markup) -> Iterator[_Piece]:
    for position, line in enumerate(lines):
        text = _line(line, markup)
        if name and position == 0:
            text = f"\n{markup.head(visible_line(name, _LINE))}\n{text}"
        yield _Piece(name or "the list", text)


def _line(line: Line, markup: _Markup) -> str:
    if isinstance(line, str):
        return markup.text(visible_line(line, _LINE)) or "–"
    label, url = visible_line(line.label, _LINE) or "link", safe_link(line.url)
    return markup.text(label) if url is None else markup.link(label, url)


def _fitted(pieces: Sequence[_Piece], limit: int, size: Callable[[str], int]) -> list[str]:
    """As many lines from the first on as fit, with what is left out in the last one."""
    for count in range(len(pieces), -1, -1):
        texts = [piece.text for piece in pieces[:count]]
        if count < len(pieces):
            left_out = Counter(piece.section for piece in pieces[count:])
            names = [f"{number} of {name}" for name, number in left_out.items()]
            more = f" and {len(names) - _NAMES} more parts" if len(names) > _NAMES else ""
            # Names of sections are ours, and short: no markup of any service is in them.
            texts.append(f"\n… left out for length, in lines: {', '.join(names[:_NAMES])}{more}. The report has all.")
        if texts:
            texts[0] = texts[0].lstrip("\n")
        if size("\n".join(texts)) <= limit:
            return texts
    return []


def _escaped(text: str) -> str:
    return html.escape(text, quote=False)


def _slack_text(text: str) -> str:
    """Slack has no way to write its own marks as text; three grave accents would swallow the lines that follow."""
    return _escaped(text.replace("`", "'"))


def _telegram_size(text: str) -> int:
    """Apprise ends lines with two characters."""
    return utf16_length(text) + text.count("\n")


_SLACK = _Markup(
    _slack_text,
    lambda label, url: f"<{_escaped(url).replace('|', '%7C')}|{_slack_text(label).replace('|', '¦')}>",
    lambda name: f"*{_slack_text(name)}*",
)
_TELEGRAM = _Markup(
    _escaped,
    lambda label, url: f'<a href="{html.escape(url)}">{_escaped(label)}</a>',
    lambda name: f"<b>{_escaped(name)}</b>",
)
_PLAIN = _Markup(str, lambda label, url: f"{label}\n{url}", str)
_HTML = _Markup(
    _escaped,
    lambda label, url: f'<a href="{html.escape(url)}">{_escaped(label)}</a>',
    lambda name: f"<b>{_escaped(name)}</b>",
)
