"""What the columns of a table mean: one value in a row (long), or one analyte each (wide)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from msgspec import Struct

from redcell.sources.fhir.observations import FLUIDS
from redcell.sources.terms import Terms, normal
from redcell.sources.written import number, shown

SQUEEZE = re.compile(r"[^a-z0-9]+")
ROLES: dict[str, tuple[str, ...]] = {
    "date": (
        *("datetime", "collected", "collecteddate", "collectedat", "collectiondate"),
        *("collectiondatetime", "charttime", "lbdtc", "effectivedatetime", "effective", "drawn"),
        *("drawdate", "drawndate", "drawnat", "specimendate", "sampledate", "labdate", "testdate"),
        *("observationdate", "resultdate", "resultdatetime", "timestamp", "date", "dateandtime"),
        *("datum", "collectiontime", "sampletime", "drawtime", "resulttime", "time"),
    ),
    "clock": ("time", "timeofday", "clocktime", "collectiontime", "sampletime", "drawtime"),
    "analyte": (
        *("analyte", "test", "testname", "labtest", "lab", "labname", "component", "componentname"),
        *("lbtest", "label", "parameter", "parametername", "observation", "measurement", "marker"),
        *("itemname", "testdescription", "investigation", "variable"),
    ),
    "short": ("lbtestcd", "testcode", "testcd", "abbreviation", "shortname"),
    "loinc": ("loinc", "loinccode", "loincnum", "lbloinc"),
    "specimen": ("specimen", "specimentype", "fluid", "sampletype", "lbspec", "material"),
    "category": ("category", "lbcat", "panel"),
    "patient": (
        *("patient", "patientid", "patientidentifier", "subjectid", "subject", "mrn"),
        *("medicalrecordnumber", "usubjid", "personid", "participant", "participantid", "pid"),
        *("ptid", "ptno", "patientno", "patientnumber", "nhsnumber", "hospitalnumber"),
    ),
    "sex": ("sex", "gender"),
    "birth": ("birthdate", "dateofbirth", "dob", "birthday", "brthdtc", "birth"),
    "age": ("age", "ageyears", "ageatcollection", "ageattest"),
    "age_unit": ("ageu", "ageunit"),
    "death": ("deathdate", "dateofdeath", "dod", "dthdtc"),
    "deceased": ("deceased", "died", "dead", "dthfl"),
    "status": ("status", "resultstatus", "observationstatus"),
    "flag": ("flag", "flags", "abnormalflag"),
    "comment": ("comment", "comments", "note", "notes"),
}
"""Names of columns, without case, blanks and punctuation; the first one that is there is taken."""

VALUES: tuple[dict[str, tuple[str, ...]], ...] = (
    {
        "value": ("lborres",),
        "unit": ("lborresu",),
        "low": ("lbornrlo",),
        "high": ("lbornrhi",),
    },
    {
        "value": ("lbstresn", "lbstresc"),
        "unit": ("lbstresu",),
        "low": ("lbstnrlo",),
        "high": ("lbstnrhi",),
    },
    {
        "value": (
            *("value", "result", "resultvalue", "testresult", "labvalue", "observationvalue"),
            *("valuenum", "numericvalue", "resultnumeric", "wert", "val"),
        ),
        "unit": (
            *("unit", "units", "valueuom", "uom", "unitofmeasure", "resultunit", "resultunits"),
            *("valueunit", "labunits", "ucum", "einheit"),
        ),
        "low": (
            *("low", "reflow", "referencelow", "rangelow", "normallow", "lowerlimit", "lln"),
            *("referencerangelow", "refrangelower", "refrangelow", "lowernormal"),
        ),
        "high": (
            *("high", "refhigh", "referencehigh", "rangehigh", "normalhigh", "upperlimit", "uln"),
            *("referencerangehigh", "refrangeupper", "refrangehigh", "uppernormal"),
        ),
        "range": ("range", "referencerange", "normalrange", "refrange", "referenceinterval"),
    },
)
"""A value and its unit and limits belong together: columns of two families are never mixed."""

BRACKETS = re.compile(r"(.{0,200}?\S)\s*[(\[](.{1,100})[)\]]\s{0,9}")
SPLIT = re.compile(r"[\s_,;:/-]+")
POWER = re.compile(r"10_([0-9]{1,2})_")
UNIT_ROW = frozenset({"", "unit", "units", "einheit", "uom"})
LONGEST_HEADER = 80
WORDS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")
PERSON = frozenset(
    ("patient", "subject", "participant", "person", "client", "surname", "lastname", "mrn", "nhs")
)
NUMBERED = ("id", "no", "nr", "number")
NOT_PERSON = frozenset(
    (
        *("test", "lab", "item", "order", "sample", "specimen", "hadm", "visit", "stay", "row"),
        *("encounter", "accession", "event", "result", "panel", "batch", "device", "provider"),
        *("line", "loinc", "unit", "seq", "sequence", "icustay", "barcode"),
    )
)


class Column(Struct, frozen=True):
    """One analyte's column of a wide table."""

    position: int
    slug: str
    unit: str


class Layout(Struct):
    """Where everything stands. `columns` is filled for a wide table; `refused` says which not."""

    roles: dict[str, int]
    columns: tuple[Column, ...] = ()
    unread: tuple[str, ...] = ()
    refused: tuple[tuple[str, str], ...] = ()

    @property
    def wide(self) -> bool:
        """Has every analyte a column of its own?"""
        return "value" not in self.roles

    @property
    def usable(self) -> bool:
        """Can a result be read from a row at all?"""
        return "date" in self.roles and (not self.wide or bool(self.columns))


def squeezed(header: str) -> str:
    """A column's name without case, blanks and punctuation."""
    return SQUEEZE.sub("", header[:LONGEST_HEADER].lower())


def score(header: Sequence[str], terms: Terms) -> int:
    """How many columns of this header are understood; 0 when it cannot be a header."""
    if not set(ROLES["date"]).intersection(map(squeezed, header)):
        return 0
    layout = read_header(header, None, terms)
    known = bool(layout.columns or layout.refused or not layout.wide)
    return len(layout.roles) + len(layout.columns) if "date" in layout.roles and known else 0


def read_header(header: Sequence[str], units: Sequence[str] | None, terms: Terms) -> Layout:
    """The layout that a header means; `units` is the row of units under it, if there is one."""
    names = [squeezed(cell) for cell in header]
    roles = _roles(names)
    if any(role in roles for role in ("analyte", "short", "loinc")) and _value_roles(names, roles):
        return Layout(roles)
    columns: list[Column] = []
    unread: list[str] = []
    refused: list[tuple[str, str]] = []
    taken = set(roles.values())
    for position, cell in enumerate(header):
        if position in taken or not cell.strip():
            continue
        below = units[position].strip() if units is not None and position < len(units) else ""
        found = _column(cell, below, terms)
        if isinstance(found, str):
            refused.append((cell, found))
        elif found is None:
            unread.append(cell)
        else:
            columns.append(Column(position, *found))
    return Layout(roles, tuple(columns), tuple(unread), tuple(refused))


def is_unit_row(row: Sequence[str], layout: Layout, header: Sequence[str], terms: Terms) -> bool:
    """Is this the row of units under a wide header?"""
    day = layout.roles.get("date", 0)
    if not layout.wide or day >= len(row) or row[day].strip().lower() not in UNIT_ROW:
        return False
    if any(number(cell) for cell in row):
        return False
    below = read_header(header, row, terms).columns
    return any(column.position < len(row) and row[column.position].strip() for column in below)


def maybe_person(header: str) -> bool:
    """Might this column, which is none of the known ones, say whose result it is?"""
    words = [word.lower() for word in WORDS.findall(header[:LONGEST_HEADER])]
    if not words or NOT_PERSON.intersection(words):
        return False
    return words[-1] in NUMBERED or not PERSON.isdisjoint(words)


def _roles(names: Sequence[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for role, known in ROLES.items():
        for name in known:
            if name in names and names.index(name) not in found.values():
                found[role] = names.index(name)
                break
    return found


def _value_roles(names: Sequence[str], roles: dict[str, int]) -> bool:
    """Add the columns of the first family that has a value."""
    for family in VALUES:
        if not any(name in names for name in family["value"]):
            continue
        for role, known in family.items():
            name = next((name for name in known if name in names), None)
            if name is not None:
                roles[role] = names.index(name)
        return True
    return False


def _column(header: str, below: str, terms: Terms) -> tuple[str, str] | str | None:
    """Analyte and unit of a wide column; the reason why not; `None` when it is no analyte."""
    if len(header) > LONGEST_HEADER or any(word in header.lower() for word in FLUIDS):
        return None
    named: str | None = None
    for name, units in _readings(header, below):
        slug = terms.loinc.get(name.strip())
        if slug is None and normal(name) not in terms.names:
            continue
        for unit in units:
            found = slug if slug and terms.unit_factor(slug, unit) else None
            found = found or terms.analyte_by_name(name, unit)
            if found is not None and (unit or _needs_no_unit(terms, found)):
                return found, unit
        named = named or units[0]
    if named is None:
        return None
    if named:
        return f"its unit {shown(named)} is not one that redcell understands for it"
    return "it has no unit, and none is guessed; write it in the header, for example 'Hb (g/dL)'"


def _needs_no_unit(terms: Terms, slug: str) -> bool:
    analyte = terms.knowledge.analytes[slug]
    return analyte.kind != "number" or terms.unit_factor(slug, "") is not None


def _readings(header: str, below: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Every way to take a header apart into a name and a unit, the surest first."""
    text = header.strip()
    if below:
        yield text, (below,)
        return
    found = BRACKETS.fullmatch(text)
    if found is not None:
        yield found[1], (found[2].strip(),)
    yield text, ("",)
    for gap in SPLIT.finditer(text):
        name, unit = text[: gap.start()], text[gap.end() :]
        if name and unit:
            power = POWER.sub(r"10^\1/", unit).replace("_", "/")
            yield name, (unit, unit.replace("_", "/"), power)
