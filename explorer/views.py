"""How answers look in the explorer: tables, charts, the pages of a video, a trend and an account.

Belongs here: titles, marks and words of rows as they come. Must not be here: what is asked (`queries`,
`exports.questions`), what depends on what (`app`), anything computed of data: the marts and the questions do that.
"""

from __future__ import annotations

from datetime import date
from typing import Any

import altair as alt
import marimo as mo
import pyarrow as pa

from explorer import queries
from explorer.queries import Published
from exports import questions
from exports.questions import Row, Subject, subject
from services.text_safety import plain_text

# How many a history shows.
READINGS, POSTS = 200, 50

_DAY_MS = 24 * 3600 * 1000
_PALETTE = ["#2563eb", "#e11d48", "#059669", "#d97706", "#7c3aed", "#0891b2", "#4b5563", "#be185d"]
_OUTCOMES = {
    "in range": "#059669",
    "below the range": "#d97706",
    "above the range": "#e11d48",
    "no reading": "#9ca3af",
    "not due yet": "#cbd5e1",
}
_FORECAST_NOTE = (
    "Line: views as they were read. Diamond and bar: what a forecast told for that time, its middle and the range that"
    " 8 of 10 should fall into."
)
# Sentences wrap; all else stays on its line.
_SENTENCES = ("Caption", "Why", "Despite", "Says", "Template", "Why this model", "Why not built")


def listed(rows: pa.Table, none: str, **options: Any) -> Any:
    """A table with search, sorting and download, or what to say where there are no rows."""
    if not rows.num_rows:
        return mo.md(f"*{none}*")
    given = {"selection": None, "page_size": 20, "show_column_summaries": False, "show_data_types": False, **options}
    return mo.ui.table(rows, wrapped_columns=_texts(rows), **given)


def _texts(rows: pa.Table) -> list[str]:
    """Columns with sentences, which wrap: all others stay on their line."""
    return [name for name in _SENTENCES if name in rows.column_names]


def block(title: str, *parts: Any, note: str = "") -> Any:
    """A heading, what it means, and what stands below."""
    return mo.vstack([mo.md(f"### {title}"), *([mo.md(f"<small>{note}</small>")] if note else []), *parts], gap=0.5)


def lines(rows: pa.Table, x: str, y: str, color: str, **more: Any) -> Any:
    """Points joined by colour; values on hover."""
    base = alt.Chart(rows).encode(
        x=alt.X(f"{x}:T", title=None, axis=alt.Axis(format="%d %b", tickMinStep=_DAY_MS)),
        y=alt.Y(f"{y}:Q", title=y, axis=alt.Axis(format="~s")),
        color=alt.Color(f"{color}:N", scale=alt.Scale(range=_PALETTE), legend=alt.Legend(orient="top", title=None)),
        tooltip=_hover(rows),
        **more,
    )
    return (base.mark_line() + base.mark_circle(size=45)).properties(width="container", height=220)


def bars(rows: pa.Table, x: str, y: str, color: str | None = None) -> Any:
    """A bar for each row."""
    colour = alt.value(_PALETTE[0]) if color is None else alt.Color(
        f"{color}:N", scale=alt.Scale(range=_PALETTE), legend=alt.Legend(orient="top", title=None)
    )  # fmt: skip
    return (
        alt.Chart(rows)
        .mark_bar()
        .encode(
            x=alt.X(f"{x}:O", title=None, axis=alt.Axis(labelAngle=0), sort=None),
            y=alt.Y(f"{y}:Q", title=y, axis=alt.Axis(format="~s")),
            color=colour,
            tooltip=_hover(rows),
        )
        .properties(width="container", height=220)
    )


def _hover(rows: pa.Table) -> list[Any]:
    """All of a row, on hover."""
    return [alt.Tooltip(name) for name in rows.column_names]


def intervals(rows: pa.Table) -> Any:
    """A point with its interval for each row, what is better further right."""
    if not rows.num_rows:
        return mo.md("*Not enough was scored yet.*")
    # What is far worse would press all else into a corner: the table below has its number.
    skill = alt.Scale(domain=[-1, 1], clamp=True)
    base = alt.Chart(rows).encode(
        y=alt.Y("Stratum:N", title=None, sort=None),
        color=alt.Color("What:N", scale=alt.Scale(range=_PALETTE), legend=alt.Legend(orient="top", title=None)),
        yOffset="What:N",
        tooltip=_hover(rows),
    )
    ranges = base.mark_rule(strokeWidth=2).encode(
        x=alt.X("from:Q", title="Skill", scale=skill, axis=alt.Axis(tickCount=10)), x2="to:Q"
    )
    points = base.mark_point(filled=True, size=60).encode(
        x=alt.X("Skill:Q", title="Skill", scale=skill, axis=alt.Axis(tickCount=10))
    )
    naive = alt.Chart(pa.table({"as good": [0]})).mark_rule(strokeDash=[4, 4]).encode(x="as good:Q")
    return (naive + ranges + points).properties(width="container", height={"step": 14})


def publication(row: Row) -> Any:
    """What the page stands on."""
    return mo.md(
        f"as of **{row['as_of_date']}**, cut-off {row['cutoff_at']:%d %b %H:%M} UTC,"
        f" published {row['published_at']:%d %b %H:%M} UTC"
    )


def _fact(label: str, value: Any) -> Any:
    """One number, large."""
    return mo.stat(value="-" if value is None else value, label=label, bordered=True)


def _video_page(published: Published, video: str, until: date) -> Any:
    """A video: its readings, what was told and what came, and why it is or is not built."""
    (now,) = published.rows(queries.VIDEO_TODAY, until, video=video) or (None,)
    if now is None:
        return None
    curve = published.table(queries.VIDEO_CURVE, until, video=video)
    told = published.table(queries.VIDEO_FORECASTS, until, video=video, most=READINGS)
    places = published.rows(questions.BUILD_PLACES, until, video=video)
    decisions = published.rows(questions.DECISIONS, until, video=video)
    alerts = published.table(questions.ALERTS, until, video=video)
    outliers = published.rows(questions.VIDEO_OUTLIER, until, video=video)
    return mo.vstack(
        [
            mo.md(
                f"## {safe(now['caption']) or '(no caption)'}\n"
                f"@{safe(now['author_handle'] or 'unknown')} ({now['author_role']}), posted"
                f" {now['posted_at']:%d %b %Y %H:%M} UTC, {now['market_label']}, {now['ai_category']}"
                f"{', **ad**' if now['is_ad'] else ''} · [open the video]({now['video_url']})"
            ),
            mo.hstack(
                [
                    _fact("Views", f"{now['plays']:,}" if now["plays"] is not None else None),
                    _fact("Status", now["status"]),
                    _fact("Score", None if now["score"] is None else f"{now['score']:.0f}"),
                    _fact("Window", now["action_window"]),
                    *(_fact("Times its creator's usual", f"{row['views_ratio']:.1f}") for row in outliers),
                ],
                justify="start",
                wrap=True,
            ),
            block("Views, and what was told", _forecast_chart(curve, told), note=_FORECAST_NOTE),
            listed(told, "No forecast was made for it.", page_size=8, hidden_columns=["Why this model"]),
            _why(now, places, decisions),
            block("Alerts", listed(alerts, "No alert was about it.")),
            block(
                "Readings",
                listed(published.table(questions.READINGS, until, video=video, most=READINGS), "Never read."),
                note=f"Raw item: load {now['load_id']}, item {now['item_index']} of raw.tiktok_videos in facts.duckdb.",
            ),
        ]
    )


def _forecast_chart(curve: pa.Table, told: pa.Table) -> Any:
    """Views as they were read, and each forecast at the time it is for: the range, the middle, what came of it."""

    def time(name: str) -> Any:
        return alt.X(f"{name}:T", title=None, axis=alt.Axis(format="%d %b %H:%M", labelOverlap=True))

    read = (
        alt.Chart(curve)
        .mark_line(point=True, color=_PALETTE[0])
        .encode(
            x=time("When"),
            y=alt.Y("Views:Q", title="Views", axis=alt.Axis(format="~s")),
            tooltip=["When:T", "Views", "Gained", "Market"],
        )
    )
    outcome = alt.Color(
        "Outcome:N",
        scale=alt.Scale(domain=list(_OUTCOMES), range=list(_OUTCOMES.values())),
        legend=alt.Legend(orient="top", title="forecast:"),
    )
    base = alt.Chart(told).encode(x=time("Until"), color=outcome, tooltip=_hover(told))
    ranges = base.mark_rule(strokeWidth=3, opacity=0.5).encode(y=alt.Y("At least:Q", title="Views"), y2="At most:Q")
    middles = base.mark_point(filled=True, size=70, shape="diamond").encode(y=alt.Y("Views told:Q", title="Views"))
    return (read + ranges + middles).properties(width="container", height=300)


def _why(now: Row, places: list[Row], decisions: list[Row]) -> Any:
    """Where it stands in the lists and what would change that, in the words of the marts."""
    told = [
        f"- **Build list of {row['as_of_date']}: place {row['place']}**, {row['build_priority']}, {row['variants']}"
        f" variants, publish by {row['publish_by']:%d %b %H:%M} UTC. Why: {safe(row['because'])}"
        f"{'; ' + safe(row['despite']) if row['despite'] else ''}. Would change: {safe(row['would_change_if'])}"
        for row in places
    ]
    told += [
        f"- {row['decision_mode'].capitalize()} decision in {row['market']}:"
        f" **{'build' if row['is_build'] else 'no build'}**"
        f" ({safe(row['decision_reasons'])}{'; ' + safe(row['stop_reason']) if row['stop_reason'] else ''})."
        f" Would change: {safe(row['would_change_if'])}"
        for row in decisions
    ]
    told.append(f"- Score: {safe(now['score_reason'])}")
    told.append(f"- Trend `{safe(now['trend_key'])}`: {safe(now['trend_key_reason'])}")
    return block("Why", mo.md("\n".join(told)))


def _trend_page(published: Published, asked: Subject, until: date) -> Any:
    """A sound, template, tag or effect: its days, markets, videos, what it earned."""
    key = f"{asked.kind}:{asked.value}"
    curve = published.table(queries.TREND_CURVE, until, key=key)
    sounds = published.table(queries.SOUND_CURVE, until, sound=asked.value) if asked.kind == "sound" else None
    if not curve.num_rows and not (sounds is not None and sounds.num_rows):
        return None
    now = published.rows(questions.TREND_LISTED, until, key=key)
    name = safe(now[0]["trend_name"]) if now else safe(key)
    link = f" · [open it]({now[0]['trend_url']})" if now and now[0]["trend_url"] else ""
    place = f"place {now[0]['place']} of the trends that can be joined" if now else (
        "not among the trends that can be joined on this day"
    )  # fmt: skip
    parts = [mo.md(f"## {name}\n`{safe(key)}`, {place}{link}")]
    if curve.num_rows:
        parts += [
            mo.hstack(
                [
                    block("Videos that use it", lines(curve, "Date", "Videos", "Market")),
                    block("Views that they gained in 24 h", lines(curve, "Date", "Views gained 24 h", "Market")),
                ],
                widths="equal",
            ),
            block("By day", listed(curve, "")),
        ]
    if sounds is not None and sounds.num_rows:
        parts.append(
            block("As a sound, of the music feeds", lines(sounds, "Date", "Videos 24 h", "Market"), listed(sounds, ""))
        )
    parts += [
        block(
            "Which market had it first", listed(published.table(questions.TREND_MARKETS, until, key=key), "One only.")
        ),
        block(
            "Its videos, fastest first",
            listed(published.table(questions.TREND_POSTS, until, key=key, most=POSTS), "None."),
        ),
        block(
            "What templates under it earned",
            listed(published.table(queries.TREND_REVENUE, until, key=key), "Nothing that was entered."),
        ),
    ]
    return mo.vstack(parts)


def _account_page(published: Published, handle: str, until: date) -> Any:
    """An account's posts, and how far each is above its usual."""
    posts = published.table(questions.ACCOUNT_POSTS, until, handle=handle, most=POSTS)
    outliers = published.table(questions.ACCOUNT_OUTLIERS, until, handle=handle)
    if not posts.num_rows and not outliers.num_rows:
        return None
    role = published.rows(questions.ACCOUNT_ROLE, until, handle=handle)
    return mo.vstack(
        [
            mo.md(f"## @{safe(handle)} ({role[0]['author_role'] if role else 'other'})"),
            block("Posts in the feeds, fastest first", listed(posts, "None.")),
            block("Posts against their usual", listed(outliers, "Too few were seen.")),
        ]
    )


def safe(text: str | None) -> str:
    """Captions are data: nothing in them is Markdown or HTML."""
    words = " ".join(plain_text(text).split()) if text else ""
    return "".join(f"&#{ord(sign)};" if sign in "<>&*_`[]()#~|\\$!" else sign for sign in words)


def history(published: Published, what: str, until: date) -> Any:
    """What `trends show` tells of the same words, as a page."""
    if not what.strip():
        return mo.md(f"Paste {questions.USAGE}. Or choose a row in one of the lists.")
    try:
        asked = subject(what)
    except ValueError as error:
        return mo.callout(str(error), kind="warn")
    if asked.kind == "video":
        page = _video_page(published, asked.value, until)
    elif asked.kind == "account":
        page = _account_page(published, asked.value, until)
    else:
        page = _trend_page(published, asked, until)
    return page or mo.callout(f"Nothing is published about {asked.kind} {asked.value} up to {until}.", kind="warn")
