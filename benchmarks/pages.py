"""How fast the care team's pages are made: the worklist of 10,000 people, one chart.

    python benchmarks/pages.py [--people 10000] [--rounds 40]

Times are those of the server: the route, its audit entry and the template, without a network.
The lines are written straight into the table; the chart is the bundled example.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
from msgspec.structs import replace
from starlette.datastructures import URL, Headers, QueryParams

from redcell import clock
from redcell.clinic import intake, refresh
from redcell.clinic.intake import Sender, arrived
from redcell.clinic.lines import LEVELS, Complaint, Detail, Point, Reason
from redcell.clinic.service import Clinic, make_store
from redcell.clinic.settings import Settings, Site
from redcell.clinic.versions import decode_json
from redcell.identity.caller import Caller
from redcell.sources.read import EXAMPLES
from redcell.store import assessments
from redcell.store.assessments import Assessment, Line
from redcell.web.app import Options, create_app
from redcell.web.pages.chart import routes as chart
from redcell.web.pages.today import routes as today

LIMITS = {
    "today": 300.0,
    "today, after a change": 300.0,
    "chart": 200.0,
    "chart, first look": 200.0,
}
NURSE = Caller("nurse", "Nurse", frozenset({"nurse"}))
WEEK = 7


def main() -> int:
    """Print the table; 1 when a figure is over its limit."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--people", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=40)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        clinic = made(Path(folder), asked.people)
        app = create_app(clinic, Options(works=False))
        rows = list(measure(clinic, app, asked.rounds))
        clinic.close()
    print(f"{asked.people} people, {asked.rounds} rounds; server time in ms")
    print(f"{'page':<26}{'CPU':>9}{'median':>9}{'p95':>9}{'limit':>9}")
    for name, cpu, wall in rows:
        cells = (statistics.median(cpu), statistics.median(wall), p95(wall))
        print(f"{name:<26}" + "".join(f"{c:>9.1f}" for c in cells) + f"{LIMITS[name]:>9.0f}")
    return int(any(p95(wall) > LIMITS[name] for name, _, wall in rows))


def p95(spent: list[float]) -> float:
    """The time under which 95 of 100 rounds stay."""
    return sorted(spent)[max(0, round(0.95 * len(spent)) - 1)]


def made(folder: Path, people: int) -> Clinic:
    """A clinic with a full worklist and one whole record."""
    settings = Settings(site=Site(name="Benchmark", phone="555-0100"), secure_cookies=False)
    make_store(folder, settings)
    clinic = Clinic(folder, settings)
    now = clock.now()
    for start in range(0, people, 1000):
        many = [line(n, now) for n in range(start, min(start + 1000, people))]
        clinic.writer.write(lambda c, many=many: assessments.put_lines(c, many))
    resources = [
        e["resource"] for e in decode_json((EXAMPLES / "okafor.json").read_bytes())["entry"]
    ]
    body = json.dumps(resources, default=float).encode()
    arrival = arrived("lab", "fhir", "okafor", body, now)
    clinic.writer.write(lambda c: intake.take(c, arrival, resources, Sender("lab", "feed")))
    assess(clinic)
    return clinic


def assess(clinic: Clinic) -> None:
    """Assess the whole record, as the background worker does."""
    basis = clinic.basis()
    with clinic.database.read() as connection:
        found = refresh.assess(connection, "okafor", basis, at=clock.now())
    if found is None:
        raise SystemExit("the bundled example was not taken in")
    clinic.writer.write(lambda c: refresh.keep(c, found, basis))


def line(number: int, now: int) -> Line:
    """One invented line, as long as real ones are."""
    level = (5, 5, 5, 4, 5, 2, 5, 3, 5, 5)[number % 10]
    course = tuple(
        Point(now - k * WEEK * clock.DAY, 9 + (number * k) % 4 - k * 0.1) for k in range(11, -1, -1)
    )
    detail = Detail(
        sex="female",
        birth_date=f"19{40 + number % 50}-03-12",
        reasons=(
            Reason("S-R9", "Low count with a risk: hemoglobin 7.6 g/dL, from 7 g/dL to below 8."),
            Reason("T11", "Below 8 g/dL with heart or lung disease, a fast pulse or symptoms."),
        ),
        symptoms=(Complaint("fatigue", 2), Complaint("pale-skin", 1), Complaint("weakness", 1)),
        symptoms_asked=True,
        course=course,
        change=-0.4,
        forecast="ok",
        overdue=number % 37 == 0,
    )
    return Line(
        person=f"p{number:06}", assessment=number + 1, made=now, level=level,
        urgency=LEVELS[level], status="assessed", name=f"FAMILY{number * 7919 % 10_007}, Given",
        mrn=f"{number:08}", hemoglobin=course[-1].value, hemoglobin_at=now, grade=2,
        decision="consider", due=f"2099-12-{1 + number % 28:02}", probability=0.4,
        held=int(number % 211 == 0), state=f"{number:032}", body=msgspec.json.encode(detail),
    )  # fmt: skip


def request(app: Any, path: str, query: str = "") -> Any:
    """As much of a request as a page's route asks for."""
    state = SimpleNamespace(caller=NURSE, csrf=lambda: "0" * 64)
    return SimpleNamespace(
        app=app, state=state, url=URL(path), query_params=QueryParams(query),
        headers=Headers({}), cookies={}, method="GET",
    )  # fmt: skip


def timed(
    act: Callable[[], Any], rounds: int, before: Callable[[], Any] | None = None
) -> tuple[list[float], list[float]]:
    """CPU and wall milliseconds of each round."""
    cpu, wall = [], []
    for _ in range(rounds):
        if before is not None:
            before()
        one, other = time.process_time(), time.perf_counter()
        act()
        cpu.append((time.process_time() - one) * 1000)
        wall.append((time.perf_counter() - other) * 1000)
    return cpu, wall


def measure(clinic: Clinic, app: Any, rounds: int) -> Any:
    """Every page, by name."""

    def list_page() -> Any:
        return today.today(request(app, "/today"))

    def chart_page() -> Any:
        return chart.chart(request(app, "/patients/okafor"), "okafor")

    numbers = iter(range(10**6, 10**7))

    def changed() -> None:
        kept = Assessment("p000005", 1, 1, "", (), "", "", "", "x", "assessed", b"{}")
        newer = replace(line(5, clock.now()), assessment=next(numbers))
        clinic.writer.write(lambda c: assessments.add(c, kept))
        clinic.writer.write(lambda c: assessments.put_lines(c, [newer]))

    def forget() -> None:
        if hasattr(app.state, "charts"):
            del app.state.charts

    list_page()
    chart_page()
    yield "today", *timed(list_page, rounds)
    yield "today, after a change", *timed(list_page, rounds, changed)
    yield "chart", *timed(chart_page, rounds)
    yield "chart, first look", *timed(chart_page, rounds, forget)


if __name__ == "__main__":
    sys.exit(main())
