"""Assembly: puts assets, jobs, schedules and resources together. Must not be here: their implementation."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import dagster as dg

from engine import dbt_runner
from engine.columns import load as load_columns
from orchestration import catalogue, dbt_specs, former_home, history, jobs, partitions, run_launcher, sensors
from orchestration.assets import delivery, exports, ingest, models, publication
from orchestration.settings import PROJECT_ROOT, Settings, load
from warehouse.store import Store


def build_defs(
    settings: Settings, *, project_dir: Path = PROJECT_ROOT, first_date: date | None = None
) -> dg.Definitions:
    """The code location for the given settings; tests pass their own.

    Args:
        settings: Home, sources, secrets.
        project_dir: Folder of dbt_project.yml.
        first_date: First date of the run that they are for, where it may be older than the home's first.
    """
    of_home = partitions.of_home(settings, first_date)
    manifest_path = dbt_runner.ensure_manifest(project_dir)
    dbt = dbt_specs.load(project_dir)
    keys = {dbt_specs.dbt_name(spec): spec.key for spec in dbt.assets}
    micro_poll = jobs.build_micro_poll([key for name, key in keys.items() if name in dbt.polled])
    revenue = jobs.build_revenue([key for name, key in keys.items() if name in dbt.of_revenue], exports.revenue_files())
    columns = load_columns(manifest_path.parent, dbt_runner.fingerprint(project_dir))
    marts = [spec.key for spec in dbt.assets if spec.group_name == dbt_specs.MARTS]
    return dg.Definitions(
        assets=catalogue.complete(
            [
                ingest.raw_feeds,
                ingest.raw_revenue,
                models.build_dbt_assets(project_dir, dbt),
                publication.build_published_asset(marts, manifest_path),
                *exports.build_export_assets(),
                delivery.deliver,
                delivery.send_poll,
            ],
            dbt.owners,
            columns,
            of_home,
            settings.asset_owners,
        ),
        jobs=[jobs.daily, jobs.backfill, jobs.rebuild, micro_poll, revenue],
        schedules=[jobs.daily_09_utc, jobs.build_micro_poll_schedule(micro_poll)],
        sensors=sensors.build_sensors(settings, micro_poll, revenue, of_home),
        resources={"settings": settings, "store": _store_of_run(settings)},
    )


def _store_of_run(settings: Settings) -> dg.ResourceDefinition:
    """The files of the home; a run that uses them holds the mark of its process meanwhile."""

    @dg.resource
    def store(context: dg.InitResourceContext) -> Iterator[Store]:
        opened = Store(settings.trends_home, settings.lock_timeout_s)
        if context.run is None or context.instance is None:
            yield opened
            return
        with run_launcher.process_of(context.instance, context.run.run_id):
            yield opened
            history.clear_if_due(context.instance, settings.run_history_days)

    return store


@dg.definitions
def defs() -> dg.Definitions:
    """What `dagster` and `dg` load: the settings of the environment."""
    settings = load()
    former_home.take_up(settings)
    return build_defs(settings)
