"""What was done and agreed beside drugs: red cells, radiotherapy, consent, goals, visits, plans."""

from __future__ import annotations

import numpy as np

from redcell.codes import EXTENSION, HCPCS, SNOMED
from redcell.knowledge.load import Knowledge
from redcell.population.synthesize.chart import Chart, RedCells
from redcell.population.synthesize.fhir import (
    PALLIATIVE,
    TERMINOLOGY,
    Json,
    Pen,
    coded,
    loinc,
    mcode,
    quantity,
    snomed,
)
from redcell.population.synthesize.life import Beam, Life
from redcell.population.synthesize.medicines import medication
from redcell.population.synthesize.numbers import numbers
from redcell.population.synthesize.results import Results

UNIT_MINUTES, MORNING, CGY = 120, 9 * 60, 100
RED_CELLS = snomed("116863004", "Transfusion of red blood cells")
CLINIC = {"system": f"{TERMINOLOGY}v3-ActCode", "code": "AMB", "display": "ambulatory"}
HOME = {"system": f"{TERMINOLOGY}v3-ActCode", "code": "HH", "display": "home health"}
KINDS = {
    "infusion": ("Infusion visit", 180),
    "visit": ("Clinic visit", 30),
    "transfusion": ("Transfusion visit", 270),
}
GOALS = (
    "Stay well enough to look after the grandchildren",
    "Walk the dog every day",
    "Be at the wedding in the spring",
    "Fewer hospital visits, more days at home",
    "Keep working part time",
)
HAS_GOAL, HAS_PLAN, SOON = 0.35, 0.3, 70


class Care:
    """Writes the care of one person."""

    def __init__(
        self, k: Knowledge, pen: Pen, life: Life, chart: Chart, rng: np.random.Generator
    ) -> None:
        self.k, self.n, self.pen, self.life, self.chart, self.rng = (
            k, numbers(k), pen, life, chart, rng,
        )  # fmt: skip
        self.site = self.n.clinic[life.clinic]
        self.doctor = self.site.doctors[life.number % len(self.site.doctors)]
        self.joined = pen.time(life.span.joins, 7 * 60)

    def write(self, results: Results) -> None:
        """Everything."""
        self._team()
        self._red_cells(results)
        for beam in self.life.beams:
            self._beam(beam)
        self._wishes()
        self._end_of_life()
        self._visits()
        self._plans()

    def _team(self) -> None:
        people = [*self.site.doctors, *self.site.nurses]
        self.pen.write(
            "CareTeam", "team", self.joined,
            status="active",
            name=self.site.team,
            subject=self.pen.subject,
            participant=[{"member": {"display": who}} for who in people],
        )  # fmt: skip
        self.pen.write(
            "EpisodeOfCare", "episode", self.joined,
            status="active" if not self.life.span.died else "finished",
            type=[{"text": "Metastatic breast cancer"}],
            patient=self.pen.subject,
            period={"start": self.pen.day(self.life.span.joins)},
            careManager={"display": self.doctor},
        )  # fmt: skip

    # -- red cells -------------------------------------------------------------------------------

    def _red_cells(self, results: Results) -> None:
        known = [x for x in self.chart.red_cells if not x.elsewhere]
        both = self.rng.random() < self.n.clinic_practice.product_too
        for one in known:
            self._transfusion(one, product_too=both)
        if len(known) < len(self.chart.red_cells):
            units = sum(x.units for x in self.chart.red_cells)
            last = max(x.day for x in self.chart.red_cells)
            end = self.pen.time(last, 18 * 60) if last < self.pen.period.last else self.pen.end
            period = {"start": self.pen.day(self.life.span.joins), "end": end}
            results.local(
                "rbc-units-transfused", "red-cell units transfused", end,
                effectivePeriod=period, valueInteger=units,
            )  # fmt: skip

    def _transfusion(self, one: RedCells, *, product_too: bool) -> None:
        begin = self.pen.time(one.day, one.minute)
        end = self.pen.time(one.day, one.minute + one.units * UNIT_MINUTES)
        period = {"start": begin, "end": end}
        parts: Json = {}
        if product_too:
            self._product(one.units, period, end)
            parts["extension"] = [self._bag(end) for _ in range(one.units)]
        else:
            units = quantity(one.units, "{unit}")
            parts["extension"] = [{"url": f"{EXTENSION}units-transfused", "valueQuantity": units}]
        if one.reaction:
            parts["complication"] = [{"text": "Febrile non-hemolytic transfusion reaction"}]
        self.pen.write(
            "Procedure", "procedure", end,
            status="completed",
            code=RED_CELLS,
            subject=self.pen.subject,
            performedPeriod=period,
            **parts,
        )  # fmt: skip

    def _bag(self, written: str) -> Json:
        made = self.pen.write(
            "BiologicallyDerivedProduct", "bag", written,
            productCategory="cells",
            productCode={"text": "Red blood cells, leukocytes reduced"},
        )  # fmt: skip
        reference = {"reference": f"BiologicallyDerivedProduct/{made['id']}"}
        return {"url": f"{EXTENSION}product", "valueReference": reference}

    def _product(self, units: int, period: Json, written: str) -> None:
        name = "Red blood cells, leukocytes reduced, each unit"
        coding = [{"system": HCPCS, "code": "P9016", "display": name}]
        self.pen.write(
            "MedicationAdministration", "dose", written,
            status="completed",
            medicationCodeableConcept={"coding": coding, "text": "packed red blood cells"},
            subject=self.pen.subject,
            effectivePeriod=period,
            dosage={"dose": quantity(units, "{unit}")},
        )  # fmt: skip

    # -- radiotherapy ------------------------------------------------------------------------------

    def _beam(self, b: Beam) -> None:
        field, last = self.n.field[b.site], self.pen.period.last
        going = b.end > min(self.life.span.until, last - 1)
        if not self.pen.past(b.start, MORNING):
            return
        written = self.pen.time(b.start if going else b.end, 16 * 60)
        place = snomed(field.snomed, field.name, b.part or field.name)
        body = self.pen.write(
            "BodyStructure", "volume", written, "mcode-radiotherapy-volume",
            location=place,
            description=b.part or field.name,
            patient=self.pen.subject,
        )  # fmt: skip
        if b.part:
            body["locationQualifier"] = [{"text": b.part}]
        period = {"start": self.pen.day(b.start)}
        if not going:
            period["end"] = self.pen.day(b.end)
        self.pen.write(
            "Procedure", "procedure", written, "mcode-radiotherapy-course-summary",
            extension=[PALLIATIVE, _sessions(b), _technique(), _delivered(b, body["id"])],
            status="in-progress" if going else "completed",
            category=snomed("108290001", "Radiation oncology AND/OR radiotherapy (procedure)"),
            code=snomed("1217123003", "Radiotherapy course of treatment (regime/therapy)"),
            subject=self.pen.subject,
            performedPeriod=period,
            bodySite=[place],
        )  # fmt: skip

    # -- wishes ------------------------------------------------------------------------------------

    def _wishes(self) -> None:
        life = self.life
        if self.rng.random() < HAS_GOAL:
            self.pen.write(
                "Goal", "goal", self.joined,
                lifecycleStatus="active",
                description={"text": GOALS[int(self.rng.integers(len(GOALS)))]},
                subject=self.pen.subject,
            )  # fmt: skip
        if not life.wish:
            return
        denied = {
            "coding": [{"system": SNOMED, "code": "116863004"}],
            "text": "transfusion of red blood cells",
        }
        if life.wish == "unclear":
            denied = {"text": "transfusion"}
        self.pen.write(
            "Consent", "consent", self.joined,
            status="active",
            scope=coded("consentscope", "treatment"),
            category=[loinc("59284-0", "Consent Document")],
            patient=self.pen.subject,
            dateTime=self.pen.day(life.span.joins),
            policyRule={"text": "informed refusal of a treatment"},
            provision={"type": "deny", "code": [denied]},
        )  # fmt: skip

    def _end_of_life(self) -> None:
        life, pen = self.life, self.pen
        since = max(life.span.until - 25, life.span.joins)
        if life.hospice:
            hospice = snomed("385763009", "Hospice care")
            written = pen.time(since, 11 * 60)
            pen.write(
                "ServiceRequest", "request", written,
                status="active", intent="order", code=hospice, subject=pen.subject,
                authoredOn=pen.day(since), requester={"display": self.doctor},
            )  # fmt: skip
            self._encounter("in-progress", hospice, {"start": pen.day(since)}, written, HOME)
        if life.prognosis:
            end = pen.day(pen.period.last + int(self.rng.integers(14, 120)))
            written = pen.time(since, 12 * 60)
            pen.write(
                "RiskAssessment", "risk", written,
                status="final", subject=pen.subject, occurrenceDateTime=pen.day(since),
                prediction=[{"outcome": snomed("419620001", "Death"), "whenPeriod": {"end": end}}],
            )  # fmt: skip
            pen.write(
                "ClinicalImpression", "impression", written,
                status="completed", subject=pen.subject, effectiveDateTime=written,
                prognosisCodeableConcept=[{"text": "months" if not life.hospice else "weeks"}],
            )  # fmt: skip

    # -- visits and plans --------------------------------------------------------------------------

    def _visits(self) -> None:
        for day, minute, kind in self.chart.visits:
            if not self.pen.past(day, minute):
                continue
            text, length = KINDS[kind]
            period, status = {"start": self.pen.time(day, minute)}, "in-progress"
            if self.pen.past(day, minute + length):
                period["end"], status = self.pen.time(day, minute + length), "finished"
            written = period.get("end", period["start"])
            self._encounter(status, {"text": text}, period, written, CLINIC)

    def _encounter(self, status: str, kind: Json, period: Json, written: str, place: Json) -> None:
        parts: Json = {
            "status": status,
            "class": place,
            "type": [kind],
            "subject": self.pen.subject,
            "participant": [{"individual": {"display": self.doctor}}],
            "period": period,
        }
        self.pen.write("Encounter", "visit", written, **parts)

    def _plans(self) -> None:
        """What lies ahead: the care plan of the line in progress, and the next appointments."""
        life, chart = self.life, self.chart
        if life.span.died:
            return
        line = chart.lines[-1] if chart.lines and chart.lines[-1].end is None else None
        if line is not None and self.rng.random() < HAS_PLAN:
            regimen, start = self.n.regimen[line.regimen], self.pen.day(line.start)
            period = {"start": start, "end": self.pen.day(line.planned_until)}
            details = [
                {
                    "kind": "MedicationRequest",
                    "status": "on-hold" if line.held_since is not None else "in-progress",
                    "productCodeableConcept": medication(self.k, slug),
                    "scheduledPeriod": period,
                }
                for slug in regimen.infusions
            ]
            if details:
                self.pen.write(
                    "CarePlan", "plan", self.pen.time(line.start, 8 * 60),
                    status="active", intent="plan", title="Treatment plan",
                    subject=self.pen.subject, period=period,
                    activity=[{"detail": detail} for detail in details],
                )  # fmt: skip
        for day, text, hour in (
            (chart.next_count, "Blood test", 8),
            (chart.next_treatment, "Infusion", 10),
        ):
            if day is not None and self.pen.period.last < day <= self.pen.period.last + SOON:
                self._appointment(day, hour, text)

    def _appointment(self, day: int, hour: int, text: str) -> None:
        begin = hour * 60 + 15 * int(self.rng.integers(0, 8))
        self.pen.write(
            "Appointment", "appointment", self.pen.time(self.life.span.until, 7 * 60),
            status="booked",
            serviceType=[{"text": text}],
            description=text,
            start=self.pen.time(day, begin),
            end=self.pen.time(day, begin + (30 if text == "Blood test" else 180)),
            participant=[
                {"actor": self.pen.subject, "status": "accepted"},
                {"actor": {"display": self.site.nurses[0]}, "status": "accepted"},
            ],
        )  # fmt: skip


def _sessions(b: Beam) -> Json:
    return {"url": mcode("mcode-radiotherapy-sessions"), "valueUnsignedInt": b.fractions}


def _technique() -> Json:
    modality = snomed("1156506007", "External beam radiation therapy using photons (procedure)")
    technique = snomed(
        "1162782007", "Three dimensional external beam radiation therapy (procedure)"
    )
    return {
        "url": mcode("mcode-radiotherapy-modality-and-technique"),
        "extension": [
            {"url": mcode("mcode-radiotherapy-modality"), "valueCodeableConcept": modality},
            {"url": mcode("mcode-radiotherapy-technique"), "valueCodeableConcept": technique},
        ],
    }


def _delivered(b: Beam, volume: str) -> Json:
    return {
        "url": mcode("mcode-radiotherapy-dose-delivered-to-volume"),
        "extension": [
            {"url": "volume", "valueReference": {"reference": f"BodyStructure/{volume}"}},
            {"url": "totalDoseDelivered", "valueQuantity": quantity(b.gray * CGY, "cGy")},
            {"url": "fractionsDelivered", "valueUnsignedInt": b.fractions},
        ],
    }
