"""Gradient-boosted trees fitted to what came true, as rows that SQL can walk.

Belongs here: the call of LightGBM and the shape of its trees. Must not be here: examples, labels, which dates are
fitted (`int_forecast_examples`, `int_forecast_fit_dates`), scoring (`int_forecast_tree_gains`).

A fit is a function of its examples alone: they are put in order, one thread adds up, the seed is fixed. So a date that
is built again, alone or with others, gets the same trees.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

logger = logging.getLogger(__name__)

# Changes with anything below that changes trees: forecasts name it.
VERSION = 1

# Levels of splits: SQL walks a tree of 2 ** LEVELS ends (macro `forecast_tree_levels`).
LEVELS = 4

SCHEMA = pa.schema(
    [
        ("as_of_date", pa.date32()),
        ("version", pa.int32()),
        ("learner", pa.string()),
        ("quantile", pa.float64()),
        ("tree", pa.int32()),
        ("node", pa.int32()),
        ("feature", pa.int32()),
        ("feature_name", pa.string()),
        ("threshold", pa.float64()),
        ("left_node", pa.int32()),
        ("right_node", pa.int32()),
        ("value", pa.float64()),
        ("examples", pa.int32()),
    ]
)


@dataclass(frozen=True, slots=True)
class Learner:
    """What is fitted.

    Attributes:
        label: Column of the examples that is learned; rows without it are left out.
        trees: How many trees.
        rate: Share of what is left that each tree takes away.
    """

    label: str
    trees: int
    rate: float


# Forty trees of six leaves. What a video gains that was never seen before has to be learned whole; for the others what
# the log-linear model leaves is mostly noise of days, so that each tree takes little of it. On public daily lists, days
# 10 to 19, WAPE of 24 h: cold 0.64 by the rule, 0.56; warm 0.27 by the log-linear model and by these.
LEARNERS = {
    "cold": Learner(label="level_label", trees=40, rate=0.2),
    "warm": Learner(label="correction_label", trees=40, rate=0.03),
}
LEAVES = 6
# Examples in the smallest leaf.
SMALLEST_LEAF = 20

_PARAMETERS: dict[str, Any] = {
    "objective": "regression",
    "num_leaves": LEAVES,
    "max_depth": LEVELS,
    "min_data_in_leaf": SMALLEST_LEAF,
    "num_threads": 1,
    "deterministic": True,
    "force_row_wise": True,
    "seed": 1,
    "verbosity": -1,
}


def fit(examples: Mapping[date, pa.Table], features: Sequence[str]) -> pa.Table:
    """Trees of each fit date.

    Args:
        examples: What is known on each fit date, in a fixed order: the features and labels of `LEARNERS` as numbers.
        features: Names of the columns that splits may use, in the order in which SQL numbers them (from 1).

    Returns:
        Rows of `SCHEMA`: one per tree and node; node 1 is the root, those below node n are 2n and 2n + 1. A node is a
        leaf (with a value, all else null) or a split: left where the feature is at most the threshold.
    """
    rows: list[dict[str, Any]] = []
    library = _library() if examples else None
    for fitted_on, known in examples.items():
        if library is None:
            break
        for name, learner in LEARNERS.items():
            usable = known.filter(pc.is_valid(known[learner.label]))
            # Less is no tree: LightGBM would give one leaf.
            if usable.num_rows < 2 * SMALLEST_LEAF:
                continue
            shared = {
                "as_of_date": fitted_on,
                "version": VERSION,
                "learner": name,
                "quantile": 0.5,
                "examples": usable.num_rows,
            }
            # LightGBM makes this of columns that are not all doubles, and engines differ in which of them are.
            matrix = np.column_stack([usable[feature].to_numpy() for feature in features]).astype(np.float32)
            rows += [
                {**shared, "tree": tree, **node}
                for tree, node in _nodes(library, matrix, usable[learner.label].to_numpy(), learner, features)
            ]
    return pa.Table.from_pylist(rows, schema=SCHEMA)


def missing() -> str | None:
    """What this machine lacks for fitting trees, and the remedy; None where nothing is missing."""
    try:
        import lightgbm  # noqa: F401
    except OSError as error:
        # Its wheel needs OpenMP of the system, which slim images leave out.
        return f"no trees are fitted, forecasts are made by the rules: {error} (on Debian: apt install libgomp1)"
    return None


def _library() -> Any:
    """LightGBM, or None where this machine can't load it: then nothing is fitted, and the rules go on."""
    reason = missing()
    if reason is not None:
        logger.warning("%s", reason)
        return None
    import lightgbm

    return lightgbm


def _nodes(
    library: Any, matrix: np.ndarray, labels: np.ndarray, learner: Learner, features: Sequence[str]
) -> Iterator[tuple[int, dict[str, Any]]]:
    data = library.Dataset(matrix, labels, params={"verbosity": -1, "num_threads": 1})
    model = library.train({**_PARAMETERS, "learning_rate": learner.rate}, data, learner.trees)
    for tree in model.dump_model()["tree_info"]:
        waiting = [(1, tree["tree_structure"])]
        while waiting:
            number, node = waiting.pop()
            told: dict[str, Any] = {"node": number}
            if "leaf_value" in node:
                # Millionths: SQL adds whole ones, so that the order of rows does not matter.
                told["value"] = round(float(node["leaf_value"]), 6)
            else:
                told |= {
                    "feature": int(node["split_feature"]) + 1,
                    "feature_name": features[node["split_feature"]],
                    "threshold": float(node["threshold"]),
                    "left_node": 2 * number,
                    "right_node": 2 * number + 1,
                }
                waiting += [(2 * number + 1, node["right_child"]), (2 * number, node["left_child"])]
            yield int(tree["tree_index"]), told
