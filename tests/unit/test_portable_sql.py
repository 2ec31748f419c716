"""Models run on DuckDB and on Spark: what only one of them understands stands in macros/engine*, and nowhere else."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.support import PROJECT

# Functions that one of the engines does not have, or has with other results. Each has a macro in macros/engine.sql.
FUNCTIONS = {
    "DuckDB": [
        r"list_\w+", "list", r"array_\w+", r"regexp_\w+", r"json_\w+", r"to_(?:days|hours|minutes|seconds)",
        r"str[fp]time", r"md5_\w+", r"quantile_\w+", "arg_m(?:in|ax)", "m(?:in|ax)_by", "string_agg", "epoch",
        r"epoch_\w+(?<!_to_timestamp)", "make_timestamp", "starts_with", "ends_with", "unnest", "datediff", "date_diff",
        "struct_pack", "generate_series", "median", "row", "ltrim", "rtrim",
    ],
    "Spark": [
        "transform", "filter", "explode", r"collect_\w+", "from_json", "get_json_object", r"\w*variant\w*",
        "percentile", "element_at", r"try_\w+(?<!try_cast)", "named_struct", "sort_array", "sequence", "listagg",
        r"unix_\w+", r"timestamp\w+", "conv", "from_utc_timestamp", "startswith", "endswith", "split", "size", "slice",
    ],
}  # fmt: skip
# Words and signs that one of them does not know, or reads otherwise.
SIGNS = {
    "DuckDB": [r"\bvarchar\b", r"\bhugeint\b", r"\btimestamptz\b", r"\blambda\b", "->>", "::", r"\bmap \{",
               r"\bignore nulls\b", r"\bselect \* (?:exclude|replace)\b", r"\bat time zone\b", r"\bisodow\b"],
    "Spark": [r"\bdiv\b", r"\blateral view\b", r"\btimestamp_(?:ntz|ltz)\b"],
    "an engine in a model": [r"\btarget[.]type\b", r"\btarget\[", r"\badapter[.]type\b", r"\badapter[.]dispatch\b"],
}  # fmt: skip
# Of SQL alone: Jinja has them for itself.
SQL_SIGNS = {"DuckDB": ["//", r"(?:select|,|\(|=|then|else)\s*\[", r"(?<!\w)\w+\[[0-9]"], "Spark": [r"\w\s*->\s*\w"]}
# Of a macro, what is dispatched there: the strategies and guards of the two files that a DuckDB home has.
HOME_OF_DUCKDB = {"as_of.sql", "by_hand.sql", "mart_rows.sql", "compiled_models.sql"}

COMMENT = re.compile(r"\{#.*?#\}|--[^\n]*", re.DOTALL)
TEXT = re.compile(r"'(?:[^'\n]|'')*'")
JINJA = re.compile(r"\{%.*?%\}|\{\{.*?\}\}", re.DOTALL)


def engine_specific(text: str) -> list[str]:
    """What of a model's text only one engine reads, as `engine: words`."""
    code = COMMENT.sub("", text)
    sql = TEXT.sub("''", JINJA.sub("x", code))
    found = [
        f"{engine}: {hit.group().strip()}"
        for engine, names in FUNCTIONS.items()
        for name in names
        for hit in re.finditer(rf"(?<![\w.])(?:{name})\(", sql)
    ]
    for rules, searched in ((SIGNS, code), (SQL_SIGNS, sql)):
        found += [
            f"{engine}: {hit.group().strip()}"
            for engine, patterns in rules.items()
            for pattern in patterns
            for hit in re.finditer(pattern, searched)
        ]
    return found


def _files() -> list[Path]:
    models = [*(PROJECT / "models").rglob("*.sql"), *(PROJECT / "tests" / "dbt").rglob("*.sql")]
    macros = [
        path
        for path in (PROJECT / "macros").glob("*.sql")
        if not path.name.startswith("engine") and path.name not in HOME_OF_DUCKDB
    ]
    return models + macros


def test_no_model_or_macro_has_sql_of_one_engine() -> None:
    files = _files()
    assert len(files) > 140
    assert {str(path.relative_to(PROJECT)): engine_specific(path.read_text(encoding="utf-8")) for path in files} == {
        str(path.relative_to(PROJECT)): [] for path in files
    }


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("select list_sort(a) from t", ["DuckDB: list_sort("]),
        ("select {{ matches('a', 'b') }}, regexp_matches(a, 'b')", ["DuckDB: regexp_matches("]),
        ("select a // 2", ["DuckDB: //"]),
        ("select [a, b] as c", ["DuckDB: select ["]),
        ("select a[1]", ["DuckDB: a[1"]),
        ("select cast(a as varchar)", ["DuckDB: varchar"]),
        ("select a ->> '$.b'", ["DuckDB: ->>"]),
        ("select {% if target.type == 'spark' %}a{% else %}b{% endif %}", ["an engine in a model: target.type"]),
        ("select explode(a), b div 2", ["Spark: explode(", "Spark: div"]),
        ("select transform(a, x -> x + 1)", ["Spark: transform(", "Spark: x -> x"]),
        ("-- regexp_matches(a)\nselect {{ list_of(['a']) }}, '//', try_cast(a as bigint) {# unnest(a) #}", []),
        ("{% set days = horizon // 24 %}select count(*) filter (where a) from t where a in (1)", []),
    ],
)
def test_sql_of_one_engine_is_found(text: str, found: list[str]) -> None:
    assert engine_specific(text) == found
