"""A standalone Spark cluster on this machine: a master and workers, on loopback, ended by pid."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

SMALL = "-Xshare:auto -XX:TieredStopAtLevel=1 -XX:+UseSerialGC -Djava.net.preferIPv4Stack=true"
DEFAULTS = {
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.memory": "512m",
    "spark.driver.extraJavaOptions": SMALL,
    "spark.executor.extraJavaOptions": SMALL,
    "spark.executor.memory": "512m",
    "spark.executor.cores": "1",
    "spark.shuffle.io.retryWait": "100ms",
    "spark.scheduler.maxRegisteredResourcesWaitingTime": "60s",
    "spark.scheduler.minRegisteredResourcesRatio": "1.0",
}


def why_not():
    """Why no cluster can be started here, or nothing."""
    if find_spec("pyspark") is None:
        return "the extra `spark` is not installed"
    if not os.environ.get("JAVA_HOME") and shutil.which("java") is None:
        return "there is no Java"
    return None


class Cluster:
    """Its processes, each with a log."""

    def __init__(self, folder, environment):
        self.folder, self.environment = folder, environment
        self.home = Path(find_spec("pyspark").origin).parent
        self.processes = {}
        self.url = None

    def start(self, name, role, *arguments):
        command = [
            str(self.home / "bin" / "spark-class"),
            f"org.apache.spark.deploy.{role.lower()}.{role}",
            *("--host", "127.0.0.1", "--port", "0", "--webui-port", "0"),
            *arguments,
        ]
        with self.log(name).open("wb") as log:
            self.processes[name] = subprocess.Popen(
                command, stdout=log, stderr=log, env=self.environment, start_new_session=True
            )

    def log(self, name):
        return self.folder / f"{name}.log"

    def said(self, name, pattern, seconds=60):
        """What a process wrote, as soon as it did."""
        for _ in range(seconds * 10):
            found = re.search(pattern, self.log(name).read_text(errors="replace"))
            if found:
                return found.group(0)
            assert self.processes[name].poll() is None, self.log(name).read_text()
            time.sleep(0.1)
        raise AssertionError(f"{name}: {pattern} was not said in {seconds} s")

    def kill(self, name):
        """End a worker with all that it started, at once and without a word."""
        process = self.processes.pop(name)
        doomed = [process.pid, *_below(process.pid)]
        for pid in doomed:
            os.kill(pid, signal.SIGKILL)
        process.wait()
        return len(doomed)

    def stop(self):
        for process in self.processes.values():
            process.terminate()
        for process in self.processes.values():
            process.wait(30)


def _below(pid):
    """Processes that a process started, and those that they did."""
    found = []
    for tasks in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in map(int, tasks.read_text().split()):
            found += [child, *_below(child)]
    return found


@contextmanager
def cluster(folder, workers=2, defaults=()):
    """A master and workers of one core each; the environment of a driver is set for the block."""
    settings = DEFAULTS | dict(defaults)
    (folder / "spark-defaults.conf").write_text("".join(f"{k} {v}\n" for k, v in settings.items()))
    own = {
        "SPARK_CONF_DIR": str(folder),
        "SPARK_LOCAL_IP": "127.0.0.1",
        "SPARK_LOCAL_DIRS": str(folder),
        "SPARK_DAEMON_MEMORY": "256m",
        "SPARK_DAEMON_JAVA_OPTS": SMALL,
        "PYSPARK_PYTHON": sys.executable,
    }
    before = {name: os.environ.get(name) for name in own}
    os.environ.update(own)
    made = Cluster(folder, dict(os.environ))
    try:
        made.start("master", "Master")
        made.url = made.said("master", r"spark://127\.0\.0\.1:\d+")
        for i in range(workers):
            more = ("--cores", "1", "--memory", "1g", "--work-dir", str(folder / f"work-{i}"))
            made.start(f"worker-{i}", "Worker", *more, made.url)
        for i in range(workers):
            made.said(f"worker-{i}", "Successfully registered with master")
        yield made
    finally:
        made.stop()
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})
