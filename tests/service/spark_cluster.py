"""Spark on this machine, for demo and tests: a master and workers of one core, or a server of Spark Connect.

Belongs here: starting, watching and ending its processes. Must not be here: what is run on it.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

HOST = "127.0.0.1"
_START_TIMEOUT_S = 180


@dataclass(slots=True)
class Cluster:
    """A cluster that is up.

    Attributes:
        folder: Logs of its processes, and the workers' own files.
        url: The master's address, for SPARK_MASTER.
        page: Address of the master's state.
        memory: What each worker may lend out.
        workers: The workers' processes.
    """

    folder: Path
    url: str
    page: str
    memory: str
    workers: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def state(self) -> dict[str, object]:
        """What the master says of its workers and applications."""
        with urllib.request.urlopen(self.page, timeout=10) as answer:
            return dict(json.load(answer))

    def add_worker(self) -> None:
        """Starts a further worker of one core."""
        number = len(self.workers)
        arguments = ["--host", HOST, "--cores", "1", "--memory", self.memory, "--webui-port", str(_free_port())]
        place = self.folder / f"worker-{number}"
        place.mkdir()
        self.workers.append(_start("worker.Worker", [*arguments, "--work-dir", str(place), self.url], place))

    def wait_for(self, workers: int) -> None:
        """Waits until so many workers have signed on.

        Raises:
            TimeoutError: They did not; their logs are in `folder`.
        """
        until = time.monotonic() + _START_TIMEOUT_S
        while time.monotonic() < until:
            try:
                if self.state()["aliveworkers"] == workers:
                    return
            except OSError:
                # The master is not up yet.
                pass
            time.sleep(0.2)
        message = f"{workers} workers did not come up within {_START_TIMEOUT_S} s: see the logs in {self.folder}"
        raise TimeoutError(message)


@contextmanager
def cluster(folder: Path, workers: int = 2, memory: str = "2g") -> Iterator[Cluster]:
    """A master with workers of one core each, ended with the block.

    Args:
        folder: Where their logs and files go; made if it is not there.
        workers: How many.
        memory: What each may lend out.
    """
    folder.mkdir(parents=True, exist_ok=True)
    port, page = _free_port(), _free_port()
    arguments = ["--host", HOST, "--port", str(port), "--webui-port", str(page)]
    master = _start("master.Master", arguments, folder)
    up = Cluster(folder, f"spark://{HOST}:{port}", f"http://{HOST}:{page}/json/", memory)
    try:
        up.wait_for(0)
        for _ in range(workers):
            up.add_worker()
        up.wait_for(workers)
        yield up
    finally:
        _end([*up.workers, master])


@contextmanager
def connect_server(folder: Path) -> Iterator[str]:
    """A server of Spark Connect on two cores, ended with the block; gives its address, for SPARK_REMOTE.

    Args:
        folder: Where its log goes; made if it is not there.
    """
    folder.mkdir(parents=True, exist_ok=True)
    port = _free_port()
    settings = {
        "spark.connect.grpc.binding.address": HOST,
        "spark.connect.grpc.binding.port": str(port),
        "spark.sql.catalogImplementation": "in-memory",
        "spark.sql.warehouse.dir": str(folder / "warehouse"),
        "spark.ui.enabled": "false",
    }
    given = [argument for name, value in settings.items() for argument in ("--conf", f"{name}={value}")]
    program = "org.apache.spark.sql.connect.service.SparkConnectServer"
    server = _start("SparkSubmit", ["--class", program, "--master", "local[2]", *given, "spark-internal"], folder)
    try:
        _wait_for_port(port, folder)
        yield f"sc://{HOST}:{port}"
    finally:
        _end([server])


def _wait_for_port(port: int, folder: Path) -> None:
    until = time.monotonic() + _START_TIMEOUT_S
    while time.monotonic() < until:
        with socket.socket() as probe:
            if probe.connect_ex((HOST, port)) == 0:
                return
        time.sleep(0.2)
    message = f"nobody listened on port {port} within {_START_TIMEOUT_S} s: see the log in {folder}"
    raise TimeoutError(message)


def _end(processes: Sequence[subprocess.Popen[bytes]]) -> None:
    for process in processes:
        process.terminate()
    for process in processes:
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _start(name: str, arguments: list[str], folder: Path) -> subprocess.Popen[bytes]:
    import pyspark

    program = Path(pyspark.__file__).parent / "bin" / "spark-class"
    # The name of this machine need not lead to it, and Java would ask the net for it.
    environment = {**os.environ, "SPARK_LOCAL_IP": HOST, "SPARK_HOME": str(program.parents[1])}
    # Nobody sends it applications over HTTP, and its fixed port would be in the way of a second cluster.
    environment["SPARK_DAEMON_JAVA_OPTS"] = "-Dspark.master.rest.enabled=false"
    with (folder / "log").open("wb") as log:
        # `spark-class` ends as the Java process itself: what is ended here is that.
        return subprocess.Popen(
            [program, f"org.apache.spark.deploy.{name}", *arguments], stdout=log, stderr=log, env=environment
        )


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])
