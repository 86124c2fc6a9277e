"""Senders for the kill harness: each keeps what it sent until it is acknowledged, and sends it again.

A unit is what one acknowledgment is for: a message over MLLP, a transaction or a single resource
over FHIR. A sender that gets no answer sends the same unit again, as hospitals' senders do.
"""

from __future__ import annotations

import itertools
import json
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol

import httpx

PEOPLE = 12
SECONDS = 10
AGAIN = (429, 503)
CANARY_NAME, CANARY_MRN = "Kanarienvogel", "MRNCANARY"
"""Looked for in the logs: nothing of a person may be there."""


@dataclass
class Unit:
    """One thing to be acknowledged."""

    form: str
    key: str
    body: bytes
    rids: tuple[tuple[str, str], ...] = ()
    acked: bool = False
    tries: int = 0


@dataclass
class Ledger:
    """Every unit that was ever sent, and what a person should hold of them."""

    units: list[Unit] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, unit: Unit) -> None:
        with self.lock:
            self.units.append(unit)

    @property
    def acked(self) -> list[Unit]:
        return [u for u in self.units if u.acked]


class Target(Protocol):
    """Where units go."""

    def __call__(self, unit: Unit) -> bool:
        """Send one; was it acknowledged?"""
        ...

    def close(self) -> None:
        """Close what is open."""
        ...


class RefusedError(Exception):
    """The service refused what it should take."""


class Sender(threading.Thread):
    """Sends units until it is told to stop; goes on with the same unit after a restart."""

    def __init__(self, name: str, ledger: Ledger, make: Iterator[Unit]) -> None:
        super().__init__(name=name, daemon=True)
        self.ledger, self.make = ledger, make
        self.target: Target | None = None
        self.halt = threading.Event()
        self.refused: list[str] = []

    def aim(self, target: Target | None) -> None:
        """Send to another place from now on."""
        before, self.target = self.target, target
        if before is not None:
            before.close()

    def run(self) -> None:
        for unit in self.make:
            self.ledger.add(unit)
            while not unit.acked:
                if self.halt.is_set():
                    return
                target = self.target
                unit.tries += target is not None
                try:
                    unit.acked = target is not None and target(unit)
                except (OSError, httpx.HTTPError, RuntimeError):  # closed while it was sending
                    unit.acked = False
                except RefusedError as error:
                    self.refused.append(str(error))
                    return
                if not unit.acked:
                    time.sleep(0.02)
            if self.halt.is_set():
                return


# -- HL7 v2 ----------------------------------------------------------------------------------------


def messages(name: str) -> Iterator[Unit]:
    """Results over MLLP, each with its own control id."""
    for n in itertools.count():
        person, control = n % PEOPLE, f"{name}-{n}"
        minute, value = n % 60, 7 + n % 50 / 10
        at = f"202611{1 + n // 1440 % 27:02}{n // 60 % 24:02}{minute:02}00"
        segments = (
            f"MSH|^~\\&|LAB|{name}|REDCELL|CLINIC|{at}||ORU^R01|{control}|P|2.5.1",
            f"PID|1||{CANARY_MRN}{person}^^^HOSP^MR||{CANARY_NAME}^Ada||19700101|F",
            f"OBR|1||{control}|58410-2^CBC^LN|||{at}",
            f"OBX|1|NM|718-7^Hemoglobin^LN||{value:.1f}|g/dL|12-16|L|||F|||{at}",
            f"OBX|2|NM|777-3^Platelets^LN||{150 + n % 90}|10*3/uL|||||F|||{at}",
        )
        yield Unit("mllp", control, "\r".join([*segments, ""]).encode())


class Mllp:
    """Sends over one connection that is made again when it breaks."""

    def __init__(self, address: tuple[str, int]) -> None:
        self.address = address
        self.line: socket.socket | None = None

    def __call__(self, unit: Unit) -> bool:
        if self.line is None:
            self.line = socket.create_connection(self.address, SECONDS)
        try:
            self.line.sendall(b"\x0b" + unit.body + b"\x1c\r")
            answer = b""
            while not answer.endswith(b"\x1c\r"):
                more = self.line.recv(4096)
                if not more:
                    raise ConnectionError("closed")
                answer += more
        except OSError:
            self.close()
            raise
        return b"MSA|AA|" + unit.key.encode() in answer

    def close(self) -> None:
        if self.line is not None:
            self.line.close()
        self.line = None


# -- FHIR ------------------------------------------------------------------------------------------


def transactions(name: str) -> Iterator[Unit]:
    """Transactions of four resources, and now and then a single one."""
    for n in itertools.count():
        person = f"{name}-p{n % PEOPLE}"
        if n % 5 == 4:
            one = _hemoglobin(f"{name}-{n}", person, n)
            rids = (("Observation", one["id"]),)
            yield Unit("put", f"{name}-{n}", json.dumps(one).encode(), rids)
            continue
        found = [_patient(person), *(_hemoglobin(f"{name}-{n}-{i}", person, n) for i in range(3))]
        entries = [
            {"resource": r, "request": {"method": "PUT", "url": f"{r['resourceType']}/{r['id']}"}}
            for r in found
        ]
        bundle = {"resourceType": "Bundle", "type": "transaction", "entry": entries}
        rids = tuple((r["resourceType"], r["id"]) for r in found[1:])
        yield Unit("bundle", f"{name}-{n}", json.dumps(bundle).encode(), rids)


def _patient(rid: str) -> dict:
    return {
        "resourceType": "Patient",
        "id": rid,
        "identifier": [{"system": "urn:kill", "value": f"{CANARY_MRN}-{rid}"}],
        "name": [{"family": CANARY_NAME, "given": ["Ada"]}],
        "gender": "female",
        "birthDate": "1970-01-01",
    }


def _hemoglobin(rid: str, person: str, n: int) -> dict:
    return {
        "resourceType": "Observation",
        "id": rid,
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": "718-7"}]},
        "subject": {"reference": f"Patient/{person}"},
        "effectiveDateTime": f"2026-11-{1 + n % 27:02}T{n % 24:02}:00:00Z",
        "valueQuantity": {
            "value": 7 + n % 50 / 10,
            "unit": "g/dL",
            "system": "http://unitsofmeasure.org",
            "code": "g/dL",
        },
    }


class Fhir:
    """Sends over HTTP with a token; any 2xx is the acknowledgment."""

    def __init__(self, address: str, token: str) -> None:
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/fhir+json"}
        self.client = httpx.Client(base_url=address, timeout=SECONDS, headers=headers)

    def __call__(self, unit: Unit) -> bool:
        if unit.form == "put":
            kind, rid = unit.rids[0]
            answer = self.client.put(f"/fhir/{kind}/{rid}", content=unit.body)
        else:
            answer = self.client.post("/fhir", content=unit.body)
        if answer.is_error and answer.status_code not in AGAIN:
            raise RefusedError(f"{unit.key}: {answer.status_code} {answer.text[:300]}")
        return answer.is_success

    def close(self) -> None:
        self.client.close()
