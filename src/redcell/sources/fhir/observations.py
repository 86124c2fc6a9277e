"""FHIR Observations: laboratory results, vital signs, smear, symptoms, ECOG, smoking."""

from __future__ import annotations

from typing import cast

from msgspec import Struct

from redcell.codes import LOINC, REDCELL, SNOMED
from redcell.record.measured import Coded, Measured, Status
from redcell.record.moment import Moment
from redcell.record.symptoms import Course, SymptomReport
from redcell.record.transfusions import TransfusionTotal
from redcell.sources.fhir.reading import Located, Reading, clinical_time
from redcell.sources.fhir.resources import (
    CodeableConcept,
    Component,
    Observation,
    Quantity,
    ReferenceRange,
)
from redcell.sources.terms import Concept

USED = ("final", "amended", "corrected", "preliminary")
SILENT = ("cancelled", "registered", "unknown")
ONSET = "11368-8"
FLUIDS = ("urine", "csf", "cerebrospinal", "pleural", "peritoneal", "ascit", "synovial", "stool")


class Value(Struct):
    """What an Observation or one of its components says."""

    concept: Concept
    quantity: Quantity | None = None
    codeable: CodeableConcept | None = None
    text: str = ""
    integer: int | None = None
    boolean: bool | None = None
    absent: bool = False
    ranges: list[ReferenceRange] = []


class Stamp(Struct):
    """What every fact from one Observation carries."""

    time: Moment
    reference: str
    status: Status
    issued: Moment | None
    version: str
    note: str


def read_observation(reading: Reading, where: Located, o: Observation) -> None:
    """Turn one Observation into facts, or set it aside with the reason."""
    if o.status in SILENT:
        return
    if o.status == "entered-in-error":
        text = "this result was entered in error; it was not used."
        reading.set_aside("entered-in-error-ignored", where, text)
        return
    if o.status not in USED:
        reading.set_aside(
            "status-not-understood", where, f"status {o.status!r} is not one that counts."
        )
        return
    time = clinical_time(reading, where, o)
    if time is None:
        reading.set_aside("time-missing", where, "it has no clinical time; it was not used.")
        return
    if o.status in ("amended", "corrected"):
        reading.set_aside(
            "corrected-result-used", where, f"{o.code.label}: a corrected result was used."
        )
    stamp = Stamp(
        time,
        where.reference,
        cast(Status, o.status),
        reading.when(where, o.issued),
        o.meta.versionId or o.meta.lastUpdated,
        " ".join(n.text for n in o.note),
    )
    if _total_units(reading, o, stamp):
        return
    own = Value(
        o.code.concept,
        o.valueQuantity,
        o.valueCodeableConcept,
        o.valueString,
        o.valueInteger,
        o.valueBoolean,
        o.dataAbsentReason is not None,
        o.referenceRange,
    )
    known = _read(reading, where, o, own, stamp)
    for part in o.component:
        inner = Value(
            part.code.concept,
            part.valueQuantity,
            part.valueCodeableConcept,
            part.valueString,
            part.valueInteger,
            part.valueBoolean,
            part.dataAbsentReason is not None,
            part.referenceRange,
        )
        if reading.terms.analyte(inner.concept) is not None or _panel(reading, o):
            known = _laboratory(reading, where, o, inner, stamp) or known
    if not known:
        text = f"{own.concept} is not an analyte or symptom that redcell knows; it was not used."
        reading.set_aside("unmapped-code", where, text)


def _panel(reading: Reading, o: Observation) -> bool:
    return any(code in reading.terms.panels for code in o.code.concept.in_system(LOINC))


def _read(reading: Reading, where: Located, o: Observation, value: Value, stamp: Stamp) -> bool:
    if _panel(reading, o):
        return True
    if reading.terms.analyte(value.concept) is not None:
        return _laboratory(reading, where, o, value, stamp)
    if _symptom(reading, where, o, value, stamp):
        return True
    return _laboratory(reading, where, o, value, stamp)


def _total_units(reading: Reading, o: Observation, stamp: Stamp) -> bool:
    if "rbc-units-transfused" not in o.code.concept.in_system(REDCELL):
        return False
    period = o.effectivePeriod
    units = o.valueInteger
    if units is None and o.valueQuantity is not None and o.valueQuantity.value is not None:
        units = int(o.valueQuantity.value)
    start = stamp.time
    end = stamp.time
    where = Located("", stamp.reference, "", o, b"")
    if period is not None:
        start = reading.when(where, period.start) or start
        end = reading.when(where, period.end) or end
    if units is not None:
        reading.add(TransfusionTotal(start, end, float(units), stamp.reference))
    return True


# -- laboratory --------------------------------------------------------------------------------


def _laboratory(
    reading: Reading, where: Located, o: Observation, value: Value, stamp: Stamp
) -> bool:
    """Read a result; true when the code or name is one that redcell knows."""
    slug = reading.terms.analyte(value.concept) or _by_name(reading, o, value)
    if slug is None:
        return False
    analyte = reading.knowledge.analytes[slug]
    if value.absent:
        return True
    if slug in ("ecog", "smoking-status", "pregnancy-status") or analyte.kind != "number":
        _coded(reading, slug, analyte.kind, value, stamp)
        return True
    quantity = value.quantity
    if quantity is None and value.integer is not None:
        quantity = Quantity(value=float(value.integer), unit=analyte.unit)
    if quantity is None or quantity.value is None:
        return True
    read = _convert(reading, where, slug, value, quantity)
    if read is None:
        return True
    low, high = _limits(reading, slug, value.ranges, quantity)
    if slug == "hypersegmented-percent":
        _percent(reading, "hypersegmented", read, stamp)
        return True
    if slug == "cigarettes-per-day":
        slug, read = (
            "packs-per-day",
            read / reading.knowledge.file("analytes")["smoking"]["pack"]["value"],
        )
        analyte = reading.knowledge.analytes[slug]
    note = " ".join(x for x in (stamp.note, o.method.label if o.method else "") if x)
    reading.add(
        Measured(
            analyte=slug,
            value=read,
            ucum=analyte.unit,
            time=stamp.time,
            reference=stamp.reference,
            status=stamp.status,
            comparator=quantity.comparator,
            low=low,
            high=high,
            issued=stamp.issued,
            version=stamp.version,
            original=f"{quantity.value:g} {quantity.sent_unit}",
            note=note,
        )
    )
    return True


def _by_name(reading: Reading, o: Observation, value: Value) -> str | None:
    """An outside laboratory's result by its whole name; never against a LOINC code."""
    if value.concept.in_system(LOINC):
        return None
    specimen = o.specimen.display.lower() if o.specimen else ""
    if any(fluid in specimen for fluid in FLUIDS):
        return None
    unit = value.quantity.sent_unit if value.quantity is not None else None
    for words in value.concept.words:
        found = reading.terms.analyte_by_name(words, unit)
        if found is not None:
            return found
    return None


def _convert(
    reading: Reading, where: Located, slug: str, value: Value, quantity: Quantity
) -> float | None:
    number = quantity.value if quantity.value is not None else 0.0
    read = reading.terms.value(slug, number, quantity.sent_unit)
    if isinstance(read, float):
        return read
    name = reading.knowledge.analytes[slug].name
    unit = reading.knowledge.analytes[slug].unit
    if read == "unit-not-understood":
        known = sorted(reading.knowledge.analytes[slug].units)
        seen = quantity.sent_unit or "no unit"
        text = (
            f"{name} {number:g} has unit {seen!r}, which redcell does not understand for it. "
            f"Expected {', '.join(known[:4]) or unit}. The value was not used."
        )
    else:
        limits = reading.knowledge.analytes[slug].plausible
        expected = f" (expected {limits[0]:g} to {limits[1]:g} {unit})" if limits else ""
        text = f"{name} {number:g} {quantity.sent_unit} is not plausible{expected}. The value was not used."
    reading.set_aside(read, where, text)
    return None


def _limits(
    reading: Reading, slug: str, ranges: list[ReferenceRange], quantity: Quantity
) -> tuple[float | None, float | None]:
    if not ranges:
        return None, None

    def one(limit: Quantity | None) -> float | None:
        if limit is None or limit.value is None:
            return None
        read = reading.terms.value(slug, limit.value, limit.sent_unit or quantity.sent_unit)
        return read if isinstance(read, float) else None

    return one(ranges[0].low), one(ranges[0].high)


def _coded(reading: Reading, slug: str, kind: str, value: Value, stamp: Stamp) -> None:
    if slug == "ecog":
        _ecog(reading, value, stamp)
        return
    if kind == "smear" and value.quantity is not None and value.quantity.value is not None:
        _percent(reading, slug, value.quantity.value, stamp)
        return
    answer = _answer(reading, slug, kind, value)
    if answer:
        reading.add(
            Coded(
                slug, answer, stamp.time, stamp.reference, stamp.status, stamp.issued, stamp.version
            )
        )


def _percent(reading: Reading, slug: str, percent: float, stamp: Stamp) -> None:
    least = reading.knowledge.file("analytes")["smear"]["schistocytes_present"]["value"]
    answer = "present" if percent >= least else "absent"
    reading.add(
        Coded(slug, answer, stamp.time, stamp.reference, stamp.status, stamp.issued, stamp.version)
    )


def _answer(reading: Reading, slug: str, kind: str, value: Value) -> str:
    answers = reading.terms.answers
    if value.boolean is not None:
        return "present" if value.boolean else "absent"
    concept = value.codeable.concept if value.codeable else Concept(text=value.text)
    words = [w.lower().strip() for w in concept.words]
    if slug == "smoking-status":
        for code in concept.in_system(SNOMED):
            status = answers["smoking"]["snomed"].get(code)
            if status is not None:
                return "present" if status in ("daily", "some days") else "absent"
        return ""
    if slug == "pregnancy-status":
        coded = any(c in answers["pregnant"]["snomed"] for c in concept.in_system(SNOMED))
        return "present" if coded or "pregnant" in words else "absent" if words else ""
    positive, negative = ("positive", "negative") if kind == "coded" else ("present", "absent")
    for name, means in (
        ("absent", negative),
        ("negative", negative),
        ("present", positive),
        ("positive", positive),
    ):
        table = answers[name]
        if any(c.code in table.get("snomed", ()) for c in concept.codes) or any(
            w in table["text"] for w in words
        ):
            return means
    return words[0] if kind in ("text", "coded") and words else ""


def _ecog(reading: Reading, value: Value, stamp: Stamp) -> None:
    grade = value.integer
    if grade is None and value.quantity is not None and value.quantity.value is not None:
        grade = int(value.quantity.value)
    if grade is None and value.codeable is not None:
        table = reading.terms.answers["ecog"]["loinc"]
        grade = next((table[c.code] for c in value.codeable.coding if c.code in table), None)
    if grade is not None and 0 <= grade <= 5:  # noqa: PLR2004  (the scale itself)
        reading.add(
            Measured(
                "ecog",
                float(grade),
                "{score}",
                stamp.time,
                stamp.reference,
                stamp.status,
                issued=stamp.issued,
                version=stamp.version,
            )
        )


# -- symptoms ----------------------------------------------------------------------------------


def _symptom(reading: Reading, where: Located, o: Observation, value: Value, stamp: Stamp) -> bool:
    """Read a symptom report; true when the code or text names a symptom."""
    if value.quantity is not None and value.quantity.sent_unit not in (
        "",
        "1",
        "{score}",
        "{grade}",
    ):
        return False
    if value.concept.in_system(LOINC) and not value.concept.in_system(SNOMED):
        return False
    match = reading.terms.symptom(value.concept)
    if match is None:
        return False
    if match.mismatch:
        text = f"{value.concept}: the text names {match.name}, which its code does not mean; the text was used."
        reading.set_aside("code-display-mismatch", where, text)
    grade, answered = symptom_grade(reading, value)
    if not answered:
        return True
    onset, course, circumstance = _details(reading, where, o.component)
    name = match.name
    if name == "dyspnea" and circumstance in ("at rest", "on exertion"):
        name = "dyspnea-at-rest" if circumstance == "at rest" else "dyspnea-exertional"
    reading.add(
        SymptomReport(
            symptom=name,
            grade=grade,
            time=stamp.time,
            reference=stamp.reference,
            onset=onset,
            course=course,
            circumstance=circumstance,
            status=stamp.status,
            issued=stamp.issued,
            version=stamp.version,
            note=stamp.note,
        )
    )
    return True


def symptom_grade(reading: Reading, value: Value) -> tuple[int | None, bool]:
    """Grade 0 to 4, `None` for present with unknown grade; and whether there is an answer at all."""
    if value.absent:
        return None, False
    if value.boolean is not None:
        return (None, True) if value.boolean else (0, True)
    number = value.integer
    if number is None and value.quantity is not None and value.quantity.value is not None:
        number = int(value.quantity.value)
    if number is not None:
        return (
            (number, True)
            if 0 <= number <= len(("mild", "moderate", "severe", "very"))
            else (None, True)
        )
    concept = value.codeable.concept if value.codeable else Concept(text=value.text)
    if not concept.words and not concept.codes:
        return None, False
    grade = reading.terms.grade(concept)
    if grade == "not answered":
        return None, False
    if isinstance(grade, int):
        return grade, True
    return _presence(reading, concept), True


def _presence(reading: Reading, concept: Concept) -> int | None:
    """Absent by a smear-style code; otherwise present with unknown grade."""
    absent = reading.terms.answers["absent"]
    coded = any(c.code in absent["snomed"] for c in concept.codes)
    worded = any(w.lower().strip() in absent["text"] for w in concept.words)
    return 0 if coded or worded else None


def _details(
    reading: Reading, where: Located, parts: list[Component]
) -> tuple[Moment | None, Course | None, str]:
    onset: Moment | None = None
    course: Course | None = None
    circumstance = ""
    for part in parts:
        codes = {c.code for c in part.code.coding}
        text = part.code.text.lower()
        answer = part.valueCodeableConcept
        said = (answer.label if answer else part.valueString).strip().lower()
        if ONSET in codes:
            onset = reading.when(where, part.valueDateTime)
        elif "circumstance" in codes or text == "circumstance":
            circumstance = said
        elif ("course" in codes or text == "course") and said in COURSES:
            course = cast(Course, said)
    return onset, course, circumstance


COURSES = ("new", "worse", "unchanged", "better")
