"""Backups while the service writes: each is a prefix of what was committed, and comes back whole.

    python tests/operation/backups.py --backups 50

A sender writes pairs of results, numbered as they are committed, at 200 a second where the machine
keeps up. Each backup is brought back into an empty store of the same kind: it must hold the first
so many pairs, none by half, at least those that were acknowledged before it began, and the head of
its audit that its own list names.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import sqlalchemy as sa

from operation.samples import fill, hemoglobin, take
from postgres import start
from redcell import clock
from redcell.clinic import backup as backups
from redcell.clinic.service import Clinic, make_store
from redcell.clinic.settings import Settings
from redcell.store import audit
from redcell.store.database import open_database
from trust import book

RATE = 200


class Sender:
    """Writes pairs until it is stopped; `sent` counts those that were acknowledged."""

    def __init__(self, clinic: Clinic) -> None:
        self.clinic, self.sent = clinic, 0
        self._halt = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        began = time.monotonic()
        while not self._halt.wait(max(0.0, began + self.sent * 2 / RATE - time.monotonic())):
            n = self.sent
            pair = (hemoglobin(f"h{n}{x}", f"p{n % 9}", 8) for x in "ab")
            take(self.clinic, *pair, key=str(n))
            self.sent += 1

    def stop(self) -> None:
        """Let the last pair end."""
        self._halt.set()
        self._thread.join()


def whole(clinic: Clinic, sender: Sender, folder: Path, empty: str) -> str:
    """Make a backup and bring it back; what is wrong with it."""
    before, out, back = sender.sent, folder / "b.tar", folder / "back"
    manifest = backups.backup(clinic, out, at=clock.now())
    backups.restore(out, back, dry_run=False, database=empty)
    restored = open_database(empty or str(back))
    try:
        with restored.read() as connection:
            rids = connection.scalars(sa.text("select rid from facts where rid like 'h%'")).all()
            head = audit.verify(connection)
    finally:
        restored.close()
        shutil.rmtree(back)
        out.unlink()
    numbers = {int(rid[1:-1]) for rid in rids}
    if numbers != set(range(len(numbers))) or len(rids) != 2 * len(numbers):
        return "it is no prefix of what was committed"
    if len(numbers) < before:
        return f"{before} pairs were acknowledged, it holds {len(numbers)}"
    return "" if head == manifest.head else "its audit has another head"


def main() -> int:
    """Both databases; print and keep the figures."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--backups", type=int, default=50)
    parser.add_argument("--pause", type=float, default=1.0, help="seconds between two")
    parser.add_argument("--store", choices=("sqlite", "postgresql"))
    asked, bad = parser.parse_args(), 0
    with tempfile.TemporaryDirectory(prefix="redcell-backups-") as name:
        server = start(Path(name)) if asked.store != "sqlite" else None
        for store in ("sqlite", "postgresql"):
            if asked.store not in (None, store) or (store == "postgresql" and not server):
                continue
            home, new = Path(name) / store, server.new_database if server else str
            address = new if store == "postgresql" else str
            settings = Settings(database=address())
            make_store(home / "data", settings)
            clinic = Clinic(home / "data", settings)
            fill(clinic)
            sender, wrong = Sender(clinic), []
            began = time.monotonic()
            try:
                for _ in range(asked.backups):
                    wrong.append(whole(clinic, sender, home, address()))
                    time.sleep(asked.pause)
            finally:
                sender.stop()
                rate = 2 * sender.sent / (time.monotonic() - began)
                clinic.close()
            good = not any(wrong)
            said = (
                f"{store}: {wrong.count('')} of {asked.backups} backups under load came back as a "
                f"prefix of what was committed ({rate:.0f} results a second meanwhile)"
            )
            print(said, *filter(None, wrong), sep="\n")  # noqa: T201
            book.keep_figure("A5", said, by=f"{book.command()} ({store})", good=good)
            bad += not good
        if server is not None:
            server.stop()
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
