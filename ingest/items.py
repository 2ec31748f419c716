"""Items: what a row of a feed must have to be of use, why another one is not, and what is odd about it.

Belongs here: the one definition of a usable item, for files and for Apify's datasets. Must not be here: reading files
(`readers`), tables that last (`landing`), what a value means (staging models).

Under which names a fact stands is data: `item_facts` and its neighbours in dbt_project.yml. The SQL that looks for it
is made by the macros that staging uses, `macros/tiktok_items.sql`: both have one idea of an item.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import duckdb
import jinja2
import yaml

from warehouse.store import quote_literal

PROJECT = Path(__file__).resolve().parents[1]
COUNTS = ("plays", "likes", "shares", "comments", "saves")
# Facts that decide whether an item is of use, and by the first of whose names nearly all items are judged.
_FACTS = ("video_id", "video_url", "row_type", *COUNTS, "music_id", "error", "status")
# Ids of one file of which so many are multiples of what a float or a spreadsheet keeps were rounded on the way.
_ROUNDED_IDS = 3
# Seconds that clocks differ by; the staging model has the same.
_CLOCK_DIFFERENCE = 300
# What stands before the example in an oddity's words: of many values one is told.
_EXAMPLE = " (such as "


@functools.cache
def variables() -> Mapping[str, Any]:
    """The variables of the dbt project, among them the names of facts."""
    with (PROJECT / "dbt_project.yml").open(encoding="utf-8") as stream:
        return dict(yaml.safe_load(stream)["vars"])


@functools.cache
def macros() -> Any:
    """The macros that make SQL out of the names of facts, as callables that give text."""
    engine = DuckDBMacros()
    # SQL, not HTML.
    environment = jinja2.Environment(autoescape=False)  # noqa: S701
    template = environment.from_string(macros_text(), globals={"var": variables().__getitem__, "adapter": engine})
    engine.module = template.module
    return engine.module


def macros_text() -> str:
    """The macros of items and what they use of the engine, as one template."""
    names = ("engine.sql", "engine_duckdb.sql", "tiktok_items.sql")
    return "".join((PROJECT / "macros" / name).read_text(encoding="utf-8") for name in names)


class DuckDBMacros:
    """Stands for dbt's `adapter` in macros that are rendered without dbt.

    Attributes:
        module: The rendered macros.
    """

    module: Any = None

    def dispatch(self, name: str, package: str) -> Callable[..., str]:
        """DuckDB's macro of a name; all are of this project."""
        del package
        macro: Callable[..., str] = getattr(self.module, f"duckdb__{name}")
        return macro


def known_names() -> frozenset[str]:
    """Every key by which an item or a header is known, in all its spellings."""
    names: set[str] = set()
    for path in (path for paths in variables()["item_facts"].values() for path in paths):
        names |= {path, path.replace(".", "/"), path.replace(".", "_")}
    return frozenset(names | set(variables()["item_hashtag_lists"]))


def judged_as(kind: str) -> str:
    """By what rules the items of a kind are of use: those of a panel are videos."""
    return "videos" if kind == "panel" else kind


def create_tables(connection: duckdb.DuckDBPyConnection) -> None:
    """Creates the empty temporary tables that items are read into and judged in.

    `incoming`: what the readers bring, in the files' order. A fault is a piece of a file that is no item, with its
    reason. `offered_files`: kind and time of each file.
    """
    connection.execute(
        "create or replace temporary table incoming"
        " (file_index integer, payload varchar, is_json boolean, fault varchar);"
        " create or replace temporary table offered_files (file_index integer, kind varchar, observed_at timestamp)"
    )


def judge(connection: duckdb.DuckDBPyConnection) -> None:
    """Gives each incoming item its index in its file, the reason why it can't be used, and what is odd about it.

    Makes the temporary table `incoming_items`: file_index, incoming_row, item_index, digest, reason, oddities (text
    that is the same for all items with that oddity).
    """
    connection.execute(_plain_sql())
    connection.execute(_odd_sql())


def count_usable(path: Path, kind: str) -> tuple[int, str]:
    """How many lines of a file of JSON lines are items of use, and why the others are not.

    Args:
        path: JSON lines as Apify gives them.
        kind: `videos`, `music` or `panel`.

    Returns:
        The number, and the reasons with their numbers; empty where all are of use.
    """
    connection = duckdb.connect()
    try:
        create_tables(connection)
        connection.execute("insert into offered_files values (0, ?, timestamp '2100-01-01')", [judged_as(kind)])
        connection.execute(
            "insert into incoming select 0, line, json_valid(line), null from"
            " (select unnest(string_split(content, chr(10))) as line from read_text(?)) where trim(line) <> ''",
            [str(path)],
        )
        judge(connection)
        [(usable,)] = connection.execute("select count(*) filter (reason is null) from incoming_items").fetchall()
        return int(usable), reasons(connection).get(0, "")
    finally:
        connection.close()


def reasons(connection: duckdb.DuckDBPyConnection) -> dict[int, str]:
    """Why items of each file can't be used, the most frequent first, with numbers."""
    return dict(
        connection.execute(
            """
            with reasons as (
                select file_index, reason, count(*) as items
                from incoming_items where reason is not null group by file_index, reason
            )
            select
                file_index,
                string_agg(reason || case when items > 1 then ' (' || items || ' items)' else '' end, '; '
                    order by items desc, reason)
            from reasons group by file_index
            """
        ).fetchall()
    )


def oddities(connection: duckdb.DuckDBPyConnection) -> dict[int, list[str]]:
    """What is odd about usable items of each file, one line each with its number of items and one example."""
    found: dict[int, list[str]] = {}
    for file_index, oddity, items in connection.execute(
        f"""
        select file_index, min_by(oddity, incoming_row), count(*)
        from (
            select file_index, incoming_row, unnest(oddities) as oddity
            from incoming_items
            where reason is null and oddities is not null
        )
        group by file_index, split_part(oddity, '{_EXAMPLE}', 1)
        order by file_index, split_part(oddity, '{_EXAMPLE}', 1)
        """
    ).fetchall():
        found.setdefault(file_index, []).append(f"{items} {'item' if items == 1 else 'items'}: {oddity}")
    return found


@functools.cache
def _plain_sql() -> str:
    """Judges by the best-known names: most items are as plain as that, and parsing few keys is cheap."""
    facts = variables()["item_facts"]
    first = {fact: facts[fact][0] for fact in ("video_id", "video_url", "row_type", *COUNTS)}
    keys = ", ".join(f'"{name}": "VARCHAR"' for name in first.values())
    parent, child = facts["music_id"][0].split(".")
    structure = f'{{{keys}, "{parent}": {{"{child}": "VARCHAR"}}}}'
    place = {fact: f'item."{name}"' for fact, name in first.items()}
    counts = ", ".join(place[fact] for fact in COUNTS)
    return f"""
    create or replace temporary table incoming_items as
    with files as (
        select file_index, min(rowid) as first_row from incoming group by file_index
    ),
    numbered as (
        -- A file's items stand one after the other, as one statement inserted them: a window would sort the texts.
        select
            incoming.file_index,
            incoming.rowid as incoming_row,
            incoming.rowid - files.first_row + 1 as item_index,
            incoming.payload,
            offered_files.kind,
            epoch(offered_files.observed_at) as observed_second,
            case
                when incoming.is_json and incoming.fault is null and starts_with(incoming.payload, '{{')
                    then json_transform(incoming.payload, {quote_literal(structure)})
            end as item
        from incoming
        inner join files using (file_index)
        inner join offered_files using (file_index)
    ),
    read as (
        select
            *,
            try_cast({place["video_id"]} as ubigint) as number,
            {place["video_id"]} as id
        from numbered
    )
    select
        file_index,
        incoming_row,
        item_index,
        md5_number(payload) as digest,
        coalesce(
            number is not null
            and {place["plays"]} is not null
            and regexp_full_match(concat_ws(';', id, {counts}), '[0-9]{{5,19}}(;[0-9]{{1,11}})+')
            and ({place["row_type"]} is null or {place["row_type"]} = 'video')
            and ({place["video_url"]} is null or contains({place["video_url"]}, id))
            and (number < 100000000000000000 or (number % 1024 <> 0 and number % 10000 <> 0))
            and (number >> 32) <= observed_second + {_CLOCK_DIFFERENCE}
            and (kind = 'videos' or regexp_full_match(item."{parent}"."{child}", '[0-9]{{5,19}}')),
            false
        ) as is_plain,
        cast(null as varchar) as reason,
        cast(null as varchar[]) as oddities
    from read
    """


@functools.cache
def _odd_sql() -> str:
    """Judges the items that are not plain by all names there are."""
    sql = macros()
    structure = quote_literal(sql.tiktok_item_structure(list(_FACTS)))
    counts = ",\n".join(f"{sql.tiktok_fact(fact)} as {fact}_text" for fact in COUNTS)
    given = ", ".join(f"{fact}_text" for fact in COUNTS)
    numbers = ",\n".join(f"{sql.tiktok_count(f'{fact}_text', fact)} as {fact}" for fact in COUNTS)
    odd_counts = ",\n".join(
        f"case when {sql.tiktok_count_is_odd(f'{fact}_text', fact)} then '{fact} that can not be read or can not be"
        f" true, taken as not given{_EXAMPLE}' || left({fact}_text, 40) || ')' end"
        for fact in COUNTS
    )
    others = variables()["item_other_rows"]
    other_rows = " ".join(
        f"when plays is null and list_has_any(keys, {list(names)!r}) then 'a {row} row, no video'"
        for row, names in others.items()
    )
    # An actor may say `true` under a name that says the rest.
    words = ", ".join(
        f"case when lower({place}) in ('true', '1') then '{name}' when lower({place}) not in"
        f" ('false', '0', 'null', '') then {place} end"
        for name in variables()["item_facts"]["error"]
        for place in [f'item."{name}"']
    )
    fields = "'; its fields: ' || left(array_to_string(keys, ', '), 200)"
    rounded = (
        f"({sql.tiktok_is_decimal('given_id')} or (link_id is null and regexp_full_match(given_id, '[0-9]{{18,19}}')"
        " and (try_cast(given_id as hugeint) % 1024 = 0 or try_cast(given_id as hugeint) % 10000 = 0)))"
    )
    return f"""
    create or replace temporary table odd_items as
    with sizes as (
        select file_index, count(*) as items from incoming_items group by file_index
    ),
    parsed as (
        select
            items.file_index,
            items.incoming_row,
            incoming.payload,
            incoming.fault,
            offered_files.kind,
            epoch(offered_files.observed_at) as observed_second,
            sizes.items as items_in_file,
            case
                when incoming.fault is null and incoming.is_json
                    then case when starts_with(payload, '{{') then 'OBJECT' else json_type(payload) end
            end as root,
            case when root = 'OBJECT' then json_keys(payload) end as keys,
            case when root = 'OBJECT' then json_transform({sql.tiktok_payload("payload")}, {structure}) end as item
        from incoming_items as items
        inner join incoming on items.incoming_row = incoming.rowid
        inner join offered_files on items.file_index = offered_files.file_index
        inner join sizes on items.file_index = sizes.file_index
        where not items.is_plain
    ),
    picked as (
        select
            *,
            {sql.tiktok_link_id()} as link_id,
            {sql.tiktok_fact("video_id")} as id_text,
            {sql.tiktok_bare_id("id_text")} as given_id,
            {sql.tiktok_fact("music_id")} as music_id_text,
            lower({sql.tiktok_fact("row_type")}) as row_type,
            lower({sql.tiktok_fact("status")}) as status,
            nullif(left(concat_ws(': ', {words}), 200), '') as words,
            {counts}
        from parsed
    ),
    counted as (
        select
            *,
            coalesce(link_id, given_id) as video_id,
            coalesce(
                {sql.tiktok_music_id("music_id_text")}, case when row_type = 'sound' then given_id end
            ) as sound_id,
            coalesce({given}) is not null as has_count,
            {numbers}
        from picked
    ),
    suspected as (
        select
            *,
            count(distinct case when {rounded} then given_id end) over (partition by file_index) as rounded_ids,
            coalesce({rounded}, false) as is_rounded
        from counted
    )
    select
        incoming_row,
        case
            when fault is not null then fault
            when root is null then 'malformed JSON'
            when root <> 'OBJECT' then 'not an object but ' || lower(root)
            when len(keys) = 0 then 'empty item'
            when not has_count and status in ('failed', 'fail') then 'failed row: ' || coalesce(words, 'no note')
            when not has_count and (words is not null or status = 'error')
                then 'error row: ' || coalesce(words, status)
            when row_type in ('hashtag', 'creator', case when kind = 'videos' then 'sound' else 'video' end)
                then 'a ' || row_type || ' row of a trends list in a ' || kind || ' feed'
            when coalesce({sql.tiktok_is_decimal("coalesce(video_id, music_id_text)")}, false)
                then 'the id was rounded to a decimal number'
            when video_id is null and coalesce({sql.tiktok_is_word("id_text", ["item_total_words"])}, false)
                then 'a row that adds up others, no video'
            when kind = 'music' and sound_id is null then 'no sound id' || {fields}
            {other_rows.replace("when plays", "when kind = 'videos' and plays")}
            when kind = 'videos' and video_id is null then 'no video id' || {fields}
            when kind = 'videos' and not has_count
                then 'no counts: a ranking row without plays, likes, shares or comments' || {fields}
            when kind = 'videos' and coalesce(plays, likes, shares) is null
                then 'no usable counts: plays, likes and shares are missing, negative or no numbers'
            when is_rounded and rounded_ids >= {_ROUNDED_IDS} and 2 * rounded_ids >= items_in_file
                then 'the id was rounded on its way through a spreadsheet or a script: keep ids as text'
        end as reason,
        list_filter([
            case
                when given_id <> link_id then 'another id than in the link, which is taken'
            end,
            case
                when regexp_full_match(video_id, '[0-9]{{18,19}}')
                    and try_cast(video_id as hugeint) // 4294967296 > observed_second + {_CLOCK_DIFFERENCE}
                    then 'made after the time of the feed: is that a local time? it must be UTC'
            end,
            {odd_counts}
        ], lambda oddity: oddity is not null) as oddities
    from suspected;

    update incoming_items
    set reason = odd_items.reason, oddities = odd_items.oddities
    from odd_items
    where incoming_items.incoming_row = odd_items.incoming_row;
    drop table odd_items
    """
