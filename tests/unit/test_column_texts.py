"""What a column means is said once: where several tables have it, in a docs block that they name."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

import yaml

from tests.support import PROJECT

_NAMED = re.compile(r"""\{\{ doc\('([a-z0-9_]+)'\) \}\}""")
_BLOCK = re.compile(r"\{% docs ([a-z0-9_]+) %\}\n(.*?)\n\{% enddocs %\}", re.DOTALL)


def tables() -> Iterator[dict[str, Any]]:
    for path in [*PROJECT.glob("models/**/*.yml"), *PROJECT.glob("seeds/*.yml")]:
        content = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
        yield from (*content.get("models", []), *content.get("seeds", []))
        for source in content.get("sources", []):
            yield from source["tables"]


def column_texts() -> list[str]:
    return [column["description"].strip() for table in tables() for column in table.get("columns", [])]


def blocks() -> list[tuple[str, str]]:
    return [
        (name, text)
        for path in PROJECT.glob("models/columns/*.md")
        for name, text in _BLOCK.findall(path.read_text(encoding="utf-8"))
    ]


def test_no_text_is_written_twice() -> None:
    """A text that a second column needs becomes a block of models/columns/, and both name it."""
    written = Counter([text for text in column_texts() if not _NAMED.fullmatch(text)] + [text for _, text in blocks()])
    assert {text: times for text, times in written.items() if times > 1} == {}


def test_every_block_is_named_by_several_columns() -> None:
    named = Counter(match[1] for text in column_texts() if (match := _NAMED.fullmatch(text)))
    names = [name for name, _ in blocks()]
    assert len(names) == len(set(names))
    assert set(named) == set(names)
    assert {name for name, times in named.items() if times < 2} == set()
