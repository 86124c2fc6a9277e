"""One page of text that a nurse reads in half a minute."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from typing import Any

from redcell.loop import Steps
from redcell.outputs.assessment import conversation_text, grade4_prompt, reassess_text, to_dict
from redcell.outputs.speech import Speech
from redcell.outputs.style import Style

WIDTH = 96
LABEL = 13


def page(steps: Steps, *, color: bool, width: int = WIDTH) -> str:
    """The whole assessment on one page, most urgent first.

    Args:
        steps: the assessment.
        color: whether the terminal shows ANSI colors; words carry the meaning without them.
        width: columns of the terminal.
    """
    writer = _Page(steps, Style(color), min(width, WIDTH))
    return "\n".join(writer.lines()) + "\n"


class _Page:
    def __init__(self, steps: Steps, style: Style, width: int) -> None:
        self.steps = steps
        self.speech = Speech(steps.case.knowledge)
        self.style = style
        self.width = width
        self.out = to_dict(steps)

    def lines(self) -> Iterator[str]:
        yield from self.head()
        yield ""
        yield from self.urgency()
        yield from self.anemia()
        yield from self.symptoms()
        yield from self.causes()
        yield from self.transfusion()
        yield from self.alternatives()
        yield from self.next_steps()
        yield from self.known()
        yield ""
        yield self.style.dim(
            "Options for the care team, who decide. Not cleared as a medical device; nothing is ordered."
        )
        yield self.style.dim(
            "Why: redcell why SOURCE RULE --at ...   All data problems: redcell check SOURCE"
        )

    def head(self) -> Iterator[str]:
        patient = self.out["patient"]
        age = "age unknown" if patient["age_years"] is None else f"{patient['age_years']} years"
        policy = self.steps.case.knowledge.policy
        site = f"   site policy: {policy.title}" if policy else ""
        yield self.style.bold(
            f"redcell   patient {patient['id']}, {patient['sex']}, {age}   as known at {self.out['at']}{site}"
        )

    def row(self, label: str, *parts: str, tone: str = "") -> Iterator[str]:
        """A labeled paragraph, wrapped under its label."""
        text = " ".join(p for p in parts if p)
        body = textwrap.wrap(text, self.width - LABEL) or [""]
        for number, line in enumerate(body):
            shown = self.style.bold(f"{label:<{LABEL}}") if number == 0 else " " * LABEL
            yield shown + (self.style.tone(line, tone) if tone else line)

    def item(self, text: str, tone: str = "") -> Iterator[str]:
        """An indented paragraph with a dash."""
        wrapped = textwrap.wrap(text, self.width - LABEL - 2) or [""]
        for number, line in enumerate(wrapped):
            lead = "- " if number == 0 else "  "
            yield " " * LABEL + lead + (self.style.tone(line, tone) if tone else line)

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
        found, limit = anemia["hemoglobin"], anemia["lower_limit"]
        yield self.speech.label("status", anemia["status"]).capitalize() + "."
        if found is not None:
            origin = "laboratory" if limit["from"] == "report" else "WHO"
            yield f"Hemoglobin {found['value']:g} g/dL on {found['time'][:10]} ({origin} limit {limit['value']:g})."
        if anemia["ctcae_grade"] is not None:
            yield f"CTCAE grade {anemia['ctcae_grade']}, WHO {anemia['who_severity']}."
        trend = anemia["trend"]
        if trend and trend["g_dl_per_week"] is not None:
            yield f"Trend {trend['g_dl_per_week']:+.2f} g/dL a week ({trend['points']} counts, {trend['days']:.0f} days)."
        if anemia["morphology"]["mcv"] is not None:
            yield f"MCV {anemia['morphology']['mcv']:g} fL, {anemia['morphology']['size']}."
        if anemia["reticulocyte_production_index"] is not None:
            yield f"Reticulocyte production index {anemia['reticulocyte_production_index']:g}."

    def symptoms(self) -> Iterator[str]:
        present = [s for s in self.out["symptoms"] if s["grade"] != 0]
        if not self.out["symptoms"]:
            yield from self.row(
                "SYMPTOMS", "Not recorded in the last 7 days: not known, not none.", tone="warn"
            )
            return
        if not present:
            yield from self.row("SYMPTOMS", f"None of the {len(self.out['symptoms'])} asked about.")
            return
        yield from self.row("SYMPTOMS", "grade; how much anemia explains; what else could")
        for symptom in present:
            grade = "?" if symptom["grade"] is None else symptom["grade"]
            others = ", ".join(
                self.speech.knowledge.file("symptoms")["other_causes"]["label"][c]
                for c in symptom["other_causes"][:4]
            )
            more = len(symptom["other_causes"]) - 4
            tail = f", +{more} more" if more > 0 else ""
            name = self.speech.knowledge.symptoms[symptom["symptom"]].name
            yield from self.item(
                f"{name} {grade}; {symptom['anemia_contribution']}"
                + (f"; {others}{tail}" if others else "")
            )

    def causes(self) -> Iterator[str]:
        ranked = self.out["causes"]
        if not ranked:
            return
        shown = [c for c in ranked if c["probability"] >= 0.03][:6] or ranked[:3]  # noqa: PLR2004
        unsure = "" if ranked[0]["probability"] >= 0.6 else "  No single cause stands out."  # noqa: PLR2004
        yield from self.row("LIKELY WHY", "probability by rules and evidence." + unsure)
        for cause in shown:
            bar = "#" * round(cause["probability"] * 20)
            yield " " * LABEL + f"- {cause['probability']:.2f} {bar:<20} {cause['label']}"
        if self.out["not_assessed"]:
            names = ", ".join(
                self.speech.label("not_assessed", n) for n in self.out["not_assessed"]
            )
            yield from self.item(f"Not known: {names}", "warn")

    def transfusion(self) -> Iterator[str]:
        plan = self.out["transfusion"]
        decision = plan["decision"]
        tone = {"emergency": "alarm", "recommend": "warn", "consider": "warn"}.get(decision, "")
        parts = [self.speech.label("decision", decision) + f"  [{', '.join(plan['because'])}]"]
        if plan["units"]:
            parts.append(
                f"{plan['units']} unit{'s' if plan['units'] > 1 else ''} {self.speech.label('component', plan['component'])}; "
                f"infusion {_hours(plan['infusion_hours'])}, chair {_hours(plan['chair_hours'])}."
            )
            if plan["expected_rise_g_dl"]:
                low, high = plan["expected_rise_g_dl"]
                parts.append(
                    f"Expected rise per unit {low:g} to {high:g} g/dL; target {plan['target'][0]:g} to {plan['target'][1]:g}."
                )
        yield from self.row("TRANSFUSION", *parts, tone=tone)
        said = reassess_text(self.steps, self.speech)
        if said:
            yield from self.item(said)
        for precaution in plan["precautions"]:
            yield from self.item(precaution["text"])

    def alternatives(self) -> Iterator[str]:
        yield from self.row("OTHER WAYS", "")
        for option in self.out["alternatives"]:
            name = self.speech.label("option", option["option"])
            advice = self.speech.label("advice", option["advice"])
            why = option["because"][0] if option["because"] else ""
            differ = " Guidelines differ." if option["disagreements"] else ""
            yield from self.item(f"{name}: {advice}. {why}{differ}")

    def next_steps(self) -> Iterator[str]:
        monitoring = self.out["monitoring"]
        late = " OVERDUE." if monitoring["overdue"] else ""
        yield from self.row(
            "NEXT COUNT",
            f"{monitoring['next_cbc_due'] or 'not set'}.{late}  [{', '.join(monitoring['because'])}]",
            tone="warn" if late else "",
        )
        yield from self.row("TALK ABOUT", "")
        for topic in self.steps.conversation:
            if topic.id != "report-red-flags":
                yield from self.item(conversation_text(self.steps, topic.id, self.speech))
        if self.out["self_care"]:
            names = ", ".join(
                self.speech.label("self_care_label", s["id"]) for s in self.out["self_care"]
            )
            yield from self.row("SELF-CARE", names)

    def known(self) -> Iterator[str]:
        for warning in self.out["warnings"]:
            yield from self.row("DATA", warning["text"], tone="warn")


def _hours(pair: list[float]) -> str:
    return f"{pair[0]:g} to {pair[1]:g} h"
