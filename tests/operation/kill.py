"""Kills the service while results come in, starts it again, and compares what was promised.

    python tests/operation/kill.py --kills 200 --store sqlite
    python tests/operation/kill.py --kills 200 --store postgresql

Senders keep what was acknowledged. The process gets SIGKILL at a random moment 50-250 ms after work
began, 0 acknowledged units may be missing, no unit may have had its effect twice, no transaction may
be there in part, the store must be whole and the audit chain must verify. At the end the worklist
must show what the facts say.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import numpy as np
import sqlalchemy as sa

sys.path.insert(0, str(Path(__file__).parents[1]))

from operation.process import Service
from operation.senders import (
    CANARY_MRN,
    CANARY_NAME,
    Fhir,
    Ledger,
    Mllp,
    Sender,
    Unit,
    messages,
    transactions,
)
from redcell import clock
from redcell.clinic import setup
from redcell.clinic.fold import fold
from redcell.identity import clients, tokens
from redcell.knowledge.load import knowledge
from redcell.store import audit
from redcell.store.database import Database, open_database
from redcell.store.schema import arrivals, assessments, current, facts, jobs, persons
from trust import book

CLIENT = "kill-sender"
EARLIEST, LATEST = 0.05, 0.25
CATCH_UP = 180
KINDS = ("lost", "doubled", "partial", "behind", "leaked", "refused")
"""What must not be."""


@dataclass
class Report:
    """What was found."""

    kills: int = 0
    units: int = 0
    acked: int = 0
    forms: str = ""
    resent: int = 0
    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    partial: list[str] = field(default_factory=list)
    behind: list[str] = field(default_factory=list)
    leaked: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    restarts: list[float] = field(default_factory=list)

    @property
    def good(self) -> bool:
        return self.acked > 0 and not any(getattr(self, kind) for kind in KINDS)

    def __str__(self) -> str:
        middle = sorted(self.restarts)[len(self.restarts) // 2] if self.restarts else 0
        return (
            f"{self.kills} kills, {self.units} units sent, {self.acked} acknowledged "
            f"({self.forms}), {self.resent} of them sent again; "
            f"lost {len(self.lost)}, doubled {len(self.doubled)}, partial {len(self.partial)}, "
            f"people behind {len(self.behind)}, personal data in the log {len(self.leaked)}; "
            f"median restart {middle:.1f} s"
        )


def torture(folder: Path, address: str, kills: int, seed: int) -> Report:
    """Kill as often as asked, and compare after each time."""
    chance = np.random.default_rng(seed)
    database, ledger, report = open_database(address or folder), Ledger(), Report()
    senders = [
        *(Sender(f"m{n}", ledger, messages(f"m{n}")) for n in range(2)),
        *(Sender(f"f{n}", ledger, transactions(f"f{n}")) for n in range(2)),
    ]
    _register(database)
    try:
        for sender in senders:
            sender.start()
        for _ in range(kills):
            before = len(ledger.acked)
            service = _start(folder, database, senders, report)
            _until_work_goes_on(ledger, before)
            time.sleep(float(chance.uniform(EARLIEST, LATEST)))
            service.kill()
            _leaks(service, report)
            _compare(database, ledger, report)
            report.kills += 1
        service = _start(folder, database, senders, report)
        time.sleep(1)
        for sender in senders:
            sender.halt.set()
        for sender in senders:
            sender.join(30)
            sender.aim(None)
            report.refused += sender.refused
        _caught_up(database, report)
        service.stop()
        _leaks(service, report)
        _compare(database, ledger, report)
    finally:
        for sender in senders:
            sender.halt.set()
            sender.aim(None)
        database.close()
    report.units, report.acked = len(ledger.units), len(ledger.acked)
    forms = Counter("MLLP" if u.form == "mllp" else "FHIR" for u in ledger.acked)
    report.forms = ", ".join(f"{form} {count}" for form, count in sorted(forms.items()))
    report.resent = sum(u.tries > 1 for u in ledger.acked)
    return report


def _register(database: Database) -> None:
    key = {"kty": "EC", "crv": "P-384", "x": "x", "y": "y"}
    with database.write() as connection:
        details = clients.Details(keys=(key,), scopes=("system/*.cruds",))
        clients.add(connection, "sender", "backend", details, at=1, roles=("feed",), client=CLIENT)


def _start(folder: Path, database: Database, senders: list[Sender], report: Report) -> Service:
    began = time.monotonic()
    with database.write() as connection:
        granted = tokens.Granted(CLIENT, ("system/*.cruds",))
        token, _ = tokens.issue(connection, granted, at=clock.now())
    options = ("--port", "0", "--mllp-port", "0")
    service = Service(folder, *options).wait_until_ready()
    report.restarts.append(time.monotonic() - began)
    has_fhir = httpx.get(f"{service.address}/fhir/metadata").status_code == httpx.codes.OK
    for sender in senders:
        if sender.name.startswith("m"):
            sender.aim(Mllp(service.mllp))
        elif has_fhir:
            sender.aim(Fhir(service.address, token))
    return service


def _until_work_goes_on(ledger: Ledger, before: int) -> None:
    deadline = time.monotonic() + CATCH_UP
    while len(ledger.acked) <= before and time.monotonic() < deadline:
        time.sleep(0.005)


def _leaks(service: Service, report: Report) -> None:
    for line in (*service.lines, *service.out):
        if CANARY_NAME.lower() in line.lower() or CANARY_MRN.lower() in line.lower():
            report.leaked.append(line)


# -- comparing -------------------------------------------------------------------------------------


def _compare(database: Database, ledger: Ledger, report: Report) -> None:
    database.check()
    with database.read() as connection:
        audit.verify(connection)
        came = _arrivals(connection)
        versions = Counter((r.kind, r.rid) for r in _all(connection, facts.c.kind, facts.c.rid))
        pointed = {(r.kind, r.rid) for r in _all(connection, current.c.kind, current.c.rid)}
        held = Counter(r.arrival for r in _all(connection, facts.c.arrival))
    with ledger.lock:
        units = list(ledger.units)
    for unit in units:
        if unit.form == "mllp":
            _compare_message(unit, came.get(unit.key, []), held, report)
        else:
            _compare_resources(unit, versions, pointed, report)
    unpointed = {name for name in versions if name not in pointed}
    report.partial += [f"{kind}/{rid} has no current version" for kind, rid in unpointed]


def _all(connection: sa.Connection, *columns: sa.Column) -> Iterable[sa.Row]:
    return connection.execute(sa.select(*columns))


def _arrivals(connection: sa.Connection) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    query = sa.select(arrivals.c.key, arrivals.c.id).where(
        arrivals.c.form == "hl7v2", arrivals.c.outcome == "accepted"
    )
    for key, number in connection.execute(query):
        found.setdefault(key.rpartition("|")[2], []).append(number)
    return found


def _compare_message(unit: Unit, came: list[int], held: Counter[int], report: Report) -> None:
    if unit.acked and not came:
        report.lost.append(unit.key)
    if len(came) > 1:
        report.doubled.append(unit.key)
    for number in came:
        if not held.get(number):
            report.partial.append(unit.key)


def _compare_resources(
    unit: Unit, versions: Counter[tuple[str, str]], pointed: set[tuple[str, str]], report: Report
) -> None:
    there = [rid for rid in unit.rids if versions[rid]]
    if unit.acked and len(there) < len(unit.rids):
        report.lost.append(unit.key)
    if there and len(there) < len(unit.rids):
        report.partial.append(unit.key)
    if any(versions[rid] > 1 for rid in unit.rids):
        report.doubled.append(unit.key)


def _caught_up(database: Database, report: Report) -> None:
    """Wait until no job is left; then each person's newest assessment is of the facts of now."""
    deadline = time.monotonic() + CATCH_UP
    while time.monotonic() < deadline:
        with database.read() as connection:
            if not connection.scalar(sa.select(sa.func.count()).select_from(jobs)):
                break
        time.sleep(0.2)
    known = knowledge()
    with database.read() as connection:
        people = set(connection.scalars(sa.select(persons.c.person)))
        for person in people:
            folded = fold(connection, person, known)
            newest = connection.scalar(
                sa.select(assessments.c.inputs)
                .where(assessments.c.person == person)
                .order_by(assessments.c.id.desc())
                .limit(1)
            )
            if folded is None or newest != folded.inputs:
                report.behind.append(person)


# -- by itself -------------------------------------------------------------------------------------


def prepare(folder: Path, address: str) -> None:
    """An empty store in a folder; no forecasts, so that more is written in a short time."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "redcell.toml").write_text(
        f"database = {json.dumps(address)}\nsecure_cookies = false\n[site]\nforecast = false\n"
    )
    list(setup.init(folder))


def main() -> None:
    """Run as a command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--store", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="redcell-kill-") as name:
        folder, server = Path(name) / "data", None
        if given.store == "postgresql":
            from postgres import start

            server = start(Path(name))
            if server is None:
                sys.exit("PostgreSQL is not installed.")
        try:
            address = server.new_database() if server else ""
            prepare(folder, address)
            report = torture(folder, address, given.kills, given.seed)
        finally:
            if server:
                server.stop()
    sys.stdout.write(f"{given.store}, seed {given.seed}: {report}\n")
    book.keep_figure("A1", f"{given.store}: {report}", by=book.command(), good=report.good)
    for kind in KINDS:
        for one in getattr(report, kind)[:10]:
            sys.stdout.write(f"  {kind}: {one}\n")
    sys.exit(0 if report.good else 1)


if __name__ == "__main__":
    main()
