"""Edits of the audit by somebody who owns the database: every one must be found.

    python tests/operation/tamper.py --edits 1000

Each edit is made in a transaction, looked for, and taken back: a value changed, an entry removed,
inserted or moved, the end cut off, the end cut off and written anew with a true chain. Only an
anchor that was kept elsewhere shows the last two.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import sqlalchemy as sa
from sqlalchemy.engine import Connection

sys.path.insert(0, str(Path(__file__).parents[1]))

from operation.both import stores
from redcell.errors import AuditError
from redcell.store.audit import Entry, Head, append, head, verify
from redcell.store.database import Database, open_database
from redcell.store.migrate import upgrade
from redcell.store.schema import audit
from trust import book

ENTRIES = 60
Edit = Callable[[Connection, np.random.Generator], None]


class BackError(Exception):
    """Takes an edit back."""


@dataclass
class Report:
    """What was done, and what was not found."""

    edits: Counter[str] = field(default_factory=Counter)
    missed: list[str] = field(default_factory=list)
    without_anchor: int = 0

    @property
    def good(self) -> bool:
        return bool(self.edits) and not self.missed

    def __str__(self) -> str:
        kinds = ", ".join(f"{n} x {kind}" for kind, n in sorted(self.edits.items()))
        done = sum(self.edits.values())
        return (
            f"{done - len(self.missed)} of {done} edits found ({kinds}); {self.without_anchor} of "
            "them show only against an anchor kept elsewhere"
        )


def changed(connection: Connection, chance: np.random.Generator) -> None:
    """A value of an entry."""
    column = [c for c in audit.c if c.name != "seq"][chance.integers(len(audit.c) - 1)]
    seq = int(chance.integers(1, ENTRIES + 1))
    before = connection.scalar(sa.select(column).where(audit.c.seq == seq))
    new = int(before) + 1 if isinstance(column.type, sa.Integer) else f"{before or ''}x"
    connection.execute(sa.update(audit).where(audit.c.seq == seq).values({column.name: new}))


def removed(connection: Connection, chance: np.random.Generator) -> None:
    """An entry, not the last."""
    connection.execute(sa.delete(audit).where(audit.c.seq == int(chance.integers(1, ENTRIES))))


def inserted(connection: Connection, chance: np.random.Generator) -> None:
    """A copy of an entry, at the end or in the place of one that moves up."""
    row = _row(connection, int(chance.integers(1, ENTRIES + 1)))
    place = int(chance.integers(1, ENTRIES + 2))
    for seq in range(ENTRIES, place - 1, -1):
        connection.execute(sa.update(audit).where(audit.c.seq == seq).values(seq=seq + 1))
    connection.execute(sa.insert(audit).values({**row, "seq": place}))


def moved(connection: Connection, chance: np.random.Generator) -> None:
    """Two entries change places."""
    one, two = (int(n) for n in chance.choice(np.arange(1, ENTRIES + 1), 2, replace=False))
    for old, new in ((one, 9999), (two, one), (9999, two)):
        connection.execute(sa.update(audit).where(audit.c.seq == old).values(seq=new))


def cut_off(connection: Connection, chance: np.random.Generator) -> None:
    """The end."""
    connection.execute(sa.delete(audit).where(audit.c.seq > int(chance.integers(0, ENTRIES))))


def rewritten(connection: Connection, chance: np.random.Generator) -> None:
    """The end, with other entries in a true chain."""
    cut_off(connection, chance)
    number = ENTRIES - head(connection).seq
    append(connection, [Entry(n, "x", "nurse", "R", "chart") for n in range(number)])


EDITS: dict[str, Edit] = {
    "changed": changed,
    "removed": removed,
    "inserted": inserted,
    "moved": moved,
    "cut off": cut_off,
    "rewritten": rewritten,
}


def _row(connection: Connection, seq: int) -> dict[str, object]:
    return connection.execute(sa.select(audit).where(audit.c.seq == seq)).one()._asdict()


def unguarded(database: Database) -> Head:
    """Fill the audit, and take its triggers away, as an owner of the database can; its head."""
    sqlite = database.dialect == "sqlite"
    with database.write() as connection:
        for name in ("audit_no_update", "audit_no_delete") if sqlite else ("audit_append_only",):
            connection.exec_driver_sql(f"DROP TRIGGER {name}{'' if sqlite else ' ON audit'}")
        entries = [
            Entry(n, f"u{n % 3}", "nurse", "R", "chart", f"p{n % 7}", detail=f"row {n}")
            for n in range(ENTRIES)
        ]
        return append(connection, entries)


def tamper(database: Database, edits: int, seed: int) -> Report:
    """Edit, look, take back."""
    chance, report, anchor = np.random.default_rng(seed), Report(), unguarded(database)
    kinds = list(EDITS)
    for number in range(edits):
        kind = kinds[number % len(kinds)]
        report.edits[kind] += 1
        try:
            with database.write() as connection:
                EDITS[kind](connection, chance)
                if not _found(connection, ()):
                    report.without_anchor += 1
                    if not _found(connection, (anchor,)):
                        report.missed.append(f"{kind}, edit {number} of seed {seed}")
                raise BackError
        except BackError:
            pass
    with database.read() as connection:
        assert verify(connection, (anchor,)).seq == ENTRIES
    return report


def _found(connection: Connection, anchors: tuple[Head, ...]) -> bool:
    try:
        verify(connection, anchors)
    except AuditError:
        return True
    return False


def main() -> int:
    """Edit on both databases, print and keep the figures."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--edits", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=20261128)
    asked, good = parser.parse_args(), True
    with stores() as addresses:
        for name, address in addresses.items():
            database = open_database(address)
            upgrade(database)
            report = tamper(database, asked.edits, asked.seed)
            database.close()
            good &= report.good
            print(f"{name}, seed {asked.seed}: {report}", *report.missed, sep="\n")  # noqa: T201
            by = f"{book.command()} ({name})"
            book.keep_figure("S12", f"{name}: {report}", by=by, good=report.good)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
