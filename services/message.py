"""What a message is made of, whichever service carries it, and what became of it.

Belongs here: the parts of a message, its kinds, its outcomes, and the messages that more than one room makes. Must not
be here: any service (`discord`, `channels`), choosing what the day's message tells (`daily_report`).
"""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

DAILY, ALERT, FAILURE, SILENCE = "daily", "alert", "failure", "silence"
KINDS = (DAILY, ALERT, FAILURE, SILENCE)
# What a key begins with says what kind of message it names; a poll's alerts, bursts and summary are one kind.
_KIND_OF = {"daily": DAILY, "alert": ALERT, "trend": ALERT, "poll": ALERT, "failure": FAILURE, "silence": SILENCE}
_GREEN, _ORANGE, _RED = 0x2ECC71, 0xE67E22, 0xE74C3C

# `kept`: sent before with another text, and the service has no way to change it.
Outcome = Literal["sent", "edited", "unchanged", "kept", "unclear", "failed"]
NOT_DELIVERED = ("failed", "unclear")


def kind_of(key: str) -> str:
    """The kind of the message that a key names, such as ``daily:2026-01-31``."""
    return _KIND_OF[key.partition(":")[0]]


@dataclass(frozen=True, slots=True)
class Link:
    """A masked link; shown as plain text if the address isn't on a known host.

    Attributes:
        label: Text, escaped here.
        url: Address.
    """

    label: str
    url: str


Line = str | Link


@dataclass(frozen=True, slots=True)
class Field:
    """One field of an embed.

    Attributes:
        name: Plain text; emoji allowed, everything is escaped here.
        lines: Plain text or links, one per line; what doesn't fit is counted in a last line.
        is_inline: Whether it may stand beside another one.
        is_urgent: Whether it stands above the description where the service can't show both at once.
    """

    name: str
    lines: tuple[Line, ...]
    is_inline: bool = False
    is_urgent: bool = False


@dataclass(frozen=True, slots=True)
class Picture:
    """A small picture beside a link; services that show none leave it out.

    Attributes:
        label: Text, escaped here.
        url: Where the label leads.
        image: Address of the picture, at its source.
    """

    label: str
    url: str
    image: str


@dataclass(frozen=True, slots=True)
class Message:
    """One message with one embed.

    Attributes:
        title: Plain text.
        fields: In order; those beyond Discord's limits are left out, the last ones first.
        lines: Description.
        colour: RGB as an integer.
        footer: Plain text.
        chart_png: Image shown in the embed.
        url: Address behind the title.
        pictures: Small pictures, in order.
        markets: Markets that it is about; empty where it is about all.
    """

    title: str
    fields: tuple[Field, ...] = ()
    lines: tuple[Line, ...] = ()
    colour: int = 0x5865F2
    footer: str = ""
    chart_png: bytes | None = field(default=None, repr=False)
    url: str = ""
    pictures: tuple[Picture, ...] = ()
    markets: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Delivery:
    """What became of a message.

    Attributes:
        outcome: ``sent``, ``edited``, ``unchanged``, ``kept`` (sent before, can't be changed), ``unclear`` (may have
            been sent, not repeated) or ``failed``.
        message_id: The service's id, if known.
        reason: Why it is unclear or failed; ``""`` otherwise.
    """

    outcome: Outcome
    message_id: str | None
    reason: str = ""


def unclear_reason(cause: str) -> str:
    """Why a message of unknown fate is left alone, and what to do."""
    return (
        f"{cause}. The message may be in the channel, so it is not sent again; look, and `trends resend` if it is not"
    )


def daily_message(
    as_of_date: dt.date,
    counts: Sequence[tuple[str, int]],
    seasonal: Sequence[tuple[str, Sequence[str]]],
    links: Sequence[Link],
    degradations: Sequence[str],
    chart_png: bytes | None,
) -> Message:
    """The daily report as users know it.

    Args:
        as_of_date: The day.
        counts: Label and number, in order (``Your Posts`` to ``UK Fresh (72h)``).
        seasonal: Section and its events (``SEASONAL ALERTS``, ``UPCOMING``, ``ON RADAR``); empty ones are left out.
        links: For example the Drive folder and the dashboard sheet.
        degradations: What this run had to do without, in plain words; named first if there is any.
        chart_png: The day's chart.

    Returns:
        A message for ``deliver``.
    """
    fields = [Field(label, (f"{number:,}",), is_inline=True) for label, number in counts]
    if degradations:
        fields.insert(0, Field("⚠️ DEGRADED", tuple(degradations), is_urgent=True))
    fields += [Field(section, tuple(events)) for section, events in seasonal if events]
    if links:
        fields.append(Field("LINKS", tuple(links)))
    return Message(
        f"📊 TikTok Daily Report - {as_of_date}",
        tuple(fields),
        colour=_ORANGE if degradations else _GREEN,
        chart_png=chart_png,
    )


def failure_message(job: str, as_of_date: dt.date | None, step: str, reason: str) -> Message:
    """The notice that a run failed.

    Args:
        job: Name of the job.
        as_of_date: The day it was for.
        step: Where it failed.
        reason: One line, without secrets.

    Returns:
        A message for ``deliver``.
    """
    fields = (Field("Step", (step,), is_inline=True), Field("Reason", (reason,)))
    date = f" - {as_of_date}" if as_of_date else ""
    return Message(f"❌ Run failed: {job}{date}", fields, colour=_RED)


def alert_message(priority: str, colour: int, values: Sequence[tuple[str, str]], url: str, footer: str = "") -> Message:
    """One poll alert.

    Args:
        priority: Shown in the title.
        colour: RGB by priority.
        values: Label and text, in order (``Trend`` to ``Views/h``, then what to do).
        url: The video.
        footer: The poll it came from.

    Returns:
        A message for ``deliver``.
    """
    fields = tuple(Field(label, (text,), is_inline=label not in ("Trend", "What happened")) for label, text in values)
    return Message(f"🚀 TREND ALERT: BUILD NOW - {priority}", fields, colour=colour, url=url, footer=footer)
