"""A PostgreSQL server for the tests: Debian's package, a folder of its own, a Unix socket."""

from __future__ import annotations

import itertools
import os
import pwd
import shlex
import subprocess
import tempfile
from pathlib import Path


class Server:
    """A running server; stop it by calling `stop`."""

    def __init__(self, binaries: Path, folder: Path, sockets: Path) -> None:
        self.binaries, self.folder, self.sockets = binaries, folder, sockets
        self._numbers = itertools.count(1)

    def address(self, name: str) -> str:
        """The address of one of its databases."""
        return f"postgresql://redcell@/{name}?host={self.sockets}"

    def new_database(self) -> str:
        """The address of a new, empty database."""
        name = f"t{os.getpid()}_{next(self._numbers)}"
        self._run("createdb", "-h", str(self.sockets), "-U", "redcell", name)
        return self.address(name)

    def stop(self, how: str = "immediate") -> None:
        """Stop it; `immediate` is a crash.

        A thousand databases are hundreds of thousands of files: they are removed by a process of
        its own, which nobody waits for.
        """
        self._run("pg_ctl", "-D", str(self.folder), "-m", how, "-w", "stop")
        remove = f"rm -rf -- {shlex.quote(str(self.sockets))} &"
        subprocess.run(["sh", "-c", remove], start_new_session=True, check=True)

    def start(self) -> None:
        """Start it, and wait until it answers."""
        options = f"-k {self.sockets} -c listen_addresses='' -c max_connections=200"
        log = str(self.folder / "log.txt")
        self._run("pg_ctl", "-D", str(self.folder), "-o", options, "-l", log, "-w", "start")

    def _run(self, program: str, *arguments: str) -> None:
        subprocess.run(
            [*_as_user(), str(self.binaries / program), *arguments],
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env={**os.environ, "LC_ALL": "C"},
        )


def _as_user() -> list[str]:
    """PostgreSQL refuses to run as root; then Debian's user does."""
    return ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"] if root() else []


def root() -> bool:
    """Are we root?"""
    return os.geteuid() == 0


def binaries() -> Path | None:
    """Where Debian keeps the newest server's programs."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda p: p.parts[-3])
    return found[-1].parent if found else None


def start(folder: Path) -> Server | None:
    """A new server with its files in a folder; `None` when PostgreSQL is not installed."""
    programs = binaries()
    if programs is None:
        return None
    # sockets have short paths, and a folder that the server's user can reach
    home = Path(tempfile.mkdtemp(prefix="rcpg"))
    data = home / "data"
    if root():
        user = pwd.getpwnam("postgres")
        os.chown(home, user.pw_uid, user.pw_gid)
    server = Server(programs, data, home)
    server._run("initdb", "-D", str(data), "-U", "redcell", "-A", "trust", "-E", "UTF8")
    server.start()
    return server
