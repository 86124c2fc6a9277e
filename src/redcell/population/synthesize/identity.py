"""Who an invented person is and what they have: Patient, Conditions, habits, body size."""

from __future__ import annotations

import numpy as np

from redcell.codes import EXTENSION
from redcell.knowledge.load import Knowledge
from redcell.population.synthesize.chart import Chart, Remedy
from redcell.population.synthesize.fhir import (
    CATEGORY,
    IDENTIFIER,
    TERMINOLOGY,
    Json,
    Pen,
    coded,
    icd10,
    loinc,
    quantity,
    snomed,
)
from redcell.population.synthesize.life import Life
from redcell.population.synthesize.numbers import numbers
from redcell.population.synthesize.results import Results

NUMBERS, STEP = 10_000_000, 7_368_787
"""How many record numbers there are, and the step from one person's to the next's."""
SITES = "urn:redcell:demo:clinic"
MORNING, YEAR = 9 * 60, 365
SMOKING = {
    "daily": ("449868002", "Smokes tobacco daily"),
    "former": ("8517006", "Ex-smoker"),
    "never": ("266919005", "Never smoked tobacco"),
}
OWN_SATURATION = 88
WEIGHED = 28


def record_number(seed: int, number: int) -> str:
    """The record number of a person: no two of the first ten million people share one."""
    return f"D{(number * STEP + seed % NUMBERS) % NUMBERS:07d}"


class Identity:
    """Writes who a person is."""

    def __init__(self, k: Knowledge, pen: Pen, life: Life, rng: np.random.Generator) -> None:
        self.k, self.n, self.pen, self.life, self.rng = k, numbers(k), pen, life, rng
        self.site = self.n.clinic[life.clinic]

    def patient(self) -> None:
        """The Patient."""
        life, written = self.life, self.pen.time(self.life.span.joins, 7 * 60)
        made: Json = {
            "resourceType": "Patient",
            "id": life.id,
            "meta": self.pen.meta(
                self.pen.time(life.span.until, 7 * 60) if life.span.died else written
            ),
        }
        if life.altitude is not None:
            meters = quantity(life.altitude, "m")
            made["extension"] = [{"url": f"{EXTENSION}residence-altitude", "valueQuantity": meters}]
        kind = {"coding": [{"system": f"{TERMINOLOGY}v2-0203", "code": "MR"}]}
        value = record_number(self.pen.period.seed, life.number)
        made |= {
            "identifier": [{"use": "usual", "type": kind, "system": IDENTIFIER, "value": value}],
            "active": True,
            "name": [{"use": "official", "family": life.family, "given": [life.given]}],
            "gender": life.sex,
            "birthDate": life.born.isoformat(),
        }
        if life.span.died:
            made["deceasedDateTime"] = self.pen.day(life.span.until)
        made["generalPractitioner"] = [
            {"display": self.site.doctors[life.number % len(self.site.doctors)]}
        ]
        made["managingOrganization"] = {
            "identifier": {"system": SITES, "value": life.clinic},
            "display": self.site.team,
        }
        self.pen.written.append(made)

    # -- conditions ------------------------------------------------------------------------------

    def conditions(self, chart: Chart) -> None:
        """Cancer, metastases, other diseases with their drugs, and what is said not to be there."""
        life, n = self.life, self.n
        breast = "C50.929" if life.sex == "male" else "C50.919"
        words = "male" if life.sex == "male" else "female"
        name = f"Malignant neoplasm of unspecified site of unspecified {words} breast"
        begun = life.span.joins - int(self.rng.integers(30, 6 * YEAR))
        self._condition(
            icd10(breast, name), begun, "mcode-primary-cancer-condition",
            stage=[{"summary": {"text": "Stage IV"}}],
        )  # fmt: skip
        for place in life.metastases:
            m = n.metastasis[place]
            site = [snomed(*m.site)]
            when = life.span.joins - int(self.rng.integers(5, 300))
            self._condition(
                icd10(m.icd10, m.name), when, "mcode-secondary-cancer-condition", bodySite=site
            )
        for disease in life.diseases:
            c = n.comorbidity[disease]
            ago = (
                int(self.rng.integers(20, YEAR))
                if c.dated
                else int(self.rng.integers(YEAR, 9 * YEAR))
            )
            self._condition(icd10(c.icd10, c.name), life.span.joins - ago)
            for drug in c.drugs:
                chart.remedies.append(Remedy(drug, life.span.joins, None))
        if life.no_heart_disease and not life.has("coronary", "heart-failure"):
            absent = icd10(n.absent.icd10, n.absent.name)
            self._condition(absent, None, verified="refuted")

    def _condition(
        self,
        code: Json,
        onset: int | None,
        profile: str = "",
        verified: str = "confirmed",
        **parts: object,
    ) -> None:
        written = self.pen.time(self.life.span.joins, 7 * 60)
        if verified == "confirmed":
            parts["clinicalStatus"] = coded("condition-clinical", "active")
        if onset is not None:
            parts["onsetDateTime"] = self.pen.day(onset)
        self.pen.write(
            "Condition", "condition", written, profile,
            verificationStatus=coded("condition-ver-status", verified),
            category=[coded("condition-category", "problem-list-item")],
            code=code,
            subject=self.pen.subject,
            recordedDate=self.pen.day(self.life.span.joins),
            **parts,
        )  # fmt: skip

    # -- habits and body size ----------------------------------------------------------------------

    def observations(self, results: Results, chart: Chart) -> None:
        """Height once, weight every few weeks, ECOG with it, smoking, a saturation of one's own."""
        life, pen = self.life, self.pen
        if not pen.past(life.span.joins, MORNING):
            return
        first = pen.time(life.span.joins, MORNING)
        results.one("height", life.height, first, first)
        self._smoking(first)
        if life.smoking == "daily":
            results.one("packs-per-day", PACKS, first, first)
        if life.has("copd"):
            value = {"effectiveDateTime": first, "valueQuantity": quantity(OWN_SATURATION, "%")}
            results.local("spo2-limit", "lowest accepted oxygen saturation", first, **value)
        weight, ecog = life.weight, int(self.rng.random() < FIT)
        days = sorted(
            {day for day, _, kind in chart.visits if kind != "transfusion"} | {life.span.joins}
        )
        last = -WEIGHED
        for day in days:
            if day - last < WEIGHED or not pen.past(day, MORNING):
                continue
            last = day
            weight *= 1 + 0.012 * self.rng.normal()
            time = pen.time(day, MORNING)
            results.one("weight", weight, time, time)
            if self.rng.random() < CHANGES:
                ecog = min(ecog + 1, LEAST_FIT if not life.hospice else BEDBOUND)
            self._ecog(ecog, time)

    def _ecog(self, grade: int, time: str) -> None:
        self.pen.write(
            "Observation", "o", time,
            status="final",
            category=CATEGORY["survey"],
            code=loinc("89247-1", "ECOG Performance Status score"),
            subject=self.pen.subject,
            effectiveDateTime=time,
            valueInteger=grade,
        )  # fmt: skip

    def _smoking(self, time: str) -> None:
        self.pen.write(
            "Observation", "o", time,
            status="final",
            category=CATEGORY["social-history"],
            code=loinc("72166-2", "Tobacco smoking status"),
            subject=self.pen.subject,
            effectiveDateTime=time,
            valueCodeableConcept=snomed(*SMOKING[self.life.smoking]),
        )  # fmt: skip


FIT, CHANGES, PACKS = 0.6, 0.1, 0.5
LEAST_FIT, BEDBOUND = 2, 4
