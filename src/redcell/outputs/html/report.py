"""The report for the care team: one self-contained page, every statement with its footnote."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from typing import Any
from zlib import crc32

from msgspec import Struct

from redcell.findings.causes import Attribution
from redcell.loop import Steps
from redcell.outputs.assessment import to_dict
from redcell.outputs.chart import NARROW, ChartData, chart_data, day_text, svg, table
from redcell.outputs.html.forecast import Ahead, ahead, forecast_text
from redcell.outputs.html.notes import Notes
from redcell.outputs.sentences import cause_label
from redcell.outputs.speech import Speech
from redcell.outputs.templates import environment
from redcell.outputs.warnings import identity_doubt
from redcell.quantity import plain

SHOWN_CAUSES = 6
SHOWN_FROM = 0.03
LEAST = 0.01


class Fact(Struct, frozen=True):
    """One figure of the anemia line."""

    name: str
    value: str
    detail: str
    notes: list[int]


def report(steps: Steps) -> str:
    """The whole assessment as one page for professionals: to read, to print, to file."""
    page = Page(steps)
    return environment().get_template("report.html.j2").render(p=page, out=page.out)


def fragment(steps: Steps) -> str:
    """The chart, its table twin and the key facts, for a notebook."""
    page = Page(steps)
    return environment().get_template("fragment.html.j2").render(p=page, out=page.out)


class Page:
    """What the templates show, section by section."""

    def __init__(self, steps: Steps) -> None:
        self.steps = steps
        self.speech = Speech(steps.case.knowledge)
        self.out = to_dict(steps)
        self.notes = Notes(steps, self.speech)
        self.data: ChartData = chart_data(steps)
        self.label = self.speech.label
        self.forecast = forecast_text(steps)

    @property
    def who(self) -> str:
        """The patient without a name: id, sex, age."""
        patient = self.out["patient"]
        age = patient["age_years"]
        return f"{patient['id']}, {patient['sex']}, " + (
            "age not known" if age is None else f"{age} years"
        )

    @property
    def at(self) -> str:
        """The moment of the assessment."""
        when = self.steps.case.at.time
        return f"{day_text(when)}, {when:%H:%M} UTC"

    @property
    def policy(self) -> str:
        """The site's policy, when one is laid over the published numbers."""
        policy = self.steps.case.knowledge.policy
        return policy.title if policy else ""

    def chart(self, *, narrow: bool = False, ident: str = "chart") -> str:
        """The picture for a wide or a narrow screen."""
        if narrow:
            return svg(self.data, width=NARROW, ident=f"{ident}-narrow")
        return svg(self.data, ident=ident)

    @property
    def ident(self) -> str:
        """An id that differs between the assessments of one notebook."""
        named = f"{self.out['patient']['id']} {self.out['at']}"
        return f"chart-{crc32(named.encode()):08x}"

    def ahead(self) -> list[Ahead]:
        """The table of the forecast."""
        prediction = self.steps.forecast
        return [] if prediction is None else list(ahead(prediction))

    def rows(self) -> Iterator[tuple[str, list[Any]]]:
        """The table twin in groups."""
        for kind, rows in groupby(table(self.data), key=lambda r: r.kind):
            yield kind, list(rows)

    def urgency_notes(self) -> list[int]:
        """The findings that set the urgency."""
        because = self.steps.flags.urgency.value.because
        winning = [f for f in self.steps.flags.fired() if f.rule in because]
        return self.notes(*winning) if winning else self.notes(self.steps.flags.urgency)

    def red_flags(self) -> list[dict[str, Any]]:
        """Red flags, the most urgent first."""
        return [{**f, "notes": self.notes.of(f["evidence"])} for f in self.out["red_flags"]]

    # -- anemia ----------------------------------------------------------------------------------

    def facts(self) -> Iterator[Fact]:
        """Figures of the newest count: grade and WHO class side by side, never merged."""
        survey, anemia = self.steps.survey, self.out["anemia"]
        yield self._hemoglobin()
        grade = anemia["ctcae_grade"]
        shown = "not known" if grade is None else f"grade {grade}"
        yield Fact("CTCAE v5.0", shown, "", self.notes(survey.grade))
        adjusted = anemia["who_adjusted_hemoglobin"]
        differs = adjusted is not None and adjusted != (anemia["hemoglobin"] or {}).get("value")
        detail = f"on {plain(adjusted)} g/dL, adjusted" if differs else ""
        yield Fact(
            "WHO severity", anemia["who_severity"] or "not known", detail, self.notes(survey.who)
        )
        yield self._trend()
        mcv = anemia["morphology"]["mcv"]
        size = "not known" if mcv is None else f"{plain(mcv)} fL"
        detail = anemia["morphology"]["size"] if mcv is not None else ""
        yield Fact("MCV", size, detail, self.notes(survey.size))
        index = anemia["reticulocyte_production_index"]
        shown = "not known" if index is None else plain(index)
        yield Fact("Reticulocyte index", shown, "", self.notes(survey.production_index))

    def _hemoglobin(self) -> Fact:
        survey, count = self.steps.survey, self.steps.case.hemoglobin
        limit = survey.lower_limit.value
        origin = "laboratory" if limit.origin == "report" else "WHO"
        detail = f"lower limit {plain(limit.value)} ({origin})"
        notes = self.notes(survey.status, survey.lower_limit)
        if count is None:
            return Fact("Hemoglobin", "not known", detail, notes)
        detail = f"{day_text(count.time.time)}{self._doubt()}; {detail}"
        return Fact("Hemoglobin", f"{plain(count.value)} g/dL", detail, notes)

    def _trend(self) -> Fact:
        trend = self.steps.survey.trend.value
        notes = self.notes(self.steps.survey.trend)
        if trend is None or trend.g_dl_per_week is None:
            return Fact("Trend", "not known", "fewer than two counts in 28 days", notes)
        slope = f"{trend.g_dl_per_week:+.2f}".replace("-", "−")
        detail = f"{trend.points} counts in {plain(trend.days, 0)} days{self._doubt()}"
        return Fact("Trend, g/dL a week", slope, detail, notes)

    def _doubt(self) -> str:
        """What has to stand beside a figure that rests on a count which is not confirmed."""
        survey = self.steps.survey
        other = ", perhaps another person's sample" if survey.identity.value.suspected else ""
        return f"{', not confirmed' if survey.status.value == 'provisional' else ''}{other}"

    # -- causes ----------------------------------------------------------------------------------

    def causes(self) -> list[dict[str, Any]]:
        """The causes worth a line of their own, each with what speaks for and against it."""
        return [self._cause(a) for a in self._split()[0]]

    def less_likely(self) -> list[str]:
        """The other causes with their probabilities."""
        return [f"{self._name(a)} {_share(a.probability)}" for a in self._split()[1]]

    @property
    def one_stands_out(self) -> bool:
        """May a sentence name the first cause?"""
        leading = self.steps.causes.leading
        least = self.steps.case.knowledge.value("attribution.single_cause")
        return leading is not None and leading.probability >= least

    def _split(self) -> tuple[list[Attribution], list[Attribution]]:
        ranked = list(self.steps.causes.ranked)
        shown = [a for a in ranked if a.probability >= SHOWN_FROM][:SHOWN_CAUSES] or ranked[:3]
        return shown, ranked[len(shown) :]

    def _name(self, attribution: Attribution) -> str:
        return cause_label(self.steps, attribution, self.speech)

    def _cause(self, attribution: Attribution) -> dict[str, Any]:
        start = self.steps.causes.started[attribution.cause]
        pieces = [
            {
                "text": self.speech.statement(s.finding),
                "factor": plain(s.factor),
                "notes": self.notes(s.finding),
                "for": s.factor > 1,
            }
            for s in attribution.support
            if s.factor != 1
        ]
        return {
            "label": self._name(attribution),
            "probability": attribution.probability,
            "start": plain(start.value),
            "start_notes": self.notes(start),
            "for": [piece for piece in pieces if piece["for"]],
            "against": [piece for piece in pieces if not piece["for"]],
        }

    def missing(self) -> list[str]:
        """What was not assessed, in words."""
        return [self.label("not_assessed", name) for name in self.out["not_assessed"]]

    # -- symptoms --------------------------------------------------------------------------------

    def symptoms(self) -> list[dict[str, Any]]:
        """Reported symptoms, the worst first, with what anemia and what else can explain."""
        others = self.speech.knowledge.file("symptoms")["other_causes"]["label"]
        found = [s for s in self.steps.symptoms.symptoms if s.answer.present]
        return [
            {
                "name": self.speech.knowledge.symptoms[s.answer.symptom].name,
                "grade": "not known" if s.answer.grade is None else s.answer.grade,
                "day": day_text(s.answer.report.time.time),
                "anemia": s.contribution.value,
                "others": [others[c] for c in s.other_causes],
                "notes": self.notes(s.contribution),
            }
            for s in sorted(found, key=lambda s: -(s.answer.grade or 0))
        ]

    def absent(self) -> list[str]:
        """Symptoms that were asked about and denied."""
        found = [s.answer.symptom for s in self.steps.symptoms.symptoms if not s.answer.present]
        return [self.speech.knowledge.symptoms[name].name for name in found]

    # -- options ---------------------------------------------------------------------------------

    def transfusion(self) -> dict[str, Any]:
        """The decision about red cells with its figures and precautions."""
        plan = self.out["transfusion"]
        giving = plan["component"] is not None
        return {
            **plan,
            "notes": self.notes(self.steps.transfusion.verdict),
            "said": self.speech.statement(self.steps.transfusion.verdict),
            "figures": list(self._figures(plan)) if giving else [],
            "precautions": [
                {**p, "notes": self.notes.of(p["evidence"])} for p in plan["precautions"]
            ],
        }

    def _figures(self, plan: dict[str, Any]) -> Iterator[tuple[str, str, list[int]]]:
        steps = self.steps.transfusion
        units = f"{plan['units']} unit{'s' if plan['units'] > 1 else ''}"
        component = self.label("component", plan["component"])
        yield "Units", f"{units}, {component}", self.notes(steps.units)
        yield "Infusion", _span(plan["infusion_hours"], "h"), []
        yield "Chair", _span(plan["chair_hours"], "h"), []
        rise = _span(plan["expected_rise_g_dl"], "g/dL")
        yield "Expected rise, one unit", rise, self.notes(steps.expected_rise)
        yield "Target", _span(plan["target"], "g/dL"), []

    def options(self) -> list[dict[str, Any]]:
        """The eight alternatives with their basis; neighbors that say the same stand together."""
        pairs = zip(self.out["alternatives"], self.steps.alternatives.options, strict=True)
        grouped = groupby(
            pairs,
            key=lambda pair: (pair[0]["advice"], pair[0]["because"], pair[0]["disagreements"]),
        )
        found = []
        for (advice, because, differ), same in grouped:
            both = list(same)
            names = [self.label("option", said["option"]) for said, _ in both]
            found.append(
                {
                    "name": ", ".join([names[0], *(n[0].lower() + n[1:] for n in names[1:])]),
                    "advice": self.label("advice", advice),
                    "because": [*because, *differ],
                    "rules": dict.fromkeys(option.counsel.rule for _, option in both),
                    "notes": self.notes(*(option.counsel for _, option in both)),
                }
            )
        return found

    def due_notes(self) -> list[int]:
        """The findings behind the next count."""
        return self.notes(self.steps.monitoring.due, self.steps.monitoring.overdue)

    @property
    def due(self) -> str:
        """The day of the next count."""
        day = self.steps.monitoring.due.value.day
        return day_text(day) if day else "not set"

    def self_care(self) -> list[dict[str, Any]]:
        """What to teach for the day, with its basis."""
        return [
            {"name": self.label("self_care_label", item.id), "notes": self.notes(*item.findings)}
            for item in self.steps.self_care
        ]

    def topics(self) -> list[dict[str, Any]]:
        """What to talk about, but for what stands on the page anyway."""
        return [
            {**t, "notes": self.notes.of(t["evidence"])}
            for t in self.out["conversation"]
            if t["id"] not in ("report-red-flags", "next-blood-test")
        ]

    def warnings(self) -> list[dict[str, Any]]:
        """Problems in the data."""
        doubt = identity_doubt(self.steps, self.speech)
        first = [{"code": "identity", "text": doubt, "notes": []}] if doubt else []
        more = [{**w, "notes": self.notes.of(w["evidence"])} for w in self.out["warnings"]]
        return [*first, *more]

    # -- used, not used, not known ---------------------------------------------------------------

    def used(self) -> Iterator[tuple[str, str]]:
        """What the answers rest on."""
        case = self.steps.case
        names = [a.name for key, a in case.knowledge.analytes.items() if self._is_current(key)]
        yield "Results", ", ".join(names)
        answered = len(case.answers)
        yield "Symptoms", f"{answered} answers of the last 7 days" if answered else ""
        yield "Drugs", ", ".join(self.speech.drug(s) for s in case.cancer_drugs)
        yield "Radiation", ", ".join(str(c) for c in self.steps.fields.courses)
        given = [f"{m.text} on {day_text(m.start)}" for m in self.data.of("transfusion")]
        yield "Red cells", ", ".join(given)
        shown = [str(d) for d in case.record.diagnoses]
        yield "Diagnoses", ", ".join(dict.fromkeys(shown))

    def not_used(self) -> Iterator[tuple[str, str]]:
        """What is on record and did not count."""
        case = self.steps.case
        old = [
            a.name
            for key, a in case.knowledge.analytes.items()
            if (key in case.record.results or key in case.record.coded)
            and not self._is_current(key)
        ]
        yield "No longer current", ", ".join(old)
        past = [self.speech.drug(s) for s in case.treatments if s not in case.cancer_drugs]
        yield "Drugs outside their window", ", ".join(past)
        held = [m.text for m in self.data.of("hemoglobin") if m.struck]
        yield "Held", ", ".join(held)
        aside = case.record.set_aside
        yield (
            "Set aside while reading",
            f"{len(aside)}; list them with: redcell check" if aside else "",
        )

    def anything_not_used(self) -> bool:
        """Is there anything on record that did not count?"""
        return any(text for _, text in self.not_used())

    def _is_current(self, analyte: str) -> bool:
        case = self.steps.case
        return (case.current(analyte) or case.coded(analyte)) is not None


def _share(probability: float) -> str:
    """A small probability, never a bare zero."""
    return f"{probability:.2f}" if probability >= LEAST else f"<{LEAST}"


def _span(pair: list[float] | None, unit: str) -> str:
    return "not known" if pair is None else f"{plain(pair[0])} to {plain(pair[1])} {unit}"
