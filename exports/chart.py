"""The day's chart for messages: what the next 24 hours are expected to bring, as PNG.

Belongs here: one picture. Must not be here: SQL (`published`). The drawing is Vega-Lite through altair,
rendered offline by vl-convert.
"""

from __future__ import annotations

from exports import published
from exports.published import Day
from exports.text_safety import plain_text

BARS = 8


def day_chart(day: Day) -> bytes | None:
    """The expected gain of the day's best builds with its 80 % range; None on a day without forecasts."""
    rows = published.best_forecasts(day, BARS)
    if not rows:
        return None
    # Imported when a chart is drawn: it costs more than a second that no other command should pay.
    import altair as alt
    import vl_convert

    labels = [f"{place}. {plain_text(row['caption'] or row['video_id'])[:32]}" for place, row in enumerate(rows, 1)]
    values = [
        {"video": label, "p10": row["gain_24h_p10"], "p50": row["gain_24h_p50"], "p90": row["gain_24h_p90"]}
        for label, row in zip(labels, rows, strict=True)
    ]
    base = alt.Chart(alt.Data(values=values)).encode(
        y=alt.Y("video:N", sort=labels, title=None, axis=alt.Axis(labelLimit=260))
    )
    gain = "Views in the next 24 h (line: 80 % range)"
    bars = base.mark_bar(color="#25a0a0").encode(x=alt.X("p50:Q", title=gain, axis=alt.Axis(format="~s")))
    ranges = base.mark_rule(color="#222222", strokeWidth=2).encode(x="p10:Q", x2="p90:Q")
    chart = (bars + ranges).properties(width=420, height=28 * len(rows), title=f"What to expect - {day.as_of_date}")
    return bytes(vl_convert.vegalite_to_png(chart.to_json(), scale=2))
