"""A copy of the project in which something was changed: what a person who edits a model has."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from tests.support import PROJECT

CHANGES = ("threshold", "formula", "column", "mart")

_SOUNDS = "models/marts/trends/sounds_daily"
_USED_BY = "coalesce(ranked.platform_uses, ranked.videos_24h)"
_COLUMN_YAML = """
      - name: used_by_doubled
        data_type: bigint
        description: "Twice the uses."
"""
_MART = """
select
    as_of_date,
    count(*) as videos
from {{ ref('videos_daily') }}
where as_of_date in (select batch.as_of_date from {{ ref('int_as_of') }} as batch)
group by as_of_date
"""
_MART_YAML = """
models:
  - name: days_told
    description: Videos of each day. One row per as-of date.
    columns:
      - {name: as_of_date, data_type: date, description: The date.}
      - {name: videos, data_type: bigint, description: Its videos.}
"""


def copy_models(project: Path) -> None:
    """The dbt project alone, in a new folder."""
    project.mkdir()
    for name in ("dbt_project.yml", "profiles.yml"):
        shutil.copy(PROJECT / name, project / name)
    for name in ("models", "macros", "seeds", "tests/dbt"):
        shutil.copytree(PROJECT / name, project / name)


def change(project: Path, changes: Sequence[str] = CHANGES) -> None:
    """Makes changes to a copy: a threshold of `videos_daily`, a formula and a column of `sounds_daily`, a new mart."""

    def edit(file: str, old: str, new: str) -> None:
        text = (project / file).read_text(encoding="utf-8")
        assert text.count(old) == 1, (file, old)
        (project / file).write_text(text.replace(old, new), encoding="utf-8")

    if "threshold" in changes:
        edit("dbt_project.yml", "momentum_share_weight: 10\n", "momentum_share_weight: 11\n")
    if "formula" in changes:
        edit(f"{_SOUNDS}.sql", f"{_USED_BY} as used_by,", f"{_USED_BY} + 1 as used_by,")
    if "column" in changes:
        edit(f"{_SOUNDS}.sql", "as sound_rank\nfrom", f"as sound_rank,\n    2 * {_USED_BY} as used_by_doubled\nfrom")
        with (project / f"{_SOUNDS}.yml").open("a", encoding="utf-8") as stream:
            stream.write(_COLUMN_YAML)
    if "mart" in changes:
        (project / "models" / "marts" / "days_told.sql").write_text(_MART, encoding="utf-8")
        (project / "models" / "marts" / "days_told.yml").write_text(_MART_YAML, encoding="utf-8")
