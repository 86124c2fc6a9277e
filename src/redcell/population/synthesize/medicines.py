"""Medication resources of invented people: infusions, tablets, orders, and drugs beside them."""

from __future__ import annotations

from functools import lru_cache

from redcell.codes import ATC, EXTENSION, RXNORM
from redcell.knowledge.load import Knowledge
from redcell.population.synthesize.chart import Chart, Dose, Line, Remedy, Tablets
from redcell.population.synthesize.fhir import PALLIATIVE, Json, Pen, quantity
from redcell.population.synthesize.life import Life
from redcell.population.synthesize.numbers import Regimen, numbers

REASONS = {
    "hemoglobin": "held: hemoglobin below 8 g/dL",
    "neutrophils": "held: neutrophils too low",
    "counts": "delayed: blood counts too low",
}
CM2_KG = 3600.0
"""Mosteller: body surface in m2 is the root of height (cm) times weight (kg) over this."""
SUPPLY, HOUR, MORNING = 28, 60, 9 * 60
STATEMENT, DISPENSE = 0.7, 0.92
"""Shares of people whose tablets are on file as statements, and as those or dispenses."""


@lru_cache(maxsize=512)
def medication(k: Knowledge, slug: str) -> Json:
    """A cancer drug by RxNorm, else ATC, and by name."""
    drug = k.drugs[slug]
    system, code = (RXNORM, drug.rxnorm[0]) if drug.rxnorm else (ATC, drug.atc[0])
    return {"coding": [{"system": system, "code": code, "display": drug.name}], "text": drug.name}


@lru_cache(maxsize=64)
def remedy(k: Knowledge, name: str) -> Json:
    """Another drug by ATC and name."""
    code = numbers(k).support[name][0]
    return {"coding": [{"system": ATC, "code": code, "display": name}], "text": name}


class Medicines:
    """Writes the medication resources of one person."""

    def __init__(self, k: Knowledge, pen: Pen, life: Life, chart: Chart, draw: float) -> None:
        self.k, self.n, self.pen, self.life, self.chart = k, numbers(k), pen, life, chart
        self.tablets_as = (
            "statement" if draw < STATEMENT else "dispense" if draw < DISPENSE else "request"
        )
        self.references: dict[str, Json] = {}
        self.surface = (life.height * life.weight / CM2_KG) ** 0.5

    def write(self) -> None:
        """Everything about drugs."""
        for dose in self.chart.doses:
            self._dose(dose)
        for line in self.chart.lines:
            self._orders(line)
        for tablets in self.chart.tablets:
            self._tablets(tablets)
        for one in self.chart.remedies:
            self._remedy(one)

    def _named(self, slug: str, written: str) -> Json:
        """How this clinic names a drug: in the resource, or as a Medication that it refers to."""
        code = medication(self.k, slug)
        if not self.n.clinic[self.life.clinic].references:
            return {"medicationCodeableConcept": code}
        if slug not in self.references:
            made = self.pen.write("Medication", "drug", written, code=code, status="active")
            self.references[slug] = {
                "reference": f"Medication/{made['id']}",
                "display": code["text"],
            }
        return {"medicationReference": self.references[slug]}

    # -- infusions -------------------------------------------------------------------------------

    def _dose(self, d: Dose) -> None:
        if d.given and not self.pen.past(d.day, d.minute + HOUR):
            return
        if not self.pen.past(d.day, d.minute):
            return
        regimen = self._regimen(d.day)
        text = f"cycle {d.cycle} day {d.cycle_day}"
        begin, end = self.pen.time(d.day, d.minute), self.pen.time(d.day, d.minute + HOUR)
        parts: Json = {
            "status": "completed" if d.given else "not-done",
            **self._named(d.slug, begin),
            "subject": self.pen.subject,
            "effectivePeriod": {"start": begin, "end": end},
        }
        if d.given:
            amount = regimen.doses[d.slug] if regimen else ""
            parts["dosage"] = {"text": text, **self._amount(amount, d.fraction)}
            parts["extension"] = [
                {"url": f"{EXTENSION}cycle-number", "valuePositiveInt": d.cycle},
                {"url": f"{EXTENSION}cycle-day", "valuePositiveInt": d.cycle_day},
            ]
        else:
            parts["statusReason"] = [{"text": REASONS[d.reason]}]
            parts["effectivePeriod"] = {"start": begin}
        self.pen.write("MedicationAdministration", "dose", end if d.given else begin, **parts)

    def _amount(self, said: str, fraction: float) -> Json:
        """The dose of this person: by body surface, by weight, or as it is."""
        if not said:
            return {}
        number, _, unit = said.partition(" ")
        size = {"m2": self.surface, "kg": self.life.weight}
        plain, _, per = unit.partition("/")
        value = round(float(number) * size.get(per, 1.0) * fraction, 1)
        return {"dose": quantity(value, plain)}

    def _regimen(self, day: int) -> Regimen | None:
        lines = [x for x in self.chart.lines if x.start <= day]
        return self.n.regimen[lines[-1].regimen] if lines else None

    # -- orders ----------------------------------------------------------------------------------

    def _orders(self, line: Line) -> None:
        """An order for each drug of a line; the plan of a line that goes on ends in the future."""
        regimen = self.n.regimen[line.regimen]
        for slug in regimen.drugs:
            if slug in regimen.tablets and self.tablets_as == "statement":
                continue
            held = line.held_since is not None and line.end is None
            status = "completed" if line.end is not None else "on-hold" if held else "active"
            changed = line.end if line.end is not None else line.held_since if held else line.start
            end = line.end if line.end is not None else line.planned_until
            days = regimen.infusions.get(slug)
            text = _schedule(days, regimen.cycle) if days else f"{regimen.tablets[slug]} daily"
            repeat = {"boundsPeriod": {"start": self.pen.day(line.start), "end": self.pen.day(end)}}
            self.pen.write(
                "MedicationRequest", "order", self.pen.time(int(changed or 0), 6 * HOUR),
                extension=[PALLIATIVE],
                status=status,
                intent="order",
                subject=self.pen.subject,
                **self._named(slug, self.pen.time(line.start, 6 * HOUR)),
                authoredOn=self.pen.day(line.start),
                requester={"display": self.n.clinic[self.life.clinic].doctors[0]},
                dosageInstruction=[{"text": text, "timing": {"repeat": repeat}}],
            )  # fmt: skip

    # -- tablets ---------------------------------------------------------------------------------

    def _tablets(self, t: Tablets) -> None:
        regimen = self._regimen(t.start)
        said = regimen.tablets[t.slug] if regimen else ""
        if self.tablets_as == "dispense":
            self._dispense(t)
            return
        if self.tablets_as == "request":
            return
        amount = self._amount(said, t.fraction)
        status = "active" if t.end is None else "on-hold" if t.held else "stopped"
        last = t.start if t.end is None else t.end
        period = {"start": self.pen.day(t.start)}
        if t.end is not None:
            period["end"] = self.pen.day(t.end)
        self.pen.write(
            "MedicationStatement", "tablets", self.pen.time(last, 6 * HOUR),
            status=status,
            subject=self.pen.subject,
            **self._named(t.slug, self.pen.time(t.start, 6 * HOUR)),
            effectivePeriod=period,
            dateAsserted=self.pen.day(last),
            dosage=[{"text": f"{said} daily", "doseAndRate": [{"doseQuantity": amount["dose"]}]}],
        )  # fmt: skip

    def _dispense(self, t: Tablets) -> None:
        """A supply of four weeks as often as tablets were taken."""
        end = t.end if t.end is not None else self.life.span.until + 1
        for day in range(t.start, end, SUPPLY):
            if self.pen.past(day, MORNING):
                self.pen.write(
                    "MedicationDispense", "supply", self.pen.time(day, MORNING),
                    status="completed",
                    subject=self.pen.subject,
                    **self._named(t.slug, self.pen.time(day, MORNING)),
                    whenHandedOver=self.pen.time(day, MORNING),
                    daysSupply=quantity(SUPPLY, "d"),
                )  # fmt: skip

    # -- other drugs -----------------------------------------------------------------------------

    def _remedy(self, one: Remedy) -> None:
        if not self.pen.past(one.start, MORNING) or one.start > self.life.span.until:
            return
        dose = self.n.support[one.name][1]
        number, _, unit = dose.partition(" ")
        amount = quantity(float(number), unit)
        written = self.pen.time(one.start, MORNING)
        if one.end == one.start:
            self.pen.write(
                "MedicationAdministration", "dose", written,
                status="completed",
                medicationCodeableConcept=remedy(self.k, one.name),
                subject=self.pen.subject,
                effectiveDateTime=written,
                dosage={"text": dose, "dose": amount},
            )  # fmt: skip
            return
        self.pen.write(
            "MedicationStatement", "tablets", written,
            status="active",
            medicationCodeableConcept=remedy(self.k, one.name),
            subject=self.pen.subject,
            effectivePeriod={"start": self.pen.day(one.start)},
            dosage=[{"text": f"{dose} daily", "doseAndRate": [{"doseQuantity": amount}]}],
        )  # fmt: skip


def _schedule(days: tuple[int, ...], cycle: int) -> str:
    if len(days) == 1:
        return f"day {days[0]} of {cycle}"
    return f"days {', '.join(str(d) for d in days[:-1])} and {days[-1]} of {cycle}"
