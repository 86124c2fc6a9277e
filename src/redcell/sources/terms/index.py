"""The code tables of the knowledge base, indexed for reading."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, TypeVar

from redcell.codes import ATC, ICD10CM, LOINC, OMOP, REDCELL, RXNORM, SNOMED
from redcell.knowledge.entries import Analyte
from redcell.knowledge.load import Knowledge
from redcell.quantity import convert, factor, half_up
from redcell.sources.terms.concept import Concept, Drugs, Place, SymptomMatch
from redcell.sources.terms.words import (
    SPINE,
    Keywords,
    icd_match,
    levels_in,
    normal,
    slugify,
    squeeze,
)

HER2 = ("trastuzumab", "trastuzumab-emtansine", "trastuzumab-deruxtecan", "ambiguous-her2-agent")


Key = TypeVar("Key")
Found = TypeVar("Found")


def remembered(
    method: Callable[[Terms, Key], Found],
) -> Callable[[Terms, Key], Found]:
    """Remember a method's answers: one record names the same few things again and again."""
    name = method.__name__

    def ask(self: Terms, key: Key) -> Found:
        answers = self.answers_by_method.setdefault(name, {})
        try:
            return answers[key]  # type: ignore[no-any-return]
        except KeyError:
            if len(answers) >= MOST_REMEMBERED:
                answers.clear()
            found = answers[key] = method(self, key)
            return found

    ask.__doc__ = method.__doc__
    return ask


MOST_REMEMBERED = 10_000


class Terms:
    """The code tables of the knowledge base, indexed for reading."""

    def __init__(self, knowledge: Knowledge) -> None:
        self.knowledge = knowledge
        self.products = knowledge.policy.products if knowledge.policy else ()
        self.answers_by_method: dict[str, dict[Any, Any]] = {}
        self.loinc: dict[str, str] = {}
        self.local: dict[str, str] = {}
        self.names: dict[str, list[str]] = {}
        self._units: dict[str, dict[str, str]] = {}
        for slug, analyte in knowledge.analytes.items():
            for code in analyte.loinc:
                self.loinc[code] = slug
            for code in analyte.local:
                self.local[code] = slug
            for text in analyte.text:
                self.names.setdefault(normal(text), []).append(slug)
            self._units[slug] = {squeeze(unit): by for unit, by in analyte.units.items()}
        self.panels = frozenset(knowledge.file("analytes")["panel"]["loinc"])
        self.answers = knowledge.file("analytes")["answer"]
        self._index_symptoms()
        self._index_drugs()
        self._index_sites()
        self._index_words()

    # -- laboratory ------------------------------------------------------------------------------

    def analyte(self, concept: Concept) -> str | None:
        """The analyte by code; a LOINC code outside the table is never overruled by text."""
        for code in concept.codes:
            if code.system == LOINC and code.code in self.loinc:
                return self.loinc[code.code]
            if code.system == REDCELL and code.code in self.local:
                return self.local[code.code]
        return None

    def analyte_by_name(self, name: str, unit: str | None) -> str | None:
        """The analyte whose whole name this is, when the unit fits; never part of a longer name."""
        for slug in self.names.get(normal(name), ()):
            analyte = self.knowledge.analytes[slug]
            if analyte.kind != "number" or (unit is not None and self.unit_factor(slug, unit)):
                return slug
        return None

    def unit_factor(self, slug: str, unit: str) -> str | None:
        """The factor from a unit, as sent, to the analyte's own; `None` when not understood."""
        analyte = self.knowledge.analytes[slug]
        return analyte.units.get(unit) or self._units[slug].get(squeeze(unit))

    def value(self, slug: str, value: float, unit: str) -> float | str:
        """The value in the analyte's own unit, or the warning code that says why not."""
        by = self.unit_factor(slug, unit)
        analyte = self.knowledge.analytes[slug]
        if by is None:
            return "unit-not-understood"
        if not plausible_as_sent(analyte, value, unit):
            return "implausible-value"
        number = (value - 32) * 5 / 9 if by == "fahrenheit" else convert(value, factor(by))
        if slug == "hemoglobin":
            number = half_up(number, 2)
        limits = analyte.plausible
        if limits is not None and not limits[0] <= number <= limits[1]:
            return "implausible-value"
        return number if number >= 0 else "implausible-value"

    @remembered
    def read(self, sent: tuple[str, float, str]) -> float | str:
        """`value` of an analyte, a number and a unit, remembered."""
        return self.value(*sent)

    # -- symptoms --------------------------------------------------------------------------------

    def _index_symptoms(self) -> None:
        data = self.knowledge.file("symptoms")
        starts: list[tuple[str, str]] = []
        whole: list[tuple[str, str]] = []
        self._symptom_codes: dict[str, str] = {}
        for slug, entry in self.knowledge.symptoms.items():
            starts += [(keyword, slug) for keyword in entry.keywords]
            whole += [(keyword, slug) for keyword in entry.keywords_whole]
            for code in (*entry.snomed, *entry.also):
                self._symptom_codes[code] = slug
        dyspnea = data["dyspnea_words"]
        self._dyspnea = (dyspnea["words"], dyspnea["exertion"], dyspnea["rest"])
        self._symptom_words = Keywords(starts, whole)
        self._must_say: dict[str, list[str]] = data["text_must_say"]["codes"]
        self._general = frozenset(data["general"]["symptoms"])
        self._special = frozenset(data["general"]["special"])
        grade = data["grade"]
        self.grade_text: dict[str, int] = grade["text"]
        self.grade_code: dict[str, int] = grade["code"]
        self.not_answered = frozenset(grade["not_answered"])
        self.of_ten: list[int] = grade["of_ten"]

    def symptoms_in(self, text: str) -> tuple[str, ...]:
        """Symptoms that a text names; dyspnea words with exertion or rest words name the form."""
        found = self._symptom_words.find(text)
        if "dyspnea" not in found:
            return found
        lowered = text.lower()
        _, exertion, rest = self._dyspnea
        form = "dyspnea"
        if any(word in lowered for word in rest):
            form = "dyspnea-at-rest"
        elif any(word in lowered for word in exertion):
            form = "dyspnea-exertional"
        return tuple(dict.fromkeys(form if name == "dyspnea" else name for name in found))

    @remembered
    def symptom(self, concept: Concept) -> SymptomMatch | None:
        """The symptom by code; the text wins when it names another symptom and not this one."""
        coded = self.symptom_by_code(concept)
        named = next((n for w in concept.words if (n := self.symptoms_in(w))), ())
        if coded is None:
            return SymptomMatch(named[0]) if named else None
        if not named or coded in named or self._related(coded, named):
            return SymptomMatch(coded)
        if named[0] in self._general and coded in self._special:
            return SymptomMatch(coded)
        return SymptomMatch(named[0], mismatch=True)

    def symptom_by_code(self, concept: Concept) -> str | None:
        """The symptom that a known code means, whatever the text."""
        for code in concept.in_system(SNOMED):
            needed = self._must_say.get(code)
            said = not needed or any(w in t.lower() for w in needed for t in concept.words)
            if code in self._symptom_codes and said:
                return self._symptom_codes[code]
        own = concept.in_system(REDCELL)
        return next((code for code in own if code in self.knowledge.symptoms), None)

    @staticmethod
    def _related(coded: str, named: Sequence[str]) -> bool:
        """`dyspnea` and its forms are one family: the coded form stays."""
        return coded.startswith("dyspnea") and "dyspnea" in named

    def grade(self, concept: Concept) -> int | str | None:
        """0 to 4; `None` present with unknown grade; "not answered" when there is no answer."""
        for words in concept.words:
            key = normal(words)
            if key in self.not_answered:
                return "not answered"
            if key in self.grade_text:
                return self.grade_text[key]
            number = re.fullmatch(r"(\d{1,2}) ?/ ?10", words.strip())
            if number and int(number[1]) < len(self.of_ten):
                return self.of_ten[int(number[1])]
        for code in concept.codes:
            if code.code in self.grade_code:
                return self.grade_code[code.code]
        return None

    # -- drugs -----------------------------------------------------------------------------------

    def _index_drugs(self) -> None:
        self._rxnorm: dict[str, str] = {}
        self._atc: dict[str, str] = {}
        self._omop: dict[str, str] = {}
        self._forms: dict[str, set[str]] = {}
        words: list[tuple[str, str]] = []
        for slug, drug in self.knowledge.drugs.items():
            self._index_codes(self._rxnorm, drug.rxnorm, slug)
            self._index_codes(self._atc, drug.atc, slug)
            self._index_codes(self._omop, drug.omop, slug)
            words += [(text, slug) for text in (*drug.text, *drug.brands)]
        for slug, drug in self.knowledge.drugs.items():
            self._index_codes(self._rxnorm, drug.rxnorm_ambiguous, slug)
        for slug, agent in self.knowledge.ambiguous.items():
            self._omop.update(dict.fromkeys(agent.omop, slug))
        self._atc_prefixes: list[tuple[str, str]] = []
        for group, entry in self.knowledge.contributors.items():
            self._atc_prefixes += [(prefix, group) for prefix in entry.atc_prefix]
            words += [(text, f"{group}/{slugify(text)}") for text in entry.text]
        self._drug_words = Keywords((), words)

    def _index_codes(self, table: dict[str, str], codes: Sequence[str], slug: str) -> None:
        """Codes of one drug; a code that another drug has names a form of that drug."""
        for code in codes:
            base = table.setdefault(code, slug)
            if base != slug:
                self._forms.setdefault(base, set()).add(slug)

    @remembered
    def drugs(self, concept: Concept) -> Drugs:
        """The drugs by RxNorm, ATC, OMOP, then text, which decides among HER2 agents and forms."""
        coded = self._coded_drug(concept)
        named: tuple[str, ...] = ()
        for words in concept.words:
            named = self._drug_words.find(words)
            if named:
                break
        if coded is None:
            return Drugs(named)
        if not named or named == (coded,):
            return Drugs((coded,))
        forms = self._forms.get(coded, set())
        if coded in named or any(n in forms for n in named):
            return Drugs(tuple(n for n in named if n != coded or not forms.intersection(named)))
        if coded in HER2:
            return Drugs(named)
        if "/" in coded and all(n.partition("/")[0] == coded.partition("/")[0] for n in named):
            return Drugs(named)
        return Drugs((coded,), conflict=True)

    def _coded_drug(self, concept: Concept) -> str | None:
        for system, table in ((RXNORM, self._rxnorm), (ATC, self._atc), (OMOP, self._omop)):
            for code in concept.in_system(system):
                if code in table:
                    return table[code]
        for code in concept.in_system(ATC):
            for prefix, group in self._atc_prefixes:
                if code.startswith(prefix):
                    return f"{group}/{code.lower()}"
        return None

    # -- diagnoses -------------------------------------------------------------------------------

    @remembered
    def meanings(self, concept: Concept) -> tuple[str, ...]:
        """What a diagnosis means to the rules: by code; by words only when no code is known."""
        found: list[str] = []
        icd = [code.replace(".", "").upper() for code in concept.in_system(ICD10CM)]
        snomed = concept.in_system(SNOMED)
        for slug, entry in self.knowledge.conditions.items():
            excluded = any(icd_match(c, x) for c in icd for x in entry.exclude_icd10)
            by_icd = any(icd_match(c, span) for c in icd for span in entry.icd10)
            if (by_icd and not excluded) or any(code in entry.snomed for code in snomed):
                found.append(slug)
        return tuple(found) or self._meanings_by_words(concept)

    def _index_words(self) -> None:
        words = self.knowledge.file("conditions")["words"]

        def padded(kind: str) -> tuple[str, ...]:
            return tuple(f" {normal(w)} " for w in (*words[kind]["before"], *words[kind]["after"]))

        self._negations, self._past = padded("negation"), padded("past")
        self._counts_as_past = frozenset(words["past"]["counts_for"])
        self._disease_words = [
            (f" {normal(keyword)}", slug)
            for slug, entry in self.knowledge.conditions.items()
            for keyword in entry.keywords
        ]

    def _meanings_by_words(self, concept: Concept) -> tuple[str, ...]:
        """Meanings named in words; none beside a negation, and few beside words of the past."""
        for text in concept.words:
            lowered = f" {normal(text)} "
            found = dict.fromkeys(slug for words, slug in self._disease_words if words in lowered)
            if not found or any(w in lowered for w in self._negations):
                continue
            past = any(w in lowered for w in self._past)
            kept = tuple(s for s in found if not past or s in self._counts_as_past)
            if kept:
                return kept
        return ()

    def _index_sites(self) -> None:
        self._site_codes: dict[str, str] = {}
        self._site_if_text: dict[str, str] = {}
        words: list[tuple[str, str]] = []
        for slug, site in self.knowledge.sites.items():
            for code in site.snomed:
                self._site_codes[code] = slug
            for code in site.snomed_if_text:
                self._site_if_text[code] = slug
            words += [(text, slug) for text in site.text]
        self._site_words = Keywords((), words)
        self._site_if_words = tuple(self.knowledge.file("radiation")["snomed_if_text"]["words"])

    def places(self, concept: Concept, *more: str) -> tuple[Place, ...]:
        """Sites of a field by code, then text; levels and sides refine them."""
        text = " ".join([*concept.words, *more])
        sites = [self._site_codes[c] for c in concept.in_system(SNOMED) if c in self._site_codes]
        if not sites:
            sites = [
                slug
                for code, slug in self._site_if_text.items()
                if code in concept.in_system(SNOMED)
                and any(w in text.lower() for w in self._site_if_words)
            ]
        if not sites:
            sites = list(self._site_words.find(text))
        levels = levels_in(text)
        if levels and (not sites or all(s in SPINE.values() for s in sites)):
            return tuple(Place(site, tuple(sorted(found))) for site, found in levels.items())
        if not sites:
            return (Place(None),)
        return tuple(Place(site, self._side(site, text)) for site in dict.fromkeys(sites))

    def _side(self, slug: str, text: str) -> tuple[int, ...]:
        site = self.knowledge.sites[slug]
        whole = self.knowledge.sites.get(site.group, site)
        if not (site.paired or whole.paired):
            return ()
        lowered = text.lower()
        left = re.search(r"\bleft\b", lowered) is not None
        right = re.search(r"\bright\b", lowered) is not None
        if left == right:
            return (0,) if not left and "hemi" in lowered else ()
        return (0,) if left else (1,)


def plausible_as_sent(analyte: Analyte, value: float, unit: str) -> bool:
    """Is the value possible in the unit that it was sent in?"""
    for as_sent, (low, high) in analyte.plausible_as_sent.items():
        if squeeze(as_sent) == squeeze(unit) and not low <= value <= high:
            return False
    return True


@lru_cache(maxsize=8)
def terms(knowledge: Knowledge) -> Terms:
    """The index of a knowledge base; built once."""
    return Terms(knowledge)
