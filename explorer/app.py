"""The page of the explorer (`trends explore`): what hangs on what.

Belongs here: filters, pages, and that a new file is seen. Must not be here: how answers look (`views`), what is asked
(`queries`, `exports.questions`).
"""

import marimo

__generated_with = "0.25.2"
app = marimo.App(width="full", app_title="TikTok trends")

with app.setup(hide_code=True):
    from pathlib import Path

    import marimo as mo

    from explorer import queries
    from explorer.queries import ALL, Published
    from explorer.views import bars, block, history, intervals, lines, listed, publication
    from exports import questions
    from warehouse.store import Store

    BUILDS, TRENDS, VIDEOS, LOOK_UP, FORECASTS, COMPETITORS, REVENUE, SOURCES = (
        "Build today", "Trends", "Videos", "Look up", "Forecasts", "Competitors", "Revenue", "Sources",
    )  # fmt: skip


@app.cell(hide_code=True)
def _():
    published = Published(Store(Path(str(mo.cli_args().get("home")))))
    get_version, set_version = mo.state(published.version())
    asked = str(mo.query_params().get("what") or "")
    get_what, set_what = mo.state(asked)
    get_page, set_page = mo.state(LOOK_UP if asked else BUILDS)
    # Every few seconds: is there a new file?
    clock = mo.ui.refresh(options=["5s", "1m"], default_interval="5s", label="looks for a new file each")
    return clock, get_page, get_version, get_what, published, set_page, set_version, set_what


@app.cell(hide_code=True)
def _(clock, get_version, published, set_version):
    clock.value
    _found = published.version()
    if _found is not None and _found != get_version():
        set_version(_found)
    return


@app.cell(hide_code=True)
def _(get_version, published):
    get_version()
    days = [row["as_of_date"].isoformat() for row in published.rows(queries.DATES)]
    day = mo.ui.dropdown(days, value=days[0], label="Day", allow_select_none=False)
    (_now,) = published.rows(queries.PUBLICATION)
    told = publication(_now)
    return day, told


@app.cell(hide_code=True)
def _(published):
    # Of the file that was there at the start: what a person chose outlives a new one.
    def _choice(label, question):
        values = [value for row in published.rows(question) for value in row.values()]
        return mo.ui.dropdown([ALL, *values], value=ALL, label=label, allow_select_none=False)

    market = _choice("Market", queries.MARKETS)
    kind = _choice("Kind", queries.KINDS)
    window = _choice("Window", queries.WINDOWS)
    text = mo.ui.text(label="Text", placeholder="caption, creator, trend, id", debounce=300)
    return kind, market, text, window


@app.cell(hide_code=True)
def _(clock, day, kind, market, text, told, window):
    mo.vstack(
        [
            mo.hstack([mo.md("# TikTok trends"), told, clock], justify="space-between", align="center"),
            mo.hstack([day, market, kind, window, text], justify="start", wrap=True, gap=1),
        ]
    )
    return


@app.cell(hide_code=True)
def _(day, get_version, kind, market, published, set_page, set_what, text, window):
    from datetime import date

    get_version()
    until = date.fromisoformat(day.value)
    chosen = {"market": market.value, "kind": kind.value, "window": window.value, "text": text.value}

    def to_look_up(column):
        """What choosing a row does: its history is shown."""

        def show(rows):
            found = rows.to_pylist()
            if found and found[0][column]:
                set_what(found[0][column])
                set_page(LOOK_UP)

        return {"selection": "single", "on_change": show, "hidden_columns": [column]}

    NONE = "Nothing by these filters."
    builds = listed(published.table(queries.BUILDS, until, **chosen), NONE, **to_look_up("Video"))
    trends = listed(published.table(queries.TRENDS, until, **chosen), NONE, page_size=50, **to_look_up("Key"))
    videos = listed(published.table(queries.VIDEOS, until, **chosen), NONE, page_size=50, **to_look_up("Video"))
    outliers = listed(published.table(queries.OUTLIERS, until, **chosen), NONE, page_size=10, **to_look_up("Video"))
    gaps = listed(published.table(queries.GAPS, until, **chosen), NONE, **to_look_up("Video"))
    missed = listed(published.table(queries.MISSED, until, **chosen), NONE, **to_look_up("Video"))
    templates = listed(published.table(queries.REVENUE_TEMPLATES, until, **chosen), NONE, **to_look_up("Trend"))
    return builds, gaps, missed, outliers, templates, trends, until, videos


@app.cell(hide_code=True)
def _(get_what, set_what):
    what = mo.ui.text(value=get_what(), on_change=set_what, full_width=True, placeholder=questions.USAGE, label="What")
    return (what,)


@app.cell(hide_code=True)
def _(get_version, get_what, published, until, what):
    get_version()
    looked_up = mo.vstack([what, history(published, get_what(), until)])
    return (looked_up,)


@app.cell(hide_code=True)
def _(get_version, missed, published, until):
    get_version()
    _days = published.table(queries.FORECAST_DAYS, until)
    forecasts = mo.vstack(
        [
            block(
                "By stratum: how much better than the best naive rule",
                intervals(published.table(queries.FORECAST_STRATA, until)),
                note="Skill: 0 is as good as the rule beside it, 1 has no error; the bar is its 90 % interval.",
            ),
            block(
                "Day by day: error of the 24 h gain, all markets",
                lines(_days, "Date", "Error (WAPE of the gain)", "Model") if _days.num_rows else mo.md("*Not scored.*"),
                note="chosen: what was told. persistence: the naive rule that pace stays as it is.",
            ),
            block(
                "Scorecard", listed(published.table(queries.SCORECARD, until), "Nothing was scored yet.", page_size=50)
            ),
            block("Decisions, two days later", listed(published.table(queries.DECISIONS, until), "None scored yet.")),
            block("Missed: among the best gains, and not built", missed, note="Market and text of above apply."),
        ]
    )
    return (forecasts,)


@app.cell(hide_code=True)
def _(gaps, get_version, published, until):
    get_version()
    _posts = published.table(queries.SHARES, until)
    competitors = mo.vstack(
        [
            block("Seven days, you and them", listed(published.table(queries.COMPETITORS, until), "No posts.")),
            block(
                "Posts of the last seven days, by day",
                lines(_posts, "Date", "Posts 7 d", "Account") if _posts.num_rows else mo.md("*No posts.*"),
            ),
            block("Trend by trend: who was first, whose views were larger", listed(
                published.table(queries.WINS, until), "No trend was shared.")),
            block("Gaps", gaps, note="Market and text of above apply. Missed $ is a range under a stated rate."),
        ]
    )  # fmt: skip
    return (competitors,)


@app.cell(hide_code=True)
def _(get_version, published, templates, until):
    get_version()
    _months = published.table(queries.REVENUE_MONTHS, until)
    revenue = mo.vstack(
        [
            block("Where it is from", listed(published.table(queries.REVENUE_SOURCE, until), "No revenue was read.")),
            block(
                "By month",
                bars(_months, "Month", "Received ($)") if _months.num_rows else mo.md("*None.*"),
                listed(_months, "No revenue."),
            ),
            block("By week", listed(published.table(queries.REVENUE_WEEKS, until), "No revenue.", page_size=10)),
            block(
                "By trend", listed(published.table(queries.REVENUE_TRENDS, until), "None under a trend.", page_size=10)
            ),
            block("By kind", listed(published.table(queries.REVENUE_BREAKDOWN, until), "No revenue.")),
            block("Templates", templates, note="The text of above applies. Choose a row for its trend."),
        ]
    )
    return (revenue,)


@app.cell(hide_code=True)
def _(get_version, published, until):
    get_version()
    sources = mo.vstack(
        [
            block("Feeds of the day", listed(published.table(queries.SOURCES, until), "None.")),
            block("Checks that found something", listed(published.table(queries.CHECKS, until), "None did.")),
        ]
    )
    return (sources,)


@app.cell(hide_code=True)
def _(builds, competitors, forecasts, get_page, looked_up, outliers, revenue, set_page, sources, trends, videos):
    mo.ui.tabs(
        {
            BUILDS: block("What to build, and by when", builds, note="Choose a row for its history."),
            TRENDS: mo.vstack(
                [
                    block("Trends that can still be joined", trends, note="Choose a row for its history."),
                    block("Posts far above their creator's usual", outliers, note="The text of above applies."),
                ]
            ),
            VIDEOS: block("All videos of the day's feeds", videos, note="Choose a row for its history."),
            LOOK_UP: looked_up,
            FORECASTS: forecasts,
            COMPETITORS: competitors,
            REVENUE: revenue,
            SOURCES: sources,
        },
        value=get_page(),
        on_change=set_page,
    )
    return


if __name__ == "__main__":
    app.run()
