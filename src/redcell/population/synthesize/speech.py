"""How invented people say what they feel: questionnaires and single reports."""

from __future__ import annotations

from redcell.codes import LOINC, REDCELL
from redcell.knowledge.load import Knowledge
from redcell.population.synthesize.chart import Report
from redcell.population.synthesize.fhir import CATEGORY, Json, Pen, loinc, snomed

ANSWERS = (
    {"system": LOINC, "code": "LA137-2", "display": "None"},
    {"system": LOINC, "code": "LA6752-5", "display": "Mild"},
    {"system": LOINC, "code": "LA6751-7", "display": "Moderate"},
    {"system": LOINC, "code": "LA6750-9", "display": "Severe"},
)
GRADES = [{"coding": [answer], "text": str(answer["display"]).lower()} for answer in ANSWERS]
QUESTIONNAIRE = "urn:redcell:demo:symptoms-of-the-week"
ASKED = ("fatigue", "weakness", "dyspnea-exertional", "dizziness", "palpitations")
"""What is asked at a visit."""


class Speech:
    """Writes what one person says."""

    def __init__(self, k: Knowledge, pen: Pen) -> None:
        self.k, self.pen = k, pen

    def report(self, r: Report) -> None:
        """A questionnaire, or what was asked at a visit."""
        time = self.pen.time(r.day, r.minute)
        if r.asked:
            for name in ASKED:
                self.symptom(name, r.grades[name], time, r.course)
            return
        items = [
            {
                "linkId": name,
                "text": self.k.symptoms[name].patient_name,
                "answer": [{"valueCoding": ANSWERS[grade]}],
            }
            for name, grade in r.grades.items()
        ]
        self.pen.write(
            "QuestionnaireResponse", "answers", time,
            questionnaire=QUESTIONNAIRE,
            status="completed",
            subject=self.pen.subject,
            authored=time,
            source=self.pen.subject,
            item=items,
        )  # fmt: skip

    def symptom(self, name: str, grade: int, time: str, course: str = "", onset: str = "") -> Json:
        """One symptom as an Observation."""
        entry = self.k.symptoms[name]
        parts = []
        if onset:
            told = loinc("11368-8", "Illness or injury onset date and time", "onset")
            parts.append({"code": told, "valueDateTime": onset})
        if course and grade:
            code = {"coding": [{"system": REDCELL, "code": "course"}], "text": "course"}
            parts.append({"code": code, "valueCodeableConcept": {"text": course}})
        made: Json = {
            "status": "final",
            "category": CATEGORY["survey"],
            "code": snomed(entry.snomed[0], entry.name),
            "subject": self.pen.subject,
            "effectiveDateTime": time,
            "valueCodeableConcept": GRADES[grade],
        }
        if parts:
            made["component"] = parts
        return self.pen.write("Observation", "o", time, **made)
