"""A service in a process of its own, as an operator starts it, for the tests of this folder."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

START = 90
"""Seconds that a start may take on a busy machine."""


class Service:
    """A running `redcell serve`; `lines` holds what it said."""

    def __init__(self, folder: Path, *options: str, command: str = "serve") -> None:
        arguments = [sys.executable, "-m", "redcell", command, "--data", str(folder), *options]
        environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
        self.process = subprocess.Popen(
            arguments,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
            start_new_session=True,
        )
        self.lines: list[str] = []
        self.out: list[str] = []
        self._ready = threading.Event()
        self._threads = [
            threading.Thread(target=self._read, args=(self.process.stderr, self.lines)),
            threading.Thread(target=self._read, args=(self.process.stdout, self.out)),
        ]
        for thread in self._threads:
            thread.start()

    def _read(self, stream, lines: list[str]) -> None:
        for line in stream:
            lines.append(line.rstrip("\n"))
            if line.startswith("Ready."):
                self._ready.set()
        self._ready.set()

    def wait_until_ready(self) -> Service:
        """Wait for the line that says so."""
        if not self._ready.wait(START) or not any(line == "Ready." for line in self.lines):
            self.kill()
            raise AssertionError("\n".join(["the service did not start:", *self.lines]))
        return self

    def _said(self, start: str) -> str:
        return next(line for line in self.lines if line.startswith(start))

    @property
    def address(self) -> str:
        """Of the pages."""
        return self._said("Pages: ").removeprefix("Pages: ")

    @property
    def admin(self) -> str:
        """Of the admin port."""
        return self._said("Admin: ").split()[1]

    @property
    def mllp(self) -> tuple[str, int]:
        """Host and port of the listener."""
        host, _, port = self._said("HL7 v2").split()[-1].rpartition(":")
        return host, int(port)

    def stop(self) -> int:
        """SIGTERM; the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self._end(60)

    def kill(self) -> None:
        """SIGKILL, to the process alone: others of its crew must notice by themselves."""
        self.process.kill()
        self._end(30)

    def _end(self, seconds: float) -> int:
        code = self.process.wait(seconds)
        for thread in self._threads:
            thread.join(30)
        self.process.stdout.close()
        self.process.stderr.close()
        return code
