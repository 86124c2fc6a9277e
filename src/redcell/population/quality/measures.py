"""The measures of practice: what each asks, of whom, by which rules."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from msgspec import Struct

from redcell.knowledge.load import Knowledge
from redcell.population.quality import red_cells, remedies, surveillance
from redcell.population.quality.event import Event
from redcell.population.quality.past import Past


class Measure(Struct, frozen=True):
    """One measure; in each, a smaller share is closer to the rules."""

    name: str
    title: str
    of: str
    """what the denominator counts"""
    counts: str
    """what the numerator counts"""
    without: str
    """what is in neither, and why"""
    rules: tuple[str, ...]
    """the rules of the clinical reference that it rests on, each with its sources"""
    numbers: tuple[str, ...]
    """the numbers that a site may set"""
    find: Callable[[Past], Iterator[Event]]
    within: str = ""
    """the measure whose denominator holds every day of this one's, if there is one"""

    def said(self, text: str, knowledge: Knowledge) -> str:
        """A text of the measure with the site's numbers in it."""
        return text.format(*(knowledge.value(key) for key in self.numbers))

    def basis(self, knowledge: Knowledge) -> tuple[str, ...]:
        """The citations of its rules, and of every number that the site's policy changed."""
        cited = dict.fromkeys(c for rule in self.rules for c in knowledge.citations(rule))
        return tuple(cited)


MEASURES = (
    Measure(
        red_cells.ABOVE,
        "Red cells above the threshold",
        "red-cell sessions with a count in the {1:g} days before",
        "hemoglobin not below {0:g} g/dL, and no rule recommended red cells then",
        "no count in the {1:g} days before, or red cells since it; emergency (bleeding, unstable); "
        "sickle cell disease; a refusal on record; the last weeks or hospice care, in which "
        "symptoms and goals decide",
        ("T10", "T11", "T13", "T14", "T18"),
        ("transfusion.restrictive_hb", "transfusion.count_before", "quality.session"),
        red_cells.transfusion_above_threshold,
    ),
    Measure(
        red_cells.SEVERAL,
        "Several units without a count between",
        "red-cell sessions of {0:g} units or more",
        "no hemoglobin between the first and the last unit. A look at the person that was not "
        "written down as a count is not seen",
        "emergency; sickle cell disease; the policy itself gives as many units; the hours are not "
        "known",
        ("T5", "T17"),
        ("quality.several_units", "quality.session"),
        red_cells.several_units_without_count,
    ),
    Measure(
        surveillance.UNCOUNTED,
        "Grade 3 without a count within {1:g} days",
        "days with a final count of grade 3, from the last one of the day",
        "no other hemoglobin in the {1:g} days that follow",
        "hospice care, begun by the end of these days; died in them; they are not over",
        ("O14", "G3"),
        ("anemia.grade3_below", "monitoring.grade3_interval"),
        surveillance.grade_3_without_count,
        within=surveillance.UNASKED,
    ),
    Measure(
        remedies.REPLETE,
        "Iron given to people who have enough",
        "courses of iron begun with iron tests that settle it",
        "the tests say that iron is not missing (replete, or overload)",
        "no iron tests, or only one of the two that does not settle it; replete, and an ESA was "
        "being given, to which iron may be added",
        ("I1", "I3", "E3"),
        ("alternatives.ferritin_low", "alternatives.tsat_low", "quality.iron_course"),
        remedies.iron_to_the_replete,
    ),
    Measure(
        remedies.ESA,
        "ESA outside its conditions",
        "courses of an ESA begun with the conditions known",
        "not eligible or contraindicated by the rules at that time",
        "a condition that is not on record (intent, plan, clot, blood pressure, iron tests); "
        "chronic kidney disease, which has rules of its own",
        ("E3", "E4", "E5", "E6"),
        ("alternatives.esa_hemoglobin", "alternatives.esa_planned_days", "quality.iron_course"),
        remedies.esa_outside_conditions,
    ),
    Measure(
        surveillance.NOT_LOOKED_FOR,
        "Iron deficiency not looked for",
        "episodes of grade 2 or 3, each from its first count",
        "no ferritin with saturation (or ferritin that settles it alone) from {1:g} days before to "
        "{2:g} days after",
        "hospice care, begun by the end of the {2:g} days; died in them; they are not over",
        ("W4", "I1", "A3"),
        ("quality.episode", "quality.tested_before", "quality.tested_after"),
        surveillance.iron_deficiency_not_looked_for,
        within=surveillance.UNASKED,
    ),
    Measure(
        surveillance.UNASKED,
        "Symptoms not asked",
        "days with a final count of grade 2 or 3, from the last one of the day",
        "no answer about fatigue, weakness, breathlessness, dizziness or palpitations from {1:g} "
        "days before to {2:g} days after",
        "died in the {2:g} days after; they are not over",
        ("T12", "T13b", "S-R26"),
        ("anemia.grade2_below", "freshness.symptom", "quality.asked_after"),
        surveillance.symptoms_not_asked,
    ),
)
