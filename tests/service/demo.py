"""`make demo-delivery`: a whole daily run on the sample, delivered into the local service, twice.

Belongs here: setting the service up and showing what arrived. Must not be here: assertions (tests), the service.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.service.server import Service, arrived, environment

PROJECT = Path(__file__).resolve().parents[2]


def main() -> int:
    """Runs `trends run` twice with every delivery set up; returns the second run's exit code."""
    service = Service()
    service.drive.add_folder("parent", "Trends")
    service.sheets.add("book")
    with service.running(), tempfile.TemporaryDirectory(prefix="trends-demo-") as home:
        given = environment(service) | {
            "DRIVE_FOLDER_ID": "parent", "DASHBOARD_SHEET_ID": "book", "DELIVER_SAMPLE": "true",
        }  # fmt: skip
        code = 0
        for time in ("first", "second"):
            print(f"== {time} run", flush=True)
            command = [sys.executable, "-m", "orchestration.cli", "run", "--source", "sample", "--home", home]
            code = subprocess.run(command, cwd=PROJECT, env=os.environ | given, check=False).returncode
            print(f"== what arrived after the {time} run\n{arrived(service)}", flush=True)
    return code


if __name__ == "__main__":
    sys.exit(main())
