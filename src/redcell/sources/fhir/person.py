"""Who the patient is: read off a Patient resource, or off several that are one person's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec.structs import replace

from redcell.record.moment import Moment
from redcell.record.patient import Patient, Sex
from redcell.record.record import SetAside
from redcell.sources.fhir.reading import Located, Reading, extension
from redcell.sources.fhir.resources import Patient as FhirPatient
from redcell.sources.fhir.times import BadTimeError, latest_day

UNKNOWN: dict[str, Any] = {"sex": "unknown", "birth_date": None, "altitude_m": None}
SAID = {"sex": "the sex", "birth_date": "the birth date"}
"""What is told when it differs."""


def patient_of(reading: Reading, home: Located) -> Patient:
    """The patient as one resource has them."""
    resource = home.resource
    assert isinstance(resource, FhirPatient)  # noqa: S101  (narrowing)
    sex: Sex = "unknown"
    if resource.gender in ("female", "male", "other"):
        sex = resource.gender  # type: ignore[assignment]
    birth = None
    if resource.birthDate:
        try:
            birth = latest_day(resource.birthDate)
        except BadTimeError as error:
            reading.set_aside("time-not-understood", home, f"birth date: {error}; age is unknown.")
    deceased: Moment | bool = bool(resource.deceasedBoolean)
    if resource.deceasedDateTime:
        deceased = reading.when(home, resource.deceasedDateTime) or True
    altitude = extension(resource, "residence-altitude")
    quantity = altitude.valueQuantity if altitude else None
    meters = quantity.value if quantity and quantity.sent_unit in ("m", "") else None
    return Patient(home.reference.partition("/")[2], sex, birth, deceased, meters)


def joined(reading: Reading, patient: Patient, others: Sequence[Patient]) -> Patient:
    """The patient with what their other resources know; where those differ, it stays unknown.

    What the patient's own resource says counts; that another one says otherwise is told.
    """
    found = replace(patient, deceased=patient.deceased or _deceased(others))
    for name, unknown in UNKNOWN.items():
        own = getattr(patient, name)
        known = {value for one in others if (value := getattr(one, name)) != unknown}
        if own == unknown and len(known) == 1:
            found = replace(found, **{name: known.pop()})
        elif name in SAID and len(known | ({own} - {unknown})) > 1:
            _tell(reading, patient, name, told=own != unknown)
    return found


def _deceased(others: Sequence[Patient]) -> Moment | bool:
    """Whether one of them says that the person died, and when, if one knows."""
    said = [one.deceased for one in others if one.deceased]
    return next((one for one in said if isinstance(one, Moment)), bool(said))


def _tell(reading: Reading, patient: Patient, name: str, *, told: bool) -> None:
    counts = f"that of {patient.reference} counts" if told else "none is used"
    text = (
        f"Patient resources of this person differ in {SAID[name]}; {counts}. Check whose they are."
    )
    reading.aside.append(SetAside("conflicting-records", "", f"{text}.", patient.reference))
