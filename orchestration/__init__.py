"""Orchestration: settings, resources, Dagster definitions and the `trends` command. No business rules."""
