"""The AI category, judged by the dbt model itself on hand-labelled and on invented captions."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pytest
from dbt_subset import REPOSITORY, Subset, create_subset

from tests.support import real_data

INVENTED = REPOSITORY / "tests" / "fixtures" / "ai_captions_invented.csv"

RAW = """
create table captions (
    load_id bigint, video_id varchar, caption varchar, hashtags varchar[], effects varchar[], template_id varchar,
    ai_label varchar
)
"""


@dataclass(frozen=True, slots=True)
class Labelled:
    """A caption, its hand label and the part of its set that it belongs to."""

    text: str
    label: str
    part: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the model said of a caption."""

    category: str
    probability: float
    evidence: str | None


def _project(folder: Path) -> Subset:
    subset = create_subset(
        folder,
        models=["int_video_ai"],
        seeds=["ai_terms.csv", "ai_weights.csv", "ai_terms.yml"],
        parents={"stg_tiktok__videos": "{{ config(materialized='view') }} select * from main.captions"},
    )
    with subset.connect() as connection:
        connection.execute(RAW)
    return subset


def _insert(subset: Subset, load_id: int, captions: dict[str, str]) -> None:
    rows = pa.table({"video_id": list(captions), "caption": list(captions.values())})
    with subset.connect() as connection:
        connection.register("new_captions", rows)
        connection.execute(
            "insert into captions select ?, video_id, caption, [], [], null, null from new_captions", [load_id]
        )


def _verdicts(subset: Subset) -> dict[str, Verdict]:
    rows = subset.rows("select video_id, ai_category, ai_probability, ai_evidence from intermediate.int_video_ai")
    return {row[0]: Verdict(*row[1:]) for row in rows}


def _classify(folder: Path, captions: Sequence[str]) -> list[Verdict]:
    subset = _project(folder)
    _insert(subset, 1, {str(index): text for index, text in enumerate(captions)})
    subset.build()
    verdicts = _verdicts(subset)
    return [verdicts[str(index)] for index in range(len(captions))]


def _read(path: Path, part: str | None = None) -> list[Labelled]:
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    # The two halves of a set without parts: rows of one author stand together, so blocks keep them in one half.
    return [
        Labelled(row["text"], row["label"], row.get("part") or part or ("half " + "ab"[index // 10 % 2]))
        for index, row in enumerate(rows)
    ]


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[Labelled, Verdict]]:
    captions = _read(INVENTED)
    verdicts = _classify(tmp_path_factory.mktemp("invented") / "project", [caption.text for caption in captions])
    return list(zip(captions, verdicts, strict=True))


def _precision_recall(pairs: Sequence[tuple[Labelled, Verdict]]) -> tuple[float, float]:
    found = [caption.label for caption, verdict in pairs if verdict.category == "AI"]
    true = [verdict.category for caption, verdict in pairs if caption.label == "AI"]
    return found.count("AI") / len(found), true.count("AI") / len(true)


def _wrong(pairs: Sequence[tuple[Labelled, Verdict]]) -> str:
    return "\n".join(
        f"{caption.label} called {verdict.category} ({verdict.evidence}): {caption.text}"
        for caption, verdict in pairs
        if caption.label != verdict.category
    )


@pytest.mark.parametrize("part", ["first", "second"])
def test_invented_captions_of_many_languages(judged: list[tuple[Labelled, Verdict]], part: str) -> None:
    pairs = [pair for pair in judged if pair[0].part == part]
    precision, recall = _precision_recall(pairs)
    assert precision >= 0.95 and recall >= 0.95, _wrong(pairs)


@pytest.mark.parametrize("word", ["hair", "said", "bailar", "bagaimana", "again", "email"])
def test_ordinary_words_are_no_evidence(judged: list[tuple[Labelled, Verdict]], word: str) -> None:
    verdict = next(verdict for caption, verdict in judged if caption.text == word)
    assert verdict.category == "NON-AI"
    assert verdict.probability < 0.1
    assert verdict.evidence is None


@pytest.mark.real_data
def test_gold_set_in_both_halves(tmp_path: Path) -> None:
    captions = _read(real_data("ai_captions.csv"))
    pairs = list(zip(captions, _classify(tmp_path / "project", [c.text for c in captions]), strict=True))
    for part in ("half a", "half b"):
        half = [pair for pair in pairs if pair[0].part == part]
        precision, recall = _precision_recall(half)
        assert precision >= 0.95 and recall >= 0.95, f"{part}: {_wrong(half)}"


def test_evidence_says_what_fired(judged: list[tuple[Labelled, Verdict]]) -> None:
    by_text = {caption.text: verdict for caption, verdict in judged}
    tag = by_text["wait for the ending 💀 #ai"]
    assert tag.evidence is not None and 'hashtag "ai"' in tag.evidence
    denied = by_text["This is NOT AI, I built it from cardboard 😤"]
    assert denied.evidence is not None and 'against: says so "not ai"' in denied.evidence
    assert all(verdict.evidence for _, verdict in judged if verdict.category == "AI")


def test_labels_effects_and_separate_hashtags_count(tmp_path: Path) -> None:
    subset = _project(tmp_path / "project")
    with subset.connect() as connection:
        connection.execute("""
            insert into captions values
                (1, 'platform', 'my cat', [], [], null, 'platform'),
                (1, 'creator', 'no ai here', [], [], null, 'creator'),
                (1, 'effect', 'my cat', [], ['ai portrait'], null, null),
                (1, 'plain effect', 'my cat', [], ['rainbow'], null, null),
                (1, 'hashtags', 'my cat', ['klingai', 'cat'], [], null, null),
                (1, 'template', 'my cat', [], [], '7301', null),
                (1, 'other template', 'my cat', [], [], '7302', null),
                (1, 'nothing', null, [], [], null, null)
        """)
    with (subset.folder / "seeds" / "ai_terms.csv").open("a", encoding="utf-8") as file:
        file.write("template,7301\n")
    subset.build()
    categories = {video_id: verdict.category for video_id, verdict in _verdicts(subset).items()}
    assert categories == {
        "platform": "AI", "creator": "AI", "effect": "AI", "plain effect": "NON-AI", "hashtags": "AI",
        "template": "AI", "other template": "NON-AI", "nothing": "NON-AI",
    }  # fmt: skip
    assert _verdicts(subset)["platform"].evidence == "label by platform"


@pytest.mark.slow("many builds")
def test_only_new_videos_are_judged_until_the_words_change(tmp_path: Path) -> None:
    subset = _project(tmp_path / "project")
    _insert(subset, 1, {"a": "my cat", "b": "glorptastic cat"})
    subset.build()
    _insert(subset, 2, {"a": "my cat #aivideo", "c": "dog #aivideo"})
    subset.build()
    rows = subset.rows("select video_id, ai_category, load_id from intermediate.int_video_ai order by video_id")
    # The edited caption of a changes nothing: first sight decides, in one build or in many.
    assert rows == [("a", "NON-AI", 1), ("b", "NON-AI", 1), ("c", "AI", 2)]
    with (subset.folder / "seeds" / "ai_terms.csv").open("a", encoding="utf-8") as file:
        file.write("generator,glorptastic\n")
    subset.build()
    rows = subset.rows("select video_id, ai_category, load_id from intermediate.int_video_ai order by video_id")
    assert rows == [("a", "NON-AI", 1), ("b", "AI", 1), ("c", "AI", 2)]
