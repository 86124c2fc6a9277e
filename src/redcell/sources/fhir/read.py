"""One patient's FHIR resources, from Bundles, NDJSON or single files, gathered into a record."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import msgspec
from msgspec import Struct

from redcell.errors import SeveralPatientsError, UnreadableSourceError
from redcell.record.patient import Patient
from redcell.record.record import Fact, Record, SetAside, assemble
from redcell.sources.as_fhir import TRANSLATED
from redcell.sources.fhir import conditions, medications, observations, procedures
from redcell.sources.fhir.kind import kind_of, own_kind
from redcell.sources.fhir.person import joined, patient_of
from redcell.sources.fhir.reading import URN, Located, Reading, name_of, tail
from redcell.sources.fhir.resources import DECODERS, Resource
from redcell.sources.fhir.resources import Patient as FhirPatient
from redcell.sources.fhir.times import BadTimeError, moment
from redcell.sources.results import cross_check
from redcell.sources.shapes import Shapes
from redcell.sources.strict_json import RefusedJsonError, check
from redcell.sources.terms import Terms

SHOWN = 8
"""How many patient ids an error lists."""


class RawResource(Struct):
    """One resource as bytes, where it stood, and the fullUrl of its entry."""

    place: str
    data: bytes
    full_url: str = ""
    checked: bool = False


class Entry(Struct):
    """Bundle.entry; `request` is ignored."""

    fullUrl: str = ""
    resource: msgspec.Raw = msgspec.Raw(b"")


class Bundle(Struct):
    """FHIR Bundle."""

    resourceType: str = ""
    type: str = ""
    entry: list[Entry] = []


_bundle = msgspec.json.Decoder(Bundle).decode

SHAPES = Shapes()
"""Of the resources that this process has read."""

READERS: dict[str, Callable[[Reading, Located, Any], None]] = {
    "Observation": observations.read_observation,
    "Condition": conditions.read_condition,
    "MedicationAdministration": medications.read_administration,
    "MedicationStatement": medications.read_statement,
    "MedicationRequest": medications.read_request,
    "MedicationDispense": medications.read_dispense,
    "CarePlan": medications.read_care_plan,
    "Procedure": procedures.read_procedure,
    "Consent": conditions.read_consent,
    "RiskAssessment": conditions.read_risk,
    "ClinicalImpression": conditions.read_impression,
    "Encounter": conditions.read_care,
    "EpisodeOfCare": conditions.read_care,
    "CareTeam": conditions.read_care,
    "ServiceRequest": conditions.read_care,
    "Goal": conditions.read_goal,
    "QuestionnaireResponse": conditions.read_questionnaire,
}


def split(place: str, data: bytes) -> Iterator[RawResource]:
    """The resources of one JSON document: the entries of a Bundle, or the document itself.

    Raises:
        RefusedJsonError: when the document is not JSON that can be trusted.
    """
    check(data)
    try:
        kind = own_kind(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise RefusedJsonError(str(error)) from error
    if kind != "Bundle":
        yield RawResource(place, data, checked=True)
        return
    try:
        bundle = _bundle(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise RefusedJsonError(str(error)) from error
    for number, entry in enumerate(bundle.entry):
        raw = bytes(entry.resource)
        if raw:
            yield RawResource(f"{place}#entry[{number}]", raw, entry.fullUrl, checked=True)


def decode(
    raws: Iterable[RawResource], aside: list[SetAside], counts: dict[str, int]
) -> list[Located]:
    """Decode the resource types that are read; what cannot be decoded is set aside."""
    found: list[Located] = []
    for number, raw in enumerate(raws):
        located = decode_one(raw, number, aside, counts)
        if located is not None:
            found.append(located)
    return found


def decode_one(
    raw: RawResource, number: int, aside: list[SetAside], counts: dict[str, int]
) -> Located | None:
    """Decode one resource, the `number`-th of its source, if it is of a type that is read."""
    try:
        kind = kind_of(raw.data)
        counts[kind or "not a resource"] = counts.get(kind or "not a resource", 0) + 1
        decoder = DECODERS.get(kind)
        if decoder is None or (kind in CARE and not _may_name_hospice(raw.data)):
            return None
        resource: Resource = decoder.decode(raw.data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        text = f"{raw.place}: {error}; the resource was not used."
        aside.append(SetAside("not-readable", raw.place, text))
        return None
    reference = name_of(kind, resource.id, raw.full_url, f"entry-{number}")
    return Located(raw.place, reference, raw.full_url, resource, raw.data, raw.checked)


CARE = frozenset({"Encounter", "EpisodeOfCare", "CareTeam", "ServiceRequest"})
"""Read only for whether they name hospice care; most do not, and need no decoding."""


def _may_name_hospice(data: bytes) -> bool:
    return b"ospice" in data or b"OSPICE" in data or b"385763009" in data or b"\\" in data


OWN = "urn:redcell"
"""The source of redcell's own proposals: filed in a chart, they are never evidence."""


class Names:
    """The patient of the record, and every name that a subject reference may use for it."""

    def __init__(
        self,
        reference: str,
        url: str = "",
        others: Iterable[str] = (),
        aliases: Iterable[str] = (),
    ) -> None:
        self.reference, self.url = reference, url
        self._others = frozenset(others)
        self._own = frozenset((reference, *aliases))
        self._known: dict[str, bool] = {}

    def mine(self, owner: str) -> bool:
        """Does this reference name the patient?"""
        if owner not in self._known:
            named = owner == self.url or owner in self._own or tail(owner) in self._own
            self._known[owner] = bool(owner) and named
        return self._known[owner]

    def known_other(self, owner: str) -> bool:
        """Does it name another patient of the same source, from which this one was chosen?"""
        return tail(owner) in self._others or owner in self._others


def patients_in(located: Iterable[Located]) -> dict[str, Located]:
    """Patient resources by reference; the same patient twice is one."""
    found: dict[str, Located] = {}
    for where in located:
        if isinstance(where.resource, FhirPatient):
            found[where.reference] = where
    return found


def read_patient_record(
    located: list[Located],
    terms: Terms,
    aside: list[SetAside],
    counts: dict[str, int],
    wanted: str | None,
    sources: Iterable[str],
    *,
    aliases: Iterable[str] = (),
    facts: Iterable[Fact] = (),
) -> Record:
    """Gather one patient's resources into a record.

    Args:
        located: decoded resources.
        terms: the code tables.
        aside: what was set aside before.
        counts: how many resources of each type there were.
        wanted: which patient, when there are several.
        sources: names of the files.
        aliases: other patient ids that are known to be the same person's.
        facts: what was read before, of resources that are not among `located`.

    Raises:
        SeveralPatientsError: the source holds several patients and none was chosen.
        UnreadableSourceError: there is no patient in it, or not the one wanted.
    """
    reading = Reading(terms)
    reading.aside.extend(aside)
    reading.add(*facts)
    located = _deduplicate(located, reading)
    for where in located:
        reading.index[where.reference] = where
        if url := _url(where):
            reading.index[url] = where
    known = [f"Patient/{name}" for name in aliases]
    home, names = _choose(located, reading, wanted, known)
    for where in located:
        reader = READERS.get(where.resource.resourceType)
        if reader is None or where.resource.meta.source == OWN:
            continue
        if not _belongs(where, names, reading):
            continue
        _read_checked(reader, reading, where)
    if translated := {w.reference for w in located if _translated(w)}:
        cross_check(reading, translated)
    unknown = Patient(names.reference.rpartition("/")[2])
    patient = patient_of(reading, home) if home is not None else unknown
    own = set(known) - {patient.reference}
    others = [where for name, where in sorted(patients_in(located).items()) if name in own]
    patient = joined(reading, patient, [patient_of(reading, where) for where in others])
    reading.counts = counts
    return assemble(patient, reading.facts, reading.aside, sources)


def _url(where: Located) -> str:
    """The address that others know a resource by; outside of a Bundle its id names it."""
    return where.full_url or (URN + where.resource.id if where.resource.id else "")


def _translated(where: Located) -> bool:
    """Was it made here from a message or a table? Those are held to the checks of their format."""
    return where.resource.meta.source.startswith(TRANSLATED)


def _read_checked(
    reader: Callable[[Reading, Located, Any], None], reading: Reading, where: Located
) -> None:
    """Read one resource; what it adds counts only if its JSON is unambiguous."""
    before = len(reading.facts)
    reader(reading, where, where.resource)
    if where.checked or len(reading.facts) == before:
        return
    try:
        SHAPES.check(where.raw)
    except RefusedJsonError as error:
        del reading.facts[before:]
        reading.set_aside("not-readable", where, f"{error}; the resource was not used.")


def _deduplicate(located: list[Located], reading: Reading) -> list[Located]:
    """Each resource once, whatever the order: of several versions the newest.

    Of rivals with one version the first by content is used, and all of them where they are
    Observations.
    """
    versions: dict[str, list[Located]] = {}
    for where in located:
        versions.setdefault(where.reference, []).append(where)
    kept: list[Located] = []
    extra: list[Located] = []
    for given in versions.values():
        first, *others = given if len(given) == 1 else _newest(given)
        kept.append(first)
        for where in others:
            text = f"{where.reference} is given twice with different content; ask the sender."
            reading.set_aside("conflicting-records", where, text)
            if where.resource.resourceType == "Observation":
                extra.append(where)
    return [*kept, *extra]


def _newest(given: list[Located]) -> list[Located]:
    """Of one resource given several times the newest version; more than one where they differ."""
    if all(where.raw == given[0].raw for where in given):
        return given[:1]
    latest = max(map(_version, given))
    newest = sorted((w for w in given if _version(w) == latest), key=lambda where: where.raw)
    contents: dict[bytes, Located] = {}
    for where in newest:
        contents.setdefault(msgspec.json.encode(where.resource), where)
    return [contents[content] for content in sorted(contents)]


def _version(where: Located) -> tuple[str, str]:
    meta = where.resource.meta
    return (meta.versionId.zfill(12) if meta.versionId else "", _instant(meta.lastUpdated))


def _instant(text: str) -> str:
    """A time in UTC, so that two with different offsets compare; a bad one as it stands."""
    if not text:
        return ""
    try:
        return moment(text)[0].time.isoformat(timespec="microseconds")
    except BadTimeError:
        return text


def _choose(
    located: list[Located], reading: Reading, wanted: str | None, aliases: list[str]
) -> tuple[Located | None, Names]:
    """The patient of the record with its names."""
    found = patients_in(located)
    others: list[str] = []
    if wanted is not None:
        reference = tail(wanted) if "/" in wanted else f"Patient/{wanted}"
        if reference not in found:
            known = ", ".join(sorted(r.partition("/")[2] for r in found)[:SHOWN]) or "none"
            raise UnreadableSourceError(f"No patient {wanted!r} in the source; it holds: {known}")
        strangers = {r: w for r, w in found.items() if r != reference and r not in aliases}
        others = [n for r, w in strangers.items() for n in (r, _url(w)) if n]
        found = {reference: found[reference]}
    if len(found) > 1:
        names = sorted(r.partition("/")[2] for r in found)
        more = ", ..." if len(names) > SHOWN else ""
        raise SeveralPatientsError(
            f"The source holds {len(found)} patients ({', '.join(names[:SHOWN])}{more}). "
            "Choose one with --patient ID."
        )
    if found:
        reference, home = next(iter(found.items()))
        return home, Names(reference, _url(home), others, aliases)
    subjects = {tail(w.resource.owner) for w in located if w.resource.owner}
    if len(subjects) == 1:
        text = "the source has no Patient resource: sex and birth date are unknown."
        reading.aside.append(SetAside("patient-missing", "", text))
        return None, Names(subjects.pop(), aliases=aliases)
    if not subjects:
        raise UnreadableSourceError(
            "No patient and no resource that names one was found. Expected a FHIR R4 Bundle or "
            "NDJSON with one Patient and the resources that refer to it."
        )
    raise SeveralPatientsError(
        f"The source has no Patient resource and names {len(subjects)} different subjects. "
        "Choose one with --patient ID."
    )


UNOWNED = frozenset({"Medication", "BodyStructure", "BiologicallyDerivedProduct", "Patient"})


def _belongs(where: Located, names: Names, reading: Reading) -> bool:
    if where.resource.resourceType in UNOWNED:
        return True
    owner = where.resource.owner
    if names.mine(owner):
        return True
    if not owner:
        text = "it names no patient; it was left out."
        reading.set_aside("foreign-patient-ignored", where, text)
    elif not names.known_other(owner):
        text = f"it belongs to another patient than {names.reference}; it was left out."
        reading.set_aside("foreign-patient-ignored", where, text)
    return False
