"""Names, captions, hashtags and music of the simulated videos, as Arrow columns.

Belongs here: choosing words for trends, creators and shown videos. Does not belong here: the word lists
(``vocabulary``) and JSON (``export``). Choices are index draws; text is put together column by column in Arrow.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from simulator import vocabulary as words
from simulator.config import (
    ACCOUNTS,
    KIND_HASHTAG,
    KIND_NAMES,
    KIND_SOUND,
    KIND_TEMPLATE,
    MARKETS,
    SimulatorConfig,
)
from simulator.population import PINNED, RESPONSE, Array, Creators, Posts, Trends, stream


@dataclass(frozen=True, slots=True)
class TrendWords:
    """Per trend: its key (``template:<id>``, ``sound:<id>``, ``hashtag:<tag>``), its value and a readable name."""

    key: list[str]
    value: list[str]
    name: list[str]


def name_trends(trends: Trends) -> TrendWords:
    """Name every trend; hashtags are invented compounds, unlike any tag of the other lists."""
    keys, values, names = [], [], []
    # A loop over trends (dozens to thousands), never over items.
    for number, kind in enumerate(trends.kind.tolist()):
        adjective = words.ADJECTIVES[number % len(words.ADJECTIVES)]
        noun = words.NOUNS[(7 * number + number // len(words.ADJECTIVES)) % len(words.NOUNS)]
        if kind == KIND_HASHTAG:
            ending = words.TAG_ENDINGS[(number // 3) % len(words.TAG_ENDINGS)]
            turn = number // (len(words.ADJECTIVES) * len(words.NOUNS))
            value = f"{'ai' if trends.is_ai[number] else ''}{adjective}{noun}{ending}{turn or ''}"
        else:
            value = str(int(trends.value[number]))
        values.append(value)
        keys.append(f"{KIND_NAMES[kind]}:{value}")
        names.append(f"{adjective.title()} {noun.title()}")
    return TrendWords(keys, values, names)


def creator_columns(config: SimulatorConfig, creators: Creators) -> pa.Table:
    """Give id, handle, nickname and profile numbers of every creator; handles start with ``sim.``."""
    rng = stream(config, "names")
    count = len(creators.market) - len(ACCOUNTS)
    number = np.arange(count)
    handle = pc.binary_join_element_wise(
        "sim",
        _take(words.ADJECTIVES, rng.integers(0, len(words.ADJECTIVES), count)),
        pc.binary_join_element_wise(
            _take(words.NOUNS, rng.integers(0, len(words.NOUNS), count)),
            pc.cast(pa.array(number), pa.string()),
            "",
        ),
        ".",
    )
    nickname = pc.binary_join_element_wise(
        "Sim ",
        _take([w.title() for w in words.NOUNS], rng.integers(0, len(words.NOUNS), count)),
        _take(words.NICKNAME_ENDINGS, rng.integers(0, len(words.NICKNAME_ENDINGS), count)),
        "",
    )
    every = count + len(ACCOUNTS)
    return pa.table(
        {
            "creator_id": pa.array(6_900_000_000_000_000_000 + 97 * np.arange(every, dtype=np.int64)),
            "handle": pa.concat_arrays([handle, pa.array([a.handle for a in ACCOUNTS])]),
            "nickname": pa.concat_arrays([nickname, pa.array([a.nickname for a in ACCOUNTS])]),
            "role": pa.array(["other"] * count + [a.role for a in ACCOUNTS]),
            "market": _take([m.code for m in MARKETS], creators.market),
            "country": _take([m.country for m in MARKETS], creators.market),
            "signature": _take(words.SIGNATURES, rng.integers(0, len(words.SIGNATURES), every)),
            "verified": pa.array(creators.followers > 2_000_000),
            "followers": pa.array(creators.followers),
            "posts": pa.array(rng.integers(12, 900, every)),
        }
    )


def video_columns(
    config: SimulatorConfig,
    posts: Posts,
    shown: Array,
    trends: Trends,
    trend_words: TrendWords,
    creators: pa.Table,
    created_second: Array,
    given: Array,
) -> pa.Table:
    """Write the shown videos: one row each, in the order of ``shown`` (post indices).

    Args:
        config: the settings.
        posts: all posts.
        shown: post indices of the videos that any feed holds.
        trends: the trends.
        trend_words: their names.
        creators: table of ``creator_columns``.
        created_second: the post time that the feeds print, per shown video.
        given: index of a caption of `config.oddities.captions` or -1, per shown video.
    """
    rng = stream(config, "captions")
    count = shown.size
    trend, market, purpose = posts.trend[shown], posts.market[shown], posts.purpose[shown]
    is_given = given >= 0
    # A given caption stands alone, so nothing in the text of that video speaks of AI any more.
    is_ai = posts.is_ai[shown] & ~is_given
    kind = np.where(trend >= 0, trends.kind[trend], -1)
    ordinary = (purpose == 0) | (purpose == RESPONSE)

    neutral = is_ai & (rng.random(count) < 0.3)
    body, language = _bodies(rng, market, is_ai, neutral)
    tail = _take(words.EMOJI, rng.integers(0, len(words.EMOJI), count))
    link = _links(rng, trends, trend, kind)

    def chosen(options: tuple[str, ...] | list[str], where: Array) -> pa.Array:
        values = _take(options, rng.integers(0, len(options), count))
        return _where(where & ~is_given, values)

    tags = [
        _where((kind == KIND_HASHTAG) & ~is_given, _take(trend_words.value, np.maximum(trend, 0))),
        chosen(words.CAPCUT_TAGS, (kind == KIND_TEMPLATE) | (ordinary & (kind < 0) & (rng.random(count) < 0.03))),
        chosen(words.AI_TAGS, is_ai & (neutral | (rng.random(count) < 0.4))),
        chosen(words.STOP_TAGS_A, rng.random(count) < 0.8),
        chosen(words.STOP_TAGS_B, rng.random(count) < 0.5),
        chosen(words.NICHE_TAGS, ordinary & (kind != KIND_HASHTAG) & (trend < 0) & (rng.random(count) < 0.85)),
    ]
    tag_text = [pc.binary_join_element_wise("#", tag, "") for tag in tags]
    caption = pc.binary_join_element_wise(body, _none_if_empty(tail), link, *tag_text, " ", null_handling="skip")
    said_nothing = (rng.random(count) < 0.0025) & config.oddities.items & (trend < 0) & ~is_ai
    caption = pc.if_else(pa.array(said_nothing), "", caption)
    tags = [_where(~said_nothing, tag) for tag in tags]
    if config.oddities.captions:
        caption = pc.if_else(pa.array(is_given), _take(config.oddities.captions, np.maximum(given, 0)), caption)

    video_id = posts.video_id[shown]
    creator = posts.creator[shown]
    names = creators.column("nickname").combine_chunks()
    own_sound = kind != KIND_SOUND
    safe = np.maximum(trend, 0)
    originals = _take(
        ["original sound", *words.ORIGINAL_SOUND.values()],
        np.array([0, *(1 + np.arange(len(words.ORIGINAL_SOUND)))])[_original_language(language)],
    )
    sound_name = pa.array(
        [f"original sound - sim.{n.split()[-1].lower()}" if o else n
         for n, o in zip(trend_words.name, trends.is_original.tolist(), strict=True)]
    )  # fmt: skip
    artist = _take(words.ARTISTS, safe % len(words.ARTISTS))
    odd_tag = config.oddities.items & (rng.random(count) < 0.03)
    effect = (purpose == 0) & (kind != KIND_HASHTAG) & (rng.random(count) < 0.06)
    return pa.table(
        {
            "post": pa.array(shown, type=pa.int64()),
            "video_id": pc.cast(pa.array(video_id), pa.string()),
            "market": _take([m.code for m in MARKETS], market),
            "handle": pc.take(creators.column("handle").combine_chunks(), pa.array(creator)),
            "role": pc.take(creators.column("role").combine_chunks(), pa.array(creator)),
            "creator": pa.array(creator, type=pa.int64()),
            "created_second": pa.array(created_second, type=pa.int64()),
            "caption": caption,
            "language": pc.if_else(pa.array(is_given | said_nothing), "un", _take(_LANGUAGES, language)),
            "is_ai": pa.array(is_ai),
            **{f"tag{number}": tag for number, tag in enumerate(tags)},
            "empty_tag": pa.array(odd_tag),
            "trend_key": _where(trend >= 0, _take(trend_words.key, safe)),
            "music_id": pa.array(np.where(own_sound, video_id - (3 << 32), trends.value[safe])),
            "music_name": pc.if_else(pa.array(own_sound), originals, pc.take(sound_name, pa.array(safe))),
            "music_author": pc.if_else(pa.array(own_sound), pc.take(names, pa.array(creator)), artist),
            "music_original": pa.array(own_sound | trends.is_original[safe]),
            "is_slideshow": pa.array(posts.is_slideshow[shown]),
            "is_pinned": pa.array(purpose == PINNED),
            "effect": pa.array(np.where(effect, rng.integers(0, len(words.EFFECTS), count), -1)),
        }
    )


_LANGUAGES = sorted({language for market in MARKETS for language in market.languages} | {"en"})


def _take(options: tuple[str, ...] | list[str], index: Array) -> pa.Array:
    return pc.take(pa.array(options, type=pa.string()), pa.array(index))


def _where(condition: Array, values: pa.Array) -> pa.Array:
    return pc.if_else(pa.array(condition), values, pa.scalar(None, pa.string()))


def _none_if_empty(values: pa.Array) -> pa.Array:
    return pc.if_else(pc.equal(values, ""), pa.scalar(None, pa.string()), values)


def _original_language(language: Array) -> Array:
    """Index of the translated "original sound" of each language: 0 is English, for languages without one too."""
    translated = list(words.ORIGINAL_SOUND)
    index = [1 + translated.index(code) if code in translated else 0 for code in _LANGUAGES]
    return np.array(index)[language]


def _bodies(rng: np.random.Generator, market: Array, is_ai: Array, neutral: Array) -> tuple[pa.Array, Array]:
    """Draw a caption body and its language, by market; neutral ones leave the word AI to the hashtags."""
    lists = (words.PLAIN_BODIES, words.AI_BODIES, words.NEUTRAL_FOR_AI)
    bodies = [body for part in lists for body in part]
    starts = np.cumsum([0, *(len(part) for part in lists)])
    draw = rng.random(market.size)
    choice = np.zeros(market.size, dtype=int)
    which = np.where(is_ai, np.where(neutral, 2, 1), 0)
    for number, part in enumerate(lists):
        for place, simulated in enumerate(MARKETS):
            spoken = [language for language, _ in part]
            weights = np.array([simulated.languages.get(code, 0.0) / spoken.count(code) for code in spoken])
            rows = np.flatnonzero((which == number) & (market == place))
            limits = np.cumsum(weights / weights.sum())
            choice[rows] = starts[number] + np.minimum(np.searchsorted(limits, draw[rows]), len(part) - 1)
    language_of = np.array([_LANGUAGES.index(code) for code, _ in bodies])
    return _take([text for _, text in bodies], choice), language_of[choice]


def _links(rng: np.random.Generator, trends: Trends, trend: Array, kind: Array) -> pa.Array:
    """Write the template's link, in one of its two usual forms, into captions of template trends."""
    identity = pc.cast(pa.array(trends.value[np.maximum(trend, 0)]), pa.string())
    form = rng.random(trend.size)
    prefixes = [
        "capcut.com/template-detail/",
        "https://www.capcut.com/template-detail/",
        "capcut.net/sharevideo?template_id=",
    ]
    prefix = _take(prefixes, np.select([form < 0.5, form < 0.8], [0, 1], 2))
    return _where(kind == KIND_TEMPLATE, pc.binary_join_element_wise(prefix, identity, ""))
