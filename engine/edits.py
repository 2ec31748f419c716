"""What an edit of the project reaches in a home: which models are made again, and whose rows stay as they are.

Belongs here: comparing what a home was built with and what the project is now. Must not be here: how models are built
(`compiled_models`), which dates (`rebuild`), what dbt is asked again (`compiler`).

The rows of a model that was not edited, below no other that was, come out as they are: a rebuild from the facts gives
the same (`tests/integration/test_edits.py`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from graphlib import TopologicalSorter

from engine.compiler import CompiledNode

# Of all nodes: where an edit reaches more, all of them are made from nothing, which is simpler and as fast.
_NEARLY_ALL = 0.8


@dataclass(frozen=True, slots=True)
class Part:
    """What is made again.

    Attributes:
        names: Of the models and tests that run; none where nothing but texts was edited.
        remade: Relations that are made anew before, without rows: what was edited, and what lasts below it.
        gone: Names of tests that the project does not have any more.
        share: Of all nodes, how many run.
    """

    names: frozenset[str]
    remade: frozenset[str]
    gone: frozenset[str]
    share: float


def part(nodes: Sequence[CompiledNode], noted: Mapping[str, str]) -> Part | None:
    """What was edited, all that hangs on it, and the per-day tables that those read: they hold the last build's dates.

    Args:
        nodes: All compiled nodes of the project as it is.
        noted: `CompiledNode.digest` by id of what the home was built with.

    Returns:
        The part; None where that is not known, where a model is gone, or where nearly all is to be made again.
    """
    known = {node.unique_id: node for node in nodes}
    gone = noted.keys() - known.keys()
    if not noted or any(not key.startswith("test.") for key in gone):
        return None
    edited = {key for key, node in known.items() if noted.get(key) != node.digest}
    parents = {key: _models(node.after, known) for key, node in known.items() if node.resource_type != "test"}
    below = edited & parents.keys()
    for key in TopologicalSorter(parents).static_order():
        if parents[key] & below:
            below.add(key)
    tests = {
        key
        for key, node in known.items()
        if node.resource_type == "test" and (key in edited or not below.isdisjoint(node.tested))
    }
    run = below | tests
    waiting = [
        *(parent for key in below for parent in parents[key]),
        *(key for test in tests for key in _models(known[test].tested, known)),
    ]
    while waiting:
        key = waiting.pop()
        if known[key].kind == "kept":
            # A view has the rows of what it reads.
            waiting += parents[key]
        elif key not in run and known[key].kind == "table":
            run.add(key)
            waiting += parents[key]
    if len(run) > _NEARLY_ALL * len(known):
        return None
    return Part(
        names=frozenset(known[key].name for key in run if known[key].kind != "kept"),
        # A view knows the columns of what it reads; a per-day table is made by each build.
        remade=frozenset(known[key].relation for key in below if key in edited or known[key].kind != "table"),
        gone=frozenset(key.split(".")[2] for key in gone),
        share=len(run) / len(known),
    )


def _models(ids: Sequence[str], known: Mapping[str, CompiledNode]) -> set[str]:
    return {key for key in ids if key in known and known[key].resource_type != "test"}
