"""Feed files as they break: cut, doubled, recoded, widened, nested, with other types in them.

Belongs here: making such files from good ones, by a seed. Must not be here: what must come of them.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import random
from collections.abc import Callable
from typing import Any

Item = dict[str, Any]

_ODD_VALUES: list[Any] = [
    None, "", "NaN", "many", -1, 1e300, 9e18, 10**30, "1e9999", "infinity", "99999999999B", [], {}, [[]],
    {"a": {"b": []}}, True, "\u0000", "\ud83d", "a\nb", 'a"b', "a,b;c\td",
    "='x'", "-1", "10.000", "1万", "2026-13-45", "294247-01-10",
]  # fmt: skip
_SIGNS = [
    b'"',
    b",",
    b";",
    b"\n",
    b"\r",
    b"[",
    b"]",
    b"{",
    b"}",
    b"\\",
    b"\0",
    b"\xff",
    b"\xef\xbb\xbf",
    b"'",
    b"\t",
    b":",
]


def items(generator: random.Random, number: int) -> list[Item]:
    """Good items, of which each has an id of its own."""
    made = []
    for _ in range(number):
        video_id = str(generator.randrange(7_600_000_000_000_000_001, 7_610_000_000_000_000_000))
        made.append(
            {
                "id": video_id,
                "text": generator.choice(["invented #capcut", "two\nlines", 'a "quoted", word', "ümlaut 🎬"]),
                "createTimeISO": "2026-02-20T05:00:00.000Z",
                "authorMeta": {"name": "maker"},
                "webVideoUrl": f"https://www.tiktok.com/@maker/video/{video_id}",
                "playCount": generator.randrange(10**6),
                "diggCount": generator.randrange(10**4),
                "hashtags": [{"name": "capcut"}],
            }
        )
    return made


def as_csv(rows: list[Item], delimiter: str = ",") -> bytes:
    target = io.StringIO()
    flat = [{**row, "authorMeta": None, "hashtags": None, "authorMeta/name": "maker"} for row in rows]
    names = [name for name in flat[0] if name not in ("authorMeta", "hashtags")]
    writer = csv.DictWriter(target, names, delimiter=delimiter, extrasaction="ignore")
    writer.writeheader()
    writer.writerows(flat)
    return target.getvalue().encode("utf-8", "surrogatepass").replace(b"\xed\xa0\xbd", b"\xff")


def written(generator: random.Random, rows: list[Item]) -> tuple[bytes, str]:
    """A good file in one of the layouts, and its suffix."""
    layout = generator.randrange(5)
    if layout == 0:
        return json.dumps(rows).encode(), ".json"
    if layout == 1:
        return json.dumps(rows, indent=1).encode(), ".json"
    if layout == 2:
        return "".join(json.dumps(row) + "\n" for row in rows).encode(), ".jsonl"
    return as_csv(rows, generator.choice(",,,;\t")), ".csv"


def broken(generator: random.Random, content: bytes) -> bytes:
    """The file with something wrong in its bytes."""
    place = generator.randrange(len(content) + 1)
    length = generator.randrange(1, 200)
    ways: list[Callable[[], bytes]] = [
        lambda: content,
        lambda: content[:place],
        lambda: content[place:],
        lambda: content[:place] + content[place + length :],
        lambda: content[: place + length] + content[place:],
        lambda: content[:place] + generator.choice(_SIGNS) + content[place:],
        lambda: content[:place] + generator.randbytes(generator.randrange(1, 20)) + content[place:],
        lambda: content + content,
        lambda: content + b"\n" + content[:place],
        lambda: content.replace(b"\n", generator.choice([b"\r\n", b"\r", b"\n\n", b""])),
        lambda: content.decode("utf-8", "replace").encode(
            generator.choice(["utf-16", "utf-32", "utf-8-sig", "utf-16-le"])
        ),
        lambda: content.decode("utf-8", "replace").encode("cp1252", "replace"),
        lambda: content.replace(b",", b",,", generator.randrange(1, 4)),
        lambda: content.replace(b",", b"", generator.randrange(1, 4)),
        lambda: b"[" * generator.choice([1, 2, 5000]) + content,
        lambda: b'{"data": ' + content + b"}",
        lambda: gzip.compress(content),
        lambda: gzip.compress(content)[: generator.randrange(1, 200)],
        lambda: content[:place] + b'{"a":' * generator.choice([3, 3000]) + content[place:],
    ]
    return generator.choice(ways)()


def mutated(seed: int) -> tuple[bytes, str, list[str]]:
    """A file that may be broken in its values, its bytes, or twice.

    Returns:
        Content, suffix, and the ids of all items it was made from.
    """
    generator = random.Random(seed)
    rows = items(generator, generator.randrange(1, 8))
    ids = [row["id"] for row in rows]
    for _ in range(generator.choice([0, 0, 1, 3])):
        row = generator.choice(rows)
        row[generator.choice([*row, "error", "type", "stats"])] = generator.choice(_ODD_VALUES)
    if generator.random() < 0.2:
        rows += rows[: generator.randrange(len(rows) + 1)]
    content, suffix = written(generator, rows)
    for _ in range(generator.choice([0, 1, 1, 2])):
        content = broken(generator, content)
    if generator.random() < 0.2:
        suffix = generator.choice([".json", ".jsonl", ".csv", ".json.gz"])
    return content, suffix, ids
