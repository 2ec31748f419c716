"""The questions of `examples/`, answered on the sample as it is shipped."""

from pathlib import Path

from examples.__main__ import answers
from tests.support import PROJECT, trends
from warehouse.store import Store


def test_the_examples_answer_on_the_sample(tmp_path: Path) -> None:
    store = Store(tmp_path / "home")
    done = trends("run", "--source", "sample", "--home", store.home, "--no-deliver")
    assert done.code == 0, done.err
    page = (PROJECT / "examples" / "README.md").read_text(encoding="utf-8")
    assert page.count("\n## ") == 12
    assert answers(store.published_path) == page, (
        "after a change of the models: python -m examples > examples/README.md"
    )
