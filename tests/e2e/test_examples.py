"""The questions of `examples/`, answered on the sample as it is shipped."""

import re
from pathlib import Path

from examples.__main__ import FOLDER, answers
from tests.support import PROJECT, trends
from warehouse.store import Store


def test_the_examples_answer_on_the_sample(tmp_path: Path) -> None:
    store = Store(tmp_path / "home")
    done = trends("run", "--source", "sample", "--home", store.home, "--no-deliver")
    assert done.code == 0, done.err
    shown = parts((PROJECT / "examples" / "README.md").read_text(encoding="utf-8"))
    told = parts(answers(store.published_path))
    assert len(shown) == 12
    assert shown.keys() == told.keys()
    for name, lines in told.items():
        query = (FOLDER / name).read_text(encoding="utf-8")
        # Fitted trees may differ by a last digit from processor to processor, and so may what a forecast orders.
        is_fitted = re.search(r"build_list|forecasts", query)
        assert len(lines) > 3, f"{name}: no answer"
        end = 2 if is_fitted else None
        assert lines[:end] == shown[name][:end], "the models changed: python -m examples > examples/README.md"


def parts(page: str) -> dict[str, list[str]]:
    """By the name of a query: the header of its answer, the line below it, the rows, and how many there are."""
    found = {}
    for part in page.split("\n## ")[1:]:
        head, *lines = [line for line in part.splitlines()[1:] if line]
        name = re.match(r"\[(\S+)\]\(\1\), (\d+) rows", head)
        assert name, head
        found[name[1]] = [*lines, name[2]]
    return found
