"""A Spark session: what it needs, how it is set, and that it says nothing but errors."""

from __future__ import annotations

import os
import re
import shutil
import socket
import sys
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from redcell.errors import RedcellError
from redcell.population.pool import ONE_THREAD

if TYPE_CHECKING:
    from pyspark import SparkConf
    from pyspark.sql import SparkSession

WAIT = 5.0
"""Seconds to wait for a master."""
MOST_SAID = 400
"""Letters of Spark's own message that are shown."""

OURS = {
    "spark.sql.adaptive.enabled": "false",  # parts are cut to size beforehand, by bytes
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.execution.arrow.maxRecordsPerBatch": "4096",
    "spark.sql.execution.arrow.maxBytesPerBatch": str(1 << 24),
}
"""Settings that the work rests on; for a session that was there before, put back afterwards."""

UNLESS_SET = {
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.driver.maxResultSize": "0",
    "spark.serializer": "org.apache.spark.serializer.KryoSerializer",
    "spark.io.compression.codec": "zstd",
}
"""Settings that `spark-defaults.conf` may say otherwise."""

PASSED_ON = ("JAX_COMPILATION_CACHE_DIR",)
"""Variables of the environment that the processes of the cluster get too."""


def check() -> None:
    """Fail with a clear message where Spark cannot start.

    Raises:
        RedcellError: the extra `spark`, the extra `frames` or Java is missing.
    """
    missing = [name for name in ("pyspark", "pyarrow", "pandas") if find_spec(name) is None]
    if missing:
        raise RedcellError(
            f"--engine spark needs {', '.join(missing)}: pip install 'redcell[cohort,spark]'."
        )
    home = os.environ.get("JAVA_HOME")
    if home and not Path(home, "bin", "java").exists():
        raise RedcellError(
            f"--engine spark needs Java: JAVA_HOME is {home}, which has no bin/java."
        )
    if not home and shutil.which("java") is None:
        raise RedcellError(
            "--engine spark needs Java 17 or later: there is no `java` on the path, and JAVA_HOME "
            "is not set."
        )


@contextmanager
def session(master: str | None) -> Iterator[SparkSession]:
    """A session; one that is active already is used and left as it was.

    Args:
        master: `spark://HOST:PORT`, `yarn`, `k8s://URL` or `local[N]`; by default what
            `spark-defaults.conf` says, else this machine's cores.

    Raises:
        RedcellError: Spark cannot start, or the master cannot be reached.
    """
    check()
    if master and master.startswith("sc://"):
        raise RedcellError(f"{master}: Spark Connect is not supported; expected spark://HOST:PORT.")
    if master and master.startswith("spark://"):
        reach(master)
    from py4j.protocol import Py4JError
    from pyspark.errors import PySparkException
    from pyspark.sql import SparkSession

    active = SparkSession.getActiveSession()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # PySpark of pandas 3, which is not used
        with _ours(active) if active is not None else _own(master) as found:
            try:
                yield found
            except (PySparkException, Py4JError) as error:
                raise failed(str(error)) from error


def failed(text: str) -> RedcellError:
    """What a failed job says to people: redcell's own words where there are some.

    Of any other error its name and Spark's first line alone: what follows may hold patients' data.
    """
    said = re.search(r"redcell\.errors\.\w+: (.*)", text)
    if said is not None:
        return RedcellError(said.group(1))
    first = text.strip().partition("\n")[0][:MOST_SAID].rstrip(".: ")
    names = re.findall(r"^(?:\w+\.)*(\w+(?:Error|Exception))\b", text, re.MULTILINE)
    by = f" ({names[-1]})" if names else ""
    return RedcellError(f"The Spark job failed: {first}{by}. The logs of the cluster say more.")


@contextmanager
def _ours(active: SparkSession) -> Iterator[SparkSession]:
    before = {name: active.conf.get(name, None) for name in OURS}
    for name, value in OURS.items():
        active.conf.set(name, value)
    try:
        yield active
    finally:
        for name, old in before.items():
            if old is None:
                active.conf.unset(name)
            else:
                active.conf.set(name, old)


@contextmanager
def _own(master: str | None) -> Iterator[SparkSession]:
    """A session whose Java process is ours: quiet, and gone with the block."""
    from pyspark import SparkConf, SparkContext
    from pyspark.errors import PySparkException
    from pyspark.java_gateway import launch_gateway
    from pyspark.sql import SparkSession

    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    given = SparkConf(loadDefaults=False)
    if master:
        given.setMaster(master)
    with tempfile.TemporaryFile(prefix="redcell-spark-") as log:
        try:
            gateway = launch_gateway(given, {"stdout": log, "stderr": log})  # type: ignore[no-untyped-call]
        except PySparkException as error:
            log.seek(0)
            last = log.read().decode(errors="replace").strip().splitlines()[-1:]
            raise RedcellError(f"Spark did not start. It said: {''.join(last)}") from error
        try:
            conf = SparkConf(_jvm=gateway.jvm)
            _set(conf)
            context = SparkContext(conf=conf, gateway=gateway)
            try:
                yield SparkSession(context)
            finally:
                context.stop()
        finally:
            _end(gateway)


def _set(conf: SparkConf) -> None:
    for name, value in OURS.items():
        conf.set(name, value)
    for name, value in UNLESS_SET.items():
        conf.setIfMissing(name, value)
    conf.setIfMissing("spark.app.name", "redcell")
    passed = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    for name, value in (ONE_THREAD | passed).items():
        conf.setIfMissing(f"spark.executorEnv.{name}", value)


def _end(gateway: Any) -> None:
    """End the Java process, and let another session begin one."""
    from pyspark import SparkContext

    gateway.shutdown()
    if gateway.proc is not None:
        gateway.proc.stdin.close()
        gateway.proc.wait()
    SparkContext._gateway = SparkContext._jvm = None


def reach(master: str) -> None:
    """Fail at once, rather than after minutes, where nobody listens at a standalone master's port.

    Raises:
        RedcellError: no connection to any of the masters.
    """
    hosts = master.removeprefix("spark://").split(",")
    for one in hosts:
        host, _, port = one.rpartition(":")
        with suppress(OSError, ValueError):
            socket.create_connection((host, int(port)), WAIT).close()
            return
    raise RedcellError(f"{master}: nobody answers there; is the Spark master running?")
