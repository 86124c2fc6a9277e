"""Everything known about one patient, gathered from facts and ordered in time."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from html import escape
from typing import TypeVar

from msgspec import Struct
from msgspec.structs import replace

from redcell.record.disease import CareSetting, Diagnosis, Goal, Prognosis, Refusal
from redcell.record.measured import Coded, Measured, Result, settle
from redcell.record.moment import Moment
from redcell.record.patient import Patient
from redcell.record.radiation import RadiationCourse
from redcell.record.symptoms import SymptomReport
from redcell.record.therapies import DrugRecord
from redcell.record.transfusions import Transfusion, TransfusionTotal


class SetAside(Struct, frozen=True):
    """Something in the source that was not used as it stood, and why.

    `code` is a warning code of the output contract, or a reading problem outside that list.
    """

    code: str
    place: str
    text: str
    reference: str = ""


class PlannedTherapy(Struct, frozen=True):
    """Treatment that is planned beyond the assessment."""

    drug: str | None
    until: Moment
    reference: str


Fact = (
    Measured
    | Coded
    | SymptomReport
    | DrugRecord
    | RadiationCourse
    | Transfusion
    | TransfusionTotal
    | Diagnosis
    | Refusal
    | Prognosis
    | CareSetting
    | Goal
    | PlannedTherapy
)

F = TypeVar("F")
R = TypeVar("R", Measured, Coded)
M = TypeVar("M", Measured, Coded, SymptomReport, Transfusion)


class Record(Struct, frozen=True):
    """One patient's facts. Build it with `assemble`; the order of the facts does not matter."""

    patient: Patient
    results: dict[str, tuple[Measured, ...]]
    coded: dict[str, tuple[Coded, ...]]
    symptoms: dict[str, tuple[SymptomReport, ...]]
    drugs: tuple[DrugRecord, ...]
    radiation: tuple[RadiationCourse, ...]
    transfusions: tuple[Transfusion, ...]
    transfusion_totals: tuple[TransfusionTotal, ...]
    diagnoses: tuple[Diagnosis, ...]
    refusals: tuple[Refusal, ...]
    prognoses: tuple[Prognosis, ...]
    care: tuple[CareSetting, ...]
    goals: tuple[Goal, ...]
    planned: tuple[PlannedTherapy, ...]
    set_aside: tuple[SetAside, ...]
    sources: tuple[str, ...] = ()
    used: int = 0

    def known_at(self, at: Moment) -> Record:
        """This record without anything whose clinical time is later than `at`.

        Each resource left out is named in `set_aside` with the code `future-data-ignored`.
        """
        late: list[SetAside] = []
        past = _Past(at, late)
        results = {name: past.newest_last(rows) for name, rows in self.results.items()}
        coded = {name: past.newest_last(rows) for name, rows in self.coded.items()}
        symptoms = {name: past(rows) for name, rows in self.symptoms.items()}
        return replace(
            self,
            results={name: rows for name, rows in results.items() if rows},
            coded={name: rows for name, rows in coded.items() if rows},
            symptoms={name: rows for name, rows in symptoms.items() if rows},
            drugs=past(self.drugs),
            radiation=past(self.radiation),
            transfusions=past(self.transfusions),
            transfusion_totals=past(self.transfusion_totals),
            diagnoses=past(self.diagnoses),
            prognoses=past(self.prognoses),
            care=past(self.care),
            set_aside=(*self.set_aside, *late),
        )

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td>{escape(name)}</td><td>{len(found)}</td><td>{escape(str(found[-1]))}</td></tr>"
            for name, found in sorted(self.results.items())
        )
        return (
            f"<p>{escape(repr(self))}</p><table><thead><tr><th>measured</th><th>values</th>"
            f"<th>newest</th></tr></thead><tbody>{rows}</tbody></table>"
        )

    def __repr__(self) -> str:
        values = sum(len(rows) for rows in self.results.values())
        return (
            f"Record({self.patient.reference}: {values} measured values, "
            f"{len(self.drugs)} drug records, {len(self.set_aside)} set aside)"
        )


class _Past:
    """Keeps what had happened by `at`; notes what had not."""

    def __init__(self, at: Moment, late: list[SetAside]) -> None:
        self.at = at
        self.late = late

    def __call__(self, facts: tuple[F, ...]) -> tuple[F, ...]:
        kept = tuple(fact for fact in facts if (when := happened(fact)) is None or when <= self.at)
        if len(kept) != len(facts):
            for fact in facts:
                when = happened(fact)
                if when is not None and when > self.at:
                    reference = str(getattr(fact, "reference", ""))
                    text = f"{reference} is dated {when}, after the assessment; it was not used."
                    self.late.append(SetAside("future-data-ignored", "", text, reference))
        return kept

    def newest_last(self, facts: tuple[R, ...]) -> tuple[R, ...]:
        """The same of results in the order of their times."""
        return facts if not facts or facts[-1].time <= self.at else self(facts)


def happened(fact: object) -> Moment | None:
    """The clinical time of a fact; `None` when it has none, which never excludes it."""
    if isinstance(fact, (Measured, Coded, SymptomReport)):
        return fact.time
    if isinstance(fact, (DrugRecord, RadiationCourse, Transfusion, TransfusionTotal, CareSetting)):
        return fact.start
    if isinstance(fact, Diagnosis):
        return fact.recorded or fact.onset
    if isinstance(fact, Prognosis):
        return fact.recorded
    return None


class _Lived:
    """Leaves out what is dated before the year of birth: another person's, or a wrong date."""

    def __init__(self, birth: date | None, aside: list[SetAside]) -> None:
        self.year = birth.year if birth else 0
        self.aside = aside

    def __call__(self, facts: tuple[M, ...]) -> tuple[M, ...]:
        """Those that remain, of facts in the order of their times."""
        if not facts or self._lived(facts[0]):
            return facts
        for fact in facts:
            if not self._lived(fact):
                text = (
                    f"{fact.reference} is dated {happened(fact)}, before the patient was born; it "
                    "was not used. Is it another person's?"
                )
                self.aside.append(SetAside("implausible-value", "", text, fact.reference))
        return tuple(fact for fact in facts if self._lived(fact))

    def _lived(self, fact: Measured | Coded | SymptomReport | Transfusion) -> bool:
        when = happened(fact)
        return when is None or when.day.year >= self.year

    def named(self, facts: dict[str, tuple[M, ...]]) -> dict[str, tuple[M, ...]]:
        """The same of facts by name; names without any are gone."""
        return {name: kept for name, rows in facts.items() if (kept := self(rows))}


def assemble(
    patient: Patient,
    facts: Iterable[Fact],
    set_aside: Iterable[SetAside] = (),
    sources: Iterable[str] = (),
) -> Record:
    """Gather facts into a record: one result per analyte and time, everything in time order."""
    by_type: dict[type, list[Fact]] = {}
    for fact in facts:
        by_type.setdefault(type(fact), []).append(fact)
    aside = list(set_aside)
    lived = _Lived(patient.birth_date, aside)

    def ordered(kind: type[F]) -> tuple[F, ...]:
        rows = by_type.get(kind, [])
        return tuple(dict.fromkeys(sorted(rows, key=_order)))  # type: ignore[arg-type]

    return Record(
        patient=patient,
        results=lived.named(_by_name(by_type.get(Measured, []), "analyte", aside)),
        coded=lived.named(_by_name(by_type.get(Coded, []), "analyte", aside)),
        symptoms=lived.named(_by_symptom(ordered(SymptomReport))),
        drugs=ordered(DrugRecord),
        radiation=ordered(RadiationCourse),
        transfusions=lived(_merge(ordered(Transfusion))),
        transfusion_totals=ordered(TransfusionTotal),
        diagnoses=ordered(Diagnosis),
        refusals=ordered(Refusal),
        prognoses=ordered(Prognosis),
        care=ordered(CareSetting),
        goals=ordered(Goal),
        planned=ordered(PlannedTherapy),
        set_aside=tuple(dict.fromkeys(sorted(aside, key=lambda s: (s.code, s.place, s.text)))),
        sources=tuple(sources),
        used=len({getattr(f, "reference", "") for rows in by_type.values() for f in rows}),
    )


def _order(fact: object) -> tuple[float, str, str]:
    when = happened(fact)
    return (
        when.time.timestamp() if when else float("-inf"),
        str(getattr(fact, "reference", "")),
        str(fact),
    )


def _by_name(rows: list[Fact], key: str, aside: list[SetAside]) -> dict[str, tuple]:  # type: ignore[type-arg]
    groups: dict[str, dict[Moment, list[Result]]] = {}
    for row in rows:
        times = groups.setdefault(getattr(row, key), {})
        times.setdefault(row.time, []).append(row)  # type: ignore[union-attr,arg-type]
    named: dict[str, tuple[Result, ...]] = {}
    for name, times in sorted(groups.items()):
        named[name] = tuple(_settled(name, times[time], aside) for time in sorted(times))
    return named


def _settled(name: str, same: list[Result], aside: list[SetAside]) -> Result:
    """The result to use of those for one analyte and time."""
    if len(same) == 1:
        return same[0]
    chosen, conflict = settle(same)
    if conflict:
        aside.append(_conflict(name, chosen, same))
    return chosen


def _conflict(name: str, chosen: Result, same: list[Result]) -> SetAside:
    others = ", ".join(sorted(f"{r.reference} ({r})" for r in same if r is not chosen))
    text = (
        f"Several results for {name} at {chosen.time}: {others} disagree with {chosen.reference} "
        f"({chosen}), which was used. Ask the laboratory which one is right."
    )
    return SetAside("conflicting-records", "", text, chosen.reference)


def _by_symptom(reports: tuple[SymptomReport, ...]) -> dict[str, tuple[SymptomReport, ...]]:
    named: dict[str, list[SymptomReport]] = {}
    for report in reports:
        named.setdefault(report.symptom, []).append(report)
    return {name: tuple(rows) for name, rows in sorted(named.items())}


def _merge(transfusions: tuple[Transfusion, ...]) -> tuple[Transfusion, ...]:
    """A procedure and an administration that overlap in time are one transfusion."""
    procedures = [t for t in transfusions if not t.administration]
    doses = [t for t in transfusions if t.administration]
    kept = list(procedures)
    for dose in doses:
        twins = [p for p in procedures if _overlap(p, dose)]
        if not twins:
            kept.append(dose)
    return tuple(sorted(kept, key=lambda t: (t.start, t.reference)))


def _overlap(one: Transfusion, other: Transfusion) -> bool:
    if any(m.day_only for m in (one.start, one.end, other.start, other.end)):
        return one.start.day <= other.end.day and other.start.day <= one.end.day
    return one.start <= other.end and other.start <= one.end
