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
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import httpx

PEOPLE = 12
SECONDS = 10
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


class Sender(threading.Thread):
    """Sends units until it is told to stop; goes on with the same unit after a restart."""

    def __init__(self, name: str, ledger: Ledger, make: Iterator[Unit]) -> None:
        super().__init__(name=name, daemon=True)
        self.ledger, self.make = ledger, make
        self.target: Callable[[Unit], bool] | None = None
        self.halt = threading.Event()
        self.refused: list[str] = []

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
                except (OSError, httpx.HTTPError):
                    unit.acked = False
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


def mllp(address: tuple[str, int]) -> Callable[[Unit], bool]:
    """Sends over one connection that is made again when it breaks."""
    kept: list[socket.socket] = []

    def send(unit: Unit) -> bool:
        if not kept:
            kept.append(socket.create_connection(address, SECONDS))
        line = kept[0]
        try:
            line.sendall(b"\x0b" + unit.body + b"\x1c\r")
            answer = b""
            while not answer.endswith(b"\x1c\r"):
                more = line.recv(4096)
                if not more:
                    raise ConnectionError("closed")
                answer += more
        except OSError:
            kept.pop().close()
            raise
        return b"MSA|AA|" + unit.key.encode() in answer

    return send


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


def fhir(address: str, token: str) -> Callable[[Unit], bool]:
    """Sends over HTTP with a token; any 2xx is the acknowledgment."""
    client = httpx.Client(
        base_url=address,
        timeout=SECONDS,
        headers={
            "Authorization": f"Bearer {token}",
            "Content-Type": "application/fhir+json",
        },
    )

    def send(unit: Unit) -> bool:
        if unit.form == "put":
            kind, rid = unit.rids[0]
            answer = client.put(f"/fhir/{kind}/{rid}", content=unit.body)
        else:
            answer = client.post("/fhir", content=unit.body)
        if answer.status_code >= 400 and answer.status_code not in (429, 503):
            raise AssertionError(f"{unit.key}: {answer.status_code} {answer.text[:300]}")
        return answer.is_success

    return send
