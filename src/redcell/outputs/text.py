"""One page of text that a nurse reads in half a minute."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from redcell.loop import Steps
from redcell.outputs.assessment import grade4_prompt, to_dict
from redcell.outputs.forecast.page import block
from redcell.outputs.lines import LABEL, WIDTH, Lines
from redcell.outputs.sentences import conversation_text, reassess_text
from redcell.outputs.speech import Speech
from redcell.outputs.style import Style
from redcell.outputs.warnings import identity_doubt

OTHERS_SHOWN = 4
CAUSES_SHOWN = 6
LEAST_SHOWN = 0.03
BAR = 20
WARNINGS_SHOWN = 4
SAID_ABOVE = ("report-red-flags", "next-blood-test", "other-causes-of-symptom")
ADVICE = (
    "recommended",
    "may-be-considered",
    "contraindicated",
    "insufficient-data",
    "not-expected-to-help",
    "not-eligible",
)
FOOT = (
    "Options for the care team, who decide. Not cleared as a medical device; nothing is ordered.",
    "Why: redcell why SOURCE RULE --at ...   All data problems: redcell check SOURCE",
)


def page(steps: Steps, *, color: bool, width: int = WIDTH) -> str:
    """The whole assessment on one page, most urgent first.

    Args:
        steps: the assessment.
        color: whether the terminal shows ANSI colors; words carry the meaning without them.
        width: columns of the terminal.
    """
    writer = _Page(steps, Style(color), min(width, WIDTH))
    return "\n".join(writer.lines()) + "\n"


class _Page(Lines):
    def __init__(self, steps: Steps, style: Style, width: int) -> None:
        super().__init__(style, width)
        self.steps = steps
        self.speech = Speech(steps.case.knowledge)
        self.out = to_dict(steps)

    def lines(self) -> Iterator[str]:
        yield from self.head()
        yield ""
        yield from self.urgency()
        yield from self.anemia()
        yield from self.symptoms()
        yield from self.causes()
        yield from self.forecast()
        yield from self.transfusion()
        yield from self.alternatives()
        yield from self.next_steps()
        yield from self.known()
        yield ""
        for line in FOOT:
            yield self.style.dim(line)

    def head(self) -> Iterator[str]:
        patient, policy = self.out["patient"], self.steps.case.knowledge.policy
        age = "age unknown" if patient["age_years"] is None else f"{patient['age_years']} years"
        parts = [f"patient {patient['id']}, {patient['sex']}, {age}", f"at {self.out['at']}"]
        if policy:
            parts.append(f"site policy: {policy.title}")
        yield self.style.bold("redcell   " + "   ".join(parts))

    def urgency(self) -> Iterator[str]:
        urgency = self.out["urgency"]
        label = self.speech.label("urgency", urgency["level"])
        tone = {"emergency": "alarm", "routine": "calm"}.get(urgency["level"], "warn")
        yield from self.row(
            "URGENCY", f"{label.upper()}  [{', '.join(urgency['because'])}]", tone=tone
        )
        for flag in self.out["red_flags"]:
            yield from self.item(
                f"{flag['statement']} [{flag['rule']}]",
                "alarm" if flag["urgency"] == "emergency" else "warn",
            )

    def anemia(self) -> Iterator[str]:
        anemia = self.out["anemia"]
        yield from self.row("ANEMIA", *self._count(anemia))
        if anemia["ctcae_grade4_prompt"] and grade4_prompt(self.steps):
            yield from self.item(
                "Is this life-threatening? A clinician decides about CTCAE grade 4.", "alarm"
            )

    def _count(self, anemia: dict[str, Any]) -> Iterator[str]:
        found, limit, trend = anemia["hemoglobin"], anemia["lower_limit"], anemia["trend"]
        yield self.speech.label("status", anemia["status"]).capitalize() + "."
        if found is not None:
            origin = "laboratory" if limit["from"] == "report" else "WHO"
            yield f"Hemoglobin {found['value']:g} g/dL on {found['time'][:10]}"
            yield f"({origin} limit {limit['value']:g})."
        if anemia["ctcae_grade"] is not None:
            yield f"CTCAE grade {anemia['ctcae_grade']}, WHO {anemia['who_severity']}."
        if trend and trend["g_dl_per_week"] is not None:
            yield f"Trend {trend['g_dl_per_week']:+.2f} g/dL a week"
            doubt = ", not confirmed" if anemia["status"] == "provisional" else ""
            yield f"({trend['points']} counts, {trend['days']:.0f} days{doubt})."
        if anemia["morphology"]["mcv"] is not None:
            yield f"MCV {anemia['morphology']['mcv']:g} fL, {anemia['morphology']['size']}."
        if anemia["reticulocyte_production_index"] is not None:
            yield f"Reticulocyte production index {anemia['reticulocyte_production_index']:g}."

    def symptoms(self) -> Iterator[str]:
        answered = self.out["symptoms"]
        present = [s for s in answered if s["grade"] != 0]
        if not answered:
            text = "Not recorded in the last 7 days: not known, not none."
            yield from self.row("SYMPTOMS", text, tone="warn")
        elif not present:
            yield from self.row("SYMPTOMS", f"None of the {len(answered)} asked about.")
        else:
            yield from self.row("SYMPTOMS", "grade; how much anemia explains; what else could")
            for symptom in present:
                yield from self.item(self._symptom(symptom))

    def _symptom(self, symptom: dict[str, Any]) -> str:
        labels = self.speech.knowledge.file("symptoms")["other_causes"]["label"]
        listed = symptom["other_causes"]
        others = ", ".join(labels[c] for c in listed[:OTHERS_SHOWN])
        more = len(listed) - OTHERS_SHOWN
        if more > 0:
            others += f", +{more} more"
        grade = "grade unknown" if symptom["grade"] is None else symptom["grade"]
        name = self.speech.knowledge.symptoms[symptom["symptom"]].name
        parts = [f"{name} {grade}", symptom["anemia_contribution"], others]
        return "; ".join(p for p in parts if p)

    def causes(self) -> Iterator[str]:
        ranked = self.out["causes"]
        if not ranked:
            return
        shown = [c for c in ranked if c["probability"] >= LEAST_SHOWN][:CAUSES_SHOWN]
        single = self.speech.knowledge.value("attribution.single_cause")
        sure = ranked[0]["probability"] >= single
        tail = "" if sure else " No single cause stands out."
        yield from self.row("LIKELY WHY", "probability by rules and evidence." + tail)
        for cause in shown or ranked[:CAUSES_SHOWN]:
            bar = "#" * round(cause["probability"] * BAR)
            yield f"{'':<{LABEL}}- {cause['probability']:.2f} {bar:<{BAR}} {cause['label']}"
        if self.out["not_assessed"]:
            gaps = self.out["not_assessed"]
            names = ", ".join(self.speech.label("not_assessed", n) for n in gaps)
            yield from self.item(f"Not known: {names}", "warn")

    def forecast(self) -> Iterator[str]:
        """What will probably be so, in one short block; one line when there is nothing to say."""
        if self.steps.forecast is not None:
            first, *more = block(self.steps.forecast, self.speech.knowledge)
            yield from self.row("FORECAST", first)
            for said in more:
                yield from self.item(said)

    def transfusion(self) -> Iterator[str]:
        plan = self.out["transfusion"]
        tone = {"emergency": "alarm", "recommend": "warn", "consider": "warn"}
        yield from self.row(
            "TRANSFUSION", *self._decision(plan), tone=tone.get(plan["decision"], "")
        )
        said = reassess_text(self.steps, self.speech)
        if said:
            yield from self.item(said)
        codes = [p["code"] for p in plan["precautions"]]
        if codes:
            labels = "; ".join(self.speech.label("precaution_label", c) for c in codes)
            yield from self.item(f"With it: {labels}.")

    def _decision(self, plan: dict[str, Any]) -> Iterator[str]:
        yield f"{self.speech.label('decision', plan['decision'])}  [{', '.join(plan['because'])}]"
        if not plan["units"]:
            return
        units = f"{plan['units']} unit{'s' if plan['units'] > 1 else ''}"
        yield f"{units} {self.speech.label('component', plan['component'])};"
        yield f"infusion {_hours(plan['infusion_hours'])}, chair {_hours(plan['chair_hours'])}."
        if plan["expected_rise_g_dl"]:
            low, high = plan["expected_rise_g_dl"]
            yield f"Expected rise per unit {low:g} to {high:g} g/dL;"
        yield f"target {plan['target'][0]:g} to {plan['target'][1]:g} g/dL."

    def alternatives(self) -> Iterator[str]:
        grouped: dict[str, list[dict[str, Any]]] = {}
        for option in self.out["alternatives"]:
            grouped.setdefault(option["advice"], []).append(option)
        yield from self.row("OTHER WAYS", "what could help instead or as well")
        for advice in ADVICE:
            if advice in grouped:
                yield from self._advice(advice, grouped[advice])

    def _advice(self, advice: str, options: list[dict[str, Any]]) -> Iterator[str]:
        label = self.speech.label("advice", advice).capitalize()
        named = []
        for option in options:
            differ = " (guidelines differ)" if option["disagreements"] else ""
            named.append(self.speech.label("option", option["option"]) + differ)
        yield from self.item(f"{label}: {', '.join(named)}.")
        if advice in ("recommended", "may-be-considered"):
            for option in options:
                name = self.speech.label("option", option["option"])
                yield from self.item(f"{name}: {' '.join(option['because'][:2])}")

    def next_steps(self) -> Iterator[str]:
        monitoring = self.out["monitoring"]
        late = " OVERDUE." if monitoring["overdue"] else ""
        day = monitoring["next_cbc_due"] or "not set"
        because = ", ".join(monitoring["because"])
        tone = "warn" if late else ""
        yield from self.row("NEXT COUNT", f"{day}.{late}  [{because}]", tone=tone)
        yield from self.row("TALK ABOUT", "")
        for topic in self.steps.conversation:
            if topic.id not in SAID_ABOVE:
                said = conversation_text(self.steps, topic.id, self.speech)
                yield from self.item(said.partition(". ")[0].rstrip(".") + ".")
        if self.out["self_care"]:
            care = self.out["self_care"]
            names = ", ".join(self.speech.label("self_care_label", s["id"]) for s in care)
            yield from self.row("SELF-CARE", names)

    def known(self) -> Iterator[str]:
        doubt = identity_doubt(self.steps, self.speech)
        if doubt:
            yield from self.row("DATA", doubt, tone="warn")
        warnings = self.out["warnings"]
        for warning in warnings[:WARNINGS_SHOWN]:
            yield from self.row("DATA", warning["text"], tone="warn")
        if len(warnings) > WARNINGS_SHOWN:
            rest = ", ".join(dict.fromkeys(w["code"] for w in warnings[WARNINGS_SHOWN:]))
            yield from self.row("DATA", f"and: {rest}", tone="warn")


def _hours(pair: list[float]) -> str:
    return f"{pair[0]:g} to {pair[1]:g} h"
