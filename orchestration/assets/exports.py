"""Export assets: the day's files."""

import dagster as dg

ASSETS: list[dg.AssetsDefinition] = []
