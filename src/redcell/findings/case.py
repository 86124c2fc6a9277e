"""One patient as known at one moment: what each step picks its facts from."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

from redcell.findings.contradictions import consistent
from redcell.findings.derived import complete
from redcell.knowledge.load import Knowledge
from redcell.quantity import half_up
from redcell.record.disease import Diagnosis
from redcell.record.measured import Coded, Measured
from redcell.record.moment import Moment, days_between, within
from redcell.record.record import Record
from redcell.record.symptoms import Answer, SymptomReport, answer, newest
from redcell.record.therapies import Treatment, treatments
from redcell.record.transfusions import Transfusion

CYTOTOXIC = "cytotoxic"
CONJUGATE = "antibody-drug-conjugate"
PARP = "parp-inhibitor"
CDK = "cdk4-6-inhibitor"
CHECKPOINT = "checkpoint-inhibitor"
ENDOCRINE = "endocrine"


class Case:
    """A record at a moment with the knowledge to read it. Picks facts; judges nothing."""

    def __init__(self, record: Record, at: Moment, knowledge: Knowledge) -> None:
        known, self.contradicted = consistent(record.known_at(at), knowledge)
        self.record = complete(known, knowledge)
        self.at = at
        self.knowledge = knowledge
        self._current: dict[str, Measured | None] = {}

    # -- results -----------------------------------------------------------------------------

    def series(self, analyte: str) -> tuple[Measured, ...]:
        """Every value of an analyte, oldest first."""
        return self.record.results.get(analyte, ())

    def newest(self, analyte: str) -> Measured | None:
        """The newest value, however old."""
        rows = self.series(analyte)
        return rows[-1] if rows else None

    def current(self, analyte: str) -> Measured | None:
        """The newest value inside the freshness window of its group."""
        if analyte not in self._current:
            value = self.newest(analyte)
            fresh = value is not None and self._fresh(analyte, value.time)
            self._current[analyte] = value if fresh else None
        return self._current[analyte]

    def coded(self, analyte: str) -> Coded | None:
        """The newest current coded result (smear finding, antiglobulin test)."""
        rows = self.record.coded.get(analyte, ())
        return rows[-1] if rows and self._fresh(analyte, rows[-1].time) else None

    def seen(self, finding: str) -> Coded | None:
        """The coded result when it is present or positive."""
        result = self.coded(finding)
        return result if result is not None and result.positive else None

    def with_count(self, analyte: str) -> Measured | None:
        """The value of the same day as the hemoglobin, else the newest current one."""
        hemoglobin = self.hemoglobin
        if hemoglobin is not None:
            day = hemoglobin.time.day
            for result in reversed(self.series(analyte)):
                if result.time.day == day:
                    return result
        return self.current(analyte)

    @property
    def hematocrit_of_count(self) -> Measured | None:
        """The hematocrit beside the newest hemoglobin, also one that contradicts it."""
        now = self.hemoglobin
        held = (m for m in self.contradicted if m.analyte == "hematocrit")
        return next((m for m in held if now and m.time == now.time), self.with_count("hematocrit"))

    def _fresh(self, analyte: str, when: Moment) -> bool:
        group = self.knowledge.analytes[analyte].group
        days = self.knowledge.value(f"freshness.{group}")
        return within(when, self.at, days)

    def limits(self, result: Measured) -> tuple[float | None, float | None]:
        """The result's own reference limits, else the adult ones of the knowledge base."""
        low, high = self.knowledge.analytes[result.analyte].limits(self.record.patient.sex)
        return (
            low if result.low is None else result.low,
            high if result.high is None else result.high,
        )

    def above(self, analyte: str) -> Measured | None:
        """The current value when it lies above its upper limit."""
        value = self.current(analyte)
        if value is None:
            return None
        high = self.limits(value)[1]
        return value if high is not None and value.value > high else None

    def below(self, analyte: str) -> Measured | None:
        """The current value when it lies below its lower limit."""
        value = self.current(analyte)
        if value is None:
            return None
        low = self.limits(value)[0]
        return value if low is not None and value.value < low else None

    # -- hemoglobin --------------------------------------------------------------------------

    @cached_property
    def hemoglobin(self) -> Measured | None:
        """The newest hemoglobin that is still usable."""
        value = self.newest("hemoglobin")
        usable = self.knowledge.value("freshness.hemoglobin_usable")
        return value if value is not None and within(value.time, self.at, usable) else None

    @cached_property
    def earlier_hemoglobin(self) -> tuple[Measured, ...]:
        """Every hemoglobin before the newest usable one, oldest first."""
        now = self.hemoglobin
        return tuple(m for m in self.series("hemoglobin") if now is None or m.time < now.time)

    @cached_property
    def trusted_hemoglobin(self) -> tuple[Measured, ...]:
        """The earlier counts without those that failed the delta check and were not confirmed."""
        counts = self.series("hemoglobin")
        return tuple(m for m in self.earlier_hemoglobin if not self._doubtful(m, counts))

    def _doubtful(self, count: Measured, counts: Sequence[Measured]) -> bool:
        """Did this count jump from an earlier one, with no other count near it that agrees?"""
        number = self.knowledge.value
        change, window = number("anemia.delta_change"), number("anemia.delta_days")
        jumped = any(
            m.time < count.time
            and _apart(m, count) <= window
            and abs(drop(m, count)) > change
            and not self.explained_between(m, count)
            for m in counts
        )
        return jumped and not any(
            m is not count and _apart(m, count) <= window and abs(drop(m, count)) <= change
            for m in counts
        )

    def explained_between(self, earlier: Measured, later: Measured) -> bool:
        """Do red cells or a recorded bleed between two counts explain a jump?"""
        if self.transfused_between(earlier, later) is not None:
            return True
        return any(
            earlier.time < moment <= later.time
            for report in self.bleeds
            for moment in (report.time, report.onset)
            if moment is not None
        )

    @cached_property
    def bleeds(self) -> tuple[SymptomReport, ...]:
        """Every report of bleeding that was present."""
        names = self.named("bleeding_site")
        rows = (r for name in names for r in self.record.symptoms.get(name, ()))
        return tuple(r for r in rows if r.present)

    def transfused_between(self, earlier: Measured, later: Measured) -> Transfusion | None:
        """A red-cell transfusion that began after one count and before the other.

        One that began on or before the earlier count raised that count, and does not lie between.
        Of one dated by the day of the earlier count alone, that is taken to explain a rise, and
        not to excuse a fall.
        """
        for transfusion in self.record.transfusions:
            start = transfusion.start
            after = start > earlier.time
            if start.day_only:
                rose = start.day == earlier.time.day and later.value > earlier.value
                after = start.day > earlier.time.day or rose
            if after and start < later.time:
                return transfusion
            if after and start.day_only and start.day <= later.time.day:
                return transfusion
        return None

    @cached_property
    def transfusion_since_count(self) -> Transfusion | None:
        """The newest red cells given after the newest hemoglobin."""
        now = self.hemoglobin
        if now is None:
            return None
        since = [
            t
            for t in self.record.transfusions
            if (t.start.day >= now.time.day if t.start.day_only else t.start > now.time)
        ]
        return since[-1] if since else None

    def after_red_cells(self, result: Measured, days: float) -> bool:
        """Was the sample taken at most `days` after red cells were given?"""
        return any(within(t.end, result.time, days) for t in self.record.transfusions)

    # -- symptoms ----------------------------------------------------------------------------

    @cached_property
    def answers(self) -> dict[str, Answer]:
        """The current answer of each answered symptom; feeling cold with a fever is rigors."""
        number = self.knowledge.value
        fresh = number("freshness.symptom")
        recent, gap = number("urgency.recent_onset"), number("urgency.run_gap")
        found: dict[str, Answer] = {}
        for name, reports in self.record.symptoms.items():
            if within(newest(reports).time, self.at, fresh):
                found[name] = answer(reports, self.at, recent, gap)
        cold = found.get("feeling-cold")
        if cold is not None and cold.present and ("rigors" in self._present(found) or self.hot):
            del found["feeling-cold"]
            if "rigors" not in self._present(found):
                found["rigors"] = cold
        return found

    @staticmethod
    def _present(answers: dict[str, Answer]) -> frozenset[str]:
        return frozenset(name for name, reply in answers.items() if reply.present)

    def reply(self, symptom: str) -> Answer | None:
        """The current answer about a symptom, absence included."""
        return self.answers.get(symptom)

    def has(self, *symptoms: str) -> tuple[Answer, ...]:
        """The answers of those symptoms that are present."""
        found = self.answers
        return tuple(found[name] for name in symptoms if name in found and found[name].present)

    def named(self, flag: str) -> tuple[str, ...]:
        """Symptom names that carry a flag: `article`, `attributable` or `bleeding_site`."""
        return self.knowledge.flagged(flag)

    @cached_property
    def hot(self) -> Measured | None:
        """A current temperature that counts as fever."""
        value = self.current("temperature")
        limit = self.knowledge.value("urgency.fever")
        return value if value is not None and half_up(value.value, 2) >= limit else None

    # -- therapies ---------------------------------------------------------------------------

    @cached_property
    def treatments(self) -> dict[str, Treatment]:
        """Every treatment of the record by drug; contributors as `group/ingredient`."""
        return treatments(self.record.drugs, self.at, self._washout)

    def _washout(self, slug: str) -> float | None:
        """The longest gap inside one treatment with a drug; none for drugs outside cancer."""
        if slug not in self.knowledge.drugs:
            return None
        return self.knowledge.value(f"washout.{self.drug_class(slug)}")

    @cached_property
    def cancer_drugs(self) -> dict[str, Treatment]:
        """Cancer drugs whose exposure window (D1) contains the moment of the assessment."""
        return {
            slug: treatment
            for slug, treatment in self.treatments.items()
            if slug in self.knowledge.drugs and self.exposed(treatment)
        }

    def drug_class(self, slug: str) -> str:
        """The class of a cancer drug."""
        return self.knowledge.drugs[slug].drug_class

    def of_class(self, *classes: str) -> tuple[Treatment, ...]:
        """Cancer drugs of these classes inside their window."""
        return tuple(t for s, t in self.cancer_drugs.items() if self.drug_class(s) in classes)

    def exposed(self, treatment: Treatment) -> bool:
        """Is the moment inside first dose .. last dose + washout (D1)?"""
        washout = self.knowledge.value(f"washout.{self.drug_class(treatment.drug)}")
        return within(treatment.last, self.at, washout)

    def contributors(self, *groups: str) -> tuple[Treatment, ...]:
        """Drugs outside cancer treatment that are active, or were until a few days ago."""
        days = self.knowledge.value("exposure.contributor_active_days")
        return tuple(t for t in self._grouped(groups) if within(t.last, self.at, days))

    def ever(self, *groups: str) -> tuple[Treatment, ...]:
        """Drugs of these groups at any time in the record."""
        return tuple(self._grouped(groups))

    def _grouped(self, groups: Sequence[str]) -> list[Treatment]:
        return [t for slug, t in self.treatments.items() if slug.partition("/")[0] in groups]

    # -- disease -----------------------------------------------------------------------------

    def diagnosis(self, *meanings: str) -> Diagnosis | None:
        """An active diagnosis under one of these meanings."""
        for found in self.record.diagnoses:
            if found.meaning in meanings and not found.absent and found.active:
                return found
        return None

    def denied(self, meaning: str) -> Diagnosis | None:
        """An explicit negative."""
        for found in self.record.diagnoses:
            if found.meaning == meaning and found.absent:
                return found
        return None

    def recent_diagnosis(
        self, meaning: str, days: float, *, undated: bool, resolved: bool
    ) -> Diagnosis | None:
        """A diagnosis whose onset, else recorded date, is at most `days` ago.

        `undated` says whether one without any date counts, `resolved` whether a past one does.
        """
        for found in self.record.diagnoses:
            if found.meaning != meaning or found.absent or not (found.active or resolved):
                continue
            when = found.onset or found.recorded
            if (undated and found.active) if when is None else within(when, self.at, days):
                return found
        return None


def _apart(one: Measured, other: Measured) -> float:
    """Days between two samples, whichever came first."""
    return abs(days_between(one.time, other.time))


def drop(earlier: Measured, later: Measured) -> float:
    """How far the later value lies below the earlier one, to two decimals (negative: above)."""
    return half_up(earlier.value - later.value, 2)


def days(earlier: Measured, later: Measured) -> float:
    """Days between two samples."""
    return days_between(earlier.time, later.time)
