"""What the catalogue knows of the dbt project: its models and seeds as asset specs, its data tests as check specs.

Belongs here: the translator, and keeping what it made. Must not be here: how models are run (`assets.models`).

dagster-dbt translates the manifest. Importing it costs 3.9 s (with dbt behind it), its translation 1 s, and both give
the same for the same manifest: so the specs are kept beside it, without the copy of the manifest that
dagster-dbt hangs on each of them.
"""

import hashlib
import pickle
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg

from engine import dbt_runner

if TYPE_CHECKING:
    from dagster_dbt import DbtProject

DBT_UNIQUE_ID = "dagster_dbt/unique_id"
# dbt's tag of everything a micro-poll builds: what does not hang on the cut-off of a date.
POLL_TAG = "poll"
# The layer that is published.
MARTS = "marts"

_OF_DAGSTER_DBT = (
    "dagster_dbt/manifest", "dagster_dbt/dagster_dbt_translator", "dagster_dbt/project", "dagster_dbt/project_id",
)  # fmt: skip

Arguments = dict[str, Any]


@dataclass(frozen=True, slots=True)
class DbtSpecs:
    """The dbt project as the catalogue shows it.

    Attributes:
        assets: Specs of all models and seeds.
        checks: Specs of all data tests.
        polled: Names of the models and seeds that a micro-poll builds: those with the tag `poll`.
        of_revenue: Names of the models that hang on the revenue sheet.
        owners: Owner of the marts (models/groups.yml), to whom also belongs what is made from and for them.
    """

    assets: list[dg.AssetSpec]
    checks: list[dg.AssetCheckSpec]
    polled: frozenset[str]
    of_revenue: frozenset[str]
    owners: list[str]


def load(project_dir: Path) -> DbtSpecs:
    """The specs of the project as it is parsed; translated anew when that, this module or Dagster changed.

    Args:
        project_dir: Folder of dbt_project.yml.
    """
    manifest_path = dbt_runner.ensure_manifest(project_dir)
    path = manifest_path.with_name("dbt_specs.pickle")
    parts = (manifest_path.read_bytes(), version("dagster").encode(), Path(__file__).read_bytes())
    key = hashlib.sha256(b"\n".join(parts)).digest()
    saved = path.read_bytes() if path.exists() else b""
    if saved.startswith(key):
        # A file of this project's own folder, like the manifest beside it.
        assets, checks = pickle.loads(saved[len(key) :])  # noqa: S301
    else:
        assets, checks = _translate(manifest_path)
        partial = path.with_suffix(".partial")
        partial.write_bytes(key + pickle.dumps((assets, checks)))
        partial.replace(path)
    specs = [dg.AssetSpec(**arguments) for arguments in assets]
    polled = frozenset(dbt_name(spec) for spec in specs if POLL_TAG in spec.tags)
    checked = [dg.AssetCheckSpec(**arguments) for arguments in checks]
    owners = next(list(spec.owners) for spec in specs if spec.group_name == MARTS)
    return DbtSpecs(specs, checked, polled, _of_revenue(specs), owners)


def _of_revenue(specs: Sequence[dg.AssetSpec]) -> frozenset[str]:
    """Everything below `raw/revenue_*`."""
    below = {spec.key for spec in specs if any(_is_raw_revenue(dependency.asset_key) for dependency in spec.deps)}
    size = 0
    while size != len(below):
        size = len(below)
        below |= {spec.key for spec in specs if any(dependency.asset_key in below for dependency in spec.deps)}
    return frozenset(dbt_name(spec) for spec in specs if spec.key in below)


def _is_raw_revenue(key: dg.AssetKey) -> bool:
    return key.path[-1].startswith("revenue_") and key.path[0] in ("raw", "meta")


def dbt_name(spec: dg.AssetSpec) -> str:
    """Name of the model or seed behind an asset of the dbt project."""
    return str(spec.metadata[DBT_UNIQUE_ID]).split(".")[-1]


def _translate(manifest_path: Path) -> tuple[list[Arguments], list[Arguments]]:
    """Arguments of the asset specs and of the check specs: Dagster's dependencies cannot be pickled, keys can."""
    from dagster_dbt import DagsterDbtTranslator, DagsterDbtTranslatorSettings, dbt_assets

    class Translator(DagsterDbtTranslator):
        """Groups by layer, keys by schema and name, kinds for the catalogue."""

        def get_asset_spec(
            self, manifest: Mapping[str, Any], unique_id: str, project: "DbtProject | None"
        ) -> dg.AssetSpec:
            spec = super().get_asset_spec(manifest, unique_id, project)
            node = manifest["nodes"].get(unique_id)
            if node is None:
                return spec
            layer = "staging" if node["resource_type"] == "seed" else node["fqn"][1]
            return spec.replace_attributes(group_name=layer, kinds={"dbt", "duckdb"})

    translator = Translator(DagsterDbtTranslatorSettings(enable_source_tests_as_checks=True))

    @dbt_assets(manifest=manifest_path, dagster_dbt_translator=translator)
    def translated() -> Iterator[Any]:
        yield from ()  # never run: only its specs are kept

    assets = [
        {
            "key": spec.key,
            "deps": [dependency.asset_key for dependency in spec.deps],
            "description": spec.description,
            "group_name": spec.group_name,
            "owners": list(spec.owners),
            "tags": dict(spec.tags),
            "code_version": spec.code_version,
            "metadata": {name: value for name, value in spec.metadata.items() if name not in _OF_DAGSTER_DBT},
        }
        for spec in translated.specs
    ]
    checks = [
        {
            "name": check.name,
            "asset": check.asset_key,
            "description": check.description,
            "additional_deps": [dependency.asset_key for dependency in check.additional_deps],
            # Not "blocking": one that fails fails the whole step, and with it all that waits for any of its tables.
            "metadata": dict(check.metadata or {}),
        }
        for check in translated.check_specs
    ]
    return assets, checks
