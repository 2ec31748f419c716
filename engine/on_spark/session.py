"""A Spark session for one build, and what it needs of this machine.

Belongs here: finding Java and PySpark, opening and closing a session. Must not be here: what is run in it.
"""

from __future__ import annotations

import importlib.util
import logging
import os
import re
import shutil
import subprocess
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

# Spark 4 runs on no older one.
JAVA_VERSION = 17
_PACKAGES = ("pyspark", "dbt.adapters.spark")
INSTALL = "install requirements-spark.lock into the project's environment: make spark"

# Beside the code, for Java: how much it says.
_LOG_SETTINGS = Path(__file__).with_name("log4j2.properties")
# Of a session that this process starts. Tables live as long as the build (`tables` keeps their files), so that no
# catalogue is needed that two builds could meet in.
_OWN_SETTINGS = {
    "spark.sql.catalogImplementation": "in-memory",
    "spark.ui.showConsoleProgress": "false",
}
# Of one machine, where nobody set Spark up. Nobody else calls the driver, whose page costs a port and a second. Java
# asks the net for the name of any other address, and waits where nobody answers.
_LOCAL_SETTINGS = {
    "spark.driver.extraJavaOptions": f"-Dlog4j2.configurationFile=file:{_LOG_SETTINGS}",
    "spark.ui.enabled": "false",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
}

# Variables by which PySpark knows that sessions are those of a server; it sets the second itself.
_OF_REMOTE = ("SPARK_REMOTE", "SPARK_CONNECT_MODE_ENABLED")

# For days of a few thousand rows: what Spark compiles for a query takes longer than to interpret it.
SMALL = {
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
    "spark.sql.adaptive.enabled": "false",
    "spark.sql.shuffle.partitions": "1",
}


class SparkSetupError(LookupError):
    """Spark can't be used on this machine, or in this place; the message names the remedy."""


@dataclass(frozen=True, slots=True)
class SparkConfig:
    """Where Spark is and where its tables are.

    Attributes:
        warehouse: Folder that driver and workers all see under this path.
        master: Address of a cluster's master, or `local[n]`.
        remote: Address of a Spark Connect server, which then stands for `master`.
        java_home: Folder of the Java to use; what the shell finds by default.
    """

    warehouse: Path
    master: str = "local[*]"
    remote: str | None = None
    java_home: Path | None = None


def missing(config: SparkConfig) -> str | None:
    """What this machine lacks for Spark, with the remedy; None where there is all of it."""
    for package in _PACKAGES:
        try:
            found = importlib.util.find_spec(package)
        except ModuleNotFoundError:
            found = None
        if found is None:
            return f"{package} is not installed: {INSTALL}"
    # The server has its own.
    return None if config.remote else _java_missing(config)


def _java_missing(config: SparkConfig) -> str | None:
    remedy = f"install Java {JAVA_VERSION} or newer (Debian: apt-get install default-jre-headless), or set JAVA_HOME"
    java = config.java_home / "bin" / "java" if config.java_home else shutil.which("java")
    if java is None:
        return f"no Java was found: {remedy}"
    try:
        told = subprocess.run([java, "-version"], capture_output=True, text=True, timeout=60, check=False).stderr  # noqa: S603
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"{java} does not run ({error}): {remedy}"
    version = re.search(r'version "(\d+)(?:\.(\d+))?', told)
    if version is None:
        return f"{java} does not say its version: {remedy}"
    # Java 8 calls itself 1.8.
    major = int(version[2] or 0) if version[1] == "1" else int(version[1])
    return f"{java} is Java {major}, too old for Spark: {remedy}" if major < JAVA_VERSION else None


def settings(project_dir: Path) -> dict[str, str]:
    """Settings that the models' SQL needs of a session, as profiles.yml has them, without what the environment says."""
    profiles = yaml.safe_load((project_dir / "profiles.yml").read_text(encoding="utf-8"))
    (profile,) = (value for value in profiles.values() if "outputs" in value)
    given = profile["outputs"]["spark"]["server_side_parameters"]
    return {name: value for name, value in given.items() if "{{" not in value}


def address(path: Path) -> str:
    """A folder as Spark has it: with its signs as they are, which an address of the web would write in another way."""
    return f"file:{path}"


@contextmanager
def session(config: SparkConfig, name: str, settings: Mapping[str, str]) -> Iterator[SparkSession]:
    """A session, ended with the block: between builds a cluster has nothing of ours to hold.

    Args:
        config: Where Spark is.
        name: What the cluster shows.
        settings: Of the session.

    Raises:
        SparkSetupError: It can't be had; the message says what to do.
    """
    lack = missing(config)
    if lack:
        raise SparkSetupError(lack)
    from pyspark.sql import SparkSession

    if config.java_home:
        # PySpark asks for it where it starts Java.
        os.environ["JAVA_HOME"] = str(config.java_home)
    builder = SparkSession.builder.appName(name)
    if config.remote:
        builder = builder.remote(config.remote)
        # dbt-spark's own look-up of the session asks for it.
        os.environ[_OF_REMOTE[0]] = config.remote
        # dbt-spark asks for Hive with each statement, which no server that runs takes back or needs.
        warnings.filterwarnings("ignore", "Failed to set spark.sql.catalogImplementation", module="pyspark")
    else:
        builder = builder.master(config.master)
        # Nothing is ever in it: every schema of the models has a place of its own, and so has every table of the facts.
        given = {**_OWN_SETTINGS, "spark.sql.warehouse.dir": address(config.warehouse / "work" / "facts")}
        for key, value in given.items():
            builder = builder.config(key, value)
        if config.master.startswith("local"):
            os.environ["SPARK_LOCAL_IP"] = _LOCAL_SETTINGS["spark.driver.host"]
            for key, value in _LOCAL_SETTINGS.items():
                builder = builder.config(key, value)
    for key, value in settings.items():
        builder = builder.config(key, value)
    # A failed statement is told by whoever asked for it: PySpark writes the whole of Java's stack besides.
    logging.getLogger("SQLQueryContextLogger").setLevel(logging.CRITICAL)
    try:
        spark = builder.getOrCreate()
    except Exception as error:
        first = next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
        message = f"Spark at {config.remote or config.master} can't be reached: {first}"
        raise SparkSetupError(message) from error
    if not config.remote:
        # It warns at each look-up of the session, hundreds of times a build.
        spark.sparkContext.setLogLevel("ERROR")
    try:
        yield spark
    finally:
        spark.stop()
        if config.remote:
            # What says that every session is one of a server.
            for key in _OF_REMOTE:
                os.environ.pop(key, None)
