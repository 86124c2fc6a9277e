"""What a line says: the worklist's row in words, ready for the template."""

from __future__ import annotations

from datetime import date

from msgspec import Struct
from msgspec.structs import replace

from redcell.clinic.lines import Complaint, Detail, Reason
from redcell.clinic.people import Person
from redcell.clinic.worklist import Row, is_overdue
from redcell.clock import DAY
from redcell.knowledge.load import Knowledge
from redcell.web.pages.today.sparkline import Sparkline, sparkline

OLD_FORECAST_DAYS = 35
SHOWN_REASONS = 1
SHOWN_SYMPTOMS = 3
SEX = {"female": "F", "male": "M"}
TONES = {
    "emergency": "alarm",
    "same-day-face-to-face": "alarm",
    "same-day": "warn",
    "within-4-days": "near",
    "within-7-days": "near",
}
ASSESSED = "assessed"


class LineView(Struct, frozen=True):
    """One line, every cell as people read it."""

    row: Row
    mark: str
    """Which urgency mark."""
    tone: str
    who: str
    """44 F."""
    spark: Sparkline | None
    reasons: tuple[Reason, ...]
    more: tuple[Reason, ...]
    symptoms: tuple[str, ...]
    more_symptoms: int
    symptoms_word: str
    withheld: str
    """Why there is no forecast; empty where there is one, or none was asked for."""
    late: bool
    mine: bool


def view_of(row: Row, knowledge: Knowledge, *, at: int, today: date, account: str) -> LineView:
    """The line of a row for a reader."""
    head, detail = row.head, row.detail
    left_out = head.status != ASSESSED
    held = head.held > 0 and head.urgency not in TONES
    reasons, more = _reasons(row)
    named = [_symptom(c, knowledge) for c in _worst_first(detail.symptoms)]
    return LineView(
        row=row,
        mark="left-out" if left_out else ("held" if held else head.urgency),
        tone="" if left_out else ("warn" if held else TONES.get(head.urgency, "")),
        who=_who(row, today),
        spark=sparkline(detail.course, at),
        reasons=reasons,
        more=more,
        symptoms=tuple(named[:SHOWN_SYMPTOMS]),
        more_symptoms=max(0, len(named) - SHOWN_SYMPTOMS),
        symptoms_word="none reported" if detail.symptoms_asked else "not asked",
        withheld=_withheld(row, at),
        late=is_overdue(head, today.isoformat()),
        mine=bool(account) and row.standing.owner == account,
    )


def closed_row(row: Row, facts: int) -> Row:
    """The row of somebody with facts that the reader may not see: its urgency, and nothing more."""
    named = "1 fact is restricted" if facts == 1 else f"{facts} facts are restricted"
    why = (Reason("", f"{named}. Open the chart with a reason."),)
    known = row.detail
    detail = Detail(known.sex, known.birth_date, why, symptoms_asked=known.symptoms_asked)
    head = replace(
        row.head, hemoglobin=None, hemoglobin_at=None, grade=None, decision="", probability=None,
        held=0,
    )  # fmt: skip
    return replace(row, head=head, detail=detail, closed=True)


def _who(row: Row, today: date) -> str:
    age = Person("", birth_date=row.detail.birth_date).age(today)
    sex = SEX.get(row.detail.sex, "")
    return " ".join(part for part in ("" if age is None else str(age), sex) if part)


def _reasons(row: Row) -> tuple[tuple[Reason, ...], tuple[Reason, ...]]:
    """Those that are said in words, and those whose rules are only named.

    What makes somebody urgent is said first. Else held results are: nothing else may rest on them.
    """
    if row.head.status != ASSESSED:
        return (Reason("", f"Not assessed: {row.head.status.replace('-', ' ')}."),), ()
    said, more = row.detail.reasons[:SHOWN_REASONS], row.detail.reasons[SHOWN_REASONS:]
    if not row.detail.held:
        return said, more
    causes = dict.fromkeys(one.text.partition(". ")[0].rstrip(".") for one in row.detail.held)
    held = (Reason("", f"Held, not used: {'; '.join(causes)}."),)
    return ((*said, *held) if row.head.urgency in TONES else (*held, *said)), more


def _worst_first(symptoms: tuple[Complaint, ...]) -> list[Complaint]:
    return sorted(symptoms, key=lambda c: -(c.grade or 0))


def _symptom(one: Complaint, knowledge: Knowledge) -> str:
    known = knowledge.symptoms.get(one.symptom)
    name = known.name if known else one.symptom.replace("-", " ")
    return f"{name} {'?' if one.grade is None else one.grade}"


def _withheld(row: Row, at: int) -> str:
    said = row.detail.forecast
    if said.startswith("withheld"):
        return said.partition(": ")[2].replace("-", " ") or "withheld"
    if said and at - row.head.made > OLD_FORECAST_DAYS * DAY:
        return f"older than {OLD_FORECAST_DAYS} days"
    return ""
