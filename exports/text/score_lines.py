"""What the scorecard says, in words: one line that every output has, and the lines below it.

Belongs here: wording of `marts.scorecard`. Must not be here: SQL (`published`), what is scored and how (models).

A line names its record: the track record is what live runs told, a replay what today's models say of those days. Where
any of a track record is due, it is the line; the two are never added up.

Where a panel read enough of those that left the feeds, a forecast's score is the panel's: it stands for everybody,
where survivors are those that went on doing well. The survivors' own score is told beside it. Without a panel the line
says between which scores the unknown ones leave it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

Record = Mapping[str, Any]

HORIZON = 24
TRACK_RECORD, REPLAY = "track record", "replay"
NOT_ENOUGH = "not enough yet"
NO_SKILL = "not better than a guess"
NOT_SCORED = "not scored yet: the first forecasts are due a day after they were made"
# Groups that are told even where too few were scored.
_FIRST = ("all", "warm", "cold")
# Beyond ten times the gain a bound says nothing.
_FAR = 10
# What a panel tells of everybody; the columns of the mart have `panel_` before them.
_BY_PANEL = ("days", "score", "twin", "twin_score", "skill", "skill_low", "skill_high", "bias", "coverage_80")
TWINS = {
    "persistence": "no gain",
    "last_gain": "the last gain again",
    "damped_gain": "the usual share of the last gain",
}


def headline_row(
    rows: Iterable[Record], market: str = "ALL", horizon: int = HORIZON, stratum: str = "all"
) -> Record | None:
    """The row of a date that the headline words: of the track record where any of it is due, else of the replay.

    Args:
        rows: Rows of `marts.scorecard` of one date.
        market: Market code, or ALL.
        horizon: Hours ahead.
        stratum: Group of forecasts.

    Returns:
        The row, None before anything is due.
    """
    found = {
        row["record"]: row
        for row in rows
        if (row["kind"], row["market"], row["horizon_hours"], row["value"]) == ("forecast", market, horizon, stratum)
        and row["due"]
    }
    row = found.get(TRACK_RECORD) or found.get(REPLAY)
    return None if row is None else on_everybody(row)


def on_everybody(row: Record) -> Record:
    """A row of the scorecard as it is told: by the panel where that is enough, then with `by_panel`.

    Args:
        row: A row of `marts.scorecard`, or what this function gave.
    """
    if row.get("by_panel") or not row.get("is_panel_enough"):
        return row
    told = {name: row[f"panel_{name}"] for name in _BY_PANEL}
    return {**row, **told, "is_enough": True, "by_panel": True, "survivors": row["score"] if row["is_enough"] else None}


def forecast_line(row: Record | None) -> str:
    """How good the forecasts of a window were beside the best naive one, and on how many of those told.

    Args:
        row: See `headline_row`.
    """
    if row is None:
        return NOT_SCORED
    row = on_everybody(row)
    head = f"{row['horizon_hours']} h, {_record(row)}"
    if not row["scored"] and not row.get("by_panel"):
        return f"{head}: {NOT_ENOUGH}: {population(row)}"
    error = (
        f"error {_percent(row['score'])} of the gain, the best naive forecast"
        f" ({TWINS.get(row['twin'], row['twin'])}) {_percent(row['twin_score'])}"
    )
    if not row["is_enough"]:
        return f"{head}: {NOT_ENOUGH}: {population(row)}; so far {'; '.join([error, *_bounds(row)])}"
    verdict = f"{NO_SKILL}: " if row["is_greyed"] else ""
    by_panel = "by panel: " if row.get("by_panel") else ""
    parts = [f"{verdict}{by_panel}skill {skill(row)}", error, *_bounds(row)]
    if row["coverage_80"] is not None:
        parts.append(f"{_percent(row['coverage_80'])} within the 80 % range")
    if row["direction_accuracy"] is not None:
        parts.append(
            f'direction right {_percent(row["direction_accuracy"])} ("everything slows":'
            f" {_percent(row['slowed_share'])})"
        )
    if by_panel:
        parts.append(_panel(row))
    return f"{head}: {'; '.join(parts)}; {population(row)}"


def _panel(row: Record) -> str:
    """Whom the panel stands for, beside those that anybody could see."""
    gone = f", {row['panel_gone']:,} gone" if row["panel_gone"] else ""
    alone = "" if row["survivors"] is None else f"those still in a feed alone {_percent(row['survivors'])}, "
    return f"{alone}{row['panel_read']:,} that left read again{gone}"


def _bounds(row: Record) -> list[str]:
    """Where the error may lie with those that left, who gained what they were told to, or nothing; none of a panel."""
    low, high = row.get("score_low"), row.get("score_high")
    if row.get("by_panel") or low is None or high is None or row["scored"] == row["due"]:
        return []
    return [f"{_percent(low)} to {_percent(high) if high <= _FAR else 'far more'} with those that left"]


def population(row: Record) -> str:
    """How many were scored of those whose time has come, and of those told."""
    cold = "" if row["share_cold"] is None else f", {_percent(row['share_cold'])} cold starts"
    share = "" if row["share_scored"] is None else f" ({_percent(row['share_scored'])})"
    # Labels stand on forecasts: how many were made is said there.
    made = f", {row['made']:,} made" if row["kind"] == "forecast" else ""
    return f"scored {row['scored']:,} of {row['due']:,} due{share}{made}{cold}"


def skill(row: Record) -> str:
    """Skill with its interval, `+28 % [+22, +35]`; without an interval where only one day is known."""
    if row["skill"] is None:
        return "not known"
    if row["skill_low"] is None or row["skill_high"] is None:
        return f"{100 * row['skill']:+.0f} %"
    return f"{100 * row['skill']:+.0f} % [{100 * row['skill_low']:+.0f}, {100 * row['skill_high']:+.0f}]"


def greyed_labels(rows: Iterable[Record]) -> list[str]:
    """Labels whose record shows no skill over a whole window: those columns are shown grey."""
    rows = list(rows)
    shown = [*_shown_record(rows, "label"), *_shown_record(rows, "outlook")]
    return sorted({row["label"] for row in shown if row["is_greyed"]})


def label_line(rows: Iterable[Record]) -> str | None:
    """Which labels are not better than a guess; None where none is."""
    names = greyed_labels(rows)
    return f"{NO_SKILL} by their own record, shown grey: {', '.join(names)}" if names else None


def labels(rows: Iterable[Record]) -> list[Record]:
    """The rows of labels, those that rank best first."""
    return sorted(_shown_record(rows, "label"), key=lambda row: (-(row["skill"] or 0), row["label"]))


def values(rows: Iterable[Record], label: str) -> list[Record]:
    """The rows of a label's values, in the order that it claims."""
    return sorted(
        (row for row in _shown_record(rows, "value") if row["label"] == label),
        key=lambda row: (row["place"], row["value"]),
    )


def verdict(row: Record) -> str:
    """What a label's row says of it, in few words."""
    if row["is_greyed"]:
        return NO_SKILL
    return "" if row["is_enough"] else NOT_ENOUGH


def scorecard_lines(rows: Sequence[Record], width: int) -> list[str]:
    """The scorecard as text: the headline, the forecasts by group, the labels and their values.

    Args:
        rows: Rows of `marts.scorecard` of one date.
        width: Characters of a name's column.
    """
    lines = [f"Forecasts: {forecast_line(headline_row(rows))}"]
    grey = label_line(rows)
    lines += [f"Labels: {grey}"] if grey else []
    for record in (TRACK_RECORD, REPLAY):
        forecasts = [
            on_everybody(row) for row in rows if (row["record"], row["kind"]) == (record, "forecast") and row["due"]
        ]
        if not forecasts:
            lines += ["", f"{record}: {NOT_SCORED if record == REPLAY else 'none of what a live run told is due yet'}"]
            continue
        lines += ["", f"{record}: error of the gain, the best naive forecast, skill with its 95 % interval"]
        for row in sorted(forecasts, key=_forecast_order):
            if row["value"] not in _FIRST and not row["is_enough"]:
                continue
            name = f"{row['market']}, {row['horizon_hours']} h, {row['value']}"
            lines.append(f"  {name.ljust(width)} {_forecast_cells(row)}")
    judged = labels(rows)
    if judged:
        lines += ["", f"Labels, {judged[0]['record']}: how often a video that kept the promise had the better value"]
    for row in judged:
        lines.append(
            f"  {row['label'].ljust(width)} skill {skill(row)}; {population(row)}"
            + (f"; {verdict(row)}" if verdict(row) else "")
        )
        lines += [
            f"    {value['value'].ljust(width - 2)} {_percent(value['score'])} of {value['scored']:,}"
            f" (all {_percent(value['twin_score'])}), median gain {_number(value['median_gain'])}"
            for value in values(rows, row["label"])
            if value["scored"]
        ]
    outlooks = [row for row in rows if row["kind"] == "outlook" and row["due"]]
    if outlooks:
        lines += ["", "Outlooks, replay: error beside one that knew the mean afterwards"]
    lines += [
        f"  {row['label'].ljust(width)} error {_error(row, 'score')}, {row['twin']} {_error(row, 'twin_score')}, skill"
        f" {skill(row)}; {population(row)}" + (f"; {verdict(row)}" if verdict(row) else "")
        for row in sorted(outlooks, key=lambda row: str(row["label"]))
    ]
    ranges = [row for row in rows if row["kind"] == "range" and row["due"]]
    if ranges:
        lines += ["", "Ranges of money, replay: how many outcomes lay within what is told as 8 of 10"]
    lines += [
        f"  {row['label'].ljust(width)} "
        + ("" if row["is_enough"] else f"{NOT_ENOUGH}: ")
        + (f"{_percent(row['score'])} within; " if row["scored"] else "")
        + population(row)
        for row in sorted(ranges, key=lambda row: str(row["label"]))
    ]
    return lines


def _forecast_cells(row: Record) -> str:
    if not row["is_enough"]:
        return f"{NOT_ENOUGH}: {population(row)}"
    return (
        ("by panel: " if row.get("by_panel") else "")
        + f"{_percent(row['score'])}, {TWINS.get(row['twin'], row['twin'])} {_percent(row['twin_score'])}, skill"
        f" {skill(row)}, {_percent(row['coverage_80'])} in range"
        + (f"; {_panel(row)}" if row.get("by_panel") else "")
        + f"; {population(row)}"
    )


def _forecast_order(row: Record) -> tuple[Any, ...]:
    place = _FIRST.index(row["value"]) if row["value"] in _FIRST else len(_FIRST)
    return (row["market"] != "ALL", row["market"], row["horizon_hours"], place, row["value"])


def _shown_record(rows: Iterable[Record], kind: str) -> list[Record]:
    """Rows of a kind: of the track record where it is enough to judge by, else of the replay."""
    rows = list(rows)
    judged = {
        row["label"] for row in rows if (row["kind"], row["record"]) == ("label", TRACK_RECORD) and row["is_enough"]
    }
    return [row for row in rows if row["kind"] == kind and (row["record"] == TRACK_RECORD) == (row["label"] in judged)]


def _record(row: Record) -> str:
    days = f"{row['days']} days to {row['as_of_date']}" if row["days"] != 1 else f"1 day to {row['as_of_date']}"
    return f"{row['record']} of {days}"


def _percent(share: float | None) -> str:
    return "unknown" if share is None else f"{100 * share:.0f} %"


def _error(row: Record, name: str) -> str:
    """Hours of a window, a Brier score of a chance."""
    value = row[name]
    if value is None:
        return "unknown"
    return f"{value:.0f} h" if row["label"].endswith("(h)") else f"{value:.3f}"


def _number(value: float | None) -> str:
    return "unknown" if value is None else f"{value:,.0f}"
