"""Writes a simulation as an export folder: ``<market>/<kind>/<time>.jsonl`` in the shape of Apify dataset items.

Belongs here: JSON text and files. Does not belong here: any choice about the market. The parts of an item that never
change are joined once per video; a feed is then one Arrow join whose data buffer IS the file, so a million items cost
seconds and no Python loop.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from simulator import vocabulary as words
from simulator.config import MARKETS
from simulator.feeds import rounded
from simulator.simulation import Simulation

TEXT = pa.large_string()
CHUNK = 50_000
BROKEN_FILES = {
    "us/videos/2026-01-01T08-00-00Z.jsonl": '{"id":"7590000000000000001","text":"whole"}\n{"id":"75900000000000',
    "us/videos/2026-01-02T08-00-00Z.json": '{"message":"not a list"}',
    "uk/videos/2026-01-01T08-00-00Z.json": "[]",
    "zz/videos/2026-01-01T08-00-00Z.jsonl": '{"id":"7590000000000000002","text":"unknown market"}\n',
}


def write_export_folder(simulation: Simulation, directory: Path) -> list[Path]:
    """Write every feed of the simulation into ``directory``.

    Args:
        simulation: what ``simulate`` gave.
        directory: the export folder; made if absent, files of the same name are replaced.

    Returns:
        The paths written, in order of observation time (broken files, if asked for, last).

    Raises:
        OSError: if a file can't be written.
    """
    paths: dict[int, Path] = {}
    for market in MARKETS:
        feeds = simulation.feeds.filter(pc.equal(simulation.feeds.column("market"), market.code)).to_pylist()
        fixed = _FixedParts(simulation, feeds)
        written: dict[int, bytes | pa.Buffer] = {}
        last_use = {feed["content"]: feed["number"] for feed in feeds}
        for feed in feeds:
            folder = directory / market.folder / feed["kind"]
            folder.mkdir(parents=True, exist_ok=True)
            path = folder / f"{feed['observed_at']:%Y-%m-%dT%H-%M-%SZ}{feed['suffix']}"
            content = feed["content"]
            if content not in written:
                written[content] = _encode(fixed.lines(feed), feed["suffix"])
            path.write_bytes(written[content])
            if last_use[content] == feed["number"]:
                del written[content]
            paths[feed["number"]] = path
    result = [paths[number] for number in sorted(paths)]
    if simulation.config.oddities.broken_files:
        for name, text in BROKEN_FILES.items():
            path = directory / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            result.append(path)
    return result


class _FixedParts:
    """The unchanging text of every video that one market's feeds hold, and the lines of a feed made from it."""

    def __init__(self, simulation: Simulation, feeds: list[dict]) -> None:
        self._items = simulation.items
        self._provenances = pa.array(simulation.provenances, type=TEXT)
        parts = [self._items.column("video").slice(f["first_item"], f["items"]) for f in feeds]
        shown = np.unique(pa.chunked_array([c for p in parts for c in p.chunks]).drop_null().to_numpy())
        self._place = np.full(simulation.videos.num_rows, -1)
        self._place[shown] = np.arange(shown.size)
        heads, tails = [], []
        creators = _author_text(simulation.creators)
        for start in range(0, shown.size, CHUNK):
            videos = simulation.videos.take(pa.array(shown[start : start + CHUNK]))
            head, tail = _video_text(simulation, videos, creators)
            heads.append(head)
            tails.append(tail)
        self._head = pa.concat_arrays(heads)
        self._tail = pa.concat_arrays(tails)

    def lines(self, feed: dict) -> list[pa.LargeStringArray]:
        """Give the JSON lines of a feed, each with its line end, in chunks."""
        whole = self._items.slice(feed["first_item"], feed["items"])
        chunks = []
        for start in range(0, whole.num_rows, CHUNK):
            items = whole.slice(start, CHUNK).combine_chunks()
            video = items.column("video").combine_chunks()
            known = video.is_valid().to_numpy(zero_copy_only=False)
            place = pa.array(self._place[video.fill_null(0).to_numpy()], mask=~known)
            rows = _join(
                self._head.take(place),
                _counts_text(items, feed["kind"] == "music"),
                self._tail.take(place),
                self._provenances.take(items.column("provenance").combine_chunks()),
            )
            rows = pc.coalesce(rows, items.column("literal").combine_chunks().cast(TEXT))
            chunks.append(_join(rows, "\n"))
        return chunks


def item_lines(
    simulation: Simulation, rows: np.ndarray, counts: dict[str, np.ndarray], provenance: list[str]
) -> list[str]:
    """Give single videos as JSON, one text each, with counts of the caller's.

    Args:
        simulation: what ``simulate`` gave.
        rows: places in ``simulation.videos``.
        counts: plays, likes, shares, comments and saves of each.
        provenance: the end of each text: who was asked how.
    """
    if not rows.size:
        return []
    head, tail = _video_text(simulation, simulation.videos.take(pa.array(rows)), _author_text(simulation.creators))
    false = np.zeros(rows.size, dtype=bool)
    items = pa.table({**{name: pa.array(values) for name, values in counts.items()}, "as_text": false,
                      "without_saves": false})  # fmt: skip
    texts = _join(head, _counts_text(items, music=False), tail, pa.array(provenance, type=TEXT))
    return list(texts.to_pylist())


def _encode(chunks: list[pa.LargeStringArray], suffix: str) -> bytes | pa.Buffer:
    # Strings of one array lie end to end in its data buffer: lines that carry their line end are the file already.
    buffers = [chunk.buffers()[2] for chunk in chunks]
    if suffix == ".jsonl":
        return buffers[0] if len(buffers) == 1 else b"".join(buffers)
    rows = b"".join(buffers).decode().split("\n")[:-1]
    text = "[\n" + ",\n".join(rows) + "\n]\n"
    if suffix == ".json":
        return text.encode()
    if suffix == ".json.gz":
        return gzip.compress(text.encode(), mtime=0)
    return _console_csv([json.loads(row) for row in rows])


def _console_csv(items: list[dict]) -> bytes:
    """Flatten items as the Apify console's CSV download: BOM, every cell quoted, slashed keys, exploded arrays.

    A plain loop: the simulator writes a single small feed this way.
    """
    flat = [dict(_slashed("", item)) for item in items]
    columns = sorted({name for row in flat for name in row})
    buffer = io.StringIO()
    writer = csv.writer(buffer, quoting=csv.QUOTE_ALL, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([row.get(name, "") for name in columns] for row in flat)
    return b"\xef\xbb\xbf" + buffer.getvalue().encode()


def _slashed(prefix: str, value: object) -> list[tuple[str, str]]:
    if isinstance(value, dict):
        return [pair for key, inner in value.items() for pair in _slashed(f"{prefix}/{key}", inner)]
    if isinstance(value, list):
        return [pair for key, inner in enumerate(value) for pair in _slashed(f"{prefix}/{key}", inner)]
    text = "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
    return [(prefix.removeprefix("/"), text)]


def _join(*parts: pa.Array | str) -> pa.Array:
    """Join columns and constants row by row; a missing part makes the row missing."""
    typed = [pa.scalar(part, TEXT) if isinstance(part, str) else part.cast(TEXT) for part in parts]
    return pc.binary_join_element_wise(*typed, pa.scalar("", TEXT))


def _either(condition: pa.Array, yes: pa.Array | str, no: pa.Array | str) -> pa.Array:
    def typed(part: pa.Array | str) -> pa.Array | pa.Scalar:
        return pa.scalar(part, TEXT) if isinstance(part, str) else part.cast(TEXT)

    return pc.if_else(condition, typed(yes), typed(no))


def _number(values: pa.Array) -> pa.Array:
    return values.cast(TEXT)


def _quoted(values: pa.Array) -> pa.Array:
    """Make JSON strings; escapes what JSON demands and nothing else."""
    escapes = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"}
    escapes |= {chr(code): f"\\u{code:04x}" for code in range(32) if chr(code) not in escapes}
    values = values.cast(TEXT)
    for character, escape in escapes.items():
        if pc.any(pc.match_substring(values, character)).as_py():
            values = pc.replace_substring(values, character, escape)
    return _join('"', values, '"')


def _counts_text(items: pa.Table, music: bool) -> pa.Array:
    def column(name: str) -> pa.Array:
        return items.column(name).combine_chunks()

    mark: pa.Array | str = ""
    if pc.any(column("as_text")).as_py():
        mark = _either(column("as_text"), '"', "")
    saves: pa.Array | str = _join(',"collectCount":', mark, _number(column("saves")), mark)
    if pc.any(column("without_saves")).as_py():
        saves = _either(column("without_saves"), "", saves)
    return _join(
        ',"diggCount":',
        *(mark, _number(column("likes")), mark),
        ',"shareCount":',
        *(mark, _number(column("shares")), mark),
        ',"playCount":',
        *(mark, _number(column("plays")), mark),
        saves,
        ',"commentCount":',
        *(mark, _number(column("comments")), mark),
        "" if music else ',"repostCount":0',
    )


def _author_text(creators: pa.Table) -> tuple[pa.Array, pa.Array]:
    """Give the ``authorMeta`` object of every creator, without and with capitals in the handle."""

    def column(name: str) -> pa.Array:
        return creators.column(name).combine_chunks()

    followers = column("followers").to_numpy()
    posts = column("posts").to_numpy()
    texts = []
    for handle in (column("handle"), pc.utf8_title(column("handle"))):
        texts.append(
            _join(
                '"authorMeta":{"id":"',
                _number(column("creator_id")),
                '","name":"',
                handle,
                '","profileUrl":"https://www.tiktok.com/@',
                handle,
                '","nickName":"',
                column("nickname"),
                '","verified":',
                _either(column("verified"), "true", "false"),
                ',"signature":"',
                column("signature"),
                '","bioLink":null,"originalAvatarUrl":"https://p16.example/a.jpeg",'
                '"avatar":"https://p16.example/a.jpeg","commerceUserInfo":{"commerceUser":false},'
                '"privateAccount":false,"roomId":"","ttSeller":false,"following":',
                _number(pa.array(posts % 311)),
                ',"friends":',
                _number(pa.array(posts % 97)),
                ',"fans":',
                _number(pa.array(rounded(followers))),
                ',"heart":',
                _number(pa.array(rounded(followers * 21))),
                ',"video":',
                _number(pa.array(posts)),
                ',"digg":0}',
            )
        )
    return texts[0], texts[1]


def _video_text(
    simulation: Simulation, videos: pa.Table, authors: tuple[pa.Array, pa.Array]
) -> tuple[pa.Array, pa.Array]:
    """Give the text before and after the counts of each video."""

    def column(name: str) -> pa.Array:
        return videos.column(name).combine_chunks()

    odd = simulation.config.oddities.items
    # Decided by the video itself, so that every feed prints the same variant of it.
    draw = np.random.default_rng([simulation.config.seed, 9]).random((6, simulation.videos.num_rows))
    post = simulation.videos.column("post").to_numpy()
    chance = draw[:, np.searchsorted(post, column("post").to_numpy())]
    tracked = pc.not_equal(column("role"), "other").to_numpy(zero_copy_only=False)
    capitals = pa.array((chance[0] < np.where(tracked, 0.15, 0.02)) & odd)
    without_number = pa.array((chance[1] < 0.004) & odd)
    without_music_id = pa.array((chance[2] < 0.004) & odd)
    album_absent = pa.array((chance[2] > 0.7) & odd)
    query = np.select([chance[3] < 0.01 * odd, chance[3] < 0.02 * odd], ["?lang=en", "?_r=1"], "")
    slideshow = column("is_slideshow")
    photo = pc.and_(slideshow, pa.array((chance[4] < 0.5) & odd))
    located = pa.array(chance[5] < 0.7)

    second = column("created_second")
    iso = pc.strftime(pa.array(second.to_numpy().astype("datetime64[s]")), format="%Y-%m-%dT%H:%M:%S")
    creator = column("creator")
    handle = _either(capitals, pc.utf8_title(column("handle")), column("handle"))
    author = _either(capitals, authors[1].take(creator), authors[0].take(creator))
    url = _join(
        "https://www.tiktok.com/@", handle, _either(photo, "/photo/", "/video/"), column("video_id"), pa.array(query)
    )
    country = pc.take(simulation.creators.column("country").combine_chunks(), creator)
    head = _join(
        '{"id":"',
        column("video_id"),
        '","text":',
        _quoted(column("caption")),
        ',"textLanguage":"',
        column("language"),
        '"',
        _either(without_number, "", _join(',"createTime":', _number(second))),
        ',"createTimeISO":"',
        iso,
        '.000Z"',
        _either(located, _join(',"locationCreated":"', country, '"'), ""),
        ',"isAd":false,"isSponsored":false,"isPinned":',
        _either(column("is_pinned"), "true", "false"),
        ',"isSlideshow":',
        _either(slideshow, "true", "false"),
        ",",
        author,
        ',"musicMeta":{"musicName":',
        _quoted(column("music_name")),
        ',"musicAuthor":',
        _quoted(column("music_author")),
        ',"musicOriginal":',
        _either(column("music_original"), "true", "false"),
        _either(album_absent, "", ',"musicAlbum":null'),
        ',"playUrl":"https://v16.example/',
        _number(column("music_id")),
        '.mp3","coverMediumUrl":"https://p16.example/m.jpeg","originalCoverMediumUrl":"https://p16.example/m.jpeg"',
        _either(without_music_id, "", _join(',"musicId":"', _number(column("music_id")), '"')),
        '},"webVideoUrl":"',
        url,
        '","mediaUrls":[],"videoMeta":',
        _either(
            slideshow,
            '{"height":0,"width":0,"duration":0,"coverUrl":"https://p16.example/c.jpeg",'
            '"originalCoverUrl":"https://p16.example/c.jpeg","subtitleLinks":[],"transcriptionLink":null}',
            _join(
                '{"height":1024,"width":576,"duration":',
                _number(pa.array(5 + column("post").to_numpy() % 56)),
                ',"coverUrl":"https://p16.example/c.jpeg","originalCoverUrl":"https://p16.example/c.jpeg",'
                '"definition":"540p","format":"mp4","subtitleLinks":[],"transcriptionLink":null}',
            ),
        ),
    )
    # Joined with a comma after each and trimmed: Arrow's null_handling="skip" drops rows whose parts are all null.
    tag_objects = [pc.fill_null(_join('{"name":"', column(f"tag{n}"), '"},'), "") for n in range(6)]
    empty_tag = _either(column("empty_tag"), '{"name":""}', "")
    hashtags = pc.utf8_rtrim(_join(*tag_objects, empty_tag), characters=",")
    effects = pa.array(
        [f'{{"ID":"{i}","name":"{n}","stickerStats":{{"useCount":"0"}}}}' for i, n in words.EFFECTS], type=TEXT
    )
    effect = column("effect").to_numpy()
    mentions = pa.array(np.select([chance[5] < 0.03, chance[5] < 0.035], ['"@sim.friend"', '"@."'], ""))
    tail = _join(
        ',"mentions":[',
        mentions,
        '],"detailedMentions":[],"hashtags":[',
        hashtags,
        '],"effectStickers":[',
        _either(pa.array(effect >= 0), effects.take(pa.array(np.maximum(effect, 0))), ""),
        "]",
        _either(
            slideshow,
            ',"slideshowImageLinks":[{"tiktokLink":"https://p16.example/1.jpeg",'
            '"downloadLink":"https://p16.example/1.jpeg"},{"tiktokLink":"https://p16.example/2.jpeg"}]',
            "",
        ),
    )
    return head, tail
