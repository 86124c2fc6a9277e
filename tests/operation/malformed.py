"""Malformed FHIR and HL7 v2 sent to a running service: always an answer, never a fault.

    python tests/operation/malformed.py --number 10000

Bodies are damaged in their JSON, text or encoding; messages in their separators, segments, escapes
and character set; now and then comes one that is very large or deep. FHIR must be answered below
500 and each refusal be an OperationOutcome that says what is wrong; a message must be answered with
AA, AE or AR, or the connection closed for its size. At the end good input must be taken, the log
must hold no fault, and the process must not have grown.
"""

from __future__ import annotations

import argparse
import json
import os
import random  # noqa: TID251  (seeded)
import socket
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx

sys.path.insert(0, str(Path(__file__).parents[1]))

from feeds.messages import cbc, obx
from feeds.test_mllp import damaged
from fhir_api.resources import hemoglobin, patient
from fhir_api.test_robust import bases, mutated
from operation.both import stores
from operation.kill import prepare
from operation.process import Service
from redcell import clock
from redcell.feeds.mllp.framing import Framer, framed
from redcell.identity import clients, tokens
from redcell.store.database import open_database
from trust import book

CLIENT = "malformed-sender"
EACH = 60
"""Bodies about one person. Thousands of results of one person would measure what it takes to assess
them, which grows with their number, and not what malformed input leaves behind."""
GROWTH = 20.0
"""Megabytes by which the process may grow once it has seen some of everything."""


@dataclass
class Report:
    """What was answered."""

    sent: int = 0
    answers: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    slowest: float = 0
    middle: float = 0
    growth: float = 0
    worked: list[float] = field(default_factory=list)
    """Seconds of processor time of the whole service for each input, in steps of 10 ms."""

    def __str__(self) -> str:
        answers = ", ".join(f"{n} x {what}" for what, n in sorted(self.answers.items()))
        return (
            f"{self.sent} malformed inputs: {answers}; {len(self.wrong)} faults; median "
            f"{self.middle * 1000:.1f} ms, slowest {self.slowest * 1000:.0f} ms as the sender sees "
            f"it; processor time {1000 * sum(self.worked) / len(self.worked):.1f} ms on average, "
            f"{1000 * sorted(self.worked)[len(self.worked) * 99 // 100]:.0f} ms for 99 of 100, "
            f"{1000 * max(self.worked):.0f} ms at most; memory of the process {self.growth:+.1f} MB"
        )


def token_of(address: str) -> str:
    """A token of a program that may send."""
    database = open_database(address)
    key = {"kty": "EC", "crv": "P-384", "x": "x", "y": "y"}
    with database.write() as connection:
        details = clients.Details(keys=(key,), scopes=("system/*.cruds",))
        clients.add(connection, "sender", "backend", details, at=1, roles=("feed",), client=CLIENT)
    database.close()
    return renewed(address)


def renewed(address: str) -> str:
    """Another token of the same program: one lives a quarter of an hour."""
    database = open_database(address)
    with database.write() as connection:
        granted = tokens.Granted(CLIENT, ("system/*.cruds",))
        token, _ = tokens.issue(connection, granted, at=clock.now())
    database.close()
    return token


def bodies(number: int, dice: random.Random) -> Iterator[tuple[str, str, bytes]]:
    """Malformed requests: method, path and body."""
    for count in range(number):
        if count % EACH == 0:
            one = str(count // EACH)
            every = bases(f"p{one}", one, f"h{one}")
        method, path, body = every[count % len(every)]
        match dice.randrange(200):
            case 0:
                yield method, path, b'{"resourceType":"Patient","x":' + b"[" * 200_000
            case 1:
                yield method, path, json.dumps(body | {"id": "x" * 5_000_000}).encode()
            case 2:
                yield method, path, b'{"resourceType":"Observation","v":' + b"9" * 5000 + b"}"
            case _:
                yield method, path, mutated(dice, body)


def fhir(service: Service, address: str, number: int, seed: int) -> Report:
    """Send bodies, and look at each answer."""
    token = token_of(address)
    report, times = Report(), []
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/fhir+json"}
    before = 0.0
    with httpx.Client(base_url=service.address, timeout=60, headers=headers) as client:
        for method, path, body in bodies(number, random.Random(seed)):  # noqa: S311  (seeded)
            began, spent = time.monotonic(), processor(service)
            answer = client.request(method, f"/fhir/{path}".rstrip("/"), content=body)
            times.append(time.monotonic() - began)
            report.worked.append(processor(service) - spent)
            report.answers[str(answer.status_code)] += 1
            if said := _bad(answer):
                report.wrong.append(f"input {report.sent} of seed {seed}: {said}")
            report.sent += 1
            if report.sent % 1000 == 0:
                client.headers["Authorization"] = f"Bearer {renewed(address)}"
            if report.sent == number // 4:
                before = memory(service)
        good = client.put("/fhir/Patient/good", json=patient("good", "77"))
        seen = client.put("/fhir/Observation/good", json=hemoglobin("good", "good"))
        if not (good.is_success and seen.is_success):
            report.wrong.append(f"good input afterwards: {good.status_code}, {seen.status_code}")
    report.growth = memory(service) - before
    return timed(report, times)


def _bad(answer: httpx.Response) -> str:
    if answer.status_code >= 500:
        return f"{answer.status_code} {answer.text[:200]}"
    if answer.status_code >= 400:
        found = answer.json()
        issues = found.get("issue") or [{}]
        if found.get("resourceType") != "OperationOutcome" or not issues[0].get("diagnostics"):
            return f"{answer.status_code} without an outcome that says what is wrong"
    return ""


def timed(report: Report, times: list[float]) -> Report:
    """The report with its times."""
    report.slowest, report.middle = max(times), sorted(times)[len(times) // 2]
    return report


def messages(number: int, dice: random.Random) -> Iterator[bytes]:
    """Damaged messages, framed."""
    for _ in range(number):
        if dice.randrange(500) == 0:
            yield b"\x0bMSH|^~\\&|" + b"x" * 10_000_000 + b"\x1c\r"
        else:
            # the signs of the frame inside a message are tested at the framing
            yield framed(damaged(dice).replace(b"\x0b", b"").replace(b"\x1c", b""))


def mllp(service: Service, number: int, seed: int) -> Report:
    """Send messages one by one, and look at each answer."""
    report, times, line, before = Report(), [], None, 0.0
    for sent in messages(number, random.Random(seed)):  # noqa: S311  (seeded)
        line = line or socket.create_connection(service.mllp, 30)
        began, spent = time.monotonic(), processor(service)
        code = _answered(line, sent)
        times.append(time.monotonic() - began)
        report.worked.append(processor(service) - spent)
        report.answers[code] += 1
        if code == "closed":
            line.close()
            line = None
        elif code not in {"AA", "AE", "AR", "CA", "CE", "CR", "silent"}:
            report.wrong.append(f"message {report.sent} of seed {seed}: {code}")
        report.sent += 1
        if report.sent == number // 4:
            before = memory(service)
    if line is not None:
        line.close()
    line = socket.create_connection(service.mllp, 30)
    if _answered(line, framed(cbc(obx(), control="GOOD1"))) != "AA":
        report.wrong.append("a good message afterwards was not taken")
    line.close()
    report.growth = memory(service) - before
    return timed(report, times)


def _answered(line: socket.socket, sent: bytes) -> str:
    """The code of the answer; `silent` for what asks for none."""
    line.settimeout(5 if b"|ACK" in sent or b"|NE" in sent or b"ACK" in sent else 60)
    framer = Framer()
    try:
        line.sendall(sent)
        while data := line.recv(65536):
            for answer in framer.feed(data):
                sign = b"\rMSA" + answer[3:4]  # the answer has the separator of the question
                return answer.partition(sign)[2][:2].decode("latin-1")
    except TimeoutError:
        return "silent"
    except OSError:
        return "closed"
    return "closed"


def memory(service: Service) -> float:
    """Resident megabytes of the service."""
    text = Path(f"/proc/{service.process.pid}/status").read_text()
    return int(text.partition("VmRSS:")[2].split()[0]) / 1024


def processor(service: Service) -> float:
    """Seconds of processor time that the service has used."""
    fields = Path(f"/proc/{service.process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def run(folder: Path, address: str, number: int, seed: int) -> dict[str, Report]:
    """Send both kinds to a service of its own."""
    prepare(folder, address)
    where = address or str(folder)
    service = Service(folder, "--port", "0", "--mllp-port", "0").wait_until_ready()
    try:
        found = {"F1": fhir(service, where, number, seed), "F2": mllp(service, number, seed)}
    finally:
        code = service.stop()
    for line in service.lines:
        if "Traceback" in line or '"level":"error"' in line or '"level": "error"' in line:
            found["F1"].wrong.append(f"in the log: {line[:300]}")
    if code != 0:
        found["F1"].wrong.append(f"the service ended with {code}")
    return found


def main() -> int:
    """Both kinds on both databases; print and keep the figures."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--number", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=20261128)
    parser.add_argument("--store", choices=("sqlite", "postgresql"))
    asked, bad = parser.parse_args(), 0
    with stores() as addresses, tempfile.TemporaryDirectory() as folder:
        for name, address in addresses.items():
            if asked.store not in (None, name):
                continue
            where = address if "://" in address else ""
            for row, report in run(Path(folder) / name, where, asked.number, asked.seed).items():
                good = not report.wrong and report.growth <= GROWTH
                bad += not good
                print(f"{row} {name}: {report}", *report.wrong[:10], sep="\n")  # noqa: T201
                by = f"python tests/operation/malformed.py --number {asked.number} ({name})"
                book.keep_figure(row, f"{name}: {report}", by=by, good=good)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
